/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_chains.h - the chains of the table `bridge vmlane`, for this folder only: one for each
 * choice of guards that some port has. Pure.
 */
#ifndef VMLANE_FIREWALL_GUARD_CHAINS_H
#define VMLANE_FIREWALL_GUARD_CHAINS_H

#include "base/buf.h"
#include "model/guard.h"

/* A choice: bits of enum guard, and whether the port's addresses are known. */
#define GUARD_KNOWN4 (1u << GUARD_COUNT)
#define GUARD_KNOWN6 (2u << GUARD_COUNT)
#define GUARD_MASKS (4u << GUARD_COUNT)
#define GUARD_CHAIN_STRLEN 16

/* guard_chain_name() - "guard_3ff", into @buf; returns it. */
const char *guard_chain_name(unsigned int mask, char buf[static GUARD_CHAIN_STRLEN]);
/* guard_pair_set() - the set that has the IPv4 addresses of ports with @mask. */
const char *guard_pair_set(unsigned int mask);
/* guard_skeleton() - the table without elements, with a chain for each i with masks[i]. */
void guard_skeleton(const bool masks[static GUARD_MASKS], struct buf *out);

#endif
