/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.c - a small HTTP/1.1 client for one server: ours (server.c). One request a connection, the
 * answer by Content-Length or until the end; no chunked answers, no redirects.
 */
#include "api/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include "api/server.h"
#include "base/text.h"
#include "config.h"

#define HEAD_MAX ((size_t)16 * 1024)
#define REQUEST_MAX ((size_t)2 * API_BODY_MAX)
#define READ_SIZE ((size_t)16 * 1024)
#define SCM_FDS_MAX 253 /* the kernel's SCM_MAX_FD */

/**
 * struct exchange - one request and its answer
 * @socket:	path, for the words
 * @fd:		the connection, -1 before
 * @in:		all bytes of the answer
 * @head_len:	how many of them are the head; 0 while it is not complete
 * @status:	HTTP status
 * @length:	Content-Length, or SIZE_MAX: until the end
 * @eof:	the daemon closed
 * @fds:	what came by SCM_RIGHTS, @n_fds of at most @max_fds; ours to close
 * @stream:	the answer goes on until one side ends it
 * @fds_lost:	the kernel could not give us all (limit of open files)
 */
struct exchange {
	const char *socket;
	int fd;
	struct buf in;
	size_t head_len;
	unsigned int status;
	size_t length;
	bool eof;
	int *fds;
	size_t n_fds;
	size_t max_fds;
	bool stream;
	bool fds_lost;
	struct err_list *errs;
};

/* ---- connecting ---- */

static int connect_failed(struct exchange *x, int error)
{
	const char *p = x->socket;

	switch (error) {
	case EACCES:
	case EPERM:
		return err_add(
			x->errs, -EACCES, "not-allowed", "",
			"you may not use %s: join group %s (sudo usermod -aG %s $USER, then log in "
			"again) or use sudo",
			p, VMLANE_GROUP, VMLANE_GROUP);
	case ENOENT:
	case ECONNREFUSED:
	case ENOTDIR:
		return err_add(
			x->errs, -ECONNREFUSED, "unreachable", "",
			"vmlaned is not running (no answer at %s); start it: systemctl start "
			"vmlaned",
			p);
	case EAGAIN: /* its queue stayed full for API_TIMEOUT_S */
		return err_add(
			x->errs, -ECONNREFUSED, "unreachable", "",
			"vmlaned does not take connections at %s; see: journalctl -u vmlaned", p);
	default:
		return err_add(x->errs, -ECONNREFUSED, "unreachable", "", "%s: %s", p,
			       strerror(error));
	}
}

static int open_connection(struct exchange *x)
{
	const struct timeval timeout = {.tv_sec = API_TIMEOUT_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	if (strlen(x->socket) >= sizeof(sa.sun_path))
		return connect_failed(x, ENAMETOOLONG);
	memcpy(sa.sun_path, x->socket, strlen(x->socket));
	x->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (x->fd < 0 ||
	    setsockopt(x->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0 ||
	    setsockopt(x->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return err_add(x->errs, -EREMOTEIO, "socket", "", "socket: %s", strerror(errno));
	while (connect(x->fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0)
		if (errno != EINTR)
			return connect_failed(x, errno);
	return 0;
}

/* ---- sending ---- */

static int broken(struct exchange *x, int error)
{
	if (error == EAGAIN)
		return err_add(x->errs, -EREMOTEIO, "timeout", "",
			       "vmlaned did not answer within %d s; see: journalctl -u vmlaned",
			       API_TIMEOUT_S);
	if (error == 0)
		return err_add(x->errs, -EREMOTEIO, "cut-off", "",
			       "vmlaned closed the connection before its answer was complete; see: "
			       "journalctl -u vmlaned");
	return err_add(x->errs, -EREMOTEIO, "cut-off", "", "%s: %s", x->socket, strerror(error));
}

static int send_all(struct exchange *x, const char *p, size_t len)
{
	while (len) {
		ssize_t n = send(x->fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* It stopped listening, maybe for a reason that it has written already: read it. */
		if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
			return 0;
		if (n < 0)
			return broken(x, errno);
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

/* The path goes into the request line as it is: anything but printable ASCII would break out. */
static bool path_ok(const char *path)
{
	if (*path != '/')
		return false;
	for (; *path; path++)
		if ((unsigned char)*path <= 0x20 || (unsigned char)*path >= 0x7f)
			return false;
	return true;
}

static int send_request(struct exchange *x, const char *method, const char *path, json_t *body)
{
	bool upgrade = x->max_fds > 0;
	struct buf b = BUF_INIT(REQUEST_MAX);
	_cleanup_(freep) char *text = NULL;
	int r;

	if (!path_ok(path))
		return err_add(
			x->errs, -EINVAL, "bad-name", "",
			"a name has characters that names cannot have; they are letters, digits, "
			"'_', '.' and '-'");
	if (body) {
		text = json_is_string(body) ? strdup(json_string_value(body))
					    : json_dumps(body, JSON_COMPACT);
		if (!text)
			return -ENOMEM;
	}
	/* To HTTP/1.0 a stream comes as it is, without the frames of chunked coding. */
	buf_printf(&b, "%s %s HTTP/1.%c\r\nHost: vmlane\r\nConnection: %s\r\n", method, path,
		   x->stream ? '0' : '1', upgrade ? "Upgrade" : "close");
	if (upgrade)
		buf_puts(&b, "Upgrade: " API_UPGRADE "\r\n");
	if (text)
		buf_printf(&b, "Content-Type: application/%s\r\nContent-Length: %zu\r\n",
			   json_is_string(body) ? "yaml" : "json", strlen(text));
	buf_printf(&b, "\r\n%s", text ? text : "");
	r = b.error == -E2BIG
		    ? err_add(x->errs, -EINVAL, "too-large", "", "the request is too long")
	    : b.error ? b.error
		      : send_all(x, b.data, b.len);
	buf_done(&b);
	return r;
}

/* ---- receiving ---- */

static void take_fds(struct exchange *x, struct msghdr *msg)
{
	if (msg->msg_flags & MSG_CTRUNC)
		x->fds_lost = true;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (x->n_fds < x->max_fds) {
				x->fds[x->n_fds++] = fd;
			} else {
				close(fd);
				x->fds_lost = true;
			}
		}
	}
}

/* Some more bytes, and whatever descriptors come along. */
static int receive(struct exchange *x)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(SCM_FDS_MAX * sizeof(int))];
	} control;
	char bytes[READ_SIZE];
	struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t n;

	do
		n = recvmsg(x->fd, &msg, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return broken(x, errno);
	take_fds(x, &msg);
	x->eof = n == 0;
	buf_append(&x->in, bytes, (size_t)n);
	if (x->in.error == -E2BIG)
		return err_add(x->errs, -EREMOTEIO, "too-large", "",
			       "vmlaned's answer is longer than %d bytes", API_REPLY_MAX);
	return x->in.error;
}

static int bad_answer(struct exchange *x)
{
	return err_add(x->errs, -EREMOTEIO, "bad-answer", "",
		       "what answers at %s does not speak vmlaned's protocol", x->socket);
}

static int parse_length(const char *text, size_t *ret)
{
	char digits[16];
	uint32_t v;
	size_t len;

	text += strspn(text, " \t");
	len = strspn(text, "0123456789");
	if (len >= sizeof(digits) || text[len + strspn(text + len, " \t")] != '\r')
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	if (text_u32(digits, 0, API_REPLY_MAX, &v) < 0)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* "HTTP/1.1 200 OK" and the two headers that matter; @end is behind the empty line. */
static int parse_head(struct exchange *x, const char *end)
{
	static const char length[] = "Content-Length:", coding[] = "Transfer-Encoding:";
	const char *p = x->in.data;

	if (strncmp(p, "HTTP/1.", 7) != 0 || strspn(p + 7, "01") != 1 || p[8] != ' ' ||
	    strspn(p + 9, "0123456789") != 3)
		return bad_answer(x);
	x->status = (unsigned int)((p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0'));
	x->length = SIZE_MAX;
	for (p = strstr(p, "\r\n") + 2; p < end - 2; p = strstr(p, "\r\n") + 2) {
		if (strncasecmp(p, coding, sizeof(coding) - 1) == 0)
			return bad_answer(x);
		if (strncasecmp(p, length, sizeof(length) - 1) == 0 &&
		    parse_length(p + sizeof(length) - 1, &x->length) < 0)
			return bad_answer(x);
	}
	x->head_len = (size_t)(end - x->in.data);
	return 0;
}

static int receive_head(struct exchange *x)
{
	while (!x->head_len) {
		const char *end;
		int r;

		r = receive(x);
		if (r < 0)
			return r;
		end = x->in.len ? memmem(x->in.data, x->in.len, "\r\n\r\n", 4) : NULL;
		if (!end && x->eof)
			return broken(x, 0);
		if (!end && x->in.len > HEAD_MAX)
			return bad_answer(x);
		/* a NUL would hide the rest from the string functions */
		if (end && memchr(x->in.data, '\0', (size_t)(end - x->in.data)))
			return bad_answer(x);
		if (end) {
			r = parse_head(x, end + 4);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

static bool body_complete(const struct exchange *x)
{
	size_t have = x->in.len - x->head_len;

	if (x->status == 101)
		return memchr(x->in.data + x->head_len, '\n', have) != NULL;
	return have >= x->length;
}

static int receive_body(struct exchange *x)
{
	while (!body_complete(x)) {
		int r;

		if (x->eof && x->status != 101 && x->length == SIZE_MAX)
			return 0;
		if (x->eof)
			return broken(x, 0);
		r = receive(x);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- the answer's meaning ---- */

static void push_error(struct err_list *errs, const json_t *j)
{
	const char *code = json_string_value(json_object_get(j, "code"));
	const char *where = json_string_value(json_object_get(j, "where"));
	const char *message = json_string_value(json_object_get(j, "message"));

	err_add(errs, 0, code ? code : "refused", where, "%s", message ? message : "refused");
}

static int refused(struct exchange *x, const json_t *body)
{
	const json_t *all = json_object_get(body, "errors");

	for (size_t i = 0; i < json_array_size(all); i++)
		push_error(x->errs, json_array_get(all, i));
	if (!json_array_size(all) && json_object_get(body, "message"))
		push_error(x->errs, body);
	else if (!json_array_size(all))
		err_add(x->errs, 0, "http", "", "vmlaned refused the request: HTTP status %u",
			x->status);
	return -EREMOTEIO;
}

static int understand(struct exchange *x, json_t **ret)
{
	size_t len = x->in.len - x->head_len;
	json_error_t e;
	json_t *body;
	int r;

	if (len > x->length)
		len = x->length;
	body = json_loadb(x->in.data + x->head_len, len, 0, &e);
	if (x->status != 101 && (x->status < 200 || x->status > 299)) {
		r = refused(x, body);
		json_decref(body);
		return r;
	}
	if (!body)
		return bad_answer(x);
	*ret = body;
	return 0;
}

static int perform(struct exchange *x, const char *method, const char *path, json_t *body,
		   json_t **ret)
{
	int r;

	r = open_connection(x);
	if (r == 0)
		r = send_request(x, method, path, body);
	if (r == 0)
		r = receive_head(x);
	if (r == 0)
		r = receive_body(x);
	if (r == 0)
		r = understand(x, ret);
	return r;
}

static void exchange_done(struct exchange *x)
{
	for (size_t i = 0; i < x->n_fds; i++)
		close(x->fds[i]);
	buf_done(&x->in);
	fd_closep(&x->fd);
}

int api_call(const char *socket, const char *method, const char *path, json_t *body, json_t **ret,
	     struct err_list *errs)
{
	struct exchange x = {
		.socket = socket, .fd = -1, .in = BUF_INIT(HEAD_MAX + API_REPLY_MAX), .errs = errs};
	json_t *j = NULL;
	int r;

	r = perform(&x, method, path, body, &j);
	if (r == 0 && x.status == 101) {
		json_decref(j);
		r = bad_answer(&x);
	}
	exchange_done(&x);
	if (r == 0)
		*ret = j;
	return r;
}

static int check_fds(struct exchange *x)
{
	if (x->status != 101)
		return bad_answer(x);
	if (x->fds_lost)
		return err_add(
			x->errs, -EREMOTEIO, "descriptors", "",
			"not all of the tap's descriptors could be taken: ask for fewer queues, or "
			"raise the limit of open files (ulimit -n)");
	if (x->n_fds == 0)
		return bad_answer(x);
	return 0;
}

int api_open(const char *socket, const char *path, json_t *body, json_t **ret, int *fds, size_t max,
	     size_t *ret_n, struct err_list *errs)
{
	int got[API_FDS_MAX];
	struct exchange x = {.socket = socket,
			     .fd = -1,
			     .in = BUF_INIT(HEAD_MAX + API_REPLY_MAX),
			     .fds = got,
			     .max_fds = size_min(max, API_FDS_MAX),
			     .errs = errs};
	json_t *j = NULL;
	int r;

	r = perform(&x, "POST", path, body, &j);
	if (r == 0) {
		r = check_fds(&x);
		if (r < 0)
			json_decref(j);
	}
	if (r == 0) {
		memcpy(fds, got, x.n_fds * sizeof(int));
		*ret = j;
		*ret_n = x.n_fds;
		x.n_fds = 0; /* the caller's now */
	}
	exchange_done(&x);
	return r;
}

/* ---- events ---- */

/* What was dealt with goes; the rest moves to the front. */
static void drop_front(struct buf *b, size_t len)
{
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

/* One line of the stream; all but "data: " is for browsers, or a heartbeat. */
static int take_line(struct exchange *x, const char *line, size_t len, api_event_fn fn, void *ctx)
{
	static const char data[] = "data: ";
	json_t *event;
	json_error_t e;
	int r;

	if (len < sizeof(data) - 1 || memcmp(line, data, sizeof(data) - 1) != 0)
		return 0;
	event = json_loadb(line + sizeof(data) - 1, len - (sizeof(data) - 1), 0, &e);
	if (!event)
		return bad_answer(x);
	r = fn(event, ctx);
	json_decref(event);
	return r;
}

static int take_lines(struct exchange *x, api_event_fn fn, void *ctx)
{
	int r = 0;

	while (r == 0 && x->in.len) {
		const char *end = memchr(x->in.data, '\n', x->in.len);
		size_t len = end ? (size_t)(end - x->in.data) : 0;

		if (!end)
			break;
		r = take_line(x, x->in.data, len, fn, ctx);
		drop_front(&x->in, len + 1);
	}
	return r;
}

static int follow(struct exchange *x, api_event_fn fn, void *ctx)
{
	int r;

	drop_front(&x->in, x->head_len);
	for (;;) {
		r = take_lines(x, fn, ctx);
		if (r != 0)
			return r;
		if (x->eof)
			return err_add(x->errs, -EREMOTEIO, "ended", "", "vmlaned has ended");
		r = receive(x);
		if (r < 0)
			return r;
	}
}

int api_listen(const char *socket, const char *path, api_event_fn fn, void *ctx,
	       struct err_list *errs)
{
	struct exchange x = {.socket = socket,
			     .fd = -1,
			     .in = BUF_INIT(HEAD_MAX + API_REPLY_MAX),
			     .stream = true,
			     .errs = errs};
	json_t *body = NULL;
	int r = open_connection(&x);

	if (r == 0)
		r = send_request(&x, "GET", path, NULL);
	if (r == 0)
		r = receive_head(&x);
	if (r == 0 && x.status == 200) {
		r = follow(&x, fn, ctx);
	} else if (r == 0) {
		r = receive_body(&x);
		r = r < 0 ? r : understand(&x, &body);
		json_decref(body);
		r = r < 0 ? r : bad_answer(&x);
	}
	exchange_done(&x);
	return r;
}
