/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * want_ipv6.c - what IPv6 asks of the host's sysctls, so that guests are forwarded, the host goes on
 * listening to router advertisements as it did, and forwards nothing else. Writes nothing.
 *
 * Until Linux 6.16 the kernel forwards on all interfaces or on none (conf/all/forwarding), and what
 * was closed before is kept so by the firewall (ipv6.c there: others_6). From 6.17 on the uplinks
 * alone are made to forward (force_forwarding).
 *
 * An interface whose `forwarding` is 1 takes router advertisements only with accept_ra 2; and when
 * any goes to 1, bridges of ours too, default routes that came by them are deleted unless accept_ra
 * is 2 (net/ipv6/route.c: rt6_purge_dflt_routers()). So that is set first; without forwarding it
 * means the same as 1. sysctls.c keeps what was, and it is put back with the last network that
 * needed it.
 */
#include "daemon/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sysctl.h"

#define ALL "net/ipv6/conf/all/"
#define DEFAULT "net/ipv6/conf/default/"

static bool sysctl_is(const char *path, const char *value)
{
	char now[SYSCTL_VALUE_MAX];

	return sysctl_read(path, now) == 0 && strcmp(now, value) == 0;
}

static bool interface_is(const char *ifname, const char *key, const char *value)
{
	char path[SYSCTL_PATH_MAX];

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", ifname, key);
	return sysctl_is(path, value);
}

/* ---- what there is ---- */

static bool goes_out6(const struct target_network *t)
{
	return t->run && t->config->ipv6.subnet.len && network_has_uplink(t->config);
}

bool want_uplink6(const struct work *w, const char *ifname)
{
	for (size_t i = 0; i < w->n_used6; i++)
		if (strcmp(w->used6[i], ifname) == 0)
			return true;
	return false;
}

static void use_uplink(struct work *w, const char *ifname)
{
	if (!want_uplink6(w, ifname))
		snprintf(w->used6[w->n_used6++], IFNAMSIZ, "%s", ifname);
}

static int want_uplinks(struct work *w)
{
	bool follow = false;

	w->used6 = calloc(w->target->n + w->n_uplinks6 + 1, sizeof(*w->used6));
	if (!w->used6)
		return -ENOMEM;
	for (size_t i = 0; w->ipv6 && i < w->target->n; i++) {
		const struct target_network *t = &w->target->networks[i];

		if (!goes_out6(t))
			continue;
		if (t->config->uplink[0])
			use_uplink(w, want_way_out(w, t->config->uplink));
		else
			follow = true;
	}
	for (size_t u = 0; follow && u < w->n_uplinks6; u++)
		use_uplink(w, w->uplinks6[u]);
	return 0;
}

int want_ipv6_look(struct work *w, struct err *e)
{
	char value[SYSCTL_VALUE_MAX];
	int r = 0;

	w->ipv6 = ipv6_on_host();
	w->force6 = sysctl_read(ALL "force_forwarding", value) == 0 && value[0];
	w->all6 = w->ipv6 && !sysctl_is(ALL "forwarding", "0");
	for (size_t i = 0; w->ipv6 && i < w->target->n; i++) {
		const struct target_network *t = &w->target->networks[i];

		if (!t->run || !t->config->ipv6.subnet.len)
			continue;
		w->any6 = true;
		if (t->config->mode != NETWORK_ISOLATED)
			w->forwards6 = true;
	}
	if (w->any6)
		r = rtnl_snapshot_ipv6(w->m->rtnl, &w->actual, e);
	if (r == 0)
		w->n_uplinks6 = actual_uplinks6(&w->actual, w->uplinks6, UPLINKS_MAX);
	if (!w->only_look && w->any6 != w->m->hears_ipv6 &&
	    rtnl_monitor_ipv6(w->m->monitor, w->any6) == 0)
		w->m->hears_ipv6 = w->any6;
	return r;
}

/* ---- bridges of ours ---- */

/*
 * No addresses but those that we give it, at once and without a carrier; and nothing that a guest
 * says (RFC 4861 6.3.4, 8.3) changes the host's routes.
 */
static const struct {
	const char *key;
	const char *value;
} bridge_sysctls[] = {
	{"addr_gen_mode", "1"},
	{"accept_ra", "0"},
	{"accept_redirects", "0"},
	{"disable_ipv6", "0"},
};

/*
 * `forwarding` makes it a router in the neighbours' eyes too (the R flag, RFC 4861 4.4). By itself it
 * lets nothing pass. Where the whole host forwards it cannot be kept off, and does no harm.
 */
static int want_bridge_forwarding(struct work *w, const struct network_config *c)
{
	const char *value = c->mode == NETWORK_ISOLATED ? "0" : "1";
	int r = 0;

	if (c->mode != NETWORK_ISOLATED || w->force6)
		r = want_sysctl(&w->desired, "ipv6", c->bridge, "forwarding", value);
	if (r == 0 && w->force6 && !w->all6)
		r = want_sysctl(&w->desired, "ipv6", c->bridge, "force_forwarding", value);
	return r;
}

static int want_bridge(struct work *w, const struct desired_network *n)
{
	const char *bridge = n->config->bridge;
	int r = 0;

	if (!n->ipv6)
		return want_sysctl(&w->desired, "ipv6", bridge, "disable_ipv6", "1");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(bridge_sysctls); i++)
		r = want_sysctl(&w->desired, "ipv6", bridge, bridge_sysctls[i].key,
				bridge_sysctls[i].value);
	return r < 0 ? r : want_bridge_forwarding(w, n->config);
}

/* ---- the host's other interfaces ---- */

static bool is_ours(const struct work *w, const struct link_state *l)
{
	return strncmp(l->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) == 0 ||
	       strncmp(l->alias, ALIAS_GUEST, strlen(ALIAS_GUEST)) == 0 ||
	       work_find(w, w->by_bridge, l->name) < w->target->n;
}

/* It has a default route that the kernel would delete. */
static bool has_heard_router(const struct work *w, const struct link_state *l)
{
	for (size_t i = 0; i < w->actual.n_routes6; i++) {
		const struct route6_state *r = &w->actual.routes6[i];

		if (r->dst.len == 0 && r->by_ra && r->oif == l->ifindex)
			return true;
	}
	return false;
}

/* The whole host forwards, or is about to, only because of us. */
static bool opens_all(const struct work *w)
{
	const char *was = sysctls_saved(w->m, ALL "forwarding");

	return w->forwards6 && !w->force6 && (was ? strcmp(was, "0") == 0 : !w->all6);
}

/* It listens to router advertisements, and would not any more, or lose what it has heard. */
static bool would_be_deaf(const struct work *w, const struct link_state *l)
{
	char forwarding[SYSCTL_PATH_MAX];

	if (!interface_is(l->name, "accept_ra", "1"))
		return false;
	snprintf(forwarding, sizeof(forwarding), "net/ipv6/conf/%s/forwarding", l->name);
	/* Where all are on, those whose own was on before are known: they were deaf then. */
	if (opens_all(w) && w->all6)
		return !sysctls_saved(w->m, forwarding);
	if (opens_all(w))
		return sysctl_is(forwarding, "0");
	return has_heard_router(w, l) && sysctl_is(forwarding, "0");
}

static int want_listening(struct work *w)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->actual.n_links; i++) {
		const struct link_state *l = &w->actual.links[i];

		if (!is_ours(w, l) && would_be_deaf(w, l))
			r = want_sysctl(&w->desired, "ipv6", l->name, "accept_ra", "2");
	}
	/* Interfaces that come later are born with the default. */
	if (r == 0 && opens_all(w) && sysctl_is(DEFAULT "accept_ra", "1"))
		r = want_path(&w->desired, DEFAULT "accept_ra", "2");
	return r;
}

static int want_forwarding(struct work *w)
{
	int r = 0;

	if (!w->force6)
		return want_path(&w->desired, ALL "forwarding", "1");
	for (size_t i = 0; r == 0 && !w->all6 && i < w->actual.n_links; i++) {
		if (want_uplink6(w, w->actual.links[i].name))
			r = want_sysctl(&w->desired, "ipv6", w->actual.links[i].name,
					"force_forwarding", "1");
	}
	return r;
}

/* ---- what stays closed ---- */

/* It forwards now, or will in a moment, and did not before we made it. */
static bool opens(const struct work *w, const char *uplink)
{
	char path[SYSCTL_PATH_MAX];
	const char *was;

	snprintf(path, sizeof(path), "net/ipv6/conf/%s/force_forwarding", uplink);
	was = sysctls_saved(w->m, path);
	return was ? strcmp(was, "0") == 0 : sysctl_is(path, "0");
}

static int want_closed(struct work *w)
{
	w->closed6 = calloc(w->n_used6 + 1, sizeof(*w->closed6));
	w->switches = calloc(w->actual.n_links + 1, sizeof(*w->switches));
	if (!w->closed6 || !w->switches)
		return -ENOMEM;
	w->closed_all6 = opens_all(w);
	for (size_t i = 0; w->force6 && !w->all6 && i < w->n_used6; i++)
		if (opens(w, w->used6[i]))
			strcpy(w->closed6[w->n_closed6++], w->used6[i]);
	if (!w->closed_all6 && w->n_closed6 == 0)
		return 0;
	for (size_t i = 0; i < w->actual.n_links; i++) {
		const struct link_state *l = &w->actual.links[i];

		if (strcmp(l->kind, "bridge") == 0 &&
		    strncmp(l->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) != 0)
			strcpy(w->switches[w->n_switches++], l->name);
	}
	return 0;
}

int want_ipv6(struct work *w)
{
	int r = want_uplinks(w);

	/* Without it there is nothing to be set, nor to be switched off. */
	if (r < 0 || access("/proc/sys/net/ipv6", F_OK) < 0)
		return r;
	for (size_t i = 0; r == 0 && i < w->desired.n_networks; i++)
		if (!w->desired.networks[i].external)
			r = want_bridge(w, &w->desired.networks[i]);
	if (r == 0 && w->forwards6)
		r = want_listening(w);
	if (r == 0 && w->forwards6)
		r = want_forwarding(w);
	return r < 0 ? r : want_closed(w);
}
