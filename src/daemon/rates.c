/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rates.c - see rates.h. Next on the walk: firewall/rates.c. */
#include "daemon/rates.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define RATES_TEXT_MAX (16 * 1024 * 1024)
#define FOREIGN "foreign-qdisc"

/* ---- looking ---- */

static bool wanted(const struct work *w)
{
	for (size_t i = 0; i < w->desired.n_taps; i++)
		if (w->desired.taps[i].rate.up || w->desired.taps[i].rate.down)
			return true;
	return false;
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp((*(const struct link_state *const *)a)->name,
		      (*(const struct link_state *const *)b)->name);
}

/* The links of @w->desired.taps, NULL for none; by one index, as there may be ten thousand. */
static int find_taps(const struct work *w, const struct link_state ***ret)
{
	size_t n_links = w->actual.n_links, n_taps = w->desired.n_taps;
	const struct link_state **links = calloc(n_links + 1, sizeof(*links));
	const struct link_state **taps = calloc(n_taps + 1, sizeof(*taps));

	if (!links || !taps) {
		free(links);
		free(taps);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_links; i++)
		links[i] = &w->actual.links[i];
	qsort(links, n_links, sizeof(*links), name_cmp);
	for (size_t i = 0; i < n_taps; i++) {
		struct link_state key = {0};
		const struct link_state *wanted = &key, **l;

		strcpy(key.name, w->desired.taps[i].name);
		l = bsearch(&wanted, links, n_links, sizeof(*links), name_cmp);
		taps[i] = l ? *l : NULL;
	}
	free(links);
	*ret = taps;
	return 0;
}

/* It is somebody's tap too: what they have put on it stays, and is told. */
static void tell_foreign(struct work *w, const struct link_state *const *taps)
{
	for (size_t i = 0; i < w->desired.n_taps; i++) {
		const struct desired_tap *t = &w->desired.taps[i];
		struct guest_rt *g = manager_guest_by_tap(w->m, t->name);

		if (!g)
			continue;
		if (t->rate.down && taps[i] && taps[i]->foreign_qdisc)
			err_set(&g->problem, -EEXIST, FOREIGN, t->guest,
				"somebody has put a queueing discipline on %s, so `down` of the "
				"guest's rate is not kept; take it off (tc qdisc del dev %s root), "
				"then `vmlane apply`, or leave `down` out",
				t->name, t->name);
		else if (strcmp(g->problem.code, FOREIGN) == 0)
			g->problem = (struct err){0};
	}
}

static int read_table(struct manager *m, struct fw_rates *ret, struct err *e)
{
	struct buf listing = BUF_INIT(RATES_TEXT_MAX);
	int r = nft_list_rates(m->nft, &listing, e);

	if (r == 0)
		r = fw_rates_read(buf_str(&listing), ret);
	buf_done(&listing);
	if (r < 0 && !e->code[0])
		err_set(e, r, "firewall", "table netdev vmlane",
			"the guests' rates could not be read: %s", strerror(-r));
	return r;
}

/* Only of taps that are there, or will be: a chain needs its interface. */
static int want(struct work *w, const struct link_state *const *taps)
{
	for (size_t i = 0; i < w->desired.n_taps; i++) {
		const struct desired_tap *t = &w->desired.taps[i];
		int r;

		if (!t->rate.up || (!t->persistent && !taps[i]))
			continue;
		r = fw_rates_add(&w->rates, t->name, t->rate.up);
		if (r < 0)
			return r;
	}
	fw_rates_sort(&w->rates);
	return 0;
}

static bool found(const struct work *w)
{
	for (size_t i = 0; i < w->actual.n_links; i++)
		if (w->actual.links[i].rate_down)
			return true;
	return w->rates_now.present;
}

int rates_look(struct work *w, struct err *e)
{
	const struct link_state **taps = NULL;
	int r;

	/* Where nobody has a rate, and had none at the last look, there is nothing of ours. */
	if (wanted(w))
		w->m->rates_used = true;
	if (!w->m->rates_used)
		return 0;
	r = rtnl_rates(w->m->rtnl, &w->actual, e);
	if (r == 0)
		r = read_table(w->m, &w->rates_now, e);
	if (r == 0)
		r = find_taps(w, &taps);
	if (r == 0)
		r = want(w, taps);
	if (r == 0)
		tell_foreign(w, taps);
	free(taps);
	if (r < 0)
		return r;
	w->m->rates_used = wanted(w) || found(w);
	return 0;
}

bool rates_are_right(struct manager *m, const struct network_rt *n, const struct guest_rt *g,
		     int ifindex)
{
	bool told = strcmp(g->problem.code, FOREIGN) == 0, foreign;
	struct desired_tap want = {0};
	uint64_t bits;

	if (g->problem.code[0] && !told)
		return true;
	port_want(n->config, g->g.name, &g->g.mac, &want);
	if (rtnl_rate_get(m->rtnl, ifindex, &bits, &foreign, NULL) < 0)
		return false;
	return foreign ? told || !want.rate.down : !told && bits == want.rate.down;
}

/* ---- telling ---- */

static void say(struct work *w, const char *ifname, uint64_t from, uint64_t to)
{
	char a[RATE_STRLEN], b[RATE_STRLEN], text[128];

	snprintf(text, sizeof(text), "~ %s: rate from the guest %s%s%s", ifname,
		 from ? rate_format(from, a) : "", from ? " -> " : "",
		 to ? rate_format(to, b) : "unlimited");
	work_say(w, "change", ifname, text);
}

void rates_say(struct work *w)
{
	for (size_t i = 0; i < w->rates_now.n; i++) {
		const struct fw_rate *now = &w->rates_now.v[i];

		if (!fw_rates_find(&w->rates, now->ifname))
			say(w, now->ifname, now->bits, 0);
	}
	for (size_t i = 0; i < w->rates.n; i++) {
		const struct fw_rate *to = &w->rates.v[i];
		const struct fw_rate *now = fw_rates_find(&w->rates_now, to->ifname);

		if (!now || now->bits != to->bits)
			say(w, to->ifname, now ? now->bits : 0, to->bits);
	}
}

/* ---- doing ---- */

/* commit() - our transaction alone leaves what is known of the other tables as it is. */
static int commit(struct manager *m, const char *text, struct err *e)
{
	uint32_t before = 0;
	int r;

	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	r = nft_run(m->nft, text, e);
	if (r == 0)
		manager_committed(m, before, 1);
	return r;
}

/* To @to from @from, in one transaction; 1 when something was changed. */
static int change(struct manager *m, const struct fw_rates *from, const struct fw_rates *to,
		  struct err *e)
{
	struct buf text = BUF_INIT(RATES_TEXT_MAX);
	int r = fw_rates_delta(from, to, &text);

	if (r > 0)
		r = commit(m, buf_str(&text), e);
	buf_done(&text);
	if (r < 0 && !e->code[0])
		err_set(e, r, "memory", "table netdev vmlane", "%s", strerror(-r));
	return r;
}

/* put_one() - the limit of one tap, without a look at the others: there may be thousands. */
static int put_one(struct manager *m, const char *tap, uint64_t bits, struct err *e)
{
	struct buf text = BUF_INIT(RATES_TEXT_MAX);
	struct fw_rate rate = {.bits = bits};
	int r;

	strcpy(rate.ifname, tap);
	fw_rates_put(&rate, &text);
	r = text.error ? text.error : commit(m, buf_str(&text), e);
	buf_done(&text);
	return r;
}

static int drop_one(struct manager *m, const char *tap, bool last, struct err *e)
{
	struct buf text = BUF_INIT(RATES_TEXT_MAX);
	int r;

	fw_rates_drop(tap, last, &text);
	r = text.error ? text.error : commit(m, buf_str(&text), e);
	buf_done(&text);
	/* Older kernels have taken the chain away with its interface. */
	return r == -ENOENT ? 0 : r;
}

static void mark(struct manager *m, const char *tap, const struct err *e)
{
	struct guest_rt *g = manager_guest_by_tap(m, tap);

	if (g)
		g->problem = *e;
}

/* A tap that vanished meanwhile, say, must not keep the others from getting theirs. */
static int one_by_one(struct work *w)
{
	int first = 0;

	for (size_t i = 0; i < w->rates.n; i++) {
		const struct fw_rate *to = &w->rates.v[i];
		const struct fw_rate *now = fw_rates_find(&w->rates_now, to->ifname);
		struct err e = {0};
		int r;

		if (now && now->bits == to->bits)
			continue;
		r = put_one(w->m, to->ifname, to->bits, &e);
		if (r == 0)
			continue;
		mark(w->m, to->ifname, &e);
		err_list_push(w->errs, &e);
		first = first ? first : r;
	}
	return first;
}

int rates_do(struct work *w)
{
	struct err e = {0};
	int r;

	rates_say(w);
	r = change(w->m, &w->rates_now, &w->rates, &e);
	if (r >= 0)
		return 0;
	if (w->rates.n)
		return one_by_one(w);
	err_list_push(w->errs, &e);
	return r;
}

void rates_plug(struct manager *m, const struct network_rt *n, struct guest_rt *g)
{
	const struct guest_config *known = network_guest_find(n->config, g->g.name);
	struct err e = {0};
	int r = 0;

	if (!known || !(known->rate.up || known->rate.down))
		return;
	m->rates_used = true;
	if (known->rate.down)
		r = rtnl_rate_set(m->rtnl, g->g.tap, known->rate.down, &e);
	if (known->rate.up && r == 0)
		r = put_one(m, g->g.tap, known->rate.up, &e);
	if (r == 0)
		return;
	log_warning("guest %s: %s", g->g.name, e.message);
	g->problem = e;
}

/* Some guest that is plugged in may not send as it likes. */
static bool any_limited(struct manager *m)
{
	for (const struct guest_rt *g = m->guests; g; g = g->hh.next) {
		const struct network_rt *n = manager_network(m, g->g.network);
		const struct guest_config *known =
			n ? network_guest_find(n->config, g->g.name) : NULL;

		if (known && known->rate.up)
			return true;
	}
	return false;
}

void rates_unplug(struct manager *m, const struct network_rt *n, const char *name, const char *tap)
{
	const struct guest_config *known = n ? network_guest_find(n->config, name) : NULL;
	struct err e = {0};

	if (known && known->rate.up && drop_one(m, tap, !any_limited(m), &e) < 0)
		log_warning("the rate of %s is left over: %s", tap, e.message);
}
