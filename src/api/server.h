/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h - HTTP/1.1 over a unix socket, by libmicrohttpd inside the daemon's event loop.
 *
 * The walk of a request: server.c (bytes, connections) -> routes.c (api_dispatch: which route, may
 * he) -> request.c (what does it say) -> struct service (the daemon) -> JSON.
 */
#ifndef VMLANE_API_SERVER_H
#define VMLANE_API_SERVER_H

#include <systemd/sd-event.h>
#include "api/service.h"

#define API_BODY_MAX (1024 * 1024)
#define API_BODIES_MAX (16 * API_BODY_MAX) /* of all requests that are being received */
#define API_HEADER_MAX (32 * 1024)	   /* request line, headers, and the piece of body behind */
#define API_CONNECTIONS_MAX 256
#define API_CONNECTIONS_PER_USER 64 /* of one uid that is neither root nor the daemon's own */
#define API_IDLE_S 60
#define API_STREAMS_MAX 32	     /* clients of GET /v1/events */
#define API_STREAM_MAX (1024 * 1024) /* bytes that wait for one of them; then events are lost */
#define API_HEARTBEAT_S 15
#define API_UPGRADE "vmlane-tap"

struct api_server;

/*
 * api_server_new() - serve on the listening unix socket @listen_fd, which is taken over (when 0 is
 * returned), and call @svc, which is copied. Connections beyond the limits are answered 503.
 */
int api_server_new(sd_event *loop, int listen_fd, const struct service *svc,
		   struct api_server **ret, struct err *e) __must_check;
/* api_server_free() - NULL is fine; not to be called from a struct service function. */
void api_server_free(struct api_server *s);

/*
 * api_server_event() - to everybody who listens at GET /v1/events. @event is an object with at
 * least "event", its name; the reference stays the caller's. Cheap when nobody listens.
 */
void api_server_event(struct api_server *s, const json_t *event);
/*
 * api_server_on_listeners() - call @fn when the first listener comes (true) and when the last one
 * has gone (false), so that events which cost something are only looked for when they are wanted.
 */
void api_server_on_listeners(struct api_server *s, void (*fn)(bool any, void *ctx), void *ctx);

#define API_ALLOW_MAX 48

/**
 * struct api_result - a finished answer
 * @status:	HTTP status
 * @body:	new reference; NULL when memory ran out
 * @fds:	descriptors to pass along (route .../open), @n_fds; closed by whoever sends
 * @stream:	@body is the first event of a stream that goes on
 * @allow:	405: the methods that the path knows, "GET, POST"; else ""
 */
struct api_result {
	unsigned int status;
	json_t *body;
	int fds[API_FDS_MAX];
	size_t n_fds;
	bool stream;
	char allow[API_ALLOW_MAX];
};

/*
 * api_dispatch() - one request to one answer, without HTTP: method, path ("/v1/networks/default"),
 * @query ("force=1" or NULL), body. What server.c calls, and what is fuzzed and unit-tested.
 * Status 101 is a route whose descriptors are to be handed over.
 */
void api_dispatch(const struct service *svc, const struct peer *peer, const char *method,
		  const char *path, const char *query, const char *body, size_t len,
		  struct api_result *ret);
/* api_result_done() - drops the body and closes the descriptors that are still in @r. */
void api_result_done(struct api_result *r);

/* api_upgrades() - this request is answered 101, so that it needs "Upgrade: vmlane-tap". */
bool api_upgrades(const char *method, const char *path);

#endif
