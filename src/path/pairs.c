/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.c - see pairs.h. */
#include "path/pairs.h"

#include <netinet/in.h>

#include "base/text.h"

/* One number for a flow's direction; echo's sequence tells one ping from the next. */
static uint64_t pair_key(const struct flow *f, const struct path_seen *s, bool reversed)
{
	const struct flow_end *a = reversed ? &f->to : &f->from;
	const struct flow_end *b = reversed ? &f->from : &f->to;
	bool icmp = f->l4 == IPPROTO_ICMP || f->l4 == IPPROTO_ICMPV6;
	uint32_t extra[3] = {a->port, b->port, (uint32_t)f->l4 << 8 | f->family};
	uint64_t h = hash_bytes(HASH_INIT, a->addr, sizeof(a->addr));

	if (icmp) {
		extra[0] = f->from.port;
		extra[1] = s->seq;
	}
	h = hash_bytes(h, b->addr, sizeof(b->addr));
	h = hash_bytes(h, extra, sizeof(extra));
	return h ? h : 1;
}

/* Where @key is among those that share its place; the oldest of them when it is not. */
static struct pair *pair_at(struct pairs *pairs, uint64_t key)
{
	struct pair *all = &pairs->all[key % (PAIRS / PAIRS_NEAR) * PAIRS_NEAR], *oldest = all;

	for (struct pair *p = all; p < all + PAIRS_NEAR; p++) {
		if (p->key == key)
			return p;
		if (p->time_ns < oldest->time_ns)
			oldest = p;
	}
	return oldest;
}

uint32_t pairs_note(struct pairs *p, const struct flow *f, const struct path_seen *s,
		    uint32_t packet, uint64_t within_ns, uint64_t *ret_ns)
{
	uint64_t mine = pair_key(f, s, false), theirs = pair_key(f, s, true);
	uint64_t now = s->head.time_ns;
	struct pair *asked = pair_at(p, theirs);
	uint32_t found = asked->packet;

	if (asked->key == theirs && now - asked->time_ns < within_ns) {
		*ret_ns = now - asked->time_ns;
		*asked = (struct pair){0};
		return found;
	}
	*pair_at(p, mine) = (struct pair){.key = mine, .time_ns = now, .packet = packet};
	return 0;
}
