/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_monitor.c - vmlane monitor: what happens, as it happens. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api/client.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"

static const struct verb_opt opts[] = {
	{"network", "NAME", "only events of this network"},
	{"count", "N", "end after N events"},
};

/**
 * struct watching - a monitor at work
 * @network:	NULL: all
 * @left:	events to go, 0: without end
 */
struct watching {
	const struct cli *cli;
	const char *network;
	uint32_t left;
};

static const char *text_of(const json_t *event, const char *key)
{
	const char *s = json_string_value(json_object_get(event, key));

	return s ? s : "";
}

static void print_line(const json_t *event)
{
	double at = json_number_value(json_object_get(event, "time"));
	struct buf text = BUF_INIT(OUT_TEXT_MAX);
	time_t seconds = (time_t)at;
	struct tm tm;
	char clock[16] = "";

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	out_escape(&text, text_of(event, "text"));
	printf("%s.%03d  %-16s %s\n", clock, (int)((at - (double)seconds) * 1000),
	       text_of(event, "event"), buf_str(&text));
	buf_done(&text);
}

static void print_json(const json_t *event)
{
	char *line = json_dumps(event, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(13));

	if (line)
		puts(line);
	free(line);
}

/* 1: enough. */
static int on_event(const json_t *event, void *ctx)
{
	struct watching *w = ctx;

	bool hello = strcmp(text_of(event, "event"), "hello") == 0;

	if (w->network && !hello && strcmp(text_of(event, "network"), w->network) != 0)
		return 0;
	if (w->cli->json)
		print_json(event);
	else
		print_line(event);
	fflush(stdout);
	return w->left && --w->left == 0;
}

static int run_monitor(struct cli *cli, const struct verb_args *a)
{
	struct watching w = {.cli = cli, .network = a->opt[0]};
	struct err_list *errs;
	int r;

	if (a->opt[1] && text_u32(a->opt[1], 1, 1000000000, &w.left) < 0)
		return cli_usage_error("monitor", "--count '%s' is not a number from 1 on",
				       a->opt[1]);
	if (w.network) {
		r = cli_check_name("network", w.network);
		if (r != EXIT_OK)
			return r;
	}
	errs = calloc(1, sizeof(*errs));
	if (!errs)
		return EXIT_REFUSED;
	r = api_listen(cli->socket, "/v1/events", on_event, &w, errs);
	r = r < 0 ? cli_fail(r, errs) : EXIT_OK;
	free(errs);
	return r;
}

static const struct verb verbs[] = {
	{"monitor", "[--network NAME] [--count N]", "events as they happen, until Ctrl-C",
	 .more = "With -o json one object a line. The first event, hello, says that it listens.",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .run = run_monitor},
};

const struct noun noun_monitor = {
	.name = "monitor",
	.help = "Events as they happen: guests, leases, MAC addresses, links, uplinks, drops by "
		"guards.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
