/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_emit.c - a network back to YAML, and whether two networks mean the same; see config.h.
 *
 * What a reader of the file wants to see (subnet, gateway, ports, range, lease) is always written,
 * the rest only where it is not the default.
 */
#include "model/config.h"

#include <string.h>
#include "model/config_read.h"
#include "model/config_value.h"

/* Words that YAML readers, ours or others, take for something else than text. */
static bool word_is_special(const char *s)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n",   "auto"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

/* A name: plain where that can only be read as text. Names have no quotes and no backslashes. */
static void emit_name(struct buf *out, const char *s)
{
	bool letter = (s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z');

	buf_printf(out, letter && !word_is_special(s) ? "%s" : "\"%s\"", s);
}

static void emit_name_line(struct buf *out, const char *key, const char *value)
{
	buf_puts(out, key);
	emit_name(out, value);
	buf_puts(out, "\n");
}

static void emit_access(const struct network_config *n, struct buf *out)
{
	if (n->open_access)
		return;
	buf_puts(out, "access: [");
	for (size_t i = 0; i < n->n_access; i++)
		buf_printf(out, "%s\"%s:%s\"", i ? ", " : "",
			   n->access[i].is_group ? "group" : "user", n->access[i].name);
	buf_puts(out, "]\n");
}

static void emit_switch(const struct network_config *n, struct buf *out)
{
	char ageing[16];

	if (!n->stp && n->learning && n->ageing_s == CONFIG_AGEING_DEFAULT_S)
		return;
	buf_printf(out, "switch:\n  stp: %s\n  ageing: %s\n", n->stp ? "true" : "false",
		   config_duration_format(n->ageing_s, ageing));
	if (!n->learning)
		buf_puts(out, "  learning: off\n");
}

static void emit_uplink(const struct network_config *n, const char *indent, struct buf *out)
{
	buf_printf(out, "%suplink: ", indent);
	if (n->uplink[0])
		emit_name(out, n->uplink);
	else
		buf_puts(out, "auto");
	buf_puts(out, "\n");
}

/* What only networks of this mode have, but for the block `nat`. */
static void emit_mode(const struct network_config *n, struct buf *out)
{
	if (n->mode == NETWORK_ROUTED) {
		if (network_has_uplink(n))
			emit_uplink(n, "", out);
		buf_printf(out, "inbound: %s\n", network_inbound_name(n->inbound));
	} else if (n->mode == NETWORK_BRIDGED && n->uplink[0]) {
		emit_uplink(n, "", out);
	} else if (n->mode == NETWORK_ISOLATED) {
		buf_printf(out, "host: %s\n", n->host ? "true" : "false");
	}
}

static void emit_head(const struct network_config *n, struct buf *out)
{
	char derived[IFNAMSIZ];

	ifname_derive(n->name, derived);
	emit_name_line(out, "network: ", n->name);
	buf_printf(out, "mode: %s\n", network_mode_name(n->mode));
	emit_mode(n, out);
	if (strcmp(derived, n->bridge) != 0 || n->adopted)
		emit_name_line(out, "bridge: ", n->bridge);
	if (n->mtu)
		buf_printf(out, "mtu: %u\n", n->mtu);
	emit_switch(n, out);
	guard_emit(&n->guard, "", out);
	limits_emit(&n->limits, &n->guard_limits, "", out);
	emit_access(n, out);
}

static void emit_ipv4(const struct network_config *n, struct buf *out)
{
	char subnet[IP4_PREFIX_STRLEN], gateway[IP4_STRLEN];

	if (n->subnet_auto) {
		buf_puts(out, "ipv4:\n  subnet: auto\n");
		return;
	}
	buf_printf(out, "ipv4:\n  subnet: %s\n  gateway: %s\n",
		   ip4_prefix_format(&n->subnet, subnet), ip4_format(n->gateway, gateway));
}

static void emit_nat(const struct network_config *n, struct buf *out)
{
	char source[IP4_RANGE_STRLEN];

	buf_printf(out, "nat:\n  ports: %u-%u\n", n->port_min, n->port_max);
	if (network_has_source(n))
		buf_printf(out, "  source: %s\n",
			   ip4_range_format(n->source_first, n->source_last, source));
	emit_uplink(n, "  ", out);
}

static void emit_dhcp(const struct network_config *n, struct buf *out)
{
	char first[IP4_STRLEN], last[IP4_STRLEN], lease[16];

	buf_puts(out, "dhcp:\n");
	if (!n->dhcp)
		buf_puts(out, "  enabled: false\n");
	if (!n->subnet_auto)
		buf_printf(out, "  range: %s-%s\n", ip4_format(n->range_first, first),
			   ip4_format(n->range_last, last));
	buf_printf(out, "  lease: %s\n", config_duration_format(n->lease_s, lease));
}

static void emit_dns(const struct network_config *n, struct buf *out)
{
	char addr[IP4_STRLEN];

	if (!n->domain[0] && n->n_dns == 0)
		return;
	buf_puts(out, "dns:\n");
	if (n->domain[0])
		emit_name_line(out, "  domain: ", n->domain);
	if (n->n_dns == 0)
		return;
	buf_puts(out, "  servers: [");
	for (size_t i = 0; i < n->n_dns; i++)
		buf_printf(out, "%s%s", i ? ", " : "", ip4_format(n->dns[i], addr));
	buf_puts(out, "]\n");
}

static void emit_peers(const struct network_config *n, struct buf *out)
{
	if (n->n_peers == 0)
		return;
	buf_puts(out, "peers: [");
	for (size_t i = 0; i < n->n_peers; i++) {
		buf_puts(out, i ? ", " : "");
		emit_name(out, n->peers[i]);
	}
	buf_puts(out, "]\n");
}

static bool has_rate(const struct guest_config *g)
{
	return g->rate.up || g->rate.down;
}

static bool guest_is_plain(const struct guest_config *g)
{
	return !g->has_mac && !g->has_ipv4 && !g->isolate && !g->pinned && g->n_macs == 0 &&
	       !has_rate(g) && g->vlan == 0 && g->n_forwards == 0 && !g->guard.given &&
	       !g->limits.has_connections && !g->limits.has_new && !g->guard_limits.given &&
	       g->n_addresses == 0;
}

static void emit_macs(const struct guest_config *g, struct buf *out)
{
	char mac[MAC_STRLEN];

	if (g->n_macs == 0)
		return;
	buf_puts(out, "    macs: [");
	for (size_t i = 0; i < g->n_macs; i++)
		/* Without blanks, so that no file is longer when it is written than when it was read. */
		buf_printf(out, "%s%s", i ? "," : "", mac_format(&g->macs[i], mac));
	buf_puts(out, "]\n");
}

static void emit_rate(const struct guest_rate *rate, struct buf *out)
{
	char text[RATE_STRLEN];

	buf_puts(out, "    rate:\n");
	if (rate->up)
		buf_printf(out, "      up: %s\n", rate_format(rate->up, text));
	if (rate->down)
		buf_printf(out, "      down: %s\n", rate_format(rate->down, text));
}

static void emit_forwards(const struct guest_config *g, struct buf *out)
{
	char text[FORWARD_STRLEN];

	for (size_t i = 0; i < g->n_forwards; i++)
		buf_printf(out, "%s\"%s\"", i ? ", " : "    forward: [",
			   forward_format(&g->forwards[i], text));
	if (g->n_forwards)
		buf_puts(out, "]\n");
}

static void emit_guest(const struct guest_config *g, struct buf *out)
{
	char mac[MAC_STRLEN], addr[IP4_STRLEN];

	buf_puts(out, "  ");
	emit_name(out, g->name);
	buf_puts(out, guest_is_plain(g) ? ": {}\n" : ":\n");
	if (g->has_mac)
		buf_printf(out, "    mac: %s\n", mac_format(&g->mac, mac));
	if (g->has_ipv4)
		buf_printf(out, "    ipv4: %s\n", ip4_format(g->ipv4, addr));
	if (g->isolate)
		buf_puts(out, "    isolate: true\n");
	if (g->pinned)
		buf_puts(out, "    static: true\n");
	emit_macs(g, out);
	if (g->vlan)
		buf_printf(out, "    vlan: %u\n", g->vlan);
	if (has_rate(g))
		emit_rate(&g->rate, out);
	emit_forwards(g, out);
	guard_emit(&g->guard, "    ", out);
	limits_emit(&g->limits, &g->guard_limits, "    ", out);
	guard_emit_addresses(g, out);
}

void network_config_emit(const struct network_config *n, struct buf *out)
{
	bool ipv4 = n->subnet_auto || network_has_ipv4(n);

	emit_head(n, out);
	if (ipv4)
		emit_ipv4(n, out);
	config_emit_ipv6(&n->ipv6, out);
	if (n->mode == NETWORK_NAT)
		emit_nat(n, out);
	if (ipv4)
		emit_dhcp(n, out);
	emit_dns(n, out);
	emit_peers(n, out);
	policy_emit(&n->policy, out);
	if (n->n_guests)
		buf_puts(out, "guests:\n");
	for (size_t i = 0; i < n->n_guests; i++)
		emit_guest(&n->guests[i], out);
}

/* ---- equality ---- */

static bool access_equal(const struct network_config *a, const struct network_config *b)
{
	if (a->open_access != b->open_access || a->n_access != b->n_access)
		return false;
	for (size_t i = 0; i < a->n_access; i++)
		if (a->access[i].is_group != b->access[i].is_group ||
		    strcmp(a->access[i].name, b->access[i].name) != 0)
			return false;
	return true;
}

static bool dns_equal(const struct network_config *a, const struct network_config *b)
{
	if (strcmp(a->domain, b->domain) != 0 || a->n_dns != b->n_dns)
		return false;
	for (size_t i = 0; i < a->n_dns; i++)
		if (!ip4_equal(a->dns[i], b->dns[i]))
			return false;
	return true;
}

static bool macs_equal(const struct guest_config *a, const struct guest_config *b)
{
	return a->pinned == b->pinned && a->n_macs == b->n_macs &&
	       memcmp(a->macs, b->macs, a->n_macs * sizeof(a->macs[0])) == 0;
}

static bool guest_equal(const struct guest_config *a, const struct guest_config *b)
{
	return strcmp(a->name, b->name) == 0 && a->has_mac == b->has_mac &&
	       (!a->has_mac || mac_equal(&a->mac, &b->mac)) && a->has_ipv4 == b->has_ipv4 &&
	       (!a->has_ipv4 || ip4_equal(a->ipv4, b->ipv4)) && a->isolate == b->isolate &&
	       a->vlan == b->vlan && a->rate.up == b->rate.up && a->rate.down == b->rate.down &&
	       macs_equal(a, b) && guard_equal(&a->guard, &b->guard) &&
	       limits_equal(&a->limits, &b->limits) &&
	       guard_limits_equal(&a->guard_limits, &b->guard_limits) &&
	       guard_addresses_equal(a, b) &&
	       forwards_equal(a->forwards, a->n_forwards, b->forwards, b->n_forwards);
}

static bool peers_equal(const struct network_config *a, const struct network_config *b)
{
	if (a->n_peers != b->n_peers)
		return false;
	for (size_t i = 0; i < a->n_peers; i++)
		if (strcmp(a->peers[i], b->peers[i]) != 0)
			return false;
	return true;
}

static bool guests_equal(const struct network_config *a, const struct network_config *b)
{
	if (a->n_guests != b->n_guests)
		return false;
	for (size_t i = 0; i < a->n_guests; i++)
		if (!guest_equal(&a->guests[i], &b->guests[i]))
			return false;
	return true;
}

static bool link_equal(const struct network_config *a, const struct network_config *b)
{
	return strcmp(a->name, b->name) == 0 && strcmp(a->bridge, b->bridge) == 0 &&
	       a->mode == b->mode && a->adopted == b->adopted && a->inbound == b->inbound &&
	       a->host == b->host && a->mtu == b->mtu && a->stp == b->stp &&
	       a->learning == b->learning && a->ageing_s == b->ageing_s &&
	       guard_equal(&a->guard, &b->guard) &&
	       guard_limits_equal(&a->guard_limits, &b->guard_limits);
}

static bool ipv4_equal(const struct network_config *a, const struct network_config *b)
{
	return a->subnet_auto == b->subnet_auto && ip4_equal(a->subnet.addr, b->subnet.addr) &&
	       a->subnet.len == b->subnet.len && ip4_equal(a->gateway, b->gateway) &&
	       strcmp(a->uplink, b->uplink) == 0 && a->port_min == b->port_min &&
	       a->port_max == b->port_max && ip4_equal(a->source_first, b->source_first) &&
	       ip4_equal(a->source_last, b->source_last);
}

static bool dhcp_equal(const struct network_config *a, const struct network_config *b)
{
	return a->dhcp == b->dhcp && ip4_equal(a->range_first, b->range_first) &&
	       ip4_equal(a->range_last, b->range_last) && a->lease_s == b->lease_s;
}

bool network_config_equal(const struct network_config *a, const struct network_config *b)
{
	return link_equal(a, b) && ipv4_equal(a, b) && config_ipv6_equal(&a->ipv6, &b->ipv6) &&
	       dhcp_equal(a, b) && dns_equal(a, b) && access_equal(a, b) && peers_equal(a, b) &&
	       policy_equal(&a->policy, &b->policy) && limits_equal(&a->limits, &b->limits) &&
	       guests_equal(a, b);
}
