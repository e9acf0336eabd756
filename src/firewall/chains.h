/* SPDX-License-Identifier: GPL-2.0-or-later */
/* chains.h - two skeletons of the table compared by their chains, for this folder only. Pure. */
#ifndef VMLANE_FIREWALL_CHAINS_H
#define VMLANE_FIREWALL_CHAINS_H

#include "base/buf.h"

/**
 * chains_diff() - how skeleton @from becomes @to by chains that come and go
 * @table:	"inet vmlane"
 * @add:	gets the commands that add chains, in the order of @to; they may name each other so
 * @del:	gets those that delete chains, which nothing may name any more, in reverse order
 *
 * Returns how many chains come or go (0: the skeletons are the same), -ESTALE where they differ in
 * anything else, @add->error or @del->error, or -ENOMEM.
 */
int chains_diff(const char *table, const char *from, const char *to, struct buf *add,
		struct buf *del) __must_check;

#endif
