/* SPDX-License-Identifier: GPL-2.0-or-later */
/* actual.c - looking things up in what the kernel has; see plan.h. Next on the walk: plan.c. */
#include "model/plan.h"

#include <assert.h>
#include <string.h>

static const char *const port_states[] = {
	[PORT_DISABLED] = "disabled", [PORT_LISTENING] = "listening",
	[PORT_LEARNING] = "learning", [PORT_FORWARDING] = "forwarding",
	[PORT_BLOCKING] = "blocking",
};
static_assert(ARRAY_SIZE(port_states) == PORT_STATE_COUNT, "a name for every port state");

const char *port_state_name(enum port_state s)
{
	/* The number is the kernel's: one from the future is no reason to stop. */
	return s < PORT_STATE_COUNT ? port_states[s] : "unknown";
}

void actual_done(struct actual *a)
{
	free(a->links);
	free(a->addrs);
	free(a->routes);
	free(a->port_vlans);
	free(a->fdb);
	*a = (struct actual){0};
}

const struct link_state *actual_link_by_name(const struct actual *a, const char *name)
{
	for (size_t i = 0; i < a->n_links; i++)
		if (strcmp(a->links[i].name, name) == 0)
			return &a->links[i];
	return NULL;
}

const struct link_state *actual_link_by_index(const struct actual *a, int ifindex)
{
	for (size_t i = 0; i < a->n_links; i++)
		if (a->links[i].ifindex == ifindex)
			return &a->links[i];
	return NULL;
}

#define TABLE_MAIN 254

/* The interface of @r when it is a default route that leads out of the host, else NULL. */
static const struct link_state *uplink_of(const struct actual *a, const struct route_state *r)
{
	const struct link_state *l;

	if (r->dst.len != 0 || r->table != TABLE_MAIN || r->oif == 0)
		return NULL;
	l = actual_link_by_index(a, r->oif);
	if (!l || strncmp(l->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) == 0)
		return NULL;
	return l;
}

static bool listed(const char (*names)[IFNAMSIZ], size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* The unlisted uplink of the lowest metric, the first of equals; NULL when all are listed. */
static const struct link_state *next_uplink(const struct actual *a, const char (*names)[IFNAMSIZ],
					    size_t n)
{
	const struct link_state *best = NULL;
	uint32_t metric = 0;

	for (size_t i = 0; i < a->n_routes; i++) {
		const struct route_state *r = &a->routes[i];
		const struct link_state *l = uplink_of(a, r);

		if (!l || (best && r->metric >= metric) || listed(names, n, l->name))
			continue;
		best = l;
		metric = r->metric;
	}
	return best;
}

size_t actual_uplinks(const struct actual *a, char (*ret)[IFNAMSIZ], size_t max)
{
	const struct link_state *l;
	size_t n = 0;

	while (n < max && (l = next_uplink(a, (const char(*)[IFNAMSIZ])ret, n)))
		memcpy(ret[n++], l->name, IFNAMSIZ);
	return n;
}

void desired_done(struct desired *d)
{
	free(d->networks);
	free(d->taps);
	free(d->sysctls);
	free(d->sysctls_now);
	*d = (struct desired){0};
}

void plan_done(struct plan *p)
{
	free(p->steps);
	*p = (struct plan){0};
}
