/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service_network.c - requests that change networks. Each writes its intention to the disk first,
 * then lets reconcile.c bring the kernel to it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/bridged.h"
#include "daemon/events.h"
#include "daemon/files.h"
#include "daemon/forwards.h"
#include "daemon/reconcile.h"
#include "daemon/service.h"
#include "kernel/rtnl.h"

struct service service_table(struct manager *m)
{
	return (struct service){
		.ctx = m,
		.status = view_status,
		.network_list = view_network_list,
		.network_show = view_network_show,
		.network_create = service_network_create,
		.network_config = service_network_config,
		.network_replace = service_network_replace,
		.network_change = service_network_change,
		.network_delete = service_network_delete,
		.network_start = service_network_start,
		.network_stop = service_network_stop,
		.check = service_check,
		.diff = service_diff,
		.apply = service_apply,
		.confirm = service_confirm,
		.guest_list = view_guest_list,
		.guest_show = view_guest_show,
		.guest_attach = service_guest_attach,
		.guest_open = service_guest_open,
		.guest_detach = service_guest_detach,
		.events = events_hello,
		.port_list = view_port_list,
		.mac_list = view_mac_list,
		.sighting_list = view_sighting_list,
		.forward_list = view_forward_list,
		.filter_list = view_filter_list,
		.filter_add = service_filter_add,
		.filter_delete = service_filter_delete,
		.lease_list = view_lease_list,
		.lease_release = service_lease_release,
	};
}

void service_log(const struct peer *p, const char *fmt, ...)
{
	char what[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	log_notice("%s, asked by pid %d uid %u gid %u", what, (int)p->pid, p->uid, p->gid);
}

int service_push(struct err_list *errs, int r, struct err *e)
{
	if (!e->code[0])
		err_set(e, r, r == -ENOMEM ? "memory" : "internal", "", "%s", strerror(-r));
	err_list_push(errs, e);
	return r;
}

int service_no_network(struct err_list *errs, const char *name)
{
	return err_add(errs, -ENOENT, "no-network", "",
		       "there is no network '%s'; `vmlane network "
		       "list` shows those there are",
		       name);
}

void service_asked(struct manager *m, const struct change_options *o, const char *network)
{
	m->ask = (struct change_ask){0};
	if (!o)
		return;
	m->ask.confirm_s = o->confirm_s;
	m->ask.force = o->force;
	m->ask.take_all = !network;
	if (network)
		snprintf(m->ask.take, sizeof(m->ask.take), "%s", network);
}

/* ---- create ---- */

/* @config as it would be checked in a file, beside all networks of today. */
static int validate_new(struct manager *m, struct network_config *config, struct err_list *errs)
{
	const struct guest_rt *g = manager_guest_by_tap(m, config->bridge);
	char path[PATH_MAX];

	if (manager_network(m, config->name))
		return err_add(errs, -EEXIST, "exists", "network",
			       "there is a network '%s' already; choose another name, or change "
			       "that one: vmlane network set %s KEY=VALUE, or import --replace",
			       config->name, config->name);
	if (manager_guest(m, config->name))
		return err_add(errs, -EEXIST, "duplicate-name", "network",
			       "a guest is called '%s'; choose another name", config->name);
	if (g)
		return err_add(errs, -EEXIST, "duplicate-name", "bridge",
			       "bridge %s has the name of guest %s's tap; choose another name",
			       config->bridge, g->g.name);
	files_path(m->options->config_dir, config->name, path, sizeof(path));
	if (access(path, F_OK) == 0)
		return err_add(errs, -EEXIST, "exists", path,
			       "is there already, though not in use; `vmlane apply` takes it into "
			       "use, or says what is wrong with it");
	return load_check_more(m, &(struct config_file){path, config}, errs);
}

/*
 * undo_create() - the disk or the kernel did not take the network: leave no trace of it. The file
 * first: without it, a row that stays in the state is dropped at the next start.
 */
static void undo_create(struct manager *m, struct network_rt *n)
{
	char name[NAME_MAX_LEN + 1];
	struct err e = {0};

	strcpy(name, n->name);
	if (files_remove(n->file, &e) < 0)
		log_error("%s: %s", e.where, e.message);
	if (network_remove(m, n, &e) < 0) {
		log_error("%s: %s", e.where, e.message);
		network_drop(m, n);
	}
	bridged_forget(m, name);
	if (reconcile(m, NULL, RECONCILE_ALL, NULL, NULL) < 0)
		log_error("some of a network that could not be created may be left; `vmlane diff` "
			  "shows it");
}

static int create(struct manager *m, struct network_config *config, const char *text, size_t len,
		  struct err_list *errs, struct network_rt **ret)
{
	struct network_rt *n = NULL;
	char path[PATH_MAX];
	struct err e = {0};
	int r;

	files_path(m->options->config_dir, config->name, path, sizeof(path));
	r = files_is_json(text, len) ? files_write(m->options->config_dir, config, &e)
				     : files_replace(path, text, len, &e);
	if (r < 0) {
		network_config_free(config);
		return service_push(errs, r, &e);
	}
	r = network_add(m, config, path, false, &n);
	if (r < 0) {
		network_config_free(config);
		if (files_remove(path, NULL) < 0)
			log_error("%s is left over", path);
		return service_push(errs, r, &e);
	}
	r = network_save(m, n, &e);
	if (r < 0)
		service_push(errs, r, &e);
	else
		r = reconcile(m, NULL, RECONCILE_ALL, NULL, errs);
	if (r < 0 && !m->fw_failed && n->problem.code[0] == '\0' && n->ifindex)
		r = 0; /* another network's trouble: this one is up */
	if (r < 0) {
		undo_create(m, n);
		return r;
	}
	*ret = n;
	return 0;
}

int service_network_create(void *ctx, const struct peer *p, const char *text, size_t len,
			   const struct change_options *o, json_t **ret, struct err_list *errs)
{
	struct network_config *config = NULL;
	struct network_rt *n = NULL;
	struct manager *m = ctx;
	int r = network_config_parse("request", text, len, &config, errs);

	if (r < 0)
		return r;
	r = subnet_settle(
		m, &(struct config_set){&(struct config_file){(char *)"request", config}, 1}, errs);
	if (r == 0)
		r = validate_new(m, config, errs);
	if (r == 0 && !o->force)
		r = forwards_check_ports(
			m,
			&(struct config_set){&(struct config_file){(char *)"request", config}, 1},
			true, errs);
	if (r < 0) {
		network_config_free(config);
		return r;
	}
	service_asked(m, o, config->name);
	r = create(m, config, text, len, errs, &n);
	service_asked(m, NULL, NULL);
	if (r < 0)
		return r;
	service_log(p, "network %s created", n->name);
	events_emit(m, "network-created", n->name, NULL, NULL, "network %s was created", n->name);
	return view_network_show(m, n->name, ret, errs);
}

/* ---- delete, start, stop ---- */

static int check_unused(struct manager *m, const char *name, const char *verb,
			struct err_list *errs)
{
	size_t count = network_guest_count(m, name);

	if (count == 0)
		return 0;
	return err_add(errs, -EBUSY, "in-use", "",
		       "%zu guest%s on network %s; detach %s first (vmlane guest list), or %s it "
		       "with --force",
		       count, count == 1 ? " is" : "s are", name, count == 1 ? "it" : "them", verb);
}

/* The file and the state, or neither: what cannot be written must not be half gone. */
static int delete_stored(struct manager *m, struct network_rt *n, struct err *e)
{
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s", n->file);
	r = files_set_aside(path, e);
	if (r < 0)
		return r;
	r = network_remove(m, n, e);
	if (r < 0)
		files_put_back(path);
	else
		files_drop_aside(path);
	return r;
}

/*
 * Another network whose interface's name is taken stays as it is, and what was asked for is done
 * all the same: `status` tells of that one.
 */
static int others_trouble(struct manager *m, const char *name, const char *bridge, int r)
{
	const struct network_rt *n = manager_network(m, name);
	struct link_state link;

	if (r != -EEXIST || (n && n->problem.code[0]))
		return r;
	if (n && !n->stopped)
		return n->ifindex ? 0 : r;
	return rtnl_link_get(m->rtnl, bridge, 0, &link, NULL) == -ENODEV ? 0 : r;
}

static int check_no_peer(struct manager *m, const char *name, struct err_list *errs)
{
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		if (network_has_peer(n->config, name))
			return err_add(
				errs, -EBUSY, "in-use", "",
				"network %s lists %s among its `peers`; take it out of %s and "
				"`vmlane apply` first, or delete it with --force",
				n->name, name, n->file);
	return 0;
}

int service_network_delete(void *ctx, const struct peer *p, const char *name, bool force,
			   json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = manager_network(m, name);
	char bridge[IFNAMSIZ];
	struct err e = {0};
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = force ? 0 : check_unused(m, name, "delete", errs);
	if (r == 0 && !force)
		r = check_no_peer(m, name, errs);
	if (r < 0)
		return r;
	strcpy(bridge, n->config->bridge);
	r = delete_stored(m, n, &e);
	if (r < 0)
		return service_push(errs, r, &e);
	bridged_forget(m, name);
	r = reconcile(m, NULL, RECONCILE_ALL, NULL, errs);
	r = others_trouble(m, name, bridge, r);
	if (r < 0)
		return r;
	service_log(p, "network %s deleted", name);
	events_emit(m, "network-deleted", name, NULL, NULL, "network %s was deleted", name);
	*ret = json_object();
	return *ret ? 0 : -ENOMEM;
}

static int set_stopped(struct manager *m, const struct peer *p, struct network_rt *n, bool stopped,
		       json_t **ret, struct err_list *errs)
{
	struct err e = {0};
	int r = network_store(m, n->config, n->file, stopped, &e);

	if (r < 0)
		return service_push(errs, r, &e);
	n->stopped = stopped;
	n->problem = (struct err){0};
	r = reconcile(m, NULL, RECONCILE_ALL, NULL, errs);
	r = others_trouble(m, n->name, n->config->bridge, r);
	if (r < 0)
		return r;
	service_log(p, "network %s %s", n->name, stopped ? "stopped" : "started");
	events_emit(m, stopped ? "network-stopped" : "network-started", n->name, NULL, NULL,
		    "network %s was %s", n->name, stopped ? "stopped" : "started");
	return view_network_show(m, n->name, ret, errs);
}

int service_network_start(void *ctx, const struct peer *p, const char *name,
			  const struct change_options *o, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = manager_network(m, name);
	int r;

	if (!n)
		return service_no_network(errs, name);
	/* A stopped or refused network may clash with what the host has got since. */
	r = n->ifindex ? 0 : load_check_alone(m, n, errs);
	if (r == 0 && !o->force)
		r = forwards_check_ports(
			m, &(struct config_set){&(struct config_file){n->file, n->config}, 1}, true,
			errs);
	if (r < 0)
		return r;
	bridged_forget(m, name);
	service_asked(m, o, name);
	r = set_stopped(m, p, n, false, ret, errs);
	service_asked(m, NULL, NULL);
	return r;
}

int service_network_stop(void *ctx, const struct peer *p, const char *name, bool force,
			 json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = manager_network(m, name);
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = force ? 0 : check_unused(m, name, "stop", errs);
	if (r < 0)
		return r;
	return set_stopped(m, p, n, true, ret, errs);
}

/* ---- check, diff, apply ---- */

int service_check(void *ctx, json_t **ret, struct err_list *errs)
{
	struct config_set set = {0};
	int r = load_files(ctx, true, &set, errs);

	if (r < 0)
		return r;
	*ret = json_pack("{s:I, s:I}", "files", (json_int_t)set.n, "networks", (json_int_t)set.n);
	config_set_done(&set);
	return *ret ? 0 : -ENOMEM;
}

static bool in_set(const struct config_set *set, const char *name)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->files[i].network->name, name) == 0)
			return true;
	}
	return false;
}

/* What the files ask for; configurations stay the set's. */
static int target_files(struct manager *m, const struct config_set *set, struct target *ret)
{
	struct target t = {0};

	t.networks = calloc(set->n + 1, sizeof(*t.networks));
	if (!t.networks)
		return -ENOMEM;
	for (size_t i = 0; i < set->n; i++) {
		const struct network_rt *n = manager_network(m, set->files[i].network->name);

		t.networks[t.n].config = set->files[i].network;
		t.networks[t.n++].run = !n || !n->stopped;
	}
	*ret = t;
	return 0;
}

/* Changes of a configuration show even where the kernel has nothing to do with them. */
static void say_config_changes(struct manager *m, const struct config_set *set, json_t *changes)
{
	struct network_rt *n, *next;

	for (size_t i = 0; i < set->n; i++) {
		const struct network_config *c = set->files[i].network;
		const char *op;

		n = manager_network(m, c->name);
		if (n && network_config_equal(n->config, c))
			continue;
		op = n ? "change" : "create";
		json_array_append_new(
			changes, json_pack("{s:s, s:s, s:o}", "op", op, "object", c->name, "text",
					   json_sprintf("%s network %s", n ? "~" : "+", c->name)));
	}
	HASH_ITER (hh, m->networks, n, next) {
		if (!in_set(set, n->name))
			json_array_append_new(changes,
					      json_pack("{s:s, s:s, s:o}", "op", "delete", "object",
							n->name, "text",
							json_sprintf("- network %s", n->name)));
	}
}

int service_diff(void *ctx, json_t **ret, struct err_list *errs)
{
	struct config_set set = {0};
	struct manager *m = ctx;
	json_t *changes = json_array();
	struct target t = {0};
	int r = load_files(m, false, &set, errs);

	if (r == 0)
		r = changes ? target_files(m, &set, &t) : -ENOMEM;
	if (r == 0) {
		say_config_changes(m, &set, changes);
		r = reconcile(m, &t, RECONCILE_DIFF, changes, errs);
	}
	target_done(&t);
	config_set_done(&set);
	if (r < 0) {
		json_decref(changes);
		return r;
	}
	*ret = json_pack("{s:o}", "changes", changes);
	return *ret ? 0 : -ENOMEM;
}

static int check_removals(struct manager *m, const struct config_set *set, struct err_list *errs)
{
	struct network_rt *n, *next;
	int r = 0;

	HASH_ITER (hh, m->networks, n, next) {
		if (in_set(set, n->name))
			continue;
		if (check_unused(m, n->name, "apply", errs) < 0)
			r = -EBUSY;
	}
	return r;
}

/* The files' networks to the state, whole or not at all; the state keeps who is stopped. */
static int store_files(struct manager *m, const struct config_set *set, struct err *e)
{
	struct network_rt *n, *next;
	int r = state_begin(m->state, e);

	if (r < 0)
		return r;
	HASH_ITER (hh, m->networks, n, next) {
		if (r == 0 && !in_set(set, n->name))
			r = network_unstore(m, n, e);
	}
	for (size_t i = 0; i < set->n && r == 0; i++) {
		const struct config_file *f = &set->files[i];

		n = manager_network(m, f->network->name);
		if (!n || !network_config_equal(n->config, f->network))
			r = network_store(m, f->network, f->path, n && n->stopped, e);
	}
	return state_end(m->state, r, e);
}

/*
 * take_over() - the files become the manager's networks, in state and memory. The state first:
 * that can fail for want of room, and then nothing has changed.
 */
static int take_over(struct manager *m, struct config_set *set, struct err *e)
{
	struct network_rt *n, *next;
	int r = store_files(m, set, e);

	if (r < 0)
		return r;
	HASH_ITER (hh, m->networks, n, next) {
		if (!in_set(set, n->name))
			network_drop(m, n);
	}
	for (size_t i = 0; i < set->n && r == 0; i++) {
		struct config_file *f = &set->files[i];

		n = manager_network(m, f->network->name);
		r = n ? network_replace_config(m, n, f->network, f->path)
		      : network_add(m, f->network, f->path, false, NULL);
		if (r == 0)
			f->network = NULL; /* it is the manager's now */
	}
	/* Who clashed with the host and does no longer may run now. */
	load_mark_refused(m);
	return r;
}

int service_apply(void *ctx, const struct peer *p, const struct change_options *o, json_t **ret,
		  struct err_list *errs)
{
	uint64_t writes = kernel_write_count();
	struct config_set set = {0};
	struct manager *m = ctx;
	json_t *changes = json_array();
	struct err e = {0};
	int r = load_files(m, false, &set, errs);

	if (r == 0 && !changes)
		r = -ENOMEM;
	if (r == 0 && !o->force)
		r = check_removals(m, &set, errs);
	if (r == 0 && !o->force)
		r = forwards_check_ports(m, &set, false, errs);
	if (r == 0) {
		say_config_changes(m, &set, changes);
		r = take_over(m, &set, &e);
		if (r < 0)
			service_push(errs, r, &e);
	}
	config_set_done(&set);
	service_asked(m, o, NULL);
	if (r == 0)
		r = reconcile(m, NULL, RECONCILE_ALL, changes, errs);
	service_asked(m, NULL, NULL);
	if (r < 0) {
		json_decref(changes);
		return r;
	}
	service_log(p, "configuration applied, %zu changes", json_array_size(changes));
	events_emit(m, "applied", NULL, NULL, json_pack("{s:O}", "changes", changes),
		    "the configuration was applied: %zu changes", json_array_size(changes));
	*ret = json_pack("{s:o, s:I}", "changes", changes, "kernel_writes",
			 (json_int_t)(kernel_write_count() - writes));
	return *ret ? 0 : -ENOMEM;
}

/* ---- leases ---- */

int service_lease_release(void *ctx, const struct peer *p, const char *network, const char *addr,
			  json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n = manager_network(m, network);
	struct err e = {0};
	struct in_addr a;
	int r;

	if (!n)
		return service_no_network(errs, network);
	if (ip4_parse(addr, &a) < 0)
		return err_add(errs, -EINVAL, "bad-address", "address",
			       "'%.40s' is not an IPv4 address", addr);
	if (!n->dhcp)
		return err_add(errs, -EBUSY, "not-running", "",
			       "network %s does not serve DHCP now; start it first", network);
	r = lease_server_release(n->dhcp, a, &e);
	if (r < 0)
		return service_push(errs, r, &e);
	service_log(p, "lease %s of network %s released", addr, network);
	events_emit(m, "lease-released", network, NULL, json_pack("{s:s}", "address", addr),
		    "the lease of %s was released", addr);
	*ret = json_object();
	return *ret ? 0 : -ENOMEM;
}
