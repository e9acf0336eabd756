/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ra_server.h - router advertisements on one network, on its bridge's packet socket (socket.h).
 *
 * The walk: frame -> nd_rs_parse -> ra_solicited -> nd_ra_frame_build -> frame; and multicast ones
 * by a timer. A guest that asks is answered at once, and alone.
 */
#ifndef VMLANE_LEASE_RA_SERVER_H
#define VMLANE_LEASE_RA_SERVER_H

#include "lease/ra.h"
#include "lease/socket.h"

/* struct ra_counters - since the start; every drop is counted. */
struct ra_counters {
	uint64_t received;
	uint64_t bad;	       /* not a valid solicitation */
	uint64_t answered;     /* unicast ones sent */
	uint64_t multicast;    /* multicast ones sent */
	uint64_t put_off;      /* over RA_ANSWERS_PER_S: answered by a multicast one */
	uint64_t send_failed;  /* also while the bridge is down */
	uint64_t socket_drops; /* the socket's, see lease_socket_drops() */
};

struct ra_server;
/*
 * ra_server_new() - advertise @cfg (copied) on @socket, which must live longer. @mac is its
 * interface's, @network its network's name, for errors and the log. The first multicast one goes
 * out from the loop.
 */
int ra_server_new(sd_event *loop, struct lease_socket *socket, const char *network,
		  const struct mac *mac, const struct ra_config *cfg, struct ra_server **ret,
		  struct err *e) __must_check;
/* ra_server_free() - silently: when the daemon ends, guests keep what they have. */
void ra_server_free(struct ra_server *s);
/*
 * ra_server_last_word() - tell the guests that router, resolvers and prefixes are out of use: before
 * the network stops, or has no IPv6 any more. Call it while the bridge is still up, then free.
 */
void ra_server_last_word(struct ra_server *s);
/* ra_server_configure() - from now on advertise @cfg (copied); see ra_configure(). */
void ra_server_configure(struct ra_server *s, const struct ra_config *cfg);
void ra_server_counters(const struct ra_server *s, struct ra_counters *ret);

#endif
