/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.c - the leases of one network in memory, see table.h.
 *
 * Does not know which addresses a network has nor who may get one: pool.c and decide.c are next.
 *
 * INVARIANTS
 * - A lease with a MAC is in by_mac, by_addr, the heap and its block; one without (declined) is in
 *   all but by_mac. A change is complete or, when memory runs out, did not happen.
 * - The heap's order is that in which addresses are taken from their last holders: those given back
 *   first, then those that expire, each the oldest first. So all that may be taken at a given time
 *   are at its top.
 */
#include "lease/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->oom = true)
#include <uthash.h>

#define BLOCK_BITS 6 /* 64 addresses */
#define BLOCK_MASK ((1u << BLOCK_BITS) - 1)
#define SIGHTING_S 600
#define HEAP_DEPTH_MAX 32

/**
 * struct lease_entry - one lease
 * @heap_at:	its index in the heap
 * @oom:	uthash could not add it
 */
struct lease_entry {
	struct lease lease;
	size_t heap_at;
	bool oom;
	UT_hash_handle by_mac;
	UT_hash_handle by_addr;
};

/* struct block - which of 64 neighbouring addresses have a lease; bit 0 is @base's. */
struct block {
	uint32_t base;
	uint64_t used;
	bool oom;
	UT_hash_handle hh;
};

/**
 * struct usage - who used an address
 * @last:	the last two different MACs, the later one first. Two are enough to tell whether
 *		anybody but a given MAC did, and when.
 */
struct usage {
	struct in_addr addr;
	struct {
		struct mac mac;
		int64_t seen_s;
	} last[2];
	bool oom;
	UT_hash_handle hh;
};

/* struct place - the address a MAC was last seen using. */
struct place {
	struct mac mac;
	struct in_addr addr;
	bool oom;
	UT_hash_handle hh;
};

/**
 * struct lease_table - see table.h
 * @heap:	all leases, the first to be taken away on top; @n of @cap used
 * @usages:	by address, the longest untouched first; at most SIGHTINGS_MAX
 * @places:	by MAC, the same
 */
struct lease_table {
	struct lease_entry *by_mac;
	struct lease_entry *by_addr;
	struct lease_entry **heap;
	size_t n;
	size_t cap;
	struct block *blocks;
	struct usage *usages;
	struct place *places;
};

static const char *const state_names[] = {
	[LEASE_OFFERED] = "offered",
	[LEASE_BOUND] = "bound",
	[LEASE_RELEASED] = "released",
	[LEASE_DECLINED] = "declined",
};
static_assert(ARRAY_SIZE(state_names) == LEASE_STATE_COUNT, "a name for every state");

const char *lease_state_name(enum lease_state s)
{
	return (size_t)s < ARRAY_SIZE(state_names) ? state_names[s] : "?";
}

bool lease_live(const struct lease *l, int64_t now_s)
{
	return l->state != LEASE_RELEASED && l->expires_s > now_s;
}

static bool heap_before(const struct lease_entry *a, const struct lease_entry *b)
{
	bool a_back = a->lease.state == LEASE_RELEASED;
	bool b_back = b->lease.state == LEASE_RELEASED;

	return a_back != b_back ? a_back : a->lease.expires_s < b->lease.expires_s;
}

static void heap_set(struct lease_table *t, size_t i, struct lease_entry *e)
{
	t->heap[i] = e;
	e->heap_at = i;
}

static void heap_up(struct lease_table *t, struct lease_entry *e)
{
	size_t i = e->heap_at;

	while (i > 0 && heap_before(e, t->heap[(i - 1) / 2])) {
		heap_set(t, i, t->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(t, i, e);
}

static void heap_down(struct lease_table *t, struct lease_entry *e)
{
	size_t i = e->heap_at;
	size_t child;

	while ((child = 2 * i + 1) < t->n) {
		if (child + 1 < t->n && heap_before(t->heap[child + 1], t->heap[child]))
			child++;
		if (!heap_before(t->heap[child], e))
			break;
		heap_set(t, i, t->heap[child]);
		i = child;
	}
	heap_set(t, i, e);
}

static int heap_reserve(struct lease_table *t)
{
	size_t cap = t->cap ? 2 * t->cap : 16;
	struct lease_entry **heap;

	if (t->n < t->cap)
		return 0;
	heap = realloc(t->heap, cap * sizeof(struct lease_entry *));
	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->cap = cap;
	return 0;
}

static void heap_add(struct lease_table *t, struct lease_entry *e)
{
	heap_set(t, t->n++, e);
	heap_up(t, e);
}

static void heap_remove(struct lease_table *t, const struct lease_entry *e)
{
	struct lease_entry *last = t->heap[--t->n];

	if (last == e)
		return;
	heap_set(t, e->heap_at, last);
	heap_up(t, last);
	heap_down(t, last);
}

static struct block *block_find(const struct lease_table *t, struct in_addr addr)
{
	uint32_t base = ip4_host(addr) & ~BLOCK_MASK;
	struct block *b;

	HASH_FIND(hh, t->blocks, &base, sizeof(base), b);
	return b;
}

static uint64_t block_bit(struct in_addr addr)
{
	return (uint64_t)1 << (ip4_host(addr) & BLOCK_MASK);
}

static int block_set(struct lease_table *t, struct in_addr addr)
{
	struct block *b = block_find(t, addr);

	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b)
			return -ENOMEM;
		b->base = ip4_host(addr) & ~BLOCK_MASK;
		HASH_ADD(hh, t->blocks, base, sizeof(b->base), b);
		if (b->oom) {
			free(b);
			return -ENOMEM;
		}
	}
	b->used |= block_bit(addr);
	return 0;
}

static void block_clear(struct lease_table *t, struct in_addr addr)
{
	struct block *b = block_find(t, addr);

	if (!b)
		return;
	b->used &= ~block_bit(addr);
	if (b->used)
		return;
	HASH_DELETE(hh, t->blocks, b);
	free(b);
}

uint64_t lease_block(const struct lease_table *t, struct in_addr addr)
{
	const struct block *b = block_find(t, addr);

	return b ? b->used : 0;
}

int lease_table_new(struct lease_table **ret)
{
	struct lease_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	*ret = t;
	return 0;
}

static void blocks_free(struct lease_table *t)
{
	struct block *b = t->blocks, *next;

	HASH_CLEAR(hh, t->blocks); /* leaves the entries and their order */
	for (; b; b = next) {
		next = b->hh.next;
		free(b);
	}
}

static void sightings_free(struct lease_table *t)
{
	struct usage *u = t->usages, *u_next;
	struct place *p = t->places, *p_next;

	HASH_CLEAR(hh, t->usages);
	for (; u; u = u_next) {
		u_next = u->hh.next;
		free(u);
	}
	HASH_CLEAR(hh, t->places);
	for (; p; p = p_next) {
		p_next = p->hh.next;
		free(p);
	}
}

void lease_table_free(struct lease_table *t)
{
	if (!t)
		return;
	HASH_CLEAR(by_mac, t->by_mac);
	HASH_CLEAR(by_addr, t->by_addr);
	for (size_t i = 0; i < t->n; i++)
		free(t->heap[i]);
	free(t->heap);
	blocks_free(t);
	sightings_free(t);
	free(t);
}

static struct lease_entry *entry_find_mac(const struct lease_table *t, const struct mac *mac)
{
	struct lease_entry *e;

	HASH_FIND(by_mac, t->by_mac, mac, sizeof(*mac), e);
	return e;
}

static struct lease_entry *entry_find_addr(const struct lease_table *t, struct in_addr addr)
{
	struct lease_entry *e;

	HASH_FIND(by_addr, t->by_addr, &addr, sizeof(addr), e);
	return e;
}

const struct lease *lease_find_mac(const struct lease_table *t, const struct mac *mac)
{
	const struct lease_entry *e = entry_find_mac(t, mac);

	return e ? &e->lease : NULL;
}

const struct lease *lease_find_addr(const struct lease_table *t, struct in_addr addr)
{
	const struct lease_entry *e = entry_find_addr(t, addr);

	return e ? &e->lease : NULL;
}

/* Into both hashes, beside an entry with the same key if there is one; or into neither. */
static int entry_link(struct lease_table *t, struct lease_entry *e)
{
	bool has_mac = !mac_is_zero(&e->lease.mac);

	if (has_mac)
		HASH_ADD(by_mac, t->by_mac, lease.mac, sizeof(e->lease.mac), e);
	if (e->oom)
		return -ENOMEM;
	HASH_ADD(by_addr, t->by_addr, lease.addr, sizeof(e->lease.addr), e);
	if (e->oom && has_mac)
		HASH_DELETE(by_mac, t->by_mac, e);
	return e->oom ? -ENOMEM : 0;
}

static void entry_remove(struct lease_table *t, struct lease_entry *e)
{
	if (!mac_is_zero(&e->lease.mac))
		HASH_DELETE(by_mac, t->by_mac, e);
	HASH_DELETE(by_addr, t->by_addr, e);
	heap_remove(t, e);
	free(e);
}

static int entry_add(struct lease_table *t, const struct lease *l)
{
	struct lease_entry *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->lease = *l;
	r = heap_reserve(t);
	if (r == 0)
		r = entry_link(t, e);
	if (r < 0) {
		free(e);
		return r;
	}
	heap_add(t, e);
	return 0;
}

int lease_put(struct lease_table *t, const struct lease *l)
{
	struct lease_entry *same_addr = entry_find_addr(t, l->addr);
	struct lease_entry *same_mac = mac_is_zero(&l->mac) ? NULL : entry_find_mac(t, &l->mac);
	size_t replaced = (same_addr ? 1u : 0) + (same_mac && same_mac != same_addr ? 1u : 0);
	int r;

	if (!l->addr.s_addr || l->client_id_len > sizeof(l->client_id) ||
	    (size_t)l->state >= LEASE_STATE_COUNT)
		return -EINVAL;
	if (t->n - replaced >= LEASES_MAX)
		return -ENOSPC;
	r = block_set(t, l->addr);
	if (r < 0)
		return r;
	r = entry_add(t, l); /* from here on @l may be gone: it may be one of those replaced */
	if (r < 0) {
		if (!same_addr)
			block_clear(t, l->addr);
		return r;
	}
	if (same_mac && same_mac != same_addr) {
		block_clear(t, same_mac->lease.addr);
		entry_remove(t, same_mac);
	}
	if (same_addr)
		entry_remove(t, same_addr);
	return 0;
}

void lease_remove(struct lease_table *t, struct in_addr addr)
{
	struct lease_entry *e = entry_find_addr(t, addr);

	if (!e)
		return;
	block_clear(t, addr);
	entry_remove(t, e);
}

size_t lease_count(const struct lease_table *t)
{
	return t->n;
}

static int by_address(const void *a, const void *b)
{
	const struct lease_entry *x = *(struct lease_entry *const *)a;
	const struct lease_entry *y = *(struct lease_entry *const *)b;
	uint32_t xa = ip4_host(x->lease.addr), ya = ip4_host(y->lease.addr);

	return xa < ya ? -1 : xa > ya;
}

void lease_each(const struct lease_table *t, lease_fn fn, void *ctx)
{
	struct lease_entry **all = calloc(t->n + 1, sizeof(struct lease_entry *));

	if (all && t->n > 0) {
		memcpy(all, t->heap, t->n * sizeof(struct lease_entry *));
		qsort(all, t->n, sizeof(struct lease_entry *), by_address);
	}
	for (size_t i = 0; i < t->n; i++)
		fn(&(all ? all : t->heap)[i]->lease, ctx);
	free(all);
}

const struct lease *lease_find_lapsed(const struct lease_table *t, int64_t now_s,
				      lease_usable_fn usable, const void *ctx)
{
	const struct lease_entry *best = NULL;
	size_t todo[HEAP_DEPTH_MAX * 2] = {0};
	size_t n = t->n > 0 ? 1 : 0;

	while (n > 0) {
		size_t i = todo[--n];
		const struct lease_entry *e = t->heap[i];

		if (lease_live(&e->lease, now_s) || (best && !heap_before(e, best)))
			continue; /* and so is all that is below */
		if (usable(&e->lease, ctx)) {
			best = e;
			continue;
		}
		for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < t->n; child++) {
			assert(n < ARRAY_SIZE(todo));
			todo[n++] = child;
		}
	}
	return best ? &best->lease : NULL;
}

static struct usage *usage_find(const struct lease_table *t, struct in_addr addr)
{
	struct usage *u;

	HASH_FIND(hh, t->usages, &addr, sizeof(addr), u);
	return u;
}

static struct place *place_find(const struct lease_table *t, const struct mac *mac)
{
	struct place *p;

	HASH_FIND(hh, t->places, mac, sizeof(*mac), p);
	return p;
}

/*
 * An entry to be put (back) as the table's latest: the one there is, or the oldest emptied where the
 * table is full, or a new one; NULL: no memory.
 */
static struct usage *usage_take(struct lease_table *t, struct in_addr addr)
{
	struct usage *u = usage_find(t, addr);
	bool is_new = !u;

	if (is_new && HASH_COUNT(t->usages) >= SIGHTINGS_MAX)
		u = t->usages;
	if (u)
		HASH_DELETE(hh, t->usages, u);
	else
		u = malloc(sizeof(*u));
	if (u && is_new)
		*u = (struct usage){.addr = addr};
	return u;
}

static struct place *place_take(struct lease_table *t, const struct mac *mac)
{
	struct place *p = place_find(t, mac);
	bool is_new = !p;

	if (is_new && HASH_COUNT(t->places) >= SIGHTINGS_MAX)
		p = t->places;
	if (p)
		HASH_DELETE(hh, t->places, p);
	else
		p = malloc(sizeof(*p));
	if (p && is_new)
		*p = (struct place){.mac = *mac};
	return p;
}

static void usage_note(struct lease_table *t, struct in_addr addr, const struct mac *mac,
		       int64_t now_s)
{
	struct usage *u = usage_take(t, addr);

	if (!u)
		return;
	if (!mac_equal(&u->last[0].mac, mac))
		u->last[1] = u->last[0];
	u->last[0].mac = *mac;
	u->last[0].seen_s = now_s;
	HASH_ADD(hh, t->usages, addr, sizeof(u->addr), u);
	if (u->oom)
		free(u);
}

static void place_note(struct lease_table *t, const struct mac *mac, struct in_addr addr)
{
	struct place *p = place_take(t, mac);

	if (!p)
		return;
	p->addr = addr;
	HASH_ADD(hh, t->places, mac, sizeof(p->mac), p);
	if (p->oom)
		free(p);
}

void lease_seen(struct lease_table *t, struct in_addr addr, const struct mac *mac, int64_t now_s)
{
	if (!addr.s_addr || mac_is_zero(mac) || mac_is_multicast(mac))
		return;
	usage_note(t, addr, mac, now_s);
	place_note(t, mac, addr);
}

bool lease_seen_by_other(const struct lease_table *t, struct in_addr addr, const struct mac *mac,
			 int64_t now_s)
{
	const struct usage *u = usage_find(t, addr);

	for (size_t i = 0; u && i < ARRAY_SIZE(u->last); i++) {
		/* A clock that was set back does not make a sighting last for ever. */
		int64_t age = now_s - u->last[i].seen_s;

		if (mac_is_zero(&u->last[i].mac) || mac_equal(&u->last[i].mac, mac))
			continue;
		if (age <= SIGHTING_S && age >= -SIGHTING_S)
			return true;
	}
	return false;
}

bool lease_seen_addr(const struct lease_table *t, const struct mac *mac, struct in_addr *ret)
{
	const struct place *p = place_find(t, mac);

	if (!p)
		return false;
	*ret = p->addr;
	return true;
}
