/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_tell.h - what guards drop, told to who listens to events: once a second for each guest and guard,
 * from what the kernel has counted.
 */
#ifndef VMLANE_DAEMON_GUARD_TELL_H
#define VMLANE_DAEMON_GUARD_TELL_H

#include "daemon/manager.h"

/* guard_tell_listen() - somebody listens to events from now on, or nobody does any more. */
void guard_tell_listen(struct manager *m, bool any);

#endif
