/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.h - asks the daemon over its unix socket; used by the command and the bridge helper. */
#ifndef VMLANE_API_CLIENT_H
#define VMLANE_API_CLIENT_H

#include <jansson.h>
#include <stddef.h>
#include "base/buf.h"
#include "base/err.h"

#define API_SOCKET_DEFAULT "/run/vmlane/api.sock"
#define API_REPLY_MAX (64 * 1024 * 1024)
#define API_TIMEOUT_S 30 /* without a byte from the daemon */

/**
 * api_call() - one request
 * @socket:	path of api.sock
 * @path:	with the query, if any; printable ASCII
 * @body:	JSON to send, or NULL; a string is sent as what it holds (a network's file)
 * @ret:	the answer's JSON, new reference; set when 0 is returned
 * @errs:	the daemon's words, or why it could not be reached
 *
 * 0 on 2xx; -ECONNREFUSED (also: no socket) with the mend in @errs; -EACCES when the socket may not
 * be used (names the group); -EINVAL when @path cannot be sent; -ENOMEM; otherwise -EREMOTEIO with
 * the daemon's errors in @errs.
 */
int api_call(const char *socket, const char *method, const char *path, json_t *body, json_t **ret,
	     struct err_list *errs) __must_check;

/*
 * api_open() - POST @path with "Upgrade: vmlane-tap"; gets the JSON and the tap's descriptors by
 * SCM_RIGHTS (close-on-exec set), at most @max. *ret_n is how many. Errors as api_call()'s.
 */
int api_open(const char *socket, const char *path, json_t *body, json_t **ret, int *fds, size_t max,
	     size_t *ret_n, struct err_list *errs) __must_check;

/* Called for each event; a result other than 0 ends the stream and is returned. */
typedef int (*api_event_fn)(const json_t *event, void *ctx);

/*
 * api_listen() - GET @path, a stream of events, and call @fn for each until it says so, or the
 * daemon ends (-EREMOTEIO, said in @errs). Errors before that as api_call()'s.
 */
int api_listen(const char *socket, const char *path, api_event_fn fn, void *ctx,
	       struct err_list *errs) __must_check;

#endif
