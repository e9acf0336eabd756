/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines.h - a growing list of texts, for this folder only: the elements of a ruleset. */
#ifndef VMLANE_FIREWALL_LINES_H
#define VMLANE_FIREWALL_LINES_H

#include <stddef.h>
#include "base/macro.h"

/**
 * struct lines - texts under construction
 * @v:		@n owned texts; @cap is allocated
 * @error:	0, -ENOMEM or -E2BIG; sticks as in struct buf
 */
struct lines {
	char **v;
	size_t n;
	size_t cap;
	int error;
};

void lines_done(struct lines *l);
void lines_add(struct lines *l, const char *fmt, ...) __printf(2, 3);
/* lines_sort_unique() - in strcmp()'s order; of equal texts (an uplink named twice) one is kept. */
void lines_sort_unique(struct lines *l);

#endif
