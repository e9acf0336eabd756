/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service.h - what the API can ask of the daemon. The daemon fills in the table; the API's
 * handlers (routes.c) check a request's shape, call it, and send what it returns.
 *
 * Each function returns 0 and a new JSON object for the caller in *ret (docs/API.md has the
 * shapes), or -errno with the reason(s) in @errs. The errno chooses the HTTP status:
 * -EINVAL 400, -EPERM/-EACCES 403, -ENOENT 404, -EEXIST/-EBUSY 409, anything else 500.
 */
#ifndef VMLANE_API_SERVICE_H
#define VMLANE_API_SERVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include "base/err.h"

#define API_FDS_MAX 256

/* struct peer - who asks, by SO_PEERCRED; @pid 0 when not known. */
struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/**
 * struct guest_request - the body of POST /v1/guests and POST /v1/guests/G/open
 * @mac:	"" or a MAC; @owner: uid that may open the tap, -1 for the peer's when not root
 * @queues:	1 to 256
 * @pid:	open: the VMM's process; 0: the peer's
 */
struct guest_request {
	const char *name;
	const char *network;
	const char *mac;
	int64_t owner;
	unsigned int queues;
	pid_t pid;
};

#define CONFIRM_MAX_S 3600

/**
 * struct change_options - how a change is made
 * @force:	also what takes a network away from its guests, or a NIC from its DHCP client
 * @confirm_s:	a NIC's take-over is undone unless it is confirmed within so many seconds; 0: unless
 *		the gateway answers
 */
struct change_options {
	bool force;
	unsigned int confirm_s;
};

struct service {
	void *ctx;
	int (*status)(void *ctx, json_t **ret, struct err_list *errs);
	int (*network_list)(void *ctx, json_t **ret, struct err_list *errs);
	int (*network_show)(void *ctx, const char *name, json_t **ret, struct err_list *errs);
	/* @text: the request body, a network's configuration (JSON is YAML), @len bytes */
	int (*network_create)(void *ctx, const struct peer *p, const char *text, size_t len,
			      const struct change_options *o, json_t **ret, struct err_list *errs);
	/* the network's file as it is now */
	int (*network_config)(void *ctx, const char *name, json_t **ret, struct err_list *errs);
	/* @text: the whole configuration; for _change() what of it changes, a merge patch */
	int (*network_replace)(void *ctx, const struct peer *p, const char *name, const char *text,
			       size_t len, const struct change_options *o, json_t **ret,
			       struct err_list *errs);
	int (*network_change)(void *ctx, const struct peer *p, const char *name, const char *text,
			      size_t len, const struct change_options *o, json_t **ret,
			      struct err_list *errs);
	int (*network_delete)(void *ctx, const struct peer *p, const char *name, bool force,
			      json_t **ret, struct err_list *errs);
	int (*network_start)(void *ctx, const struct peer *p, const char *name,
			     const struct change_options *o, json_t **ret, struct err_list *errs);
	int (*network_stop)(void *ctx, const struct peer *p, const char *name, bool force,
			    json_t **ret, struct err_list *errs);
	int (*check)(void *ctx, json_t **ret, struct err_list *errs);
	int (*diff)(void *ctx, json_t **ret, struct err_list *errs);
	int (*apply)(void *ctx, const struct peer *p, const struct change_options *o, json_t **ret,
		     struct err_list *errs);
	/* keep the take-overs that wait for it */
	int (*confirm)(void *ctx, const struct peer *p, json_t **ret, struct err_list *errs);
	int (*guest_list)(void *ctx, json_t **ret, struct err_list *errs);
	int (*guest_show)(void *ctx, const char *name, json_t **ret, struct err_list *errs);
	int (*guest_attach)(void *ctx, const struct peer *p, const struct guest_request *g,
			    json_t **ret, struct err_list *errs);
	/* @fds: room for API_FDS_MAX; *ret_n_fds of them are the caller's to close after sending */
	int (*guest_open)(void *ctx, const struct peer *p, const struct guest_request *g, int *fds,
			  size_t *ret_n_fds, json_t **ret, struct err_list *errs);
	int (*guest_detach)(void *ctx, const struct peer *p, const char *name, json_t **ret,
			    struct err_list *errs);
	/* the first event of a stream: what there is now; the others come by api_server_event() */
	int (*events)(void *ctx, json_t **ret, struct err_list *errs);
	int (*port_list)(void *ctx, json_t **ret, struct err_list *errs);
	int (*mac_list)(void *ctx, json_t **ret, struct err_list *errs);
	/* addresses that were heard of on the bridges */
	int (*sighting_list)(void *ctx, json_t **ret, struct err_list *errs);
	int (*forward_list)(void *ctx, json_t **ret, struct err_list *errs);
	int (*filter_list)(void *ctx, json_t **ret, struct err_list *errs);
	/* @position: from 1 on, 0: behind the last */
	int (*filter_add)(void *ctx, const struct peer *p, const char *network, const char *rule,
			  unsigned int position, json_t **ret, struct err_list *errs);
	int (*filter_delete)(void *ctx, const struct peer *p, const char *network, const char *rule,
			     json_t **ret, struct err_list *errs);
	int (*lease_list)(void *ctx, json_t **ret, struct err_list *errs);
	int (*lease_release)(void *ctx, const struct peer *p, const char *network, const char *addr,
			     json_t **ret, struct err_list *errs);
};

#endif
