/* SPDX-License-Identifier: GPL-2.0-or-later */
/* recording_show.c - see recording_show.h. */
#include "cli/recording_show.h"

#include <inttypes.h>
#include <stdio.h>

void recording_report(const struct recording *c)
{
	uint64_t frames, lost;

	recording_counts(c, &frames, &lost);
	fprintf(stderr, "%" PRIu64 " frames captured; lost: %" PRIu64 "\n", frames, lost);
}
