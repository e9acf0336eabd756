/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_show.h - what the doctor found, for people and for programs. */
#ifndef VMLANE_CLI_DOCTOR_SHOW_H
#define VMLANE_CLI_DOCTOR_SHOW_H

#include "cli/cli.h"
#include "inspect/doctor.h"

/* struct doctor_fixed - a command that was run; @status: its exit code, 128 + N for signal N */
struct doctor_fixed {
	char where[96];
	const char *code;
	char command[700];
	int status;
};

/* doctor_print() - each finding, and at the end how many; where there is none, what was looked at. */
void doctor_print(const struct cli *cli, const struct doctor_report *r);

/* doctor_json() - one object; @fixed (@n of them) is left out when it is NULL. A new reference. */
json_t *doctor_json(const struct doctor_report *r, const struct doctor_fixed *fixed, size_t n);

/* doctor_is_well() - neither errors nor warnings. */
bool doctor_is_well(const struct doctor_report *r);

#endif
