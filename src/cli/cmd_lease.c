/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_lease.c - vmlane lease: list, release. */
#include "base/addr.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"

static const struct verb_opt network_opts[] = {
	{"network", "NAME", "only of this network"},
};

static void cell_kind(const json_t *row, const char *key, struct buf *out)
{
	buf_puts(out, json_is_true(json_object_get(row, key)) ? "fixed" : "dynamic");
}

static const struct out_col columns[] = {
	{"NETWORK", "network", out_cell_text},
	{"ADDRESS", "address", out_cell_text},
	{"MAC", "mac", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"HOSTNAME", "hostname", out_cell_text},
	{"STATE", "state", out_cell_text, .state = true},
	{"KIND", "fixed", cell_kind},
	{"EXPIRES", "expires_in_s", out_cell_expiry},
};

static int run_list(struct cli *cli, const struct verb_args *a)
{
	static const struct cli_list list = {
		.path = "/v1/leases",
		.key = "leases",
		.cols = columns,
		.n_cols = ARRAY_SIZE(columns),
		.empty = "no leases: no guest has asked by DHCP yet; look at: vmlane guest list",
	};

	return cli_print_list(cli, &list, a->opt[0]);
}

static int run_release(struct cli *cli, const struct verb_args *a)
{
	char path[CLI_PATH_MAX], address[IP4_STRLEN];
	json_t *answer = NULL;
	struct in_addr ip;
	int r;

	r = cli_check_name("network", a->arg[0]);
	if (r != EXIT_OK)
		return r;
	if (ip4_parse(a->arg[1], &ip) < 0)
		return cli_usage_error("lease release",
				       "'%s' is not an IPv4 address such as 192.168.122.10",
				       a->arg[1]);
	ip4_format(ip, address);
	snprintf(path, sizeof(path), "/v1/leases/%s/%s", a->arg[0], address);
	r = cli_call(cli, "DELETE", path, NULL, &answer);
	if (r == EXIT_OK && !cli_print_json(cli, answer))
		printf("%s is free again; its guest keeps using it until it renews\n", address);
	json_decref(answer);
	return r;
}

static const struct verb verbs[] = {
	{"list", "[--network NAME]", "addresses given out by DHCP", .opts = network_opts,
	 .n_opts = ARRAY_SIZE(network_opts), .run = run_list},
	{"release", "NETWORK ADDRESS", "forget a lease, so that its address can be given anew",
	 .min = 2, .max = 2, .run = run_release},
};

const struct noun noun_lease = {
	.name = "lease",
	.help = "Addresses that guests hold by DHCP.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
