/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor_nat.c - are there ports left to translate guests' connections to?
 *
 * A port is taken only towards one destination: connections to others may have the same. So they are counted
 * by (protocol, address they are seen as, whom they go to).
 */
#include "inspect/doctor_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "kernel/conntrack.h"

#define PORTS_USUAL 64512u /* 1024 to 65535: what the kernel takes where no rule says which */
#define NEARLY_PERCENT 90

/* struct use - one translated connection; what is alike competes for the same ports. Zeroed before it is filled. */
struct use {
	uint32_t net; /* of struct doctor's nets */
	struct in_addr seen_as;
	struct in_addr dst;
	uint16_t dport;
	uint8_t proto;
	uint8_t pad;
};

/* struct uses - @error sticks. */
struct uses {
	const struct doctor *d;
	struct use *v;
	size_t n;
	size_t cap;
	int error;
};

/* How many ports a network has. */
static unsigned int ports_of(const struct doctor_net *n)
{
	const char *text = json_string_value(json_object_get(n->config, "ports"));
	const char *dash = text ? strchr(text, '-') : NULL;
	uint32_t first, last;
	char low[8];

	if (!dash || (size_t)(dash - text) >= sizeof(low))
		return PORTS_USUAL;
	memcpy(low, text, (size_t)(dash - text));
	low[dash - text] = '\0';
	if (text_u32(low, 1, UINT16_MAX, &first) < 0 ||
	    text_u32(dash + 1, first, UINT16_MAX, &last) < 0)
		return PORTS_USUAL;
	return last - first + 1;
}

static bool net_of(const struct doctor *d, struct in_addr src, uint32_t *ret)
{
	const struct doctor_net *n = doctor_net_of_address(d, src);

	if (n)
		*ret = (uint32_t)(n - d->nets);
	return n;
}

static void on_flow(const struct conntrack_flow *f, void *ctx)
{
	struct uses *u = ctx;
	struct use one = {.seen_as = f->seen_as,
			  .dst = f->answers,
			  .dport = f->answers_port,
			  .proto = f->proto};

	if (u->error || ip4_equal(f->seen_as, f->src) || !net_of(u->d, f->src, &one.net))
		return;
	if (u->n == u->cap) {
		size_t cap = u->cap ? u->cap * 2 : 1024;
		struct use *v = reallocarray(u->v, cap, sizeof(*v));

		if (!v) {
			u->error = -ENOMEM;
			return;
		}
		u->v = v;
		u->cap = cap;
	}
	u->v[u->n++] = one;
}

static int by_use(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct use));
}
_Static_assert(sizeof(struct use) == 16, "no hole: it is compared byte by byte");

static void tell_ports(struct doctor *d, const struct use *u, size_t taken, unsigned int ports)
{
	const struct doctor_net *n = &d->nets[u->net];
	bool all = taken >= ports;
	struct doctor_finding f =
		doctor_new_finding(all ? DOCTOR_ERROR : DOCTOR_WARNING, "nat-ports", n);
	char from[IP4_STRLEN], to[IP4_STRLEN];

	ip4_format(u->seen_as, from);
	ip4_format(u->dst, to);
	diagnosis_cause(&f.why,
			"%s of the %u ports that guests' connections to %s:%u can be translated to "
			"are taken: %s",
			all ? "all" : "nearly all", ports, to, u->dport,
			all ? "new ones are dropped" : "once they are, new ones are dropped");
	diagnosis_saw(&f.why, "nat", "%zu %s connections as %s to %s:%u", taken,
		      u->proto == IPPROTO_TCP ? "tcp" : "udp", from, to, u->dport);
	diagnosis_advice(
		&f.why,
		"give the translation more ports (vmlane: `nat: ports:` of the network; else "
		"the masquerade rule's `to :FIRST-LAST`), or another address");
	doctor_add(d, &f);
}

static void count(struct doctor *d, struct uses *u)
{
	qsort(u->v, u->n, sizeof(*u->v), by_use);
	for (size_t i = 0, end; i < u->n; i = end) {
		unsigned int ports = ports_of(&d->nets[u->v[i].net]);

		for (end = i + 1; end < u->n && by_use(&u->v[i], &u->v[end]) == 0;)
			end++;
		if ((end - i) * 100 >= (size_t)ports * NEARLY_PERCENT)
			tell_ports(d, &u->v[i], end - i, ports);
	}
}

/* Connections are read only where there are so many that one destination could have them all. */
void doctor_check_nat_ports(struct doctor *d)
{
	long n = fact_number(d->f, 0, "net/netfilter/nf_conntrack_count");
	unsigned int least = PORTS_USUAL;
	struct uses u = {.d = d};

	for (size_t i = 0; i < d->n_nets; i++)
		if (ports_of(&d->nets[i]) < least)
			least = ports_of(&d->nets[i]);
	if (!d->n_nets || n * 100 < (long)least * NEARLY_PERCENT)
		return;
	if (conntrack_each(on_flow, &u, NULL) == 0 && !u.error && u.n)
		count(d, &u);
	free(u.v);
}
