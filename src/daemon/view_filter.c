/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view_filter.c - what the table of rules has counted: the rules of networks' policies one by one, whose connections were
 * beyond their limits, and all together; docs/API.md has the shapes. Changes nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/service.h"
#include "firewall/policy.h"

/* struct counted - "NETWORK/ID" of a rule, or "BRIDGE MAC" of a guest, to what it has counted. */
struct counted {
	json_t *rules;
	json_t *limited[FW_LIMIT_COUNT];
};

static json_t *numbers(uint64_t packets, uint64_t bytes)
{
	return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

static void add_rule(const char *name, uint64_t packets, uint64_t bytes, void *ctx)
{
	struct counted *c = ctx;

	json_object_set_new(c->rules, name, numbers(packets, bytes));
}

static void add_limited(enum fw_limit which, const char *bridge, const char *mac, uint64_t packets,
			uint64_t bytes, void *ctx)
{
	struct counted *c = ctx;
	char key[IFNAMSIZ + MAC_STRLEN + 1];

	snprintf(key, sizeof(key), "%.15s %.17s", bridge, mac);
	json_object_set_new(c->limited[which], key, numbers(packets, bytes));
}

static void counted_done(struct counted *c)
{
	json_decref(c->rules);
	for (size_t i = 0; i < FW_LIMIT_COUNT; i++)
		json_decref(c->limited[i]);
}

static struct counted count(struct manager *m)
{
	struct counted c = {.rules = json_object()};

	for (size_t i = 0; i < FW_LIMIT_COUNT; i++)
		c.limited[i] = json_object();
	/* Of a table that somebody has just taken away there is nothing to tell. */
	(void)!nft_rule_counters(m->nft, add_rule, &c, NULL);
	(void)!nft_limited(m->nft, add_limited, &c, NULL);
	return c;
}

static void add_numbers(json_t *row, const json_t *of)
{
	json_object_set_new(row, "packets",
			    json_integer(json_integer_value(json_object_get(of, "packets"))));
	json_object_set_new(row, "bytes",
			    json_integer(json_integer_value(json_object_get(of, "bytes"))));
}

static void rules_of(const struct network_rt *n, const struct counted *c, json_t *list)
{
	for (size_t i = 0; i < n->config->policy.n_rules; i++) {
		const struct policy_rule *r = &n->config->policy.rules[i];
		char text[POLICY_RULE_STRLEN], id[FW_POLICY_ID_STRLEN], key[64];
		json_t *row;

		snprintf(key, sizeof(key), "%s/%s", n->name, fw_policy_id(r, id));
		row = json_pack("{s:s, s:n, s:s, s:i, s:s, s:s, s:s}", "network", n->name, "guest",
				"kind", "rule", "position", (int)i + 1, "direction",
				policy_direction_name(r->direction), "rule",
				policy_rule_format(r, text), "id", id);
		add_numbers(row, json_object_get(c->rules, key));
		json_array_append_new(list, row);
	}
}

static void limit_row(const struct network_rt *n, const struct guest_rt *g, enum fw_limit which,
		      uint32_t limit, const struct counted *c, json_t *list)
{
	char key[IFNAMSIZ + MAC_STRLEN + 1], mac[MAC_STRLEN];
	json_t *row;

	if (limit == 0)
		return;
	snprintf(key, sizeof(key), "%.15s %s", n->config->bridge, mac_format(&g->g.mac, mac));
	row = json_pack("{s:s, s:s, s:s, s:n, s:n, s:o, s:n}", "network", n->name, "guest",
			g->g.name, "kind", "limit", "position", "direction", "rule",
			which == FW_LIMIT_NEW ? json_sprintf("new: %u/s", limit)
					      : json_sprintf("connections: %u", limit),
			"id");
	add_numbers(row, json_object_get(c->limited[which], key));
	json_array_append_new(list, row);
}

static void limits_rows(struct manager *m, const struct network_rt *n, const struct counted *c,
			json_t *list)
{
	for (const struct guest_rt *g = m->guests; g; g = g->hh.next) {
		struct guest_limits l;

		if (strcmp(g->g.network, n->name) != 0)
			continue;
		l = limits_of(n->config, network_guest_find(n->config, g->g.name));
		limit_row(n, g, FW_LIMIT_CONNECTIONS, l.connections, c, list);
		limit_row(n, g, FW_LIMIT_NEW, l.new_s, c, list);
	}
}

int view_filter_list(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	struct network_rt *n, *next;
	struct counted c = count(m);
	json_t *list = json_array();

	(void)errs;
	HASH_ITER (hh, m->networks, n, next) {
		rules_of(n, &c, list);
		limits_rows(m, n, &c, list);
	}
	counted_done(&c);
	*ret = json_pack("{s:o}", "rules", list);
	return *ret ? 0 : -ENOMEM;
}

json_t *view_firewall_counters(struct manager *m)
{
	struct fw_counters f = {0};

	if (nft_counters(m->nft, &f, NULL) < 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "spoofed",
			 (json_int_t)f.spoofed, "refused_in", (json_int_t)f.refused_in,
			 "refused_out", (json_int_t)f.refused_out, "refused_host",
			 (json_int_t)f.refused_host, "metadata", (json_int_t)f.metadata, "limited",
			 (json_int_t)f.limited, "invalid", (json_int_t)f.invalid, "closed",
			 (json_int_t)f.closed);
}

static json_t *set_json(const struct policy_set *s)
{
	char text[POLICY_WHO_STRLEN];
	json_t *list = json_array();

	for (size_t i = 0; i < s->n_members; i++)
		json_array_append_new(list, json_string(policy_who_format(&s->members[i], text)));
	return list;
}

json_t *view_policy(const struct network_config *c)
{
	json_t *rules, *sets;

	if (c->mode == NETWORK_BRIDGED || !network_has_ipv4(c))
		return json_null();
	rules = json_array();
	sets = json_object();
	for (size_t i = 0; i < c->policy.n_rules; i++) {
		char text[POLICY_RULE_STRLEN];

		json_array_append_new(rules,
				      json_string(policy_rule_format(&c->policy.rules[i], text)));
	}
	for (size_t i = 0; i < c->policy.n_sets; i++)
		json_object_set_new(sets, c->policy.sets[i].name, set_json(&c->policy.sets[i]));
	return json_pack("{s:s, s:s, s:o, s:o}", "host", c->policy.open ? "open" : "closed",
			 "metadata", c->policy.metadata ? "allow" : "deny", "rules", rules, "sets",
			 sets);
}
