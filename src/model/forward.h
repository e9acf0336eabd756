/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forward.h - port forwards: ports of the host that lead to ports of a guest.
 *
 * Pure. firewall/forwards.c makes rules of them, daemon/forwards.c looks who else has the ports.
 */
#ifndef VMLANE_MODEL_FORWARD_H
#define VMLANE_MODEL_FORWARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"

#define GUEST_FORWARDS_MAX 256	    /* forwards of one guest */
#define NETWORK_FORWARDS_MAX 4096   /* forwards of one network */
#define FORWARD_RANGE_MAX 16384	    /* ports of one forward */
#define FORWARD_PORTS_MAX (1 << 17) /* ports of all forwards of the host together */

enum forward_proto {
	FORWARD_TCP,
	FORWARD_UDP,
	FORWARD_PROTO_COUNT,
};

/* forward_proto_name() - "tcp", "udp"; as written in YAML and JSON. */
const char *forward_proto_name(enum forward_proto p);
/* forward_proto_number() - as in the IPv4 header: 6, 17. */
uint8_t forward_proto_number(enum forward_proto p);

/**
 * struct forward - ports of the host that are a guest's
 * @addr:	the host's address; INADDR_ANY: all it has, 127.0.0.0/8 among them
 * @first:	lowest port of the host, host byte order; @last: highest
 * @to:		the guest's port for @first; those that follow are for the ports that follow
 * @line, @col:	where it was written
 */
struct forward {
	enum forward_proto proto;
	struct in_addr addr;
	uint16_t first;
	uint16_t last;
	uint16_t to;
	unsigned int line;
	unsigned int col;
};

#define FORWARD_STRLEN sizeof("udp 255.255.255.255:65535-65535 -> 65535")
#define FORWARD_EXPECTED                                                                           \
	"a text such as \"tcp 8080 -> 80\" or \"udp 203.0.113.2:5000-5009 -> 6000\""

/*
 * forward_parse() - "tcp|udp [ADDR:]PORT[-PORT] -> PORT"; @line and @col are left 0. -EINVAL: then
 * *ret_why is what is wrong with it, or NULL when it is no such text at all.
 */
int forward_parse(const char *text, struct forward *ret, const char **ret_why) __must_check;
/* forward_format() - the canonical text. */
const char *forward_format(const struct forward *f, char buf[static FORWARD_STRLEN]);
/* forward_same() - the same meaning. */
bool forward_same(const struct forward *a, const struct forward *b);
/* forward_ports() - how many. */
static inline size_t forward_ports(const struct forward *f)
{
	return (size_t)f->last - f->first + 1;
}
/* forward_any() - it takes the port of all of the host's addresses. */
static inline bool forward_any(const struct forward *f)
{
	return f->addr.s_addr == INADDR_ANY;
}
/* forward_takes() - what comes to @port of the host's address @addr (INADDR_ANY: any) is its. */
bool forward_takes(const struct forward *f, enum forward_proto proto, struct in_addr addr,
		   uint16_t port);
/* forwards_equal() - two lists mean the same, in the same order. */
bool forwards_equal(const struct forward *a, size_t n_a, const struct forward *b, size_t n_b);

#endif
