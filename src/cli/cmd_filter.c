/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_filter.c - what is watched at guests' ports, and what was dropped there. */
#include "cli/request.h"
#include "cli/verb.h"

#include <errno.h>
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

static void cell_on(const json_t *row, const char *key, struct buf *out)
{
	buf_puts(out, json_is_true(json_object_get(row, key)) ? "on" : "off");
}

static const struct out_col columns[] = {
	{"NETWORK", "network", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"GUARD", "guard", out_cell_text},
	{"", "on", cell_on},
	{"DROPPED", "dropped", out_cell_text, .right = true},
	{"LAST", "last", cell_last},
};

/* A row for each guard of @guest. */
static int add_guest(const json_t *guest, json_t *rows)
{
	json_t *guards = json_object_get(guest, "guard"), *one;
	const char *name;
	int r = 0;

	json_object_foreach (guards, name, one)
		r |= json_array_append_new(rows,
					   json_pack("{s:O, s:O, s:s, s:O, s:O, s:O}", "network",
						     json_object_get(guest, "network"), "guest",
						     json_object_get(guest, "name"), "guard", name,
						     "on", json_object_get(one, "on"), "dropped",
						     json_object_get(one, "dropped"), "last",
						     json_object_get(one, "last")));
	return r;
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

static int print_rows(const struct cli *cli, const json_t *rows)
{
	_cleanup_(freep) char *text = NULL;
	int r;

	if (json_array_size(rows) == 0) {
		fputs(HINT "\n", stderr);
		return EXIT_OK;
	}
	r = out_table(columns, ARRAY_SIZE(columns), rows, cli->color, &text);
	if (r < 0)
		return cli_fail(r, NULL);
	puts(text);
	return EXIT_OK;
}

static int show(const struct cli *cli, const json_t *answer, const char *name)
{
	json_t *rows = rows_of(answer, name), *all = json_pack("{s:o?}", "filters", rows);
	int r = EXIT_OK;

	if (!rows || !all) {
		r = cli_fail(-ENOMEM, NULL);
	} else if (name && json_array_size(rows) == 0) {
		fprintf(stderr,
			"vmlane: there is no guest '%s', nor a network of that name with guests; "
			"`vmlane guest list` shows the guests there are\n",
			name);
		r = EXIT_REFUSED;
	} else if (!cli_print_json(cli, all)) {
		r = print_rows(cli, rows);
	}
	json_decref(all);
	return r;
}

static int run_list(struct cli *cli, const struct verb_args *a)
{
	const char *name = a->n ? a->arg[0] : NULL;
	json_t *answer = NULL;
	int r = name ? cli_check_name("network or guest", name) : EXIT_OK;

	if (r == EXIT_OK)
		r = cli_call(cli, "GET", "/v1/guests", NULL, &answer);
	if (r == EXIT_OK)
		r = show(cli, answer, name);
	json_decref(answer);
	return r;
}

static const struct verb verbs[] = {
	{"list", "[NETWORK|GUEST]", "guards at the guests' ports, and what they have dropped",
	 .more = "DROPPED counts frames since the guest was plugged in; LAST is the last of them:\n"
		 "its Ethernet source, and its IP or ARP source if it had one. Switches: `guard` "
		 "of\n"
		 "network and guest, vmlane.yaml(5).\n",
	 .max = 1, .run = run_list},
};

const struct noun noun_filter = {
	.name = "filter",
	.help = "What guests must not send, and what was dropped of it.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
