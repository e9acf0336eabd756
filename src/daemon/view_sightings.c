/* SPDX-License-Identifier: GPL-2.0-or-later */
/* view_sightings.c - what was heard of guests' addresses, as JSON; docs/API.md has the shape. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/service.h"
#include "daemon/snoop_internal.h"

/* struct showing - @actual has its links by ifindex; @bridge, @network: of the last one, and likely of the next. */
struct showing {
	struct manager *m;
	struct actual actual;
	const struct link_state *bridge;
	const struct network_rt *network;
	json_t *list;
};

static int by_index(const void *a, const void *b)
{
	const struct link_state *x = a, *y = b;

	return x->ifindex < y->ifindex ? -1 : x->ifindex > y->ifindex;
}

static const struct link_state *link_of(const struct showing *s, int ifindex)
{
	const struct link_state key = {.ifindex = ifindex};

	return bsearch(&key, s->actual.links, s->actual.n_links, sizeof(key), by_index);
}

static json_t *name_of(const struct link_state *link)
{
	return link ? json_string(link->name) : json_null();
}

static void on_address(const struct seen_address *a, void *ctx)
{
	struct showing *s = ctx;
	const struct link_state *port = link_of(s, a->at.port);
	const struct link_state *twin = link_of(s, a->twin_port);
	const struct guest_rt *g = port ? manager_guest_by_tap(s->m, port->name) : NULL;
	char mac[MAC_STRLEN], text[IP6_STRLEN];

	if (!s->bridge || s->bridge->ifindex != a->at.bridge) {
		s->bridge = link_of(s, a->at.bridge);
		s->network = s->bridge ? manager_network_by_bridge(s->m, s->bridge->name) : NULL;
	}
	if (!s->bridge)
		return;
	json_array_append_new(
		s->list,
		json_pack("{s:o, s:o, s:s, s:o, s:o, s:s, s:s, s:s, s:I, s:b, s:b, s:o}", "network",
			  s->network ? json_string(s->network->name) : json_null(), "guest",
			  g ? json_string(g->g.name) : json_null(), "bridge", s->bridge->name,
			  "port", name_of(port), "vlan",
			  a->at.vlan ? json_integer(a->at.vlan) : json_null(), "mac",
			  mac_format(&a->mac, mac), "address",
			  snoop_address(a->family, a->addr, text), "source",
			  sighting_names[a->kind], "age_s", (json_int_t)(a->age_us / 1000000),
			  "stale", a->stale, "duplicate", a->duplicate, "also_at", name_of(twin)));
}

int view_sighting_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct showing s = {.m = m};
	struct err e = {0};
	int r = m->snoop ? rtnl_snapshot(m->rtnl, &s.actual, &e) : 0;

	if (r < 0) {
		err_list_push(errs, &e);
		return r;
	}
	s.list = json_array();
	if (s.actual.n_links)
		qsort(s.actual.links, s.actual.n_links, sizeof(*s.actual.links), by_index);
	if (m->snoop)
		sightings_each(m->snoop->table, clock_boot_us(), on_address, &s);
	actual_done(&s.actual);
	*ret = json_pack("{s:b, s:o, s:I, s:I}", "on", m->snoop != NULL, "sightings", s.list,
			 "heard", (json_int_t)(m->snoop ? m->snoop->heard : 0), "evicted",
			 (json_int_t)(m->snoop ? sightings_evicted(m->snoop->table) : 0));
	return *ret ? 0 : -ENOMEM;
}
