/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decide.h - the DHCPv4 server's mind: configuration, leases, time and one request in; the reply
 * and the change of the leases out (RFC 2131 section 4.3). No I/O, no clock, no globals.
 */
#ifndef VMLANE_LEASE_DECIDE_H
#define VMLANE_LEASE_DECIDE_H

#include "lease/table.h"
#include "wire/dhcp4.h"

#define LEASE_OFFER_S 60    /* how long an offer is held */
#define LEASE_DECLINE_S 600 /* how long a declined address rests */
#define LEASE_MIN_S 10	    /* shorter ones leave no time between T1, T2 and the end */

/**
 * struct lease_config - what the server of one network answers with
 * @network:	subnet, gateway, range, lease time, domain, fixed guests; not owned
 * @dns:	resolvers to hand out: the network's own, or else the host's; @n_dns of them
 * @mtu:	0: not told
 * @guests:	fixed MAC -> name, address, besides those in @network: guests that are attached at run
 *		time; not owned. Address 0: dynamic, unless @network has a guest of that name with
 *		an address and no MAC
 */
struct lease_guest {
	char name[NAME_MAX_LEN + 1];
	struct mac mac;
	struct in_addr ipv4;
};

struct lease_config {
	const struct network_config *network;
	struct in_addr dns[NETWORK_DNS_MAX];
	size_t n_dns;
	uint16_t mtu;
	const struct lease_guest *guests;
	size_t n_guests;
};

enum lease_change {
	LEASE_KEEP,   /* nothing changes */
	LEASE_SET,    /* put @lease into the table; on disk too unless it is LEASE_OFFERED */
	LEASE_FORGET, /* remove @lease.addr from table and disk */
};

/**
 * struct lease_decision - what to do about a request
 * @reply:	@msg is to be sent, to @eth_dst / @dst_ip / @dst_port
 * @change:	with @lease; must be durable before an ACK leaves
 * @why:	one short phrase for logs and counters ("offer", "no free address", "not for us", ...)
 */
struct lease_decision {
	bool reply;
	struct dhcp4_msg msg;
	struct mac eth_dst;
	struct in_addr dst_ip;
	uint16_t dst_port;
	enum lease_change change;
	struct lease lease;
	const char *why;
};

/*
 * lease_decide() - @req came at @now_s (wall clock); @eth_src is the frame's sender. Fixed
 * addresses are kept out of the pool, also from ranges they lie in. The table is only read.
 * @ret->why is a constant; it is set always.
 *
 * A guest whose fixed address cannot be had (still leased to another, declined, in use) gets one
 * from the pool, and is moved when it renews and its own has become free. A lease that the
 * configuration no longer allows is refused (NAK) and forgotten when its holder renews.
 */
void lease_decide(const struct lease_config *cfg, const struct lease_table *t, int64_t now_s,
		  const struct mac *eth_src, const struct dhcp4_msg *req,
		  struct lease_decision *ret);

#endif
