/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy_log.h - packets that met rules with `log`, told to who listens to events. */
#ifndef VMLANE_DAEMON_POLICY_LOG_H
#define VMLANE_DAEMON_POLICY_LOG_H

#include "daemon/manager.h"

/* policy_log_listen() - somebody listens to events from now on, or nobody does any more. */
void policy_log_listen(struct manager *m, bool any);

#endif
