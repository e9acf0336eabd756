/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr.h - MAC, IPv4 and IPv6 addresses and prefixes: text to bytes and back, their arithmetic.
 *
 * IPv4 addresses are `struct in_addr` (network byte order, as POSIX has it); where numbers are
 * compared or counted, ip4_host() gives the host-order value and ip4_from_host() takes one. IPv6
 * addresses are `struct in6_addr`: bytes in the order they go over the wire.
 */
#ifndef VMLANE_BASE_ADDR_H
#define VMLANE_BASE_ADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

/* struct mac - an Ethernet address, bytes in the order they go over the wire. */
struct mac {
	uint8_t b[6];
};

#define MAC_STRLEN 18 /* "52:54:00:00:00:01" and the NUL */
#define IP4_STRLEN INET_ADDRSTRLEN
#define IP4_RANGE_STRLEN (2 * INET_ADDRSTRLEN)
#define IP4_PREFIX_STRLEN (INET_ADDRSTRLEN + 3)
#define IP6_STRLEN INET6_ADDRSTRLEN
#define IP6_PREFIX_STRLEN (INET6_ADDRSTRLEN + 4)

/* struct ip4_prefix - @addr may have host bits; @len is 0 to 32. */
struct ip4_prefix {
	struct in_addr addr;
	uint8_t len;
};

/* struct ip6_prefix - @addr may have host bits; @len is 0 to 128. */
struct ip6_prefix {
	struct in6_addr addr;
	uint8_t len;
};

/* mac_parse() - "52:54:00:aa:bb:cc" (':' or '-', either case); -EINVAL for anything else. */
int mac_parse(const char *text, struct mac *ret) __must_check;
/* mac_format() - lower case with ':' into @buf of MAC_STRLEN; returns @buf. */
const char *mac_format(const struct mac *m, char buf[static MAC_STRLEN]);
bool mac_equal(const struct mac *a, const struct mac *b);
bool mac_is_multicast(const struct mac *m); /* also broadcast */
bool mac_is_zero(const struct mac *m);

static inline uint32_t ip4_host(struct in_addr a)
{
	return ntohl(a.s_addr);
}

static inline struct in_addr ip4_from_host(uint32_t host)
{
	return (struct in_addr){.s_addr = htonl(host)};
}

static inline bool ip4_equal(struct in_addr a, struct in_addr b)
{
	return a.s_addr == b.s_addr;
}

/* ip4_parse() - strict dotted quad, no leading zeros; -EINVAL otherwise. */
int ip4_parse(const char *text, struct in_addr *ret) __must_check;
const char *ip4_format(struct in_addr a, char buf[static IP4_STRLEN]);
/* ip4_range_format() - "FIRST-LAST", or "FIRST" where it is the last too, into @buf; returns @buf. */
const char *ip4_range_format(struct in_addr first, struct in_addr last,
			     char buf[static IP4_RANGE_STRLEN]);

/* ip4_prefix_parse() - "ADDR/LEN"; host bits are kept; -EINVAL otherwise. */
int ip4_prefix_parse(const char *text, struct ip4_prefix *ret) __must_check;
const char *ip4_prefix_format(const struct ip4_prefix *p, char buf[static IP4_PREFIX_STRLEN]);
uint32_t ip4_mask_host(uint8_t len);			  /* netmask, host byte order */
struct in_addr ip4_network(const struct ip4_prefix *p);	  /* host bits cleared */
struct in_addr ip4_broadcast(const struct ip4_prefix *p); /* host bits set */
bool ip4_in(const struct ip4_prefix *p, struct in_addr a);
bool ip4_overlap(const struct ip4_prefix *a, const struct ip4_prefix *b);

/*
 * ip6_parse() - the text forms of RFC 4291 2.2 (the one that ends in dotted decimals too), without
 * zone ("%eth0") nor brackets; -EINVAL otherwise.
 */
int ip6_parse(const char *text, struct in6_addr *ret) __must_check;
/* ip6_format() - as RFC 5952 wants it: lower case, no leading zeros, the longest run as "::". */
const char *ip6_format(const struct in6_addr *a, char buf[static IP6_STRLEN]);
bool ip6_equal(const struct in6_addr *a, const struct in6_addr *b);

/* ip6_prefix_parse() - "ADDR/LEN"; host bits are kept; -EINVAL otherwise. */
int ip6_prefix_parse(const char *text, struct ip6_prefix *ret) __must_check;
const char *ip6_prefix_format(const struct ip6_prefix *p, char buf[static IP6_PREFIX_STRLEN]);
/* ip6_prefix_equal() - the same network: same length, same bits within it. */
bool ip6_prefix_equal(const struct ip6_prefix *a, const struct ip6_prefix *b);
struct in6_addr ip6_network(const struct ip6_prefix *p); /* host bits cleared */
bool ip6_in(const struct ip6_prefix *p, const struct in6_addr *a);
bool ip6_overlap(const struct ip6_prefix *a, const struct ip6_prefix *b);

bool ip6_is_unspecified(const struct in6_addr *a); /* :: */
bool ip6_is_loopback(const struct in6_addr *a);	   /* ::1 */
bool ip6_is_multicast(const struct in6_addr *a);   /* ff00::/8, RFC 4291 2.7 */
bool ip6_is_linklocal(const struct in6_addr *a);   /* fe80::/10, RFC 4291 2.5.6 */
bool ip6_is_ula(const struct in6_addr *a);	   /* fc00::/7, RFC 4193 */
bool ip6_is_v4mapped(const struct in6_addr *a);	   /* ::ffff:0:0/96, RFC 4291 2.5.5.2 */

/*
 * ip6_from_mac() - the first 64 bits of @prefix and the modified EUI-64 of @mac (RFC 4291 appendix
 * A): what a host without privacy extensions makes of a /64 (RFC 4862 5.5.3).
 */
struct in6_addr ip6_from_mac(const struct ip6_prefix *prefix, const struct mac *mac);
/* ip6_linklocal() - ip6_from_mac() of fe80::/64. */
struct in6_addr ip6_linklocal(const struct mac *mac);

#endif
