/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv.c - the resolvers the host itself asks, to be handed to guests by DHCP and by router
 * advertisements.
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
#include "model/config_value.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLVED_UPSTREAM "/run/systemd/resolve/resolv.conf"

/* struct found - the resolvers in a file. */
struct found {
	struct in_addr v4[RESOLVERS_MAX];
	size_t n4;
	struct in6_addr v6[RESOLVERS_MAX];
	size_t n6;
};

/* A link-local one is nobody's but the host's: it does not even parse, with its zone. */
static void take_resolver(const char *word, struct found *f)
{
	struct ip6_prefix p = {.len = 128};
	struct in_addr a;

	if (ip4_parse(word, &a) == 0) {
		if (ip4_host(a) >> 24 != 127 && a.s_addr != INADDR_ANY && f->n4 < RESOLVERS_MAX)
			f->v4[f->n4++] = a;
	} else if (ip6_parse(word, &p.addr) == 0) {
		if (!ip6_unusable(&p) && f->n6 < RESOLVERS_MAX)
			f->v6[f->n6++] = p.addr;
	}
}

/* The resolvers of @path that guests can reach: not those on loopback; resolv.conf(5). */
static void read_resolvers(const char *path, struct found *ret)
{
	char line[512], word[64];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " nameserver %63s", word) == 1)
			take_resolver(word, ret);
	}
	if (f)
		fclose(f);
}

static const char *conf_path(const struct manager *m)
{
	return m->options->resolv_conf[0] ? m->options->resolv_conf : RESOLV_CONF;
}

void resolvers_load(struct manager *m)
{
	struct found found = {0};
	struct network_rt *n, *next;
	size_t count;

	read_resolvers(conf_path(m), &found);
	if (found.n4 + found.n6 == 0 && !m->options->resolv_conf[0])
		read_resolvers(RESOLVED_UPSTREAM, &found);
	if (found.n4 == m->n_resolvers && found.n6 == m->n_resolvers6 &&
	    memcmp(found.v4, m->resolvers, sizeof(found.v4)) == 0 &&
	    memcmp(found.v6, m->resolvers6, sizeof(found.v6)) == 0)
		return;
	memcpy(m->resolvers, found.v4, sizeof(found.v4));
	memcpy(m->resolvers6, found.v6, sizeof(found.v6));
	m->n_resolvers = found.n4;
	m->n_resolvers6 = found.n6;
	count = found.n4 + found.n6;
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
