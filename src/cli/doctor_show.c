/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_show.c - see doctor_show.h. */
#include "cli/doctor_show.h"

#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "cli/diagnosis_show.h"
#include "cli/output.h"

static const char *mark(enum doctor_severity s)
{
	static const char *const plain[] = {"FAIL", "warn", "note"};
	static const char *const signs[] = {"\u2717", "!", "-"};

	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? signs[s] : plain[s];
}

static const char *tick(void)
{
	return strcmp(nl_langinfo(CODESET), "UTF-8") == 0 ? "\u2713" : "ok  ";
}

bool doctor_is_well(const struct doctor_report *r)
{
	return r->n[DOCTOR_ERROR] + r->n[DOCTOR_WARNING] == 0;
}

static void print_finding(const struct doctor_finding *f, bool color)
{
	static const enum out_color colors[] = {OUT_RED, OUT_YELLOW, OUT_DIM};

	printf("%s%s%s ", out_color(color, colors[f->severity]), mark(f->severity),
	       out_color(color, OUT_PLAIN));
	out_print_escaped(stdout, f->where);
	printf(" (%s%s)\n", doctor_severity_name(f->severity), f->safe ? ", --fix mends it" : "");
	diagnosis_print(&f->why, color, false);
}

static void print_looked(const struct doctor_report *r, bool color)
{
	for (size_t i = 0; i < r->n_looked; i++)
		printf("%s%s%s %s\n", out_color(color, OUT_GREEN), tick(),
		       out_color(color, OUT_PLAIN), r->looked[i]);
}

static size_t count_safe(const struct doctor_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_findings; i++)
		n += r->findings[i].safe;
	return n;
}

static const char *plural(size_t n)
{
	return n == 1 ? "" : "s";
}

void doctor_print(const struct cli *cli, const struct doctor_report *r)
{
	size_t safe = count_safe(r);

	if (doctor_is_well(r))
		print_looked(r, cli->color);
	for (size_t i = 0; i < r->n_findings; i++)
		print_finding(&r->findings[i], cli->color);
	if (r->more)
		printf("and %zu more\n", r->more);
	if (doctor_is_well(r))
		printf("nothing is wrong: ");
	else
		printf("%zu error%s, %zu warning%s, ", r->n[DOCTOR_ERROR],
		       plural(r->n[DOCTOR_ERROR]), r->n[DOCTOR_WARNING],
		       plural(r->n[DOCTOR_WARNING]));
	printf("%zu note%s; looked at %zu network%s with %zu guest%s, and at the ways of %zu "
	       "packet%s%s\n",
	       r->n[DOCTOR_NOTE], plural(r->n[DOCTOR_NOTE]), r->networks, plural(r->networks),
	       r->guests, plural(r->guests), r->packets, plural(r->packets),
	       r->daemon ? "; vmlaned was asked" : "");
	if (safe)
		printf("vmlane doctor --fix runs %zu of these commands\n", safe);
}

static json_t *findings_json(const struct doctor_report *r)
{
	json_t *all = json_array();

	for (size_t i = 0; i < r->n_findings; i++) {
		const struct doctor_finding *f = &r->findings[i];

		json_array_append_new(all, json_pack("{s:s, s:o, s:b, s:o}", "severity",
						     doctor_severity_name(f->severity), "where",
						     out_string(f->where), "safe", f->safe,
						     "diagnosis", diagnosis_json(&f->why)));
	}
	return all;
}

static json_t *fixed_json(const struct doctor_fixed *fixed, size_t n)
{
	json_t *all = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			all, json_pack("{s:o, s:s, s:o, s:i}", "where", out_string(fixed[i].where),
				       "code", fixed[i].code, "command",
				       out_string(fixed[i].command), "status", fixed[i].status));
	return all;
}

json_t *doctor_json(const struct doctor_report *r, const struct doctor_fixed *fixed, size_t n)
{
	json_t *looked = json_array(), *all;

	for (size_t i = 0; i < r->n_looked; i++)
		json_array_append_new(looked, json_string(r->looked[i]));
	all = json_pack("{s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:I, s:I, s:I, s:b}", "ok",
			doctor_is_well(r), "errors", (json_int_t)r->n[DOCTOR_ERROR], "warnings",
			(json_int_t)r->n[DOCTOR_WARNING], "notes", (json_int_t)r->n[DOCTOR_NOTE],
			"left_out", (json_int_t)r->more, "findings", findings_json(r), "looked_at",
			looked, "networks", (json_int_t)r->networks, "guests",
			(json_int_t)r->guests, "packets", (json_int_t)r->packets, "daemon",
			r->daemon);
	if (fixed)
		json_object_set_new(all, "fixed", fixed_json(fixed, n));
	return all;
}
