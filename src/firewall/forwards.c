/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forwards.c - see forwards.h. Pure. Next on the walk: ruleset.c puts it together. */
#include "firewall/forwards.h"

#include <stdio.h>
#include <string.h>
#include "base/text.h"

/* ---- skeleton ---- */

/*
 * Not with the ports as they are, lest one guest comes to another from a privileged port of the
 * gateway's. The lengths' masks are those of guest_LEN.
 */
void fw_forwards_chain(unsigned int len, struct buf *out)
{
	char mask[IP4_STRLEN];

	ip4_format(ip4_from_host(ip4_mask_host((uint8_t)len)), mask);
	buf_printf(out, "	chain turn_%u {\n", len);
	buf_puts(out, "		ip saddr 127.0.0.0/8 masquerade\n");
	buf_printf(out,
		   "		oifname . (ip saddr & %s) @sources meta l4proto { tcp, udp } "
		   "masquerade to :1024-65535\n",
		   mask);
	buf_puts(out, "	}\n");
}

/* ---- elements ---- */

static size_t count(const struct fw_network *n)
{
	size_t found = 0;

	for (size_t i = 0; i < n->n_guests; i++)
		found += n->guests[i].n_forwards;
	return found;
}

bool fw_forwards_possible(const struct fw_network *n, bool shut)
{
	for (size_t i = 0; i < n->n_guests; i++)
		if (n->guests[i].n_forwards && (shut || !n->guests[i].has_ipv4))
			return false;
	return true;
}

bool fw_forwards_exist(const struct fw_desired *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (count(&d->networks[i]))
			return true;
	return false;
}

/* Numbers for the protocols: their names are in a file that a host need not have. */
static void forward_elements(const struct forward *f, const char *guest, struct lines *out)
{
	unsigned int proto = forward_proto_number(f->proto);
	char addr[IP4_STRLEN];

	ip4_format(f->addr, addr);
	for (unsigned int i = 0; i < forward_ports(f); i++) {
		unsigned int port = f->first + i, to = f->to + i;

		if (forward_any(f))
			lines_add(out, "forward_any\t%u . %u : %s . %u", proto, port, guest, to);
		else
			lines_add(out, "forward_at\t%s . %u . %u : %s . %u", addr, proto, port,
				  guest, to);
		lines_add(out, "forwarded\t%s . %u . %u", guest, proto, to);
	}
}

void fw_forwards_elements(const struct fw_network *n, struct lines *out)
{
	char guest[IP4_STRLEN];

	if (count(n) == 0)
		return;
	lines_add(out, "forwarding\t\"%s\"", n->bridge);
	lines_add(out, "turns\t\"%s\" : goto turn_%u", n->bridge, n->subnet.len);
	for (size_t i = 0; i < n->n_guests; i++) {
		const struct guest_config *g = &n->guests[i];

		if (g->n_forwards)
			ip4_format(g->ipv4, guest);
		for (size_t k = 0; k < g->n_forwards; k++)
			forward_elements(&g->forwards[k], guest, out);
	}
}

/* ---- differences ---- */

/* An element's parts, as texts; @addr stays as it is where the map has none. */
struct parts {
	char addr[IP4_STRLEN];
	char proto[4];
	char port[6];
	char to[IP4_STRLEN];
	char to_port[6];
};

static bool split(const char *line, struct parts *p)
{
	return sscanf(line, "forward_any\t%3[0-9] . %5[0-9] : %15[0-9.] . %5[0-9]", p->proto,
		      p->port, p->to, p->to_port) == 4 ||
	       sscanf(line, "forward_at\t%15[0-9.] . %3[0-9] . %5[0-9] : %15[0-9.] . %5[0-9]",
		      p->addr, p->proto, p->port, p->to, p->to_port) == 5;
}

static bool read_element(const char *line, struct fw_forward *ret)
{
	struct parts p = {.addr = "0.0.0.0"};
	uint32_t proto, port, to_port;
	struct fw_forward f;

	if (!split(line, &p) || ip4_parse(p.addr, &f.addr) < 0 || ip4_parse(p.to, &f.to) < 0 ||
	    text_u32(p.proto, 0, UINT8_MAX, &proto) < 0 ||
	    text_u32(p.port, 1, UINT16_MAX, &port) < 0 ||
	    text_u32(p.to_port, 1, UINT16_MAX, &to_port) < 0)
		return false;
	f.proto = (uint8_t)proto;
	f.port = (uint16_t)port;
	f.to_port = (uint16_t)to_port;
	*ret = f;
	return true;
}

void fw_forwards_changed(const struct fw_ruleset *a, const struct fw_ruleset *b,
			 void (*fn)(const struct fw_forward *f, void *ctx), void *ctx)
{
	struct fw_forward f;
	size_t j = 0;

	for (size_t i = 0; i < a->n_elements; i++) {
		int order = 1;

		if (strncmp(a->elements[i], "forward_", 8) != 0)
			continue;
		while (j < b->n_elements && (order = strcmp(b->elements[j], a->elements[i])) < 0)
			j++;
		if ((j == b->n_elements || order != 0) && read_element(a->elements[i], &f))
			fn(&f, ctx);
	}
}
