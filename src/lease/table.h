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
 * @expires_s:	wall clock, seconds since 1970; LEASE_RELEASED: when it was given back
 * @hostname:	the client's own word for itself
 * @client_id:	as last sent, for show: it is no key; @client_id_len bytes
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

/* lease_find_mac(), lease_find_addr() - NULL: none. Good until the next put or remove. */
const struct lease *lease_find_mac(const struct lease_table *t, const struct mac *mac);
const struct lease *lease_find_addr(const struct lease_table *t, struct in_addr addr);
/* lease_live() - is it in force at @now_s: neither given back nor expired? Declined ones count. */
bool lease_live(const struct lease *l, int64_t now_s);
/*
 * lease_put() - insert, or replace what has the same MAC and what has the same address. -ENOSPC,
 * -ENOMEM, -EINVAL (no address, no such state); the table is as it was then.
 */
int lease_put(struct lease_table *t, const struct lease *l) __must_check;
/* lease_remove() - by address; fine when there is none. */
void lease_remove(struct lease_table *t, struct in_addr addr);
size_t lease_count(const struct lease_table *t);
typedef void (*lease_fn)(const struct lease *l, void *ctx);
/* lease_each() - in order of address. @fn must not change the table. */
void lease_each(const struct lease_table *t, lease_fn fn, void *ctx);

/*
 * lease_block() - which of the 64 addresses around @addr (those that differ from it in the last 6
 * bits only) have a lease in any state: bit i is for last bits i. To find gaps without asking for
 * each address.
 */
uint64_t lease_block(const struct lease_table *t, struct in_addr addr);
typedef bool (*lease_usable_fn)(const struct lease *l, const void *ctx);
/*
 * lease_find_lapsed() - of the leases that are not live at @now_s and that @usable agrees to, the
 * one given back the longest ago, or else expired the longest ago; NULL: none.
 */
const struct lease *lease_find_lapsed(const struct lease_table *t, int64_t now_s,
				      lease_usable_fn usable, const void *ctx);

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
