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
	free(a->addrs6);
	free(a->routes6);
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

/* struct way - of a route what makes an uplink, in both families. */
struct way {
	uint8_t len;
	int oif;
	uint32_t table;
	uint32_t metric;
};

/* The @i-th route of @a; false past the last. */
typedef bool (*way_fn)(const struct actual *a, size_t i, struct way *ret);

static bool way4(const struct actual *a, size_t i, struct way *ret)
{
	const struct route_state *r;

	if (i >= a->n_routes)
		return false;
	r = &a->routes[i];
	*ret = (struct way){r->dst.len, r->oif, r->table, r->metric};
	return true;
}

static bool way6(const struct actual *a, size_t i, struct way *ret)
{
	const struct route6_state *r;

	if (i >= a->n_routes6)
		return false;
	r = &a->routes6[i];
	*ret = (struct way){r->dst.len, r->oif, r->table, r->metric};
	return true;
}

/* The interface of @r when it is a default route that leads out of the host, else NULL. */
static const struct link_state *uplink_of(const struct actual *a, const struct way *r)
{
	const struct link_state *l;

	if (r->len != 0 || r->table != TABLE_MAIN || r->oif == 0)
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
static const struct link_state *next_uplink(const struct actual *a, way_fn way,
					    const char (*names)[IFNAMSIZ], size_t n)
{
	const struct link_state *best = NULL;
	uint32_t metric = 0;
	struct way r;

	for (size_t i = 0; way(a, i, &r); i++) {
		const struct link_state *l = uplink_of(a, &r);

		if (!l || (best && r.metric >= metric) || listed(names, n, l->name))
			continue;
		best = l;
		metric = r.metric;
	}
	return best;
}

static size_t uplinks(const struct actual *a, way_fn way, char (*ret)[IFNAMSIZ], size_t max)
{
	const struct link_state *l;
	size_t n = 0;

	while (n < max && (l = next_uplink(a, way, (const char(*)[IFNAMSIZ])ret, n)))
		memcpy(ret[n++], l->name, IFNAMSIZ);
	return n;
}

size_t actual_uplinks(const struct actual *a, char (*ret)[IFNAMSIZ], size_t max)
{
	return uplinks(a, way4, ret, max);
}

size_t actual_uplinks6(const struct actual *a, char (*ret)[IFNAMSIZ], size_t max)
{
	return uplinks(a, way6, ret, max);
}

size_t actual_first_addr6(const struct actual *a, int ifindex)
{
	size_t low = 0, high = a->n_addrs6;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (a->addrs6[mid].ifindex < ifindex)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
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
