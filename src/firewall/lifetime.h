/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lifetime.h - how long conntrack remembers translated connections of guests that are silent.
 *
 * The kernel's own times are shorter than the RFCs on NAT behaviour allow. They are sysctls of the
 * whole host, and stay as they are: these here are objects of the table `inet vmlane` (nftables' ct
 * timeout), which only the first packets of guests' connections are given.
 */
#ifndef VMLANE_FIREWALL_LIFETIME_H
#define VMLANE_FIREWALL_LIFETIME_H

#include <libmnl/libmnl.h>
#include <stdint.h>
#include "base/macro.h"

/* enum fw_state - conntrack's states of a connection, as far as they have a lifetime of ours. */
enum fw_state {
	FW_UDP_UNREPLIED,
	FW_UDP_REPLIED,
	FW_TCP_SYN_SENT,
	FW_TCP_SYN_RECV,
	FW_TCP_ESTABLISHED,
	FW_TCP_FIN_WAIT,
	FW_TCP_CLOSE_WAIT,
	FW_TCP_LAST_ACK,
	FW_TCP_TIME_WAIT,
	FW_TCP_SYN_SENT2,
	FW_TCP_UNACK, /* no state: the most that any has while data wait for their ACK */
	FW_ICMP,
	FW_STATE_COUNT,
};

/**
 * struct fw_lifetime - what the RFCs want of one state
 * @sysctl:	where the host's own value is, in /proc/sys/net/netfilter; NULL: nowhere
 * @least_s:	the least that will do, in seconds
 */
struct fw_lifetime {
	const char *sysctl;
	uint32_t least_s;
};

/* Of each state, with the demand that it comes from. */
extern const struct fw_lifetime fw_lifetimes[FW_STATE_COUNT];

/*
 * lifetime_send() - put the objects, and the rules that give them out, into chain `lifetimes` of the
 * table, which is there and has none yet. @seconds: for each state. One transaction on @socket, an
 * open NETLINK_NETFILTER one with nothing to be read on it.
 *
 * Returns 0, or the kernel's error: -EOPNOTSUPP or -ENOENT where it has no ct timeout objects.
 */
int lifetime_send(struct mnl_socket *socket,
		  const uint32_t seconds[static FW_STATE_COUNT]) __must_check;

#endif
