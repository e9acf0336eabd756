/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_route.c - routing of what comes in: ip_route_input_slow() and fib_validate_source() of
 * net/ipv4/route.c and fib_frontend.c; ip6_route_input(). The kernel itself is asked; why it refuses it
 * does not say: further questions and the sysctls have to tell.
 */
#include "path/explain_route.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>

#define TABLE_SAYS_NONE (-11) /* what fib_table_lookup() tells of a table without a match */

struct route_question ip_question(const struct walk *w, int iif)
{
	struct route_question q = {
		.family = (uint8_t)w->family,
		.has_src = true,
		.iif = iif,
		.mark = w->pkt.mark,
		.l4 = walk_l4(w),
		.sport = walk_is_icmp(w) ? 0 : walk_sport(w),
		.dport = walk_dport(w),
	};

	memcpy(q.src, walk_src(w), walk_addr_len(w));
	memcpy(q.dst, walk_dst(w), walk_addr_len(w));
	return q;
}

int ip_is_local(const struct walk *w, const uint8_t *addr)
{
	for (size_t i = 0; i < w->h->detail->n_addrs; i++) {
		const struct addr_detail *a = &w->h->detail->addrs[i];

		if (a->family == w->family && memcmp(a->addr, addr, walk_addr_len(w)) == 0)
			return a->ifindex;
	}
	return 0;
}

static long conf_max(const struct walk *w, const struct link_detail *l, const char *name)
{
	long all = walk_sysctl(w, 0, "net/ipv4/conf/all/%s", name);
	long own = walk_sysctl(w, 0, "net/ipv4/conf/%s/%s", l->name, name);

	return all > own ? all : own;
}

static bool ask(struct walk *w, const struct route_question *q, struct route_answer *ret)
{
	if (w->h->route(q, ret, w->h->ctx) == 0)
		return true;
	return walk_unknown(w, "the kernel cannot be asked for a route");
}

/* ---- addresses that no router takes ---- */

static bool bad_addresses(struct walk *w, const struct link_detail *in)
{
	const uint8_t *src = walk_src(w), *dst = walk_dst(w);
	bool localnet = conf_max(w, in, "route_localnet");
	const char *reason = NULL;

	if (src[0] >= 224 || src[0] == 0)
		reason = "IP_INVALID_SOURCE";
	else if (dst[0] == 0)
		reason = "IP_INVALID_DEST";
	else if (!localnet && (dst[0] == 127 || src[0] == 127))
		reason = "IP_LOCALNET";
	if (!reason)
		return false;
	walk_drop(w, in->ifindex, reason, "ip_rcv_finish_core");
	return true;
}

/* ---- why IPv4 refuses ---- */

static const char *refusal_reason(int error, bool forwards)
{
	if (!forwards)
		return "IP_INADDRERRORS";
	return error == -ENETUNREACH ? "IP_INNOROUTES" : "NOT_SPECIFIED";
}

/* A table, or a rule, says no: ip_error(). */
static void refused_by_table(struct walk *w, const struct link_detail *in,
			     const struct route_question *q, int error, bool forwards)
{
	struct route_answer none = {.error = error == -ENETUNREACH ? TABLE_SAYS_NONE : error,
				    .table = RT_TABLE_MAIN};

	walk_tell_route(w, q, &none, false);
	if (forwards && error == -ENETUNREACH)
		walk_tell_icmp(w, in->ifindex, 3, 0);
	else if (forwards && error == -EHOSTUNREACH)
		walk_tell_icmp(w, in->ifindex, 3, 1);
	else if (forwards && error == -EACCES)
		walk_tell_icmp(w, in->ifindex, 3, 13);
	walk_drop(w, in->ifindex, refusal_reason(error, forwards), "ip_error");
}

static void tell_found(struct walk *w, const struct route_question *q, struct route_answer *a)
{
	/* The kernel names the loopback for what is its own; a trace names who has the address. */
	if (a->type == RTN_LOCAL && ip_is_local(w, q->dst))
		a->oif = ip_is_local(w, q->dst);
	walk_tell_route(w, q, a, false);
}

static void refused_by_forwarding(struct walk *w, const struct link_detail *in,
				  const struct route_question *q, struct route_answer *found)
{
	tell_found(w, q, found);
	walk_drop(w, in->ifindex, "IP_INADDRERRORS", "ip_error");
	walk_note(w, HOP_DROP, "net/ipv4/conf/%s/forwarding = 0", in->name);
}

/* Whether the way back to its sender would do; *@ret_unsure: of routing rules that is not certain. */
static bool source_passes(struct walk *w, const struct link_detail *in, struct route_answer *back,
			  bool *ret_unsure)
{
	long rpf = conf_max(w, in, "rp_filter");

	*ret_unsure = rpf && w->h->detail->rules;
	if (!back->error && back->type != RTN_UNICAST)
		return false;
	if (rpf == 1)
		return !back->error && back->oif == in->ifindex;
	return !rpf || !back->error;
}

/* fib_validate_source(): does the way to its sender lead to where it came from? */
static void refused_source(struct walk *w, const struct link_detail *in,
			   const struct route_question *q, struct route_answer *found)
{
	struct route_question back = {.family = AF_INET};
	struct route_answer a;
	bool unsure, passes;

	if (found->error && ip_is_local(w, walk_src(w))) {
		walk_unknown(
			w, "the kernel refuses the route: a routing rule, or the source, which is "
			   "the host's own");
		return;
	}
	if (ip_is_local(w, walk_src(w)) && !conf_max(w, in, "accept_local")) {
		tell_found(w, q, found);
		walk_drop(w, in->ifindex, "IP_LOCAL_SOURCE", "ip_rcv_finish_core");
		return;
	}
	memcpy(back.dst, walk_src(w), 4);
	back.mark = conf_max(w, in, "src_valid_mark") ? w->pkt.mark : 0;
	if (!ask(w, &back, &a))
		return;
	passes = source_passes(w, in, &a, &unsure);
	if (unsure || (passes && !w->h->detail->rules)) {
		walk_unknown(w,
			     "the kernel refuses the route, and of routing rules and rp_filter it "
			     "does not say which");
		return;
	}
	if (passes || found->error) {
		refused_by_table(w, in, q, -EINVAL, true); /* a routing rule's: blackhole */
		return;
	}
	tell_found(w, q, found);
	if (!a.error)
		walk_tell_route(w, &back, &a, true);
	if (!a.error && a.type != RTN_UNICAST) {
		walk_drop(w, in->ifindex, "IP_INVALID_SOURCE", "ip_rcv_finish_core");
		return;
	}
	walk_drop(w, in->ifindex, "IP_RPFILTER", "ip_rcv_finish_core");
	walk_note(w, HOP_DROP, "net/ipv4/conf/%s/rp_filter: %ld", in->name,
		  conf_max(w, in, "rp_filter"));
}

static void refused_by_kernel(struct walk *w, const struct link_detail *in,
			      const struct route_question *q, int error, struct route_answer *plain)
{
	bool forwards = walk_sysctl(w, 0, "net/ipv4/conf/%s/forwarding", in->name);

	if (error == -EINVAL || error == -EXDEV)
		refused_source(w, in, q, plain);
	else if (error == -EHOSTUNREACH && !forwards && !plain->error)
		refused_by_forwarding(w, in, q, plain);
	else
		refused_by_table(w, in, q, plain->error && !forwards ? plain->error : error,
				 forwards);
}

/*
 * The same question without where it comes from tells the routing tables' refusal from the rest. Rules
 * may well answer it otherwise: then the kernel's own error has to do.
 */
static void refused4(struct walk *w, const struct link_detail *in, const struct route_question *q,
		     int error)
{
	bool forwards = walk_sysctl(w, 0, "net/ipv4/conf/%s/forwarding", in->name);
	struct route_question plain = *q;
	struct route_answer a;

	plain.iif = 0;
	plain.has_src = false;
	if (!ask(w, &plain, &a))
		return;
	if (a.error && !w->h->detail->rules)
		refused_by_table(w, in, q, a.error, forwards);
	else
		refused_by_kernel(w, in, q, error, &a);
}

/* ---- IPv6 ---- */

static void refused6(struct walk *w, const struct link_detail *in, const struct route_question *q,
		     int error)
{
	struct route_answer none = {.error = error, .table = RT_TABLE_MAIN};

	walk_tell_route(w, q, &none, false);
	walk_drop(w, in->ifindex, error == -ENETUNREACH ? "IP_INNOROUTES" : "NOT_SPECIFIED",
		  "ip6_pkt_discard");
}

/* ---- what was found ---- */

static enum routed found4(struct walk *w, const struct route_answer *a)
{
	switch (a->type) {
	case RTN_LOCAL:
		return ROUTED_LOCAL;
	case RTN_UNICAST:
		return ROUTED_FORWARD;
	default:
		walk_unknown(w, "what is for all of a network (broadcast) is not modelled");
		return ROUTED_NOT;
	}
}

enum routed route_receive(struct walk *w, const struct link_detail *in, struct route_answer *ret)
{
	struct route_question q = ip_question(w, in->ifindex);
	struct route_answer a;

	if ((w->family == AF_INET && bad_addresses(w, in)) || !ask(w, &q, &a))
		return ROUTED_NOT;
	if (a.error) {
		if (w->family == AF_INET)
			refused4(w, in, &q, a.error);
		else
			refused6(w, in, &q, a.error);
		return ROUTED_NOT;
	}
	tell_found(w, &q, &a);
	*ret = a;
	return w->family == AF_INET6 && a.type != RTN_LOCAL ? ROUTED_FORWARD : found4(w, &a);
}
