/* SPDX-License-Identifier: GPL-2.0-or-later */
/* announce.h - the frames of announce.c, for its tests; rtnl_move.h has what sends them. */
#ifndef VMLANE_KERNEL_ANNOUNCE_H
#define VMLANE_KERNEL_ANNOUNCE_H

#include "base/addr.h"

#define ANNOUNCE_MAX 96

/* announce_arp(), announce_na() - one whole Ethernet frame into @buf; its length. Pure. */
size_t announce_arp(struct in_addr addr, const struct mac *mac, uint8_t buf[static ANNOUNCE_MAX]);
size_t announce_na(const struct in6_addr *addr, const struct mac *mac,
		   uint8_t buf[static ANNOUNCE_MAX]);

#endif
