/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - hearing of every transaction of nf_tables, whoever makes it, and whether it is about
 * tables that matter here.
 *
 * The kernel tells each object that a transaction changes, and at its end the count of rulesets with
 * the process that sent it (NFT_MSG_NEWGEN). Of the objects only the table's name is looked at, so that
 * ten thousands of other people's rules cost little; when they come faster than they are read, some
 * are lost, and that is told.
 */
#ifndef VMLANE_FIREWALL_WATCH_H
#define VMLANE_FIREWALL_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

#define FW_PROCESS_MAX 16 /* TASK_COMM_LEN */

/**
 * struct fw_change - what was changed, up to the end of a transaction
 * @generation:	the kernel's count of rulesets after it; 0: the messages were lost
 * @pid:	of the process, as the machine's first pid namespace counts; 0: not known
 * @process:	its name, "" when not known
 * @ours:	a table named "vmlane" was touched, in whatever family
 * @foreign:	so was one that others keep and leave a place in: "filter" (iptables), "firewalld"
 */
struct fw_change {
	uint32_t generation;
	uint32_t pid;
	char process[FW_PROCESS_MAX];
	bool ours;
	bool foreign;
};

typedef void (*fw_change_fn)(const struct fw_change *c, void *ctx);

struct fw_watch;
/* fw_watch_new() - @fn is called by fw_watch_read(); @ret_fd to poll. -errno of the socket. */
int fw_watch_new(fw_change_fn fn, void *ctx, struct fw_watch **ret, int *ret_fd) __must_check;
void fw_watch_free(struct fw_watch *w);
/* fw_watch_read() - what has come; -errno when the socket is broken. */
int fw_watch_read(struct fw_watch *w) __must_check;
/*
 * fw_watch_take() - one datagram of @len bytes, as the kernel sends them: pure, for tests. @c goes on
 * from one call to the next.
 */
void fw_watch_take(const void *data, size_t len, struct fw_change *c, fw_change_fn fn, void *ctx);

#endif
