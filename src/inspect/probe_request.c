/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe_request.c - see probe_request.h. */
#include "inspect/probe_request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "path/diagnose_words.h"
#include "path/inject.h"

#define TTL 64
#define TCP_SYN 2
#define TCP_ACK 16

/* struct making - a request under construction. */
struct making {
	struct subject *s;
	const struct probe *p;
	struct probe_request *ret;
};

static const struct path_device *guest_port(const struct subject *s)
{
	return path_device_find(&s->view, s->ports[0]);
}

static size_t addr_len(int family)
{
	return family == AF_INET ? 4 : 16;
}

static bool in_prefix(const struct path_address *p, const uint8_t *addr)
{
	for (unsigned int i = 0; i < p->len; i++)
		if ((p->addr[i / 8] ^ addr[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* An address of the host's on interface @ifindex; @near: in whose subnet that address is. */
static const struct path_address *local_on(const struct subject *s, int ifindex, int family,
					   const uint8_t *near)
{
	for (size_t i = 0; i < s->view.n_locals; i++) {
		const struct path_address *l = &s->locals[i];

		if (l->ifindex == ifindex && l->family == family && (!near || in_prefix(l, near)))
			return l;
	}
	return NULL;
}

/* Who the guest says it is. */
static int guest_source(struct making *a, struct err *e)
{
	const struct subject *s = a->s;

	if (!s->has_mac)
		return err_set(
			e, -ENODATA, "unknown", s->name,
			"the MAC of %s is not known: it has sent nothing yet. Name it: --mac",
			s->name);
	a->ret->frame.eth_src = s->mac;
	if (a->p->has_src) {
		memcpy(a->ret->frame.src, a->p->src, sizeof(a->ret->frame.src));
		return 0;
	}
	for (size_t i = 0; i < s->n_addrs; i++) {
		if (s->addrs[i].family != a->p->family)
			continue;
		memcpy(a->ret->frame.src, s->addrs[i].addr, sizeof(a->ret->frame.src));
		return 0;
	}
	return err_set(
		e, -ENODATA, "unknown", s->name,
		"the %s address of %s is not known: it has not spoken with this host yet. Name it: "
		"--source ADDRESS",
		a->p->family == AF_INET ? "IPv4" : "IPv6", s->name);
}

/* The MAC behind the router that the guest would use: the bridge's own, or the LAN's gateway. */
static int gateway_mac(struct making *a, const struct path_device *bridge, struct err *e)
{
	uint8_t addr[16] = {0};
	struct in_addr gateway;

	if (local_on(a->s, bridge->ifindex, a->p->family, a->ret->frame.src) &&
	    subject_gateway(bridge->name, &gateway, NULL) < 0) {
		a->ret->frame.eth_dst = bridge->mac;
		return 0;
	}
	if (subject_gateway(bridge->name, &gateway, NULL) == 0) {
		memcpy(addr, &gateway, sizeof(gateway));
		if (subject_neighbour(a->s, AF_INET, addr, &a->ret->frame.eth_dst))
			return 0;
	}
	/* Not the router as far as its own addresses tell; as a guest's guess it is the best. */
	a->ret->frame.eth_dst = bridge->mac;
	return 0;
}

static int next_hop(struct making *a, struct err *e)
{
	const struct path_device *port = guest_port(a->s);
	const struct path_device *bridge =
		port ? path_device_find(&a->s->view, port->master) : NULL;
	const struct path_address *net;

	if (!bridge)
		return err_set(e, -EHOSTUNREACH, "no-bridge", a->s->name,
			       "the port %s is in no bridge: nothing the guest sends gets "
			       "anywhere. Put it "
			       "into one: ip link set %s master BRIDGE",
			       port ? port->name : "?", port ? port->name : "PORT");
	net = local_on(a->s, bridge->ifindex, a->p->family, a->ret->frame.src);
	if (!net || !in_prefix(net, a->p->dst))
		return gateway_mac(a, bridge, e);
	if (memcmp(net->addr, a->p->dst, addr_len(a->p->family)) == 0)
		a->ret->frame.eth_dst = bridge->mac;
	else if (!subject_neighbour(a->s, (uint8_t)a->p->family, a->p->dst, &a->ret->frame.eth_dst))
		return err_set(
			e, -EHOSTUNREACH, "unknown", a->s->name,
			"the destination is on the guest's own network, and its MAC is not known "
			"to this host: ping it once from here");
	return 0;
}

/* From outside: by the uplink of the default route, from its gateway unless told. */
static int outside(struct making *a, struct err *e)
{
	for (size_t i = 0; i < a->s->view.n_devices; i++) {
		const struct path_device *d = &a->s->view.devices[i];
		struct in_addr gateway;
		uint8_t addr[16] = {0};

		if (d->role == DEVICE_GUEST || d->role == DEVICE_PORT ||
		    subject_gateway(d->name, &gateway, NULL) < 0)
			continue;
		memcpy(addr, &gateway, sizeof(gateway));
		if (!subject_neighbour(a->s, AF_INET, addr, &a->ret->frame.eth_src))
			memcpy(a->ret->frame.eth_src.b, "\x52\x54\x00\x00\x00\xfe", 6);
		a->ret->frame.eth_dst = d->mac;
		memcpy(a->ret->frame.src, a->p->has_src ? a->p->src : addr, sizeof(addr));
		a->ret->where = d->ifindex;
		return 0;
	}
	return err_set(e, -EHOSTUNREACH, "no-uplink", "probe",
		       "this host has no default route: no way in from outside is known");
}

static uint16_t random_port(void)
{
	uint16_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != (ssize_t)sizeof(n))
		n = (uint16_t)clock();
	return (uint16_t)(0x8000 | n);
}

/* Bytes behind the headers that make an IP packet of @p->size bytes. */
static size_t payload_len(const struct probe *p)
{
	size_t headers = (p->family == AF_INET ? 20u : 40u) + (p->kind == CRAFT_TCP ? 20u : 8u);

	return p->size > headers ? p->size - headers : 0;
}

static int make(struct making *a, struct err *e)
{
	const struct probe *p = a->p;
	int r;

	a->ret->frame = (struct craft){
		.kind = p->kind,
		.family = p->family,
		.sport = random_port(),
		.dport = p->kind == CRAFT_ECHO ? 1 : p->port,
		.ip_id = random_port(),
		.ttl = TTL,
		.tcp_flags = TCP_SYN,
		.tcp_seq = (uint32_t)random_port() << 16,
		.df = p->df,
		.payload_len = payload_len(p),
	};
	memcpy(a->ret->frame.dst, p->dst, sizeof(a->ret->frame.dst));
	if (p->from_outside)
		return outside(a, e);
	a->ret->where = a->s->ports[0];
	r = guest_source(a, e);
	if (r < 0)
		return r;
	if (p->kind == CRAFT_ARP_REQUEST) {
		memset(a->ret->frame.eth_dst.b, 0xff, sizeof(a->ret->frame.eth_dst.b));
		return 0;
	}
	return next_hop(a, e);
}

int probe_request_make(struct subject *s, const struct probe *p, struct probe_request *ret,
		       struct err *e)
{
	struct probe_request made = {0};
	struct making a = {.s = s, .p = p, .ret = &made};
	int r = make(&a, e);

	if (r == 0)
		*ret = made;
	return r;
}

bool probe_is_guests(const struct subject *s, int ifindex)
{
	for (size_t i = 0; i < s->n_ports; i++)
		if (s->ports[i] == ifindex)
			return true;
	return false;
}

/* The host has @addr in a network of its own on the bridge that @port is a port of. */
static bool is_neighbour_at(const struct path_view *v, int port, int family, const uint8_t *addr)
{
	const struct path_device *d = path_device_find(v, port);
	unsigned int bits = family == AF_INET ? 32 : 128;

	for (size_t i = 0; i < v->n_locals && d && d->master; i++) {
		const struct path_address *l = &v->locals[i];

		if (l->family == family && l->ifindex == d->master && l->len < bits &&
		    address_in(l->addr, l->len, addr))
			return true;
	}
	return false;
}

bool probe_answer_directly(const struct subject *s, const struct probe_request *request, int at,
			   struct craft *reply)
{
	const struct craft *c = &request->frame;
	size_t len = c->family == AF_INET ? 4 : 16;

	if (!probe_is_guests(s, request->where) || c->kind == CRAFT_ARP_REQUEST ||
	    memcmp(reply->dst, c->src, len) != 0 ||
	    !is_neighbour_at(&s->view, at, c->family, reply->dst))
		return true;
	reply->eth_dst = c->eth_src;
	return !probe_is_guests(s, at);
}

bool probe_is_from_asked(const struct subject *s, const struct probe_request *request,
			 const struct path_seen *seen)
{
	const struct craft *c = &request->frame;
	size_t len = c->family == AF_INET ? 4 : 16;

	if (!probe_is_guests(s, request->where) || (c->kind != CRAFT_UDP && c->kind != CRAFT_TCP) ||
	    seen->l4 != (c->kind == CRAFT_TCP ? IPPROTO_TCP : IPPROTO_UDP))
		return true;
	return memcmp(seen->src, c->dst, len) == 0 && seen->sport == c->dport;
}

struct craft probe_answer(const struct craft *request, const struct path_seen *seen)
{
	struct craft c = *request;

	memcpy(c.eth_src.b, seen->dmac, sizeof(c.eth_src.b));
	memcpy(c.eth_dst.b, seen->smac, sizeof(c.eth_dst.b));
	memcpy(c.src, seen->dst, sizeof(c.src));
	memcpy(c.dst, seen->src, sizeof(c.dst));
	c.payload_len = 0;
	c.ip_id = random_port();
	if (c.kind == CRAFT_ECHO) {
		c.kind = CRAFT_ECHO_REPLY;
		c.sport = seen->sport;
		return c;
	}
	c.sport = seen->dport;
	c.dport = seen->sport;
	c.tcp_flags = TCP_SYN | TCP_ACK;
	c.tcp_ack = request->tcp_seq + 1;
	return c;
}

/* Its first byte tells that it is a probe's; the rest is random. */
uint32_t probe_mark(void)
{
	return injector_mark(random_port());
}
