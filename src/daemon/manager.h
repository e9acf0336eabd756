/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * manager.h - the daemon's one central structure: the networks and guests that are wanted, and
 * the open handles by which the kernel, the disk and the API are reached.
 *
 * manager.c loads and frees it, reconcile.c makes the kernel match it, service*.c change it on
 * request, view.c shows it. One thread; nothing here is locked.
 */
#ifndef VMLANE_DAEMON_MANAGER_H
#define VMLANE_DAEMON_MANAGER_H

#include <limits.h>
#include <systemd/sd-event.h>
#include <uthash.h>
#include "api/server.h"
#include "daemon/state.h"
#include "firewall/nft.h"
#include "kernel/rtnl.h"
#include "lease/ra_server.h"
#include "lease/server.h"
#include "model/config.h"

#define OPTION_DIR_MAX (PATH_MAX - NAME_MAX)

/**
 * struct options - the command line
 * @resolv_conf: where the host's resolvers are read; "": /etc/resolv.conf, and systemd-resolved's
 *		upstream list when that only names a local stub
 * @saved_rules: the nftables rules that the host loads when it boots; "": /etc/nftables.conf
 * @no_accepts:	nothing is put into other firewalls, see accepts.h
 * @no_guardian: what others change stays so until it is asked for, see guardian.h
 * @no_snoop:	nobody listens for guests' addresses, see snoop.h
 */
struct options {
	char config_dir[OPTION_DIR_MAX];
	char state_dir[OPTION_DIR_MAX];
	char run_dir[OPTION_DIR_MAX];
	char resolv_conf[OPTION_DIR_MAX];
	char saved_rules[OPTION_DIR_MAX];
	bool foreground;
	bool debug;
	bool no_accepts;
	bool no_guardian;
	bool no_snoop;
};

/**
 * struct network_rt - a network at run time
 * @config:	as applied; owned
 * @file:	where it came from; owned
 * @stopped:	by the operator; kept over restarts
 * @problem:	why it is not as it should be; code "" when it is
 * @ifindex:	of its bridge, 0 while that is not there
 * @mtu:	of its bridge and guests since the last look; 0 when it has not run yet
 * @ipv6:	it has IPv6 since the last look; @router6: and a way out for it
 * @socket:	on the bridge, while something serves there; NULL otherwise
 * @dhcp:	NULL while it does not serve; @ra: likewise
 * @guests:	what @dhcp is told of the attached guests; owned
 * @snoop:	who hears the neighbour discovery that comes by @socket; NULL: nobody
 */
struct network_rt {
	char name[NAME_MAX_LEN + 1];
	struct network_config *config;
	char *file;
	bool stopped;
	struct err problem;
	int ifindex;
	uint32_t mtu;
	bool ipv6;
	bool router6;
	struct lease_socket *socket;
	struct lease_server *dhcp;
	struct ra_server *ra;
	struct lease_guest *guests;
	struct snoop *snoop;
	UT_hash_handle hh;
};

/*
 * struct guest_rt - a plugged-in guest; found by name, by MAC and by tap. @carrier: its tap had a
 * VMM when the kernel last told of it. @problem: what of its configuration is not so; code "" when
 * all is.
 */
struct guest_rt {
	struct state_guest g;
	bool carrier;
	struct err problem;
	UT_hash_handle hh;
	UT_hash_handle hh_mac;
	UT_hash_handle hh_tap;
};

#define OWN_RUNS 64

/* struct own_run - transactions of ours, one behind the other: rulesets @after + 1 to @last. */
struct own_run {
	uint32_t after;
	uint32_t last;
};

#define RESOLVERS_MAX NETWORK_DNS_MAX
#define UPLINKS_MAX 32
#define RESOLV_WATCHES 3

/* struct saved_sysctl - what it was, and of which interface (sysctls.c); 0: of none we know. */
struct saved_sysctl {
	struct sysctl_state was;
	int ifindex;
};

/**
 * struct change_ask - what was asked along with the change that is being carried out
 * @confirm_s:	a take-over is kept only when it is confirmed within so many seconds; 0: when the
 *		gateway answers
 * @force:	a DHCP client on the NIC is no obstacle
 * @take_all:	NICs may be taken; else only that of network @take ("" for none). Nobody asked a
 *		daemon that starts: it takes only what was confirmed once.
 */
struct change_ask {
	char take[NAME_MAX_LEN + 1];
	bool take_all;
	unsigned int confirm_s;
	bool force;
};

struct takeover_rt;
struct guardian;
struct snoop;
struct accepts;
struct firewalld;
struct portguard;
struct guard_port;

/**
 * struct manager - see the head of this file
 * @takeovers:	NICs that bridged networks have taken, see bridged.h; @boot_id: of this boot
 * @ask:	all 0 but while a request is carried out
 * @saved:	values of sysctls before we changed them, @n_saved of them; also in the state
 * @fw:		the ruleset that our last transaction left in the kernel
 * @fw_generation: the kernel's count of rulesets right after it; 0 when not known: what is in
 *		the kernel has to be read then
 * @fw_quiet:	our transactions a second ago; @fw_unkept: the table cannot be remembered as it is
 * @own:	our last transactions, at @n_own % OWN_RUNS the oldest of them
 * @fw_skeleton: hash of @fw.skeleton; @fw_listing: of what the kernel lists for that one, without
 *		elements. Both are in the state too, so that the next run knows the table again.
 * @fw_failed:	what the last reconcile() should have done is not in the kernel: it was given up before
 *		anything was changed, or the table's transaction was refused
 * @fw_lifetimes: why the table is without lifetimes for guests' connections; code "" when it has them
 * @rates_used: there may be limits of guests' rates in the kernel (rates.c)
 * @guard:	the guards' program and maps, NULL while nobody has needed them; @guard_ports: the ports that
 *		have it; @guard_before: an earlier run may have left some
 * @guard_next: the tap whose guards are looked at next, "": the first; @guard_unpinned: they cannot be
 *		pinned, which was told
 * @guard_expiry: armed for the next lease's end; @guard_tell: armed while somebody listens to events
 * @host_id:	the machine id, for stable MACs; NULL when there is none
 * @config_errors: what was wrong in the files at the last look (start, check, diff, apply), and
 *		what could not be written at start
 * @uplinks:	interfaces with a default route at the last look, @n_uplinks of them
 * @policy_log:	while somebody listens to events, see policy_log.h
 * @listening:	somebody listens to events; @stations: where MACs were seen meanwhile (events.c)
 * @guardian, @accepts, @firewalld: see guardian.h, accepts.h, firewalld.h
 * @snoop:	see snoop.h; NULL: nobody listens
 * @follow:	armed when routes or links changed, see reconcile.c; @follow_all: a bridge of
 *		somebody else that guests belong on came; @hears_ipv6: of IPv6 routes and addresses too
 */
struct manager {
	const struct options *options;
	sd_event *loop;
	struct state *state;
	struct rtnl *rtnl;
	struct rtnl_monitor *monitor;
	struct nft *nft;
	struct lease_store *leases;
	struct api_server *api;
	struct network_rt *networks;
	struct guest_rt *guests;
	struct guest_rt *guests_by_mac;
	struct guest_rt *guests_by_tap;
	struct takeover_rt *takeovers;
	char boot_id[40];
	struct change_ask ask;
	struct saved_sysctl *saved;
	size_t n_saved;
	struct fw_ruleset fw;
	uint32_t fw_generation;
	uint64_t fw_quiet;
	bool fw_unkept;
	struct own_run own[OWN_RUNS];
	size_t n_own;
	uint64_t fw_skeleton;
	uint64_t fw_listing;
	bool fw_failed;
	struct err fw_lifetimes;
	bool rates_used;
	struct portguard *guard;
	struct guard_port *guard_ports;
	bool guard_before;
	bool guard_unpinned;
	char guard_next[IFNAMSIZ];
	sd_event_source *guard_expiry;
	sd_event_source *guard_tell;
	uint8_t host_id_bytes[16];
	const uint8_t *host_id;
	struct in_addr resolvers[RESOLVERS_MAX];
	size_t n_resolvers;
	struct in6_addr resolvers6[RESOLVERS_MAX];
	size_t n_resolvers6;
	struct err_list config_errors;
	char uplinks[UPLINKS_MAX][IFNAMSIZ];
	size_t n_uplinks;
	bool listening;
	struct policy_log *policy_log;
	struct station *stations;
	struct guardian *guardian;
	struct snoop *snoop;
	struct accepts *accepts;
	struct firewalld *firewalld;
	sd_event_source *follow;
	bool follow_all;
	bool hears_ipv6;
	sd_event_source *monitor_source;
	sd_event_source *resolv_watch[RESOLV_WATCHES];
	uint64_t started_us;
};

/*
 * manager_new() - open the handles (needs the privileges), load state and configuration, bring the
 * kernel to it. Networks that cannot be brought up are kept as failed; only what makes all work
 * impossible is an error here.
 */
int manager_new(const struct options *o, sd_event *loop, struct manager **ret,
		struct err *e) __must_check;
/* manager_free() - closes everything; networks, rules and leases stay as they are. */
void manager_free(struct manager *m);
/*
 * manager_committed() - @n transactions of ours came after ruleset @before (0: not known). What is
 * known of either table stays known, unless somebody else's came in between.
 */
void manager_committed(struct manager *m, uint32_t before, unsigned int n);
/* manager_made() - ruleset @generation came of one of these; false also where that was long ago. */
bool manager_made(const struct manager *m, uint32_t generation);
/* manager_went_on() - the transaction right behind ruleset @generation is of these, and came after ruleset @since. */
bool manager_went_on(const struct manager *m, uint32_t generation, uint32_t since);
/*
 * manager_unrelated() - the transaction that led to ruleset @generation was somebody else's, and not
 * about our tables: what is known of these stays known.
 */
void manager_unrelated(struct manager *m, uint32_t generation);
/* manager_log_errors() - each on a line of the log; @errs may be NULL. */
void manager_log_errors(const struct err_list *errs);

/* ---- configuration files to networks (load.c) ---- */

/* load_start() - at start: state and files to networks; the mistakes stay in m->config_errors. */
int load_start(struct manager *m, struct err *e) __must_check;
/*
 * load_files() - all files, checked against each other and the host's routes. -EINVAL with every
 * mistake in @errs, also in m->config_errors; *ret is only filled (and to be freed with
 * config_set_done()) when 0. Unless @strict, what already was wrong with networks that have not
 * changed since they were applied is no obstacle; it is in m->config_errors then.
 */
int load_files(struct manager *m, bool strict, struct config_set *ret,
	       struct err_list *errs) __must_check;
/* load_check_more() - what would be newly wrong if @file's network were added to the others. */
int load_check_more(struct manager *m, const struct config_file *file,
		    struct err_list *errs) __must_check;
/* load_clashes() - where networks that run overlap with the host's routes of this moment. */
void load_clashes(struct manager *m, struct err_list *errs);
/* load_check_alone() - what of the host is in the way of @n. */
int load_check_alone(struct manager *m, const struct network_rt *n,
		     struct err_list *errs) __must_check;
/*
 * load_mark_refused() - networks that clash with the host as it is now are told in
 * m->config_errors; those of them that are not up get the problem "refused", and stay down.
 */
void load_mark_refused(struct manager *m);

/* sysctls_add() - a record that the state has already (sysctls.c). */
int sysctls_add(struct manager *m, const struct sysctl_state *was) __must_check;

/* ---- networks (network.c) ---- */

struct network_rt *manager_network(struct manager *m, const char *name);
struct network_rt *manager_network_by_bridge(struct manager *m, const char *bridge);
/* network_add() - takes over @config; not in the kernel yet. @file is copied. */
int network_add(struct manager *m, struct network_config *config, const char *file, bool stopped,
		struct network_rt **ret) __must_check;
/*
 * network_replace_config() - takes over @config; its DHCP server answers with it from now on. The
 * state and the kernel are the caller's business.
 */
int network_replace_config(struct manager *m, struct network_rt *n, struct network_config *config,
			   const char *file) __must_check;
/* network_swap_config() - the same, with the old one handed over instead of freed. */
int network_swap_config(struct manager *m, struct network_rt *n, struct network_config *config,
			const char *file, struct network_config **ret_old) __must_check;
/* network_store() - write a network to the state. */
int network_store(struct manager *m, const struct network_config *config, const char *file,
		  bool stopped, struct err *e) __must_check;
/* network_save() - network_store() of @n as it is. */
int network_save(struct manager *m, const struct network_rt *n, struct err *e) __must_check;
/* network_unstore() - its leases, guests and itself out of the state; within state_begin(). */
int network_unstore(struct manager *m, const struct network_rt *n, struct err *e) __must_check;
/* network_drop() - with its guests out of memory only. Its kernel objects go by reconcile. */
void network_drop(struct manager *m, struct network_rt *n);
/* network_remove() - network_unstore() and network_drop(); both or none. */
int network_remove(struct manager *m, struct network_rt *n, struct err *e) __must_check;
void networks_free(struct manager *m);
/* network_guest_count() - plugged-in guests of @name; @ret_running (may be NULL): with carrier. */
size_t network_guest_count(const struct manager *m, const char *name);
/* network_serve() - start, restart or stop what serves its guests as its state wants. */
int network_serve(struct manager *m, struct network_rt *n, struct err *e) __must_check;
/* network_resolvers() - those that the guests of @c are told of, at *ret (not owned); how many. */
size_t network_resolvers(const struct manager *m, const struct network_config *c,
			 const struct in_addr **ret);
/* network_resolvers6() - the same of router advertisements. */
size_t network_resolvers6(const struct manager *m, const struct network_rt *n,
			  const struct in6_addr **ret);
/* network_refresh_dhcp() - guests, resolvers or the MTU changed: tell what serves them. */
void network_refresh_dhcp(struct manager *m, struct network_rt *n);
/* network_mtu() - what @n's guests are to use, 576 to 65521; mtu.c has why. */
uint32_t network_mtu(const struct network_rt *n);
/*
 * mtu_note() - whether @n's `mtu` is larger than that of an uplink it has in @a: then @ret tells of
 * it. It runs all the same.
 */
bool mtu_note(struct manager *m, const struct network_rt *n, const struct actual *a,
	      struct err *ret);
/* saved_rules_problem() - the host's rules for its next boot would not load, because of our table. */
bool saved_rules_problem(const struct manager *m, struct err *e);

/* resolvers_load() - read the host's upstream resolvers; every server learns of a change. */
void resolvers_load(struct manager *m);
/* resolvers_watch() - from now on learn of changes; as far as there is something to be watched. */
int resolvers_watch(struct manager *m) __must_check;

/* ---- subnets that are chosen (subnet.c, subnet6.c) ---- */

/*
 * subnet_settle() - every network of @set with `subnet: auto` gets the subnet that the manager's of
 * its name has, or a free one. Only kept with the network (network_save()).
 */
int subnet_settle(struct manager *m, const struct config_set *set,
		  struct err_list *errs) __must_check;
/* subnet_settle_stored() - the subnet that the state has for @c. */
int subnet_settle_stored(struct manager *m, struct network_config *c, struct err *e) __must_check;
/* subnet6_settle(), subnet6_settle_stored() - the IPv6 half of these. */
int subnet6_settle(struct manager *m, const struct config_set *set,
		   struct err_list *errs) __must_check;
int subnet6_settle_stored(struct manager *m, struct network_config *c, struct err *e) __must_check;

/* ---- IPv6 of networks (ipv6.c, advertise.c) ---- */

/* advertise_serve() - start its router advertiser on @n's socket, or tell it the latest. */
int advertise_serve(struct manager *m, struct network_rt *n, struct err *e) __must_check;
/* advertise_refresh() - tell it the latest, if there is one. */
void advertise_refresh(struct manager *m, struct network_rt *n);
/* advertise_off() - end it; @last_word: the guests are told that it is over. */
void advertise_off(struct network_rt *n, bool last_word);

/* ipv6_on_host() - the host has IPv6, and it is not switched off as a whole. */
bool ipv6_on_host(void);
/* ipv6_note() - whether @n is to have IPv6 and the host has none: then @ret says what to do. */
bool ipv6_note(const struct network_rt *n, struct err *ret);

/* ---- guests (guest.c) ---- */

struct guest_rt *manager_guest(struct manager *m, const char *name);
struct guest_rt *manager_guest_by_mac(struct manager *m, const struct mac *mac);
struct guest_rt *manager_guest_by_tap(struct manager *m, const char *tap);
int guest_add(struct manager *m, const struct state_guest *g, struct guest_rt **ret) __must_check;
/* guest_register() - guest_add(), and in the state too; both or none. */
int guest_register(struct manager *m, const struct state_guest *g, struct guest_rt **ret,
		   struct err *e) __must_check;
/* guest_forget() - out of memory and state; the tap is the caller's business. */
int guest_forget(struct manager *m, struct guest_rt *g, struct err *e) __must_check;
/*
 * guest_ended() - one that lived with its VMM. Where the state cannot be written, memory goes ahead:
 * the next start looks at the taps.
 */
void guest_ended(struct manager *m, struct guest_rt *g);
/* guest_has_tap() - the interface of its tap's name is there, and is this guest's. */
bool guest_has_tap(const struct manager *m, const struct guest_rt *g);
/* guest_drop() - out of memory only: the state knows already. */
void guest_drop(struct manager *m, struct guest_rt *g);
void guests_free(struct manager *m);
/*
 * port_want() - what the port of guest @name with @mac on @c shall be, into the fields of @t that
 * are about the port. @t does not outlive @c.
 */
void port_want(const struct network_config *c, const char *name, const struct mac *mac,
	       struct desired_tap *t);
/* port_set() - @t->name, which is a new port of its bridge, gets what @t says of it. */
/* port_vlan_check() - @n's bridge can keep guest @name in its VLAN; -EOPNOTSUPP. */
int port_vlan_check(struct manager *m, const struct network_rt *n, const char *name,
		    struct err *e) __must_check;
int port_set(struct manager *m, const struct desired_tap *t, struct err *e) __must_check;
/*
 * port_check_macs() - whether guests of @set's networks claim MACs that others on this host have:
 * our bridges, guests that are plugged in. -EINVAL, -ENOMEM.
 */
int port_check_macs(struct manager *m, const struct config_set *set,
		    struct err_list *errs) __must_check;
/*
 * guest_mac() - the MAC @name gets on @n: @wanted ("" for none), else the configured one, else a
 * derived one that nobody has. -EINVAL, -EEXIST.
 */
int guest_mac(struct manager *m, const struct network_rt *n, const char *name, const char *wanted,
	      struct mac *ret, struct err *e) __must_check;

#endif
