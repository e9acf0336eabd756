/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracer.h - loads the programs of src/bpf, tells them what to follow, and reads what they tell.
 *
 * Nothing of it outlives the process: the programs hang on descriptors, so they are gone after
 * kill -9 too. Needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, or root. Next on the walk: journey.h.
 */
#ifndef VMLANE_PATH_TRACER_H
#define VMLANE_PATH_TRACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "bpf/path_event.h"

/* enum tracer_detail - events that are only told when asked for: each is a program more */
enum tracer_detail {
	TRACER_READ = 1,  /* the VMM reads the frame from its tap */
	TRACER_QUEUE = 2, /* waits in a queueing discipline */
	TRACER_FREE = 4,  /* ends as it should */
	TRACER_ICMP = 8,  /* the kernel answers with an ICMP error */
};

/**
 * struct tracer_options - what to follow; all is copied
 * @netns:	inode of the network namespace whose devices count
 * @filter:	classic BPF over the frame from its Ethernet header, @n_filter instructions, at most
 *		PATH_FILTER_MAX; none: all of the guest's packets
 * @must:	what all packets that match @filter have; all 0 when nothing is known of that
 * @trace_socket: inode of the socket that gets nftrace messages; 0: none
 * @mark:	not 0: packets with this fwmark at a watched device, whoever's they are, and no others
 * @detail:	enum tracer_detail, or-ed
 * @snaplen:	not 0: frames are told too, so many bytes of each, at most PATH_FRAME_BYTES
 */
struct tracer_options {
	uint32_t netns;
	const struct path_insn *filter;
	size_t n_filter;
	struct path_match must;
	uint64_t trace_socket;
	uint32_t mark;
	unsigned int detail;
	uint32_t snaplen;
};

struct tracer;

/*
 * tracer_new() - load the programs; nothing is followed before tracer_start()
 *
 * -EPERM (what is missing is named), -EOPNOTSUPP on a kernel without BTF or tracepoint programs,
 * -EINVAL for too many instructions, -ENOMEM.
 */
int tracer_new(const struct tracer_options *o, struct tracer **ret, struct err *e) __must_check;
void tracer_free(struct tracer *t);
DEFINE_CLEANUP(struct tracer *, tracer_free)

/* enum tracer_watch - what a device means to the programs */
enum tracer_watch {
	TRACER_IN = 1,	  /* packets may begin to be followed where they come in here */
	TRACER_OUT = 2,	  /* and where they go out here */
	TRACER_GUEST = 4, /* all that comes in and goes out here is the guest's */
};

/*
 * tracer_watch() - what device @ifindex of the namespace means, enum tracer_watch or-ed, 0 for
 * nothing any more, and what it is, enum path_device_kind or-ed; also while it runs. -ERANGE for an
 * index of PATH_IFINDEX_MAX or above.
 */
int tracer_watch(struct tracer *t, int ifindex, unsigned int watch, unsigned int kind) __must_check;

/*
 * tracer_guest_mac(), tracer_guest_addr() - who the guest is, as far as it is known; also while it
 * runs. IPv4 addresses stand in the first four bytes. Past PATH_ADDRS_MAX addresses the oldest goes.
 */
void tracer_guest_mac(struct tracer *t, const struct mac *mac);
void tracer_guest_addr(struct tracer *t, uint8_t family, const uint8_t addr[16]);

/* tracer_start() - attach the programs. -errno of the kernel, in words. */
int tracer_start(struct tracer *t, struct err *e) __must_check;

/*
 * tracer_rest() - follow nothing, but tell when there is something to follow (a PATH_WAKE event, and
 * PATH_RESTED counts), at a fraction of the cost. -errno when the kernel cannot (before 6.6): then it
 * goes on as before.
 */
int tracer_rest(struct tracer *t) __must_check;
/* tracer_wake() - after tracer_rest(): follow again. -errno of the kernel: then it follows nothing. */
int tracer_wake(struct tracer *t) __must_check;

/*
 * tracer_joins() - since tracer_start(): nftrace messages are joined to packets (PATH_TRACE), because
 * the kernel lets a program see them queued, by a tracepoint (since 6.3) or at a function's entry.
 */
bool tracer_joins(const struct tracer *t);

/* The record begins with a struct path_head, whose type tells the rest; valid during the call. */
typedef void (*tracer_fn)(const struct path_head *head, size_t len, void *ctx);

/*
 * tracer_read() - call @fn for each event that is there, in the order they happened on each CPU;
 * does not wait. The number of events, or -errno.
 */
int tracer_read(struct tracer *t, tracer_fn fn, void *ctx) __must_check;

/* @bytes are the frame from its link-layer header on, @len of them; valid during the call. */
typedef void (*tracer_frame_fn)(const struct path_seen *seen, const void *bytes, size_t len,
				size_t whole_len, void *ctx);

/*
 * tracer_read_frames() - the same for frames, with @snaplen: those of one CPU in order, of several
 * as they come. 0 or -errno.
 */
int tracer_read_frames(struct tracer *t, tracer_frame_fn fn, void *ctx) __must_check;

/* tracer_frames_fd() - as tracer_fd(), for tracer_read_frames(); -1 without @snaplen. */
int tracer_frames_fd(const struct tracer *t);

/* tracer_frames_lost() - frames that found their buffer full. */
uint64_t tracer_frames_lost(const struct tracer *t);

/* tracer_fd() - readable (poll) when tracer_read() has something to do; owned by @t. */
int tracer_fd(const struct tracer *t);

/*
 * tracer_tick() - keep the look-ups cheap: to be called about every four seconds while it runs.
 */
void tracer_tick(struct tracer *t);

/* tracer_counter() - as the programs have counted so far. */
uint64_t tracer_counter(const struct tracer *t, enum path_counter c);

/* tracer_reason_number() - the number of reason @name in this kernel, 0 when it has none such. */
uint32_t tracer_reason_number(const struct tracer *t, const char *name);

/* tracer_reason() - the kernel's name of a drop reason ("NETFILTER_DROP"), or NULL. */
const char *tracer_reason(struct tracer *t, uint32_t reason);

#endif
