/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridged.c - which NIC is taken, held or given back, and what its confirmation waits for; see
 * bridged.h. Next on the walk: bridged_do.c.
 */
#include "daemon/bridged.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-id128.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/work.h"

#define ASK_EVERY_US 50000

struct takeover_rt *bridged_find(struct manager *m, const char *network)
{
	struct takeover_rt *t;

	HASH_FIND_STR(m->takeovers, network, t);
	return t;
}

struct takeover_rt *bridged_by_uplink(struct manager *m, const char *ifname)
{
	struct takeover_rt *t, *next;

	HASH_ITER (hh, m->takeovers, t, next) {
		if (t->row.phase != PHASE_RETURNED && strcmp(t->row.uplink, ifname) == 0)
			return t;
	}
	return NULL;
}

uint32_t bridged_mtu(const struct actual *a, const struct network_config *c)
{
	const struct link_state *l = actual_link_by_name(a, c->bridge);

	return l ? l->mtu : 0;
}

static void drop(struct manager *m, struct takeover_rt *t)
{
	HASH_DEL(m->takeovers, t);
	sd_event_source_disable_unref(t->timer);
	takeover_snapshot_done(&t->row.things);
	free(t);
}

void bridged_free(struct manager *m)
{
	struct takeover_rt *t, *next;

	HASH_ITER (hh, m->takeovers, t, next)
		drop(m, t);
}

/* bridged_return(), and the record goes unless it has a reason to tell. */
static int give_back(struct manager *m, struct takeover_rt *t, const char *reason, struct err *e)
{
	int r = bridged_return(m, t, reason, e);

	if (r < 0) {
		log_error("network %s: %s could not be given back: %s", t->row.network,
			  t->row.uplink, e->message);
		return r;
	}
	log_notice("network %s: %s has everything back%s%s", t->row.network, t->row.uplink,
		   t->row.reason[0] ? ": " : "", t->row.reason);
	if (!t->row.reason[0])
		drop(m, t);
	return 0;
}

/* ---- at start ---- */

static void boot_id(char ret[static BOOT_ID_MAX])
{
	sd_id128_t id = SD_ID128_NULL;

	if (sd_id128_get_boot(&id) < 0)
		log_warning("the boot has no id: a restart of the machine will not be noticed");
	sd_id128_to_string(id, ret);
}

static int on_row(struct takeover_row *row, void *ctx)
{
	struct manager *m = ctx;
	struct takeover_rt *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->row = *row;
	t->m = m;
	HASH_ADD_STR(m->takeovers, row.network, t);
	return 0;
}

#define RESTARTED "the machine was restarted before the take-over was confirmed"
#define DIED "vmlaned ended before the take-over was confirmed"

/* The kernel of today knows nothing of it: only the journal is put right. */
static int after_boot(struct manager *m, struct takeover_rt *t, struct err *e)
{
	struct network_rt *n = manager_network(m, t->row.network);
	int r = 0;

	if (t->row.phase == PHASE_TAKING)
		snprintf(t->row.reason, sizeof(t->row.reason), RESTARTED);
	if (t->row.phase != PHASE_HELD && t->row.reason[0]) {
		t->row.phase = PHASE_RETURNED;
		if (n && !n->stopped) {
			n->stopped = true;
			r = network_save(m, n, e);
		}
		return r < 0 ? r : takeover_store_put(state_db(m->state), &t->row, e);
	}
	if (t->row.phase == PHASE_HELD)
		return 0; /* taken again by bridged_reconcile() */
	r = takeover_store_remove(state_db(m->state), t->row.network, e);
	if (r == 0)
		drop(m, t);
	return r;
}

int bridged_load(struct manager *m, struct err *e)
{
	struct takeover_rt *t, *next;
	int r;

	boot_id(m->boot_id);
	r = takeover_store_init(state_db(m->state), e);
	if (r == 0)
		r = takeover_store_each(state_db(m->state), on_row, m, e);
	if (r < 0)
		return r;
	HASH_ITER (hh, m->takeovers, t, next) {
		struct err one = {0};

		if (t->row.phase == PHASE_RETURNED)
			continue;
		if (strcmp(t->row.boot_id, m->boot_id) != 0)
			r = after_boot(m, t, &one);
		else if (t->row.phase == PHASE_TAKING)
			r = give_back(m, t, DIED, &one);
		else if (t->row.phase == PHASE_RETURNING)
			r = give_back(m, t, NULL, &one);
		/* The other networks go on; this one is tried again at the next occasion. */
		if (r < 0)
			err_list_push(&m->config_errors, &one);
	}
	return 0;
}

void bridged_end(struct manager *m)
{
	struct takeover_rt *t, *next;

	HASH_ITER (hh, m->takeovers, t, next) {
		struct err e = {0};

		if (t->row.phase == PHASE_TAKING)
			(void)give_back(m, t, DIED, &e);
	}
}

/* ---- confirmation ---- */

int bridged_hold(struct manager *m, struct takeover_rt *t, struct err *e)
{
	enum takeover_phase before = t->row.phase;
	int r;

	t->row.phase = PHASE_HELD;
	r = takeover_store_put(state_db(m->state), &t->row, e);
	if (r < 0) {
		t->row.phase = before;
		return r;
	}
	t->timer = sd_event_source_disable_unref(t->timer);
	t->deadline_us = 0;
	log_notice("network %s: %s stays in bridge %s", t->row.network, t->row.uplink,
		   t->row.bridge);
	return 0;
}

static void too_late(struct takeover_rt *t)
{
	char gateway[INET6_ADDRSTRLEN], reason[256];
	struct manager *m = t->m;
	struct err e = {0};

	if (t->by_hand)
		snprintf(reason, sizeof(reason), "`vmlane confirm` did not come in time");
	else
		snprintf(reason, sizeof(reason),
			 "the default gateway %s did not answer over the bridge within %d s, as it "
			 "had over %s",
			 gateway_format(&t->gateway, gateway), GATEWAY_ANSWER_S, t->row.uplink);
	(void)give_back(m, t, reason, &e);
	/* Its guests' taps, and NAT networks that went out by it. */
	reconcile_later(m);
}

static bool gateway_answers(struct takeover_rt *t)
{
	struct link_state l;
	uint16_t state;

	if (rtnl_link_get(t->m->rtnl, t->row.bridge, 0, &l, NULL) < 0)
		return false;
	state = rtnl_gateway_state(t->m->rtnl, l.ifindex, &t->gateway);
	if (state & (NUD_REACHABLE | NUD_PERMANENT))
		return true;
	if (rtnl_gateway_ask(t->m->rtnl, l.ifindex, &t->gateway, state, NULL) < 0)
		log_debug("the gateway cannot be asked now");
	return false;
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct takeover_rt *t = ctx;
	uint64_t now = clock_boot_us(), wait;
	struct err e = {0};

	(void)usec;
	if (!t->by_hand && gateway_answers(t)) {
		if (bridged_hold(t->m, t, &e) == 0)
			return 0;
		log_error("network %s: %s", t->row.network, e.message);
	}
	if (now >= t->deadline_us) {
		too_late(t);
		return 0;
	}
	wait = t->deadline_us - now;
	if (!t->by_hand && wait > ASK_EVERY_US)
		wait = ASK_EVERY_US;
	if (sd_event_source_set_time_relative(s, wait) < 0 ||
	    sd_event_source_set_enabled(s, SD_EVENT_ONESHOT) < 0)
		too_late(t);
	return 0;
}

/* What it takes to be kept: a person's word, the gateway's answer, or nothing that could be asked. */
static int await_confirmation(struct manager *m, struct takeover_rt *t, struct err *e)
{
	t->by_hand = m->ask.confirm_s != 0;
	if (!t->by_hand && !t->gateway.family)
		return bridged_hold(m, t, e);
	t->deadline_us =
		clock_boot_us() + 1000000ull * (t->by_hand ? m->ask.confirm_s : GATEWAY_ANSWER_S);
	if (sd_event_add_time_relative(m->loop, &t->timer, CLOCK_BOOTTIME, 0, 1000, on_timer, t) <
	    0)
		return err_set(e, -ENOMEM, "memory", t->row.network,
			       "the confirmation could not be awaited");
	return 0;
}

/* ---- making it so ---- */

static const struct network_config *wants_nic(const struct target_network *t)
{
	const struct network_config *c = t->config;

	return t->run && c->mode == NETWORK_BRIDGED && !c->adopted ? c : NULL;
}

/* The network of @target that wants what @t has, or NULL. */
static const struct network_config *still_wanted(const struct target *target,
						 const struct takeover_row *row)
{
	for (size_t i = 0; i < target->n; i++) {
		const struct network_config *c = wants_nic(&target->networks[i]);

		if (c && strcmp(c->name, row->network) == 0 &&
		    strcmp(c->uplink, row->uplink) == 0 && strcmp(c->bridge, row->bridge) == 0)
			return c;
	}
	return NULL;
}

static int take(struct manager *m, const struct network_config *c, struct err *e)
{
	struct takeover_rt *t = calloc(1, sizeof(*t));
	struct err failed = {0};
	int r;

	if (!t)
		return -ENOMEM;
	t->m = m;
	snprintf(t->row.boot_id, sizeof(t->row.boot_id), "%s", m->boot_id);
	r = bridged_take(m, c, t, e);
	if (r < 0) {
		takeover_snapshot_done(&t->row.things);
		free(t);
		return r;
	}
	HASH_ADD_STR(m->takeovers, row.network, t);
	log_notice("network %s: %s is in bridge %s, with its addresses and routes", c->name,
		   c->uplink, c->bridge);
	r = await_confirmation(m, t, e);
	if (r < 0)
		(void)give_back(m, t, e->message, &failed);
	return r;
}

static bool of_other_boot(const struct takeover_rt *t)
{
	return strcmp(t->row.boot_id, t->m->boot_id) != 0;
}

static bool may_take(struct manager *m, const struct network_config *c, struct err *e)
{
	if (m->ask.take_all || strcmp(m->ask.take, c->name) == 0)
		return true;
	err_set(e, -EBUSY, "not-taken", c->name,
		"%s is taken when somebody asks for it, not by vmlaned alone: `vmlane network "
		"start "
		"%s --confirm 30s`",
		c->uplink, c->name);
	return false;
}

/* What is held already is looked after. */
static int keep(struct manager *m, struct takeover_rt *t, const struct network_config *c,
		struct err *e)
{
	struct link_state l;
	int r;

	if (of_other_boot(t)) {
		drop(m, t);
		return take(m, c, e);
	}
	if (t->row.phase == PHASE_TAKING || t->row.phase == PHASE_HELD) {
		if (rtnl_link_get(m->rtnl, t->row.bridge, 0, &l, NULL) == 0)
			return bridged_replug(m, t, e);
		/* Somebody deleted the bridge, and with it the host's addresses. */
		r = give_back(m, t, NULL, e);
		return r < 0 ? r : take(m, c, e);
	}
	if (t->row.phase == PHASE_RETURNING)
		return give_back(m, t, NULL, e);
	if (!may_take(m, c, e))
		return -EBUSY;
	r = takeover_store_remove(state_db(m->state), t->row.network, e);
	if (r < 0)
		return r;
	drop(m, t);
	return take(m, c, e);
}

static void say(json_t *changes, const char *op, const char *object, json_t *text)
{
	if (changes)
		json_array_append_new(changes, json_pack("{s:s, s:s, s:o}", "op", op, "object",
							 object, "text", text));
	else
		json_decref(text);
}

static void say_take(json_t *changes, const struct network_config *c)
{
	say(changes, "change", c->uplink,
	    json_sprintf("~ %s becomes a port of bridge %s, which gets its addresses and routes",
			 c->uplink, c->bridge));
}

static void say_return(json_t *changes, const struct takeover_row *row)
{
	say(changes, "change", row->uplink,
	    json_sprintf("~ %s leaves bridge %s and gets its addresses and routes back",
			 row->uplink, row->bridge));
}

static bool has_nic(const struct takeover_rt *t)
{
	return t && t->row.phase != PHASE_RETURNED;
}

void bridged_say(struct manager *m, const struct target *target, json_t *changes)
{
	struct takeover_rt *t, *next;

	HASH_ITER (hh, m->takeovers, t, next) {
		if (has_nic(t) && !still_wanted(target, &t->row))
			say_return(changes, &t->row);
	}
	for (size_t i = 0; i < target->n; i++) {
		const struct network_config *c = wants_nic(&target->networks[i]);

		t = c ? bridged_find(m, c->name) : NULL;
		if (c && (!has_nic(t) || !still_wanted(target, &t->row)))
			say_take(changes, c);
	}
}

static int failed(struct manager *m, const char *network, int r, struct err *e,
		  struct err_list *errs)
{
	struct network_rt *n = manager_network(m, network);

	if (!e->code[0])
		err_set(e, r, "kernel", network, "%s", strerror(-r));
	if (n)
		n->problem = *e;
	err_list_push(errs, e);
	return r;
}

static int return_unwanted(struct manager *m, const struct target *target, json_t *changes,
			   struct err_list *errs)
{
	struct takeover_rt *t, *next;
	int first = 0;

	HASH_ITER (hh, m->takeovers, t, next) {
		struct err e = {0};
		char name[NAME_MAX_LEN + 1];
		int r;

		if (!has_nic(t) || still_wanted(target, &t->row))
			continue;
		say_return(changes, &t->row);
		strcpy(name, t->row.network);
		r = give_back(m, t, NULL, &e);
		if (r < 0)
			r = failed(m, name, r, &e, errs);
		first = first ? first : r;
	}
	return first;
}

int bridged_reconcile(struct manager *m, const struct target *target, json_t *changes,
		      struct err_list *errs)
{
	int first = return_unwanted(m, target, changes, errs);

	for (size_t i = 0; i < target->n; i++) {
		const struct network_config *c = wants_nic(&target->networks[i]);
		struct takeover_rt *t = c ? bridged_find(m, c->name) : NULL;
		struct err e = {0};
		int r;

		if (!c)
			continue;
		if (!has_nic(t) || of_other_boot(t))
			say_take(changes, c);
		if (t)
			r = keep(m, t, c, &e);
		else
			r = may_take(m, c, &e) ? take(m, c, &e) : -EBUSY;
		if (r < 0)
			r = failed(m, c->name, r, &e, errs);
		first = first ? first : r;
	}
	return first;
}

void bridged_forget(struct manager *m, const char *network)
{
	struct takeover_rt *t = bridged_find(m, network);

	if (!t || t->row.phase != PHASE_RETURNED)
		return;
	if (takeover_store_remove(state_db(m->state), network, NULL) < 0)
		log_error("network %s: what was left of its take-over could not be removed",
			  network);
	drop(m, t);
}
