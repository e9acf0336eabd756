/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * claim.h - things that only one network or guest may have: who wants each, and who wants what
 * another has already. Inside src/model only.
 */
#ifndef VMLANE_MODEL_CLAIM_H
#define VMLANE_MODEL_CLAIM_H

#include "model/network.h"

enum claim_kind {
	CLAIM_NETWORK, /* a network's name */
	CLAIM_IFNAME,  /* a bridge or a guest's tap */
	CLAIM_MAC,
	CLAIM_IPV4, /* within one network, see @scope */
	CLAIM_KIND_COUNT,
};

#define CLAIM_KEY_MAX (NAME_MAX_LEN + 1)

/**
 * struct claim - one thing wanted by one network or guest
 * @key:	the thing
 * @scope:	claims of different scopes do not meet
 * @rank:	of two claims the higher rank is at fault, with equal ranks the later one
 * @order:	set by claims_add()
 * @network:	the network that wants it, or that the guest is of; not owned
 * @guest:	the guest that wants it, or NULL; not owned
 * @file:	not owned
 */
struct claim {
	enum claim_kind kind;
	char key[CLAIM_KEY_MAX];
	size_t scope;
	unsigned int rank;
	size_t order;
	const char *network;
	const char *guest;
	const char *file;
	struct location at;
};

/* struct claims - @items is owned; @error sticks at -ENOMEM. {0} is empty. */
struct claims {
	struct claim *items;
	size_t n;
	size_t cap;
	int error;
};

void claims_done(struct claims *c);
void claims_add(struct claims *c, const struct claim *item);
/* struct guest_places - where a guest's values were written, beside its struct guest_config. */
struct guest_places {
	struct location vlan;
	struct location mac;
	struct location ipv4;
	struct location macs;
	struct location forward;
};

/* claims_add_guest() - the tap's name, and @g's MACs and address, written at @at. */
void claims_add_guest(struct claims *c, const struct claim *base, const struct guest_config *g,
		      const struct guest_places *at);

/*
 * claims_check() - report each claim on what another has, once, naming both places; sorts @c.
 * Returns their number, or -ENOMEM.
 */
int claims_check(struct claims *c, struct err_list *errs) __must_check;

#endif
