/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * batch.h - transactions of nf_tables by raw netlink, for what libnftables has no words for or takes
 * too long for; for this folder only.
 */
#ifndef VMLANE_FIREWALL_BATCH_H
#define VMLANE_FIREWALL_BATCH_H

#include <libmnl/libmnl.h>
#include <stdint.h>
#include "base/macro.h"

/*
 * fw_batch_put() - the next message of @batch, of @type (NFT_MSG_*, NFNL_MSG_BATCH_*) and @family
 * (NFPROTO_*); its sequence number counts up from 1.
 */
struct nlmsghdr *fw_batch_put(struct mnl_nlmsg_batch *batch, uint16_t type, uint16_t flags,
			      uint8_t family, uint32_t *seq);
/*
 * fw_batch_answers() - the kernel has answered before sendto() returned: errors of any message, or
 * the good word to message @last. Returns 0 or -errno.
 */
int fw_batch_answers(struct mnl_socket *socket, uint32_t last) __must_check;

#endif
