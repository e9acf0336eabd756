/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval_packet.c - the packet as rules see it: its bytes with what rules have written, where its
 * headers are, and the extension headers and options in them.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include "path/nft_eval_internal.h"

#define TEXT_AFTER_NAT "the packet's addresses after a nat rule"

bool nfteval_read(const struct nfteval_state *s, size_t at, void *ret, size_t len)
{
	uint8_t *to = ret;

	if (at > s->pkt.len || len > s->pkt.len - at)
		return false;
	memcpy(to, s->pkt.bytes + at, len);
	for (size_t i = 0; i < s->n_writes; i++) {
		const struct nfteval_write *w = &s->writes[i];
		size_t from = w->at > at ? w->at : at;
		size_t end = size_min(w->at + w->len, at + len);

		if (from < end)
			memcpy(to + (from - at), w->bytes + (from - w->at), end - from);
	}
	return true;
}

bool nfteval_ip(const struct nfteval_state *s, struct in6_addr *src, struct in6_addr *dst)
{
	size_t at = (size_t)s->pkt.network;

	memset(src, 0, sizeof(*src));
	memset(dst, 0, sizeof(*dst));
	if (s->pkt.protocol == ETH_P_IP)
		return nfteval_read(s, at + 12, src, 4) && nfteval_read(s, at + 16, dst, 4);
	return s->pkt.protocol == ETH_P_IPV6 && nfteval_read(s, at + 8, src, 16) &&
	       nfteval_read(s, at + 24, dst, 16);
}

/* Where a walk over IPv6's extension headers ends; @at: from the packet's begin */
struct ip6_walk {
	uint8_t proto;
	size_t at;
	bool fragment;
};

static bool is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_AH || proto == IPPROTO_NONE || proto == IPPROTO_DSTOPTS;
}

/*
 * Over the extension headers (RFC 8200 4) until @target, or with @target < 0 until what is none. A
 * later fragment's headers are its first header's only.
 */
static int walk_ip6(const struct nfteval_state *s, int target, struct ip6_walk *w)
{
	uint8_t h[8];

	*w = (struct ip6_walk){.at = (size_t)s->pkt.network + sizeof(struct ip6_hdr)};
	if (!nfteval_read(s, (size_t)s->pkt.network + 6, &w->proto, 1) || w->at > s->pkt.len)
		return -EBADMSG;
	while ((int)w->proto != target) {
		if (!is_extension(w->proto) || w->proto == IPPROTO_NONE)
			return target < 0 ? 0 : -ENOENT;
		if (!nfteval_read(s, w->at, h, sizeof(h)))
			return -EBADMSG;
		if (w->proto == IPPROTO_FRAGMENT && ((h[2] << 8 | h[3]) & 0xfff8)) {
			w->fragment = true;
			w->proto = h[0];
			return target < 0 && (!is_extension(h[0]) || h[0] == IPPROTO_NONE)
				       ? 0
				       : -ENOENT;
		}
		w->at += w->proto == IPPROTO_FRAGMENT ? 8
			 : w->proto == IPPROTO_AH     ? (h[1] + 2u) * 4
						      : (h[1] + 1u) * 8;
		w->proto = h[0];
	}
	return 0;
}

int nfteval_ip6_header(const struct nfteval_state *s, uint8_t type)
{
	struct ip6_walk w;
	int r = walk_ip6(s, type, &w);

	return r ? -ENOENT : (int)w.at;
}

static void headers_ip4(struct nfteval_state *s, bool validate)
{
	size_t net = (size_t)s->pkt.network, header;
	uint8_t h[20];

	if (!nfteval_read(s, net, h, sizeof(h)))
		return;
	header = (h[0] & 15u) * 4;
	if (validate &&
	    (h[0] >> 4 != 4 || header < sizeof(h) ||
	     s->pkt.len - net < (size_t)(h[2] << 8 | h[3]) || (size_t)(h[2] << 8 | h[3]) < header))
		return;
	s->h.l4 = true;
	s->h.proto = h[9];
	s->h.fragment = (h[6] << 8 | h[7]) & IP_OFFMASK;
	s->h.transport = net + header;
}

static void headers_ip6(struct nfteval_state *s, bool validate)
{
	size_t net = (size_t)s->pkt.network;
	struct ip6_walk w;
	uint8_t h[sizeof(struct ip6_hdr)];

	if (!nfteval_read(s, net, h, sizeof(h)))
		return;
	if (validate && (h[0] >> 4 != 6 ||
			 s->pkt.len - net < (size_t)(h[4] << 8 | h[5]) + sizeof(struct ip6_hdr)))
		return;
	if (walk_ip6(s, -1, &w))
		return;
	s->h.l4 = true;
	s->h.proto = w.proto;
	s->h.fragment = w.fragment;
	s->h.transport = w.at;
}

/*
 * As the kernel's nft_do_chain_*() do it: in the hooks of IP the header is known to be good; those of
 * the bridge and of devices look at it first; ARP has none.
 */
void nfteval_headers(struct nfteval_state *s, const struct nfteval_at *at,
		     const struct nftprog_chain *c)
{
	bool validate = at->pf == NFPROTO_BRIDGE || at->pf == NFPROTO_NETDEV;
	bool by_protocol = validate, ip4, ip6;

	memset(&s->h, 0, sizeof(s->h));
	s->h.pf = at->pf;
	ip4 = by_protocol ? s->pkt.protocol == ETH_P_IP : at->pf == NFPROTO_IPV4;
	ip6 = by_protocol ? s->pkt.protocol == ETH_P_IPV6 : at->pf == NFPROTO_IPV6;
	if (c->table->family == NFPROTO_INET && at->pf == NFPROTO_NETDEV && (ip4 || ip6))
		s->h.pf = ip4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	if (ip4)
		headers_ip4(s, validate);
	else if (ip6)
		headers_ip6(s, validate);
}

/* Behind IP's receive, padding of the link is gone. Where a device sends, the link's header counts. */
uint32_t nfteval_length(const struct nfteval_state *s, const struct nfteval_at *at)
{
	size_t net = (size_t)s->pkt.network, len = s->pkt.len - net;
	uint8_t h[6];

	if (at->pf == NFPROTO_NETDEV && at->hook == NF_NETDEV_EGRESS && s->pkt.link >= 0)
		return (uint32_t)(s->pkt.len - (size_t)s->pkt.link);
	if (nfteval_read(s, net, h, sizeof(h)) && at->pf == NFPROTO_IPV4)
		len = size_min(len, (size_t)(h[2] << 8 | h[3]));
	else if (at->pf == NFPROTO_IPV6 && len >= sizeof(h) && (h[4] || h[5]))
		len = size_min(len, (size_t)(h[4] << 8 | h[5]) + sizeof(struct ip6_hdr));
	return (uint32_t)len;
}

/* The Ethernet header with the tag that the kernel keeps beside the frame put back. */
static bool read_tagged(const struct nfteval_state *s, size_t offset, uint8_t *to, size_t len)
{
	uint8_t head[ETH_HLEN + 4];
	size_t n = 0;

	if (!nfteval_read(s, (size_t)s->pkt.link, head, 2 * ETH_ALEN))
		return false;
	head[12] = ETH_P_8021Q >> 8;
	head[13] = ETH_P_8021Q & 255;
	head[14] = (uint8_t)(s->pkt.vlan_tci >> 8);
	head[15] = (uint8_t)s->pkt.vlan_tci;
	head[16] = (uint8_t)(s->pkt.protocol >> 8);
	head[17] = (uint8_t)s->pkt.protocol;
	if (offset < sizeof(head)) {
		n = size_min(len, sizeof(head) - offset);
		memcpy(to, head + offset, n);
	}
	return n == len || nfteval_read(s, (size_t)s->pkt.link + offset + n - 4, to + n, len - n);
}

/* The data behind the TCP or UDP header. */
static bool inner_offset(const struct nfteval_state *s, size_t *ret)
{
	uint8_t data_offset;

	if (!s->h.l4 || s->h.fragment)
		return false;
	*ret = s->h.transport + 8;
	if (s->h.proto == IPPROTO_UDP)
		return true;
	if (s->h.proto != IPPROTO_TCP || !nfteval_read(s, s->h.transport + 12, &data_offset, 1))
		return false;
	*ret = s->h.transport + (data_offset >> 4) * 4u;
	return true;
}

/* A base's begin; false: there is no such header. */
static bool base_of(const struct nfteval_state *s, uint32_t base, size_t *ret)
{
	switch (base) {
	case NFT_PAYLOAD_LL_HEADER:
		*ret = (size_t)s->pkt.link;
		return s->pkt.link >= 0 && s->pkt.link < s->pkt.network;
	case NFT_PAYLOAD_NETWORK_HEADER:
		*ret = (size_t)s->pkt.network;
		return true;
	case NFT_PAYLOAD_TRANSPORT_HEADER:
		*ret = s->h.transport;
		return s->h.l4 && !s->h.fragment;
	case NFT_PAYLOAD_INNER_HEADER:
		return inner_offset(s, ret);
	}
	return false;
}

/* Checksums are not kept up to date in what rules have written. */
static bool has_checksum(const struct nfteval_state *s, size_t at, size_t len)
{
	static const struct {
		uint8_t proto;
		size_t at;
	} sums[] = {{IPPROTO_TCP, 16}, {IPPROTO_UDP, 6}, {IPPROTO_ICMP, 2}, {IPPROTO_ICMPV6, 2}};
	size_t net = (size_t)s->pkt.network;

	if (!s->n_writes && !s->res.mtu_clamped)
		return false;
	if (s->pkt.protocol == ETH_P_IP && at < net + 12 && at + len > net + 10)
		return true;
	for (size_t i = 0; s->h.l4 && !s->h.fragment && i < ARRAY_SIZE(sums); i++)
		if (s->h.proto == sums[i].proto && at < s->h.transport + sums[i].at + 2 &&
		    at + len > s->h.transport + sums[i].at)
			return true;
	return false;
}

/*
 * Kernels read one, two or four bytes on a short way, on which many (6.18 too) forget that a later
 * fragment has no transport header: what they find there is payload.
 */
static bool is_read_anyway(const struct nfteval_state *s, const struct nftprog_expr *e)
{
	return e->base == NFT_PAYLOAD_TRANSPORT_HEADER && s->h.l4 && s->h.fragment &&
	       (e->len == 1 || e->len == 2 || e->len == 4) && e->offset % e->len == 0;
}

enum nfteval_flow nfteval_payload(struct nfteval *v, struct nfteval_state *s,
				  const struct nftprog_expr *e)
{
	uint8_t bytes[NFTPROG_VALUE_MAX];
	size_t base;

	if (e->len > sizeof(bytes) || e->base > NFT_PAYLOAD_INNER_HEADER)
		return nfteval_opaque(s, "payload");
	if (is_read_anyway(s, e)) {
		const char *why = "the transport header of a later fragment";

		return nfteval_put_unknown(s, e->dreg, e->len, why) == NFTEVAL_OPAQUE
			       ? NFTEVAL_OPAQUE
			       : nfteval_maybe(s, why);
	}
	if (!base_of(s, e->base, &base))
		return NFTEVAL_BREAK;
	if (s->translated && e->base != NFT_PAYLOAD_LL_HEADER)
		return nfteval_put_unknown(s, e->dreg, e->len, TEXT_AFTER_NAT);
	if (e->base == NFT_PAYLOAD_LL_HEADER && s->pkt.has_vlan && e->offset + e->len > 12) {
		if (!read_tagged(s, e->offset, bytes, e->len))
			return NFTEVAL_BREAK;
	} else if (!nfteval_read(s, base + e->offset, bytes, e->len)) {
		return NFTEVAL_BREAK;
	}
	if (has_checksum(s, base + e->offset, e->len))
		return nfteval_put_unknown(s, e->dreg, e->len, "a checksum after a change");
	return nfteval_put(s, e->dreg, bytes, e->len);
}

/* `tcp option`, also whether it is there at all. */
static enum nfteval_flow tcp_option(struct nfteval_state *s, const struct nftprog_expr *e)
{
	uint8_t h[60] = {0};
	size_t len = 0, n;

	if (s->options_changed)
		return nfteval_put_unknown(s, e->dreg, e->len ? e->len : 1,
					   "a tcp option after a change");
	if (s->h.l4 && s->h.proto == IPPROTO_TCP && !s->h.fragment &&
	    nfteval_read(s, s->h.transport, h, 20))
		len = (h[12] >> 4) * 4u;
	if (len < 20 || !nfteval_read(s, s->h.transport, h, len))
		len = 0;
	for (size_t i = 20; i + 1 < len; i += n) {
		n = h[i] <= 1 || h[i + 1] == 0 ? 1 : h[i + 1];
		if (h[i] != e->key)
			continue;
		if (i + n > len || e->offset + e->len > n)
			break;
		return e->flags & NFT_EXTHDR_F_PRESENT
			       ? nfteval_put_u8(s, e->dreg, 1)
			       : nfteval_put(s, e->dreg, h + i + e->offset, e->len);
	}
	return e->flags & NFT_EXTHDR_F_PRESENT ? nfteval_put_u32(s, e->dreg, 0) : NFTEVAL_BREAK;
}

static enum nfteval_flow ip6_extension(struct nfteval_state *s, const struct nftprog_expr *e)
{
	uint8_t bytes[NFTPROG_VALUE_MAX];
	int at;

	if (s->pkt.protocol != ETH_P_IPV6)
		return NFTEVAL_BREAK;
	at = nfteval_ip6_header(s, (uint8_t)e->key);
	if (e->flags & NFT_EXTHDR_F_PRESENT)
		return nfteval_put_u8(s, e->dreg, at >= 0);
	if (at < 0 || e->len > sizeof(bytes) ||
	    !nfteval_read(s, (size_t)at + e->offset, bytes, e->len))
		return NFTEVAL_BREAK;
	return nfteval_put(s, e->dreg, bytes, e->len);
}

enum nfteval_flow nfteval_exthdr(struct nfteval *v, struct nfteval_state *s,
				 const struct nftprog_expr *e)
{
	if (e->cmp == NFT_EXTHDR_OP_TCPOPT)
		return tcp_option(s, e);
	if (e->cmp == NFT_EXTHDR_OP_IPV6)
		return ip6_extension(s, e);
	nfteval_put_unknown(s, e->dreg, e->len ? e->len : 1, "an option or chunk");
	return nfteval_maybe(s, "an option or chunk");
}
