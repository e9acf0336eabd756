/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.c - libyaml's events to the tree of node.h, refusing what a configuration must not use.
 *
 * libyaml's document interface says nothing of duplicate keys and follows aliases; so its event
 * interface is used, where each anchor, alias and tag is seen and nothing is expanded. Next on the
 * walk: syntax.c words libyaml's errors, config_parse.c reads the tree.
 */
#include "model/node.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>
#include "model/syntax.h"

#define STANDARD_TAGS "tag:yaml.org,2002:"

static const char *const kind_names[] = {
	[NODE_TEXT] = "text",
	[NODE_LIST] = "a list",
	[NODE_MAP] = "a block of keys",
	[NODE_BROKEN] = "nothing usable",
};
static_assert(ARRAY_SIZE(kind_names) == NODE_KIND_COUNT, "a name for every kind");

const char *node_kind_name(enum node_kind kind)
{
	return kind_names[kind];
}

bool node_is_null(const struct node *n)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (n->kind != NODE_TEXT)
		return false;
	if (n->quoted)
		return n->text[0] == '\0';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(n->text, words[i]) == 0)
			return true;
	return false;
}

const char *text_quote(const char *text, char buf[static QUOTE_MAX])
{
	size_t limit = QUOTE_MAX - sizeof("...\"");
	size_t used = 0;

	buf[used++] = '"';
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		bool plain = c >= ' ' && c < 0x7f;

		if (used + (plain ? 1 : 4) > limit) {
			memcpy(buf + used, "...", 3);
			used += 3;
			break;
		}
		if (plain)
			buf[used++] = (char)c;
		else
			used += (size_t)snprintf(buf + used, 5, "\\x%02x", c);
	}
	buf[used++] = '"';
	buf[used] = '\0';
	return buf;
}

void document_mistake(struct document *d, struct location at, const char *code, const char *fmt,
		      ...)
{
	char where[LOCATION_STRLEN];
	char message[sizeof(((struct err *)NULL)->message)];
	va_list ap;

	d->mistakes++;
	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	err_add(d->errs, -EINVAL, code, location_format(d->file, at, where, sizeof(where)), "%s",
		message);
}

void document_done(struct document *d)
{
	while (d->newest) {
		struct node *n = d->newest;

		d->newest = n->older;
		free(n->text);
		free(n);
	}
	d->root = NULL;
}

/**
 * struct builder - the tree under construction
 * @open:	the lists and maps around the next node, outermost first; @depth of them
 * @key:	of each open map: the key whose value comes next, or NULL when a key comes next
 * @documents:	how many have begun
 * @ended:	no more events are to be read
 */
struct builder {
	struct document *d;
	struct node *open[NODE_DEPTH_MAX];
	struct node *key[NODE_DEPTH_MAX];
	size_t depth;
	unsigned int documents;
	bool ended;
};

static struct location mark_location(const yaml_mark_t *m)
{
	return (struct location){(unsigned int)m->line + 1, (unsigned int)m->column + 1};
}

static int node_new(struct builder *b, enum node_kind kind, const yaml_event_t *ev,
		    struct node **ret)
{
	struct node *n = calloc(1, sizeof(*n));

	if (!n)
		return -ENOMEM;
	n->kind = kind;
	n->at = mark_location(&ev->start_mark);
	n->end = mark_location(&ev->end_mark);
	n->older = b->d->newest;
	b->d->newest = n;
	b->d->n_nodes++;
	*ret = n;
	return 0;
}

static int text_fill(struct document *d, struct node *n, const yaml_event_t *ev)
{
	const char *value = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;

	n->quoted = ev->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (memchr(value, '\0', len)) {
		document_mistake(d, n->at, "bad-value", "the text holds a NUL character");
		n->kind = NODE_BROKEN;
		return 0;
	}
	n->text = malloc(len + 1);
	if (!n->text)
		return -ENOMEM;
	memcpy(n->text, value, len + 1);
	return 0;
}

/* A key: only text will do, and merge keys would bring in what is not written here. */
static void check_key(struct document *d, struct node *key)
{
	if (key->kind == NODE_LIST || key->kind == NODE_MAP) {
		document_mistake(d, key->at, "yaml-feature", "a key must be text, this is %s",
				 node_kind_name(key->kind));
	} else if (key->kind == NODE_TEXT && !key->quoted && strcmp(key->text, "<<") == 0) {
		document_mistake(d, key->at, "yaml-feature",
				 "merge keys (<<) are not taken; write the keys out");
		key->kind = NODE_BROKEN;
	}
}

static void append(struct node *parent, struct node *n)
{
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
}

/* Hang @n into the innermost open list or map; without one it is the document itself. */
static void attach(struct builder *b, struct node *n)
{
	struct node *parent = b->depth ? b->open[b->depth - 1] : NULL;
	struct node **key = b->depth ? &b->key[b->depth - 1] : NULL;

	if (!parent) {
		b->d->root = n;
	} else if (parent->kind == NODE_LIST) {
		append(parent, n);
	} else if (!*key) {
		check_key(b->d, n);
		*key = n;
	} else {
		n->key = *key;
		*key = NULL;
		append(parent, n);
	}
}

/* "!!str" reaches us spelt out. */
static const char *tag_suffix(const char *tag)
{
	size_t len = strlen(STANDARD_TAGS);

	return strncmp(tag, STANDARD_TAGS, len) == 0 ? tag + len : NULL;
}

static void tag_mistake(struct document *d, struct location at, const char *tag)
{
	const char *suffix = tag_suffix(tag);
	char full[QUOTE_MAX], name[QUOTE_MAX];

	snprintf(full, sizeof(full), "%s%s", suffix ? "!!" : "", suffix ? suffix : tag);
	document_mistake(d, at, "yaml-feature", "tags (!) are not taken: %s; leave the tag out",
			 text_quote(full, name));
}

static void check_properties(struct builder *b, const yaml_event_t *ev, const yaml_char_t *anchor,
			     const yaml_char_t *tag)
{
	char name[QUOTE_MAX];

	if (anchor)
		document_mistake(b->d, mark_location(&ev->start_mark), "yaml-feature",
				 "anchors (&) are not taken: %s; write values out",
				 text_quote((const char *)anchor, name));
	if (tag)
		tag_mistake(b->d, mark_location(&ev->start_mark), (const char *)tag);
}

static int on_scalar(struct builder *b, const yaml_event_t *ev)
{
	struct node *n;
	int r = node_new(b, NODE_TEXT, ev, &n);

	if (r < 0)
		return r;
	check_properties(b, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	r = text_fill(b->d, n, ev);
	if (r < 0)
		return r;
	attach(b, n);
	return 0;
}

static int on_alias(struct builder *b, const yaml_event_t *ev)
{
	char name[QUOTE_MAX];
	struct node *n;
	int r = node_new(b, NODE_BROKEN, ev, &n);

	if (r < 0)
		return r;
	document_mistake(b->d, n->at, "yaml-feature",
			 "aliases (*) are not taken: %s; write the value out",
			 text_quote((const char *)ev->data.alias.anchor, name));
	attach(b, n);
	return 0;
}

static int on_start(struct builder *b, const yaml_event_t *ev, enum node_kind kind, bool flow,
		    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct node *n;
	int r = node_new(b, kind, ev, &n);

	if (r < 0)
		return r;
	n->flow = flow;
	check_properties(b, ev, anchor, tag);
	attach(b, n);
	if (b->depth == NODE_DEPTH_MAX) {
		document_mistake(b->d, n->at, "too-big", "nested more than %d levels deep",
				 NODE_DEPTH_MAX);
		b->ended = true;
		return 0;
	}
	b->key[b->depth] = NULL;
	b->open[b->depth++] = n;
	return 0;
}

static int key_cmp(const void *a, const void *b)
{
	const struct node *x = *(const struct node *const *)a;
	const struct node *y = *(const struct node *const *)b;
	int order = strcmp(x->text, y->text);

	if (order)
		return order;
	if (x->at.line != y->at.line)
		return x->at.line < y->at.line ? -1 : 1;
	return x->at.col < y->at.col ? -1 : x->at.col > y->at.col;
}

static void report_duplicates(struct document *d, struct node *const *keys, size_t n)
{
	struct node *first = NULL;
	char name[QUOTE_MAX];

	for (size_t i = 0; i < n; i++) {
		if (!first || strcmp(first->text, keys[i]->text) != 0) {
			first = keys[i];
			continue;
		}
		document_mistake(d, keys[i]->at, "duplicate-key",
				 "duplicate key %s; it was first given in line %u",
				 text_quote(keys[i]->text, name), first->at.line);
		keys[i]->kind = NODE_BROKEN;
	}
}

/* Sorted rather than hashed: no input makes this slow. */
static int check_duplicates(struct document *d, const struct node *map)
{
	_cleanup_(freep) struct node **keys = NULL;
	size_t n = 0;

	for (const struct node *c = map->first; c; c = c->next)
		n++;
	keys = calloc(n + 1, sizeof(struct node *));
	if (!keys)
		return -ENOMEM;
	n = 0;
	for (const struct node *c = map->first; c; c = c->next)
		if (c->key->kind == NODE_TEXT)
			keys[n++] = c->key;
	qsort(keys, n, sizeof(struct node *), key_cmp);
	report_duplicates(d, keys, n);
	return 0;
}

static int on_end(struct builder *b, const yaml_event_t *ev)
{
	struct node *n = b->open[--b->depth];

	assert(n); /* libyaml ends only what it began */
	n->end = mark_location(&ev->end_mark);
	return n->kind == NODE_MAP ? check_duplicates(b->d, n) : 0;
}

static void on_document(struct builder *b, const yaml_event_t *ev)
{
	if (++b->documents == 1)
		return;
	document_mistake(b->d, mark_location(&ev->start_mark), "yaml-feature",
			 "a second document begins here; a file holds one network");
	b->ended = true;
}

static int on_event(struct builder *b, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_DOCUMENT_START_EVENT:
		on_document(b, ev);
		return 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, ev);
	case YAML_ALIAS_EVENT:
		return on_alias(b, ev);
	case YAML_SEQUENCE_START_EVENT:
		return on_start(b, ev, NODE_LIST,
				ev->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE,
				ev->data.sequence_start.anchor, ev->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_start(b, ev, NODE_MAP,
				ev->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE,
				ev->data.mapping_start.anchor, ev->data.mapping_start.tag);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return on_end(b, ev);
	case YAML_STREAM_END_EVENT:
		b->ended = true;
		return 0;
	default:
		return 0;
	}
}

/* One event; -EBADMSG when libyaml found an error, which is its parser's to tell. */
static int step(struct builder *b, yaml_parser_t *p)
{
	yaml_event_t ev;
	int r;

	if (!yaml_parser_parse(p, &ev))
		return p->error == YAML_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
	r = on_event(b, &ev);
	if (r == 0 && b->d->n_nodes > NODES_MAX) {
		document_mistake(b->d, mark_location(&ev.start_mark), "too-big",
				 "more than %d values in one file", NODES_MAX);
		b->ended = true;
	}
	yaml_event_delete(&ev);
	return r;
}

int document_parse(struct document *d, const char *text, size_t len)
{
	struct builder b = {.d = d};
	yaml_parser_t p;
	int r = 0;

	/* An editor's byte order mark; libyaml would count it as the first column. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
		text += 3;
		len -= 3;
	}
	if (!yaml_parser_initialize(&p))
		return -ENOMEM;
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text, len);
	while (r == 0 && !b.ended)
		r = step(&b, &p);
	if (r == -EBADMSG) {
		syntax_mistake(d, &p, text, len);
		r = 0;
	}
	/* Half a tree says nothing about what is missing from it. */
	if (r < 0 || p.error != YAML_NO_ERROR || b.depth > 0)
		d->root = NULL;
	yaml_parser_delete(&p);
	return r;
}
