/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * subnet6.c - which IPv6 prefix a network with `ipv6: { subnet: auto }` has: the one it had, else a
 * ULA of random bits (RFC 4193 3.2.1) that overlaps with nothing here. As subnet.c does for IPv4.
 */
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/manager.h"
#include "model/ipv6.h"

static bool needs_subnet(const struct config_file *f)
{
	return f->network && f->network->ipv6.subnet_auto && f->network->ipv6.subnet.len == 0;
}

/* What a network of that name has now. */
static bool keep_choice(struct manager *m, struct network_config *c)
{
	const struct network_rt *n = manager_network(m, c->name);

	if (!n || !n->config->ipv6.subnet_auto || n->config->ipv6.subnet.len == 0)
		return false;
	network_config_settle6(c, &n->config->ipv6.subnet);
	return true;
}

/* struct taken - as in subnet.c, of IPv6. */
struct taken {
	struct ip6_prefix *v;
	size_t n;
};

static int collect(struct manager *m, const struct config_set *set, struct taken *ret,
		   struct err_list *errs)
{
	struct taken t = {0};
	struct actual a = {0};
	struct err e = {0};
	int r = rtnl_snapshot_ipv6(m->rtnl, &a, &e);

	if (r < 0) {
		err_list_push(errs, &e);
		return r;
	}
	t.v = calloc(a.n_addrs6 + a.n_routes6 + HASH_COUNT(m->networks) + 2 * set->n + 1,
		     sizeof(*t.v));
	for (size_t i = 0; t.v && i < a.n_addrs6; i++)
		t.v[t.n++] = a.addrs6[i].prefix;
	for (size_t i = 0; t.v && i < a.n_routes6; i++)
		t.v[t.n++] = a.routes6[i].dst;
	actual_done(&a);
	if (!t.v)
		return -ENOMEM;
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		t.v[t.n++] = n->config->ipv6.subnet;
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network)
			t.v[t.n++] = set->files[i].network->ipv6.subnet;
	*ret = t;
	return 0;
}

#define TRIES 1000

/* Of 2^40, one in the first try; but somebody may route fd00::/8 to a VPN. */
static int choose(const struct config_file *f, struct taken *t, struct err_list *errs)
{
	char where[LOCATION_STRLEN];

	for (unsigned int i = 0; i < TRIES; i++) {
		uint8_t id[ULA_GLOBAL_ID_LEN];
		struct ip6_prefix p;

		if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
			continue;
		p = ula_subnet(id);
		if (ip6_is_taken(t->v, t->n, &p))
			continue;
		network_config_settle6(f->network, &p);
		t->v[t->n++] = p;
		return 0;
	}
	return err_add(errs, -EINVAL, "no-subnet",
		       location_format(f->path, f->network->ipv6.at, where, sizeof(where)),
		       "no local prefix (fd00::/8) is free: the host's routes cover all of them; "
		       "write the IPv6 subnet to be used instead of `auto`");
}

int subnet6_settle(struct manager *m, const struct config_set *set, struct err_list *errs)
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

int subnet6_settle_stored(struct manager *m, struct network_config *c, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	struct ip6_prefix p;
	int r;

	if (!c->ipv6.subnet_auto)
		return 0;
	r = state_subnet6_get(m->state, c->name, &text, e);
	if (r < 0)
		return r;
	/* A state that lost it: another, as at first. */
	if (!text || ip6_prefix_parse(text, &p) < 0 || p.len != IPV6_PREFIX_LEN)
		return subnet6_settle(
			m, &(struct config_set){&(struct config_file){(char *)"state", c}, 1},
			&m->config_errors);
	network_config_settle6(c, &p);
	return 0;
}
