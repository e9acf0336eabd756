/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * table.c - the firewall table: what is in the kernel, what should be, and the one transaction
 * between them. Next on the walk: firewall/ruleset.c builds, firewall/nft.c commits.
 */
#include "daemon/work.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "daemon/forwards.h"
#include "daemon/policy.h"
#include "base/test_refuse.h"
#include "base/text.h"
#include "kernel/sysctl.h"

#define FW_TEXT_MAX (192 * 1024 * 1024) /* a skeleton of 128, and elements */

static const struct network_config *find_running(const struct work *w, const char *name)
{
	for (size_t i = 0; i < w->desired.n_networks; i++)
		if (strcmp(w->desired.networks[i].config->name, name) == 0)
			return w->desired.networks[i].config;
	return NULL;
}

static int want_peers(struct work *w, size_t *ret_n)
{
	size_t max = 0, n = 0;

	for (size_t i = 0; i < w->desired.n_networks; i++)
		max += w->desired.networks[i].config->n_peers;
	w->fw_peers = calloc(max + 1, sizeof(*w->fw_peers));
	if (!w->fw_peers)
		return -ENOMEM;
	for (size_t i = 0; i < w->desired.n_networks; i++) {
		const struct network_config *c = w->desired.networks[i].config;

		for (size_t p = 0; p < c->n_peers; p++) {
			const struct network_config *other = find_running(w, c->peers[p]);

			if (!other || !network_has_peer(other, c->name))
				continue;
			strcpy(w->fw_peers[n].from, c->bridge);
			strcpy(w->fw_peers[n].to, other->bridge);
			w->fw_peers[n++].ipv6 =
				w->ipv6 && c->ipv6.subnet.len && other->ipv6.subnet.len;
		}
	}
	*ret_n = n;
	return 0;
}

/* Without IPv6 on the host the network is as one that was not given any. */
static void want_firewall6(struct work *w, const struct desired_network *n, struct fw_network *f,
			   char (*named)[IFNAMSIZ])
{
	const struct network_config *c = n->config;

	if (!n->ipv6)
		return;
	f->ipv6 = true;
	f->subnet6 = c->ipv6.subnet;
	f->gateway6 = c->ipv6.gateway;
	if (!network_has_uplink(c))
		return;
	f->uplinks6 = (const char(*)[IFNAMSIZ])(c->uplink[0] ? named : w->uplinks6);
	f->n_uplinks6 = c->uplink[0] ? 1 : w->n_uplinks6;
}

static int want_firewall(struct work *w, struct err *e)
{
	size_t n = w->desired.n_networks;
	struct fw_desired d = {
		.closed = (const char(*)[IFNAMSIZ])w->closed6,
		.n_closed = w->n_closed6,
		.closed_all = w->closed_all6,
		.switches = (const char(*)[IFNAMSIZ])w->switches,
		.n_switches = w->n_switches,
	};
	int r;

	w->fw_nets = calloc(n + 1, sizeof(*w->fw_nets));
	w->fw_ways = calloc(n + 1, sizeof(*w->fw_ways));
	if (!w->fw_nets || !w->fw_ways)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct network_config *c = w->desired.networks[i].config;
		struct fw_network *f = &w->fw_nets[d.n];

		/* Its guests are on the LAN: their frames are switched, not routed. */
		if (w->desired.networks[i].external)
			continue;
		d.n++;
		strcpy(f->name, c->name);
		strcpy(f->bridge, c->bridge);
		f->mode = c->mode;
		f->inbound = c->inbound;
		f->isolates = network_isolates(c);
		f->mac = w->desired.networks[i].mac;
		f->subnet = c->subnet;
		f->port_min = c->port_min;
		f->port_max = c->port_max;
		f->source_first = c->source_first;
		f->source_last = c->source_last;
		f->guests = c->guests;
		f->n_guests = c->n_guests;
		r = policy_want(w, c, f, e);
		if (r < 0)
			return r;
		want_firewall6(w, &w->desired.networks[i], f, &w->fw_ways[i]);
		if (!network_has_uplink(c))
			continue;
		strcpy(w->fw_ways[i], want_way_out(w, c->uplink));
		f->uplinks = (const char(*)[IFNAMSIZ])(c->uplink[0] ? &w->fw_ways[i] : w->uplinks);
		f->n_uplinks = c->uplink[0] ? 1 : w->n_uplinks;
	}
	d.networks = w->fw_nets;
	w->n_fw_nets = d.n;
	r = want_peers(w, &d.n_peers);
	if (r < 0)
		return r;
	d.peers = w->fw_peers;
	return fw_ruleset_build(&d, &w->fw);
}

/*
 * known_skeleton() - ours of which the kernel's listing was remembered: of our last transaction, or
 * the one that shall be, for a daemon that has just started; NULL when it is none of these.
 */
static const char *known_skeleton(const struct work *w)
{
	const char *candidates[] = {w->m->fw.skeleton, w->fw.skeleton};

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if (candidates[i] && hash_str(HASH_INIT, candidates[i]) == w->m->fw_skeleton)
			return candidates[i];
	return NULL;
}

/*
 * table_read() - the table in the kernel as a ruleset that w->fw can be compared with. -ESTALE
 * when its skeleton is not one that we know, or somebody changed it.
 */
static int table_read(struct work *w, struct fw_ruleset *ret, struct err *e)
{
	struct buf listing = BUF_INIT(FW_TEXT_MAX);
	const char *skeleton = known_skeleton(w);
	struct fw_ruleset table = {0};
	int r = nft_list(w->m->nft, &listing, e);

	w->fw_present = r == 0 && listing.len > 0;
	if (r == 0 && !w->fw_present)
		r = -ESTALE;
	if (r == 0)
		r = fw_listing_read(buf_str(&listing), &table) < 0 ? -ESTALE : 0;
	w->fw_mortal = r == 0 && !strstr(table.skeleton, "ct timeout set");
	buf_done(&listing);
	if (r == 0 && (hash_str(HASH_INIT, table.skeleton) != w->m->fw_listing || !skeleton))
		r = -ESTALE;
	if (r == 0) {
		/* The same skeleton, in the kernel's words: put it into ours. */
		free(table.skeleton);
		table.skeleton = strdup(skeleton);
		r = table.skeleton ? 0 : -ENOMEM;
	}
	if (r < 0)
		fw_ruleset_done(&table);
	else
		*ret = table;
	return r;
}

static int delta_from(struct work *w, const struct fw_ruleset *table)
{
	w->fw_relist = strcmp(table->skeleton, w->fw.skeleton) != 0;
	return fw_ruleset_delta(table, &w->fw, &w->fw_text);
}

/* firewall_delta() - from what is in the kernel to w->fw in small steps; -ESTALE: it can't be. */
static int firewall_delta(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	struct fw_ruleset table = {0};
	uint32_t after = 0;
	int r;

	if (nft_generation(m->nft, &w->fw_seen) < 0)
		w->fw_seen = 0;
	if (w->fw_seen && w->fw_seen == m->fw_generation) {
		w->fw_present = true;
		return delta_from(w, &m->fw);
	}
	r = table_read(w, &table, e);
	if (r == 0)
		r = delta_from(w, &table);
	/* What others did was not to our table: it need not be read again. */
	if (r >= 0 && nft_generation(m->nft, &after) == 0 && after == w->fw_seen) {
		fw_ruleset_done(&m->fw);
		m->fw = table;
		m->fw_generation = after;
		return r;
	}
	fw_ruleset_done(&table);
	return r;
}

/* diff_table() - fill w->fw_text with the transaction that is needed, w->fw_changes with its size. */
static int diff_table(struct work *w, struct err *e)
{
	int r;

	w->fw_text = BUF_INIT(FW_TEXT_MAX);
	r = firewall_delta(w, e);
	if (w->n_fw_nets == 0 && (r >= 0 || r == -ESTALE)) {
		/* Nothing of ours stays behind when there is nothing to filter. */
		buf_done(&w->fw_text);
		if (w->fw_present)
			buf_puts(&w->fw_text, "delete table inet vmlane\n");
		r = w->fw_present;
	} else if (r == -ESTALE) {
		buf_done(&w->fw_text);
		fw_ruleset_full(&w->fw, &w->fw_text);
		w->fw_full = true;
		r = 1;
	}
	if (r >= 0 && w->fw_text.error)
		r = w->fw_text.error;
	if (r < 0 && !e->code[0])
		return err_set(e, r, "memory", "firewall", "the ruleset could not be built");
	if (r < 0)
		return r;
	w->fw_changes = r;
	return 0;
}

int table_diff(struct work *w, struct err *e)
{
	int r = want_firewall(w, e);

	if (r == -E2BIG)
		return err_set(e, r, "too-big", "inet vmlane",
			       "the rules of all networks are longer than a transaction may be; "
			       "leave out rules or members of sets");
	if (r < 0 && !e->code[0])
		return err_set(e, r, r == -ENOMEM ? "memory" : "firewall", "inet vmlane",
			       "the firewall's rules cannot be made: %s", strerror(-r));
	return r < 0 ? r : diff_table(w, e);
}

void table_say(struct work *w)
{
	if (w->fw_changes == 0)
		return;
	if (w->n_fw_nets == 0)
		work_say(w, "delete", "inet vmlane", "- firewall table inet vmlane");
	else if (!w->fw_present)
		work_say(w, "create", "inet vmlane", "+ firewall table inet vmlane");
	else
		work_say(w, "change", "inet vmlane", "~ firewall table inet vmlane");
}

/*
 * remember_skeleton() - keep, for the next start, how the kernel lists the skeleton that we have
 * just put there; unless somebody has changed a rule since, which may be one of ours.
 */
static int remember_skeleton(struct work *w, struct err *e)
{
	struct buf listing = BUF_INIT(FW_TEXT_MAX);
	struct fw_ruleset table = {0};
	struct manager *m = w->m;
	uint32_t generation = 0;
	char text[64];
	int r = nft_list(m->nft, &listing, e);

	if (r == 0)
		r = fw_listing_read(buf_str(&listing), &table);
	if (r == 0 && (nft_generation(m->nft, &generation) < 0 || generation != m->fw_generation))
		r = err_set(e, -ESTALE, "firewall", "inet vmlane", "somebody else changed rules");
	if (r == 0) {
		m->fw_skeleton = hash_str(HASH_INIT, m->fw.skeleton);
		m->fw_listing = hash_str(HASH_INIT, table.skeleton);
		snprintf(text, sizeof(text), "%016llx %016llx", (unsigned long long)m->fw_skeleton,
			 (unsigned long long)m->fw_listing);
		r = state_meta_put(m->state, "firewall", text, e);
	}
	fw_ruleset_done(&table);
	buf_done(&listing);
	return r;
}

/* The host's own value where that is longer already. */
static uint32_t lifetime_s(const struct fw_lifetime *l)
{
	char path[SYSCTL_PATH_MAX], value[SYSCTL_VALUE_MAX];
	uint32_t host_s;

	if (!l->sysctl)
		return l->least_s;
	snprintf(path, sizeof(path), "net/netfilter/%s", l->sysctl);
	if (sysctl_read(path, value) < 0 || text_u32(value, l->least_s, UINT32_MAX, &host_s) < 0)
		return l->least_s;
	return host_s;
}

/* set_lifetimes() - a table without them does its work: it is told, once, and in `status`. */
static bool set_lifetimes(struct manager *m)
{
	bool told = m->fw_lifetimes.code[0], refused = test_refused("lifetimes");
	uint32_t seconds[FW_STATE_COUNT];
	int r;

	for (size_t i = 0; i < FW_STATE_COUNT; i++)
		seconds[i] = lifetime_s(&fw_lifetimes[i]);
	r = refused ? -EOPNOTSUPP : nft_lifetimes(m->nft, seconds);
	if (r == 0) {
		m->fw_lifetimes = (struct err){0};
		return true;
	}
	/* Somebody has taken the table away again: that says nothing of the kernel. */
	if (r == -ENOENT && nft_table_gone(m->nft))
		return false;
	err_set(&m->fw_lifetimes, r, "lifetimes", "table inet vmlane",
		"the kernel takes no lifetimes for guests' connections (%s); those that are silent "
		"are forgotten after the host's times (net.netfilter.nf_conntrack_*_timeout*), "
		"sooner than RFC 4787, 5382 and 5508 allow. Choose a kernel with "
		"CONFIG_NF_CONNTRACK_TIMEOUT, or raise those",
		strerror(-r));
	if (!told)
		log_warning("%s", m->fw_lifetimes.message);
	return false;
}

/*
 * commit_firewall() - afterwards the generation tells whether the table is still as we left it,
 * unless somebody else's transaction came in between.
 */
static int commit_firewall(struct work *w, struct err *e)
{
	struct manager *m = w->m;
	uint32_t before = 0, after = 0, ours = 0;
	int r;

	m->fw_generation = 0;
	m->fw_unkept = false;
	nft_forget(m->nft);
	if (nft_generation(m->nft, &before) < 0)
		before = 0;
	if (w->fw_changes) {
		table_say(w);
		r = nft_run(m->nft, buf_str(&w->fw_text), e);
		if (r < 0)
			return r;
		w->fw_relist = w->fw_relist || w->fw_full;
		ours++;
	}
	if (w->n_fw_nets && (w->fw_full || w->fw_mortal) && set_lifetimes(m)) {
		w->fw_relist = true;
		ours++;
	}
	manager_committed(m, before, ours);
	if (w->fw_seen && nft_generation(m->nft, &after) == 0 && after == w->fw_seen + ours &&
	    w->n_fw_nets)
		m->fw_generation = after;
	return 0;
}

void table_remember(struct manager *m)
{
	uint32_t before = 0, after = 0;
	bool quiet = m->fw_quiet == nft_transactions(m->nft);

	m->fw_quiet = nft_transactions(m->nft);
	if (!quiet || !m->fw_generation || nft_remembers(m->nft) || m->fw_unkept)
		return;
	if (nft_generation(m->nft, &before) < 0 || before != m->fw_generation)
		return;
	m->fw_unkept = nft_remember(m->nft) < 0;
	if (nft_generation(m->nft, &after) < 0 || after != before)
		nft_forget(m->nft);
}

/* As it was told by the kernel last; what comes of it is compared with what shall be, afterwards. */
static bool replay(struct manager *m, uint32_t before)
{
	if (nft_replay(m->nft) < 0)
		return false;
	manager_committed(m, before, 1);
	return true;
}

bool table_restore(struct manager *m)
{
	struct buf text = BUF_INIT(FW_TEXT_MAX);
	uint32_t before = 0, now = 0, ours = 1;
	int r;

	if (!m->fw_generation || nft_generation(m->nft, &before) < 0 || !nft_table_gone(m->nft))
		return false;
	m->fw_generation = 0;
	if (replay(m, before))
		return true;
	nft_forget(m->nft);
	fw_ruleset_full(&m->fw, &text);
	r = text.error ? text.error : nft_run(m->nft, buf_str(&text), NULL);
	buf_done(&text);
	if (r < 0)
		return false;
	ours += set_lifetimes(m);
	manager_committed(m, before, ours);
	if (nft_generation(m->nft, &now) == 0 && now == before + ours)
		m->fw_generation = now;
	return true;
}

int table_do(struct work *w)
{
	struct manager *m = w->m;
	struct err e = {0};
	int r = 0;

	if (w->fw_changes || w->fw_mortal)
		r = commit_firewall(w, &e);
	if (r == 0) {
		if (w->fw_changes)
			forwards_settle(w);
		fw_ruleset_done(&m->fw);
		m->fw = w->fw;
		w->fw = (struct fw_ruleset){0};
		if (w->n_fw_nets == 0)
			m->fw_lifetimes = (struct err){0};
		/* Without it the next start replaces the table; the rules are the same. */
		if (w->fw_relist && w->n_fw_nets && remember_skeleton(w, &e) < 0)
			log_warning("how the firewall table is listed is not kept: %s", e.message);
	}
	if (r < 0)
		err_list_push(w->errs, &e);
	return r;
}
