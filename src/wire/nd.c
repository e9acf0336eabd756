/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nd.c - router solicitations and advertisements, see nd.h.
 *
 * Redirects and the neighbours' own messages are the kernel's business. Next on the walk:
 * lease/ra_server.c, which has the socket.
 */
#include "wire/nd.h"

#include <assert.h>
#include <errno.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <string.h>

#include "base/cursor.h"
#include "base/macro.h"
#include "wire/checksum.h"

#define HOP_LIMIT 255 /* proves that no router was on the way: RFC 4861 3.1 */
#define OPT_UNIT 8    /* options' lengths count in these: RFC 4861 4.6 */
#define OPT_RDNSS 25  /* RFC 8106 5.1 */
#define OPT_DNSSL 31  /* RFC 8106 5.2 */
#define LABEL_MAX 63  /* RFC 1035 2.3.4 */

static_assert(ND_DNS_MAX * 2 + 1 <= UINT8_MAX, "an RDNSS option's length is one byte");

/* RFC 8200 8.1: both addresses, the length and the protocol are part of the sum. */
static uint32_t pseudo_header_sum(const struct in6_addr *src, const struct in6_addr *dst,
				  size_t len)
{
	uint32_t sum = checksum_add(0, src->s6_addr, sizeof(src->s6_addr));

	return checksum_add(sum, dst->s6_addr, sizeof(dst->s6_addr)) + (uint32_t)len +
	       IPPROTO_ICMPV6;
}

/* ---- in ---- */

/* RFC 4861 6.1.1: no option has length 0; none tells the MAC of a sender without an address. */
static bool options_valid(struct cursor *c, bool unspecified)
{
	while (c->left > 0) {
		uint8_t type = cursor_u8(c);
		uint8_t units = cursor_u8(c);

		if (!cursor_ok(c) || units == 0)
			return false;
		cursor_take(c, (size_t)units * OPT_UNIT - 2);
		if (!cursor_ok(c))
			return false;
		if (type == ND_OPT_SOURCE_LINKADDR && (units != 1 || unspecified))
			return false;
	}
	return true;
}

/* @c has the ICMPv6 message, and nothing else. */
static int rs_read(struct cursor *c, uint8_t hop_limit, const struct in6_addr *dst,
		   const struct nd_rs *rs)
{
	struct cursor whole = *c;
	uint8_t type = cursor_u8(c);
	uint8_t code = cursor_u8(c);

	if (!cursor_ok(c))
		return -EBADMSG;
	if (type != ND_ROUTER_SOLICIT)
		return -EPROTONOSUPPORT;
	cursor_be16(c); /* checksum */
	cursor_be32(c); /* reserved */
	if (!cursor_ok(c) || code != 0 || hop_limit != HOP_LIMIT)
		return -EBADMSG;
	if (checksum_finish(checksum_add(pseudo_header_sum(&rs->src, dst, whole.left), whole.p,
					 whole.left)) != 0)
		return -EBADMSG;
	return options_valid(c, ip6_is_unspecified(&rs->src)) ? 0 : -EBADMSG;
}

int nd_rs_parse(const void *bytes, size_t len, struct nd_rs *ret)
{
	struct cursor c = cursor_init(bytes, len), body;
	uint8_t next_header, hop_limit;
	struct in6_addr dst;
	struct nd_rs rs;
	uint16_t type, size;
	uint32_t version;
	int r;

	cursor_take(&c, sizeof(struct mac)); /* to whom */
	cursor_copy(&c, rs.eth_src.b, sizeof(rs.eth_src.b));
	type = cursor_be16(&c);
	if (!cursor_ok(&c))
		return -EBADMSG;
	if (type != ETHERTYPE_IPV6)
		return -EPROTONOSUPPORT;
	version = cursor_be32(&c) >> 28;
	size = cursor_be16(&c);
	next_header = cursor_u8(&c);
	hop_limit = cursor_u8(&c);
	cursor_copy(&c, &rs.src, sizeof(rs.src));
	cursor_copy(&c, &dst, sizeof(dst));
	body = cursor_sub(&c, size);
	if (!cursor_ok(&c) || version != 6)
		return -EBADMSG;
	if (next_header != IPPROTO_ICMPV6)
		return -EPROTONOSUPPORT;
	r = rs_read(&body, hop_limit, &dst, &rs);
	if (r < 0)
		return r;
	if (mac_is_multicast(&rs.eth_src) || ip6_is_multicast(&rs.src))
		return -EBADMSG;
	*ret = rs;
	return 0;
}

/* ---- out ---- */

static void write_mac(struct writer *w, const struct mac *mac)
{
	writer_u8(w, ND_OPT_SOURCE_LINKADDR);
	writer_u8(w, 1);
	writer_bytes(w, mac->b, sizeof(mac->b));
}

static void write_mtu(struct writer *w, uint32_t mtu)
{
	writer_u8(w, ND_OPT_MTU);
	writer_u8(w, 1);
	writer_be16(w, 0);
	writer_be32(w, mtu);
}

static void write_prefix(struct writer *w, const struct nd_prefix *p)
{
	struct in6_addr network = ip6_network(&p->prefix);

	writer_u8(w, ND_OPT_PREFIX_INFORMATION);
	writer_u8(w, 4);
	writer_u8(w, p->prefix.len);
	writer_u8(w, (uint8_t)((p->on_link ? ND_OPT_PI_FLAG_ONLINK : 0) |
			       (p->autonomous ? ND_OPT_PI_FLAG_AUTO : 0)));
	writer_be32(w, p->valid_s);
	writer_be32(w, p->preferred_s);
	writer_be32(w, 0);
	writer_bytes(w, &network, sizeof(network));
}

static void write_rdnss(struct writer *w, const struct in6_addr *dns, size_t n, uint32_t life_s)
{
	if (n == 0)
		return;
	writer_u8(w, OPT_RDNSS);
	writer_u8(w, (uint8_t)(1 + 2 * n));
	writer_be16(w, 0);
	writer_be32(w, life_s);
	writer_bytes(w, dns, n * sizeof(dns[0]));
}

/* RFC 1035 3.1: each label behind its length, and a label of length 0 at the end. */
static int write_name(struct writer *w, const char *domain)
{
	for (;;) {
		size_t len = strcspn(domain, ".");

		if (len == 0 || len > LABEL_MAX)
			return -EINVAL;
		writer_u8(w, (uint8_t)len);
		writer_bytes(w, domain, len);
		if (!domain[len])
			break;
		domain += len + 1;
	}
	writer_u8(w, 0);
	return 0;
}

static int write_dnssl(struct writer *w, const char *domain, uint32_t life_s)
{
	size_t start = w->len, len;
	int r;

	if (!domain[0])
		return 0;
	writer_u8(w, OPT_DNSSL);
	writer_u8(w, 0); /* length, below */
	writer_be16(w, 0);
	writer_be32(w, life_s);
	r = write_name(w, domain);
	if (r < 0)
		return r;
	len = w->len - start;
	writer_reserve(w, (OPT_UNIT - len % OPT_UNIT) % OPT_UNIT);
	if (!w->bad)
		w->base[start + 1] = (uint8_t)((w->len - start) / OPT_UNIT);
	return 0;
}

static int write_ra(struct writer *w, const struct nd_ra *ra)
{
	int r;

	writer_u8(w, ND_ROUTER_ADVERT);
	writer_u8(w, 0);
	writer_be16(w, 0); /* checksum, when all is there */
	writer_u8(w, ra->hop_limit);
	writer_u8(w, 0); /* no DHCPv6; preference medium (RFC 4191) */
	writer_be16(w, ra->router_s);
	writer_be32(w, 0); /* reachable time and retransmission timer: not said */
	writer_be32(w, 0);
	write_mac(w, &ra->mac);
	if (ra->mtu)
		write_mtu(w, ra->mtu);
	for (size_t i = 0; i < ra->n_prefixes; i++)
		write_prefix(w, &ra->prefixes[i]);
	write_rdnss(w, ra->old_dns, ra->n_old_dns, 0);
	write_rdnss(w, ra->dns, ra->n_dns, ra->dns_s);
	r = write_dnssl(w, ra->old_domain, 0);
	return r < 0 ? r : write_dnssl(w, ra->domain, ra->dns_s);
}

int nd_ra_frame_build(const struct nd_ra *ra, const struct in6_addr *src, const struct mac *eth_dst,
		      const struct in6_addr *dst, void *buf, size_t cap)
{
	struct writer w = writer_init(buf, cap);
	uint8_t *length, *icmp;
	uint16_t sum;
	size_t len;
	int r;

	writer_bytes(&w, eth_dst->b, sizeof(eth_dst->b));
	writer_bytes(&w, ra->mac.b, sizeof(ra->mac.b));
	writer_be16(&w, ETHERTYPE_IPV6);
	writer_be32(&w, 6U << 28);
	length = writer_reserve(&w, 2);
	writer_u8(&w, IPPROTO_ICMPV6);
	writer_u8(&w, HOP_LIMIT);
	writer_bytes(&w, src, sizeof(*src));
	writer_bytes(&w, dst, sizeof(*dst));
	icmp = w.base + w.len;
	r = write_ra(&w, ra);
	if (r < 0 || w.bad)
		return r < 0 ? r : -ENOBUFS;
	len = (size_t)(w.base + w.len - icmp);
	length[0] = (uint8_t)(len >> 8);
	length[1] = (uint8_t)len;
	sum = checksum_finish(checksum_add(pseudo_header_sum(src, dst, len), icmp, len));
	icmp[2] = (uint8_t)(sum >> 8);
	icmp[3] = (uint8_t)sum;
	return (int)w.len;
}
