/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_doctor.c - vmlane doctor: what is wrong with the networks of this host's guests, and the command that
 * mends it; with --fix, running those commands that are safe.
 *
 * Next on the walk: inspect/doctor.h.
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api/client.h"
#include "cli/ask.h"
#include "cli/doctor_show.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "inspect/subject.h"

#define EXIT_PROBLEMS 4

enum { DOCTOR_FIX, DOCTOR_YES, DOCTOR_NETNS, DOCTOR_OPTS };

static const struct verb_opt opts[] = {
	[DOCTOR_FIX] = {"fix", NULL, "then run the commands that are safe, once you agree"},
	[DOCTOR_YES] = {"yes", NULL, "with --fix: do not ask", 'y'},
	[DOCTOR_NETNS] = {"netns", "NAME",
			  "in this network namespace; the daemon is asked only with --socket"},
};
_Static_assert(ARRAY_SIZE(opts) == DOCTOR_OPTS, "an option for each number");

extern char **environ;

static bool is_to_run(const struct doctor_finding *f)
{
	return f->safe && f->why.mend[0];
}

static size_t count_to_run(const struct doctor_report *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_findings; i++)
		n += is_to_run(&r->findings[i]);
	return n;
}

/* What it says goes to stderr, so that stdout stays JSON. Its exit code as a shell has it. */
static int run_command(const char *command)
{
	char *argv[] = {"sh", "-c", (char *)command, NULL};
	posix_spawn_file_actions_t to;
	int status = 0, r;
	pid_t pid;

	if (posix_spawn_file_actions_init(&to) != 0)
		return 126;
	r = posix_spawn_file_actions_adddup2(&to, STDERR_FILENO, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn(&pid, "/bin/sh", &to, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&to);
	if (r != 0)
		return 126;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return 126;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- asking ---- */

static void show_commands(const struct doctor_report *r)
{
	printf("\nthese commands would be run:\n");
	for (size_t i = 0; i < r->n_findings; i++) {
		if (!is_to_run(&r->findings[i]))
			continue;
		printf("  ");
		out_print_escaped(stdout, r->findings[i].why.mend);
		putchar('\n');
	}
	fflush(stdout);
}

static bool agreed(void)
{
	char answer[16];

	printf("run them? [y/N] ");
	fflush(stdout);
	return fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* ---- mending ---- */

/* struct fixes - the commands that were run; owned. */
struct fixes {
	struct doctor_fixed *v;
	size_t n;
	bool failed;
};

/* @f is still so: time may have passed since it was shown. */
static bool is_still(const struct doctor_report *now, const struct doctor_finding *f)
{
	for (size_t i = 0; i < now->n_findings; i++)
		if (is_to_run(&now->findings[i]) &&
		    strcmp(now->findings[i].why.mend, f->why.mend) == 0)
			return true;
	return false;
}

static int fix_all(const struct cli *cli, const struct doctor_report *r,
		   const struct doctor_report *now, struct fixes *ret)
{
	ret->v = calloc(r->n_findings + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_findings; i++) {
		const struct doctor_finding *f = &r->findings[i];
		struct doctor_fixed *x = &ret->v[ret->n];

		if (!is_to_run(f) || !is_still(now, f))
			continue;
		memcpy(x->where, f->where, sizeof(x->where));
		memcpy(x->command, f->why.mend, sizeof(x->command));
		x->code = f->why.code;
		if (!cli->json) {
			printf("+ ");
			out_print_escaped(stdout, x->command);
			putchar('\n');
			fflush(stdout);
		}
		x->status = run_command(x->command);
		ret->failed |= x->status != 0;
		ret->n++;
		if (x->status)
			fprintf(stderr, "vmlane: it ended with %d\n", x->status);
	}
	return 0;
}

static int show(const struct cli *cli, const struct doctor_report *r, const struct fixes *fixes)
{
	json_t *j;

	if (cli->json) {
		j = doctor_json(r, fixes ? fixes->v : NULL, fixes ? fixes->n : 0);
		out_json(j);
		json_decref(j);
	} else {
		doctor_print(cli, r);
	}
	if (fixes && fixes->failed)
		return EXIT_REFUSED;
	return doctor_is_well(r) ? EXIT_OK : EXIT_PROBLEMS;
}

/* Look again, mend what is still so, and say what is left. */
static int fix(const struct cli *cli, const struct doctor_options *o, const struct doctor_report *r,
	       bool yes)
{
	struct doctor_report now = {0}, after = {0};
	struct fixes fixes = {0};
	struct err e = {0};
	int err;

	if (!cli->json)
		show_commands(r);
	if (!yes && !agreed()) {
		printf("nothing was run\n");
		return EXIT_PROBLEMS;
	}
	err = doctor_run(o, &now, &e);
	if (err == 0 && fix_all(cli, r, &now, &fixes) < 0)
		err = err_set(&e, -ENOMEM, "memory", "doctor", "out of memory");
	doctor_report_done(&now);
	if (err == 0)
		err = doctor_run(o, &after, &e);
	if (err == 0 && !cli->json)
		printf("\nafterwards:\n");
	err = err < 0 ? ask_failed(&e, err) : show(cli, &after, &fixes);
	doctor_report_done(&after);
	free(fixes.v);
	return err;
}

static int doctor(const struct cli *cli, const struct doctor_options *o, bool want_fix, bool yes)
{
	struct doctor_report r = {0};
	struct fixes none = {.v = &(struct doctor_fixed){.status = 0}};
	struct err e = {0};
	int err = doctor_run(o, &r, &e);

	if (err < 0)
		return ask_failed(&e, err);
	if (!want_fix) {
		err = show(cli, &r, NULL);
	} else if (!count_to_run(&r)) {
		err = show(cli, &r, &none);
		if (!cli->json)
			printf("there is no command that is safe to run\n");
	} else {
		if (!cli->json)
			doctor_print(cli, &r);
		err = fix(cli, o, &r, yes);
	}
	doctor_report_done(&r);
	return err;
}

static int run_doctor(struct cli *cli, const struct verb_args *a)
{
	struct doctor_options o = {.only = a->arg[0], .socket = cli->socket};
	bool want_fix = a->opt[DOCTOR_FIX], yes = a->opt[DOCTOR_YES];
	struct err e = {0};
	int r;

	if (yes && !want_fix)
		return cli_usage_error("doctor", "--yes is for --fix");
	if (want_fix && !yes && (cli->json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return cli_usage_error("doctor", "--fix asks before it runs anything, and there is "
						 "nobody to ask here: add --yes");
	if (a->opt[DOCTOR_NETNS]) {
		r = subject_enter_netns(a->opt[DOCTOR_NETNS], &e);
		if (r < 0)
			return ask_failed(&e, r);
		/* The host's own daemon knows nothing of what is in there. */
		if (strcmp(cli->socket, API_SOCKET_DEFAULT) == 0)
			o.socket = NULL;
	}
	return doctor(cli, &o, want_fix, yes);
}

static const struct verb verbs[] = {
	{"doctor", "[NETWORK|BRIDGE] [--fix [--yes]]",
	 "what is wrong with guests' networks here, and the command that mends it",
	 .more = "All networks of this host are looked at, whoever set them up: ours, libvirt's, "
		 "those made by hand.\n"
		 "Nothing is sent and, without --fix, nothing is changed. Works without the "
		 "daemon; with it, its\n"
		 "networks, guests and leases are looked at too. Run it as root: others see less.\n"
		 "--fix runs the commands that only add or restore; never one that would undo "
		 "what somebody else\n"
		 "may have decided, such as a firewall's rule.\n"
		 "Exit status 0: nothing is wrong (there may be notes); 4: something is; 2: it "
		 "could not be looked at,\n"
		 "or a command of --fix failed.\n",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 0, .max = 1, .run = run_doctor},
};

const struct noun noun_doctor = {
	.name = "doctor",
	.help = "What is wrong with the networks of this host's guests?",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
