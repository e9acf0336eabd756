/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_mark.h - which guard at a guest's port has dropped a frame: it is in the frame's fwmark
 * (bpf/guard.bpf.c), and is told as a decision like those of rules.
 */
#ifndef VMLANE_PATH_GUARD_MARK_H
#define VMLANE_PATH_GUARD_MARK_H

#include "model/guard.h"
#include "path/journey.h"

/* guard_mark_decision() - what a dropped frame with fwmark @mark was dropped by; false: by no guard. */
bool guard_mark_decision(uint32_t mark, struct path_decision *ret);
/* guard_mark_of() - the guard that @d tells of; GUARD_COUNT: none. */
enum guard guard_mark_of(const struct path_decision *d);

#endif
