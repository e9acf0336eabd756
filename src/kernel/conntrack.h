/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack.h - connections that the kernel tracks: looking through them, and making it forget. */
#ifndef VMLANE_KERNEL_CONNTRACK_H
#define VMLANE_KERNEL_CONNTRACK_H

#include "base/addr.h"
#include "base/err.h"

/**
 * struct conntrack_flow - an IPv4 connection of tcp or udp
 * @src, @dst, @sport, @dport: as its first packet came; ports in host byte order
 * @answers:	who really answers: other than @dst where the destination was translated
 * @answers_port: and at which port
 * @seen_as:	whom it answers to: other than @src where the source was translated; @seen_port: at which port
 */
struct conntrack_flow {
	uint8_t proto;
	struct in_addr src;
	struct in_addr dst;
	uint16_t sport;
	uint16_t dport;
	struct in_addr answers;
	uint16_t answers_port;
	struct in_addr seen_as;
	uint16_t seen_port;
};

/*
 * conntrack_forget() - all flows that @match says yes to; *ret_n (may be NULL): how many. A packet
 * of one is then judged as that of a new connection. Returns 0 or -errno.
 */
int conntrack_forget(bool (*match)(const struct conntrack_flow *f, void *ctx), void *ctx,
		     size_t *ret_n, struct err *e) __must_check;

/* conntrack_each() - tell @fn of all flows; nothing is forgotten. 0 or -errno. */
int conntrack_each(void (*fn)(const struct conntrack_flow *f, void *ctx), void *ctx,
		   struct err *e) __must_check;

/**
 * struct conntrack_tuple - who spoke first to whom
 * @family:	AF_INET (addresses in the first four bytes) or AF_INET6
 * @sport, @dport: host byte order; echo: @sport is the identifier, @dport unused
 */
struct conntrack_tuple {
	uint8_t family;
	uint8_t l4;
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
};

/*
 * conntrack_delete() - forget the connection that began so, in the calling thread's network
 * namespace (nfnetlink: IPCTNL_MSG_CT_DELETE). 0; -ENOENT when there is none; or the kernel's error.
 */
int conntrack_delete(const struct conntrack_tuple *t) __must_check;

/*
 * conntrack_has() - there is a connection of tcp or udp of which one direction, whichever, is @t; false
 * also when nobody can say.
 */
bool conntrack_has(const struct conntrack_tuple *t);

#endif
