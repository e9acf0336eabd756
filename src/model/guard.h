/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - what is watched at a guest's port of the switch: that it sends as itself, and nothing
 * that only routers, servers and switches send. The words of libvirt's nwfilter (no-mac-spoofing,
 * no-arp-spoofing...) and of OpenStack's port security (allowed address pairs).
 */
#ifndef VMLANE_MODEL_GUARD_H
#define VMLANE_MODEL_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/buf.h"

struct network_config;
struct guest_config;

/*
 * enum guard - each has a switch of its own, guard_name() is its key in YAML and JSON. Those from
 * GUARD_LIMITED on count, and drop what is beyond a limit.
 */
enum guard {
	GUARD_MAC,	 /* Ethernet sources other than the guest's MACs; its MACs sent by others */
	GUARD_IP,	 /* IPv4 and IPv6 sources that are not the guest's */
	GUARD_ARP,	 /* ARP senders that are not the guest */
	GUARD_ND,	 /* neighbour discovery for addresses and MACs that are not the guest's */
	GUARD_DHCP,	 /* what DHCPv4 and DHCPv6 servers send */
	GUARD_RA,	 /* what IPv6 routers send: advertisements, redirects */
	GUARD_ETHERTYPE, /* all but IPv4, ARP and IPv6; VLAN tags */
	GUARD_BPDU,	 /* what is for switches alone: 01:80:c2:00:00:00 to 0f */
	GUARD_BROADCAST, /* frames to ff:ff:ff:ff:ff:ff, beyond so many a second */
	GUARD_MULTICAST, /* frames to other groups, likewise */
	GUARD_MACS,	 /* MACs behind the port that are not the guest's, beyond so many */
	GUARD_COUNT,
};

#define GUARD_LIMITED GUARD_BROADCAST
#define GUARD_LIMITS (GUARD_COUNT - GUARD_LIMITED)

#define GUARDS_ALL ((1u << GUARD_COUNT) - 1)
#define GUEST_ADDRESSES_MAX 64

/* guard_name() - "mac", "ip", ...; as written in YAML and JSON. */
const char *guard_name(enum guard g);
/* guard_what() - what it drops, in a few words: "a MAC that is not its own". */
const char *guard_what(enum guard g);

/*
 * struct guard_switches - bits 1 << enum guard: those that were written, and which of them are on.
 * What was not written is as the network has it, and there it is on.
 */
struct guard_switches {
	uint16_t given;
	uint16_t on;
};

/**
 * struct guard_limits - the limits of the guards that count, each at index guard - GUARD_LIMITED
 * @given:	bits 1 << index of those that were written; else it is as the network has it, and there
 *		guard_limit_default()
 * @max:	frames a second, or MACs; 0: unlimited, by which the guard is off
 */
struct guard_limits {
	uint8_t given;
	uint32_t max[GUARD_LIMITS];
};

#define GUARD_RATE_MAX 10000000 /* frames a second */
#define GUARD_MACS_MAX 1024

/* struct guest_prefix - addresses that a guest may use; of one family, with a length other than 0. */
struct guest_prefix {
	struct ip4_prefix ip4;
	struct ip6_prefix ip6;
};

/*
 * guards_of() - the guards of guest @g (NULL: not configured) of @n that are on: all that neither of them
 * switches off, or has no limit for.
 */
uint16_t guards_of(const struct network_config *n, const struct guest_config *g);

/* guard_limit_default() - of @g, which is one that counts. */
uint32_t guard_limit_default(enum guard g);
/* guard_limit_of() - the limit of @guard for guest @g (NULL: not configured) of @n; 0: unlimited. */
uint32_t guard_limit_of(const struct network_config *n, const struct guest_config *g,
			enum guard guard);
/* guard_is_rate() - its limit is one of frames a second. */
bool guard_is_rate(enum guard g);
bool guard_limits_equal(const struct guard_limits *a, const struct guard_limits *b);

#define GUEST_PREFIX_STRLEN IP6_PREFIX_STRLEN
/* guest_prefix_parse() - "ADDR" or "ADDR/LEN"; -EINVAL, or -ERANGE: bits are set behind @ret. */
int guest_prefix_parse(const char *text, struct guest_prefix *ret) __must_check;
/* guest_prefix_format() - as it is written, a single address without its length. */
const char *guest_prefix_format(const struct guest_prefix *p, char buf[static GUEST_PREFIX_STRLEN]);

/* guard_emit() - the lines of key `guard`, indented by @indent; nothing where none was written. */
void guard_emit(const struct guard_switches *s, const char *indent, struct buf *out);
/* guard_emit_addresses() - the line of key `addresses` of @g; nothing where there are none. */
void guard_emit_addresses(const struct guest_config *g, struct buf *out);
bool guard_equal(const struct guard_switches *a, const struct guard_switches *b);
bool guard_addresses_equal(const struct guest_config *a, const struct guest_config *b);

#endif
