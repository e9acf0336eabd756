/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl_move.h - what belongs to an interface (addresses, routes, rules) as the kernel's own
 * messages, and those messages for another interface. model/takeover.h has the order of things.
 */
#ifndef VMLANE_KERNEL_RTNL_MOVE_H
#define VMLANE_KERNEL_RTNL_MOVE_H

#include "kernel/rtnl.h"
#include "model/takeover.h"

/**
 * rtnl_holdings() - addresses, routes (all tables but local) and rules of both families that name
 * the interface @ifname; link-local addresses too
 * @now_us:	the clock since boot, for lifetimes
 * @ret_nexthops: a route of it goes by a next-hop object; such routes are left out
 *
 * -ENODEV; -E2BIG when it has more than a take-over carries.
 */
int rtnl_holdings(struct rtnl *r, const char *ifname, uint64_t now_us,
		  struct takeover_snapshot *ret, bool *ret_nexthops, struct err *e) __must_check;

/**
 * struct move - where things move
 * @nic, @bridge: the two interfaces, 0 when it is gone
 * @home:	to the NIC; else to the bridge
 * @now_us:	the clock since boot, for lifetimes
 * @before:	called before each message, which are sent one by one then; NULL: all are one
 *		sendmsg(), which no signal cuts in two. For tests.
 */
struct move {
	int nic;
	int bridge;
	char nic_name[IFNAMSIZ];
	char bridge_name[IFNAMSIZ];
	bool home;
	uint64_t now_us;
	void (*before)(void);
};

/*
 * rtnl_move() - carry out @plan for the things of @s. What is there already, or gone already, is
 * as it should be. Returns the first other error of a step that adds; the rest is done all the same.
 */
int rtnl_move(struct rtnl *r, const struct move *m, const struct takeover_snapshot *s,
	      const struct takeover_plan *plan, struct err *e) __must_check;

/**
 * struct gateway - the next hop of a default route
 * @family:	0: there is none
 */
struct gateway {
	uint8_t family;
	uint8_t addr[16];
};

/* holdings_gateway() - of the main table's default route in @s, IPv4 before IPv6. Pure. */
struct gateway holdings_gateway(const struct takeover_snapshot *s);
/* gateway_format() - into @buf of INET6_ADDRSTRLEN; returns @buf. */
const char *gateway_format(const struct gateway *g, char buf[static INET6_ADDRSTRLEN]);
/* rtnl_gateway_state() - NUD_* of linux/neighbour.h; 0 when the kernel knows nothing of it. */
uint16_t rtnl_gateway_state(struct rtnl *r, int ifindex, const struct gateway *g);
/*
 * rtnl_gateway_ask() - make the kernel ask for its MAC, also when it has one in @state that was not
 * heard in answer to a question of ours.
 */
int rtnl_gateway_ask(struct rtnl *r, int ifindex, const struct gateway *g, uint16_t state,
		     struct err *e) __must_check;

/*
 * holdings_announce() - gratuitous ARP and unsolicited neighbour advertisements for the addresses
 * of @s out of @ifindex, so that the switches learn the way anew. Returns how many were sent.
 */
size_t holdings_announce(const struct takeover_snapshot *s, int ifindex, const struct mac *mac);

struct nlmsghdr;

/* ---- for tests ---- */

#define MOVE_MESSAGE_MAX (TAKEOVER_ITEM_MAX + 128)

/*
 * move_message() - the message of step @op for @item into @buf of MOVE_MESSAGE_MAX; its length, 0
 * when the step needs none, -EBADMSG when @item's bytes are none of the kernel's. Pure.
 */
int move_message(const struct move *m, const struct takeover_snapshot *s, enum takeover_op op,
		 const struct takeover_item *item, void *buf);
/*
 * holding_parse() - is @nlh something of interface @ifindex, @ifname? 1 and *ret (whose bytes point
 * into @nlh), else 0. @ret_nexthop: it is a route of it by a next-hop object. Pure.
 */
int holding_parse(const struct nlmsghdr *nlh, int ifindex, const char *ifname,
		  struct takeover_item *ret, bool *ret_nexthop);

#endif
