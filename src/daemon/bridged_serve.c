/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridged_serve.c - `vmlane confirm`, and what is shown of take-overs and of what stands in the way
 * of bridged guests; see bridged.h.
 */
#include "daemon/bridged.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/accepts.h"
#include "daemon/service.h"
#include "kernel/sysctl.h"

int service_confirm(void *ctx, const struct peer *p, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct takeover_rt *t, *next;
	json_t *names = json_array();
	int r = 0;

	HASH_ITER (hh, m->takeovers, t, next) {
		struct err e = {0};

		if (t->row.phase != PHASE_TAKING)
			continue;
		r = bridged_hold(m, t, &e);
		if (r < 0) {
			err_list_push(errs, &e);
			break;
		}
		service_log(p, "network %s confirmed", t->row.network);
		json_array_append_new(names, json_string(t->row.network));
	}
	if (r == 0 && json_array_size(names) == 0)
		r = err_add(errs, -ENOENT, "nothing-to-confirm", "",
			    "no change waits to be confirmed; when its time was over it was taken "
			    "back: `vmlane network list` shows what is");
	if (r < 0) {
		json_decref(names);
		return r;
	}
	*ret = json_pack("{s:o}", "confirmed", names);
	return *ret ? 0 : -ENOMEM;
}

/* ---- problems ---- */

static void adopted_problem(const struct network_config *c, const struct actual *a, struct err *ret)
{
	const struct link_state *bridge = actual_link_by_name(a, c->bridge), *nic;

	if (!bridge || strcmp(bridge->kind, "bridge") != 0) {
		err_set(ret, 0, "no-bridge", c->bridge,
			bridge ? "%s is not a bridge; name one, or the NIC with `uplink:`"
			       : "there is no bridge %s; make it with the tool that configures "
				 "this "
				 "host, and the guests are plugged in when it comes",
			c->bridge);
		return;
	}
	nic = c->uplink[0] ? actual_link_by_name(a, c->uplink) : NULL;
	if (c->uplink[0] && (!nic || nic->master != bridge->ifindex))
		err_set(ret, 0, "uplink-gone", c->uplink,
			"%s is not a port of bridge %s, so the guests do not reach the LAN over it",
			c->uplink, c->bridge);
}

static void held_problem(const struct takeover_row *row, const struct actual *a, struct err *ret)
{
	const struct link_state *bridge = actual_link_by_name(a, row->bridge);
	const struct link_state *nic = actual_link_by_name(a, row->uplink);

	if (!bridge)
		err_set(ret, 0, "bridge-gone", row->network,
			"its bridge %s is gone; `vmlane apply` makes it again", row->bridge);
	else if (!nic)
		err_set(ret, 0, "uplink-gone", row->uplink,
			"%s was removed; the host's addresses are still on bridge %s. When it is "
			"back, `vmlane apply` plugs it in again",
			row->uplink, row->bridge);
	else if (nic->master != bridge->ifindex)
		err_set(ret, 0, "uplink-out", row->uplink,
			"%s is no port of bridge %s any more; `vmlane apply` makes it one again",
			row->uplink, row->bridge);
}

/*
 * With br_netfilter the host's filter sees the frames between the guests and the LAN, which are not
 * its business, and one whose policy is to drop lets none of them through.
 */
static void filter_problem(struct manager *m, const struct network_config *c, struct err *ret)
{
	char chain[256] = "", on[SYSCTL_VALUE_MAX];

	if (sysctl_read("net/bridge/bridge-nf-call-iptables", on) < 0 || strcmp(on, "1") != 0 ||
	    nft_forward_drop(m->nft, chain, sizeof(chain), NULL) < 0 || !chain[0])
		return;
	if (strcmp(chain, "ip filter FORWARD") == 0 &&
	    (accepts_has(m, c->name, "ip filter DOCKER-USER") ||
	     accepts_has(m, c->name, "ip filter ufw-user-forward")))
		return;
	err_set(ret, 0, BRIDGED_FILTERED, c->name,
		"net.bridge.bridge-nf-call-iptables is 1, so chain %s, whose policy is drop, "
		"filters "
		"the frames between guests and LAN; let them pass there (iifname and oifname %s), "
		"or "
		"set the sysctl to 0",
		chain, c->bridge);
}

void bridged_problem(struct manager *m, const struct network_rt *n, const struct actual *a,
		     struct err *ret)
{
	const struct takeover_rt *t = bridged_find(m, n->name);
	struct err e = {0};

	if (t && t->row.phase == PHASE_RETURNED && n->stopped)
		err_set(&e, 0, "rolled-back", n->name,
			"%s was given back: %s; `vmlane network start %s` tries again",
			t->row.uplink, t->row.reason, n->name);
	else if (n->stopped || n->config->mode != NETWORK_BRIDGED)
		;
	else if (n->config->adopted)
		adopted_problem(n->config, a, &e);
	else if (t && t->row.phase != PHASE_RETURNED)
		held_problem(&t->row, a, &e);
	if (!e.code[0] && !n->stopped && n->config->mode == NETWORK_BRIDGED)
		filter_problem(m, n->config, &e);
	*ret = e;
}

/* ---- JSON ---- */

static const char *phase_name(const struct takeover_rt *t)
{
	switch (t->row.phase) {
	case PHASE_TAKING:
		return t->by_hand ? "unconfirmed" : "checking";
	case PHASE_HELD:
		return "held";
	case PHASE_RETURNING:
		return "returning";
	case PHASE_RETURNED:
		return "returned";
	case PHASE_COUNT:
		break;
	}
	return "unknown";
}

json_t *bridged_json(struct manager *m, const struct network_rt *n)
{
	const struct takeover_rt *t = bridged_find(m, n->name);
	uint64_t now = clock_boot_us();
	json_t *left = json_null();

	if (!t)
		return json_null();
	if (t->row.phase == PHASE_TAKING && t->deadline_us > now)
		left = json_integer((json_int_t)((t->deadline_us - now + 999999) / 1000000));
	return json_pack("{s:s, s:s, s:o, s:o}", "uplink", t->row.uplink, "phase", phase_name(t),
			 "left_s", left, "reason",
			 t->row.reason[0] ? json_string(t->row.reason) : json_null());
}
