/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign_leases.h - DHCP leases that other programs gave to their guests, as they wrote them down:
 * libvirt, and dnsmasq wherever it serves (LXC, Incus, NetworkManager, or by hand).
 */
#ifndef VMLANE_INSPECT_FOREIGN_LEASES_H
#define VMLANE_INSPECT_FOREIGN_LEASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

#define FOREIGN_LEASES_MAX 1000000
#define FOREIGN_FILE_MAX (16 << 20) /* bytes of one file; what is longer is left out whole */

/**
 * struct foreign_lease - an IPv4 address that was given
 * @expires_s:	seconds since 1970; 0: never
 * @hostname:	that the guest gave, "" for none
 */
struct foreign_lease {
	struct mac mac;
	struct in_addr addr;
	int64_t expires_s;
	char hostname[64];
};

/* struct foreign_leases - those found; foreign_leases_done() when over. */
struct foreign_leases {
	struct foreign_lease *v;
	size_t n;
	size_t cap;
};

/* foreign_leases_read() - all files that are known; one that cannot be read is passed over. */
int foreign_leases_read(struct foreign_leases *ret) __must_check;
void foreign_leases_done(struct foreign_leases *l);

/*
 * The pure parts: @text has @len bytes. What is no lease is passed over. 0, -E2BIG or -ENOMEM.
 *
 * foreign_leases_dnsmasq() - lines "EXPIRY MAC ADDRESS HOSTNAME CLIENT-ID" (dnsmasq(8), src/lease.c); leases
 * of IPv6 name no MAC. foreign_leases_libvirt() - the JSON of libvirt's BRIDGE.status files.
 */
int foreign_leases_dnsmasq(const char *text, size_t len, struct foreign_leases *out) __must_check;
int foreign_leases_libvirt(const char *text, size_t len, struct foreign_leases *out) __must_check;

#endif
