/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * footprint.h - what a probe makes the kernel learn, and having it forget that again: neighbours, and
 * entries of the bridges' MAC tables. What was there before stays, and so does what is about others.
 */
#ifndef VMLANE_INSPECT_FOOTPRINT_H
#define VMLANE_INSPECT_FOOTPRINT_H

#include "kernel/rtnl.h"
#include "path/journey.h"

#define FOOTPRINT_ADDRS_MAX 64 /* more are not wiped */
#define FOOTPRINT_MACS_MAX 8

/**
 * struct footprint - what was there before, and whom the probe had to do with
 * @neighs, @neighs6, @fdb: as they were; owned
 * @addrs:	addresses, of @families, IPv4 in the first four bytes
 * @macs:	that its frames were sent from
 */
struct footprint {
	struct neigh_entry *neighs;
	struct neigh6_entry *neighs6;
	struct fdb_entry *fdb;
	size_t n_neighs;
	size_t n_neighs6;
	size_t n_fdb;
	uint8_t families[FOOTPRINT_ADDRS_MAX];
	uint8_t addrs[FOOTPRINT_ADDRS_MAX][16];
	size_t n_addrs;
	struct mac macs[FOOTPRINT_MACS_MAX];
	size_t n_macs;
};

/* footprint_take() - what is there now; footprint_done() in any case. */
int footprint_take(struct footprint *f, struct err *e) __must_check;
void footprint_done(struct footprint *f);

/* footprint_addr(), footprint_mac() - something is sent to or from it. */
void footprint_addr(struct footprint *f, uint8_t family, const uint8_t addr[16]);
void footprint_mac(struct footprint *f, const struct mac *mac);

/* footprint_journey() - and to whom the routes of @j led. */
void footprint_journey(struct footprint *f, const struct journey *j);

/* footprint_wipe() - removes what has come since; what the kernel refuses stays until it ages. */
void footprint_wipe(struct footprint *f);

#endif
