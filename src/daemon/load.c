/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.c - from the files and the state to the manager's networks.
 *
 * At start a network whose file has become bad, or clashes with another, goes on as it was last
 * applied; the mistakes are kept for `status`. Requests (service.c) are stricter: they refuse. What
 * was accepted once and clashes with the host since (a new VPN's route, say) is told, and is no
 * reason to refuse anything else.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/files.h"
#include "daemon/manager.h"

/* ---- checking against the host ---- */

/* struct routes - those of the host that networks may not overlap; @v and @v6 are owned. */
struct routes {
	struct host_route *v;
	size_t n;
	struct host_route6 *v6;
	size_t n6;
};

static void routes_done(struct routes *r)
{
	free(r->v);
	free(r->v6);
}

/* The name of interface @oif in @ret, of IFNAMSIZ; false when it is a bridge of ours. */
static bool route_ifname(const struct actual *a, int oif, char *ret)
{
	const struct link_state *link = actual_link_by_index(a, oif);

	snprintf(ret, IFNAMSIZ, "%s", link ? link->name : "?");
	return !link || strncmp(link->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) != 0;
}

static int take_routes6(const struct actual *a, struct routes *ret)
{
	ret->v6 = calloc(a->n_routes6 + 1, sizeof(*ret->v6));
	if (!ret->v6)
		return -ENOMEM;
	for (size_t i = 0; i < a->n_routes6; i++) {
		const struct route6_state *r = &a->routes6[i];
		struct host_route6 *to = &ret->v6[ret->n6];

		if (r->dst.len == 0 || ip6_is_linklocal(&r->dst.addr))
			continue;
		to->dst = r->dst;
		ret->n6 += route_ifname(a, r->oif, to->ifname);
	}
	return 0;
}

static bool has_ipv6(const struct manager *m, const struct config_set *set)
{
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		if (n->config->ipv6.on)
			return true;
	for (size_t i = 0; i < set->n; i++)
		if (set->files[i].network && set->files[i].network->ipv6.on)
			return true;
	return false;
}

/*
 * Not the default ones, and not those over our bridges. @set is what they will be compared with,
 * besides the manager's networks.
 */
static int routes_read(struct manager *m, const struct config_set *set, struct routes *ret,
		       struct err_list *errs)
{
	struct actual a = {0};
	struct routes list = {0};
	int r = rtnl_snapshot(m->rtnl, &a, NULL);

	if (r == 0 && has_ipv6(m, set))
		r = rtnl_snapshot_ipv6(m->rtnl, &a, NULL);
	if (r < 0)
		actual_done(&a);
	if (r < 0)
		return err_add(errs, r, "kernel", "routes", "cannot be read: %s", strerror(-r));
	list.v = calloc(a.n_routes + 1, sizeof(*list.v));
	for (size_t i = 0; list.v && i < a.n_routes; i++) {
		if (a.routes[i].dst.len == 0)
			continue;
		list.v[list.n].dst = a.routes[i].dst;
		list.n += route_ifname(&a, a.routes[i].oif, list.v[list.n].ifname);
	}
	r = list.v ? take_routes6(&a, &list) : -ENOMEM;
	actual_done(&a);
	if (r < 0)
		routes_done(&list);
	else
		*ret = list;
	return r;
}

static int validate(const struct config_set *set, const struct routes *routes,
		    struct err_list *errs)
{
	int r = config_set_validate(set, routes->v, routes->n, errs);
	int r6;

	if (r < 0 && r != -EINVAL)
		return r;
	r6 = config_set_validate_ipv6(set, routes->v6, routes->n6, errs);
	return r6 < 0 ? r6 : r;
}

static bool listed(const struct err_list *l, const struct err *e)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->items[i].where, e->where) == 0 &&
		    strcmp(l->items[i].message, e->message) == 0)
			return true;
	}
	return false;
}

/* struct mistakes - those of a set and of the one it is compared with; too large for the stack. */
struct mistakes {
	struct err_list before;
	struct err_list now;
};

/*
 * validate_new() - the mistakes of @set that @base does not have go to @errs; those that both have
 * to @old. Both may be NULL. Returns 0 when there are no new ones.
 */
static int validate_new(const struct config_set *base, const struct config_set *set,
			const struct routes *routes, struct err_list *old, struct err_list *errs)
{
	_cleanup_(freep) struct mistakes *found = calloc(1, sizeof(*found));
	int r = found ? validate(set, routes, &found->now) : -ENOMEM;

	if (r != -EINVAL)
		return r;
	r = validate(base, routes, &found->before);
	if (r < 0 && r != -EINVAL)
		return r;
	/* More than the lists hold: there is no telling which are new. */
	r = found->now.dropped > found->before.dropped ? -EINVAL : 0;
	for (size_t i = 0; i < found->now.n; i++) {
		bool known = listed(&found->before, &found->now.items[i]);

		err_list_push(known ? old : errs, &found->now.items[i]);
		r = known ? r : -EINVAL;
	}
	if (r < 0 && errs)
		errs->dropped += found->now.dropped;
	return r;
}

/*
 * overlay() - the manager's networks, with those of @files in place of their namesakes or added.
 * The paths and networks stay theirs; free() ret->files.
 */
static int overlay(struct manager *m, const struct config_set *files, struct config_set *ret)
{
	struct config_set set = {0};
	struct network_rt *n, *next;

	set.files = calloc(HASH_COUNT(m->networks) + files->n + 1, sizeof(*set.files));
	if (!set.files)
		return -ENOMEM;
	HASH_ITER (hh, m->networks, n, next) {
		bool replaced = false;

		for (size_t i = 0; i < files->n && !replaced; i++)
			replaced = files->files[i].network &&
				   strcmp(files->files[i].network->name, n->name) == 0;
		if (!replaced)
			set.files[set.n++] = (struct config_file){n->file, n->config};
	}
	for (size_t i = 0; i < files->n; i++) {
		if (files->files[i].network)
			set.files[set.n++] = files->files[i];
	}
	*ret = set;
	return 0;
}

/* check_more() - would the manager's networks and those of @files be valid together? */
static int check_more(struct manager *m, const struct config_set *files,
		      const struct routes *routes, struct err_list *errs)
{
	struct config_set now = {0}, then = {0};
	int r = overlay(m, &(struct config_set){0}, &now);

	if (r == 0)
		r = overlay(m, files, &then);
	if (r == 0)
		r = validate_new(&now, &then, routes, NULL, errs);
	free(now.files);
	free(then.files);
	return r;
}

/* Whether those that @file lists as peers are there, and list it too. */
static int check_peers_of(struct manager *m, const struct config_file *file, struct err_list *errs)
{
	struct config_file one = *file;
	struct config_set all = {0};
	int r = overlay(m, &(struct config_set){&one, 1}, &all);

	if (r == 0 && file->network->n_peers)
		r = config_set_validate_peers(&all, errs);
	free(all.files);
	return r;
}

int load_check_more(struct manager *m, const struct config_file *file, struct err_list *errs)
{
	struct config_file one = *file;
	struct routes routes = {0};
	int r = routes_read(m, &(struct config_set){&one, 1}, &routes, errs);

	if (r == 0)
		r = check_more(m, &(struct config_set){&one, 1}, &routes, errs);
	routes_done(&routes);
	if (r == 0)
		r = port_check_macs(m, &(struct config_set){&one, 1}, errs);
	return r < 0 ? r : check_peers_of(m, &one, errs);
}

int load_check_alone(struct manager *m, const struct network_rt *n, struct err_list *errs)
{
	struct config_file one = {.path = n->file, .network = n->config};
	struct routes routes = {0};
	int r = routes_read(m, &(struct config_set){0}, &routes, errs);

	if (r == 0)
		r = validate(&(struct config_set){&one, 1}, &routes, errs);
	routes_done(&routes);
	return r;
}

/* Guests that are plugged in keep their names, their taps and their MACs. */
static int check_plugged(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	int r = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;
		const struct guest_rt *g;

		if (c && manager_guest(m, c->name))
			r = err_add(errs, -EINVAL, "duplicate-name", set->files[i].path,
				    "network %s has the name of a guest that is plugged in; "
				    "choose another name",
				    c->name);
		else if (c && (g = manager_guest_by_tap(m, c->bridge)))
			r = err_add(errs, -EINVAL, "duplicate-name", set->files[i].path,
				    "bridge %s has the name of guest %s's tap; choose another "
				    "name with `bridge:`",
				    c->bridge, g->g.name);
	}
	return r < 0 ? r : port_check_macs(m, set, errs);
}

/* unchanged() - of @set what the manager has as it is; free() ret->files. */
static int unchanged(struct manager *m, const struct config_set *set, struct config_set *ret)
{
	struct config_set same = {.files = calloc(set->n + 1, sizeof(*same.files))};

	if (!same.files)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;
		const struct network_rt *n = c ? manager_network(m, c->name) : NULL;

		if (n && network_config_equal(n->config, c))
			same.files[same.n++] = set->files[i];
	}
	*ret = same;
	return 0;
}

/* All checks that need more than one file. @known, when not NULL, gets what is not new. */
static int check_set(struct manager *m, const struct config_set *set, struct err_list *known,
		     struct err_list *errs)
{
	struct config_set base = {0};
	struct routes routes = {0};
	int r = routes_read(m, set, &routes, errs);
	int v = check_plugged(m, set, errs), p;

	if (r == 0 && known)
		r = unchanged(m, set, &base);
	if (r == 0)
		r = known ? validate_new(&base, set, &routes, known, errs)
			  : validate(set, &routes, errs);
	free(base.files);
	routes_done(&routes);
	p = config_set_validate_peers(set, errs);
	v = v < 0 ? v : p;
	return r < 0 ? r : v;
}

int load_files(struct manager *m, bool strict, struct config_set *ret, struct err_list *errs)
{
	_cleanup_(freep) struct err_list *known = calloc(1, sizeof(*known));
	struct config_set set = {0};
	int r = known ? files_load(m->options->config_dir, &set, errs) : -ENOMEM;
	int v = 0;

	if (r == 0 || r == -EINVAL)
		v = subnet_settle(m, &set, errs);
	if (v == 0 && (r == 0 || r == -EINVAL))
		v = check_set(m, &set, strict ? NULL : known, errs);
	r = r ? r : v;
	/* `status` tells what the last look at the files has found, whoever looked. */
	if (known)
		m->config_errors = r == -EINVAL ? *errs : *known;
	if (r < 0) {
		config_set_done(&set);
		return r;
	}
	*ret = set;
	return 0;
}

void load_clashes(struct manager *m, struct err_list *errs)
{
	_cleanup_(freep) struct err_list *found = calloc(1, sizeof(*found));
	struct config_set set = {0};
	struct routes routes = {0};
	struct network_rt *n, *next;

	set.files = calloc(HASH_COUNT(m->networks) + 1, sizeof(*set.files));
	HASH_ITER (hh, m->networks, n, next) {
		if (set.files && !n->stopped)
			set.files[set.n++] = (struct config_file){n->file, n->config};
	}
	if (found && set.files && routes_read(m, &set, &routes, NULL) == 0 &&
	    validate(&set, &routes, found) == -EINVAL) {
		for (size_t i = 0; i < found->n; i++)
			if (strcmp(found->items[i].code, "overlap") == 0)
				err_list_push(errs, &found->items[i]);
	}
	free(set.files);
	routes_done(&routes);
}

static void mark_refused(struct manager *m, struct network_rt *n, const struct err *why)
{
	struct link_state link;

	if (!listed(&m->config_errors, why))
		err_list_push(&m->config_errors, why);
	/* A network that is up stays up; one that is not does not come. */
	if (rtnl_link_get(m->rtnl, n->config->bridge, 0, &link, NULL) == 0)
		return;
	n->problem = *why;
	snprintf(n->problem.code, sizeof(n->problem.code), "refused");
}

void load_mark_refused(struct manager *m)
{
	_cleanup_(freep) struct err_list *errs = calloc(1, sizeof(*errs));
	struct routes routes = {0};
	struct network_rt *n, *next;

	if (!errs || routes_read(m, &(struct config_set){0}, &routes, NULL) < 0)
		return;
	HASH_ITER (hh, m->networks, n, next) {
		struct config_file one = {.path = n->file, .network = n->config};

		if (strcmp(n->problem.code, "refused") == 0)
			n->problem = (struct err){0};
		errs->n = 0;
		if (!n->stopped && validate(&(struct config_set){&one, 1}, &routes, errs) < 0 &&
		    errs->n)
			mark_refused(m, n, &errs->items[0]);
	}
	routes_done(&routes);
}

/* ---- at start ---- */

static int on_state_network(const struct state_network *s, void *ctx)
{
	struct manager *m = ctx;
	struct network_config *config = NULL;
	int r;

	r = network_config_parse("state", s->config, strlen(s->config), &config, &m->config_errors);
	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		log_error("network %s: its last configuration in the state is not readable",
			  s->name);
		return 0;
	}
	r = subnet_settle_stored(m, config, NULL);
	if (r == 0)
		r = network_add(m, config, s->file, s->stopped, NULL);
	if (r < 0)
		network_config_free(config);
	return r;
}

static int on_state_guest(const struct state_guest *g, void *ctx)
{
	return guest_add(ctx, g, NULL);
}

static int on_state_sysctl(const struct sysctl_state *v, void *ctx)
{
	return sysctls_add(ctx, v);
}

/* Two hexadecimal numbers, as table.c writes them; anything else means that nothing is known. */
static void load_table(const char *text, uint64_t *ret_skeleton, uint64_t *ret_listing)
{
	unsigned long long skeleton, listing;
	char *end;

	errno = 0;
	skeleton = strtoull(text, &end, 16);
	if (end == text || *end != ' ')
		return;
	text = end + 1;
	listing = strtoull(text, &end, 16);
	if (end == text || *end || errno)
		return;
	*ret_skeleton = skeleton;
	*ret_listing = listing;
}

static int load_state(struct manager *m, struct err *e)
{
	_cleanup_(freep) char *firewall = NULL;
	int r = state_networks(m->state, on_state_network, m, e);

	if (r == 0)
		r = state_guests(m->state, on_state_guest, m, e);
	if (r == 0)
		r = state_sysctls(m->state, on_state_sysctl, m, e);
	if (r == 0)
		r = state_meta_get(m->state, "firewall", &firewall, e);
	if (r == 0 && firewall)
		load_table(firewall, &m->fw_skeleton, &m->fw_listing);
	return r;
}

/* Guests that lived with a VMM which ended while the daemon was away. */
static void drop_ended_guests(struct manager *m)
{
	struct guest_rt *g, *next;

	HASH_ITER (hh, m->guests, g, next) {
		struct err e = {0};

		if (g->g.kind == GUEST_RUN && !guest_has_tap(m, g) && guest_forget(m, g, &e) < 0)
			err_list_push(&m->config_errors, &e);
	}
}

/*
 * The file of @n, by its name alone: the directory may be called differently than when the
 * network was applied. A file with mistakes is there too, and so is one with a wrong name.
 */
static bool is_file_of(const char *path, const char *network)
{
	char wanted[NAME_MAX_LEN + sizeof("/.yaml")];
	const char *slash = strrchr(path, '/');

	snprintf(wanted, sizeof(wanted), "/%s.yaml", network);
	return slash && strcmp(slash, wanted) == 0;
}

static bool has_file(const struct config_set *set, const struct network_rt *n)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct config_file *f = &set->files[i];

		if (is_file_of(f->path, n->name) ||
		    (f->network && strcmp(f->network->name, n->name) == 0))
			return true;
	}
	return false;
}

/* Networks whose file is gone go too, unless guests are still plugged in; `status` says so. */
static void drop_deleted(struct manager *m, const struct config_set *set)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		struct err e = {0};

		if (has_file(set, n) || network_guest_count(m, n->name))
			continue;
		log_notice("network %s: its file is gone; so is the network", n->name);
		if (network_remove(m, n, &e) < 0)
			err_list_push(&m->config_errors, &e);
	}
}

/*
 * accept_file() - take a file's network over into the manager. A state that cannot be written does
 * not matter much: the next start finds the file again.
 */
static int accept_file(struct manager *m, struct config_file *file)
{
	struct network_rt *n = manager_network(m, file->network->name);
	bool same = n && network_config_equal(n->config, file->network) &&
		    strcmp(n->file, file->path) == 0;
	struct err e = {0};
	int r;

	/* Also when nothing changed: with the places in the file, for messages. */
	r = n ? network_replace_config(m, n, file->network, file->path)
	      : network_add(m, file->network, file->path, false, &n);
	if (r < 0)
		return r;
	file->network = NULL;
	if (!same && network_save(m, n, &e) < 0)
		err_list_push(&m->config_errors, &e);
	return 0;
}

/* All that are left in @set, each on its own; *ret_n: how many were accepted. */
static int accept_each(struct manager *m, struct config_set *set, const struct routes *routes,
		       size_t *ret_n)
{
	size_t count = 0;
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		if (!set->files[i].network ||
		    check_more(m, &(struct config_set){&set->files[i], 1}, routes, NULL) < 0)
			continue;
		r = accept_file(m, &set->files[i]);
		count++;
	}
	*ret_n = count;
	return r;
}

static bool is_unchanged(struct manager *m, const struct config_file *f)
{
	const struct network_rt *n = manager_network(m, f->network->name);

	return n && network_config_equal(n->config, f->network) && is_file_of(f->path, n->name);
}

/*
 * accept_files() - those that are valid together; where all are, in one go: networks may have
 * exchanged their subnets. Else one by one, again as long as that makes room for more.
 */
static int accept_files(struct manager *m, struct config_set *set, const struct routes *routes)
{
	bool all = check_more(m, set, routes, NULL) == 0;
	size_t count = 1;
	int r = 0;

	for (size_t i = 0; i < set->n && r == 0; i++) {
		if (set->files[i].network && (all || is_unchanged(m, &set->files[i])))
			r = accept_file(m, &set->files[i]);
	}
	while (r == 0 && count && !all)
		r = accept_each(m, set, routes, &count);
	for (size_t i = 0; i < set->n && r == 0; i++) {
		if (set->files[i].network && check_more(m, &(struct config_set){&set->files[i], 1},
							routes, &m->config_errors) == -ENOMEM)
			r = -ENOMEM;
	}
	return r;
}

static int accept_all(struct manager *m, struct config_set *set)
{
	struct routes routes = {0};
	int r = routes_read(m, set, &routes, &m->config_errors);
	struct err e = {0};
	bool one_write;

	if (r < 0)
		return r;
	/* One wait for the disk instead of one for each network. */
	one_write = state_begin(m->state, NULL) == 0;
	r = accept_files(m, set, &routes);
	if (one_write && state_end(m->state, 0, &e) < 0)
		err_list_push(&m->config_errors, &e);
	routes_done(&routes);
	return r;
}

/* What finds no subnet is left out, as a file with mistakes is. */
static void settle_files(struct manager *m, const struct config_set *set)
{
	if (subnet_settle(m, set, &m->config_errors) == 0)
		return;
	for (size_t i = 0; i < set->n; i++) {
		struct network_config *c = set->files[i].network;

		if (!c || ((!c->subnet_auto || network_has_ipv4(c)) &&
			   (!c->ipv6.subnet_auto || c->ipv6.subnet.len)))
			continue;
		network_config_free(c);
		set->files[i].network = NULL;
	}
}

int load_start(struct manager *m, struct err *e)
{
	struct config_set set = {0};
	int r = load_state(m, e);

	if (r < 0)
		return r;
	drop_ended_guests(m);
	r = files_load(m->options->config_dir, &set, &m->config_errors);
	if (r == 0 || r == -EINVAL) {
		drop_deleted(m, &set);
		settle_files(m, &set);
		/* Told; between networks that do not both want it nothing is opened. */
		if (config_set_validate_peers(&set, &m->config_errors) < 0)
			log_error("some networks are not peers of each other, as only one says so");
		r = accept_all(m, &set);
	} else {
		err_set(e, r, "file", m->options->config_dir,
			"the configuration cannot be read: %s", strerror(-r));
	}
	config_set_done(&set);
	if (r < 0)
		return r;
	load_mark_refused(m);
	manager_log_errors(&m->config_errors);
	return 0;
}
