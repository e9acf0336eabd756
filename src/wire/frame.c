/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame.c - Ethernet, ARP, IPv4, UDP, TCP and ICMP headers, see frame.h.
 *
 * Does not know what the payloads mean: dhcp4.c is next for those of UDP ports 67 and 68. VLAN
 * tags and IPv6 are FRAME_OTHER.
 */
#include "wire/frame.h"

#include <errno.h>
#include <net/ethernet.h>
#include <string.h>
#include "base/cursor.h"
#include "wire/checksum.h"

#define IP4_HEADER_LEN 20
#define UDP_HEADER_LEN 8
#define TCP_HEADER_LEN 20
#define ARP_HTYPE_ETHER 1
#define IP4_DONT_FRAGMENT 0x4000
#define IP4_MORE_FRAGMENTS 0x2000
#define IP4_OFFSET_MASK 0x1fff
#define ICMP_TYPE_ECHO_REPLY 0
#define ICMP_TYPE_ECHO 8

static uint32_t pseudo_header_sum(struct in_addr src, struct in_addr dst, uint8_t proto, size_t len)
{
	uint32_t s = ip4_host(src), d = ip4_host(dst);

	return (s >> 16) + (s & 0xffff) + (d >> 16) + (d & 0xffff) + proto + (uint32_t)len;
}

static void read_ip4(struct cursor *c, struct in_addr *ret)
{
	cursor_copy(c, ret, sizeof(*ret));
}

/* RFC 826; hardware and protocols other than IPv4 over Ethernet stay FRAME_OTHER. */
static int arp_read(struct cursor *c, struct frame *f)
{
	uint16_t htype = cursor_be16(c);
	uint16_t ptype = cursor_be16(c);
	uint16_t lengths = cursor_be16(c);

	if (!cursor_ok(c))
		return -EBADMSG;
	if (htype != ARP_HTYPE_ETHER || ptype != ETHERTYPE_IP || lengths != 0x0604)
		return 0;
	f->arp_op = cursor_be16(c);
	cursor_copy(c, f->arp_sender_mac.b, sizeof(f->arp_sender_mac.b));
	read_ip4(c, &f->arp_sender_ip);
	cursor_take(c, sizeof(struct mac)); /* the target's MAC: what is asked for */
	read_ip4(c, &f->arp_target_ip);
	f->kind = FRAME_ARP;
	return cursor_ok(c) ? 0 : -EBADMSG;
}

static int icmp_read(struct cursor *c, struct frame *f)
{
	f->icmp_type = cursor_u8(c);
	f->icmp_code = cursor_u8(c);
	cursor_be16(c);
	if (f->icmp_type == ICMP_TYPE_ECHO || f->icmp_type == ICMP_TYPE_ECHO_REPLY) {
		f->icmp_id = cursor_be16(c);
		f->icmp_seq = cursor_be16(c);
	} else {
		cursor_be32(c);
	}
	f->kind = FRAME_ICMP;
	return cursor_ok(c) ? 0 : -EBADMSG;
}

/* @c has the whole IP payload. The first fragment of a datagram has less than its length says. */
static int udp_read(struct cursor *c, bool check, struct frame *f)
{
	struct cursor whole = *c;
	uint16_t len, sent;

	f->sport = cursor_be16(c);
	f->dport = cursor_be16(c);
	len = cursor_be16(c);
	sent = cursor_be16(c);
	if (!cursor_ok(c) || len < UDP_HEADER_LEN)
		return -EBADMSG;
	f->kind = FRAME_UDP;
	if (f->fragment)
		return 0;
	if (len > whole.left)
		return -EBADMSG;
	c->left = len - (size_t)UDP_HEADER_LEN;
	if (check && sent != 0 &&
	    checksum_finish(checksum_add(pseudo_header_sum(f->src, f->dst, f->ip_proto, len),
					 whole.p, len)) != 0)
		return -EBADMSG;
	return 0;
}

static int tcp_read(struct cursor *c, struct frame *f)
{
	size_t header;

	f->sport = cursor_be16(c);
	f->dport = cursor_be16(c);
	f->tcp_seq = cursor_be32(c);
	cursor_be32(c); /* acknowledged */
	header = (size_t)(cursor_u8(c) >> 4) * 4;
	f->tcp_flags = cursor_u8(c);
	cursor_take(c, 6); /* window, checksum, urgent pointer */
	if (!cursor_ok(c) || header < TCP_HEADER_LEN)
		return -EBADMSG;
	cursor_take(c, header - TCP_HEADER_LEN);
	f->kind = FRAME_TCP;
	return cursor_ok(c) ? 0 : -EBADMSG;
}

static int transport_read(struct cursor *c, bool check_udp, struct frame *f)
{
	switch (f->ip_proto) {
	case IPPROTO_ICMP:
		return icmp_read(c, f);
	case IPPROTO_UDP:
		return udp_read(c, check_udp, f);
	case IPPROTO_TCP:
		return tcp_read(c, f);
	default:
		return 0;
	}
}

/* RFC 791. On return @c is over what follows the last understood header, within the packet. */
static int ip4_read(struct cursor *c, bool check_udp, struct frame *f)
{
	const uint8_t *start = c->p;
	uint8_t version_ihl = cursor_u8(c);
	size_t header = (size_t)(version_ihl & 0xf) * 4;
	uint16_t total, fragment;

	cursor_u8(c); /* type of service */
	total = cursor_be16(c);
	f->ip_id = cursor_be16(c);
	fragment = cursor_be16(c);
	f->ttl = cursor_u8(c);
	f->ip_proto = cursor_u8(c);
	cursor_be16(c); /* checksum */
	read_ip4(c, &f->src);
	read_ip4(c, &f->dst);
	if (!cursor_ok(c) || version_ihl >> 4 != 4 || header < IP4_HEADER_LEN || total < header)
		return -EBADMSG;
	cursor_take(c, header - IP4_HEADER_LEN);
	*c = cursor_sub(c, total - header);
	if (!cursor_ok(c) || checksum_finish(checksum_add(0, start, header)) != 0)
		return -EBADMSG;
	f->kind = FRAME_IP4;
	f->fragment = (fragment & (IP4_MORE_FRAGMENTS | IP4_OFFSET_MASK)) != 0;
	if (fragment & IP4_OFFSET_MASK)
		return 0;
	return transport_read(c, check_udp, f);
}

int frame_parse(const void *bytes, size_t len, bool check_udp, struct frame *ret)
{
	struct cursor c = cursor_init(bytes, len);
	struct frame f = {.kind = FRAME_OTHER};
	struct cursor rest;
	int r = 0;

	cursor_copy(&c, f.eth_dst.b, sizeof(f.eth_dst.b));
	cursor_copy(&c, f.eth_src.b, sizeof(f.eth_src.b));
	f.ethertype = cursor_be16(&c);
	if (!cursor_ok(&c))
		return -EBADMSG;
	rest = c;
	if (f.ethertype == ETHERTYPE_ARP)
		r = arp_read(&c, &f);
	else if (f.ethertype == ETHERTYPE_IP)
		r = ip4_read(&c, check_udp, &f);
	if (r < 0)
		return r;
	if (f.kind == FRAME_OTHER)
		c = rest;
	f.payload = c.p;
	f.payload_len = c.left;
	*ret = f;
	return 0;
}

static void write_ip4_header(struct writer *w, const struct udp_send *s, size_t total)
{
	uint8_t *start = w->base + w->len;
	uint16_t sum;

	writer_be16(w, 0x4500);
	writer_be16(w, (uint16_t)total);
	writer_be16(w, 0); /* never fragmented, so that it needs no identification (RFC 6864) */
	writer_be16(w, IP4_DONT_FRAGMENT);
	writer_u8(w, s->ttl);
	writer_u8(w, IPPROTO_UDP);
	writer_be16(w, 0); /* checksum, below */
	writer_bytes(w, &s->src, sizeof(s->src));
	writer_bytes(w, &s->dst, sizeof(s->dst));
	if (w->bad)
		return;
	sum = checksum_finish(checksum_add(0, start, IP4_HEADER_LEN));
	start[10] = (uint8_t)(sum >> 8);
	start[11] = (uint8_t)sum;
}

static void write_udp(struct writer *w, const struct udp_send *s, size_t len)
{
	uint8_t *start = w->base + w->len;
	uint16_t sum;

	writer_be16(w, s->sport);
	writer_be16(w, s->dport);
	writer_be16(w, (uint16_t)len);
	writer_be16(w, 0); /* checksum, below */
	writer_bytes(w, s->payload, s->payload_len);
	if (w->bad)
		return;
	sum = checksum_finish(
		checksum_add(pseudo_header_sum(s->src, s->dst, IPPROTO_UDP, len), start, len));
	if (sum == 0) /* RFC 768: zero would mean that there is none */
		sum = 0xffff;
	start[6] = (uint8_t)(sum >> 8);
	start[7] = (uint8_t)sum;
}

int udp_frame_build(const struct udp_send *s, void *buf, size_t cap)
{
	struct writer w = writer_init(buf, cap);

	if (s->payload_len > UINT16_MAX - IP4_HEADER_LEN - UDP_HEADER_LEN)
		return -ENOBUFS;
	writer_bytes(&w, s->eth_dst.b, sizeof(s->eth_dst.b));
	writer_bytes(&w, s->eth_src.b, sizeof(s->eth_src.b));
	writer_be16(&w, ETHERTYPE_IP);
	write_ip4_header(&w, s, IP4_HEADER_LEN + UDP_HEADER_LEN + s->payload_len);
	write_udp(&w, s, UDP_HEADER_LEN + s->payload_len);
	return w.bad ? -ENOBUFS : (int)w.len;
}
