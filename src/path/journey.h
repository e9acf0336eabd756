/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journey.h - the events of many packets, mixed, to journeys: one packet's hops in order, with what
 * was translated, which rule and which route decided, and how it ended.
 *
 * Pure: events, devices and the time come from the caller. Next on the walk: journey_text.h.
 */
#ifndef VMLANE_PATH_JOURNEY_H
#define VMLANE_PATH_JOURNEY_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/macro.h"
#include "bpf/path_event.h"

/* enum device_role - what a device is on the way of the guest's packets */
enum device_role {
	DEVICE_UPLINK, /* any that is none of the following */
	DEVICE_GUEST,  /* the guest's port */
	DEVICE_PORT,   /* another guest's port */
	DEVICE_BRIDGE,
};

/**
 * struct path_device - an interface of the traced namespace
 * @master:	ifindex of the bridge it is a port of, or 0
 * @mac:	its own
 * @guest:	whose port it is, "" when that is not known
 * @kind:	enum path_device_kind, or-ed
 */
struct path_device {
	int ifindex;
	int master;
	enum device_role role;
	struct mac mac;
	char name[IFNAMSIZ];
	char guest[64];
	unsigned int kind;
};

/*
 * struct path_address - an address of the host's own, with the length of its subnet's prefix; IPv4 in
 * the first four bytes
 */
struct path_address {
	uint8_t family;
	uint8_t addr[16];
	uint8_t len;
	int ifindex;
};

/**
 * struct path_view - the host as it is; not owned, may change between calls
 * @netns:	inode of the traced namespace
 * @locals:	the host's own addresses
 * @no_socket_reason: the drop reason of what no socket of the host wants: its packet sockets have had it
 * @unspecified_reason: the one that says nothing, which multicast has that nobody in the host wants
 * @ipv6_off_reason: that of IPv6 at a device that is not to have any
 * @taken_mark:	not 0: packets that are dropped with this fwmark have left: a probe's, at the way out
 */
struct path_view {
	uint32_t netns;
	const struct path_device *devices;
	size_t n_devices;
	const struct path_address *locals;
	size_t n_locals;
	uint32_t no_socket_reason;
	uint32_t taken_mark;
	uint32_t unspecified_reason;
	uint32_t ipv6_off_reason;
};

const struct path_device *path_device_find(const struct path_view *v, int ifindex);

/* path_is_echo() - @s is a ping's question or answer, of either family: it has an id and a sequence. */
bool path_is_echo(const struct path_seen *s);

/*
 * path_is_group_control() - @s keeps multicast in order: a report of IGMP or MLD, or what neighbours and
 * routers are asked for and say of themselves (RFC 2710, 3810, 4861).
 */
bool path_is_group_control(const struct path_seen *s);

/* enum hop_kind - the words of the product for what happens on the way */
enum hop_kind {
	HOP_VM_OUT,	/* a frame left a guest: it came in by its port */
	HOP_UPLINK_IN,	/* it came in from outside */
	HOP_HOST_OUT,	/* the host itself sent it */
	HOP_BRIDGE_IN,	/* the bridge hands it up to the host */
	HOP_BRIDGE_FWD, /* the bridge forwards it to another port, or floods it */
	HOP_JOIN,	/* the fragments that went with it were put together to one packet */
	HOP_FW,		/* a chain of the firewall has decided */
	HOP_ROUTE,	/* a routing table was asked */
	HOP_NAT,	/* its addresses or ports have changed */
	HOP_NEIGH,	/* it waits for the MAC of the next hop */
	HOP_QDISC,	/* it went into a queueing discipline and has not come out yet */
	HOP_UPLINK_OUT, /* it left the host */
	HOP_TAP_QUEUED, /* it waits in the guest's tap */
	HOP_VM_READ,	/* the guest has taken it */
	HOP_HOST_IN,	/* the host takes it for itself */
	HOP_ICMP,	/* the host answers it with an ICMP error */
	HOP_DROP,
	HOP_UNKNOWN, /* predicted ways only: what comes here cannot be said */
	HOP_KINDS,
};

/* hop_name() - "vm-out", ... */
const char *hop_name(enum hop_kind kind);

/* struct flow_end - one side: address and port (ICMP: the echo's id). */
struct flow_end {
	uint8_t addr[16];
	uint16_t port;
};

/* struct flow - who sends to whom; @family AF_INET, AF_INET6, or 0 for neither. */
struct flow {
	uint8_t family;
	uint8_t l4;
	struct flow_end from, to;
};

#define RULE_TEXT_MAX 512
#define PATH_GUARD_FAMILY "tc" /* of decisions by a guard: @chain is its name, @base "guard" */

#define DECISION_ONE_OF_MAX 64

/**
 * struct path_decision - what one base chain made of a packet
 * @hook:	"forward", ...; @family: "inet", "ip", ..., or PATH_GUARD_FAMILY
 * @chain:	where the rule stands that decided; the base chain's own for a policy
 * @base:	the base chain
 * @handle:	the rule's, 0 for the chain's policy
 * @rule:	its text, "" when that is not known
 * @verdict:	"accept", "drop", ...
 * @one_of:	predicted: what is not known ("meta cpu"), by which another rule may decide, with the same outcome; else ""
 */
struct path_decision {
	char family[8];
	char table[64];
	char base[64];
	char chain[64];
	char hook[16];
	char verdict[16];
	char rule[RULE_TEXT_MAX];
	char one_of[DECISION_ONE_OF_MAX];
	uint64_t handle;
	bool drops;
};

/**
 * struct hop - one thing that happened
 * @time_ns:	CLOCK_MONOTONIC
 * @ifindex:	the device, 0 for none
 * @copies:	HOP_BRIDGE_FWD: how many ports it went to; @ports has the first of them
 * @pieces:	above 1: it went there in so many fragments or segments; HOP_JOIN: it was so many
 * @flow:	HOP_NAT: as it is now; @before: as it was
 * @decision:	HOP_UNKNOWN: @decision.rule says what is not known
 * @route:	HOP_ROUTE
 * @neigh:	HOP_NEIGH: who that is; @waited_ns: until the next event, 0: it is not over; @failed: in vain
 * @decision:	HOP_FW, and HOP_DROP by a rule
 * @seen:	the event itself, of hops that have one
 */
struct hop {
	enum hop_kind kind;
	uint64_t time_ns;
	int ifindex;
	unsigned int copies;
	unsigned int pieces;
	int ports[8];
	struct flow before, flow;
	uint64_t waited_ns;
	bool failed;
	union {
		struct path_route route;
		struct path_neigh neigh;
		struct path_decision decision;
	};
	struct path_seen seen;
};

enum journey_end {
	JOURNEY_UNDER_WAY, /* something will come yet, or it is out of sight */
	JOURNEY_DELIVERED, /* to the guest, to another, to the host, or out by an uplink */
	JOURNEY_DROPPED,
	JOURNEY_LOST_SIGHT, /* nothing more was heard of it */
	JOURNEY_JOINED,	    /* a fragment: it goes on in another, with which it was put together */
	JOURNEY_UNKNOWN,    /* predicted: it cannot be said what becomes of it */
};

const char *journey_end_name(enum journey_end end);

#define HOPS_MAX 64

/**
 * struct journey - one packet's way
 * @packet:	the number of path_head
 * @begin_ns, @last_ns: its first and its last event; @heard_ns: when that was read
 * @first:	as it was first seen
 * @joined:	JOURNEY_JOINED: the packet that it goes on in
 * @whole:	it was put together from fragments
 * @to_guest:	it was for the guest, not from it
 * @hops:	@n_hops of them, with room for @n_room; @cut: so many more did not fit
 * @told:	how many of @hops were given to the caller of journeys_due() already
 * @source_route: the last answer to "where would its reply go?", when @has_source_route
 * @answers:	the packet that this one is the reply to, @answer_ns before; 0 for none
 * @events:	how many were seen
 */
struct journey {
	uint32_t packet;
	uint64_t begin_ns;
	uint64_t last_ns;
	uint64_t heard_ns;
	struct path_seen first;
	struct flow flow;
	struct flow began;
	bool to_guest;
	bool whole;
	uint32_t joined;
	enum journey_end end;
	struct hop *hops;
	size_t n_hops;
	size_t n_room;
	size_t cut;
	size_t told;
	bool has_source_route;
	struct path_route source_route;
	struct path_decision last_decision;
	bool has_decision;
	uint32_t answers;
	uint64_t answer_ns;
	size_t events;
	bool announced;
};

struct journeys;

/* journeys_new() - @view is kept and looked at during later calls. */
int journeys_new(const struct path_view *view, struct journeys **ret) __must_check;

/*
 * journeys_functions() - @fn names the kernel's function at an address, NULL when that is not known. It is
 * asked about drops without a reason that may be none; without it they are told as drops.
 */
void journeys_functions(struct journeys *j, const char *(*fn)(uint64_t location, void *ctx),
			void *ctx);
void journeys_free(struct journeys *j);
DEFINE_CLEANUP(struct journeys *, journeys_free)

#define JOURNEYS_MAX 8192 /* under way at once; beyond, the oldest is ended early */

/*
 * journeys_clock() - the events that are given from now on were read at @now_ns: a reader that is late
 * must not take packets for silent whose events and rules it has just read. Without it events count as
 * read when they happened.
 */
void journeys_clock(struct journeys *j, uint64_t now_ns);

/* journeys_event() - one event, as tracer_read() gives it; those of other kinds are passed over. */
int journeys_event(struct journeys *j, const struct path_head *head, size_t len) __must_check;

/* journeys_decided() - a base chain has decided about packet @packet at @time_ns. */
int journeys_decided(struct journeys *j, uint32_t packet, uint64_t time_ns,
		     const struct path_decision *d) __must_check;

/* journeys_unknown() - nobody can say what becomes of @packet from here on: @why not, in words. */
int journeys_unknown(struct journeys *j, uint32_t packet, uint64_t time_ns,
		     const char *why) __must_check;

/* journeys_seen() - packet @packet as it was first seen; NULL when it is not under way. */
const struct path_seen *journeys_seen(struct journeys *j, uint32_t packet);

/* What is new of a journey: its hops from @told on. The journey is gone after the call if @over. */
typedef void (*journey_fn)(const struct journey *journey, bool over, void *ctx);

/*
 * journeys_due() - give those to @fn that have ended, and what is new of those that have been silent
 * for a while; @now_ns CLOCK_MONOTONIC, UINT64_MAX for "all, now". The number given.
 */
size_t journeys_due(struct journeys *j, uint64_t now_ns, journey_fn fn, void *ctx);

/* journeys_wait_ms() - when journeys_due() has something to do; -1: not before another event. */
int journeys_wait_ms(const struct journeys *j, uint64_t now_ns);

/* journeys_overflow() - journeys that were ended early because there were too many. */
uint64_t journeys_overflow(const struct journeys *j);

#endif
