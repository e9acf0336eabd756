/* SPDX-License-Identifier: GPL-2.0-or-later */
/* deciding.c - see deciding.h. */
#include "cli/deciding.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "kernel/sysctl.h"
#include "path/nftrace.h"
#include "path/rules.h"
#include "path/verdicts.h"

#define JOINS 65536	  /* events whose message may still come */
#define MESSAGES_MAX 512  /* of one packet; a chain of more rules than that is cut */
#define VERDICTS_MAX 64	  /* of one packet */
#define PENDING_MAX 65536 /* messages between two looks */

/* struct join - message @number is about @packet. */
struct join {
	uint64_t time_ns;
	uint32_t number;
	uint32_t packet;
};

/**
 * struct traced - the messages of one packet; owned
 * @told:	the first message's number of each decision that was told
 */
struct traced {
	uint32_t packet;
	struct nftrace_msg **msgs;
	size_t n;
	uint32_t told[VERDICTS_MAX];
	size_t n_told;
	bool fresh;
	UT_hash_handle hh;
};

struct deciding {
	struct nftrace *nftrace;
	struct rules_live *rules;
	struct join *joins;
	struct nftrace_msg **pending;
	size_t n_pending;
	struct traced *packets;
	uint64_t lost;
};

int deciding_new(struct deciding **ret, struct err *e)
{
	_cleanup_(deciding_freep) struct deciding *d = calloc(1, sizeof(*d));
	int r;

	if (d) {
		d->joins = calloc(JOINS, sizeof(*d->joins));
		d->pending = calloc(PENDING_MAX, sizeof(struct nftrace_msg *));
	}
	if (!d || !d->joins || !d->pending)
		return err_set(e, -ENOMEM, "memory", "trace", "out of memory");
	for (size_t i = 0; i < JOINS; i++)
		d->joins[i].number = UINT32_MAX;
	r = nftrace_open(&d->nftrace, e);
	if (r == 0)
		r = rules_live_new(&d->rules, e);
	if (r < 0)
		return r;
	*ret = d;
	d = NULL;
	return 0;
}

static void traced_free(struct deciding *d, struct traced *t)
{
	HASH_DEL(d->packets, t);
	for (size_t i = 0; i < t->n; i++)
		free(t->msgs[i]);
	free(t->msgs);
	free(t);
}

static void pending_drop(struct deciding *d)
{
	for (size_t i = 0; i < d->n_pending; i++)
		free(d->pending[i]);
	d->n_pending = 0;
}

void deciding_free(struct deciding *d)
{
	struct traced *t, *next;

	if (!d)
		return;
	HASH_ITER (hh, d->packets, t, next)
		traced_free(d, t);
	pending_drop(d);
	nftrace_close(d->nftrace);
	rules_live_free(d->rules);
	free(d->joins);
	free(d->pending);
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

static void narrow(struct nftrace_flow *flow, const struct pcap_filter *filter)
{
	struct pcap_filter_flow f;

	if (!filter || !pcap_filter_flow(filter->text, &f))
		return;
	flow->proto = f.l4;
	flow->port = f.port ? f.port : f.dport ? f.dport : f.sport;
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
	narrow(&flow, filter);
	return nftrace_select(d->nftrace, &flow, e);
}

void deciding_restart(struct deciding *d)
{
	nftrace_restart(d->nftrace);
}

static void on_message(const struct nftrace_msg *m, void *ctx)
{
	struct deciding *d = ctx;
	struct nftrace_msg *copy;

	if (nftrace_own(m))
		return;
	copy = d->n_pending < PENDING_MAX ? nftrace_msg_copy(m) : NULL;
	if (copy)
		d->pending[d->n_pending++] = copy;
	else
		d->lost++;
}

int deciding_receive(struct deciding *d)
{
	int r = nftrace_read(d->nftrace, on_message, d);

	return r < 0 ? r : 0;
}

void deciding_event(struct deciding *d, const struct path_trace *t)
{
	d->joins[t->number % JOINS] = (struct join){
		.time_ns = t->head.time_ns, .number = t->number, .packet = t->head.packet};
}

static const struct join *join_find(const struct deciding *d, uint32_t number)
{
	const struct join *j = &d->joins[number % JOINS];

	return j->number == number ? j : NULL;
}

static struct traced *traced_get(struct deciding *d, uint32_t packet)
{
	struct traced *t;

	HASH_FIND(hh, d->packets, &packet, sizeof(packet), t);
	if (t)
		return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->msgs = calloc(MESSAGES_MAX, sizeof(struct nftrace_msg *));
	if (!t->msgs) {
		free(t);
		return NULL;
	}
	t->packet = packet;
	HASH_ADD(hh, d->packets, packet, sizeof(t->packet), t);
	return t;
}

/* Give each pending message to its packet; those of packets that are not followed go. */
static void distribute(struct deciding *d)
{
	for (size_t i = 0; i < d->n_pending; i++) {
		const struct join *j = join_find(d, d->pending[i]->number);
		struct traced *t = j ? traced_get(d, j->packet) : NULL;

		if (!t)
			continue;
		if (t->n == MESSAGES_MAX) {
			d->lost++;
			continue;
		}
		t->msgs[t->n++] = d->pending[i];
		t->fresh = true;
		d->pending[i] = NULL;
	}
	pending_drop(d);
}

static bool already_told(struct traced *t, uint32_t first)
{
	for (size_t i = 0; i < t->n_told; i++)
		if (t->told[i] == first)
			return true;
	if (t->n_told < VERDICTS_MAX)
		t->told[t->n_told++] = first;
	return false;
}

static int tell(struct deciding *d, struct traced *t, struct journeys *j)
{
	const struct rules *rules = NULL;
	struct verdict v[VERDICTS_MAX];
	struct path_decision decision;
	size_t n;
	int r = 0;

	t->fresh = false;
	n = verdicts_fold((const struct nftrace_msg *const *)t->msgs, t->n, v, VERDICTS_MAX);
	if (rules_live_get(d->rules, &rules, NULL) < 0)
		rules = NULL; /* then without the rules' texts */
	for (size_t i = 0; i < n && r == 0; i++) {
		const struct join *at = join_find(d, v[i].last);

		if (v[i].by == VERDICT_UNKNOWN || already_told(t, v[i].first))
			continue;
		verdict_decision(&v[i], rules, &decision);
		r = journeys_decided(j, t->packet, at ? at->time_ns : 0, &decision);
	}
	return r;
}

int deciding_decide(struct deciding *d, struct journeys *j)
{
	struct traced *t;
	int r = 0;

	if (!d->n_pending)
		return 0;
	distribute(d);
	for (t = d->packets; t && r == 0; t = t->hh.next)
		if (t->fresh)
			r = tell(d, t, j);
	return r;
}

void deciding_forget(struct deciding *d, uint32_t packet)
{
	struct traced *t;

	HASH_FIND(hh, d->packets, &packet, sizeof(packet), t);
	if (t)
		traced_free(d, t);
}
