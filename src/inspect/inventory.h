/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inventory.h - every guest of the host, whoever started it: its port, the process behind the port, its
 * NIC, MAC and addresses, and where each of those is known from.
 *
 * One look at the kernel, the processes and other programs' files; the daemon is not asked. What it
 * has heard the caller may bring along; what it knows of its own guests is put together with this by
 * cli/inventory_show.h.
 */
#ifndef VMLANE_INSPECT_INVENTORY_H
#define VMLANE_INSPECT_INVENTORY_H

#include "base/err.h"
#include "inspect/foreign_leases.h"
#include "kernel/netns.h"
#include "kernel/rtnl.h"
#include "kernel/vmm.h"

#define INVENTORY_ADDRS_MAX 16

enum inventory_source {
	INVENTORY_LEASE, /* another program's lease file */
	INVENTORY_NEIGH, /* the host's neighbour table */
	INVENTORY_ARP,	 /* the daemon heard the guest say so: by ARP, */
	INVENTORY_ND,	 /* neighbour discovery, */
	INVENTORY_DHCP,	 /* or DHCP */
	INVENTORY_SOURCE_COUNT,
};

/* The words for them, for people and for programs. */
extern const char *const inventory_sources[INVENTORY_SOURCE_COUNT];

/**
 * struct inventory_address - an address that a guest has, or had
 * @family:	AF_INET or AF_INET6; @addr has 4 or 16 bytes, in wire order
 * @age_s:	seconds since it was last known to be right; -1: not known
 * @stale:	it may not be true any more: the lease is over; or its neighbour has not answered for
 *		minutes and no frame of its MAC came meanwhile
 * @duplicate:	another guest on the same bridge has it too
 */
struct inventory_address {
	uint8_t family;
	uint8_t addr[16];
	enum inventory_source source;
	int64_t age_s;
	bool stale;
	bool duplicate;
};

enum inventory_kind {
	INVENTORY_TAP,
	INVENTORY_MACVTAP,
	INVENTORY_VETH, /* a container, or a namespace made by hand */
	INVENTORY_KIND_COUNT,
};

extern const char *const inventory_kinds[INVENTORY_KIND_COUNT];

/**
 * struct inventory_guest - one port, and the guest behind it
 * @name:	ours by its alias, the VMM's `-name`, the container's, else the name it gave with its lease;
 *		"" for none
 * @port:	the tap, macvtap or the host's end of the veth; @bridge: "" when it is in none
 * @network:	of ours, by the bridge's alias; "" for others
 * @uplink:	the bridge's physical port, or what the macvtap is on; "" when the guest is not on a LAN
 * @vlan:	of its untagged frames, where the bridge filters VLANs; 0 otherwise
 * @mac:	when @has_mac; @more_macs: others were seen at its port as well
 * @duplicate_mac: another guest on the same bridge has it too
 * @pid:	the process that has it open, or the container's first; 0: none that may be seen
 * @up:		the interface is; @carrier: somebody has it open (tap), or its other end is up
 * @seen_s:	seconds since its last frame; -1: not known
 */
struct inventory_guest {
	char name[64];
	enum inventory_kind kind;
	int ifindex;
	char port[IFNAMSIZ];
	char bridge[IFNAMSIZ];
	char network[64];
	char uplink[IFNAMSIZ];
	uint16_t vlan;
	bool has_mac;
	struct mac mac;
	unsigned int more_macs;
	bool duplicate_mac;
	struct inventory_address addrs[INVENTORY_ADDRS_MAX];
	size_t n_addrs;
	pid_t pid;
	char comm[PROC_COMM_MAX];
	char nic_model[32];
	bool up;
	bool carrier;
	int64_t seen_s;
};

/**
 * struct inventory_sighting - what the daemon has heard (docs/API.md: sighting); of whoever sent it
 * @port:	"" where it is not known; @also_at: its MAC was heard there too, "": it was not
 * @duplicate:	somebody behind another port says the same
 */
struct inventory_sighting {
	char bridge[IFNAMSIZ];
	char port[IFNAMSIZ];
	char also_at[IFNAMSIZ];
	struct mac mac;
	uint8_t family;
	uint8_t addr[16];
	enum inventory_source source;
	int64_t age_s;
	bool stale;
	bool duplicate;
};

/* struct inventory - sorted by bridge, then name, then port. inventory_done() when over. */
struct inventory {
	struct inventory_guest *v;
	size_t n;
};

/**
 * struct inventory_facts - what inventory_join() looks at; nothing is owned
 * @actual:	with @fdb and, where it matters, @port_vlans
 * @sightings:	of the daemon's; none without it
 * @now_s:	the wall clock, seconds since 1970, for leases
 */
struct inventory_facts {
	const struct actual *actual;
	const struct neigh_entry *neighs;
	size_t n_neighs;
	const struct neigh6_entry *neighs6;
	size_t n_neighs6;
	const struct vmm_holder *holders;
	size_t n_holders;
	const struct netns_holder *netns;
	size_t n_netns;
	const struct foreign_leases *leases;
	const struct inventory_sighting *sightings;
	size_t n_sightings;
	int64_t now_s;
};

/* inventory_join() - the pure part; 0 or -ENOMEM. */
int inventory_join(const struct inventory_facts *f, struct inventory *ret) __must_check;

/* inventory_read() - look, and join with @seen (@n of them, may be NULL); the kernel's errors. */
int inventory_read(const struct inventory_sighting *seen, size_t n, struct inventory *ret,
		   struct err *e) __must_check;
void inventory_done(struct inventory *i);

#endif
