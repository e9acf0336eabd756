/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.h - the two clocks in use. Code that decides takes the time as an argument instead. */
#ifndef VMLANE_BASE_CLOCK_H
#define VMLANE_BASE_CLOCK_H

#include <stdint.h>

uint64_t clock_boot_us(void); /* CLOCK_BOOTTIME, microseconds: durations */
int64_t clock_wall_s(void);   /* CLOCK_REALTIME, seconds since 1970: what is written to disk */

#endif
