/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - runtime truth in SQLite (STATE-DIR/state.db): which configuration was applied, which
 * networks are stopped, the guests' ports, and the sysctls to put back. Leases are in the same
 * file, kept by lease/store.h.
 *
 * Every function that writes is durable when it returns 0 (WAL, synchronous=FULL), but for those of
 * sysctls and meta: these outlive the daemon, and a loss of power takes from them no more than from
 * the kernel that they describe. Intentions are written before the kernel is changed, so that a
 * daemon killed in between finishes the work.
 */
#ifndef VMLANE_DAEMON_STATE_H
#define VMLANE_DAEMON_STATE_H

#include <sqlite3.h>
#include "base/err.h"
#include "model/plan.h"

#define STATE_VERSION 1

struct state;

/*
 * state_open() - open or create @dir/state.db. Takes an exclusive lock on @dir/lock: -EBUSY when
 * another daemon has it. A file of a newer version is refused.
 */
int state_open(const char *dir, struct state **ret, struct err *e) __must_check;
void state_close(struct state *s);
sqlite3 *state_db(struct state *s);

/**
 * struct state_network - a network as it was last applied
 * @config:	its canonical YAML (network_config_emit())
 * @file:	where that came from
 * @stopped:	the operator stopped it
 */
struct state_network {
	const char *name;
	const char *config;
	const char *file;
	bool stopped;
};

enum guest_kind {
	GUEST_ATTACHED, /* persistent tap */
	GUEST_RUN,	/* the tap lives as long as its VMM */
	GUEST_KIND_COUNT,
};

/**
 * struct state_guest - a guest that is plugged in
 * @owner_uid:	who may open the persistent tap, TAP_NO_OWNER when only root
 * @creator_uid: who plugged it in, and so may unplug it
 * @pid:	GUEST_RUN: the VMM's process
 */
struct state_guest {
	char name[NAME_MAX_LEN + 1];
	char network[NAME_MAX_LEN + 1];
	char tap[IFNAMSIZ];
	struct mac mac;
	enum guest_kind kind;
	unsigned int queues;
	uint32_t owner_uid;
	uint32_t creator_uid;
	int pid;
};

/*
 * state_begin(), state_end() - what is written in between, leases too, is written as a whole when
 * @r is 0, or else not at all. state_end() returns @r, or why it could not be written. Not for
 * sysctls and meta.
 */
int state_begin(struct state *s, struct err *e) __must_check;
int state_end(struct state *s, int r, struct err *e) __must_check;

int state_network_put(struct state *s, const struct state_network *n, struct err *e) __must_check;
int state_network_remove(struct state *s, const char *name, struct err *e) __must_check;
int state_guest_put(struct state *s, const struct state_guest *g, struct err *e) __must_check;
int state_guest_remove(struct state *s, const char *name, struct err *e) __must_check;
/*
 * state_subnet_put() - the subnet that was chosen for a network with `subnet: auto`; it goes with
 * the network. state_subnet_get(): malloc'ed, or NULL in *ret when there is none.
 */
int state_subnet_put(struct state *s, const char *network, const char *subnet,
		     struct err *e) __must_check;
int state_subnet_get(struct state *s, const char *network, char **ret, struct err *e) __must_check;
/* state_subnet6_put(), state_subnet6_get() - the same for `ipv6: { subnet: auto }`. */
int state_subnet6_put(struct state *s, const char *network, const char *subnet,
		      struct err *e) __must_check;
int state_subnet6_get(struct state *s, const char *network, char **ret, struct err *e) __must_check;
/* state_sysctl_put() - remember the value to put back; an older record is kept. */
int state_sysctl_put(struct state *s, const struct sysctl_state *v, struct err *e) __must_check;
int state_sysctl_remove(struct state *s, const char *path, struct err *e) __must_check;
int state_meta_put(struct state *s, const char *key, const char *value, struct err *e) __must_check;
/* state_meta_get() - malloc'ed value, or NULL in *ret when there is none. */
int state_meta_get(struct state *s, const char *key, char **ret, struct err *e) __must_check;

/* Readers call @fn for each row; a negative result of it ends the walk and is returned. */
typedef int (*state_network_fn)(const struct state_network *n, void *ctx);
typedef int (*state_guest_fn)(const struct state_guest *g, void *ctx);
typedef int (*state_sysctl_fn)(const struct sysctl_state *v, void *ctx);
int state_networks(struct state *s, state_network_fn fn, void *ctx, struct err *e) __must_check;
int state_guests(struct state *s, state_guest_fn fn, void *ctx, struct err *e) __must_check;
int state_sysctls(struct state *s, state_sysctl_fn fn, void *ctx, struct err *e) __must_check;

#endif
