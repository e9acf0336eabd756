/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain.h - what the kernel would do with a packet, concluded from its state: the same events as
 * bpf/path.bpf.c would send of the real one, and the same decisions, given to the same journeys.
 *
 * Pure: state and answers come from the caller. What is not modelled is said (HOP_UNKNOWN), never
 * guessed. The kernel's order is that of Linux 6.18: explain_bridge.c follows net/bridge, explain_ip.c
 * net/ipv4 and net/ipv6, explain_hook.c netfilter, explain_nat.c its translation.
 */
#ifndef VMLANE_PATH_EXPLAIN_H
#define VMLANE_PATH_EXPLAIN_H

#include "model/detail.h"
#include "model/guard.h"
#include "path/journey.h"
#include "path/nft_eval.h"
#include "path/rules.h"

/* enum explain_legacy - what a table of iptables-legacy does at a hook */
enum explain_legacy {
	EXPLAIN_LEGACY_PASS, /* it is not there, or lets everything through */
	EXPLAIN_LEGACY_DROP, /* no rules, and a policy that drops */
	EXPLAIN_LEGACY_RULES,
};

/* enum explain_answer - yes, no, or it cannot be known */
enum explain_answer { EXPLAIN_NO, EXPLAIN_YES, EXPLAIN_NOBODY_KNOWS };

/**
 * struct explain_hook - a packet at one of IP's hooks
 * @pf:		NFPROTO_IPV4, NFPROTO_IPV6; @hook: NF_INET_*
 * @src, @dst:	as it is there, network byte order, 4 or 16 bytes
 */
struct explain_hook {
	uint8_t pf;
	uint8_t l4;
	unsigned int hook;
	const uint8_t *src;
	const uint8_t *dst;
};

/**
 * struct explain_host - the host as it is; not owned
 * @detail:	interfaces, addresses, MAC tables, neighbours
 * @view:	what the interfaces are to the guest; its no_socket_reason has to be explain_no_socket()
 * @rules:	of nf_tables; @texts: the same as their owners see them, or NULL
 * @asked:	for what rules ask the routing tables
 * @now_s:	Unix time
 * @presume:	a neighbour whose MAC nobody knows yet is taken to answer when it is asked; not one that
 *		was asked in vain
 * @sysctl:	value of @path below /proc/sys; false: there is none
 * @route:	asks the kernel; -errno when it cannot be asked
 * @program:	the name of a tc filter or BPF program at @ifindex that sees what comes in, or goes out
 *		(@egress), other than the guards' that @guard answers for; false: none
 * @guard:	the guard at @ifindex that drops the frame @b of @len bytes, from which a VLAN tag with
 *		the value @tci (-1: none) was taken; GUARD_COUNT: none does
 * @legacy:	table @table of iptables-legacy (@family AF_INET, AF_INET6) at @hook, NF_INET_*
 * @listener:	whether a socket takes what comes to @addr and @port
 * @taken:	whether conntrack has a connection whose answers have the tuple @t
 * @conntrack_full: no connection more will be remembered
 * @others:	who else, besides rules, has a say at @at and is not modelled, in words; false: nobody
 *
 * All functions have to be there.
 */
struct explain_host {
	const struct host_detail *detail;
	const struct path_view *view;
	const struct nftprog *rules;
	const struct rules *texts;
	struct nfteval_asked asked;
	int64_t now_s;
	bool presume;
	bool (*sysctl)(const char *path, char *ret, size_t size, void *ctx);
	int (*route)(const struct route_question *q, struct route_answer *ret, void *ctx);
	bool (*program)(int ifindex, bool egress, char *ret, size_t size, void *ctx);
	enum guard (*guard)(int ifindex, const uint8_t *b, size_t len, int tci, void *ctx);
	enum explain_legacy (*legacy)(int family, const char *table, unsigned int hook, void *ctx);
	enum explain_answer (*listener)(int family, uint8_t l4, const uint8_t addr[16],
					uint16_t port, void *ctx);
	bool (*taken)(uint8_t family, uint8_t l4, const struct nfteval_tuple *t, void *ctx);
	bool (*conntrack_full)(void *ctx);
	bool (*others)(const struct explain_hook *at, char *ret, size_t size, void *ctx);
	void *ctx;
};

#define EXPLAIN_NOTES_MAX 64
#define EXPLAIN_NOTE_MAX 160

/* struct explain_note - what the hop of @kind at @time_ns was concluded from */
struct explain_note {
	enum hop_kind kind;
	uint64_t time_ns;
	char text[EXPLAIN_NOTE_MAX];
};

/**
 * struct explain_conn - the connection that a packet has begun; its reply belongs to it
 * @tracked:	there is one; @ct is as the first packet left it
 * @snat, @dnat: its source, its destination was translated
 * @any_port:	to a port that cannot be said
 */
struct explain_conn {
	bool tracked;
	bool snat, dnat;
	bool any_port;
	struct nfteval_ct ct;
};

/* struct explain_learned - a MAC that a packet made a bridge learn */
struct explain_learned {
	bool has;
	int bridge;
	int port;
	struct mac mac;
	uint16_t vlan;
};

#define EXPLAIN_POLICY_MAX 4

/* struct explain_policy - a rule of a network's policy that the packet has met. */
struct explain_policy {
	struct path_decision rule;
	bool allows;
};

/**
 * struct explanation - what is carried from a packet to its reply
 * @clock_ns:	steps so far: predictions take no time, but have an order
 * @learned:	by the first packet, and by its reply
 * @local:	the last packet was delivered to the host itself, which @answers or does not
 * @last:	the packet as it was told of last
 * @undecided:	what is not known of the first packet is a rule's answer, not what comes behind all rules
 * @policy:	the rules of policies that the first packet met, in their order; @n_policy of them
 */
struct explanation {
	uint64_t clock_ns;
	struct explain_note notes[EXPLAIN_NOTES_MAX];
	size_t n_notes;
	struct explain_conn conn;
	struct explain_learned learned[2];
	bool local;
	enum explain_answer answers;
	struct path_seen last;
	bool undecided;
	struct explain_policy policy[EXPLAIN_POLICY_MAX];
	size_t n_policy;
	char unknown[RULE_TEXT_MAX];
};

/**
 * struct explain_packet - a frame at its beginning
 * @number:	of the journey that is begun for it
 * @frame:	from its Ethernet header on, @len bytes; what is translated is changed in a copy
 * @where:	ifindex of the device that it comes in by; 0: the host itself sends it
 * @reply:	to the packet before
 */
struct explain_packet {
	uint32_t number;
	const uint8_t *frame;
	size_t len;
	int where;
	uint32_t mark;
	bool reply;
};

/*
 * explain_packet_walk() - give all of its way to @j, to be asked for by journeys_due(). @x is zeroed
 * before the first packet. 0 or -ENOMEM, -EINVAL for what is no Ethernet frame of ARP, IPv4 or IPv6.
 */
int explain_packet_walk(const struct explain_host *h, const struct explain_packet *p,
			struct journeys *j, struct explanation *x) __must_check;

/* For struct journey_words: the names of predicted drops' reasons and functions, as the kernel's. */
const char *explain_reason(uint32_t reason);
const char *explain_function(uint64_t location);
uint32_t explain_no_socket(void);

/* explain_why() - what hop @h was concluded from, "; " between; "" for nothing said. Static until the next. */
const char *explain_why(const struct explanation *x, const struct hop *h, char *buf, size_t size);

#endif
