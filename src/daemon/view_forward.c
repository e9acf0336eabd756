/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_forward.c - port forwards as JSON; docs/API.md has the shapes. Changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/service.h"

static json_t *ports_json(unsigned int first, size_t n)
{
	return n == 1 ? json_sprintf("%u", first)
		      : json_sprintf("%u-%u", first, first + (unsigned int)n - 1);
}

static void add_forward(const struct network_rt *n, const struct guest_config *g,
			const struct forward *f, json_t *list)
{
	char addr[IP4_STRLEN], to[IP4_STRLEN];
	size_t ports = forward_ports(f);

	json_array_append_new(
		list,
		json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:o, s:s}", "network", n->name, "guest",
			  g->name, "protocol", forward_proto_name(f->proto), "address",
			  forward_any(f) ? json_null() : json_string(ip4_format(f->addr, addr)),
			  "ports", ports_json(f->first, ports), "to", ip4_format(g->ipv4, to),
			  "to_ports", ports_json(f->to, ports), "state",
			  n->stopped || !n->ifindex ? "stopped" : "running"));
}

json_t *view_forwards(const struct network_rt *n, const char *guest)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->config->n_guests; i++) {
		const struct guest_config *g = &n->config->guests[i];

		for (size_t k = 0; k < g->n_forwards && (!guest || strcmp(guest, g->name) == 0);
		     k++)
			add_forward(n, g, &g->forwards[k], list);
	}
	return list;
}

int view_forward_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n, *next;
	json_t *list = json_array();

	(void)errs;
	HASH_ITER (hh, m->networks, n, next) {
		json_t *some = view_forwards(n, NULL);

		json_array_extend(list, some);
		json_decref(some);
	}
	*ret = json_pack("{s:o}", "forwards", list);
	return *ret ? 0 : -ENOMEM;
}
