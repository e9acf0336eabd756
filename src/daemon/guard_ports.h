/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard_ports.h - shared by guard.c (the whole table) and guard_one.c (one guest, one lease). */
#ifndef VMLANE_DAEMON_GUARD_PORTS_H
#define VMLANE_DAEMON_GUARD_PORTS_H

#include "daemon/manager.h"

/* struct guard_ports - ports, and the MACs and addresses that they point to; owned. */
struct guard_ports {
	struct fw_guard_port *v;
	size_t n;
	struct mac *macs;
	size_t n_macs;
	struct fw_guard_pair *pairs;
	size_t n_pairs;
};

/* guard_ports_init() - room for @guests with @macs in all; -ENOMEM. guard_ports_done() always. */
int guard_ports_init(struct guard_ports *p, size_t guests, size_t macs) __must_check;
void guard_ports_done(struct guard_ports *p);
/* guard_ports_add() - that of @g on @c; @leases: of @c, NULL for none. @g and @c have to live on. */
void guard_ports_add(struct manager *m, const struct network_config *c, const struct state_guest *g,
		     const struct lease_table *leases, struct guard_ports *p);

/* struct guard_leases - @table: the DHCP server's, or one read from the store (@own, owned) */
struct guard_leases {
	const struct lease_table *table;
	struct lease_table *own;
};

/* guard_leases() - those of @c; -errno with @e. guard_leases_done() always. */
int guard_leases(struct manager *m, const struct network_config *c, struct guard_leases *ret,
		 struct err *e) __must_check;
void guard_leases_done(struct guard_leases *l);

/* guard_known() - m->guard is what the kernel has. */
bool guard_known(struct manager *m);
/* guard_commit() - @text, of ours alone. */
int guard_commit(struct manager *m, const char *text, struct err *e) __must_check;

#endif
