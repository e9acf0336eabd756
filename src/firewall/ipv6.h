/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipv6.h - the part of the ruleset that IPv6 passes, for this folder only. Pure, as ruleset.h is.
 */
#ifndef VMLANE_FIREWALL_IPV6_H
#define VMLANE_FIREWALL_IPV6_H

#include "base/buf.h"
#include "firewall/lines.h"
#include "firewall/ruleset.h"

/* fw_ifname_quotable() - @name can stand in nft's quotes and means just itself (ruleset.c). */
bool fw_ifname_quotable(const char *name);
/* fw_ipv6_check() - -EINVAL: @n has IPv6 and no prefix of 64 bits, or uplinks of it without. */
int fw_ipv6_check(const struct fw_network *n) __must_check;
/* fw_ipv6_elements() - what sets and maps have of network @n; nothing where it has no IPv6. */
void fw_ipv6_elements(const struct fw_network *n, struct lines *out);
/* fw_ipv6_host_elements() - peers, and what of the host's own forwarding stays closed. */
void fw_ipv6_host_elements(const struct fw_desired *d, struct lines *out);
/* fw_ipv6_chains() - the sets, maps and chains, which are the same for all networks. */
void fw_ipv6_chains(struct buf *out);

#endif
