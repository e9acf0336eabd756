/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_parse.c - a tree of nodes to a network: which keys there are, and what they may hold.
 *
 * Each block of keys is a table of struct key; its setters look at one value each. What needs two
 * values (is the gateway inside the subnet?) is config_finish.c's: keys come in any order. What
 * needs other files is config_validate.c's. vmlane.yaml(5) follows this.
 */
#include "model/config.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "model/config_read.h"
#include "model/config_value.h"

#define NAT_PORT_MIN 1024
#define NAT_PORT_MAX 65535
#define LEASE_DEFAULT_S 3600
#define SUBNET_LEN_MIN 8
#define SUBNET_LEN_MAX 30

static void set_bool(struct reader *r, const struct key *key, const struct node *v, bool *ret)
{
	if (strcmp(v->text, "true") == 0)
		*ret = true;
	else if (strcmp(v->text, "false") == 0)
		*ret = false;
	else
		config_not_expected(r, key, v);
}

/* As people say it of a switch: on and off. */
static void set_switched(struct reader *r, const struct key *key, const struct node *v, bool *ret)
{
	if (strcmp(v->text, "on") == 0)
		*ret = true;
	else if (strcmp(v->text, "off") == 0)
		*ret = false;
	else
		set_bool(r, key, v, ret);
}

/* ---- setters: ipv4 ---- */

static void set_subnet(struct reader *r, const struct key *key, const struct node *v)
{
	struct ip4_prefix p, network;
	char text[IP4_PREFIX_STRLEN];
	const char *unusable;

	r->n->subnet_at = v->at;
	if (strcmp(v->text, "auto") == 0) {
		r->n->subnet_auto = true;
		return;
	}
	if (ip4_prefix_parse(v->text, &p) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	network = (struct ip4_prefix){ip4_network(&p), p.len};
	unusable = ip4_unusable(&network);
	if (p.len < SUBNET_LEN_MIN || p.len > SUBNET_LEN_MAX) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`subnet`: the prefix length is /%u; expected /%d to /%d", p.len,
				 SUBNET_LEN_MIN, SUBNET_LEN_MAX);
		return;
	}
	if (unusable)
		document_mistake(r->doc, v->at, "bad-value", "`subnet`: %s has %s; expected %s",
				 v->text, unusable, key->expected);
	else if (!ip4_equal(network.addr, p.addr))
		document_mistake(r->doc, v->at, "bad-value",
				 "`subnet`: %s has bits set behind its prefix; expected %s",
				 v->text, ip4_prefix_format(&network, text));
	/* Wrong as it may be, it says where the gateway and the others should be. */
	r->n->subnet = network;
	r->subnet = v;
}

static void set_gateway(struct reader *r, const struct key *key, const struct node *v)
{
	if (ip4_parse(v->text, &r->n->gateway) < 0)
		config_not_expected(r, key, v);
	else
		r->gateway = v;
}

static const struct key ipv4_keys[] = {
	{"subnet", NODE_TEXT, true,
	 "an address and prefix length such as 192.168.122.0/24, or `auto`", set_subnet},
	{"gateway", NODE_TEXT, false, "an address inside the subnet such as 192.168.122.1",
	 set_gateway},
};

static void set_ipv4(struct reader *r, const struct key *key, const struct node *v)
{
	READ_BLOCK(r, ipv4_keys, v, " in `ipv4`", v->at);
}

/* ---- setters: nat ---- */

static void set_ports(struct reader *r, const struct key *key, const struct node *v)
{
	if (config_port_range(v->text, &r->n->port_min, &r->n->port_max) < 0)
		config_not_expected(r, key, v);
}

static void set_uplink(struct reader *r, const struct key *key, const struct node *v)
{
	if (strcmp(v->text, "auto") == 0) {
		r->n->uplink[0] = '\0';
	} else if (!config_ifname_valid(v->text)) {
		config_not_expected(r, key, v);
	} else {
		strcpy(r->n->uplink, v->text);
		r->uplink = v;
	}
}

/* "A" is "A-A". */
static int source_range(const char *text, struct in_addr *ret_first, struct in_addr *ret_last)
{
	struct in_addr one;

	if (ip4_parse(text, &one) < 0)
		return config_ip4_range(text, ret_first, ret_last);
	*ret_first = *ret_last = one;
	return 0;
}

static void set_source(struct reader *r, const struct key *key, const struct node *v)
{
	struct ip4_prefix first = {.len = 32}, last = {.len = 32};
	const char *unusable;

	if (source_range(v->text, &first.addr, &last.addr) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	unusable = ip4_unusable(&first);
	unusable = unusable ? unusable : ip4_unusable(&last);
	if (unusable) {
		document_mistake(r->doc, v->at, "bad-value", "`source`: %s has %s; expected %s",
				 v->text, unusable, key->expected);
		return;
	}
	if (ip4_host(last.addr) - ip4_host(first.addr) >= NETWORK_SOURCES_MAX) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`source`: %s are more addresses than %d; expected fewer", v->text,
				 NETWORK_SOURCES_MAX);
		return;
	}
	r->n->source_first = first.addr;
	r->n->source_last = last.addr;
	r->n->source_at = v->at;
}

static const struct key nat_keys[] = {
	{"ports", NODE_TEXT, false, "a range of 1 to 65535 such as 1024-65535", set_ports},
	{"source", NODE_TEXT, false,
	 "an address of this host or a range of them, such as 203.0.113.5 or "
	 "203.0.113.5-203.0.113.8",
	 set_source},
	{"uplink", NODE_TEXT, false, "`auto` or the name of an interface such as eth0", set_uplink},
};

static void set_nat(struct reader *r, const struct key *key, const struct node *v)
{
	READ_BLOCK(r, nat_keys, v, " in `nat`", v->at);
}

/* ---- setters: dhcp, dns ---- */

static void set_enabled(struct reader *r, const struct key *key, const struct node *v)
{
	set_bool(r, key, v, &r->n->dhcp);
}

static void set_range(struct reader *r, const struct key *key, const struct node *v)
{
	char text[QUOTE_MAX];
	int e = config_ip4_range(v->text, &r->n->range_first, &r->n->range_last);

	if (e == -ERANGE)
		document_mistake(
			r->doc, v->at, "bad-value",
			"`range`: %s begins after its end; expected the lower address first",
			text_quote(v->text, text));
	else if (e < 0)
		config_not_expected(r, key, v);
	else
		r->range = v;
}

static void set_lease(struct reader *r, const struct key *key, const struct node *v)
{
	if (config_duration(v->text, CONFIG_LEASE_MIN_S, CONFIG_LEASE_MAX_S, &r->n->lease_s) < 0)
		config_not_expected(r, key, v);
}

static const struct key dhcp_keys[] = {
	{"enabled", NODE_TEXT, false, "`true` or `false`", set_enabled},
	{"range", NODE_TEXT, false,
	 "two addresses of the subnet such as 192.168.122.2-192.168.122.254", set_range},
	{"lease", NODE_TEXT, false, "a time such as 90s, 30m, 1h, 2d or 1w, from 60s to 365d",
	 set_lease},
};

static void set_dhcp(struct reader *r, const struct key *key, const struct node *v)
{
	READ_BLOCK(r, dhcp_keys, v, " in `dhcp`", v->at);
}

static void set_domain(struct reader *r, const struct key *key, const struct node *v)
{
	if (config_domain_valid(v->text))
		strcpy(r->n->domain, v->text);
	else
		config_not_expected(r, key, v);
}

static void add_server(struct reader *r, const struct key *key, const struct node *v)
{
	struct ip4_prefix p = {.len = 32};
	char text[QUOTE_MAX];
	const char *unusable;

	if (ip4_parse(v->text, &p.addr) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	unusable = ip4_unusable(&p);
	/* Cloud providers have their resolver at 169.254.169.254 and such. */
	if (unusable && !strstr(unusable, "link-local")) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`servers`: %s is one of the %s, which guests cannot ask",
				 text_quote(v->text, text), unusable);
		return;
	}
	for (size_t i = 0; i < r->n->n_dns; i++)
		if (ip4_equal(r->n->dns[i], p.addr)) {
			document_mistake(r->doc, v->at, "duplicate", "`servers`: %s is there twice",
					 text_quote(v->text, text));
			return;
		}
	r->n->dns[r->n->n_dns++] = p.addr;
}

static void set_servers(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"servers", NODE_TEXT, false,
					"the address of a DNS server such as 192.0.2.53", NULL};

	config_read_list(r, &item, v, NETWORK_DNS_MAX, add_server);
}

static const struct key dns_keys[] = {
	{"domain", NODE_TEXT, false, "a domain name such as default.vm, without a dot at its end",
	 set_domain},
	{"servers", NODE_LIST, false, "a list of addresses such as [ 192.0.2.53 ]", set_servers},
};

static void set_dns(struct reader *r, const struct key *key, const struct node *v)
{
	READ_BLOCK(r, dns_keys, v, " in `dns`", v->at);
}

/* ---- setters: switch ---- */

static void set_stp(struct reader *r, const struct key *key, const struct node *v)
{
	set_switched(r, key, v, &r->n->stp);
}

static void set_learning(struct reader *r, const struct key *key, const struct node *v)
{
	set_switched(r, key, v, &r->n->learning);
}

static void set_ageing(struct reader *r, const struct key *key, const struct node *v)
{
	if (config_duration(v->text, CONFIG_AGEING_MIN_S, CONFIG_AGEING_MAX_S, &r->n->ageing_s) < 0)
		config_not_expected(r, key, v);
}

static const struct key switch_keys[] = {
	{"stp", NODE_TEXT, false, "`on` or `off`", set_stp},
	{"learning", NODE_TEXT, false, "`on` or `off`", set_learning},
	{"ageing", NODE_TEXT, false, "a time such as 60s, 5m or 1h, from 10s to 1000000s",
	 set_ageing},
};

static void set_switch(struct reader *r, const struct key *key, const struct node *v)
{
	READ_BLOCK(r, switch_keys, v, " in `switch`", v->at);
}

/* ---- setters: guests ---- */

static void set_mac(struct reader *r, const struct key *key, const struct node *v)
{
	struct mac m;

	if (mac_parse(v->text, &m) < 0 || mac_is_multicast(&m) || mac_is_zero(&m)) {
		config_not_expected(r, key, v);
		return;
	}
	r->guest->mac = m;
	r->guest->has_mac = true;
	r->places->mac = v->at;
}

static void set_guest_ipv4(struct reader *r, const struct key *key, const struct node *v)
{
	if (ip4_parse(v->text, &r->guest->ipv4) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	r->guest->has_ipv4 = true;
	r->places->ipv4 = v->at;
}

static void set_isolate(struct reader *r, const struct key *key, const struct node *v)
{
	set_bool(r, key, v, &r->guest->isolate);
}

static void set_pinned(struct reader *r, const struct key *key, const struct node *v)
{
	set_bool(r, key, v, &r->guest->pinned);
}

/* Whose MAC it may be already is told with the others', see claim.h. */
static void add_mac(struct reader *r, const struct key *key, const struct node *v)
{
	struct mac m;

	if (mac_parse(v->text, &m) < 0 || mac_is_multicast(&m) || mac_is_zero(&m))
		config_not_expected(r, key, v);
	else
		r->guest->macs[r->guest->n_macs++] = m;
}

static void set_macs(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"macs", NODE_TEXT, false,
					"a unicast MAC such as 52:54:00:39:d3:fe", NULL};

	(void)key;
	r->places->macs = v->at;
	config_read_list(r, &item, v, GUEST_MACS_MAX, add_mac);
}

#define RATE_EXPECTED "a rate of 64kbit to 100gbit such as 512kbit, 10mbit or 1gbit"

static void set_rate_up(struct reader *r, const struct key *key, const struct node *v)
{
	if (rate_parse(v->text, &r->guest->rate.up) < 0)
		config_not_expected(r, key, v);
}

static void set_rate_down(struct reader *r, const struct key *key, const struct node *v)
{
	if (rate_parse(v->text, &r->guest->rate.down) < 0)
		config_not_expected(r, key, v);
}

static const struct key rate_keys[] = {
	{"up", NODE_TEXT, false, RATE_EXPECTED, set_rate_up},
	{"down", NODE_TEXT, false, RATE_EXPECTED, set_rate_down},
};

static void set_rate(struct reader *r, const struct key *key, const struct node *v)
{
	if (!v->first)
		document_mistake(r->doc, v->at, "missing-key", "`%s` is empty; expected %s",
				 key->name, key->expected);
	READ_BLOCK(r, rate_keys, v, " in `rate`", v->at);
}

static void set_vlan(struct reader *r, const struct key *key, const struct node *v)
{
	uint32_t vlan;

	if (text_u32(v->text, 2, VLAN_MAX, &vlan) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	r->guest->vlan = (uint16_t)vlan;
	r->places->vlan = v->at;
}

static const struct key guest_keys[] = {
	{"mac", NODE_TEXT, false, "a unicast MAC such as 52:54:00:39:d3:fe", set_mac},
	{"ipv4", NODE_TEXT, false, "an address inside the subnet such as 192.168.122.10",
	 set_guest_ipv4},
	{"isolate", NODE_TEXT, false, "`true` or `false`", set_isolate},
	{"static", NODE_TEXT, false, "`true` or `false`", set_pinned},
	{"macs", NODE_LIST, false, "a list of MACs such as [ \"52:54:00:39:d3:fe\" ]", set_macs},
	{"vlan", NODE_TEXT, false, "a number from 2 to 4094; untagged is where `vlan` is left out",
	 set_vlan},
	{"rate", NODE_MAP, false, "a block with `up` and `down`, such as { down: 100mbit }",
	 set_rate},
	{"forward", NODE_LIST, false, "a list such as [ \"tcp 8080 -> 80\" ]", config_forward_set},
	{"guard", NODE_MAP, false, CONFIG_GUARD_EXPECTED, config_guard_set, .or_text = true},
	{"addresses", NODE_LIST, false, "a list such as [ \"192.168.122.40\", \"fd00:8::/64\" ]",
	 config_addresses_set},
	{"limits", NODE_MAP, false, CONFIG_LIMITS_EXPECTED, config_limits_set},
};

static const struct key guest_key = {
	"guests", NODE_MAP, false,
	"a block with `mac`, `ipv4` and so on, or {} for a guest without", NULL};

#define NAME_EXPECTED "a-z, 0-9 and `_` `.` `-`, beginning with a letter or digit, at most 32 long"

static void add_guest(struct reader *r, const struct node *v)
{
	struct key key = guest_key;
	char text[QUOTE_MAX], block[64];

	if (!name_valid(v->key->text)) {
		document_mistake(r->doc, v->key->at, "bad-value",
				 "%s cannot be a guest's name; expected " NAME_EXPECTED,
				 text_quote(v->key->text, text));
		return;
	}
	key.name = v->key->text;
	if (v->kind != NODE_MAP) {
		config_wrong_kind(r, &key, v);
		return;
	}
	r->guest = &r->n->guests[r->n->n_guests];
	r->places = &r->places_of[r->n->n_guests];
	r->n->n_guests++;
	strcpy(r->guest->name, v->key->text);
	r->guest->at = v->key->at;
	snprintf(block, sizeof(block), " in guest `%s`", v->key->text);
	READ_BLOCK(r, guest_keys, v, block, v->at);
}

static void set_guests(struct reader *r, const struct key *key, const struct node *v)
{
	size_t n = 0;

	for (const struct node *g = v->first; g; g = g->next)
		n++;
	if (n > NETWORK_GUESTS_MAX) {
		document_mistake(r->doc, v->at, "too-big", "%zu guests; at most %d in one network",
				 n, NETWORK_GUESTS_MAX);
		return;
	}
	r->n->guests = calloc(n + 1, sizeof(*r->n->guests));
	r->places_of = calloc(n + 1, sizeof(*r->places_of));
	if (!r->n->guests || !r->places_of) {
		r->error = -ENOMEM;
		return;
	}
	for (const struct node *g = v->first; g; g = g->next)
		if (g->key->kind == NODE_TEXT && g->kind != NODE_BROKEN)
			add_guest(r, g);
	r->guest = NULL;
}

/* ---- setters: the network itself ---- */

static void set_name(struct reader *r, const struct key *key, const struct node *v)
{
	r->n->name_at = v->at;
	if (name_valid(v->text))
		strcpy(r->n->name, v->text);
	else
		config_not_expected(r, key, v);
}

static void set_mode(struct reader *r, const struct key *key, const struct node *v)
{
	for (int i = 0; i < NETWORK_MODE_COUNT; i++)
		if (strcmp(v->text, network_mode_name((enum network_mode)i)) == 0) {
			r->n->mode = (enum network_mode)i;
			return;
		}
	config_not_expected(r, key, v);
}

static void set_inbound(struct reader *r, const struct key *key, const struct node *v)
{
	for (int i = 0; i < INBOUND_COUNT; i++)
		if (strcmp(v->text, network_inbound_name((enum network_inbound)i)) == 0) {
			r->n->inbound = (enum network_inbound)i;
			return;
		}
	config_not_expected(r, key, v);
}

static void set_host(struct reader *r, const struct key *key, const struct node *v)
{
	set_bool(r, key, v, &r->n->host);
}

static void set_bridge(struct reader *r, const struct key *key, const struct node *v)
{
	if (config_ifname_valid(v->text))
		strcpy(r->n->bridge, v->text);
	else
		config_not_expected(r, key, v);
}

static void set_mtu(struct reader *r, const struct key *key, const struct node *v)
{
	uint32_t mtu;

	if (text_u32(v->text, CONFIG_MTU_MIN, CONFIG_MTU_MAX, &mtu) < 0)
		config_not_expected(r, key, v);
	else
		r->n->mtu = (uint16_t)mtu;
	r->mtu = v;
}

static void add_access(struct reader *r, const struct key *key, const struct node *v)
{
	struct access_entry e, *old = r->n->access;
	char text[QUOTE_MAX];

	if (config_access(v->text, &e) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	for (size_t i = 0; i < r->n->n_access; i++)
		if (old[i].is_group == e.is_group && strcmp(old[i].name, e.name) == 0) {
			document_mistake(r->doc, v->at, "duplicate", "`access`: %s is there twice",
					 text_quote(v->text, text));
			return;
		}
	r->n->access[r->n->n_access++] = e;
}

static void set_access(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"access", NODE_TEXT, false,
					"\"user:NAME\" or \"group:NAME\"", NULL};

	r->n->open_access = false;
	config_read_list(r, &item, v, NETWORK_ACCESS_MAX, add_access);
}

static void add_peer(struct reader *r, const struct key *key, const struct node *v)
{
	char text[QUOTE_MAX];

	if (!name_valid(v->text))
		config_not_expected(r, key, v);
	else if (network_has_peer(r->n, v->text))
		document_mistake(r->doc, v->at, "duplicate", "`peers`: %s is there twice",
				 text_quote(v->text, text));
	else
		strcpy(r->n->peers[r->n->n_peers++], v->text);
}

static void set_peers(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"peers", NODE_TEXT, false, "the name of another network",
					NULL};

	r->n->peers_at = v->at;
	config_read_list(r, &item, v, NETWORK_PEERS_MAX, add_peer);
}

static const struct key network_keys[] = {
	{"network", NODE_TEXT, true, "a name: " NAME_EXPECTED, set_name},
	{"mode", NODE_TEXT, false, "nat, routed, isolated or bridged", set_mode},
	{"uplink", NODE_TEXT, false, "`auto` or the name of an interface such as eth0", set_uplink},
	{"inbound", NODE_TEXT, false, "accept, established or none", set_inbound},
	{"host", NODE_TEXT, false, "`true` or `false`", set_host},
	{"bridge", NODE_TEXT, false,
	 "the name of an interface: letters, digits and `_.-@+`, at most 15 long, such as vl-lab",
	 set_bridge},
	{"mtu", NODE_TEXT, false, "a number from 576 to 65521", set_mtu},
	{"switch", NODE_MAP, false, "a block with `stp`, `learning` and `ageing`", set_switch},
	{"guard", NODE_MAP, false, CONFIG_GUARD_EXPECTED, config_guard_set, .or_text = true},
	{"policy", NODE_MAP, false, "a block with `host`, `metadata`, `rules` and `sets`",
	 config_policy_set},
	{"limits", NODE_MAP, false, CONFIG_LIMITS_EXPECTED, config_limits_set},
	{"access", NODE_LIST, false, "a list such as [ \"user:alice\", \"group:students\" ]",
	 set_access},
	{"ipv4", NODE_MAP, false, CONFIG_IPV4_EXPECTED, set_ipv4},
	{"ipv6", NODE_MAP, false, CONFIG_IPV6_EXPECTED, config_set_ipv6},
	{"nat", NODE_MAP, false, "a block with `ports`, `source` and `uplink`", set_nat},
	{"dhcp", NODE_MAP, false, "a block with `enabled`, `range` and `lease`", set_dhcp},
	{"dns", NODE_MAP, false, "a block with `domain` and `servers`", set_dns},
	{"peers", NODE_LIST, false, "a list of networks such as [ lab ]", set_peers},
	{"guests", NODE_MAP, false, "a block of guests by name, such as web1: {}", set_guests},
};
static_assert(ARRAY_SIZE(network_keys) <= KEYS_MAX, "KEYS_MAX is too small");
/* ---- the file ---- */

static struct network_config *network_new(void)
{
	struct network_config *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->mode = NETWORK_NAT;
	n->host = true;
	n->port_min = NAT_PORT_MIN;
	n->port_max = NAT_PORT_MAX;
	n->dhcp = true;
	n->lease_s = LEASE_DEFAULT_S;
	n->learning = true;
	n->ageing_s = CONFIG_AGEING_DEFAULT_S;
	n->open_access = true;
	return n;
}

static void read_document(struct reader *r)
{
	const struct location top = {1, 1};
	const struct node *root = r->doc->root;

	if (!root) {
		/* With a mistake told already there is a file, only not one that can be read. */
		if (r->doc->mistakes == 0)
			document_mistake(r->doc, top, "empty-value",
					 "the file is empty; expected `network: NAME` and so on");
	} else if (node_is_null(root)) {
		document_mistake(r->doc, root->at, "empty-value",
				 "the document is empty; expected `network: NAME` and so on");
	} else if (root->kind == NODE_MAP) {
		READ_BLOCK(r, network_keys, root, "", top);
		config_finish(r);
	} else if (root->kind != NODE_BROKEN) {
		document_mistake(r->doc, root->at, "bad-value",
				 "found %s; expected keys such as `network: NAME`",
				 node_kind_name(root->kind));
	}
}

/* "FILE:LINE:COL" back to a number that sorts by place. */
static uint64_t error_place(const struct err *e)
{
	const char *col = strrchr(e->where, ':');
	const char *line = col ? memrchr(e->where, ':', (size_t)(col - e->where)) : NULL;

	if (!line)
		return 0;
	return strtoull(line + 1, NULL, 10) << 32 | strtoull(col + 1, NULL, 10);
}

static int error_cmp(const void *a, const void *b)
{
	uint64_t x = error_place(a), y = error_place(b);

	if (x != y)
		return x < y ? -1 : 1;
	return strcmp(((const struct err *)a)->message, ((const struct err *)b)->message);
}

/* Mistakes come in the order of the checks; a person goes through a file from its top. */
static void sort_errors(struct err_list *errs, size_t first)
{
	if (errs && errs->n > first)
		qsort(errs->items + first, errs->n - first, sizeof(errs->items[0]), error_cmp);
}

static int parse(struct document *doc, const char *text, size_t len, struct network_config *n)
{
	struct reader r = {.doc = doc, .n = n};
	int error = document_parse(doc, text, len);

	if (error < 0)
		return error;
	read_document(&r);
	free(r.places_of);
	if (r.error)
		return r.error;
	return doc->mistakes ? -EINVAL : 0;
}

int network_config_parse(const char *file, const char *text, size_t len,
			 struct network_config **ret, struct err_list *errs)
{
	struct document doc = {.file = file, .errs = errs};
	size_t first = errs ? errs->n : 0;
	struct network_config *n;
	int r;

	if (len > CONFIG_FILE_MAX)
		return err_add(errs, -EINVAL, "too-big", file,
			       "the file has %zu bytes; at most %d are read", len, CONFIG_FILE_MAX);
	n = network_new();
	if (!n)
		return -ENOMEM;
	r = parse(&doc, text, len, n);
	document_done(&doc);
	sort_errors(errs, first);
	if (r < 0)
		network_config_free(n);
	else
		*ret = n;
	return r;
}
