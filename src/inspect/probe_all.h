/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe_all.h - the usual questions, one after the other: does the guest get an address, does it reach
 * its gateway, a resolver, the outside? Each is a probe (probe.h), or a frame whose answer is looked
 * for at the guest's port.
 *
 * A guest that is on sees what answers the host and its servers send, and has no use for them. Nothing
 * is requested of a DHCP server but an offer, which our own forgets at once.
 */
#ifndef VMLANE_INSPECT_PROBE_ALL_H
#define VMLANE_INSPECT_PROBE_ALL_H

#include "inspect/probe.h"
#include "path/diagnose.h"

#define PROBE_OUTSIDE4 "9.9.9.9" /* a public resolver that also answers pings and https */
#define PROBE_OUTSIDE6 "2620:fe::fe"

/**
 * struct probe_all_options - what to ask for
 * @outside, @outside6: the addresses outside; IPv4 and IPv6
 * @send:	what goes outside leaves the host, and is really answered
 * @has_source:	@source is the guest's IPv4 address; else the one that is known, or offered
 * @socket:	the daemon's, may be NULL
 */
struct probe_all_options {
	struct in_addr outside;
	struct in6_addr outside6;
	bool send;
	bool has_source;
	struct in_addr source;
	const char *socket;
};

enum check_state {
	CHECK_NOT_TRIED,
	CHECK_PASSED,
	CHECK_FAILED,
};

/**
 * struct check - one question and what came of it
 * @name:	"dhcp", "ping", ...
 * @text:	what was found, or why it failed or was not tried
 * @explained:	@why has its cause; only of one that failed
 */
struct check {
	const char *name;
	enum check_state state;
	char text[256];
	bool explained;
	struct diagnosis why;
};

/* check_state_name() - "pass", "fail", "not tried" */
const char *check_state_name(enum check_state s);

/* Called as each is known, in order. */
typedef void (*check_fn)(const struct check *c, void *ctx);

/* probe_all() - 0, and how many passed and failed in @ret, by state; or -errno with words. */
int probe_all(struct subject *s, const struct probe_all_options *o, check_fn fn, void *ctx,
	      unsigned int ret[static CHECK_FAILED + 1], struct err *e) __must_check;

#endif
