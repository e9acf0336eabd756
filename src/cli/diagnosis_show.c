/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnosis_show.c - see diagnosis_show.h. */
#include "cli/diagnosis_show.h"

#include <stdio.h>

#include "cli/output.h"

#define LINE_MAX_LEN 4096

static void print_line(const char *label, const char *text, bool color, enum out_color how)
{
	struct buf safe = BUF_INIT(LINE_MAX_LEN);

	out_escape(&safe, text);
	printf("  %11s  %s%s:%s %s%s%s\n", "", out_color(color, OUT_BOLD), label,
	       out_color(color, OUT_PLAIN), out_color(color, how), buf_str(&safe),
	       out_color(color, OUT_PLAIN));
	buf_done(&safe);
}

void diagnosis_print(const struct diagnosis *d, bool color, bool again)
{
	struct buf evidence = BUF_INIT(LINE_MAX_LEN);

	if (again) {
		print_line("cause", d->code, color, OUT_DIM);
		return;
	}
	print_line("cause", d->cause, color, OUT_PLAIN);
	for (size_t i = 0; i < d->n_evidence; i++)
		buf_printf(&evidence, "%s%s %s", i ? "; " : "", d->evidence[i].kind,
			   d->evidence[i].text);
	buf_printf(&evidence, "%s(%s)", d->n_evidence ? " " : "", d->code);
	print_line("evidence", buf_str(&evidence), color, OUT_PLAIN);
	buf_done(&evidence);
	if (d->mend[0])
		print_line("mend", d->mend, color, OUT_GREEN);
	if (d->advice[0])
		print_line("note", d->advice, color, OUT_PLAIN);
}

json_t *diagnosis_json(const struct diagnosis *d)
{
	json_t *evidence = json_array();

	for (size_t i = 0; i < d->n_evidence; i++)
		json_array_append_new(evidence, json_pack("{s:s, s:o}", "kind", d->evidence[i].kind,
							  "text", out_string(d->evidence[i].text)));
	return json_pack("{s:s, s:o, s:o, s:o, s:o}", "code", d->code, "cause",
			 out_string(d->cause), "evidence", evidence, "mend", out_string(d->mend),
			 "advice", out_string(d->advice));
}
