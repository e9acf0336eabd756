/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plan.h - what the kernel has, what it should have, and the steps from one to the other.
 *
 * Pure: kernel/ fills in struct actual, daemon/reconcile carries the steps out. An empty plan
 * means that nothing is to be written.
 */
#ifndef VMLANE_MODEL_PLAN_H
#define VMLANE_MODEL_PLAN_H

#include "base/buf.h"
#include "model/network.h"

/* ---- what the kernel has ---- */

#define ALIAS_MAX 64
/* Our links carry an alias (IFLA_IFALIAS), by which a restarted daemon knows them again. */
#define ALIAS_NETWORK "vmlane:network=" /* + network's name, on bridges */
#define ALIAS_BRIDGED "vmlane:bridged=" /* + network's name, on bridges that have taken a NIC */
#define ALIAS_GUEST "vmlane:guest="	/* + guest's name, on taps */

/* enum port_state - STP state of a bridge port, BR_STATE_* of linux/if_bridge.h. */
enum port_state {
	PORT_DISABLED,
	PORT_LISTENING,
	PORT_LEARNING,
	PORT_FORWARDING,
	PORT_BLOCKING,
	PORT_STATE_COUNT,
};

const char *port_state_name(enum port_state s);

/**
 * struct link_state - one interface, as a link dump gives it
 * @kind:	IFLA_INFO_KIND: "bridge", "tun", "veth", ...; "" for physical ones
 * @alias:	"" when none
 * @up:		IFF_UP; @carrier: IFLA_CARRIER: on taps, that a process has it open, even while down
 * @running:	IFF_RUNNING: what is sent goes out; the kernel sets it some time after @carrier
 * @master:	ifindex of the bridge it is enslaved to, 0 when none
 * @link:	ifindex of the interface below it (macvtap) or at its other end (veth), 0 when none;
 *		@elsewhere: that is in another network namespace, which is @link_netnsid to this one
 * @port_state:	meaningful when @master is a bridge
 * @isolated:	meaningful when @master is a bridge: not to other isolated ports
 * @root_guard:	likewise: it never leads to the spanning tree's root
 * @no_learning, @no_flood: likewise: MACs are not learned there; frames to unknown MACs do not go
 *		there
 * @rate_down:	taps: our limit on what goes to the guest, in bits a second; 0: there is none
 * @foreign_qdisc: somebody has put a queueing discipline on it
 *		(both are known only when they were asked for: rtnl_rates())
 * @has_vlans:	bridges: this kernel can filter VLANs; @vlan_filtering: it does
 * @default_pvid: bridges: the VLAN of untagged frames at a new port, 0 for none
 * @route_localnet: sysctl net.ipv4.conf.NAME.route_localnet
 * @stp:	bridges: STP is on; @forward_delay, @ageing: bridges, in 1/100 s
 */
struct link_state {
	int ifindex;
	char name[IFNAMSIZ];
	char kind[16];
	char alias[ALIAS_MAX];
	struct mac mac;
	uint32_t mtu;
	bool up;
	bool carrier;
	bool running;
	int master;
	int link;
	bool elsewhere;
	int32_t link_netnsid;
	enum port_state port_state;
	bool isolated;
	bool root_guard;
	bool no_learning;
	bool no_flood;
	uint64_t rate_down;
	bool foreign_qdisc;
	bool has_vlans;
	bool vlan_filtering;
	uint16_t default_pvid;
	bool route_localnet;
	bool stp;
	uint32_t forward_delay;
	uint32_t ageing;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped;
};

/* struct addr_state - one IPv4 address of an interface. */
struct addr_state {
	int ifindex;
	struct ip4_prefix prefix;
};

/* struct route_state - an IPv4 unicast route, or a nexthop of one; @gateway 0 when on-link. */
struct route_state {
	struct ip4_prefix dst;
	struct in_addr gateway;
	int oif;
	uint32_t table;
	uint32_t metric;
};

/**
 * struct fdb_entry - one entry of a bridge's MAC table (AF_BRIDGE neighbour)
 * @bridge:	ifindex of the bridge
 * @port:	ifindex of the port (the bridge itself for its own MAC)
 * @mac:	the address
 * @local:	a MAC of the host's own (NUD_PERMANENT)
 * @is_static:	NUD_NOARP without @local
 * @sticky:	it stays at its port whoever else sends with it
 * @age_s:	seconds since a frame with it was last seen
 */
struct fdb_entry {
	int bridge;
	int port;
	struct mac mac;
	bool local;
	bool is_static;
	bool sticky;
	uint32_t age_s;
};

/*
 * struct port_vlan - bridge port @port (its ifindex) is in VLAN @vid; @access: frames of it are
 * untagged there, coming and going.
 */
struct port_vlan {
	int port;
	uint16_t vid;
	bool access;
};

/* struct addr6_state - one IPv6 address of an interface. */
struct addr6_state {
	int ifindex;
	struct ip6_prefix prefix;
};

/*
 * struct route6_state - an IPv6 unicast route, or a nexthop of one; @by_ra: from a router
 * advertisement
 */
struct route6_state {
	struct ip6_prefix dst;
	int oif;
	bool by_ra;
	uint32_t table;
	uint32_t metric;
};

#define SYSCTL_PATH_MAX 96
#define SYSCTL_VALUE_MAX 16

/* struct sysctl_state - @path below /proc/sys ("net/ipv4/conf/eth0/forwarding"). */
struct sysctl_state {
	char path[SYSCTL_PATH_MAX];
	char value[SYSCTL_VALUE_MAX];
};

/*
 * struct actual - a snapshot of the namespace; the arrays are owned. @port_vlans, by port, are known
 * only when they were asked for: rtnl_vlans(). @addrs stand in the order of
 * the kernel's dump, in which a primary address comes before its secondaries. @fdb has the MAC
 * tables of all bridges, @addrs6 (sorted by ifindex) and @routes6 the same of IPv6, where they were
 * asked for.
 */
struct actual {
	struct link_state *links;
	size_t n_links;
	struct addr_state *addrs;
	size_t n_addrs;
	struct route_state *routes;
	size_t n_routes;
	struct fdb_entry *fdb;
	size_t n_fdb;
	struct port_vlan *port_vlans;
	size_t n_port_vlans;
	struct addr6_state *addrs6;
	size_t n_addrs6;
	struct route6_state *routes6;
	size_t n_routes6;
};

void actual_done(struct actual *a);
const struct link_state *actual_link_by_name(const struct actual *a, const char *name);
const struct link_state *actual_link_by_index(const struct actual *a, int ifindex);

/*
 * actual_uplinks() - the names of the interfaces that carry a default route in the main table
 * (254), without duplicates and without bridges of ours, the lowest metric first, into @ret (at
 * most @max); their number.
 */
size_t actual_uplinks(const struct actual *a, char (*ret)[IFNAMSIZ], size_t max);
/* actual_uplinks6() - the same of IPv6. */
size_t actual_uplinks6(const struct actual *a, char (*ret)[IFNAMSIZ], size_t max);
/* actual_first_addr6() - the index of the first of @a->addrs6 on @ifindex, or where it would be. */
size_t actual_first_addr6(const struct actual *a, int ifindex);

/* ---- what it should have ---- */

/**
 * struct desired_network - a network that shall run
 * @config:	not owned
 * @mac:	the bridge's MAC (mac_derive() with guest "")
 * @ipv6:	the bridge has the addresses of @config->ipv6: the host has IPv6
 * @external:	the bridge is made elsewhere, or is somebody else's: only taps are plugged in
 * @mtu:	of the bridge and its taps (@external: of the taps only); 0: the kernel's default
 */
struct desired_network {
	const struct network_config *config;
	struct mac mac;
	bool ipv6;
	bool external;
	uint32_t mtu;
};

/**
 * struct desired_tap - a persistent tap of an attached guest
 * @queues:	1, or more for IFF_MULTI_QUEUE
 * @owner_uid:	who may open it; UINT32_MAX: only those with CAP_NET_ADMIN
 * @isolated:	the port is; see struct link_state
 * @root_guard:	so has the port
 * @managed:	the port learns no MACs, and gets no frames to unknown ones
 * @pinned:	@mac has a static, sticky entry at this port
 * @macs:	so have these; @n_macs of them, not owned
 * @vlan:	that the port is in, alone and untagged; 0: the bridge's own for untagged frames
 * @rate:	of the guest; the plan has @rate.down only, as @rate.up is the firewall's
 * @persistent:	false: a VMM holds it by fd; it is never created by a plan, only put right
 */
struct desired_tap {
	char name[IFNAMSIZ];
	char guest[NAME_MAX_LEN + 1];
	char bridge[IFNAMSIZ];
	unsigned int queues;
	uint32_t owner_uid;
	bool isolated;
	bool root_guard;
	bool managed;
	bool pinned;
	struct mac mac;
	const struct mac *macs;
	size_t n_macs;
	struct guest_rate rate;
	uint16_t vlan;
	bool persistent;
};

/* desired_tap_has_mac() - @mac shall have a static, sticky entry at this port. */
bool desired_tap_has_mac(const struct desired_tap *t, const struct mac *mac);

struct desired {
	struct desired_network *networks;
	size_t n_networks;
	struct desired_tap *taps;
	size_t n_taps;
	/*
	 * sysctls as they should be; the value now is in @sysctls_now at the same index, "" when
	 * there is no such file: it comes with its interface
	 */
	struct sysctl_state *sysctls;
	struct sysctl_state *sysctls_now;
	size_t n_sysctls;
};

void desired_done(struct desired *d);

/* ---- the steps ---- */

enum step_kind {
	STEP_TAP_DELETE,
	STEP_BRIDGE_DELETE,
	STEP_BRIDGE_CREATE, /* name, mac, alias, stp 0, forward_delay 0; created down */
	STEP_LINK_MTU,
	STEP_LINK_MAC,
	STEP_LINK_ALIAS, /* of an interface of ours that was left half made */
	STEP_BRIDGE_STP, /* @on with PLAN_FORWARD_DELAY, or off with forward_delay 0 */
	STEP_BRIDGE_AGEING,
	STEP_ADDR_DEL,
	STEP_ADDR_ADD,
	STEP_SYSCTL_SET,
	STEP_LINK_UP,
	STEP_ADDR6_DEL,
	STEP_ADDR6_ADD,	 /* valid at once, without looking for duplicates */
	STEP_TAP_CREATE, /* name, queues, owner_uid, alias; persistent, down */
	STEP_TAP_ENSLAVE,
	STEP_PORT_ISOLATE,    /* @on */
	STEP_PORT_ROOT_GUARD, /* @on */
	STEP_PORT_MANAGE,     /* @on: neither learning nor flooding of unknown MACs */
	STEP_MAC_DEL,	      /* of @ifname's MAC table: @mac */
	STEP_MAC_ADD,	      /* static and sticky; takes it from any other port */
	STEP_BRIDGE_VLANS,    /* VLAN filtering @on, or off */
	STEP_VLAN_ADD,	      /* @ifname into @vid, @on: untagged */
	STEP_VLAN_DEL,	      /* @ifname out of @vid */
	STEP_TAP_RATE,	      /* @rate_down; 0 takes it off */
	STEP_KIND_COUNT,
};

/*
 * With STP, in 1/100 s: a guest's port has to wait twice as long before it forwards, and behind it
 * there is no other switch. The kernel takes no less.
 */
#define PLAN_FORWARD_DELAY 200

#define REPLACES_MAX 32

/**
 * struct plan_step - one write to the kernel
 * @kind:	what to do
 * @ifname:	the interface it is done to
 * @bridge:	STEP_TAP_CREATE, STEP_TAP_ENSLAVE, STEP_LINK_MTU: where the tap belongs, "" for nowhere
 * @replaces:	the value found before, for the text ("1500", "0"); "" when there was none
 *
 * Which of the other fields matter depends on @kind, as their names say.
 */
struct plan_step {
	enum step_kind kind;
	char ifname[IFNAMSIZ];
	char bridge[IFNAMSIZ];
	char alias[ALIAS_MAX];
	struct mac mac;
	uint32_t mtu;
	bool on;
	uint32_t ageing_s;
	struct ip4_prefix addr;
	struct ip6_prefix addr6;
	struct sysctl_state sysctl;
	unsigned int queues;
	uint32_t owner_uid;
	uint64_t rate_down;
	uint16_t vid;
	char replaces[REPLACES_MAX];
};

/* struct plan - @steps is owned, in the order they are to be done. */
struct plan {
	struct plan_step *steps;
	size_t n;
};

void plan_done(struct plan *p);

/**
 * plan_diff() - the steps that make @actual match @desired
 * @ret:	empty when it matches already
 * @errs:	what stands in the way, e.g. an interface of a wanted name that is not ours
 *		("eth7 is in the way: ..."), a `uplink` that does not exist is NOT an error here
 *
 * Bridges and taps of ours (by alias) that @desired does not have are deleted, taps also when a VMM
 * holds them: @desired must list all known guests.
 * A guest with a VLAN whose bridge cannot keep it there (plan_vlan_refused()) is in no bridge: it
 * must not see another VLAN instead. On bridges that filter VLANs, guests' ports and the NICs of
 * bridges that have taken one are in the VLANs that they should be in and no others.
 * A queueing discipline that somebody else has put on a tap stays, and the guest has no limit then.
 * Foreign ports on our bridges and foreign addresses elsewhere are never touched; on our bridges
 * IPv4 addresses other than the gateway are removed, and IPv6 addresses other than the gateway and
 * the link-local one.
 *
 * What a daemon that was killed left half made is taken over: the kernel gives an interface its
 * alias only after it was made, so a bridge of the wanted name without an alias but with the
 * wanted MAC is ours, and so is a tap of a wanted name without alias that is down and in no bridge.
 *
 * Sticky static MACs at our taps are ours; any other entry there is left alone, but where the port is
 * managed: there is nothing then that is not wanted.
 *
 * A tap whose bridge @desired does not have is left out of bridges and not set up; one that belongs
 * on none comes out of that of somebody else. A sysctl that
 * has no file, of an interface that this plan does not make, is passed over.
 *
 * Order: deletions; `accept_ra` that becomes 2 (plan.c: turn_of()); each network whole (bridge, mtu,
 * stp, mac, alias, addresses, sysctls, up, IPv6 addresses); the other sysctls; each tap whole (tap,
 * alias, mtu, bridge, isolation, rate, up); the MTU of bridges where it grows. So a bridge never has a
 * larger MTU than a port of it, which would drop what the host sends.
 *
 * Returns 0, -EEXIST (see @errs; .where is "network NAME" or "guest NAME", so that the caller can
 * leave that one out and ask again), -ENOMEM.
 */
int plan_diff(const struct desired *desired, const struct actual *actual, struct plan *ret,
	      struct err_list *errs) __must_check;

/*
 * plan_network_blocked(), plan_tap_blocked() - whether this one alone is why plan_diff() says
 * -EEXIST; the reason is in @e. For callers that want to go on without it.
 */
bool plan_network_blocked(const struct desired_network *n, const struct actual *actual,
			  struct err *e);
bool plan_tap_blocked(const struct desired_tap *t, const struct actual *actual, struct err *e);

/*
 * plan_vlan_refused() - why @bridge (NULL for none) of @c cannot keep a guest in @vlan, in @e; false
 * when it can, or is not there.
 */
bool plan_vlan_refused(const struct network_config *c, const struct link_state *bridge,
		       uint16_t vlan, struct err *e);

/* plan_step_text() - one line for `diff`: "+ bridge vl-default (52:54:00:1:2:3)". */
void plan_step_text(const struct plan_step *s, struct buf *out);
/* plan_step_op() - "create", "delete", "change". */
const char *plan_step_op(const struct plan_step *s);

#endif
