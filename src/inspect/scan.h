/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scan.h - who answers on a bridge: ARP requests for each address of its subnets, and ICMPv6 echoes to all
 * nodes.
 *
 * Frames go out by the bridge itself, and only for subnets that it has an address in, or that the caller
 * says are there.
 */
#ifndef VMLANE_INSPECT_SCAN_H
#define VMLANE_INSPECT_SCAN_H

#include <net/if.h>
#include "base/addr.h"
#include "base/err.h"

#define SCAN_SUBNETS_MAX 16
#define SCAN_ADDRS_MAX 65536  /* of all subnets together: a /16 */
#define SCAN_FOUND_MAX 131072 /* answers, with those of two MACs for one address */
#define SCAN_RATE 1000	      /* frames a second: half a megabit */

/**
 * struct scan_subnet - addresses to ask for
 * @prefix:	host bits do not matter; network and broadcast address are left out below /31
 * @source:	the bridge's own address in it; 0: none, then it is asked as an ARP probe (RFC 5227 2.1.1)
 */
struct scan_subnet {
	struct ip4_prefix prefix;
	struct in_addr source;
};

/**
 * struct scan - what to do
 * @bridge:	by whose device
 * @mac:	of that device
 * @sources6:	its IPv6 addresses: from each the nodes are asked, so that they answer from one of that prefix
 * @rate:	frames a second
 */
struct scan {
	char bridge[IFNAMSIZ];
	int ifindex;
	struct mac mac;
	struct scan_subnet subnets[SCAN_SUBNETS_MAX];
	size_t n_subnets;
	struct in6_addr sources6[SCAN_SUBNETS_MAX];
	size_t n_sources6;
	unsigned int rate;
};

/* struct scan_answer - one MAC that has one address; @family as in struct inventory_address. */
struct scan_answer {
	uint8_t family;
	uint8_t addr[16];
	struct mac mac;
	uint32_t rtt_us; /* from the latest question to the answer */
};

/* struct scan_result - free @v; in the order of arrival. @asked: addresses. */
struct scan_result {
	struct scan_answer *v;
	size_t n;
	size_t asked;
};

/*
 * scan_prepare() - the subnets of interface @bridge from its addresses, or @only (may be NULL), which
 * must overlap with one of them unless it has none. -ENODEV, -EINVAL: no bridge, -ERANGE: too large or
 * nothing to ask, with the words.
 */
int scan_prepare(const char *bridge, const struct ip4_prefix *only, struct scan *ret,
		 struct err *e) __must_check;

/* Called now and then with how much is done. A result other than 0 ends the scan. */
typedef int (*scan_progress_fn)(size_t done, size_t all, size_t found, void *ctx);

/* scan_run() - takes (addresses / rate) seconds twice at most, and half a second to listen. */
int scan_run(const struct scan *s, scan_progress_fn fn, void *ctx, struct scan_result *ret,
	     struct err *e) __must_check;

/*
 * scan_remember() - what was found goes into the host's neighbour table, by which inventory.h and tracing
 * know it; not addresses that two have. Needs CAP_NET_ADMIN.
 */
int scan_remember(const struct scan *s, const struct scan_result *found,
		  struct err *e) __must_check;

#endif
