/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_refuse.h - missing what the kernel has, for the tests of what happens then. Only in builds
 * configured with -Dtest_hooks=true; in all others there is nothing behind it.
 */
#ifndef VMLANE_BASE_TEST_REFUSE_H
#define VMLANE_BASE_TEST_REFUSE_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "config.h"

/*
 * test_refused() - the kernel shall be taken for one without @what, a word: it is among those that
 * VMLANE_TEST_REFUSE has, separated by commas.
 */
static inline bool test_refused(const char *what)
{
#ifdef VMLANE_TEST_HOOKS
	const char *p = getenv("VMLANE_TEST_REFUSE");
	size_t n = strlen(what);

	while (p) {
		if (strncmp(p, what, n) == 0 && (!p[n] || p[n] == ','))
			return true;
		p = strchr(p, ',');
		if (p)
			p++;
	}
#endif
	(void)what;
	return false;
}

#endif
