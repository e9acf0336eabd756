/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service.h - the daemon's side of api/service.h. service_network.c and service_guest.c change
 * things, view.c shows them.
 */
#ifndef VMLANE_DAEMON_SERVICE_H
#define VMLANE_DAEMON_SERVICE_H

#include "api/service.h"
#include "daemon/manager.h"

/* service_table() - the functions the API calls, with @m as their context. */
struct service service_table(struct manager *m);

/* service_log() - "what, by pid/uid/gid": every change is logged with who asked for it. */
void service_log(const struct peer *p, const char *fmt, ...) __printf(2, 3);

/* ---- service_network.c ---- */
int service_network_create(void *ctx, const struct peer *p, const char *text, size_t len,
			   const struct change_options *o, json_t **ret,
			   struct err_list *errs) __must_check;
/*
 * service_asked() - what holds for the change of @network (NULL: of all) that is carried out next;
 * @o NULL: it is over.
 */
void service_asked(struct manager *m, const struct change_options *o, const char *network);
/* service_push() - @e to @errs, with words when it has none; returns @r. */
int service_push(struct err_list *errs, int r, struct err *e);
/* service_no_network() - the error that there is no network @name. */
int service_no_network(struct err_list *errs, const char *name);
int service_network_delete(void *ctx, const struct peer *p, const char *name, bool force,
			   json_t **ret, struct err_list *errs) __must_check;
int service_network_start(void *ctx, const struct peer *p, const char *name,
			  const struct change_options *o, json_t **ret,
			  struct err_list *errs) __must_check;
int service_network_stop(void *ctx, const struct peer *p, const char *name, bool force,
			 json_t **ret, struct err_list *errs) __must_check;
int service_check(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int service_diff(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int service_apply(void *ctx, const struct peer *p, const struct change_options *o, json_t **ret,
		  struct err_list *errs) __must_check;
int service_lease_release(void *ctx, const struct peer *p, const char *network, const char *addr,
			  json_t **ret, struct err_list *errs) __must_check;

/* ---- service_change.c ---- */
/*
 * service_file_config() - what @n's file says, which need not be what runs; owned by the caller. Without
 * a file what runs.
 */
int service_file_config(struct manager *m, const struct network_rt *n, struct network_config **ret,
			struct err_list *errs) __must_check;
int service_network_config(void *ctx, const char *name, json_t **ret,
			   struct err_list *errs) __must_check;
int service_network_replace(void *ctx, const struct peer *p, const char *name, const char *text,
			    size_t len, const struct change_options *o, json_t **ret,
			    struct err_list *errs) __must_check;
int service_network_change(void *ctx, const struct peer *p, const char *name, const char *text,
			   size_t len, const struct change_options *o, json_t **ret,
			   struct err_list *errs) __must_check;

/* ---- bridged_serve.c ---- */
int service_confirm(void *ctx, const struct peer *p, json_t **ret,
		    struct err_list *errs) __must_check;

/* ---- service_filter.c ---- */
int service_filter_add(void *ctx, const struct peer *p, const char *name, const char *text,
		       unsigned int position, json_t **ret, struct err_list *errs) __must_check;
int service_filter_delete(void *ctx, const struct peer *p, const char *name, const char *text,
			  json_t **ret, struct err_list *errs) __must_check;

/* ---- service_guest.c ---- */
int service_guest_attach(void *ctx, const struct peer *p, const struct guest_request *g,
			 json_t **ret, struct err_list *errs) __must_check;
int service_guest_open(void *ctx, const struct peer *p, const struct guest_request *g, int *fds,
		       size_t *ret_n_fds, json_t **ret, struct err_list *errs) __must_check;
int service_guest_detach(void *ctx, const struct peer *p, const char *name, json_t **ret,
			 struct err_list *errs) __must_check;

/* ---- view.c, view_switch.c: docs/API.md has the shapes ---- */
/* view_snapshot() - rtnl_snapshot() with its error in @errs. */
int view_snapshot(struct manager *m, struct actual *ret, struct err_list *errs) __must_check;
/* view_forwards() - the forwards of @n, of @guest only unless that is NULL; a new reference. */
json_t *view_forwards(const struct network_rt *n, const char *guest);
/*
 * view_guard() - the guards of guest @known (may be NULL) of @c, and what they dropped at @tap (NULL: not
 * plugged in).
 */
json_t *view_guard(struct manager *m, const struct network_config *c,
		   const struct guest_config *known, const char *tap);
struct port_last;
/* view_guard_last() - the last frame that a guard has dropped, or null. */
json_t *view_guard_last(const struct port_last *l);
/* view_addresses() - what the configuration has as `addresses` of a guest; @known may be NULL. */
json_t *view_addresses(const struct guest_config *known);
/* view_firewall_counters() - of `status`; null where there is no table. */
json_t *view_firewall_counters(struct manager *m);
/* view_policy() - of a network; null where packets are not routed. */
json_t *view_policy(const struct network_config *c);
int view_status(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_network_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_network_show(void *ctx, const char *name, json_t **ret,
		      struct err_list *errs) __must_check;
int view_guest_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_guest_show(void *ctx, const char *name, json_t **ret, struct err_list *errs) __must_check;
int view_port_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_sighting_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_mac_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_forward_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_filter_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;
int view_lease_list(void *ctx, json_t **ret, struct err_list *errs) __must_check;

#endif
