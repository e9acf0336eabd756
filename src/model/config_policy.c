/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_policy.c - the keys `policy` (of a network) and `limits` (of a network and of a guest); see
 * config_read.h and policy.h. vmlane.yaml(5) follows this.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/config_read.h"

/* ---- policy ---- */

static void set_host(struct reader *r, const struct key *key, const struct node *v)
{
	if (strcmp(v->text, "open") == 0)
		r->n->policy.open = true;
	else if (strcmp(v->text, "closed") != 0)
		config_not_expected(r, key, v);
}

static void set_metadata(struct reader *r, const struct key *key, const struct node *v)
{
	if (strcmp(v->text, "allow") == 0)
		r->n->policy.metadata = true;
	else if (strcmp(v->text, "deny") != 0)
		config_not_expected(r, key, v);
}

static size_t count(const struct node *v, size_t max)
{
	size_t n = 0;

	for (const struct node *i = v->first; i && n < max; i = i->next)
		n++;
	return n;
}

static void add_rule(struct reader *r, const struct key *key, const struct node *v)
{
	struct network_policy *p = &r->n->policy;
	char text[QUOTE_MAX], why[256];
	struct policy_rule rule;

	if (policy_rule_parse(v->text, &rule, why, sizeof(why)) < 0) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`rules`: %s is wrong: %s; expected %s", text_quote(v->text, text),
				 why, key->expected);
		return;
	}
	rule.line = v->at.line;
	rule.col = v->at.col;
	p->rules[p->n_rules++] = rule;
}

static void set_rules(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"rules", NODE_TEXT, false, POLICY_RULE_EXPECTED,
					NULL,	 false};

	(void)key;
	r->n->policy.rules = calloc(count(v, POLICY_RULES_MAX) + 1, sizeof(struct policy_rule));
	if (r->n->policy.rules)
		config_read_list(r, &item, v, POLICY_RULES_MAX, add_rule);
	else
		r->error = -ENOMEM;
}

static void add_member(struct reader *r, const struct key *key, const struct node *v)
{
	struct policy_set *s = &r->n->policy.sets[r->n->policy.n_sets - 1];
	char text[QUOTE_MAX], why[256];
	struct policy_who w;

	if (policy_who_parse(v->text, &w, why, sizeof(why)) < 0)
		document_mistake(r->doc, v->at, "bad-value", "`%s`: %s; expected %s", s->name, why,
				 key->expected);
	else if (w.kind == POLICY_SET)
		document_mistake(r->doc, v->at, "bad-value",
				 "`%s`: %s is a set: sets hold addresses and guests, no other sets",
				 s->name, text_quote(v->text, text));
	else
		s->members[s->n_members++] = w;
}

static const struct key set_key = {"sets", NODE_LIST,
				   false,  "a list such as [ 10.0.0.5, \"2001:db8::/64\", web1 ]",
				   NULL,   false};

static void add_set(struct reader *r, const struct node *v)
{
	static const struct key item = {"sets", NODE_TEXT,
					false,	"an address, a prefix or the name of a guest",
					NULL,	false};
	struct network_policy *p = &r->n->policy;
	struct key key = set_key;
	struct policy_set *s;
	char text[QUOTE_MAX];

	if (!name_valid(v->key->text)) {
		document_mistake(r->doc, v->key->at, "bad-value",
				 "`sets`: %s cannot be a set's name; expected a-z, 0-9 and `_` `.` "
				 "`-`, beginning with a letter or digit, at most 32 long",
				 text_quote(v->key->text, text));
		return;
	}
	key.name = v->key->text;
	if (v->kind != NODE_LIST) {
		config_wrong_kind(r, &key, v);
		return;
	}
	s = &p->sets[p->n_sets++];
	strcpy(s->name, v->key->text);
	s->line = v->key->at.line;
	s->col = v->key->at.col;
	s->members = calloc(count(v, POLICY_MEMBERS_MAX) + 1, sizeof(*s->members));
	if (s->members)
		config_read_list(r, &item, v, POLICY_MEMBERS_MAX, add_member);
	else
		r->error = -ENOMEM;
}

static void set_sets(struct reader *r, const struct key *key, const struct node *v)
{
	size_t n = count(v, POLICY_SETS_MAX + 1);

	(void)key;
	if (n > POLICY_SETS_MAX) {
		document_mistake(r->doc, v->at, "too-big",
				 "`sets`: more than %d sets; leave some out", POLICY_SETS_MAX);
		return;
	}
	r->n->policy.sets = calloc(n + 1, sizeof(struct policy_set));
	if (!r->n->policy.sets) {
		r->error = -ENOMEM;
		return;
	}
	for (const struct node *s = v->first; s && !r->error; s = s->next)
		if (s->key->kind == NODE_TEXT && s->kind != NODE_BROKEN)
			add_set(r, s);
}

static const struct key policy_keys[] = {
	{"host", NODE_TEXT, false, "`closed` (DHCP, DNS, ping) or `open`", set_host, false},
	{"metadata", NODE_TEXT, false, "`deny` or `allow`", set_metadata, false},
	{"rules", NODE_LIST, false, "a list such as [ deny out tcp 25 log ]", set_rules, false},
	{"sets", NODE_MAP, false, "a block of lists by name, such as admins: [ 10.0.0.5, web1 ]",
	 set_sets, false},
};

void config_policy_set(struct reader *r, const struct key *key, const struct node *v)
{
	(void)key;
	READ_BLOCK(r, policy_keys, v, " in `policy`", v->at);
}

/* ---- limits ---- */

static struct guest_limits *limits(struct reader *r)
{
	return r->guest ? &r->guest->limits : &r->n->limits;
}

static void set_connections(struct reader *r, const struct key *key, const struct node *v)
{
	struct guest_limits *l = limits(r);

	if (strcmp(v->text, "unlimited") == 0)
		l->connections = 0;
	else if (text_u32(v->text, 1, POLICY_CONNECTIONS_MAX, &l->connections) < 0)
		config_not_expected(r, key, v);
	l->has_connections = true;
}

/* "100/s" from 1 to @max, or "unlimited" (0). */
static bool per_second(const char *text, uint32_t max, uint32_t *ret)
{
	size_t len = strlen(text);
	char number[16];

	*ret = 0;
	if (strcmp(text, "unlimited") == 0)
		return true;
	if (len < 3 || len - 2 >= sizeof(number) || strcmp(text + len - 2, "/s") != 0)
		return false;
	memcpy(number, text, len - 2);
	number[len - 2] = '\0';
	return text_u32(number, 1, max, ret) == 0;
}

static void set_new(struct reader *r, const struct key *key, const struct node *v)
{
	struct guest_limits *l = limits(r);

	l->has_new = true;
	if (!per_second(v->text, POLICY_NEW_MAX, &l->new_s))
		config_not_expected(r, key, v);
}

/* Of a guard that counts, whose name the key is. */
static uint32_t *guard_limit(struct reader *r, const struct key *key)
{
	struct guard_limits *l = r->guest ? &r->guest->guard_limits : &r->n->guard_limits;
	unsigned int i = 0;

	while (i + 1 < GUARD_LIMITS && strcmp(guard_name(GUARD_LIMITED + i), key->name) != 0)
		i++;
	l->given = (uint8_t)(l->given | 1u << i);
	return &l->max[i];
}

static void set_rate(struct reader *r, const struct key *key, const struct node *v)
{
	if (!per_second(v->text, GUARD_RATE_MAX, guard_limit(r, key)))
		config_not_expected(r, key, v);
}

static void set_macs(struct reader *r, const struct key *key, const struct node *v)
{
	uint32_t *max = guard_limit(r, key);

	*max = 0;
	if (strcmp(v->text, "unlimited") != 0 && text_u32(v->text, 1, GUARD_MACS_MAX, max) < 0)
		config_not_expected(r, key, v);
}

static const struct key limits_keys[] = {
	{"connections", NODE_TEXT, false, "a number from 1 to 1000000, or `unlimited`",
	 set_connections, false},
	{"new", NODE_TEXT, false, "connections a second from 1/s to 100000/s, or `unlimited`",
	 set_new, false},
	{"broadcast", NODE_TEXT, false, "frames a second from 1/s to 10000000/s, or `unlimited`",
	 set_rate, false},
	{"multicast", NODE_TEXT, false, "frames a second from 1/s to 10000000/s, or `unlimited`",
	 set_rate, false},
	{"macs", NODE_TEXT, false, "a number from 1 to 1024, or `unlimited`", set_macs, false},
};

void config_limits_set(struct reader *r, const struct key *key, const struct node *v)
{
	(void)key;
	READ_BLOCK(r, limits_keys, v, " in `limits`", v->at);
}

/* ---- with the other values ---- */

static bool has_guest(const struct network_config *n, const char *name)
{
	/* They are not sorted yet. */
	for (size_t i = 0; i < n->n_guests; i++)
		if (strcmp(n->guests[i].name, name) == 0)
			return true;
	return false;
}

static void no_guest(struct reader *r, const char *key, const char *name, struct location at)
{
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (; n < ARRAY_SIZE(names) && n < r->n->n_guests; n++)
		names[n] = r->n->guests[n].name;
	near = text_suggest(name, names, n);
	document_mistake(r->doc, at, "no-guest",
			 "`%s`: this network has no guest \"%s\" among its `guests`%s%s%s", key,
			 name, near ? "; did you mean \"" : "; write it there, as {} at least",
			 near ? near : "", near ? "\"?" : "");
}

static void check_who(struct reader *r, const struct policy_rule *rule, const struct policy_who *w,
		      const char *preposition, bool local)
{
	const struct location at = {rule->line, rule->col};

	if (w->kind == POLICY_SET && !policy_set_find(&r->n->policy, w->name))
		document_mistake(r->doc, at, "no-set",
				 "`rules`: there is no set \"%s\" among the policy's `sets`",
				 w->name);
	if (w->kind != POLICY_GUEST)
		return;
	if (!has_guest(r->n, w->name))
		no_guest(r, "rules", w->name, at);
	else if (!local)
		document_mistake(r->doc, at, "bad-value",
				 "`rules`: nothing goes `%s` %s %s \"%s\": guests of one network "
				 "reach each other by its switch, which the policy does not judge",
				 policy_direction_name(rule->direction), preposition, "guest",
				 w->name);
}

static void check_rule(struct reader *r, const struct policy_rule *rule)
{
	const struct location at = {rule->line, rule->col};
	bool in = rule->direction == POLICY_IN;

	if (r->n->mode == NETWORK_ISOLATED && rule->direction != POLICY_HOST)
		document_mistake(r->doc, at, "bad-value",
				 "`rules`: nothing goes `%s` in mode isolated; expected rules for "
				 "`host`",
				 policy_direction_name(rule->direction));
	check_who(r, rule, &rule->from, "from", !in);
	check_who(r, rule, &rule->to, "to", in);
}

static void check_set(struct reader *r, const struct policy_set *s)
{
	const struct location at = {s->line, s->col};

	for (size_t i = 0; i < s->n_members; i++)
		if (s->members[i].kind == POLICY_GUEST && !has_guest(r->n, s->members[i].name))
			no_guest(r, s->name, s->members[i].name, at);
}

static void check_twice(struct reader *r, size_t of)
{
	const struct policy_rule *rules = r->n->policy.rules;
	const struct location at = {rules[of].line, rules[of].col};
	char text[POLICY_RULE_STRLEN];

	for (size_t i = 0; i < of; i++)
		if (policy_rule_same(&rules[i], &rules[of])) {
			document_mistake(
				r->doc, at, "duplicate",
				"`rules`: \"%s\" is there twice, in line %u too; the first "
				"decides",
				policy_rule_format(&rules[of], text), rules[i].line);
			return;
		}
}

void config_policy_finish(struct reader *r)
{
	for (size_t i = 0; i < r->n->policy.n_rules; i++) {
		check_rule(r, &r->n->policy.rules[i]);
		check_twice(r, i);
	}
	for (size_t i = 0; i < r->n->policy.n_sets; i++)
		check_set(r, &r->n->policy.sets[i]);
}
