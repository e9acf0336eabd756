/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sighting.c - see sighting.h. */
#include "wire/sighting.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"
#include "wire/dhcp4.h"
#include "wire/frame.h"

#define ETH_LEN 14
#define ETHERTYPE_IP6 0x86dd
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ND_NS 135
#define ND_NA 136
#define ND_HOP_LIMIT 255 /* RFC 4861 7.1: others were forwarded */
#define ND_SOURCE 1
#define ND_TARGET 2
#define ND_UNIT 8
#define BOOTREQUEST 1
#define BOOTREPLY 2

const char *const sighting_names[] = {
	[SIGHTING_ARP] = "arp",
	[SIGHTING_ND] = "nd",
	[SIGHTING_DHCP] = "dhcp",
};
_Static_assert(ARRAY_SIZE(sighting_names) == SIGHTING_COUNT, "a kind without its word");

static bool is_station(const struct mac *m)
{
	return !mac_is_multicast(m) && !mac_is_zero(m);
}

static int set4(struct sighting *s, struct in_addr a)
{
	uint32_t host = ip4_host(a);

	/* 0.0.0.0/8, loopback, groups and reserved ones (RFC 6890). */
	if (host >> 24 == 0 || host >> 24 == 127 || host >= 0xe0000000u)
		return -EPROTONOSUPPORT;
	s->family = AF_INET;
	memcpy(s->addr, &a, sizeof(a));
	return 0;
}

static int set6(struct sighting *s, const struct in6_addr *a)
{
	if (ip6_is_unspecified(a) || ip6_is_loopback(a) || ip6_is_multicast(a) ||
	    ip6_is_v4mapped(a))
		return -EPROTONOSUPPORT;
	s->family = AF_INET6;
	memcpy(s->addr, a, sizeof(*a));
	return 0;
}

/* A probe (RFC 5227) has no sender's address yet, and is refused by set4(). */
static int read_arp(const struct frame *f, struct sighting *s)
{
	if (f->arp_op != ARP_REQUEST && f->arp_op != ARP_REPLY)
		return -EPROTONOSUPPORT;
	if (!mac_equal(&f->arp_sender_mac, &f->eth_src))
		return -EBADMSG;
	s->kind = SIGHTING_ARP;
	return set4(s, f->arp_sender_ip);
}

static int read_request(const struct frame *f, const struct dhcp4_msg *m, struct sighting *s)
{
	if (!mac_equal(&m->chaddr, &f->eth_src))
		return -EBADMSG;
	if (m->type == DHCP4_DECLINE || m->type == DHCP4_RELEASE) {
		s->gone = true;
		s->family = AF_INET;
		return 0;
	}
	if (m->type != DHCP4_REQUEST)
		return -EPROTONOSUPPORT;
	return set4(s, m->requested.s_addr ? m->requested : m->ciaddr);
}

static int read_reply(const struct dhcp4_msg *m, struct sighting *s)
{
	if (m->type == DHCP4_NAK) {
		s->gone = true;
		s->family = AF_INET;
		return 0;
	}
	return m->type == DHCP4_ACK ? set4(s, m->yiaddr) : -EPROTONOSUPPORT;
}

static int read_dhcp(const struct frame *f, struct sighting *s)
{
	struct dhcp4_msg m;
	int r = dhcp4_parse(f->payload, f->payload_len, &m);

	if (r < 0)
		return r;
	if (!is_station(&m.chaddr))
		return -EBADMSG;
	s->kind = SIGHTING_DHCP;
	s->mac = m.chaddr;
	if (m.op == BOOTREQUEST && f->dport == DHCP4_SERVER_PORT)
		return read_request(f, &m, s);
	if (m.op == BOOTREPLY && f->dport == DHCP4_CLIENT_PORT)
		return read_reply(&m, s);
	return -EPROTONOSUPPORT;
}

/* Whether no option @type (1: source, 2: target) names another MAC than @mac. */
static int check_options(struct cursor *c, uint8_t type, const struct mac *mac)
{
	while (cursor_ok(c) && c->left > 0) {
		uint8_t found = cursor_u8(c), units = cursor_u8(c);
		struct cursor option;
		struct mac other;

		if (!cursor_ok(c) || units == 0)
			return -EBADMSG;
		option = cursor_sub(c, (size_t)units * ND_UNIT - 2);
		if (cursor_ok(c) && found == type &&
		    (!cursor_copy(&option, &other, sizeof(other)) || !mac_equal(&other, mac)))
			return -EBADMSG;
	}
	return cursor_ok(c) ? 0 : -EBADMSG;
}

/*
 * Who solicits from an address of its own has that one; who does from none makes sure that nobody has
 * the target, to take it (RFC 4862 5.4.2).
 */
static int read_nd(struct cursor *message, const struct in6_addr *src, struct sighting *s)
{
	uint8_t type = cursor_u8(message), code = cursor_u8(message);
	struct in6_addr target;
	int r;

	cursor_take(message, 6); /* checksum; reserved, or flags */
	if (!cursor_copy(message, &target, sizeof(target)))
		return -EBADMSG;
	if ((type != ND_NS && type != ND_NA) || code != 0)
		return -EPROTONOSUPPORT;
	r = check_options(message, type == ND_NS ? ND_SOURCE : ND_TARGET, &s->mac);
	if (r < 0)
		return r;
	s->kind = SIGHTING_ND;
	return set6(s, type == ND_NS && !ip6_is_unspecified(src) ? src : &target);
}

/* Only what follows IPv6's header at once: neighbour discovery does. */
static int read_ip6(const uint8_t *bytes, size_t len, struct sighting *s)
{
	struct cursor c = cursor_init(bytes, len), message;
	struct in6_addr src;
	uint16_t payload;
	uint8_t next, hops;

	cursor_take(&c, ETH_LEN + 4);
	payload = cursor_be16(&c);
	next = cursor_u8(&c);
	hops = cursor_u8(&c);
	cursor_copy(&c, &src, sizeof(src));
	cursor_take(&c, 16);
	if (!cursor_ok(&c))
		return -EBADMSG;
	if (next != IPPROTO_ICMPV6 || hops != ND_HOP_LIMIT)
		return -EPROTONOSUPPORT;
	message = cursor_sub(&c, payload);
	return cursor_ok(&c) ? read_nd(&message, &src, s) : -EBADMSG;
}

int sighting_parse(const void *bytes, size_t len, struct sighting *ret)
{
	struct sighting s = {0};
	struct frame f;
	int r = frame_parse(bytes, len, false, &f);

	if (r < 0)
		return r;
	if (!is_station(&f.eth_src))
		return -EBADMSG;
	s.mac = f.eth_src;
	if (f.kind == FRAME_ARP)
		r = read_arp(&f, &s);
	else if (f.kind == FRAME_UDP && !f.fragment)
		r = read_dhcp(&f, &s);
	else if (f.ethertype == ETHERTYPE_IP6)
		r = read_ip6(bytes, len, &s);
	else
		r = -EPROTONOSUPPORT;
	if (r == 0)
		*ret = s;
	return r;
}
