/* SPDX-License-Identifier: GPL-2.0-or-later */
/* checksum.h - the Internet checksum (RFC 1071) of IPv4, UDP, TCP and ICMPv6. */
#ifndef VMLANE_WIRE_CHECKSUM_H
#define VMLANE_WIRE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * checksum_add() - the ones' complement sum of @p's bytes, taken as big-endian 16-bit numbers, added
 * to @sum and not yet folded. Only the last part of what is summed may have an odd @len. The whole
 * must be shorter than 128 KiB.
 */
static inline uint32_t checksum_add(uint32_t sum, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	if (len % 2)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

/*
 * checksum_finish() - the checksum that belongs to @sum, in host byte order; 0 when the sum
 * contained a right one.
 */
static inline uint16_t checksum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
