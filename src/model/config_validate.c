/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_validate.c - the mistakes that show only when all files and the host's routes are looked
 * at together; see config.h. What shows within one file is config_parse.c's.
 */
#include "model/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "model/claim.h"
#include "model/forward_check.h"

void config_set_done(struct config_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		free(set->files[i].path);
		network_config_free(set->files[i].network);
	}
	free(set->files);
	*set = (struct config_set){0};
}

/* ---- names, interfaces, MACs, addresses ---- */

static bool file_name_matches(const struct config_file *f)
{
	const char *slash = strrchr(f->path, '/');
	char name[NAME_MAX_LEN + sizeof(".yaml")];

	snprintf(name, sizeof(name), "%s.yaml", f->network->name);
	return strcmp(slash ? slash + 1 : f->path, name) == 0;
}

static void claim_file(struct claims *c, const struct config_file *f, size_t index)
{
	const struct network_config *n = f->network;
	struct claim item = {
		.kind = CLAIM_NETWORK,
		.scope = index,
		.rank = !file_name_matches(f), /* the file that is named so has the better right */
		.network = n->name,
		.file = f->path,
		.at = n->name_at,
	};

	strcpy(item.key, n->name);
	claims_add(c, &item);
	item.rank = 0;
	item.kind = CLAIM_IFNAME;
	strcpy(item.key, n->bridge);
	claims_add(c, &item);
	for (size_t i = 0; i < n->n_guests; i++) {
		const struct guest_places at = {n->guests[i].at, n->guests[i].at, n->guests[i].at};

		claims_add_guest(c, &item, &n->guests[i], &at);
	}
}

/* Returns the number of mistakes or -ENOMEM. */
static int check_claims(const struct config_set *set, struct err_list *errs)
{
	_cleanup_(claims_done) struct claims claims = {0};

	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network)
			claim_file(&claims, &set->files[i], i);
	return claims_check(&claims, errs);
}

/* The name of @f is also that of another file, one that is named after it. */
static bool named_elsewhere(const struct config_set *set, const struct config_file *f)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct config_file *other = &set->files[i];

		if (other != f && other->network &&
		    strcmp(other->network->name, f->network->name) == 0 && file_name_matches(other))
			return true;
	}
	return false;
}

/* A copied file is told once: as a second network of that name, not for its own name too. */
static int check_file_names(const struct config_set *set, struct err_list *errs)
{
	char where[LOCATION_STRLEN];
	int mistakes = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct config_file *f = &set->files[i];

		if (!f->network || file_name_matches(f) || named_elsewhere(set, f))
			continue;
		err_add(errs, -EINVAL, "file-name",
			location_format(f->path, f->network->name_at, where, sizeof(where)),
			"network \"%s\" must be in a file called %s.yaml; rename one of the two",
			f->network->name, f->network->name);
		mistakes++;
	}
	return mistakes;
}

/* ---- subnets ---- */

/* struct subnet - one network's subnet with its file, for sorting. */
struct subnet {
	const struct config_file *file;
	uint32_t first;
	uint32_t last;
};

static int subnet_cmp(const void *a, const void *b)
{
	const struct subnet *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	if (x->last != y->last)
		return x->last > y->last ? -1 : 1;
	return strcmp(x->file->path, y->file->path);
}

static size_t collect_subnets(const struct config_set *set, struct subnet *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;

		if (c && network_has_ipv4(c))
			ret[n++] = (struct subnet){&set->files[i], ip4_host(c->subnet.addr),
						   ip4_host(ip4_broadcast(&c->subnet))};
	}
	qsort(ret, n, sizeof(*ret), subnet_cmp);
	return n;
}

static void report_overlap(const struct config_file *f, const struct config_file *other,
			   struct err_list *errs)
{
	char where[LOCATION_STRLEN], place[LOCATION_STRLEN];
	char a[IP4_PREFIX_STRLEN], b[IP4_PREFIX_STRLEN];

	err_add(errs, -EINVAL, "overlap",
		location_format(f->path, f->network->subnet_at, where, sizeof(where)),
		"subnet %s overlaps with %s of network \"%s\" (%s); choose another subnet",
		ip4_prefix_format(&f->network->subnet, a),
		ip4_prefix_format(&other->network->subnet, b), other->network->name,
		location_format(other->path, other->network->subnet_at, place, sizeof(place)));
}

/*
 * Prefixes are nested or apart, so with the wider first each overlaps with the widest one that is
 * still open, or with none.
 */
static int check_subnets(const struct subnet *s, size_t n, struct err_list *errs)
{
	const struct subnet *open = NULL;
	int mistakes = 0;

	for (size_t i = 0; i < n; i++) {
		if (!open || s[i].first > open->last) {
			open = &s[i];
			continue;
		}
		report_overlap(s[i].file, open->file, errs);
		mistakes++;
	}
	return mistakes;
}

/* ---- routes ---- */

static bool is_own_bridge(const struct config_set *set, const char *ifname)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network && strcmp(set->files[i].network->bridge, ifname) == 0)
			return true;
	return false;
}

/*
 * Default routes overlap with everything and mean nothing; so do the halves of one (0.0.0.0/1 and
 * 128.0.0.0/1) with which VPN clients cover it.
 */
static bool is_default_route(const struct host_route *r)
{
	return r->dst.len <= 1;
}

static const struct host_route *find_route(const struct config_set *set,
					   const struct network_config *n,
					   const struct host_route *routes, size_t n_routes)
{
	for (size_t i = 0; i < n_routes; i++)
		if (ip4_overlap(&n->subnet, &routes[i].dst) && !is_default_route(&routes[i]) &&
		    !is_own_bridge(set, routes[i].ifname))
			return &routes[i];
	return NULL;
}

static int check_routes(const struct config_set *set, const struct host_route *routes,
			size_t n_routes, struct err_list *errs)
{
	char where[LOCATION_STRLEN], a[IP4_PREFIX_STRLEN], b[IP4_PREFIX_STRLEN];
	int mistakes = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct config_file *f = &set->files[i];
		const struct host_route *r;

		if (!f->network || !network_has_ipv4(f->network))
			continue;
		r = find_route(set, f->network, routes, n_routes);
		if (!r)
			continue;
		err_add(errs, -EINVAL, "overlap",
			location_format(f->path, f->network->subnet_at, where, sizeof(where)),
			"subnet %s overlaps with the host's route to %s over %s; choose another "
			"subnet",
			ip4_prefix_format(&f->network->subnet, a), ip4_prefix_format(&r->dst, b),
			r->ifname[0] ? r->ifname : "several interfaces");
		mistakes++;
	}
	return mistakes;
}

static int check_overlaps(const struct config_set *set, const struct host_route *routes,
			  size_t n_routes, struct err_list *errs)
{
	struct subnet *subnets = calloc(set->n + 1, sizeof(*subnets));
	int mistakes;

	if (!subnets)
		return -ENOMEM;
	mistakes = check_subnets(subnets, collect_subnets(set, subnets), errs);
	free(subnets);
	return mistakes + check_routes(set, routes, n_routes, errs);
}

/* A guest must not look like another one to the outside, nor could replies be told from its own. */
static int check_source(const struct config_set *set, const struct config_file *f,
			struct err_list *errs)
{
	const struct network_config *c = f->network;
	char where[LOCATION_STRLEN], a[IP4_RANGE_STRLEN], b[IP4_PREFIX_STRLEN];

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *o = set->files[i].network;

		if (!o || !network_has_ipv4(o) ||
		    ip4_host(c->source_first) > ip4_host(ip4_broadcast(&o->subnet)) ||
		    ip4_host(c->source_last) < ip4_host(o->subnet.addr))
			continue;
		err_add(errs, -EINVAL, "bad-source",
			location_format(f->path, c->source_at, where, sizeof(where)),
			"`source`: %s lies in the subnet %s of network \"%s\", which is not seen "
			"from outside; expected addresses of this host",
			ip4_range_format(c->source_first, c->source_last, a),
			ip4_prefix_format(&o->subnet, b), o->name);
		return 1;
	}
	return 0;
}

static int check_sources(const struct config_set *set, struct err_list *errs)
{
	int mistakes = 0;

	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network && network_has_source(set->files[i].network))
			mistakes += check_source(set, &set->files[i], errs);
	return mistakes;
}

/* A NIC can be a port of one bridge only. */
static int check_uplinks(const struct config_set *set, struct err_list *errs)
{
	char where[LOCATION_STRLEN];
	int mistakes = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;

		if (!c || c->mode != NETWORK_BRIDGED || c->adopted)
			continue;
		for (size_t k = 0; k < i; k++) {
			const struct network_config *o = set->files[k].network;

			if (!o || o->mode != NETWORK_BRIDGED || o->adopted ||
			    strcmp(o->uplink, c->uplink) != 0)
				continue;
			err_add(errs, -EINVAL, "uplink-twice",
				location_format(set->files[i].path, c->name_at, where,
						sizeof(where)),
				"%s is the uplink of network \"%s\" already; plug the guests into "
				"that one",
				c->uplink, o->name);
			mistakes++;
			break;
		}
	}
	return mistakes;
}

/* ---- policies ---- */

/* All of them are one table, that is replaced in one transaction. */
static int check_policies(const struct config_set *set, struct err_list *errs)
{
	size_t rules = 0, members = 0;
	int mistakes = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_policy *p =
			set->files[i].network ? &set->files[i].network->policy : NULL;

		rules += p ? p->n_rules : 0;
		for (size_t k = 0; p && k < p->n_sets; k++)
			members += p->sets[k].n_members;
	}
	if (rules > POLICY_HOST_RULES_MAX) {
		err_add(errs, -EINVAL, "too-big", "",
			"`rules`: all networks together have more than %d rules; leave some out, "
			"or "
			"let one rule name a set or a prefix instead of many addresses",
			POLICY_HOST_RULES_MAX);
		mistakes++;
	}
	if (members > POLICY_HOST_MEMBERS_MAX) {
		err_add(errs, -EINVAL, "too-big", "",
			"`sets`: all networks together have more than %d members of sets; leave "
			"some out, or write prefixes instead of addresses",
			POLICY_HOST_MEMBERS_MAX);
		mistakes++;
	}
	return mistakes;
}

int config_set_validate(const struct config_set *set, const struct host_route *routes,
			size_t n_routes, struct err_list *errs)
{
	int claims, names, overlaps, forwards;

	if (set->n > CONFIG_NETWORKS_MAX)
		return err_add(errs, -EINVAL, "too-big", "", "%zu networks; at most %d are taken",
			       set->n, CONFIG_NETWORKS_MAX);
	claims = check_claims(set, errs);
	if (claims < 0)
		return claims;
	names = check_file_names(set, errs);
	overlaps = check_overlaps(set, routes, n_routes, errs);
	if (overlaps < 0)
		return overlaps;
	forwards = forward_check_files(set, errs);
	if (forwards < 0)
		return forwards;
	return check_policies(set, errs) + check_uplinks(set, errs) + check_sources(set, errs) +
				       forwards ||
			       claims || names || overlaps
		       ? -EINVAL
		       : 0;
}

/* ---- peers ---- */

static const struct config_file *find_file(const struct config_set *set, const char *network)
{
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network && strcmp(set->files[i].network->name, network) == 0)
			return &set->files[i];
	return NULL;
}

static int check_peer(const struct config_set *set, const struct config_file *f, const char *peer,
		      struct err_list *errs)
{
	const struct config_file *other = find_file(set, peer);
	char where[LOCATION_STRLEN], place[LOCATION_STRLEN];

	if (other && network_has_peer(other->network, f->network->name))
		return 0;
	location_format(f->path, f->network->peers_at, where, sizeof(where));
	if (!other)
		return err_add(errs, -EINVAL, "no-peer", where,
			       "`peers`: there is no network \"%s\"; leave it out", peer);
	return err_add(errs, -EINVAL, "no-peer", where,
		       "`peers`: network \"%s\" does not list \"%s\" among its own `peers` (%s); "
		       "add it there, or leave this one out",
		       peer, f->network->name,
		       location_format(other->path, other->network->name_at, place, sizeof(place)));
}

int config_set_validate_peers(const struct config_set *set, struct err_list *errs)
{
	int r = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;

		for (size_t p = 0; c && p < c->n_peers; p++)
			if (check_peer(set, &set->files[i], c->peers[p], errs) < 0)
				r = -EINVAL;
	}
	return r;
}
