/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chains.c - see chains.h. Only for text that this folder writes: a chain goes from a line "\tchain
 * NAME {" to a line "\t}", and nothing else ends so; a set, map or counter is one line.
 */
#include "firewall/chains.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CHAIN_END "\n\t}\n"

static const char *const kinds[] = {"chain", "set", "map", "counter"};

#define IS_CHAIN(p) ((p)->kind == kinds[0])

/* struct piece - one of a skeleton; @text with its first and last line; @kind one of kinds[]. */
struct piece {
	const char *kind;
	const char *name;
	size_t name_len;
	const char *text;
	size_t len;
};

/* struct pieces - all of a skeleton in its order, and @sorted by kind and name; both owned. */
struct pieces {
	struct piece *v;
	struct piece *sorted;
	size_t n;
};

static void pieces_done(struct pieces *p)
{
	free(p->v);
	free(p->sorted);
}

static int compare_pieces(const void *a, const void *b)
{
	const struct piece *x = a, *y = b;
	size_t len = x->name_len < y->name_len ? x->name_len : y->name_len;
	int order = strcmp(x->kind, y->kind);

	order = order ? order : strncmp(x->name, y->name, len);
	return order ? order : (x->name_len > y->name_len) - (x->name_len < y->name_len);
}

/* The piece that begins with the line @line, if one does. */
static bool is_piece(const char *line, struct piece *ret)
{
	for (size_t i = 0; line[0] == '\t' && i < ARRAY_SIZE(kinds); i++) {
		size_t len = strlen(kinds[i]);
		const char *end;

		if (strncmp(line + 1, kinds[i], len) != 0 || line[1 + len] != ' ')
			continue;
		end = i == 0 ? strstr(line, CHAIN_END) : strchr(line, '\n');
		if (!end)
			return false;
		end += i == 0 ? strlen(CHAIN_END) : 1;
		ret->kind = kinds[i];
		ret->name = line + len + 2;
		ret->name_len = strcspn(ret->name, " ");
		ret->text = line;
		ret->len = (size_t)(end - line);
		return true;
	}
	return false;
}

/* The first piece at or behind @line, the beginning of a line. */
static bool find_piece(const char *line, struct piece *ret)
{
	while (*line) {
		const char *end = strchrnul(line, '\n');

		if (is_piece(line, ret))
			return true;
		line = *end ? end + 1 : end;
	}
	return false;
}

static int pieces_read(const char *text, struct pieces *ret)
{
	struct pieces p = {0};
	struct piece one;
	size_t max = 0;

	for (const char *t = text; find_piece(t, &one); t = one.text + one.len)
		max++;
	p.v = calloc(max + 1, sizeof(*p.v));
	p.sorted = calloc(max + 1, sizeof(*p.sorted));
	if (!p.v || !p.sorted) {
		pieces_done(&p);
		return -ENOMEM;
	}
	for (const char *t = text; p.n < max && find_piece(t, &one); t = one.text + one.len)
		p.v[p.n++] = one;
	memcpy(p.sorted, p.v, p.n * sizeof(*p.v));
	qsort(p.sorted, p.n, sizeof(*p.sorted), compare_pieces);
	*ret = p;
	return 0;
}

static const struct piece *pieces_find(const struct pieces *p, const struct piece *wanted)
{
	if (p->n == 0)
		return NULL;
	return bsearch(wanted, p->sorted, p->n, sizeof(*p->sorted), compare_pieces);
}

/* Of what stands between pieces @text has the same as @other, in the same order. */
static bool same_besides(const char *text, const struct pieces *p, const char *other,
			 const struct pieces *q)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < p->n && text == p->v[i].text)
			text += p->v[i++].len;
		while (j < q->n && other == q->v[j].text)
			other += q->v[j++].len;
		if (*text != *other)
			return false;
		if (!*text)
			return true;
		text++;
		other++;
	}
}

/* A chain with a hook sees packets as soon as it is there: that is for a full replacement. */
static bool is_base(const struct piece *p)
{
	return IS_CHAIN(p) && memmem(p->text, p->len, " hook ", strlen(" hook ")) != NULL;
}

enum piece_fate {
	PIECE_NEW, /* @other does not have it */
	PIECE_SAME,
	PIECE_CHANGED, /* a chain that says something else there */
};

/* What @p is to @other; -ESTALE where that cannot be done piece by piece. */
static int fate_of(const struct pieces *other, const struct piece *p)
{
	const struct piece *same = pieces_find(other, p);

	if (!same)
		return is_base(p) ? -ESTALE : PIECE_NEW;
	if (same->len == p->len && memcmp(same->text, p->text, p->len) == 0)
		return PIECE_SAME;
	return IS_CHAIN(p) && !is_base(p) && !is_base(same) ? PIECE_CHANGED : -ESTALE;
}

static int added(const char *table, const struct pieces *from, const struct pieces *to,
		 struct buf *out)
{
	int count = 0;

	for (size_t i = 0; i < to->n; i++) {
		const struct piece *p = &to->v[i];
		int fate = fate_of(from, p);

		if (fate < 0)
			return fate;
		if (fate == PIECE_SAME)
			continue;
		if (fate == PIECE_CHANGED)
			buf_printf(out, "flush chain %s %.*s\n", table, (int)p->name_len, p->name);
		buf_printf(out, "table %s {\n", table);
		buf_append(out, p->text, p->len);
		buf_puts(out, "}\n");
		count++;
	}
	return count;
}

static int deleted(const char *table, const struct pieces *from, const struct pieces *to,
		   struct buf *out)
{
	int count = 0;

	for (size_t i = from->n; i-- > 0;) {
		const struct piece *p = &from->v[i];
		int fate = fate_of(to, p);

		if (fate < 0)
			return fate;
		if (fate != PIECE_NEW)
			continue;
		buf_printf(out, "delete %s %s %.*s\n", p->kind, table, (int)p->name_len, p->name);
		count++;
	}
	return count;
}

int chains_diff(const char *table, const char *from, const char *to, struct buf *add,
		struct buf *del)
{
	_cleanup_(pieces_done) struct pieces f = {0}, t = {0};
	int gone = 0, r;

	if (strcmp(from, to) == 0)
		return 0;
	r = pieces_read(from, &f);
	if (r == 0)
		r = pieces_read(to, &t);
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
