/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server.h - HTTP/1.1 over a unix socket, by libmicrohttpd inside the daemon's event loop. */
#ifndef VMLANE_API_SERVER_H
#define VMLANE_API_SERVER_H

#include <systemd/sd-event.h>
#include "api/service.h"

#define API_BODY_MAX (1024 * 1024)
#define API_CONNECTIONS_MAX 256
#define API_IDLE_S 60

struct api_server;
/* api_server_new() - serve on the listening socket @listen_fd (taken over), calls @svc. */
int api_server_new(sd_event *loop, int listen_fd, const struct service *svc,
		   struct api_server **ret, struct err *e) __must_check;
void api_server_free(struct api_server *s);

/**
 * struct api_result - a finished answer
 * @status:	HTTP status
 * @body:	new reference
 * @fds:	descriptors to pass along (route .../open), @n_fds; closed by whoever sends
 */
struct api_result {
	unsigned int status;
	json_t *body;
	int fds[API_FDS_MAX];
	size_t n_fds;
};

/*
 * api_dispatch() - one request to one answer, without HTTP: method, path ("/v1/networks/default"),
 * @query ("force=1" or NULL), body. What server.c calls, and what is fuzzed and unit-tested.
 */
void api_dispatch(const struct service *svc, const struct peer *peer, const char *method,
		  const char *path, const char *query, const char *body, size_t len,
		  struct api_result *ret);
void api_result_done(struct api_result *r);

#endif
