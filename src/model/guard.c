/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard.c - see guard.h. Next on the walk: config_guard.c reads them, firewall/guard.c makes rules. */
#include "model/guard.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "model/network.h"

static const struct {
	const char *name;
	const char *what;
} guards[] = {
	[GUARD_MAC] = {"mac", "a source MAC that is not the guest's"},
	[GUARD_IP] = {"ip", "a source address that is not the guest's"},
	[GUARD_ARP] = {"arp", "an ARP sender that is not the guest"},
	[GUARD_ND] = {"nd", "neighbour discovery in the name of somebody else"},
	[GUARD_DHCP] = {"dhcp", "what only a DHCP server sends"},
	[GUARD_RA] = {"ra", "what only an IPv6 router sends"},
	[GUARD_ETHERTYPE] = {"ethertype", "a frame that is neither IPv4 nor ARP nor IPv6"},
	[GUARD_BPDU] = {"bpdu", "a frame that is for switches alone"},
	[GUARD_BROADCAST] = {"broadcast", "broadcasts beyond the guest's limit"},
	[GUARD_MULTICAST] = {"multicast", "multicast frames beyond the guest's limit"},
	[GUARD_MACS] = {"macs", "a source MAC beyond the limit of MACs behind its port"},
};
_Static_assert(ARRAY_SIZE(guards) == GUARD_COUNT, "a guard without a row");

const char *guard_name(enum guard g)
{
	assert(g < GUARD_COUNT);
	return guards[g].name;
}

const char *guard_what(enum guard g)
{
	assert(g < GUARD_COUNT);
	return guards[g].what;
}

uint16_t guards_of(const struct network_config *n, const struct guest_config *g)
{
	uint16_t on = (uint16_t)((GUARDS_ALL & ~n->guard.given) | (n->guard.on & n->guard.given));

	if (g)
		on = (uint16_t)((on & ~g->guard.given) | (g->guard.on & g->guard.given));
	for (enum guard k = GUARD_LIMITED; k < GUARD_COUNT; k++)
		if (!guard_limit_of(n, g, k))
			on = (uint16_t)(on & ~(1u << k));
	return on;
}

/* ---- limits ---- */

/*
 * No ordinary guest meets them: ARP, DHCP, mDNS and neighbour discovery are a few frames a second, a scan of
 * its whole network some hundreds; 20,000 multicast frames are a stream of 200 Mbit/s.
 */
static const uint32_t defaults[GUARD_COUNT] = {
	[GUARD_BROADCAST] = 1000,
	[GUARD_MULTICAST] = 20000,
	[GUARD_MACS] = 256,
};

uint32_t guard_limit_default(enum guard g)
{
	assert(g >= GUARD_LIMITED && g < GUARD_COUNT);
	return defaults[g];
}

uint32_t guard_limit_of(const struct network_config *n, const struct guest_config *g,
			enum guard guard)
{
	unsigned int i = guard - GUARD_LIMITED;

	assert(guard >= GUARD_LIMITED && guard < GUARD_COUNT);
	if (g && g->guard_limits.given & 1u << i)
		return g->guard_limits.max[i];
	return n->guard_limits.given & 1u << i ? n->guard_limits.max[i] : defaults[guard];
}

bool guard_is_rate(enum guard g)
{
	return g == GUARD_BROADCAST || g == GUARD_MULTICAST;
}

bool guard_limits_equal(const struct guard_limits *a, const struct guard_limits *b)
{
	if (a->given != b->given)
		return false;
	for (unsigned int i = 0; i < GUARD_LIMITS; i++)
		if (a->given & 1u << i && a->max[i] != b->max[i])
			return false;
	return true;
}

/* ---- addresses ---- */

/* A single address is a prefix of all its bits. */
static int parse4(const char *text, struct ip4_prefix *ret)
{
	if (strchr(text, '/'))
		return ip4_prefix_parse(text, ret);
	ret->len = 32;
	return ip4_parse(text, &ret->addr);
}

static int parse6(const char *text, struct ip6_prefix *ret)
{
	if (strchr(text, '/'))
		return ip6_prefix_parse(text, ret);
	ret->len = 128;
	return ip6_parse(text, &ret->addr);
}

int guest_prefix_parse(const char *text, struct guest_prefix *ret)
{
	struct guest_prefix p = {0};
	struct in6_addr network6;
	struct in_addr network;

	if (parse4(text, &p.ip4) == 0) {
		network = ip4_network(&p.ip4);
		if (p.ip4.len == 0)
			return -EINVAL;
		*ret = (struct guest_prefix){.ip4 = {network, p.ip4.len}};
		return ip4_equal(network, p.ip4.addr) ? 0 : -ERANGE;
	}
	if (parse6(text, &p.ip6) < 0 || p.ip6.len == 0)
		return -EINVAL;
	network6 = ip6_network(&p.ip6);
	*ret = (struct guest_prefix){.ip6 = {network6, p.ip6.len}};
	return ip6_equal(&network6, &p.ip6.addr) ? 0 : -ERANGE;
}

const char *guest_prefix_format(const struct guest_prefix *p, char buf[static GUEST_PREFIX_STRLEN])
{
	char *slash;

	if (p->ip4.len)
		ip4_prefix_format(&p->ip4, buf);
	else
		ip6_prefix_format(&p->ip6, buf);
	slash = strchr(buf, '/');
	if (slash && (p->ip4.len == 32 || p->ip6.len == 128))
		*slash = '\0';
	return buf;
}

/* ---- back to YAML ---- */

void guard_emit(const struct guard_switches *s, const char *indent, struct buf *out)
{
	const char *comma = "";

	/* Hardly a blank, so that no file is longer when it is written than when it was read. */
	if (!s->given)
		return;
	buf_printf(out, "%sguard: ", indent);
	if (s->given == GUARDS_ALL && (s->on == 0 || s->on == GUARDS_ALL)) {
		buf_puts(out, s->on ? "on\n" : "off\n");
		return;
	}
	for (unsigned int g = 0; g < GUARD_COUNT; g++) {
		if (!(s->given & 1u << g))
			continue;
		buf_printf(out, "%s%s: %s", *comma ? comma : "{", guards[g].name,
			   s->on & 1u << g ? "on" : "off");
		comma = ",";
	}
	buf_puts(out, "}\n");
}

void guard_emit_addresses(const struct guest_config *g, struct buf *out)
{
	char text[GUEST_PREFIX_STRLEN];

	/* Likewise. */
	for (size_t i = 0; i < g->n_addresses; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "    addresses: [",
			   guest_prefix_format(&g->addresses[i], text));
	if (g->n_addresses)
		buf_puts(out, "]\n");
}

bool guard_equal(const struct guard_switches *a, const struct guard_switches *b)
{
	return a->given == b->given && (a->on & a->given) == (b->on & b->given);
}

static bool prefix_equal(const struct guest_prefix *a, const struct guest_prefix *b)
{
	return a->ip4.len == b->ip4.len && ip4_equal(a->ip4.addr, b->ip4.addr) &&
	       a->ip6.len == b->ip6.len && ip6_equal(&a->ip6.addr, &b->ip6.addr);
}

bool guard_addresses_equal(const struct guest_config *a, const struct guest_config *b)
{
	if (a->n_addresses != b->n_addresses)
		return false;
	for (size_t i = 0; i < a->n_addresses; i++)
		if (!prefix_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	return true;
}
