/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * want.c - what the kernel should have for the target's networks and the plugged-in guests. Reads
 * sysctls, writes nothing. Next on the walk: steps.c.
 */
#include "daemon/work.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/bridged.h"
#include "daemon/forwards.h"
#include "kernel/sysctl.h"

static int want_networks(struct work *w)
{
	struct desired *d = &w->desired;

	d->networks = calloc(w->target->n + 1, sizeof(*d->networks));
	if (!d->networks)
		return -ENOMEM;
	for (size_t i = 0; i < w->target->n; i++) {
		const struct target_network *t = &w->target->networks[i];

		struct desired_network *n = &d->networks[d->n_networks];

		if (!t->run)
			continue;
		n->config = t->config;
		n->mac = mac_derive(w->m->host_id, t->config->name, "", 0);
		n->ipv6 = w->ipv6 && t->config->ipv6.subnet.len;
		n->external = t->config->mode == NETWORK_BRIDGED;
		n->mtu = mtu_want(w, t->config);
		d->n_networks++;
	}
	return 0;
}

static int want_taps(struct work *w)
{
	struct desired *d = &w->desired;
	struct guest_rt *g, *next;

	d->taps = calloc(HASH_COUNT(w->m->guests) + 1, sizeof(*d->taps));
	if (!d->taps)
		return -ENOMEM;
	HASH_ITER (hh, w->m->guests, g, next) {
		size_t of = work_find(w, w->by_name, g->g.network);
		const struct target_network *t = &w->target->networks[of];
		struct desired_tap *tap;

		if (of == w->target->n)
			continue;
		tap = &d->taps[d->n_taps++];
		strcpy(tap->name, g->g.tap);
		strcpy(tap->guest, g->g.name);
		/* A stopped network's guests keep their taps, on no bridge. */
		strcpy(tap->bridge, t->run ? t->config->bridge : "");
		tap->queues = g->g.queues;
		tap->owner_uid = g->g.owner_uid;
		port_want(t->config, g->g.name, &g->g.mac, tap);
		if (!t->run)
			tap->rate = (struct guest_rate){0};
		tap->persistent = g->g.kind == GUEST_ATTACHED;
	}
	return 0;
}

int want_path(struct desired *d, const char *path, const char *value)
{
	struct sysctl_state want = {0}, now = {0}, *p;

	snprintf(want.path, sizeof(want.path), "%s", path);
	snprintf(want.value, sizeof(want.value), "%s", value);
	now = want;
	if (sysctl_read(want.path, now.value) < 0)
		now.value[0] = '\0';
	p = reallocarray(d->sysctls, d->n_sysctls + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	d->sysctls = p;
	p = reallocarray(d->sysctls_now, d->n_sysctls + 1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	d->sysctls_now = p;
	d->sysctls[d->n_sysctls] = want;
	d->sysctls_now[d->n_sysctls++] = now;
	return 0;
}

int want_sysctl(struct desired *d, const char *family, const char *ifname, const char *key,
		const char *value)
{
	char path[SYSCTL_PATH_MAX];

	snprintf(path, sizeof(path), "net/%s/conf/%s/%s", family, ifname, key);
	return want_path(d, path, value);
}

const char *want_way_out(const struct work *w, const char *ifname)
{
	const struct takeover_rt *t = bridged_by_uplink(w->m, ifname);

	return t ? t->row.bridge : ifname;
}

bool want_uplink(const struct work *w, const char *ifname)
{
	for (size_t i = 0; i < w->n_used; i++) {
		if (strcmp(w->used[i], ifname) == 0)
			return true;
	}
	return false;
}

static void use_uplink(struct work *w, const char *ifname)
{
	if (!want_uplink(w, ifname))
		snprintf(w->used[w->n_used++], IFNAMSIZ, "%s", ifname);
}

/* What comes to a forward's own address comes in by the interface that has it. */
static void use_forwards(struct work *w, const struct network_config *c)
{
	for (size_t i = 0; i < c->n_guests; i++)
		for (size_t k = 0; k < c->guests[i].n_forwards; k++) {
			const char *ifname = forwards_uplink(w, &c->guests[i].forwards[k]);

			if (ifname)
				use_uplink(w, ifname);
		}
}

static int want_uplinks(struct work *w)
{
	bool follow = false;

	w->used = calloc(w->target->n + w->n_uplinks + w->actual.n_links + 1, sizeof(*w->used));
	if (!w->used)
		return -ENOMEM;
	for (size_t i = 0; i < w->target->n; i++) {
		const struct target_network *t = &w->target->networks[i];

		if (!t->run || !network_has_uplink(t->config))
			continue;
		if (t->config->uplink[0])
			use_uplink(w, want_way_out(w, t->config->uplink));
		else
			follow = true;
		use_forwards(w, t->config);
	}
	for (size_t u = 0; follow && u < w->n_uplinks; u++)
		use_uplink(w, w->uplinks[u]);
	return 0;
}

/* What we changed and nobody needs so any more goes back to what it was. */
static int want_restored(struct work *w)
{
	for (size_t i = 0; i < w->m->n_saved; i++) {
		const struct sysctl_state *s = &w->m->saved[i].was;
		char now[SYSCTL_VALUE_MAX];
		int r;

		if (!sysctls_restorable(w, &w->m->saved[i]) || sysctl_read(s->path, now) < 0)
			continue;
		if (strcmp(now, s->value) == 0 && !sysctls_will_change(w, s->path))
			continue;
		r = want_path(&w->desired, s->path, s->value);
		if (r < 0)
			return r;
		/* Not as it is now, but as it will be when its turn comes. */
		if (strcmp(now, s->value) == 0)
			strcpy(w->desired.sysctls_now[w->desired.n_sysctls - 1].value, "0");
	}
	return 0;
}

#define ARP_IGNORE_ALL "8" /* Documentation/networking/ip-sysctl.rst */

/*
 * Where the host is not in the network it must not answer ARP for its other addresses either. When
 * it comes into the network later, that has to end; any other value is the administrator's.
 */
static int want_arp(struct desired *d, const struct network_config *c)
{
	char path[SYSCTL_PATH_MAX], now[SYSCTL_VALUE_MAX];

	if (!network_has_ipv4(c))
		return want_sysctl(d, "ipv4", c->bridge, "arp_ignore", ARP_IGNORE_ALL);
	snprintf(path, sizeof(path), "net/ipv4/conf/%s/arp_ignore", c->bridge);
	if (sysctl_read(path, now) < 0 || strcmp(now, ARP_IGNORE_ALL) != 0)
		return 0;
	return want_sysctl(d, "ipv4", c->bridge, "arp_ignore", "0");
}

static int want_bridge_sysctls(struct work *w, const struct network_config *c)
{
	const char *forwarding;
	int r;

	assert(c); /* want_networks() gave each its configuration */
	forwarding = c->mode == NETWORK_ISOLATED ? "0" : "1";
	r = want_sysctl(&w->desired, "ipv4", c->bridge, "forwarding", forwarding);
	return r < 0 ? r : want_arp(&w->desired, c);
}

static int want_sysctls(struct work *w)
{
	int r = 0;

	for (size_t i = 0; i < w->desired.n_networks && r == 0; i++) {
		if (!w->desired.networks[i].external)
			r = want_bridge_sysctls(w, w->desired.networks[i].config);
	}
	if (r == 0)
		r = forwards_want(w);
	for (size_t i = 0; i < w->actual.n_links && r == 0; i++) {
		if (want_uplink(w, w->actual.links[i].name))
			r = want_sysctl(&w->desired, "ipv4", w->actual.links[i].name, "forwarding",
					"1");
	}
	if (r == 0)
		r = want_ipv6(w);
	w->n_lasting = w->desired.n_sysctls;
	return r < 0 ? r : want_restored(w);
}

int want_all(struct work *w)
{
	int r = want_networks(w);

	if (r == 0)
		r = want_uplinks(w);
	if (r == 0)
		r = want_taps(w);
	return r < 0 ? r : want_sysctls(w);
}
