/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subnet.c - which subnet a network with `subnet: auto` has: the one it had, else one that is free.
 *
 * A choice is made before the network is checked and kept in the state when it is saved, so that
 * its guests keep their addresses. Next on the walk: model/subnet.c chooses.
 */
#include <errno.h>
#include <string.h>

#include "daemon/manager.h"
#include "model/subnet.h"

static bool needs_subnet(const struct config_file *f)
{
	return f->network && f->network->subnet_auto && !network_has_ipv4(f->network);
}

/* What a network of that name has now. */
static bool keep_choice(struct manager *m, struct network_config *c)
{
	const struct network_rt *n = manager_network(m, c->name);

	if (!n || !n->config->subnet_auto || !network_has_ipv4(n->config))
		return false;
	network_config_settle(c, &n->config->subnet);
	return true;
}

/**
 * struct taken - subnets that are not free: the host's addresses and routes, and those of all
 * networks, stopped ones too
 * @v:	owned, room for one more for each network that still needs one
 */
struct taken {
	struct ip4_prefix *v;
	size_t n;
};

static int collect(struct manager *m, const struct config_set *set, struct taken *ret,
		   struct err_list *errs)
{
	struct taken t = {0};
	struct actual a = {0};
	struct err e = {0};
	int r = rtnl_snapshot(m->rtnl, &a, &e);

	if (r < 0) {
		err_list_push(errs, &e);
		return r;
	}
	t.v = calloc(a.n_addrs + a.n_routes + HASH_COUNT(m->networks) + 2 * set->n + 1,
		     sizeof(*t.v));
	for (size_t i = 0; t.v && i < a.n_addrs; i++)
		t.v[t.n++] = a.addrs[i].prefix;
	for (size_t i = 0; t.v && i < a.n_routes; i++)
		t.v[t.n++] = a.routes[i].dst;
	actual_done(&a);
	if (!t.v)
		return -ENOMEM;
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		t.v[t.n++] = n->config->subnet;
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network)
			t.v[t.n++] = set->files[i].network->subnet;
	*ret = t;
	return 0;
}

static int choose(const struct config_file *f, struct taken *t, struct err_list *errs)
{
	char where[LOCATION_STRLEN];
	struct ip4_prefix p;

	if (subnet_pick(t->v, t->n, &p) < 0)
		return err_add(
			errs, -EINVAL, "no-subnet",
			location_format(f->path, f->network->subnet_at, where, sizeof(where)),
			"no private subnet is free: the host's routes and the networks "
			"cover all of them; write the one to be used instead of `auto`");
	network_config_settle(f->network, &p);
	t->v[t->n++] = p;
	return 0;
}

static int settle4(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	struct taken taken = {0};
	bool more = false;
	int r = 0;

	for (size_t i = 0; i < set->n; i++)
		if (needs_subnet(&set->files[i]) && !keep_choice(m, set->files[i].network))
			more = true;
	if (!more)
		return 0;
	r = collect(m, set, &taken, errs);
	for (size_t i = 0; r == 0 && i < set->n; i++)
		if (needs_subnet(&set->files[i]))
			r = choose(&set->files[i], &taken, errs);
	free(taken.v);
	return r;
}

int subnet_settle(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	int r = settle4(m, set, errs);

	return r < 0 ? r : subnet6_settle(m, set, errs);
}

static int settle_stored4(struct manager *m, struct network_config *c, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	struct ip4_prefix p;
	int r;

	if (!c->subnet_auto)
		return 0;
	r = state_subnet_get(m->state, c->name, &text, e);
	if (r < 0)
		return r;
	/* A state that lost it: whatever is free, as at first. */
	if (!text || ip4_prefix_parse(text, &p) < 0 || p.len < 8 || p.len > 30)
		return settle4(m,
			       &(struct config_set){&(struct config_file){(char *)"state", c}, 1},
			       &m->config_errors);
	network_config_settle(c, &p);
	return 0;
}

int subnet_settle_stored(struct manager *m, struct network_config *c, struct err *e)
{
	int r = settle_stored4(m, c, e);

	return r < 0 ? r : subnet6_settle_stored(m, c, e);
}
