/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_change.c - vmlane network set, export, import: configurations, whole and key by key. What
 * they mean is the daemon's to say; next on the walk: daemon/service_change.c.
 */
#include <errno.h>
#include <string.h>

#include "cli/network.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/setting.h"
#include "cli/takeover.h"
#include "model/config.h"

/* ---- set ---- */

#define KEY_PART_MAX 64

/*
 * The next part of a dotted key, up to its '.' or '='; quotes hold a name with dots. Returns what
 * stands behind it, or NULL.
 */
static const char *key_part(const char *p, char ret[static KEY_PART_MAX])
{
	bool quoted = *p == '"';
	size_t len;

	p += quoted;
	len = strcspn(p, quoted ? "\"" : ".=");
	if (len == 0 || len >= KEY_PART_MAX)
		return NULL;
	memcpy(ret, p, len);
	ret[len] = '\0';
	p += len;
	if (quoted && *p++ != '"')
		return NULL;
	return *p == '.' || *p == '=' ? p : NULL;
}

/* Puts one KEY=VALUE into @body; EXIT_OK or a usage error. */
static int add_setting(const char *setting, json_t *body)
{
	char part[KEY_PART_MAX];
	const char *p = setting;
	json_t *in = body, *value;

	for (;; p++) {
		json_t *next;

		p = key_part(p, part);
		if (!p)
			return cli_usage_error("network set",
					       "'%s' is not KEY=VALUE, such as mtu=1400, "
					       "switch.stp=on or guests.web1.mac=",
					       setting);
		if (*p == '=')
			break;
		next = json_object_get(in, part);
		if (next && !json_is_object(next))
			return cli_usage_error("network set", "'%s' is given twice", part);
		if (!next) {
			next = json_object();
			json_object_set_new(in, part, next);
		}
		in = next;
	}
	if (json_object_get(in, part))
		return cli_usage_error("network set", "'%s' is given twice", part);
	value = setting_value(p + 1);
	if (!value)
		return cli_usage_error("network set",
				       "the value of '%s' is neither text, nor a list such as "
				       "[a, b], nor JSON",
				       part);
	json_object_set_new(in, part, value);
	return EXIT_OK;
}

/* Comments are gone where a file could not be changed in place. */
static void tell_rewritten(const struct cli *cli, const json_t *network)
{
	if (!cli->json && json_is_true(json_object_get(network, "rewritten")))
		fprintf(stderr, "vmlane: the file was written anew, without its comments\n");
}

int change_set(struct cli *cli, const struct verb_args *a)
{
	json_t *body = json_object(), *network = NULL;
	char path[CLI_PATH_MAX], query[CLI_PATH_MAX];
	int r = cli_check_name("network", a->arg[0]);

	for (int i = 1; i < a->n && r == EXIT_OK; i++)
		r = add_setting(a->arg[i], body);
	if (r == EXIT_OK)
		snprintf(path, sizeof(path), "/v1/networks/%s", a->arg[0]);
	if (r == EXIT_OK)
		r = takeover_query("network set", a->opt[SET_CONFIRM], a->opt[SET_FORCE] != NULL,
				   path, query, sizeof(query));
	if (r != EXIT_OK) {
		json_decref(body);
		return r;
	}
	r = cli_call(cli, "PATCH", query, body, &network);
	if (r != EXIT_OK)
		return r;
	tell_rewritten(cli, network);
	return network_finish(cli, network);
}

/* ---- export, import ---- */

int change_export(struct cli *cli, const struct verb_args *a)
{
	char path[CLI_PATH_MAX];
	json_t *answer = NULL;
	const char *text;
	bool json = cli->json;
	int r = cli_check_name("network", a->arg[0]);

	if (r != EXIT_OK)
		return r;
	snprintf(path, sizeof(path), "/v1/networks/%s/config", a->arg[0]);
	cli->json = true; /* what is in the file is not to be made fit for terminals */
	r = cli_call(cli, "GET", path, NULL, &answer);
	cli->json = json;
	if (r != EXIT_OK)
		return r;
	text = out_str(answer, "config");
	if (!cli_print_json(cli, answer) && text)
		fputs(text, stdout);
	json_decref(answer);
	return EXIT_OK;
}

/* @path read and checked; its name into @ret_name, its text as it is into *ret. */
static int read_network(const char *path, char ret_name[static NAME_MAX_LEN + 1], json_t **ret)
{
	_cleanup_(network_config_freep) struct network_config *n = NULL;
	_cleanup_(buf_done) struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	struct err_list errs = {0};
	int r = config_file_read(path, &text, &errs);

	if (r == 0)
		r = network_config_parse(strcmp(path, "-") == 0 ? "stdin" : path, buf_str(&text),
					 text.len, &n, &errs);
	if (r < 0 || !n) {
		cli_fail(r, &errs);
		return EXIT_REFUSED;
	}
	strcpy(ret_name, n->name);
	*ret = json_string(buf_str(&text));
	return *ret ? EXIT_OK : cli_fail(-ENOMEM, NULL);
}

int change_import(struct cli *cli, const struct verb_args *a)
{
	bool replace = a->opt[IMPORT_REPLACE] != NULL;
	char path[CLI_PATH_MAX], query[CLI_PATH_MAX];
	json_t *text = NULL, *network = NULL;
	char name[NAME_MAX_LEN + 1];
	int r = read_network(a->arg[0], name, &text);

	if (r != EXIT_OK)
		return r;
	snprintf(path, sizeof(path), "/v1/networks%s%s", replace ? "/" : "", replace ? name : "");
	r = takeover_query("network import", a->opt[IMPORT_CONFIRM], a->opt[IMPORT_FORCE] != NULL,
			   path, query, sizeof(query));
	if (r != EXIT_OK) {
		json_decref(text);
		return r;
	}
	r = cli_call(cli, replace ? "PUT" : "POST", query, text, &network);
	return r == EXIT_OK ? network_finish(cli, network) : r;
}
