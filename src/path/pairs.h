/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pairs.h - which packet is the reply to which: by their flow, and a ping's sequence. */
#ifndef VMLANE_PATH_PAIRS_H
#define VMLANE_PATH_PAIRS_H

#include "path/journey.h"

#define PAIRS 8192   /* flows whose last packet is remembered, to know its reply */
#define PAIRS_NEAR 8 /* of them share a place; the oldest makes room */

/* struct pair - the last packet of a flow, in the direction @key tells. */
struct pair {
	uint64_t key;
	uint64_t time_ns;
	uint32_t packet;
};

/* struct pairs - by key; all zeros: none. */
struct pairs {
	struct pair all[PAIRS];
};

/*
 * pairs_note() - @packet, seen as @s, is of flow @f. The packet of the last @within_ns whose reply it is, and
 * how long that took in *@ret_ns; 0 when it is none's, and it is remembered for a reply of its own.
 */
uint32_t pairs_note(struct pairs *p, const struct flow *f, const struct path_seen *s,
		    uint32_t packet, uint64_t within_ns, uint64_t *ret_ns);

#endif
