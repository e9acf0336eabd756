/* SPDX-License-Identifier: GPL-2.0-or-later */
/* craft.c - see craft.h. */
#include "wire/craft.h"

#include <errno.h>
#include <string.h>

#include "base/cursor.h"
#include "wire/checksum.h"

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IP6 0x86dd
#define IP4_LEN 20
#define IP6_LEN 40
#define TCP_LEN 20
#define TCP_WINDOW 64240
#define UDP_LEN 8
#define ECHO_LEN 8
#define IP4_DF 0x4000

static size_t address_len(const struct craft *c)
{
	return c->family == AF_INET ? 4 : 16;
}

static size_t transport_len(const struct craft *c)
{
	return (c->kind == CRAFT_TCP ? TCP_LEN : UDP_LEN) + c->payload_len;
}

static uint8_t protocol(const struct craft *c)
{
	switch (c->kind) {
	case CRAFT_UDP:
		return IPPROTO_UDP;
	case CRAFT_TCP:
		return IPPROTO_TCP;
	default:
		return c->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	}
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void write_arp(struct writer *w, const struct craft *c)
{
	writer_be16(w, 1); /* Ethernet */
	writer_be16(w, ETHERTYPE_IP4);
	writer_u8(w, 6);
	writer_u8(w, 4);
	writer_be16(w, 1); /* request */
	writer_bytes(w, c->eth_src.b, sizeof(c->eth_src.b));
	writer_bytes(w, c->src, 4);
	writer_reserve(w, 6);
	writer_bytes(w, c->dst, 4);
}

static void write_ip4(struct writer *w, const struct craft *c)
{
	uint8_t *start = w->base + w->len;

	writer_be16(w, 0x4500);
	writer_be16(w, (uint16_t)(IP4_LEN + transport_len(c)));
	writer_be16(w, c->ip_id);
	writer_be16(w, c->df ? IP4_DF : 0);
	writer_u8(w, c->ttl);
	writer_u8(w, protocol(c));
	writer_be16(w, 0); /* checksum, below */
	writer_bytes(w, c->src, 4);
	writer_bytes(w, c->dst, 4);
	if (!w->bad)
		put16(start + 10, checksum_finish(checksum_add(0, start, IP4_LEN)));
}

static void write_ip6(struct writer *w, const struct craft *c)
{
	writer_be32(w, 0x60000000);
	writer_be16(w, (uint16_t)transport_len(c));
	writer_u8(w, protocol(c));
	writer_u8(w, c->ttl);
	writer_bytes(w, c->src, 16);
	writer_bytes(w, c->dst, 16);
}

/* The pseudo header of RFC 768, RFC 793 and RFC 8200 (8.1); ICMP over IPv4 has none. */
static uint32_t pseudo_header(const struct craft *c)
{
	uint32_t sum = 0;

	if (protocol(c) == IPPROTO_ICMP)
		return 0;
	sum = checksum_add(sum, c->src, address_len(c));
	sum = checksum_add(sum, c->dst, address_len(c));
	return sum + protocol(c) + (uint32_t)transport_len(c);
}

/* The checksum of the transport header at @start, @offset bytes into it. */
static void finish(struct writer *w, const struct craft *c, uint8_t *start, size_t offset)
{
	uint16_t sum;

	if (c->payload)
		writer_bytes(w, c->payload, c->payload_len);
	else
		writer_reserve(w, c->payload_len);
	if (w->bad)
		return;
	sum = checksum_finish(checksum_add(pseudo_header(c), start, transport_len(c)));
	if (sum == 0 && c->kind == CRAFT_UDP) /* RFC 768: zero would mean that there is none */
		sum = 0xffff;
	put16(start + offset, sum);
}

static void write_echo(struct writer *w, const struct craft *c)
{
	uint8_t *start = w->base + w->len;
	bool reply = c->kind == CRAFT_ECHO_REPLY;
	uint8_t type = reply ? 0 : 8;

	if (c->family == AF_INET6)
		type = reply ? 129 : 128;
	if (c->kind == CRAFT_ICMP)
		type = c->icmp_type;
	writer_u8(w, type);
	writer_u8(w, 0);
	writer_be16(w, 0); /* checksum */
	writer_be16(w, c->sport);
	writer_be16(w, c->dport);
	finish(w, c, start, 2);
}

static void write_udp(struct writer *w, const struct craft *c)
{
	uint8_t *start = w->base + w->len;

	writer_be16(w, c->sport);
	writer_be16(w, c->dport);
	writer_be16(w, (uint16_t)transport_len(c));
	writer_be16(w, 0); /* checksum */
	finish(w, c, start, 6);
}

static void write_tcp(struct writer *w, const struct craft *c)
{
	uint8_t *start = w->base + w->len;

	writer_be16(w, c->sport);
	writer_be16(w, c->dport);
	writer_be32(w, c->tcp_seq);
	writer_be32(w, c->tcp_ack);
	writer_u8(w, TCP_LEN / 4 << 4);
	writer_u8(w, c->tcp_flags);
	writer_be16(w, TCP_WINDOW);
	writer_be16(w, 0); /* checksum */
	writer_be16(w, 0); /* urgent pointer */
	finish(w, c, start, 16);
}

static uint16_t ethertype(const struct craft *c)
{
	if (c->kind == CRAFT_ARP_REQUEST)
		return ETHERTYPE_ARP;
	return c->family == AF_INET ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

int craft_build(const struct craft *c, void *buf, size_t cap)
{
	struct writer w = writer_init(buf, cap);

	if (c->payload_len > UINT16_MAX - IP6_LEN - TCP_LEN)
		return -ENOBUFS;
	writer_bytes(&w, c->eth_dst.b, sizeof(c->eth_dst.b));
	writer_bytes(&w, c->eth_src.b, sizeof(c->eth_src.b));
	writer_be16(&w, ethertype(c));
	if (c->kind == CRAFT_ARP_REQUEST)
		write_arp(&w, c);
	else if (c->family == AF_INET)
		write_ip4(&w, c);
	else
		write_ip6(&w, c);
	if (c->kind == CRAFT_UDP)
		write_udp(&w, c);
	else if (c->kind == CRAFT_TCP)
		write_tcp(&w, c);
	else if (c->kind != CRAFT_ARP_REQUEST)
		write_echo(&w, c);
	return w.bad ? -ENOBUFS : (int)w.len;
}
