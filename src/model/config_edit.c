/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_edit.c - see config_edit.h. The file and the patch are merged as trees; the merged tree,
 * written as one line, is what the edited text is held against.
 */
#include "model/config_edit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- values ---- */

/* What reads the same in all of YAML's contexts without quotes. */
static bool is_plain(const char *s)
{
	static const char *const nulls[] = {"null", "Null", "NULL"};
	size_t len = strlen(s);

	if (len == 0 || s[len - 1] == ':' || strchr("-:./+_", s[0]))
		return false;
	for (size_t i = 0; i < len; i++) {
		bool letter = (s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z');

		if (!letter && !(s[i] >= '0' && s[i] <= '9') && !strchr("_.:/+-", s[i]))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(nulls); i++)
		if (strcmp(s, nulls[i]) == 0)
			return false;
	return true;
}

static void emit_text(const char *s, struct buf *out)
{
	if (is_plain(s)) {
		buf_puts(out, s);
		return;
	}
	buf_puts(out, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			buf_printf(out, "\\x%02x", c);
		else
			buf_append(out, s, 1);
	}
	buf_puts(out, "\"");
}

const struct node *config_edit_find(const struct node *map, const char *key)
{
	for (const struct node *c = map ? map->first : NULL; c; c = c->next)
		if (c->key->kind == NODE_TEXT && strcmp(c->key->text, key) == 0)
			return c;
	return NULL;
}

bool config_edit_is_removal(const struct node *n)
{
	if (n->kind != NODE_MAP)
		return node_is_null(n);
	for (const struct node *c = n->first; c; c = c->next)
		if (!config_edit_is_removal(c))
			return false;
	return n->first != NULL;
}

void config_edit_value(const struct node *n, struct buf *out)
{
	bool map = n->kind == NODE_MAP;
	const char *between = "";

	if (n->kind == NODE_TEXT) {
		emit_text(n->text, out);
		return;
	}
	buf_puts(out, map ? "{" : "[");
	for (const struct node *c = n->first; c; c = c->next) {
		if (node_is_null(c) || c->kind == NODE_BROKEN)
			continue;
		buf_puts(out, between);
		if (map) {
			emit_text(c->key->text, out);
			buf_puts(out, ": ");
		}
		config_edit_value(c, out);
		between = ", ";
	}
	buf_puts(out, map ? "}" : "]");
}

/* ---- the merged tree ---- */

/* Whether any key of @t stays or any of @p comes. */
static bool leaves_any(const struct node *t, const struct node *p)
{
	for (const struct node *c = t->first; c; c = c->next) {
		const struct node *change = config_edit_find(p, c->key->text);

		if (!change || !node_is_null(change))
			return true;
	}
	for (const struct node *c = p->first; c; c = c->next)
		if (!config_edit_is_removal(c))
			return true;
	return false;
}

static void merge(const struct node *t, const struct node *p, bool top, struct buf *out);

/* @t or @p may be NULL, not both. */
static void merge_value(const struct node *t, const struct node *p, struct buf *out)
{
	if (!p)
		config_edit_value(t, out);
	else if (p->kind == NODE_MAP && t && t->kind == NODE_MAP)
		merge(t, p, false, out);
	else
		config_edit_value(p, out);
}

static bool is_pruned(const struct node *t, const struct node *p)
{
	return p && p->kind == NODE_MAP && t->kind == NODE_MAP && t->first && !leaves_any(t, p);
}

static void merge(const struct node *t, const struct node *p, bool top, struct buf *out)
{
	const char *between = "";

	buf_puts(out, "{");
	for (const struct node *c = t->first; c; c = c->next) {
		const struct node *change = config_edit_find(p, c->key->text);

		if ((change && node_is_null(change)) || (top && is_pruned(c, change)))
			continue;
		buf_puts(out, between);
		emit_text(c->key->text, out);
		buf_puts(out, ": ");
		merge_value(c, change, out);
		between = ", ";
	}
	for (const struct node *c = p->first; c; c = c->next) {
		if (config_edit_is_removal(c) || config_edit_find(t, c->key->text))
			continue;
		buf_puts(out, between);
		emit_text(c->key->text, out);
		buf_puts(out, ": ");
		config_edit_value(c, out);
		between = ", ";
	}
	buf_puts(out, "}");
}

/* ---- all together ---- */

static int read_tree(struct document *d, const char *text, size_t len)
{
	int r = document_parse(d, text, len);

	if (r < 0)
		return r;
	if (d->mistakes)
		return -EINVAL;
	if (!d->root || d->root->kind != NODE_MAP) {
		document_mistake(d, (struct location){1, 1}, "bad-value",
				 "expected keys such as `mtu: 1400`");
		return -EINVAL;
	}
	return 0;
}

/* The places in the merged text are nobody's. */
static void forget_places(struct err_list *errs, size_t first)
{
	for (size_t i = first; errs && i < errs->n; i++)
		snprintf(errs->items[i].where, sizeof(errs->items[i].where), "request");
}

/* The text edited, when that means the same as @wanted; else 0 and an empty @out. */
static int edit_text(const char *text, size_t len, const struct node *patch,
		     const struct network_config *wanted, struct buf *out)
{
	struct network_config *n = NULL;
	int r;

	buf_append(out, text, len);
	r = config_edit_text(patch, out);
	if (r == 0)
		r = network_config_parse("", buf_str(out), out->len, &n, NULL);
	if (r == 0 && !network_config_equal(n, wanted))
		r = -EOPNOTSUPP;
	network_config_free(n);
	if (r < 0)
		buf_done(out);
	return r == -ENOMEM ? r : 0;
}

static int edit(const char *text, size_t len, const struct document *file,
		const struct document *patch, struct buf *out, bool *ret_kept,
		struct network_config **ret, struct err_list *errs)
{
	struct buf merged = BUF_INIT(2 * CONFIG_FILE_MAX);
	struct network_config *wanted = NULL;
	size_t first = errs ? errs->n : 0;
	int r;

	merge(file->root, patch->root, true, &merged);
	r = merged.error;
	if (r == -E2BIG)
		r = err_add(errs, -EINVAL, "too-big", "request", "the file would be too large");
	if (r == 0)
		r = network_config_parse("request", buf_str(&merged), merged.len, &wanted, errs);
	if (r < 0)
		forget_places(errs, first);
	buf_done(&merged);
	if (r == 0)
		r = edit_text(text, len, patch->root, wanted, out);
	if (r == 0 && !out->len) {
		*ret_kept = false;
		network_config_emit(wanted, out);
		r = out->error;
	}
	network_config_free(wanted);
	return r < 0 ? r : network_config_parse(file->file, buf_str(out), out->len, ret, errs);
}

int config_edit(const char *file, const char *text, size_t len, const char *patch, size_t patch_len,
		struct buf *out, bool *ret_kept, struct network_config **ret, struct err_list *errs)
{
	struct document old = {.file = file, .errs = errs};
	struct document change = {.file = "request", .errs = errs};
	int r = read_tree(&old, text, len);

	if (r == 0)
		r = read_tree(&change, patch, patch_len);
	*ret_kept = true;
	if (r == 0)
		r = edit(text, len, &old, &change, out, ret_kept, ret, errs);
	document_done(&old);
	document_done(&change);
	return r;
}
