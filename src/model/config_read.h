/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_read.h - how the reader of a network's file is put together. Inside src/model only.
 *
 * config_parse.c has the keys and what each may hold; config_read.c walks a block of keys;
 * config_finish.c looks at what needs more than one value.
 */
#ifndef VMLANE_MODEL_CONFIG_READ_H
#define VMLANE_MODEL_CONFIG_READ_H

#include "base/buf.h"
#include "model/claim.h"
#include "model/network.h"
#include "model/node.h"

/**
 * struct reader - a network while its file is read
 * @doc:	the file; takes the mistakes
 * @n:		what was read so far
 * @subnet, @gateway, @range, @uplink, @mtu: the values, once they are valid by themselves, else
 *		NULL; @subnet6, @gateway6: those of the block `ipv6`
 * @guest:	the guest whose block is being read; @places its places
 * @places_of:	of each guest; owned
 * @error:	0 or -ENOMEM
 */
struct reader {
	struct document *doc;
	struct network_config *n;
	const struct node *subnet;
	const struct node *gateway;
	const struct node *range;
	const struct node *uplink;
	const struct node *mtu;
	const struct node *subnet6;
	const struct node *gateway6;
	struct guest_config *guest;
	struct guest_places *places;
	struct guest_places *places_of;
	int error;
};

/**
 * struct key - one key of a block
 * @kind:	what its value must be
 * @expected:	the same in words, for mistakes: "expected ..."
 * @set:	takes a value of @kind that is not null
 * @or_text:	a text is as good as one of @kind
 */
struct key {
	const char *name;
	enum node_kind kind;
	bool required;
	const char *expected;
	void (*set)(struct reader *r, const struct key *key, const struct node *value);
	bool or_text;
};

#define KEYS_MAX 20

#define CONFIG_GUARD_EXPECTED "`on`, `off`, or a block such as { arp: off }"
#define CONFIG_LIMITS_EXPECTED "a block such as { connections: 1000, new: 100/s }"
#define CONFIG_IPV4_EXPECTED "a block with `subnet`, such as ipv4: { subnet: 192.168.122.0/24 }"

/* config_not_expected() - the mistake that @key's value @v is not what it should be. */
void config_not_expected(struct reader *r, const struct key *key, const struct node *v);
/* config_wrong_kind() - the mistake that @v is a list, a block, a text or nothing instead. */
void config_wrong_kind(struct reader *r, const struct key *key, const struct node *v);

/*
 * config_read_block() - every key of @map to its setter. @block: " in `nat`" for mistakes, "" for
 * the whole file; @at: where a missing key is missing.
 */
void config_read_block(struct reader *r, const struct key *keys, size_t n, const struct node *map,
		       const char *block, struct location at);

#define READ_BLOCK(r, keys, map, block, at)                                                        \
	config_read_block(r, keys, ARRAY_SIZE(keys), map, block, at)

/*
 * config_read_list() - the texts of list @v, each handed to @item; at most @max. @key tells what
 * an item is.
 */
void config_read_list(struct reader *r, const struct key *key, const struct node *v, size_t max,
		      void (*item)(struct reader *r, const struct key *key, const struct node *v));

/* config_forward_set() - the setter of a guest's `forward` (config_forward.c). */
void config_forward_set(struct reader *r, const struct key *key, const struct node *v);
/* config_forward_finish() - forwards where they cannot be, and those that want the same ports. */
void config_forward_finish(struct reader *r);

/* config_guard_set() - the setter of `guard`, a guest's or the network's (config_guard.c). */
void config_guard_set(struct reader *r, const struct key *key, const struct node *v);
/* config_addresses_set() - the setter of a guest's `addresses`. */
void config_addresses_set(struct reader *r, const struct key *key, const struct node *v);

/* config_policy_set() - the setter of `policy` (config_policy.c). */
void config_policy_set(struct reader *r, const struct key *key, const struct node *v);
/* config_limits_set() - the setter of `limits`, a guest's or the network's. */
void config_limits_set(struct reader *r, const struct key *key, const struct node *v);
/* config_policy_finish() - the guests and sets that rules speak of are there. */
void config_policy_finish(struct reader *r);

/* ---- config_ipv6.c: the block `ipv6` ---- */

#define CONFIG_IPV6_EXPECTED "a block with `subnet`, such as ipv6: { subnet: auto }"

/* config_set_ipv6() - the setter of key `ipv6`. */
void config_set_ipv6(struct reader *r, const struct key *key, const struct node *v);
/* config_finish_ipv6() - is the gateway inside the subnet?, and the defaults. */
void config_finish_ipv6(struct reader *r);
/* config_needs_subnet() - the mistake that @key cannot stand beside `subnet: auto`. */
void config_needs_subnet(struct reader *r, const char *key, struct location at);
/* config_emit_ipv6() - the block as it is written; nothing where there is none. */
void config_emit_ipv6(const struct network_ipv6 *v, struct buf *out);
bool config_ipv6_equal(const struct network_ipv6 *a, const struct network_ipv6 *b);

/* config_finish() - what needs more than one value, and the defaults that follow from others. */
void config_finish(struct reader *r);

#endif
