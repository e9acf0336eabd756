/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * node.h - the small part of YAML that configuration files may use, as a tree of nodes.
 *
 * Inside src/model only. The tree knows maps, lists and text with their places; everything else of
 * YAML (anchors, aliases, tags, merge keys, several documents, keys that are no text) is a mistake
 * and reported here, as are syntax errors and duplicate keys. What keys mean is config_parse.c's.
 */
#ifndef VMLANE_MODEL_NODE_H
#define VMLANE_MODEL_NODE_H

#include "model/network.h"

#define NODE_DEPTH_MAX 8
#define NODES_MAX 200000 /* 10,000 guests take 60,000 */

enum node_kind {
	NODE_TEXT,
	NODE_LIST,
	NODE_MAP,
	NODE_BROKEN, /* a mistake that is reported already */
	NODE_KIND_COUNT,
};

/* node_kind_name() - "text", "a list", "a block of keys". */
const char *node_kind_name(enum node_kind kind);

/**
 * struct node - one value
 * @at:		where it starts
 * @end:	where what follows it starts; not of block style lists and maps, which have no end mark
 * @flow:	NODE_LIST, NODE_MAP: written in brackets or braces
 * @text:	NODE_TEXT: NUL-terminated, without NULs inside; owned
 * @quoted:	NODE_TEXT: it was written in quotes, so that "null" is a word
 * @key:	when it is a map's: its key; NODE_TEXT, or NODE_BROKEN (pass over the value then)
 * @first:	NODE_LIST, NODE_MAP: the first child, in the order of the file
 * @last:	the last child
 * @next:	the next child of the same parent
 * @older:	the node made before this one; only for freeing
 */
struct node {
	enum node_kind kind;
	struct location at;
	struct location end;
	bool flow;
	char *text;
	bool quoted;
	struct node *key;
	struct node *first;
	struct node *last;
	struct node *next;
	struct node *older;
};

/* node_is_null() - nothing written, or one of YAML's words for it: null, ~. */
bool node_is_null(const struct node *n);

/**
 * struct document - a file's tree and its mistakes
 * @file:	for errors; not owned
 * @errs:	where mistakes go; may be NULL
 * @mistakes:	how many there were
 * @root:	NULL when the text is no YAML
 * @newest:	all nodes, by their @older
 * @n_nodes:	how many
 */
struct document {
	const char *file;
	struct err_list *errs;
	size_t mistakes;
	struct node *root;
	struct node *newest;
	size_t n_nodes;
};

/*
 * document_parse() - fill in @d (with @file and @errs set) from @len bytes of @text. Returns 0 or
 * -ENOMEM; mistakes are counted in @d. document_done() in either case.
 */
int document_parse(struct document *d, const char *text, size_t len) __must_check;
void document_done(struct document *d);

/* document_mistake() - report and count a mistake at @at. */
void document_mistake(struct document *d, struct location at, const char *code, const char *fmt,
		      ...) __printf(4, 5);

#define QUOTE_MAX 128

/*
 * text_quote() - @text as "text", safe for terminals and logs: bytes other than printable ASCII
 * are written \xNN, and the end of a long text is cut. Returns @buf.
 */
const char *text_quote(const char *text, char buf[static QUOTE_MAX]);

#endif
