/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ask.h - one question to nf_tables by raw netlink, and all of its answer; for this folder only.
 *
 * Each question has a number, and only what bears it is taken for its answer. An answer is read to its
 * end whatever is in it, so that nothing of it is there when the next question is asked.
 */
#ifndef VMLANE_FIREWALL_ASK_H
#define VMLANE_FIREWALL_ASK_H

#include <libmnl/libmnl.h>
#include "base/macro.h"

/**
 * fw_ask() - send @nlh, and hand each message of the answer to @fn
 * @nlh:	its number is written here
 * @fn:		as of mnl_cb_run(), or NULL; after MNL_CB_ERROR it is called no more
 *
 * Returns 0, what the kernel answered as -errno, -EINTR for a list that changed while it was read (ask
 * again), -errno of @fn's failure, -EBADMSG without an answer, -ENOMEM.
 */
int fw_ask(struct mnl_socket *socket, struct nlmsghdr *nlh, mnl_cb_t fn, void *ctx) __must_check;

/* fw_ask_drop() - what is still to be read is of something that is over. */
void fw_ask_drop(struct mnl_socket *socket);

#endif
