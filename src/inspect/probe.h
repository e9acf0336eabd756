/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * probe.h - ask the kernel with a synthetic packet: it comes in by the guest's port as if the guest had
 * sent it, is followed, and taken off before it leaves; then its reply on the way back.
 *
 * What it leaves in conntrack, among the neighbours and in the bridges' MAC tables is removed. Next on
 * the walk: path/inject.h and tracing.h; footprint.h, egress.h.
 */
#ifndef VMLANE_INSPECT_PROBE_H
#define VMLANE_INSPECT_PROBE_H

#include "inspect/egress.h"
#include "inspect/subject.h"
#include "inspect/tracing.h"
#include "wire/craft.h"

struct probe_request;

/**
 * struct probe - one question
 * @kind:	CRAFT_ECHO, CRAFT_UDP or CRAFT_TCP (a SYN); CRAFT_ARP_REQUEST asks for @dst on the bridge
 * @family:	of @src and @dst, which are as in struct craft
 * @has_src:	@src was given; else it is the guest's own
 * @port:	of @dst; host byte order
 * @size:	bytes of the IP packet, 0 for as few as it takes; @df: it must not be fragmented
 * @from_outside: a client outside sends it to @dst; @src is the client's
 * @send:	it leaves the host, and its real reply is waited for
 * @request:	not NULL: this very frame is sent, and what is above was asked for it
 * @judged:	may be NULL; gets probe_run()'s ctx. At the way out of device @ifindex others' filters
 *		would not let it pass, or cannot be asked.
 * @one_way:	its reply is not tried
 * @wake_fd:	with @one_way and @done: descriptor to poll besides; @done is asked after each wait, and
 *		ends the probe when it says so
 */
struct probe {
	enum craft_kind kind;
	int family;
	bool has_src;
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t port;
	size_t size;
	bool df;
	bool from_outside;
	bool send;
	const struct probe_request *request;
	void (*judged)(int ifindex, const struct egress_judgement *j, bool reply, void *ctx);
	bool one_way;
	int wake_fd;
	bool (*done)(void *ctx);
};

/* enum probe_answer - what came of it */
enum probe_answer {
	PROBE_REACHABLE,   /* it got there, and so did the reply */
	PROBE_NO_WAY,	   /* it was dropped, or lost from sight */
	PROBE_NO_WAY_BACK, /* its reply was */
	PROBE_NOT_KNOWN,   /* somebody's filter at the way out cannot be asked */
};

/*
 * Called with each journey as it is known, in order. True: something is wrong with it, so that no
 * answer is to be expected although it was delivered.
 */
typedef bool (*probe_fn)(const struct journey *j, const struct tracing *t, bool reply, void *ctx);

/*
 * probe_run() - @s is the guest. 0 and *ret, or -errno with words: -ENODATA when the guest's MAC or
 * address is not known and was not given, -EHOSTUNREACH when nobody knows where to send it, -EAGAIN
 * when the kernel's events were lost, so that nothing is known.
 */
int probe_run(struct subject *s, const struct probe *p, probe_fn fn, void *ctx,
	      enum probe_answer *ret, struct err *e) __must_check;

#endif
