/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * takeover.h - how a NIC's addresses, routes and rules move to a bridge, and back: what belongs to
 * the NIC (a snapshot), and the steps in their order. Pure.
 *
 * A step may find its work done already: a daemon that was killed in between starts the list of the
 * way back from its beginning. kernel/rtnl_move.c carries the steps out, daemon/bridged.c decides
 * which list, and keeps the snapshot on the disk.
 */
#ifndef VMLANE_MODEL_TAKEOVER_H
#define VMLANE_MODEL_TAKEOVER_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buf.h"
#include "base/macro.h"

#define TAKEOVER_ITEMS_MAX 1024
#define TAKEOVER_ITEM_MAX 1024	       /* bytes of one item; longer ones are refused */
#define TAKEOVER_BYTES_MAX (96 * 1024) /* of all items: they have to fit into one sendmsg() */

/* enum item_kind - numbers are on disk: append only. */
enum item_kind {
	ITEM_ADDR,
	ITEM_ROUTE,
	ITEM_RULE,
	ITEM_KIND_COUNT,
};

/**
 * struct takeover_item - one thing that belongs to an interface, in the kernel's own bytes
 * @family:	AF_INET or AF_INET6
 * @gateway:	routes: it has a next hop, whose own route has to be there before
 * @multipath:	routes: it has several next hops
 * @bytes:	family header and attributes of its netlink message, @len of them; owned
 */
struct takeover_item {
	enum item_kind kind;
	uint8_t family;
	bool gateway;
	bool multipath;
	uint16_t len;
	uint8_t *bytes;
};

/**
 * struct takeover_snapshot - all that belongs to one interface, in the order of the kernel's dumps
 * @ifname, @ifindex: the interface that the items' bytes name
 * @taken_us:	when, on the clock that counts since boot: lifetimes go on from there
 */
struct takeover_snapshot {
	char ifname[IFNAMSIZ];
	int ifindex;
	uint64_t taken_us;
	struct takeover_item *items;
	size_t n;
	size_t bytes;
};

void takeover_snapshot_done(struct takeover_snapshot *s);
/* takeover_snapshot_add() - append a copy of @item; -E2BIG, -ENOMEM. */
int takeover_snapshot_add(struct takeover_snapshot *s,
			  const struct takeover_item *item) __must_check;

/* takeover_pack() - @s as bytes for the disk. */
void takeover_pack(const struct takeover_snapshot *s, struct buf *out);
/* takeover_unpack() - and back; -EBADMSG for what takeover_pack() did not write, -ENOMEM. */
int takeover_unpack(const void *bytes, size_t len, struct takeover_snapshot *ret) __must_check;

enum takeover_op {
	TAKEOVER_PLUG,	 /* the NIC becomes a port of the bridge */
	TAKEOVER_UNPLUG, /* and leaves it */
	TAKEOVER_ADD,	 /* @item to the interface that gets things */
	TAKEOVER_DEL,	 /* @item from the one that had it */
	TAKEOVER_SETTLE, /* an IPv6 address that was added as known to be unique gets its flags */
	TAKEOVER_OP_COUNT,
};

/* struct takeover_step - @item is NULL for those that are about the NIC itself; not owned. */
struct takeover_step {
	enum takeover_op op;
	const struct takeover_item *item;
};

/* struct takeover_plan - @steps is owned. */
struct takeover_plan {
	struct takeover_step *steps;
	size_t n;
};

/**
 * takeover_plan_move() - the steps that change what the host's packets go by; all in one message
 * @home:	true: the NIC leaves the bridge, and the things go home to it; false: they come to the
 *		bridge, of which it is a port already (takeover_plan_plug())
 *
 * What is new is there before the old goes, so that at no moment the host is without an address:
 * addresses, then routes without a next hop, those with one, rules; and away in the opposite order.
 * IPv4 addresses are added in the order they stood in, as the first is the primary one, IPv6 ones
 * the other way round, as the kernel puts each before the others. -ENOMEM.
 */
int takeover_plan_move(const struct takeover_snapshot *s, bool home,
		       struct takeover_plan *ret) __must_check;
/*
 * takeover_plan_plug() - the step before: the NIC becomes a port. Nothing is lost by it: the host
 * still sends by the NIC, and what comes in by the bridge is for one of its addresses.
 */
int takeover_plan_plug(struct takeover_plan *ret) __must_check;
/* takeover_plan_settle() - the steps that come after it. */
int takeover_plan_settle(const struct takeover_snapshot *s, struct takeover_plan *ret) __must_check;
void takeover_plan_done(struct takeover_plan *p);

/* ---- may this NIC be taken? ---- */

/**
 * struct nic_facts - what is known of an interface that a network wants
 * @exists:	there is one; without it the rest means nothing
 * @kind:	IFLA_INFO_KIND, "" for physical ones
 * @bridge:	the bridge it is a port of, "" when none
 * @ours:	it carries an alias of ours
 * @loopback, @wireless: it is one
 * @ethernet:	its frames are Ethernet's
 * @manager:	who configures it ("NetworkManager"), "" when nobody was found; @manager_where: what
 *		said so ("/run/systemd/netif/links/2")
 * @dhcp_client: program that has it in its hands ("dhclient"), "" when none; @dhcp_pid
 * @nexthops:	it has routes by next-hop objects
 */
struct nic_facts {
	char name[IFNAMSIZ];
	bool exists;
	char kind[16];
	char bridge[IFNAMSIZ];
	bool ours;
	bool loopback;
	bool wireless;
	bool ethernet;
	char manager[32];
	char manager_where[128];
	char dhcp_client[32];
	int dhcp_pid;
	bool nexthops;
};

struct err;
/*
 * takeover_refuse() - why the NIC cannot become the uplink of network @network: -ENODEV, -EBUSY or
 * -EINVAL, with cause and mend in @e; 0 when it can. @force: not for the sake of a DHCP client.
 */
int takeover_refuse(const struct nic_facts *f, const char *network, bool force, struct err *e);

#endif
