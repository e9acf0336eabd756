/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctls.c - what the host's sysctls were before networks needed them otherwise, to be put back when
 * none does any more. The records are in the state too, written before the kernel is.
 *
 * A record is one interface's: it goes along when that is renamed, and ends with it. Where the host
 * was made a router as a whole since (net.ipv4.ip_forward, as container engines do), an uplink's
 * forwarding of IPv4 is no longer ours to switch off. want_ipv6.c has why there are those of IPv6.
 */
#include "daemon/work.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "kernel/sysctl.h"

/* Recorded along with the first interface's, never put back. */
#define IP_FORWARD "net/ipv4/ip_forward"
/* Setting this one sets all interfaces' own. */
#define ALL_FORWARDING6 "net/ipv6/conf/all/forwarding"

#define KEY_MAX 32

/**
 * struct path - "net/ipv4/conf/eth0/forwarding" in its parts
 * @ipv6:	else it is of IPv4
 * @ifname:	an interface, or "all" or "default"
 */
struct path {
	bool ipv6;
	char ifname[IFNAMSIZ];
	char key[KEY_MAX];
};

/* False for IP_FORWARD. */
static bool path_of(const char *path, struct path *ret)
{
	char family;

	if (sscanf(path, "net/ipv%c/conf/%15[^/]/%31s", &family, ret->ifname, ret->key) != 3)
		return false;
	ret->ipv6 = family == '6';
	return true;
}

/* The interface that a record is about; false where it is about the host. */
static bool interface_of(const struct saved_sysctl *v, struct path *ret)
{
	return path_of(v->was.path, ret) && strcmp(ret->ifname, "all") != 0 &&
	       strcmp(ret->ifname, "default") != 0;
}

bool sysctls_closes(const struct sysctl_state *v)
{
	struct path p;

	return path_of(v->path, &p) && p.ipv6 && strcmp(v->value, "0") == 0 &&
	       (strcmp(v->path, ALL_FORWARDING6) == 0 || strcmp(p.key, "force_forwarding") == 0);
}

static struct saved_sysctl *find(const struct manager *m, const char *path)
{
	for (size_t i = 0; i < m->n_saved; i++) {
		if (strcmp(m->saved[i].was.path, path) == 0)
			return &m->saved[i];
	}
	return NULL;
}

const char *sysctls_saved(const struct manager *m, const char *path)
{
	const struct saved_sysctl *v = find(m, path);

	return v ? v->was.value : NULL;
}

int sysctls_add(struct manager *m, const struct sysctl_state *was)
{
	struct saved_sysctl *p = reallocarray(m->saved, m->n_saved + 1, sizeof(*p));
	struct path path;

	if (!p)
		return -ENOMEM;
	m->saved = p;
	p = &m->saved[m->n_saved++];
	*p = (struct saved_sysctl){.was = *was};
	if (interface_of(p, &path))
		p->ifindex = (int)if_nametoindex(path.ifname);
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

/* Interfaces that were set apart from the rest, which the way back of "all" makes like the rest. */
static int save_apart(struct work *w, struct err *e)
{
	char path[SYSCTL_PATH_MAX], now[SYSCTL_VALUE_MAX];
	int r = 0;

	for (size_t i = 0; r == 0 && i < w->actual.n_links; i++) {
		const struct link_state *l = &w->actual.links[i];

		if (strncmp(l->alias, "vmlane:", 7) == 0)
			continue;
		snprintf(path, sizeof(path), "net/ipv6/conf/%s/forwarding", l->name);
		if (sysctl_read(path, now) == 0 && strcmp(now, "0") != 0)
			r = save_one(w->m, path, now, e);
	}
	return r;
}

int sysctls_save(struct work *w, const char *path, const char *value, struct err *e)
{
	char all[SYSCTL_VALUE_MAX];
	struct path p;
	int r = 0;

	if (path_of(path, &p) && !p.ipv6 && sysctl_read(IP_FORWARD, all) == 0)
		r = save_one(w->m, IP_FORWARD, all, e);
	if (strcmp(path, ALL_FORWARDING6) == 0 && !find(w->m, path))
		r = save_apart(w, e);
	return r < 0 ? r : save_one(w->m, path, value, e);
}

/* The host forwards as a whole now, and did not when the first record was made. */
static bool router_since(const struct manager *m)
{
	const struct saved_sysctl *all = find(m, IP_FORWARD);
	char now[SYSCTL_VALUE_MAX];

	return all && strcmp(all->was.value, "0") == 0 && sysctl_read(IP_FORWARD, now) == 0 &&
	       strcmp(now, "0") != 0;
}

/* Some running network needs what @p is about as we have set it. */
static bool is_needed(const struct work *w, const struct path *p)
{
	if (!p->ipv6)
		return want_uplink(w, p->ifname);
	if (strcmp(p->key, "force_forwarding") == 0)
		return want_uplink6(w, p->ifname);
	if (strcmp(p->key, "forwarding") == 0)
		return w->forwards6 && !w->force6;
	return w->forwards6; /* accept_ra */
}

/* What to do with @v once it is not needed: nothing, where the host is a router as a whole now. */
static bool is_left(const struct work *w, const struct path *p)
{
	return !p->ipv6 && router_since(w->m);
}

bool sysctls_restorable(const struct work *w, const struct saved_sysctl *v)
{
	struct path p;

	return path_of(v->was.path, &p) && !is_needed(w, &p) && !is_left(w, &p);
}

bool sysctls_will_change(const struct work *w, const char *path)
{
	const struct saved_sysctl *all = find(w->m, ALL_FORWARDING6);
	char now[SYSCTL_VALUE_MAX];
	struct path p;

	return all && sysctls_restorable(w, all) && path_of(path, &p) && p.ipv6 &&
	       strcmp(p.key, "forwarding") == 0 && strcmp(p.ifname, "all") != 0 &&
	       sysctl_read(ALL_FORWARDING6, now) == 0 && strcmp(now, all->was.value) != 0;
}

/* What a record is about has another name now, or is gone and another has its name. */
static void follow_one(struct work *w, struct saved_sysctl *v)
{
	const struct link_state *link = NULL;
	struct sysctl_state now = v->was;
	struct path p;

	if (!interface_of(v, &p))
		return;
	if (v->ifindex)
		link = actual_link_by_index(&w->actual, v->ifindex);
	else if ((link = actual_link_by_name(&w->actual, p.ifname)))
		v->ifindex = link->ifindex;
	if (link && strcmp(link->name, p.ifname) == 0)
		return;
	if (state_sysctl_remove(w->m->state, v->was.path, NULL) < 0)
		return;
	v->was.path[0] = '\0';
	if (!link)
		return;
	snprintf(now.path, sizeof(now.path), "net/%s/conf/%s/%s", p.ipv6 ? "ipv6" : "ipv4",
		 link->name, p.key);
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

/* Its interface has got another name since it was looked at: follow_one() is yet to see that. */
static bool is_renamed(const struct saved_sysctl *v)
{
	char name[IF_NAMESIZE];
	struct path p;

	return interface_of(v, &p) && v->ifindex &&
	       if_indextoname((unsigned int)v->ifindex, name) && strcmp(name, p.ifname) != 0;
}

/* The record @v has served its purpose. */
static bool is_done(const struct work *w, const struct saved_sysctl *v)
{
	char now[SYSCTL_VALUE_MAX];
	struct path p;

	if (sysctl_read(v->was.path, now) < 0)
		return !is_renamed(v);
	return path_of(v->was.path, &p) && !is_needed(w, &p) &&
	       (strcmp(now, v->was.value) == 0 || is_left(w, &p));
}

static bool forget(struct manager *m, const struct saved_sysctl *v)
{
	return state_sysctl_remove(m->state, v->was.path, NULL) == 0;
}

void sysctls_forget(struct work *w)
{
	struct manager *m = w->m;
	size_t kept = 0, kept4 = 0;
	struct saved_sysctl *all;

	for (size_t i = 0; i < m->n_saved; i++) {
		const struct saved_sysctl v = m->saved[i];
		bool is_all = strcmp(v.was.path, IP_FORWARD) == 0;

		if (!is_all && is_done(w, &v) && forget(m, &v))
			continue;
		m->saved[kept++] = v;
		kept4 += strncmp(v.was.path, "net/ipv4/", 9) == 0;
	}
	m->n_saved = kept;
	all = kept4 == 1 ? find(m, IP_FORWARD) : NULL;
	if (all && forget(m, all))
		*all = m->saved[--m->n_saved];
}
