/* SPDX-License-Identifier: GPL-2.0-or-later */
/* policy.c - see policy.h. Pure. Next on the walk: ruleset.c puts it together. */
#include "firewall/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

#define NAME_STRLEN 128	 /* of chains, sets and counters with a network's and another name in it */
#define MATCH_STRLEN 160 /* one side of a rule */
#define PORTS_STRLEN 256 /* its protocol and ports */
#define COMMENT_MAX 120	 /* nf_tables keeps 128 bytes with their header */
#define LIMITED_GUESTS "65535" /* guests whose connections are counted; more are not limited */

const char *fw_policy_id(const struct policy_rule *r, char buf[static FW_POLICY_ID_STRLEN])
{
	char text[POLICY_RULE_STRLEN];

	snprintf(buf, FW_POLICY_ID_STRLEN, "%016llx",
		 (unsigned long long)hash_mix(hash_str(HASH_INIT, policy_rule_format(r, text))));
	return buf;
}

/* ---- what is always there ---- */

/*
 * Of ICMPv6: multicast listeners (RFC 3810) and neighbours (RFC 4861) but for what routers send.
 * What conntrack does not follow is theirs, too.
 */
static const char skeleton[] =
	"	counter refused_host { }\n"
	"	counter metadata { }\n"
	"	counter limited { }\n"
	"	set hosts_open { type ifname; }\n"
	"	set metadata_allowed { type ifname; }\n"
	"	map policy_out { type ifname : verdict; }\n"
	"	map policy_in { type ifname : verdict; }\n"
	"	map policy_host { type ifname : verdict; }\n"
	"	map network_limits { type ifname : verdict; }\n"
	"	map guest_limits { type ifname . ether_addr : verdict; }\n"
	"	set limited_connections { type ifname . ether_addr; size " LIMITED_GUESTS
	"; flags dynamic; }\n"
	"	set limited_new { type ifname . ether_addr; size " LIMITED_GUESTS
	"; flags dynamic; }\n"
	"	chain no_metadata {\n"
	"		counter name metadata drop\n"
	"	}\n"
	"	chain too_many {\n"
	"		add @limited_connections { iifname . ether saddr counter }\n"
	"		counter name limited drop\n"
	"	}\n"
	"	chain too_fast {\n"
	"		add @limited_new { iifname . ether saddr counter }\n"
	"		counter name limited drop\n"
	"	}\n"
	"	chain limiting {\n"
	"		iifname . ether saddr vmap @guest_limits\n"
	"		iifname vmap @network_limits\n"
	"	}\n"
	"	chain new_out {\n" FW_POLICY_JUDGED "		ip daddr " POLICY_METADATA4
	" iifname != @metadata_allowed goto no_metadata\n"
	"		ip6 daddr " POLICY_METADATA6
	" iifname != @metadata_allowed goto no_metadata\n"
	"		jump limiting\n"
	"		iifname vmap @policy_out\n"
	"		oifname vmap @policy_in\n"
	"	}\n"
	"	chain closed_host {\n"
	"		counter name refused_host reject with icmpx admin-prohibited\n"
	"	}\n"
	"	chain to_host {\n"
	"		ct state established,related accept\n" FW_POLICY_JUDGED
	"		meta nfproto ipv4 udp dport 67 accept\n"
	"		ip protocol igmp accept\n"
	"		icmpv6 type { 130, 131, 132, 133, 135, 136, 143 } accept\n"
	"		ip daddr " POLICY_METADATA4
	" iifname != @metadata_allowed goto no_metadata\n"
	"		ip6 daddr " POLICY_METADATA6
	" iifname != @metadata_allowed goto no_metadata\n"
	"		jump limiting\n"
	"		iifname vmap @policy_host\n"
	"		iifname @hosts_open accept\n"
	"		meta l4proto { tcp, udp } th dport 53 accept\n"
	"		icmp type echo-request accept\n"
	"		icmpv6 type echo-request accept\n"
	"		goto closed_host\n"
	"	}\n";

void fw_policy_skeleton(struct buf *out)
{
	buf_puts(out, skeleton);
}

/* ---- who: the sets ---- */

static int who_cmp(const void *name, const void *who)
{
	return strcmp(name, ((const struct fw_guest *)who)->name);
}

static const struct fw_guest *find_guest(const struct fw_network *n, const char *name)
{
	if (n->n_who == 0)
		return NULL;
	return bsearch(name, n->who, n->n_who, sizeof(*n->who), who_cmp);
}

static bool who_possible(const struct fw_network *n, const struct policy_who *w)
{
	if (w->kind == POLICY_GUEST)
		return find_guest(n, w->name) != NULL;
	return w->kind != POLICY_SET || policy_set_find(n->policy, w->name) != NULL;
}

int fw_policy_check(const struct fw_network *n)
{
	const struct network_policy *p = n->policy;

	if (!p)
		return 0;
	if ((p->n_rules || p->n_sets) && !name_valid(n->name))
		return -EINVAL;
	for (size_t i = 0; i < p->n_rules; i++)
		if (!who_possible(n, &p->rules[i].from) || !who_possible(n, &p->rules[i].to))
			return -EINVAL;
	for (size_t i = 0; i < p->n_sets; i++)
		for (size_t k = 0; k < p->sets[i].n_members; k++)
			if (p->sets[i].members[k].kind == POLICY_SET ||
			    !who_possible(n, &p->sets[i].members[k]))
				return -EINVAL;
	return 0;
}

static bool uses(const struct network_policy *p, enum policy_who_kind kind, const char *name)
{
	const struct policy_named *named;

	if (kind == POLICY_GUEST) {
		named = policy_names_guest(p, name);
		return named && named->direct;
	}
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct policy_who *from = &p->rules[i].from, *to = &p->rules[i].to;

		if ((from->kind == kind && strcmp(from->name, name) == 0) ||
		    (to->kind == kind && strcmp(to->name, name) == 0))
			return true;
	}
	return false;
}

static const char *set_name(const struct fw_network *n, enum policy_who_kind kind, const char *name,
			    const char *type, char buf[static NAME_STRLEN])
{
	snprintf(buf, NAME_STRLEN, "%s/%s/%s/%s", kind == POLICY_SET ? "set" : "guest", n->name,
		 name, type);
	return buf;
}

static void declare(const struct fw_network *n, enum policy_who_kind kind, const char *name,
		    struct buf *out)
{
	char set[NAME_STRLEN];

	if (!uses(n->policy, kind, name))
		return;
	buf_printf(out, "	set %s { type ether_addr; }\n",
		   set_name(n, kind, name, "mac", set));
	buf_printf(out, "	set %s { type ipv4_addr; flags interval; }\n",
		   set_name(n, kind, name, "4", set));
	buf_printf(out, "	set %s { type ipv6_addr; flags interval; }\n",
		   set_name(n, kind, name, "6", set));
}

/* ---- rules ---- */

/* struct side - the ways in which one end of a packet can match, each with its family; 0: any. */
struct side {
	char text[3][MATCH_STRLEN];
	uint8_t family[3];
	size_t n;
};

static char *side_add(struct side *s, uint8_t family)
{
	s->family[s->n] = family;
	return s->text[s->n++];
}

static void put_prefix(const struct policy_who *w, const char *field, struct side *s)
{
	char text[GUEST_PREFIX_STRLEN];
	bool four = w->prefix.ip4.len;

	snprintf(side_add(s, four ? 4 : 6), MATCH_STRLEN, "%s %s %s ", four ? "ip" : "ip6", field,
		 guest_prefix_format(&w->prefix, text));
}

static struct side side_of(const struct fw_network *n, const struct policy_who *w,
			   const char *field, bool by_mac)
{
	struct side s = {.n = 0};
	char set[NAME_STRLEN];

	if (w->kind == POLICY_ANYBODY) {
		side_add(&s, 0)[0] = '\0';
		return s;
	}
	if (w->kind == POLICY_PREFIX) {
		put_prefix(w, field, &s);
		return s;
	}
	if (by_mac)
		snprintf(side_add(&s, 0), MATCH_STRLEN, "ether saddr @%s ",
			 set_name(n, w->kind, w->name, "mac", set));
	if (by_mac && w->kind == POLICY_GUEST)
		return s;
	snprintf(side_add(&s, 4), MATCH_STRLEN, "ip %s @%s ", field,
		 set_name(n, w->kind, w->name, "4", set));
	snprintf(side_add(&s, 6), MATCH_STRLEN, "ip6 %s @%s ", field,
		 set_name(n, w->kind, w->name, "6", set));
	return s;
}

/* Numbers for protocols: their names are in a file that a host need not have. */
static void put_proto(const struct policy_rule *r, uint8_t family, struct buf *out)
{
	if (r->match == POLICY_PING)
		buf_printf(out, "%s type echo-request ", family == 4 ? "icmp" : "icmpv6");
	if (r->match != POLICY_PROTO)
		return;
	if (family && (r->proto == IPPROTO_ICMP || r->proto == IPPROTO_ICMPV6))
		buf_printf(out, "meta nfproto ipv%u ", family);
	buf_printf(out, "meta l4proto %u ", r->proto);
	if (r->n_ports)
		buf_puts(out, "th dport { ");
	for (size_t i = 0; i < r->n_ports; i++) {
		buf_printf(out, "%s%u", i ? ", " : "", r->ports[i].first);
		if (r->ports[i].last != r->ports[i].first)
			buf_printf(out, "-%u", r->ports[i].last);
	}
	if (r->n_ports)
		buf_puts(out, " } ");
}

static const char *verdict_of(const struct policy_rule *r)
{
	if (r->action == POLICY_DENY)
		return "drop";
	if (r->action == POLICY_REJECT)
		return "reject with icmpx admin-prohibited";
	/* What may get out has still to be let in where it goes to. */
	return r->direction == POLICY_OUT ? "return" : "accept";
}

static void put_rule(const struct fw_network *n, const struct policy_rule *r, const char *match,
		     struct buf *out)
{
	char id[FW_POLICY_ID_STRLEN], text[POLICY_RULE_STRLEN], comment[COMMENT_MAX + 1];

	fw_policy_id(r, id);
	if (snprintf(comment, sizeof(comment), "%s: %s", n->name, policy_rule_format(r, text)) >=
	    (int)sizeof(comment))
		strcpy(comment + sizeof(comment) - 4, "...");
	if (r->log)
		buf_printf(out,
			   "		%slimit rate %d/second burst %d packets log prefix "
			   "\"%s/%s\" "
			   "group %d snaplen 128\n",
			   match, FW_POLICY_LOG_S, FW_POLICY_LOG_S, n->name, id,
			   FW_POLICY_LOG_GROUP);
	buf_printf(out, "		%scounter name \"rule/%s/%s\" %s comment \"%s\"\n", match,
		   n->name, id, verdict_of(r), comment);
}

/* The family that a rule's protocol is of; 0: either. */
static uint8_t family_of(const struct policy_rule *r)
{
	if (r->match == POLICY_PROTO && r->proto == IPPROTO_ICMP)
		return 4;
	return r->match == POLICY_PROTO && r->proto == IPPROTO_ICMPV6 ? 6 : 0;
}

/* One of a rule's ways to match, if there is such a packet; a ping is one of each family. */
static void put_way(const struct fw_network *n, const struct policy_rule *r, const char *from,
		    const char *to, uint8_t family, struct buf *out)
{
	struct buf match = BUF_INIT(2 * MATCH_STRLEN + PORTS_STRLEN);

	if (r->match == POLICY_PING && !family) {
		put_way(n, r, from, to, 4, out);
		put_way(n, r, from, to, 6, out);
		return;
	}
	put_proto(r, family, &match);
	buf_puts(&match, from);
	buf_puts(&match, to);
	put_rule(n, r, buf_str(&match), out);
	if (match.error && !out->error)
		out->error = match.error;
	buf_done(&match);
}

static void put_ways(const struct fw_network *n, const struct policy_rule *r, struct buf *out)
{
	struct side from = side_of(n, &r->from, "saddr", r->direction != POLICY_IN);
	struct side to = side_of(n, &r->to, "daddr", false);
	uint8_t proto = family_of(r);

	for (size_t i = 0; i < from.n; i++)
		for (size_t k = 0; k < to.n; k++) {
			uint8_t f = from.family[i], t = to.family[k], family = f ? f : t;

			if ((f && t && f != t) || (family && proto && family != proto))
				continue;
			put_way(n, r, from.text[i], to.text[k], family ? family : proto, out);
		}
}

static bool has_direction(const struct network_policy *p, enum policy_direction d)
{
	for (size_t i = 0; p && i < p->n_rules; i++)
		if (p->rules[i].direction == d)
			return true;
	return false;
}

static void put_chain(const struct fw_network *n, enum policy_direction d, struct buf *out)
{
	if (!has_direction(n->policy, d))
		return;
	buf_printf(out, "	chain %s/%s {\n", policy_direction_name(d), n->name);
	for (size_t i = 0; i < n->policy->n_rules; i++)
		if (n->policy->rules[i].direction == d)
			put_ways(n, &n->policy->rules[i], out);
	buf_puts(out, "	}\n");
}

static void network_chains(const struct fw_network *n, struct buf *out)
{
	const struct network_policy *p = n->policy;
	char id[FW_POLICY_ID_STRLEN];

	for (size_t i = 0; p && i < p->n_sets; i++)
		declare(n, POLICY_SET, p->sets[i].name, out);
	for (size_t i = 0; p && i < n->n_who; i++)
		declare(n, POLICY_GUEST, n->who[i].name, out);
	for (size_t i = 0; p && i < p->n_rules; i++)
		buf_printf(out, "	counter rule/%s/%s { }\n", n->name,
			   fw_policy_id(&p->rules[i], id));
	for (unsigned int d = 0; d < POLICY_DIRECTION_COUNT; d++)
		put_chain(n, (enum policy_direction)d, out);
}

/* ---- limits: a chain for each pair of numbers in use ---- */

static bool is_limited(const struct guest_limits *l)
{
	return l->connections || l->new_s;
}

/* struct pairs - different limits; @v is owned. */
struct pairs {
	struct guest_limits *v;
	size_t n;
};

static int pair_cmp(const void *a, const void *b)
{
	const struct guest_limits *x = a, *y = b;

	if (x->connections != y->connections)
		return x->connections < y->connections ? -1 : 1;
	return x->new_s < y->new_s ? -1 : x->new_s > y->new_s;
}

static int pairs_of(const struct fw_desired *d, struct pairs *ret)
{
	struct pairs p = {0};
	size_t max = 0, kept = 0;

	for (size_t i = 0; i < d->n; i++)
		max += 1 + d->networks[i].n_who;
	p.v = calloc(max + 1, sizeof(*p.v));
	if (!p.v)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++) {
		const struct fw_network *n = &d->networks[i];

		if (is_limited(&n->limits))
			p.v[p.n++] = n->limits;
		for (size_t k = 0; k < n->n_who; k++)
			if (is_limited(&n->who[k].limits))
				p.v[p.n++] = n->who[k].limits;
	}
	if (p.n)
		qsort(p.v, p.n, sizeof(*p.v), pair_cmp);
	for (size_t i = 0; i < p.n; i++)
		if (!kept || pair_cmp(&p.v[kept - 1], &p.v[i]) != 0)
			p.v[kept++] = p.v[i];
	p.n = kept;
	*ret = p;
	return 0;
}

static const char *limit_chain(const struct guest_limits *l, char buf[static NAME_STRLEN])
{
	snprintf(buf, NAME_STRLEN, "limit/%u/%u", l->connections, l->new_s);
	return buf;
}

/* Those that begin too fast are not counted among those that are there. */
static void put_limit(const struct guest_limits *l, struct buf *out)
{
	char name[NAME_STRLEN];

	limit_chain(l, name);
	if (l->new_s)
		buf_printf(out,
			   "	set new/%u/%u { type ifname . ether_addr; size " LIMITED_GUESTS
			   "; flags dynamic,timeout; timeout 1m; }\n",
			   l->connections, l->new_s);
	if (l->connections)
		buf_printf(out,
			   "	set connections/%u/%u { type ifname . ether_addr; "
			   "size " LIMITED_GUESTS "; flags dynamic; }\n",
			   l->connections, l->new_s);
	buf_printf(out, "	chain %s {\n", name);
	if (l->new_s)
		buf_printf(out,
			   "		update @new/%u/%u { iifname . ether saddr limit rate over "
			   "%u/second burst %u packets } goto too_fast\n",
			   l->connections, l->new_s, l->new_s, l->new_s);
	if (l->connections)
		buf_printf(out,
			   "		add @connections/%u/%u { iifname . ether saddr ct count "
			   "over %u "
			   "} goto too_many\n",
			   l->connections, l->new_s, l->connections);
	buf_puts(out, "	}\n");
}

static int network_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct fw_network *const *)a)->name,
		      (*(const struct fw_network *const *)b)->name);
}

/* In the order of their names: that in which they come means nothing. */
static int all_network_chains(const struct fw_desired *d, struct buf *out)
{
	const struct fw_network **v = calloc(d->n + 1, sizeof(const struct fw_network *));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < d->n; i++)
		if (d->networks[i].policy && d->networks[i].policy->n_rules)
			v[n++] = &d->networks[i];
	if (n)
		qsort(v, n, sizeof(*v), network_cmp);
	for (size_t i = 0; i < n; i++)
		network_chains(v[i], out);
	free(v);
	return 0;
}

int fw_policy_chains(const struct fw_desired *d, struct buf *out)
{
	struct pairs p;
	int r = pairs_of(d, &p);

	if (r < 0)
		return r;
	for (size_t i = 0; i < p.n; i++)
		put_limit(&p.v[i], out);
	free(p.v);
	return all_network_chains(d, out);
}

/* ---- elements ---- */

/* struct prefixes - those of one set; @v is owned, nothing in it is. */
struct prefixes {
	const struct guest_prefix **v;
	size_t n;
	size_t cap;
};

static void prefixes_add(struct prefixes *p, const struct guest_prefix *one, struct lines *out)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 16;
		const struct guest_prefix **v = reallocarray(p->v, cap, sizeof(*v));

		if (!v) {
			out->error = out->error ? out->error : -ENOMEM;
			return;
		}
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = one;
}

/* By family, then by address, the wider first: what covers another is right before it. */
static int prefix_cmp(const void *a, const void *b)
{
	const struct guest_prefix *x = *(const struct guest_prefix *const *)a;
	const struct guest_prefix *y = *(const struct guest_prefix *const *)b;
	bool four = x->ip4.len != 0;
	int order;

	if (four != (y->ip4.len != 0))
		return four ? -1 : 1;
	order = four ? memcmp(&x->ip4.addr, &y->ip4.addr, sizeof(x->ip4.addr))
		     : memcmp(&x->ip6.addr, &y->ip6.addr, sizeof(x->ip6.addr));
	if (order)
		return order;
	return four ? x->ip4.len - y->ip4.len : x->ip6.len - y->ip6.len;
}

static bool covers(const struct guest_prefix *wide, const struct guest_prefix *narrow)
{
	if ((wide->ip4.len != 0) != (narrow->ip4.len != 0))
		return false;
	return wide->ip4.len ? ip4_in(&wide->ip4, narrow->ip4.addr)
			     : ip6_in(&wide->ip6, &narrow->ip6.addr);
}

/* The kernel takes no overlapping elements: what lies in another prefix of the set is left out. */
static void prefix_elements(struct prefixes *p, const char *set4, const char *set6,
			    struct lines *out)
{
	const struct guest_prefix *last = NULL;
	char text[GUEST_PREFIX_STRLEN];

	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), prefix_cmp);
	for (size_t i = 0; i < p->n; i++) {
		if (last && covers(last, p->v[i]))
			continue;
		last = p->v[i];
		lines_add(out, "%s\t%s", last->ip4.len ? set4 : set6,
			  guest_prefix_format(last, text));
	}
	free(p->v);
}

static void guest_members(const struct fw_guest *g, const char *macs, struct prefixes *p,
			  struct lines *out)
{
	char mac[MAC_STRLEN];

	for (size_t i = 0; i < g->n_macs; i++)
		lines_add(out, "%s\t%s", macs, mac_format(&g->macs[i], mac));
	for (size_t i = 0; i < g->n_addrs; i++)
		prefixes_add(p, &g->addrs[i], out);
}

static void who_elements(const struct fw_network *n, enum policy_who_kind kind, const char *name,
			 const struct policy_who *members, size_t n_members, struct lines *out)
{
	char macs[NAME_STRLEN], set4[NAME_STRLEN], set6[NAME_STRLEN];
	struct prefixes p = {0};

	if (!uses(n->policy, kind, name))
		return;
	set_name(n, kind, name, "mac", macs);
	for (size_t i = 0; i < n_members; i++) {
		if (members[i].kind == POLICY_PREFIX)
			prefixes_add(&p, &members[i].prefix, out);
		else
			guest_members(find_guest(n, members[i].name), macs, &p, out);
	}
	prefix_elements(&p, set_name(n, kind, name, "4", set4), set_name(n, kind, name, "6", set6),
			out);
}

static void policy_elements(const struct fw_network *n, struct lines *out)
{
	const struct network_policy *p = n->policy;

	if (p->open)
		lines_add(out, "hosts_open\t\"%s\"", n->bridge);
	if (p->metadata)
		lines_add(out, "metadata_allowed\t\"%s\"", n->bridge);
	for (unsigned int d = 0; d < POLICY_DIRECTION_COUNT; d++)
		if (has_direction(p, (enum policy_direction)d))
			lines_add(out, "policy_%s\t\"%s\" : jump %s/%s",
				  policy_direction_name((enum policy_direction)d), n->bridge,
				  policy_direction_name((enum policy_direction)d), n->name);
	for (size_t i = 0; i < p->n_sets; i++)
		who_elements(n, POLICY_SET, p->sets[i].name, p->sets[i].members,
			     p->sets[i].n_members, out);
	for (size_t i = 0; i < n->n_who; i++) {
		struct policy_who self = {.kind = POLICY_GUEST};

		snprintf(self.name, sizeof(self.name), "%s", n->who[i].name);
		who_elements(n, POLICY_GUEST, self.name, &self, 1, out);
	}
}

static void limit_elements(const struct fw_network *n, struct lines *out)
{
	char chain[NAME_STRLEN], mac[MAC_STRLEN];

	if (is_limited(&n->limits))
		lines_add(out, "network_limits\t\"%s\" : goto %s", n->bridge,
			  limit_chain(&n->limits, chain));
	for (size_t i = 0; i < n->n_who; i++) {
		const struct fw_guest *g = &n->who[i];

		if (pair_cmp(&g->limits, &n->limits) == 0)
			continue;
		for (size_t k = 0; k < g->n_macs; k++) {
			mac_format(&g->macs[k], mac);
			if (is_limited(&g->limits))
				lines_add(out, "guest_limits\t\"%s\" . %s : goto %s", n->bridge,
					  mac, limit_chain(&g->limits, chain));
			else
				lines_add(out, "guest_limits\t\"%s\" . %s : return", n->bridge,
					  mac);
		}
	}
}

void fw_policy_elements(const struct fw_network *n, struct lines *out)
{
	limit_elements(n, out);
	if (n->policy)
		policy_elements(n, out);
}
