/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_forward.c - vmlane forward: list. What leads where is written in the networks' files. */
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"

static const struct verb_opt network_opts[] = {
	{"network", "NAME", "only of this network"},
};

static const struct out_col columns[] = {
	{"PROTO", "protocol", out_cell_text},	 {"ADDRESS", "address", out_cell_text},
	{"PORTS", "ports", out_cell_text},	 {"NETWORK", "network", out_cell_text},
	{"GUEST", "guest", out_cell_text},	 {"TO", "to", out_cell_text},
	{"TO-PORTS", "to_ports", out_cell_text}, {"STATE", "state", out_cell_text, .state = true},
};

static int run_list(struct cli *cli, const struct verb_args *a)
{
	static const struct cli_list list = {
		.path = "/v1/forwards",
		.key = "forwards",
		.cols = columns,
		.n_cols = ARRAY_SIZE(columns),
		.empty = "no forwards; in a network's file a guest with a fixed address may have "
			 "them:\n  forward: [ \"tcp 8080 -> 80\" ]",
	};

	return cli_print_list(cli, &list, a->opt[0]);
}

static const struct verb verbs[] = {
	{"list", "[--network NAME]", "which ports of this host lead to which guest",
	 .more = "Without an address it is all of the host's. Forwards are written in the "
		 "networks' "
		 "files,\nsee vmlane.yaml(5), also by:\n"
		 "  vmlane network set lab 'guests.web1.forward=[tcp 8080 -> 80]'\n",
	 .opts = network_opts, .n_opts = ARRAY_SIZE(network_opts), .run = run_list},
};

const struct noun noun_forward = {
	.name = "forward",
	.help = "Ports of the host that lead to guests.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
