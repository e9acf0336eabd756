/* SPDX-License-Identifier: GPL-2.0-or-later */
/* listener.h - who on this host waits for connections or datagrams, and on which port. */
#ifndef VMLANE_KERNEL_LISTENER_H
#define VMLANE_KERNEL_LISTENER_H

#include "base/addr.h"
#include "base/err.h"

/**
 * struct listener - a socket that takes what comes to a port by IPv4
 * @proto:	IPPROTO_TCP (listening) or IPPROTO_UDP (not connected)
 * @addr:	INADDR_ANY: any of the host's
 * @port:	host byte order
 * @ifindex:	it takes only what comes in by this interface (SO_BINDTODEVICE); 0: by any
 * @uid:	its owner
 * @inode:	as in /proc/PID/fd: "socket:[INODE]"; 0: it is no process' but the kernel's
 */
struct listener {
	uint8_t proto;
	struct in_addr addr;
	uint16_t port;
	int ifindex;
	uint32_t uid;
	uint32_t inode;
};

/*
 * listeners_read() - all of this network namespace (sock_diag(7)), IPv6 sockets that take IPv4 too
 * among them; free() *ret. -ENOENT where the kernel has no such diagnosis.
 */
int listeners_read(struct listener **ret, size_t *ret_n, struct err *e) __must_check;

#endif
