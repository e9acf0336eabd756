/* SPDX-License-Identifier: GPL-2.0-or-later */
// libs: wire base
/*
 * fuzz_nd_parse.c - any bytes as a frame with a router solicitation; and the same bytes as what an
 * advertisement is made of: what is built must be perfect and mean the same.
 *
 * A frame's checksum is put right first when the first byte of the input says so, since nobody
 * finds one by trying.
 */
#include <errno.h>
#include <stdlib.h>
#include "../unit/wire/nd_read.h"

#define ICMP 54

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void fix_sum(uint8_t *frame, size_t size)
{
	size_t len = (size_t)(frame[18] << 8 | frame[19]);
	uint16_t right;
	uint32_t sum;

	if (len < 4 || len > size - ICMP)
		return;
	frame[ICMP + 2] = frame[ICMP + 3] = 0;
	sum = checksum_add((uint32_t)len + IPPROTO_ICMPV6, frame + 22, 32);
	right = checksum_finish(checksum_add(sum, frame + ICMP, len));
	frame[ICMP + 2] = (uint8_t)(right >> 8);
	frame[ICMP + 3] = (uint8_t)right;
}

static void parse(const uint8_t *frame, size_t size)
{
	struct nd_rs rs;
	int r = nd_rs_parse(frame, size, &rs);

	must(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
	if (r < 0)
		return;
	must(size >= ICMP + 8 && frame[ICMP] == 133 && frame[ICMP + 1] == 0 && frame[21] == 255);
	must(!mac_is_multicast(&rs.eth_src) && !ip6_is_multicast(&rs.src));
	must(memcmp(&rs.src, frame + 22, 16) == 0 && memcmp(&rs.eth_src, frame + 6, 6) == 0);
}

static void read_dns(struct cursor *c, struct in6_addr *list, size_t *n)
{
	*n = cursor_u8(c) % (ND_DNS_MAX + 1);
	cursor_copy(c, list, *n * sizeof(list[0]));
}

static void read_domain(struct cursor *c, char *domain)
{
	size_t len = cursor_u8(c);

	if (len > ND_DOMAIN_MAX)
		len = ND_DOMAIN_MAX;
	cursor_copy(c, domain, len);
	domain[len] = '\0';
}

/* RFC 1035: labels of 1 to 63 characters, no dot at the end. */
static bool good_domain(const char *d)
{
	size_t label = 0;

	for (; *d; d++) {
		label = *d == '.' ? (label ? 0 : SIZE_MAX - 64) : label + 1;
		if (label > 63)
			return false;
		if (*d == '.' && (!d[1]))
			return false;
	}
	return true;
}

static void build(struct cursor *c)
{
	struct in6_addr src = {{{0xfe, 0x80, [15] = 1}}}, dst;
	struct nd_ra ra = {.hop_limit = cursor_u8(c), .router_s = cursor_be16(c)};
	uint8_t frame[ND_RA_FRAME_MAX];
	struct mac to;
	struct nd_read back;
	int len;

	cursor_copy(c, ra.mac.b, sizeof(ra.mac.b));
	ra.mac.b[5] |= 1; /* none at all is read as left out */
	cursor_copy(c, to.b, sizeof(to.b));
	cursor_copy(c, &dst, sizeof(dst));
	ra.mtu = cursor_be32(c);
	ra.n_prefixes = cursor_u8(c) % (ND_PREFIX_MAX + 1);
	for (size_t i = 0; i < ra.n_prefixes; i++) {
		struct nd_prefix *p = &ra.prefixes[i];

		cursor_copy(c, &p->prefix.addr, sizeof(p->prefix.addr));
		p->prefix.len = cursor_u8(c) % 129;
		p->on_link = cursor_u8(c) & 1;
		p->autonomous = cursor_u8(c) & 1;
		p->valid_s = cursor_be32(c);
		p->preferred_s = cursor_be32(c);
	}
	read_dns(c, ra.dns, &ra.n_dns);
	read_dns(c, ra.old_dns, &ra.n_old_dns);
	read_domain(c, ra.domain);
	read_domain(c, ra.old_domain);
	ra.dns_s = cursor_be32(c) | 1; /* a lifetime of 0 is read as old */
	len = nd_ra_frame_build(&ra, &src, &to, &dst, frame, sizeof(frame));
	if (!good_domain(ra.domain) || !good_domain(ra.old_domain)) {
		must(len == -EINVAL);
		return;
	}
	must(len > 0 && nd_read(frame, (size_t)len, &back));
	must(nd_ra_same(&back.ra, &ra) && ip6_equal(&back.dst, &dst));
	must(mac_equal(&back.eth_dst, &to) && mac_equal(&back.eth_src, &ra.mac));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_init(data, size);
	uint8_t how = cursor_u8(&c);
	uint8_t *copy;

	if (how & 1) {
		build(&c);
		return 0;
	}
	copy = malloc(c.left + 1);
	if (!copy)
		return 0;
	memcpy(copy, data + (size - c.left), c.left);
	if (how & 2 && c.left >= ICMP + 4)
		fix_sum(copy, c.left);
	parse(copy, c.left);
	free(copy);
	return 0;
}
