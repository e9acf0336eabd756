/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * craft.h - whole Ethernet frames as a guest or a server would send them: ARP, ICMP echo, UDP, TCP
 * without options, over IPv4 and IPv6, with right checksums. For probes. No I/O.
 */
#ifndef VMLANE_WIRE_CRAFT_H
#define VMLANE_WIRE_CRAFT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

enum craft_kind {
	CRAFT_ARP_REQUEST, /* who has @dst? tell @src (RFC 826) */
	CRAFT_ECHO,	   /* ICMP or ICMPv6 echo request (RFC 792, RFC 4443) */
	CRAFT_ECHO_REPLY,
	CRAFT_UDP,
	CRAFT_TCP,
	CRAFT_ICMP, /* any other ICMP or ICMPv6 message: type, and what is behind its first eight bytes */
};

/**
 * struct craft - a frame to be made
 * @family:	AF_INET (addresses in the first four bytes) or AF_INET6
 * @src, @dst:	network byte order
 * @sport, @dport: host byte order; echo: @sport is the identifier, @dport the sequence number
 * @ip_id:	IPv4's identification, host byte order
 * @tcp_flags:	as in struct frame
 * @tcp_seq, @tcp_ack: host byte order
 * @df:		IPv4: do not fragment
 * @icmp_type:	CRAFT_ICMP; @sport and @dport are bytes 5 to 8
 * @payload:	behind the headers, @payload_len bytes; NULL: zeros. Not owned.
 */
struct craft {
	enum craft_kind kind;
	struct mac eth_src;
	struct mac eth_dst;
	int family;
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
	uint16_t ip_id;
	uint8_t ttl;
	uint8_t tcp_flags;
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	bool df;
	uint8_t icmp_type;
	const void *payload;
	size_t payload_len;
};

/* craft_build() - the frame's length, or -ENOBUFS when it does not fit into @cap or into IP. */
int craft_build(const struct craft *c, void *buf, size_t cap) __must_check;

#endif
