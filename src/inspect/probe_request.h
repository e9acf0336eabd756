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

/* probe_is_guests() - @ifindex is one of the guest's own ports. */
bool probe_is_guests(const struct subject *s, int ifindex);

/*
 * probe_answer_directly() - who answers a guest of the same bridge, behind its port @at, sends @reply to it,
 * by whatever router the question came: what was translated on the way there only is not translated back.
 * false: the question has come back to the guest that asked, from its own address, which no guest takes.
 */
bool probe_answer_directly(const struct subject *s, const struct probe_request *request, int at,
			   struct craft *reply);

/* probe_is_from_asked() - a reply that was last @seen comes from where the guest has sent its question. */
bool probe_is_from_asked(const struct subject *s, const struct probe_request *request,
			 const struct path_seen *seen);

/* probe_mark() - a fwmark for a probe: random, and none that another is likely to have. */
uint32_t probe_mark(void);

#endif
