/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frame.h - Ethernet, ARP, IPv4, UDP, TCP and ICMP headers: bytes to a struct, and the frames that
 * we send built from one. No I/O.
 */
#ifndef VMLANE_WIRE_FRAME_H
#define VMLANE_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

#define FRAME_MAX 65550

enum frame_kind {
	FRAME_OTHER, /* only the Ethernet header was understood */
	FRAME_ARP,
	FRAME_IP4, /* another protocol than the ones below, or a later fragment */
	FRAME_ICMP,
	FRAME_UDP,
	FRAME_TCP,
};

/**
 * struct frame - a parsed frame; pointers point into the caller's bytes
 * @ethertype:	host byte order
 * @arp_op:	1 request, 2 reply; @arp_sender_mac/ip, @arp_target_ip (RFC 826)
 * @src, @dst:	IPv4 addresses
 * @ip_id:	host byte order
 * @sport, @dport: ports, host byte order; ICMP: type in @icmp_type, id and sequence for echo
 * @tcp_flags:	as in the header's 14th byte: FIN 1, SYN 2, RST 4, PSH 8, ACK 16
 * @payload:	what follows the last understood header, @payload_len bytes, cut to the IP length
 */
struct frame {
	enum frame_kind kind;
	struct mac eth_src;
	struct mac eth_dst;
	uint16_t ethertype;
	uint16_t arp_op;
	struct mac arp_sender_mac;
	struct in_addr arp_sender_ip;
	struct in_addr arp_target_ip;
	struct in_addr src;
	struct in_addr dst;
	uint8_t ip_proto;
	uint8_t ttl;
	uint16_t ip_id;
	bool fragment;
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint16_t icmp_id;
	uint16_t icmp_seq;
	uint16_t sport;
	uint16_t dport;
	uint8_t tcp_flags;
	uint32_t tcp_seq;
	const uint8_t *payload;
	size_t payload_len;
};

/*
 * frame_parse() - 0, or -EBADMSG when a header is cut short or lies about its length. Checks the
 * IPv4 header checksum (RFC 791); the UDP checksum only with @check_udp (the kernel leaves it
 * unfinished on frames of its own guests, so that servers do not look at it).
 */
int frame_parse(const void *bytes, size_t len, bool check_udp, struct frame *ret) __must_check;

/**
 * struct udp_send - a UDP datagram to build as a whole Ethernet frame
 * @sport, @dport: host byte order
 */
struct udp_send {
	struct mac eth_src;
	struct mac eth_dst;
	struct in_addr src;
	struct in_addr dst;
	uint16_t sport;
	uint16_t dport;
	uint8_t ttl;
	const void *payload;
	size_t payload_len;
};

/* udp_frame_build() - Ethernet + IPv4 + UDP with complete checksums; frame length or -ENOBUFS. */
int udp_frame_build(const struct udp_send *s, void *buf, size_t cap) __must_check;

#endif
