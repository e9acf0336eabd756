/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forwards.c - see forwards.h. */
#include "daemon/forwards.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "firewall/forwards.h"
#include "kernel/conntrack.h"
#include "kernel/listener.h"
#include "kernel/proc.h"

/* ---- other people's ports ---- */

/* struct listeners - @v is owned; @read: they have been asked for. */
struct listeners {
	struct listener *v;
	size_t n;
	bool read;
};

static const struct listener *find_listener(const struct listeners *l, const struct forward *f)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].proto == forward_proto_number(f->proto) &&
		    forward_takes(f, f->proto, l->v[i].addr, l->v[i].port))
			return &l->v[i];
	return NULL;
}

/* Who has it, as far as this process may see; root's `vmlane` puts a name for "socket:[N]". */
static void describe(const struct listener *l, char *ret, size_t size)
{
	char comm[PROC_COMM_MAX];
	pid_t pid;

	if (l->inode == 0)
		snprintf(ret, size, "the kernel");
	else if (proc_socket_holder(l->inode, &pid, comm) == 0)
		snprintf(ret, size, "%s (pid %d)", comm, (int)pid);
	else
		snprintf(ret, size, "socket:[%u] of uid %u", l->inode, l->uid);
}

static void report(const char *file, const struct guest_config *g, const struct forward *f,
		   const struct listener *l, bool in_effect, struct err_list *errs)
{
	char where[LOCATION_STRLEN], who[64], addr[IP4_STRLEN], text[FORWARD_STRLEN];
	const struct location at = {f->line, f->col};

	describe(l, who, sizeof(who));
	err_add(errs, -EBUSY, "port-in-use", location_format(file, at, where, sizeof(where)),
		"`forward`: \"%s\" of guest \"%s\" %s %s %s:%u, on which %s listens; %s",
		forward_format(f, text), g->name, in_effect ? "hides" : "wants",
		forward_proto_name(f->proto), ip4_format(l->addr, addr), l->port, who,
		in_effect ? "end that one, or choose another port"
			  : "choose another port, end that one, or hide it: --force");
}

/* Every forward of @c with the first listener that it hides. */
static int each_hidden(struct listeners *l, const char *file, const struct network_config *c,
		       const struct network_config *running, struct err_list *errs)
{
	int r = 0;

	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest_config *g = &c->guests[i];

		for (size_t k = 0; k < g->n_forwards; k++) {
			const struct listener *hidden;

			if (running && running != c &&
			    network_has_forward(running, &g->forwards[k]))
				continue;
			if (!l->read && listeners_read(&l->v, &l->n, NULL) < 0)
				log_warning("who listens on this host's ports cannot be seen");
			l->read = true;
			hidden = find_listener(l, &g->forwards[k]);
			if (!hidden)
				continue;
			report(file, g, &g->forwards[k], hidden, running == c, errs);
			r = -EBUSY;
		}
	}
	return r;
}

int forwards_check_ports(struct manager *m, const struct config_set *set, bool start,
			 struct err_list *errs)
{
	struct listeners l = {0};
	int r = 0;

	for (size_t i = 0; i < set->n; i++) {
		const struct config_file *f = &set->files[i];
		const struct network_rt *n = manager_network(m, f->network->name);
		bool runs = n && !n->stopped && n->ifindex;

		if (n && n->stopped && !start)
			continue;
		if (each_hidden(&l, f->path, f->network, runs ? n->config : NULL, errs) < 0)
			r = -EBUSY;
	}
	free(l.v);
	return r;
}

/* ---- addresses ---- */

static const struct link_state *link_of(const struct actual *a, struct in_addr addr)
{
	for (size_t i = 0; i < a->n_addrs; i++)
		if (ip4_equal(a->addrs[i].prefix.addr, addr))
			return actual_link_by_index(a, a->addrs[i].ifindex);
	return NULL;
}

static bool is_loopback(struct in_addr addr)
{
	return ip4_host(addr) >> 24 == IN_LOOPBACKNET;
}

const char *forwards_uplink(const struct work *w, const struct forward *f)
{
	const struct link_state *l = forward_any(f) ? NULL : link_of(&w->actual, f->addr);
	size_t of;

	if (!l || strcmp(l->name, "lo") == 0)
		return NULL;
	/* Our own bridges forward, or shall not. */
	of = work_find(w, w->by_bridge, l->name);
	if (of < w->target->n && w->target->networks[of].config->mode != NETWORK_BRIDGED)
		return NULL;
	return l->name;
}

bool forwards_wait_for(const struct manager *m, struct in_addr addr)
{
	for (const struct network_rt *n = m->networks; n; n = n->hh.next)
		for (size_t i = 0; i < n->config->n_guests; i++)
			for (size_t k = 0; k < n->config->guests[i].n_forwards; k++)
				if (ip4_equal(n->config->guests[i].forwards[k].addr, addr))
					return true;
	return false;
}

static void check_addresses(const struct network_rt *n, const struct actual *a,
			    struct err_list *errs)
{
	char where[LOCATION_STRLEN], addr[IP4_STRLEN], text[FORWARD_STRLEN];

	for (size_t i = 0; i < n->config->n_guests; i++) {
		const struct guest_config *g = &n->config->guests[i];

		for (size_t k = 0; k < g->n_forwards; k++) {
			const struct forward *f = &g->forwards[k];
			const struct location at = {f->line, f->col};

			if (forward_any(f) || is_loopback(f->addr) || link_of(a, f->addr))
				continue;
			err_add(errs, -EADDRNOTAVAIL, "no-address",
				location_format(n->file, at, where, sizeof(where)),
				"`forward`: \"%s\" of guest \"%s\" waits for an address: this host "
				"does not have %s (`ip address` shows those it has)",
				forward_format(f, text), g->name, ip4_format(f->addr, addr));
		}
	}
}

void forwards_problems(struct manager *m, const struct actual *a, struct err_list *errs)
{
	struct network_rt *n, *next;
	struct listeners l = {0};

	HASH_ITER (hh, m->networks, n, next) {
		if (n->stopped || !n->ifindex)
			continue;
		(void)each_hidden(&l, n->file, n->config, n->config, errs);
		check_addresses(n, a, errs);
	}
	free(l.v);
}

/* ---- what the kernel should have ---- */

int forwards_want(struct work *w)
{
	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct network_config *c = w->desired.networks[i].config;
		int r = 0;

		if (network_forwards(c))
			r = want_sysctl(&w->desired, "ipv4", c->bridge, "route_localnet", "1");
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < w->actual.n_links; i++) {
		const struct link_state *l = &w->actual.links[i];
		size_t of = l->route_localnet ? work_find(w, w->by_bridge, l->name) : w->target->n;
		int r = 0;

		if (of < w->target->n && w->target->networks[of].run &&
		    w->target->networks[of].config->mode != NETWORK_BRIDGED &&
		    network_forwards(w->target->networks[of].config) == 0)
			r = want_sysctl(&w->desired, "ipv4", l->name, "route_localnet", "0");
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- connections ---- */

/* struct ports - forwards by port, sorted; @v is owned, @error sticks. */
struct ports {
	struct fw_forward *v;
	size_t n;
	size_t cap;
	int error;
};

/* struct change - the forwards that went and those that came; @actual tells the host's addresses. */
struct change {
	struct ports gone;
	struct ports come;
	const struct actual *actual;
};

static void add_port(const struct fw_forward *f, void *ctx)
{
	struct ports *p = ctx;

	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 64;
		struct fw_forward *v = reallocarray(p->v, cap, sizeof(*v));

		if (!v) {
			p->error = -ENOMEM;
			return;
		}
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = *f;
}

static int port_cmp(const void *a, const void *b)
{
	const struct fw_forward *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	if (!ip4_equal(x->addr, y->addr))
		return x->addr.s_addr < y->addr.s_addr ? -1 : 1;
	return 0;
}

/* The forward in @p that @flow comes by, or came by when it was there. */
static const struct fw_forward *find_port(const struct ports *p, const struct conntrack_flow *flow)
{
	struct fw_forward key = {.addr = flow->dst, .proto = flow->proto, .port = flow->dport};
	const struct fw_forward *found;

	if (p->n == 0)
		return NULL;
	found = bsearch(&key, p->v, p->n, sizeof(*p->v), port_cmp);
	if (found)
		return found;
	key.addr.s_addr = INADDR_ANY;
	return bsearch(&key, p->v, p->n, sizeof(*p->v), port_cmp);
}

static bool leads_there(const struct fw_forward *f, const struct conntrack_flow *flow)
{
	return f && ip4_equal(f->to, flow->answers) && f->to_port == flow->answers_port;
}

/*
 * A UDP peer that goes on sending from one port is one connection to the kernel as long as it does,
 * whatever comes to be configured meanwhile; TCP's has ended when nobody was listening.
 */
static bool went_to_host(const struct change *c, const struct conntrack_flow *flow)
{
	return flow->proto == IPPROTO_UDP && ip4_equal(flow->answers, flow->dst) &&
	       flow->answers_port == flow->dport &&
	       (is_loopback(flow->dst) || link_of(c->actual, flow->dst));
}

static bool has_to_go(const struct conntrack_flow *flow, void *ctx)
{
	const struct change *c = ctx;
	const struct fw_forward *come = find_port(&c->come, flow);

	if (leads_there(find_port(&c->gone, flow), flow))
		return !leads_there(come, flow);
	return come && went_to_host(c, flow);
}

void forwards_settle(struct work *w)
{
	struct change c = {.actual = &w->actual};
	struct err e = {0};
	size_t n = 0;
	int r = 0;

	fw_forwards_changed(&w->m->fw, &w->fw, add_port, &c.gone);
	fw_forwards_changed(&w->fw, &w->m->fw, add_port, &c.come);
	if (c.gone.error || c.come.error) {
		r = err_set(&e, -ENOMEM, "memory", "", "out of memory");
	} else if (c.gone.n || c.come.n) {
		if (c.gone.n)
			qsort(c.gone.v, c.gone.n, sizeof(*c.gone.v), port_cmp);
		if (c.come.n)
			qsort(c.come.v, c.come.n, sizeof(*c.come.v), port_cmp);
		r = conntrack_forget(has_to_go, &c, &n, &e);
	}
	if (r < 0)
		log_warning("connections of forwards that are no more may go on: %s", e.message);
	else if (n)
		log_notice("%zu connections ended with their forwards", n);
	free(c.gone.v);
	free(c.come.v);
}
