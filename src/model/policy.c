/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.c - see policy.h. The words of a rule; next on the walk: config_policy.c reads the block,
 * firewall/policy.c makes chains.
 */
#include "model/policy.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/network.h"

_Static_assert(POLICY_NAME_MAX == NAME_MAX_LEN, "names of guests fit");

static const char *const actions[] = {
	[POLICY_ALLOW] = "allow",
	[POLICY_DENY] = "deny",
	[POLICY_REJECT] = "reject",
};
_Static_assert(ARRAY_SIZE(actions) == POLICY_ACTION_COUNT, "an action without a name");

static const char *const directions[] = {
	[POLICY_OUT] = "out",
	[POLICY_IN] = "in",
	[POLICY_HOST] = "host",
};
_Static_assert(ARRAY_SIZE(directions) == POLICY_DIRECTION_COUNT, "a direction without a name");

static const struct {
	const char *name;
	uint8_t number;
	bool has_ports;
} protos[] = {
	{"tcp", IPPROTO_TCP, true},	   {"udp", IPPROTO_UDP, true},
	{"sctp", IPPROTO_SCTP, true},	   {"icmp", IPPROTO_ICMP, false},
	{"icmpv6", IPPROTO_ICMPV6, false},
};

const char *policy_action_name(enum policy_action a)
{
	assert(a < POLICY_ACTION_COUNT);
	return actions[a];
}

const char *policy_direction_name(enum policy_direction d)
{
	assert(d < POLICY_DIRECTION_COUNT);
	return directions[d];
}

/* ---- words ---- */

#define WORDS_MAX 16
#define WORD_MAX (POLICY_PORTS_MAX * 12) /* ports are the longest: 16 of "65534-65535," */

/* struct words - what is left of a rule; @why of @size takes what is wrong. */
struct words {
	char v[WORDS_MAX][WORD_MAX];
	size_t n;
	size_t i;
	char *why;
	size_t size;
};

static int __printf(3, 4) wrong(char *why, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, size, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int split(const char *text, struct words *w)
{
	for (const char *p = text; *p;) {
		size_t len;

		p += strspn(p, " ");
		len = strcspn(p, " ");
		if (len == 0)
			break;
		if (w->n == WORDS_MAX || len >= WORD_MAX)
			return wrong(w->why, w->size, "it is too long");
		memcpy(w->v[w->n], p, len);
		w->v[w->n++][len] = '\0';
		p += len;
	}
	return 0;
}

static const char *word(const struct words *w)
{
	return w->i < w->n ? w->v[w->i] : "";
}

static bool take(struct words *w, const char *what)
{
	if (strcmp(word(w), what) != 0)
		return false;
	w->i++;
	return true;
}

/* Words come from files and requests: what is shown of them is fit for terminals. */
static const char *shown(const char *text, char buf[static 64])
{
	size_t n = 0;

	for (; *text && n < 60; text++)
		buf[n++] = *text > ' ' && *text < 0x7f ? *text : '?';
	buf[n] = '\0';
	return buf;
}

static int one_of(struct words *w, const char *const *names, size_t n, const char *expected,
		  unsigned int *ret)
{
	char text[64];

	for (size_t i = 0; i < n; i++)
		if (take(w, names[i])) {
			*ret = (unsigned int)i;
			return 0;
		}
	if (w->i == w->n)
		return wrong(w->why, w->size, "%s is missing", expected);
	return wrong(w->why, w->size, "'%s' is not %s", shown(word(w), text), expected);
}

/* ---- protocol and ports ---- */

static bool has_ports(const struct policy_rule *r)
{
	for (size_t i = 0; r->match == POLICY_PROTO && i < ARRAY_SIZE(protos); i++)
		if (protos[i].number == r->proto)
			return protos[i].has_ports;
	return false;
}

static int parse_port(const char *text, uint16_t *ret)
{
	uint32_t port;

	if (text_u32(text, 1, UINT16_MAX, &port) < 0)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

static int parse_range(char *text, struct policy_ports *ret)
{
	char *dash = strchr(text, '-');

	if (dash)
		*dash = '\0';
	if (parse_port(text, &ret->first) < 0)
		return -EINVAL;
	ret->last = ret->first;
	if (dash && parse_port(dash + 1, &ret->last) < 0)
		return -EINVAL;
	return ret->first <= ret->last ? 0 : -EINVAL;
}

static int ports_cmp(const void *a, const void *b)
{
	return ((const struct policy_ports *)a)->first - ((const struct policy_ports *)b)->first;
}

static int take_ports(struct words *w, struct policy_rule *r)
{
	char text[WORD_MAX], shown_text[64], *save = NULL;

	if (word(w)[0] < '0' || word(w)[0] > '9')
		return 0;
	strcpy(text, word(w));
	if (!has_ports(r))
		return wrong(w->why, w->size, "only tcp, udp and sctp have ports");
	/* strtok_r() would pass over ",," and a comma at the end. */
	if (strstr(text, ",,") || text[strlen(text) - 1] == ',')
		return wrong(w->why, w->size, "a port is missing beside a comma");
	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (r->n_ports == POLICY_PORTS_MAX)
			return wrong(w->why, w->size, "more than %d ports and ranges",
				     POLICY_PORTS_MAX);
		if (parse_range(p, &r->ports[r->n_ports]) < 0)
			return wrong(w->why, w->size,
				     "'%s' are no ports: 1 to 65535, such as 22,80,8000-8099",
				     shown(word(w), shown_text));
		r->n_ports++;
	}
	qsort(r->ports, r->n_ports, sizeof(r->ports[0]), ports_cmp);
	for (size_t i = 1; i < r->n_ports; i++)
		if (r->ports[i].first <= r->ports[i - 1].last)
			return wrong(w->why, w->size, "port %u is there twice", r->ports[i].first);
	w->i++;
	return 0;
}

static int take_proto(struct words *w, struct policy_rule *r)
{
	uint32_t number;
	char text[64];

	if (take(w, "ping")) {
		r->match = POLICY_PING;
		return take_ports(w, r);
	}
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (take(w, protos[i].name)) {
			r->match = POLICY_PROTO;
			r->proto = protos[i].number;
			return take_ports(w, r);
		}
	if (text_u32(word(w), 1, UINT8_MAX, &number) == 0) {
		r->match = POLICY_PROTO;
		r->proto = (uint8_t)number;
		w->i++;
		return take_ports(w, r);
	}
	if (word(w)[0] && strcmp(word(w), "from") != 0 && strcmp(word(w), "to") != 0 &&
	    strcmp(word(w), "log") != 0)
		return wrong(w->why, w->size,
			     "'%s' is neither a protocol (tcp, udp, sctp, icmp, icmpv6, ping or a "
			     "number) nor `from`, `to` or `log`",
			     shown(word(w), text));
	return 0;
}

/* ---- who ---- */

static int parse_prefix(const char *text, struct policy_who *w, char *why, size_t size)
{
	char fixed[GUEST_PREFIX_STRLEN], said[64];
	int r = guest_prefix_parse(text, &w->prefix);

	w->kind = POLICY_PREFIX;
	if (r == -ERANGE)
		return wrong(why, size, "%s has bits set behind its prefix; %s is meant?",
			     shown(text, said), guest_prefix_format(&w->prefix, fixed));
	if (r == 0 && w->prefix.ip4.len == 0 && ip6_is_v4mapped(&w->prefix.ip6.addr))
		return wrong(why, size, "%s is an IPv4-mapped address, which no packet has",
			     shown(text, said));
	return r < 0 ? wrong(why, size, "'%s' is no address and no prefix", shown(text, said)) : 0;
}

/* Guests' names may look like anything, addresses too: those are taken for addresses. */
int policy_who_parse(const char *text, struct policy_who *ret, char *why, size_t size)
{
	struct policy_who w = {0};
	struct guest_prefix p;
	const char *name = text + (text[0] == '@');
	char said[64];
	int r = 0;

	if (text[0] != '@' && (strpbrk(text, "/:") || guest_prefix_parse(text, &p) != -EINVAL)) {
		r = parse_prefix(text, &w, why, size);
	} else if (!name_valid(name)) {
		return wrong(why, size,
			     "'%s' is no address, no prefix, no @SET and no guest's name",
			     shown(text, said));
	} else {
		w.kind = text[0] == '@' ? POLICY_SET : POLICY_GUEST;
		strcpy(w.name, name);
	}
	if (r == 0)
		*ret = w;
	return r;
}

const char *policy_who_format(const struct policy_who *w, char buf[static POLICY_WHO_STRLEN])
{
	if (w->kind == POLICY_PREFIX)
		guest_prefix_format(&w->prefix, buf);
	else
		snprintf(buf, POLICY_WHO_STRLEN, "%s%s", w->kind == POLICY_SET ? "@" : "", w->name);
	return buf;
}

static int take_who(struct words *w, const char *preposition, struct policy_who *ret)
{
	int r;

	if (!take(w, preposition))
		return 0;
	if (w->i == w->n)
		return wrong(w->why, w->size, "nothing stands behind `%s`", preposition);
	r = policy_who_parse(word(w), ret, w->why, w->size);
	w->i++;
	return r;
}

/* ---- a rule ---- */

static uint8_t family_of_who(const struct policy_who *w)
{
	if (w->kind != POLICY_PREFIX)
		return 0;
	return w->prefix.ip4.len ? 4 : 6;
}

static int check_families(const struct policy_rule *r, char *why, size_t size)
{
	uint8_t from = family_of_who(&r->from), to = family_of_who(&r->to), proto = 0;

	if (r->match == POLICY_PROTO && r->proto == IPPROTO_ICMP)
		proto = 4;
	if (r->match == POLICY_PROTO && r->proto == IPPROTO_ICMPV6)
		proto = 6;
	if (from && to && from != to)
		return wrong(why, size, "it is from IPv%u to IPv%u: that is no packet", from, to);
	if (proto && ((from && from != proto) || (to && to != proto)))
		return wrong(why, size, "ICMP%s is IPv%u's, the address is not",
			     proto == 6 ? "v6" : "", proto);
	return 0;
}

static int parse_words(struct words *w, struct policy_rule *r)
{
	unsigned int action = 0, direction = 0;
	char text[64];

	if (one_of(w, actions, ARRAY_SIZE(actions), "allow, deny or reject", &action) < 0 ||
	    one_of(w, directions, ARRAY_SIZE(directions), "out, in or host", &direction) < 0)
		return -EINVAL;
	r->action = action;
	r->direction = direction;
	if (take_proto(w, r) < 0 || take_who(w, "from", &r->from) < 0 ||
	    take_who(w, "to", &r->to) < 0)
		return -EINVAL;
	r->log = take(w, "log");
	if (w->i < w->n)
		return wrong(w->why, w->size,
			     "'%s' is not expected there; the order is ACTION "
			     "DIRECTION [PROTOCOL [PORTS]] [from WHO] [to WHO] [log]",
			     shown(word(w), text));
	return check_families(r, w->why, w->size);
}

int policy_rule_parse(const char *text, struct policy_rule *ret, char *why, size_t size)
{
	struct words w = {.why = why, .size = size};
	struct policy_rule r = {0};

	if (split(text, &w) < 0 || parse_words(&w, &r) < 0)
		return -EINVAL;
	*ret = r;
	return 0;
}

static void put_proto(const struct policy_rule *r, struct buf *out)
{
	const char *name = NULL;

	if (r->match == POLICY_ANY)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (protos[i].number == r->proto)
			name = protos[i].name;
	if (r->match == POLICY_PING)
		name = "ping";
	if (name)
		buf_printf(out, " %s", name);
	else
		buf_printf(out, " %u", r->proto);
	for (size_t i = 0; i < r->n_ports; i++) {
		buf_printf(out, "%s%u", i ? "," : " ", r->ports[i].first);
		if (r->ports[i].last != r->ports[i].first)
			buf_printf(out, "-%u", r->ports[i].last);
	}
}

const char *policy_rule_format(const struct policy_rule *r, char buf[static POLICY_RULE_STRLEN])
{
	struct buf out = BUF_INIT(POLICY_RULE_STRLEN - 1);
	char who[POLICY_WHO_STRLEN];

	buf_printf(&out, "%s %s", actions[r->action], directions[r->direction]);
	put_proto(r, &out);
	if (r->from.kind != POLICY_ANYBODY)
		buf_printf(&out, " from %s", policy_who_format(&r->from, who));
	if (r->to.kind != POLICY_ANYBODY)
		buf_printf(&out, " to %s", policy_who_format(&r->to, who));
	if (r->log)
		buf_puts(&out, " log");
	snprintf(buf, POLICY_RULE_STRLEN, "%s", buf_str(&out));
	buf_done(&out);
	return buf;
}

/* ---- comparing ---- */

static bool who_same(const struct policy_who *a, const struct policy_who *b)
{
	char x[POLICY_WHO_STRLEN], y[POLICY_WHO_STRLEN];

	return a->kind == b->kind &&
	       (a->kind == POLICY_ANYBODY ||
		strcmp(policy_who_format(a, x), policy_who_format(b, y)) == 0);
}

bool policy_rule_same(const struct policy_rule *a, const struct policy_rule *b)
{
	if (a->action != b->action || a->direction != b->direction || a->match != b->match ||
	    a->proto != b->proto || a->log != b->log || a->n_ports != b->n_ports)
		return false;
	for (size_t i = 0; i < a->n_ports; i++)
		if (a->ports[i].first != b->ports[i].first || a->ports[i].last != b->ports[i].last)
			return false;
	return who_same(&a->from, &b->from) && who_same(&a->to, &b->to);
}

static bool set_same(const struct policy_set *a, const struct policy_set *b)
{
	if (strcmp(a->name, b->name) != 0 || a->n_members != b->n_members)
		return false;
	for (size_t i = 0; i < a->n_members; i++)
		if (!who_same(&a->members[i], &b->members[i]))
			return false;
	return true;
}

bool policy_equal(const struct network_policy *a, const struct network_policy *b)
{
	if (a->open != b->open || a->metadata != b->metadata || a->n_rules != b->n_rules ||
	    a->n_sets != b->n_sets)
		return false;
	for (size_t i = 0; i < a->n_rules; i++)
		if (!policy_rule_same(&a->rules[i], &b->rules[i]))
			return false;
	for (size_t i = 0; i < a->n_sets; i++)
		if (!set_same(&a->sets[i], &b->sets[i]))
			return false;
	return true;
}

bool limits_equal(const struct guest_limits *a, const struct guest_limits *b)
{
	return a->has_connections == b->has_connections && a->has_new == b->has_new &&
	       a->connections == b->connections && a->new_s == b->new_s;
}

struct guest_limits limits_of(const struct network_config *n, const struct guest_config *g)
{
	struct guest_limits l = n->limits;

	if (g && g->limits.has_connections)
		l.connections = g->limits.connections;
	if (g && g->limits.has_new)
		l.new_s = g->limits.new_s;
	return l;
}

const struct policy_set *policy_set_find(const struct network_policy *p, const char *name)
{
	for (size_t i = 0; i < p->n_sets; i++)
		if (strcmp(p->sets[i].name, name) == 0)
			return &p->sets[i];
	return NULL;
}

static int named_cmp(const void *a, const void *b)
{
	const struct policy_named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	/* Of several the one that a rule speaks of comes first. */
	return order ? order : y->direct - x->direct;
}

static int named_find_cmp(const void *name, const void *named)
{
	return strcmp(name, ((const struct policy_named *)named)->name);
}

static void name_guest(struct network_policy *p, const struct policy_who *w, bool direct)
{
	if (w->kind == POLICY_GUEST)
		p->named[p->n_named++] = (struct policy_named){w->name, direct};
}

int policy_index(struct network_policy *p)
{
	size_t max = 2 * p->n_rules, kept = 0;

	for (size_t i = 0; i < p->n_sets; i++)
		max += p->sets[i].n_members;
	free(p->named);
	p->n_named = 0;
	p->named = calloc(max + 1, sizeof(*p->named));
	if (!p->named)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_rules; i++) {
		name_guest(p, &p->rules[i].from, true);
		name_guest(p, &p->rules[i].to, true);
	}
	for (size_t i = 0; i < p->n_sets; i++)
		for (size_t k = 0; k < p->sets[i].n_members; k++)
			name_guest(p, &p->sets[i].members[k], false);
	qsort(p->named, p->n_named, sizeof(*p->named), named_cmp);
	for (size_t i = 0; i < p->n_named; i++)
		if (!kept || strcmp(p->named[kept - 1].name, p->named[i].name) != 0)
			p->named[kept++] = p->named[i];
	p->n_named = kept;
	return 0;
}

const struct policy_named *policy_names_guest(const struct network_policy *p, const char *name)
{
	if (p->n_named == 0)
		return NULL;
	return bsearch(name, p->named, p->n_named, sizeof(*p->named), named_find_cmp);
}

void policy_done(struct network_policy *p)
{
	for (size_t i = 0; i < p->n_sets; i++)
		free(p->sets[i].members);
	free(p->sets);
	free(p->rules);
	free(p->named);
	*p = (struct network_policy){0};
}

/* ---- emitting ---- */

/* Quoted all the same: names such as "on" and addresses with colons are among them. */
static void emit_set(const struct policy_set *s, struct buf *out)
{
	char text[POLICY_WHO_STRLEN];

	buf_printf(out, "    \"%s\": [", s->name);
	for (size_t i = 0; i < s->n_members; i++)
		buf_printf(out, "%s\"%s\"", i ? "," : "", policy_who_format(&s->members[i], text));
	buf_puts(out, "]\n");
}

void policy_emit(const struct network_policy *p, struct buf *out)
{
	char text[POLICY_RULE_STRLEN];

	if (!p->open && !p->metadata && p->n_rules == 0 && p->n_sets == 0)
		return;
	buf_puts(out, "policy:\n");
	if (p->open)
		buf_puts(out, "  host: open\n");
	if (p->metadata)
		buf_puts(out, "  metadata: allow\n");
	if (p->n_rules)
		buf_puts(out, "  rules:\n");
	for (size_t i = 0; i < p->n_rules; i++)
		buf_printf(out, "    - \"%s\"\n", policy_rule_format(&p->rules[i], text));
	if (p->n_sets)
		buf_puts(out, "  sets:\n");
	for (size_t i = 0; i < p->n_sets; i++)
		emit_set(&p->sets[i], out);
}

/* "KEY: 5/s": the first of them, or one more. */
static void emit_limit(const char *key, uint32_t max, bool rate, const char *indent, bool *first,
		       struct buf *out)
{
	/* Hardly a blank, so that no file is longer when it is written than when it was read. */
	if (*first)
		buf_printf(out, "%slimits: {", indent);
	else
		buf_puts(out, ",");
	*first = false;
	if (max)
		buf_printf(out, "%s: %u%s", key, max, rate ? "/s" : "");
	else
		buf_printf(out, "%s: unlimited", key);
}

void limits_emit(const struct guest_limits *l, const struct guard_limits *g, const char *indent,
		 struct buf *out)
{
	bool first = true;

	if (l->has_connections)
		emit_limit("connections", l->connections, false, indent, &first, out);
	if (l->has_new)
		emit_limit("new", l->new_s, true, indent, &first, out);
	for (unsigned int i = 0; i < GUARD_LIMITS; i++)
		if (g->given & 1u << i)
			emit_limit(guard_name(GUARD_LIMITED + i), g->max[i],
				   guard_is_rate(GUARD_LIMITED + i), indent, &first, out);
	if (!first)
		buf_puts(out, "}\n");
}
