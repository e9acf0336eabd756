/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * load.c - from the files and the state to the manager's networks.
 *
 * At start a network whose file has become bad, or clashes with another, goes on as it was last
 * applied; the mistakes are kept for `status`. Requests (service.c) are stricter: they refuse.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/files.h"
#include "daemon/manager.h"

/* ---- checking against the host ---- */

/* Routes that a network may not overlap: not the default ones, and not those over our bridges. */
static int host_routes(struct manager *m, struct host_route **ret, size_t *ret_n)
{
	struct actual a = {0};
	struct host_route *list;
	size_t n = 0;
	int r = rtnl_snapshot(m->rtnl, &a, NULL);

	if (r < 0)
		return r;
	list = calloc(a.n_routes + 1, sizeof(*list));
	for (size_t i = 0; list && i < a.n_routes; i++) {
		const struct link_state *link = actual_link_by_index(&a, a.routes[i].oif);

		if (a.routes[i].dst.len == 0)
			continue;
		if (link && strncmp(link->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) == 0)
			continue;
		list[n].dst = a.routes[i].dst;
		snprintf(list[n++].ifname, IFNAMSIZ, "%s", link ? link->name : "?");
	}
	actual_done(&a);
	if (!list)
		return -ENOMEM;
	*ret = list;
	*ret_n = n;
	return 0;
}

int load_validate(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	_cleanup_(freep) struct host_route *routes = NULL;
	size_t n = 0;
	int r = host_routes(m, &routes, &n);

	if (r < 0)
		return err_add(errs, r, "kernel", "routes", "cannot be read: %s", strerror(-r));
	return config_set_validate(set, routes, n, errs);
}

/* Guests that are plugged in must not be left without their network's name for themselves. */
static int check_guest_names(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	int r = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;

		if (c && manager_guest(m, c->name))
			r = err_add(errs, -EINVAL, "duplicate-name", set->files[i].path,
				    "network %s has the name of a guest that is plugged in; "
				    "choose another name",
				    c->name);
	}
	return r;
}

int load_files(struct manager *m, struct config_set *ret, struct err_list *errs)
{
	struct config_set set = {0};
	int r = files_load(m->options->config_dir, &set, errs);
	int v;

	if (r < 0 && r != -EINVAL)
		return r;
	v = load_validate(m, &set, errs);
	r = r ? r : v;
	v = check_guest_names(m, &set, errs);
	r = r ? r : v;
	if (r < 0) {
		config_set_done(&set);
		return r;
	}
	*ret = set;
	return 0;
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
	struct manager *m = ctx;
	struct sysctl_state *p = reallocarray(m->saved, m->n_saved + 1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	m->saved = p;
	m->saved[m->n_saved++] = *v;
	return 0;
}

static int load_state(struct manager *m, struct err *e)
{
	_cleanup_(freep) char *firewall = NULL;
	unsigned long long skeleton, listing;
	int r = state_networks(m->state, on_state_network, m, e);

	if (r == 0)
		r = state_guests(m->state, on_state_guest, m, e);
	if (r == 0)
		r = state_sysctls(m->state, on_state_sysctl, m, e);
	if (r == 0)
		r = state_meta_get(m->state, "firewall", &firewall, e);
	if (r == 0 && firewall && sscanf(firewall, "%llx %llx", &skeleton, &listing) == 2) {
		m->fw_skeleton = skeleton;
		m->fw_listing = listing;
	}
	return r;
}

/* Guests that lived with a VMM which ended while the daemon was away. */
static int drop_ended_guests(struct manager *m, struct err *e)
{
	struct guest_rt *g, *next;
	struct link_state link;
	int r;

	HASH_ITER (hh, m->guests, g, next) {
		if (g->g.kind != GUEST_RUN || rtnl_link_get(m->rtnl, g->g.tap, 0, &link, NULL) == 0)
			continue;
		r = guest_forget(m, g, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct config_file *file_find(const struct config_set *set, const char *path)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->files[i].path, path) == 0)
			return &set->files[i];
	}
	return NULL;
}

/* Networks whose file is gone go too, unless guests are still plugged in. */
static int drop_deleted(struct manager *m, const struct config_set *set, struct err *e)
{
	struct network_rt *n, *next;
	int r;

	HASH_ITER (hh, m->networks, n, next) {
		if (file_find(set, n->file))
			continue;
		if (network_guest_count(m, n->name)) {
			err_add(&m->config_errors, 0, "file", n->file,
				"is gone, and guests are still on network %s; it goes on. Put the "
				"file back, or `vmlane apply --force`",
				n->name);
			continue;
		}
		log_notice("network %s: its file is gone; so is the network", n->name);
		r = network_remove(m, n, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/**
 * try_set() - would the manager's networks, with @file's network in place of its namesake (or
 * added), be valid together? Appends the mistakes to the config errors when @keep_errors.
 */
static bool try_set(struct manager *m, const struct config_file *file, bool keep_errors)
{
	struct config_set set = {0};
	struct network_rt *n, *next;
	bool replaced = false;
	int r;

	set.files = calloc(HASH_COUNT(m->networks) + 1, sizeof(*set.files));
	if (!set.files)
		return false;
	HASH_ITER (hh, m->networks, n, next) {
		bool same = file->network && strcmp(n->name, file->network->name) == 0;

		replaced = replaced || same;
		set.files[set.n].path = same ? file->path : n->file;
		set.files[set.n++].network = same ? file->network : n->config;
	}
	if (file->network && !replaced)
		set.files[set.n++] = *file;
	r = load_validate(m, &set, keep_errors ? &m->config_errors : NULL);
	free(set.files);
	return r == 0;
}

/* accept() - take a file's network over into the manager, unless it clashes. */
static int accept_file(struct manager *m, struct config_file *file, struct err *e)
{
	struct network_rt *n = manager_network(m, file->network->name);
	int r;

	if (n && network_config_equal(n->config, file->network) && strcmp(n->file, file->path) == 0)
		return 0;
	if (!try_set(m, file, true))
		return 0;
	if (n)
		r = network_replace_config(n, file->network, file->path);
	else
		r = network_add(m, file->network, file->path, false, &n);
	if (r < 0)
		return r;
	file->network = NULL;
	return network_save(m, n, e);
}

/* What was valid when it was applied may clash with the host of today, a new VPN's route say. */
static void check_unchanged(struct manager *m)
{
	struct network_rt *n, *next;
	struct link_state link;

	if (try_set(m, &(struct config_file){0}, false))
		return;
	HASH_ITER (hh, m->networks, n, next) {
		struct config_file one = {.path = n->file, .network = n->config};
		struct err_list *errs = calloc(1, sizeof(*errs));

		if (errs && load_validate(m, &(struct config_set){&one, 1}, errs) < 0) {
			err_list_push(&m->config_errors, &errs->items[0]);
			n->problem = errs->items[0];
			/* A network that is up stays up; one that is not does not come. */
			if (rtnl_link_get(m->rtnl, n->config->bridge, 0, &link, NULL) < 0)
				snprintf(n->problem.code, sizeof(n->problem.code), "refused");
		}
		free(errs);
	}
}

int load_start(struct manager *m, struct err *e)
{
	struct config_set set = {0};
	int r = load_state(m, e);

	if (r == 0)
		r = drop_ended_guests(m, e);
	if (r < 0)
		return r;
	r = files_load(m->options->config_dir, &set, &m->config_errors);
	if (r < 0 && r != -EINVAL) {
		config_set_done(&set);
		return err_set(e, r, "file", m->options->config_dir,
			       "the configuration cannot be read: %s", strerror(-r));
	}
	r = drop_deleted(m, &set, e);
	for (size_t i = 0; i < set.n && r == 0; i++) {
		if (set.files[i].network)
			r = accept_file(m, &set.files[i], e);
	}
	config_set_done(&set);
	if (r < 0)
		return r;
	check_unchanged(m);
	manager_log_errors(&m->config_errors);
	return 0;
}
