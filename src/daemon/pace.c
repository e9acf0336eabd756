/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pace.c - see pace.h. */
#include "daemon/pace.h"

bool pace_settle(struct pace *p, uint64_t now_us)
{
	uint64_t back;

	if (p->used == 0)
		p->since_us = now_us;
	back = now_us > p->since_us ? (now_us - p->since_us) / PACE_REFILL_US : 0;
	if (back >= p->used) {
		p->used = 0;
		p->since_us = now_us;
	} else {
		p->used -= (unsigned int)back;
		p->since_us += back * PACE_REFILL_US;
	}
	if (p->used <= PACE_BURST / 2)
		p->held = false;
	return p->held;
}

uint64_t pace_wait(struct pace *p, uint64_t now_us)
{
	pace_settle(p, now_us);
	if (p->used < PACE_BURST)
		return 0;
	p->held = true;
	return p->since_us + PACE_REFILL_US - now_us;
}

uint64_t pace_ask(struct pace *p, uint64_t now_us)
{
	uint64_t wait = pace_wait(p, now_us);

	if (!wait)
		p->used++;
	return wait;
}
