/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_hooks.h - dying on purpose, for the tests of what happens then. Only in builds configured with
 * -Dtest_hooks=true; in all others there is nothing behind it.
 */
#ifndef VMLANE_DAEMON_TEST_HOOKS_H
#define VMLANE_DAEMON_TEST_HOOKS_H

#include <stddef.h>
#include "config.h"

#ifdef VMLANE_TEST_HOOKS
/*
 * test_hook_step() - one more step of a take-over or its way back is about to be done. The process
 * kills itself before the one whose number, from 1, is in the file that VMLANE_TEST_DIE_AT names.
 */
void test_hook_step(void);
/* test_hook() - test_hook_step where it is wanted, so that messages are sent one by one; or NULL. */
void (*test_hook(void))(void);
#else
static inline void test_hook_step(void)
{
}
static inline void (*test_hook(void))(void)
{
	return NULL;
}
#endif

#endif
