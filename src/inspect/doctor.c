/* SPDX-License-Identifier: GPL-2.0-or-later */
/* doctor.c - see doctor.h: the table of checks, and which commands are safe to run. */
#include "inspect/doctor_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* In the order in which they are looked at; the way of packets last, since others name causes better. */
static const struct doctor_check checks[] = {
	{"the daemon, its configuration and its networks", doctor_check_daemon},
	{"/dev/net/tun", doctor_check_tun},
	{"default routes, uplinks and their gateways", doctor_check_uplinks},
	{"rp_filter where there are several ways out", doctor_check_rp_filter},
	{"conntrack's table", doctor_check_conntrack},
	{"ports to translate guests' connections to", doctor_check_nat_ports},
	{"the host's resolvers", doctor_check_resolvers},
	{"IPv6: switched off, or deaf to router advertisements", doctor_check_ipv6},
	{"tc, TCX and XDP programs at guests' ports, bridges and uplinks", doctor_check_programs},
	{"bridges", doctor_check_bridges},
	{"guests' ports: up, in their bridge, open, and with a process that reads",
	 doctor_check_ports},
	{"isolated ports", doctor_check_isolation},
	{"MTUs of bridges, ports and uplinks", doctor_check_mtu},
	{"static entries in the bridges' MAC tables", doctor_check_macs},
	{"MACs and addresses that two guests have", doctor_check_duplicates},
	{"subnets that overlap", doctor_check_subnets},
	{"DHCP leases", doctor_check_leases},
	{"DHCP servers and DNS on the bridges", doctor_check_servers},
	{"the way of packets by rules, routes and translation: to the Internet and back, to DHCP "
	 "and "
	 "DNS on the host, between guests",
	 doctor_check_ways},
};
_Static_assert(ARRAY_SIZE(checks) <= ARRAY_SIZE(((struct doctor_report *)0)->looked),
	       "a line for each check");

/**
 * struct safety - whose command may be run by --fix
 * @ours:	only where it is about a network or guest of ours
 *
 * What is not listed is not safe: it would undo what somebody may have decided (a rule, a port that was
 * shut, a route that refuses), open this host (ip_forward), or is a guess.
 */
struct safety {
	const char *code;
	bool ours;
};

static const struct safety safe_codes[] = {
	{"daemon-down", false},	  /* starts the service */
	{"tun-missing", false},	  /* loads the module */
	{"rules-missing", true},  /* the daemon puts back what is its own */
	{"not-translated", true}, /* others may want their guests' addresses to be seen */
	{"forwarding-off", true}, /* others may have cut them off */
	{"accept-ra", false},	  /* the default route comes back; nothing goes */
	{"port-down", true},	  /* of others' ports somebody may have wanted that */
	{"bridge-down", true},
	{"too-big-for-port", false}, /* a port takes what its bridge takes */
	{"leaked-tap", true},	     /* nobody has it open, and the daemon does not know it */
};

static bool is_safe(const struct doctor_finding *f, bool ours)
{
	for (size_t i = 0; i < ARRAY_SIZE(safe_codes) && f->why.mend[0]; i++)
		if (strcmp(safe_codes[i].code, f->why.code) == 0)
			return ours || !safe_codes[i].ours;
	return false;
}

const char *doctor_severity_name(enum doctor_severity s)
{
	static const char *const names[] = {"error", "warning", "note"};

	_Static_assert(ARRAY_SIZE(names) == DOCTOR_SEVERITIES, "a word for each");
	return names[s];
}

/* ---- findings ---- */

struct doctor_finding doctor_new_finding(enum doctor_severity severity, const char *code,
					 const struct doctor_net *n)
{
	struct doctor_finding f = {.severity = severity, .why = {.code = code}};

	if (n && n->ours)
		snprintf(f.where, sizeof(f.where), "network %s", n->ours);
	else if (n)
		snprintf(f.where, sizeof(f.where), "bridge %s", n->bridge->name);
	else
		snprintf(f.where, sizeof(f.where), "host");
	f.safe = n && n->ours;
	return f;
}

struct doctor_finding doctor_of_guest(enum doctor_severity severity, const char *code,
				      const struct inventory_guest *g)
{
	struct doctor_finding f = {.severity = severity, .why = {.code = code}};

	if (g->name[0])
		snprintf(f.where, sizeof(f.where), "guest %s (%s)", g->name, g->port);
	else
		snprintf(f.where, sizeof(f.where), "port %s", g->port);
	f.safe = g->network[0];
	return f;
}

static uint64_t print_of(const struct diagnosis *w)
{
	uint64_t h = hash_str(HASH_INIT, w->code);

	for (size_t i = 0; i < w->n_evidence; i++)
		h = hash_str(h, w->evidence[i].text);
	return hash_str(h, w->n_evidence ? w->mend : w->cause);
}

void doctor_add(struct doctor *d, const struct doctor_finding *f)
{
	struct doctor_report *r = d->report;
	uint64_t print = print_of(&f->why);
	struct doctor_finding *more;

	for (size_t i = 0; i < r->n_findings; i++)
		if (print_of(&r->findings[i].why) == print)
			return;
	r->n[f->severity]++;
	more = r->n_findings < DOCTOR_FINDINGS_MAX
		       ? reallocarray(r->findings, r->n_findings + 1, sizeof(*more))
		       : NULL;
	if (!more) {
		r->more++;
		return;
	}
	r->findings = more;
	more[r->n_findings] = *f;
	/* A note is nothing that is broken: its command is left to people. */
	more[r->n_findings].safe = f->severity != DOCTOR_NOTE && is_safe(f, f->safe);
	r->n_findings++;
}

/* The worst first; else in the order in which they were found. */
static void sort(struct doctor_report *r)
{
	struct doctor_finding *sorted = calloc(r->n_findings + 1, sizeof(*sorted));
	size_t n = 0;

	if (!sorted)
		return;
	for (int s = 0; s < DOCTOR_SEVERITIES; s++)
		for (size_t i = 0; i < r->n_findings; i++)
			if ((int)r->findings[i].severity == s)
				sorted[n++] = r->findings[i];
	free(r->findings);
	r->findings = sorted;
}

void doctor_report_done(struct doctor_report *r)
{
	free(r->findings);
	*r = (struct doctor_report){0};
}

int doctor_run(const struct doctor_options *o, struct doctor_report *ret, struct err *e)
{
	struct doctor_report report = {0};
	struct doctor d = {.o = o, .report = &report};
	int r = doctor_read(&d, e);

	for (size_t i = 0; i < ARRAY_SIZE(checks) && r == 0; i++) {
		checks[i].run(&d);
		report.looked[report.n_looked++] = checks[i].what;
	}
	if (r == 0) {
		sort(&report);
		report.networks = d.n_nets;
		for (size_t i = 0; i < d.n_nets; i++)
			report.guests += d.nets[i].n_guests;
		report.daemon = d.daemon == DAEMON_ANSWERS;
		*ret = report;
	} else {
		doctor_report_done(&report);
	}
	doctor_done(&d);
	return r;
}
