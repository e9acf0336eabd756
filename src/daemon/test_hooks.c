/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_hooks.c - see test_hooks.h. Empty in builds for use. */
#include "daemon/test_hooks.h"

#ifdef VMLANE_TEST_HOOKS
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int count;

static int die_at(void)
{
	const char *path = getenv("VMLANE_TEST_DIE_AT");
	FILE *f = path ? fopen(path, "re") : NULL;
	int n = 0;

	if (f && fscanf(f, "%d", &n) != 1)
		n = 0;
	if (f)
		fclose(f);
	return n;
}

void test_hook_step(void)
{
	static int last;
	int n = die_at();

	/* A test begins when it writes another number. */
	if (n != last)
		count = 0;
	last = n;
	if (n && ++count == n)
		kill(getpid(), SIGKILL);
}

void (*test_hook(void))(void)
{
	return die_at() ? test_hook_step : NULL;
}
#else
typedef int test_hooks_are_off; /* a translation unit must not be empty */
#endif
