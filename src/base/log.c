/* SPDX-License-Identifier: GPL-2.0-or-later */
/* log.c - see log.h. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static const char *log_name = "vmlane";
static bool log_debug_on;
static bool log_journal;

void log_init(const char *name, bool debug)
{
	log_name = name;
	log_debug_on = debug;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void log_write(int level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (level == LOG_DEBUG && !log_debug_on)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (log_journal)
		fprintf(stderr, "<%d>%s\n", level, line);
	else
		fprintf(stderr, "%s: %s\n", log_name, line);
}
