/* SPDX-License-Identifier: GPL-2.0-or-later */
/* answer.c - see answer.h. */
#include "wire/answer.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"
#include "base/macro.h"
#include "wire/frame.h"

#define ETH_LEN 14
#define ETHERTYPE_IP6 0x86dd
#define ARP_REPLY 2
#define DNS_PORT 53
#define DNS_RESPONSE 0x8000
#define DNS_RECURSE 0x0100
#define DNS_LABEL_MAX 63
#define ND_RA 134
#define ND_NA 136
#define ND_PREFIX 3
#define ND_PREFIX_LEN 32
#define ND_AUTONOMOUS 0x40
#define ND_UNIT 8
#define BOOTREPLY 2

static int read_dhcp(const struct frame *f, struct answer *ret)
{
	int r = dhcp4_parse(f->payload, f->payload_len, &ret->dhcp);

	if (r < 0 || ret->dhcp.op != BOOTREPLY)
		return r < 0 ? r : -EPROTONOSUPPORT;
	ret->kind = ANSWER_DHCP;
	ret->addr = f->src;
	return 0;
}

static int read_dns(const struct frame *f, struct answer *ret)
{
	struct cursor c = cursor_init(f->payload, f->payload_len);
	uint16_t flags;

	ret->dns_id = cursor_be16(&c);
	flags = cursor_be16(&c);
	if (!cursor_ok(&c))
		return -EBADMSG;
	if (!(flags & DNS_RESPONSE))
		return -EPROTONOSUPPORT;
	ret->kind = ANSWER_DNS;
	ret->dns_code = flags & 15;
	ret->addr = f->src;
	return 0;
}

static void read_prefix(struct cursor option, struct answer *ret)
{
	uint8_t len = cursor_u8(&option);
	uint8_t flags = cursor_u8(&option);
	struct ip6_prefix p = {.len = len};

	cursor_take(&option, 12); /* lifetimes, reserved */
	if (!cursor_copy(&option, &p.addr, sizeof(p.addr)) || len == 0 || len > 128)
		return;
	if (flags & ND_AUTONOMOUS && ret->prefix.len == 0)
		ret->prefix = p;
}

static int read_ra(struct cursor *c, struct answer *ret)
{
	cursor_be16(c); /* hop limit, flags */
	ret->router = cursor_be16(c) != 0;
	cursor_take(c, 8); /* timers */
	while (cursor_ok(c) && c->left > 0) {
		uint8_t type = cursor_u8(c);
		uint8_t units = cursor_u8(c);
		struct cursor option;

		if (!cursor_ok(c) || units == 0)
			return -EBADMSG;
		option = cursor_sub(c, (size_t)units * ND_UNIT - 2);
		if (cursor_ok(c) && type == ND_PREFIX && units * ND_UNIT == ND_PREFIX_LEN)
			read_prefix(option, ret);
	}
	if (!cursor_ok(c))
		return -EBADMSG;
	ret->kind = ANSWER_RA;
	return 0;
}

static int read_na(struct cursor *c, struct answer *ret)
{
	cursor_be32(c); /* flags */
	if (!cursor_copy(c, &ret->addr6, sizeof(ret->addr6)))
		return -EBADMSG;
	ret->kind = ANSWER_NA;
	return 0;
}

/* Only what follows IPv6's header at once: neighbour discovery does. */
static int read_ip6(struct cursor *c, struct answer *ret)
{
	struct cursor message;
	uint16_t len;
	uint8_t next, type;

	cursor_be32(c);
	len = cursor_be16(c);
	next = cursor_u8(c);
	cursor_u8(c);
	cursor_copy(c, &ret->addr6, sizeof(ret->addr6));
	cursor_take(c, 16);
	message = cursor_sub(c, len);
	if (!cursor_ok(c))
		return -EBADMSG;
	if (next != IPPROTO_ICMPV6)
		return -EPROTONOSUPPORT;
	type = cursor_u8(&message);
	cursor_u8(&message);
	cursor_be16(&message); /* checksum */
	if (!cursor_ok(&message))
		return -EBADMSG;
	if (type == ND_RA)
		return read_ra(&message, ret);
	return type == ND_NA ? read_na(&message, ret) : -EPROTONOSUPPORT;
}

int answer_parse(const void *bytes, size_t len, struct answer *ret)
{
	struct cursor c = cursor_init(bytes, len);
	struct answer a = {0};
	struct frame f;
	int r = frame_parse(bytes, len, false, &f);

	if (r < 0)
		return r;
	a.mac = f.eth_src;
	r = -EPROTONOSUPPORT;
	if (f.kind == FRAME_ARP && f.arp_op == ARP_REPLY) {
		a.kind = ANSWER_ARP;
		a.mac = f.arp_sender_mac;
		a.addr = f.arp_sender_ip;
		r = 0;
	} else if (f.kind == FRAME_UDP && !f.fragment && f.dport == DHCP4_CLIENT_PORT) {
		r = read_dhcp(&f, &a);
	} else if (f.kind == FRAME_UDP && !f.fragment && f.sport == DNS_PORT) {
		r = read_dns(&f, &a);
	} else if (f.ethertype == ETHERTYPE_IP6) {
		cursor_take(&c, ETH_LEN);
		r = read_ip6(&c, &a);
	}
	if (r == 0)
		*ret = a;
	return r;
}

/* A label after the other; each with its length before it (RFC 1035 3.1). */
static int put_name(struct writer *w, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		if (len == 0 || len > DNS_LABEL_MAX)
			return -EINVAL;
		writer_u8(w, (uint8_t)len);
		writer_bytes(w, name, len);
		name += len;
		if (*name == '.')
			name++;
	}
	writer_u8(w, 0);
	return 0;
}

int dns_query_build(uint16_t id, const char *name, void *buf, size_t cap)
{
	struct writer w = writer_init(buf, cap);

	if (strlen(name) > DNS_NAME_MAX)
		return -EINVAL;
	writer_be16(&w, id);
	writer_be16(&w, DNS_RECURSE);
	writer_be16(&w, 1); /* one question, and nothing else */
	writer_be16(&w, 0);
	writer_be32(&w, 0);
	if (put_name(&w, name) < 0)
		return -EINVAL;
	writer_be16(&w, 1); /* A */
	writer_be16(&w, 1); /* IN */
	return w.bad ? -ENOBUFS : (int)w.len;
}

const char *dns_code_name(uint8_t code)
{
	static const char *const names[] = {"NOERROR",	"FORMERR", "SERVFAIL",
					    "NXDOMAIN", "NOTIMP",  "REFUSED"};

	return code < ARRAY_SIZE(names) ? names[code] : "?";
}
