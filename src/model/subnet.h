/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subnet.h - a free subnet for a network with `subnet: auto`. Pure: what is taken is told. */
#ifndef VMLANE_MODEL_SUBNET_H
#define VMLANE_MODEL_SUBNET_H

#include <stddef.h>
#include "base/addr.h"

/**
 * subnet_pick() - the first /24 that overlaps with none of @used (@n of them), in either direction
 *
 * Tried are 192.168.122.0 to 192.168.255.0 and 192.168.2.0 to 192.168.121.0 (the two before are
 * what home routers have), then 172.16.0.0/12, then 10.0.0.0/8. Host bits of @used do not matter; a
 * length of 0 or 1 is a default route or a half of one and does not count. -ENOSPC when none is
 * free.
 */
int subnet_pick(const struct ip4_prefix *used, size_t n, struct ip4_prefix *ret) __must_check;

#endif
