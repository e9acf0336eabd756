/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * network.h - what a network of virtual machines is: the desired state, as validated structs.
 *
 * It does not know files (daemon/config.c) nor the kernel (kernel/). Next on the walk:
 * config.h makes these structs from YAML, plan.h compares them with what the kernel has.
 */
#ifndef VMLANE_MODEL_NETWORK_H
#define VMLANE_MODEL_NETWORK_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"
#include "model/forward.h"
#include "model/guard.h"
#include "model/policy.h"

#define NAME_MAX_LEN 32 /* of networks and guests, without the NUL */
#define NETWORK_GUESTS_MAX 10000
#define NETWORK_DNS_MAX 4
#define NETWORK_ACCESS_MAX 32
#define NETWORK_PEERS_MAX 32
#define VLAN_MAX 4094 /* IEEE 802.1Q; 0 and 4095 are reserved */
#define GUEST_MACS_MAX 32
#define NETWORK_SOURCES_MAX 256
#define DOMAIN_MAX_LEN 253
#define NETWORK_MTU_DEFAULT 1500 /* the kernel's, for bridges and taps */

#define RATE_MIN 64000ull	 /* 64kbit */
#define RATE_MAX 100000000000ull /* 100gbit */

/* struct location - where in its file something was written; line 0 means unknown. */
struct location {
	unsigned int line;
	unsigned int col;
};

#define LOCATION_STRLEN 256 /* as long as err.where */

/*
 * location_format() - "FILE:LINE:COL" (or "FILE" when @at is unknown) into @buf of @size, at least
 * LOCATION_STRLEN; the front of a long FILE is cut. Returns @buf.
 */
const char *location_format(const char *file, struct location at, char *buf, size_t size);

enum network_mode {
	NETWORK_NAT,
	NETWORK_ROUTED,	  /* as NAT, without translation */
	NETWORK_ISOLATED, /* no way out */
	NETWORK_BRIDGED,  /* the guests are on the LAN itself */
	NETWORK_MODE_COUNT,
};

/* enum network_inbound - what of the outside reaches the guests of a routed network. */
enum network_inbound {
	INBOUND_ESTABLISHED, /* replies, and what belongs to them */
	INBOUND_ACCEPT,	     /* new connections from the uplinks too */
	INBOUND_NONE,	     /* nothing; and the guests do not reach the outside either */
	INBOUND_COUNT,
};

/* network_mode_name() - "nat", ...; as written in YAML and JSON. */
const char *network_mode_name(enum network_mode mode);
/* network_inbound_name() - "established", ...; as written in YAML and JSON. */
const char *network_inbound_name(enum network_inbound inbound);

/**
 * struct guest_rate - how much a guest may send and be sent
 * @up:		from the guest, in bits a second; 0: as much as it can
 * @down:	to the guest, likewise
 */
struct guest_rate {
	uint64_t up;
	uint64_t down;
};

#define RATE_STRLEN 24

/*
 * rate_parse() - "64kbit" to "100gbit", whole numbers of kbit, mbit or gbit, as bits a second.
 * -EINVAL, or -ERANGE when only the value is wrong.
 */
int rate_parse(const char *text, uint64_t *ret) __must_check;
/* rate_format() - @bits a second in the largest unit that divides it: "512kbit", "10mbit". */
const char *rate_format(uint64_t bits, char buf[static RATE_STRLEN]);

/**
 * struct guest_config - a guest that the configuration knows by name
 * @name:	the guest's name
 * @has_mac:	@mac was given
 * @mac:	the guest's fixed MAC
 * @has_ipv4:	@ipv4 was given
 * @ipv4:	its fixed address, inside the network's subnet
 * @isolate:	it does not reach the network's other guests that have this too
 * @pinned:	`static`: its MAC is behind its own port and nowhere else, for ever
 * @macs:	further MACs behind its port, of VMs inside it; @n_macs of them, pinned too
 * @guard:	which guards it has other than its network
 * @limits:	those that it has other than its network; @guard_limits: likewise, of its guards
 * @addresses:	what it may use beside @ipv4 and what DHCP gives it; owned, @n_addresses of them
 * @rate:	its limits
 * @vlan:	bridged: the VLAN of the LAN that it is in; 0: it is where the host is
 * @forwards:	ports of the host that lead to it; owned, @n_forwards of them, as written
 * @at:		where it was written
 */
struct guest_config {
	char name[NAME_MAX_LEN + 1];
	bool has_mac;
	struct mac mac;
	bool has_ipv4;
	struct in_addr ipv4;
	bool isolate;
	bool pinned;
	struct mac macs[GUEST_MACS_MAX];
	size_t n_macs;
	struct guard_switches guard;
	struct guest_limits limits;
	struct guard_limits guard_limits;
	struct guest_prefix *addresses;
	size_t n_addresses;
	struct guest_rate rate;
	uint16_t vlan;
	struct forward *forwards;
	size_t n_forwards;
	struct location at;
};

/* struct access_entry - who besides root may plug guests in: a user or a group, by name. */
struct access_entry {
	bool is_group;
	char name[NAME_MAX_LEN + 1];
};

#define IPV6_PREFIX_LEN                                                                            \
	64 /* what SLAAC needs: RFC 4862 5.5.3 d, with the interface IDs of RFC 2464 */
#define IPV6_MTU_MIN 1280 /* RFC 8200 5 */

/**
 * struct network_ipv6 - the block `ipv6` of a network
 * @on:		there is one; else nothing of IPv6 passes, and the rest does not matter
 * @subnet:	the guests' prefix, host bits clear; length 64, or 0 while @subnet_auto is not chosen
 * @subnet_auto: `subnet: auto`: a ULA (RFC 4193) is chosen
 * @gateway:	the bridge's own address, inside @subnet; default: the first
 * @dns:	resolvers to hand out; @n_dns 0 means the host's own upstream resolvers
 * @at:		where the subnet was written, for overlap errors
 */
struct network_ipv6 {
	bool on;
	struct ip6_prefix subnet;
	bool subnet_auto;
	struct in6_addr gateway;
	struct in6_addr dns[NETWORK_DNS_MAX];
	size_t n_dns;
	struct location at;
};

/* struct guest_mac - a MAC of the guest at @guest of its network. */
struct guest_mac {
	struct mac mac;
	size_t guest;
};

/**
 * struct network_config - one network as its file describes it, defaults filled in
 * @name:	the network's name; its file is NAME.yaml
 * @bridge:	the bridge's interface name (key `bridge`, else ifname_derive(@name))
 * @mode:	see enum network_mode
 * @inbound:	routed: see enum network_inbound
 * @host:	isolated: the host is in the network too; else it is layer 2 only, and has no
 *		addresses, DHCP nor names
 * @subnet:	network address (host bits clear) and prefix length 8 to 30; length 0: none, see
 *		network_has_ipv4()
 * @subnet_auto: `subnet: auto`: @subnet is chosen, and what follows from it has its defaults
 * @gateway:	the bridge's own address, inside @subnet; default: first address
 * @ipv6:	see struct network_ipv6
 * @uplink:	"" follows the default route (`auto`), else the interface's name; bridged: the NIC
 * @port_min:	NAT: lowest source port used for tcp and udp, host byte order
 * @port_max:	NAT: highest
 * @source_first: NAT: lowest address that guests leave the host as; 0.0.0.0: the uplink's own
 * @source_last: NAT: highest; at most NETWORK_SOURCES_MAX in all
 * @adopted:	bridged: @bridge was named, so it is somebody else's and is only used
 * @mtu:	0: that of the uplinks, NETWORK_MTU_DEFAULT where there are none; bridged: the
 *		bridge's own
 * @stp:	the bridge takes part in the spanning tree
 * @learning:	the bridge learns which MAC is behind which guest's port; else it is told
 * @ageing_s:	for how long the bridge remembers where a MAC is; 0 leaves that to the kernel
 * @guard:	what is watched at its guests' ports, where they do not say otherwise
 * @policy:	what its guests may reach, and who may reach them
 * @limits:	of its guests, where they do not say otherwise; @guard_limits: likewise, of their guards
 * @dhcp:	the DHCP server runs
 * @range_first: first dynamic address, inclusive
 * @range_last:	last dynamic address, inclusive
 * @lease_s:	lease time in seconds
 * @domain:	domain name for the guests, "" when none
 * @dns:	resolvers to hand out; @n_dns 0 means the host's own upstream resolvers
 * @open_access: no `access` key: everyone who may use the API socket may plug guests in
 * @access:	otherwise those listed
 * @peers:	nat, routed: names of networks whose guests and this one's reach each other, where
 *		they list this one too; @n_peers of them
 * @guests:	owned; @n_guests of them, sorted by name
 * @macs:	the guests' MACs, those behind them among them, @n_macs, sorted; see network_config_index()
 * @peers_at:	where the peers were written
 * @source_at:	where the source was written
 * @subnet_at:	where the subnet was written, for overlap errors
 * @name_at:	where the name was written
 */
struct network_config {
	char name[NAME_MAX_LEN + 1];
	char bridge[IFNAMSIZ];
	enum network_mode mode;
	enum network_inbound inbound;
	bool host;
	struct ip4_prefix subnet;
	bool subnet_auto;
	struct in_addr gateway;
	struct network_ipv6 ipv6;
	char uplink[IFNAMSIZ];
	uint16_t port_min;
	uint16_t port_max;
	struct in_addr source_first;
	struct in_addr source_last;
	bool adopted;
	uint16_t mtu;
	bool stp;
	bool learning;
	uint32_t ageing_s;
	struct guard_switches guard;
	struct network_policy policy;
	struct guest_limits limits;
	struct guard_limits guard_limits;
	bool dhcp;
	struct in_addr range_first;
	struct in_addr range_last;
	uint32_t lease_s;
	char domain[DOMAIN_MAX_LEN + 1];
	struct in_addr dns[NETWORK_DNS_MAX];
	size_t n_dns;
	bool open_access;
	struct access_entry access[NETWORK_ACCESS_MAX];
	size_t n_access;
	char peers[NETWORK_PEERS_MAX][NAME_MAX_LEN + 1];
	size_t n_peers;
	struct guest_config *guests;
	size_t n_guests;
	struct guest_mac *macs;
	size_t n_macs;
	struct location peers_at;
	struct location source_at;
	struct location subnet_at;
	struct location name_at;
};

/* network_config_index() - fill @n->macs and the policy's names, once all else is there. 0 or -ENOMEM. */
int network_config_index(struct network_config *n) __must_check;
void network_config_free(struct network_config *n);
DEFINE_CLEANUP(struct network_config *, network_config_free)

/* network_has_ipv4() - the host has an address in it; else it is a switch and nothing more. */
bool network_has_ipv4(const struct network_config *n);
/* network_has_uplink() - its guests get out of the host, or may be reached from there. */
bool network_has_uplink(const struct network_config *n);

/* network_has_source() - its guests leave as `nat.source` says, not as the uplink's own address. */
bool network_has_source(const struct network_config *n);

/* network_isolates() - it has guests with `isolate`. */
bool network_isolates(const struct network_config *n);

/* network_has_vlans() - it has guests with `vlan`. */
bool network_has_vlans(const struct network_config *n);

/* network_forwards() - how many forwards its guests have. */
size_t network_forwards(const struct network_config *n);

/* network_has_forward() - some guest of @n has a forward of @f's meaning. */
bool network_has_forward(const struct network_config *n, const struct forward *f);

/* network_has_peer() - @n lists network @name among its peers. */
bool network_has_peer(const struct network_config *n, const char *name);

/* network_guest_by_mac() - whose configuration has @mac, as its own or as one behind it; or NULL. */
const struct guest_config *network_guest_by_mac(const struct network_config *n,
						const struct mac *mac);
/* network_guest_find() - by name, or NULL. */
const struct guest_config *network_guest_find(const struct network_config *n, const char *name);

/* name_valid() - [a-z0-9] first, then [a-z0-9_.-], at most NAME_MAX_LEN: networks and guests. */
bool name_valid(const char *name);

/* ifname_valid() - what the kernel takes as an interface name (dev_valid_name()). */
bool ifname_valid(const char *name);

/*
 * ifname_derive() - the interface of the network or guest called @name: "vl-NAME", and where that
 * is longer than an interface name may be, a cut NAME with a hash of the whole behind it.
 */
void ifname_derive(const char *name, char ret[static IFNAMSIZ]);

/*
 * mac_derive() - a stable locally administered MAC 52:54:00:xx:xx:xx for guest @guest of @network
 * on host @host_id (16 bytes, may be NULL); @attempt counts up when the MAC is already taken.
 */
struct mac mac_derive(const uint8_t *host_id, const char *network, const char *guest,
		      unsigned int attempt);

#endif
