/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guardian_mend.c - see guardian.h: putting right what was found changed, and telling of it. The work
 * itself is reconcile()'s, as at a start.
 */
#include "daemon/guardian_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "daemon/accepts.h"
#include "daemon/events.h"

#define SHOWN_MAX 3   /* changes in a line of the log */
#define CHANGES_MAX 8 /* changes in the status */

#define RETRY_FIRST_US 1000000
#define RETRY_MAX_US 60000000

/* ---- words ---- */

static const char *change_text(const json_t *changes, size_t i)
{
	const char *s = json_string_value(json_object_get(json_array_get(changes, i), "text"));

	return s ? s : "?";
}

static void put_changes(const json_t *changes, struct buf *out)
{
	size_t n = json_array_size(changes);

	for (size_t i = 0; i < n && i < SHOWN_MAX; i++)
		buf_printf(out, "%s%s", i ? "; " : "", change_text(changes, i));
	if (n > SHOWN_MAX)
		buf_printf(out, "; and %zu more", n - SHOWN_MAX);
}

/* What is known of who: nf_tables names the process, the rest of the kernel does not. */
static void put_culprit(const struct culprit *by, struct buf *out)
{
	if (by->process[0])
		buf_printf(out, " (rules were changed by %s, process %" PRIu32 ")", by->process,
			   by->pid);
}

static json_t *texts_json(const json_t *changes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < json_array_size(changes) && i < CHANGES_MAX; i++)
		json_array_append_new(list, json_string(change_text(changes, i)));
	return list;
}

static json_t *details(const json_t *changes, const struct culprit *by, uint64_t took_us)
{
	bool known = by->process[0] != '\0';

	return json_pack("{s:o, s:I, s:o, s:o, s:I}", "changes", texts_json(changes), "count",
			 (json_int_t)json_array_size(changes), "process",
			 known ? json_string(by->process) : json_null(), "pid",
			 known ? json_integer(by->pid) : json_null(), "took_us",
			 (json_int_t)took_us);
}

static void tell(struct guardian *g, const json_t *changes, const struct culprit *by)
{
	struct buf text = BUF_INIT(4096);
	json_t *what = details(changes, by, clock_boot_us() - g->noticed_us);

	g->mended++;
	put_changes(changes, &text);
	put_culprit(by, &text);
	if (g->fighting)
		g->silent++;
	else
		log_notice("put right what somebody changed: %s", buf_str(&text));
	events_emit(g->m, "mended", NULL, NULL, json_deep_copy(what), "%.400s", buf_str(&text));
	json_decref(g->last);
	g->last = what;
	if (what)
		json_object_set_new(what, "time", json_integer(clock_wall_s()));
	buf_done(&text);
}

/* The same trouble each time is told once. */
static void complain(struct guardian *g, const struct err_list *errs)
{
	const struct err none = {0}, *e = errs->n ? &errs->items[0] : &none;

	if (strcmp(e->message, g->complaint.message) == 0)
		return;
	g->complaint = *e;
	manager_log_errors(errs);
}

/* ---- fights ---- */

static void fight(struct guardian *g)
{
	if (g->fighting)
		return;
	g->fighting = true;
	g->silent = 0;
	log_warning("somebody%s%s keeps changing what is vmlane's: it was put right %d times in a "
		    "row, and will be once a second from now on; `vmlane status` has what and who",
		    g->by.process[0] ? " called " : "", g->by.process, PACE_BURST);
}

void guardian_settle(struct guardian *g)
{
	if (pace_settle(&g->pace, clock_boot_us()) || !g->fighting)
		return;
	g->fighting = false;
	log_notice("nobody keeps changing what is vmlane's any more; it was put right %" PRIu64
		   " more times meanwhile",
		   g->silent);
}

/* ---- what failed ---- */

/* Nobody has to change something for it: what was in the way may go without a word. */
static void failed(struct guardian *g, bool has_failed, bool places)
{
	if (!has_failed && g->retry_places == places)
		g->retry_at_us = g->retry_us = 0;
	/* A look at everything is one at the places, too. */
	if (!has_failed || (places && g->retry_at_us && !g->retry_places))
		return;
	g->retry_us = g->retry_us ? 2 * g->retry_us : RETRY_FIRST_US;
	if (g->retry_us > RETRY_MAX_US)
		g->retry_us = RETRY_MAX_US;
	g->retry_at_us = clock_boot_us() + g->retry_us;
	g->retry_places = places;
}

void guardian_retry(struct guardian *g)
{
	if (!g->retry_at_us || clock_boot_us() < g->retry_at_us)
		return;
	g->retry_at_us = 0;
	if (g->retry_places)
		guardian_look_at_places(g);
	else
		guardian_look(g);
}

/* ---- doing ---- */

static json_t *table_change(const char *op, const char *text)
{
	return json_pack("{s:s, s:s, s:s}", "op", op, "object", "inet vmlane", "text", text);
}

void guardian_mend(struct guardian *g)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	struct culprit by = g->by;
	json_t *changes = json_array();
	bool has_failed = true;

	g->look = false;
	g->all_conf = false;
	if (!errs || !changes) {
		log_error("out of memory: what others changed is not put right");
	} else {
		/* First, as guests' packets are neither filtered nor translated meanwhile. */
		if (table_restore(g->m))
			json_array_append_new(
				changes, table_change("create", "+ firewall table inet vmlane"));
		guardian_sysctls_restore(g, changes);
		guardian_ports_restore(g, changes);
		/* Of what comes from here on the events are still to be read. */
		g->n_marked = 0;
		has_failed = reconcile(g->m, NULL, RECONCILE_MEND, changes, errs) < 0;
		if (has_failed || g->complaint.code[0])
			complain(g, errs);
		if (g->overtaken && !json_array_size(changes))
			json_array_append_new(
				changes, table_change("change", "~ firewall table inet vmlane"));
		if (json_array_size(changes)) {
			(void)pace_ask(&g->pace, clock_boot_us());
			tell(g, changes, &by);
		}
	}
	failed(g, has_failed, false);
	if (!has_failed)
		failed(g, accepts_failed(g->m), true);
	g->by = (struct culprit){0};
	g->overtaken = false;
	if (nft_generation(g->m->nft, &g->told) < 0)
		g->told = 0;
	g->noticed_us = 0;
	json_decref(changes);
	free(errs);
}

/* Accepts of ours went with somebody's rules, or there is a new place for them. */
static void mend_places(struct guardian *g)
{
	unsigned int n;

	g->places = false;
	n = accepts_again(g->m);
	failed(g, accepts_failed(g->m), true);
	if (n == 0)
		return;
	(void)pace_ask(&g->pace, clock_boot_us());
	log_info("other firewalls changed their rules: accepts are in %u of their chains again", n);
	events_emit(g->m, "accepts", NULL, NULL, json_pack("{s:i}", "chains", (int)n),
		    "accepts were put into other firewalls' chains again: %u", n);
}

int guardian_on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct guardian *g = ctx;
	uint64_t wait;

	(void)s;
	(void)usec;
	g->armed = false;
	if (!g->look && !guardian_marked_are_right(g))
		g->look = true;
	if (!g->look)
		g->noticed_us = 0;
	if (!g->look && !g->places)
		return 0;
	if (!g->look && clock_boot_us() < g->places_us) {
		guardian_arm(g, g->places_us - clock_boot_us());
		return 0;
	}
	wait = pace_wait(&g->pace, clock_boot_us());
	if (wait)
		fight(g);
	else
		wait = pace_ask(&g->looks, clock_boot_us());
	if (wait) {
		guardian_arm(g, wait);
		return 0;
	}
	if (g->look)
		guardian_mend(g);
	else
		mend_places(g);
	if (g->places)
		guardian_arm(g, 0);
	return 0;
}

/* ---- showing ---- */

void guardian_problem(struct manager *m, struct err *ret)
{
	const json_t *last = m->guardian->last;
	const char *process = json_string_value(json_object_get(last, "process"));

	*ret = (struct err){0};
	if (!pace_settle(&m->guardian->pace, clock_boot_us()))
		return;
	err_set(ret, 0, "fought", "guardian",
		"%s%s keeps changing what is vmlane's, which is put right once a second meanwhile; "
		"make it leave that alone, or have vmlane leave it alone: vmlaned --no-guardian. "
		"Last "
		"time: %.200s",
		process ? "a process called " : "somebody", process ? process : "",
		change_text(json_object_get(last, "changes"), 0));
}

json_t *guardian_json(struct manager *m)
{
	struct guardian *g = m->guardian;

	return json_pack("{s:b, s:I, s:b, s:o}", "on", g->on, "mended", (json_int_t)g->mended,
			 "held_back", pace_settle(&g->pace, clock_boot_us()), "last",
			 g->last ? json_deep_copy(g->last) : json_null());
}
