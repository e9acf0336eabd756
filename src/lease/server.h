/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * server.h - the DHCPv4 server of one network, on its bridge's packet socket (socket.h).
 *
 * The walk: frame -> dhcp4_parse -> lease_decide -> store -> dhcp4_build -> frame. Requests that
 * arrive together are committed together.
 */
#ifndef VMLANE_LEASE_SERVER_H
#define VMLANE_LEASE_SERVER_H

#include "lease/decide.h"
#include "lease/socket.h"
#include "lease/store.h"

/* struct lease_counters - since the start; every drop is counted. */
struct lease_counters {
	uint64_t received;
	uint64_t bad;	  /* not a valid message */
	uint64_t ignored; /* valid, and not answered on purpose */
	uint64_t sent[DHCP4_TYPE_COUNT];
	uint64_t got[DHCP4_TYPE_COUNT];
	uint64_t store_failed; /* dropped: its change could not be stored, on disk or in memory */
	uint64_t send_failed;
	uint64_t socket_drops; /* the socket's, see lease_socket_drops() */
};

/**
 * struct lease_event - told to the daemon after a message was answered
 * @type:	of the answer; @request: of the question
 * @lease:	as it is now; where the answer changed nothing: @lease.addr, @lease.mac and
 *		@lease.hostname as asked for
 */
struct lease_event {
	const char *network;
	enum dhcp4_type request;
	enum dhcp4_type type;
	struct lease lease;
};
typedef void (*lease_event_fn)(const struct lease_event *ev, void *ctx);

/*
 * lease_bound_fn - @mac has @addr until @until_s (wall clock), or has it no more (0). Told before any
 * reply leaves, and each time that the lease is renewed.
 */
typedef void (*lease_bound_fn)(const char *network, const struct mac *mac, struct in_addr addr,
			       int64_t until_s, void *ctx);

struct lease_server;
/*
 * lease_server_new() - serve on @socket, which must live longer; its interface's MAC is @mac. Loads
 * the network's leases from @store. @cfg is copied (its pointers are not: see
 * lease_server_configure()). @fn may be NULL; it must not free the server.
 */
int lease_server_new(struct lease_socket *socket, struct lease_store *store, const struct mac *mac,
		     const struct lease_config *cfg, lease_event_fn fn, void *ctx,
		     struct lease_server **ret, struct err *e) __must_check;
void lease_server_free(struct lease_server *s);
/* lease_server_watch() - @fn is told of leases, with the ctx of lease_server_new(); NULL: nobody. */
void lease_server_watch(struct lease_server *s, lease_bound_fn fn);
/* lease_server_configure() - from now on answer with @cfg; what it points to must live on. */
void lease_server_configure(struct lease_server *s, const struct lease_config *cfg);
struct lease_table *lease_server_table(struct lease_server *s);
/* lease_server_release() - an operator takes a lease away; -ENOENT. */
int lease_server_release(struct lease_server *s, struct in_addr addr, struct err *e) __must_check;
/* lease_server_problem() - why the store failed the last time; NULL while it works. */
const struct err *lease_server_problem(const struct lease_server *s);
void lease_server_counters(struct lease_server *s, struct lease_counters *ret);

#endif
