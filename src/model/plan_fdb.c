/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_fdb.c - see plan_fdb.h. */
#include "model/plan_fdb.h"

#include <errno.h>

static int entry_cmp(const void *a, const void *b)
{
	const struct fdb_entry *x = *(const struct fdb_entry *const *)a;
	const struct fdb_entry *y = *(const struct fdb_entry *const *)b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return x < y ? -1 : x > y;
}

int fdb_index_init(struct fdb_index *x, const struct fdb_entry *fdb, size_t n)
{
	x->v = calloc(n + 1, sizeof(*x->v));
	if (!x->v)
		return -ENOMEM;
	x->n = n;
	for (size_t i = 0; i < n; i++)
		x->v[i] = &fdb[i];
	qsort(x->v, n, sizeof(*x->v), entry_cmp);
	return 0;
}

void fdb_index_done(struct fdb_index *x)
{
	free(x->v);
	*x = (struct fdb_index){0};
}

/* The first of @x at @port, or past its end. */
static size_t first_at(const struct fdb_index *x, int port)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (x->v[mid]->port < port)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

bool desired_tap_has_mac(const struct desired_tap *t, const struct mac *mac)
{
	if (t->pinned && mac_equal(&t->mac, mac))
		return true;
	for (size_t i = 0; i < t->n_macs; i++)
		if (mac_equal(&t->macs[i], mac))
			return true;
	return false;
}

static bool is_pinned(const struct fdb_index *x, int port, const struct mac *mac)
{
	for (size_t i = port ? first_at(x, port) : x->n; i < x->n && x->v[i]->port == port; i++)
		if (mac_equal(&x->v[i]->mac, mac) && x->v[i]->is_static && x->v[i]->sticky)
			return true;
	return false;
}

/* The port's own MAC is the host's business, and multicast groups are nobody's station. */
static bool has_to_go(const struct fdb_entry *e, const struct desired_tap *t)
{
	if (e->local || mac_is_multicast(&e->mac) || desired_tap_has_mac(t, &e->mac))
		return false;
	return t->managed || (e->is_static && e->sticky);
}

void fdb_diff(const struct fdb_index *x, int port, const struct desired_tap *t,
	      void (*change)(void *ctx, const struct desired_tap *t, bool wanted,
			     const struct mac *mac),
	      void *ctx)
{
	for (size_t i = port ? first_at(x, port) : x->n; i < x->n && x->v[i]->port == port; i++)
		if (has_to_go(x->v[i], t))
			change(ctx, t, false, &x->v[i]->mac);
	if (t->pinned && !is_pinned(x, port, &t->mac))
		change(ctx, t, true, &t->mac);
	for (size_t i = 0; i < t->n_macs; i++)
		if (!is_pinned(x, port, &t->macs[i]))
			change(ctx, t, true, &t->macs[i]);
}
