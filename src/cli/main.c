/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - the command `vmlane`: global options, the table of nouns, help.
 *
 * What a verb does is in its noun's cmd_*.c; how options are parsed and help is printed in verb.c.
 */
#include <locale.h>
#include <string.h>

#include "api/client.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/verb.h"
#include "config.h"

static int run_help(struct cli *cli, const struct verb_args *a);

static const struct verb help_verb = {
	"help",	  "[NOUN [VERB]]", "this overview, or all about a noun or verb",
	.max = 2, .run = run_help,
};

static const struct noun noun_help_itself = {"help", "this overview, or all about a noun or verb",
					     &help_verb, 1};

static const struct noun noun_demo = {
	.name = "demo",
	.help = "see it all at work, in namespaces of its own",
	.fn = cmd_demo,
};

/* The order of the help. */
static const struct noun *const nouns[] = {
	&noun_status, &noun_network, &noun_guest,   &noun_run,	       &noun_port,    &noun_mac,
	&noun_filter, &noun_scan,    &noun_forward, &noun_lease,       &noun_monitor, &noun_trace,
	&noun_probe,  &noun_explain, &noun_capture, &noun_apply,       &noun_confirm, &noun_diff,
	&noun_check,  &noun_doctor,  &noun_demo,    &noun_help_itself,
};

static const struct noun *noun_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
		if (strcmp(nouns[i]->name, name) == 0)
			return nouns[i];
	return NULL;
}

static void help_line(const char *noun, const char *verb, const char *args, const char *help)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%s%s%s%s", noun, *verb ? " " : "", verb, *args ? " " : "",
		 args);
	if (strlen(left) > 42)
		printf("  %s\n  %-42s  %s\n", left, "", help);
	else
		printf("  %-42s  %s\n", left, help);
}

static void help_overview(void)
{
	printf("Usage: vmlane [OPTION...] NOUN [VERB] [ARGUMENT...]\n\n"
	       "Networks for KVM guests: bridge, NAT and DHCP, and the way of every packet.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(nouns); i++) {
		const struct noun *n = nouns[i];

		if (!n->n_verbs)
			help_line(n->name, "", "[OPTION...]", n->help);
		for (size_t k = 0; k < n->n_verbs; k++)
			help_line(n->name, noun_is_single(n) ? "" : n->verbs[k].name,
				  n->verbs[k].args, n->verbs[k].help);
	}
	printf("\nOptions, anywhere:\n"
	       "  -o, --output FORMAT   table (the default) or json\n"
	       "      --socket PATH     the daemon's socket (or $VMLANE_SOCKET; default\n"
	       "                        " API_SOCKET_DEFAULT ")\n"
	       "  -h, --help            help, also behind a noun or verb\n"
	       "      --version         the version\n\n"
	       "Exit status: 0 done, 1 wrong usage, 2 refused, 3 no daemon. Manual: man vmlane\n");
}

/* "vmlane attach": a verb without its noun. */
static const struct noun *noun_of_verb(const char *verb)
{
	for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
		if (!noun_is_single(nouns[i]) && verb_find(nouns[i], verb))
			return nouns[i];
	return NULL;
}

static int unknown_noun(const char *typed)
{
	const char *words[ARRAY_SIZE(nouns)], *near;
	const struct noun *noun = noun_of_verb(typed);

	for (size_t i = 0; i < ARRAY_SIZE(nouns); i++)
		words[i] = nouns[i]->name;
	near = text_suggest(typed, words, ARRAY_SIZE(words));
	if (near)
		return cli_usage_error("", "unknown command '%s'; did you mean 'vmlane %s'?", typed,
				       near);
	if (noun)
		return cli_usage_error("", "unknown command '%s'; did you mean 'vmlane %s %s'?",
				       typed, noun->name, typed);
	return cli_usage_error("", "unknown command '%s'", typed);
}

static int run_help(struct cli *cli, const struct verb_args *a)
{
	char *ask[] = {NULL, "--help", NULL};
	const struct noun *noun;
	const struct verb *verb;

	if (a->n == 0) {
		help_overview();
		return EXIT_OK;
	}
	noun = noun_find(a->arg[0]);
	if (!noun)
		return unknown_noun(a->arg[0]);
	if (a->n == 1) {
		ask[0] = a->arg[0];
		return noun_dispatch(cli, noun, 2, ask);
	}
	verb = verb_find(noun, a->arg[1]);
	if (!verb)
		return cli_usage_error(noun->name, "unknown verb '%s'", a->arg[1]);
	verb_help(noun, verb, stdout);
	return EXIT_OK;
}

static bool want_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static int run_command(struct cli *cli, int argc, char **argv)
{
	const struct noun *noun;
	int first = 0;
	int r = cli_globals(cli, "", argc, argv, &first);

	if (r == CLI_HELP) {
		help_overview();
		return EXIT_OK;
	}
	if (r == CLI_VERSION) {
		printf("vmlane %s\n", VMLANE_VERSION);
		return EXIT_OK;
	}
	if (r != EXIT_OK)
		return r;
	if (first >= argc)
		return cli_usage_error("", "what shall be done? such as 'vmlane status'");
	noun = noun_find(argv[first]);
	if (!noun)
		return unknown_noun(argv[first]);
	return noun_dispatch(cli, noun, argc - first, argv + first);
}

int main(int argc, char **argv)
{
	const char *socket = getenv("VMLANE_SOCKET");
	struct cli cli = {
		.socket = socket && *socket ? socket : API_SOCKET_DEFAULT,
		.color = want_color(),
	};
	int r;

	setlocale(LC_ALL, "");
	cli_program_init();
	r = run_command(&cli, argc, argv);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		perror("vmlane: standard output");
		return r == EXIT_OK ? EXIT_REFUSED : r;
	}
	return r;
}
