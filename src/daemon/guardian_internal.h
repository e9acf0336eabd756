/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guardian_internal.h - shared by guardian.c (noticing), guardian_sysctl.c and
 * guardian_switch.c (likewise, of sysctls, and of ports' MACs and VLANs) and guardian_mend.c (mending, telling).
 */
#ifndef VMLANE_DAEMON_GUARDIAN_INTERNAL_H
#define VMLANE_DAEMON_GUARDIAN_INTERNAL_H

#include "base/clock.h"
#include "daemon/guardian.h"
#include "daemon/pace.h"
#include "daemon/work.h"
#include "firewall/watch.h"
#include "kernel/sysctl_watch.h"

#define MARKED_MAX 256		/* with more everything is looked at */
#define GUARDIAN_SETTLE_US 2000 /* what comes together is looked at together */

/* struct marked - an interface that was told of: as a link or port, its sysctls, or its traffic control. */
struct marked {
	char name[IFNAMSIZ];
	bool link;
	bool conf;
	bool tc;
};

/*
 * struct kept_sysctl - a value that shall stay; @ifname is "" for those of no interface; @wrong: it was
 * found to be another one.
 */
struct kept_sysctl {
	char ifname[IFNAMSIZ];
	struct sysctl_state want;
	bool wrong;
};

/* struct culprit - who changed rules last, as far as the kernel says: "" and 0. */
struct culprit {
	char process[FW_PROCESS_MAX];
	uint32_t pid;
};

/**
 * struct guardian - what is watched, and what was done about it
 * @on:		it mends; before it only listens
 * @look:	something was changed: everything is to be looked at
 * @places:	others are changing tables that accepts of ours may be in: these are looked at at
 *		@places_us, which moves on with each change up to @places_last_us
 * @armed:	@timer will look at it, at @due_us on the clock since boot
 * @noticed_us:	when the first of what is to be looked at was heard of, on the clock since boot; 0:
 *		there is nothing
 * @marked:	what is to be compared first
 * @kept:	sorted by interface, owned; @next_kept: the next that is read without having been told
 * @all_conf:	any of them may have been changed
 * @sysctls:	hears of writes to them; @unwatched: directories that it has no place for were told of
 * @pins:	hears of pinned MACs
 * @by:		of the last change of rules that is not mended yet
 * @overtaken:	that change was put right by other work of ours, before it was told of
 * @told:	the ruleset after the last mending
 * @pace:	of mending; @looks: of looking at everything, whether something is changed or not
 * @retry_at_us: a mending that failed is tried again then, on the clock since boot; 0: none has. @retry_us:
 *		how long it waits, longer each time; @retry_places: it was one of @places
 * @fighting:	that somebody does not stop was told; @silent: mendings that were not logged since
 * @mended:	how often something was put right
 * @last:	of the last time, as in the status; owned, NULL before the first
 * @complaint:	why the last mending failed, to be told once
 */
struct guardian {
	struct manager *m;
	struct fw_watch *watch;
	sd_event_source *watch_source;
	sd_event_source *timer;
	sd_event_source *tick;
	bool on;
	bool look;
	bool places;
	uint64_t places_us;
	uint64_t places_last_us;
	bool armed;
	uint64_t due_us;
	uint64_t noticed_us;
	struct marked marked[MARKED_MAX];
	size_t n_marked;
	struct kept_sysctl *kept;
	size_t n_kept;
	size_t next_kept;
	bool all_conf;
	struct sysctl_watch *sysctls;
	sd_event_source *sysctls_source;
	bool unwatched;
	struct rtnl_monitor *pins;
	sd_event_source *pins_source;
	struct culprit by;
	bool overtaken;
	uint32_t told;
	struct pace pace;
	struct pace looks;
	uint64_t retry_at_us;
	uint64_t retry_us;
	bool retry_places;
	bool fighting;
	uint64_t silent;
	uint64_t mended;
	json_t *last;
	struct err complaint;
};

/* guardian_look() - everything is to be looked at, soon. */
void guardian_look(struct guardian *g);
/* guardian_look_at_places() - those of accepts are to be looked at, when others have done with theirs. */
void guardian_look_at_places(struct guardian *g);
/* guardian_arm() - guardian_on_timer() in @in_us microseconds, unless it is about to come anyway. */
void guardian_arm(struct guardian *g, uint64_t in_us);
/* guardian_mark() - interface @name was told of: as a link or port, its sysctls. */
void guardian_mark(struct guardian *g, const char *name, bool link, bool conf);
/* guardian_marked_are_right() - none of what was told of is changed; the marks are gone then, else they stay. */
bool guardian_marked_are_right(struct guardian *g);

/* ---- guardian_sysctl.c ---- */

int guardian_sysctls_new(struct guardian *g) __must_check;
void guardian_sysctls_done(struct guardian *g);
/* guardian_mark_conf() - sysctls of interface @name ("": of none) were told of. */
void guardian_mark_conf(struct guardian *g, const char *name);
/* guardian_sysctls_are_right() - all of @ifname's, or just all when it is NULL; else they are marked wrong. */
bool guardian_sysctls_are_right(struct guardian *g, const char *ifname);
/* guardian_sysctls_tick() - look at some that nothing was told of. */
void guardian_sysctls_tick(struct guardian *g);
/* guardian_say() - into @changes what @s, which was done, is in the words of a plan. */
void guardian_say(json_t *changes, const struct plan_step *s, const char *object);
/*
 * guardian_sysctls_restore() - write those back that were found wrong, as far as nothing else is to be
 * thought of; into @changes what was done.
 */
void guardian_sysctls_restore(struct guardian *g, json_t *changes);

/* ---- guardian_switch.c ---- */

int guardian_switch_new(struct guardian *g) __must_check;
void guardian_switch_done(struct guardian *g);
/*
 * guardian_vlans_are_right() - @port (@guest's tap, or the NIC where that is NULL) of a bridge of
 * @n's, on the LAN, is in the VLANs that it should be in. @ports: all zero at first, for the caller to
 * actual_done(): the kernel is asked once.
 */
bool guardian_vlans_are_right(struct guardian *g, const struct network_rt *n,
			      const struct guest_rt *guest, const struct link_state *port,
			      struct actual *ports);

/*
 * guardian_ports_restore() - plug those guests of the marked that were taken out of their bridge into it
 * again, as if they came; into @changes what was done.
 */
void guardian_ports_restore(struct guardian *g, json_t *changes);

/* ---- guardian_mend.c ---- */

int guardian_on_timer(sd_event_source *s, uint64_t usec, void *ctx);
/* guardian_mend() - look at everything, put it right, and tell. */
void guardian_mend(struct guardian *g);
/* guardian_retry() - what failed is looked at again, when it is time to. */
void guardian_retry(struct guardian *g);
/* guardian_settle() - tell when a fight is over. */
void guardian_settle(struct guardian *g);

#endif
