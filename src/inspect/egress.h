/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * egress.h - what other programs' tc filters and BPF programs at a way out would make of a frame. A
 * probe is taken off before they see it (path/inject.h), so they are asked afterwards.
 *
 * BPF programs are run with the frame, as the kernel would run them, and their verdict is read; what
 * they count or remember of frames they do of this one too. Filters of other kinds cannot be asked.
 */
#ifndef VMLANE_INSPECT_EGRESS_H
#define VMLANE_INSPECT_EGRESS_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

enum egress_verdict {
	EGRESS_PASSES, /* or there are none */
	EGRESS_DROPS,
	EGRESS_UNKNOWN, /* one cannot be asked, or does something else with it */
};

/**
 * struct egress_judgement - what came of it
 * @what:	who decided: "tc filter pref 7 bpf", "BPF program 12 (cil_to_netdev)"; "" for nobody
 * @why:	EGRESS_UNKNOWN: why it is not known
 * @pref:	of a tc filter; 0 for a program beside them (TCX)
 */
struct egress_judgement {
	enum egress_verdict verdict;
	char what[96];
	char why[96];
	uint16_t pref;
};

/*
 * egress_judge() - @frame, @len bytes from its Ethernet header on, with fwmark @mark, at the way out
 * of device @ifindex of the calling thread's network namespace. -EPERM, -ENOMEM, the kernel's.
 */
int egress_judge(int ifindex, const void *frame, size_t len, uint32_t mark,
		 struct egress_judgement *ret, struct err *e) __must_check;

#endif
