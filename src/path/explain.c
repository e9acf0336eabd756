/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain.c - see explain.h: a packet's headers, what is told of it, and where its way begins. */
#include "path/explain_internal.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>

#define FLAG_DF 0x40

/* ---- names of drops ---- */

/* Reasons and functions are numbers in events: these are the model's own. */
static const char *const reasons[] = {
	NULL,
	"NOT_SPECIFIED",
	"NO_SOCKET",
	"NETFILTER_DROP",
	"OTHERHOST",
	"IP_INHDR",
	"IP_INADDRERRORS",
	"IP_INNOROUTES",
	"IP_RPFILTER",
	"IP_LOCAL_SOURCE",
	"IP_INVALID_SOURCE",
	"IP_INVALID_DEST",
	"IP_LOCALNET",
	"PKT_TOO_BIG",
	"NEIGH_FAILED",
	"NO_TX_TARGET",
	"BRIDGE_INGRESS_STP_STATE",
	"MAC_INVALID_SOURCE",
	"VLAN_FILTER",
	"INVALID_PROTO",
	"TC_INGRESS",
};

static const char *const functions[] = {
	NULL,
	"__netif_receive_skb_core",
	"__udp4_lib_rcv",
	"arp_process",
	"br_dev_queue_push_xmit",
	"br_flood",
	"br_forward",
	"br_handle_frame",
	"br_handle_frame_finish",
	"br_nf_dev_queue_xmit",
	"br_pass_frame_up",
	"ip6_forward",
	"ip6_pkt_discard",
	"ip6_rcv_core",
	"ip_error",
	"ip_forward",
	"ip_rcv_core",
	"ip_rcv_finish_core",
	"neigh_invalidate",
	"nf_hook_slow",
	"nft_do_chain",
	"tcp_v4_rcv",
	"tcp_v6_rcv",
	"udpv6_rcv",
};

static uint32_t number_of(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(names[i], name) == 0)
			return (uint32_t)i;
	return 0;
}

const char *explain_reason(uint32_t reason)
{
	return reason < ARRAY_SIZE(reasons) ? reasons[reason] : NULL;
}

const char *explain_function(uint64_t location)
{
	return location < ARRAY_SIZE(functions) ? functions[location] : NULL;
}

uint32_t explain_no_socket(void)
{
	return number_of(reasons, ARRAY_SIZE(reasons), "NO_SOCKET");
}

/* ---- the host ---- */

const struct link_detail *walk_link(const struct walk *w, int ifindex)
{
	for (size_t i = 0; i < w->h->detail->n_links; i++)
		if (w->h->detail->links[i].ifindex == ifindex)
			return &w->h->detail->links[i];
	return NULL;
}

const struct nfteval_dev *walk_dev(const struct walk *w, int ifindex)
{
	const struct link_detail *l = ifindex ? walk_link(w, ifindex) : NULL;

	return l ? &w->devs[l - w->h->detail->links] : NULL;
}

long walk_sysctl(const struct walk *w, long missing, const char *fmt, ...)
{
	char path[SYSCTL_PATH_MAX], value[32];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(path, sizeof(path), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(path) ||
	    !w->h->sysctl(path, value, sizeof(value), w->h->ctx))
		return missing;
	return strtol(value, NULL, 10);
}

/* ---- headers ---- */

uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

size_t walk_addr_len(const struct walk *w)
{
	return w->family == AF_INET ? 4 : 16;
}

static uint8_t *network(const struct walk *w)
{
	return w->pkt.bytes + w->pkt.network;
}

uint8_t *walk_src(const struct walk *w)
{
	return network(w) + (w->family == AF_INET ? 12 : 8);
}

uint8_t *walk_dst(const struct walk *w)
{
	return network(w) + (w->family == AF_INET ? 16 : 24);
}

uint8_t walk_l4(const struct walk *w)
{
	return network(w)[w->family == AF_INET ? 9 : 6];
}

uint8_t *walk_ttl(const struct walk *w)
{
	return network(w) + (w->family == AF_INET ? 8 : 7);
}

uint8_t *walk_l4_header(const struct walk *w, size_t need)
{
	size_t at =
		(size_t)w->pkt.network + (w->family == AF_INET ? (network(w)[0] & 15u) * 4u : 40u);

	return at + need <= w->pkt.len ? w->pkt.bytes + at : NULL;
}

bool walk_is_icmp(const struct walk *w)
{
	return walk_l4(w) == (w->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

static bool has_ports(const struct walk *w)
{
	return walk_l4(w) == IPPROTO_TCP || walk_l4(w) == IPPROTO_UDP;
}

uint16_t walk_sport(const struct walk *w)
{
	const uint8_t *p = walk_l4_header(w, 8);

	if (!p || !(has_ports(w) || walk_is_icmp(w)))
		return 0;
	return walk_is_icmp(w) ? get16(p + 4) : get16(p);
}

uint16_t walk_dport(const struct walk *w)
{
	const uint8_t *p = walk_l4_header(w, 8);

	return p && has_ports(w) ? get16(p + 2) : 0;
}

uint32_t walk_size(const struct walk *w)
{
	return (uint32_t)(w->pkt.len - (size_t)w->pkt.network);
}

bool walk_must_not_fragment(const struct walk *w)
{
	return w->family == AF_INET6 || network(w)[6] & FLAG_DF;
}

/* ---- what is told ---- */

static void see_arp(const uint8_t *p, struct path_seen *s)
{
	s->sport = get16(p + 6);
	memcpy(s->src, p + 14, 4);
	memcpy(s->dst, p + 24, 4);
}

static void see_l4(const struct walk *w, struct path_seen *s)
{
	const uint8_t *p = walk_l4_header(w, 8);

	if (!p)
		return;
	s->flags |= PATH_L4;
	if (walk_is_icmp(w)) {
		s->dport = get16(p);
		s->sport = get16(p + 4);
		s->seq = get16(p + 6);
		return;
	}
	s->sport = get16(p);
	s->dport = get16(p + 2);
	p = s->l4 == IPPROTO_TCP ? walk_l4_header(w, 20) : NULL;
	if (!p)
		return;
	s->seq = get32(p + 4);
	s->tcp_flags = p[13];
}

static void see_ip(const struct walk *w, struct path_seen *s)
{
	memcpy(s->src, walk_src(w), walk_addr_len(w));
	memcpy(s->dst, walk_dst(w), walk_addr_len(w));
	s->l4 = walk_l4(w);
	s->ttl = *walk_ttl(w);
	if (w->family == AF_INET) {
		s->ip_id = get16(network(w) + 4);
		s->flags |= walk_must_not_fragment(w) ? PATH_DF : 0;
	}
	see_l4(w, s);
}

static struct path_seen see(struct walk *w, uint16_t type, int ifindex)
{
	struct path_seen s = {
		.head = {.time_ns = w->x->clock_ns += EXPLAIN_STEP_NS,
			 .skb = 1,
			 .packet = w->number,
			 .netns = w->h->view->netns,
			 .ifindex = (uint32_t)ifindex,
			 .type = type},
		.len = walk_size(w),
		.mark = w->pkt.mark,
		.ethertype = w->pkt.protocol,
		.vlan = w->pkt.has_vlan ? w->pkt.vlan_tci & 0xfff : 0,
		.flags = w->clone ? PATH_CLONE : 0,
	};

	memcpy(s.dmac, w->pkt.bytes, 6);
	memcpy(s.smac, w->pkt.bytes + 6, 6);
	if (w->pkt.protocol == ETHERTYPE_ARP)
		see_arp(network(w), &s);
	else
		see_ip(w, &s);
	w->x->last = s;
	return s;
}

static void tell(struct walk *w, const struct path_head *head, size_t len)
{
	int r = journeys_event(w->j, head, len);

	if (r < 0)
		*w->error = r;
}

void walk_tell(struct walk *w, uint16_t type, int ifindex)
{
	struct path_seen s = see(w, type, ifindex);

	tell(w, &s.head, sizeof(s));
}

void walk_tell_icmp(struct walk *w, int ifindex, uint8_t type, uint8_t code)
{
	struct path_seen s = see(w, PATH_ICMP, ifindex);

	s.reason = (uint32_t)type << 8 | code;
	tell(w, &s.head, sizeof(s));
}

void walk_tell_route(struct walk *w, const struct route_question *q, const struct route_answer *a,
		     bool reverse)
{
	struct path_route r = {
		.head = {.time_ns = w->x->clock_ns += EXPLAIN_STEP_NS,
			 .skb = 1,
			 .packet = w->number,
			 .netns = w->h->view->netns,
			 .ifindex = (uint32_t)a->oif,
			 .type = PATH_ROUTE},
		.table = a->table,
		.err = a->error,
		.iif = (uint32_t)q->iif,
		.oif = (uint32_t)q->oif,
		.mark = q->mark,
		.family = q->family,
		.gw_family = a->gw_family,
		.reverse = reverse,
	};

	memcpy(r.src, q->src, sizeof(r.src));
	memcpy(r.dst, q->dst, sizeof(r.dst));
	memcpy(r.gateway, a->gateway, sizeof(r.gateway));
	tell(w, &r.head, sizeof(r));
}

void walk_note(struct walk *w, enum hop_kind kind, const char *fmt, ...)
{
	struct explain_note *n;
	va_list ap;

	if (w->x->n_notes == EXPLAIN_NOTES_MAX)
		return;
	n = &w->x->notes[w->x->n_notes++];
	n->kind = kind;
	n->time_ns = w->x->clock_ns;
	va_start(ap, fmt);
	vsnprintf(n->text, sizeof(n->text), fmt, ap);
	va_end(ap);
}

const char *explain_why(const struct explanation *x, const struct hop *h, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < x->n_notes; i++) {
		const struct explain_note *note = &x->notes[i];
		int len;

		if (note->kind != h->kind || note->time_ns != h->time_ns || n >= size)
			continue;
		len = snprintf(buf + n, size - n, "%s%s", n ? "; " : "", note->text);
		n += len > 0 ? (size_t)len : 0;
	}
	return buf;
}

bool walk_drop(struct walk *w, int ifindex, const char *reason, const char *function)
{
	struct path_seen s = see(w, PATH_DROP, ifindex);

	s.reason = number_of(reasons, ARRAY_SIZE(reasons), reason);
	s.location = number_of(functions, ARRAY_SIZE(functions), function);
	tell(w, &s.head, sizeof(s));
	return false;
}

/* Told at the end, since a copy may go on meanwhile, and what is unknown of one is of all. */
static __printf(2, 0) bool not_known(struct walk *w, const char *fmt, va_list ap, bool decided)
{
	if (w->x->unknown[0])
		return false;
	vsnprintf(w->x->unknown, sizeof(w->x->unknown), fmt, ap);
	w->x->undecided = !w->reply && !decided;
	return false;
}

bool walk_unknown(struct walk *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	not_known(w, fmt, ap, false);
	va_end(ap);
	return false;
}

bool walk_unknown_behind(struct walk *w, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	not_known(w, fmt, ap, true);
	va_end(ap);
	return false;
}

bool walk_copy(const struct walk *w, struct walk *ret)
{
	*ret = *w;
	ret->pkt.bytes = malloc(w->pkt.len);
	if (!ret->pkt.bytes) {
		*w->error = -ENOMEM;
		return false;
	}
	memcpy(ret->pkt.bytes, w->pkt.bytes, w->pkt.len);
	ret->clone = true;
	return true;
}

void walk_copy_end(struct walk *w)
{
	free(w->pkt.bytes);
	w->pkt.bytes = NULL;
}

/* ---- the beginning ---- */

static int family_of(uint16_t protocol)
{
	return protocol == ETHERTYPE_IP4 ? AF_INET : protocol == ETHERTYPE_IP6 ? AF_INET6 : 0;
}

static bool is_whole(const struct explain_packet *p)
{
	uint16_t protocol = p->len >= ETH_HEADER ? get16(p->frame + 12) : 0;

	switch (protocol) {
	case ETHERTYPE_ARP:
		return p->len >= ETH_HEADER + 28;
	case ETHERTYPE_IP4:
		return p->len >= ETH_HEADER + 20 && (p->frame[ETH_HEADER] & 15) >= 5;
	case ETHERTYPE_IP6:
		return p->len >= ETH_HEADER + 40;
	default:
		return false;
	}
}

/* *@hint: where the last one was found: a bridge's ports stand together, as a rule. */
static const char *name_of(const struct host_detail *d, int ifindex, size_t *hint)
{
	for (size_t i = 0; i < d->n_links; i++) {
		size_t at = (*hint + i) % d->n_links;

		if (d->links[at].ifindex != ifindex)
			continue;
		*hint = at;
		return d->links[at].name;
	}
	return NULL;
}

static struct nfteval_dev *make_devs(const struct host_detail *d)
{
	struct nfteval_dev *devs = calloc(d->n_links + 1, sizeof(*devs));
	size_t hint = 0;

	for (size_t i = 0; i < d->n_links && devs; i++) {
		const struct link_detail *l = &d->links[i];

		devs[i] = (struct nfteval_dev){.index = (uint32_t)l->ifindex,
					       .name = l->name,
					       .type = l->type,
					       .group = l->group,
					       .kind = l->kind[0] ? l->kind : NULL};
		if (strcmp(l->slave_kind, "bridge") == 0)
			devs[i].bridge = name_of(d, l->master, &hint);
	}
	return devs;
}

static void begin(struct walk *w, const struct explain_packet *p)
{
	const struct link_detail *link = p->where ? walk_link(w, p->where) : NULL;

	/* What is handed to a bridge itself has no port to tell it. */
	if (p->where && (p->frame[0] & 1))
		w->pkt.pkttype = PACKET_BROADCAST;
	if (!p->where)
		ip_send(w);
	else if (link)
		device_receive(w, link);
	else
		walk_unknown(w, "the interface %d is gone", p->where);
}

int explain_packet_walk(const struct explain_host *h, const struct explain_packet *p,
			struct journeys *j, struct explanation *x)
{
	struct nfteval_dev *devs = make_devs(h->detail);
	int error = 0;
	struct walk w = {.h = h,
			 .x = x,
			 .j = j,
			 .devs = devs,
			 .number = p->number,
			 .reply = p->reply,
			 .error = &error};

	if (!is_whole(p)) {
		free(devs);
		return -EINVAL;
	}
	w.pkt = (struct nfteval_packet){
		.bytes = malloc(p->len),
		.len = p->len,
		.link = p->where ? 0 : -1,
		.network = ETH_HEADER,
		.protocol = get16(p->frame + 12),
		.mark = p->mark,
		.local = !p->where,
	};
	w.family = family_of(w.pkt.protocol);
	x->local = false;
	x->unknown[0] = '\0';
	if (!devs || !w.pkt.bytes) {
		error = -ENOMEM;
	} else {
		memcpy(w.pkt.bytes, p->frame, p->len);
		begin(&w, p);
		if (x->unknown[0] && !error)
			error = journeys_unknown(j, p->number, x->clock_ns += EXPLAIN_STEP_NS,
						 x->unknown);
	}
	free(w.pkt.bytes);
	free(devs);
	return error;
}
