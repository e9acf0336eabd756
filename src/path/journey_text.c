/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journey_text.c - packets and hops in words, in the vocabulary of the field.
 */
#include "path/journey_text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

#define ETHERTYPE_ARP 0x0806

static const char *const hop_names[] = {
	[HOP_VM_OUT] = "vm-out",
	[HOP_UPLINK_IN] = "uplink-in",
	[HOP_HOST_OUT] = "host-out",
	[HOP_BRIDGE_IN] = "bridge-in",
	[HOP_BRIDGE_FWD] = "bridge-fwd",
	[HOP_JOIN] = "reassembled",
	[HOP_FW] = "fw",
	[HOP_ROUTE] = "route",
	[HOP_NAT] = "nat",
	[HOP_NEIGH] = "neigh",
	[HOP_QDISC] = "qdisc",
	[HOP_UPLINK_OUT] = "uplink-out",
	[HOP_TAP_QUEUED] = "tap-queued",
	[HOP_VM_READ] = "vm-read",
	[HOP_HOST_IN] = "host-in",
	[HOP_ICMP] = "icmp-error",
	[HOP_DROP] = "DROP",
	[HOP_UNKNOWN] = "UNKNOWN",
};
_Static_assert(ARRAY_SIZE(hop_names) == HOP_KINDS, "a name for each kind of hop");

const char *hop_name(enum hop_kind kind)
{
	return hop_names[kind];
}

const char *journey_end_name(enum journey_end end)
{
	static const char *const names[] = {"UNDER-WAY",  "DELIVERED", "DROP",
					    "LOST-SIGHT", "JOINED",    "UNKNOWN"};

	_Static_assert(ARRAY_SIZE(names) == JOURNEY_UNKNOWN + 1, "a name for each end");
	return names[end];
}

const struct path_device *path_device_find(const struct path_view *v, int ifindex)
{
	for (size_t i = 0; i < v->n_devices; i++)
		if (v->devices[i].ifindex == ifindex)
			return &v->devices[i];
	return NULL;
}

void address_text(uint8_t family, const uint8_t addr[16], struct buf *out)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(family, addr, text, sizeof(text)))
		text[0] = '\0';
	buf_puts(out, text);
}

static bool has_ports(uint8_t l4)
{
	return l4 == IPPROTO_TCP || l4 == IPPROTO_UDP || l4 == IPPROTO_SCTP;
}

static void end_text(const struct flow *f, const struct flow_end *e, struct buf *out)
{
	bool port = has_ports(f->l4) && e->port;

	if (port && f->family == AF_INET6)
		buf_puts(out, "[");
	address_text(f->family, e->addr, out);
	if (port)
		buf_printf(out, f->family == AF_INET6 ? "]:%u" : ":%u", e->port);
}

void flow_text(const struct flow *f, struct buf *out)
{
	end_text(f, &f->from, out);
	buf_puts(out, " > ");
	end_text(f, &f->to, out);
}

const char *device_name(const struct path_view *v, int ifindex, char buf[static IFNAMSIZ])
{
	const struct path_device *d = path_device_find(v, ifindex);

	if (d)
		return d->name;
	buf[0] = '\0';
	if (ifindex)
		snprintf(buf, IFNAMSIZ, "if%d", ifindex);
	return buf;
}

/* struct word - a number and its name. */
struct word {
	uint16_t number;
	const char *name;
};

static const char *word_find(const struct word *w, size_t n, uint16_t number)
{
	for (size_t i = 0; i < n; i++)
		if (w[i].number == number)
			return w[i].name;
	return NULL;
}

/* RFC 792, RFC 4443, RFC 4861: by type << 8 | code; those of any code are looked for with 0xff. */
static const struct word icmp_words[] = {
	{0x0800, "echo request"},	  {0x0000, "echo reply"},
	{0x0300, "network unreachable"},  {0x0301, "host unreachable"},
	{0x0302, "protocol unreachable"}, {0x0303, "port unreachable"},
	{0x0304, "packet too big"},	  {0x030d, "administratively prohibited"},
	{0x03ff, "unreachable"},	  {0x05ff, "redirect"},
	{0x0b00, "time exceeded"},	  {0x0bff, "time exceeded"},
};
static const struct word icmp6_words[] = {
	{0x8000, "echo request"},
	{0x8100, "echo reply"},
	{0x0100, "no route"},
	{0x0101, "administratively prohibited"},
	{0x0103, "address unreachable"},
	{0x0104, "port unreachable"},
	{0x01ff, "unreachable"},
	{0x02ff, "packet too big"},
	{0x03ff, "time exceeded"},
	{0x85ff, "router solicitation"},
	{0x86ff, "router advertisement"},
	{0x87ff, "neighbour solicitation"},
	{0x88ff, "neighbour advertisement"},
	{0x82ff, "multicast listener query"},
	{0x8fff, "multicast listener report"},
};

static const char *icmp_word(uint8_t l4, uint16_t type_code)
{
	const struct word *w = l4 == IPPROTO_ICMP ? icmp_words : icmp6_words;
	size_t n = l4 == IPPROTO_ICMP ? ARRAY_SIZE(icmp_words) : ARRAY_SIZE(icmp6_words);
	const char *name = word_find(w, n, type_code);

	return name ? name : word_find(w, n, type_code | 0xff);
}

#define MLD_QUERY 130 /* ICMPv6's types, RFC 2710, 3810 and 4861 */
#define ND_REDIRECT 137
#define MLD2_REPORT 143

bool path_is_group_control(const struct path_seen *s)
{
	unsigned int type = s->dport >> 8;

	if (s->l4 == IPPROTO_IGMP)
		return true;
	return s->l4 == IPPROTO_ICMPV6 && s->flags & PATH_L4 &&
	       ((type >= MLD_QUERY && type <= ND_REDIRECT) || type == MLD2_REPORT);
}

bool path_is_echo(const struct path_seen *s)
{
	uint8_t type = (uint8_t)(s->dport >> 8);

	if (s->l4 == IPPROTO_ICMP)
		return type == 8 || type == 0;
	return s->l4 == IPPROTO_ICMPV6 && (type == 128 || type == 129);
}

static void icmp_text(const struct path_seen *s, struct buf *out)
{
	const char *name = icmp_word(s->l4, s->dport);

	if (name)
		buf_puts(out, name);
	else
		buf_printf(out, "type %u code %u", s->dport >> 8, s->dport & 0xff);
	if (s->seq && !path_is_echo(s)) /* an error */
		buf_printf(out, " of %s port %u", s->seq >> 16 == IPPROTO_TCP ? "tcp" : "udp",
			   s->seq & 0xffff);
}

static void tcp_text(const struct path_seen *s, struct buf *out)
{
	static const struct word flags[] = {
		{2, "SYN"}, {16, "ACK"}, {1, "FIN"}, {4, "RST"}, {8, "PSH"},
	};
	char sep = ' ';

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!(s->tcp_flags & flags[i].number))
			continue;
		buf_printf(out, "%c%s", sep, flags[i].name);
		sep = ',';
	}
}

/* RFC 2131, table 2; RFC 8415, 7.3; RFC 1035, 4.1.1 */
static const struct word dhcp_words[] = {
	{1, "DISCOVER"}, {2, "OFFER"}, {3, "REQUEST"}, {4, "DECLINE"},
	{5, "ACK"},	 {6, "NAK"},   {7, "RELEASE"}, {8, "INFORM"},
};
static const struct word dhcp6_words[] = {
	{1, "SOLICIT"},
	{2, "ADVERTISE"},
	{3, "REQUEST"},
	{4, "CONFIRM"},
	{5, "RENEW"},
	{6, "REBIND"},
	{7, "REPLY"},
	{8, "RELEASE"},
	{9, "DECLINE"},
	{10, "RECONFIGURE"},
	{11, "INFORMATION-REQUEST"},
	{12, "RELAY-FORW"},
	{13, "RELAY-REPL"},
};
static const struct word dns_words[] = {
	{1, "FORMERR"}, {2, "SERVFAIL"}, {3, "NXDOMAIN"}, {4, "NOTIMP"}, {5, "REFUSED"},
};

#define DNS_ANSWER 0x8000
#define DNS_RCODE 0x000f

static bool is_port(const struct path_seen *s, uint16_t a, uint16_t b)
{
	return s->dport == a || s->dport == b;
}

/* What follows the protocol's name; NULL when it is not known. */
static const char *udp_message(const struct path_seen *s)
{
	if (is_port(s, 67, 68))
		return word_find(dhcp_words, ARRAY_SIZE(dhcp_words), (uint16_t)s->seq);
	if (is_port(s, 546, 547))
		return word_find(dhcp6_words, ARRAY_SIZE(dhcp6_words), (uint16_t)s->seq);
	if (s->sport == 53 && s->seq & DNS_ANSWER)
		return word_find(dns_words, ARRAY_SIZE(dns_words), s->seq & DNS_RCODE);
	return NULL;
}

/* Ports that tell what it is. */
static void udp_text(const struct path_seen *s, struct buf *out)
{
	static const struct word ports[] = {
		{53, "DNS"},	 {67, "DHCP"}, {68, "DHCP"},   {546, "DHCPv6"},
		{547, "DHCPv6"}, {123, "NTP"}, {5353, "mDNS"},
	};
	const char *name = word_find(ports, ARRAY_SIZE(ports), s->dport);

	if (!name)
		name = word_find(ports, ARRAY_SIZE(ports), s->sport);
	if (!name)
		return;
	buf_puts(out, name);
	if (udp_message(s))
		buf_printf(out, " %s", udp_message(s));
}

void packet_message(const struct path_seen *s, struct buf *out)
{
	if (!(s->flags & PATH_L4) || s->ethertype == ETHERTYPE_ARP)
		return;
	if (s->l4 == IPPROTO_ICMP || s->l4 == IPPROTO_ICMPV6)
		icmp_text(s, out);
	else if (s->l4 == IPPROTO_UDP)
		udp_text(s, out);
}

static void arp_text(const struct path_seen *s, struct buf *out)
{
	struct mac mac;
	char text[MAC_STRLEN];

	memcpy(mac.b, s->smac, sizeof(mac.b));
	buf_puts(out, "arp ");
	if (s->sport == 1) {
		buf_puts(out, "who-has ");
		address_text(AF_INET, s->dst, out);
		buf_puts(out, " tell ");
		address_text(AF_INET, s->src, out);
	} else {
		address_text(AF_INET, s->src, out);
		buf_printf(out, " is at %s", mac_format(&mac, text));
	}
}

static void proto_text(const struct path_seen *s, struct buf *out)
{
	static const struct word protos[] = {
		{IPPROTO_ICMP, "icmp"},	   {IPPROTO_TCP, "tcp"},   {IPPROTO_UDP, "udp"},
		{IPPROTO_ICMPV6, "icmp6"}, {IPPROTO_IGMP, "igmp"}, {IPPROTO_SCTP, "sctp"},
		{IPPROTO_GRE, "gre"},	   {IPPROTO_ESP, "esp"},
	};
	const char *name = word_find(protos, ARRAY_SIZE(protos), s->l4);

	if (name)
		buf_printf(out, "%s ", name);
	else
		buf_printf(out, "ip-proto-%u ", s->l4);
}

void packet_text(const struct path_seen *s, struct buf *out)
{
	struct buf message = BUF_INIT(128);
	struct flow f = {.l4 = s->l4};

	if (s->ethertype == ETHERTYPE_ARP) {
		arp_text(s, out);
		return;
	}
	if (s->ethertype != 0x0800 && s->ethertype != 0x86dd) {
		buf_printf(out, "ethertype 0x%04x, %u bytes", s->ethertype, s->len);
		return;
	}
	f.family = s->ethertype == 0x0800 ? AF_INET : AF_INET6;
	memcpy(f.from.addr, s->src, sizeof(f.from.addr));
	memcpy(f.to.addr, s->dst, sizeof(f.to.addr));
	if (s->flags & PATH_L4) {
		f.from.port = s->sport;
		f.to.port = s->dport;
	}
	proto_text(s, out);
	flow_text(&f, out);
	packet_message(s, &message);
	if (message.len)
		buf_printf(out, " %s", buf_str(&message));
	buf_done(&message);
	if (path_is_echo(s) && s->flags & PATH_L4)
		buf_printf(out, " id %u seq %u", s->sport, s->seq);
	else if (s->flags & PATH_L4 && s->l4 == IPPROTO_TCP)
		tcp_text(s, out);
	if (s->flags & PATH_FRAGMENT)
		buf_printf(out, " fragment at %u%s", s->frag_offset,
			   s->flags & PATH_MORE_FRAGMENTS ? "" : " (last)");
	if (s->vlan)
		buf_printf(out, " vlan %u", s->vlan);
	buf_printf(out, ", %u bytes", s->len);
	if (s->gso_segs > 1)
		buf_printf(out, " in %u segments", s->gso_segs);
}

/* ---- hops ---- */

static void table_text(uint32_t table, struct buf *out)
{
	switch (table) {
	case RT_TABLE_MAIN:
		buf_puts(out, "table main");
		break;
	case RT_TABLE_LOCAL:
		buf_puts(out, "table local");
		break;
	case RT_TABLE_DEFAULT:
		buf_puts(out, "table default");
		break;
	default:
		buf_printf(out, "table %u", table);
	}
}

/* What a routing table's refusal means: net/ipv4/fib_semantics.c, fib_props[]. */
static const char *route_refusal(int err)
{
	switch (err) {
	case -11:
		return "no route";
	case -22:
		return "blackhole route";
	case -113:
		return "unreachable route";
	case -13:
		return "prohibit route";
	case -101:
		return "network unreachable";
	default:
		return "refused";
	}
}

static void route_text(const struct path_route *r, const struct journey_words *w, struct buf *out)
{
	char name[IFNAMSIZ];

	if (r->err) {
		buf_printf(out, "%s to ", route_refusal(r->err));
		address_text(r->family, r->dst, out);
		buf_puts(out, " (");
		table_text(r->table, out);
		buf_puts(out, ")");
		return;
	}
	if (r->gw_family) {
		buf_puts(out, "via ");
		address_text(r->gw_family, r->gateway, out);
		buf_puts(out, " ");
	}
	buf_printf(out, "dev %s", device_name(w->view, (int)r->head.ifindex, name));
	if (r->table && r->table != RT_TABLE_MAIN) {
		buf_puts(out, " (");
		table_text(r->table, out);
		buf_puts(out, ")");
	}
}

static void decision_text(const struct path_decision *d, struct buf *out)
{
	buf_printf(out, "%s: %s %s %s", d->verdict, d->family, d->table, d->chain);
	if (d->handle)
		buf_printf(out, " handle %" PRIu64, d->handle);
	else
		buf_puts(out, " policy");
	if (d->rule[0])
		buf_printf(out, " \"%s\"", d->rule);
	if (d->one_of[0])
		buf_printf(out, " (or another that does the same: `%s` is not known)", d->one_of);
}

static void forward_text(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	const char *sep = h->copies > 1 ? "" : "to ";
	char name[IFNAMSIZ];

	if (h->copies > 1)
		buf_printf(out, "flooded to %u ports: ", h->copies);
	for (size_t i = 0; i < h->copies && i < ARRAY_SIZE(h->ports); i++) {
		buf_printf(out, "%s%s", sep, device_name(w->view, h->ports[i], name));
		sep = ", ";
	}
	if (h->copies > ARRAY_SIZE(h->ports))
		buf_puts(out, ", ...");
}

static void drop_text(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	const char *reason = w->reason ? w->reason(h->seen.reason, w->ctx) : NULL;
	const char *function = w->function ? w->function(h->seen.location, w->ctx) : NULL;
	char name[IFNAMSIZ];

	if (h->decision.drops && strcmp(h->decision.family, PATH_GUARD_FAMILY) == 0) {
		buf_printf(out, "by guard `%s` at %s", h->decision.chain,
			   device_name(w->view, h->ifindex, name));
		return;
	}
	if (h->decision.drops) {
		buf_puts(out, "by the firewall's rule, ");
		decision_text(&h->decision, out);
		return;
	}
	if (reason)
		buf_puts(out, reason);
	else
		buf_printf(out, "reason %u", h->seen.reason);
	if (function)
		buf_printf(out, " in %s", function);
	if (h->ifindex)
		buf_printf(out, " at %s", device_name(w->view, h->ifindex, name));
}

static void device_text(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	const struct path_device *d = path_device_find(w->view, h->ifindex);
	char name[IFNAMSIZ];

	buf_puts(out, device_name(w->view, h->ifindex, name));
	if (d && d->role == DEVICE_PORT && d->guest[0])
		buf_printf(out, " (%s)", d->guest);
	if (h->pieces > 1)
		buf_printf(out, " in %u pieces", h->pieces);
}

static void took_text(uint64_t ns, struct buf *out)
{
	if (ns < 1000000)
		buf_printf(out, "%.1f us", (double)ns / 1e3);
	else if (ns < 1000000000)
		buf_printf(out, "%.2f ms", (double)ns / 1e6);
	else
		buf_printf(out, "%.2f s", (double)ns / 1e9);
}

static void neigh_text(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	char name[IFNAMSIZ];

	address_text(h->neigh.family, h->neigh.addr, out);
	buf_printf(out, " dev %s: ", device_name(w->view, h->ifindex, name));
	if (!h->waited_ns) {
		buf_puts(out, "its MAC is asked for");
		return;
	}
	buf_puts(out, h->failed ? "no answer to who that is for " : "its MAC was known after ");
	took_text(h->waited_ns, out);
}

void hop_text(const struct hop *h, const struct journey_words *w, struct buf *out)
{
	const char *name;

	switch (h->kind) {
	case HOP_FW:
		decision_text(&h->decision, out);
		break;
	case HOP_JOIN:
		buf_printf(out, "from %u fragments, %u bytes", h->pieces, h->seen.len);
		break;
	case HOP_ROUTE:
		route_text(&h->route, w, out);
		break;
	case HOP_NAT:
		flow_text(&h->before, out);
		buf_puts(out, "  ->  ");
		flow_text(&h->flow, out);
		break;
	case HOP_NEIGH:
		neigh_text(h, w, out);
		break;
	case HOP_BRIDGE_FWD:
		forward_text(h, w, out);
		break;
	case HOP_ICMP:
		name = icmp_word(h->seen.ethertype == 0x86dd ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
				 (uint16_t)h->seen.reason);
		buf_printf(out, "the host answers: %s", name ? name : "an ICMP error");
		break;
	case HOP_DROP:
		drop_text(h, w, out);
		break;
	case HOP_UNKNOWN:
		buf_puts(out, h->decision.rule);
		break;
	default:
		device_text(h, w, out);
	}
}

/* Where it was delivered: the last hop that is an end. */
static const struct hop *end_hop(const struct journey *g, enum hop_kind *ret)
{
	for (size_t i = g->n_hops; i > 0; i--) {
		enum hop_kind k = g->hops[i - 1].kind;

		if (k == HOP_VM_READ || k == HOP_TAP_QUEUED || k == HOP_UPLINK_OUT ||
		    k == HOP_HOST_IN || k == HOP_BRIDGE_FWD) {
			*ret = k;
			return &g->hops[i - 1];
		}
	}
	*ret = HOP_BRIDGE_IN; /* what the host takes without a word, ARP as a rule */
	return g->n_hops ? &g->hops[g->n_hops - 1] : NULL;
}

static bool went_up(const struct journey *g)
{
	for (size_t i = 0; i < g->n_hops; i++)
		if (g->hops[i].kind == HOP_BRIDGE_IN)
			return true;
	return false;
}

void journey_end_text(const struct journey *g, const struct journey_words *w, struct buf *out)
{
	enum hop_kind kind = HOP_KINDS;
	const struct hop *h = end_hop(g, &kind);
	char name[IFNAMSIZ];

	buf_puts(out, journey_end_name(g->end));
	if (g->end == JOURNEY_LOST_SIGHT)
		buf_puts(out, ": nothing more was seen of it");
	if (g->end == JOURNEY_JOINED)
		buf_printf(out, ": goes on in #%u", g->joined);
	if (g->end != JOURNEY_DELIVERED || !h)
		return;
	switch (kind) {
	case HOP_VM_READ:
		buf_puts(out, " to the guest");
		break;
	case HOP_TAP_QUEUED:
		buf_puts(out, " to the guest's port");
		break;
	case HOP_HOST_IN:
	case HOP_BRIDGE_IN:
		buf_puts(out, " to the host");
		break;
	case HOP_UPLINK_OUT:
		buf_printf(out, " out by %s", device_name(w->view, h->ifindex, name));
		break;
	default:
		if (h->copies == 1)
			buf_printf(out, " to %s", device_name(w->view, h->ports[0], name));
		else
			buf_printf(out, " to %u ports", h->copies);
		if (g->first.dmac[0] & 1 && went_up(g))
			buf_puts(out, " and the host");
	}
}

void journey_prediction_text(const struct journey *g, const struct journey_words *w,
			     struct buf *out)
{
	enum hop_kind kind = HOP_KINDS;
	const struct hop *h = end_hop(g, &kind);
	char name[IFNAMSIZ];

	if (g->end == JOURNEY_DROPPED)
		buf_puts(out, "would be dropped here");
	else if (g->end != JOURNEY_DELIVERED || !h)
		buf_puts(out, "what comes then cannot be said");
	else if (kind == HOP_VM_READ || kind == HOP_TAP_QUEUED)
		buf_puts(out, "would get to the guest's port");
	else if (kind == HOP_HOST_IN || kind == HOP_BRIDGE_IN)
		buf_puts(out, "would be taken by the host");
	else if (kind == HOP_UPLINK_OUT)
		buf_printf(out, "would leave by %s", device_name(w->view, h->ifindex, name));
	else if (h->copies == 1)
		buf_printf(out, "would get to %s", device_name(w->view, h->ports[0], name));
	else
		buf_printf(out, "would get to %u ports", h->copies);
}
