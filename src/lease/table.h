/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.h - the leases of one network in memory, by MAC and by address, and who was seen using
 * which address.
 *
 * A lease belongs to a MAC on its network: clones of one disk share their client identifier but
 * never their MAC, so that they do not fight over one address. No I/O; store.h keeps them on disk.
 */
#ifndef VMLANE_LEASE_TABLE_H
#define VMLANE_LEASE_TABLE_H

#include "base/addr.h"
#include "model/network.h"
#include "wire/dhcp4.h"

enum lease_state {
	LEASE_OFFERED,	/* held for a client that was made an offer; never on disk */
	LEASE_BOUND,	/* acknowledged */
	LEASE_RELEASED, /* given back or expired; kept so that the client gets it again */
	LEASE_DECLINED, /* a client found it in use; not handed out until it expires */
	LEASE_STATE_COUNT,
};

const char *lease_state_name(enum lease_state s);

/**
 * struct lease - one address and who has it
 * @mac:	key; all zero for a declined address
 * @expires_s:	wall clock, seconds since 1970
 */
struct lease {
	struct in_addr addr;
	struct mac mac;
	enum lease_state state;
	int64_t expires_s;
	char hostname[DHCP4_HOSTNAME_MAX + 1];
	uint8_t client_id[DHCP4_CLIENT_ID_MAX];
	size_t client_id_len;
};

#define LEASES_MAX 65536 /* a network's */
#define SIGHTINGS_MAX 4096

struct lease_table;
int lease_table_new(struct lease_table **ret) __must_check;
void lease_table_free(struct lease_table *t);
DEFINE_CLEANUP(struct lease_table *, lease_table_free)

const struct lease *lease_find_mac(const struct lease_table *t, const struct mac *mac);
const struct lease *lease_find_addr(const struct lease_table *t, struct in_addr addr);
/* lease_put() - insert, or replace what has the same MAC or the same address. -ENOSPC, -ENOMEM. */
int lease_put(struct lease_table *t, const struct lease *l) __must_check;
/* lease_remove() - by address; fine when there is none. */
void lease_remove(struct lease_table *t, struct in_addr addr);
size_t lease_count(const struct lease_table *t);
typedef void (*lease_fn)(const struct lease *l, void *ctx);
/* lease_each() - in order of address. */
void lease_each(const struct lease_table *t, lease_fn fn, void *ctx);

/*
 * lease_seen() - @mac was seen (ARP, neighbour table) using @addr at @now_s. Bounded: the oldest
 * of SIGHTINGS_MAX goes.
 */
void lease_seen(struct lease_table *t, struct in_addr addr, const struct mac *mac, int64_t now_s);
/* lease_seen_by_other() - somebody but @mac used @addr within the last 10 minutes. */
bool lease_seen_by_other(const struct lease_table *t, struct in_addr addr, const struct mac *mac,
			 int64_t now_s);
/* lease_seen_addr() - the address @mac was last seen using; false when none. */
bool lease_seen_addr(const struct lease_table *t, const struct mac *mac, struct in_addr *ret);

#endif
