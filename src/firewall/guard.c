/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.c - see guard.h. The elements of ports, and what is read back; the chains are guard_chains.c's.
 *
 * Keys are (port, value). Where IPv6 addresses and their halves are compared at two places of a
 * packet, in its header and in a neighbour's message, the sets hold them as numbers (`typeof`).
 */
#include "firewall/guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/guard_chains.h"
#include "firewall/ipv6.h"
#include "firewall/lines.h"

#define GUARD_TEXT_MAX (16 * 1024 * 1024)
#define NUMBER_STRLEN 36

/* @n bytes as the one number that nft lists them as, "0xfe80000000000000": no zero in front. */
static const char *number(const uint8_t *bytes, size_t n, char buf[static NUMBER_STRLEN])
{
	static const char digits[] = "0123456789abcdef";
	size_t used = 2;

	memcpy(buf, "0x", 2);
	for (size_t i = 0; i < 2 * n; i++) {
		unsigned int digit = i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4;

		if (digit || used > 2 || i + 1 == 2 * n)
			buf[used++] = digits[digit];
	}
	buf[used] = '\0';
	return buf;
}

unsigned int fw_guard_mask(const struct fw_guard_port *p)
{
	return p->guards | (p->known4 ? GUARD_KNOWN4 : 0) | (p->known6 ? GUARD_KNOWN6 : 0);
}

void fw_guard_pair(const struct fw_guard_port *p, const struct fw_guard_pair *pair, char *buf,
		   size_t size)
{
	const char *set = guard_pair_set(fw_guard_mask(p));
	char mac[MAC_STRLEN], addr[IP4_STRLEN];

	ip4_format(pair->addr, addr);
	if (p->guards & 1u << GUARD_MAC)
		snprintf(buf, size, "%s\t\"%s\" . %s . %s", set, p->ifname,
			 mac_format(&pair->mac, mac), addr);
	else
		snprintf(buf, size, "%s\t\"%s\" . %s", set, p->ifname, addr);
}

static void beside4(const struct fw_guard_port *p, const struct ip4_prefix *prefix,
		    struct lines *out)
{
	struct guest_prefix g = {.ip4 = {ip4_network(prefix), prefix->len}};
	char text[GUEST_PREFIX_STRLEN];

	lines_add(out, "beside4\t\"%s\" . %s", p->ifname, guest_prefix_format(&g, text));
}

/* The kernel takes no overlapping elements: what lies in another prefix of the port is left out. */
static bool is_covered(const struct fw_guard_port *p, size_t of)
{
	const struct guest_prefix *x = &p->prefixes[of];
	bool four = x->ip4.len != 0;

	if (four && p->subnet.len && x->ip4.len >= p->subnet.len && ip4_in(&p->subnet, x->ip4.addr))
		return true;
	for (size_t i = 0; i < p->n_prefixes; i++) {
		const struct guest_prefix *y = &p->prefixes[i];
		unsigned int long_x = four ? x->ip4.len : x->ip6.len;
		unsigned int long_y = four ? y->ip4.len : y->ip6.len;

		if (i == of || !long_y || long_x < long_y || (long_x == long_y && i > of))
			continue;
		if (four ? ip4_in(&y->ip4, x->ip4.addr) : ip6_in(&y->ip6, &x->ip6.addr))
			return true;
	}
	return false;
}

static bool is_subnet_covered(const struct fw_guard_port *p)
{
	for (size_t i = 0; i < p->n_prefixes; i++)
		if (p->prefixes[i].ip4.len && p->prefixes[i].ip4.len < p->subnet.len &&
		    ip4_in(&p->prefixes[i].ip4, p->subnet.addr))
			return true;
	return false;
}

static void elements4(const struct fw_guard_port *p, struct lines *out)
{
	char line[160], addr[IP4_STRLEN];

	if (!p->known4)
		return;
	for (size_t i = 0; i < p->n_pairs; i++) {
		fw_guard_pair(p, &p->pairs[i], line, sizeof(line));
		lines_add(out, "%s", line);
	}
	for (size_t i = 0; i < p->n_prefixes; i++)
		if (p->prefixes[i].ip4.len && !is_covered(p, i))
			beside4(p, &p->prefixes[i].ip4, out);
	if (p->subnet.len && !is_subnet_covered(p))
		beside4(p, &p->subnet, out);
	if (p->gateway.s_addr)
		lines_add(out, "routers4\t\"%s\" . %s", p->ifname, ip4_format(p->gateway, addr));
}

static void beside6(const struct fw_guard_port *p, const struct ip6_prefix *prefix,
		    struct lines *out)
{
	struct in6_addr first = ip6_network(prefix), last = first;
	char a[NUMBER_STRLEN], b[NUMBER_STRLEN];

	for (unsigned int bit = prefix->len; bit < 128; bit++)
		last.s6_addr[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	number(first.s6_addr, 16, a);
	if (prefix->len == 128)
		lines_add(out, "beside6\t\"%s\" . %s", p->ifname, a);
	else
		lines_add(out, "beside6\t\"%s\" . %s-%s", p->ifname, a,
			  number(last.s6_addr, 16, b));
}

static void elements6(const struct fw_guard_port *p, struct lines *out)
{
	static const uint8_t link_local[8] = {0xfe, 0x80};
	char text[NUMBER_STRLEN];

	if (!p->known6)
		return;
	lines_add(out, "nets6\t\"%s\" . %s", p->ifname, number(link_local, 8, text));
	if (p->subnet6.len)
		lines_add(out, "nets6\t\"%s\" . %s", p->ifname,
			  number(p->subnet6.addr.s6_addr, 8, text));
	for (size_t i = 0; i < p->n_macs; i++) {
		struct in6_addr own = ip6_linklocal(&p->macs[i]);

		lines_add(out, "own6\t\"%s\" . %s", p->ifname, number(own.s6_addr + 8, 8, text));
	}
	for (size_t i = 0; i < p->n_routers6; i++)
		lines_add(out, "routers6\t\"%s\" . %s", p->ifname,
			  number(p->routers6[i].s6_addr, 16, text));
	for (size_t i = 0; i < p->n_prefixes; i++)
		if (p->prefixes[i].ip6.len && !is_covered(p, i))
			beside6(p, &p->prefixes[i].ip6, out);
}

static void port_elements(const struct fw_guard_port *p, struct lines *out)
{
	char mac[MAC_STRLEN], text[NUMBER_STRLEN], chain[GUARD_CHAIN_STRLEN];

	lines_add(out, "ports\t\"%s\" : goto %s", p->ifname,
		  guard_chain_name(fw_guard_mask(p), chain));
	for (size_t i = 0; i < p->n_macs; i++) {
		lines_add(out, "macs\t\"%s\" . %s", p->ifname, mac_format(&p->macs[i], mac));
		lines_add(out, "lladdrs\t\"%s\" . %s", p->ifname, number(p->macs[i].b, 6, text));
	}
	elements4(p, out);
	elements6(p, out);
}

static char *build_skeleton(const bool masks[static GUARD_MASKS])
{
	struct buf out = BUF_INIT(GUARD_TEXT_MAX);
	char *text;

	guard_skeleton(masks, &out);
	text = out.error ? NULL : buf_steal(&out);
	buf_done(&out);
	return text;
}

int fw_guard_build(const struct fw_guard_port *ports, size_t n, struct fw_ruleset *ret)
{
	bool masks[GUARD_MASKS] = {false};
	struct lines l = {0};
	char *skeleton;

	for (size_t i = 0; i < n; i++)
		if (!fw_ifname_quotable(ports[i].ifname))
			return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (!ports[i].guards)
			continue;
		masks[fw_guard_mask(&ports[i])] = true;
		port_elements(&ports[i], &l);
	}
	lines_sort_unique(&l);
	skeleton = build_skeleton(masks);
	if (!skeleton || l.error) {
		int r = l.error ? l.error : -ENOMEM;

		lines_done(&l);
		free(skeleton);
		return r;
	}
	*ret = (struct fw_ruleset){
		.table = FW_GUARD_TABLE, .skeleton = skeleton, .elements = l.v, .n_elements = l.n};
	return 0;
}

/* ---- back ---- */

int fw_guard_read(const char *listing, struct fw_ruleset *ret)
{
	struct fw_ruleset t = {0};
	size_t kept = 0;
	int r = fw_listing_read(listing, &t);

	if (r < 0)
		return r;
	for (size_t i = 0; i < t.n_elements; i++) {
		if (strncmp(t.elements[i], "dropped_", 8) == 0)
			free(t.elements[i]);
		else
			t.elements[kept++] = t.elements[i];
	}
	t.n_elements = kept;
	t.table = FW_GUARD_TABLE;
	*ret = t;
	return 0;
}

/* ---- of one port ---- */

static bool is_of(const char *line, const char *ifname)
{
	const char *key = strchr(line, '\t');
	size_t len = strlen(ifname);

	return key && key[1] == '"' && strncmp(key + 2, ifname, len) == 0 && key[2 + len] == '"';
}

int fw_guard_of(const struct fw_ruleset *r, const char *ifname, struct fw_ruleset *ret)
{
	char **v = calloc(r->n_elements + 1, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_elements; i++)
		if (is_of(r->elements[i], ifname))
			v[n++] = r->elements[i];
	*ret = (struct fw_ruleset){
		.table = r->table, .skeleton = r->skeleton, .elements = v, .n_elements = n};
	return 0;
}

int fw_guard_merge(struct fw_ruleset *r, const char *ifname, const struct fw_ruleset *add)
{
	struct lines l = {0};

	for (size_t i = 0; add && i < add->n_elements; i++)
		lines_add(&l, "%s", add->elements[i]);
	for (size_t i = 0; i < r->n_elements; i++)
		if (!is_of(r->elements[i], ifname))
			lines_add(&l, "%s", r->elements[i]);
	lines_sort_unique(&l);
	if (l.error) {
		int e = l.error;

		lines_done(&l);
		return e;
	}
	for (size_t i = 0; i < r->n_elements; i++)
		free(r->elements[i]);
	free(r->elements);
	r->elements = l.v;
	r->n_elements = l.n;
	return 0;
}

/* Where @line is among @r's elements, or would be. */
static size_t place_of(const struct fw_ruleset *r, const char *line)
{
	size_t low = 0, high = r->n_elements;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(r->elements[mid], line) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool fw_guard_has_line(const struct fw_ruleset *r, const char *line)
{
	size_t i = place_of(r, line);

	return i < r->n_elements && strcmp(r->elements[i], line) == 0;
}

int fw_guard_line(struct fw_ruleset *r, const char *line, bool present)
{
	size_t i = place_of(r, line);
	char **v, *copy;

	if (fw_guard_has_line(r, line) == present)
		return 0;
	if (!present) {
		free(r->elements[i]);
		r->n_elements--;
		memmove(r->elements + i, r->elements + i + 1,
			(r->n_elements - i) * sizeof(*r->elements));
		return 0;
	}
	v = reallocarray(r->elements, r->n_elements + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	r->elements = v;
	copy = strdup(line);
	if (!copy)
		return -ENOMEM;
	memmove(v + i + 1, v + i, (r->n_elements - i) * sizeof(*v));
	v[i] = copy;
	r->n_elements++;
	return 0;
}

bool fw_guard_has_chains(const struct fw_ruleset *r, const struct fw_ruleset *part)
{
	for (size_t i = 0; i < part->n_elements; i++) {
		const char *chain = strstr(part->elements[i], " : goto ");
		char head[GUARD_CHAIN_STRLEN + 16];

		if (!chain)
			continue;
		snprintf(head, sizeof(head), "\tchain %s {", chain + strlen(" : goto "));
		if (!strstr(r->skeleton, head))
			return false;
	}
	return true;
}
