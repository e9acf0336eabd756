/* SPDX-License-Identifier: GPL-2.0-or-later */
/* config_read.c - the walk through a block's keys; see config_read.h. Next: config_parse.c. */
#include "model/config_read.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"

/* ---- words for mistakes ---- */

void config_not_expected(struct reader *r, const struct key *key, const struct node *v)
{
	char text[QUOTE_MAX];

	document_mistake(r->doc, v->at, "bad-value", "`%s`: %s is wrong; expected %s", key->name,
			 text_quote(v->text, text), key->expected);
}

void config_wrong_kind(struct reader *r, const struct key *key, const struct node *v)
{
	char text[QUOTE_MAX];

	if (node_is_null(v))
		document_mistake(r->doc, v->at, "empty-value",
				 "`%s` has an empty value; expected %s", key->name, key->expected);
	else if (v->kind == NODE_TEXT)
		document_mistake(r->doc, v->at, "bad-value", "`%s`: found the text %s; expected %s",
				 key->name, text_quote(v->text, text), key->expected);
	else
		document_mistake(r->doc, v->at, "bad-value", "`%s`: found %s; expected %s",
				 key->name, node_kind_name(v->kind), key->expected);
}

static void unknown_key(struct reader *r, const struct key *keys, size_t n, const struct node *key,
			const char *block)
{
	const char *names[KEYS_MAX];
	char all[160] = "", text[QUOTE_MAX];
	const char *near;
	size_t used = 0;

	assert(n <= KEYS_MAX);
	for (size_t i = 0; i < n; i++) {
		names[i] = keys[i].name;
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s", i ? ", " : "",
					 keys[i].name);
		assert(used < sizeof(all));
	}
	near = text_suggest(key->text, names, n);
	if (near)
		document_mistake(r->doc, key->at, "unknown-key",
				 "unknown key %s%s; did you mean `%s`?",
				 text_quote(key->text, text), block, near);
	else
		document_mistake(r->doc, key->at, "unknown-key",
				 "unknown key %s%s; the keys here are %s",
				 text_quote(key->text, text), block, all);
}

/* ---- the walk ---- */

static const struct key *find_key(const struct key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

void config_read_block(struct reader *r, const struct key *keys, size_t n, const struct node *map,
		       const char *block, struct location at)
{
	bool seen[KEYS_MAX] = {false};

	for (const struct node *v = map->first; v; v = v->next) {
		const struct key *key;

		if (v->key->kind != NODE_TEXT)
			continue;
		key = find_key(keys, n, v->key->text);
		if (!key) {
			unknown_key(r, keys, n, v->key, block);
			continue;
		}
		seen[key - keys] = true;
		if (v->kind == NODE_BROKEN)
			continue;
		if (node_is_null(v) ||
		    (v->kind != key->kind && !(key->or_text && v->kind == NODE_TEXT)))
			config_wrong_kind(r, key, v);
		else
			key->set(r, key, v);
	}
	for (size_t i = 0; i < n; i++)
		if (keys[i].required && !seen[i])
			document_mistake(r->doc, at, "missing-key",
					 "key `%s` is missing%s; expected %s", keys[i].name, block,
					 keys[i].expected);
}

void config_read_list(struct reader *r, const struct key *key, const struct node *v, size_t max,
		      void (*item)(struct reader *r, const struct key *key, const struct node *v))
{
	size_t n = 0;

	for (const struct node *i = v->first; i; i = i->next) {
		if (i->kind == NODE_BROKEN)
			continue;
		if (n++ == max) {
			document_mistake(r->doc, i->at, "too-big",
					 "`%s`: more than %zu entries; leave some out", key->name,
					 max);
			return;
		}
		if (i->kind != NODE_TEXT || node_is_null(i))
			config_wrong_kind(r, key, i);
		else
			item(r, key, i);
	}
}
