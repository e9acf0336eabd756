/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv.c - the resolvers the host itself asks, to be handed to guests by DHCP.
 *
 * A resolver on a loopback address is of no use to a guest: where resolv.conf names only
 * systemd-resolved's stub, its list of upstream servers is read instead.
 */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/log.h"
#include "daemon/manager.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED_UPSTREAM "/run/systemd/resolve/resolv.conf"

/* The IPv4 resolvers of @path that are not on loopback; resolv.conf(5). */
static size_t read_resolvers(const char *path, struct in_addr ret[RESOLVERS_MAX])
{
	char line[512], word[64];
	size_t n = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		return 0;
	while (n < RESOLVERS_MAX && fgets(line, sizeof(line), f)) {
		struct in_addr a;

		if (sscanf(line, " nameserver %63s", word) != 1 || ip4_parse(word, &a) < 0)
			continue;
		if (ip4_host(a) >> 24 != 127 && a.s_addr != INADDR_ANY)
			ret[n++] = a;
	}
	fclose(f);
	return n;
}

static const char *conf_path(const struct manager *m)
{
	return m->options->resolv_conf[0] ? m->options->resolv_conf : RESOLV_CONF;
}

void resolvers_load(struct manager *m)
{
	struct in_addr found[RESOLVERS_MAX] = {{0}};
	struct network_rt *n, *next;
	size_t count;

	count = read_resolvers(conf_path(m), found);
	if (count == 0 && !m->options->resolv_conf[0])
		count = read_resolvers(RESOLVED_UPSTREAM, found);
	if (count == m->n_resolvers && memcmp(found, m->resolvers, sizeof(found)) == 0)
		return;
	memcpy(m->resolvers, found, sizeof(found));
	m->n_resolvers = count;
	HASH_ITER (hh, m->networks, n, next)
		network_refresh_dhcp(m, n);
	log_info("guests are told of %zu resolver%s of this host", count, count == 1 ? "" : "s");
}

static int on_change(sd_event_source *s, const struct inotify_event *ev, void *ctx);

/* The directory of @path, since most programs replace the file rather than write into it. */
static int watch(struct manager *m, const char *path, sd_event_source **ret)
{
	char copy[PATH_MAX];
	int r;

	*ret = sd_event_source_disable_unref(*ret);
	snprintf(copy, sizeof(copy), "%s", path);
	r = sd_event_add_inotify(m->loop, ret, dirname(copy),
				 IN_CLOSE_WRITE | IN_MOVED_TO | IN_DELETE | IN_CREATE, on_change,
				 m);
	return r < 0 ? r : 0;
}

/* It is often a link to where a network manager writes, and what it points to may change. */
static int watch_targets(struct manager *m)
{
	char real[PATH_MAX];
	int r = 0;

	if (realpath(conf_path(m), real) && strcmp(real, conf_path(m)) != 0)
		r = watch(m, real, &m->resolv_watch[1]);
	if (r == 0 && !m->options->resolv_conf[0] && access(RESOLVED_UPSTREAM, F_OK) == 0)
		r = watch(m, RESOLVED_UPSTREAM, &m->resolv_watch[2]);
	return r;
}

static int on_change(sd_event_source *s, const struct inotify_event *ev, void *ctx)
{
	struct manager *m = ctx;

	(void)ev;
	if (s == m->resolv_watch[0] && watch_targets(m) < 0)
		log_warning("changes of the host's resolvers may not be noticed");
	resolvers_load(m);
	return 0;
}

int resolvers_watch(struct manager *m)
{
	int r = watch(m, conf_path(m), &m->resolv_watch[0]);

	return r < 0 ? r : watch_targets(m);
}
