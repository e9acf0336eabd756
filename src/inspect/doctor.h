/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * doctor.h - what is wrong with this host's networks for guests, whoever set them up: looked for in the
 * host's state, without sending anything and without changing anything.
 *
 * Works without the daemon; with it, also over what that knows of its networks, guests and leases.
 * Findings are told as path/diagnose.h tells causes, by the same codes. Next on the walk: doctor.c.
 */
#ifndef VMLANE_INSPECT_DOCTOR_H
#define VMLANE_INSPECT_DOCTOR_H

#include "base/err.h"
#include "path/diagnose.h"

#define DOCTOR_FINDINGS_MAX 500 /* more are counted */

/* enum doctor_severity - how bad it is */
enum doctor_severity {
	DOCTOR_ERROR,	/* guests do not get what they need */
	DOCTOR_WARNING, /* they will not, or some do not */
	DOCTOR_NOTE,	/* nothing is broken; worth to know when something seems to be */
	DOCTOR_SEVERITIES,
};

/* doctor_severity_name() - "error", "warning", "note" */
const char *doctor_severity_name(enum doctor_severity s);

/**
 * struct doctor_finding - one thing that is wrong
 * @where:	"host", "daemon", "network lab", "bridge br7", "guest web1 (vl-web1)"
 * @safe:	its command only adds or restores: nothing is lost by it, and nothing that somebody else
 *		has decided is undone. Only such commands are run without being typed by a person.
 * @why:	what, evidence, and the command
 */
struct doctor_finding {
	enum doctor_severity severity;
	char where[96];
	bool safe;
	struct diagnosis why;
};

/**
 * struct doctor_report - owned by the caller: doctor_report_done()
 * @findings:	@n_findings of them, the worst first; @more were left out
 * @n:		how many of each severity, those left out too
 * @looked:	what was looked at, @n_looked lines of text for people; not owned
 * @networks, @guests, @packets: how many bridges and guests were looked at, and the ways of how many
 *		packets concluded
 * @daemon:	vmlaned was asked
 */
struct doctor_report {
	struct doctor_finding *findings;
	size_t n_findings;
	size_t more;
	size_t n[DOCTOR_SEVERITIES];
	const char *looked[32];
	size_t n_looked;
	size_t networks;
	size_t guests;
	size_t packets;
	bool daemon;
};

/**
 * struct doctor_options - what to look at
 * @only:	a network's name or a bridge; NULL: all
 * @socket:	the daemon's; NULL: none has anything to do with this network namespace
 */
struct doctor_options {
	const char *only;
	const char *socket;
};

/*
 * doctor_run() - in the calling thread's network namespace. 0; -ENOENT: there is no such network (those
 * there are, are said); or the kernel's error.
 */
int doctor_run(const struct doctor_options *o, struct doctor_report *ret,
	       struct err *e) __must_check;
void doctor_report_done(struct doctor_report *r);

#endif
