/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftrace_text.c - the rules that ask for a guest's packets to be traced. Pure: struct to text.
 *
 * Each packet of the host meets them, so the base chains hold a few look-ups in sets only; what
 * narrows the choice, if it is narrowed, stands in chains of their own, for the guest's packets:
 *
 *   before, out, frames (-350)  addresses as the packet has them  -> peer -> port -> nftrace
 *   replies, out_replies (-199) addresses as conntrack has them   -> ct_peer -> ct_port -> nftrace
 *
 * These rules are traced as well: the fewer a packet matches, the fewer messages there are.
 */
#include <arpa/inet.h>
#include "path/nftrace.h"

/* accept: only the base chain ends. */
#define MARK_ALL "meta nftrace set 1 accept\n"
#define MARK_SOME "limit rate 1000/second burst 500 packets " MARK_ALL

static const char *mark(const struct nftrace_flow *f)
{
	return f->flood ? MARK_ALL : MARK_SOME;
}

static const char *family_word(uint8_t family)
{
	return family == AF_INET ? "ip" : "ip6";
}

static void put_addr(struct buf *out, const struct path_address *a)
{
	char text[INET6_ADDRSTRLEN];

	buf_puts(out, inet_ntop(a->family, a->addr, text, sizeof(text)) ? text : "");
}

/* "FIELD { A, B } THEN" with the guest's addresses of @family, where it has any. */
static void put_guest(struct buf *out, const struct nftrace_flow *f, uint8_t family,
		      const char *field, const char *then)
{
	const char *comma = "";

	for (size_t i = 0; i < f->n_addrs; i++) {
		if (f->addrs[i].family != family)
			continue;
		if (!*comma)
			buf_printf(out, "\t\t%s { ", field);
		buf_puts(out, comma);
		put_addr(out, &f->addrs[i]);
		comma = ", ";
	}
	if (*comma)
		buf_printf(out, " } %s", then);
}

/* What happens to the guest's packets: they are narrowed by peer and port, or all are traced. */
static const char *then_packet(const struct nftrace_flow *f)
{
	if (f->has_peer)
		return "jump peer\n";
	return f->proto || f->port ? "jump port\n" : mark(f);
}

static const char *then_ct(const struct nftrace_flow *f)
{
	if (f->has_peer)
		return "jump ct_peer\n";
	return f->proto || f->port ? "jump ct_port\n" : mark(f);
}

static void put_both_ways(struct buf *out, const struct nftrace_flow *f)
{
	if (f->mark)
		buf_printf(out, "\t\tmeta mark %u %s", f->mark, then_packet(f));
	put_guest(out, f, AF_INET, "ip saddr", then_packet(f));
	put_guest(out, f, AF_INET, "ip daddr", then_packet(f));
	put_guest(out, f, AF_INET6, "ip6 saddr", then_packet(f));
	put_guest(out, f, AF_INET6, "ip6 daddr", then_packet(f));
}

/* The guest as the one who opened the connection, or as the one it was opened to. */
static void put_by_conntrack(struct buf *out, const struct nftrace_flow *f)
{
	put_guest(out, f, AF_INET, "ct original ip saddr", then_ct(f));
	put_guest(out, f, AF_INET, "ct reply ip saddr", then_ct(f));
	put_guest(out, f, AF_INET6, "ct original ip6 saddr", then_ct(f));
	put_guest(out, f, AF_INET6, "ct reply ip6 saddr", then_ct(f));
}

static void put_base(struct buf *out, const char *name, const char *hook, int priority)
{
	buf_printf(out, "\tchain %s {\n\t\ttype filter hook %s priority %d; policy accept;\n", name,
		   hook, priority);
}

static void put_mac(struct buf *out, const struct nftrace_flow *f, const char *field)
{
	char mac[MAC_STRLEN];

	if (f->has_mac)
		buf_printf(out, "\t\tether %s %s %s", field, mac_format(&f->mac, mac),
			   then_packet(f));
}

/* The protocols that have ports, or the one that is asked for. */
static void put_proto(struct buf *out, const struct nftrace_flow *f, const char *field)
{
	if (f->proto)
		buf_printf(out, "%s %u ", field, f->proto);
	else if (f->port)
		buf_printf(out, "%s { tcp, udp, sctp } ", field);
}

static void put_port(struct buf *out, const struct nftrace_flow *f)
{
	static const char *const fields[] = {"th sport", "th dport"};

	buf_puts(out, "\tchain port {\n");
	for (size_t i = 0; f->port && i < ARRAY_SIZE(fields); i++) {
		buf_puts(out, "\t\t");
		put_proto(out, f, "meta l4proto");
		buf_printf(out, "%s %u %s", fields[i], f->port, mark(f));
	}
	if (!f->port) {
		buf_puts(out, "\t\t");
		put_proto(out, f, "meta l4proto");
		buf_puts(out, mark(f));
	}
	buf_puts(out, "\t}\n");
}

static void put_peer(struct buf *out, const struct nftrace_flow *f)
{
	static const char *const fields[] = {"saddr", "daddr"};

	if (f->has_peer || f->proto || f->port)
		put_port(out, f);
	if (!f->has_peer)
		return;
	buf_puts(out, "\tchain peer {\n");
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		buf_printf(out, "\t\t%s %s ", family_word(f->peer.family), fields[i]);
		put_addr(out, &f->peer);
		buf_puts(out, " goto port\n");
	}
	buf_puts(out, "\t}\n");
}

/* Four ways, as either side may have been translated. ICMP errors belong to their connection. */
static const char *const ct_ways[] = {"original", "reply"};

static void put_ct_port(struct buf *out, const struct nftrace_flow *f)
{
	static const char *const fields[] = {"proto-src", "proto-dst"};

	buf_puts(out, "\tchain ct_port {\n");
	for (size_t i = 0; f->port && i < 4; i++) {
		/* nft wants to know the protocol before it takes a port. */
		buf_puts(out, "\t\t");
		put_proto(out, f, "meta l4proto");
		buf_printf(out, "ct %s %s %u %s", ct_ways[i / 2], fields[i % 2], f->port, mark(f));
	}
	buf_puts(out, f->port ? "\t\tct state related " : "\t\t");
	if (f->proto)
		buf_printf(out, "ct original protocol %u ", f->proto);
	buf_printf(out, "%s\t}\n", mark(f));
}

static void put_ct_peer(struct buf *out, const struct nftrace_flow *f)
{
	static const char *const fields[] = {"saddr", "daddr"};

	if (f->has_peer || f->proto || f->port)
		put_ct_port(out, f);
	if (!f->has_peer)
		return;
	buf_puts(out, "\tchain ct_peer {\n");
	for (size_t i = 0; i < 4; i++) {
		buf_printf(out, "\t\tct %s %s %s ", ct_ways[i / 2], family_word(f->peer.family),
			   fields[i % 2]);
		put_addr(out, &f->peer);
		buf_puts(out, " goto ct_port\n");
	}
	buf_puts(out, "\t}\n");
}

static void put_ct_base(struct buf *out, const struct nftrace_flow *f, const char *name,
			const char *hook)
{
	put_base(out, name, hook, -199);
	put_by_conntrack(out, f);
	buf_puts(out, "\t}\n");
}

static void put_inet(struct buf *out, const char *table, const struct nftrace_flow *f)
{
	buf_printf(out, "table inet %s {\n\tflags owner\n", table);
	put_peer(out, f);
	put_base(out, "before", "prerouting", -350);
	put_mac(out, f, "saddr");
	put_both_ways(out, f);
	buf_puts(out, "\t}\n");
	put_base(out, "out", "output", -350);
	put_both_ways(out, f);
	buf_puts(out, "\t}\n");
	if (f->conntrack && f->n_addrs) {
		put_ct_peer(out, f);
		put_ct_base(out, f, "replies", "prerouting");
		put_ct_base(out, f, "out_replies", "output");
	}
	buf_puts(out, "}\n");
}

/* Frames of the guest's as the bridge sees them, ARP and neighbour discovery among them. */
static void put_frames(struct buf *out, const struct nftrace_flow *f, const char *name,
		       const char *hook)
{
	put_base(out, name, hook, -350);
	put_mac(out, f, "saddr");
	put_mac(out, f, "daddr");
	put_both_ways(out, f);
	if (!f->proto && !f->port) {
		put_guest(out, f, AF_INET, "arp saddr ip", then_packet(f));
		put_guest(out, f, AF_INET, "arp daddr ip", then_packet(f));
	}
	buf_puts(out, "\t}\n");
}

static void put_bridge(struct buf *out, const char *table, const struct nftrace_flow *f)
{
	buf_printf(out, "table bridge %s {\n\tflags owner\n", table);
	put_peer(out, f);
	put_frames(out, f, "frames", "prerouting");
	put_frames(out, f, "out_frames", "output");
	buf_puts(out, "}\n");
}

void nftrace_text(const char *table, const struct nftrace_flow *flow, struct buf *out)
{
	put_inet(out, table, flow);
	put_bridge(out, table, flow);
}
