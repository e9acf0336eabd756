/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * policy.h - what guests of a network may reach, and who may reach them: rules in words.
 *
 *	ACTION DIRECTION [PROTOCOL [PORTS]] [from WHO] [to WHO] [log]
 *
 * Directions are seen from the guests: `out` leaves the network by the host's routing, `in` comes
 * to its guests from outside, `host` is for the host itself. Rules judge the first packet of a
 * connection; the first that matches decides. Pure. firewall/policy.c makes chains of them.
 */
#ifndef VMLANE_MODEL_POLICY_H
#define VMLANE_MODEL_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/buf.h"
#include "model/guard.h"

#define POLICY_RULES_MAX 256	       /* of one network */
#define POLICY_SETS_MAX 64	       /* of one network */
#define POLICY_MEMBERS_MAX 1024	       /* of one set */
#define POLICY_HOST_RULES_MAX 16384    /* of all networks together: one transaction takes them */
#define POLICY_HOST_MEMBERS_MAX 262144 /* of all sets of all networks */
#define POLICY_PORTS_MAX 16	       /* ports and ranges of one rule */
#define POLICY_NAME_MAX 32	       /* as NAME_MAX_LEN: of sets and guests */
#define POLICY_CONNECTIONS_MAX 1000000
#define POLICY_NEW_MAX 100000 /* a second */

enum policy_action {
	POLICY_ALLOW,
	POLICY_DENY,   /* dropped */
	POLICY_REJECT, /* dropped, and the sender is told: ICMP "administratively prohibited" */
	POLICY_ACTION_COUNT,
};

enum policy_direction {
	POLICY_OUT,  /* from a guest, routed to anywhere */
	POLICY_IN,   /* to a guest, from anywhere outside of its network */
	POLICY_HOST, /* from a guest to the host itself */
	POLICY_DIRECTION_COUNT,
};

/* policy_action_name() - "allow", ...; policy_direction_name() - "out", ...: as written. */
const char *policy_action_name(enum policy_action a);
const char *policy_direction_name(enum policy_direction d);

enum policy_match {
	POLICY_ANY,   /* every protocol */
	POLICY_PING,  /* echo requests of ICMP and ICMPv6 */
	POLICY_PROTO, /* one protocol of IP */
};

enum policy_who_kind {
	POLICY_ANYBODY,
	POLICY_PREFIX,
	POLICY_GUEST,
	POLICY_SET,
};

/* struct policy_who - @prefix: of POLICY_PREFIX; @name: of POLICY_GUEST and POLICY_SET. */
struct policy_who {
	enum policy_who_kind kind;
	struct guest_prefix prefix;
	char name[POLICY_NAME_MAX + 1];
};

/* struct policy_ports - a port (@first is @last) or a range, host byte order. */
struct policy_ports {
	uint16_t first;
	uint16_t last;
};

/**
 * struct policy_rule - one rule
 * @proto:	POLICY_PROTO: as in the IP header
 * @ports:	the destination's, of tcp, udp and sctp; @n_ports of them, 0: any; sorted, apart
 * @log:	packets that meet it are told, a few a second
 * @line, @col:	where it was written
 */
struct policy_rule {
	enum policy_action action;
	enum policy_direction direction;
	enum policy_match match;
	uint8_t proto;
	struct policy_ports ports[POLICY_PORTS_MAX];
	size_t n_ports;
	struct policy_who from;
	struct policy_who to;
	bool log;
	unsigned int line;
	unsigned int col;
};

/* struct policy_set - @members are prefixes and guests; owned, @n_members of them. */
struct policy_set {
	char name[POLICY_NAME_MAX + 1];
	struct policy_who *members;
	size_t n_members;
	unsigned int line;
	unsigned int col;
};

/* struct policy_named - a guest that the policy speaks of, @name not owned; @direct: a rule does, not only a set. */
struct policy_named {
	const char *name;
	bool direct;
};

/**
 * struct network_policy - the block `policy` of a network
 * @open:	`host: open`: guests reach whatever the host offers
 * @metadata:	`metadata: allow`: guests reach the cloud's metadata service by the host
 * @rules:	owned, @n_rules of them, in the order in which they are asked
 * @sets:	owned, @n_sets of them, as written
 * @named:	owned, @n_named of them, by name: see policy_index()
 */
struct network_policy {
	bool open;
	bool metadata;
	struct policy_rule *rules;
	size_t n_rules;
	struct policy_set *sets;
	size_t n_sets;
	struct policy_named *named;
	size_t n_named;
};

/**
 * struct guest_limits - how many connections a guest may have and begin
 * @has_connections, @has_new: it was written; else it is as the network has it
 * @connections: at a time; 0: unlimited
 * @new_s:	begun in a second; 0: unlimited
 */
struct guest_limits {
	bool has_connections;
	bool has_new;
	uint32_t connections;
	uint32_t new_s;
};

#define POLICY_RULE_STRLEN 480
#define POLICY_RULE_EXPECTED                                                                       \
	"a rule such as \"deny out tcp 25 log\" or \"allow host tcp 22 from web1\""
#define POLICY_METADATA4 "169.254.169.254"
#define POLICY_METADATA6 "fd00:ec2::254"

/*
 * policy_rule_parse() - one rule; @line and @col are left 0. -EINVAL: then @why (of @size) is what is
 * wrong with it. Whether its guests and sets are there is not known here.
 */
int policy_rule_parse(const char *text, struct policy_rule *ret, char *why,
		      size_t size) __must_check;
/* policy_rule_format() - the canonical text. */
const char *policy_rule_format(const struct policy_rule *r, char buf[static POLICY_RULE_STRLEN]);
/* policy_rule_same() - the same meaning. */
bool policy_rule_same(const struct policy_rule *a, const struct policy_rule *b);
/* policy_who_parse() - an address, a prefix, `@SET` or a guest's name; errors as above. */
int policy_who_parse(const char *text, struct policy_who *ret, char *why, size_t size) __must_check;
/* policy_who_format() - as it is written. */
#define POLICY_WHO_STRLEN (IP6_PREFIX_STRLEN)
const char *policy_who_format(const struct policy_who *w, char buf[static POLICY_WHO_STRLEN]);

/* policy_set_find() - by name, or NULL. */
const struct policy_set *policy_set_find(const struct network_policy *p, const char *name);
/* policy_index() - fill @p->named, once rules and sets are there. Returns 0 or -ENOMEM. */
int policy_index(struct network_policy *p) __must_check;
/* policy_names_guest() - some rule, or some set, speaks of guest @name: what policy_index() has found. */
const struct policy_named *policy_names_guest(const struct network_policy *p, const char *name);
void policy_done(struct network_policy *p);
bool policy_equal(const struct network_policy *a, const struct network_policy *b);
bool limits_equal(const struct guest_limits *a, const struct guest_limits *b);

struct network_config;
struct guest_config;
/* limits_of() - what holds for guest @g (NULL: not configured) of @n; 0 where nothing does. */
struct guest_limits limits_of(const struct network_config *n, const struct guest_config *g);

/* policy_emit() - the block `policy`; nothing where all is as by default. */
void policy_emit(const struct network_policy *p, struct buf *out);
/*
 * limits_emit() - the line of key `limits`, of connections and of the guards that count, indented by
 * @indent; nothing where none was written.
 */
void limits_emit(const struct guest_limits *l, const struct guard_limits *g, const char *indent,
		 struct buf *out);

#endif
