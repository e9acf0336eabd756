/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pace.h - how often something may be done that others can provoke: at once as long as it is seldom,
 * and once in a while when it never ends. Pure: the time is an argument.
 */
#ifndef VMLANE_DAEMON_PACE_H
#define VMLANE_DAEMON_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_BURST 30	       /* so often in a row without waiting */
#define PACE_REFILL_US 1000000 /* and once more after each such time */

/**
 * struct pace - a bucket of permits; all 0 is a full one
 * @used:	permits taken, at most PACE_BURST
 * @since_us:	since when the next of @used is being given back; on the clock since boot
 * @held:	it has been empty, and not been filled by half since
 */
struct pace {
	unsigned int used;
	uint64_t since_us;
	bool held;
};

/* pace_ask() - take a permit: 0, or how long to wait before asking again, in microseconds. */
uint64_t pace_ask(struct pace *p, uint64_t now_us);
/* pace_wait() - how long pace_ask() would have to wait, in microseconds; nothing is taken. */
uint64_t pace_wait(struct pace *p, uint64_t now_us);
/* pace_settle() - give back what time has given back; what @held is now is returned. */
bool pace_settle(struct pace *p, uint64_t now_us);

#endif
