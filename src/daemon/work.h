/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * work.h - one reconciliation under way, shared by reconcile.c (the order of things), want.c and
 * want_ipv6.c (what the kernel should have), steps.c (links, addresses, sysctls), sysctls.c (their old values) and
 * table.c (the firewall table).
 */
#ifndef VMLANE_DAEMON_WORK_H
#define VMLANE_DAEMON_WORK_H

#include "daemon/reconcile.h"
#include "firewall/rates.h"

struct policy_data;

/* struct target_index - a network of the target, to be found by name or by bridge. */
struct target_index {
	const char *key;
	size_t index;
};

/**
 * struct work - one reconciliation under way
 * @target:	the networks that shall be; not owned
 * @actual:	the kernel as it was found
 * @uplinks:	names of the interfaces with a default route, for `uplink: auto`
 * @used:	names of the interfaces that running networks go out by, there or not; @n_used
 * @ipv6:	the host has IPv6; @any6: running networks have it too, so that @actual has it;
 *		@forwards6: some of these get further than the host
 * @force6:	the kernel can forward IPv6 by interface (6.17 and later: force_forwarding); @all6:
 *		it forwards on all
 * @uplinks6, @used6: as @uplinks and @used, of IPv6
 * @closed6:	names of interfaces that forward IPv6 because of us alone, @n_closed6; @closed_all6:
 *		the host as a whole does; @switches: others' bridges then, @n_switches
 * @by_name:	the target's networks, sorted by name; @by_bridge: by bridge
 * @desired:	what the kernel should have for them; @plan: the steps that lead there
 * @fw:		the ruleset that should be; @fw_text: the transaction that leads there, in
 *		@fw_changes changes (0: none needed)
 * @fw_seen:	the kernel's count of rulesets when @fw_text was made; 0 when not known
 * @fw_present:	there is a table of ours in the kernel
 * @fw_full:	@fw_text replaces the table as a whole
 * @fw_mortal:	the table was found without lifetimes for connections
 * @fw_relist:	the table's chains are not those any more that the state knows
 * @fw_peers:	one for each direction between two running networks that list each other
 * @fw_nets:	one for each running network that is filtered, as the firewall wants them; @n_fw_nets;
 *		@fw_ways has the names of those ways out that are not @uplinks
 * @policies:	what @fw_nets point to of guests, see policy.h; owned
 * @rates:	what guests may send, as it should be; @rates_now: as it is
 * @guards:	ports whose guards are not as they should be, @n_guards of them; @guard_table: there is
 *		the table that older versions had for them
 * @failed:	@failed[i]: target network i had a step fail; the rest of its steps is left out
 * @bridges:	@bridges[i]: the ifindex of its bridge, which has not been touched since; or 0
 * @changes:	told to whoever asked, or NULL; @errs: likewise
 * @only_look:	for `diff` and `status`: nothing is changed, and no network marked
 * @follow_only: only what follows the uplinks is changed
 * @mend_only:	addresses that others gave our bridges stay
 * @n_lasting:	so many of @desired's sysctls, the first, shall stay so; the others are put back
 * @refused:	0, or the error of a network that could not even be planned
 */
struct work {
	struct manager *m;
	const struct target *target;
	struct actual actual;
	struct desired desired;
	struct plan plan;
	char uplinks[UPLINKS_MAX][IFNAMSIZ];
	size_t n_uplinks;
	char (*used)[IFNAMSIZ];
	size_t n_used;
	bool ipv6;
	bool any6;
	bool forwards6;
	bool force6;
	bool all6;
	char uplinks6[UPLINKS_MAX][IFNAMSIZ];
	size_t n_uplinks6;
	char (*used6)[IFNAMSIZ];
	size_t n_used6;
	char (*closed6)[IFNAMSIZ];
	size_t n_closed6;
	bool closed_all6;
	char (*switches)[IFNAMSIZ];
	size_t n_switches;
	struct target_index *by_name;
	struct target_index *by_bridge;
	struct fw_network *fw_nets;
	struct fw_peer *fw_peers;
	size_t n_fw_nets;
	char (*fw_ways)[IFNAMSIZ];
	struct policy_data *policies;
	struct fw_ruleset fw;
	struct buf fw_text;
	int fw_changes;
	uint32_t fw_seen;
	bool fw_present;
	bool fw_full;
	bool fw_mortal;
	bool fw_relist;
	struct fw_rates rates;
	struct fw_rates rates_now;
	struct guard_change *guards;
	size_t n_guards;
	bool guard_table;
	bool *failed;
	int *bridges;
	bool only_look;
	bool follow_only;
	bool mend_only;
	size_t n_lasting;
	int refused;
	json_t *changes;
	struct err_list *errs;
};

/* work_mark_failed() - the network on @bridge ("" for none) cannot be as it should; returns @r. */
int work_mark_failed(struct work *w, const char *bridge, int r, const struct err *e);
/* work_find() - in @index of the target's networks; w->target->n when there is none. */
size_t work_find(const struct work *w, const struct target_index *index, const char *key);
/* work_say() - tell of a change. */
void work_say(struct work *w, const char *op, const char *object, const char *text);

/* ---- want.c ---- */
/* want_all() - fill @w->desired from the target; @w->actual and @w->uplinks are known. */
int want_all(struct work *w) __must_check;
/* want_sysctl() - @key of @ifname's directory in net/@family/conf shall be @value. */
int want_sysctl(struct desired *d, const char *family, const char *ifname, const char *key,
		const char *value) __must_check;
/* want_uplink() - some running network goes out by @ifname. */
bool want_uplink(const struct work *w, const char *ifname);
/* want_way_out() - where what is configured to leave by @ifname leaves: the bridge that took it. */
const char *want_way_out(const struct work *w, const char *ifname);

/* want_sysctl() - @key of @ifname's directory in net/@family/conf shall be @value. */
int want_sysctl(struct desired *d, const char *family, const char *ifname, const char *key,
		const char *value) __must_check;
/* want_path() - the same of a whole path. */
int want_path(struct desired *d, const char *path, const char *value) __must_check;

/* ---- mtu.c ---- */
/* mtu_want() - the MTU that the running network @c shall have. */
uint32_t mtu_want(const struct work *w, const struct network_config *c);
/* mtu_follow() - keep what running networks have now, and tell their DHCP servers. */
void mtu_follow(struct work *w);

/* ---- port.c ---- */
/* port_vlans_look() - the ports' VLANs to @w->actual, and which guests cannot be in theirs. */
int port_vlans_look(struct work *w, struct err *e) __must_check;

/* ---- want_ipv6.c ---- */
/* want_ipv6_look() - what of IPv6 there is: fill @w->actual's part of it, and @ipv6 to @n_uplinks6. */
int want_ipv6_look(struct work *w, struct err *e) __must_check;
/* want_ipv6() - the sysctls, and what has to stay closed. */
int want_ipv6(struct work *w) __must_check;
/* want_uplink6() - some running network goes out by @ifname by IPv6. */
bool want_uplink6(const struct work *w, const char *ifname);

/* ---- advertise.c ---- */
/* advertise_farewell() - guests of networks that are about to lose their IPv6 are told so. */
void advertise_farewell(struct work *w);
/* advertise_follow() - a way out has come or gone: guests are told whether we are their router. */
void advertise_follow(struct work *w);

/* ---- steps.c ---- */
/* steps_plan() - fill @w->plan; a name of ours that is somebody else's leaves that network out. */
int steps_plan(struct work *w) __must_check;
void steps_say(struct work *w);
/*
 * steps_do() - those that come before the rules are changed, or the others; @follow_only: only what
 * follows the uplinks.
 */
int steps_do(struct work *w, bool before_rules, bool follow_only) __must_check;

/* ---- sysctls.c ---- */
/* sysctls_save() - remember that @path was @value, before it is changed; an older record stays. */
int sysctls_save(struct work *w, const char *path, const char *value, struct err *e) __must_check;
/* sysctls_saved() - what @path was before we changed it; NULL when we did not. */
const char *sysctls_saved(const struct manager *m, const char *path);
/* sysctls_restorable() - no network needs @v changed any more, and it may be put back. */
bool sysctls_restorable(const struct work *w, const struct saved_sysctl *v);
/* sysctls_will_change() - putting another back ("all") makes @path 0. */
bool sysctls_will_change(const struct work *w, const char *path);
/* sysctls_closes() - @v ends that the host, or an interface of it, forwards IPv6. */
bool sysctls_closes(const struct sysctl_state *v);
/* sysctls_follow() - interfaces were renamed, or vanished. */
void sysctls_follow(struct work *w);
/* sysctls_forget() - drop the records of what is put back. */
void sysctls_forget(struct work *w);

/* ---- table.c ---- */
/* table_diff() - fill @w->fw and the transaction that leads there; nothing is written. */
int table_diff(struct work *w, struct err *e) __must_check;
void table_say(struct work *w);
/*
 * table_restore() - where the table is gone as a whole, put there what was in it last: before anything
 * else is looked at, which takes its time with many networks. True when that was so.
 */
bool table_restore(struct manager *m);
/*
 * table_remember() - called each second: where the table is as we left it and has not changed for that
 * long, keep it as table_restore() needs it (nft_remember()). Without that it works too, slower.
 */
void table_remember(struct manager *m);
/* table_do() - commit it. */
int table_do(struct work *w) __must_check;

#endif
