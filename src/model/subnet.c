/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subnet.c - see subnet.h. Next on the walk: daemon/subnet.c knows what is taken. */
#include "model/subnet.h"

#include <errno.h>

#define STEP 256 /* addresses of a /24 */

/* struct span - the /24s from @first to @last, network addresses in host byte order. */
struct span {
	uint32_t first;
	uint32_t last;
};

static const struct span spans[] = {
	{0xc0a87a00, 0xc0a8ff00}, /* 192.168.122.0 to 192.168.255.0 */
	{0xc0a80200, 0xc0a87900}, /* 192.168.2.0 to 192.168.121.0 */
	{0xac100000, 0xac1fff00}, /* 172.16.0.0 to 172.31.255.0 */
	{0x0a000000, 0x0affff00}, /* 10.0.0.0 to 10.255.255.0 */
};

/* The last address of one of @used that overlaps with the /24 at @at, or 0. */
static uint32_t taken_until(const struct ip4_prefix *used, size_t n, uint32_t at)
{
	const struct ip4_prefix p = {ip4_from_host(at), 24};

	for (size_t i = 0; i < n; i++)
		if (used[i].len > 1 && ip4_overlap(&used[i], &p))
			return ip4_host(ip4_broadcast(&used[i]));
	return 0;
}

int subnet_pick(const struct ip4_prefix *used, size_t n, struct ip4_prefix *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
		uint32_t at = spans[i].first;

		/* What is taken is jumped over: a route to 10.0.0.0/8 is one try, not 65536. */
		while (at <= spans[i].last) {
			uint32_t end = taken_until(used, n, at);

			if (end == 0) {
				*ret = (struct ip4_prefix){ip4_from_host(at), 24};
				return 0;
			}
			if (end >= spans[i].last)
				break;
			at = (end & ~(uint32_t)(STEP - 1)) + STEP;
		}
	}
	return -ENOSPC;
}
