/* SPDX-License-Identifier: GPL-2.0-or-later */
/* accepts.c - see accepts.h. Next on the walk: firewall/accepts.c has the rules. */
#include "daemon/accepts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "daemon/firewalld.h"
#include "daemon/guardian.h"
#include "kernel/iptables_legacy.h"

#define TRIES 3 /* somebody else may be at the same chain */

/* struct rules - @v is owned; @error sticks. */
struct rules {
	struct fw_accept *v;
	size_t n;
	size_t cap;
	int error;
};

/**
 * struct accepts - what was asked for last, and how it went
 * @ip4, @ip6:	the rules, in each family's places
 * @present:	of each of fw_places: the chain is there
 * @problem:	why the rules are not in it; code "" when they are
 */
struct accepts {
	struct rules ip4;
	struct rules ip6;
	bool present[FW_PLACE_COUNT];
	struct err problem[FW_PLACE_COUNT];
};

/* ---- what is needed ---- */

static void add(struct rules *r, const char *network, const char *in, const char *out,
		uint8_t which)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct fw_accept *v = reallocarray(r->v, cap, sizeof(*v));

		if (!v) {
			r->error = -ENOMEM;
			return;
		}
		r->v = v;
		r->cap = cap;
	}
	r->v[r->n] = (struct fw_accept){.which = which};
	strcpy(r->v[r->n].network, network);
	strcpy(r->v[r->n].in, in);
	strcpy(r->v[r->n++].out, out);
}

static bool has_forwards(const struct fw_network *f)
{
	for (size_t i = 0; i < f->n_guests; i++)
		if (f->guests[i].n_forwards)
			return true;
	return false;
}

/* Out by each way, answers back, and in what the network lets in. */
static void add_ways(struct rules *r, const struct fw_network *f, const char (*uplinks)[IFNAMSIZ],
		     size_t n, bool back)
{
	for (size_t i = 0; i < n; i++) {
		add(r, f->name, f->bridge, uplinks[i], 0);
		if (f->mode == NETWORK_ROUTED && f->inbound == INBOUND_ACCEPT)
			add(r, f->name, uplinks[i], f->bridge, 0);
	}
	if (n || back)
		add(r, f->name, "", f->bridge,
		    FW_ACCEPT_KNOWN | (has_forwards(f) ? FW_ACCEPT_DNAT : 0));
}

static void add_filtered(struct work *w, const struct fw_network *f, struct accepts *a)
{
	bool peers = false, peers6 = false;

	for (const struct fw_peer *p = w->fw_peers; p && p->from[0]; p++) {
		if (strcmp(p->from, f->bridge) != 0)
			continue;
		add(&a->ip4, f->name, f->bridge, p->to, 0);
		peers = true;
		if (!p->ipv6)
			continue;
		add(&a->ip6, f->name, f->bridge, p->to, 0);
		peers6 = true;
	}
	add_ways(&a->ip4, f, f->uplinks, f->n_uplinks, peers);
	if (f->ipv6)
		add_ways(&a->ip6, f, f->uplinks6, f->n_uplinks6, peers6);
}

/* With br_netfilter, which Docker loads, they are asked about what stays within a bridge, too. */
static void add_bridged(const struct network_config *c, struct accepts *a)
{
	add(&a->ip4, c->name, c->bridge, c->bridge, 0);
	add(&a->ip6, c->name, c->bridge, c->bridge, 0);
}

static int want(struct work *w, struct accepts *ret)
{
	*ret = (struct accepts){0};
	if (w->m->options->no_accepts)
		return 0;
	for (size_t i = 0; i < w->desired.n_networks; i++)
		add_bridged(w->desired.networks[i].config, ret);
	for (size_t i = 0; i < w->n_fw_nets; i++)
		add_filtered(w, &w->fw_nets[i], ret);
	return ret->ip4.error ? ret->ip4.error : ret->ip6.error;
}

static const struct rules *rules_for(const struct accepts *a, const struct fw_place *p)
{
	return p->family == AF_INET6 ? &a->ip6 : &a->ip4;
}

/* ---- placing ---- */

static int place_once(struct manager *m, struct accepts *a, size_t i, bool *ret_changed)
{
	const struct fw_place *p = &fw_places[i];
	const struct rules *r = rules_for(a, p);
	struct fw_place_diff d = {0};
	uint32_t before = 0;
	int e;

	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	e = nft_accepts_look(m->nft, p, r->v, r->n, &d);
	a->present[i] = e == 0 && d.present;
	*ret_changed = e == 0 && (d.n_add || d.n_del);
	if (*ret_changed) {
		e = nft_accepts_send(m->nft, p, r->v, r->n, &d);
		if (e == 0)
			manager_committed(m, before, 1);
	}
	fw_place_diff_done(&d);
	return e;
}

static bool place(struct manager *m, struct accepts *a, size_t i)
{
	const struct fw_place *p = &fw_places[i];
	const struct rules *r = rules_for(a, p);
	bool was = m->accepts && m->accepts->present[i], changed = false;
	int e = -EAGAIN;

	for (unsigned int k = 0; k < TRIES && e < 0; k++)
		e = place_once(m, a, i, &changed);
	a->problem[i] = (struct err){0};
	if (e < 0) {
		err_set(&a->problem[i], e, "accepts", p->name,
			"%s's firewall may drop what guests send and get: accepts could not be "
			"placed in its chain %s: %s",
			p->tool, p->name, strerror(-e));
		return false;
	}
	if (changed && r->n && !was)
		log_notice("%s's firewall is here: networks' packets are accepted in %s", p->tool,
			   p->name);
	return changed;
}

static unsigned int place_all(struct manager *m, struct accepts *a)
{
	unsigned int changed = 0;

	for (size_t i = 0; i < FW_PLACE_COUNT; i++)
		changed += place(m, a, i);
	return changed;
}

/* What is in the places is what was put there last. */
static void keep_places(struct accepts *a, const struct accepts *last)
{
	memcpy(a->present, last->present, sizeof(a->present));
	memcpy(a->problem, last->problem, sizeof(a->problem));
}

void accepts_do(struct work *w)
{
	struct manager *m = w->m;
	struct accepts *a = calloc(1, sizeof(*a));

	if (!a || want(w, a) < 0) {
		log_error("out of memory: other firewalls may drop guests' packets");
		accepts_free(a);
		return;
	}
	if (m->accepts)
		keep_places(a, m->accepts);
	if (!guardian_waits(m))
		place_all(m, a);
	accepts_free(m->accepts);
	m->accepts = a;
	firewalld_follow(w);
}

unsigned int accepts_again(struct manager *m)
{
	firewalld_again(m);
	return m->accepts ? place_all(m, m->accepts) : 0;
}

bool accepts_failed(const struct manager *m)
{
	for (size_t i = 0; m->accepts && i < FW_PLACE_COUNT; i++)
		if (m->accepts->problem[i].code[0])
			return true;
	return false;
}

/* ---- telling ---- */

void accepts_say(struct work *w)
{
	struct accepts a;
	char text[160];

	if (want(w, &a) == 0) {
		for (size_t i = 0; i < FW_PLACE_COUNT; i++) {
			const struct rules *r = rules_for(&a, &fw_places[i]);
			struct fw_place_diff d = {0};

			if (nft_accepts_look(w->m->nft, &fw_places[i], r->v, r->n, &d) < 0)
				continue;
			snprintf(text, sizeof(text), "~ accepts in %s: %zu to come, %zu to go",
				 fw_places[i].name, d.n_add, d.n_del);
			if (d.n_add || d.n_del)
				work_say(w, "change", fw_places[i].name, text);
			fw_place_diff_done(&d);
		}
	}
	free(a.ip4.v);
	free(a.ip6.v);
}

json_t *accepts_json(struct manager *m)
{
	const struct accepts *a = m->accepts;
	json_t *list = json_array();

	for (size_t i = 0; a && i < FW_PLACE_COUNT; i++) {
		bool placed = a->present[i] && !a->problem[i].code[0];

		if (a->present[i])
			json_array_append_new(
				list,
				json_pack("{s:s, s:s, s:I}", "tool", fw_places[i].tool, "place",
					  fw_places[i].name, "rules",
					  placed ? (json_int_t)rules_for(a, &fw_places[i])->n : 0));
	}
	firewalld_json(m, list);
	return list;
}

static bool has_rules(const struct rules *r, const char *network)
{
	for (size_t i = 0; i < r->n; i++)
		if (strcmp(r->v[i].network, network) == 0)
			return true;
	return false;
}

json_t *accepts_of(struct manager *m, const char *network)
{
	const struct accepts *a = m->accepts;
	json_t *list = json_array();

	for (size_t i = 0; a && i < FW_PLACE_COUNT; i++)
		if (a->present[i] && !a->problem[i].code[0] &&
		    has_rules(rules_for(a, &fw_places[i]), network))
			json_array_append_new(list, json_string(fw_places[i].name));
	if (firewalld_has(m, network))
		json_array_append_new(list, json_string(FIREWALLD_PLACE));
	return list;
}

bool accepts_has(struct manager *m, const char *network, const char *name)
{
	json_t *list = accepts_of(m, network);
	bool found = false;

	for (size_t i = 0; i < json_array_size(list); i++)
		found = found || !name ||
			strcmp(json_string_value(json_array_get(list, i)), name) == 0;
	json_decref(list);
	return found;
}

/* ---- iptables-legacy ---- */

static void legacy_problem(const struct fw_accept *r, const struct fw_place *p,
			   struct err_list *errs)
{
	const char *tool = p->family == AF_INET6 ? "ip6tables-legacy" : "iptables-legacy";

	if (iptables_legacy_names(p->family, "filter", r->in))
		return;
	err_add(errs, -EOPNOTSUPP, "accepts-legacy", p->chain,
		"%s keeps %s's rules, and may drop what guests of network %s send and get: vmlane "
		"cannot add to its tables; %s -I %s -i %s -o %s -j ACCEPT && %s -I %s -o %s -m "
		"conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
		tool, p->tool, r->network, tool, p->chain, r->in, r->out, tool, p->chain, r->in);
}

void accepts_problems(struct manager *m, struct err_list *errs)
{
	const struct accepts *a = m->accepts;

	for (size_t i = 0; a && i < FW_PLACE_COUNT; i++) {
		const struct rules *r = rules_for(a, &fw_places[i]);

		if (a->problem[i].code[0])
			err_list_push(errs, &a->problem[i]);
		if (!iptables_legacy_has_chain(fw_places[i].family, "filter", fw_places[i].chain))
			continue;
		for (size_t k = 0; k < r->n; k++)
			if (r->v[k].in[0] && r->v[k].out[0] && strcmp(r->v[k].in, r->v[k].out) != 0)
				legacy_problem(&r->v[k], &fw_places[i], errs);
	}
	firewalld_problem(m, errs);
}

void accepts_free(struct accepts *a)
{
	if (!a)
		return;
	free(a->ip4.v);
	free(a->ip6.v);
	free(a);
}
