/* SPDX-License-Identifier: GPL-2.0-or-later */
/* claim.c - see claim.h. Used by config_finish.c within a file, by config_validate.c across files. */
#include "model/claim.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

void claims_done(struct claims *c)
{
	free(c->items);
	*c = (struct claims){0};
}

void claims_add(struct claims *c, const struct claim *item)
{
	if (c->error)
		return;
	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 16;
		struct claim *items = reallocarray(c->items, cap, sizeof(*items));

		if (!items) {
			c->error = -ENOMEM;
			return;
		}
		c->items = items;
		c->cap = cap;
	}
	c->items[c->n] = *item;
	c->items[c->n].order = c->n;
	c->n++;
}

void claims_add_guest(struct claims *c, const struct claim *base, const struct guest_config *g,
		      const struct guest_places *at)
{
	struct claim item = *base;

	item.guest = g->name;
	item.at = g->at;
	item.kind = CLAIM_IFNAME;
	ifname_derive(g->name, item.key);
	claims_add(c, &item);
	if (g->has_mac) {
		item.at = at->mac;
		item.kind = CLAIM_MAC;
		mac_format(&g->mac, item.key);
		claims_add(c, &item);
	}
	for (size_t i = 0; i < g->n_macs; i++) {
		item.at = at->macs;
		item.kind = CLAIM_MAC;
		mac_format(&g->macs[i], item.key);
		claims_add(c, &item);
	}
	if (g->has_ipv4) {
		item.at = at->ipv4;
		item.kind = CLAIM_IPV4;
		ip4_format(g->ipv4, item.key);
		claims_add(c, &item);
	}
}

#define COMPARE(x, y) ((x) < (y) ? -1 : (x) > (y))

/* -1, 0, 1 as @a's thing comes before, is, or comes after @b's. */
static int thing_cmp(const struct claim *a, const struct claim *b)
{
	int order = COMPARE(a->kind, b->kind);

	if (order == 0)
		order = strcmp(a->key, b->key);
	/* Names and MACs are the host's; an address means something within its network only. */
	if (order == 0 && a->kind == CLAIM_IPV4)
		order = COMPARE(a->scope, b->scope);
	return order;
}

static int claim_cmp(const void *x, const void *y)
{
	const struct claim *a = x, *b = y;
	int order = thing_cmp(a, b);

	if (order == 0)
		order = COMPARE(a->rank, b->rank);
	return order ? order : COMPARE(a->order, b->order);
}

#define WHO_MAX (2 * NAME_MAX_LEN + sizeof("guest \"\" of network \"\""))

static const char *who(const struct claim *c, char buf[static WHO_MAX])
{
	if (c->guest)
		snprintf(buf, WHO_MAX, "guest \"%s\" of network \"%s\"", c->guest, c->network);
	else
		snprintf(buf, WHO_MAX, "network \"%s\"", c->network);
	return buf;
}

/* Two that want one interface: the same guest name, a bridge and a tap, or two bridges. */
static void ifname_message(const struct claim *c, const struct claim *first, const char *place,
			   char *ret, size_t size)
{
	char a[WHO_MAX], b[WHO_MAX];

	if (c->guest && first->guest && strcmp(c->guest, first->guest) == 0)
		snprintf(ret, size,
			 "guest \"%s\" is already in network \"%s\" (%s); choose another name",
			 c->guest, first->network, place);
	else if (!c->guest && !first->guest)
		snprintf(ret, size,
			 "bridge %s is already that of %s (%s); choose another with `bridge:`",
			 c->key, who(first, b), place);
	else
		snprintf(ret, size,
			 "%s and %s (%s) would both have the interface %.15s; rename one of them",
			 who(c, a), who(first, b), place, c->key);
}

static void message(const struct claim *c, const struct claim *first, char *ret, size_t size)
{
	char place[LOCATION_STRLEN], other[WHO_MAX];

	location_format(first->file, first->at, place, sizeof(place));
	switch (c->kind) {
	case CLAIM_NETWORK:
		snprintf(ret, size, "network \"%s\" is already defined (%s); choose another name",
			 c->key, place);
		break;
	case CLAIM_IFNAME:
		ifname_message(c, first, place, ret, size);
		break;
	case CLAIM_MAC:
		snprintf(ret, size, "MAC %s is already that of %s (%s); each guest needs its own",
			 c->key, who(first, other), place);
		break;
	case CLAIM_IPV4:
		snprintf(
			ret, size,
			"address %s is already that of guest \"%s\" (%s); each guest needs its own",
			c->key, first->guest, place);
		break;
	case CLAIM_KIND_COUNT:
		break;
	}
}

/* Networks of one name derive one bridge: that is one mistake, told about the name. */
static bool told_by_name(const struct claim *c, const struct claim *first)
{
	return c->kind == CLAIM_IFNAME && !c->guest && !first->guest &&
	       strcmp(c->network, first->network) == 0;
}

int claims_check(struct claims *c, struct err_list *errs)
{
	char where[LOCATION_STRLEN], text[sizeof(((struct err *)NULL)->message)];
	const struct claim *first = NULL;
	int mistakes = 0;

	if (c->error)
		return c->error;
	if (c->n)
		qsort(c->items, c->n, sizeof(*c->items), claim_cmp);
	for (size_t i = 0; i < c->n; i++) {
		const struct claim *item = &c->items[i];

		if (!first || thing_cmp(first, item) != 0) {
			first = item;
			continue;
		}
		if (told_by_name(item, first))
			continue;
		message(item, first, text, sizeof(text));
		err_add(errs, -EINVAL, "duplicate",
			location_format(item->file, item->at, where, sizeof(where)), "%s", text);
		mistakes++;
	}
	return mistakes;
}
