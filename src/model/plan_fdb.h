/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan_fdb.h - what of the bridges' MAC tables has to change at a guest's port. Inside src/model
 * only: plan.c makes steps of it.
 */
#ifndef VMLANE_MODEL_PLAN_FDB_H
#define VMLANE_MODEL_PLAN_FDB_H

#include "model/plan.h"

/* struct fdb_index - the @n entries of a snapshot's MAC tables by their port; @v is owned. */
struct fdb_index {
	const struct fdb_entry **v;
	size_t n;
};

int fdb_index_init(struct fdb_index *x, const struct fdb_entry *fdb, size_t n) __must_check;
void fdb_index_done(struct fdb_index *x);

/*
 * fdb_diff() - call @change for each MAC that has to be pinned to @t's port (@wanted) or to go
 * from it. @port: the port's ifindex, 0 for one that is not there yet. What goes comes first.
 */
void fdb_diff(const struct fdb_index *x, int port, const struct desired_tap *t,
	      void (*change)(void *ctx, const struct desired_tap *t, bool wanted,
			     const struct mac *mac),
	      void *ctx);

#endif
