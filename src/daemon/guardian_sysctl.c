/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guardian_sysctl.c - see guardian.h: the sysctls. Writes to their directories are heard of, whoever
 * makes them, but for those through another mount of /proc (kernel/sysctl_watch.h); so some are
 * read each second, too.
 */
#include "daemon/guardian_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/work.h"
#include "kernel/sysctl.h"

#define TICK_SYSCTLS 500 /* so many are read each time */
#define TICK_DIRS 250	 /* and so many directories looked at */

static int name_cmp(const void *a, const void *b)
{
	return strcmp(((const struct kept_sysctl *)a)->ifname,
		      ((const struct kept_sysctl *)b)->ifname);
}

void guardian_mark_conf(struct guardian *g, const char *name)
{
	struct kept_sysctl key = {0};

	snprintf(key.ifname, sizeof(key.ifname), "%s", name);
	if (g->n_kept && bsearch(&key, g->kept, g->n_kept, sizeof(*g->kept), name_cmp))
		guardian_mark(g, name, false, true);
}

/* ---- is it as it should be? ---- */

static bool is_right(struct kept_sysctl *k)
{
	char now[SYSCTL_VALUE_MAX];

	/* What is not there will be made, or is told of as a link. */
	k->wrong = sysctl_read(k->want.path, now) == 0 && strcmp(now, k->want.value) != 0;
	return !k->wrong;
}

bool guardian_sysctls_are_right(struct guardian *g, const char *ifname)
{
	bool right = true;

	for (size_t i = 0; i < g->n_kept; i++)
		if ((!ifname || strcmp(g->kept[i].ifname, ifname) == 0) && !is_right(&g->kept[i]))
			right = false;
	return right;
}

void guardian_sysctls_tick(struct guardian *g)
{
	size_t n = size_min(g->n_kept, TICK_SYSCTLS);

	sysctl_watch_check(g->sysctls, TICK_DIRS);
	for (size_t i = 0; i < n && !g->look; i++)
		if (!is_right(&g->kept[g->next_kept++ % g->n_kept]))
			guardian_look(g);
}

/* ---- hearing of it ---- */

/* "net/ipv4/conf/eth0": eth0; "all" and the like are nobody's. */
static void interface_of(const char *path, char ret[static IFNAMSIZ])
{
	ret[0] = '\0';
	if (sscanf(path, "net/ipv%*c/conf/%15[^/]", ret) == 1 &&
	    (strcmp(ret, "all") == 0 || strcmp(ret, "default") == 0))
		ret[0] = '\0';
}

static bool is_of_all(const char *dir)
{
	const char *last = strrchr(dir, '/');

	return !last || strcmp(last, "/all") == 0;
}

/* What is written for "all" may change each interface's own: disable_ipv6 does. */
static void on_written(const char *dir, void *ctx)
{
	struct guardian *g = ctx;
	char name[IFNAMSIZ];

	if (!g->on)
		return;
	if (!is_of_all(dir)) {
		interface_of(dir, name);
		guardian_mark_conf(g, name);
		return;
	}
	g->all_conf = true;
	guardian_mark_conf(g, "");
	if (!g->noticed_us)
		g->noticed_us = clock_boot_us();
	guardian_arm(g, GUARDIAN_SETTLE_US);
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *ctx)
{
	struct guardian *g = ctx;

	(void)s;
	(void)fd;
	(void)revents;
	sysctl_watch_read(g->sysctls);
	return 0;
}

static int watch_dir_of(struct guardian *g, const char *path)
{
	const char *last = strrchr(path, '/');
	char dir[SYSCTL_PATH_MAX];

	if (!last)
		return 0;
	snprintf(dir, sizeof(dir), "%.*s", (int)(last - path), path);
	return sysctl_watch_add(g->sysctls, dir);
}

static void watch_all(struct guardian *g)
{
	size_t failed;
	int r;

	sysctl_watch_begin(g->sysctls);
	r = sysctl_watch_add(g->sysctls, "net/ipv4/conf/all");
	if (r == 0)
		r = sysctl_watch_add(g->sysctls, "net/ipv6/conf/all");
	for (size_t i = 0; r == 0 && i < g->n_kept; i++)
		r = watch_dir_of(g, g->kept[i].want.path);
	failed = sysctl_watch_end(g->sysctls);
	if ((failed || r < 0) && !g->unwatched)
		log_warning(
			"sysctls of %zu directories that others change are noticed later, within "
			"seconds: the kernel gives no more watches; raise "
			"fs.inotify.max_user_watches",
			failed);
	g->unwatched = failed || r < 0;
}

void guardian_wants(struct manager *m, const struct desired *d, size_t n)
{
	struct guardian *g = m->guardian;
	struct kept_sysctl *kept;

	if (!g || m->options->no_guardian)
		return;
	kept = calloc(n + 1, sizeof(*kept));
	if (!kept)
		return; /* those of before are nearly right */
	for (size_t i = 0; i < n; i++) {
		kept[i].want = d->sysctls[i];
		interface_of(d->sysctls[i].path, kept[i].ifname);
	}
	qsort(kept, n, sizeof(*kept), name_cmp);
	free(g->kept);
	g->kept = kept;
	g->n_kept = n;
	watch_all(g);
}

/* ---- writing it back ---- */

/*
 * A bridge's of ours have no other value to be kept; for others, what was there before is in the
 * state already. The rest is reconcile()'s, which has the order of things.
 */
static bool is_simple(struct manager *m, const struct kept_sysctl *k)
{
	const struct network_rt *n = manager_network_by_bridge(m, k->ifname);

	if (!k->ifname[0])
		return false;
	if (n && n->config->mode != NETWORK_BRIDGED)
		return n->ifindex && !n->stopped && !n->problem.code[0];
	return sysctls_saved(m, k->want.path) != NULL;
}

void guardian_say(json_t *changes, const struct plan_step *s, const char *object)
{
	struct buf text = BUF_INIT(4096);

	plan_step_text(s, &text);
	json_array_append_new(changes, json_pack("{s:s, s:s, s:s}", "op", plan_step_op(s), "object",
						 object, "text", buf_str(&text)));
	buf_done(&text);
}

static void restore(const struct kept_sysctl *k, json_t *changes)
{
	struct plan_step s = {.kind = STEP_SYSCTL_SET, .sysctl = k->want};
	char now[SYSCTL_VALUE_MAX];

	if (sysctl_read(k->want.path, now) < 0 || strcmp(now, k->want.value) == 0 ||
	    sysctl_write(k->want.path, k->want.value, NULL) < 0)
		return;
	snprintf(s.replaces, sizeof(s.replaces), "%s", now);
	guardian_say(changes, &s, s.sysctl.path);
}

void guardian_sysctls_restore(struct guardian *g, json_t *changes)
{
	for (size_t i = 0; i < g->n_kept; i++) {
		if (g->kept[i].wrong && is_simple(g->m, &g->kept[i]))
			restore(&g->kept[i], changes);
		g->kept[i].wrong = false;
	}
}

/* ---- beginning and end ---- */

int guardian_sysctls_new(struct guardian *g)
{
	int fd = -1, r = sysctl_watch_new(on_written, g, &g->sysctls, &fd);

	if (r == 0)
		r = sd_event_add_io(g->m->loop, &g->sysctls_source, fd, EPOLLIN, on_io, g);
	return r < 0 ? r : 0;
}

void guardian_sysctls_done(struct guardian *g)
{
	sd_event_source_disable_unref(g->sysctls_source);
	sysctl_watch_free(g->sysctls);
	free(g->kept);
}
