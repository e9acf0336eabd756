/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guest_list.c - see guest_list.h. */
#include "cli/guest_list.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "api/client.h"
#include "cli/inventory_show.h"
#include "cli/request.h"
#include "inspect/inventory.h"
#include "model/network.h"

const struct verb_opt guest_list_opts[] = {
	[GUEST_LIST_NETWORK] = {"network", "NAME", "only of this network, or this bridge"},
};
_Static_assert(ARRAY_SIZE(guest_list_opts) == GUEST_LIST_COUNT, "an option without a row");

/* The daemon's guests: an empty list, and a word on stderr, when there is no daemon. */
static int ask_daemon(struct cli *cli, json_t **ret)
{
	struct err_list errs = {0};
	json_t *answer = NULL;
	int r = api_call(cli->socket, "GET", "/v1/guests", NULL, &answer, &errs);

	if (r == -ECONNREFUSED || r == -EACCES) {
		cli_print_errors(&errs);
		fputs("vmlane: what only the daemon knows (its leases, guests that were never "
		      "started) is "
		      "not shown\n",
		      stderr);
		*ret = json_array();
		return EXIT_OK;
	}
	if (r < 0)
		return cli_fail(r, &errs);
	*ret = json_incref(json_object_get(answer, "guests"));
	json_decref(answer);
	if (json_is_array(*ret))
		return EXIT_OK;
	fputs("vmlane: the daemon's answer has no \"guests\"\n", stderr);
	return EXIT_REFUSED;
}

static bool read_sighting(const json_t *row, struct inventory_sighting *ret)
{
	static const struct {
		const char *key;
		size_t at;
	} names[] = {
		{"bridge", offsetof(struct inventory_sighting, bridge)},
		{"port", offsetof(struct inventory_sighting, port)},
		{"also_at", offsetof(struct inventory_sighting, also_at)},
	};
	const char *address = out_str(row, "address"), *mac = out_str(row, "mac");
	const char *source = out_str(row, "source");
	struct inventory_sighting s = {.source = INVENTORY_SOURCE_COUNT};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *name = out_str(row, names[i].key);

		snprintf((char *)&s + names[i].at, IFNAMSIZ, "%s", name ? name : "");
	}
	for (size_t i = 0; i < INVENTORY_SOURCE_COUNT && source; i++)
		if (strcmp(source, inventory_sources[i]) == 0)
			s.source = (enum inventory_source)i;
	if (!address || !mac || mac_parse(mac, &s.mac) < 0 || s.source == INVENTORY_SOURCE_COUNT)
		return false;
	s.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	s.age_s = out_int(row, "age_s", -1);
	s.stale = json_is_true(json_object_get(row, "stale"));
	s.duplicate = json_is_true(json_object_get(row, "duplicate"));
	if (inet_pton(s.family, address, s.addr) != 1)
		return false;
	*ret = s;
	return true;
}

/* What the daemon has heard on the bridges; nothing where it cannot be had, which costs only that. */
static struct inventory_sighting *ask_sightings(struct cli *cli, size_t *ret_n)
{
	struct inventory_sighting *list = NULL;
	struct err_list errs = {0};
	json_t *answer = NULL, *rows, *row;
	size_t i, n = 0;

	if (api_call(cli->socket, "GET", "/v1/sightings", NULL, &answer, &errs) == 0) {
		rows = json_object_get(answer, "sightings");
		list = calloc(json_array_size(rows) + 1, sizeof(*list));
		json_array_foreach (rows, i, row)
			if (list && read_sighting(row, &list[n]))
				n++;
	}
	json_decref(answer);
	*ret_n = n;
	return list;
}

/* All guests as rows, a new reference. */
static int read_rows(struct cli *cli, json_t **ret)
{
	_cleanup_(freep) struct inventory_sighting *seen = NULL;
	struct inventory in = {0};
	size_t n = 0;
	json_t *rows = NULL;
	struct err e = {0};
	int r = ask_daemon(cli, &rows);

	if (r == EXIT_OK)
		seen = ask_sightings(cli, &n);
	if (r == EXIT_OK && inventory_read(seen, n, &in, &e) < 0) {
		struct err_list errs = {.items = {e}, .n = 1};

		/* The daemon's guests are better than none. */
		cli_print_errors(&errs);
	}
	if (r == EXIT_OK &&
	    (inventory_merge(&in, rows) < 0 || (!cli->json && out_sanitize(rows) < 0)))
		r = cli_fail(-ENOMEM, NULL);
	inventory_done(&in);
	if (r == EXIT_OK)
		*ret = rows;
	else
		json_decref(rows);
	return r;
}

static bool is_on(const json_t *row, const char *name)
{
	const char *network = out_str(row, "network"), *bridge = out_str(row, "bridge");

	return (network && strcmp(network, name) == 0) || (bridge && strcmp(bridge, name) == 0);
}

/* An empty list of something that does not exist is a mistake, not an empty list. */
static int network_must_exist(struct cli *cli, const char *name)
{
	_cleanup_(rtnl_freep) struct rtnl *rtnl = NULL;
	struct link_state l;
	char path[CLI_PATH_MAX];
	json_t *answer = NULL;
	struct err e;
	int r;

	if (rtnl_new(&rtnl) == 0 && rtnl_link_get(rtnl, name, 0, &l, &e) == 0 &&
	    strcmp(l.kind, "bridge") == 0)
		return EXIT_OK;
	r = cli_check_name("network", name);
	if (r != EXIT_OK)
		return r;
	snprintf(path, sizeof(path), "/v1/networks/%s", name);
	r = cli_call(cli, "GET", path, NULL, &answer);
	json_decref(answer);
	return r;
}

static void keep(json_t *rows, const char *network)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		if (!is_on(json_array_get(rows, i), network))
			json_array_remove(rows, i);
}

int guest_list(struct cli *cli, const struct verb_args *a)
{
	const char *network = a->opt[GUEST_LIST_NETWORK];
	json_t *rows = NULL, *answer;
	int r = read_rows(cli, &rows);

	if (r != EXIT_OK)
		return r;
	if (network)
		keep(rows, network);
	if (network && json_array_size(rows) == 0)
		r = network_must_exist(cli, network);
	answer = json_pack("{s:o}", "guests", rows);
	if (r != EXIT_OK || cli_print_json(cli, answer)) {
		/* said, or shown */
	} else if (json_array_size(rows) == 0) {
		fputs("no guests; plug one in: vmlane guest attach web1 --network NAME, or start "
		      "one:\nvmlane run --network NAME --name web1 -- qemu-system-x86_64 ...\n",
		      stderr);
	} else if (inventory_print(cli, rows) < 0) {
		r = cli_fail(-ENOMEM, NULL);
	}
	json_decref(answer);
	return r;
}

/* Does @row of the daemon's list fit? What the host's view knows of it is among its addresses. */
static bool fits(const json_t *row, const char *what)
{
	static const char *const keys[] = {"name", "tap"};
	const json_t *list = json_object_get(row, "addresses"), *a;
	struct mac mac, other;
	struct in6_addr v6, v;
	char pid[24];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (out_str(row, keys[i]) && strcmp(out_str(row, keys[i]), what) == 0)
			return true;
	snprintf(pid, sizeof(pid), "%lld", (long long)out_int(row, "pid", -1));
	if (strcmp(pid, what) == 0)
		return true;
	if (mac_parse(what, &mac) == 0)
		return out_str(row, "mac") && mac_parse(out_str(row, "mac"), &other) == 0 &&
		       mac_equal(&mac, &other);
	json_array_foreach (list, i, a) {
		const char *text = out_str(a, "address");

		if (strcmp(text, what) == 0 ||
		    (ip6_parse(what, &v6) == 0 && ip6_parse(text, &v) == 0 && ip6_equal(&v6, &v)))
			return true;
	}
	return false;
}

int guest_find(struct cli *cli, const struct verb_args *a)
{
	json_t *rows = NULL, *answer;
	int r = read_rows(cli, &rows);
	size_t i;

	if (r != EXIT_OK)
		return r;
	for (i = json_array_size(rows); i-- > 0;)
		if (!fits(json_array_get(rows, i), a->arg[0]))
			json_array_remove(rows, i);
	answer = json_pack("{s:o}", "guests", rows);
	if (json_array_size(rows) == 0) {
		fprintf(stderr,
			"vmlane: no guest of this host has '%s' as its name, port, MAC, address or "
			"process; "
			"`vmlane guest list` shows all, `vmlane scan` asks a network for more\n",
			a->arg[0]);
		r = EXIT_REFUSED;
	} else if (!cli_print_json(cli, answer)) {
		json_t *row;

		json_array_foreach (rows, i, row)
			inventory_print_found(cli, row);
	}
	json_decref(answer);
	return r;
}
