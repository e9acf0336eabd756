/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - which address a guest may have, and which one it gets. Private to src/lease.
 *
 * Knows the configuration, the leases and the time; nothing of messages: decide.h is next.
 */
#ifndef VMLANE_LEASE_POOL_H
#define VMLANE_LEASE_POOL_H

#include "lease/decide.h"

/**
 * struct pool_guest - what the configuration knows of a MAC
 * @name:	the guest's name, or NULL; owned by the configuration
 * @fixed:	its fixed address, or 0
 */
struct pool_guest {
	const char *name;
	struct in_addr fixed;
};

/* pool_guest_find() - by MAC, in the network's file first, then among the attached guests. */
struct pool_guest pool_guest_find(const struct lease_config *cfg, const struct mac *mac);

/* pool_host_ok() - an address of the subnet that is not the network's, the gateway's nor broadcast. */
bool pool_host_ok(const struct lease_config *cfg, struct in_addr addr);

/*
 * pool_refuses() - NULL when @mac may have @addr now; otherwise why not, in at most 63 characters
 * for a person to read. Looks at each configured guest once.
 */
const char *pool_refuses(const struct lease_config *cfg, const struct lease_table *t, int64_t now_s,
			 const struct mac *mac, struct in_addr addr);

/*
 * pool_pick() - an address of the range for @mac that nobody has: one that nobody ever had, the
 * first from a place that depends on the MAC, so that guests keep theirs when leases are lost; or
 * else the one given back or expired the longest ago. -ENOSPC: there is none. -ENOMEM.
 *
 * Costs one look at each configured guest and a 64th of a look at each lease.
 */
int pool_pick(const struct lease_config *cfg, const struct lease_table *t, int64_t now_s,
	      const struct mac *mac, struct in_addr *ret) __must_check;

#endif
