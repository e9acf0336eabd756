/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nftrace.h - have nf_tables tell which rules decide over a guest's packets.
 *
 * Two halves: a socket that receives the trace messages of the namespace, whoever asked for them,
 * and tables with a few rules that ask for those of one guest's packets. The tables are the
 * process's own (`flags owner`): the kernel removes them when it ends, after kill -9 as well.
 *
 * Which packet a message is about is told by the BPF program on_trace (bpf/path.bpf.c), which counts
 * the messages that are queued to the socket: its number and struct nftrace_msg's are the same, as
 * long as both began together. Where the kernel has no sk_data_ready tracepoint, the headers in the
 * message have to do.
 */
#ifndef VMLANE_PATH_NFTRACE_H
#define VMLANE_PATH_NFTRACE_H

#include "base/addr.h"
#include "base/buf.h"
#include "base/err.h"
#include "path/journey.h"
#include "path/nftrace_msg.h"
#include "path/journey.h"

struct nftrace;

/*
 * nftrace_open() - receive the trace messages of the calling thread's network namespace. None is
 * asked for yet. -EPERM (CAP_NET_ADMIN there is needed), -EMFILE, -ENOMEM.
 */
int nftrace_open(struct nftrace **ret, struct err *e) __must_check;
/* nftrace_close() - and whatever was selected is not traced any more. */
void nftrace_close(struct nftrace *n);
DEFINE_CLEANUP(struct nftrace *, nftrace_close)

/* nftrace_fd() - readable (poll) when nftrace_read() has something to do; owned by @n. */
int nftrace_fd(const struct nftrace *n);
/* nftrace_socket_inode() - by which the BPF program knows the socket. */
uint64_t nftrace_socket_inode(const struct nftrace *n);

/* The message is valid during the call only: nftrace_msg_copy(). */
typedef void (*nftrace_fn)(const struct nftrace_msg *m, void *ctx);

/*
 * nftrace_read() - call @fn for each message that is there, in the order the kernel queued them; does
 * not wait. Comes back after NFTRACE_READ_MAX at the latest. How many datagrams were read (0: nothing
 * is left), or -errno.
 *
 * A datagram that is no trace message has its number too: the BPF program counted it.
 */
int nftrace_read(struct nftrace *n, nftrace_fn fn, void *ctx) __must_check;
#define NFTRACE_READ_MAX 1024

/*
 * nftrace_restart() - forget what was received and count from 0 again: right after the BPF program
 * was attached, in case somebody else has packets traced here already.
 */
void nftrace_restart(struct nftrace *n);

/*
 * nftrace_lost() - messages that found the receive buffer full. They are not queued, so that neither
 * side counts them: the numbers stay in step.
 */
uint64_t nftrace_lost(const struct nftrace *n);
/* nftrace_broken() - datagrams that were no trace message, or a broken one. */
uint64_t nftrace_broken(const struct nftrace *n);

/**
 * struct nftrace_flow - a guest's packets, or some of them
 * @mark:	not 0: what has this fwmark where it comes in, whoever's it is, besides the guest's
 * @has_mac:	@mac is the guest's
 * @addrs:	the guest's, @n_addrs of them, at most PATH_ADDRS_MAX. One of @mark, @mac and
 *		@addrs has to be there.
 * @proto:	IPPROTO_*, 0 for any (ARP too)
 * @port:	of either side, 0 for any; host byte order. With @proto 0: TCP, UDP or SCTP.
 * @has_peer:	only packets to or from @peer
 * @flood:	all of them; otherwise some 1,000 a second, since each costs the host microseconds
 * @conntrack:	also replies that only conntrack knows to be the guest's (they are addressed to the
 *		host). Asking it switches conntrack on in this namespace: only say so where it is on.
 */
struct nftrace_flow {
	uint32_t mark;
	bool has_mac;
	struct mac mac;
	const struct path_address *addrs;
	size_t n_addrs;
	uint8_t proto;
	uint16_t port;
	bool has_peer;
	struct path_address peer;
	bool flood;
	bool conntrack;
};

/*
 * nftrace_select() - have the packets of @flow traced, in place of what was selected before; NULL for
 * none
 *
 * They are traced from before raw (priority -350) of prerouting or output on, in the families inet,
 * ip, ip6 and bridge; the replies that conntrack finds only from behind it (-199). Afterwards until
 * the packet leaves the namespace. One nftrace of a process may select at a time. -EINVAL when @flow
 * names no guest or too many addresses; -EPERM, -EIO.
 */
int nftrace_select(struct nftrace *n, const struct nftrace_flow *flow, struct err *e) __must_check;

/*
 * nftrace_text() - the transaction of nftrace_select(), for tables of the name @table. Errors are in
 * @out->error.
 */
void nftrace_text(const char *table, const struct nftrace_flow *flow, struct buf *out);

#endif
