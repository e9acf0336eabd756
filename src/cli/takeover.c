/* SPDX-License-Identifier: GPL-2.0-or-later */
/* takeover.c - see takeover.h. */
#include "cli/takeover.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "api/service.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/verb.h"

#define ASK_EVERY_NS 100000000L
#define ASK_TIMES 100 /* twice as long as the daemon waits for the gateway */

int takeover_time(const char *verb, const char *text, unsigned int *ret_s)
{
	char digits[8];
	uint32_t s, unit = 1;
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return EXIT_OK;
	if (len > 1 && (text[len - 1] == 's' || text[len - 1] == 'm'))
		unit = text[--len] == 'm' ? 60 : 1;
	snprintf(digits, sizeof(digits), "%.*s", (int)(len < sizeof(digits) ? len : 0), text);
	if (text_u32(digits, 1, CONFIRM_MAX_S, &s) < 0 || s * unit > CONFIRM_MAX_S)
		return cli_usage_error(verb,
				       "--confirm takes a time from 1s to 60m, such as 30s or 2m");
	*ret_s = s * unit;
	return EXIT_OK;
}

int takeover_query(const char *verb, const char *confirm, bool force, const char *path, char *ret,
		   size_t size)
{
	unsigned int s = 0;
	int r = takeover_time(verb, confirm, &s);
	int n = snprintf(ret, size, "%s%s", path, force ? "?force=1" : "");

	if (s)
		snprintf(ret + n, size - (size_t)n, "%cconfirm=%u", force ? '&' : '?', s);
	return r;
}

static bool is_in(const json_t *network, const char *phase)
{
	const char *now = out_str(json_object_get(network, "takeover"), "phase");

	return now && strcmp(now, phase) == 0;
}

int takeover_await(struct cli *cli, json_t **network)
{
	const struct timespec pause = {.tv_nsec = ASK_EVERY_NS};
	char path[CLI_PATH_MAX];

	for (int i = 0; i < ASK_TIMES && is_in(*network, "checking"); i++) {
		const char *name = out_str(*network, "name");
		json_t *now = NULL;
		int r;

		snprintf(path, sizeof(path), "/v1/networks/%s", name ? name : "");
		nanosleep(&pause, NULL);
		r = cli_call(cli, "GET", path, NULL, &now);
		if (r != EXIT_OK)
			return r;
		json_decref(*network);
		*network = now;
	}
	return EXIT_OK;
}

int takeover_await_all(struct cli *cli)
{
	json_t *answer = NULL, *network;
	int r = cli_call(cli, "GET", "/v1/networks", NULL, &answer);
	int worst = r;
	size_t i;

	json_array_foreach (json_object_get(answer, "networks"), i, network) {
		bool asked = is_in(network, "checking");

		json_incref(network);
		r = takeover_await(cli, &network);
		takeover_hint(cli, network);
		if (r == EXIT_OK && asked && is_in(network, "returned")) {
			const char *why = out_str(json_object_get(network, "problem"), "message");

			fputs("vmlane: ", stderr);
			out_print_escaped(stderr, why ? why : "the NIC was given back");
			fputc('\n', stderr);
			r = EXIT_REFUSED;
		}
		worst = r == EXIT_OK ? worst : r;
		json_decref(network);
	}
	json_decref(answer);
	return worst;
}

void takeover_hint(const struct cli *cli, const json_t *network)
{
	const json_t *t = json_object_get(network, "takeover");

	if (!cli->json && is_in(network, "unconfirmed"))
		printf("it is undone in %" PRId64 " s unless you say: vmlane confirm\n",
		       out_int(t, "left_s", 0));
}
