/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cli.h - the command `vmlane`: what its verbs share.
 *
 * main.c has the table of nouns; each noun is a cmd_*.c with a table of its verbs (verb.h), from
 * which help is made. Everything goes through the daemon's API (request.h) but `check FILE...`,
 * `demo` and what says so. Next on the walk: verb.h.
 */
#ifndef VMLANE_CLI_CLI_H
#define VMLANE_CLI_CLI_H

#include <jansson.h>
#include <stdbool.h>
#include "base/err.h"

/* Exit codes, in man page vmlane(1). */
enum {
	EXIT_OK = 0,
	EXIT_USAGE = 1,	      /* wrong usage */
	EXIT_REFUSED = 2,     /* the kernel, the daemon or a check said no */
	EXIT_UNREACHABLE = 3, /* no daemon, or not for this user */
};

/**
 * struct cli - the options that stand before the noun, or after any verb
 * @socket:	path of the daemon's socket: --socket, $VMLANE_SOCKET, or the default
 * @json:	-o json
 * @color:	colours may be used (terminal, no NO_COLOR, TERM not "dumb")
 */
struct cli {
	const char *socket;
	bool json;
	bool color;
};

/*
 * A noun's function gets the arguments from the noun on (argv[0] is the noun) and returns the
 * exit code. It prints its own errors.
 */
typedef int (*cli_fn)(struct cli *cli, int argc, char **argv);

/* cmd_demo() - the one noun that reads its own options; the others are tables, see verb.h. */
int cmd_demo(struct cli *cli, int argc, char **argv);

/* cli_print_errors() - each of @errs on stderr as "vmlane: where: message". */
void cli_print_errors(const struct err_list *errs);

/*
 * cli_program_init() - find out where this program is. To be called at its start: from within
 * another mount namespace the kernel does not name the path by which a chroot knows it.
 */
void cli_program_init(void);

/*
 * cli_program_path() - where @name ("vmlaned", "vmlane-nsguest", ...) is: beside this program in
 * the build tree, else where it is installed. 0 or -ENOENT.
 */
int cli_program_path(const char *name, char *ret, size_t size) __must_check;

#endif
