/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer.h - frames that answer a guest's first questions: ARP, DHCPv4, DNS, router and neighbour
 * advertisements; and the question to a resolver. Pure. For probes.
 */
#ifndef VMLANE_WIRE_ANSWER_H
#define VMLANE_WIRE_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "wire/dhcp4.h"

enum answer_kind {
	ANSWER_ARP,  /* a reply (RFC 826) */
	ANSWER_DHCP, /* a server's message (RFC 2131) */
	ANSWER_DNS,  /* a response by UDP over IPv4 (RFC 1035) */
	ANSWER_RA,   /* a router advertisement (RFC 4861 4.2) */
	ANSWER_NA,   /* a neighbour advertisement (RFC 4861 4.4) */
};

/**
 * struct answer - what is of use of it
 * @mac:	ARP: whose address it is; else the frame's sender
 * @addr:	ARP: the address that is asked for; DHCP, DNS: the sender
 * @addr6:	RA: the router; NA: the address that was asked for
 * @dhcp:	ANSWER_DHCP
 * @dns_id, @dns_code: ANSWER_DNS: the question's id, and RCODE (RFC 1035 4.1.1)
 * @router:	ANSWER_RA: it is a default router
 * @prefix:	ANSWER_RA: the first that hosts make addresses of; length 0: none
 */
struct answer {
	enum answer_kind kind;
	struct mac mac;
	struct in_addr addr;
	struct in6_addr addr6;
	struct dhcp4_msg dhcp;
	uint16_t dns_id;
	uint8_t dns_code;
	bool router;
	struct ip6_prefix prefix;
};

/*
 * answer_parse() - a whole Ethernet frame. 0; -EPROTONOSUPPORT for one that is no such answer;
 * -EBADMSG for one that is broken. Checksums of UDP and ICMPv6 are not looked at: the kernel has not
 * finished them where guests are.
 */
int answer_parse(const void *bytes, size_t len, struct answer *ret) __must_check;

#define DNS_NAME_MAX 253

/*
 * dns_query_build() - a question for the address (A) of @name, with recursion desired; its length.
 * -EINVAL for what is no name; -ENOBUFS.
 */
int dns_query_build(uint16_t id, const char *name, void *buf, size_t cap) __must_check;

/* dns_code_name() - "NOERROR", "NXDOMAIN", ...; "?" for one that RFC 1035 does not have. */
const char *dns_code_name(uint8_t code);

#endif
