/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_chains.c - see guard_chains.h.
 *
 * The first rule is for nearly all packets: IPv4 from a port with all guards, from its own MAC and
 * address, in one look-up. What it does not know goes by its port to that port's chain, rule by rule.
 *
 * `meta protocol` is what a frame is within a VLAN tag, `ether type` what it is on the wire: the
 * rules say the first, so that a tag does not hide anything, but for the first rule, which leaves
 * tagged frames to the others. A tag with VLAN 0 has a priority only and is no VLAN (IEEE 802.1Q).
 */
#include "firewall/guard_chains.h"

#include <stdio.h>

#define BIT(g) (1u << (g))
/* What the first rule, and the chain after it, stand for. */
#define FAST                                                                                       \
	(BIT(GUARD_MAC) | BIT(GUARD_IP) | BIT(GUARD_DHCP) | BIT(GUARD_ETHERTYPE) |                 \
	 BIT(GUARD_BPDU) | GUARD_KNOWN4)

const char *guard_chain_name(unsigned int mask, char buf[static GUARD_CHAIN_STRLEN])
{
	snprintf(buf, GUARD_CHAIN_STRLEN, "guard_%x", mask);
	return buf;
}

const char *guard_pair_set(unsigned int mask)
{
	if ((mask & FAST) == FAST)
		return "fast4";
	return mask & BIT(GUARD_MAC) ? "pairs4" : "addrs4";
}

/* ---- a port's chain ---- */

static void put_frame(unsigned int mask, struct buf *out)
{
	if (mask & BIT(GUARD_BPDU))
		buf_puts(out, "		ether daddr & ff:ff:ff:ff:ff:f0 == 01:80:c2:00:00:00 "
			      "goto drop_bpdu\n");
	if (mask & BIT(GUARD_ETHERTYPE))
		buf_puts(out, "		meta protocol != { ip, arp, ip6 } goto drop_ethertype\n"
			      "		ether type 8021q vlan id != 0 goto drop_ethertype\n"
			      "		ether type 8021ad goto drop_ethertype\n");
	if (mask & BIT(GUARD_MAC))
		buf_puts(out, "		iifname . ether saddr != @macs goto drop_mac\n");
}

/* Who has no address yet may ask for one, and tell of multicast groups (RFC 3376 4.2.13). */
static void put_ip4(unsigned int mask, struct buf *out)
{
	const char *then = mask & BIT(GUARD_DHCP) ? "goto served4" : "accept";

	if (!(mask & BIT(GUARD_IP)) || !(mask & GUARD_KNOWN4)) {
		buf_printf(out, "		meta protocol ip %s\n", then);
		return;
	}
	buf_printf(out, "		meta protocol ip iifname . %sip saddr @%s %s\n",
		   mask & BIT(GUARD_MAC) ? "ether saddr . " : "", guard_pair_set(mask), then);
	buf_printf(out,
		   "		meta protocol ip iifname . ip saddr @routers4 goto drop_ip\n"
		   "		meta protocol ip iifname . ip saddr @beside4 %s\n"
		   "		meta protocol ip ip saddr 0.0.0.0 udp sport 68 udp dport 67 "
		   "accept\n"
		   "		meta protocol ip ip saddr 0.0.0.0 ip protocol igmp accept\n"
		   "		meta protocol ip goto drop_ip\n",
		   then);
}

/* Of Ethernet and IPv4 (RFC 826); a probe's sender has no address yet (RFC 5227). */
static void put_arp(unsigned int mask, struct buf *out)
{
	if (!(mask & BIT(GUARD_ARP)))
		return;
	buf_puts(out, "		meta protocol arp @nh,0,48 != 0x000108000604 goto drop_arp\n");
	if (mask & GUARD_KNOWN4)
		buf_printf(out,
			   "		meta protocol arp iifname . %sarp saddr ip @%s accept\n",
			   mask & BIT(GUARD_MAC) ? "arp saddr ether . " : "", guard_pair_set(mask));
	if (mask & BIT(GUARD_MAC))
		buf_puts(out, "		meta protocol arp iifname . arp saddr ether != @macs goto "
			      "drop_arp\n");
	if (mask & GUARD_KNOWN4)
		buf_puts(out, "		meta protocol arp arp saddr ip 0.0.0.0 accept\n"
			      "		meta protocol arp iifname . arp saddr ip @routers4 goto "
			      "drop_arp\n"
			      "		meta protocol arp iifname . arp saddr ip @beside4 accept\n"
			      "		meta protocol arp goto drop_arp\n");
}

/*
 * A guest makes its IPv6 addresses itself. Those whose last half is made of a MAC (ff:fe in its
 * middle, RFC 4291 appendix A) are of the guest that has the MAC; of the others any within the
 * guest's networks.
 */
static void put_ip6(unsigned int mask, struct buf *out)
{
	if (mask & BIT(GUARD_RA))
		buf_puts(out, "		meta protocol ip6 icmpv6 type { 134, 137 } goto drop_ra\n");
	if (mask & BIT(GUARD_DHCP))
		buf_puts(out, "		meta protocol ip6 udp sport 547 goto drop_dhcp\n");
	if ((mask & BIT(GUARD_ND)) && (mask & BIT(GUARD_MAC)))
		buf_puts(out, "		meta protocol ip6 icmpv6 type { 133, 135, 136 } jump "
			      "nd_mac\n");
	if ((mask & BIT(GUARD_ND)) && (mask & GUARD_KNOWN6))
		buf_printf(out,
			   "		meta protocol ip6 icmpv6 type 136 jump %s\n"
			   "		meta protocol ip6 ip6 saddr :: icmpv6 type 135 jump %s\n",
			   mask & BIT(GUARD_MAC) ? "claim_mac" : "claim_any",
			   mask & BIT(GUARD_MAC) ? "claim_mac" : "claim_any");
	if (!(mask & BIT(GUARD_IP)) || !(mask & GUARD_KNOWN6))
		return;
	buf_puts(out, "		meta protocol ip6 ip6 saddr :: icmpv6 type { 131, 132, 133, 135, "
		      "143 } accept\n"
		      "		meta protocol ip6 iifname . @nh,64,128 @routers6 goto drop_ip\n");
	if (mask & BIT(GUARD_MAC))
		buf_puts(out, "		meta protocol ip6 @nh,152,16 0xfffe iifname . @nh,128,64 "
			      "!= "
			      "@own6 iifname . @nh,64,128 != @beside6 goto drop_ip\n");
	buf_puts(out, "		meta protocol ip6 iifname . @nh,64,64 != @nets6 iifname . "
		      "@nh,64,128 != @beside6 goto drop_ip\n");
}

static void put_port_chain(unsigned int mask, struct buf *out)
{
	char name[GUARD_CHAIN_STRLEN];

	buf_printf(out, "	chain %s {\n", guard_chain_name(mask, name));
	put_frame(mask, out);
	put_ip4(mask, out);
	put_arp(mask, out);
	put_ip6(mask, out);
	buf_puts(out, "	}\n");
}

/* ---- what is always there ---- */

static const char sets[] = "	set fast4 { type ifname . ether_addr . ipv4_addr; }\n"
			   "	set pairs4 { type ifname . ether_addr . ipv4_addr; }\n"
			   "	set addrs4 { type ifname . ipv4_addr; }\n"
			   "	set beside4 { type ifname . ipv4_addr; flags interval; }\n"
			   "	set routers4 { type ifname . ipv4_addr; }\n"
			   "	set macs { type ifname . ether_addr; }\n"
			   "	set lladdrs { typeof iifname . @th,208,48; }\n"
			   "	set nets6 { typeof iifname . @nh,64,64; }\n"
			   "	set own6 { typeof iifname . @nh,128,64; }\n"
			   "	set routers6 { typeof iifname . @nh,64,128; }\n"
			   "	set beside6 { typeof iifname . @nh,64,128; flags interval; }\n";

/*
 * Of neighbours' messages (RFC 4861 4): the MAC in the first option, and of whom they tell. In a
 * solicitation from :: the target is what the sender wants for itself (RFC 4862 5.4.2).
 */
static const char neighbours[] =
	"	chain nd_mac {\n"
	"		meta protocol ip6 icmpv6 type 133 @th,64,16 0x0101 iifname . @th,80,48 != "
	"@lladdrs goto drop_nd\n"
	"		meta protocol ip6 icmpv6 type 135 @th,192,16 0x0101 iifname . @th,208,48 "
	"!= @lladdrs goto drop_nd\n"
	"		meta protocol ip6 icmpv6 type 136 @th,192,16 0x0201 iifname . @th,208,48 "
	"!= @lladdrs goto drop_nd\n"
	"	}\n"
	"	chain claim_any {\n"
	"		iifname . @th,64,128 @routers6 goto drop_nd\n"
	"		iifname . @th,64,64 != @nets6 iifname . @th,64,128 != @beside6 goto "
	"drop_nd\n"
	"	}\n"
	"	chain claim_mac {\n"
	"		@th,152,16 0xfffe iifname . @th,128,64 != @own6 iifname . @th,64,128 != "
	"@beside6 goto drop_nd\n"
	"		goto claim_any\n"
	"	}\n";

static const char served[] = "	chain served4 {\n"
			     "		meta l4proto != udp accept\n"
			     "		meta protocol ip udp sport 67 goto drop_dhcp\n"
			     "		accept\n"
			     "	}\n"
			     "	chain known4 {\n"
			     "		@ll,0,32 0x0180c200 ether daddr & ff:ff:ff:ff:ff:f0 == "
			     "01:80:c2:00:00:00 goto drop_bpdu\n"
			     "		meta l4proto != udp accept\n"
			     "		meta protocol ip udp sport 67 goto drop_dhcp\n"
			     "		accept\n"
			     "	}\n";

static const char base[] =
	"	map ports { type ifname : verdict; }\n"
	"	chain prerouting {\n"
	"		type filter hook prerouting priority -300; policy accept;\n"
	"		ether type ip iifname . ether saddr . ip saddr @fast4 goto known4\n"
	"		iifname vmap @ports\n"
	"	}\n";

/* Where the set is full its rule ends, and the next one drops all the same. */
static void put_drop(enum guard g, struct buf *out)
{
	const char *name = guard_name(g);

	buf_printf(out,
		   "	set dropped_%s { type ifname; size 65535; flags dynamic; }\n"
		   "	chain drop_%s {\n"
		   "		add @dropped_%s { iifname counter }\n"
		   "		drop comment \"guard %s\"\n"
		   "	}\n",
		   name, name, name, name);
}

void guard_skeleton(const bool masks[static GUARD_MASKS], struct buf *out)
{
	buf_puts(out, "table bridge vmlane {\n");
	buf_puts(out, sets);
	for (enum guard g = 0; g < GUARD_COUNT; g++)
		put_drop(g, out);
	buf_puts(out, neighbours);
	buf_puts(out, served);
	for (unsigned int mask = 0; mask < GUARD_MASKS; mask++)
		if (masks[mask])
			put_port_chain(mask, out);
	buf_puts(out, base);
	buf_puts(out, "}\n");
}
