/* SPDX-License-Identifier: GPL-2.0-or-later */
/* subject.c - finds the guest that was named, in the kernel and among the processes. */
#include "inspect/subject.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "kernel/rtnl.h"
#include "kernel/vmm.h"

/* struct host - what is looked at to find the guest. */
struct host {
	struct rtnl *rtnl;
	struct actual actual;
	struct fdb_entry *fdb;
	size_t n_fdb;
	struct neigh_entry *neighs;
	size_t n_neighs;
	struct vmm_holder *holders;
	size_t n_holders;
};

static void host_done(struct host *h)
{
	actual_done(&h->actual);
	free(h->fdb);
	free(h->neighs);
	free(h->holders);
	rtnl_free(h->rtnl);
}

static int host_read(struct host *h, struct err *e)
{
	int r = rtnl_new(&h->rtnl);

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = rtnl_snapshot(h->rtnl, &h->actual, e);
	if (r == 0)
		r = rtnl_fdb_dump(h->rtnl, 0, &h->fdb, &h->n_fdb, e);
	if (r == 0)
		r = rtnl_neigh_dump(h->rtnl, 0, &h->neighs, &h->n_neighs, e);
	/* Without the right to look at processes names of foreign VMs are not known. */
	if (r == 0 && vmm_scan(&h->holders, &h->n_holders) < 0)
		h->n_holders = 0;
	return r;
}

static const struct vmm_holder *holder_of(const struct host *h, const char *tap)
{
	for (size_t i = 0; i < h->n_holders; i++)
		if (strcmp(h->holders[i].tap, tap) == 0)
			return &h->holders[i];
	return NULL;
}

/* The guest's name that our alias, or the VMM's command line, gives a port; "" for none. */
static void guest_name(const struct host *h, const struct link_state *l, char *ret, size_t size)
{
	const struct vmm_holder *v = holder_of(h, l->name);

	if (strncmp(l->alias, ALIAS_GUEST, strlen(ALIAS_GUEST)) == 0)
		snprintf(ret, size, "%s", l->alias + strlen(ALIAS_GUEST));
	else
		snprintf(ret, size, "%s", v ? v->vm_name : "");
}

/* A guest can be behind it: a tap, or a veth that is a bridge's port. */
static bool is_guest_port(const struct link_state *l)
{
	if (strcmp(l->kind, "tun") == 0)
		return !mac_is_zero(&l->mac); /* without a MAC it is a tunnel's, no tap */
	return l->master && strcmp(l->kind, "veth") == 0;
}

static void add_port(struct subject *s, int ifindex)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i] == ifindex)
			return;
	if (s->n_ports < SUBJECT_PORTS_MAX)
		s->ports[s->n_ports++] = ifindex;
}

static void find_by_mac(const struct host *h, const struct mac *mac, struct subject *s)
{
	for (size_t i = 0; i < h->n_fdb; i++)
		if (!h->fdb[i].local && mac_equal(&h->fdb[i].mac, mac))
			add_port(s, h->fdb[i].port);
	if (!s->n_ports)
		return;
	s->mac = *mac;
	s->has_mac = true;
}

static void find_by_address(const struct host *h, struct in_addr addr, struct subject *s)
{
	for (size_t i = 0; i < h->n_neighs && !s->n_ports; i++)
		if (ip4_equal(h->neighs[i].addr, addr))
			find_by_mac(h, &h->neighs[i].mac, s);
}

static void find_by_name(const struct host *h, const char *name, struct subject *s)
{
	struct in_addr addr;
	char guest[64];
	struct mac mac;

	for (size_t i = 0; i < h->actual.n_links; i++) {
		const struct link_state *l = &h->actual.links[i];

		if (!is_guest_port(l))
			continue;
		guest_name(h, l, guest, sizeof(guest));
		if (strcmp(guest, name) == 0 || strcmp(l->name, name) == 0)
			add_port(s, l->ifindex);
	}
	if (!s->n_ports && mac_parse(name, &mac) == 0)
		find_by_mac(h, &mac, s);
	if (!s->n_ports && ip4_parse(name, &addr) == 0)
		find_by_address(h, addr, s);
}

static int not_found(const struct host *h, const char *what, const char *name, struct err *e)
{
	struct buf known = BUF_INIT(4096);
	char guest[64];
	size_t n = 0;

	for (size_t i = 0; i < h->actual.n_links; i++) {
		const struct link_state *l = &h->actual.links[i];

		if (!is_guest_port(l) || n == 16)
			continue;
		guest_name(h, l, guest, sizeof(guest));
		buf_printf(&known, "%s%s%s%s%s", n++ ? ", " : "", guest, guest[0] ? " (" : "",
			   l->name, guest[0] ? ")" : "");
	}
	err_set(e, -ENOENT, "not-found", name, "there is no %s '%s' here; guests' ports are: %s",
		what, name, n ? buf_str(&known) : "none");
	buf_done(&known);
	return -ENOENT;
}

static int find_ports(const struct host *h, const struct subject_query *q, struct subject *s,
		      struct err *e)
{
	const struct link_state *l;
	struct mac mac;

	if (q->port) {
		l = actual_link_by_name(&h->actual, q->port);
		if (!l)
			return not_found(h, "port", q->port, e);
		add_port(s, l->ifindex);
	} else if (q->mac) {
		if (mac_parse(q->mac, &mac) < 0)
			return err_set(e, -EINVAL, "mac", q->mac,
				       "'%s' is no MAC address: six pairs of hex digits, "
				       "52:54:00:aa:bb:cc",
				       q->mac);
		find_by_mac(h, &mac, s);
		if (!s->n_ports)
			return not_found(h, "guest with the MAC", q->mac, e);
	} else {
		find_by_name(h, q->name, s);
		if (!s->n_ports)
			return not_found(h, "guest", q->name, e);
	}
	return 0;
}

static bool is_port(const struct subject *s, int ifindex)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i] == ifindex)
			return true;
	return false;
}

/* The MAC that a bridge has for the guest's ports: learned, or else written there by somebody. */
static void learn_mac(const struct host *h, struct subject *s, bool is_static)
{
	for (size_t i = 0; i < h->n_fdb && !s->has_mac; i++) {
		const struct fdb_entry *f = &h->fdb[i];

		if (f->local || f->is_static != is_static || !is_port(s, f->port))
			continue;
		s->mac = f->mac;
		s->has_mac = true;
	}
}

/*
 * What bridges and neighbours know of the guest. A MAC that it has spoken with is its own; one that is
 * written at its port may be wrong.
 */
static void learn(const struct host *h, struct subject *s)
{
	learn_mac(h, s, false);
	learn_mac(h, s, true);
	for (size_t i = 0; i < h->n_neighs && s->has_mac && s->n_addrs < PATH_ADDRS_MAX; i++) {
		if (!mac_equal(&h->neighs[i].mac, &s->mac))
			continue;
		s->addrs[s->n_addrs].family = AF_INET;
		memcpy(s->addrs[s->n_addrs++].addr, &h->neighs[i].addr, 4);
	}
}

static bool is_behind(const struct host *h, const struct mac *mac, int port)
{
	for (size_t i = 0; i < h->n_fdb; i++)
		if (h->fdb[i].port == port && !h->fdb[i].local && mac_equal(&h->fdb[i].mac, mac))
			return true;
	return false;
}

/* A bridge's port that is no guest's although its kind could be: the host's own gateway is behind it. */
static bool is_way_out(const struct host *h, const struct link_state *l)
{
	for (size_t i = 0; i < h->actual.n_routes; i++) {
		const struct route_state *t = &h->actual.routes[i];

		if (t->oif != l->master || !t->gateway.s_addr)
			continue;
		for (size_t n = 0; n < h->n_neighs; n++)
			if (ip4_equal(h->neighs[n].addr, t->gateway) &&
			    is_behind(h, &h->neighs[n].mac, l->ifindex))
				return true;
	}
	return false;
}

static enum device_role role_of(const struct host *h, const struct subject *s,
				const struct link_state *l)
{
	char guest[64];

	if (is_port(s, l->ifindex))
		return DEVICE_GUEST;
	if (strcmp(l->kind, "bridge") == 0)
		return DEVICE_BRIDGE;
	if (!is_guest_port(l))
		return DEVICE_UPLINK;
	guest_name(h, l, guest, sizeof(guest));
	if (l->master && !guest[0] && strcmp(l->kind, "veth") == 0 && is_way_out(h, l))
		return DEVICE_UPLINK;
	return DEVICE_PORT;
}

/* enum path_device_kind */
static unsigned int kind_of(const struct link_state *l)
{
	bool source = strcmp(l->kind, "tun") == 0 || (!l->kind[0] && strcmp(l->name, "lo") != 0);
	bool leaf = source || strcmp(l->kind, "veth") == 0;
	bool bridge = strcmp(l->kind, "bridge") == 0;

	return (source ? PATH_SOURCE : 0u) | (leaf ? PATH_LEAF : 0u) | (bridge ? PATH_BRIDGE : 0u) |
	       (l->master ? PATH_PORT : 0u);
}

static int view_devices(const struct host *h, struct subject *s)
{
	struct path_device *d = calloc(h->actual.n_links + 1, sizeof(*d));

	if (!d)
		return -ENOMEM;
	for (size_t i = 0; i < h->actual.n_links; i++) {
		const struct link_state *l = &h->actual.links[i];

		d[i].ifindex = l->ifindex;
		d[i].master = l->master;
		d[i].role = role_of(h, s, l);
		d[i].mac = l->mac;
		memcpy(d[i].name, l->name, sizeof(d[i].name));
		guest_name(h, l, d[i].guest, sizeof(d[i].guest));
		d[i].kind = kind_of(l);
	}
	free(s->devices);
	s->devices = d;
	s->view.devices = d;
	s->view.n_devices = h->actual.n_links;
	return 0;
}

static uint8_t prefix_len(const struct sockaddr *mask, int family)
{
	const uint8_t *bytes;
	uint8_t n = 0;

	if (!mask)
		return family == AF_INET ? 32 : 128;
	bytes = family == AF_INET
			? (const void *)&((const struct sockaddr_in *)(const void *)mask)->sin_addr
			: (const void *)&((const struct sockaddr_in6 *)(const void *)mask)
				  ->sin6_addr;
	for (int i = 0; i < (family == AF_INET ? 4 : 16); i++)
		n = (uint8_t)(n + __builtin_popcount(bytes[i]));
	return n;
}

/* The host's own addresses, of both families. */
static int view_locals(struct subject *s)
{
	struct ifaddrs *all, *a;
	size_t n = 0;

	if (getifaddrs(&all) < 0)
		return -errno;
	for (a = all; a; a = a->ifa_next)
		n++;
	free(s->locals);
	s->locals = calloc(n + 1, sizeof(*s->locals));
	n = 0;
	for (a = all; a && s->locals; a = a->ifa_next) {
		const struct sockaddr_in *in = (const void *)a->ifa_addr;
		const struct sockaddr_in6 *in6 = (const void *)a->ifa_addr;
		int family = a->ifa_addr ? a->ifa_addr->sa_family : 0;

		if (family != AF_INET && family != AF_INET6)
			continue;
		s->locals[n].family = (uint8_t)family;
		s->locals[n].ifindex = (int)if_nametoindex(a->ifa_name);
		s->locals[n].len = prefix_len(a->ifa_netmask, family);
		if (family == AF_INET)
			memcpy(s->locals[n++].addr, &in->sin_addr, 4);
		else
			memcpy(s->locals[n++].addr, &in6->sin6_addr, 16);
	}
	freeifaddrs(all);
	s->view.locals = s->locals;
	s->view.n_locals = n;
	return s->locals ? 0 : -ENOMEM;
}

static int view_make(const struct host *h, struct subject *s, struct err *e)
{
	struct stat st = {0};
	int r = view_devices(h, s);

	if (r == 0)
		r = view_locals(s);
	if (r == 0 && stat("/proc/self/ns/net", &st) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, r, "kernel", "interfaces", "%s", strerror(-r));
	s->view.netns = (uint32_t)st.st_ino;
	return 0;
}

/* Takes over the neighbours, and lets go of the rest of @h. */
static int subject_end(struct host *h, struct subject *s, int r, struct subject *ret)
{
	s->neighbours = h->neighs;
	s->n_neighbours = h->n_neighs;
	h->neighs = NULL;
	host_done(h);
	if (r < 0)
		subject_done(s);
	else
		*ret = *s;
	return r;
}

int subject_find(const struct subject_query *q, struct subject *ret, struct err *e)
{
	struct subject s = {0};
	struct host h = {0};
	int r = host_read(&h, e);

	snprintf(s.name, sizeof(s.name), "%s", q->name ? q->name : q->port ? q->port : q->mac);
	if (r == 0)
		r = find_ports(&h, q, &s, e);
	if (r == 0) {
		learn(&h, &s);
		r = view_make(&h, &s, e);
	}
	return subject_end(&h, &s, r, ret);
}

int subject_host(struct subject *ret, struct err *e)
{
	struct subject s = {0};
	struct host h = {0};
	int r = host_read(&h, e);

	if (r == 0)
		r = view_make(&h, &s, e);
	return subject_end(&h, &s, r, ret);
}

bool subject_neighbour(const struct subject *s, uint8_t family, const uint8_t addr[16],
		       struct mac *ret)
{
	for (size_t i = 0; i < s->n_neighbours && family == AF_INET; i++) {
		if (memcmp(&s->neighbours[i].addr, addr, 4) != 0)
			continue;
		*ret = s->neighbours[i].mac;
		return true;
	}
	return false;
}

int subject_gateway(const char *ifname, struct in_addr *ret, struct err *e)
{
	struct host h = {0};
	int r = host_read(&h, e), index = 0;

	for (size_t i = 0; i < h.actual.n_links; i++)
		if (strcmp(h.actual.links[i].name, ifname) == 0)
			index = h.actual.links[i].ifindex;
	for (size_t i = 0; i < h.actual.n_routes && r == 0; i++) {
		const struct route_state *t = &h.actual.routes[i];

		if (t->oif != index || t->dst.len != 0 || !t->gateway.s_addr)
			continue;
		*ret = t->gateway;
		host_done(&h);
		return 0;
	}
	host_done(&h);
	return r < 0 ? r : -ENOENT;
}

int subject_refresh(struct subject *s, struct err *e)
{
	struct host h = {0};
	int r = host_read(&h, e);

	if (r == 0)
		r = view_make(&h, s, e);
	host_done(&h);
	return r;
}

void subject_done(struct subject *s)
{
	free(s->devices);
	free(s->locals);
	free(s->neighbours);
	*s = (struct subject){0};
}

static bool is_bridge_of(const struct subject *s, int bridge)
{
	for (size_t i = 0; i < s->view.n_devices; i++)
		if (s->devices[i].role == DEVICE_GUEST && s->devices[i].master == bridge)
			return true;
	return false;
}

int subject_watch(const struct subject *s, struct tracer *t)
{
	int r = 0;

	if (s->has_mac)
		tracer_guest_mac(t, &s->mac);
	for (size_t i = 0; i < s->n_addrs; i++)
		tracer_guest_addr(t, s->addrs[i].family, s->addrs[i].addr);
	for (size_t i = 0; i < s->view.n_devices && r == 0; i++) {
		const struct path_device *d = &s->devices[i];
		unsigned int watch = TRACER_IN;

		if (d->role == DEVICE_GUEST)
			watch = TRACER_IN | TRACER_OUT | TRACER_GUEST;
		else if (d->role == DEVICE_BRIDGE)
			watch = is_bridge_of(s, d->ifindex) ? TRACER_OUT : 0;
		r = tracer_watch(t, d->ifindex, watch, d->kind);
	}
	return r;
}

int subject_enter_netns(const char *name, struct err *e)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[256];

	snprintf(path, sizeof(path), "%s%s", strchr(name, '/') ? "" : "/run/netns/", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(
			e, -errno, "netns", name,
			"there is no network namespace %s (%s); `ip netns` lists those with a "
			"name, /proc/PID/ns/net is that of a process",
			path, strerror(errno));
	if (setns(fd, CLONE_NEWNET) < 0)
		return err_set(e, -errno, "netns", name, "%s cannot be entered: %s", path,
			       strerror(errno));
	return 0;
}
