/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chains.h - two skeletons of the table compared by their pieces, for this folder only. Pure. */
#ifndef VMLANE_FIREWALL_CHAINS_H
#define VMLANE_FIREWALL_CHAINS_H

#include "base/buf.h"

/**
 * chains_diff() - how skeleton @from becomes @to by chains, sets, maps and counters that come and go,
 * and by chains that get other rules
 * @table:	"inet vmlane"
 * @add:	gets the commands that add them, in the order of @to, where each stands ahead of what
 *		names it
 * @del:	gets those that delete them, which nothing may name any more, in reverse order
 *
 * A chain with other rules is emptied and filled again: as part of one transaction no packet sees it
 * otherwise. Returns how many pieces come, go or change (0: the skeletons are the same), -ESTALE where
 * they differ in anything else, @add->error or @del->error, or -ENOMEM.
 */
int chains_diff(const char *table, const char *from, const char *to, struct buf *add,
		struct buf *del) __must_check;

#endif
