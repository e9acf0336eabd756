/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor_internal.h - what the doctor's checks look at, and how they tell what they find. Each check is a
 * small function over one reading of the host; the table of them is in doctor.c.
 */
#ifndef VMLANE_INSPECT_DOCTOR_INTERNAL_H
#define VMLANE_INSPECT_DOCTOR_INTERNAL_H

#include <jansson.h>

#include "inspect/doctor.h"
#include "inspect/explain_state.h"
#include "inspect/facts.h"
#include "inspect/inventory.h"
#include "inspect/subject.h"
#include "kernel/listener.h"
#include "path/diagnose_words.h"

/**
 * struct doctor_net - a bridge that guests are plugged into, or could be
 * @ours:	the name of our network on it, NULL: somebody else's
 * @bridged:	of ours, with a NIC taken into it
 * @mode:	of ours, as the daemon tells it; NULL: not known
 * @config:	of ours, the daemon's answer; NULL
 * @addr:	its first IPv4 address, NULL: none; @has_addr6: it has one of IPv6 beyond the link
 * @guests:	@n_guests of them, of which @n_running are up and have somebody behind them
 * @uplink:	a port of it that is no guest's, one that works if there is any: it is on a LAN; NULL.
 *		@n_uplinks: how many there are
 */
struct doctor_net {
	const struct link_state *bridge;
	const char *ours;
	bool bridged;
	const char *mode;
	const json_t *config;
	const struct addr_state *addr;
	bool has_addr6;
	const struct inventory_guest *guests;
	size_t n_guests;
	size_t n_running;
	const struct link_state *uplink;
	size_t n_uplinks;
};

/* struct doctor_subnet - an address of a bridge that is to be looked at; @net: its index */
struct doctor_subnet {
	struct ip4_prefix prefix;
	size_t net;
};

/* struct doctor_owner - whose command line says that its NIC has this MAC */
struct doctor_owner {
	struct mac mac;
	const struct inventory_guest *g;
};

/* enum doctor_daemon - whether vmlaned can be asked */
enum doctor_daemon {
	DAEMON_ANSWERS,
	DAEMON_DOWN,
	DAEMON_FORBIDDEN, /* not by this user */
	DAEMON_NOT_ASKED, /* it is another namespace's */
};

/**
 * struct doctor - one reading of the host; all is owned
 * @f:		links, addresses, routes, MAC tables, neighbours, and what can be asked
 * @subject:	the same as explanations want it; whose turn it is is its guest
 * @state:	rules and the rest, for explanations; NULL: they could not be read, for @state_err
 * @guest_ports: ifindexes of the ports of @guests, sorted
 * @owners:	by MAC, @n_owners of them; read when they are wanted first
 * @listeners:	@n_listeners of them; without @has_listeners the kernel does not tell
 * @nets:	the bridges that are to be looked at, @n_nets of them; @only: not all there are
 * @subnets:	those of @nets, @n_subnets of them
 * @status, @networks, @our_guests, @our_leases: the daemon's answers; NULL without it
 * @report:	what was found so far
 */
struct doctor {
	const struct doctor_options *o;
	struct live_facts *live;
	const struct facts *f;
	struct rtnl *rtnl;
	struct subject subject;
	struct explain_state *state;
	struct err state_err;
	struct inventory guests;
	int *guest_ports;
	struct doctor_owner *owners;
	size_t n_owners;
	struct foreign_leases leases;
	struct listener *listeners;
	size_t n_listeners;
	bool has_listeners;
	struct doctor_net *nets;
	size_t n_nets;
	struct doctor_subnet *subnets;
	size_t n_subnets;
	bool only;
	enum doctor_daemon daemon;
	json_t *status, *networks, *our_guests, *our_leases;
	int64_t now_s;
	struct doctor_report *report;
};

/**
 * struct doctor_check - one line of the table
 * @what:	for people, when nothing was found: "routes and uplinks"
 * @run:	adds what it finds by doctor_add()
 */
struct doctor_check {
	const char *what;
	void (*run)(struct doctor *d);
};

/* ---- doctor.c ---- */

/* doctor_new_finding() - to be filled in; about @n, or the host where it is NULL. */
struct doctor_finding doctor_new_finding(enum doctor_severity severity, const char *code,
					 const struct doctor_net *n);
/* doctor_of_guest() - of @g. */
struct doctor_finding doctor_of_guest(enum doctor_severity severity, const char *code,
				      const struct inventory_guest *g);
/* doctor_add() - what was found already, with the same evidence, is not found again. */
void doctor_add(struct doctor *d, const struct doctor_finding *f);

/* ---- doctor_read.c ---- */

/* doctor_read() - all of @d; -ENOENT and the kernel's errors as of doctor_run(). */
int doctor_read(struct doctor *d, struct err *e) __must_check;
void doctor_done(struct doctor *d);

/* ---- facts that several checks want ---- */

/* doctor_net_of() - the bridge of this index, or NULL (also when it is not to be looked at). */
const struct doctor_net *doctor_net_of(const struct doctor *d, int bridge);
/* doctor_net_of_address() - the network that has a subnet with this address, of those that are looked at; or NULL. */
const struct doctor_net *doctor_net_of_address(const struct doctor *d, struct in_addr addr);
/* doctor_is_guest_port() - @ifindex is a guest's port. */
bool doctor_is_guest_port(const struct doctor *d, int ifindex);
/* doctor_is_way_out() - @l can lead out of the host: no guest's port, no bridge of guests, no loopback. */
bool doctor_is_way_out(const struct doctor *d, const struct link_state *l);
/* doctor_runs() - @g is up, and somebody is behind it. */
bool doctor_runs(const struct inventory_guest *g);
/* doctor_is_ours() - the guest is plugged into a network of ours, by us. */
bool doctor_is_ours(const struct doctor *d, const struct inventory_guest *g);
/* doctor_translates() - some rule of this host translates sources. */
bool doctor_translates(const struct doctor *d);

/* ---- the checks ---- */

void doctor_check_daemon(
	struct doctor *d); /* doctor_daemon.c: vmlaned, its configuration, its rights */
void doctor_check_tun(struct doctor *d); /* /dev/net/tun */
void doctor_check_uplinks(
	struct doctor *d); /* doctor_host.c: default routes, their lines and gateways */
void doctor_check_rp_filter(struct doctor *d);
void doctor_check_conntrack(struct doctor *d);
void doctor_check_nat_ports(struct doctor *d); /* doctor_nat.c */
void doctor_check_resolvers(struct doctor *d);
void doctor_check_ipv6(struct doctor *d);
void doctor_check_programs(struct doctor *d);
void doctor_check_bridges(struct doctor *d); /* doctor_port.c */
void doctor_check_ports(struct doctor *d);
void doctor_check_isolation(struct doctor *d);
void doctor_check_mtu(struct doctor *d);
void doctor_check_macs(struct doctor *d);
void doctor_check_duplicates(struct doctor *d);
void doctor_check_subnets(struct doctor *d); /* doctor_net.c */
void doctor_check_leases(struct doctor *d);
void doctor_check_servers(struct doctor *d);
void doctor_check_ways(struct doctor *d); /* doctor_way.c: packets, explained */

#endif
