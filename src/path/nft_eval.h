/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_eval.h - what the kernel's nftables would do with one packet at one hook. Pure: it takes the
 * rules (nft_program.h), the packet, and somebody who answers for the routing tables.
 *
 * It says NFTEVAL_UNKNOWN, and which expression, rather than guess. A condition that cannot be
 * decided is followed both ways; only when the packet's fate or what is done to it differs, the result
 * is unknown.
 *
 * Not its business: conntrack itself, routing, iptables-legacy, other hooks than nftables' (IPVS, BPF),
 * and what the kernel does between hooks. The caller walks from hook to hook; within one, it evaluates
 * the chains before conntrack (priority below -200) and those after it in two calls, and splits again
 * behind the nat chains (-100 where destinations are translated, 100 where sources are): what follows
 * them sees the new addresses, which the caller has to write into the packet. In a call that goes on
 * behind a translation, whatever looks at addresses or ports is unknown.
 *
 * What hooks give the rules, as seen on 6.18: postrouting of a forwarded packet has both interfaces;
 * egress and the bridge's postrouting have only @out; forward sees the TTL one lower already.
 */
#ifndef VMLANE_PATH_NFT_EVAL_H
#define VMLANE_PATH_NFT_EVAL_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "path/nft_program.h"

#define NFTEVAL_STEPS_MAX 64
#define NFTEVAL_TEXT_MAX 160

/**
 * struct nfteval_dev - an interface as rules see it
 * @type:	ARPHRD_*
 * @kind:	as `ip -d link` has it ("veth", "bridge", "tun"); NULL: none (a physical one)
 * @bridge:	the bridge whose port it is, or NULL
 */
struct nfteval_dev {
	uint32_t index;
	const char *name;
	uint16_t type;
	uint32_t group;
	const char *kind;
	const char *bridge;
};

/* enum nfteval_ct_state - what conntrack has made of the packet so far */
enum nfteval_ct_state {
	NFTEVAL_CT_NONE, /* it has not seen it (before -200, or off), or found it invalid */
	NFTEVAL_CT_UNTRACKED,
	NFTEVAL_CT_NEW,
	NFTEVAL_CT_ESTABLISHED,
	NFTEVAL_CT_RELATED,
};

/* struct nfteval_tuple - @sport, @dport: network byte order; ICMP: as conntrack has them */
struct nfteval_tuple {
	struct in6_addr src, dst; /* IPv4: the first 4 bytes */
	uint16_t sport, dport;
};

/**
 * struct nfteval_ct - the packet's connection; all but @state is of tracked ones only
 * @reply:	the packet goes in the reply's direction
 * @family:	NFPROTO_IPV4 or NFPROTO_IPV6
 * @status:	IPS_*
 * @labels:	those of its first packet, which begins without any; @labels_unknown: a rule has set some that
 *		nobody knows. Of other packets' connections they are not known.
 * @zone:	its number
 * @orig, @answer: the tuples of either direction
 * @helper:	its master's helper (`ct helper`), or NULL
 * @snat_done, @dnat_done: the address was translated already, or it was decided not to: nat chains
 *		of that kind are not asked again. Rules set it.
 */
struct nfteval_ct {
	enum nfteval_ct_state state;
	bool reply;
	uint8_t family;
	uint8_t proto;
	uint32_t status;
	uint32_t mark;
	uint8_t labels[16];
	bool labels_unknown;
	uint16_t zone;
	struct nfteval_tuple orig, answer;
	const char *helper;
	bool snat_done, dnat_done;
};

/**
 * struct nfteval_packet - the packet; rules change it
 * @bytes:	the whole frame, not owned; written to by rules that set header fields
 * @link, @network: where the Ethernet and the network header begin; @link < 0: there is none (yet),
 *		as of what the host itself sends
 * @protocol:	ethertype of what is at @network, host byte order
 * @vlan_tci:	of a tag that was taken off the frame (802.1Q), with @has_vlan
 * @pkttype:	PACKET_HOST etc.
 * @priority:	the skb's; @priority_unknown: nobody knows
 * @in, @out:	NULL where the hook has none. Of the bridge's hooks: the ports.
 * @phys_in, @phys_out: the bridge's ports in the hooks of ip and ip6 that br_netfilter calls, or NULL
 * @local:	the host itself sends it: it has a socket, which is not modelled
 * @route_mtu:	of the route that was found, 0: not known
 * @next_hop:	of that route, has @has_next_hop
 */
struct nfteval_packet {
	uint8_t *bytes;
	size_t len;
	int link;
	int network;
	uint16_t protocol;
	bool has_vlan;
	uint16_t vlan_tci;
	uint8_t pkttype;
	uint32_t mark;
	uint32_t priority;
	bool priority_unknown;
	const struct nfteval_dev *in, *out;
	const struct nfteval_dev *phys_in, *phys_out;
	bool local;
	uint32_t route_mtu;
	bool has_next_hop;
	struct in6_addr next_hop;
	struct nfteval_ct ct;
};

/**
 * struct nfteval_fib - what a rule asks the routing tables
 * @family:	AF_INET or AF_INET6
 * @dst, @src:	looked up, and from whom; @src may be all zeros. IPv4: the first 4 bytes.
 * @iif:	index of the interface it is said to come in by, 0: the host itself (lo)
 * @dev:	only a route or address of this interface counts, 0: any
 * @tos:	the DSCP bits
 */
struct nfteval_fib {
	int family;
	struct in6_addr dst, src;
	uint32_t iif;
	uint32_t dev;
	uint32_t mark;
	uint8_t tos;
	uint8_t l4proto;
};

/**
 * struct nfteval_asked - who answers for the kernel's tables; any may be NULL: then what asks is unknown
 * @route:	the interface that a packet to @q->dst would leave by: its index in @ret, 0 where there is
 *		no route or (with @q->dev) it does not go there. 0, or -errno: nobody knows.
 * @type:	RTN_* of @q->dst, as address of @q->dev or of any interface
 * @name:	of an interface into 16 bytes; -errno: nobody knows
 */
struct nfteval_asked {
	int (*route)(void *ctx, const struct nfteval_fib *q, uint32_t *ret);
	int (*type)(void *ctx, const struct nfteval_fib *q, uint32_t *ret);
	int (*name)(void *ctx, uint32_t index, char ret[16]);
	void *ctx;
};

/**
 * struct nfteval_at - where
 * @pf, @hook:	as for nftprog_bases(); @device too
 * @from, @to:	base chains of priorities @from <= p < @to (as nftprog_priority() has them)
 * @now_s:	Unix time, for rules that ask for the time of day; 0: unknown
 * @below:	whether what sets in rules of chain @c count (`limit over`, `ct count over`) is taken to be
 *		below its limit; NULL: nowhere, it cannot be decided then
 */
struct nfteval_at {
	uint8_t pf;
	uint32_t hook;
	const char *device;
	int64_t from, to;
	int64_t now_s;
	bool (*below)(const struct nftprog_chain *c);
};
#define NFTEVAL_FIRST INT32_MIN
#define NFTEVAL_LAST ((int64_t)INT32_MAX + 1)

enum nfteval_outcome {
	NFTEVAL_ACCEPT,	 /* on to what comes after these chains */
	NFTEVAL_DROP,	 /* also reject: see @rejected */
	NFTEVAL_QUEUE,	 /* a program decides: nobody knows how */
	NFTEVAL_STOLEN,	 /* it goes another way (fwd): see @fwd_dev */
	NFTEVAL_UNKNOWN, /* see @unknown */
};

/**
 * struct nfteval_step - a rule that matched, or a base chain's policy
 * @rule:	NULL: the policy, or the end of a chain with no verdict of its own
 * @verdict:	NFT_CONTINUE: the rule gave none; NF_ACCEPT, NF_DROP, NFT_JUMP (to @target) ...
 */
struct nfteval_step {
	const struct nftprog_chain *chain;
	const struct nftprog_rule *rule;
	int32_t verdict;
	const struct nftprog_chain *target;
};

/**
 * struct nfteval_nat - a translation that a rule asked for
 * @set:	it did
 * @masquerade:	the source becomes the address of the interface that it leaves by
 * @redirect:	the destination becomes an address of the interface that it came in by (127.0.0.1 or
 *		::1 for what the host itself sends)
 * @has_addr:	@min_addr to @max_addr; IPv4: the first 4 bytes. Otherwise the address stays.
 * @has_port:	@min_port to @max_port, host byte order
 * @flags:	NF_NAT_RANGE_*
 */
struct nfteval_nat {
	bool set;
	bool masquerade, redirect;
	bool has_addr, has_port;
	struct in6_addr min_addr, max_addr;
	uint16_t min_port, max_port;
	uint32_t flags;
	const struct nftprog_rule *rule;
};

/**
 * struct nfteval_result - what would happen; what was done to the packet is in the packet
 * @n_steps:	in order; @more_steps were not kept
 * @one_of:	why the steps from @certain on are those of one way of several, when all of them end alike; else NULL
 * @decided:	the last step that gave the outcome; NULL when no chain was there
 * @unknown:	the expression that could not be decided ("limit", "meta cpu", "match recent"), and in
 *		@unknown_rule the rule; "" unless @outcome is NFTEVAL_UNKNOWN
 * @rejected:	dropped, and the sender was told
 * @notrack:	rules asked that conntrack leaves the packet alone (the packet's ct.state is untracked)
 * @snat, @dnat: of the nat chains
 * @helper:	the helper that a rule gave the connection, or NULL
 * @set_zone:	a rule gave the zone @zone before conntrack
 * @tproxy, @fwd_dev, @dup: set by such rules
 * @mtu_clamped: a rule wrote the TCP option MSS
 */
struct nfteval_result {
	enum nfteval_outcome outcome;
	struct nfteval_step steps[NFTEVAL_STEPS_MAX];
	size_t n_steps;
	size_t more_steps;
	const char *one_of;
	size_t certain;
	struct nfteval_step decided;
	char unknown[NFTEVAL_TEXT_MAX];
	const struct nftprog_rule *unknown_rule;
	const struct nftprog_chain *unknown_chain;
	bool rejected;
	bool notrack;
	struct nfteval_nat snat, dnat;
	const char *helper;
	bool set_zone;
	uint16_t zone;
	bool tproxy, dup, mtu_clamped;
	uint32_t fwd_dev;
	uint16_t queue;
};

/*
 * nfteval_run() - 0, or -EINVAL for a packet whose headers are not within its bytes, -ENOMEM. When the
 * outcome is unknown the packet is left as it was. Pointers in @ret are into @p.
 */
int nfteval_run(const struct nftprog *p, const struct nfteval_at *at,
		const struct nfteval_asked *asked, struct nfteval_packet *pkt,
		struct nfteval_result *ret) __must_check;

/* nfteval_outcome_name() - "accept", "drop", "queue", "stolen", "unknown". */
const char *nfteval_outcome_name(enum nfteval_outcome o);

#endif
