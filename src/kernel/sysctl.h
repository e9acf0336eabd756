/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.h - /proc/sys of this network namespace. Paths are relative to /proc/sys. */
#ifndef VMLANE_KERNEL_SYSCTL_H
#define VMLANE_KERNEL_SYSCTL_H

#include "base/err.h"
#include "model/plan.h"

/*
 * sysctl_read() - the value without its newline; -ENOENT when there is no such file, -EOVERFLOW
 * when the value is longer than we keep.
 */
int sysctl_read(const char *path, char ret[static SYSCTL_VALUE_MAX]) __must_check;
/* sysctl_write() - @e names the path, the reason and the mend. */
int sysctl_write(const char *path, const char *value, struct err *e) __must_check;

#endif
