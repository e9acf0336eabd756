/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_send.h - one element of the table `bridge vmlane` by raw netlink, for this folder only: with
 * thousands of guests libnftables would look at all there is before it adds one.
 */
#ifndef VMLANE_FIREWALL_GUARD_SEND_H
#define VMLANE_FIREWALL_GUARD_SEND_H

#include <libmnl/libmnl.h>
#include "firewall/guard.h"

/*
 * guard_send_pair() - @pair holds at @p from now on (@add; there already: fine), or does not any
 * more (-ENOENT: it did not). One transaction.
 */
int guard_send_pair(struct mnl_socket *socket, const struct fw_guard_port *p,
		    const struct fw_guard_pair *pair, bool add) __must_check;
/* guard_send_forget() - what was counted at @ifname; returns in how many transactions. */
unsigned int guard_send_forget(struct mnl_socket *socket, const char *ifname);

#endif
