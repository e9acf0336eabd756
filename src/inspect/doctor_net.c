/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_net.c - networks among each other: subnets, leases, and who serves DHCP. */
#include "inspect/doctor_internal.h"

#include <glob.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define DHCP_SERVER 67
#define DNS 53
#define BROADER_MIN 8 /* VPNs route halves and quarters of the Internet: those hide nothing */
#define HOST_LEN 30   /* routes to single hosts, or to the two of a line */

static struct ip4_prefix network_of(const struct ip4_prefix *p)
{
	return (struct ip4_prefix){ip4_network(p), p->len};
}

/* ---- subnets ---- */

static void tell_conflict(struct doctor *d, const struct doctor_net *n, const struct addr_state *a,
			  const struct addr_state *b, const struct link_state *other)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "subnet-conflict", n);
	struct ip4_prefix p = network_of(&a->prefix), q = network_of(&b->prefix);
	char ours[IP4_PREFIX_STRLEN], theirs[IP4_PREFIX_STRLEN];

	ip4_prefix_format(&p, ours);
	ip4_prefix_format(&q, theirs);
	diagnosis_cause(&f.why,
			"the subnet %s of %s overlaps with %s of %s: this host finds the guests of "
			"one only, or cannot reach the other",
			ours, n->bridge->name, theirs, other->name);
	diagnosis_saw(&f.why, "network", "%s dev %s", ours, n->bridge->name);
	diagnosis_saw(&f.why, "network", "%s dev %s", theirs, other->name);
	if (n->ours)
		diagnosis_advice(&f.why,
				 "vmlane network set %s ipv4.subnet=auto picks one that overlaps "
				 "with nothing",
				 n->ours);
	else
		diagnosis_advice(&f.why, "give one of the two another subnet, where it is set up");
	doctor_add(d, &f);
}

/* A macvlan on the bridge itself is how some hosts reach their own guests. */
static bool is_shim(const struct link_state *l, const struct doctor_net *n)
{
	return l->link == n->bridge->ifindex || l->master == n->bridge->ifindex;
}

static void check_addresses(struct doctor *d, const struct doctor_net *n,
			    const struct addr_state *a)
{
	for (size_t i = 0; i < d->f->host->n_addrs; i++) {
		const struct addr_state *b = &d->f->host->addrs[i];
		const struct link_state *l = b->ifindex != a->ifindex &&
							     b->prefix.len <= HOST_LEN &&
							     ip4_overlap(&a->prefix, &b->prefix)
						     ? actual_link_by_index(d->f->host, b->ifindex)
						     : NULL;

		if (!l || strcmp(l->name, "lo") == 0 || is_shim(l, n))
			continue;
		/* Of two that are looked at: once. */
		if (!doctor_net_of(d, b->ifindex) || b->ifindex > a->ifindex)
			tell_conflict(d, n, a, b, l);
	}
}

/* A connected route of an address that check_addresses() has seen. */
static bool is_connected(const struct doctor *d, const struct route_state *r)
{
	for (size_t i = 0; i < d->f->host->n_addrs; i++) {
		const struct addr_state *b = &d->f->host->addrs[i];

		if (b->ifindex == r->oif && b->prefix.len == r->dst.len &&
		    ip4_equal(ip4_network(&b->prefix), r->dst.addr))
			return true;
	}
	return false;
}

static void tell_route(struct doctor *d, const struct doctor_net *n, const struct addr_state *a,
		       const struct route_state *r, const struct link_state *l)
{
	struct ip4_prefix p = network_of(&a->prefix);
	char ours[IP4_PREFIX_STRLEN], route[IP4_PREFIX_STRLEN];
	bool narrow = r->dst.len >= p.len;
	enum doctor_severity s = !narrow ? DOCTOR_NOTE
				 : r->table != RT_TABLE_MAIN || r->dst.len >= HOST_LEN
					 ? DOCTOR_WARNING
					 : DOCTOR_ERROR;
	struct doctor_finding f =
		doctor_new_finding(s, narrow ? "subnet-conflict" : "subnet-hides", n);

	ip4_prefix_format(&p, ours);
	ip4_prefix_format(&r->dst, route);
	if (narrow)
		diagnosis_cause(&f.why,
				"a route leads what is for %s to %s, and the guests of %s have "
				"addresses of %s: answers to them go astray",
				route, l->name, n->bridge->name, ours);
	else
		diagnosis_cause(&f.why,
				"the subnet %s of %s lies in %s, to which a route leads by %s: who "
				"has these addresses there cannot be reached from here",
				ours, n->bridge->name, route, l->name);
	diagnosis_saw(&f.why, "route", "%s dev %s table %u metric %u", route, l->name, r->table,
		      r->metric);
	diagnosis_saw(&f.why, "network", "%s dev %s", ours, n->bridge->name);
	if (narrow && r->table != RT_TABLE_MAIN)
		diagnosis_advice(&f.why,
				 "it counts where a routing rule (ip rule) leads to table %u",
				 r->table);
	else
		diagnosis_advice(&f.why, "%s",
				 narrow ? "give the network another subnet, or take "
					  "the route away if nobody needs it"
					: "nothing is wrong unless they are needed");
	doctor_add(d, &f);
}

static void check_routes(struct doctor *d, const struct doctor_net *n, const struct addr_state *a)
{
	for (size_t i = 0; i < d->f->host->n_routes; i++) {
		const struct route_state *r = &d->f->host->routes[i];
		const struct link_state *l = r->oif && r->oif != a->ifindex &&
							     r->dst.len >= BROADER_MIN &&
							     ip4_overlap(&a->prefix, &r->dst)
						     ? actual_link_by_index(d->f->host, r->oif)
						     : NULL;

		if (l && !is_shim(l, n) && !is_connected(d, r))
			tell_route(d, n, a, r, l);
	}
}

void doctor_check_subnets(struct doctor *d)
{
	for (size_t i = 0; i < d->f->host->n_addrs; i++) {
		const struct addr_state *a = &d->f->host->addrs[i];
		const struct doctor_net *n = doctor_net_of(d, a->ifindex);

		if (!n || a->prefix.len > HOST_LEN)
			continue;
		check_addresses(d, n, a);
		check_routes(d, n, a);
	}
}

/* ---- leases ---- */

/* struct lease - one that holds: of another program, or of ours. */
struct lease {
	struct in_addr addr;
	struct mac mac;
};

struct leases {
	struct lease *v;
	size_t n;
};

static void take_ours(const struct doctor *d, struct leases *all)
{
	const json_t *one;
	size_t i;

	json_array_foreach (json_object_get(d->our_leases, "leases"), i, one) {
		const char *state = json_string_value(json_object_get(one, "state"));
		const char *addr = json_string_value(json_object_get(one, "address"));
		const char *mac = json_string_value(json_object_get(one, "mac"));
		struct lease *l = &all->v[all->n];

		if (state && strcmp(state, "bound") == 0 && addr && mac &&
		    ip4_parse(addr, &l->addr) == 0 && mac_parse(mac, &l->mac) == 0)
			all->n++;
	}
}

static bool take_leases(const struct doctor *d, struct leases *all)
{
	size_t n = d->leases.n + json_array_size(json_object_get(d->our_leases, "leases"));

	*all = (struct leases){.v = calloc(n + 1, sizeof(*all->v))};
	if (!all->v)
		return false;
	for (size_t i = 0; i < d->leases.n; i++) {
		const struct foreign_lease *l = &d->leases.v[i];

		if (l->expires_s == 0 || l->expires_s > d->now_s)
			all->v[all->n++] = (struct lease){l->addr, l->mac};
	}
	take_ours(d, all);
	return true;
}

static int by_address(const void *a, const void *b)
{
	const struct lease *x = a, *y = b;
	int r = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return r ? r : memcmp(&x->mac, &y->mac, sizeof(x->mac));
}

static void tell_lease_twice(struct doctor *d, const struct doctor_net *n, const struct lease *a,
			     const struct lease *b)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "lease-twice", n);
	char addr[IP4_STRLEN], first[MAC_STRLEN], second[MAC_STRLEN];

	ip4_format(a->addr, addr);
	diagnosis_cause(&f.why, "two leases that hold are for the one address %s", addr);
	diagnosis_saw(&f.why, "lease", "%s for %s", addr, mac_format(&a->mac, first));
	diagnosis_saw(&f.why, "lease", "%s for %s", addr, mac_format(&b->mac, second));
	diagnosis_advice(&f.why,
			 "two servers give addresses of one subnet, or one has lost its list: see "
			 "who serves DHCP there");
	doctor_add(d, &f);
}

static void tell_other_mac(struct doctor *d, const struct doctor_net *n, const struct lease *l,
			   const struct fact_neigh *neigh)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_WARNING, "lease-other-mac", n);
	char addr[IP4_STRLEN], given[MAC_STRLEN], seen[MAC_STRLEN];

	ip4_format(l->addr, addr);
	diagnosis_cause(&f.why,
			"%s is leased to %s, but %s answers for it: somebody uses an address that "
			"is another's",
			addr, mac_format(&l->mac, given), mac_format(&neigh->mac, seen));
	diagnosis_saw(&f.why, "lease", "%s for %s", addr, given);
	diagnosis_saw(&f.why, "neighbour", "%s is at %s dev %s", addr, seen, n->bridge->name);
	diagnosis_advice(&f.why,
			 "vmlane guest find %s tells who that is; its address should come by DHCP, "
			 "or from outside of the range",
			 seen);
	doctor_add(d, &f);
}

static int by_mac(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac));
}

/* All MACs that a guest has or a bridge has learned, sorted; NULL without memory. */
static struct mac *known_macs(const struct doctor *d, size_t *ret_n)
{
	struct mac *v = calloc(d->guests.n + d->f->host->n_fdb + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; v && i < d->guests.n; i++)
		if (d->guests.v[i].has_mac)
			v[n++] = d->guests.v[i].mac;
	for (size_t i = 0; v && i < d->f->host->n_fdb; i++)
		v[n++] = d->f->host->fdb[i].mac;
	if (v)
		qsort(v, n, sizeof(*v), by_mac);
	*ret_n = n;
	return v;
}

/* Nothing is wrong with them: they keep addresses for who may come again. */
static void check_stale(struct doctor *d, const struct leases *all)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "lease-stale", NULL);
	size_t n = 0, n_known;
	_cleanup_(freep) struct mac *known = known_macs(d, &n_known);

	if (!known)
		return;

	for (size_t i = 0; i < all->n; i++) {
		char addr[IP4_STRLEN], mac[MAC_STRLEN];

		if (!doctor_net_of_address(d, all->v[i].addr) ||
		    bsearch(&all->v[i].mac, known, n_known, sizeof(*known), by_mac))
			continue;
		if (n++ < 4)
			diagnosis_saw(&f.why, "lease", "%s for %s",
				      ip4_format(all->v[i].addr, addr),
				      mac_format(&all->v[i].mac, mac));
	}
	if (!n)
		return;
	diagnosis_cause(&f.why,
			"%zu lease%s for guests that are not there now: such an address is not "
			"free until its lease is over",
			n, n == 1 ? " is" : "s are");
	doctor_add(d, &f);
}

void doctor_check_leases(struct doctor *d)
{
	struct leases all;

	if (!take_leases(d, &all))
		return;
	qsort(all.v, all.n, sizeof(*all.v), by_address);
	for (size_t i = 0; i < all.n; i++) {
		const struct lease *l = &all.v[i];
		const struct doctor_net *n = doctor_net_of_address(d, l->addr);
		const struct fact_neigh *neigh;
		uint8_t addr[16] = {0};

		if (!n)
			continue;
		if (i && ip4_equal(l[-1].addr, l->addr) && !mac_equal(&l[-1].mac, &l->mac))
			tell_lease_twice(d, n, &l[-1], l);
		memcpy(addr, &l->addr, sizeof(l->addr));
		neigh = fact_neigh(d->f, n->bridge->ifindex, AF_INET, addr);
		if (neigh && !mac_is_zero(&neigh->mac) && !mac_equal(&neigh->mac, &l->mac) &&
		    !(neigh->state & (NUD_FAILED | NUD_INCOMPLETE)))
			tell_other_mac(d, n, l, neigh);
	}
	check_stale(d, &all);
	free(all.v);
}

/* ---- who serves ---- */

static void saw_listener(struct diagnosis *d, const struct listener *l, const char *where)
{
	char addr[IP4_STRLEN], comm[PROC_COMM_MAX];
	pid_t pid;

	ip4_format(l->addr, addr);
	if (proc_socket_holder(l->inode, &pid, comm) == 0)
		diagnosis_saw(d, "socket", "UDP %s:%u%s%s of %d (%s)", addr, l->port,
			      where[0] ? " dev " : "", where, (int)pid, comm);
	else
		diagnosis_saw(d, "socket", "UDP %s:%u%s%s", addr, l->port, where[0] ? " dev " : "",
			      where);
}

/* It hears what is asked on @n, and perhaps elsewhere. */
static bool hears(const struct doctor *d, const struct listener *l, const struct doctor_net *n)
{
	return l->ifindex == n->bridge->ifindex ||
	       (!l->ifindex && l->addr.s_addr != INADDR_ANY &&
		fact_network(d->f, n->bridge->ifindex, l->addr) &&
		ip4_equal(fact_network(d->f, n->bridge->ifindex, l->addr)->prefix.addr, l->addr));
}

static bool is_dhcp(const struct listener *l)
{
	return l->proto == IPPROTO_UDP && l->port == DHCP_SERVER;
}

/* Ours listens by a packet socket, which is not among these. */
static bool ours_serves(const struct doctor *d, const struct doctor_net *n)
{
	return d->daemon == DAEMON_ANSWERS && json_is_object(json_object_get(n->config, "dhcp"));
}

static void check_net_servers(struct doctor *d, const struct doctor_net *n)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "dhcp-server-twice", n);
	bool ours = ours_serves(d, n);
	size_t count = 0;

	for (size_t i = 0; i < d->n_listeners; i++)
		if (is_dhcp(&d->listeners[i]) && hears(d, &d->listeners[i], n))
			count++;
	if (!count || count + ours < 2)
		return;
	diagnosis_cause(&f.why,
			"%zu DHCP servers answer on %s: guests take whichever comes first, and the "
			"address that it gives",
			count + ours, n->bridge->name);
	if (ours)
		diagnosis_saw(&f.why, "daemon", "vmlaned serves DHCP on %s", n->bridge->name);
	for (size_t i = 0; i < d->n_listeners; i++)
		if (is_dhcp(&d->listeners[i]) && hears(d, &d->listeners[i], n))
			saw_listener(&f.why, &d->listeners[i], n->bridge->name);
	if (ours)
		diagnosis_advice(&f.why,
				 "end the other one, or: vmlane network set %s dhcp.enabled=false",
				 n->ours);
	else
		diagnosis_advice(&f.why, "end all but one of them");
	doctor_add(d, &f);
}

/* Two that take what comes by any interface: each hears what is asked of the other. */
static void check_wild_servers(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_WARNING, "dhcp-server-twice", NULL);
	size_t count = 0;

	for (size_t i = 0; i < d->n_listeners; i++) {
		const struct listener *l = &d->listeners[i];

		if (!is_dhcp(l) || l->ifindex || l->addr.s_addr != INADDR_ANY)
			continue;
		saw_listener(&f.why, l, "");
		count++;
	}
	if (count < 2)
		return;
	diagnosis_cause(&f.why,
			"%zu DHCP servers listen on all interfaces of this host: they take the "
			"questions from each other, or both answer",
			count);
	diagnosis_advice(&f.why,
			 "bind each to its interfaces (dnsmasq: bind-dynamic, interface=...)");
	doctor_add(d, &f);
}

/* What libvirt wrote for the dnsmasq of one of its networks. */
static bool read_dnsmasq_conf(const char *path, char bridge[static IFNAMSIZ], bool *ret_dhcp)
{
	char line[512];
	FILE *f = fopen(path, "re");

	bridge[0] = '\0';
	*ret_dhcp = false;
	while (f && fgets(line, sizeof(line), f)) {
		sscanf(line, "interface=%15[^\n]", bridge);
		*ret_dhcp |= strncmp(line, "dhcp-range=", strlen("dhcp-range=")) == 0;
	}
	if (f)
		fclose(f);
	return bridge[0];
}

static void check_libvirt_net(struct doctor *d, const char *path)
{
	char bridge[IFNAMSIZ];
	const char *file = strrchr(path, '/') + 1;
	char name[64];
	bool dhcp;
	const struct link_state *l = read_dnsmasq_conf(path, bridge, &dhcp)
					     ? actual_link_by_name(d->f->host, bridge)
					     : NULL;
	const struct doctor_net *n = l ? doctor_net_of(d, l->ifindex) : NULL;
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "dhcp-server-missing", n);

	if (!n || !dhcp || !l->up)
		return;
	snprintf(name, sizeof(name), "%.*s", (int)(strlen(file) - strlen(".conf")), file);
	for (size_t i = 0; i < d->n_listeners; i++)
		if (is_dhcp(&d->listeners[i]) &&
		    (hears(d, &d->listeners[i], n) ||
		     (!d->listeners[i].ifindex && d->listeners[i].addr.s_addr == INADDR_ANY)))
			return;
	diagnosis_cause(&f.why,
			"libvirt's network %s has no DHCP server: its dnsmasq does not run; who "
			"else has port 53 may keep it from starting",
			name);
	diagnosis_saw(&f.why, "file", "%s", path);
	for (size_t i = 0; i < d->n_listeners; i++)
		if (d->listeners[i].port == DNS && d->listeners[i].proto == IPPROTO_UDP &&
		    (d->listeners[i].addr.s_addr == INADDR_ANY || hears(d, &d->listeners[i], n)))
			saw_listener(&f.why, &d->listeners[i], "");
	diagnosis_mend(&f.why, "virsh net-destroy %s && virsh net-start %s", shell_quote(name).text,
		       shell_quote(name).text);
	diagnosis_advice(&f.why, "its running VMs have to be plugged in anew then; end first who "
				 "has the port, or bind that to its own address");
	doctor_add(d, &f);
}

static void check_libvirt(struct doctor *d)
{
	glob_t g;

	if (glob("/var/lib/libvirt/dnsmasq/*.conf", 0, NULL, &g) != 0)
		return;
	for (size_t i = 0; i < g.gl_pathc; i++)
		check_libvirt_net(d, g.gl_pathv[i]);
	globfree(&g);
}

void doctor_check_servers(struct doctor *d)
{
	for (size_t i = 0; i < d->n_nets; i++)
		check_net_servers(d, &d->nets[i]);
	check_wild_servers(d);
	/* Its files are the host's; and where sockets cannot be listed nobody knows who is missing. */
	if (d->daemon != DAEMON_NOT_ASKED && d->has_listeners)
		check_libvirt(d);
}
