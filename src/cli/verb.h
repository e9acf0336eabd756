/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb.h - nouns and verbs as tables: one place that parses options, words usage errors and
 * prints help, so that what the help says is what the parser does.
 *
 * Next on the walk: the noun's cmd_*.c.
 */
#ifndef VMLANE_CLI_VERB_H
#define VMLANE_CLI_VERB_H

#include <stdio.h>
#include "cli/cli.h"

#define VERB_OPTS_MAX 20

/**
 * struct verb_opt - a long option of a verb
 * @name:	without the dashes
 * @value:	what stands for its value in the help ("CIDR"), NULL for a flag
 * @help:	one line
 * @letter:	short form, 0 for none
 */
struct verb_opt {
	const char *name;
	const char *value;
	const char *help;
	char letter;
};

/**
 * struct verb_args - what was typed after the verb
 * @opt:	the value of each option, by its index in struct verb's @opts; NULL: not given;
 *		"" for a flag
 * @n:		how many positional arguments
 * @arg:	the positional arguments, NULL behind the last
 */
struct verb_args {
	const char *opt[VERB_OPTS_MAX];
	int n;
	char **arg;
};

#define VERB_ANY (-1)

/**
 * struct verb - one verb of a noun
 * @name:	as typed
 * @args:	its arguments as the usage line shows them
 * @help:	one line
 * @more:	longer explanation or examples for its own help, NULL when there is none
 * @opts:	its own options, @n_opts of them; the global ones are known everywhere
 * @min:	least number of positional arguments
 * @max:	largest, or VERB_ANY
 * @command:	the first positional argument starts a foreign command line whose options are
 *		left alone
 * @run:	does it; returns the exit code
 */
struct verb {
	const char *name;
	const char *args;
	const char *help;
	const char *more;
	const struct verb_opt *opts;
	size_t n_opts;
	int min;
	int max;
	bool command;
	int (*run)(struct cli *cli, const struct verb_args *a);
};

/**
 * struct noun - a noun and its verbs
 * @name:	as typed
 * @help:	one line
 * @verbs:	@n_verbs of them; a single verb called like the noun stands for the noun alone
 *		("vmlane apply")
 * @fn:		for a noun that parses its own arguments; then there are no @verbs
 */
struct noun {
	const char *name;
	const char *help;
	const struct verb *verbs;
	size_t n_verbs;
	cli_fn fn;
};

extern const struct noun noun_network;
extern const struct noun noun_apply;
extern const struct noun noun_confirm;
extern const struct noun noun_diff;
extern const struct noun noun_check;
extern const struct noun noun_guest;
extern const struct noun noun_run;
extern const struct noun noun_port;
extern const struct noun noun_mac;
extern const struct noun noun_forward;
extern const struct noun noun_filter;
extern const struct noun noun_scan;
extern const struct noun noun_lease;
extern const struct noun noun_status;
extern const struct noun noun_monitor;
extern const struct noun noun_trace;
extern const struct noun noun_probe;
extern const struct noun noun_explain;
extern const struct noun noun_capture;
extern const struct noun noun_doctor;

/* noun_is_single() - the noun alone is the command: it has no verb to type. */
bool noun_is_single(const struct noun *noun);

/* noun_dispatch() - the verb in @argv (argv[0] is the noun) is found, its arguments parsed, and run. */
int noun_dispatch(struct cli *cli, const struct noun *noun, int argc, char **argv);

/* noun_help() - the verbs of @noun on @f. */
void noun_help(const struct noun *noun, FILE *f);

/* verb_help() - all about @verb on @f. */
void verb_help(const struct noun *noun, const struct verb *verb, FILE *f);

/* verb_find() - by name, or NULL. */
const struct verb *verb_find(const struct noun *noun, const char *name);

/* What cli_globals() returns besides EXIT_OK and EXIT_USAGE. */
enum {
	CLI_HELP = -1,
	CLI_VERSION = -2,
};

/**
 * cli_globals() - read the options known everywhere, up to the first other argument
 * @what:	words for errors: "", "network"
 * @ret_first:	index of the first argument that is not an option
 *
 * EXIT_OK, EXIT_USAGE (said why), CLI_HELP or CLI_VERSION.
 */
int cli_globals(struct cli *cli, const char *what, int argc, char **argv, int *ret_first);

/*
 * cli_usage_error() - "vmlane: @what: ..." and where to read more, on stderr; @what is "network
 * create" or "". Returns EXIT_USAGE.
 */
int cli_usage_error(const char *what, const char *fmt, ...) __printf(2, 3);

#endif
