/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decide.c - the DHCPv4 server's mind (RFC 2131 section 4.3), see decide.h.
 *
 * Which address a guest may have is pool.c's business; here is what is answered. Next on the walk:
 * server.c makes the change durable and sends the reply.
 *
 * How a REQUEST is told apart (RFC 2131 section 4.3.2, table 4):
 *
 *              | SELECTING  | INIT-REBOOT | RENEWING | REBINDING
 *   sent by    | broadcast  | broadcast   | unicast  | broadcast
 *   server id  | MUST       | MUST NOT    | MUST NOT | MUST NOT
 *   requested  | MUST       | MUST        | MUST NOT | MUST NOT
 *   ciaddr     | zero       | zero        | its own  | its own
 *
 * RENEWING and REBINDING get the same answer. We are the only server of the network: what we do
 * not know but could have leased is granted (our memory of it may be lost), all else is refused.
 */
#include "lease/decide.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "lease/pool.h"

#define OP_REQUEST 1
#define OP_REPLY 2

/* struct decider - one call of lease_decide() */
struct decider {
	const struct lease_config *cfg;
	const struct lease_table *t;
	int64_t now_s;
	const struct mac *eth_src;
	const struct dhcp4_msg *req;
	struct lease_decision *ret;
};

static struct in_addr server_id(const struct decider *d)
{
	return d->cfg->network->gateway;
}

/* Is the message meant for a server that is not us? */
static bool for_another(const struct decider *d)
{
	return d->req->server_id.s_addr && !ip4_equal(d->req->server_id, server_id(d));
}

static void ignore(struct decider *d, const char *why)
{
	d->ret->why = why;
}

/* Where to send a reply: RFC 2131 section 4.1. */
static void address_reply(const struct decider *d)
{
	const struct dhcp4_msg *req = d->req;
	struct lease_decision *ret = d->ret;

	ret->eth_dst = req->chaddr;
	ret->dst_port = DHCP4_CLIENT_PORT;
	if (req->giaddr.s_addr) {
		ret->eth_dst = *d->eth_src;
		ret->dst_ip = req->giaddr;
		ret->dst_port = DHCP4_SERVER_PORT;
	} else if (ret->msg.type != DHCP4_NAK && pool_host_ok(d->cfg, req->ciaddr)) {
		ret->dst_ip = req->ciaddr;
	} else if (ret->msg.type == DHCP4_NAK || req->broadcast) {
		memset(ret->eth_dst.b, 0xff, sizeof(ret->eth_dst.b));
		ret->dst_ip.s_addr = INADDR_BROADCAST;
	} else {
		ret->dst_ip = ret->msg.yiaddr;
	}
}

/* What all replies have: RFC 2131 table 3, RFC 3046 section 2.2, RFC 6842 section 3. */
static void reply_init(struct decider *d, enum dhcp4_type type, const char *why)
{
	const struct dhcp4_msg *req = d->req;
	struct dhcp4_msg *m = &d->ret->msg;

	d->ret->reply = true;
	d->ret->why = why;
	m->op = OP_REPLY;
	m->type = type;
	m->xid = req->xid;
	m->broadcast = req->broadcast;
	m->giaddr = req->giaddr;
	m->chaddr = req->chaddr;
	m->server_id = server_id(d);
	m->max_size = req->max_size;
	m->client_id_len = req->client_id_len;
	memcpy(m->client_id, req->client_id, req->client_id_len);
	m->agent_info_len = req->agent_info_len;
	memcpy(m->agent_info, req->agent_info, req->agent_info_len);
}

/* A guest's name may have '_', which a host name must not (RFC 1123 section 2.1). */
static void set_hostname(struct dhcp4_msg *m, const char *name)
{
	snprintf(m->hostname, sizeof(m->hostname), "%s", name);
	for (char *p = m->hostname; *p; p++) {
		if (*p == '_')
			*p = '-';
	}
}

/* What every guest of the network is told: OFFER, and ACK to REQUEST and INFORM. */
static void reply_network(struct decider *d)
{
	struct pool_guest guest = pool_guest_find(d->cfg, &d->req->chaddr);
	const struct network_config *net = d->cfg->network;
	struct dhcp4_msg *m = &d->ret->msg;

	m->mask = ip4_from_host(ip4_mask_host(net->subnet.len));
	if (net->mode != NETWORK_ISOLATED) /* there the gateway leads nowhere */
		m->router = net->gateway;
	m->broadcast_addr = ip4_broadcast(&net->subnet);
	m->n_dns = size_min(d->cfg->n_dns, DHCP4_DNS_MAX);
	memcpy(m->dns, d->cfg->dns, m->n_dns * sizeof(m->dns[0]));
	m->mtu = d->cfg->mtu;
	snprintf(m->domain, sizeof(m->domain), "%s", net->domain);
	if (guest.name)
		set_hostname(m, guest.name);
}

static uint32_t lease_time(const struct decider *d)
{
	uint32_t s = d->cfg->network->lease_s;

	return s > LEASE_MIN_S ? s : LEASE_MIN_S;
}

/* RFC 2131 section 4.4.5: T1 is half of the lease, T2 seven eighths. */
static void reply_lease(struct decider *d, struct in_addr addr)
{
	struct dhcp4_msg *m = &d->ret->msg;

	m->yiaddr = addr;
	m->lease_s = lease_time(d);
	m->renew_s = m->lease_s / 2;
	m->rebind_s = (uint32_t)((uint64_t)m->lease_s * 7 / 8);
}

static void set_lease(struct decider *d, struct in_addr addr, enum lease_state state,
		      int64_t expires_s)
{
	const struct lease *before = lease_find_mac(d->t, &d->req->chaddr);
	const struct dhcp4_msg *req = d->req;
	struct lease *l = &d->ret->lease;

	d->ret->change = LEASE_SET;
	l->addr = addr;
	l->mac = req->chaddr;
	l->state = state;
	l->expires_s = expires_s;
	l->client_id_len = req->client_id_len;
	memcpy(l->client_id, req->client_id, req->client_id_len);
	if (req->hostname[0])
		memcpy(l->hostname, req->hostname, sizeof(l->hostname));
	else if (before) /* a renewal need not repeat it */
		memcpy(l->hostname, before->hostname, sizeof(l->hostname));
}

static void forget(struct decider *d, const struct lease *l)
{
	d->ret->change = LEASE_FORGET;
	d->ret->lease = *l;
}

static bool may_have(const struct decider *d, struct in_addr addr)
{
	return !pool_refuses(d->cfg, d->t, d->now_s, &d->req->chaddr, addr);
}

/*
 * The address to offer, in the order of RFC 2131 section 4.3.1 with fixed addresses first. NULL
 * and @ret set, or why there is none.
 */
static const char *choose(const struct decider *d, struct in_addr *ret)
{
	const struct lease *l = lease_find_mac(d->t, &d->req->chaddr);
	struct in_addr wishes[] = {
		pool_guest_find(d->cfg, &d->req->chaddr).fixed,
		l ? l->addr : (struct in_addr){0},
		d->req->requested,
	};
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(wishes); i++) {
		if (wishes[i].s_addr && may_have(d, wishes[i])) {
			*ret = wishes[i];
			return NULL;
		}
	}
	r = pool_pick(d->cfg, d->t, d->now_s, &d->req->chaddr, ret);
	if (r < 0)
		return r == -ENOMEM ? "out of memory" : "no free address";
	return NULL;
}

/*
 * A relay speaks for others, and any guest can say that it is one: its word may get a lease, but not
 * end one.
 */
static bool may_end(const struct decider *d, const struct lease *l)
{
	return !d->req->giaddr.s_addr || !lease_live(l, d->now_s);
}

static void on_discover(struct decider *d)
{
	const struct lease *l = lease_find_mac(d->t, &d->req->chaddr);
	struct in_addr addr;
	const char *none = choose(d, &addr);

	if (!none && l && !ip4_equal(l->addr, addr) && !may_end(d, l))
		none = "a relay cannot end a lease";
	if (none) {
		ignore(d, none);
		return;
	}
	reply_init(d, DHCP4_OFFER, "offer");
	reply_lease(d, addr);
	reply_network(d);
	address_reply(d);
	if (dhcp4_is_probe(d->req))
		return; /* nothing is held for who only asks */
	/* A lease in force is not cut down to an offer, but it is held as long as one. */
	if (!l || !ip4_equal(l->addr, addr) || l->state != LEASE_BOUND || !lease_live(l, d->now_s))
		set_lease(d, addr, LEASE_OFFERED, d->now_s + LEASE_OFFER_S);
	else if (l->expires_s < d->now_s + LEASE_OFFER_S)
		set_lease(d, addr, LEASE_BOUND, d->now_s + LEASE_OFFER_S);
}

static void nak(struct decider *d, struct in_addr wanted, const char *why)
{
	const struct lease *l = lease_find_mac(d->t, &d->req->chaddr);
	struct dhcp4_msg *m = &d->ret->msg;

	reply_init(d, DHCP4_NAK, why);
	if (m->giaddr.s_addr) /* so that the relay broadcasts it: RFC 2131 section 4.3.2 */
		m->broadcast = true;
	snprintf(m->message, sizeof(m->message), "%s", why);
	address_reply(d);
	if (l && ip4_equal(l->addr, wanted) &&
	    may_end(d, l)) /* its holder will not use it any more */
		forget(d, l);
}

static void grant(struct decider *d, struct in_addr addr, const char *why)
{
	reply_init(d, DHCP4_ACK, why);
	d->ret->msg.ciaddr = d->req->ciaddr;
	reply_lease(d, addr);
	reply_network(d);
	address_reply(d);
	set_lease(d, addr, LEASE_BOUND, d->now_s + lease_time(d));
}

static void answer_request(struct decider *d, struct in_addr wanted, const char *why)
{
	const char *refused = pool_refuses(d->cfg, d->t, d->now_s, &d->req->chaddr, wanted);
	const struct lease *l = lease_find_mac(d->t, &d->req->chaddr);

	if (!refused && l && lease_live(l, d->now_s) && !ip4_equal(l->addr, wanted))
		refused = "another address is leased to this guest";
	if (refused)
		nak(d, wanted, refused);
	else
		grant(d, wanted, why);
}

/* An offer of ours that the client did not take is free again: RFC 2131 section 4.3.2. */
static void on_request_for_another(struct decider *d)
{
	const struct lease *l = lease_find_mac(d->t, &d->req->chaddr);

	ignore(d, "another server was chosen");
	if (l && l->state == LEASE_OFFERED && may_end(d, l))
		forget(d, l);
}

static void on_request(struct decider *d)
{
	const struct dhcp4_msg *req = d->req;

	if (for_another(d))
		on_request_for_another(d);
	else if (req->ciaddr.s_addr)
		answer_request(d, req->ciaddr, "renewed");
	else if (!req->requested.s_addr)
		ignore(d, "no address in the request");
	else
		answer_request(d, req->requested, req->server_id.s_addr ? "selected" : "rebooted");
}

/* RFC 2131 section 4.3.3 */
static void on_decline(struct decider *d)
{
	const struct lease *l = lease_find_addr(d->t, d->req->requested);
	struct lease *declined = &d->ret->lease;

	if (for_another(d)) {
		ignore(d, "for another server");
		return;
	}
	if (!l || !mac_equal(&l->mac, &d->req->chaddr)) {
		ignore(d, "declined what it does not hold");
		return;
	}
	d->ret->why = "declined";
	d->ret->change = LEASE_SET;
	declined->addr = l->addr;
	declined->state = LEASE_DECLINED;
	declined->expires_s = d->now_s + LEASE_DECLINE_S;
}

/* RFC 2131 section 4.3.4 */
static void on_release(struct decider *d)
{
	const struct lease *l = lease_find_addr(d->t, d->req->ciaddr);

	if (for_another(d)) {
		ignore(d, "for another server");
		return;
	}
	if (!l || !mac_equal(&l->mac, &d->req->chaddr) || l->state != LEASE_BOUND) {
		ignore(d, "released what it does not hold");
		return;
	}
	d->ret->why = "released";
	d->ret->change = LEASE_SET;
	d->ret->lease = *l;
	d->ret->lease.state = LEASE_RELEASED;
	if (d->ret->lease.expires_s > d->now_s)
		d->ret->lease.expires_s = d->now_s;
}

/* RFC 2131 section 4.3.5: no lease, and none is looked for. */
static void on_inform(struct decider *d)
{
	if (for_another(d)) {
		ignore(d, "for another server");
		return;
	}
	if (!pool_host_ok(d->cfg, d->req->ciaddr)) {
		ignore(d, "inform without an address of this network");
		return;
	}
	reply_init(d, DHCP4_ACK, "informed");
	d->ret->msg.ciaddr = d->req->ciaddr;
	reply_network(d);
	address_reply(d);
}

/*
 * Does the frame come from the machine it speaks for? Guests must not release, decline or move
 * each other's leases. A relay may speak for others, but RELEASE and DECLINE of a lease of this
 * network come from its holder itself.
 */
static bool in_own_name(const struct dhcp4_msg *req, const struct mac *eth_src)
{
	if (mac_equal(&req->chaddr, eth_src))
		return true;
	return req->giaddr.s_addr && req->type != DHCP4_RELEASE && req->type != DHCP4_DECLINE;
}

/* OFFER, ACK and NAK, which servers send, have no handler. */
static void (*const handlers[])(struct decider *) = {
	[DHCP4_DISCOVER] = on_discover, [DHCP4_REQUEST] = on_request, [DHCP4_DECLINE] = on_decline,
	[DHCP4_RELEASE] = on_release,	[DHCP4_INFORM] = on_inform,
};
static_assert(ARRAY_SIZE(handlers) == DHCP4_TYPE_COUNT, "a place for every message type");

void lease_decide(const struct lease_config *cfg, const struct lease_table *t, int64_t now_s,
		  const struct mac *eth_src, const struct dhcp4_msg *req,
		  struct lease_decision *ret)
{
	struct decider d = {
		.cfg = cfg, .t = t, .now_s = now_s, .eth_src = eth_src, .req = req, .ret = ret};

	memset(ret, 0, sizeof(*ret));
	if (req->op != OP_REQUEST || (size_t)req->type >= ARRAY_SIZE(handlers) ||
	    !handlers[req->type])
		ignore(&d, "not a client's message");
	else if (mac_is_zero(&req->chaddr) || mac_is_multicast(&req->chaddr))
		ignore(&d, "no usable hardware address");
	else if (!in_own_name(req, eth_src))
		ignore(&d, "sent in another's name");
	else if (req->giaddr.s_addr && !pool_host_ok(cfg, req->giaddr))
		ignore(&d, "relayed from another network");
	else
		handlers[req->type](&d);
}
