/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr.c - see addr.h. */
#include "base/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

int mac_parse(const char *text, struct mac *ret)
{
	struct mac m;

	if (strlen(text) != MAC_STRLEN - 1)
		return -EINVAL;
	for (size_t i = 0; i < 6; i++) {
		int hi = text_hex_digit(text[3 * i]);
		int lo = text_hex_digit(text[3 * i + 1]);
		char sep = text[3 * i + 2];

		if (hi < 0 || lo < 0)
			return -EINVAL;
		if (i < 5 ? (sep != text[2] || (sep != ':' && sep != '-')) : sep != '\0')
			return -EINVAL;
		m.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*ret = m;
	return 0;
}

const char *mac_format(const struct mac *m, char buf[static MAC_STRLEN])
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m->b[0], m->b[1], m->b[2],
		 m->b[3], m->b[4], m->b[5]);
	return buf;
}

bool mac_equal(const struct mac *a, const struct mac *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool mac_is_multicast(const struct mac *m)
{
	return m->b[0] & 1;
}

bool mac_is_zero(const struct mac *m)
{
	return mac_equal(m, &(struct mac){{0}});
}

int ip4_parse(const char *text, struct in_addr *ret)
{
	struct in_addr a;

	/* inet_pton() is strict about form and range, and refuses leading zeros. */
	if (inet_pton(AF_INET, text, &a) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *ip4_format(struct in_addr a, char buf[static IP4_STRLEN])
{
	return inet_ntop(AF_INET, &a, buf, IP4_STRLEN);
}

const char *ip4_range_format(struct in_addr first, struct in_addr last,
			     char buf[static IP4_RANGE_STRLEN])
{
	char a[IP4_STRLEN], b[IP4_STRLEN];
	bool one = ip4_equal(first, last);

	snprintf(buf, IP4_RANGE_STRLEN, "%s%s%s", ip4_format(first, a), one ? "" : "-",
		 one ? "" : ip4_format(last, b));
	return buf;
}

static int prefix_len_parse(const char *s, unsigned int max, uint8_t *ret)
{
	unsigned int len = 0;

	if (!s[0] || strlen(s) > 3 || (s[0] == '0' && s[1]))
		return -EINVAL;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return -EINVAL;
		len = len * 10 + (unsigned int)(*s - '0');
	}
	if (len > max)
		return -EINVAL;
	*ret = (uint8_t)len;
	return 0;
}

int ip4_prefix_parse(const char *text, struct ip4_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char addr[IP4_STRLEN];
	struct ip4_prefix p;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (ip4_parse(addr, &p.addr) < 0 || prefix_len_parse(slash + 1, 32, &p.len) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

const char *ip4_prefix_format(const struct ip4_prefix *p, char buf[static IP4_PREFIX_STRLEN])
{
	char addr[IP4_STRLEN];

	snprintf(buf, IP4_PREFIX_STRLEN, "%s/%u", ip4_format(p->addr, addr), p->len);
	return buf;
}

uint32_t ip4_mask_host(uint8_t len)
{
	return len ? ~(uint32_t)0 << (32 - len) : 0;
}

struct in_addr ip4_network(const struct ip4_prefix *p)
{
	return ip4_from_host(ip4_host(p->addr) & ip4_mask_host(p->len));
}

struct in_addr ip4_broadcast(const struct ip4_prefix *p)
{
	return ip4_from_host(ip4_host(p->addr) | ~ip4_mask_host(p->len));
}

bool ip4_in(const struct ip4_prefix *p, struct in_addr a)
{
	return ((ip4_host(a) ^ ip4_host(p->addr)) & ip4_mask_host(p->len)) == 0;
}

bool ip4_overlap(const struct ip4_prefix *a, const struct ip4_prefix *b)
{
	return a->len <= b->len ? ip4_in(a, b->addr) : ip4_in(b, a->addr);
}

int ip6_parse(const char *text, struct in6_addr *ret)
{
	struct in6_addr a;

	/* inet_pton() knows no zones and refuses "::" that stands for nothing. */
	if (inet_pton(AF_INET6, text, &a) != 1)
		return -EINVAL;
	*ret = a;
	return 0;
}

const char *ip6_format(const struct in6_addr *a, char buf[static IP6_STRLEN])
{
	return inet_ntop(AF_INET6, a, buf, IP6_STRLEN);
}

bool ip6_equal(const struct in6_addr *a, const struct in6_addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int ip6_prefix_parse(const char *text, struct ip6_prefix *ret)
{
	const char *slash = strchr(text, '/');
	char addr[IP6_STRLEN];
	struct ip6_prefix p;

	if (!slash || (size_t)(slash - text) >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, (size_t)(slash - text));
	addr[slash - text] = '\0';
	if (ip6_parse(addr, &p.addr) < 0 || prefix_len_parse(slash + 1, 128, &p.len) < 0)
		return -EINVAL;
	*ret = p;
	return 0;
}

const char *ip6_prefix_format(const struct ip6_prefix *p, char buf[static IP6_PREFIX_STRLEN])
{
	char addr[IP6_STRLEN];

	snprintf(buf, IP6_PREFIX_STRLEN, "%s/%u", ip6_format(&p->addr, addr), p->len);
	return buf;
}

/* The netmask's byte @i of a prefix of @len bits. */
static uint8_t mask6_byte(uint8_t len, size_t i)
{
	size_t bits = len > 8 * i ? len - 8 * i : 0;

	return bits >= 8 ? 0xff : (uint8_t)(0xff00 >> bits);
}

struct in6_addr ip6_network(const struct ip6_prefix *p)
{
	struct in6_addr a = p->addr;

	for (size_t i = 0; i < sizeof(a.s6_addr); i++)
		a.s6_addr[i] &= mask6_byte(p->len, i);
	return a;
}

bool ip6_in(const struct ip6_prefix *p, const struct in6_addr *a)
{
	struct in6_addr mine = ip6_network(p);
	struct in6_addr other = ip6_network(&(struct ip6_prefix){*a, p->len});

	return ip6_equal(&mine, &other);
}

bool ip6_prefix_equal(const struct ip6_prefix *a, const struct ip6_prefix *b)
{
	return a->len == b->len && ip6_in(a, &b->addr);
}

bool ip6_overlap(const struct ip6_prefix *a, const struct ip6_prefix *b)
{
	return a->len <= b->len ? ip6_in(a, &b->addr) : ip6_in(b, &a->addr);
}

bool ip6_is_unspecified(const struct in6_addr *a)
{
	return IN6_IS_ADDR_UNSPECIFIED(a);
}

bool ip6_is_loopback(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LOOPBACK(a);
}

bool ip6_is_multicast(const struct in6_addr *a)
{
	return IN6_IS_ADDR_MULTICAST(a);
}

bool ip6_is_linklocal(const struct in6_addr *a)
{
	return IN6_IS_ADDR_LINKLOCAL(a);
}

bool ip6_is_ula(const struct in6_addr *a)
{
	return (a->s6_addr[0] & 0xfe) == 0xfc;
}

bool ip6_is_v4mapped(const struct in6_addr *a)
{
	return IN6_IS_ADDR_V4MAPPED(a);
}

struct in6_addr ip6_from_mac(const struct ip6_prefix *prefix, const struct mac *mac)
{
	struct in6_addr a = ip6_network(&(struct ip6_prefix){prefix->addr, 64});

	a.s6_addr[8] = mac->b[0] ^ 0x02; /* universal/local, turned round */
	memcpy(&a.s6_addr[9], &mac->b[1], 2);
	a.s6_addr[11] = 0xff;
	a.s6_addr[12] = 0xfe;
	memcpy(&a.s6_addr[13], &mac->b[3], 3);
	return a;
}

struct in6_addr ip6_linklocal(const struct mac *mac)
{
	return ip6_from_mac(&(struct ip6_prefix){{{{0xfe, 0x80}}}, 64}, mac);
}
