/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard.h - what guests may send, as the nftables table `bridge vmlane`.
 *
 * A base chain at the bridges' prerouting hook looks up who sends; all that is known of a port is
 * elements of sets, so that a frame's cost does not depend on how many guests there are, and rules
 * stand before their port does: there is no moment at which a guest's frames pass unseen. It works
 * on without the daemon. This half is pure: struct fw_guard_port -> text. nft.h puts it into the
 * kernel. Of each guard there are a chain `drop_NAME`, by which a trace tells which one it was, and
 * a set `dropped_NAME`, in which each port's drops are counted.
 *
 * Checked: see docs/GUARD.md. Not checked, as nf_tables cannot walk them: options of neighbour
 * discovery behind the first one.
 */
#ifndef VMLANE_FIREWALL_GUARD_H
#define VMLANE_FIREWALL_GUARD_H

#include "firewall/ruleset.h"
#include "model/guard.h"

#define FW_GUARD_TABLE "bridge vmlane"

/* struct fw_guard_pair - @mac may send as @addr. */
struct fw_guard_pair {
	struct mac mac;
	struct in_addr addr;
};

/**
 * struct fw_guard_port - a guest's port
 * @ifname:	the tap's or veth's name; it need not be there
 * @guards:	bits of enum guard that are on; 0: nothing is looked at
 * @known4:	its IPv4 addresses are known, else none is checked; @known6 likewise
 * @macs:	its MACs, @n_macs of them; not owned
 * @pairs:	its IPv4 addresses, each with the MAC that has it, @n_pairs of them; not owned
 * @prefixes:	addresses that any of its MACs may have, @n_prefixes of them; not owned
 * @subnet:	likewise, if its length is not 0
 * @gateway:	an IPv4 address that is the router's, whatever @prefixes say; 0.0.0.0: none
 * @subnet6:	where its IPv6 addresses are besides fe80::/64; length 64, or 0 for none
 * @routers6:	IPv6 addresses that are the router's, @n_routers6 of them
 */
struct fw_guard_port {
	const char *ifname;
	uint16_t guards;
	bool known4;
	bool known6;
	const struct mac *macs;
	size_t n_macs;
	const struct fw_guard_pair *pairs;
	size_t n_pairs;
	const struct guest_prefix *prefixes;
	size_t n_prefixes;
	struct ip4_prefix subnet;
	struct in_addr gateway;
	struct ip6_prefix subnet6;
	struct in6_addr routers6[2];
	size_t n_routers6;
};

/*
 * fw_guard_build() - the table for @n ports, in any order. -EINVAL: a name that nft's quotes cannot
 * hold safely. -E2BIG, -ENOMEM. Without a guarded port there are no elements.
 */
int fw_guard_build(const struct fw_guard_port *ports, size_t n,
		   struct fw_ruleset *ret) __must_check;

/* fw_guard_mask() - which chain and sets are @p's, see guard_chains.h. */
unsigned int fw_guard_mask(const struct fw_guard_port *p);
/* fw_guard_pair() - the element of @r by which @pair holds at @p, as a line; into @buf of @size. */
void fw_guard_pair(const struct fw_guard_port *p, const struct fw_guard_pair *pair, char *buf,
		   size_t size);

/*
 * fw_guard_read() - nft's listing of the table (nft_list_guard()) back, as fw_listing_read() does,
 * without what was counted.
 */
int fw_guard_read(const char *listing, struct fw_ruleset *ret) __must_check;

/*
 * fw_guard_of() - the elements of @r that are about port @ifname, as a ruleset that points into @r:
 * only @ret->elements is to be freed. -ENOMEM.
 */
int fw_guard_of(const struct fw_ruleset *r, const char *ifname,
		struct fw_ruleset *ret) __must_check;
/* fw_guard_merge() - @r without the elements of port @ifname, with those of @add (NULL: none). */
int fw_guard_merge(struct fw_ruleset *r, const char *ifname,
		   const struct fw_ruleset *add) __must_check;

#define FW_GUARD_LINE_MAX 160
/* fw_guard_has_line() - @r has element @line; fw_guard_line() - it has from now on, or not. */
bool fw_guard_has_line(const struct fw_ruleset *r, const char *line);
int fw_guard_line(struct fw_ruleset *r, const char *line, bool present) __must_check;

/* fw_guard_has_chains() - the chains that @part needs are all in @r. */
bool fw_guard_has_chains(const struct fw_ruleset *r, const struct fw_ruleset *part);

#endif
