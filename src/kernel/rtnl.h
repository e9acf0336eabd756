/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rtnl.h - rtnetlink (libmnl): what the kernel's links, addresses, routes, neighbours and bridge
 * FDBs are, changing them, and hearing of changes. Strict dumps; the kernel's extack words reach
 * struct err. One struct rtnl is used by one thread.
 */
#ifndef VMLANE_KERNEL_RTNL_H
#define VMLANE_KERNEL_RTNL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "model/plan.h"

struct rtnl;

/* rtnl_new() - a request socket; -errno of socket(). */
int rtnl_new(struct rtnl **ret) __must_check;
void rtnl_free(struct rtnl *r);
DEFINE_CLEANUP(struct rtnl *, rtnl_free)

/*
 * rtnl_snapshot() - links, IPv4 addresses and IPv4 routes
 *
 * Routes are the unicast ones of all tables but local. A multipath route is one struct route_state
 * for each of its nexthops, each with its @oif; 0 is left only to nexthop objects where the kernel
 * does not spell them out (net.ipv4.nexthop_compat_mode 0). Each of the three dumps is consistent
 * in itself; a change between them shows in the next snapshot. The links' counters are 0.
 */
int rtnl_snapshot(struct rtnl *r, struct actual *ret, struct err *e) __must_check;
/* rtnl_snapshot_counters() - the same with the links' counters, which cost as much as the rest. */
int rtnl_snapshot_counters(struct rtnl *r, struct actual *ret, struct err *e) __must_check;
/*
 * rtnl_rates() - fill in the rates of the taps among @a's links, and which of them have somebody
 * else's queueing discipline. It costs a dump of the namespace's queueing disciplines.
 */
int rtnl_rates(struct rtnl *r, struct actual *a, struct err *e) __must_check;
/*
 * rtnl_rate_get() - of one interface: what its queueing discipline lets go out by a limit of ours (bits a
 * second, 0: none), and whether it is somebody else's.
 */
int rtnl_rate_get(struct rtnl *r, int ifindex, uint64_t *ret_bits, bool *ret_foreign,
		  struct err *e) __must_check;
/* rtnl_vlans() - fill in @a's port_vlans: of all bridges and their ports, sorted. */
int rtnl_vlans(struct rtnl *r, struct actual *a, struct err *e) __must_check;
/*
 * rtnl_snapshot_ipv6() - fill in @a->addrs6 and @a->routes6 (as the IPv4 ones). On its own, as every
 * tap has an address and a route, and most hosts need to know of none. A kernel without IPv6 has
 * none of either.
 */
int rtnl_snapshot_ipv6(struct rtnl *r, struct actual *a, struct err *e) __must_check;
/* rtnl_link_get() - one link by name or (when @name is NULL) by @ifindex; -ENODEV. */
int rtnl_link_get(struct rtnl *r, const char *name, int ifindex, struct link_state *ret,
		  struct err *e) __must_check;

/*
 * Writes. Each message counts in kernel_write_count() once it was sent. The kernel's refusal is
 * returned as it is, with its extack words in @e; -EINVAL also for names that are none.
 *
 * rtnl_bridge_create() - -EEXIST when there is an interface of that name, which is left alone.
 * Creation and alias are one sendmsg(), so that being killed leaves no bridge without alias.
 */
int rtnl_bridge_create(struct rtnl *r, const char *name, const struct mac *mac, const char *alias,
		       struct err *e) __must_check; /* stp 0, forward_delay 0, link down */
/* rtnl_bridge_set_stp() - with @forward_delay in 1/100 s: 200 to 3000 with STP, else also 0. */
int rtnl_bridge_set_stp(struct rtnl *r, const char *name, bool on, uint32_t forward_delay,
			struct err *e) __must_check;
int rtnl_bridge_set_ageing(struct rtnl *r, const char *name, uint32_t seconds,
			   struct err *e) __must_check;
/* rtnl_port_set_root_guard() - of a bridge's port: it never leads to the spanning tree's root. */
int rtnl_port_set_root_guard(struct rtnl *r, const char *name, bool on, struct err *e) __must_check;
/* rtnl_port_set_isolated() - of a bridge's port: not to and from other isolated ports of it. */
int rtnl_port_set_isolated(struct rtnl *r, const char *name, bool isolated,
			   struct err *e) __must_check;
/*
 * rtnl_port_set_managed() - a bridge's port does not learn and gets no frames to unknown MACs, or
 * does both again.
 */
int rtnl_port_set_managed(struct rtnl *r, const char *name, bool managed,
			  struct err *e) __must_check;
/* rtnl_bridge_set_vlan_filtering() - -EOPNOTSUPP: this kernel cannot. */
int rtnl_bridge_set_vlan_filtering(struct rtnl *r, const char *name, bool on,
				   struct err *e) __must_check;
/*
 * rtnl_port_vlan_add() - a bridge's port into VLAN @vid; @access: untagged, and for what comes
 * untagged. One that is in it already becomes so.
 */
int rtnl_port_vlan_add(struct rtnl *r, const char *name, uint16_t vid, bool access,
		       struct err *e) __must_check;
int rtnl_port_vlan_del(struct rtnl *r, const char *name, uint16_t vid, struct err *e) __must_check;
/*
 * rtnl_rate_set() - what leaves the host by @name, to the guest, is held to @bits a second, in place
 * of what there was; 0: no more. -ENOENT: this kernel cannot.
 */
int rtnl_rate_set(struct rtnl *r, const char *name, uint64_t bits, struct err *e) __must_check;
int rtnl_link_delete(struct rtnl *r, const char *name, struct err *e) __must_check;
int rtnl_link_set_up(struct rtnl *r, const char *name, bool up, struct err *e) __must_check;
int rtnl_link_set_mtu(struct rtnl *r, const char *name, uint32_t mtu, struct err *e) __must_check;
int rtnl_link_set_mac(struct rtnl *r, const char *name, const struct mac *mac,
		      struct err *e) __must_check;
int rtnl_link_set_alias(struct rtnl *r, const char *name, const char *alias,
			struct err *e) __must_check;
/* rtnl_link_enslave() - @bridge NULL frees the port. */
int rtnl_link_enslave(struct rtnl *r, const char *name, const char *bridge,
		      struct err *e) __must_check;
/* rtnl_addr_add/del() - with broadcast address; -EEXIST / -EADDRNOTAVAIL as the kernel says. */
int rtnl_addr_add(struct rtnl *r, const char *ifname, const struct ip4_prefix *addr,
		  struct err *e) __must_check;
int rtnl_addr_del(struct rtnl *r, const char *ifname, const struct ip4_prefix *addr,
		  struct err *e) __must_check;

/*
 * rtnl_addr6_add() - permanent, and valid at once (IFA_F_NODAD): a bridge that nobody is plugged into
 * could not ask whether somebody has it; rtnl_addr6_del().
 */
int rtnl_addr6_add(struct rtnl *r, const char *ifname, const struct ip6_prefix *addr,
		   struct err *e) __must_check;
int rtnl_addr6_del(struct rtnl *r, const char *ifname, const struct ip6_prefix *addr,
		   struct err *e) __must_check;

/*
 * struct neigh_entry - an IPv4 neighbour; @state is NUD_* of linux/neighbour.h. @age_s: seconds since it
 * was last known to be there; one that was only heard of begins with some (twice
 * net.ipv4.neigh.IF.base_reachable_time_ms).
 */
struct neigh_entry {
	int ifindex;
	struct in_addr addr;
	struct mac mac;
	uint16_t state;
	uint32_t age_s;
};

/* rtnl_neigh_dump() - IPv4 neighbours of @ifindex (0: all); free() *ret. */
int rtnl_neigh_dump(struct rtnl *r, int ifindex, struct neigh_entry **ret, size_t *ret_n,
		    struct err *e) __must_check;

/* struct neigh6_entry - an IPv6 neighbour; @router: it has advertised itself as one (NTF_ROUTER). */
struct neigh6_entry {
	int ifindex;
	struct in6_addr addr;
	struct mac mac;
	uint16_t state;
	uint32_t age_s;
	bool router;
};

/* rtnl_neigh6_dump() - IPv6 neighbours of all interfaces; free() *ret. */
int rtnl_neigh6_dump(struct rtnl *r, struct neigh6_entry **ret, size_t *ret_n,
		     struct err *e) __must_check;

/*
 * rtnl_neigh_learn() - @addr (4 or 16 bytes by @family) is at @mac behind @ifindex, as if it had been heard
 * of there: a stale entry, which the kernel confirms before it is used for long. One that there is is
 * left as it is.
 */
int rtnl_neigh_learn(struct rtnl *r, int ifindex, uint8_t family, const uint8_t *addr,
		     const struct mac *mac, struct err *e) __must_check;

/*
 * rtnl_neigh_remove() - the kernel forgets who @addr (4 or 16 bytes) is on @ifindex; 0 when it did not
 * know.
 */
int rtnl_neigh_remove(struct rtnl *r, int ifindex, uint8_t family, const void *addr,
		      struct err *e) __must_check;

/*
 * struct refusal_state - a route that refuses; @type is RTN_* of linux/rtnetlink.h, @dst network byte
 * order, IPv4 in the first four bytes, of which @len bits count.
 */
struct refusal_state {
	uint8_t family;
	uint8_t dst[16];
	uint8_t len;
	uint32_t table;
	uint32_t metric;
	uint8_t type;
};

/*
 * rtnl_refusal_dump() - routes of type blackhole, unreachable and prohibit, of @family (AF_INET or
 * AF_INET6; of the latter none where the kernel has no IPv6); free() *ret.
 */
int rtnl_refusal_dump(struct rtnl *r, int family, struct refusal_state **ret, size_t *ret_n,
		      struct err *e) __must_check;

/**
 * struct filter_state - a tc filter; of kinds with several parts, all those of one preference
 * @pref:	the lower is asked first
 * @protocol:	of the frames that it is asked about; ETH_P_ALL (3): all
 * @kind:	"bpf", "flower", ...
 * @program:	of a "bpf" filter whose program decides by itself ("da"): its id; else 0
 */
struct filter_state {
	uint16_t pref;
	uint16_t protocol;
	char kind[16];
	uint32_t program;
};

/*
 * rtnl_filter_dump() - those of @ifindex's clsact that every frame is asked about (chain 0), in the
 * order they are; none without clsact. free() *ret.
 */
int rtnl_filter_dump(struct rtnl *r, int ifindex, bool egress, struct filter_state **ret,
		     size_t *ret_n, struct err *e) __must_check;

/* rtnl_fdb_dump() - the MAC table of bridge @ifindex (0: of all bridges); free() *ret. */
int rtnl_fdb_dump(struct rtnl *r, int ifindex, struct fdb_entry **ret, size_t *ret_n,
		  struct err *e) __must_check;
/*
 * rtnl_fdb_get() - where bridge @ifindex has @mac in VLAN @vid (0: where it filters none). -ENOENT: nowhere;
 * another error where the kernel cannot be asked so (before 5.0).
 */
int rtnl_fdb_get(struct rtnl *r, int ifindex, const struct mac *mac, uint16_t vid,
		 struct fdb_entry *ret) __must_check;
/*
 * rtnl_fdb_pin() - @mac is behind port @name, by a static and sticky entry: it does not age, and
 * frames from elsewhere do not move it. What another port had is taken over.
 */
int rtnl_fdb_pin(struct rtnl *r, const char *name, const struct mac *mac,
		 struct err *e) __must_check;
/* rtnl_fdb_remove() - @mac from the table of @name's bridge, of whatever kind; 0 when not there. */
int rtnl_fdb_remove(struct rtnl *r, const char *name, const struct mac *mac,
		    struct err *e) __must_check;

/* kernel_write_count() - rtnetlink, tap and sysctl writes of this process so far. */
uint64_t kernel_write_count(void);
/* kernel_write_counted() - for the other writers of this folder. */
void kernel_write_counted(void);

/* ---- hearing of changes ---- */

/*
 * enum rtnl_event_kind - what happened
 *
 * The kernel does not tell of a new alias while the link is down, nor (here) of STP states; link
 * counters are as of the event.
 */
enum rtnl_event_kind {
	RTNL_EVENT_LINK,     /* @link filled: new or changed */
	RTNL_EVENT_LINK_DEL, /* @link.name, @link.ifindex filled */
	RTNL_EVENT_ADDR,     /* some IPv4 address came or went: @addr, of @link.ifindex */
	RTNL_EVENT_ADDR6,    /* the same of IPv6, without @addr; only when asked for */
	RTNL_EVENT_PORT,     /* a bridge's port changed: @link.ifindex and @link.name filled */
	RTNL_EVENT_TC,	 /* traffic control of @link.ifindex: a discipline or filter came or went */
	RTNL_EVENT_CONF, /* what ip-sysctl calls conf/IF/ changed: @link.ifindex, 0: of no one's */
	RTNL_EVENT_ROUTE,   /* some IPv4 route came or went; IPv6 only when asked for */
	RTNL_EVENT_FDB,	    /* @fdb filled: learned, moved or refreshed; only when asked for */
	RTNL_EVENT_FDB_DEL, /* @fdb filled */
	RTNL_EVENT_RESYNC,  /* ENOBUFS: events were lost, look at everything again */
	RTNL_EVENT_COUNT,
};

/* struct rtnl_event - valid during the callback only. */
struct rtnl_event {
	enum rtnl_event_kind kind;
	bool default_route; /* RTNL_EVENT_ROUTE: it was one, or there is no telling */
	struct link_state link;
	struct fdb_entry fdb;
	struct in_addr addr;
	bool gone; /* RTNL_EVENT_ADDR, RTNL_EVENT_ADDR6: it went */
};

typedef void (*rtnl_event_fn)(const struct rtnl_event *ev, void *ctx);

struct rtnl_monitor;
/*
 * rtnl_monitor_new() - joined to link, IPv4 address, IPv4 route and (where the kernel has them)
 * configuration and traffic control groups; @ret_fd to poll.
 */
int rtnl_monitor_new(rtnl_event_fn fn, void *ctx, struct rtnl_monitor **ret,
		     int *ret_fd) __must_check;
/*
 * rtnl_monitor_new_pins() - one of its own, for static entries of bridges' MAC tables alone: those that
 * were made or changed (RTNL_EVENT_FDB), and those that went (RTNL_EVENT_FDB_DEL). One that became
 * an entry like those that are learnt is not told.
 */
int rtnl_monitor_new_pins(rtnl_event_fn fn, void *ctx, struct rtnl_monitor **ret,
			  int *ret_fd) __must_check;
void rtnl_monitor_free(struct rtnl_monitor *m);
/*
 * rtnl_monitor_fdb() - hear of the bridges' MAC tables too, or no more. Off at first, since the
 * kernel sends every neighbour's change of the host along.
 */
int rtnl_monitor_fdb(struct rtnl_monitor *m, bool on) __must_check;
/*
 * rtnl_monitor_ipv6() - hear of IPv6 routes and addresses too, or no more. Off at first: each tap has
 * some.
 */
int rtnl_monitor_ipv6(struct rtnl_monitor *m, bool on) __must_check;
/*
 * rtnl_monitor_read() - call when the fd is readable: reads what is there (a bounded amount; the fd
 * stays readable when there is more), calls fn for each. fn must not free the monitor.
 */
int rtnl_monitor_read(struct rtnl_monitor *m) __must_check;

#endif
