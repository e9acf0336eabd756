/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_proc.h - starting programs, with their output in a log or in memory. */
#ifndef VMLANE_CLI_DEMO_PROC_H
#define VMLANE_CLI_DEMO_PROC_H

#include <stdbool.h>
#include <sys/types.h>
#include "base/buf.h"
#include "base/err.h"

/**
 * struct demo_proc - a running program
 * @name:	for people
 * @log:	where its output goes, "" when nowhere
 * @pid:	0 when it is not running (any more)
 * @status:	as wait() gave it, once @ended
 * @expected:	its end is no failure
 */
struct demo_proc {
	char name[32];
	char log[64];
	pid_t pid;
	int status;
	bool ended;
	bool expected;
};

/**
 * struct demo_spawn - how to start one
 * @argv:	NULL-terminated; argv[0] is looked up in PATH
 * @log:	file that stdout and stderr are appended to; NULL: as the caller's
 * @in, @out:	descriptors for stdin and stdout, 0 leaves /dev/null and @log
 * @ns_fd:	network namespace to run in, 0: the caller's
 */
struct demo_spawn {
	const char *const *argv;
	const char *log;
	int in;
	int out;
	int ns_fd;
};

/* demo_spawn() - start; 0 once it is executed, -errno with the reason when it cannot be. */
int demo_spawn(const struct demo_spawn *s, pid_t *ret, struct err *e) __must_check;

/* demo_capture() - run to its end: stdout into @out. -EIO when it fails, in its own words. */
int demo_capture(const char *const *argv, const char *log, struct buf *out,
		 struct err *e) __must_check;

/* demo_feed() - run to its end with @text as its stdin. */
int demo_feed(const char *const *argv, const char *text, const char *log,
	      struct err *e) __must_check;

#endif
