/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_path.c - see demo_path.h. */
#include "cli/demo_path.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

void trail_note(const struct watch_event *ev, void *ctx)
{
	struct trail_log *log = ctx;
	struct seen *s;

	if (ev->frame.kind != FRAME_TCP && ev->frame.kind != FRAME_ICMP)
		return;
	if (log->n == TRAIL_SEEN_MAX) {
		log->missed++;
		return;
	}
	s = &log->seen[log->n++];
	*s = (struct seen){
		.point = ev->index,
		.outgoing = ev->outgoing,
		.time_ns = ev->time_ns,
		.frame = ev->frame,
	};
	if (ev->frame.payload_len) {
		s->hash = hash_bytes(HASH_INIT, ev->frame.payload, ev->frame.payload_len);
		memcpy(s->start, ev->frame.payload,
		       size_min(ev->frame.payload_len, sizeof(s->start)));
	}
	s->frame.payload = NULL;
}

bool seen_same(const struct seen *a, const struct seen *b)
{
	const struct frame *f = &a->frame, *g = &b->frame;

	if (f->kind != g->kind || f->ip_id != g->ip_id || f->payload_len != g->payload_len ||
	    a->hash != b->hash)
		return false;
	/* A NAT changes one end only. */
	if (!ip4_equal(f->src, g->src) && !ip4_equal(f->dst, g->dst))
		return false;
	if (f->kind == FRAME_TCP)
		return f->tcp_seq == g->tcp_seq && f->tcp_flags == g->tcp_flags;
	return f->icmp_type == g->icmp_type && f->icmp_code == g->icmp_code &&
	       f->icmp_seq == g->icmp_seq;
}

static const struct seen *seen_at(const struct trail_log *log, const struct seen *first,
				  size_t point, bool outgoing)
{
	for (size_t i = 0; i < log->n; i++) {
		const struct seen *s = &log->seen[i];

		if (s->point == point && s->outgoing == outgoing && seen_same(first, s))
			return s;
	}
	return NULL;
}

int trail_find(const struct trail_log *log, const struct seen *first, const size_t *points,
	       const bool *outgoing, struct trail *ret, size_t *ret_lost)
{
	struct trail t = {.at = {first}};

	for (size_t i = 1; i < TRAIL_POINTS; i++) {
		t.at[i] = seen_at(log, first, points[i], outgoing[i]);
		if (!t.at[i]) {
			*ret_lost = i;
			return -ENOENT;
		}
	}
	*ret = t;
	return 0;
}
