/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nd.h - neighbour discovery between routers and hosts (RFC 4861): solicitations in, advertisements
 * out, as whole Ethernet frames. Pure.
 *
 * Next on the walk: lease/ra.h, which answers the ones with the others.
 */
#ifndef VMLANE_WIRE_ND_H
#define VMLANE_WIRE_ND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

#define ND_PREFIX_MAX 8
#define ND_DNS_MAX 8
#define ND_DOMAIN_MAX 253    /* characters, without a dot at the end */
#define ND_RA_FRAME_MAX 1200 /* the longest that nd_ra_frame_build() makes is shorter */

/**
 * struct nd_rs - what matters of a router solicitation (RFC 4861 4.1)
 * @eth_src:	the frame's sender
 * @src:	may be the unspecified address
 */
struct nd_rs {
	struct mac eth_src;
	struct in6_addr src;
};

/*
 * nd_rs_parse() - a whole Ethernet frame, without VLAN tag. 0; -EPROTONOSUPPORT for anything else
 * than an ICMPv6 router solicitation that follows the IPv6 header at once; -EBADMSG for one that is
 * cut short or fails RFC 4861 6.1.1 (hop limit, checksum, code, length, options), or whose sender is
 * a group.
 */
int nd_rs_parse(const void *bytes, size_t len, struct nd_rs *ret) __must_check;

/**
 * struct nd_prefix - a prefix information option (RFC 4861 4.6.2)
 * @on_link:	L: its addresses are neighbours
 * @autonomous:	A: hosts make addresses of it (RFC 4862)
 * @valid_s, @preferred_s: lifetimes in seconds from now; UINT32_MAX: for ever
 */
struct nd_prefix {
	struct ip6_prefix prefix;
	bool on_link;
	bool autonomous;
	uint32_t valid_s;
	uint32_t preferred_s;
};

/**
 * struct nd_ra - a router advertisement (RFC 4861 4.2)
 * @hop_limit:	for hosts to use; 0: not said
 * @router_s:	for how long we are a default router; 0: we are none
 * @mac:	source link-layer address option
 * @mtu:	0: no MTU option (RFC 4861 4.6.4)
 * @prefixes:	@n_prefixes of them
 * @dns:	RDNSS option (RFC 8106 5.1), @n_dns resolvers; none: no option
 * @domain:	DNSSL option (RFC 8106 5.2), at most ND_DOMAIN_MAX characters; "": no option
 * @dns_s:	lifetime of both
 * @old_dns, @old_domain: the same with a lifetime of 0: not to be used any more
 */
struct nd_ra {
	uint8_t hop_limit;
	uint16_t router_s;
	struct mac mac;
	uint32_t mtu;
	struct nd_prefix prefixes[ND_PREFIX_MAX];
	size_t n_prefixes;
	struct in6_addr dns[ND_DNS_MAX];
	size_t n_dns;
	char domain[ND_DOMAIN_MAX + 1];
	uint32_t dns_s;
	struct in6_addr old_dns[ND_DNS_MAX];
	size_t n_old_dns;
	char old_domain[ND_DOMAIN_MAX + 1];
};

/*
 * nd_ra_frame_build() - from @ra->mac and @src to @eth_dst and @dst, with its checksum. The frame's
 * length; -ENOBUFS when @cap is too small; -EINVAL for a domain that is no list of labels of 1 to
 * 63 characters.
 */
int nd_ra_frame_build(const struct nd_ra *ra, const struct in6_addr *src, const struct mac *eth_dst,
		      const struct in6_addr *dst, void *buf, size_t cap) __must_check;

#endif
