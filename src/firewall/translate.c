/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate.c - source translation: the chains snat_MIN_MAX, one for each range of ports and of
 * sources in use, which network goes by which, and where the lifetimes of its connections come in.
 * Only the first packet of a connection passes them; conntrack translates the rest. See ruleset.c
 * for the table around it.
 */
#include "firewall/translate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What most networks have: always there, so that the last of them leaving changes no chains. */
#define DEFAULT_PORT_MIN 1024
#define DEFAULT_PORT_MAX 65535

/**
 * struct way - how connections are translated: all of a network's go one way
 * @source_first: 0: as the uplink's own address; host byte order, as @source_last and the ports
 */
struct way {
	uint32_t source_first;
	uint32_t source_last;
	uint16_t port_min;
	uint16_t port_max;
};

static struct way way_of(const struct fw_network *n)
{
	return (struct way){
		.source_first = ip4_host(n->source_first),
		.source_last = ip4_host(n->source_last),
		.port_min = n->port_min,
		.port_max = n->port_max,
	};
}

/* IPv6 (NAT66): into the same ports, as the uplink's own address; `source` has IPv4 ones. */
static struct way way6_of(const struct fw_network *n)
{
	return (struct way){.port_min = n->port_min, .port_max = n->port_max};
}

#define WAY_NAME_MAX 64

/* way_name() - its chain: snat_MIN_MAX, with the source behind it where there is one. */
static const char *way_name(const struct way *w, char ret[static WAY_NAME_MAX])
{
	char first[IP4_STRLEN], last[IP4_STRLEN];
	int len = snprintf(ret, WAY_NAME_MAX, "snat_%u_%u", w->port_min, w->port_max);

	if (w->source_first)
		snprintf(ret + len, WAY_NAME_MAX - (size_t)len, "_%s_%s",
			 ip4_format(ip4_from_host(w->source_first), first),
			 ip4_format(ip4_from_host(w->source_last), last));
	return ret;
}

int fw_translate_check(const struct fw_network *n)
{
	if (n->port_min < 1 || n->port_min > n->port_max)
		return -EINVAL;
	return ip4_host(n->source_first) > ip4_host(n->source_last) ? -EINVAL : 0;
}

void fw_translate_elements(const struct fw_network *n, struct lines *out)
{
	struct way w = way_of(n);
	char name[WAY_NAME_MAX];

	for (size_t i = 0; i < n->n_uplinks; i++)
		lines_add(out, "translate\t\"%s\" . \"%s\" : goto %s", n->bridge, n->uplinks[i],
			  way_name(&w, name));
	w = way6_of(n);
	for (size_t i = 0; i < n->n_uplinks6; i++)
		lines_add(out, "translate6\t\"%s\" . \"%s\" : goto %s", n->bridge, n->uplinks6[i],
			  way_name(&w, name));
}

/*
 * Where lifetime.c's rules come to stand, in a chain of its own so that all others may use them.
 * What asks a DNS server is done in seconds, and there is much of it: RFC 4787 REQ-5a lets it have
 * the host's shorter time.
 */
static const char lifetimes_chain[] = "	chain lifetimes {\n"
				      "		udp dport 53 return\n"
				      "	}\n";

/*
 * Plain masquerade would keep privileged source ports, which NFS and others trust. Of several
 * sources each guest has one, whatever it asks: RFC 4787 REQ-2.
 */
static void snat_chain(const struct way *w, struct buf *out)
{
	char name[WAY_NAME_MAX], to[IP4_RANGE_STRLEN] = "";
	const char *verb = "masquerade", *persistent = "";

	if (w->source_first) {
		verb = "snat ip";
		ip4_range_format(ip4_from_host(w->source_first), ip4_from_host(w->source_last), to);
		if (w->source_first != w->source_last)
			persistent = " persistent";
	}
	buf_printf(out, "	chain %s {\n", way_name(w, name));
	buf_puts(out, "		ip daddr { 224.0.0.0/24, 255.255.255.255 } return\n"
		      "		jump lifetimes\n");
	buf_printf(out, "		meta l4proto { tcp, udp } %s to %s:%u-%u%s\n", verb, to,
		   w->port_min, w->port_max, persistent);
	buf_printf(out, "		%s%s%s%s\n", verb, to[0] ? " to " : "", to, persistent);
	buf_puts(out, "	}\n");
}

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare_ways(const void *a, const void *b)
{
	const struct way *x = a, *y = b;
	int order = compare_numbers(x->source_first, y->source_first);

	if (!order)
		order = compare_numbers(x->source_last, y->source_last);
	if (!order)
		order = compare_numbers(x->port_min, y->port_min);
	return order ? order : compare_numbers(x->port_max, y->port_max);
}

int fw_translate_chains(const struct fw_desired *d, struct buf *out)
{
	static const struct way usual = {.port_min = DEFAULT_PORT_MIN,
					 .port_max = DEFAULT_PORT_MAX};
	struct way *ways = calloc(2 * d->n + 1, sizeof(*ways));
	size_t n = 0;

	if (!ways)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++)
		if (d->networks[i].mode == NETWORK_NAT)
			ways[n++] = way_of(&d->networks[i]);
	for (size_t i = 0; i < d->n; i++)
		if (d->networks[i].mode == NETWORK_NAT && d->networks[i].ipv6)
			ways[n++] = way6_of(&d->networks[i]);
	ways[n++] = usual;
	qsort(ways, n, sizeof(*ways), compare_ways);
	buf_puts(out, lifetimes_chain);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || compare_ways(&ways[i], &ways[i - 1]) != 0)
			snat_chain(&ways[i], out);
	free(ways);
	return 0;
}
