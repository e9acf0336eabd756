/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rules.h - what stands in the ruleset: chains and rules' texts by the handles that trace messages
 * name. Read from nft's own listing with handles (`nft -a -s -t list ruleset`), so that a rule reads
 * as its owner would see it; those of iptables-nft too.
 */
#ifndef VMLANE_PATH_RULES_H
#define VMLANE_PATH_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

/**
 * struct rules_table - a table
 * @family:	NFPROTO_*
 * @iptables:	made by iptables-nft (or ip6tables-, ebtables-, arptables-nft), by nft's own words
 */
struct rules_table {
	uint8_t family;
	const char *name;
	uint64_t handle;
	bool iptables;
};

/**
 * struct rules_chain - a chain
 * @base:	it hangs on a hook; what follows is of base chains only
 * @type:	"filter", "nat", "route"
 * @hook:	"prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"
 * @device:	family netdev: the device (the first, where there are several); otherwise ""
 * @drop:	the policy: drop rather than accept
 */
struct rules_chain {
	const struct rules_table *table;
	const char *name;
	uint64_t handle;
	bool base;
	const char *type;
	const char *hook;
	const char *device;
	int priority;
	bool drop;
};

/* struct rules_rule - @text as nft prints it, in one line, without the handle */
struct rules_rule {
	const struct rules_chain *chain;
	uint64_t handle;
	const char *text;
};

struct rules;

#define RULES_LISTING_MAX (64u << 20)

/*
 * rules_parse() - from a listing of @len bytes; all strings are copies. -EBADMSG when it is no such
 * listing, -E2BIG beyond RULES_LISTING_MAX, -ENOMEM.
 *
 * nft's warnings of tables that iptables-nft made may stand before it (nft writes them to its stderr).
 * A listing without handles has no rules; elements of sets are left out.
 */
int rules_parse(const char *listing, size_t len, struct rules **ret) __must_check;
void rules_free(struct rules *r);
DEFINE_CLEANUP(struct rules *, rules_free)

/* rules_find() - the rule, or NULL: it may have been deleted since it decided. */
const struct rules_rule *rules_find(const struct rules *r, uint8_t family, const char *table,
				    uint64_t handle);
/* rules_chain() - the chain, or NULL. */
const struct rules_chain *rules_chain(const struct rules *r, uint8_t family, const char *table,
				      const char *chain);
/* rules_all(), rules_chains() - all of them, sorted by table; the number. Owned by @r. */
size_t rules_all(const struct rules *r, const struct rules_rule **ret);
size_t rules_chains(const struct rules *r, const struct rules_chain **ret);

/*
 * rules_conntrack() - some chain has to do with connections (nat, or a rule that says ct): conntrack is
 * on in this namespace. That nothing does proves nothing: iptables-legacy is not listed.
 */
bool rules_conntrack(const struct rules *r);

/* rules_family_name() - "inet", "ip", ...; "?" for a number that is none. */
const char *rules_family_name(uint8_t family);

/*
 * struct rules_live - the ruleset of the network namespace of the thread that made it, read again
 * when somebody has changed it. It listens to what the kernel says of changes: asking costs one
 * system call as long as nothing has changed.
 */
struct rules_live;
int rules_live_new(struct rules_live **ret, struct err *e) __must_check;
void rules_live_free(struct rules_live *l);
DEFINE_CLEANUP(struct rules_live *, rules_live_free)
/*
 * rules_live_get() - as of now; @ret is owned by @l, valid until the next call. After a change a rule
 * that decided shortly before may be gone, or in a table that was made anew its handle may be
 * another's: ask while the packet is fresh.
 */
int rules_live_get(struct rules_live *l, const struct rules **ret, struct err *e) __must_check;
/* rules_live_fd() - readable (poll) when the ruleset has changed since the last rules_live_get(). */
int rules_live_fd(const struct rules_live *l);

#endif
