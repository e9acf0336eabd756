/* SPDX-License-Identifier: GPL-2.0-or-later */
/* conntrack.h - the connections that the kernel's conntrack remembers. */
#ifndef VMLANE_KERNEL_CONNTRACK_H
#define VMLANE_KERNEL_CONNTRACK_H

#include <stdint.h>
#include "base/err.h"

/**
 * struct conntrack_tuple - who spoke first to whom
 * @family:	AF_INET (addresses in the first four bytes) or AF_INET6
 * @sport, @dport: host byte order; echo: @sport is the identifier, @dport unused
 */
struct conntrack_tuple {
	uint8_t family;
	uint8_t l4;
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
};

/*
 * conntrack_delete() - forget the connection that began so, in the calling thread's network
 * namespace (nfnetlink: IPCTNL_MSG_CT_DELETE). 0; -ENOENT when there is none; or the kernel's error.
 */
int conntrack_delete(const struct conntrack_tuple *t) __must_check;

#endif
