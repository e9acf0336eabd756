/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * translate.c - source translation: the chains snat_MIN_MAX, one for each port range in use, and
 * which network goes by which; and how long its connections are remembered. Only the first packet of a connection passes them; conntrack
 * translates the rest. See ruleset.c for the table around it.
 */
#include "firewall/translate.h"

#include <errno.h>
#include <stdlib.h>

/* What most networks have: always there, so that the last of them leaving changes no chains. */
#define DEFAULT_PORT_MIN 1024
#define DEFAULT_PORT_MAX 65535

int fw_translate_check(const struct fw_network *n)
{
	return n->port_min < 1 || n->port_min > n->port_max ? -EINVAL : 0;
}

void fw_translate_elements(const struct fw_network *n, struct lines *out)
{
	for (size_t i = 0; i < n->n_uplinks; i++)
		lines_add(out, "translate\t\"%s\" . \"%s\" : goto snat_%u_%u", n->bridge,
			  n->uplinks[i], n->port_min, n->port_max);
}

/*
 * Where lifetime.c's rules come to stand, in a chain of its own so that all others may use them.
 * What asks a DNS server is done in seconds, and there is much of it: RFC 4787 REQ-5a lets it have
 * the host's shorter time.
 */
static const char lifetimes_chain[] = "	chain lifetimes {\n"
				      "		udp dport 53 return\n"
				      "	}\n";

/* Plain masquerade would keep privileged source ports, which NFS and others trust. */
static void snat_chain(unsigned int min, unsigned int max, struct buf *out)
{
	buf_printf(out, "	chain snat_%u_%u {\n", min, max);
	buf_puts(out, "		ip daddr { 224.0.0.0/24, 255.255.255.255 } return\n"
		      "		jump lifetimes\n");
	buf_printf(out, "		meta l4proto { tcp, udp } masquerade to :%u-%u\n", min,
		   max);
	buf_puts(out, "		masquerade\n"
		      "	}\n");
}

/* A port range as one number, which sorts. */
static uint32_t range_key(uint16_t min, uint16_t max)
{
	return (uint32_t)min << 16 | max;
}

static int compare_keys(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

int fw_translate_chains(const struct fw_desired *d, struct buf *out)
{
	uint32_t *keys = calloc(d->n + 1, sizeof(*keys));
	size_t n = 0;

	if (!keys)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++)
		if (d->networks[i].mode == NETWORK_NAT)
			keys[n++] = range_key(d->networks[i].port_min, d->networks[i].port_max);
	keys[n++] = range_key(DEFAULT_PORT_MIN, DEFAULT_PORT_MAX);
	buf_puts(out, lifetimes_chain);
	qsort(keys, n, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || keys[i] != keys[i - 1])
			snat_chain(keys[i] >> 16, keys[i] & 0xffff, out);
	free(keys);
	return 0;
}
