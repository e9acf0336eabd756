/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.c - connections and bytes: libmicrohttpd's epoll descriptor and deadline inside sd-event.
 *
 * It accepts connections itself, so that it can look at who connects and answer 503 when there are
 * too many; libmicrohttpd would only leave them waiting. It does not know routes: api_dispatch()
 * (routes.c) makes the answer. One thread; struct service functions run inside MHD_run().
 */
#include "api/server.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include "api/request.h"
#include "api/stream.h"
#include "base/buf.h"
#include "base/log.h"

#define ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define ACCEPT_BATCH 32
#define ACCEPT_PAUSE_US 500000u /* how long to leave the socket alone when descriptors ran out */
#define SCM_FDS_MAX 253		/* the kernel's SCM_MAX_FD: descriptors in one message */

/**
 * struct api_server - the server
 * @svc:	the daemon's functions
 * @accept, @epoll, @timer, @resume: sources: new connection, libmicrohttpd's descriptors, its
 *		deadline, and the end of a pause in accepting
 * @connections: list of those open, @n_connections
 * @streams:	those who listen to events; @heartbeat: the timer of what keeps them honest
 * @resumed:	some of them were given something since the last MHD_run()
 * @bodies:	bytes of request bodies held now
 */
struct api_server {
	sd_event *loop;
	int listen_fd;
	struct service svc;
	struct MHD_Daemon *mhd;
	sd_event_source *accept;
	sd_event_source *epoll;
	sd_event_source *timer;
	sd_event_source *resume;
	struct connection *connections;
	size_t n_connections;
	struct streams streams;
	sd_event_source *heartbeat;
	bool resumed;
	size_t bodies;
};

/* struct connection - one client's connection; lives in libmicrohttpd's socket context. */
struct connection {
	struct api_server *s;
	struct peer peer;
	struct connection *next;
	struct connection **prevp;
};

/**
 * struct exchange - one request and its answer; lives in libmicrohttpd's connection context, which
 * it tells us the end of however that comes about, so that nothing here can leak
 * @target:	path and query as sent, owned
 * @begun:	the headers have been looked at
 * @body:	what was received of it
 * @refused:	0, or the status for a body that is not kept: 413, 503
 * @result:	101: the descriptors until they are handed over
 */
struct exchange {
	struct api_server *s;
	char *target;
	bool begun;
	struct buf body;
	unsigned int refused;
	struct api_result result;
};

/* ---- answers ---- */

static int dump_append(const char *text, size_t len, void *data)
{
	struct buf *b = data;

	buf_append(b, text, len);
	return b->error ? -1 : 0;
}

static struct MHD_Response *json_response(const json_t *body)
{
	struct buf b = BUF_INIT(ANSWER_MAX);
	struct MHD_Response *resp;
	size_t len;
	char *text;

	if (json_dump_callback(body, dump_append, &b, JSON_COMPACT) < 0) {
		buf_done(&b);
		return NULL;
	}
	buf_puts(&b, "\n");
	len = b.len;
	text = buf_steal(&b);
	if (!text)
		return NULL;
	resp = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE);
	if (!resp) {
		free(text);
		return NULL;
	}
	MHD_add_response_header(resp, "Content-Type", "application/json");
	MHD_add_response_header(resp, "Cache-Control", "no-store");
	return resp;
}

/* MHD_NO makes libmicrohttpd close the connection: all that is left when memory ran out. */
static enum MHD_Result send_result(struct MHD_Connection *conn, const struct api_result *r)
{
	struct MHD_Response *resp = r->body ? json_response(r->body) : NULL;
	enum MHD_Result ok;

	if (!resp)
		return MHD_NO;
	if (r->allow[0])
		MHD_add_response_header(resp, "Allow", r->allow);
	if (r->status == MHD_HTTP_UPGRADE_REQUIRED)
		MHD_add_response_header(resp, "Upgrade", API_UPGRADE);
	ok = MHD_queue_response(conn, r->status, resp);
	MHD_destroy_response(resp);
	return ok;
}

static enum MHD_Result send_refusal(struct MHD_Connection *conn, unsigned int status,
				    const char *code, const char *message)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct api_result r = {.n_fds = 0};
	enum MHD_Result ok;

	if (!errs)
		return MHD_NO;
	err_add(errs, 0, code, NULL, "%s", message);
	request_refuse(&r, status, errs);
	free(errs);
	ok = send_result(conn, &r);
	api_result_done(&r);
	return ok;
}

/* ---- handing descriptors over ---- */

static int send_with_fds(int sock, const char *bytes, size_t len, const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(SCM_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	assert(n_fds <= SCM_FDS_MAX);
	if (n_fds) {
		struct cmsghdr *c = &control.align;

		memset(&control, 0, sizeof(control));
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	n = sendmsg(sock, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EAGAIN;
}

/*
 * One line of JSON with the descriptors. More than the kernel takes in one message (253) go in two:
 * the first with the line's first byte.
 */
static int hand_over(int sock, const struct api_result *r)
{
	size_t first = r->n_fds > SCM_FDS_MAX ? SCM_FDS_MAX : 0;
	_cleanup_(freep) char *line = NULL;
	struct buf b = BUF_INIT(ANSWER_MAX);
	size_t len;
	int ret;

	if (json_dump_callback(r->body, dump_append, &b, JSON_COMPACT) < 0) {
		buf_done(&b);
		return -ENOMEM;
	}
	buf_puts(&b, "\n");
	len = b.len;
	line = buf_steal(&b);
	if (!line)
		return -ENOMEM;
	if (!first)
		return send_with_fds(sock, line, len, r->fds, r->n_fds);
	ret = send_with_fds(sock, line, 1, r->fds, first);
	if (ret < 0)
		return ret;
	return send_with_fds(sock, line + 1, len - 1, r->fds + first, r->n_fds - first);
}

static void on_upgrade(void *cls, struct MHD_Connection *conn, void *con_cls, const char *extra,
		       size_t extra_len, MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
	struct exchange *x = cls;
	int r = hand_over(sock, &x->result);

	if (r < 0)
		log_debug("api: descriptors not handed over: %s", strerror(-r));
	api_result_done(&x->result);
	MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

static enum MHD_Result send_upgrade(struct MHD_Connection *conn, struct exchange *x)
{
	struct MHD_Response *resp;
	enum MHD_Result ok;

	resp = MHD_create_response_for_upgrade(on_upgrade, x);
	if (!resp)
		return MHD_NO;
	MHD_add_response_header(resp, "Upgrade", API_UPGRADE);
	ok = MHD_queue_response(conn, MHD_HTTP_SWITCHING_PROTOCOLS, resp);
	MHD_destroy_response(resp);
	return ok;
}

/* ---- events ---- */

/* An event as it goes over the wire; false when memory ran out or it is too long. */
static bool event_text(const json_t *event, struct buf *out)
{
	const char *name = json_string_value(json_object_get(event, "event"));

	buf_printf(out, "event: %s\ndata: ", name ? name : "message");
	if (json_dump_callback(event, dump_append, out, JSON_COMPACT | JSON_REAL_PRECISION(13)) < 0)
		return false;
	buf_puts(out, "\n\n");
	return !out->error;
}

static enum MHD_Result send_stream(struct MHD_Connection *conn, struct exchange *x)
{
	struct buf text = BUF_INIT(API_STREAM_MAX);
	enum MHD_Result ok = MHD_NO;

	if (x->s->streams.n >= API_STREAMS_MAX)
		return send_refusal(conn, MHD_HTTP_SERVICE_UNAVAILABLE, "busy",
				    "too many listen to events already; close some");
	if (event_text(x->result.body, &text))
		ok = streams_answer(&x->s->streams, conn, buf_str(&text), text.len);
	buf_done(&text);
	return ok;
}

/* ---- requests ---- */

/* Called with the request line: before anything else is known of the request. */
static void *on_target(void *cls, const char *target, struct MHD_Connection *conn)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->s = cls;
	x->body = BUF_INIT(API_BODY_MAX);
	x->target = strdup(target);
	if (!x->target) {
		free(x);
		return NULL;
	}
	return x;
}

static void on_completed(void *cls, struct MHD_Connection *conn, void **con_cls,
			 enum MHD_RequestTerminationCode why)
{
	struct exchange *x = *con_cls;

	if (!x)
		return;
	x->s->bodies -= x->body.len;
	buf_done(&x->body);
	api_result_done(&x->result);
	free(x->target);
	free(x);
	*con_cls = NULL;
}

static bool header_has_word(struct MHD_Connection *conn, const char *name, const char *word)
{
	const char *v = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, name);
	size_t word_len = strlen(word);

	while (v && *v) {
		size_t len;

		v += strspn(v, ", \t");
		len = strcspn(v, ", \t");
		if (len == word_len && strncasecmp(v, word, len) == 0)
			return true;
		v += len;
	}
	return false;
}

static enum MHD_Result refuse_body(struct MHD_Connection *conn, unsigned int status)
{
	char text[96];

	if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
		return send_refusal(conn, status, "busy",
				    "too many large requests at once; try again");
	snprintf(text, sizeof(text), "the body is longer than %d bytes", API_BODY_MAX);
	return send_refusal(conn, status, "too-large", text);
}

/* The headers are here; a body that is said to be too long is refused before it is sent. */
static enum MHD_Result begin(struct MHD_Connection *conn, struct exchange *x)
{
	const char *v = MHD_lookup_connection_value(conn, MHD_HEADER_KIND, "Content-Length");

	x->begun = true;
	if (v && strtoull(v, NULL, 10) > API_BODY_MAX)
		return refuse_body(conn, MHD_HTTP_CONTENT_TOO_LARGE);
	return MHD_YES;
}

/* No answer may be queued before the body is through; what is too much is read and dropped. */
static void receive(struct exchange *x, const char *bytes, size_t len)
{
	if (x->refused)
		return;
	if (len > API_BODY_MAX - x->body.len) {
		x->refused = MHD_HTTP_CONTENT_TOO_LARGE;
	} else if (len > API_BODIES_MAX - x->s->bodies) {
		x->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
	} else {
		buf_append(&x->body, bytes, len);
		if (x->body.error)
			x->refused = MHD_HTTP_SERVICE_UNAVAILABLE;
		else
			x->s->bodies += len;
	}
}

static enum MHD_Result answer(struct MHD_Connection *conn, struct exchange *x,
			      const struct peer *peer, const char *method, bool http11)
{
	char *query = strchr(x->target, '?');
	enum MHD_Result ok;

	if (query)
		*query++ = '\0';
	if (api_upgrades(method, x->target) &&
	    !(http11 && header_has_word(conn, "Upgrade", API_UPGRADE)))
		return send_refusal(conn, MHD_HTTP_UPGRADE_REQUIRED, "upgrade-required",
				    "this path hands over descriptors: ask with HTTP/1.1, "
				    "\"Connection: Upgrade\" and \"Upgrade: " API_UPGRADE "\"");
	api_dispatch(&x->s->svc, peer, method, x->target, query, buf_str(&x->body), x->body.len,
		     &x->result);
	if (x->result.status == MHD_HTTP_SWITCHING_PROTOCOLS)
		return send_upgrade(conn, x);
	if (x->result.stream)
		ok = send_stream(conn, x);
	else
		ok = send_result(conn, &x->result);
	api_result_done(&x->result);
	return ok;
}

static const struct connection *connection_of(struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **con_cls)
{
	const struct connection *c = connection_of(conn);
	struct exchange *x = *con_cls;

	if (!x || !c)
		return MHD_NO; /* memory ran out when they were to be made */
	if (!x->begun)
		return begin(conn, x);
	if (*upload_len) {
		receive(x, upload, *upload_len);
		*upload_len = 0;
		return MHD_YES;
	}
	if (x->refused)
		return refuse_body(conn, x->refused);
	return answer(conn, x, &c->peer, method, strcmp(version, "HTTP/1.1") == 0);
}

/* ---- connections ---- */

static int peer_of(int fd, struct peer *ret)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*ret = (struct peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
	return 0;
}

static void connection_add(struct api_server *s, int fd, void **socket_context)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c || peer_of(fd, &c->peer) < 0) {
		free(c);
		return;
	}
	c->s = s;
	c->next = s->connections;
	c->prevp = &s->connections;
	if (c->next)
		c->next->prevp = &c->next;
	s->connections = c;
	s->n_connections++;
	*socket_context = c;
}

static void connection_remove(struct connection *c)
{
	*c->prevp = c->next;
	if (c->next)
		c->next->prevp = c->prevp;
	c->s->n_connections--;
	free(c);
}

static void on_connection(void *cls, struct MHD_Connection *conn, void **socket_context,
			  enum MHD_ConnectionNotificationCode what)
{
	const union MHD_ConnectionInfo *info;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		info = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);
		connection_add(cls, info->connect_fd, socket_context);
	} else if (*socket_context) {
		connection_remove(*socket_context);
		*socket_context = NULL;
	}
}

static bool admit(const struct api_server *s, const struct peer *peer)
{
	size_t n = 0;

	if (s->n_connections >= API_CONNECTIONS_MAX)
		return false;
	if (peer->uid == 0 || peer->uid == geteuid())
		return true;
	for (const struct connection *c = s->connections; c; c = c->next)
		n += c->peer.uid == peer->uid;
	return n < API_CONNECTIONS_PER_USER;
}

/* 503 to a connection that is not taken. Its socket buffer is empty: one send is enough. */
static void turn_away(int fd)
{
	static const char body[] =
		"{\"code\":\"busy\",\"where\":\"\",\"message\":\"too many connections; close some, "
		"or "
		"try again\",\"errors\":[{\"code\":\"busy\",\"where\":\"\",\"message\":\"too many "
		"connections; close some, or try again\"}]}\n";
	char text[512];
	int n;

	n = snprintf(text, sizeof(text),
		     "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
		     "Content-Length: %zu\r\nRetry-After: 1\r\nConnection: close\r\n\r\n%s",
		     sizeof(body) - 1, body);
	assert((size_t)n < sizeof(text));
	if (send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("api: %s", strerror(errno));
}

/* ---- the event loop ---- */

/* Streams were resumed: libmicrohttpd looks at them in the next turn of the loop. */
static void wake(struct api_server *s)
{
	uint64_t now;

	s->resumed = true;
	if (sd_event_now(s->loop, CLOCK_MONOTONIC, &now) < 0)
		return;
	sd_event_source_set_time(s->timer, now);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void pump(struct api_server *s)
{
	MHD_UNSIGNED_LONG_LONG ms;
	uint64_t now;

	s->resumed = false;
	MHD_run(s->mhd);
	/* Its deadline does not count what was resumed meanwhile: wake() has armed the timer. */
	if (s->resumed)
		return;
	if (MHD_get_timeout(s->mhd, &ms) != MHD_YES) {
		sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
		return;
	}
	if (sd_event_now(s->loop, CLOCK_MONOTONIC, &now) < 0)
		return;
	sd_event_source_set_time(s->timer, now + (uint64_t)ms * 1000u);
	sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
}

static void take_connection(struct api_server *s, int fd)
{
	struct peer peer = {.uid = (uid_t)-1};

	if (peer_of(fd, &peer) < 0) {
		close(fd);
	} else if (!admit(s, &peer)) {
		turn_away(fd);
		close(fd);
	} else {
		const struct sockaddr sa = {.sa_family = AF_UNIX};

		/* takes fd over, also when it fails */
		if (MHD_add_connection(s->mhd, fd, &sa, sizeof(sa)) != MHD_YES)
			log_debug("api: connection not taken: %s", strerror(errno));
	}
}

static int on_accept(sd_event_source *src, int listen_fd, uint32_t revents, void *data)
{
	struct api_server *s = data;
	uint64_t now;

	for (int i = 0; i < ACCEPT_BATCH; i++) {
		int fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			take_connection(s, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			/* the socket stays readable: without a pause this would spin */
			sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
			sd_event_source_set_enabled(src, SD_EVENT_OFF);
			sd_event_source_set_time(s->resume, now + ACCEPT_PAUSE_US);
			sd_event_source_set_enabled(s->resume, SD_EVENT_ONESHOT);
		}
		break;
	}
	pump(s);
	return 0;
}

static int on_resume(sd_event_source *src, uint64_t usec, void *data)
{
	struct api_server *s = data;

	sd_event_source_set_enabled(s->accept, SD_EVENT_ON);
	return 0;
}

static int on_epoll(sd_event_source *src, int fd, uint32_t revents, void *data)
{
	pump(data);
	return 0;
}

static int on_timer(sd_event_source *src, uint64_t usec, void *data)
{
	pump(data);
	return 0;
}

static int on_heartbeat(sd_event_source *src, uint64_t usec, void *data)
{
	static const char beat[] = ": still here\n\n";
	struct api_server *s = data;

	streams_send(&s->streams, beat, sizeof(beat) - 1);
	pump(s);
	sd_event_source_set_time(src, usec + API_HEARTBEAT_S * 1000000u);
	return 0;
}

void api_server_event(struct api_server *s, const json_t *event)
{
	struct buf text = BUF_INIT(API_STREAM_MAX);

	if (!s || s->streams.n == 0)
		return;
	if (event_text(event, &text)) {
		streams_send(&s->streams, buf_str(&text), text.len);
		wake(s);
	}
	buf_done(&text);
}

void api_server_on_listeners(struct api_server *s, void (*fn)(bool any, void *ctx), void *ctx)
{
	s->streams.changed = fn;
	s->streams.ctx = ctx;
}

/* ---- life ---- */

/* The path and its escapes are read by request.c, more strictly. */
static size_t no_unescape(void *cls, struct MHD_Connection *conn, char *text)
{
	return strlen(text);
}

static int start_mhd(struct api_server *s, struct err *e)
{
	/* One more than we admit: libmicrohttpd's own limit only drops. */
	const unsigned int limit = API_CONNECTIONS_MAX + 1;

	s->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_UPGRADE |
					  MHD_ALLOW_SUSPEND_RESUME,
				  0, NULL, NULL, on_request, s, MHD_OPTION_CONNECTION_LIMIT, limit,
				  MHD_OPTION_CONNECTION_TIMEOUT, (unsigned int)API_IDLE_S,
				  MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)API_HEADER_MAX,
				  MHD_OPTION_URI_LOG_CALLBACK, on_target, s,
				  MHD_OPTION_UNESCAPE_CALLBACK, no_unescape, NULL,
				  MHD_OPTION_NOTIFY_COMPLETED, on_completed, s,
				  MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_END);
	if (!s->mhd)
		return err_set(e, -ENOMEM, "http", NULL,
			       "libmicrohttpd did not start: out of memory or of descriptors");
	return 0;
}

static int add_sources(struct api_server *s)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info)
		return -EOPNOTSUPP;
	r = sd_event_add_io(s->loop, &s->epoll, info->epoll_fd, EPOLLIN, on_epoll, s);
	if (r < 0)
		return r;
	r = sd_event_add_time(s->loop, &s->timer, CLOCK_MONOTONIC, 0, 1000, on_timer, s);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(s->timer, SD_EVENT_OFF);
	r = sd_event_add_time(s->loop, &s->resume, CLOCK_MONOTONIC, 0, 0, on_resume, s);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(s->resume, SD_EVENT_OFF);
	r = sd_event_add_time_relative(s->loop, &s->heartbeat, CLOCK_MONOTONIC,
				       API_HEARTBEAT_S * 1000000u, 1000000u, on_heartbeat, s);
	if (r < 0)
		return r;
	sd_event_source_set_enabled(s->heartbeat, SD_EVENT_ON);
	return sd_event_add_io(s->loop, &s->accept, s->listen_fd, EPOLLIN, on_accept, s);
}

/* SO_PEERCRED means something on unix sockets only; on TCP it "succeeds" with uid 0 or -1. */
static int check_socket(int fd, struct err *e)
{
	int domain, listening, flags;
	socklen_t len = sizeof(int);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0)
		return err_set(e, -errno, "socket", NULL, "API socket: %s", strerror(errno));
	if (domain != AF_UNIX || !listening)
		return err_set(e, -EINVAL, "socket", NULL,
			       "the API socket must be a listening unix socket");
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_set(e, -errno, "socket", NULL, "API socket: %s", strerror(errno));
	return 0;
}

int api_server_new(sd_event *loop, int listen_fd, const struct service *svc,
		   struct api_server **ret, struct err *e)
{
	struct api_server *s;
	int r;

	r = check_socket(listen_fd, e);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->loop = sd_event_ref(loop);
	s->listen_fd = listen_fd;
	s->svc = *svc;
	r = start_mhd(s, e);
	if (r == 0) {
		r = add_sources(s);
		if (r < 0)
			err_set(e, r, "http", NULL, "event loop: %s", strerror(-r));
	}
	if (r < 0) {
		s->listen_fd = -1; /* stays the caller's */
		api_server_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void api_server_free(struct api_server *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->accept);
	sd_event_source_disable_unref(s->resume);
	sd_event_source_disable_unref(s->timer);
	sd_event_source_disable_unref(s->heartbeat);
	sd_event_source_disable_unref(s->epoll);
	if (s->mhd) {
		streams_end(&s->streams);
		/* a connection just handed over still counts as suspended: let it be tidied up */
		MHD_run(s->mhd);
		MHD_stop_daemon(s->mhd);
	}
	assert(!s->connections && !s->bodies);
	fd_closep(&s->listen_fd);
	sd_event_unref(s->loop);
	free(s);
}
