/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_ipv6.c - the block `ipv6` of a network: its keys, the checks within one file and between
 * files, and back to YAML; see config_read.h and config.h. vmlane.yaml(5) follows this.
 */
#include "model/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"
#include "model/config_read.h"
#include "model/config_value.h"

/* ---- the keys ---- */

static void set_subnet(struct reader *r, const struct key *key, const struct node *v)
{
	struct ip6_prefix p, network;
	char text[IP6_PREFIX_STRLEN];
	const char *unusable;

	r->n->ipv6.at = v->at;
	if (strcmp(v->text, "auto") == 0) {
		r->n->ipv6.subnet_auto = true;
		return;
	}
	if (ip6_prefix_parse(v->text, &p) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	if (p.len != IPV6_PREFIX_LEN) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`subnet`: the prefix length is /%u; expected /%d, since the "
				 "guests make their addresses themselves (SLAAC)",
				 p.len, IPV6_PREFIX_LEN);
		return;
	}
	network = (struct ip6_prefix){ip6_network(&p), p.len};
	unusable = ip6_unusable(&network);
	if (unusable)
		document_mistake(r->doc, v->at, "bad-value", "`subnet`: %s has %s; expected %s",
				 v->text, unusable, key->expected);
	else if (!ip6_equal(&network.addr, &p.addr))
		document_mistake(r->doc, v->at, "bad-value",
				 "`subnet`: %s has bits set behind its prefix; expected %s",
				 v->text, ip6_prefix_format(&network, text));
	/* Wrong as it may be, it says where the gateway should be. */
	r->n->ipv6.subnet = network;
	r->subnet6 = v;
}

static void set_gateway(struct reader *r, const struct key *key, const struct node *v)
{
	if (ip6_parse(v->text, &r->n->ipv6.gateway) < 0)
		config_not_expected(r, key, v);
	else
		r->gateway6 = v;
}

static void add_server(struct reader *r, const struct key *key, const struct node *v)
{
	struct network_ipv6 *n = &r->n->ipv6;
	struct ip6_prefix p = {.len = 128};
	char text[QUOTE_MAX];
	const char *unusable;

	if (ip6_parse(v->text, &p.addr) < 0) {
		config_not_expected(r, key, v);
		return;
	}
	unusable = ip6_unusable(&p);
	if (unusable) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`dns`: %s is one of the %s; expected %s",
				 text_quote(v->text, text), unusable, key->expected);
		return;
	}
	for (size_t i = 0; i < n->n_dns; i++)
		if (ip6_equal(&n->dns[i], &p.addr)) {
			document_mistake(r->doc, v->at, "duplicate", "`dns`: %s is there twice",
					 text_quote(v->text, text));
			return;
		}
	n->dns[n->n_dns++] = p.addr;
}

static void set_servers(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"dns", NODE_TEXT, false,
					"the IPv6 address of a DNS server such as 2001:db8::53",
					NULL};

	config_read_list(r, &item, v, NETWORK_DNS_MAX, add_server);
}

static const struct key ipv6_keys[] = {
	{"subnet", NODE_TEXT, true, "a prefix of 64 bits such as fd12:3456:789a:1::/64, or `auto`",
	 set_subnet},
	{"gateway", NODE_TEXT, false, "an address inside the subnet such as fd12:3456:789a:1::1",
	 set_gateway},
	{"dns", NODE_LIST, false, "a list of addresses such as [ 2001:db8::53 ]", set_servers},
};

void config_set_ipv6(struct reader *r, const struct key *key, const struct node *v)
{
	(void)key;
	r->n->ipv6.on = true;
	READ_BLOCK(r, ipv6_keys, v, " in `ipv6`", v->at);
}

/* ---- what needs more than one value ---- */

/* The first address behind the one that all routers of a subnet have (RFC 4291 2.6.1). */
static struct in6_addr first_address(const struct ip6_prefix *subnet)
{
	struct in6_addr a = ip6_network(subnet);

	a.s6_addr[15] |= 1;
	return a;
}

static void finish_gateway(struct reader *r)
{
	char addr[IP6_STRLEN], first[IP6_STRLEN], subnet[IP6_PREFIX_STRLEN];
	struct network_ipv6 *n = &r->n->ipv6;
	const struct in6_addr suggested = first_address(&n->subnet);
	const char *why = NULL;

	if (!r->gateway6) {
		n->gateway = suggested;
		return;
	}
	if (!ip6_in(&n->subnet, &n->gateway))
		why = "is outside the subnet";
	else if (ip6_equal(&n->gateway, &n->subnet.addr))
		why = "is the address that every router has (RFC 4291, 2.6.1) in";
	if (why)
		document_mistake(r->doc, r->gateway6->at, "bad-value",
				 "`gateway`: %s %s %s; expected one such as %s",
				 ip6_format(&n->gateway, addr), why,
				 ip6_prefix_format(&n->subnet, subnet),
				 ip6_format(&suggested, first));
}

void config_finish_ipv6(struct reader *r)
{
	const struct network_ipv6 *n = &r->n->ipv6;

	if (!n->on)
		return;
	if (r->subnet6)
		finish_gateway(r);
	else if (n->subnet_auto && r->gateway6)
		config_needs_subnet(r, "gateway", r->gateway6->at);
	if (r->mtu && r->n->mtu && r->n->mtu < IPV6_MTU_MIN)
		document_mistake(r->doc, r->mtu->at, "bad-value",
				 "`mtu`: %u is too small for IPv6; expected %d or more, or no "
				 "`ipv6`",
				 r->n->mtu, IPV6_MTU_MIN);
}

void network_config_settle6(struct network_config *n, const struct ip6_prefix *subnet)
{
	n->ipv6.subnet = (struct ip6_prefix){ip6_network(subnet), subnet->len};
	n->ipv6.gateway = first_address(subnet);
}

/* ---- between files, and with the host's routes ---- */

static int subnet_cmp(const void *a, const void *b)
{
	const struct config_file *x = *(const struct config_file *const *)a;
	const struct config_file *y = *(const struct config_file *const *)b;
	int order = memcmp(&x->network->ipv6.subnet.addr, &y->network->ipv6.subnet.addr,
			   sizeof(struct in6_addr));

	return order ? order : strcmp(x->path, y->path);
}

/* All are /64: they overlap when they are the same. @sorted has @n of them. */
static int check_subnets(const struct config_file **sorted, size_t n, struct err_list *errs)
{
	char where[LOCATION_STRLEN], place[LOCATION_STRLEN], a[IP6_PREFIX_STRLEN];
	const struct config_file *first = NULL;
	int mistakes = 0;

	for (size_t i = 0; i < n; i++) {
		const struct network_ipv6 *v = &sorted[i]->network->ipv6;

		if (!first || !ip6_prefix_equal(&first->network->ipv6.subnet, &v->subnet)) {
			first = sorted[i];
			continue;
		}
		err_add(errs, -EINVAL, "overlap",
			location_format(sorted[i]->path, v->at, where, sizeof(where)),
			"IPv6 subnet %s is already that of network \"%s\" (%s); choose another "
			"subnet",
			ip6_prefix_format(&v->subnet, a), first->network->name,
			location_format(first->path, first->network->ipv6.at, place,
					sizeof(place)));
		mistakes++;
	}
	return mistakes;
}

static bool is_own_bridge(const struct config_set *set, const char *ifname)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network && strcmp(set->files[i].network->bridge, ifname) == 0)
			return true;
	return false;
}

#define DEFAULT_LEN_MAX 3 /* ::/1 and 8000::/1, or 2000::/3: VPN clients cover a default route so */

static int check_routes(const struct config_set *set, const struct config_file *f,
			const struct host_route6 *routes, size_t n_routes, struct err_list *errs)
{
	const struct network_ipv6 *v = &f->network->ipv6;
	char where[LOCATION_STRLEN], a[IP6_PREFIX_STRLEN], b[IP6_PREFIX_STRLEN];

	for (size_t i = 0; i < n_routes; i++) {
		const struct host_route6 *r = &routes[i];

		if (r->dst.len <= DEFAULT_LEN_MAX || !ip6_overlap(&v->subnet, &r->dst) ||
		    is_own_bridge(set, r->ifname))
			continue;
		err_add(errs, -EINVAL, "overlap",
			location_format(f->path, v->at, where, sizeof(where)),
			"IPv6 subnet %s overlaps with the host's route to %s over %s; choose "
			"another subnet",
			ip6_prefix_format(&v->subnet, a), ip6_prefix_format(&r->dst, b),
			r->ifname[0] ? r->ifname : "several interfaces");
		return 1;
	}
	return 0;
}

int config_set_validate_ipv6(const struct config_set *set, const struct host_route6 *routes,
			     size_t n_routes, struct err_list *errs)
{
	const struct config_file **sorted = calloc(set->n + 1, sizeof(struct config_file *));
	int mistakes = 0;
	size_t n = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network && set->files[i].network->ipv6.subnet.len)
			sorted[n++] = &set->files[i];
	qsort(sorted, n, sizeof(struct config_file *), subnet_cmp);
	mistakes = check_subnets(sorted, n, errs);
	for (size_t i = 0; i < n; i++)
		mistakes += check_routes(set, sorted[i], routes, n_routes, errs);
	free(sorted);
	return mistakes ? -EINVAL : 0;
}

/* ---- back to YAML ---- */

/* Plain text that ends in a colon would be a key. */
static void emit_addr(const struct in6_addr *a, struct buf *out)
{
	char addr[IP6_STRLEN];
	bool quoted = ip6_format(a, addr)[strlen(addr) - 1] == ':';

	buf_printf(out, quoted ? "\"%s\"" : "%s", addr);
}

void config_emit_ipv6(const struct network_ipv6 *v, struct buf *out)
{
	char subnet[IP6_PREFIX_STRLEN];

	if (!v->on)
		return;
	buf_puts(out, "ipv6:\n");
	if (v->subnet_auto) {
		buf_puts(out, "  subnet: auto\n");
	} else {
		buf_printf(out, "  subnet: %s\n  gateway: ", ip6_prefix_format(&v->subnet, subnet));
		emit_addr(&v->gateway, out);
		buf_puts(out, "\n");
	}
	if (v->n_dns)
		buf_puts(out, "  dns: [");
	for (size_t i = 0; i < v->n_dns; i++) {
		buf_puts(out, i ? ", " : "");
		emit_addr(&v->dns[i], out);
	}
	if (v->n_dns)
		buf_puts(out, "]\n");
}

bool config_ipv6_equal(const struct network_ipv6 *a, const struct network_ipv6 *b)
{
	if (a->on != b->on || a->subnet_auto != b->subnet_auto || a->n_dns != b->n_dns ||
	    !ip6_prefix_equal(&a->subnet, &b->subnet) || !ip6_equal(&a->gateway, &b->gateway))
		return false;
	for (size_t i = 0; i < a->n_dns; i++)
		if (!ip6_equal(&a->dns[i], &b->dns[i]))
			return false;
	return true;
}
