/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard_ports.h - shared by guard.c (all ports), guard_one.c (one guest, one lease) and guard_ports.c. */
#ifndef VMLANE_DAEMON_GUARD_PORTS_H
#define VMLANE_DAEMON_GUARD_PORTS_H

#include "daemon/guard.h"

/* struct guard_leases - @table: the DHCP server's, or one read from the store (@own, owned) */
struct guard_leases {
	const struct lease_table *table;
	struct lease_table *own;
};

/* guard_leases() - those of @c; -errno with @e. guard_leases_done() always. */
int guard_leases(struct manager *m, const struct network_config *c, struct guard_leases *ret,
		 struct err *e) __must_check;
void guard_leases_done(struct guard_leases *l);

/* guard_facts() - of @g's port on @c; @leases: of @c, or NULL. Without a guard that is on, @guards is 0. */
int guard_facts(struct manager *m, const struct network_config *c, const struct state_guest *g,
		const struct lease_table *leases, struct port_facts *ret) __must_check;

/*
 * struct guard_port - a port that is guarded, as far as we know; found by its tap's name. @told: what it had
 * dropped when that was last told (guard_tell.h)
 */
struct guard_port {
	char tap[IFNAMSIZ];
	int ifindex;
	uint64_t told[GUARD_COUNT];
	UT_hash_handle hh;
};

struct guard_port *guard_port_find(struct manager *m, const char *tap);
/* guard_port_note() - @tap is guarded, or not (@ifindex 0). */
int guard_port_note(struct manager *m, const char *tap, int ifindex) __must_check;

/* guard_open() - m->guard, opened when it is first needed. */
int guard_open(struct manager *m, struct err *e) __must_check;
/* guard_put() - @f holds at @tap, which is @ifindex; with no guard on it is not guarded. */
int guard_put(struct manager *m, const char *tap, int ifindex, const struct port_facts *f,
	      struct err *e) __must_check;

#endif
