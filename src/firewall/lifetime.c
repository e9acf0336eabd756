/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lifetime.c - ct timeout objects by raw netlink; see lifetime.h.
 *
 * Not as text by libnftables, for two reasons: that has no words for ICMP (1.0.6), and of TCP it
 * sets every state, those that it was not told to those of its own choice, where the host's should
 * stay. The kernel fills what a message leaves out with the host's (net/netfilter/nft_ct.c).
 */
#include "firewall/lifetime.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which knows of it then */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_cttimeout.h>
#include <stdbool.h>
#include <string.h>

#include "firewall/ask.h"
#include "firewall/batch.h"

#define TABLE "vmlane"
#define CHAIN "lifetimes"
#define BATCH_MAX 4096 /* a fifth of it is used */

#define UDP_LEAST_S 120	       /* RFC 4787 REQ-5: MUST NOT expire in less than two minutes */
#define UDP_USUAL_S 300	       /* RFC 4787 REQ-5c: five minutes or more are RECOMMENDED */
#define TCP_TRANSITORY_S 240   /* RFC 5382 REQ-5: partially open, or closed by both ends */
#define TCP_ESTABLISHED_S 7440 /* RFC 5382 REQ-5: 2 h 4 min; also what one end has closed */
#define ICMP_QUERY_S 60	       /* RFC 5508 REQ-2 */

const struct fw_lifetime fw_lifetimes[FW_STATE_COUNT] = {
	[FW_UDP_UNREPLIED] = {"nf_conntrack_udp_timeout", UDP_LEAST_S},
	[FW_UDP_REPLIED] = {"nf_conntrack_udp_timeout_stream", UDP_USUAL_S},
	[FW_TCP_SYN_SENT] = {"nf_conntrack_tcp_timeout_syn_sent", TCP_TRANSITORY_S},
	[FW_TCP_SYN_RECV] = {"nf_conntrack_tcp_timeout_syn_recv", TCP_TRANSITORY_S},
	[FW_TCP_ESTABLISHED] = {"nf_conntrack_tcp_timeout_established", TCP_ESTABLISHED_S},
	[FW_TCP_FIN_WAIT] = {"nf_conntrack_tcp_timeout_fin_wait", TCP_ESTABLISHED_S},
	[FW_TCP_CLOSE_WAIT] = {"nf_conntrack_tcp_timeout_close_wait", TCP_ESTABLISHED_S},
	[FW_TCP_LAST_ACK] = {"nf_conntrack_tcp_timeout_last_ack", TCP_TRANSITORY_S},
	[FW_TCP_TIME_WAIT] = {"nf_conntrack_tcp_timeout_time_wait", TCP_TRANSITORY_S},
	[FW_TCP_SYN_SENT2] = {NULL, TCP_TRANSITORY_S},
	[FW_TCP_UNACK] = {"nf_conntrack_tcp_timeout_unacknowledged", TCP_ESTABLISHED_S},
	[FW_ICMP] = {"nf_conntrack_icmp_timeout", ICMP_QUERY_S},
};

/* struct policy - one object: the states from @first to @last, and the attribute of the first. */
struct policy {
	const char *name;
	uint8_t l4proto;
	enum fw_state first;
	enum fw_state last;
};

static const struct policy policies[] = {
	{"nat_tcp", IPPROTO_TCP, FW_TCP_SYN_SENT, FW_TCP_UNACK},
	{"nat_udp", IPPROTO_UDP, FW_UDP_UNREPLIED, FW_UDP_REPLIED},
	{"nat_icmp", IPPROTO_ICMP, FW_ICMP, FW_ICMP},
};

/* Of each state, its attribute in the policy's CTA_TIMEOUT_DATA. */
static const uint16_t attributes[FW_STATE_COUNT] = {
	[FW_UDP_UNREPLIED] = CTA_TIMEOUT_UDP_UNREPLIED,
	[FW_UDP_REPLIED] = CTA_TIMEOUT_UDP_REPLIED,
	[FW_TCP_SYN_SENT] = CTA_TIMEOUT_TCP_SYN_SENT,
	[FW_TCP_SYN_RECV] = CTA_TIMEOUT_TCP_SYN_RECV,
	[FW_TCP_ESTABLISHED] = CTA_TIMEOUT_TCP_ESTABLISHED,
	[FW_TCP_FIN_WAIT] = CTA_TIMEOUT_TCP_FIN_WAIT,
	[FW_TCP_CLOSE_WAIT] = CTA_TIMEOUT_TCP_CLOSE_WAIT,
	[FW_TCP_LAST_ACK] = CTA_TIMEOUT_TCP_LAST_ACK,
	[FW_TCP_TIME_WAIT] = CTA_TIMEOUT_TCP_TIME_WAIT,
	[FW_TCP_SYN_SENT2] = CTA_TIMEOUT_TCP_SYN_SENT2,
	[FW_TCP_UNACK] = CTA_TIMEOUT_TCP_UNACK,
	[FW_ICMP] = CTA_TIMEOUT_ICMP_TIMEOUT,
};

static void put_object(struct nlmsghdr *nlh, const struct policy *p, const uint32_t *seconds)
{
	struct nlattr *data, *times;

	mnl_attr_put_strz(nlh, NFTA_OBJ_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_OBJ_NAME, p->name);
	mnl_attr_put_u32(nlh, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_CT_TIMEOUT));
	data = mnl_attr_nest_start(nlh, NFTA_OBJ_DATA);
	mnl_attr_put_u16(nlh, NFTA_CT_TIMEOUT_L3PROTO, htons(NFPROTO_INET));
	mnl_attr_put_u8(nlh, NFTA_CT_TIMEOUT_L4PROTO, p->l4proto);
	times = mnl_attr_nest_start(nlh, NFTA_CT_TIMEOUT_DATA);
	for (enum fw_state s = p->first; s <= p->last; s++)
		mnl_attr_put_u32(nlh, attributes[s], htonl(seconds[s]));
	mnl_attr_nest_end(nlh, times);
	mnl_attr_nest_end(nlh, data);
}

/* The kernel gives an object only to connections of its protocol: nothing is to be matched. */
static void put_rule(struct nlmsghdr *nlh, const struct policy *p)
{
	struct nlattr *list, *item, *data;

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_RULE_CHAIN, CHAIN);
	list = mnl_attr_nest_start(nlh, NFTA_RULE_EXPRESSIONS);
	item = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	mnl_attr_put_strz(nlh, NFTA_EXPR_NAME, "objref");
	data = mnl_attr_nest_start(nlh, NFTA_EXPR_DATA);
	mnl_attr_put_u32(nlh, NFTA_OBJREF_IMM_TYPE, htonl(NFT_OBJECT_CT_TIMEOUT));
	mnl_attr_put_strz(nlh, NFTA_OBJREF_IMM_NAME, p->name);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, item);
	mnl_attr_nest_end(nlh, list);
}

/* Objects, then the rules that name them; the last rule asks for an answer. Returns its number. */
static uint32_t put_all(struct mnl_nlmsg_batch *batch, const uint32_t *seconds)
{
	struct nlmsghdr *nlh;
	uint32_t seq = 0, last;

	fw_batch_put(batch, NFNL_MSG_BATCH_BEGIN, 0, NFPROTO_INET, &seq);
	mnl_nlmsg_batch_next(batch);
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		nlh = fw_batch_put(batch, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, NFPROTO_INET,
				   &seq);
		put_object(nlh, &policies[i], seconds);
		mnl_nlmsg_batch_next(batch);
	}
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++) {
		bool ack = i + 1 == ARRAY_SIZE(policies);

		nlh = fw_batch_put(batch, NFT_MSG_NEWRULE,
				   NLM_F_CREATE | NLM_F_APPEND | (ack ? NLM_F_ACK : 0),
				   NFPROTO_INET, &seq);
		put_rule(nlh, &policies[i]);
		mnl_nlmsg_batch_next(batch);
	}
	last = seq;
	fw_batch_put(batch, NFNL_MSG_BATCH_END, 0, NFPROTO_INET, &seq);
	mnl_nlmsg_batch_next(batch);
	return last;
}

int lifetime_send(struct mnl_socket *socket, const uint32_t seconds[static FW_STATE_COUNT])
{
	_Alignas(struct nlmsghdr) char buf[BATCH_MAX];
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buf, sizeof(buf) / 2);
	uint32_t last;
	int r = 0;

	if (!batch)
		return -ENOMEM;
	last = put_all(batch, seconds);
	fw_ask_drop(socket);
	if (mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
		r = -errno;
	mnl_nlmsg_batch_stop(batch);
	return r < 0 ? r : fw_batch_answers(socket, last);
}
