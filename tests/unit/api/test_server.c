/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the server on a real socket: the server runs here, its clients in a forked child that
 * exits 0 when it saw what it expected. After each test no descriptor may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "api/client.h"
#include "api/server.h"
#include "fake.h"

#define CLIENT_LIMIT_S 60

/* In the child: says where it failed, and ends it. */
#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "client: line %d: %s\n", __LINE__, #cond);                 \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

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

static int listen_on(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	unlink(path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(listen(fd, 512), 0);
	return fd;
}

static int on_child(sd_event_source *src, const siginfo_t *si, void *data)
{
	sd_event_exit(data, si->si_code == CLD_EXITED ? si->si_status : 100 + si->si_status);
	return 0;
}

static int on_late(sd_event_source *src, uint64_t usec, void *data)
{
	sd_event_exit(data, 99);
	return 0;
}

/* Serves @fake until the child that runs @client is done; its exit status. */
static void serve(struct fake *fake, void (*client)(void))
{
	sd_event_source *child = NULL, *late = NULL;
	struct service svc = fake_service(fake);
	struct api_server *server = NULL;
	sd_event *loop = NULL;
	struct err e = {.code = ""};
	size_t before = count_fds();
	int status;
	pid_t pid;

	assert_int_equal(sd_event_new(&loop), 0);
	assert_int_equal(api_server_new(loop, listen_on(socket_path), &svc, &server, &e), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		client();
		_exit(0);
	}
	assert_true(sd_event_add_child(loop, &child, pid, WEXITED, on_child, loop) >= 0);
	assert_true(sd_event_add_time_relative(loop, &late, CLOCK_MONOTONIC,
					       CLIENT_LIMIT_S * 1000000ull, 0, on_late, loop) >= 0);
	status = sd_event_loop(loop);
	if (status == 99)
		kill(pid, SIGKILL);
	sd_event_source_unref(child);
	sd_event_source_unref(late);
	api_server_free(server);
	sd_event_unref(loop);
	assert_int_equal(status, 0);
	assert_int_equal(count_fds(), before);
}

/* ---- raw clients ---- */

static int raw_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = 20};

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", socket_path);
	CHECK(fd >= 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
	CHECK(connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0);
	return fd;
}

static void raw_send(int fd, const char *text)
{
	CHECK(send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text));
}

/* Reads until @until was seen or the server closed; what came, in a static buffer. */
static const char *raw_read(int fd, const char *until)
{
	static char text[65536];
	size_t len = 0;

	text[0] = '\0';
	while (len < sizeof(text) - 1 && !(until && strstr(text, until))) {
		ssize_t n = recv(fd, text + len, sizeof(text) - 1 - len, 0);

		CHECK(n >= 0 || errno == ECONNRESET);
		if (n <= 0)
			break;
		len += (size_t)n;
		text[len] = '\0';
	}
	return text;
}

/* The server is alive and well. */
static void check_alive(void)
{
	struct err_list errs = {.n = 0};
	json_t *j = NULL;

	CHECK(api_call(socket_path, "GET", "/v1/status", NULL, &j, &errs) == 0);
	CHECK(strcmp(json_string_value(json_object_get(j, "call")), "status") == 0);
	json_decref(j);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* ---- the tests ---- */

static void client_calls(void)
{
	static const struct {
		const char *method, *path, *body, *call;
	} calls[] = {
		{"GET", "/v1/networks", NULL, "network_list"},
		{"POST", "/v1/networks", "{\"network\":\"lab\"}",
		 "network_create 17:{\"network\":\"lab\"}"},
		{"GET", "/v1/networks/default", NULL, "network_show default"},
		{"DELETE", "/v1/networks/default?force=1", NULL, "network_delete default force"},
		{"POST", "/v1/networks/default/start", NULL, "network_start default"},
		{"POST", "/v1/networks/default/stop", NULL, "network_stop default"},
		{"GET", "/v1/check", NULL, "check"},
		{"GET", "/v1/diff", NULL, "diff"},
		{"POST", "/v1/apply", "{\"force\":true}", "apply force"},
		{"GET", "/v1/guests", NULL, "guest_list"},
		{"POST", "/v1/guests", "{\"name\":\"a\",\"network\":\"d\"}", "guest_attach a d"},
		{"GET", "/v1/guests/web1", NULL, "guest_show web1"},
		{"DELETE", "/v1/guests/web1", NULL, "guest_detach web1"},
		{"GET", "/v1/ports", NULL, "port_list"},
		{"GET", "/v1/macs", NULL, "mac_list"},
		{"GET", "/v1/sightings", NULL, "sighting_list"},
		{"GET", "/v1/forwards", NULL, "forward_list"},
		{"GET", "/v1/leases", NULL, "lease_list"},
		{"DELETE", "/v1/leases/d/192.168.5.7", NULL, "lease_release d 192.168.5.7"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		json_t *body = calls[i].body ? json_loads(calls[i].body, 0, NULL) : NULL;
		struct err_list errs = {.n = 0};
		json_t *j = NULL;
		const char *call;

		CHECK(api_call(socket_path, calls[i].method, calls[i].path, body, &j, &errs) == 0);
		call = json_string_value(json_object_get(j, "call"));
		CHECK(strncmp(call, calls[i].call, strlen(calls[i].call)) == 0);
		json_decref(j);
		json_decref(body);
	}
}

static void test_calls(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_calls);
	assert_int_equal(fake.calls, 19);
}

static void client_errors(void)
{
	struct err_list errs = {.n = 0};
	json_t *j = NULL;

	CHECK(api_call(socket_path, "GET", "/v1/networks/x", NULL, &j, &errs) == -EREMOTEIO);
	CHECK(!j);
	CHECK(errs.n == 2);
	CHECK(strcmp(errs.items[0].where, "lab.yaml:4:11") == 0);
	CHECK(strcmp(errs.items[1].code, "second") == 0);
	errs.n = 0;
	CHECK(api_call(socket_path, "GET", "/v1/nonsense", NULL, &j, &errs) == -EREMOTEIO);
	CHECK(errs.n == 1 && strcmp(errs.items[0].code, "no-route") == 0);
}

static void test_errors(void **state)
{
	struct fake fake = {.fail = ENOENT, .fail_words = true};

	serve(&fake, client_errors);
}

/* The bytes of the answers, as other programs see them. */
static void client_wire(void)
{
	const char *text;
	int fd = raw_connect();

	raw_send(fd, "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
	text = raw_read(fd, "}\n");
	CHECK(strncmp(text, "HTTP/1.1 200 OK\r\n", 17) == 0);
	CHECK(strstr(text, "\r\nContent-Type: application/json\r\n"));
	CHECK(strstr(text, "\r\n\r\n{\"call\":\"status\"}\n"));
	/* the same connection, two requests at once */
	raw_send(fd, "GET /v1/ports HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/macs HTTP/1.1\r\nHost: "
		     "x\r\n\r\n");
	text = raw_read(fd, "\"mac_list\"}\n");
	CHECK(strstr(text, "\"port_list\"}\n"));
	raw_send(fd, "PUT /v1/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
	text = raw_read(fd, "]}\n");
	CHECK(strncmp(text, "HTTP/1.1 405 ", 13) == 0);
	CHECK(strstr(text, "\r\nAllow: GET, POST\r\n"));
	raw_send(fd, "POST /v1/guests/a/open HTTP/1.1\r\nHost: x\r\nContent-Length: 15\r\n\r\n"
		     "{\"network\":\"d\"}");
	text = raw_read(fd, "]}\n");
	CHECK(strncmp(text, "HTTP/1.1 426 ", 13) == 0);
	CHECK(strstr(text, "\r\nUpgrade: vmlane-tap\r\n"));
	close(fd);
	/* HTTP/1.0 knows no upgrade */
	fd = raw_connect();
	raw_send(fd, "POST /v1/guests/a/open HTTP/1.0\r\nUpgrade: vmlane-tap\r\n"
		     "Connection: Upgrade\r\n\r\n");
	CHECK(strstr(raw_read(fd, NULL), " 426 "));
	close(fd);
}

static void test_wire(void **state)
{
	struct fake fake = {.n_fds = 1};

	serve(&fake, client_wire);
	assert_string_equal(fake.call, "mac_list");
}

static int post_sized(size_t len, struct err_list *errs)
{
	char *text = malloc(len);
	json_t *body, *j = NULL;
	int r;

	/* {"k":"aaa..."} of exactly @len bytes */
	CHECK(text);
	memset(text, 'a', len);
	body = json_pack("{s:s#}", "k", text, (int)(len - 8));
	CHECK(body);
	errs->n = 0;
	r = api_call(socket_path, "POST", "/v1/networks", body, &j, errs);
	if (r == 0)
		CHECK(strstr(json_string_value(json_object_get(j, "call")), "create 1048576:"));
	json_decref(j);
	json_decref(body);
	free(text);
	return r;
}

static void client_bodies(void)
{
	struct err_list errs;
	char chunk[4096 + 16];
	const char *text;
	int fd;

	CHECK(post_sized(API_BODY_MAX, &errs) == 0);
	CHECK(post_sized(API_BODY_MAX + 1, &errs) == -EREMOTEIO);
	CHECK(errs.n == 1 && strcmp(errs.items[0].code, "too-large") == 0);
	/* without a length said beforehand */
	fd = raw_connect();
	raw_send(fd, "POST /v1/networks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
	memset(chunk, 'a', sizeof(chunk));
	memcpy(chunk, "1000\r\n", 6);
	memcpy(chunk + 6 + 4096, "\r\n", 3);
	for (size_t sent = 0; sent <= API_BODY_MAX; sent += 4096)
		raw_send(fd, chunk);
	raw_send(fd, "0\r\n\r\n");
	text = raw_read(fd, "]}\n");
	CHECK(strncmp(text, "HTTP/1.1 413 ", 13) == 0);
	close(fd);
	/* a header that is longer than the server reads */
	fd = raw_connect();
	raw_send(fd, "GET /v1/status HTTP/1.1\r\nX: ");
	memset(chunk, 'b', 4096);
	chunk[4096] = '\0';
	for (size_t sent = 0; sent < API_HEADER_MAX; sent += 4096)
		if (send(fd, chunk, 4096, MSG_NOSIGNAL) < 0)
			break;
	text = raw_read(fd, NULL);
	CHECK(strncmp(text, "HTTP/1.1 431 ", 13) == 0 || strncmp(text, "HTTP/1.1 413 ", 13) == 0);
	close(fd);
	check_alive();
}

static void test_bodies(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_bodies);
	assert_int_equal(fake.calls, 2);
}

/* Many bodies begun and not ended: together they are bounded, and it is said. */
static void client_hoarders(void)
{
	enum { N = 40 };
	size_t chunk = API_BODY_MAX - 4096;
	char *text = malloc(chunk + 4096);
	int fds[N], busy = 0;

	CHECK(text);
	memset(text, 'a', chunk + 4096);
	for (int i = 0; i < N; i++) {
		fds[i] = raw_connect();
		raw_send(
			fds[i],
			"POST /v1/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n");
		CHECK(send(fds[i], text, chunk, MSG_NOSIGNAL) == (ssize_t)chunk);
	}
	for (int i = 0; i < N; i++) {
		const char *answer;

		CHECK(send(fds[i], text, 4096, MSG_NOSIGNAL) == 4096);
		answer = raw_read(fds[i], "}\n");
		busy += strncmp(answer, "HTTP/1.1 503 ", 13) == 0;
		CHECK(strstr(answer, "\"busy\"") || strstr(answer, "network_create 1048576:"));
		close(fds[i]);
	}
	CHECK(busy >= N - 16 - 1);
	CHECK(busy < N);
	free(text);
	check_alive();
}

static void test_hoarders(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_hoarders);
}

static void client_garbage(void)
{
	static const char *const texts[] = {
		"\r\n\r\n\r\n",
		"hello\r\n\r\n",
		"GET\r\n\r\n",
		"GET /v1/status\r\n\r\n",
		"GET /v1/status HTTP/9.9\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
		"GET /v1/status HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
		"POST /v1/apply HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		("POST /v1/apply HTTP/1.1\r\nTransfer-Encoding: "
		 "chunked\r\n\r\nffffffffffffffffff\r\n"),
		"POST /v1/apply HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
		"GET http://vmlane/v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
		"GET /v1/networks/%00%zz?%&&&=&force=1=1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03",
		"GET /v1/status HTTP/1.1\r\n: \r\n :\r\n\t\r\n\r\n",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
		"CONNECT a:1 HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD /v1/status HTTP/1.1\r\nHost: x\r\n\r\n",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
	uint32_t seed = 1;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int fd = raw_connect();

		raw_send(fd, texts[i]);
		check_alive();
		close(fd);
	}
	for (int i = 0; i < 200; i++) {
		unsigned char noise[512];
		int fd = raw_connect();

		for (size_t k = 0; k < sizeof(noise); k++) {
			seed = seed * 1664525u + 1013904223u;
			noise[k] = (unsigned char)(seed >> 24);
		}
		send(fd, noise, sizeof(noise), MSG_NOSIGNAL);
		close(fd);
	}
	check_alive();
}

static void test_garbage(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_garbage);
}

/* 300 connections that say nothing: those beyond the limit are told, and room comes back. */
static void client_idle(void)
{
	struct err_list errs = {.n = 0};
	int fds[300], told = 0;
	json_t *j = NULL;

	for (int i = 0; i < 300; i++)
		fds[i] = raw_connect();
	for (int i = API_CONNECTIONS_MAX; i < 300; i++)
		told += strstr(raw_read(fds[i], NULL), "HTTP/1.1 503 ") != NULL;
	CHECK(told == 300 - API_CONNECTIONS_MAX);
	CHECK(api_call(socket_path, "GET", "/v1/status", NULL, &j, &errs) == -EREMOTEIO);
	CHECK(errs.n == 1 && strcmp(errs.items[0].code, "busy") == 0);
	/* the last that was taken still works */
	raw_send(fds[API_CONNECTIONS_MAX - 1], "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n");
	CHECK(strstr(raw_read(fds[API_CONNECTIONS_MAX - 1], "}\n"), "200 OK"));
	close(fds[0]);
	/* its end is seen when the server's loop comes round: asking again is the way */
	for (int i = 0; i < 100; i++) {
		errs.n = 0;
		if (api_call(socket_path, "GET", "/v1/status", NULL, &j, &errs) == 0)
			return;
		pause_ms(10);
	}
	CHECK(false /* room came back */);
}

static void test_idle(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_idle);
}

static void client_slow(void)
{
	static const char request[] =
		"POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n"
		"{\"force\":true}";
	int fd = raw_connect();

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		CHECK(send(fd, request + i, 1, MSG_NOSIGNAL) == 1);
		pause_ms(1);
		if (i % 16 == 0)
			check_alive(); /* the others do not wait for it */
	}
	CHECK(strstr(raw_read(fd, "}\n"), "apply force"));
	close(fd);
}

static void test_slow(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_slow);
}

static void open_and_check(size_t n)
{
	json_t *body = json_pack("{s:s, s:i}", "network", "d", "queues", (int)n), *j = NULL;
	struct err_list errs = {.n = 0};
	int fds[API_FDS_MAX];
	size_t got = 0;

	CHECK(api_open(socket_path, "/v1/guests/web1/open", body, &j, fds, API_FDS_MAX, &got,
		       &errs) == 0);
	CHECK(got == n);
	CHECK(strncmp(json_string_value(json_object_get(j, "call")), "guest_open web1 d", 17) == 0);
	for (size_t i = 0; i < n; i++) {
		char want[16], have[16] = "";

		/* the queues in their order, each close-on-exec */
		snprintf(want, sizeof(want), "%zu", i);
		CHECK(pread(fds[i], have, sizeof(have) - 1, 0) > 0);
		CHECK(strcmp(have, want) == 0);
		CHECK(fcntl(fds[i], F_GETFD) == FD_CLOEXEC);
		close(fds[i]);
	}
	json_decref(body);
	json_decref(j);
}

#define DEFINE_OPEN_TEST(n)                                                                        \
	static void client_open_##n(void)                                                          \
	{                                                                                          \
		for (int i = 0; i < 3; i++)                                                        \
			open_and_check(n);                                                         \
	}                                                                                          \
	static void test_open_##n(void **state)                                                    \
	{                                                                                          \
		struct fake fake = {.n_fds = (n)};                                                 \
                                                                                                   \
		serve(&fake, client_open_##n);                                                     \
	}

DEFINE_OPEN_TEST(1)
DEFINE_OPEN_TEST(4)
DEFINE_OPEN_TEST(253)
DEFINE_OPEN_TEST(254)
DEFINE_OPEN_TEST(256)

/* More descriptors than the client may open: an error in words, and none kept. */
static void client_open_limit(void)
{
	json_t *body = json_pack("{s:s}", "network", "d"), *j = NULL;
	struct rlimit limit = {.rlim_cur = 20, .rlim_max = 20};
	struct err_list errs = {.n = 0};
	int fds[API_FDS_MAX];
	size_t got = 0, before;

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	before = count_fds();
	CHECK(api_open(socket_path, "/v1/guests/w/open", body, &j, fds, API_FDS_MAX, &got, &errs) ==
	      -EREMOTEIO);
	CHECK(errs.n == 1 && strcmp(errs.items[0].code, "descriptors") == 0);
	CHECK(count_fds() == before);
	/* room for fewer than come */
	errs.n = 0;
	CHECK(api_open(socket_path, "/v1/guests/w/open", body, &j, fds, 2, &got, &errs) ==
	      -EREMOTEIO);
	CHECK(count_fds() == before);
	CHECK(!j && got == 0);
	json_decref(body);
}

static void test_open_limit(void **state)
{
	struct fake fake = {.n_fds = 32};

	serve(&fake, client_open_limit);
}

static void client_open_fails(void)
{
	json_t *body = json_pack("{s:s}", "network", "d"), *j = NULL;
	struct err_list errs = {.n = 0};
	int fds[4];
	size_t got = 0;

	CHECK(api_open(socket_path, "/v1/guests/w/open", body, &j, fds, 4, &got, &errs) ==
	      -EREMOTEIO);
	CHECK(errs.n == 2 && strcmp(errs.items[0].code, "first") == 0);
	CHECK(!j && got == 0);
	json_decref(body);
}

static void test_open_fails(void **state)
{
	struct fake fake = {.fail = EPERM, .fail_words = true};

	serve(&fake, client_open_fails);
}

/* Clients that go away at every point of a request; what they leave is counted by serve(). */
static void client_vanishes(void)
{
	static const char open_request[] =
		"POST /v1/guests/w/open HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
		"Upgrade: vmlane-tap\r\nContent-Length: 15\r\n\r\n{\"network\":\"d\"}";

	for (size_t len = 0; len < sizeof(open_request); len++) {
		for (int linger = 0; linger < 2; linger++) {
			int fd = raw_connect();

			CHECK(send(fd, open_request, len, MSG_NOSIGNAL) == (ssize_t)len);
			if (linger)
				check_alive(); /* the server has seen it by now */
			close(fd);
		}
	}
	/* gone, with an answer half read */
	for (int i = 0; i < 20; i++) {
		int fd = raw_connect();

		raw_send(fd, open_request);
		raw_read(fd, "101");
		close(fd);
	}
	check_alive();
}

static void test_vanishes(void **state)
{
	struct fake fake = {.n_fds = 3};

	serve(&fake, client_vanishes);
	assert_true(fake.calls > 20);
}

/* The server ends while clients are in the middle of things. */
static void client_leaves_open(void)
{
	int fd = raw_connect();

	raw_send(fd, "POST /v1/networks HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
	check_alive();
	if (fork() == 0) {
		/* holds the connection beyond its parent's end */
		pause_ms(300);
		_exit(0);
	}
}

static void test_server_ends_first(void **state)
{
	struct fake fake = {.calls = 0};

	serve(&fake, client_leaves_open);
}

/* Another user: may read, may not change, and cannot take all connections. */
static void client_other_user(void)
{
	struct err_list errs = {.n = 0};
	json_t *j = NULL;
	int fds[API_CONNECTIONS_PER_USER];

	CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
	check_alive();
	CHECK(api_call(socket_path, "POST", "/v1/apply", NULL, &j, &errs) == -EREMOTEIO);
	CHECK(errs.n == 1 && strcmp(errs.items[0].code, "not-allowed") == 0);
	CHECK(strstr(errs.items[0].message, "sudo"));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = raw_connect();
	errs.n = 0;
	CHECK(api_call(socket_path, "GET", "/v1/status", NULL, &j, &errs) == -EREMOTEIO);
	CHECK(errs.n == 1 && strcmp(errs.items[0].code, "busy") == 0);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

static void test_other_user(void **state)
{
	struct fake fake = {.calls = 0};

	if (geteuid() != 0)
		skip();
	serve(&fake, client_other_user);
	assert_int_equal(fake.calls, 1);
}

/* A socket that has no peer credentials is refused, and stays the caller's. */
static void test_tcp_refused(void **state)
{
	struct service svc = {.ctx = NULL};
	struct api_server *server = NULL;
	sd_event *loop = NULL;
	struct err e = {.code = ""};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(sd_event_new(&loop), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(api_server_new(loop, fd, &svc, &server, &e), -EINVAL);
	assert_null(server);
	assert_int_equal(close(fd), 0);
	sd_event_unref(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),	    cmocka_unit_test(test_errors),
		cmocka_unit_test(test_wire),	    cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_hoarders),    cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_idle),	    cmocka_unit_test(test_slow),
		cmocka_unit_test(test_open_1),	    cmocka_unit_test(test_open_4),
		cmocka_unit_test(test_open_253),    cmocka_unit_test(test_open_254),
		cmocka_unit_test(test_open_256),    cmocka_unit_test(test_open_limit),
		cmocka_unit_test(test_open_fails),  cmocka_unit_test(test_vanishes),
		cmocka_unit_test(test_other_user),  cmocka_unit_test(test_server_ends_first),
		cmocka_unit_test(test_tcp_refused),
	};
	char dir[] = "/tmp/vmlane-test-XXXXXX";
	sigset_t mask;
	int r;

	/* sd-event waits for children with SIGCHLD blocked */
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
		return 1;
	snprintf(socket_path, sizeof(socket_path), "%s/api.sock", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(socket_path);
	rmdir(dir);
	return r;
}
