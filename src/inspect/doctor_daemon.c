/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor_daemon.c - vmlaned itself: does it run, what does it say of its networks, what does it lack. */
#include "inspect/doctor_internal.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "config.h"

#define HELPER VMLANE_LIBEXECDIR "/vmlane-bridge-helper"
#define TUN "/dev/net/tun"

static size_t count_ours(const struct doctor *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_nets; i++)
		n += d->nets[i].ours != NULL;
	return n;
}

/* Nobody misses it where it has no networks. */
static void check_running(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "daemon-down", NULL);
	size_t n = count_ours(d);

	if (d->daemon != DAEMON_DOWN || !n)
		return;
	snprintf(f.where, sizeof(f.where), "daemon");
	diagnosis_cause(&f.why,
			"vmlaned does not run, and %zu of its networks do: guests get no new "
			"addresses, and what others change is not put right",
			n);
	diagnosis_saw(&f.why, "socket", "nobody answers at %s", d->o->socket);
	diagnosis_mend(&f.why, "systemctl start vmlaned");
	doctor_add(d, &f);
}

static void check_allowed(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_NOTE, "daemon-forbidden", NULL);

	if (d->daemon != DAEMON_FORBIDDEN)
		return;
	snprintf(f.where, sizeof(f.where), "daemon");
	diagnosis_cause(&f.why,
			"this user may not ask vmlaned: what it knows of its networks, guests and "
			"leases was not looked at");
	diagnosis_saw(&f.why, "socket", "%s", d->o->socket);
	if (getgrnam(VMLANE_GROUP))
		diagnosis_advice(&f.why, "root may, and members of group " VMLANE_GROUP
					 ": adduser USER " VMLANE_GROUP ", and log in anew");
	else
		diagnosis_advice(&f.why, "there is no group " VMLANE_GROUP
					 ", so that root alone may: addgroup --system " VMLANE_GROUP
					 ", then restart vmlaned");
	doctor_add(d, &f);
}

static bool is_told(const struct doctor *d, const char *message)
{
	for (size_t i = 0; i < d->report->n_findings; i++)
		if (strncmp(d->report->findings[i].why.cause, message,
			    sizeof(d->report->findings[i].why.cause) - 1) == 0)
			return true;
	return false;
}

/* What the daemon itself complains of: files that cannot be read, rules that the kernel refused, ... */
static void take_problem(struct doctor *d, const json_t *p, const char *where, const char *code,
			 enum doctor_severity severity)
{
	struct doctor_finding f = doctor_new_finding(severity, code, NULL);
	const char *at = json_string_value(json_object_get(p, "where"));
	const char *message = json_string_value(json_object_get(p, "message"));
	const char *word = json_string_value(json_object_get(p, "code"));

	if (!message || is_told(d, message))
		return;
	snprintf(f.where, sizeof(f.where), "%s", where);
	diagnosis_cause(&f.why, "%s", message);
	diagnosis_saw(&f.why, "daemon", "%s%s%s", word ? word : "", word && at && at[0] ? ": " : "",
		      at ? at : "");
	doctor_add(d, &f);
}

static void check_problems(struct doctor *d)
{
	const json_t *one;
	char where[96];
	size_t i, k;

	json_array_foreach (json_object_get(d->networks, "networks"), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));
		const char *state = json_string_value(json_object_get(one, "state"));
		bool failed = state && strcmp(state, "failed") == 0;
		const json_t *note;

		if (d->only && strcmp(d->o->only, name ? name : "") != 0)
			continue;
		snprintf(where, sizeof(where), "network %s", name ? name : "?");
		take_problem(d, json_object_get(one, "problem"), where,
			     failed ? "network-failed" : "network-problem",
			     failed ? DOCTOR_ERROR : DOCTOR_WARNING);
		json_array_foreach (json_object_get(one, "notes"), k, note)
			take_problem(d, note, where, "network-note", DOCTOR_NOTE);
	}
	json_array_foreach (json_object_get(d->our_guests, "guests"), i, one) {
		const char *name = json_string_value(json_object_get(one, "name"));

		snprintf(where, sizeof(where), "guest %s", name ? name : "?");
		take_problem(d, json_object_get(one, "problem"), where, "guest-problem",
			     DOCTOR_WARNING);
	}
	/* All of them once more, and those that are nobody's: files, and what the kernel has otherwise. */
	json_array_foreach (json_object_get(d->status, "problems"), i, one)
		if (!d->only)
			take_problem(d, one, "daemon", "daemon-problem", DOCTOR_WARNING);
}

/* Its networks stand, and none of their rules. */
static void check_rules(struct doctor *d)
{
	for (size_t i = 0; i < d->n_nets && d->state; i++) {
		const struct doctor_net *n = &d->nets[i];
		struct doctor_finding f = doctor_new_finding(DOCTOR_ERROR, "rules-missing", n);

		if (!n->ours || n->bridged || !n->bridge->up ||
		    d->f->chain("inet", "vmlane", "forward", d->f->ctx))
			continue;
		snprintf(f.where, sizeof(f.where), "daemon");
		diagnosis_cause(&f.why,
				"vmlane's own rules are gone: guests are neither translated nor "
				"kept apart. Somebody has flushed the ruleset");
		diagnosis_saw(&f.why, "rule", "no chain forward in table inet vmlane");
		diagnosis_mend(&f.why, "%s",
			       d->daemon == DAEMON_DOWN ? "systemctl start vmlaned"
							: "vmlane apply");
		doctor_add(d, &f);
		return;
	}
}

/* Users start QEMU with it; what it may do it gets from the daemon. */
static void check_helper(struct doctor *d)
{
	struct doctor_finding f = doctor_new_finding(DOCTOR_WARNING, "helper-rights", NULL);
	struct stat st;

	if (stat(HELPER, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	if (st.st_mode & (S_ISUID | S_ISGID)) {
		diagnosis_cause(&f.why, "vmlane-bridge-helper has rights that it does not need: "
					"what users may do is for vmlaned to say");
		diagnosis_mend(&f.why, "chmod ug-s " HELPER);
	} else if (!(st.st_mode & S_IXOTH)) {
		diagnosis_cause(&f.why, "users cannot run vmlane-bridge-helper, by which QEMU gets "
					"their VMs' taps");
		diagnosis_mend(&f.why, "chmod a+rx " HELPER);
	} else {
		return;
	}
	diagnosis_saw(&f.why, "file", HELPER " mode %04o", st.st_mode & 07777);
	doctor_add(d, &f);
}

void doctor_check_daemon(struct doctor *d)
{
	check_helper(d);
	check_running(d);
	check_allowed(d);
	check_problems(d);
	check_rules(d);
}

void doctor_check_tun(struct doctor *d)
{
	struct doctor_finding f =
		doctor_new_finding(d->n_nets ? DOCTOR_ERROR : DOCTOR_NOTE, "tun-missing", NULL);
	struct stat st;

	if (stat(TUN, &st) < 0) {
		diagnosis_cause(&f.why,
				"there is no " TUN ": no VM can be plugged into any network");
		diagnosis_saw(&f.why, "file", TUN ": %s", strerror(errno));
		diagnosis_mend(&f.why, "modprobe tun");
		doctor_add(d, &f);
		return;
	}
	if (S_ISCHR(st.st_mode) && (st.st_mode & 0666) == 0666)
		return;
	f.severity = DOCTOR_NOTE;
	f.why.code = "tun-rights";
	diagnosis_cause(&f.why, TUN " %s",
			S_ISCHR(st.st_mode)
				? "is not open to all users, as udev makes it: VMs that are not "
				  "root's get no network by it"
				: "is no device");
	diagnosis_saw(&f.why, "file", TUN " mode %04o", st.st_mode & 07777);
	if (S_ISCHR(st.st_mode))
		diagnosis_mend(&f.why, "chmod 0666 " TUN);
	diagnosis_advice(&f.why, "opening it gives nobody any right over interfaces; the kernel "
				 "looks at that when one is made");
	doctor_add(d, &f);
}
