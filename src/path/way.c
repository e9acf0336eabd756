/* SPDX-License-Identifier: GPL-2.0-or-later */
/* way.c - see way.h. */
#include "path/way.h"

#include <inttypes.h>
#include <string.h>

#define ETHERTYPE_ARP 0x0806
#define BY_A_RULE "DROP by "
#define ONE_OF_RULES BY_A_RULE "one of several rules"
#define PORTS_MAX ARRAY_SIZE(((struct hop *)0)->ports)

/* Ports in the order of their numbers: in which the kernel floods them is no matter. */
static void ports_line(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	size_t n = size_min(h->copies, PORTS_MAX);
	char name[IFNAMSIZ];
	int last = 0;

	buf_printf(out, "bridge-fwd to %u:", h->copies);
	for (size_t i = 0; i < n; i++) {
		int next = 0;

		for (size_t k = 0; k < n; k++)
			if (h->ports[k] > last && (!next || h->ports[k] < next))
				next = h->ports[k];
		if (!next)
			break;
		buf_printf(out, " %s", device_name(w->view, next, name));
		last = next;
	}
	buf_puts(out, "\n");
}

static void route_line(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	const struct path_route *r = &h->route;
	char name[IFNAMSIZ];

	/* A routing rule that refuses is seen as the table before it, which had no route. */
	if (r->err) {
		buf_puts(out, "route refused\n");
		return;
	}
	buf_printf(out, "route dev %s", device_name(w->view, (int)r->head.ifindex, name));
	if (r->gw_family) {
		buf_puts(out, " via ");
		address_text(r->gw_family, r->gateway, out);
	}
	buf_puts(out, "\n");
}

static void nat_line(const struct hop *h, bool any_port, struct buf *out)
{
	struct flow f = h->flow;

	if (any_port)
		f.from.port = f.to.port = 0;
	buf_puts(out, "nat ");
	flow_text(&f, out);
	buf_puts(out, "\n");
}

/* Rules of family netdev stand before the place where a trace begins to ask for rules. */
static bool is_seen(const struct path_decision *d)
{
	return strcmp(d->family, "netdev") != 0;
}

static void rule_line(const struct path_decision *d, struct buf *out)
{
	if ((!d->handle && !d->drops) || !is_seen(d))
		return; /* no objection */
	buf_printf(out, "%s %s %s handle %" PRIu64 ": %s\n", d->family, d->table, d->chain,
		   d->handle, d->verdict);
}

static void drop_line(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	const char *reason = w->reason ? w->reason(h->seen.reason, w->ctx) : NULL;
	bool ruled = h->decision.drops && is_seen(&h->decision);

	if (!ruled) {
		buf_printf(out, "DROP %s\n", reason ? reason : "?");
	} else if (h->decision.one_of[0]) {
		buf_puts(out, ONE_OF_RULES "\n");
	} else {
		buf_puts(out, BY_A_RULE);
		rule_line(&h->decision, out);
	}
}

/* ip_error() has it: a trace then sees the routes of the ICMP error among its own. */
static bool is_refused(const struct journey *j, const struct journey_words *w)
{
	const char *name = NULL;

	for (size_t i = 0; i < j->n_hops && w->function; i++)
		if (j->hops[i].kind == HOP_DROP)
			name = w->function(j->hops[i].seen.location, w->ctx);
	return name && strncmp(name, "ip_error", strlen("ip_error")) == 0;
}

void way_outline(const struct journey *j, const struct journey_words *w, bool any_port,
		 struct way *ret)
{
	bool routed = is_refused(j, w);
	char name[IFNAMSIZ];

	ret->got = true;
	ret->arp = j->first.ethertype == ETHERTYPE_ARP;
	ret->end = j->end;
	for (size_t i = 0; i < j->n_hops; i++) {
		const struct hop *h = &j->hops[i];

		switch (h->kind) {
		/* Of a copy, or of what the host answers at once: not what became of the packet. */
		case HOP_FW:
			ret->one_of = ret->one_of || h->decision.one_of[0];
			if (!ret->one_of && (!h->decision.drops || j->end == JOURNEY_DROPPED))
				rule_line(&h->decision, &ret->rules);
			break;
		case HOP_BRIDGE_FWD:
			ports_line(h, w, &ret->steps);
			break;
		/* It is routed once; more questions are about what the host answers to it. */
		case HOP_ROUTE:
			if (!routed)
				route_line(h, w, &ret->steps);
			routed = true;
			break;
		case HOP_NAT:
			nat_line(h, any_port, &ret->steps);
			break;
		case HOP_DROP:
			drop_line(h, w, &ret->steps);
			break;
		/* What the guest does, and what is sent besides, is not predicted. */
		case HOP_VM_READ:
		case HOP_ICMP:
		case HOP_QDISC:
		case HOP_NEIGH:
		case HOP_UNKNOWN:
		case HOP_JOIN:
			break;
		default:
			buf_printf(&ret->steps, "%s %s\n", hop_name(h->kind),
				   device_name(w->view, h->ifindex, name));
		}
	}
}

/* The line that begins at @*p, without its end; @*p moves behind it. */
static size_t line_next(const char **p, const char **ret)
{
	size_t n = strcspn(*p, "\n");

	*ret = *p;
	*p += n + ((*p)[n] == '\n');
	return n;
}

static bool is_line(const char *line, size_t n, const char *text)
{
	return n == strlen(text) && memcmp(line, text, n) == 0;
}

static bool lines_compare(const char *predicted, const char *seen, bool begin, struct buf *out)
{
	const char *p, *s;
	size_t np, ns;

	while (*predicted || *seen) {
		if (begin && !*predicted)
			return true;
		np = line_next(&predicted, &p);
		ns = line_next(&seen, &s);
		if (np == ns && memcmp(p, s, np) == 0)
			continue;
		if (is_line(p, np, ONE_OF_RULES) && strncmp(s, BY_A_RULE, strlen(BY_A_RULE)) == 0)
			continue;
		buf_printf(out, "predicted \"%.*s\", seen \"%.*s\"", (int)np, p, (int)ns, s);
		return false;
	}
	return true;
}

bool way_compare(const struct way *predicted, const struct way *seen, bool rules, struct buf *out)
{
	bool begin = predicted->end == JOURNEY_UNKNOWN;

	if (!predicted->got || !seen->got) {
		if (predicted->got == seen->got || begin)
			return true;
		buf_printf(out, "it was %s", predicted->got ? "not seen" : "not predicted");
		return false;
	}
	if (!lines_compare(buf_str(&predicted->steps), buf_str(&seen->steps), begin, out) ||
	    (rules && !lines_compare(buf_str(&predicted->rules), buf_str(&seen->rules),
				     begin || predicted->arp || predicted->one_of, out)))
		return false;
	if (begin || predicted->end == seen->end)
		return true;
	buf_printf(out, "predicted %s, seen %s", journey_end_name(predicted->end),
		   journey_end_name(seen->end));
	return false;
}

void way_done(struct way *w)
{
	buf_done(&w->steps);
	buf_done(&w->rules);
}
