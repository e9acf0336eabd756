/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_switch.c - what the virtual switches know: vmlane port list, vmlane mac list. */
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"

static const struct verb_opt network_opts[] = {
	{"network", "NAME", "only of this network"},
};

static const struct out_col port_columns[] = {
	{"NETWORK", "network", out_cell_text},
	{"BRIDGE", "bridge", out_cell_text},
	{"PORT", "port", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"MAC", "mac", out_cell_text},
	{"STATE", "state", out_cell_text, .state = true},
	{"LINK", "carrier", out_cell_link, .state = true},
	{"ISOLATED", "isolated", out_cell_yes},
	{"RX-PKTS", "rx_packets", out_cell_text, .right = true},
	{"RX", "rx_bytes", out_cell_bytes, .right = true},
	{"TX-PKTS", "tx_packets", out_cell_text, .right = true},
	{"TX", "tx_bytes", out_cell_bytes, .right = true},
};

static int run_port_list(struct cli *cli, const struct verb_args *a)
{
	static const struct cli_list list = {
		.path = "/v1/ports",
		.key = "ports",
		.cols = port_columns,
		.n_cols = ARRAY_SIZE(port_columns),
		.empty = "no ports: no guest is plugged in; plug one in: "
			 "vmlane guest attach web1 --network NAME",
	};

	return cli_print_list(cli, &list, a->opt[0]);
}

static const struct out_col mac_columns[] = {
	{"NETWORK", "network", out_cell_text},
	{"BRIDGE", "bridge", out_cell_text},
	{"MAC", "mac", out_cell_text},
	{"PORT", "port", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"KIND", "kind", out_cell_text},
	{"AGE", "age_s", out_cell_age, .right = true},
};

static int run_mac_list(struct cli *cli, const struct verb_args *a)
{
	static const struct cli_list list = {
		.path = "/v1/macs",
		.key = "macs",
		.cols = mac_columns,
		.n_cols = ARRAY_SIZE(mac_columns),
		.empty = "no MAC addresses: no network is running; look at: vmlane network list",
	};

	return cli_print_list(cli, &list, a->opt[0]);
}

static const struct verb port_verbs[] = {
	{"list", "[--network NAME]", "the switches' ports: guest, state, traffic",
	 .more = "RX is what came from the guest.\n", .opts = network_opts,
	 .n_opts = ARRAY_SIZE(network_opts), .run = run_port_list},
};

static const struct verb mac_verbs[] = {
	{"list", "[--network NAME]", "the switches' MAC tables: who is behind which port",
	 .opts = network_opts, .n_opts = ARRAY_SIZE(network_opts), .run = run_mac_list},
};

const struct noun noun_port = {
	.name = "port",
	.help = "Ports of the virtual switches.",
	.verbs = port_verbs,
	.n_verbs = ARRAY_SIZE(port_verbs),
};

const struct noun noun_mac = {
	.name = "mac",
	.help = "MAC tables of the virtual switches.",
	.verbs = mac_verbs,
	.n_verbs = ARRAY_SIZE(mac_verbs),
};
