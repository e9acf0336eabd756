/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * accepts.h - accepts for networks' packets in the chains that other firewalls leave to others: an
 * accept of ours does not override a drop of theirs, each base chain has its say.
 *
 * The rules are iptables' own (its matches, not nf_tables'), since iptables refuses to list a table
 * with any other in it; so they are raw netlink. Each has the comment "vmlane: NETWORK", by which they
 * are known again. They stand after whatever is in the chain already, so that what an administrator
 * drops there stays dropped, but before a last rule that only returns.
 */
#ifndef VMLANE_FIREWALL_ACCEPTS_H
#define VMLANE_FIREWALL_ACCEPTS_H

#include <libmnl/libmnl.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"
#include "model/network.h"

/* Which connections' packets, a set of bits; 0: of all. */
enum {
	FW_ACCEPT_KNOWN = 1, /* established and related ones */
	FW_ACCEPT_DNAT = 2,  /* those whose destination was translated */
};

/* struct fw_accept - a rule: @in and @out are interfaces, "" for any; @which: FW_ACCEPT_*. */
struct fw_accept {
	char network[NAME_MAX_LEN + 1];
	char in[IFNAMSIZ];
	char out[IFNAMSIZ];
	uint8_t which;
};

/**
 * struct fw_place - a chain that a tool leaves to others
 * @tool:	for people
 * @family:	AF_INET, AF_INET6
 * @chain:	in the table "filter"
 * @name:	for people and programs: "ip filter DOCKER-USER"
 */
struct fw_place {
	const char *tool;
	uint8_t family;
	const char *chain;
	const char *name;
};

#define FW_PLACE_COUNT 4
extern const struct fw_place fw_places[FW_PLACE_COUNT];

/**
 * struct fw_place_diff - what is to be done to one place
 * @present:	the chain is there, and rules lead to it; else only rules of ours are to go
 * @add:	for each of the rules that were asked for, whether it is missing; owned
 * @n_add:	how many are
 * @del:	handles of rules of ours that are not wanted, @n_del of them; owned
 * @before:	handle of the rule that new ones come before; 0: at the end
 */
struct fw_place_diff {
	bool present;
	bool *add;
	size_t n_add;
	uint64_t *del;
	size_t n_del;
	uint64_t before;
};

void fw_place_diff_done(struct fw_place_diff *d);
/* accepts_look() - how @p differs from having the @n rules of @want and no others of ours. */
int accepts_look(struct mnl_socket *socket, const struct fw_place *p, const struct fw_accept *want,
		 size_t n, struct fw_place_diff *ret) __must_check;
/* accepts_send() - make it so, in one transaction; -ENOENT also where the kernel lacks a match. */
int accepts_send(struct mnl_socket *socket, const struct fw_place *p, const struct fw_accept *want,
		 size_t n, const struct fw_place_diff *d) __must_check;

/*
 * accept_read() - the rule in a message (NFT_MSG_NEWRULE); false where it is not one of ours. Pure, for
 * tests; @ret_changed: it is, but somebody has changed it.
 */
bool accept_read(const struct nlmsghdr *nlh, struct fw_accept *ret, bool *ret_changed);
/* accept_put() - @a's expressions and comment as attributes of a rule. */
void accept_put(struct nlmsghdr *nlh, const struct fw_accept *a);

#endif
