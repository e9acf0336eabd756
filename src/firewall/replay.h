/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.h - the table `inet vmlane` as the kernel has it, kept as the one transaction that makes it
 * again when it is gone: nothing is to be built, parsed or looked up then. For this folder only;
 * nft.h has it for others.
 */
#ifndef VMLANE_FIREWALL_REPLAY_H
#define VMLANE_FIREWALL_REPLAY_H

#include <libmnl/libmnl.h>
#include "base/macro.h"

#define FW_REPLAY_MAX (8 << 20) /* bytes; some 100,000 elements */

struct fw_replay;

/*
 * replay_take() - read the table and keep it. Whether it changed meanwhile is for the caller to know.
 * -ENOENT: there is none; -E2BIG, -ENOMEM.
 */
int replay_take(struct fw_replay **ret) __must_check;
/*
 * replay_send() - make the table as it was; all or nothing. -EEXIST: there is one. Counters go on
 * where they stood when it was read; connections that were counted for a limit are counted anew.
 */
int replay_send(struct mnl_socket *socket, const struct fw_replay *r) __must_check;
/* fw_replay_free() - @r may be NULL. */
void fw_replay_free(struct fw_replay *r);

#endif
