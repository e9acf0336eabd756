/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter_list.c - vmlane filter list: the rules of networks' policies with what they have counted, and what
 * is watched at guests' ports and was dropped there.
 */
#include "cli/filter_list.h"

#include "cli/request.h"
#include "cli/verb.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"

#define HINT                                                                                       \
	"nobody to filter: no guest is plugged in or configured; plug one in: "                    \
	"vmlane guest attach web1 --network NAME"

/* "2m ago from 52:54:00:12:34:56, 192.168.122.1" */
static void cell_last(const json_t *row, const char *key, struct buf *out)
{
	const json_t *last = json_object_get(row, key);
	const char *address = out_str(last, "address");

	if (!json_is_object(last))
		return;
	out_duration(out, clock_wall_s() - out_int(last, "time", clock_wall_s()));
	buf_printf(out, " ago from %s%s%s", out_str(last, "mac"), address ? ", " : "",
		   address ? address : "");
}

/* "off", "on", "on, 1000/s": a limit is one of frames a second, but for MACs. */
static void cell_on(const json_t *row, const char *key, struct buf *out)
{
	const char *guard = out_str(row, "guard");
	int64_t limit = out_int(row, "limit", 0);

	if (!json_is_true(json_object_get(row, key))) {
		buf_puts(out, "off");
		return;
	}
	buf_puts(out, "on");
	if (limit)
		buf_printf(out, ", %" PRId64 "%s", limit,
			   guard && strcmp(guard, "macs") == 0 ? "" : "/s");
}

static const struct out_col columns[] = {
	{"NETWORK", "network", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"GUARD", "guard", out_cell_text},
	{"", "on", cell_on},
	{"DROPPED", "dropped", out_cell_text, .right = true},
	{"LAST", "last", cell_last},
};

static const struct out_col rule_columns[] = {
	{"NETWORK", "network", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"KIND", "kind", out_cell_text},
	{"#", "position", out_cell_text, .right = true},
	{"RULE", "rule", out_cell_text},
	{"PACKETS", "packets", out_cell_text, .right = true},
	{"BYTES", "bytes", out_cell_bytes, .right = true},
};

/* A row for each guard of @guest. */
static int add_guest(const json_t *guest, json_t *rows)
{
	json_t *guards = json_object_get(guest, "guard"), *one;
	const char *name;
	int r = 0;

	json_object_foreach (guards, name, one)
		r |= json_array_append_new(
			rows, json_pack("{s:O, s:O, s:s, s:O, s:O, s:O, s:O}", "network",
					json_object_get(guest, "network"), "guest",
					json_object_get(guest, "name"), "guard", name, "on",
					json_object_get(one, "on"), "dropped",
					json_object_get(one, "dropped"), "last",
					json_object_get(one, "last"), "limit",
					json_object_get(one, "limit")));
	return r;
}

/* A rule is for all guests of its network: those who ask for one of them see it, too. */
static bool is_for(const json_t *rule, const char *name, const char *network)
{
	const char *of = out_str(rule, "network"), *guest = out_str(rule, "guest");

	if (!name || !of)
		return true;
	return strcmp(of, name) == 0 || (guest && strcmp(guest, name) == 0) ||
	       (!guest && network && strcmp(of, network) == 0);
}

/* The network of guest @name, or NULL. */
static const char *network_of(const json_t *answer, const char *name)
{
	const json_t *guests = json_object_get(answer, "guests"), *guest;
	size_t i;

	json_array_foreach (guests, i, guest)
		if (name && out_str(guest, "name") && strcmp(out_str(guest, "name"), name) == 0)
			return out_str(guest, "network");
	return NULL;
}

static json_t *rules_of(const json_t *answer, const char *name, const char *network)
{
	const json_t *all = json_object_get(answer, "rules");
	json_t *rows = json_array(), *rule;
	size_t i;

	json_array_foreach (all, i, rule)
		if (is_for(rule, name, network))
			json_array_append(rows, rule);
	return rows;
}

static bool is_named(const json_t *guest, const char *name)
{
	const char *own = out_str(guest, "name"), *network = out_str(guest, "network");

	return !name || (own && strcmp(own, name) == 0) || (network && strcmp(network, name) == 0);
}

static json_t *rows_of(const json_t *answer, const char *name)
{
	const json_t *guests = json_object_get(answer, "guests"), *guest;
	json_t *rows = json_array();
	int r = rows ? 0 : -1;
	size_t i;

	json_array_foreach (guests, i, guest)
		if (is_named(guest, name))
			r |= add_guest(guest, rows);
	if (r == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

static int print_table(const struct cli *cli, const struct out_col *cols, size_t n,
		       const json_t *rows)
{
	_cleanup_(freep) char *text = NULL;
	int r = out_table(cols, n, rows, cli->color, &text);

	if (r < 0)
		return cli_fail(r, NULL);
	puts(text);
	return EXIT_OK;
}

static int print_rows(const struct cli *cli, const json_t *rows, const json_t *rules)
{
	int r = EXIT_OK;

	if (json_array_size(rules))
		r = print_table(cli, rule_columns, ARRAY_SIZE(rule_columns), rules);
	if (json_array_size(rules) && json_array_size(rows))
		puts("");
	if (r == EXIT_OK && json_array_size(rows))
		r = print_table(cli, columns, ARRAY_SIZE(columns), rows);
	if (json_array_size(rows) == 0 && json_array_size(rules) == 0)
		fputs(HINT "\n", stderr);
	return r;
}

static int show(const struct cli *cli, const json_t *guests, const json_t *policies,
		const char *name)
{
	json_t *rows = rows_of(guests, name);
	json_t *rules = rules_of(policies, name, network_of(guests, name));
	json_t *all = json_pack("{s:o?, s:o?}", "filters", rows, "rules", rules);
	int r = EXIT_OK;

	if (!rows || !rules || !all) {
		r = cli_fail(-ENOMEM, NULL);
	} else if (name && json_array_size(rows) == 0 && json_array_size(rules) == 0) {
		fprintf(stderr,
			"vmlane: there is no guest '%s', nor a network of that name with guests or "
			"rules; `vmlane guest list` shows the guests there are\n",
			name);
		r = EXIT_REFUSED;
	} else if (!cli_print_json(cli, all)) {
		r = print_rows(cli, rows, rules);
	}
	json_decref(all);
	return r;
}

int filter_list(struct cli *cli, const struct verb_args *a)
{
	const char *name = a->n ? a->arg[0] : NULL;
	json_t *guests = NULL, *policies = NULL;
	int r = name ? cli_check_name("network or guest", name) : EXIT_OK;

	if (r == EXIT_OK)
		r = cli_call(cli, "GET", "/v1/guests", NULL, &guests);
	if (r == EXIT_OK)
		r = cli_call(cli, "GET", "/v1/rules", NULL, &policies);
	if (r == EXIT_OK)
		r = show(cli, guests, policies, name);
	json_decref(guests);
	json_decref(policies);
	return r;
}
