/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_request.h - the frame that a question of struct probe stands for, and what would be answered to
 * it: what a probe sends, and what an explanation is about.
 */
#ifndef VMLANE_INSPECT_PROBE_REQUEST_H
#define VMLANE_INSPECT_PROBE_REQUEST_H

#include "inspect/probe.h"
#include "path/journey.h"

/**
 * struct probe_request - a frame and where it comes in
 * @frame:	as the guest, or the client outside, sends it
 * @where:	ifindex of the device that it comes in by
 * @mark:	the fwmark that it has there
 */
struct probe_request {
	struct craft frame;
	int where;
	uint32_t mark;
};

/* probe_request_make() - 0, or -ENODATA and -EHOSTUNREACH as of probe_run(). @mark is 0. */
int probe_request_make(struct subject *s, const struct probe *p, struct probe_request *ret,
		       struct err *e) __must_check;

/* probe_answer() - what whoever gets @seen, which was @request, would answer. */
struct craft probe_answer(const struct craft *request, const struct path_seen *seen);

/* probe_mark() - a fwmark for a probe: random, and none that another is likely to have. */
uint32_t probe_mark(void);

#endif
