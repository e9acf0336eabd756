/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_guard.c - the keys `guard` (of a network and of a guest) and `addresses`; see config_read.h
 * and guard.h. vmlane.yaml(5) follows this.
 */
#include "model/config_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "model/config_value.h"
#include "model/guard.h"

static int on_or_off(const char *text)
{
	if (strcmp(text, "on") == 0 || strcmp(text, "true") == 0)
		return 1;
	return strcmp(text, "off") == 0 || strcmp(text, "false") == 0 ? 0 : -1;
}

static enum guard guard_of(const char *name)
{
	enum guard g = 0;

	while (g < GUARD_COUNT && strcmp(guard_name(g), name) != 0)
		g++;
	return g;
}

/* The switches that are being read: the guest's while one is, else the network's. */
static struct guard_switches *switches(struct reader *r)
{
	return r->guest ? &r->guest->guard : &r->n->guard;
}

static void set_one(struct reader *r, const struct key *key, const struct node *v)
{
	struct guard_switches *s = switches(r);
	uint16_t bit = (uint16_t)(1u << guard_of(key->name));
	int on = on_or_off(v->text);

	if (on < 0) {
		config_not_expected(r, key, v);
		return;
	}
	s->given |= bit;
	s->on = (uint16_t)(on ? s->on | bit : s->on & ~bit);
}

#define SWITCH(name)                                                                               \
	{                                                                                          \
		(name), NODE_TEXT, false, "`on` or `off`", set_one, false                          \
	}

static const struct key guard_keys[] = {
	SWITCH("mac"),	     SWITCH("ip"),	  SWITCH("arp"),       SWITCH("nd"),
	SWITCH("dhcp"),	     SWITCH("ra"),	  SWITCH("ethertype"), SWITCH("bpdu"),
	SWITCH("broadcast"), SWITCH("multicast"), SWITCH("macs"),
};
_Static_assert(ARRAY_SIZE(guard_keys) == GUARD_COUNT, "a guard without a key");

void config_guard_set(struct reader *r, const struct key *key, const struct node *v)
{
	int on;

	if (v->kind == NODE_MAP) {
		if (!v->first)
			document_mistake(r->doc, v->at, "missing-key", "`%s` is empty; expected %s",
					 key->name, key->expected);
		READ_BLOCK(r, guard_keys, v, " in `guard`", v->at);
		return;
	}
	on = on_or_off(v->text);
	if (on < 0)
		config_not_expected(r, key, v);
	else
		*switches(r) = (struct guard_switches){GUARDS_ALL, on ? GUARDS_ALL : 0};
}

/* ---- addresses ---- */

/* A link-local one may be a virtual router's (VRRP, RFC 9568 5.2.9). */
static const char *unusable(const struct guest_prefix *p)
{
	if (p->ip4.len)
		return ip4_unusable(&p->ip4);
	return ip6_is_linklocal(&p->ip6.addr) && p->ip6.len >= 10 ? NULL : ip6_unusable(&p->ip6);
}

static void add_address(struct reader *r, const struct key *key, const struct node *v)
{
	char quoted[QUOTE_MAX], text[GUEST_PREFIX_STRLEN];
	struct guest_prefix p;
	const char *why;
	int e = guest_prefix_parse(v->text, &p);

	if (e == -ERANGE) {
		document_mistake(r->doc, v->at, "bad-value",
				 "`%s`: %s has bits set behind its prefix; expected %s", key->name,
				 text_quote(v->text, quoted), guest_prefix_format(&p, text));
		return;
	}
	if (e < 0) {
		config_not_expected(r, key, v);
		return;
	}
	why = unusable(&p);
	if (why)
		document_mistake(r->doc, v->at, "bad-value",
				 "`%s`: %s has %s, which are nobody's; expected %s", key->name,
				 text_quote(v->text, quoted), why, key->expected);
	else
		r->guest->addresses[r->guest->n_addresses++] = p;
}

void config_addresses_set(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {
		"addresses",
		NODE_TEXT,
		false,
		"an address or a prefix such as 192.168.122.40, 10.8.0.0/24 or fd00:8::/64",
		NULL,
		false};

	size_t n = 0;

	(void)key;
	for (const struct node *i = v->first; i && n < GUEST_ADDRESSES_MAX; i = i->next)
		n++;
	r->guest->addresses = calloc(n + 1, sizeof(*r->guest->addresses));
	if (!r->guest->addresses) {
		r->error = -ENOMEM;
		return;
	}
	config_read_list(r, &item, v, GUEST_ADDRESSES_MAX, add_address);
}
