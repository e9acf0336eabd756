/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.h - the table in the kernel, by libnftables. No process is executed.
 *
 * Make the context before the process has 1024 descriptors open (libnftables 1.0.6 uses select()).
 */
#ifndef VMLANE_FIREWALL_NFT_H
#define VMLANE_FIREWALL_NFT_H

#include "base/buf.h"
#include "base/err.h"
#include "firewall/accepts.h"
#include "firewall/lifetime.h"
#include "firewall/ruleset.h"

struct nft;

/* nft_new() - -ENOMEM. */
int nft_new(struct nft **ret) __must_check;
void nft_free(struct nft *n);
DEFINE_CLEANUP(struct nft *, nft_free)

/*
 * nft_run() - one transaction; all or nothing. The text is ours alone, never a user's.
 *
 * libnftables hands back words only, of which -EPERM, -ENOENT, -EEXIST, -EBUSY, -ENOMEM, -ENOBUFS
 * and -EOPNOTSUPP are told apart; all else is -EIO.
 */
int nft_run(struct nft *n, const char *text, struct err *e) __must_check;
/*
 * nft_lifetimes() - give the table, which has just been made as a whole, how long conntrack remembers
 * guests' silent connections: @seconds for each state. One transaction. -EOPNOTSUPP or -ENOENT where
 * the kernel cannot; the table is as it was then.
 */
int nft_lifetimes(struct nft *n, const uint32_t seconds[static FW_STATE_COUNT]) __must_check;
/*
 * nft_list() - the table `inet vmlane` as text without counters' values; "" when there is none.
 * The same content is the same text, whatever order its elements were added in.
 */
int nft_list(struct nft *n, struct buf *out, struct err *e) __must_check;
/* nft_list_rates() - the same of the table `netdev vmlane`; see rates.h. */
int nft_list_rates(struct nft *n, struct buf *out, struct err *e) __must_check;
/* nft_list_guard() - the table `bridge vmlane`, which versions before this had guards in. */
int nft_list_guard(struct nft *n, struct buf *out, struct err *e) __must_check;
/* nft_accepts_look(), nft_accepts_send() - accepts_look() and _send(), see accepts.h. */
int nft_accepts_look(struct nft *n, const struct fw_place *p, const struct fw_accept *want,
		     size_t count, struct fw_place_diff *ret) __must_check;
int nft_accepts_send(struct nft *n, const struct fw_place *p, const struct fw_accept *want,
		     size_t count, const struct fw_place_diff *d) __must_check;
/*
 * nft_forward_drop() - somebody's chain at the forward hook whose policy is drop, as "ip filter
 * FORWARD" into @ret of @size; "" when there is none.
 */
int nft_forward_drop(struct nft *n, char *ret, size_t size, struct err *e) __must_check;
/*
 * nft_generation() - the number of the ruleset's present state in this network namespace: each
 * transaction of anybody's counts it up by one (NFT_MSG_GETGEN).
 */
int nft_generation(struct nft *n, uint32_t *ret) __must_check;
/* nft_table_gone() - there is no table `inet vmlane`. */
bool nft_table_gone(struct nft *n);
/*
 * nft_remember() - the table as it is now is kept, for nft_replay() to make it again when it is gone:
 * in one transaction, without the time that the same text would take to be read; see replay.h for
 * what of it comes anew. nft_forget() - it is not kept any more; nft_remembers(): it is. -E2BIG when
 * there is too much of it, -ENOENT when there is nothing.
 */
int nft_remember(struct nft *n) __must_check;
int nft_replay(struct nft *n) __must_check;
void nft_forget(struct nft *n);
bool nft_remembers(const struct nft *n);
/* nft_transactions() - how many transactions that write were sent. */
uint64_t nft_transactions(const struct nft *n);

/*
 * nft_rule_counters() - tell of the counter of each rule of a policy; @name: "NETWORK/ID", see
 * firewall/policy.h. nft_limited() - of each guest whose connections were beyond a limit.
 */
typedef void (*nft_rule_fn)(const char *name, uint64_t packets, uint64_t bytes, void *ctx);
int nft_rule_counters(struct nft *n, nft_rule_fn fn, void *ctx, struct err *e) __must_check;

enum fw_limit {
	FW_LIMIT_CONNECTIONS,
	FW_LIMIT_NEW,
	FW_LIMIT_COUNT,
};
typedef void (*nft_limited_fn)(enum fw_limit which, const char *bridge, const char *mac,
			       uint64_t packets, uint64_t bytes, void *ctx);
int nft_limited(struct nft *n, nft_limited_fn fn, void *ctx, struct err *e) __must_check;

/* struct fw_counters - packets refused or dropped, from the table's named counters. */
struct fw_counters {
	uint64_t spoofed;     /* guests' packets with a source that is not theirs */
	uint64_t refused_in;  /* new connections from outside */
	uint64_t refused_out; /* guests' packets with no permitted way out */
	uint64_t invalid;
	uint64_t refused_host; /* guests' packets to services of the host */
	uint64_t metadata;     /* guests' packets to the cloud's metadata service */
	uint64_t limited;      /* connections of guests that have too many */
	uint64_t closed; /* IPv6 between other interfaces, which only we made the host forward */
};
/* nft_counters() - -ENOENT when there is no table. */
int nft_counters(struct nft *n, struct fw_counters *ret, struct err *e) __must_check;

#endif
