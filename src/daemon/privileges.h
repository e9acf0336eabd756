/* SPDX-License-Identifier: GPL-2.0-or-later */
/* privileges.h - keeping only the capabilities that the daemon works with. */
#ifndef VMLANE_DAEMON_PRIVILEGES_H
#define VMLANE_DAEMON_PRIVILEGES_H

#include "base/err.h"

/* privileges_check() - -EPERM with the mend when CAP_NET_ADMIN or CAP_NET_RAW is missing. */
int privileges_check(struct err *e) __must_check;
/*
 * privileges_drop() - from here on only NET_ADMIN, NET_RAW, NET_BIND_SERVICE, BPF and PERFMON
 * (those of them that are held), also in the bounding set, and no new ones by exec.
 */
int privileges_drop(struct err *e) __must_check;

#endif
