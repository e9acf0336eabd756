/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service_change.c - requests that change a network that is there: its whole file, or single keys
 * of it. The file and the state come first, then the kernel; when that refuses, all three are as
 * they were.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/log.h"
#include "daemon/bridged.h"
#include "daemon/events.h"
#include "daemon/files.h"
#include "daemon/forwards.h"
#include "daemon/reconcile.h"
#include "daemon/service.h"
#include "model/config_edit.h"

/**
 * struct change - one change under way
 * @path:	the network's file; @text, @len: what shall be in it; owned
 * @config:	what that means; owned until it is the network's
 * @rewritten:	@text is the canonical form: what else was in the file is lost
 * @old_text:	what was in the file, NULL when there was none; owned
 * @old:	the network's configuration before; owned while it is not the network's
 * @stopped:	whether it was
 */
struct change {
	char path[PATH_MAX];
	char *text;
	size_t len;
	struct network_config *config;
	bool rewritten;
	char *old_text;
	size_t old_len;
	struct network_config *old;
	bool stopped;
};

static void change_done(struct change *c)
{
	free(c->text);
	free(c->old_text);
	network_config_free(c->config);
	network_config_free(c->old);
}

/* ---- reading ---- */

/* @n's file; where that is gone, what it would be. */
static int read_text(struct manager *m, const struct network_rt *n, struct change *c,
		     struct err_list *errs)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	int r;

	files_path(m->options->config_dir, n->name, c->path, sizeof(c->path));
	if (access(c->path, F_OK) == 0)
		return files_read(c->path, &c->old_text, &c->old_len, errs);
	network_config_emit(n->config, &text);
	r = text.error;
	c->len = text.len;
	c->text = buf_steal(&text);
	return r;
}

int service_file_config(struct manager *m, const struct network_rt *n, struct network_config **ret,
			struct err_list *errs)
{
	struct change c = {0};
	int r = read_text(m, n, &c, errs);

	if (r == 0)
		r = network_config_parse(c.path, c.old_text ? c.old_text : c.text,
					 c.old_text ? c.old_len : c.len, ret, errs);
	change_done(&c);
	return r;
}

int service_network_config(void *ctx, const char *name, json_t **ret, struct err_list *errs)
{
	struct network_rt *n = manager_network(ctx, name);
	struct change c = {0};
	json_t *j;
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = read_text(ctx, n, &c, errs);
	j = r < 0 ? NULL
		  : json_pack("{s:s, s:s, s:s}", "name", n->name, "file", c.path, "config",
			      c.old_text ? c.old_text : c.text);
	if (r == 0 && !j)
		r = err_add(errs, -EINVAL, "file", c.path, "is not UTF-8 text");
	change_done(&c);
	if (r == 0)
		*ret = j;
	return r;
}

/* ---- checking ---- */

static int check(struct manager *m, const struct network_rt *n, struct change *c, bool force,
		 struct err_list *errs)
{
	const struct guest_rt *g = manager_guest_by_tap(m, c->config->bridge);
	struct config_file file = {c->path, c->config};
	int r;

	if (strcmp(c->config->name, n->name) != 0)
		return err_add(errs, -EINVAL, "bad-value", "network",
			       "network %s cannot become \"%s\": create that one, and delete this",
			       n->name, c->config->name);
	if (g)
		return err_add(errs, -EEXIST, "duplicate-name", "bridge",
			       "bridge %s has the name of guest %s's tap; choose another name",
			       c->config->bridge, g->g.name);
	r = subnet_settle(m, &(struct config_set){&file, 1}, errs);
	if (r == 0)
		r = load_check_more(m, &file, errs);
	if (r == 0 && !force)
		r = forwards_check_ports(m, &(struct config_set){&file, 1}, false, errs);
	return r;
}

/* ---- doing, and undoing ---- */

static int file_back(const struct change *c, struct err *e)
{
	return c->old_text ? files_replace(c->path, c->old_text, c->old_len, e)
			   : files_remove(c->path, e);
}

static void undo(struct manager *m, struct network_rt *n, struct change *c)
{
	struct network_config *failed = NULL;
	struct err e = {0};

	if (file_back(c, &e) < 0)
		log_error("%s could not be put back: %s", c->path, e.message);
	n->stopped = c->stopped;
	if (network_swap_config(m, n, c->old, c->path, &failed) < 0) {
		log_error(
			"network %s: out of memory; its old configuration comes back when vmlaned "
			"is started again",
			n->name);
		return;
	}
	c->old = failed;
	if (network_save(m, n, &e) < 0)
		log_error("network %s: its old configuration is not in the state: %s", n->name,
			  e.message);
	bridged_forget(m, n->name);
	if (reconcile(m, NULL, RECONCILE_ALL, NULL, NULL) < 0)
		log_error("network %s may not be as it was before it was changed; `vmlane diff` "
			  "shows it",
			  n->name);
}

/* The kernel did not take it; that others have their troubles is not this one's. */
static bool has_failed(const struct manager *m, const struct network_rt *n, int r)
{
	return r < 0 && (m->fw_failed || n->problem.code[0] || (!n->stopped && !n->ifindex));
}

static int carry_out(struct manager *m, struct network_rt *n, struct change *c,
		     const struct change_options *o, struct err_list *errs)
{
	struct err e = {0};
	int r = files_replace(c->path, c->text, c->len, &e);

	if (r == 0)
		r = network_store(m, c->config, c->path, n->stopped, &e);
	if (r == 0)
		r = network_swap_config(m, n, c->config, c->path, &c->old);
	if (r < 0) {
		service_push(errs, r, &e);
		if (file_back(c, &e) < 0 || network_save(m, n, &e) < 0)
			log_error("%s: %s", e.where, e.message);
		return r;
	}
	c->config = NULL;
	service_asked(m, o, n->name);
	r = reconcile(m, NULL, RECONCILE_ALL, NULL, errs);
	service_asked(m, NULL, NULL);
	if (!has_failed(m, n, r))
		return 0;
	undo(m, n, c);
	return r;
}

/* @c->text and @c->config are what was asked for; the rest is done here. */
static int change(struct manager *m, const struct peer *p, struct network_rt *n, struct change *c,
		  const struct change_options *o, json_t **ret, struct err_list *errs)
{
	int r = check(m, n, c, o->force, errs);

	c->stopped = n->stopped;
	if (r == 0)
		r = carry_out(m, n, c, o, errs);
	if (r < 0)
		return r;
	service_log(p, "network %s changed", n->name);
	events_emit(m, "network-changed", n->name, NULL, NULL, "network %s was changed", n->name);
	r = view_network_show(m, n->name, ret, errs);
	if (r == 0)
		json_object_set_new(*ret, "rewritten", json_boolean(c->rewritten));
	return r;
}

/* ---- the two requests ---- */

static int take_text(struct change *c, struct buf *text)
{
	int r = text->error;

	free(c->text);
	c->len = text->len;
	c->text = buf_steal(text);
	return r < 0 || c->text ? r : -ENOMEM;
}

int service_network_replace(void *ctx, const struct peer *p, const char *name, const char *text,
			    size_t len, const struct change_options *o, json_t **ret,
			    struct err_list *errs)
{
	struct network_rt *n = manager_network(ctx, name);
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	struct change c = {0};
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = read_text(ctx, n, &c, errs);
	if (r == 0)
		r = network_config_parse("request", text, len, &c.config, errs);
	if (r == 0) {
		c.rewritten = files_is_json(text, len);
		if (c.rewritten)
			network_config_emit(c.config, &out);
		else
			buf_append(&out, text, len);
		r = take_text(&c, &out);
	}
	if (r == 0)
		r = change(ctx, p, n, &c, o, ret, errs);
	buf_done(&out);
	change_done(&c);
	return r;
}

int service_network_change(void *ctx, const struct peer *p, const char *name, const char *text,
			   size_t len, const struct change_options *o, json_t **ret,
			   struct err_list *errs)
{
	struct network_rt *n = manager_network(ctx, name);
	struct buf out = BUF_INIT(CONFIG_FILE_MAX);
	struct change c = {0};
	bool kept = false;
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = read_text(ctx, n, &c, errs);
	if (r == 0)
		r = config_edit(c.path, c.old_text ? c.old_text : c.text,
				c.old_text ? c.old_len : c.len, text, len, &out, &kept, &c.config,
				errs);
	if (r == 0) {
		c.rewritten = !kept;
		r = take_text(&c, &out);
	}
	if (r == 0)
		r = change(ctx, p, n, &c, o, ret, errs);
	buf_done(&out);
	change_done(&c);
	return r;
}
