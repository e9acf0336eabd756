/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the client against servers that are not there, may not be used, or answer strangely. A
 * forked child plays the server: it takes one connection, sends canned bytes and descriptors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "api/client.h"
#include "api/server.h"

static char dir[] = "/tmp/vmlane-test-XXXXXX";
static char socket_path[64];

static size_t count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static int listen_here(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", socket_path);
	unlink(socket_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* ---- the strange server ---- */

/**
 * struct canned - what the server does
 * @bytes:	sent when the request's head has been read, @pieces at a time (0: at once)
 * @n_fds:	descriptors that go with the first byte
 * @deaf:	it closes without reading, so that the client's sending fails
 */
struct canned {
	const char *bytes;
	size_t pieces;
	size_t n_fds;
	bool deaf;
};

static void send_fds(int sock, const char *byte, size_t n)
{
	char control[CMSG_SPACE(8 * sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (void *)byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = control,
			     .msg_controllen = CMSG_SPACE(n * sizeof(int))};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	for (size_t i = 0; i < n; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){2}, sizeof(int));
	if (sendmsg(sock, &msg, 0) != 1)
		_exit(1);
}

static void play(int listen_fd, const struct canned *can)
{
	int fd = accept(listen_fd, NULL, NULL);
	const char *p = can->bytes;
	size_t left = strlen(p);
	char request[4096] = "";
	size_t len = 0;

	while (!can->deaf && !strstr(request, "\r\n\r\n")) {
		ssize_t n = recv(fd, request + len, sizeof(request) - 1 - len, 0);

		if (n <= 0)
			_exit(1);
		len += (size_t)n;
	}
	if (can->n_fds) {
		send_fds(fd, p++, can->n_fds);
		left--;
	}
	while (left) {
		size_t n = can->pieces && can->pieces < left ? can->pieces : left;

		if (send(fd, p, n, MSG_NOSIGNAL) < 0)
			break; /* the client has heard enough */
		p += n;
		left -= n;
	}
	_exit(0);
}

static pid_t start(const struct canned *can)
{
	int listen_fd = listen_here();
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		play(listen_fd, can);
	close(listen_fd);
	return pid;
}

static void end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- the tests ---- */

#define HEAD "HTTP/1.1 200 OK\r\n"
#define ERROR_BODY "{\"code\":\"c\",\"where\":\"w\",\"message\":\"m\"}"

struct answer_case {
	const char *bytes;
	int r;
	const char *code;
};

static const struct answer_case answers[] = {
	/* fine */
	{HEAD "Content-Length: 8\r\n\r\n{\"a\": 1}", 0, NULL},
	{HEAD "content-length:8 \r\nX: y\r\n\r\n{\"a\": 1}", 0, NULL},
	{HEAD "\r\n{\"a\": 1}", 0, NULL},
	{"HTTP/1.0 200 OK\r\n\r\n{\"a\": 1}\n", 0, NULL},
	{HEAD "Content-Length: 8\r\n\r\n{\"a\": 1}and more", 0, NULL},
	/* refused */
	{"HTTP/1.1 409 Conflict\r\n\r\n" ERROR_BODY, -EREMOTEIO, "c"},
	{"HTTP/1.1 431 Long\r\n\r\n<html>no</html>", -EREMOTEIO, "http"},
	{"HTTP/1.1 500 Oops\r\n\r\n[]", -EREMOTEIO, "http"},
	{"HTTP/1.1 500 Oops\r\n\r\n{\"errors\":[7]}", -EREMOTEIO, "refused"},
	{"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n", -EREMOTEIO, "http"},
	{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", -EREMOTEIO, "http"},
	/* cut off */
	{"", -EREMOTEIO, "cut-off"},
	{"HTTP/1.1 200 OK\r\nContent-Le", -EREMOTEIO, "cut-off"},
	{HEAD "Content-Length: 8\r\n\r\n{\"a\":", -EREMOTEIO, "cut-off"},
	/* not ours */
	{"220 mail.example.org ESMTP\r\n\r\n", -EREMOTEIO, "bad-answer"},
	{"HTTP/2.0 200 OK\r\n\r\n{}", -EREMOTEIO, "bad-answer"},
	{"HTTP/1.1 2x0 OK\r\n\r\n{}", -EREMOTEIO, "bad-answer"},
	{"HTTP/1.1 2000 OK\r\n\r\n{}", -EREMOTEIO, "bad-answer"},
	{HEAD "Content-Length: -8\r\n\r\n{\"a\": 1}", -EREMOTEIO, "bad-answer"},
	{HEAD "Content-Length: 8x\r\n\r\n{\"a\": 1}", -EREMOTEIO, "bad-answer"},
	{HEAD "Content-Length:\r\n\r\n{\"a\": 1}", -EREMOTEIO, "bad-answer"},
	{HEAD "Content-Length: 99999999999999999999\r\n\r\n{}", -EREMOTEIO, "bad-answer"},
	{HEAD "Content-Length: 67108865\r\n\r\n{}", -EREMOTEIO, "bad-answer"},
	{HEAD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", -EREMOTEIO, "bad-answer"},
	{HEAD "Content-Length: 4\r\n\r\n{\"a\": 1}", -EREMOTEIO, "bad-answer"},
	{HEAD "\r\nnonsense", -EREMOTEIO, "bad-answer"},
	{HEAD "\r\n", -EREMOTEIO, "bad-answer"},
	{"HTTP/1.1 101 Switching Protocols\r\n\r\n{}\n", -EREMOTEIO, "bad-answer"},
	{"\r\n\r\n\r\n\r\n", -EREMOTEIO, "bad-answer"},
};

static void check_answer(const struct answer_case *a, size_t pieces)
{
	const struct canned can = {.bytes = a->bytes, .pieces = pieces};
	struct err_list errs = {.n = 0};
	json_t *j = NULL;
	pid_t pid = start(&can);
	int r = api_call(socket_path, "GET", "/v1/status", NULL, &j, &errs);

	if (r != a->r || (r < 0 && (errs.n < 1 || strcmp(errs.items[0].code, a->code) != 0)))
		fail_msg("'%s': %d, %s", a->bytes, r, errs.n ? errs.items[0].code : "no error");
	if (r == 0)
		assert_int_equal(json_integer_value(json_object_get(j, "a")), 1);
	else
		assert_null(j);
	json_decref(j);
	end(pid);
}

static void test_answers(void **state)
{
	size_t before = count_fds();

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		check_answer(&answers[i], 0);
		check_answer(&answers[i], 1);
	}
	assert_int_equal(count_fds(), before);
}

static void test_endless_head(void **state)
{
	char *bytes = malloc(40000);
	struct answer_case a = {bytes, -EREMOTEIO, "bad-answer"};

	assert_non_null(bytes);
	memset(bytes, 'x', 39999);
	bytes[39999] = '\0';
	memcpy(bytes, HEAD "X: ", sizeof(HEAD "X: ") - 1);
	check_answer(&a, 0);
	free(bytes);
}

#define HEAD_101 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: vmlane-tap\r\n\r\n"

/* Descriptors that come with the head's first byte are as good as any. */
static void test_open(void **state)
{
	static const struct {
		const char *bytes;
		size_t n_fds, max;
		int r;
		const char *code;
	} cases[] = {
		{HEAD_101 "{\"a\": 1}\n", 3, 8, 0, NULL},
		{HEAD_101 "{\"a\": 1}\n", 3, 3, 0, NULL},
		{HEAD_101 "{\"a\": 1}\n", 3, 2, -EREMOTEIO, "descriptors"},
		{HEAD_101 "{\"a\": 1}\n", 0, 8, -EREMOTEIO, "bad-answer"},
		{HEAD_101 "{\"a\": 1}", 3, 8, -EREMOTEIO, "cut-off"},
		{HEAD_101, 3, 8, -EREMOTEIO, "cut-off"},
		{HEAD_101 "nonsense\n", 3, 8, -EREMOTEIO, "bad-answer"},
		{HEAD "\r\n{\"a\": 1}\n", 3, 8, -EREMOTEIO, "bad-answer"},
		{"HTTP/1.1 403 No\r\n\r\n" ERROR_BODY, 3, 8, -EREMOTEIO, "c"},
	};
	size_t before = count_fds();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t pieces = 0; pieces < 2; pieces++) {
			const struct canned can = {
				.bytes = cases[i].bytes, .pieces = pieces, .n_fds = cases[i].n_fds};
			struct err_list errs = {.n = 0};
			int fds[8], r;
			json_t *j = NULL;
			size_t n = 0;
			pid_t pid = start(&can);

			r = api_open(socket_path, "/x", NULL, &j, fds, cases[i].max, &n, &errs);
			assert_int_equal(r, cases[i].r);
			assert_int_equal(n, r == 0 ? cases[i].n_fds : 0);
			if (r < 0)
				assert_string_equal(errs.items[0].code, cases[i].code);
			for (size_t k = 0; k < n; k++)
				close(fds[k]);
			json_decref(j);
			end(pid);
			assert_int_equal(count_fds(), before);
		}
	}
}

/* A server that answers without listening: its answer counts, not our failed send. */
static void test_deaf_server(void **state)
{
	const struct canned can = {.bytes = "HTTP/1.1 503 Busy\r\n\r\n" ERROR_BODY, .deaf = true};
	json_t *body = json_object(), *j = NULL;
	struct err_list errs = {.n = 0};
	char *text = malloc(API_BODY_MAX);
	pid_t pid;

	assert_non_null(text);
	memset(text, 'a', API_BODY_MAX);
	assert_int_equal(json_object_set_new(body, "k", json_stringn(text, API_BODY_MAX)), 0);
	pid = start(&can);
	assert_int_equal(api_call(socket_path, "POST", "/x", body, &j, &errs), -EREMOTEIO);
	assert_string_equal(errs.items[0].code, "c");
	end(pid);
	free(text);
	json_decref(body);
}

static void test_unreachable(void **state)
{
	struct err_list errs = {.n = 0};
	char longer[200] = "/";
	json_t *j = NULL;

	/* no such socket */
	unlink(socket_path);
	assert_int_equal(api_call(socket_path, "GET", "/x", NULL, &j, &errs), -ECONNREFUSED);
	assert_string_equal(errs.items[0].code, "unreachable");
	assert_non_null(strstr(errs.items[0].message, "systemctl start vmlaned"));
	assert_non_null(strstr(errs.items[0].message, socket_path));
	/* a socket that nobody listens on any more */
	close(listen_here());
	errs.n = 0;
	assert_int_equal(api_call(socket_path, "GET", "/x", NULL, &j, &errs), -ECONNREFUSED);
	assert_non_null(strstr(errs.items[0].message, "systemctl start vmlaned"));
	/* a name that is too long for a socket */
	memset(longer + 1, 'a', sizeof(longer) - 2);
	assert_int_equal(api_call(longer, "GET", "/x", NULL, &j, &errs), -ECONNREFUSED);
}

static void test_not_allowed(void **state)
{
	int listen_fd = listen_here();
	int status;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	assert_int_equal(chmod(socket_path, 0600), 0);
	pid = fork();
	if (pid == 0) {
		struct err_list errs = {.n = 0};
		json_t *j = NULL;

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(1);
		if (api_call(socket_path, "GET", "/x", NULL, &j, &errs) != -EACCES)
			_exit(2);
		_exit(strstr(errs.items[0].message, "usermod -aG") ? 0 : 3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(listen_fd);
}

/* Nothing of a name may get out of the request line. */
static void test_paths(void **state)
{
	static const char *const bad[] = {
		"", "v1", "/a b", "/a\r\nX: y", "/a\nb", "/\x7f", "/\xc3\xbc",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct err_list errs = {.n = 0};
		int listen_fd = listen_here();
		json_t *j = NULL;

		assert_int_equal(api_call(socket_path, "GET", bad[i], NULL, &j, &errs), -EINVAL);
		assert_string_equal(errs.items[0].code, "bad-name");
		close(listen_fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	    cmocka_unit_test(test_endless_head),
		cmocka_unit_test(test_open),	    cmocka_unit_test(test_deaf_server),
		cmocka_unit_test(test_unreachable), cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_paths),
	};
	int r;

	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/api.sock", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(socket_path);
	rmdir(dir);
	return r;
}
