/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inject.h - frames that come in by a device although nobody sent them, and that are taken out again
 * where they would leave the host. For probes: the guest may be busy, silent or off.
 *
 * Nothing outlives the process. Needs root, as tracer.h. All is in the calling thread's network
 * namespace.
 */
#ifndef VMLANE_PATH_INJECT_H
#define VMLANE_PATH_INJECT_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct injector;

/* What the marks of probes have in common, so that others can tell them. */
#define INJECTOR_MARK 0x56000000u
#define INJECTOR_MARK_MASK 0xff000000u

/* injector_new() - @mark is the fwmark that all its frames have. -EPERM, -ENOMEM, the kernel's. */
int injector_new(uint32_t mark, struct injector **ret, struct err *e) __must_check;
void injector_free(struct injector *i);
DEFINE_CLEANUP(struct injector *, injector_free)

#define INJECTOR_SWALLOWS_MAX 64

/*
 * injector_swallow() - frames of ours that would leave by @ifindex do not: they end there (TC_EGRESS).
 * By TCX, which ends with the process; -EOPNOTSUPP where the kernel (before 6.6) has none.
 */
int injector_swallow(struct injector *i, int ifindex, struct err *e) __must_check;

/* injector_swallowed() - how many were taken out so far. */
uint64_t injector_swallowed(const struct injector *i);

/* injector_send() - @frame, from its Ethernet header on, comes in by @ifindex. */
int injector_send(struct injector *i, int ifindex, const void *frame, size_t len,
		  struct err *e) __must_check;

#endif
