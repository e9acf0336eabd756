/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_finish.c - what of a network's file needs more than one value: is the gateway inside the
 * subnet?, and the defaults that follow from other values; see config_read.h. What needs other
 * files is config_validate.c's.
 */
#include "model/config_read.h"

#include <stdio.h>
#include <string.h>
#include "model/claim.h"
#include "model/config.h"

/* ---- the keys that a mode has ---- */

static const struct node *find_node(const struct node *map, const char *key)
{
	for (const struct node *v = map->first; v; v = v->next)
		if (v->key->kind == NODE_TEXT && strcmp(v->key->text, key) == 0)
			return v;
	return NULL;
}

/* struct mode_key - a key that only networks of some modes have; @mend: what to do elsewhere. */
struct mode_key {
	const char *name;
	unsigned int modes;
	const char *mend;
};

#define IN(mode) (1u << (mode))
#define WITH_SUBNET (IN(NETWORK_NAT) | IN(NETWORK_ROUTED) | IN(NETWORK_ISOLATED))

static const struct mode_key mode_keys[] = {
	{"nat", IN(NETWORK_NAT), "leave it out"},
	{"uplink", IN(NETWORK_ROUTED) | IN(NETWORK_BRIDGED),
	 "leave it out, or choose `mode: routed`"},
	{"inbound", IN(NETWORK_ROUTED), "leave it out, or choose `mode: routed`"},
	{"peers", IN(NETWORK_NAT) | IN(NETWORK_ROUTED), "leave it out"},
	{"host", IN(NETWORK_ISOLATED), "leave it out, or choose `mode: isolated`"},
	{"ipv4", WITH_SUBNET, "leave it out: the LAN's router gives the guests their addresses"},
	{"ipv6", WITH_SUBNET, "leave it out: the LAN's router gives the guests their addresses"},
	{"dhcp", WITH_SUBNET, "leave it out: the LAN's router gives the guests their addresses"},
	{"dns", WITH_SUBNET, "leave it out: the LAN's router tells the guests of it"},
	{"mtu", WITH_SUBNET, "leave it out: it is the uplink's"},
	{"policy", WITH_SUBNET, "leave it out: frames are switched there, not routed"},
	{"switch", WITH_SUBNET, "leave it out: the bridge is taken as it is"},
};

static const char *mend_of(const struct mode_key *k, enum network_mode mode)
{
	if (mode == NETWORK_NAT && strcmp(k->name, "uplink") == 0)
		return "write it inside `nat`";
	if (mode == NETWORK_ROUTED && strcmp(k->name, "nat") == 0)
		return "leave it out; an `uplink` stands at the top";
	return k->mend;
}

/* Connections are counted where packets are routed; what guards count they count everywhere. */
static void check_limits(struct reader *r, const struct node *root, const char *where)
{
	static const char *const keys[] = {"connections", "new"};
	const struct node *limits = find_node(root, "limits");

	for (size_t i = 0; limits && limits->kind == NODE_MAP && i < ARRAY_SIZE(keys); i++) {
		const struct node *v = find_node(limits, keys[i]);

		if (v)
			document_mistake(r->doc, v->key->at, "bad-value",
					 "`%s` has no meaning %s: frames are switched there, not "
					 "routed; leave it out",
					 keys[i], where);
	}
}

/* A network without the host has no addresses, so that none can be given. */
static void check_private(struct reader *r, const struct node *root)
{
	static const char *const blocks[] = {"ipv4", "ipv6", "dhcp", "dns", "policy"};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++) {
		const struct node *v = find_node(root, blocks[i]);

		if (v)
			document_mistake(r->doc, v->key->at, "bad-value",
					 "`%s` has no meaning with `host: false`, where the host "
					 "has no address; leave it out",
					 blocks[i]);
	}
	for (size_t i = 0; i < r->n->n_guests; i++)
		if (r->n->guests[i].has_ipv4)
			document_mistake(r->doc, r->places_of[i].ipv4, "bad-value",
					 "`ipv4` has no meaning with `host: false`: nobody tells "
					 "the guest of it; leave it out");
	check_limits(r, root, "with `host: false`, where the host has no address");
	r->n->dhcp = false;
}

/* The guests are the LAN's: what is needed is a NIC of it, or a bridge that has one. */
static void check_bridged(struct reader *r, const struct node *root)
{
	const struct node *bridge = find_node(root, "bridge"), *uplink = find_node(root, "uplink");
	const struct location top = {1, 1};
	struct network_config *n = r->n;

	if (!bridge && !uplink)
		document_mistake(
			r->doc, top, "missing-key",
			"key `uplink` is missing in mode bridged; expected the NIC that is "
			"on the LAN, such as uplink: eth0");
	if (uplink && uplink->kind == NODE_TEXT && !n->uplink[0] &&
	    strcmp(uplink->text, "auto") == 0)
		document_mistake(
			r->doc, uplink->at, "bad-value",
			"`uplink`: a NIC is taken only when it is named; expected the name "
			"of an interface such as eth0");
	for (size_t i = 0; i < n->n_guests; i++)
		if (n->guests[i].has_ipv4)
			document_mistake(r->doc, r->places_of[i].ipv4, "bad-value",
					 "`ipv4` has no meaning in mode bridged: the LAN's router "
					 "gives the guest its address; leave it out");
	check_limits(r, root, "in mode bridged");
	n->adopted = bridge != NULL;
	n->dhcp = false;
}

/* Where a network is not of the LAN's, it is one of its own already. */
static void check_no_vlans(struct reader *r)
{
	for (size_t i = 0; i < r->n->n_guests; i++)
		if (r->n->guests[i].vlan)
			document_mistake(r->doc, r->places_of[i].vlan, "bad-value",
					 "`vlan` has no meaning in mode %s: guests that shall not "
					 "see each other are put into networks of their own; leave "
					 "it out, or choose `mode: bridged`",
					 network_mode_name(r->n->mode));
}

static void finish_mode(struct reader *r)
{
	const struct node *root = r->doc->root, *mode = find_node(root, "mode");
	const struct location top = {1, 1};
	struct network_config *n = r->n;

	/* Of a mode that is none nobody can say which keys it has. */
	if (mode &&
	    (mode->kind != NODE_TEXT || strcmp(mode->text, network_mode_name(n->mode)) != 0))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(mode_keys); i++) {
		const struct node *v = find_node(root, mode_keys[i].name);

		if (v && !(mode_keys[i].modes & IN(n->mode)))
			document_mistake(r->doc, v->key->at, "bad-value",
					 "`%s` has no meaning in mode %s; %s", mode_keys[i].name,
					 network_mode_name(n->mode),
					 mend_of(&mode_keys[i], n->mode));
	}
	if (n->mode == NETWORK_ROUTED && n->inbound == INBOUND_NONE && r->uplink)
		document_mistake(r->doc, r->uplink->key->at, "bad-value",
				 "`uplink` has no meaning with `inbound: none`, where nothing "
				 "gets out; leave it out");
	if (n->name[0] && network_has_peer(n, n->name))
		document_mistake(r->doc, n->peers_at, "bad-value",
				 "`peers`: %s is this network itself; leave it out", n->name);
	if (n->mode != NETWORK_BRIDGED)
		check_no_vlans(r);
	if (n->mode == NETWORK_BRIDGED)
		check_bridged(r, root);
	else if (n->mode == NETWORK_ISOLATED && !n->host)
		check_private(r, root);
	else if (!find_node(root, "ipv4"))
		document_mistake(r->doc, top, "missing-key",
				 "key `ipv4` is missing; expected " CONFIG_IPV4_EXPECTED);
}

/* ---- addresses ---- */

/* Why @a cannot be a host of the subnet, or NULL. */
static const char *not_a_host(const struct network_config *n, struct in_addr a)
{
	if (!ip4_in(&n->subnet, a))
		return "is outside the subnet";
	if (ip4_equal(a, n->subnet.addr))
		return "is the network address of";
	if (ip4_equal(a, ip4_broadcast(&n->subnet)))
		return "is the broadcast address of";
	return NULL;
}

static bool check_host(struct reader *r, const char *key, struct location at, struct in_addr a)
{
	char addr[IP4_STRLEN], first[IP4_STRLEN], last[IP4_STRLEN], subnet[IP4_PREFIX_STRLEN];
	const struct network_config *n = r->n;
	const char *why = not_a_host(n, a);

	if (!why)
		return true;
	document_mistake(r->doc, at, "bad-value", "`%s`: %s %s %s; expected %s to %s", key,
			 ip4_format(a, addr), why, ip4_prefix_format(&n->subnet, subnet),
			 ip4_format(ip4_from_host(ip4_host(n->subnet.addr) + 1), first),
			 ip4_format(ip4_from_host(ip4_host(ip4_broadcast(&n->subnet)) - 1), last));
	return false;
}

static void finish_gateway(struct reader *r)
{
	if (r->gateway)
		check_host(r, "gateway", r->gateway->at, r->n->gateway);
	else
		r->n->gateway = ip4_from_host(ip4_host(r->n->subnet.addr) + 1);
}

/* All of the subnet; the gateway is left out when it is the first or the last host. */
static void default_range(struct network_config *n)
{
	uint32_t first = ip4_host(n->subnet.addr) + 1;
	uint32_t last = ip4_host(ip4_broadcast(&n->subnet)) - 1;

	if (ip4_host(n->gateway) == first)
		first++;
	else if (ip4_host(n->gateway) == last)
		last--;
	n->range_first = ip4_from_host(first);
	n->range_last = ip4_from_host(last);
}

static void finish_range(struct reader *r)
{
	struct network_config *n = r->n;

	if (!r->range) {
		default_range(n);
		return;
	}
	if (!check_host(r, "range", r->range->at, n->range_first))
		return;
	if (!check_host(r, "range", r->range->at, n->range_last))
		return;
	if (ip4_equal(n->range_first, n->range_last) && ip4_equal(n->range_first, n->gateway))
		document_mistake(r->doc, r->range->at, "bad-value",
				 "`range`: it holds only the gateway's address; expected one more");
}

static void finish_guests(struct reader *r)
{
	struct network_config *n = r->n;
	char addr[IP4_STRLEN];

	for (size_t i = 0; i < n->n_guests; i++) {
		const struct guest_config *g = &n->guests[i];

		if (!g->has_ipv4 || !check_host(r, "ipv4", r->places_of[i].ipv4, g->ipv4))
			continue;
		if (ip4_equal(g->ipv4, n->gateway))
			document_mistake(r->doc, r->places_of[i].ipv4, "bad-value",
					 "`ipv4`: %s is the gateway's address; choose another",
					 ip4_format(g->ipv4, addr));
	}
}

void network_config_settle(struct network_config *n, const struct ip4_prefix *subnet)
{
	n->subnet = (struct ip4_prefix){ip4_network(subnet), subnet->len};
	n->gateway = ip4_from_host(ip4_host(n->subnet.addr) + 1);
	default_range(n);
}

void config_needs_subnet(struct reader *r, const char *key, struct location at)
{
	document_mistake(r->doc, at, "bad-value",
			 "`%s` needs a subnet that is known: leave it out, or write the subnet "
			 "instead of `auto`",
			 key);
}

static void finish_auto(struct reader *r)
{
	if (r->gateway)
		config_needs_subnet(r, "gateway", r->gateway->at);
	if (r->range)
		config_needs_subnet(r, "range", r->range->at);
	for (size_t i = 0; i < r->n->n_guests; i++)
		if (r->n->guests[i].has_ipv4)
			config_needs_subnet(r, "ipv4", r->places_of[i].ipv4);
}

static void finish_bridge(struct reader *r)
{
	struct network_config *n = r->n;

	if (!n->bridge[0] && n->name[0])
		ifname_derive(n->name, n->bridge);
	if (r->uplink && strcmp(n->uplink, n->bridge) == 0)
		document_mistake(r->doc, r->uplink->at, "bad-value",
				 "`uplink`: %s is the network's own bridge; expected `auto` or the "
				 "interface that leads out",
				 n->uplink);
}

/* Names, MACs and addresses that two guests of this file want, or a guest and the bridge. */
static void finish_claims(struct reader *r)
{
	struct claim base = {.network = r->n->name, .file = r->doc->file};
	_cleanup_(claims_done) struct claims claims = {0};
	struct claim bridge = base;
	int found;

	bridge.kind = CLAIM_IFNAME;
	bridge.at = r->n->name_at;
	strcpy(bridge.key, r->n->bridge);
	claims_add(&claims, &bridge);
	for (size_t i = 0; i < r->n->n_guests; i++)
		claims_add_guest(&claims, &base, &r->n->guests[i], &r->places_of[i]);
	found = claims_check(&claims, r->doc->errs);
	if (found < 0)
		r->error = found;
	else
		r->doc->mistakes += (size_t)found;
}

static int guest_cmp(const void *a, const void *b)
{
	return strcmp(((const struct guest_config *)a)->name,
		      ((const struct guest_config *)b)->name);
}

void config_finish(struct reader *r)
{
	if (r->error)
		return;
	finish_mode(r);
	finish_bridge(r);
	if (r->subnet) {
		finish_gateway(r);
		finish_range(r);
		finish_guests(r);
	} else if (r->n->subnet_auto) {
		finish_auto(r);
	}
	config_finish_ipv6(r);
	finish_claims(r);
	config_forward_finish(r);
	config_policy_finish(r);
	if (r->n->n_guests)
		qsort(r->n->guests, r->n->n_guests, sizeof(*r->n->guests), guest_cmp);
	if (!r->error)
		r->error = network_config_index(r->n);
}
