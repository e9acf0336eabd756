/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - for unit tests that need a kernel: a network namespace of their own, so that nothing
 * of the machine's is touched and everything vanishes with the process.
 */
#ifndef VMLANE_TESTS_UNIT_NETNS_H
#define VMLANE_TESTS_UNIT_NETNS_H

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#define TEST_SKIP 77 /* meson counts it as skipped */

static inline void netns_skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	exit(TEST_SKIP);
}

/* netns_enter() - new network and mount namespaces with /sys of their own; skips when it may not. */
static inline void netns_enter(void)
{
	if (geteuid() != 0)
		netns_skip("needs root for a network namespace of its own");
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		netns_skip("this root may not make namespaces (CAP_SYS_ADMIN)");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0)
		netns_skip("no /sys of its own could be mounted");
}

#endif
