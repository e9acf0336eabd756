/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose.c - see diagnose.h: which packets are looked into, and by which table. */
#include "path/diagnose_internal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "path/inject.h"

/* ---- words ---- */

void diagnosis_cause(struct diagnosis *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->cause, sizeof(d->cause), fmt, ap);
	va_end(ap);
}

/* Half a command would be worse than none. */
void diagnosis_mend(struct diagnosis *d, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(d->mend, sizeof(d->mend), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(d->mend))
		d->mend[0] = '\0';
}

void diagnosis_advice(struct diagnosis *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->advice, sizeof(d->advice), fmt, ap);
	va_end(ap);
}

void diagnosis_saw(struct diagnosis *d, const char *kind, const char *fmt, ...)
{
	struct diagnosis_evidence *e;
	va_list ap;

	if (d->n_evidence == DIAGNOSIS_EVIDENCE_MAX)
		return;
	e = &d->evidence[d->n_evidence++];
	e->kind = kind;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

static bool is_plain(const char *word)
{
	for (const char *p = word; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.:@%+=-", *p))
			return false;
	return word[0] && word[0] != '-';
}

struct quoted shell_quote(const char *word)
{
	struct quoted q = {""};
	size_t n = 0;

	if (is_plain(word)) {
		snprintf(q.text, sizeof(q.text), "%s", word);
		return q;
	}
	q.text[n++] = '\'';
	for (const char *p = word; *p && n < sizeof(q.text) - 6; p++) {
		if (*p == '\'') {
			memcpy(&q.text[n], "'\\''", 4);
			n += 4;
		} else {
			q.text[n++] = *p;
		}
	}
	q.text[n++] = '\'';
	q.text[n] = '\0';
	return q;
}

struct address_str address_str(uint8_t family, const uint8_t addr[16])
{
	struct address_str s = {"?"};

	if (!inet_ntop(family, addr, s.text, sizeof(s.text)))
		s.text[0] = '?';
	return s;
}

/* ---- facts ---- */

const struct link_state *fact_link(const struct facts *f, int ifindex)
{
	return ifindex ? actual_link_by_index(f->host, ifindex) : NULL;
}

const struct fdb_entry *fact_fdb(const struct facts *f, int bridge, const uint8_t mac[6])
{
	for (size_t i = 0; i < f->host->n_fdb; i++) {
		const struct fdb_entry *e = &f->host->fdb[i];

		if (e->bridge == bridge && memcmp(e->mac.b, mac, sizeof(e->mac.b)) == 0)
			return e;
	}
	return NULL;
}

const struct fact_neigh *fact_neigh(const struct facts *f, int ifindex, uint8_t family,
				    const uint8_t addr[16])
{
	for (size_t i = 0; i < f->n_neighs; i++)
		if (f->neighs[i].ifindex == ifindex && f->neighs[i].family == family &&
		    memcmp(f->neighs[i].addr, addr, family == AF_INET ? 4 : 16) == 0)
			return &f->neighs[i];
	return NULL;
}

bool address_in(const uint8_t *net, unsigned int len, const uint8_t *addr)
{
	for (unsigned int i = 0; i < len; i++)
		if ((net[i / 8] ^ addr[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

long fact_number(const struct facts *f, long missing, const char *fmt, ...)
{
	char path[SYSCTL_PATH_MAX], value[32];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) || !f->sysctl(path, value, sizeof(value), f->ctx))
		return missing;
	return strtol(value, NULL, 10);
}

const struct addr_state *fact_network(const struct facts *f, int ifindex, struct in_addr addr)
{
	for (size_t i = 0; i < f->host->n_addrs; i++) {
		const struct addr_state *a = &f->host->addrs[i];

		if (a->ifindex == ifindex && ip4_in(&a->prefix, addr))
			return a;
	}
	return NULL;
}

const char *fact_ours(const struct link_state *bridge)
{
	if (bridge && strncmp(bridge->alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) == 0)
		return bridge->alias + strlen(ALIAS_NETWORK);
	return NULL;
}

bool address_private(uint8_t family, const uint8_t addr[16])
{
	static const struct ip4_prefix nets[] = {
		{{0}, 8}, {{0}, 10}, {{0}, 12}, {{0}, 16}, {{0}, 16}, {{0}, 8},
	};
	static const uint32_t bases[] = {0x0a000000, 0x64400000, 0xac100000,
					 0xc0a80000, 0xa9fe0000, 0x7f000000};
	struct in_addr a;

	if (family == AF_INET6)
		return (addr[0] & 0xfe) == 0xfc || (addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80);
	if (family != AF_INET)
		return false;
	memcpy(&a, addr, sizeof(a));
	for (size_t i = 0; i < ARRAY_SIZE(nets); i++) {
		struct ip4_prefix p = {ip4_from_host(bases[i]), nets[i].len};

		if (ip4_in(&p, a))
			return true;
	}
	return false;
}

/* ---- the tables ---- */

static bool case_names(const struct drop_case *c, const struct look *l)
{
	if (c->reason && strcmp(c->reason, l->reason) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(c->functions) && c->functions[i]; i++)
		if (strcmp(c->functions[i], l->function) == 0)
			return true;
	return !c->functions[0];
}

bool drop_case_find(const struct drop_case *cases, size_t n, const struct look *l,
		    struct diagnosis *ret)
{
	for (size_t i = 0; i < n; i++) {
		const struct drop_case *c = &cases[i];

		if (!case_names(c, l) || (c->holds && !c->holds(l)))
			continue;
		ret->code = c->code;
		c->tell(l, ret);
		return true;
	}
	return false;
}

/* Where it came in last, before the drop: the bridge rather than its port, once that handed it up. */
static int in_of(const struct journey *g)
{
	int in = 0;

	for (size_t i = 0; i < g->n_hops; i++)
		if (g->hops[i].kind == HOP_VM_OUT || g->hops[i].kind == HOP_UPLINK_IN ||
		    g->hops[i].kind == HOP_BRIDGE_IN)
			in = g->hops[i].ifindex;
	return in;
}

static struct look look_at(const struct journey *g, const struct journey_words *w,
			   const struct facts *f)
{
	struct look l = {.g = g, .reason = "", .w = w, .f = f, .family = g->flow.family};
	const char *name;

	for (size_t i = 0; i < g->n_hops; i++) {
		if (g->hops[i].kind == HOP_ROUTE)
			l.route = &g->hops[i];
		if (g->hops[i].kind == HOP_DROP)
			l.drop = &g->hops[i];
	}
	l.in = fact_link(f, in_of(g));
	if (l.route)
		l.out = fact_link(f, l.route->ifindex);
	if (!l.drop)
		return l;
	l.dev = fact_link(f, l.drop->ifindex);
	name = w->reason ? w->reason(l.drop->seen.reason, w->ctx) : NULL;
	if (name)
		l.reason = name;
	name = w->function ? w->function(l.drop->seen.location, w->ctx) : NULL;
	/* "ip_error.part.0" is ip_error */
	if (name)
		snprintf(l.function, sizeof(l.function), "%.*s", (int)strcspn(name, "."), name);
	return l;
}

static void unknown(const struct look *l, struct diagnosis *d)
{
	d->code = "unknown";
	diagnosis_cause(d, "not known; the kernel says %s%s%s",
			l->reason[0] ? l->reason : "no reason", l->function[0] ? " in " : "",
			l->function);
	if (l->dev)
		diagnosis_saw(d, "interface", "%s", l->dev->name);
}

/* ---- packets that were not dropped ---- */

static bool is_lost(const struct journey *g)
{
	return g->end == JOURNEY_LOST_SIGHT;
}

bool diagnosis_wanted(const struct journey *g, const struct path_view *v,
		      const struct diagnosis_guest *guest)
{
	return g->end == JOURNEY_DROPPED || is_lost(g) || guest_fault(g, v, guest) != GUEST_FINE;
}

/* It waits for a neighbour's MAC, and that is all that is known. */
static bool waits_for_neighbour(const struct look *l, struct diagnosis *d)
{
	const struct path_route *r = l->route ? &l->route->route : NULL;
	const struct fact_neigh *n;
	struct address_str who;
	uint8_t family;

	if (!is_lost(l->g) || !r || r->err || !l->out)
		return false;
	family = r->gw_family ? r->gw_family : r->family;
	n = fact_neigh(l->f, l->out->ifindex, family, r->gw_family ? r->gateway : r->dst);
	if (!n || !mac_is_zero(&n->mac))
		return false;
	who = address_str(family, n->addr);
	d->code = "neighbour-wait";
	diagnosis_cause(d, "it waits for the MAC of %s, who has not answered on %s yet", who.text,
			l->out->name);
	diagnosis_saw(d, "neighbour", "%s dev %s", who.text, l->out->name);
	return true;
}

/* Somebody else's probe, seen by a trace. */
static bool is_probe(const struct look *l, struct diagnosis *d)
{
	if (!injector_was_taken(l->drop->seen.mark))
		return false;
	d->code = "probe";
	diagnosis_cause(d,
			"it is a packet of vmlane probe, which takes it off where it would leave");
	diagnosis_saw(d, "packet", "mark 0x%08x", l->drop->seen.mark);
	diagnosis_advice(d, "nothing is broken");
	return true;
}

bool diagnose(const struct journey *g, const struct journey_words *w, const struct facts *f,
	      struct diagnosis *ret)
{
	struct look l;

	*ret = (struct diagnosis){.code = ""};
	l = look_at(g, w, f);
	if (!l.drop)
		return diagnose_guest(&l, ret) || waits_for_neighbour(&l, ret);
	if (is_probe(&l, ret))
		return true;
	if (!diagnose_firewall(&l, ret) && !diagnose_bridge(&l, ret) && !diagnose_ip(&l, ret))
		unknown(&l, ret);
	return true;
}
