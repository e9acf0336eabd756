/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recording.h - the frames of what is traced, at each interface on their way, into capture files: each
 * packet with one number at all of them, and comments about translation and drops. What capture and
 * trace -w have in common. Next on the walk: path/capture_file.h.
 */
#ifndef VMLANE_INSPECT_RECORDING_H
#define VMLANE_INSPECT_RECORDING_H

#include "inspect/subject.h"
#include "inspect/tracing.h"
#include "path/capture_file.h"

struct recording;

/*
 * recording_new() - let @what, with which the trace is begun then, bring frames; all of each unless its
 * snaplen says less. @s is kept. -ENOMEM.
 */
int recording_new(const struct subject *s, struct tracing_options *what,
		  struct recording **ret) __must_check;
void recording_free(struct recording *c);
DEFINE_CLEANUP(struct recording *, recording_free)

/* recording_limit() - take the first @packets packets only; 0: all. Before the trace begins. */
void recording_limit(struct recording *c, uint32_t packets);

/*
 * recording_open() - the trace @t, which is kept, runs: open the file. Of @o the section and the time are
 * filled in. Ignores SIGPIPE from now on. Errors as of capture_file_new().
 */
int recording_open(struct recording *c, const struct tracing *t, const struct capture_options *o,
		   struct err *e) __must_check;

/*
 * recording_write() - what came, in its order: the youngest waits for the next time, or for recording_end(). Errors as of
 * capture_file_packet().
 */
int recording_write(struct recording *c, struct err *e) __must_check;

/* recording_end() - the file's last blocks; errors as of capture_file_end(). */
int recording_end(struct recording *c, struct err *e) __must_check;

/* recording_complete() - packet @packet has ended: was it the last that recording_limit() wants? */
bool recording_complete(const struct recording *c, uint32_t packet);

/* recording_path() - the file that is written now. */
const char *recording_path(const struct recording *c);

/* recording_counts() - how many frames there are, and how many were lost. */
void recording_counts(const struct recording *c, uint64_t *frames, uint64_t *lost);

#endif
