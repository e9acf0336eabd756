/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snoop.h - listening on a bridge, without taking part, for the frames by which stations say which
 * address they have: one packet socket for each protocol, with a filter in the kernel.
 *
 * A socket of one protocol on the bridge itself hears what the bridge gives to the host: broadcasts and
 * multicasts of all ports, and what is sent to the host. Frames that are switched from port to port never
 * come by it and cost nothing; docs/ARCHITECTURE.md has the figures, and why not the ports themselves.
 */
#ifndef VMLANE_KERNEL_SNOOP_H
#define VMLANE_KERNEL_SNOOP_H

#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

#define SNOOP_FRAME_MAX 1600
#define SNOOP_BATCH_MAX 32

enum snoop_kind {
	SNOOP_ARP, /* costs other frames nothing */
	SNOOP_ND, /* neighbour solicitations and advertisements; each other IPv6 packet for the host one
		       run of the filter */
	SNOOP_DHCP, /* both ways, unfragmented; the same of IPv4 */
	SNOOP_COUNT,
};

/* struct snoop_frame - @bytes from the Ethernet header on; @vlan: of its tag, which is not among them. */
struct snoop_frame {
	const uint8_t *bytes;
	size_t len;
	uint16_t vlan;
};

/* snoop_open() - on bridge @ifindex; *ret to poll and close(). -EPERM without CAP_NET_RAW, -ENODEV. */
int snoop_open(int ifindex, enum snoop_kind kind, int *ret) __must_check;
/*
 * snoop_read() - at most @max (and SNOOP_BATCH_MAX) frames to @fn, which are gone when it returns; those that
 * were cut are left out. How many were taken off; 0: no more are there.
 */
size_t snoop_read(int fd, size_t max, void (*fn)(const struct snoop_frame *f, void *ctx),
		  void *ctx);

#endif
