/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe_all_show.c - see probe_all_show.h. Lines come as they are known: some questions take seconds. */
#include "cli/probe_all_show.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "cli/diagnosis_show.h"
#include "cli/output.h"
#include "cli/trace_json.h"

#define LINE_MAX_LEN 1024

static void json_check(const struct check *c)
{
	trace_json_line(json_pack("{s:s, s:s, s:s, s:s, s:o}", "event", "check", "check", c->name,
				  "result", check_state_name(c->state), "text", c->text,
				  "diagnosis",
				  c->explained ? diagnosis_json(&c->why) : json_null()));
}

static const char *mark(enum check_state s)
{
	static const char *const plain[] = {"-   ", "ok  ", "FAIL"};
	static const char *const ticks[] = {"-", "\u2713", "\u2717"};

	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? ticks[s] : plain[s];
}

static void print_check(const struct check *c, bool color)
{
	static const enum out_color colors[] = {OUT_DIM, OUT_GREEN, OUT_RED};
	struct buf text = BUF_INIT(LINE_MAX_LEN);

	out_escape(&text, c->text);
	printf("%s%s%s %-9s%s\n", out_color(color, colors[c->state]), mark(c->state),
	       out_color(color, OUT_PLAIN), c->name, buf_str(&text));
	buf_done(&text);
	if (c->explained)
		diagnosis_print(&c->why, color, false);
	fflush(stdout);
}

static void on_check(const struct check *c, void *ctx)
{
	const struct cli *cli = ctx;

	if (cli->json)
		json_check(c);
	else
		print_check(c, cli->color);
}

int probe_all_show(const struct cli *cli, struct subject *s, const struct probe_all_options *o,
		   bool *ret, struct err *e)
{
	unsigned int n[CHECK_FAILED + 1];
	int r = probe_all(s, o, on_check, (void *)cli, n, e);
	bool ok;

	if (r < 0)
		return r;
	ok = n[CHECK_FAILED] == 0 && n[CHECK_PASSED] > 0;
	if (cli->json)
		trace_json_line(json_pack("{s:s, s:b, s:i, s:i, s:i, s:b}", "event", "result", "ok",
					  ok, "passed", (int)n[CHECK_PASSED], "failed",
					  (int)n[CHECK_FAILED], "not_tried",
					  (int)n[CHECK_NOT_TRIED], "sent", o->send));
	else
		printf("%u passed, %u failed, %u not tried%s\n", n[CHECK_PASSED], n[CHECK_FAILED],
		       n[CHECK_NOT_TRIED],
		       o->send ? "" : " (nobody outside of this host was asked: --send does)");
	*ret = ok;
	return 0;
}
