/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_dhcp.c - see demo_dhcp.h. */
#include "cli/demo_dhcp.h"

#include <errno.h>

void dhcp_note(const struct watch_event *ev, void *ctx)
{
	struct dhcp_log *log = ctx;
	const struct frame *f = &ev->frame;
	struct dhcp_seen *s;

	if (f->kind != FRAME_UDP ||
	    (f->dport != DHCP4_SERVER_PORT && f->dport != DHCP4_CLIENT_PORT))
		return;
	if (log->n == DHCP_SEEN_MAX) {
		log->missed++;
		return;
	}
	s = &log->seen[log->n];
	*s = (struct dhcp_seen){
		.time_ns = ev->time_ns,
		.eth_src = f->eth_src,
		.eth_dst = f->eth_dst,
		.src = f->src,
		.dst = f->dst,
	};
	if (dhcp4_parse(f->payload, f->payload_len, &s->msg) == 0)
		log->n++;
}

/* The exchange is the one whose ACK came last; its messages have the ACK's xid. */
static const struct dhcp_seen *find(const struct dhcp_log *log, const struct mac *mac,
				    enum dhcp4_type type, const uint32_t *xid)
{
	const struct dhcp_seen *last = NULL;

	for (size_t i = 0; i < log->n; i++) {
		const struct dhcp_seen *s = &log->seen[i];

		if (s->msg.type == type && mac_equal(&s->msg.chaddr, mac) &&
		    (!xid || s->msg.xid == *xid))
			last = s;
	}
	return last;
}

static json_t *text_mac(const struct mac *m)
{
	char text[MAC_STRLEN];

	return json_string(mac_format(m, text));
}

static json_t *text_ip(struct in_addr a)
{
	char text[IP4_STRLEN];

	return a.s_addr ? json_string(ip4_format(a, text)) : json_null();
}

static json_t *message_facts(const struct dhcp_seen *s, uint64_t start_ns)
{
	bool asks = s->msg.op == 1;

	return json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:I}", "type",
			 dhcp4_type_name(s->msg.type), "us",
			 (json_int_t)((s->time_ns - start_ns) / 1000), "eth_src",
			 text_mac(&s->eth_src), "eth_dst", text_mac(&s->eth_dst), "src",
			 text_ip(s->src), "dst", text_ip(s->dst), "address",
			 text_ip(asks ? s->msg.requested : s->msg.yiaddr), "asks", asks, "xid",
			 (json_int_t)s->msg.xid);
}

static json_t *ack_facts(const struct dhcp4_msg *m)
{
	json_t *dns = json_array();

	for (size_t i = 0; i < m->n_dns; i++)
		json_array_append_new(dns, text_ip(m->dns[i]));
	return json_pack("{s:o, s:o, s:o, s:I, s:o, s:s}", "server", text_ip(m->server_id),
			 "address", text_ip(m->yiaddr), "router", text_ip(m->router), "lease_s",
			 (json_int_t)m->lease_s, "dns", dns, "domain", m->domain);
}

int dhcp_facts(const struct dhcp_log *log, const struct mac *mac, json_t **ret,
	       enum dhcp4_type *ret_missing)
{
	static const enum dhcp4_type four[] = {DHCP4_DISCOVER, DHCP4_OFFER, DHCP4_REQUEST,
					       DHCP4_ACK};
	const struct dhcp_seen *ack = find(log, mac, DHCP4_ACK, NULL);
	uint64_t start_ns = 0;
	json_t *messages, *facts;

	*ret_missing = DHCP4_ACK;
	if (!ack)
		return -ENOENT;
	messages = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(four); i++) {
		const struct dhcp_seen *s = find(log, mac, four[i], &ack->msg.xid);

		if (!s) {
			*ret_missing = four[i];
			json_decref(messages);
			return -ENOENT;
		}
		if (!start_ns)
			start_ns = s->time_ns;
		json_array_append_new(messages, message_facts(s, start_ns));
	}
	facts = json_pack("{s:o, s:o, s:o}", "mac", text_mac(mac), "messages", messages, "ack",
			  ack_facts(&ack->msg));
	if (!facts)
		return -ENOMEM;
	*ret = facts;
	return 0;
}
