/* SPDX-License-Identifier: GPL-2.0-or-later */
/* port_facts.c - see port_facts.h. The decision itself is bpf/guard_judge.h's. */
#include "kernel/port_facts.h"

#include <errno.h>
#include <string.h>

#include "bpf/guard_judge.h"
#include "model/network.h"

_Static_assert((int)PORT_GUARD_MAC == (int)GUARD_MAC && (int)PORT_GUARD_IP == (int)GUARD_IP &&
		       (int)PORT_GUARD_ARP == (int)GUARD_ARP &&
		       (int)PORT_GUARD_ND == (int)GUARD_ND &&
		       (int)PORT_GUARD_DHCP == (int)GUARD_DHCP &&
		       (int)PORT_GUARD_RA == (int)GUARD_RA &&
		       (int)PORT_GUARD_ETHERTYPE == (int)GUARD_ETHERTYPE &&
		       (int)PORT_GUARD_BPDU == (int)GUARD_BPDU &&
		       (int)PORT_GUARD_BROADCAST == (int)GUARD_BROADCAST &&
		       (int)PORT_GUARD_MULTICAST == (int)GUARD_MULTICAST &&
		       (int)PORT_GUARD_MACS == (int)GUARD_MACS &&
		       (int)PORT_GUARD_COUNT == (int)GUARD_COUNT,
	       "the program numbers the guards otherwise");
_Static_assert(PORT_MACS_MAX == 1 + GUEST_MACS_MAX, "a MAC of a guest without a place");
_Static_assert(PORT_SEEN_MAX == GUARD_MACS_MAX, "a MAC behind a guest without a place");
_Static_assert(PORT_PREFIXES_MAX == 1 + GUEST_ADDRESSES_MAX, "a prefix without a place");

/* ---- facts ---- */

static size_t mac_index(const struct port_facts *f, const struct mac *mac)
{
	size_t i = 0;

	while (i < f->n_macs && memcmp(f->macs[i], mac->b, sizeof(mac->b)) != 0)
		i++;
	return i;
}

static size_t pair_index(const struct port_facts *f, size_t mac, struct in_addr addr)
{
	size_t i = 0;

	while (i < f->n_pairs && (f->pair_mac[i] != mac || f->pair_addr[i] != addr.s_addr))
		i++;
	return i;
}

int port_facts_mac(struct port_facts *f, const struct mac *mac)
{
	if (mac_index(f, mac) < f->n_macs)
		return 0;
	if (f->n_macs == PORT_MACS_MAX)
		return -E2BIG;
	memcpy(f->macs[f->n_macs++], mac->b, sizeof(mac->b));
	return 0;
}

/* In order, so that equal facts are equal bytes, whichever came first. */
static size_t pair_place(const struct port_facts *f, size_t mac, struct in_addr addr)
{
	size_t i = 0;

	while (i < f->n_pairs &&
	       (f->pair_mac[i] < mac ||
		(f->pair_mac[i] == mac && ntohl(f->pair_addr[i]) < ip4_host(addr))))
		i++;
	return i;
}

int port_facts_pair(struct port_facts *f, const struct mac *mac, struct in_addr addr)
{
	size_t of = mac_index(f, mac), i;

	if (of == f->n_macs)
		return -ENOENT;
	if (pair_index(f, of, addr) < f->n_pairs)
		return 0;
	if (f->n_pairs == PORT_PAIRS_MAX)
		return -E2BIG;
	i = pair_place(f, of, addr);
	memmove(f->pair_mac + i + 1, f->pair_mac + i, f->n_pairs - i);
	memmove(f->pair_addr + i + 1, f->pair_addr + i, (f->n_pairs - i) * sizeof(*f->pair_addr));
	f->pair_mac[i] = (uint8_t)of;
	f->pair_addr[i] = addr.s_addr;
	f->n_pairs++;
	return 0;
}

bool port_facts_unpair(struct port_facts *f, const struct mac *mac, struct in_addr addr)
{
	size_t i = pair_index(f, mac_index(f, mac), addr);

	if (i == f->n_pairs)
		return false;
	f->n_pairs--;
	memmove(f->pair_mac + i, f->pair_mac + i + 1, f->n_pairs - i);
	memmove(f->pair_addr + i, f->pair_addr + i + 1, (f->n_pairs - i) * sizeof(*f->pair_addr));
	f->pair_mac[f->n_pairs] = 0;
	f->pair_addr[f->n_pairs] = 0;
	return true;
}

int port_facts_prefix(struct port_facts *f, const struct guest_prefix *p)
{
	struct port_prefix x = {.family = p->ip4.len ? 4 : 6};
	struct in6_addr network6;
	struct in_addr network;

	if (p->ip4.len) {
		network = ip4_network(&p->ip4);
		memcpy(x.addr, &network, sizeof(network));
		x.mask[0] = judge_mask(p->ip4.len);
	} else {
		network6 = ip6_network(&p->ip6);
		memcpy(x.addr, &network6, sizeof(network6));
		x.mask[0] = judge_mask(p->ip6.len < 64 ? p->ip6.len : 64);
		x.mask[1] = judge_mask(p->ip6.len > 64 ? p->ip6.len - 64u : 0);
	}
	for (size_t i = 0; i < f->n_prefixes; i++)
		if (memcmp(&f->prefixes[i], &x, sizeof(x)) == 0)
			return 0;
	if (f->n_prefixes == PORT_PREFIXES_MAX)
		return -E2BIG;
	f->prefixes[f->n_prefixes++] = x;
	return 0;
}

int port_facts_router6(struct port_facts *f, const struct in6_addr *addr)
{
	if (f->n_routers6 == PORT_ROUTERS6_MAX)
		return -E2BIG;
	memcpy(f->routers6[f->n_routers6++], addr, sizeof(*addr));
	return 0;
}

/* ---- at a glance ---- */

static bool checks(const struct port_facts *f, enum port_guard g, bool known)
{
	return known && f->guards & 1u << g;
}

static void fast4(const struct port_facts *f, struct port_fast *ret)
{
	size_t n = 0;

	if (!checks(f, PORT_GUARD_IP, f->known4)) {
		ret->flags |= PORT_FAST_IP4_ANY;
		return;
	}
	for (size_t i = 0; i < f->n_pairs && n < PORT_FAST_ADDRS; i++)
		if (f->pair_mac[i] == 0)
			ret->addr4[n++] = f->pair_addr[i];
	if (n)
		ret->flags |= PORT_FAST_IP4;
	for (size_t i = n; n && i < PORT_FAST_ADDRS; i++)
		ret->addr4[i] = ret->addr4[0];
}

/* The router's link-local address is made of a MAC, so that judge_fast6() leaves it to the facts. */
static void fast6(const struct port_facts *f, struct port_fast *ret)
{
	static const uint8_t local[8] = {0xfe, 0x80};
	const uint8_t *m = f->macs[0];
	const uint8_t own[8] = {m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
	const uint8_t *net = f->has_net6 ? f->net6 : local;
	size_t routers = 0;

	if (!checks(f, PORT_GUARD_IP, f->known6)) {
		ret->flags |= PORT_FAST_IP6_ANY;
		return;
	}
	memcpy(&ret->net6, net, sizeof(ret->net6));
	memcpy(&ret->own6, own, sizeof(ret->own6));
	for (size_t i = 0; i < f->n_routers6; i++) {
		const uint8_t *half = f->routers6[i] + 8;

		if (half[3] == 0xff && half[4] == 0xfe && memcmp(half, own, sizeof(own)) != 0)
			continue;
		memcpy(&ret->router6, half, sizeof(ret->router6));
		routers++;
	}
	if (routers <= 1)
		ret->flags |= PORT_FAST_IP6;
}

void port_facts_fast(const struct port_facts *f, int ifindex, struct port_fast *ret)
{
	*ret = (struct port_fast){.ifindex = (uint32_t)ifindex};
	memcpy(ret->mac, f->macs[0], sizeof(ret->mac));
	if (f->n_macs == 0)
		return;
	fast4(f, ret);
	fast6(f, ret);
}

/* ---- frames ---- */

void port_window_of(const void *b, size_t len, int tci, struct port_window *ret)
{
	*ret = (struct port_window){0};
	ret->cut = len > PORT_WINDOW;
	ret->len = (uint32_t)size_min(len, PORT_WINDOW);
	memcpy(ret->b, b, ret->len);
	if (tci >= 0) {
		ret->tag = JUDGE_8021Q;
		ret->tci = (uint16_t)tci;
	}
}

#define MACS_LEN 12
#define TAG_LEN 4

void port_window_fill(const void *b, size_t len, struct port_window *ret)
{
	const uint8_t *frame = b;
	uint16_t type = len >= MACS_LEN + TAG_LEN + 2 ? judge_u16(frame + MACS_LEN) : 0;

	port_window_of(b, len, -1, ret);
	if (type != JUDGE_8021Q && type != JUDGE_8021AD)
		return;
	len -= TAG_LEN;
	port_window_of(frame + TAG_LEN, len, judge_u16(frame + MACS_LEN + 2), ret);
	memcpy(ret->b, frame, MACS_LEN);
	ret->tag = type;
}

enum guard port_judge(const struct port_facts *f, const struct port_window *w)
{
	int g = guard_judge(f, w);

	return g == PORT_GUARD_PASS ? GUARD_COUNT : (enum guard)g;
}

bool port_judge_fast(const struct port_fast *f, const struct port_window *w)
{
	return !w->tag && guard_fast(f, w->b, w->b + w->len);
}
