/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.h - tap interfaces (drivers/net/tun.c, Documentation/networking/tuntap.rst). */
#ifndef VMLANE_KERNEL_TAP_H
#define VMLANE_KERNEL_TAP_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

#define TAP_QUEUES_MAX 256	/* MAX_TAP_QUEUES of drivers/net/tun.c */
#define TAP_NO_OWNER UINT32_MAX /* only those with CAP_NET_ADMIN may open it */

/**
 * tap_open() - open @queues fds of tap @name, creating it when it is not there
 * @flags:	IFF_TAP | IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE when @queues > 1; O_NONBLOCK,
 *		O_CLOEXEC
 * @fds:	@queues descriptors, owned by the caller
 *
 * The tap vanishes with its last fd unless tap_persist() was called. A new one belongs to uid 0: a
 * tap of nobody's could be opened by everyone who may open /dev/net/tun. -EBUSY: another process
 * has it open; -ENOENT: no tun module; -EPERM; -EINVAL: the name is no tap's with such queues.
 */
int tap_open(const char *name, unsigned int queues, int *fds, struct err *e) __must_check;
/* tap_persist() - TUNSETPERSIST on, and TUNSETOWNER @owner_uid (TAP_NO_OWNER: uid 0). */
int tap_persist(int fd, uint32_t owner_uid, struct err *e) __must_check;
/* tap_create() - a persistent tap that takes up to @queues openers; nothing stays open. */
int tap_create(const char *name, unsigned int queues, uint32_t owner_uid,
	       struct err *e) __must_check;

#endif
