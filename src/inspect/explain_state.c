/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain_state.c - see explain_state.h. Each question of path/explain.h has one small function. */
#include "inspect/explain_state.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/explain_others.h"
#include "kernel/conntrack.h"
#include "kernel/iptables_legacy.h"
#include "kernel/listener.h"
#include "kernel/portguard.h"
#include "kernel/rtnl_detail.h"
#include "kernel/sysctl.h"
#include "path/nft_fib.h"
#include "path/tcx.h"

#define TCX_PROGRAMS_MAX 64 /* BPF_MPROG_MAX */

/**
 * struct explain_state - see explain_state.h
 * @listeners:	read when the first is asked for
 * @guard:	what guards go by, or NULL: there are none, or they may not be read
 */
struct explain_state {
	struct rtnl *rtnl;
	struct host_detail detail;
	struct nftprog *rules;
	struct nftfib *fib;
	struct rules_live *live;
	struct listener *listeners;
	size_t n_listeners;
	bool listened;
	struct explain_others others;
	struct portguard *guard;
	struct explain_host host;
};

/* ---- questions ---- */

static bool ask_sysctl(const char *path, char *ret, size_t size, void *ctx)
{
	char value[SYSCTL_VALUE_MAX];

	if (sysctl_read(path, value) < 0)
		return false;
	snprintf(ret, size, "%s", value);
	return true;
}

static int ask_route(const struct route_question *q, struct route_answer *ret, void *ctx)
{
	struct explain_state *s = ctx;

	return rtnl_lookup(s->rtnl, q, ret, NULL);
}

static bool is_guards(const struct explain_state *s, uint32_t id)
{
	return s->guard && portguard_is(s->guard, id);
}

static bool ask_filter(struct explain_state *s, int ifindex, bool egress, char *ret, size_t size)
{
	struct filter_state *filters = NULL;
	size_t n = 0, i = 0;

	if (rtnl_filter_dump(s->rtnl, ifindex, egress, &filters, &n, NULL) < 0)
		return false;
	while (i < n && filters[i].program && is_guards(s, filters[i].program))
		i++;
	if (i < n)
		snprintf(ret, size, "%s (pref %u)", filters[i].kind, filters[i].pref);
	free(filters);
	return i < n;
}

static bool ask_program(int ifindex, bool egress, char *ret, size_t size, void *ctx)
{
	uint32_t ids[TCX_PROGRAMS_MAX], n = TCX_PROGRAMS_MAX, i = 0;
	struct explain_state *s = ctx;

	/* A kernel without TCX has none. */
	if (bpf_prog_query(ifindex, (enum bpf_attach_type)(TCX_INGRESS + egress), 0, NULL, ids,
			   &n) < 0)
		n = 0;
	while (i < n && is_guards(s, ids[i]))
		i++;
	if (i == n)
		return ask_filter(s, ifindex, egress, ret, size);
	explain_bpf_name(ids[i], ret, size);
	return true;
}

static enum guard ask_guard(int ifindex, const uint8_t *b, size_t len, int tci, void *ctx)
{
	struct explain_state *s = ctx;
	struct port_facts facts;
	struct port_window w;

	if (!s->guard || portguard_look(s->guard, ifindex, &facts) < 0)
		return GUARD_COUNT;
	port_window_of(b, len, tci, &w);
	return port_judge(&facts, &w);
}

static enum explain_legacy ask_legacy(int family, const char *table, unsigned int hook, void *ctx)
{
	switch (iptables_legacy_at(family, table, hook)) {
	case IPTABLES_LEGACY_PASS:
		return EXPLAIN_LEGACY_PASS;
	case IPTABLES_LEGACY_DROP:
		return EXPLAIN_LEGACY_DROP;
	default:
		return EXPLAIN_LEGACY_RULES;
	}
}

static enum explain_answer ask_listener(int family, uint8_t l4, const uint8_t addr[16],
					uint16_t port, void *ctx)
{
	struct explain_state *s = ctx;

	if (family != AF_INET)
		return EXPLAIN_NOBODY_KNOWS;
	if (!s->listened && listeners_read(&s->listeners, &s->n_listeners, NULL) < 0)
		return EXPLAIN_NOBODY_KNOWS;
	s->listened = true;
	for (size_t i = 0; i < s->n_listeners; i++) {
		const struct listener *l = &s->listeners[i];

		if (l->proto == l4 && l->port == port &&
		    (l->addr.s_addr == INADDR_ANY || memcmp(&l->addr, addr, 4) == 0))
			return EXPLAIN_YES;
	}
	return EXPLAIN_NO;
}

static bool ask_taken(uint8_t family, uint8_t l4, const struct nfteval_tuple *t, void *ctx)
{
	struct conntrack_tuple c = {
		.family = family == NFPROTO_IPV4 ? AF_INET : AF_INET6,
		.l4 = l4,
		.sport = ntohs(t->sport),
		.dport = ntohs(t->dport),
	};

	/* An echo's number is random, and whether it is taken is not worth a question. */
	if (l4 != IPPROTO_TCP && l4 != IPPROTO_UDP)
		return false;
	memcpy(c.src, &t->src, sizeof(c.src));
	memcpy(c.dst, &t->dst, sizeof(c.dst));
	return conntrack_has(&c);
}

static long number(const char *path)
{
	char value[SYSCTL_VALUE_MAX];

	return sysctl_read(path, value) < 0 ? 0 : strtol(value, NULL, 10);
}

static bool ask_conntrack_full(void *ctx)
{
	long max = number("net/netfilter/nf_conntrack_max");

	return max > 0 && number("net/netfilter/nf_conntrack_count") >= max;
}

static bool ask_others(const struct explain_hook *at, char *ret, size_t size, void *ctx)
{
	const struct explain_state *s = ctx;

	return explain_others_ask(&s->others, at, ret, size);
}

/* ---- reading ---- */

void explain_state_presume(struct explain_state *s)
{
	s->host.presume = true;
}

const struct explain_host *explain_state_host(const struct explain_state *s)
{
	return &s->host;
}

static int read_all(struct explain_state *s, struct err *e)
{
	int r = rtnl_new(&s->rtnl);

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = rtnl_detail(s->rtnl, &s->detail, e);
	if (r == 0)
		r = nftprog_load(&s->rules, e);
	if (r == 0)
		r = nftfib_open(&s->fib, e);
	if (r == 0)
		r = explain_others_read(&s->others, e);
	if (r < 0)
		return r;
	if (portguard_find(&s->guard) < 0)
		s->guard = NULL;
	/* Without the rules' texts their handles have to do. */
	if (rules_live_new(&s->live, NULL) == 0 &&
	    rules_live_get(s->live, &s->host.texts, NULL) < 0)
		s->host.texts = NULL;
	return 0;
}

int explain_state_new(struct path_view *view, struct explain_state **ret, struct err *e)
{
	_cleanup_(explain_state_freep) struct explain_state *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "memory", "explain", "out of memory");
	r = read_all(s, e);
	if (r < 0)
		return r;
	view->no_socket_reason = explain_no_socket();
	s->host.detail = &s->detail;
	s->host.view = view;
	s->host.rules = s->rules;
	s->host.asked = nftfib_asked(s->fib);
	s->host.now_s = time(NULL);
	s->host.sysctl = ask_sysctl;
	s->host.route = ask_route;
	s->host.program = ask_program;
	s->host.guard = ask_guard;
	s->host.legacy = ask_legacy;
	s->host.listener = ask_listener;
	s->host.taken = ask_taken;
	s->host.conntrack_full = ask_conntrack_full;
	s->host.others = ask_others;
	s->host.ctx = s;
	*ret = s;
	s = NULL;
	return 0;
}

void explain_state_free(struct explain_state *s)
{
	if (!s)
		return;
	host_detail_done(&s->detail);
	explain_others_done(&s->others);
	nftprog_free(s->rules);
	nftfib_close(s->fib);
	rules_live_free(s->live);
	free(s->listeners);
	portguard_free(s->guard);
	rtnl_free(s->rtnl);
	free(s);
}
