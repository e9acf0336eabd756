/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctls.c - what the uplinks' forwarding was before a network used them, to be put back when none
 * does any more. The records are in the state too, written before the kernel is.
 *
 * A record is one interface's: it goes along when that is renamed, and ends with it. Where the host
 * was made a router as a whole since (net.ipv4.ip_forward, as container engines do), an uplink's
 * forwarding is no longer ours to switch off.
 */
#include "daemon/work.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sysctl.h"

/* Recorded along with the first interface's, never put back. */
#define IP_FORWARD "net/ipv4/ip_forward"

/* The interface that a record is about; false for IP_FORWARD. */
static bool interface_of(const struct saved_sysctl *v, char ret[static IFNAMSIZ])
{
	return sscanf(v->was.path, "net/ipv4/conf/%15[^/]/forwarding", ret) == 1;
}

static struct saved_sysctl *find(const struct manager *m, const char *path)
{
	for (size_t i = 0; i < m->n_saved; i++) {
		if (strcmp(m->saved[i].was.path, path) == 0)
			return &m->saved[i];
	}
	return NULL;
}

int sysctls_add(struct manager *m, const struct sysctl_state *was)
{
	struct saved_sysctl *p = reallocarray(m->saved, m->n_saved + 1, sizeof(*p));
	char ifname[IFNAMSIZ];

	if (!p)
		return -ENOMEM;
	m->saved = p;
	p = &m->saved[m->n_saved++];
	*p = (struct saved_sysctl){.was = *was};
	if (interface_of(p, ifname))
		p->ifindex = (int)if_nametoindex(ifname);
	return 0;
}

static int save_one(struct manager *m, const char *path, const char *value, struct err *e)
{
	struct sysctl_state was = {0};
	int r;

	if (find(m, path))
		return 0;
	snprintf(was.path, sizeof(was.path), "%s", path);
	snprintf(was.value, sizeof(was.value), "%s", value);
	r = state_sysctl_put(m->state, &was, e);
	return r < 0 ? r : sysctls_add(m, &was);
}

int sysctls_save(struct manager *m, const char *path, const char *value, struct err *e)
{
	char all[SYSCTL_VALUE_MAX];
	int r = 0;

	if (sysctl_read(IP_FORWARD, all) == 0)
		r = save_one(m, IP_FORWARD, all, e);
	return r < 0 ? r : save_one(m, path, value, e);
}

/* The host forwards as a whole now, and did not when the first record was made. */
static bool router_since(const struct manager *m)
{
	const struct saved_sysctl *all = find(m, IP_FORWARD);
	char now[SYSCTL_VALUE_MAX];

	return all && strcmp(all->was.value, "0") == 0 && sysctl_read(IP_FORWARD, now) == 0 &&
	       strcmp(now, "0") != 0;
}

bool sysctls_restorable(const struct work *w, const struct saved_sysctl *v,
			char ret_ifname[static IFNAMSIZ])
{
	char ifname[IFNAMSIZ];

	if (!interface_of(v, ifname) || want_uplink(w, ifname) || router_since(w->m))
		return false;
	strcpy(ret_ifname, ifname);
	return true;
}

/* What a record is about has another name now, or is gone and another has its name. */
static void follow_one(struct work *w, struct saved_sysctl *v)
{
	const struct link_state *link = NULL;
	struct sysctl_state now = v->was;
	char ifname[IFNAMSIZ];

	if (!interface_of(v, ifname))
		return;
	if (v->ifindex)
		link = actual_link_by_index(&w->actual, v->ifindex);
	else if ((link = actual_link_by_name(&w->actual, ifname)))
		v->ifindex = link->ifindex;
	if (link && strcmp(link->name, ifname) == 0)
		return;
	if (state_sysctl_remove(w->m->state, v->was.path, NULL) < 0)
		return;
	v->was.path[0] = '\0';
	if (!link)
		return;
	snprintf(now.path, sizeof(now.path), "net/ipv4/conf/%s/forwarding", link->name);
	if (!find(w->m, now.path) && state_sysctl_put(w->m->state, &now, NULL) == 0)
		v->was = now;
}

void sysctls_follow(struct work *w)
{
	struct manager *m = w->m;
	size_t kept = 0;

	for (size_t i = 0; i < m->n_saved; i++)
		follow_one(w, &m->saved[i]);
	for (size_t i = 0; i < m->n_saved; i++) {
		if (m->saved[i].was.path[0])
			m->saved[kept++] = m->saved[i];
	}
	m->n_saved = kept;
}

/* The record of interface @v has served its purpose. */
static bool is_done(const struct work *w, const struct saved_sysctl *v)
{
	char ifname[IFNAMSIZ], now[SYSCTL_VALUE_MAX];

	if (sysctl_read(v->was.path, now) < 0)
		return true;
	return interface_of(v, ifname) && !want_uplink(w, ifname) &&
	       (strcmp(now, v->was.value) == 0 || router_since(w->m));
}

static bool forget(struct manager *m, const struct saved_sysctl *v)
{
	return state_sysctl_remove(m->state, v->was.path, NULL) == 0;
}

void sysctls_forget(struct work *w)
{
	struct manager *m = w->m;
	struct saved_sysctl *all;
	size_t kept = 0;

	for (size_t i = 0; i < m->n_saved; i++) {
		const struct saved_sysctl v = m->saved[i];
		bool is_all = strcmp(v.was.path, IP_FORWARD) == 0;

		if (is_all || !is_done(w, &v) || !forget(m, &v))
			m->saved[kept++] = v;
	}
	m->n_saved = kept;
	all = kept == 1 ? find(m, IP_FORWARD) : NULL;
	if (all && forget(m, all))
		m->n_saved = 0;
}
