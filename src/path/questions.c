/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * questions.c - see questions.h. Journeys come when they are over, so that an answer may come before its
 * question: answers are remembered with their time.
 */
#include "path/questions.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd
#define ETHERTYPE_ARP 0x0806
#define ARP_REQUEST 1
#define PORT_DNS 53
#define PORT_DHCP_SERVER 67
#define PORT_DHCP_CLIENT 68
#define ROUTER_SOLICITATION 133
#define ROUTER_ADVERTISEMENT 134
#define TCP_SYN 2
#define TCP_RST 4
#define TCP_ACK 16
#define OFFER_NS (10 * 1000000000ull) /* offers further apart answer different questions */

unsigned int journey_dhcp(const struct journey *j, bool from_server)
{
	const struct path_seen *s = &j->first;

	if (s->ethertype != ETHERTYPE_IP4 || s->l4 != IPPROTO_UDP || !(s->flags & PATH_L4) ||
	    j->to_guest != from_server)
		return 0;
	return s->dport == (from_server ? PORT_DHCP_CLIENT : PORT_DHCP_SERVER) ? s->seq : 0;
}

static bool asks_for_router(const struct path_seen *s)
{
	return s->flags & PATH_L4 && s->l4 == IPPROTO_ICMPV6 &&
	       s->dport >> 8 == ROUTER_SOLICITATION;
}

/*
 * It got to whom it asks. The host takes router solicitations without a trace of it when no socket wants
 * them (net/ipv6/ndisc.c: ndisc_rcv()).
 */
static bool has_arrived(const struct journey *j)
{
	return j->end == JOURNEY_DELIVERED ||
	       (j->end == JOURNEY_LOST_SIGHT && asks_for_router(&j->first));
}

/* What @j asks; false: nothing, or it did not get to whom it asks. */
static bool question_of(const struct journey *j, struct question *ret)
{
	const struct path_seen *s = &j->first;
	unsigned int dhcp = journey_dhcp(j, false);

	*ret = (struct question){.family = j->flow.family};
	if (j->to_guest || !has_arrived(j))
		return false;
	memcpy(ret->addr, s->dst, sizeof(ret->addr));
	if (s->ethertype == ETHERTYPE_ARP && s->sport == ARP_REQUEST)
		ret->kind = QUESTION_ARP;
	else if (dhcp == DHCP_DISCOVER || dhcp == DHCP_REQUEST)
		ret->kind = QUESTION_DHCP;
	else if (!(s->flags & PATH_L4))
		return false;
	else if (s->l4 == IPPROTO_UDP && s->dport == PORT_DNS)
		ret->kind = QUESTION_DNS;
	else if (asks_for_router(s))
		ret->kind = QUESTION_ROUTER;
	else if (s->l4 == IPPROTO_TCP && (s->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		ret->kind = QUESTION_TCP;
	if (ret->kind == QUESTION_TCP) {
		ret->sport = s->sport;
		ret->dport = s->dport;
	}
	/* Whoever answers these will do. */
	if (ret->kind == QUESTION_DHCP || ret->kind == QUESTION_ROUTER)
		memset(ret->addr, 0, sizeof(ret->addr));
	return ret->kind != QUESTION_NONE;
}

/* What @j is an answer to, whatever became of it. */
static bool answer_of(const struct journey *j, struct question *ret)
{
	const struct path_seen *s = &j->first;

	*ret = (struct question){.family = j->flow.family};
	memcpy(ret->addr, j->flow.from.addr, sizeof(ret->addr));
	if (s->ethertype == ETHERTYPE_ARP && s->sport != ARP_REQUEST) {
		memset(ret->addr, 0, sizeof(ret->addr));
		memcpy(ret->addr, s->src, 4);
		ret->kind = QUESTION_ARP;
		return true;
	}
	if (!j->to_guest || !(s->flags & PATH_L4))
		return false;
	if (journey_dhcp(j, true)) {
		memset(ret->addr, 0, sizeof(ret->addr));
		ret->kind = QUESTION_DHCP;
	} else if (s->l4 == IPPROTO_UDP && s->sport == PORT_DNS) {
		ret->kind = QUESTION_DNS;
	} else if (s->l4 == IPPROTO_ICMPV6 && s->dport >> 8 == ROUTER_ADVERTISEMENT) {
		memset(ret->addr, 0, sizeof(ret->addr));
		ret->kind = QUESTION_ROUTER;
	} else if (s->l4 == IPPROTO_TCP && s->tcp_flags & (TCP_SYN | TCP_RST)) {
		ret->kind = QUESTION_TCP;
		ret->sport = j->flow.to.port;
		ret->dport = j->flow.from.port;
	}
	return ret->kind != QUESTION_NONE;
}

/* @answer: it may have been dropped before its translation back: then the guest's port is not known. */
static bool same(const struct question *a, const struct question *b, bool answer)
{
	return a->kind == b->kind && a->family == b->family && a->dport == b->dport &&
	       (answer || a->sport == b->sport) && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

static struct question *place_of(struct questions *q, const struct question *like)
{
	struct question *oldest = &q->all[0];

	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		if (same(&q->all[i], like, false))
			return &q->all[i];
		if (q->all[i].used_ns < oldest->used_ns)
			oldest = &q->all[i];
	}
	*oldest = *like;
	return oldest;
}

static void note_answer(struct questions *q, const struct question *like, uint64_t at)
{
	struct question *p = place_of(q, like);

	p->used_ns = at;
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		p = &q->all[i];
		if (!same(p, like, true))
			continue;
		p->answered_ns = at;
		p->times = 0;
	}
}

static struct asked note_question(struct questions *q, const struct question *like, uint64_t at)
{
	struct question *p = place_of(q, like);

	p->used_ns = at;
	if (p->answered_ns > at)
		return (struct asked){.kind = like->kind};
	if (p->times++ == 0)
		p->first_ns = at;
	return (struct asked){.kind = like->kind, .times = p->times, .for_ns = at - p->first_ns};
}

/* Remember who has made an offer; whether somebody else did lately. */
static void note_offer(struct questions *q, const struct journey *j, struct asked *ret)
{
	struct offer *place = &q->offers[0];
	bool known = false;

	for (size_t i = 0; i < OFFERS_MAX; i++) {
		struct offer *o = &q->offers[i];
		bool mine = memcmp(o->mac, j->first.smac, sizeof(o->mac)) == 0;

		known |= mine && o->at_ns;
		if (o->at_ns && !mine && j->begin_ns - o->at_ns < OFFER_NS) {
			ret->other = true;
			memcpy(ret->other_addr, o->addr, sizeof(ret->other_addr));
			memcpy(ret->other_mac, o->mac, sizeof(ret->other_mac));
		}
		if (mine || (!known && o->at_ns < place->at_ns))
			place = o;
	}
	memcpy(place->addr, j->first.src, sizeof(place->addr));
	memcpy(place->mac, j->first.smac, sizeof(place->mac));
	place->at_ns = j->begin_ns;
}

struct asked questions_note(struct questions *q, const struct journey *j)
{
	struct asked ret = {.kind = QUESTION_NONE};
	struct question like;

	if (question_of(j, &like))
		return note_question(q, &like, j->begin_ns);
	if (answer_of(j, &like))
		note_answer(q, &like, j->begin_ns);
	if (journey_dhcp(j, true) == DHCP_OFFER)
		note_offer(q, j, &ret);
	return ret;
}
