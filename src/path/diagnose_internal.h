/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_internal.h - what the tables of cases are made of. */
#ifndef VMLANE_PATH_DIAGNOSE_INTERNAL_H
#define VMLANE_PATH_DIAGNOSE_INTERNAL_H

#include "path/diagnose.h"
#include "path/diagnose_words.h"

/**
 * struct look - one packet that is looked into
 * @drop:	the hop where it was dropped; NULL when it was not
 * @reason, @function: of the drop, "" when not known; the function without the compiler's suffix
 * @route:	the last routing decision, or NULL
 * @in, @out:	how it came in to the drop, and where the route would have had it out; NULL: not known
 * @dev:	the device of the drop
 * @family:	AF_INET, AF_INET6, or 0
 */
struct look {
	const struct journey *g;
	const struct hop *drop;
	const char *reason;
	char function[64];
	const struct hop *route;
	const struct link_state *in;
	const struct link_state *out;
	const struct link_state *dev;
	uint8_t family;
	const struct journey_words *w;
	const struct facts *f;
};

/**
 * struct drop_case - one line of a table: when all of it is so, @code it is
 * @reason:	of the kernel, NULL for any: older kernels have fewer
 * @functions:	where, up to three; none: anywhere
 * @holds:	whether the facts agree; NULL: they are not asked
 * @tell:	fills in the rest
 */
struct drop_case {
	const char *code;
	const char *reason;
	const char *functions[4];
	bool (*holds)(const struct look *l);
	void (*tell)(const struct look *l, struct diagnosis *d);
};

/* drop_case_find() - the first of @cases, @n of them, that is so; false: none. */
bool drop_case_find(const struct drop_case *cases, size_t n, const struct look *l,
		    struct diagnosis *ret);

bool diagnose_bridge(const struct look *l, struct diagnosis *d);
bool diagnose_ip(const struct look *l, struct diagnosis *d);
/* is_guard(), tell_guard() - a case of diagnose_firewall(): a guard at a guest's port (diagnose_guard.c). */
bool is_guard(const struct look *l);
void tell_guard(const struct look *l, struct diagnosis *d);

/* is_guard_by_hand(), tell_guard_by_hand() - the same of what mend_port() prints (diagnose_asked.c). */
#define GUARD_BY_HAND "guests_guard"
bool is_guard_by_hand(const struct look *l);
void tell_guard_by_hand(const struct look *l, struct diagnosis *d);
/* Cases of diagnose_firewall() too: the networks' policies (diagnose_policy.c). */
bool is_policy_rule(const struct look *l);
void tell_policy_rule(const struct look *l, struct diagnosis *d);
bool is_closed_host(const struct look *l);
void tell_closed_host(const struct look *l, struct diagnosis *d);
bool is_metadata(const struct look *l);
void tell_metadata(const struct look *l, struct diagnosis *d);
bool is_limit(const struct look *l);
void tell_limit(const struct look *l, struct diagnosis *d);
bool diagnose_firewall(const struct look *l, struct diagnosis *d);

/* enum guest_fault - what a packet that was not dropped tells of its guest's settings */
enum guest_fault {
	GUEST_FINE,
	GUEST_NOT_TRANSLATED, /* left with its private address */
	GUEST_MISDELIVERED,   /* was for the guest, by MAC or address, and went to another port */
	GUEST_SOURCE,	      /* sends from an address outside of its network */
	GUEST_NETMASK,	      /* asks its neighbours for an address outside of its network */
	GUEST_GATEWAY,	      /* sends to another guest what is for the outside */
	GUEST_ARP,	      /* asks for somebody who does not answer */
	GUEST_UNANSWERED,     /* asks anything else, and nobody answers */
	GUEST_DNS_REFUSED,    /* its resolver does not want to answer */
	GUEST_DHCP_NAK,	      /* a server takes its address from it */
	GUEST_DHCP_TWICE,     /* two servers make it an offer */
	GUEST_ROUTER_ADDRESS, /* a guest says that it has an address of the host's */
	GUEST_OTHER_ROUTER,   /* another guest says that it is a router */
};

/* guest_fault() - by what is known without any facts. */
enum guest_fault guest_fault(const struct journey *g, const struct path_view *v,
			     const struct diagnosis_guest *guest);
bool diagnose_guest(const struct look *l, struct diagnosis *d);

/* asked_fault() - of questions and answers: the last six of the above, or GUEST_FINE. */
enum guest_fault asked_fault(const struct journey *g, const struct path_view *v,
			     const struct diagnosis_guest *guest);
bool diagnose_asked(const struct look *l, enum guest_fault fault, struct diagnosis *d);

/* guest_bridge() - the bridge that the packet of a guest came in by; 0: none. */
int guest_bridge(const struct journey *g, const struct path_view *v);

#endif
