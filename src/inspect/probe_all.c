/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_all.c - the questions of probe_all.h, in the order in which a guest that starts would ask them:
 * what one finds (an address, a gateway, a resolver) the next ones use. Each is a function of the table
 * at the end.
 */
#include "inspect/probe_all.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "api/client.h"
#include "inspect/diagnosing.h"
#include "inspect/ear.h"
#include "inspect/probe_request.h"
#include "wire/answer.h"

#define HTTPS 443
#define DNS 53
#define DNS_NAME "example.com" /* RFC 2606: it is always there */
#define ND_RS 133
#define ND_NS 135
#define ND_OPT_SOURCE 1
#define ND_HOP_LIMIT 255
#define WIRE_MIN_SIZE 28

/**
 * struct network - what the guest is plugged into
 * @bridge:	ifindex, @bridge_name and @mtu of its bridge; 0: none
 * @known:	it is ours, and the daemon tells of it
 * @isolated, @dhcp, @ipv6: of ours, and @ipv6 of others: the bridge has an address
 */
struct network {
	int bridge;
	char bridge_name[IFNAMSIZ];
	uint32_t mtu;
	bool known;
	bool isolated;
	bool dhcp;
	bool ipv6;
};

/**
 * struct all - the questions under way
 * @check:	the one that is
 * @ear:	at the guest's port
 * @wanted:	what answers are looked for; @got: there was one, @answer
 * @only_offered: the guest's address is the one that DHCP offers
 * @gateway:	when @has_gateway; @gateway_here: it is this host
 * @resolver:	when @has_resolver
 * @router:	when @has_router: who sent router advertisements
 * @guest6:	when @has_guest6: the guest's own address, or the one that it would make
 */
struct all {
	struct subject *s;
	const struct probe_all_options *o;
	struct diagnosing *diagnosing;
	struct network net;
	struct check check;
	struct ear *ear;
	bool (*wanted)(const struct all *a, const struct answer *x);
	bool got;
	struct answer answer;
	uint32_t nonce;
	bool only_offered;
	bool has_gateway;
	bool gateway_here;
	struct in_addr gateway;
	bool has_resolver;
	struct in_addr resolver;
	bool has_router;
	struct in6_addr router;
	bool has_guest6;
	struct in6_addr guest6;
};

const char *check_state_name(enum check_state s)
{
	static const char *const names[] = {"not tried", "pass", "fail"};

	return names[s];
}

static void __printf(3, 4) came_out(struct all *a, enum check_state state, const char *fmt, ...)
{
	va_list ap;

	a->check.state = state;
	va_start(ap, fmt);
	vsnprintf(a->check.text, sizeof(a->check.text), fmt, ap);
	va_end(ap);
}

/* ---- asking ---- */

static bool on_journey(const struct journey *j, const struct tracing *t, bool reply, void *ctx)
{
	struct all *a = ctx;
	struct diagnosis d;

	if (!diagnosing_journey(a->diagnosing, j, tracing_words(t), &d))
		return false;
	if (!a->check.explained)
		a->check.why = d;
	a->check.explained = true;
	return true;
}

static void on_judged(int ifindex, const struct egress_judgement *j, bool reply, void *ctx)
{
	struct all *a = ctx;
	char name[IFNAMSIZ];
	struct egress_filter f = {
		.dev = device_name(&a->s->view, ifindex, name),
		.what = j->what,
		.pref = j->pref,
		.why = j->verdict == EGRESS_UNKNOWN ? j->why : NULL,
	};

	if (!a->check.explained)
		diagnose_egress(&f, &a->check.why);
	a->check.explained = true;
}

static bool take_answer(const struct answer *x, void *ctx)
{
	struct all *a = ctx;

	if (!a->wanted(a, x))
		return false;
	a->answer = *x;
	a->got = true;
	return true;
}

static bool is_answered(void *ctx)
{
	struct all *a = ctx;

	return a->got || ear_listen(a->ear, take_answer, a);
}

/* What cannot be asked is not tried, and says why. */
static bool run(struct all *a, struct probe *p, enum probe_answer *ret)
{
	struct err e = {0};
	int r;

	p->judged = on_judged;
	r = probe_run(a->s, p, on_journey, a, ret, &e);
	if (r < 0)
		came_out(a, CHECK_NOT_TRIED, "%s", e.message);
	return r == 0;
}

/* There and back: @what is asked, in words. */
static void ask(struct all *a, struct probe *p, const char *what)
{
	enum probe_answer answer = PROBE_NO_WAY;

	p->send = a->o->send;
	if (!run(a, p, &answer))
		return;
	switch (answer) {
	case PROBE_REACHABLE:
		came_out(a, CHECK_PASSED, "%s", what);
		break;
	case PROBE_NO_WAY_BACK:
		came_out(a, CHECK_FAILED, "%s: it gets there, the reply does not get back", what);
		break;
	case PROBE_NOT_KNOWN:
		came_out(a, CHECK_NOT_TRIED, "%s: %s", what, a->check.why.cause);
		break;
	default:
		came_out(a, CHECK_FAILED, "%s: it does not get there", what);
	}
}

/* The frame @request is sent, and an answer that is @wanted looked for at the port: whether it came. */
static bool ask_for_answer(struct all *a, const struct probe_request *request,
			   bool (*wanted)(const struct all *a, const struct answer *x))
{
	struct probe p = {
		.family = request->frame.family,
		.send = a->o->send,
		.request = request,
		.one_way = true,
		.wake_fd = ear_fd(a->ear),
		.done = is_answered,
	};
	enum probe_answer answer;

	a->got = false;
	a->wanted = wanted;
	ear_clear(a->ear);
	if (!run(a, &p, &answer))
		return false;
	/* What happened on the way to an answer is no matter: a server may see it before a firewall. */
	if (a->got)
		a->check.explained = false;
	return a->got;
}

/* ---- IPv4 ---- */

static const struct path_address *guest_addr(const struct all *a, int family)
{
	for (size_t i = 0; i < a->s->n_addrs; i++)
		if (a->s->addrs[i].family == family)
			return &a->s->addrs[i];
	return NULL;
}

static bool is_hosts(const struct all *a, struct in_addr addr)
{
	for (size_t i = 0; i < a->s->view.n_locals; i++)
		if (a->s->locals[i].family == AF_INET &&
		    memcmp(a->s->locals[i].addr, &addr, sizeof(addr)) == 0)
			return true;
	return false;
}

/* From the guest's port, by its MAC. */
static struct probe_request from_guest(const struct all *a, enum craft_kind kind, int family)
{
	struct probe_request r = {
		.frame = {.kind = kind, .family = family, .eth_src = a->s->mac, .ttl = 64},
		.where = a->s->ports[0],
	};

	r.frame.ip_id = (uint16_t)(a->nonce >> 16);
	return r;
}

static bool is_offer(const struct all *a, const struct answer *x)
{
	return x->kind == ANSWER_DHCP && x->dhcp.xid == a->nonce && x->dhcp.type == DHCP4_OFFER;
}

static void take_offer(struct all *a)
{
	const struct dhcp4_msg *m = &a->answer.dhcp;
	char addr[IP4_STRLEN], server[IP4_STRLEN];

	if (m->router.s_addr) {
		a->gateway = m->router;
		a->has_gateway = true;
	}
	if (m->n_dns) {
		a->resolver = m->dns[0];
		a->has_resolver = true;
	}
	if (!guest_addr(a, AF_INET) && a->s->n_addrs < PATH_ADDRS_MAX) {
		a->s->addrs[a->s->n_addrs] = (struct path_address){.family = AF_INET};
		memcpy(a->s->addrs[a->s->n_addrs++].addr, &m->yiaddr, sizeof(m->yiaddr));
		a->only_offered = true;
	}
	came_out(a, CHECK_PASSED, "%s is offered by %s", ip4_format(m->yiaddr, addr),
		 ip4_format(a->answer.addr, server));
}

/* Somebody of this host listens for DHCP requests: a line of /proc/net/udp says so. */
static bool host_serves_dhcp(void)
{
	FILE *f = fopen("/proc/net/udp", "re");
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = strstr(line, ":0043 00000000:0000");
	if (f)
		fclose(f);
	return found;
}

static void check_dhcp(struct all *a)
{
	struct probe_request r = from_guest(a, CRAFT_UDP, AF_INET);
	struct dhcp4_msg m = {
		.op = 1,
		.xid = a->nonce,
		.chaddr = a->s->mac,
		.type = DHCP4_DISCOVER,
		.params = {1, 3, 6},
		.n_params = 3,
		.vendor_class = DHCP4_PROBE_CLASS,
	};
	uint8_t bytes[DHCP4_MSG_MAX];
	int len = dhcp4_build(&m, bytes, sizeof(bytes));

	if (a->net.known && !a->net.dhcp) {
		came_out(a, CHECK_NOT_TRIED, "the network has no DHCP");
		return;
	}
	memset(r.frame.eth_dst.b, 0xff, sizeof(r.frame.eth_dst.b));
	memset(r.frame.dst, 0xff, 4);
	r.frame.sport = DHCP4_CLIENT_PORT;
	r.frame.dport = DHCP4_SERVER_PORT;
	r.frame.payload = bytes;
	r.frame.payload_len = len > 0 ? (size_t)len : 0;
	came_out(a, CHECK_FAILED, "no DHCP server makes an offer");
	if (ask_for_answer(a, &r, is_offer)) {
		take_offer(a);
		return;
	}
	/* That the host's own sockets have no use for it says nothing. */
	if (a->check.explained && (strcmp(a->check.why.code, "unknown") == 0 ||
				   strcmp(a->check.why.code, "no-listener") == 0))
		a->check.explained = false;
	if (a->check.state == CHECK_FAILED && !a->net.known && !a->o->send && !a->check.explained &&
	    !host_serves_dhcp())
		came_out(a, CHECK_NOT_TRIED,
			 "no server of this host serves DHCP; one of the LAN is asked with --send");
}

/* The LAN's router where the bridge has a default route, else an address of the host's there. */
static void find_gateway(struct all *a)
{
	const struct path_address *guest = guest_addr(a, AF_INET);

	if (!a->has_gateway)
		a->has_gateway = subject_gateway(a->net.bridge_name, &a->gateway, NULL) == 0;
	for (size_t i = 0; i < a->s->view.n_locals && !a->has_gateway; i++) {
		const struct path_address *l = &a->s->locals[i];
		struct ip4_prefix net = {.len = l->len};
		struct in_addr addr;

		if (l->family != AF_INET || l->ifindex != a->net.bridge)
			continue;
		memcpy(&net.addr, l->addr, sizeof(net.addr));
		if (guest)
			memcpy(&addr, guest->addr, sizeof(addr));
		if (guest && !ip4_in(&net, addr))
			continue;
		a->gateway = net.addr;
		a->has_gateway = true;
	}
	a->gateway_here = a->has_gateway && is_hosts(a, a->gateway);
}

static bool is_arp_of_gateway(const struct all *a, const struct answer *x)
{
	return x->kind == ANSWER_ARP && ip4_equal(x->addr, a->gateway);
}

static bool need_gateway(struct all *a)
{
	if (!a->has_gateway)
		came_out(a, CHECK_NOT_TRIED, "which router the guest has is not known here");
	return a->has_gateway;
}

static bool need_address(struct all *a)
{
	bool has = guest_addr(a, AF_INET);

	if (!has)
		came_out(a, CHECK_NOT_TRIED,
			 "the guest's address is not known: name it with --source");
	return has;
}

static void check_arp(struct all *a)
{
	struct probe_request r = from_guest(a, CRAFT_ARP_REQUEST, AF_INET);
	char gateway[IP4_STRLEN], mac[MAC_STRLEN], what[96];
	struct probe p = {.kind = CRAFT_ARP_REQUEST, .family = AF_INET};

	find_gateway(a);
	if (!need_gateway(a) || !need_address(a))
		return;
	ip4_format(a->gateway, gateway);
	if (!a->gateway_here && !a->o->send) {
		memcpy(p.dst, &a->gateway, sizeof(a->gateway));
		snprintf(what, sizeof(what), "the question for %s gets to the LAN", gateway);
		ask(a, &p, what);
		return;
	}
	memset(r.frame.eth_dst.b, 0xff, sizeof(r.frame.eth_dst.b));
	memcpy(r.frame.src, guest_addr(a, AF_INET)->addr, 4);
	memcpy(r.frame.dst, &a->gateway, 4);
	came_out(a, CHECK_FAILED, "%s does not answer ARP", gateway);
	if (ask_for_answer(a, &r, is_arp_of_gateway))
		came_out(a, CHECK_PASSED, "%s is at %s", gateway, mac_format(&a->answer.mac, mac));
}

static bool is_dns(const struct all *a, const struct answer *x)
{
	return x->kind == ANSWER_DNS && x->dns_id == (uint16_t)a->nonce;
}

static void check_dns(struct all *a)
{
	struct probe p = {.kind = CRAFT_UDP, .family = AF_INET, .port = DNS, .send = a->o->send};
	char resolver[IP4_STRLEN], what[64];
	struct probe_request r;
	struct err e = {0};
	uint8_t query[512];
	int len = dns_query_build((uint16_t)a->nonce, DNS_NAME, query, sizeof(query));

	if (!a->has_resolver) {
		came_out(a, CHECK_NOT_TRIED,
			 "which resolver the guest has is not known: no offer "
			 "tells of one");
		return;
	}
	memcpy(p.dst, &a->resolver, sizeof(a->resolver));
	if (probe_request_make(a->s, &p, &r, &e) < 0) {
		came_out(a, CHECK_NOT_TRIED, "%s", e.message);
		return;
	}
	r.frame.payload = query;
	r.frame.payload_len = len > 0 ? (size_t)len : 0;
	ip4_format(a->resolver, resolver);
	if (!is_hosts(a, a->resolver) && !a->o->send) {
		snprintf(what, sizeof(what), "udp %s:%d", resolver, DNS);
		p.request = &r;
		ask(a, &p, what);
		return;
	}
	came_out(a, CHECK_FAILED, "%s does not answer", resolver);
	if (ask_for_answer(a, &r, is_dns))
		came_out(a, CHECK_PASSED, "%s answers (%s)", resolver,
			 dns_code_name(a->answer.dns_code));
}

static void check_gateway(struct all *a)
{
	struct probe p = {.kind = CRAFT_ECHO, .family = AF_INET};
	char what[64], addr[IP4_STRLEN];

	if (!need_gateway(a))
		return;
	memcpy(p.dst, &a->gateway, sizeof(a->gateway));
	snprintf(what, sizeof(what), "icmp %s", ip4_format(a->gateway, addr));
	ask(a, &p, what);
}

static bool need_outside(struct all *a)
{
	if (a->net.isolated)
		came_out(a, CHECK_NOT_TRIED, "the network is isolated");
	return !a->net.isolated;
}

static void ask_outside(struct all *a, struct probe *p, const char *fmt)
{
	char what[96], addr[IP4_STRLEN];

	if (!need_outside(a))
		return;
	p->family = AF_INET;
	memcpy(p->dst, &a->o->outside, sizeof(a->o->outside));
	snprintf(what, sizeof(what), "%s %s", fmt, ip4_format(a->o->outside, addr));
	ask(a, p, what);
}

static void check_ping(struct all *a)
{
	struct probe p = {.kind = CRAFT_ECHO};

	ask_outside(a, &p, "icmp");
}

static void check_https(struct all *a)
{
	struct probe p = {.kind = CRAFT_TCP, .port = HTTPS};

	ask_outside(a, &p, "tcp port 443 of");
}

static void check_mtu(struct all *a)
{
	struct probe p = {.kind = CRAFT_ECHO, .size = a->net.mtu, .df = true};
	char what[48];

	if (a->net.mtu < WIRE_MIN_SIZE) {
		came_out(a, CHECK_NOT_TRIED, "the network's MTU is not known");
		return;
	}
	snprintf(what, sizeof(what), "%u bytes, unfragmented, icmp", a->net.mtu);
	ask_outside(a, &p, what);
}

/* ---- IPv6 ---- */

static bool need_ipv6(struct all *a)
{
	if (!a->net.ipv6)
		came_out(a, CHECK_NOT_TRIED, "the network has no IPv6");
	return a->net.ipv6;
}

/* A message to group @group, with the guest's MAC in an option at the end (RFC 4861 4.6.1). */
static struct probe_request solicitation(const struct all *a, uint8_t type,
					 const struct in6_addr *group, void *option)
{
	struct probe_request r = from_guest(a, CRAFT_ICMP, AF_INET6);
	struct in6_addr src = ip6_linklocal(&a->s->mac);
	uint8_t *o = option;

	r.frame.icmp_type = type;
	r.frame.ttl = ND_HOP_LIMIT;
	memcpy(r.frame.src, &src, sizeof(src));
	memcpy(r.frame.dst, group, sizeof(*group));
	r.frame.eth_dst = (struct mac){{0x33, 0x33, group->s6_addr[12], group->s6_addr[13],
					group->s6_addr[14], group->s6_addr[15]}};
	o[0] = ND_OPT_SOURCE;
	o[1] = 1;
	memcpy(o + 2, a->s->mac.b, sizeof(a->s->mac.b));
	return r;
}

static bool is_ra(const struct all *a, const struct answer *x)
{
	return x->kind == ANSWER_RA && x->router;
}

static void take_ra(struct all *a)
{
	const struct path_address *known = guest_addr(a, AF_INET6);
	char router[IP6_STRLEN], prefix[IP6_PREFIX_STRLEN];

	a->router = a->answer.addr6;
	a->has_router = true;
	a->has_guest6 = a->answer.prefix.len == 64 || known;
	if (a->answer.prefix.len == 64)
		a->guest6 = ip6_from_mac(&a->answer.prefix, &a->s->mac);
	else if (known)
		memcpy(&a->guest6, known->addr, sizeof(a->guest6));
	came_out(a, CHECK_PASSED, "router %s, %s", ip6_format(&a->router, router),
		 a->answer.prefix.len ? ip6_prefix_format(&a->answer.prefix, prefix) : "no prefix");
}

static void check_ra(struct all *a)
{
	static const struct in6_addr all_routers = {{{0xff, 0x02, [15] = 2}}};
	struct probe_request r;
	uint8_t option[8];

	if (!need_ipv6(a))
		return;
	r = solicitation(a, ND_RS, &all_routers, option);
	r.frame.payload = option;
	r.frame.payload_len = sizeof(option);
	came_out(a, CHECK_FAILED, "no router advertises itself");
	if (ask_for_answer(a, &r, is_ra))
		take_ra(a);
	else if (a->check.state == CHECK_FAILED && !a->net.known && !a->o->send &&
		 !a->check.explained)
		came_out(a, CHECK_NOT_TRIED,
			 "no router of this host; one of the LAN is asked with --send");
}

static bool is_na(const struct all *a, const struct answer *x)
{
	return x->kind == ANSWER_NA && ip6_equal(&x->addr6, &a->router);
}

static void check_nd(struct all *a)
{
	struct in6_addr group = {{{0xff, 0x02, [11] = 1, [12] = 0xff}}}; /* RFC 4291 2.7.1 */
	struct {
		struct in6_addr target;
		uint8_t option[8];
	} body;
	struct probe_request r;
	char router[IP6_STRLEN], mac[MAC_STRLEN];

	if (!need_ipv6(a))
		return;
	if (!a->has_router) {
		came_out(a, CHECK_NOT_TRIED, "no router is known");
		return;
	}
	memcpy(&group.s6_addr[13], &a->router.s6_addr[13], 3);
	body.target = a->router;
	r = solicitation(a, ND_NS, &group, body.option);
	r.frame.payload = &body;
	r.frame.payload_len = sizeof(body);
	ip6_format(&a->router, router);
	came_out(a, CHECK_FAILED, "%s does not answer neighbour solicitations", router);
	if (ask_for_answer(a, &r, is_na))
		came_out(a, CHECK_PASSED, "%s is at %s", router, mac_format(&a->answer.mac, mac));
}

static void check_ping6(struct all *a)
{
	struct probe p = {.kind = CRAFT_ECHO, .family = AF_INET6, .has_src = true};
	char what[64], addr[IP6_STRLEN];

	if (!need_ipv6(a) || !need_outside(a))
		return;
	if (!a->has_guest6) {
		came_out(a, CHECK_NOT_TRIED, "which IPv6 address the guest has is not known");
		return;
	}
	memcpy(p.src, &a->guest6, sizeof(a->guest6));
	memcpy(p.dst, &a->o->outside6, sizeof(a->o->outside6));
	snprintf(what, sizeof(what), "icmp %s", ip6_format(&a->o->outside6, addr));
	ask(a, &p, what);
}

/* ---- the network, and the table ---- */

static bool bridge_has_ipv6(const struct all *a)
{
	for (size_t i = 0; i < a->s->view.n_locals; i++) {
		const struct path_address *l = &a->s->locals[i];
		struct in6_addr addr;

		memcpy(&addr, l->addr, sizeof(addr));
		if (l->family == AF_INET6 && l->ifindex == a->net.bridge &&
		    !ip6_is_linklocal(&addr))
			return true;
	}
	return false;
}

/* What only the daemon knows of its network @name. */
static void ask_daemon(struct all *a, const char *name)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	char path[256];
	json_t *j = NULL;
	const char *mode;

	snprintf(path, sizeof(path), "/v1/networks/%s", name);
	if (errs && a->o->socket && api_call(a->o->socket, "GET", path, NULL, &j, errs) == 0) {
		mode = json_string_value(json_object_get(j, "mode"));
		a->net.known = mode && strcmp(mode, "bridged") != 0;
		a->net.isolated = mode && strcmp(mode, "isolated") == 0;
		a->net.dhcp = json_is_object(json_object_get(j, "dhcp"));
	}
	json_decref(j);
	free(errs);
}

static int find_network(struct all *a, struct err *e)
{
	const struct path_device *port = path_device_find(&a->s->view, a->s->ports[0]);
	struct link_state bridge;
	struct rtnl *rtnl;
	int r;

	if (!port || !port->master)
		return 0;
	r = rtnl_new(&rtnl);
	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = rtnl_link_get(rtnl, NULL, port->master, &bridge, e);
	rtnl_free(rtnl);
	if (r < 0)
		return r;
	a->net.bridge = bridge.ifindex;
	a->net.mtu = bridge.mtu;
	memcpy(a->net.bridge_name, bridge.name, sizeof(a->net.bridge_name));
	a->net.ipv6 = bridge_has_ipv6(a);
	if (strncmp(bridge.alias, ALIAS_NETWORK, strlen(ALIAS_NETWORK)) == 0)
		ask_daemon(a, bridge.alias + strlen(ALIAS_NETWORK));
	return 0;
}

static void check_port(struct all *a)
{
	char buf[IFNAMSIZ];
	const char *name = device_name(&a->s->view, a->s->ports[0], buf);

	if (diagnosing_port(a->diagnosing, a->s->ports[0], &a->check.why)) {
		a->check.explained = true;
		came_out(a, CHECK_FAILED, "nothing gets in by %s", name);
		return;
	}
	came_out(a, CHECK_PASSED, "%s of %s", name, a->net.bridge_name);
}

static const struct {
	const char *name;
	void (*run)(struct all *a);
} checks[] = {
	{"port", check_port},	{"dhcp", check_dhcp},	    {"arp", check_arp},
	{"dns", check_dns},	{"gateway", check_gateway}, {"ping", check_ping},
	{"https", check_https}, {"mtu", check_mtu},	    {"ra", check_ra},
	{"nd", check_nd},	{"ping6", check_ping6},
};

/* Without these nothing can be asked in the guest's name. */
static const char *in_the_way(const struct all *a, bool shut)
{
	if (shut)
		return "the port is shut";
	if (!a->s->has_mac)
		return "the guest's MAC is not known: name it with --mac";
	return NULL;
}

/* What is asked in the name of an address that is offered, and not leased yet, says nothing of the way. */
static void judge_offered(struct all *a)
{
	if (!a->only_offered || a->check.state != CHECK_FAILED || !a->check.explained ||
	    strcmp(a->check.why.code, "guard") != 0)
		return;
	came_out(a, CHECK_NOT_TRIED,
		 "the guest has no address yet; its guards let it send as the one that is offered "
		 "once it has taken it");
}

static void run_all(struct all *a, check_fn fn, void *ctx, unsigned int *ret)
{
	bool shut = false;

	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		const char *why = i ? in_the_way(a, shut) : NULL;

		a->check = (struct check){.name = checks[i].name};
		if (why)
			came_out(a, CHECK_NOT_TRIED, "%s", why);
		else
			checks[i].run(a);
		judge_offered(a);
		shut |= i == 0 && a->check.state == CHECK_FAILED;
		a->check.explained &= a->check.state == CHECK_FAILED;
		ret[a->check.state]++;
		fn(&a->check, ctx);
	}
}

int probe_all(struct subject *s, const struct probe_all_options *o, check_fn fn, void *ctx,
	      unsigned int ret[static CHECK_FAILED + 1], struct err *e)
{
	struct all a = {.s = s, .o = o};
	unsigned int count[CHECK_FAILED + 1] = {0};
	int r = find_network(&a, e);

	if (r == 0 && getrandom(&a.nonce, sizeof(a.nonce), 0) < 0)
		r = err_set(e, -errno, "kernel", "probe", "%s", strerror(errno));
	if (r == 0)
		r = ear_open(s->ports[0], &a.ear, e);
	if (r == 0) {
		r = diagnosing_new(s, o->socket, true, &a.diagnosing);
		if (r < 0)
			err_set(e, r, "memory", "probe", "out of memory");
	}
	if (r == 0) {
		if (o->has_source) {
			s->addrs[0] = (struct path_address){.family = AF_INET};
			memcpy(s->addrs[0].addr, &o->source, sizeof(o->source));
			s->n_addrs = s->n_addrs ? s->n_addrs : 1;
		}
		run_all(&a, fn, ctx, count);
		memcpy(ret, count, sizeof(count));
	}
	diagnosing_free(a.diagnosing);
	ear_close(a.ear);
	return r;
}
