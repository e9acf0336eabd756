/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pcapng.h - the blocks of a pcapng capture file (draft-ietf-opsawg-pcapng, section 4), built. No I/O;
 * reading such files is Wireshark's work. Next on the walk: path/capture_file.h, which puts the blocks
 * into files.
 *
 * A section begins with pcapng_section_build(); then come the interfaces, which are numbered from 0
 * in their order, and after an interface its packets. All is little-endian, which the section's
 * magic says, whatever the machine. Every interface block has the same snaplen and the same link type,
 * or tcpdump refuses the file; times are nanoseconds.
 *
 * Each function appends one whole block to a buffer, or answers with -errno and leaves the buffer's
 * bytes as they were: -E2BIG for a text or frame past the limits below or past the buffer's maximum,
 * -ENOMEM. (An error of the buffer itself sticks to it, see base/buf.h.)
 */
#ifndef VMLANE_WIRE_PCAPNG_H
#define VMLANE_WIRE_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"

#define PCAPNG_SNAPLEN 262144 /* the longest frame; more than Wireshark does not read */
#define PCAPNG_TEXT_MAX 16384 /* bytes of one text: a name, a comment */
/* No block is longer: a frame, five texts whose every byte was mended to three, and the fields. */
#define PCAPNG_BLOCK_MAX (PCAPNG_SNAPLEN + 5 * 3 * PCAPNG_TEXT_MAX + 1024)

/*
 * Texts are UTF-8 (section 3.5). What is not, an interface's name can be, becomes U+FFFD byte by
 * byte: readers would warn of it. NULL and "" leave the option out.
 */

/**
 * struct pcapng_section - where and by what the capture was made (Section Header Block, 4.1)
 * @hardware:	of the machine
 * @os:		the operating system's name and version
 * @application: the program's name and version
 * @comment:	for people
 */
struct pcapng_section {
	const char *hardware;
	const char *os;
	const char *application;
	const char *comment;
};

/**
 * struct pcapng_interface - a place where packets were seen (Interface Description Block, 4.2)
 * @name:	shown for each packet
 * @description: in plain words
 * @filter:	what was asked for, as a capture filter of libpcap
 */
struct pcapng_interface {
	const char *name;
	const char *description;
	const char *filter;
};

/* enum pcapng_direction - as bits 0 and 1 of epb_flags have it (4.3.1) */
enum pcapng_direction {
	PCAPNG_NO_DIRECTION = 0,
	PCAPNG_IN = 1,
	PCAPNG_OUT = 2,
};

/**
 * struct pcapng_packet - a frame at an interface (Enhanced Packet Block, 4.3)
 * @interface:	number of its interface in the section
 * @time_ns:	since 1970, UTC
 * @bytes:	the frame from its Ethernet header on, @len bytes of it
 * @whole_len:	the frame's length on the wire, at least @len; 0 for @len
 * @direction:	as the host sees it: IN came in by the interface, OUT was sent there
 * @has_id:	@id is the packet's: the same wherever the packet is seen again
 * @drops:	frames that were missed here since the interface's frame before; 0 leaves it out
 * @comment:	for people
 *
 * epb_verdict is not written: it knows the verdicts of tc, XDP and hardware only, so that a rule's
 * verdict is for @comment.
 */
struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns;
	const void *bytes;
	size_t len;
	size_t whole_len;
	enum pcapng_direction direction;
	bool has_id;
	uint64_t id;
	uint64_t drops;
	const char *comment;
};

/**
 * struct pcapng_stats - how an interface fared (Interface Statistics Block, 4.6)
 * @interface:	number of its interface in the section
 * @start_ns, @end_ns: when capturing began and ended, since 1970, UTC
 * @delivered:	frames that were written
 * @counted:	the kernel counted too, as follows
 * @received:	frames that the kernel had for us, those it dropped too
 * @dropped:	those that the kernel dropped since nobody took them in time
 *
 * All since the capture's beginning.
 */
struct pcapng_stats {
	uint32_t interface;
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t delivered;
	bool counted;
	uint64_t received;
	uint64_t dropped;
};

#define PCAPNG_STATS_MAX 88 /* bytes that pcapng_stats_build() makes at most */

int pcapng_section_build(const struct pcapng_section *s, struct buf *b) __must_check;
int pcapng_interface_build(const struct pcapng_interface *i, struct buf *b) __must_check;
/* -EINVAL too: @whole_len is below @len. */
int pcapng_packet_build(const struct pcapng_packet *p, struct buf *b) __must_check;
int pcapng_stats_build(const struct pcapng_stats *s, struct buf *b) __must_check;

#endif
