/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sighting.h - frames by which a station says which address it has, or is about to have: ARP (RFC 826),
 * neighbour discovery (RFC 4861, RFC 4862 5.4), DHCPv4 (RFC 2131). Pure.
 *
 * Anybody can say so: what comes of it is a hint for people, never a reason to let a packet through.
 * Next on the walk: daemon/sightings.h, which remembers them.
 */
#ifndef VMLANE_WIRE_SIGHTING_H
#define VMLANE_WIRE_SIGHTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

enum sighting_kind {
	SIGHTING_ARP,  /* the sender of a request or a reply */
	SIGHTING_ND,   /* the sender of a solicitation, or what it or an advertisement is about */
	SIGHTING_DHCP, /* what a client asks for, or a server gives it */
	SIGHTING_COUNT,
};

/* "arp", "nd", "dhcp" */
extern const char *const sighting_names[SIGHTING_COUNT];

/**
 * struct sighting - @mac has the address @addr
 * @family:	AF_INET or AF_INET6; @addr has 4 or 16 bytes, in wire order, and 0 behind them
 * @gone:	the other way round: what @mac was given by DHCP it does not have; @addr is 0
 */
struct sighting {
	enum sighting_kind kind;
	struct mac mac;
	uint8_t family;
	uint8_t addr[16];
	bool gone;
};

/*
 * sighting_parse() - a whole Ethernet frame, without VLAN tag. 0; -EPROTONOSUPPORT for one that says
 * nothing of the kind, or of an address that no station can have; -EBADMSG for one that is broken, or
 * where the Ethernet source is another than the one it speaks of (but for a DHCP server's). Checksums of
 * UDP and ICMPv6 are not looked at: the kernel has not finished them where guests are.
 */
int sighting_parse(const void *bytes, size_t len, struct sighting *ret) __must_check;

#endif
