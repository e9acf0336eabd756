/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - a verb's question to the daemon: the call, its errors in words, its exit code, and
 * the lists that all look alike. Next on the walk: api/client.h.
 */
#ifndef VMLANE_CLI_REQUEST_H
#define VMLANE_CLI_REQUEST_H

#include "cli/cli.h"
#include "cli/output.h"

/**
 * cli_call() - ask the daemon; errors are printed
 * @body:	reference is taken over, may be NULL
 * @ret:	the answer, new reference; its strings are safe to print unless -o json
 *
 * EXIT_OK (@ret is set) or the exit code.
 */
int cli_call(struct cli *cli, const char *method, const char *path, json_t *body,
	     json_t **ret) __must_check;

/* Room for a request's path; the names put into it must be name_valid(). */
#define CLI_PATH_MAX 256

/* cli_exit_code() - the exit code for what api_call() or api_open() returned. */
int cli_exit_code(int r);

/* cli_fail() - print @errs (or @r's words when there are none) and return cli_exit_code(). */
int cli_fail(int r, const struct err_list *errs);

/*
 * cli_check_name() - EXIT_OK when @name can be a network's or guest's; @what says which in the
 * error.
 */
int cli_check_name(const char *what, const char *name) __must_check;

/* cli_print_json() - in JSON mode print @j and return true. */
bool cli_print_json(const struct cli *cli, const json_t *j);

/**
 * struct cli_list - a verb that lists
 * @path:	what to GET
 * @key:	the array's key in the answer
 * @cols:	the table's columns, @n_cols
 * @empty:	what to do when there is nothing, on stderr
 * @amend:	adds what only this side can know to the rows, may be NULL
 */
struct cli_list {
	const char *path;
	const char *key;
	const struct out_col *cols;
	size_t n_cols;
	const char *empty;
	void (*amend)(json_t *rows);
};

/* cli_print_list() - get, keep those of @network (NULL: all), print; returns the exit code. */
int cli_print_list(struct cli *cli, const struct cli_list *list, const char *network);

/*
 * cli_signals() - SIGINT, SIGTERM and SIGHUP as a descriptor, for what goes on until Ctrl-C: its end is
 * an ordinary one. Or -errno.
 */
int cli_signals(void);
/* cli_signalled() - has one of them come? */
bool cli_signalled(int fd);

#endif
