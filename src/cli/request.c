/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - see request.h. */
#include "cli/request.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <errno.h>
#include <string.h>

#include "api/client.h"
#include "cli/socket_name.h"
#include "cli/verb.h"
#include "model/network.h"

void cli_print_errors(const struct err_list *errs)
{
	char text[sizeof(struct err)];

	for (size_t i = 0; i < errs->n; i++) {
		fputs("vmlane: ", stderr);
		out_print_escaped(stderr, err_format(&errs->items[i], text, sizeof(text)));
		fputc('\n', stderr);
	}
	if (errs->dropped)
		fprintf(stderr, "vmlane: and %zu more\n", errs->dropped);
}

int cli_exit_code(int r)
{
	if (r >= 0)
		return EXIT_OK;
	/* -EACCES: of the socket; what the daemon itself refuses is -EREMOTEIO */
	return r == -ECONNREFUSED || r == -EACCES ? EXIT_UNREACHABLE : EXIT_REFUSED;
}

int cli_fail(int r, const struct err_list *errs)
{
	if (errs && errs->n)
		cli_print_errors(errs);
	else
		fprintf(stderr, "vmlane: %s\n", strerror(-r));
	return cli_exit_code(r);
}

/* A place in the request's JSON ("request:1:34") tells nothing to who typed options. */
static void forget_request_places(struct err_list *errs)
{
	for (size_t i = 0; i < errs->n; i++) {
		char *where = errs->items[i].where;

		if (strcmp(where, "request") == 0 || strncmp(where, "request:", 8) == 0)
			where[0] = '\0';
	}
}

int cli_call(struct cli *cli, const char *method, const char *path, json_t *body, json_t **ret)
{
	struct err_list errs = {0};
	json_t *answer = NULL;
	int r;

	r = api_call(cli->socket, method, path, body, &answer, &errs);
	json_decref(body);
	if (r == 0 && !cli->json)
		r = out_sanitize(answer);
	if (r < 0) {
		json_decref(answer);
		forget_request_places(&errs);
		for (size_t i = 0; i < errs.n; i++)
			socket_name(errs.items[i].message, sizeof(errs.items[i].message));
		return cli_fail(r, &errs);
	}
	*ret = answer;
	return EXIT_OK;
}

int cli_check_name(const char *what, const char *name)
{
	if (name_valid(name))
		return EXIT_OK;
	return cli_usage_error("",
			       "'%s' cannot be the name of a %s: a-z, 0-9, '_', '.', '-', at most "
			       "%d characters, beginning with a letter or digit",
			       name, what, NAME_MAX_LEN);
}

bool cli_print_json(const struct cli *cli, const json_t *j)
{
	if (cli->json)
		out_json(j);
	return cli->json;
}

static void keep_network(json_t *rows, const char *network)
{
	for (size_t i = json_array_size(rows); i-- > 0;) {
		const char *of = out_str(json_array_get(rows, i), "network");

		if (!of || strcmp(of, network) != 0)
			json_array_remove(rows, i);
	}
}

/* An empty list of a network that does not exist is a mistake, not an empty list. */
static int network_must_exist(struct cli *cli, const char *network)
{
	char path[CLI_PATH_MAX];
	json_t *answer = NULL;
	int r;

	snprintf(path, sizeof(path), "/v1/networks/%s", network);
	r = cli_call(cli, "GET", path, NULL, &answer);
	json_decref(answer);
	return r;
}

static int print_rows(const struct cli *cli, const struct cli_list *list, const json_t *rows)
{
	_cleanup_(freep) char *text = NULL;
	int r;

	if (json_array_size(rows) == 0) {
		fprintf(stderr, "%s\n", list->empty);
		return EXIT_OK;
	}
	r = out_table(list->cols, list->n_cols, rows, cli->color, &text);
	if (r < 0)
		return cli_fail(r, NULL);
	puts(text);
	return EXIT_OK;
}

static int show_list(struct cli *cli, const struct cli_list *list, const char *network,
		     json_t *answer)
{
	json_t *rows = json_object_get(answer, list->key);
	int r;

	if (!json_is_array(rows)) {
		fprintf(stderr, "vmlane: the daemon's answer has no \"%s\"\n", list->key);
		return EXIT_REFUSED;
	}
	if (network)
		keep_network(rows, network);
	if (network && json_array_size(rows) == 0) {
		r = network_must_exist(cli, network);
		if (r != EXIT_OK)
			return r;
	}
	if (list->amend)
		list->amend(rows);
	return cli_print_json(cli, answer) ? EXIT_OK : print_rows(cli, list, rows);
}

int cli_print_list(struct cli *cli, const struct cli_list *list, const char *network)
{
	json_t *answer = NULL;
	int r;

	r = network ? cli_check_name("network", network) : EXIT_OK;
	if (r == EXIT_OK)
		r = cli_call(cli, "GET", list->path, NULL, &answer);
	if (r == EXIT_OK)
		r = show_list(cli, list, network, answer);
	json_decref(answer);
	return r;
}

int cli_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool cli_signalled(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info);
}
