/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * verb.c - see verb.h. Option parsing is getopt_long()'s; the words of its errors are ours, so
 * that a mistyped option or verb is answered with the one that was meant.
 */
#include "cli/verb.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "base/text.h"
#include "cli/output.h"

enum {
	OPT_SOCKET = 256,
	OPT_VERSION,
	OPT_VERB, /* the verb's own options count up from here */
};

static const struct option global_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"socket", required_argument, NULL, OPT_SOCKET},
	{"help", no_argument, NULL, 'h'},
};

#define GLOBAL_SHORT "o:h"
#define LETTERS_MAX (sizeof("+:" GLOBAL_SHORT) + 2 * VERB_OPTS_MAX)
#define WHAT_MAX 64
#define WORDS_MAX (VERB_OPTS_MAX + ARRAY_SIZE(global_options) + 1)

int cli_usage_error(const char *what, const char *fmt, ...)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
	char words[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	out_escape(&text, words);
	fprintf(stderr, "vmlane: %s%s%s\n", what, *what ? ": " : "", buf_str(&text));
	fprintf(stderr, "Try 'vmlane%s%s --help'.\n", *what ? " " : "", what);
	return EXIT_USAGE;
}

static int set_output(struct cli *cli, const char *what, const char *format)
{
	if (strcmp(format, "json") == 0)
		cli->json = true;
	else if (strcmp(format, "table") == 0)
		cli->json = false;
	else
		return cli_usage_error(what, "output format '%s' is not known: table or json",
				       format);
	return EXIT_OK;
}

/* A global option; EXIT_OK, EXIT_USAGE, or CLI_HELP. */
static int take_global(struct cli *cli, const char *what, int c)
{
	switch (c) {
	case 'o':
		assert(optarg); /* required_argument */
		return set_output(cli, what, optarg);
	case OPT_SOCKET:
		cli->socket = optarg;
		return EXIT_OK;
	default:
		return CLI_HELP;
	}
}

static const char *option_name(const struct option *options, int val)
{
	for (; options->name; options++)
		if (options->val == val)
			return options->name;
	return "";
}

static int unknown_option(const char *what, const struct option *options, const char *typed)
{
	const char *words[WORDS_MAX], *near;
	char name[64];
	size_t n = 0;

	for (; options[n].name; n++)
		words[n] = options[n].name;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(typed + 2, "="), typed + 2);
	near = text_suggest(name, words, n);
	if (near)
		return cli_usage_error(what, "unknown option '--%s'; did you mean '--%s'?", name,
				       near);
	return cli_usage_error(what, "unknown option '--%s'", name);
}

/* What getopt_long() did not like: ':' a value is missing, '?' anything else. */
static int bad_option(const char *what, const struct option *options, int c, char **argv)
{
	if (c == ':' && optopt < OPT_SOCKET)
		return cli_usage_error(what, "option '-%c' needs a value", optopt);
	if (c == ':')
		return cli_usage_error(what, "option '--%s' needs a value",
				       option_name(options, optopt));
	if (optopt >= OPT_SOCKET || optopt == 'h')
		return cli_usage_error(what, "option '--%s' takes no value",
				       option_name(options, optopt));
	if (optopt)
		return cli_usage_error(what, "unknown option '-%c'", optopt);
	return unknown_option(what, options, argv[optind - 1]);
}

int cli_globals(struct cli *cli, const char *what, int argc, char **argv, int *ret_first)
{
	struct option options[ARRAY_SIZE(global_options) + 2] = {0};
	size_t n = ARRAY_SIZE(global_options);
	int c, r;

	memcpy(options, global_options, sizeof(global_options));
	if (!*what)
		options[n] = (struct option){"version", no_argument, NULL, OPT_VERSION};
	opterr = 0;
	optind = 0; /* glibc: start afresh */
	while ((c = getopt_long(argc, argv, "+:" GLOBAL_SHORT, options, NULL)) != -1) {
		if (c == '?' || c == ':')
			return bad_option(what, options, c, argv);
		r = c == OPT_VERSION ? CLI_VERSION : take_global(cli, what, c);
		if (r != EXIT_OK)
			return r;
	}
	*ret_first = optind;
	return EXIT_OK;
}

bool noun_is_single(const struct noun *noun)
{
	return noun->fn || (noun->n_verbs == 1 && strcmp(noun->verbs[0].name, noun->name) == 0);
}

const struct verb *verb_find(const struct noun *noun, const char *name)
{
	for (size_t i = 0; i < noun->n_verbs; i++)
		if (strcmp(noun->verbs[i].name, name) == 0)
			return &noun->verbs[i];
	return NULL;
}

static void verb_what(const struct noun *noun, const struct verb *verb, char *buf, size_t size)
{
	if (noun_is_single(noun))
		snprintf(buf, size, "%s", noun->name);
	else
		snprintf(buf, size, "%s %s", noun->name, verb->name);
}

static void verb_options(const struct verb *verb, struct option *options)
{
	for (size_t i = 0; i < verb->n_opts; i++)
		options[i] = (struct option){
			verb->opts[i].name,
			verb->opts[i].value ? required_argument : no_argument,
			NULL,
			OPT_VERB + (int)i,
		};
	memcpy(options + verb->n_opts, global_options, sizeof(global_options));
}

static int check_count(const struct noun *noun, const struct verb *verb, const struct verb_args *a)
{
	char what[WHAT_MAX];

	verb_what(noun, verb, what, sizeof(what));
	if (a->n < verb->min)
		return cli_usage_error(what, "something is missing: vmlane %s %s", what,
				       verb->args);
	if (verb->max != VERB_ANY && a->n > verb->max)
		return cli_usage_error(what, "'%s' is too much: vmlane %s%s%s", a->arg[verb->max],
				       what, *verb->args ? " " : "", verb->args);
	return EXIT_OK;
}

/* The short options: the global ones, and the verb's letters. */
static void verb_letters(const struct verb *verb, char *ret)
{
	char *p = stpcpy(ret, verb->command ? "+:" GLOBAL_SHORT : ":" GLOBAL_SHORT);

	for (size_t i = 0; i < verb->n_opts; i++) {
		if (!verb->opts[i].letter)
			continue;
		*p++ = verb->opts[i].letter;
		if (verb->opts[i].value)
			*p++ = ':';
	}
	*p = '\0';
}

/* The number in @a->opt of option @c, as getopt_long() gives it; -1: none of the verb's. */
static int verb_option(const struct verb *verb, int c)
{
	if (c >= OPT_VERB)
		return c - OPT_VERB;
	for (size_t i = 0; i < verb->n_opts; i++)
		if (verb->opts[i].letter == c)
			return (int)i;
	return -1;
}

/* EXIT_OK, EXIT_USAGE or CLI_HELP. */
static int parse_verb(struct cli *cli, const struct noun *noun, const struct verb *verb, int argc,
		      char **argv, struct verb_args *args)
{
	struct option options[WORDS_MAX] = {0};
	char what[WHAT_MAX], letters[LETTERS_MAX];
	int c, i, r;

	verb_what(noun, verb, what, sizeof(what));
	verb_options(verb, options);
	verb_letters(verb, letters);
	opterr = 0;
	optind = 0;
	while ((c = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		if (c == '?' || c == ':')
			return bad_option(what, options, c, argv);
		i = verb_option(verb, c);
		if (i >= 0) {
			args->opt[i] = optarg ? optarg : "";
			continue;
		}
		r = take_global(cli, what, c);
		if (r != EXIT_OK)
			return r;
	}
	args->n = argc - optind;
	args->arg = argv + optind;
	return check_count(noun, verb, args);
}

static int run_verb(struct cli *cli, const struct noun *noun, const struct verb *verb, int argc,
		    char **argv)
{
	struct verb_args args = {0};
	int r = parse_verb(cli, noun, verb, argc, argv, &args);

	if (r == CLI_HELP) {
		verb_help(noun, verb, stdout);
		return EXIT_OK;
	}
	return r == EXIT_OK ? verb->run(cli, &args) : r;
}

static int unknown_verb(const struct noun *noun, const char *typed)
{
	const char *words[32], *near;
	size_t n = size_min(noun->n_verbs, ARRAY_SIZE(words));

	for (size_t i = 0; i < n; i++)
		words[i] = noun->verbs[i].name;
	near = text_suggest(typed, words, n);
	if (near)
		return cli_usage_error(noun->name,
				       "unknown verb '%s'; did you mean 'vmlane %s %s'?", typed,
				       noun->name, near);
	return cli_usage_error(noun->name, "unknown verb '%s'", typed);
}

int noun_dispatch(struct cli *cli, const struct noun *noun, int argc, char **argv)
{
	const struct verb *verb;
	int first = 0, r;

	if (noun->fn)
		return noun->fn(cli, argc, argv);
	if (noun_is_single(noun))
		return run_verb(cli, noun, &noun->verbs[0], argc, argv);
	r = cli_globals(cli, noun->name, argc, argv, &first);
	if (r == CLI_HELP) {
		noun_help(noun, stdout);
		return EXIT_OK;
	}
	if (r != EXIT_OK)
		return r;
	if (first >= argc) {
		noun_help(noun, stderr);
		return EXIT_USAGE;
	}
	verb = verb_find(noun, argv[first]);
	if (!verb)
		return unknown_verb(noun, argv[first]);
	return run_verb(cli, noun, verb, argc - first, argv + first);
}

void noun_help(const struct noun *noun, FILE *f)
{
	int width = 0;

	for (size_t i = 0; i < noun->n_verbs; i++) {
		int len = (int)(strlen(noun->verbs[i].name) + strlen(noun->verbs[i].args)) + 1;

		if (len > width)
			width = len;
	}
	fprintf(f, "Usage: vmlane %s VERB [ARGUMENTS]\n\n%s\n\nVerbs:\n", noun->name, noun->help);
	for (size_t i = 0; i < noun->n_verbs; i++) {
		const struct verb *v = &noun->verbs[i];
		int pad = width - (int)strlen(v->name) - 1;

		fprintf(f, "  %s %-*s  %s\n", v->name, pad, v->args, v->help);
	}
	fprintf(f, "\nMore: vmlane %s VERB --help\n", noun->name);
}

static void help_option(FILE *f, const char *letter, const char *name, const char *value,
			const char *help)
{
	char left[48];

	snprintf(left, sizeof(left), "%s--%s%s%s", letter, name, value ? " " : "",
		 value ? value : "");
	fprintf(f, "  %-26s  %s\n", left, help);
}

void verb_help(const struct noun *noun, const struct verb *verb, FILE *f)
{
	char what[WHAT_MAX];

	verb_what(noun, verb, what, sizeof(what));
	fprintf(f, "Usage: vmlane %s%s%s\n\n%c%s.\n\nOptions:\n", what, *verb->args ? " " : "",
		verb->args, toupper((unsigned char)verb->help[0]), verb->help + 1);
	for (size_t i = 0; i < verb->n_opts; i++) {
		char letter[] = "    ";

		if (verb->opts[i].letter)
			memcpy(letter, (char[]){'-', verb->opts[i].letter, ','}, 3);
		help_option(f, letter, verb->opts[i].name, verb->opts[i].value, verb->opts[i].help);
	}
	help_option(f, "-o, ", "output", "FORMAT", "table (the default) or json");
	help_option(f, "    ", "socket", "PATH", "the daemon's socket (or $VMLANE_SOCKET)");
	help_option(f, "-h, ", "help", NULL, "this text");
	if (verb->more)
		fprintf(f, "\n%s", verb->more);
}
