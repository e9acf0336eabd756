/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_path.h - which of the frames seen at several interfaces are one and the same packet. Pure.
 *
 * NAT changes addresses and ports; what it leaves alone tells a packet again: protocol, IP id, the
 * TCP sequence number or ICMP sequence, and the payload.
 */
#ifndef VMLANE_CLI_DEMO_PATH_H
#define VMLANE_CLI_DEMO_PATH_H

#include "path/watch.h"

#define TRAIL_SEEN_MAX 1024
#define TRAIL_POINTS 3
#define TRAIL_START_MAX 16

/**
 * struct seen - a frame that was seen
 * @point:	index of the interface
 * @outgoing:	sent by the host there
 * @frame:	its headers; the payload pointer is NULL
 * @hash:	of the payload
 * @start:	the payload's first bytes
 */
struct seen {
	size_t point;
	bool outgoing;
	uint64_t time_ns;
	struct frame frame;
	uint64_t hash;
	char start[TRAIL_START_MAX];
};

/* struct trail_log - what was seen, in order; @missed: frames there was no room for. */
struct trail_log {
	struct seen seen[TRAIL_SEEN_MAX];
	size_t n;
	size_t missed;
};

/* trail_note() - a watch_fn; @ctx is the struct trail_log. */
void trail_note(const struct watch_event *ev, void *ctx);

/* seen_same() - both are the same packet, before or after a NAT. */
bool seen_same(const struct seen *a, const struct seen *b);

/**
 * struct trail - one packet at each point of its way
 * @at:		in the order of the way
 */
struct trail {
	const struct seen *at[TRAIL_POINTS];
};

/*
 * trail_find() - the packet @first at the further points: @points[i] is the interface, @outgoing[i]
 * its direction there; entry 0 is @first's own. 0, or -ENOENT with the place it was not seen at in
 * *ret_lost.
 */
int trail_find(const struct trail_log *log, const struct seen *first, const size_t *points,
	       const bool *outgoing, struct trail *ret, size_t *ret_lost) __must_check;

#endif
