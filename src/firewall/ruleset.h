/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ruleset.h - the networks' filters and translation as one nftables table, `inet vmlane`.
 *
 * A fixed skeleton of chains looks interfaces up in sets and verdict maps, so that a packet's cost
 * does not grow with the number of networks; networks and uplinks are elements of those. This
 * half is pure: struct fw_desired -> text. nft.h puts it into the kernel.
 */
#ifndef VMLANE_FIREWALL_RULESET_H
#define VMLANE_FIREWALL_RULESET_H

#include "base/buf.h"
#include "model/network.h"

/**
 * struct fw_guest - a guest that the policy speaks of, or that has limits of its own; nothing owned
 * @macs:	its MACs, @n_macs of them
 * @addrs:	addresses that it may have, @n_addrs of them
 * @limits:	of its connections; 0: none
 */
struct fw_guest {
	const char *name;
	const struct mac *macs;
	size_t n_macs;
	const struct guest_prefix *addrs;
	size_t n_addrs;
	struct guest_limits limits;
};

/**
 * struct fw_network - what the table has to know of one running network
 * @name:	part of the names of its policy's chains
 * @bridge:	its interface; also the key of everything the table has about the network
 * @mode:	nat is translated, isolated gets neither out nor in
 * @inbound:	routed: INBOUND_ACCEPT lets new connections in from the uplinks
 * @isolates:	it has guests that do not reach each other in the bridge: they shall not do so by
 *		asking the host to send their packets back into it either
 * @mac:	the bridge's, for that; else it does not matter
 * @subnet:	where guests' sources have to be from; host bits do not matter. Length 0 (isolated
 *		only): the host is not to be reached either
 * @port_min:	nat: lowest source port after translation of tcp and udp, host byte order
 * @port_max:	highest
 * @source_first: nat: lowest address that its connections leave as; 0.0.0.0: the uplink's own
 * @source_last: highest
 * @guests:	those with a fixed address may have forwards; @n_guests; not owned
 * @uplinks:	names of the interfaces it may go out by (resolved when `auto`); owned by the
 *		caller; none for a network that does not get out
 * @ipv6:	it has IPv6; else none of it passes
 * @subnet6:	where guests' IPv6 sources have to be from, 64 bits; @gateway6: the bridge's in it
 * @uplinks6:	as @uplinks, for IPv6
 * @policy:	not owned; NULL: `host: closed`, no rules
 * @limits:	of each guest's connections; 0: none
 * @who:	guests that @policy speaks of or that have other limits, in the order of their names; @n_who;
 *		not owned
 */
struct fw_network {
	char name[NAME_MAX_LEN + 1];
	char bridge[IFNAMSIZ];
	enum network_mode mode;
	enum network_inbound inbound;
	bool isolates;
	struct mac mac;
	struct ip4_prefix subnet;
	uint16_t port_min;
	uint16_t port_max;
	struct in_addr source_first;
	struct in_addr source_last;
	const struct guest_config *guests;
	size_t n_guests;
	const char (*uplinks)[IFNAMSIZ];
	size_t n_uplinks;
	bool ipv6;
	struct ip6_prefix subnet6;
	struct in6_addr gateway6;
	const char (*uplinks6)[IFNAMSIZ];
	size_t n_uplinks6;
	const struct network_policy *policy;
	struct guest_limits limits;
	const struct fw_guest *who;
	size_t n_who;
};

/*
 * struct fw_peer - guests on bridge @from may reach those on @to; both ways are two of these. @ipv6:
 * by IPv6 too.
 */
struct fw_peer {
	char from[IFNAMSIZ];
	char to[IFNAMSIZ];
	bool ipv6;
};

/**
 * struct fw_desired - all running networks, in any order, and who are peers; not owned
 * @closed:	interfaces that forward IPv6 only since we made them do so: what comes in there and
 *		is not for a network of ours goes nowhere, as before
 * @closed_all:	the whole host forwards IPv6 only since then
 * @switches:	others' bridges, when any of these two is: with br_netfilter what they switch
 *		comes by too, and is let pass
 */
struct fw_desired {
	const struct fw_network *networks;
	size_t n;
	const struct fw_peer *peers;
	size_t n_peers;
	const char (*closed)[IFNAMSIZ];
	size_t n_closed;
	bool closed_all;
	const char (*switches)[IFNAMSIZ];
	size_t n_switches;
};

/*
 * struct fw_ruleset - the skeleton (with the NAT chains that the port ranges in use need) and the
 * elements, sorted: each element is one line "SET_OR_MAP\tELEMENT". Owned; fw_ruleset_done(). @table:
 * its name, "FAMILY NAME", a constant.
 */
struct fw_ruleset {
	const char *table;
	char *skeleton;
	char **elements;
	size_t n_elements;
};

/*
 * fw_ruleset_build() - the ruleset of @d, the same for every order of networks and uplinks
 *
 * -EINVAL: an interface name that nft's quotes cannot hold safely (wildcards, quotes, blanks), a
 * subnet length outside 1-32 or other than 64, no proper range of ports or sources, a bridge that is its own uplink,
 * or an uplink of a network that does not get out; a forward to a guest without an address, or of a
 * network that nothing gets into.
 * -EEXIST: two networks contradict each other about one bridge, or two forwards about one port.
 * -E2BIG, -ENOMEM.
 */
int fw_ruleset_build(const struct fw_desired *d, struct fw_ruleset *ret) __must_check;
void fw_ruleset_done(struct fw_ruleset *r);

/* fw_ruleset_full() - a transaction that replaces the table as a whole, atomically. */
void fw_ruleset_full(const struct fw_ruleset *r, struct buf *out);
/*
 * fw_ruleset_delta() - a transaction that turns @from into @to by elements, and by chains that come
 * and go whole. Returns the number of changes (0: nothing to do), -ESTALE when the skeletons differ
 * in anything else (use _full(); the counters start at 0 again then), @out->error, or -ENOMEM.
 */
int fw_ruleset_delta(const struct fw_ruleset *from, const struct fw_ruleset *to,
		     struct buf *out) __must_check;

/**
 * fw_listing_read() - nft's listing of the table (nft_list()) back to a ruleset
 * @ret:	the elements in the words of fw_ruleset_build(); the skeleton in those of the
 *		listing, which are not: it can only be compared with that of another listing
 *
 * Returns 0, -EBADMSG for what is no listing of ours, -ENOMEM.
 */
int fw_listing_read(const char *listing, struct fw_ruleset *ret) __must_check;

#endif
