/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_forward.c - the key `forward` of a guest: from the file, and whether it can be there; see
 * config_read.h. Which of several forwards want one port is forward_check.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "model/config_read.h"
#include "model/forward_check.h"

/* ---- from the file ---- */

static void add_forward(struct reader *r, const struct key *key, const struct node *v)
{
	struct guest_config *g = r->guest;
	char text[QUOTE_MAX];
	struct forward f;
	const char *why;

	if (forward_parse(v->text, &f, &why) < 0) {
		if (why)
			document_mistake(r->doc, v->at, "bad-value",
					 "`forward`: %s is wrong: %s; expected %s",
					 text_quote(v->text, text), why, key->expected);
		else
			config_not_expected(r, key, v);
		return;
	}
	f.line = v->at.line;
	f.col = v->at.col;
	g->forwards[g->n_forwards++] = f;
}

void config_forward_set(struct reader *r, const struct key *key, const struct node *v)
{
	static const struct key item = {"forward", NODE_TEXT, false, FORWARD_EXPECTED, NULL};
	size_t n = 0;

	(void)key;
	r->places->forward = v->at;
	for (const struct node *i = v->first; i && n < GUEST_FORWARDS_MAX; i = i->next)
		n++;
	r->guest->forwards = calloc(n + 1, sizeof(*r->guest->forwards));
	if (r->guest->forwards)
		config_read_list(r, &item, v, GUEST_FORWARDS_MAX, add_forward);
	else
		r->error = -ENOMEM;
}

/* ---- with the other values ---- */

/* Why nothing can be forwarded to guests of @n, or NULL. */
static const char *no_way_in(const struct network_config *n)
{
	if (n->mode == NETWORK_BRIDGED)
		return "in mode bridged: the guest is on the LAN with an address of its own";
	if (n->mode == NETWORK_ISOLATED)
		return "in mode isolated, where nothing of the outside gets in";
	if (n->mode == NETWORK_ROUTED && n->inbound == INBOUND_NONE)
		return "with `inbound: none`, where nothing of the outside gets in";
	return NULL;
}

/* An address of the guests' subnet is no address of the host, but for the gateway. */
static void check_addr(struct reader *r, const struct forward *f)
{
	const struct location at = {f->line, f->col};
	char addr[IP4_STRLEN], gateway[IP4_STRLEN];

	if (forward_any(f) || !ip4_in(&r->n->subnet, f->addr) || ip4_equal(f->addr, r->n->gateway))
		return;
	document_mistake(r->doc, at, "bad-value",
			 "`forward`: %s is an address for guests; expected one of the host, such "
			 "as the gateway's, %s, or none for all of the host's",
			 ip4_format(f->addr, addr), ip4_format(r->n->gateway, gateway));
}

static void check_guest(struct reader *r, const struct guest_config *g,
			const struct guest_places *places)
{
	const char *why = no_way_in(r->n);

	if (why) {
		document_mistake(r->doc, places->forward, "bad-value",
				 "`forward` has no meaning %s; leave it out", why);
		return;
	}
	if (!g->has_ipv4)
		document_mistake(r->doc, places->forward, "forward-without-address",
				 "`forward` needs to know where: give guest \"%s\" a fixed "
				 "address%s with `ipv4`, which DHCP then gives it too",
				 g->name,
				 r->n->subnet_auto ? ", in a subnet that is written down," : "");
	for (size_t i = 0; i < g->n_forwards && network_has_ipv4(r->n); i++)
		check_addr(r, &g->forwards[i]);
}

void config_forward_finish(struct reader *r)
{
	struct config_file file = {.path = (char *)r->doc->file, .network = r->n};
	const struct location top = {1, 1};
	size_t n = network_forwards(r->n);
	int found;

	for (size_t i = 0; i < r->n->n_guests; i++)
		if (r->n->guests[i].n_forwards)
			check_guest(r, &r->n->guests[i], &r->places_of[i]);
	if (n > NETWORK_FORWARDS_MAX)
		document_mistake(r->doc, top, "too-big", "%zu forwards; at most %d in one network",
				 n, NETWORK_FORWARDS_MAX);
	found = forward_check_files(&(struct config_set){&file, 1}, r->doc->errs);
	if (found < 0)
		r->error = found;
	else
		r->doc->mistakes += (size_t)found;
}
