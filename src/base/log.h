/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.h - messages on stderr, with syslog level prefixes when systemd's journal reads it.
 *
 * Libraries only use log_debug(); the daemon and the command may use every level.
 */
#ifndef VMLANE_BASE_LOG_H
#define VMLANE_BASE_LOG_H

#include <stdbool.h>
#include <syslog.h>
#include "base/macro.h"

/* log_init() - @name is put before each line on a terminal; @debug lets log_debug() through. */
void log_init(const char *name, bool debug);
void log_write(int level, const char *fmt, ...) __printf(2, 3);

#define log_error(...) log_write(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_write(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

#endif
