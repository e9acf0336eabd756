/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_program.c - where a ruleset's parts are kept and found: names, the order of base chains,
 * elements of sets. Pure. Messages are taken apart by nft_program_parse.c.
 */
#include "path/nft_program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>
#include <string.h>
#include "path/nft_program_internal.h"

#define BLOCK_SIZE (64 * 1024)
#define KEY_MAX (2 * NFT_NAME_MAXLEN + 8)

int nftprog_new(struct nftprog **ret)
{
	struct nftprog *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	*ret = p;
	return 0;
}

static void name_free(struct nftprog_name *n)
{
	if (n->kind == NFTPROG_IS_CHAIN)
		free(n->chain.rules);
	if (n->kind == NFTPROG_IS_SET)
		free(n->set.elems);
	free(n);
}

void nftprog_free(struct nftprog *p)
{
	struct nftprog_name *n, *next;

	if (!p)
		return;
	HASH_ITER (hh, p->names, n, next) {
		HASH_DELETE(hh, p->names, n);
		name_free(n);
	}
	while (p->blocks) {
		struct nftprog_block *b = p->blocks;

		p->blocks = b->next;
		free(b);
	}
	free(p->bases);
	free(p);
}

void *nftprog_alloc(struct nftprog *p, size_t size)
{
	struct nftprog_block *b = p->blocks;
	size_t room;

	size = (size + 7) & ~(size_t)7;
	if (!b || b->size - b->used < size) {
		room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		b = calloc(1, sizeof(*b) + room);
		if (!b)
			return NULL;
		b->size = room;
		b->next = p->blocks;
		p->blocks = b;
	}
	b->used += size;
	return b->bytes + b->used - size;
}

const uint8_t *nftprog_copy(struct nftprog *p, const void *bytes, size_t len)
{
	uint8_t *copy = nftprog_alloc(p, len + 1);

	if (copy && len)
		memcpy(copy, bytes, len);
	return copy;
}

static size_t make_key(char key[KEY_MAX], enum nftprog_kind kind, uint8_t family, const char *table,
		       const char *name)
{
	int n = snprintf(key, KEY_MAX, "%d %u %s%c%s", (int)kind, family, table, 0, name);

	return n < 0 || n >= KEY_MAX ? 0 : (size_t)n;
}

struct nftprog_name *nftprog_find(const struct nftprog *p, enum nftprog_kind kind, uint8_t family,
				  const char *table, const char *name)
{
	struct nftprog_name *n = NULL;
	char key[KEY_MAX];
	size_t len = make_key(key, kind, family, table, name);

	if (len)
		HASH_FIND(hh, p->names, key, len, n);
	return n;
}

struct nftprog_name *nftprog_make(struct nftprog *p, enum nftprog_kind kind, uint8_t family,
				  const char *table, const char *name)
{
	struct nftprog_name *n;
	char key[KEY_MAX];
	size_t len = make_key(key, kind, family, table, name);

	if (!len)
		return NULL;
	n = calloc(1, sizeof(*n) + len);
	if (!n)
		return NULL;
	n->kind = kind;
	n->order = p->n_made++;
	memcpy(n->key, key, len);
	HASH_ADD_KEYPTR(hh, p->names, n->key, len, n);
	return n;
}

uint32_t nftprog_generation(const struct nftprog *p)
{
	return p->generation;
}

bool nftprog_conntrack(const struct nftprog *p)
{
	return p->conntrack;
}

const struct nftprog_chain *nftprog_chain(const struct nftprog *p, uint8_t family,
					  const char *table, const char *chain)
{
	struct nftprog_name *n = nftprog_find(p, NFTPROG_IS_CHAIN, family, table, chain);

	return n ? &n->chain : NULL;
}

int32_t nftprog_priority(const struct nftprog_chain *c)
{
	if (c->type != NFTPROG_NAT_CHAIN)
		return c->priority;
	return c->hook == NF_INET_PRE_ROUTING || c->hook == NF_INET_LOCAL_OUT ? NF_IP_PRI_NAT_DST
									      : NF_IP_PRI_NAT_SRC;
}

/*
 * Of equal priority, the one that was hung up last is asked first. Within a table handles tell which
 * that was; between tables, the younger table's chains are most likely the younger ones too
 * (nft_eval.c looks whether it matters). Among nat chains, their own priority counts.
 */
static int by_order(const void *a, const void *b)
{
	const struct nftprog_chain *x = *(const struct nftprog_chain *const *)a;
	const struct nftprog_chain *y = *(const struct nftprog_chain *const *)b;
	int32_t px = nftprog_priority(x), py = nftprog_priority(y);

	if (px != py)
		return px < py ? -1 : 1;
	if (x->type == NFTPROG_NAT_CHAIN && y->type == NFTPROG_NAT_CHAIN &&
	    x->priority != y->priority)
		return x->priority < y->priority ? -1 : 1;
	/* The nat hook was registered with the first nat chain; it stays together. */
	if ((x->type == NFTPROG_NAT_CHAIN) != (y->type == NFTPROG_NAT_CHAIN))
		return x->type == NFTPROG_NAT_CHAIN ? 1 : -1;
	if (x->table != y->table)
		return x->table->handle > y->table->handle ? -1 : 1;
	return x->handle > y->handle ? -1 : x->handle < y->handle;
}

static int by_key(const void *a, const void *b, void *len)
{
	const struct nftprog_elem *x = a, *y = b;
	int r = memcmp(x->key, y->key, *(const uint32_t *)len);

	/* Where one interval ends and the next begins: the end first. */
	return r ? r : (int)y->interval_end - (int)x->interval_end;
}

int nftprog_finish(struct nftprog *p)
{
	struct nftprog_name *n, *next;

	HASH_ITER (hh, p->names, n, next) {
		if (n->kind == NFTPROG_IS_SET && n->set.n_elems)
			qsort_r(n->set.elems, n->set.n_elems, sizeof(*n->set.elems), by_key,
				&n->set.key_len);
		if (n->kind != NFTPROG_IS_CHAIN || !n->chain.base)
			continue;
		if (p->n_bases == p->bases_cap) {
			size_t cap = p->bases_cap ? 2 * p->bases_cap : 32;
			void *bases = reallocarray(p->bases, cap, sizeof(*p->bases));

			if (!bases)
				return -ENOMEM;
			p->bases = bases;
			p->bases_cap = cap;
		}
		p->bases[p->n_bases++] = &n->chain;
	}
	if (p->n_bases)
		qsort(p->bases, p->n_bases, sizeof(*p->bases), by_order);
	return 0;
}

static bool has_device(const struct nftprog_chain *c, const char *device)
{
	for (size_t i = 0; device && i < c->n_devices; i++)
		if (c->prefix[i] ? strncmp(c->devices[i], device, strlen(c->devices[i])) == 0
				 : strcmp(c->devices[i], device) == 0)
			return true;
	return false;
}

static bool is_at(const struct nftprog_chain *c, uint8_t pf, uint32_t hook, const char *device)
{
	uint8_t family = c->table->family;

	if (c->table->dormant)
		return false;
	if (family == NFPROTO_INET && c->hook == NF_INET_INGRESS)
		return pf == NFPROTO_NETDEV && hook == NF_NETDEV_INGRESS && has_device(c, device);
	if (c->hook != hook)
		return false;
	if (family == NFPROTO_NETDEV)
		return pf == NFPROTO_NETDEV && has_device(c, device);
	if (family == NFPROTO_INET)
		return pf == NFPROTO_IPV4 || pf == NFPROTO_IPV6;
	return family == pf;
}

size_t nftprog_bases(const struct nftprog *p, uint8_t pf, uint32_t hook, const char *device,
		     const struct nftprog_chain **ret, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_bases; i++) {
		if (!is_at(p->bases[i], pf, hook, device))
			continue;
		if (n < cap)
			ret[n] = p->bases[i];
		n++;
	}
	return n;
}

/* The last element whose key is not above @key, by index + 1; 0 when there is none. */
static size_t not_above(const struct nftprog_set *s, const uint8_t *key)
{
	size_t low = 0, high = s->n_elems;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (memcmp(s->elems[middle].key, key, s->key_len) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool field_in(const struct nftprog_elem *e, const uint8_t *key, size_t at, size_t len)
{
	const uint8_t *end = e->end ? e->end : e->key;

	return memcmp(e->key + at, key + at, len) <= 0 && memcmp(key + at, end + at, len) <= 0;
}

/* Each part of the key is in its own interval. */
static bool fields_in(const struct nftprog_set *s, const struct nftprog_elem *e, const uint8_t *key)
{
	size_t at = 0;

	for (size_t i = 0; i < s->n_fields; i++) {
		if (!field_in(e, key, at, s->fields[i]))
			return false;
		at += (s->fields[i] + 3) & ~(size_t)3;
	}
	return true;
}

const struct nftprog_elem *nftprog_lookup(const struct nftprog_set *s, const uint8_t *key)
{
	const struct nftprog_elem *e;
	size_t i;

	if (s->flags & NFT_SET_INTERVAL && s->n_fields > 1) {
		for (i = 0; i < s->n_elems; i++)
			if (fields_in(s, &s->elems[i], key))
				return &s->elems[i];
		return NULL;
	}
	i = not_above(s, key);
	if (!i)
		return NULL;
	e = &s->elems[i - 1];
	if (!(s->flags & NFT_SET_INTERVAL))
		return memcmp(e->key, key, s->key_len) == 0 ? e : NULL;
	if (e->interval_end)
		return NULL;
	return e->end && memcmp(key, e->end, s->key_len) > 0 ? NULL : e;
}
