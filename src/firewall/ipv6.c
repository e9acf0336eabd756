/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipv6.c - the chains for IPv6; see ruleset.c for the table around them. IPv4 pays for none of it.
 *
 *   guest_6   from guest_LEN: as there, the source first, then the way out. The kernel takes the
 *             bridge's own address for a source as any other, so `gateways6` has those. Every
 *             prefix has 64 bits: one chain does for all.
 *   host_6    from host_LEN: neighbour discovery and MLD are sent from link-local addresses, and
 *             from :: by who has none yet (RFC 4861 4.3, RFC 9777 5.2.13). These go no further than
 *             the host, as the kernel forwards neither.
 *   new_in_6  from to_guest: new connections by a permitted way in. Errors such as "packet too big"
 *             are related to a connection, and have passed before.
 *   others_6  what neither comes from a network of ours nor goes to one. Where the host forwards
 *             IPv6 only because of us it stays as it was: nothing of this passes. What the host's
 *             other bridges switch is seen here only with br_netfilter, and passes.
 *
 * NAT66 is masquerade, by the chains that IPv4 has for it (translate.c). It is no prefix translation:
 * RFC 6296 is something else.
 */
#include "firewall/ipv6.h"

#include <errno.h>

int fw_ipv6_check(const struct fw_network *n)
{
	if (!n->ipv6)
		return n->n_uplinks6 ? -EINVAL : 0;
	return n->subnet6.len == IPV6_PREFIX_LEN ? 0 : -EINVAL;
}

void fw_ipv6_elements(const struct fw_network *n, struct lines *out)
{
	const struct in6_addr network = ip6_network(&n->subnet6);
	char addr[IP6_STRLEN];

	if (!n->ipv6)
		return;
	lines_add(out, "networks6\t\"%s\"", n->bridge);
	lines_add(out, "sources6\t\"%s\" . %s", n->bridge, ip6_format(&network, addr));
	lines_add(out, "gateways6\t\"%s\" . %s", n->bridge, ip6_format(&n->gateway6, addr));
	for (size_t i = 0; i < n->n_uplinks6; i++) {
		lines_add(out, "ways_out6\t\"%s\" . \"%s\"", n->bridge, n->uplinks6[i]);
		if (n->mode == NETWORK_ROUTED && n->inbound == INBOUND_ACCEPT)
			lines_add(out, "ways_in6\t\"%s\" . \"%s\"", n->uplinks6[i], n->bridge);
	}
}

void fw_ipv6_host_elements(const struct fw_desired *d, struct lines *out)
{
	for (size_t i = 0; i < d->n_peers; i++)
		if (d->peers[i].ipv6)
			lines_add(out, "ways_out6\t\"%s\" . \"%s\"", d->peers[i].from,
				  d->peers[i].to);
	for (size_t i = 0; i < d->n_closed; i++)
		lines_add(out, "closed6\t\"%s\"", d->closed[i]);
	if (d->closed_all)
		lines_add(out, "closed_all\tipv6");
	for (size_t i = 0; i < d->n_switches; i++)
		if (fw_ifname_quotable(d->switches[i]))
			lines_add(out, "bridged\t\"%s\" . \"%s\"", d->switches[i], d->switches[i]);
}

static const char chains[] =
	"	set networks6 { type ifname; }\n"
	"	set sources6 { type ifname . ipv6_addr; }\n"
	"	set gateways6 { type ifname . ipv6_addr; }\n"
	"	set ways_out6 { type ifname . ifname; }\n"
	"	set ways_in6 { type ifname . ifname; }\n"
	"	set closed6 { type ifname; }\n"
	"	set closed_all { type nf_proto; }\n"
	"	map translate6 { type ifname . ifname : verdict; }\n"
	"	chain guest_6 {\n"
	"		iifname != @networks6 goto refuse_out\n"
	"		iifname . (ip6 saddr & ffff:ffff:ffff:ffff::) != @sources6 goto stranger\n"
	"		ip6 saddr & ::ffff:ffff:ffff:ffff == :: goto stranger\n"
	"		iifname . ip6 saddr @gateways6 goto stranger\n"
	"		iifname . oifname @ways_out6 goto way_out\n"
	"		goto refuse_out\n"
	"	}\n"
	"	chain host_6 {\n"
	"		iifname != @networks6 goto to_host\n"
	"		ip6 saddr fe80::/10 goto to_host\n"
	"		ip6 saddr :: goto to_host\n"
	"		iifname . (ip6 saddr & ffff:ffff:ffff:ffff::) != @sources6"
	" counter name spoofed drop\n"
	"		ip6 saddr & ::ffff:ffff:ffff:ffff == :: counter name spoofed drop\n"
	"		iifname . ip6 saddr @gateways6 counter name spoofed drop\n"
	"		goto to_host\n"
	"	}\n"
	"	chain new_in_6 {\n"
	"		iifname . oifname @ways_in6 accept\n"
	"		counter name refused_in reject with icmpx admin-prohibited\n"
	"	}\n"
	"	chain others_6 {\n"
	"		iifname . oifname @bridged accept\n"
	"		iifname @closed6 counter name closed drop\n"
	"		meta nfproto @closed_all counter name closed drop\n"
	"	}\n"
	"	chain translate_6 {\n"
	"		iifname . oifname vmap @translate6\n"
	"	}\n";

void fw_ipv6_chains(struct buf *out)
{
	buf_puts(out, chains);
}
