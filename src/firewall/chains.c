/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chains.c - see chains.h. Only for text that ruleset.c writes: a chain goes from a line "\tchain
 * NAME {" to a line "\t}", and nothing else begins or ends so.
 */
#include "firewall/chains.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_BEGIN "\tchain "
#define CHAIN_END "\n\t}\n"

/* struct chain - one of a skeleton; @text with its first and last line. Neither is owned. */
struct chain {
	const char *name;
	size_t name_len;
	const char *text;
	size_t len;
};

/* struct chains - all of a skeleton in its order, and @sorted by name; both owned. */
struct chains {
	struct chain *v;
	struct chain *sorted;
	size_t n;
};

static void chains_done(struct chains *c)
{
	free(c->v);
	free(c->sorted);
}

static int compare_chains(const void *a, const void *b)
{
	const struct chain *x = a, *y = b;
	int order =
		strncmp(x->name, y->name, x->name_len < y->name_len ? x->name_len : y->name_len);

	return order ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

/* The first chain at or behind @text. */
static bool find_chain(const char *text, struct chain *ret)
{
	const char *begin = strstr(text, CHAIN_BEGIN),
		   *end = begin ? strstr(begin, CHAIN_END) : NULL;

	if (!end)
		return false;
	ret->text = begin;
	ret->len = (size_t)(end - begin) + strlen(CHAIN_END);
	ret->name = begin + strlen(CHAIN_BEGIN);
	ret->name_len = strcspn(ret->name, " ");
	return true;
}

static int chains_read(const char *text, struct chains *ret)
{
	struct chains c = {0};
	struct chain one;
	size_t max = 0;

	for (const char *p = text; find_chain(p, &one); p = one.text + one.len)
		max++;
	c.v = calloc(max + 1, sizeof(*c.v));
	c.sorted = calloc(max + 1, sizeof(*c.sorted));
	if (!c.v || !c.sorted) {
		chains_done(&c);
		return -ENOMEM;
	}
	for (const char *p = text; c.n < max && find_chain(p, &one); p = one.text + one.len)
		c.v[c.n++] = one;
	memcpy(c.sorted, c.v, c.n * sizeof(*c.v));
	qsort(c.sorted, c.n, sizeof(*c.sorted), compare_chains);
	*ret = c;
	return 0;
}

static const struct chain *chains_find(const struct chains *c, const struct chain *wanted)
{
	if (c->n == 0)
		return NULL;
	return bsearch(wanted, c->sorted, c->n, sizeof(*c->sorted), compare_chains);
}

/* Of what stands between chains @text has the same as @other, in the same order. */
static bool same_besides(const char *text, const struct chains *c, const char *other,
			 const struct chains *d)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < c->n && text == c->v[i].text)
			text += c->v[i++].len;
		while (j < d->n && other == d->v[j].text)
			other += d->v[j++].len;
		if (*text != *other)
			return false;
		if (!*text)
			return true;
		text++;
		other++;
	}
}

/* A chain with a hook sees packets as soon as it is there: that is for a full replacement. */
static bool is_base(const struct chain *c)
{
	return memmem(c->text, c->len, " hook ", strlen(" hook ")) != NULL;
}

/* 1: @c is in @other too; 0: it is not; -ESTALE: it is, and says something else, or is a base chain. */
static int in_both(const struct chains *other, const struct chain *c)
{
	const struct chain *same = chains_find(other, c);

	if (!same)
		return is_base(c) ? -ESTALE : 0;
	return same->len == c->len && memcmp(same->text, c->text, c->len) == 0 ? 1 : -ESTALE;
}

static int added(const char *table, const struct chains *from, const struct chains *to,
		 struct buf *out)
{
	int count = 0;

	for (size_t i = 0; i < to->n; i++) {
		int r = in_both(from, &to->v[i]);

		if (r < 0)
			return r;
		if (r)
			continue;
		buf_printf(out, "table %s {\n", table);
		buf_append(out, to->v[i].text, to->v[i].len);
		buf_puts(out, "}\n");
		count++;
	}
	return count;
}

static int deleted(const char *table, const struct chains *from, const struct chains *to,
		   struct buf *out)
{
	int count = 0;

	for (size_t i = from->n; i-- > 0;) {
		const struct chain *c = &from->v[i];
		int r = in_both(to, c);

		if (r < 0)
			return r;
		if (r)
			continue;
		buf_printf(out, "delete chain %s %.*s\n", table, (int)c->name_len, c->name);
		count++;
	}
	return count;
}

int chains_diff(const char *table, const char *from, const char *to, struct buf *add,
		struct buf *del)
{
	_cleanup_(chains_done) struct chains f = {0}, t = {0};
	int gone = 0, r;

	if (strcmp(from, to) == 0)
		return 0;
	r = chains_read(from, &f);
	if (r == 0)
		r = chains_read(to, &t);
	if (r < 0)
		return r;
	if (!same_besides(from, &f, to, &t))
		return -ESTALE;
	r = deleted(table, &f, &t, del);
	if (r >= 0) {
		gone = r;
		r = added(table, &f, &t, add);
	}
	if (r < 0)
		return r;
	if (add->error || del->error)
		return add->error ? add->error : del->error;
	return r + gone;
}
