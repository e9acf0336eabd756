/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules.c - nft's listing to tables, chains and rules. Pure: text to struct.
 *
 * The listing is taken line by line. A block begins with a line that ends in `{` (and a comment with
 * the handle) and ends with a line that is `}`. Quotes are no help: a log prefix may hold a lone one.
 * But each rule ends with "# handle N" at the end of a line, however many lines it has.
 */
#include "path/rules.h"

#include <errno.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <string.h>

/* struct array - a growing array; @size of an element is given with each push */
struct array {
	void *items;
	size_t n;
	size_t cap;
};

/**
 * struct rules - a listing that was read
 * @text:	the strings; cut up in place
 * @warnings:	of char *: what nft says of tables that are not its own
 * @tables:	of struct rules_table *, which others point to
 * @chains:	of struct rules_chain, sorted by table and name
 * @rules:	of struct rules_rule, sorted by table and handle
 */
struct rules {
	char *text;
	struct array warnings;
	struct array tables;
	struct array chains;
	struct array rules;
};

/* enum where - the block that a line is in */
enum where { OUTSIDE, IN_TABLE, IN_CHAIN, IN_OTHER };

/**
 * struct reader - the walk over the listing
 * @at:		the rest of it
 * @chain:	index of the present chain in @r->chains
 */
struct reader {
	struct rules *r;
	char *at;
	enum where where;
	struct rules_table *table;
	size_t chain;
};

static void *array_push(struct array *a, size_t size)
{
	size_t cap = a->cap ? 2 * a->cap : 64;
	void *items = a->items;

	if (a->n == a->cap) {
		items = reallocarray(a->items, cap, size);
		if (!items)
			return NULL;
		a->items = items;
		a->cap = cap;
	}
	return (char *)items + a->n++ * size;
}

static const struct {
	uint8_t family;
	const char *name;
} families[] = {
	{NFPROTO_INET, "inet"}, {NFPROTO_IPV4, "ip"},	    {NFPROTO_IPV6, "ip6"},
	{NFPROTO_ARP, "arp"},	{NFPROTO_BRIDGE, "bridge"}, {NFPROTO_NETDEV, "netdev"},
};

const char *rules_family_name(uint8_t family)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (families[i].family == family)
			return families[i].name;
	return "?";
}

static int family_of(const char *name, uint8_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (strcmp(families[i].name, name) == 0) {
			*ret = families[i].family;
			return 0;
		}
	}
	return -EBADMSG;
}

/* The next line, without blanks at either end; NULL at the end of the text. */
static char *next_line(struct reader *in)
{
	char *line = in->at, *end;

	if (!*line)
		return NULL;
	end = line + strcspn(line, "\n");
	in->at = *end ? end + 1 : end;
	while (end > line && strchr(" \t\r", end[-1]))
		end--;
	*end = '\0';
	return line + strspn(line, " \t");
}

/* The decimal number that is all of @text; 0 for anything else, which is no handle. */
static uint64_t handle_number(const char *text)
{
	char *end;
	unsigned long long v;

	if (*text < '1' || *text > '9')
		return 0;
	errno = 0;
	v = strtoull(text, &end, 10);
	return *end || errno ? 0 : v;
}

/* Cut "# handle N" off the end of @line; N, or 0 when the line does not end so. */
static uint64_t take_handle(char *line)
{
	static const char word[] = "# handle ";
	char *found = NULL;
	uint64_t handle;

	for (char *p = strstr(line, word); p; p = strstr(p + 1, word))
		found = p;
	if (!found)
		return 0;
	handle = handle_number(found + strlen(word));
	if (!handle)
		return 0;
	while (found > line && found[-1] == ' ')
		found--;
	*found = '\0';
	return handle;
}

/*
 * "chain NAME { # handle 3": cuts @line behind NAME, which is returned; the handle (0 without one)
 * into @handle. NULL when it is not the beginning of such a block.
 */
static char *take_block(char *line, const char *word, uint64_t *handle)
{
	size_t len = strlen(word);
	char *brace;

	if (strncmp(line, word, len) != 0 || line[len] != ' ')
		return NULL;
	brace = strstr(line + len, " {");
	if (!brace || brace <= line + len || (brace[2] && brace[2] != ' '))
		return NULL;
	*handle = take_handle(brace + 2);
	*brace = '\0';
	return line + len + 1;
}

static int begin_table(struct reader *in, char *line)
{
	struct rules_table **slot, *t;
	uint64_t handle;
	char *family = take_block(line, "table", &handle);
	char *name = family ? strchr(family, ' ') : NULL;

	if (!name)
		return -EBADMSG;
	*name++ = '\0';
	slot = array_push(&in->r->tables, sizeof(struct rules_table *));
	if (!slot)
		return -ENOMEM;
	t = *slot = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct rules_table){.name = name, .handle = handle};
	in->table = t;
	in->where = IN_TABLE;
	return family_of(family, &t->family);
}

static int line_outside(struct reader *in, char *line)
{
	char **slot;

	if (line[0] == '#') {
		slot = array_push(&in->r->warnings, sizeof(*slot));
		if (!slot)
			return -ENOMEM;
		*slot = line;
		return 0;
	}
	return line[0] ? begin_table(in, line) : 0;
}

/* "# Warning: table ip filter is managed by iptables-nft, do not touch!" */
static bool warns_of(const char *warning, const struct rules_table *t)
{
	const char *family = rules_family_name(t->family), *p = strstr(warning, "table ");
	size_t len = strlen(family), name_len = strlen(t->name);

	if (!p || !strstr(warning, "tables-nft"))
		return false;
	p += strlen("table ");
	if (strncmp(p, family, len) != 0 || p[len] != ' ')
		return false;
	p += len + 1;
	return strncmp(p, t->name, name_len) == 0 && p[name_len] == ' ';
}

static void mark_iptables(struct rules *r)
{
	struct rules_table **tables = r->tables.items;
	char **warnings = r->warnings.items;

	for (size_t i = 0; i < r->tables.n; i++)
		for (size_t k = 0; k < r->warnings.n; k++)
			if (warns_of(warnings[k], tables[i]))
				tables[i]->iptables = true;
}

static int begin_chain(struct reader *in, const char *name, uint64_t handle)
{
	struct rules_chain *c = array_push(&in->r->chains, sizeof(*c));

	if (!c)
		return -ENOMEM;
	*c = (struct rules_chain){.table = in->table,
				  .name = name,
				  .handle = handle,
				  .type = "",
				  .hook = "",
				  .device = ""};
	in->chain = in->r->chains.n - 1;
	in->where = IN_CHAIN;
	return 0;
}

static bool begins_block(const char *line)
{
	const char *brace = strrchr(line, '{');

	return brace && (!brace[1] || strncmp(brace + 1, " # handle ", 10) == 0);
}

static int line_in_table(struct reader *in, char *line)
{
	uint64_t handle;
	const char *name;

	if (strcmp(line, "}") == 0) {
		in->where = OUTSIDE;
		return 0;
	}
	name = take_block(line, "chain", &handle);
	if (name)
		return begin_chain(in, name, handle);
	if (begins_block(line)) /* a set, a counter, a flow table */
		in->where = IN_OTHER;
	return 0;
}

/* The word behind @key in @line ("hook" -> "forward"), cut off, or "". Keys are looked for in order. */
static char *take_word(char **at, const char *key)
{
	size_t len = strlen(key);
	char *found = strstr(*at, key);
	char *end;

	if (!found || (found > *at && found[-1] != ' '))
		return "";
	found += len;
	if (*found == '"')
		found++;
	end = found + strcspn(found, " ;\"");
	*at = *end ? end + 1 : end;
	*end = '\0';
	return found;
}

/* The names nft gives to priorities; those of the bridge have other values. */
static bool priority_named(const char *name, bool bridge, int *ret)
{
	static const struct {
		const char *name;
		int value, bridge;
	} known[] = {
		{"raw", -300, INT_MIN}, {"mangle", -150, INT_MIN}, {"dstnat", -100, -300},
		{"filter", 0, -200},	{"security", 50, INT_MIN}, {"srcnat", 100, 300},
		{"out", INT_MIN, 100},
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name) == 0) {
			*ret = bridge ? known[i].bridge : known[i].value;
			return *ret != INT_MIN;
		}
	}
	return false;
}

static int clamp(long v)
{
	return v > INT_MAX ? INT_MAX : v < INT_MIN ? INT_MIN : (int)v;
}

/* "-350", "filter", "filter + 5"; @at stands behind "priority ". */
static int read_priority(const char *at, bool bridge)
{
	char name[16] = "";
	size_t len = strcspn(at, " ;");
	int value = 0;
	long plus;

	if (len < sizeof(name))
		memcpy(name, at, len);
	if (!priority_named(name, bridge, &value))
		return clamp(strtol(at, NULL, 10));
	at += len;
	if (strncmp(at, " + ", 3) != 0 && strncmp(at, " - ", 3) != 0)
		return value;
	plus = strtol(at + 3, NULL, 10);
	if (plus < 0 || plus > INT_MAX)
		return value;
	return clamp(at[1] == '+' ? value + plus : value - plus);
}

/* "type filter hook forward priority filter + 5; policy drop;" */
static void base_chain(struct rules_chain *c, char *line)
{
	const char *priority = strstr(line, " priority ");

	c->base = true;
	c->drop = strstr(line, " policy drop;");
	if (priority)
		c->priority = read_priority(priority + strlen(" priority "),
					    c->table->family == NFPROTO_BRIDGE);
	c->type = take_word(&line, "type ");
	c->hook = take_word(&line, "hook ");
	c->device = take_word(&line, "device ");
	if (!*c->device)
		c->device = take_word(&line, "devices = { ");
}

/*
 * A rule of several lines: put the next behind the first, with one blank between. The first line's
 * end and the next's beginning are blanks that next_line() has cut off.
 */
static char *join_lines(struct reader *in, char *rule, uint64_t *handle)
{
	while (!*handle) {
		char *end = rule + strlen(rule);
		char *line = next_line(in);

		if (!line || strcmp(line, "}") == 0)
			return NULL;
		*end++ = ' ';
		memmove(end, line, strlen(line) + 1);
		*handle = take_handle(end);
	}
	return rule;
}

static int add_rule(struct reader *in, char *line)
{
	uint64_t handle = take_handle(line);
	const char *text = join_lines(in, line, &handle);
	struct rules_rule *rule;

	if (!text) { /* a listing without handles; its chain has ended */
		in->where = IN_TABLE;
		return 0;
	}
	rule = array_push(&in->r->rules, sizeof(*rule));
	if (!rule)
		return -ENOMEM;
	/* The chain's index for now: the array may still move. */
	*rule = (struct rules_rule){
		.chain = (void *)(uintptr_t)in->chain, .handle = handle, .text = text};
	return 0;
}

static int line_in_chain(struct reader *in, char *line)
{
	struct rules_chain *c = (struct rules_chain *)in->r->chains.items + in->chain;

	if (strcmp(line, "}") == 0) {
		in->where = IN_TABLE;
		return 0;
	}
	if (!*line || strncmp(line, "comment \"", 9) == 0)
		return 0;
	if (!c->base && strncmp(line, "type ", 5) == 0 && strstr(line, " hook ")) {
		base_chain(c, line);
		return 0;
	}
	return add_rule(in, line);
}

static int read_line(struct reader *in, char *line)
{
	switch (in->where) {
	case OUTSIDE:
		return line_outside(in, line);
	case IN_TABLE:
		return line_in_table(in, line);
	case IN_CHAIN:
		return line_in_chain(in, line);
	case IN_OTHER:
		if (strcmp(line, "}") == 0)
			in->where = IN_TABLE;
		return 0;
	}
	return -EBADMSG;
}

/* ---- finding ---- */

static int compare_tables(const struct rules_table *a, const struct rules_table *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int compare_chains(const void *x, const void *y)
{
	const struct rules_chain *a = x, *b = y;
	int c = compare_tables(a->table, b->table);

	return c ? c : strcmp(a->name, b->name);
}

static int compare_rules(const void *x, const void *y)
{
	const struct rules_rule *a = x, *b = y;
	int c = compare_tables(a->chain->table, b->chain->table);

	if (c || a->handle == b->handle)
		return c;
	return a->handle < b->handle ? -1 : 1;
}

/*
 * Rules get their chains' addresses: those chains have when sorted. The listing's order of the chains
 * is the order of the rules, so that each chain is looked for once.
 */
static int sort_all(struct rules *r)
{
	struct rules_rule *rules = r->rules.items;
	struct rules_chain *as_read;

	if (!r->chains.n)
		return 0;
	as_read = calloc(r->chains.n, sizeof(*as_read));
	if (!as_read)
		return -ENOMEM;
	memcpy(as_read, r->chains.items, r->chains.n * sizeof(*as_read));
	qsort(r->chains.items, r->chains.n, sizeof(*as_read), compare_chains);
	for (size_t i = 0; i < r->rules.n; i++) {
		const struct rules_chain *key = &as_read[(uintptr_t)rules[i].chain];

		rules[i].chain =
			bsearch(key, r->chains.items, r->chains.n, sizeof(*key), compare_chains);
	}
	if (r->rules.n)
		qsort(rules, r->rules.n, sizeof(*rules), compare_rules);
	free(as_read);
	return 0;
}

int rules_parse(const char *listing, size_t len, struct rules **ret)
{
	_cleanup_(rules_freep) struct rules *r = NULL;
	struct reader in = {0};
	char *line;
	int error;

	if (len > RULES_LISTING_MAX)
		return -E2BIG;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->text = strndup(listing, len);
	if (!r->text)
		return -ENOMEM;
	in.r = r;
	in.at = r->text;
	while ((line = next_line(&in))) {
		error = read_line(&in, line);
		if (error)
			return error;
	}
	if (in.where != OUTSIDE)
		return -EBADMSG;
	mark_iptables(r);
	error = sort_all(r);
	if (error)
		return error;
	*ret = r;
	r = NULL;
	return 0;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->tables.n; i++)
		free(((struct rules_table **)r->tables.items)[i]);
	free(r->warnings.items);
	free(r->tables.items);
	free(r->chains.items);
	free(r->rules.items);
	free(r->text);
	free(r);
}

const struct rules_rule *rules_find(const struct rules *r, uint8_t family, const char *table,
				    uint64_t handle)
{
	const struct rules_table t = {.family = family, .name = table};
	const struct rules_chain c = {.table = &t};
	const struct rules_rule key = {.chain = &c, .handle = handle};

	if (!r->rules.n)
		return NULL;
	return bsearch(&key, r->rules.items, r->rules.n, sizeof(key), compare_rules);
}

const struct rules_chain *rules_chain(const struct rules *r, uint8_t family, const char *table,
				      const char *chain)
{
	const struct rules_table t = {.family = family, .name = table};
	const struct rules_chain key = {.table = &t, .name = chain};

	if (!r->chains.n)
		return NULL;
	return bsearch(&key, r->chains.items, r->chains.n, sizeof(key), compare_chains);
}

size_t rules_all(const struct rules *r, const struct rules_rule **ret)
{
	*ret = r->rules.items;
	return r->rules.n;
}

size_t rules_chains(const struct rules *r, const struct rules_chain **ret)
{
	*ret = r->chains.items;
	return r->chains.n;
}

bool rules_conntrack(const struct rules *r)
{
	const struct rules_chain *chains;
	const struct rules_rule *rules;
	size_t n_chains = rules_chains(r, &chains), n_rules = rules_all(r, &rules);

	for (size_t i = 0; i < n_chains; i++)
		if (strcmp(chains[i].type, "nat") == 0)
			return true;
	for (size_t i = 0; i < n_rules; i++)
		if (strncmp(rules[i].text, "ct ", 3) == 0 || strstr(rules[i].text, " ct ") ||
		    strstr(rules[i].text, "conntrack"))
			return true;
	return false;
}
