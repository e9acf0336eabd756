/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nd_read.h - the other side of nd_ra_frame_build(), for tests: reads an advertisement as a strict
 * host would (RFC 4861 6.1.2), and compares two.
 */
#ifndef VMLANE_TESTS_UNIT_WIRE_ND_READ_H
#define VMLANE_TESTS_UNIT_WIRE_ND_READ_H

#include <string.h>
#include "base/cursor.h"
#include "wire/checksum.h"
#include "wire/nd.h"

/* struct nd_read - the advertisement and its envelope. */
struct nd_read {
	struct mac eth_dst;
	struct mac eth_src;
	struct in6_addr src;
	struct in6_addr dst;
	struct nd_ra ra;
};

/* The checksum over pseudo header and message is right. */
static inline bool nd_sum_right(const uint8_t *frame, size_t len)
{
	uint32_t sum = checksum_add((uint32_t)(len - 54) + 58, frame + 22, 32);

	return checksum_finish(checksum_add(sum, frame + 54, len - 54)) == 0;
}

static inline bool nd_read_prefix(struct cursor *c, struct nd_ra *ra)
{
	struct nd_prefix *p = &ra->prefixes[ra->n_prefixes++];
	uint8_t flags;

	p->prefix.len = cursor_u8(c);
	flags = cursor_u8(c);
	p->on_link = flags & 0x80;
	p->autonomous = flags & 0x40;
	p->valid_s = cursor_be32(c);
	p->preferred_s = cursor_be32(c);
	if (cursor_be32(c) != 0 || (flags & 0x3f) || p->prefix.len > 128)
		return false;
	cursor_copy(c, &p->prefix.addr, sizeof(p->prefix.addr));
	return true;
}

static inline bool nd_read_rdnss(struct cursor *c, struct nd_ra *ra)
{
	uint32_t life = (cursor_be16(c), cursor_be32(c));
	struct in6_addr *list = life ? ra->dns : ra->old_dns;
	size_t *n = life ? &ra->n_dns : &ra->n_old_dns;

	if (*n != 0 || c->left == 0)
		return false;
	while (c->left > 0 && *n < ND_DNS_MAX)
		cursor_copy(c, &list[(*n)++], sizeof(*list));
	if (life)
		ra->dns_s = life;
	return true;
}

static inline bool nd_read_dnssl(struct cursor *c, struct nd_ra *ra)
{
	uint32_t life = (cursor_be16(c), cursor_be32(c));
	char *name = life ? ra->domain : ra->old_domain;
	size_t at = 0;
	uint8_t len;

	if (name[0])
		return false;
	while ((len = cursor_u8(c)) != 0) {
		if (len > 63 || at + len + 1 > ND_DOMAIN_MAX + 1)
			return false;
		if (at)
			name[at++] = '.';
		cursor_copy(c, name + at, len);
		at += len;
	}
	while (c->left > 0) {
		if (c->left > 7 || cursor_u8(c) != 0)
			return false;
	}
	if (life)
		ra->dns_s = life;
	return at > 0;
}

static inline bool nd_read_option(uint8_t type, struct cursor *c, struct nd_ra *ra)
{
	bool good;

	switch (type) {
	case 1:
		good = mac_is_zero(&ra->mac) && cursor_copy(c, ra->mac.b, sizeof(ra->mac.b));
		break;
	case 3:
		good = ra->n_prefixes < ND_PREFIX_MAX && nd_read_prefix(c, ra);
		break;
	case 5:
		good = ra->mtu == 0 && cursor_be16(c) == 0;
		ra->mtu = cursor_be32(c);
		break;
	case 25:
		good = nd_read_rdnss(c, ra);
		break;
	case 31:
		good = nd_read_dnssl(c, ra);
		break;
	default:
		good = false;
	}
	return good && cursor_ok(c) && c->left == 0;
}

/* nd_read() - false for anything that is not a perfect advertisement of the kind that we make. */
static inline bool nd_read(const uint8_t *frame, size_t len, struct nd_read *ret)
{
	struct cursor c = cursor_init(frame, len);
	struct nd_read r;

	memset(&r, 0, sizeof(r));
	cursor_copy(&c, r.eth_dst.b, 6);
	cursor_copy(&c, r.eth_src.b, 6);
	if (cursor_be16(&c) != 0x86dd || cursor_be32(&c) != 0x60000000 ||
	    cursor_be16(&c) != len - 54 || cursor_u8(&c) != 58 || cursor_u8(&c) != 255)
		return false;
	cursor_copy(&c, &r.src, sizeof(r.src));
	cursor_copy(&c, &r.dst, sizeof(r.dst));
	if (!cursor_ok(&c) || !nd_sum_right(frame, len) || !ip6_is_linklocal(&r.src))
		return false;
	if (cursor_be16(&c) != 134 << 8)
		return false;
	cursor_be16(&c);
	r.ra.hop_limit = cursor_u8(&c);
	if (cursor_u8(&c) != 0)
		return false;
	r.ra.router_s = cursor_be16(&c);
	if (cursor_be32(&c) != 0 || cursor_be32(&c) != 0 || !cursor_ok(&c))
		return false;
	while (c.left > 0) {
		uint8_t type = cursor_u8(&c), units = cursor_u8(&c);
		struct cursor option;

		if (units == 0)
			return false;
		option = cursor_sub(&c, (size_t)units * 8 - 2);
		if (!cursor_ok(&option) || !nd_read_option(type, &option, &r.ra))
			return false;
	}
	*ret = r;
	return true;
}

/* What is said in both is the same; prefixes by their networks. */
static inline bool nd_ra_same(const struct nd_ra *a, const struct nd_ra *b)
{
	if (a->hop_limit != b->hop_limit || a->router_s != b->router_s ||
	    !mac_equal(&a->mac, &b->mac) || a->mtu != b->mtu || a->n_prefixes != b->n_prefixes ||
	    a->n_dns != b->n_dns || a->n_old_dns != b->n_old_dns)
		return false;
	for (size_t i = 0; i < a->n_prefixes; i++) {
		const struct nd_prefix *p = &a->prefixes[i], *q = &b->prefixes[i];

		if (!ip6_prefix_equal(&p->prefix, &q->prefix) || p->on_link != q->on_link ||
		    p->autonomous != q->autonomous || p->valid_s != q->valid_s ||
		    p->preferred_s != q->preferred_s)
			return false;
	}
	return memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) == 0 &&
	       memcmp(a->old_dns, b->old_dns, a->n_old_dns * sizeof(a->dns[0])) == 0 &&
	       strcmp(a->domain, b->domain) == 0 && strcmp(a->old_domain, b->old_domain) == 0 &&
	       ((a->n_dns == 0 && !a->domain[0]) || a->dns_s == b->dns_s);
}

#endif
