/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcap_filter.h - words such as "tcp port 443" to classic BPF, in libpcap's language (pcap-filter(7)). Frames
 * begin with their Ethernet header. Names of hosts and networks are refused: nothing is ever asked of the
 * network. Next on the walk: bpf/filter.bpf.h, which runs the instructions.
 */
#ifndef VMLANE_PATH_PCAP_FILTER_H
#define VMLANE_PATH_PCAP_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "bpf/path_event.h"
#include "path/filter_words.h"

#define PCAP_FILTER_WHOLE SIZE_MAX /* of each frame all is there */

/**
 * struct pcap_filter - a compiled filter
 * @text:	its words with a blank between them; "" for none
 * @n:		instructions of @insns; 0 for no words: all frames match
 */
struct pcap_filter {
	char text[FILTER_TEXT_MAX + 1];
	size_t n;
	struct path_insn insns[PATH_FILTER_MAX];
};

/*
 * pcap_filter_compile() - @words, @n_words of them, as on a command line: a filter may be one of them or
 * spread over several
 *
 * @seen is how many bytes of a frame, from its beginning, will be there to be looked at, or
 * PCAP_FILTER_WHOLE; the programs of src/bpf have PATH_FRAME_MAX - 1. With less than the whole, what asks
 * for a frame's length or for a byte at a fixed place beyond is refused: it could not be answered.
 *
 * -EINVAL, -E2BIG (past FILTER_TEXT_MAX, FILTER_TOKENS_MAX or PATH_FILTER_MAX), -ENOMEM, in words, libpcap's
 * own where it is not content. May be called by several threads at once.
 */
int pcap_filter_compile(const char *const *words, size_t n_words, size_t seen,
			struct pcap_filter *ret, struct err *e) __must_check;

/* pcap_filter_matches() - does @frame, @len bytes of one that had @whole_len, match? */
bool pcap_filter_matches(const struct pcap_filter *f, const void *frame, size_t len,
			 size_t whole_len);

/* struct pcap_filter_addr - @family AF_INET (in the first four bytes of @addr), AF_INET6, or 0: any */
struct pcap_filter_addr {
	uint8_t family;
	uint8_t addr[16];
};

/**
 * struct pcap_filter_flow - what a plain filter asks of each packet; all of it must be so
 * @ethertype:	host byte order; 0: any
 * @l4:		IPPROTO_*; 0: any (with a port: TCP, UDP or SCTP)
 * @src, @dst, @host: addresses; @host is one of a packet's two
 * @sport, @dport, @port: host byte order, 0: any; @port is one of a packet's two
 */
struct pcap_filter_flow {
	uint16_t ethertype;
	uint8_t l4;
	struct pcap_filter_addr src;
	struct pcap_filter_addr dst;
	struct pcap_filter_addr host;
	uint16_t sport;
	uint16_t dport;
	uint16_t port;
};

/*
 * pcap_filter_flow() - @text in simple terms: true when it is nothing but conditions joined by "and":
 * ip, ip6, arp, icmp, icmp6, tcp, udp; [src|dst] port NUMBER; [src|dst] host ADDRESS, src|dst ADDRESS; each at most
 * once. "" is simple, and asks for nothing. False, with @ret untouched, for all else: whoever
 * narrows something by it has to do without then.
 */
bool pcap_filter_flow(const char *text, struct pcap_filter_flow *ret);

/*
 * pcap_flow_must() - what of @f the programs of src/bpf can look at in a glance: each packet that matches
 * the filter has it, others may. All 0 when there is nothing.
 */
void pcap_flow_must(const struct pcap_filter_flow *f, struct path_match *ret);

#endif
