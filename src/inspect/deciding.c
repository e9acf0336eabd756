/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deciding.c - see deciding.h. */
#include "inspect/deciding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/sysctl.h"
#include "path/nftrace.h"
#include "path/rules.h"
#include "path/trace_join.h"

/**
 * struct deciding - see deciding.h
 * @journeys:	while they are being told
 * @rules:	the ruleset at that time, or NULL
 * @now_ns:	when the messages at hand are read
 * @error:	of the first of them that could not be told
 * @lost:	messages that found no memory
 */
struct deciding {
	struct nftrace *nftrace;
	struct rules_live *live;
	struct trace_join *join;
	struct journeys *journeys;
	const struct rules *rules;
	uint64_t lost;
	uint64_t now_ns;
	int error;
};

int deciding_new(struct deciding **ret, struct err *e)
{
	_cleanup_(deciding_freep) struct deciding *d = calloc(1, sizeof(*d));
	int r;

	if (!d || trace_join_new(&d->join) < 0)
		return err_set(e, -ENOMEM, "memory", "trace", "out of memory");
	r = nftrace_open(&d->nftrace, e);
	if (r == 0)
		r = rules_live_new(&d->live, e);
	if (r < 0)
		return r;
	*ret = d;
	d = NULL;
	return 0;
}

void deciding_free(struct deciding *d)
{
	if (!d)
		return;
	nftrace_close(d->nftrace);
	rules_live_free(d->live);
	trace_join_free(d->join);
	free(d);
}

uint64_t deciding_socket(const struct deciding *d)
{
	return nftrace_socket_inode(d->nftrace);
}

int deciding_fd(const struct deciding *d)
{
	return nftrace_fd(d->nftrace);
}

uint64_t deciding_lost(const struct deciding *d)
{
	return d->lost + nftrace_lost(d->nftrace);
}

/* Connections are remembered here, so that asking for their other side switches nothing on. */
static bool conntrack_in_use(void)
{
	char count[SYSCTL_VALUE_MAX];

	return sysctl_read("net/netfilter/nf_conntrack_count", count) == 0 &&
	       strcmp(count, "0") != 0;
}

static bool is_guests(const struct subject *s, const struct pcap_filter_addr *a)
{
	for (size_t i = 0; i < s->n_addrs; i++)
		if (s->addrs[i].family == a->family && memcmp(s->addrs[i].addr, a->addr, 16) == 0)
			return true;
	return false;
}

/* What of a plain filter the rules can ask for: a port, a protocol, whom the guest speaks with. */
static void narrow(struct nftrace_flow *flow, const struct subject *s,
		   const struct pcap_filter *filter)
{
	struct pcap_filter_flow f;

	if (!filter || !pcap_filter_flow(filter->text, &f))
		return;
	flow->proto = f.l4;
	flow->port = f.port ? f.port : f.dport ? f.dport : f.sport;
	for (size_t i = 0; i < 3; i++) {
		const struct pcap_filter_addr *a = i == 0 ? &f.host : i == 1 ? &f.dst : &f.src;

		if (!a->family || is_guests(s, a))
			continue;
		flow->has_peer = true;
		flow->peer.family = a->family;
		memcpy(flow->peer.addr, a->addr, sizeof(flow->peer.addr));
		return;
	}
}

int deciding_ask(struct deciding *d, const struct subject *s, const struct pcap_filter *filter,
		 uint32_t mark, struct err *e)
{
	struct nftrace_flow flow = {
		.mark = mark,
		.has_mac = s->has_mac,
		.mac = s->mac,
		.addrs = s->addrs,
		.n_addrs = s->n_addrs,
	};

	if (!mark && !flow.has_mac && !flow.n_addrs)
		return 0;
	flow.conntrack = conntrack_in_use();
	narrow(&flow, s, filter);
	return nftrace_select(d->nftrace, &flow, e);
}

void deciding_pause(struct deciding *d)
{
	/* Should the kernel not let them go, packets go on paying a little. */
	(void)!nftrace_select(d->nftrace, NULL, NULL);
}

void deciding_restart(struct deciding *d)
{
	nftrace_restart(d->nftrace);
}

static void on_message(const struct nftrace_msg *m, void *ctx)
{
	struct deciding *d = ctx;

	if (trace_join_message(d->join, m, d->now_ns) < 0)
		d->lost++;
}

int deciding_receive(struct deciding *d, uint64_t now_ns)
{
	int r;

	d->now_ns = now_ns;
	trace_join_look(d->join, now_ns);
	r = nftrace_read(d->nftrace, on_message, d);
	return r < 0 ? r : 0;
}

void deciding_event(struct deciding *d, const struct path_trace *t)
{
	trace_join_event(d->join, t);
}

static const struct path_seen *seen(uint32_t packet, void *ctx)
{
	const struct deciding *d = ctx;

	return journeys_seen(d->journeys, packet);
}

static void on_verdict(uint32_t packet, uint64_t time_ns, const struct verdict *v, void *ctx)
{
	struct path_decision decision;
	struct deciding *d = ctx;
	int r;

	if (v->by == VERDICT_UNKNOWN)
		return;
	verdict_decision(v, d->rules, &decision);
	r = journeys_decided(d->journeys, packet, time_ns, &decision);
	if (r < 0 && !d->error)
		d->error = r;
}

int deciding_decide(struct deciding *d, uint64_t now_ns, struct journeys *j)
{
	static const struct trace_join_ops ops = {.seen = seen, .decided = on_verdict};

	if (trace_join_wait_ms(d->join, now_ns) != 0)
		return 0;
	if (rules_live_get(d->live, &d->rules, NULL) < 0)
		d->rules = NULL; /* then without the rules' texts */
	d->journeys = j;
	d->error = 0;
	trace_join_due(d->join, now_ns, &ops, d);
	return d->error;
}

uint64_t deciding_settled(const struct deciding *d)
{
	return trace_join_settled(d->join);
}

int deciding_wait_ms(const struct deciding *d, uint64_t now_ns)
{
	return trace_join_wait_ms(d->join, now_ns);
}
