/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_edit_text.c - a merge patch carried out in a file's text; see config_edit.h.
 *
 * One key after the other: the text is read, the key's place in it found, and the few bytes
 * replaced. What is new goes to the end of the block that it belongs to. Places are counted as
 * libyaml does, in lines and characters; where that is not what an odd text means by them, the
 * result is not what was wanted, which config_edit.c notices.
 */
#include "model/config_edit.h"

#include <errno.h>
#include <string.h>

#define PATH_MAX_KEYS NODE_DEPTH_MAX

/**
 * struct spot - a key's path and where it leads in the text as it is now
 * @path:	@n keys, from the top
 * @doc:	the text's tree
 * @map:	the deepest block on the way that is there; @depth: how many keys lead to it
 * @node:	the value, or NULL when there is none
 */
struct spot {
	const char *path[PATH_MAX_KEYS];
	size_t n;
	struct document doc;
	const struct node *map;
	size_t depth;
	const struct node *node;
};

/* ---- places to bytes ---- */

static size_t line_start(const char *text, size_t len, unsigned int line)
{
	size_t i = 0;

	for (unsigned int l = 1; l < line && i < len; i++)
		l += text[i] == '\n' || (text[i] == '\r' && (i + 1 == len || text[i + 1] != '\n'));
	return i;
}

static size_t offset_of(const struct buf *text, struct location at)
{
	const char *s = buf_str(text);
	size_t i = line_start(s, text->len, at.line);

	for (unsigned int c = 1; c < at.col && i < text->len; c++) {
		i++;
		while (i < text->len && ((unsigned char)s[i] & 0xc0) == 0x80)
			i++;
	}
	return i;
}

/* The line that the last of @n stands in. */
static unsigned int last_line(const struct node *n)
{
	if (n->kind == NODE_TEXT || n->flow || !n->last)
		return n->end.col == 1 && n->end.line > n->at.line ? n->end.line - 1 : n->end.line;
	return last_line(n->last);
}

static int splice(struct buf *text, size_t from, size_t to, const char *with)
{
	struct buf out = BUF_INIT(2 * CONFIG_FILE_MAX);

	if (from > to || to > text->len)
		return -EOPNOTSUPP;
	buf_append(&out, buf_str(text), from);
	buf_puts(&out, with);
	buf_append(&out, buf_str(text) + to, text->len - to);
	if (out.error) {
		buf_done(&out);
		return -ENOMEM;
	}
	buf_done(text);
	*text = out;
	return 0;
}

/* ---- finding ---- */

static int spot_find(struct spot *s, const struct buf *text)
{
	int r = document_parse(&s->doc, buf_str(text), text->len);

	if (r < 0)
		return r;
	if (s->doc.mistakes || !s->doc.root || s->doc.root->kind != NODE_MAP)
		return -EOPNOTSUPP;
	s->map = s->doc.root;
	for (s->depth = 0; s->depth + 1 < s->n; s->depth++) {
		const struct node *next = config_edit_find(s->map, s->path[s->depth]);

		if (!next)
			return 0;
		if (next->kind != NODE_MAP)
			return -EOPNOTSUPP;
		s->map = next;
	}
	s->node = config_edit_find(s->map, s->path[s->depth]);
	return 0;
}

/* ---- the three things that are done ---- */

/* "key: value", or "key: {next: {...: value}}" for the keys from @s->depth on. */
static void new_line(const struct spot *s, const struct node *value, struct buf *out)
{
	for (size_t i = s->depth; i < s->n; i++) {
		const struct node key = {.kind = NODE_TEXT, .text = (char *)s->path[i]};

		buf_puts(out, i > s->depth ? "{" : "");
		config_edit_value(&key, out);
		buf_puts(out, ": ");
	}
	config_edit_value(value, out);
	for (size_t i = s->depth + 1; i < s->n; i++)
		buf_puts(out, "}");
}

static int insert(const struct spot *s, const struct node *value, struct buf *text)
{
	struct buf line = BUF_INIT(CONFIG_FILE_MAX);
	size_t at;
	int r;

	if (s->map->flow) {
		new_line(s, value, &line);
		buf_puts(&line, s->map->first ? ", " : "");
		at = offset_of(text, s->map->at) + 1;
		while (at < text->len && buf_str(text)[at] == ' ' && s->map->first)
			at++;
	} else if (s->map->first) {
		at = line_start(buf_str(text), text->len, last_line(s->map) + 1);
		if (at == text->len && at > 0 && buf_str(text)[at - 1] != '\n')
			buf_puts(&line, "\n");
		buf_printf(&line, "%*s", (int)s->map->first->key->at.col - 1, "");
		new_line(s, value, &line);
		buf_puts(&line, "\n");
	} else {
		return -EOPNOTSUPP;
	}
	r = line.error ? -ENOMEM : splice(text, at, at, buf_str(&line));
	buf_done(&line);
	return r;
}

static const struct node *before(const struct node *map, const struct node *n)
{
	const struct node *c = map->first;

	while (c != n && c->next != n)
		c = c->next;
	return c == n ? NULL : c;
}

static int remove_from_flow(const struct node *map, const struct node *n, struct buf *text)
{
	const struct node *previous = before(map, n);
	size_t from = offset_of(text, n->key->at), to = offset_of(text, n->end);

	if (n->next)
		to = offset_of(text, n->next->key->at);
	else if (previous)
		from = offset_of(text, previous->end);
	return splice(text, from, to, "");
}

static int remove_lines(const struct node *n, struct buf *text)
{
	const char *s = buf_str(text);

	return splice(text, line_start(s, text->len, n->key->at.line),
		      line_start(s, text->len, last_line(n) + 1), "");
}

static int take_away(const struct spot *s, struct buf *text)
{
	const struct node *n = s->node, *map = s->map;

	/* A block at the top goes with its last key; below, one without keys is said to be so. */
	if (map != s->doc.root && !n->next && map->first == n) {
		if (s->depth > 1)
			return map->flow ? remove_from_flow(map, n, text)
					 : splice(text, offset_of(text, map->key->end),
						  offset_of(text, n->end), ": {}");
		n = map;
		map = s->doc.root;
	}
	return map->flow ? remove_from_flow(map, n, text) : remove_lines(n, text);
}

static int replace(const struct spot *s, const struct node *value, struct buf *text)
{
	struct buf with = BUF_INIT(CONFIG_FILE_MAX);
	const struct node *n = s->node;
	struct location from = n->at, to = n->end;
	int r;

	/* What is written below its key, or is a literal, takes whole lines. */
	if (n->kind != NODE_TEXT && !n->flow) {
		from = n->key->end;
		to = n->last ? n->last->end : n->end;
		if (n->last && (n->last->kind != NODE_TEXT || to.col == 1))
			return -EOPNOTSUPP;
		buf_puts(&with, ": ");
	} else if (to.col == 1) {
		return -EOPNOTSUPP;
	}
	config_edit_value(value, &with);
	r = with.error ? -ENOMEM
		       : splice(text, offset_of(text, from), offset_of(text, to), buf_str(&with));
	buf_done(&with);
	return r;
}

/* ---- one key after the other ---- */

static int edit_key(struct spot *s, const struct node *value, struct buf *text)
{
	int r = spot_find(s, text);

	if (r == 0 && config_edit_is_removal(value))
		r = s->node ? take_away(s, text) : 0;
	else if (r == 0)
		r = s->node ? replace(s, value, text) : insert(s, value, text);
	document_done(&s->doc);
	s->doc = (struct document){.file = ""};
	s->node = NULL;
	return r;
}

/* A block of the patch is merged with one that is there, and else put there as it is. */
static int is_there(struct spot *s, const struct buf *text, bool *ret)
{
	int r = spot_find(s, text);

	*ret = r == 0 && s->node && s->node->kind == NODE_MAP && s->node->first;
	document_done(&s->doc);
	s->doc = (struct document){.file = ""};
	s->node = NULL;
	return r;
}

static int edit_block(struct spot *s, const struct node *patch, struct buf *text)
{
	int r = 0;

	for (const struct node *c = patch->first; c && r == 0; c = c->next) {
		bool below = false;

		if (c->key->kind != NODE_TEXT || s->n == PATH_MAX_KEYS)
			return -EOPNOTSUPP;
		s->path[s->n++] = c->key->text;
		if (c->kind == NODE_MAP)
			r = is_there(s, text, &below);
		if (r == 0)
			r = below ? edit_block(s, c, text) : edit_key(s, c, text);
		s->n--;
	}
	return r;
}

int config_edit_text(const struct node *patch, struct buf *out)
{
	struct spot s = {.doc = {.file = ""}};
	int r = 0;

	/* An editor's byte order mark: places are counted behind it. */
	if (out->len >= 3 && memcmp(buf_str(out), "\xef\xbb\xbf", 3) == 0)
		r = splice(out, 0, 3, "");
	return r < 0 ? r : edit_block(&s, patch, out);
}
