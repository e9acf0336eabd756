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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

struct injector;

/*
 * What the marks of probes have in common, so that others can tell them. The last four bits say
 * whether it is on its way, or was taken out: its drop is then told from anybody else's.
 */
#define INJECTOR_MARK 0x56000000u
#define INJECTOR_MARK_MASK 0xff000000u
#define INJECTOR_UNDER_WAY 1u
#define INJECTOR_TAKEN 2u

/* injector_mark() - of a probe; the bits between are @random's. */
static inline uint32_t injector_mark(uint16_t random)
{
	return INJECTOR_MARK | (uint32_t)random << 4 | INJECTOR_UNDER_WAY;
}

/* injector_taken_mark() - what becomes of @mark when it is taken out. */
static inline uint32_t injector_taken_mark(uint32_t mark)
{
	return (mark & ~0xfu) | INJECTOR_TAKEN;
}

/* injector_was_taken() - @mark is that of a probe's frame that was taken out. */
static inline bool injector_was_taken(uint32_t mark)
{
	return (mark & (INJECTOR_MARK_MASK | 0xfu)) == (INJECTOR_MARK | INJECTOR_TAKEN);
}

/* injector_new() - @mark is the fwmark that all its frames have. -EPERM, -ENOMEM, the kernel's. */
int injector_new(uint32_t mark, struct injector **ret, struct err *e) __must_check;
void injector_free(struct injector *i);
DEFINE_CLEANUP(struct injector *, injector_free)

#define INJECTOR_LINKS_MAX 32 /* of TCX, each of which costs the kernel milliseconds */

/*
 * injector_swallow() - frames of ours that would leave by any of @ifindexes do not: they end there,
 * with injector_taken_mark(); to be called once
 *
 * By TCX, before all programs and tc filters of others, so that none of them can let a frame pass by
 * us. Where the kernel (before 6.6) has none, and where the devices are more than
 * INJECTOR_LINKS_MAX, by an nf_tables chain of the process's own (egress, kernel 5.16), which comes
 * before these too. Either ends with the process. -EOPNOTSUPP: this kernel has neither.
 *
 * What others' tc filters would have said is not known then: see inspect/egress.h.
 */
int injector_swallow(struct injector *i, const int *ifindexes, size_t n,
		     struct err *e) __must_check;

/* injector_send() - @frame, from its Ethernet header on, comes in by @ifindex. */
int injector_send(struct injector *i, int ifindex, const void *frame, size_t len,
		  struct err *e) __must_check;

#endif
