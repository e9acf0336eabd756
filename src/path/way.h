/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * way.h - journeys compared: was what was predicted what was seen? Pure.
 */
#ifndef VMLANE_PATH_WAY_H
#define VMLANE_PATH_WAY_H

#include "base/buf.h"
#include "path/journey_text.h"

/**
 * struct way - what of a journey can be compared, in lines; buf_done() both
 * @got:	there is one, and it ended as @end says
 * @arp:	the host may answer it at once, and a trace takes rules about that for its own
 * @steps:	where it went; a port of the source that the kernel chose is left out
 * @rules:	which rules decided, and policies that dropped
 * @one_of:	predicted: @rules ends where one of several may decide
 */
struct way {
	bool got;
	bool arp;
	bool one_of;
	enum journey_end end;
	struct buf steps;
	struct buf rules;
};

#define WAY_MAX 16384
#define WAY_INIT                                                                                   \
	{                                                                                          \
		.steps = BUF_INIT(WAY_MAX), .rules = BUF_INIT(WAY_MAX)                             \
	}

/* way_outline() - of @j into @ret, which is empty; @any_port: see struct way. */
void way_outline(const struct journey *j, const struct journey_words *w, bool any_port,
		 struct way *ret);

/*
 * way_compare() - whether @predicted is what was @seen; if not, @out says in one line what is not. Of a
 * way that cannot be said to its end, its beginning is compared. @rules: those that decided are known.
 */
bool way_compare(const struct way *predicted, const struct way *seen, bool rules, struct buf *out);

void way_done(struct way *w);

#endif
