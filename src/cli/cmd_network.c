/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_network.c - vmlane network: its verbs, and list, show, create, delete, start, stop. The others
 * are in cmd_change.c.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/network.h"
#include "cli/output.h"
#include "cli/picture.h"
#include "cli/request.h"
#include "cli/takeover.h"
#include "cli/verb.h"

/* The uplinks in use, or what was asked for where none is. */
static void cell_uplink(const json_t *row, const char *key, struct buf *out)
{
	if (json_array_size(json_object_get(row, key)) > 0)
		out_cell_list(row, key, out);
	else
		out_cell_text(row, "uplink", out);
}

static const struct out_col columns[] = {
	{"NAME", "name", out_cell_text},
	{"MODE", "mode", out_cell_text},
	{"STATE", "state", out_cell_text, .state = true},
	{"BRIDGE", "bridge", out_cell_text},
	{"SUBNET", "subnet", out_cell_text},
	{"GATEWAY", "gateway", out_cell_text},
	{"UPLINK", "uplinks", cell_uplink},
	{"LEASES", "leases", out_cell_text, .right = true},
	{"GUESTS", "guests", out_cell_list},
};

static int run_list(struct cli *cli, const struct verb_args *a)
{
	static const struct cli_list list = {
		.path = "/v1/networks",
		.key = "networks",
		.cols = columns,
		.n_cols = ARRAY_SIZE(columns),
		.empty = "no networks; create one: "
			 "vmlane network create default --subnet 192.168.122.0/24",
	};

	return cli_print_list(cli, &list, NULL);
}

/* What is wrong with a network, in words; "" when nothing is. */
static void problem_text(const json_t *network, struct buf *out)
{
	const json_t *problem = json_object_get(network, "problem");
	const char *message = out_str(problem, "message"), *state = out_str(network, "state");

	if (message)
		buf_puts(out, message);
	else if (state && strcmp(state, "failed") == 0)
		buf_puts(out, "failed, for an unknown reason; vmlaned's log may tell");
}

/* On stderr; a network with a problem is an answer, but not the one that was wanted. */
static int print_problem(const json_t *network)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);
	const char *name = out_str(network, "name");

	problem_text(network, &text);
	if (!text.len)
		return EXIT_OK;
	fflush(stdout);
	fputs("vmlane: network ", stderr);
	out_print_escaped(stderr, name ? name : "?");
	fputs(": ", stderr);
	out_print_escaped(stderr, buf_str(&text));
	fputc('\n', stderr);
	return EXIT_REFUSED;
}

/* On stderr: it is no failure. */
static void print_notes(const json_t *network)
{
	const char *name = out_str(network, "name");
	const json_t *note;
	size_t i;

	fflush(stdout);
	json_array_foreach (json_object_get(network, "notes"), i, note) {
		const char *message = out_str(note, "message");

		fputs("vmlane: note on network ", stderr);
		out_print_escaped(stderr, name ? name : "?");
		fputs(": ", stderr);
		out_print_escaped(stderr, message ? message : "?");
		fputc('\n', stderr);
	}
}

static void print_setting(const char *name, const char *value)
{
	if (value && *value)
		printf("  %-9s %s\n", name, value);
}

static void print_list_setting(const char *name, const json_t *network, const char *key)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	out_cell_list(network, key, &text);
	print_setting(name, buf_str(&text));
}

static void print_dhcp(const json_t *network)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);
	const json_t *dhcp = json_object_get(network, "dhcp");
	const char *range = out_str(dhcp, "range");

	if (!json_is_object(dhcp)) {
		print_setting("dhcp", "off");
		return;
	}
	buf_printf(&text, "%s, for ", range ? range : "?");
	out_duration(&text, out_int(dhcp, "lease_s", 0));
	buf_printf(&text, ", %" PRId64 " leases", out_int(network, "leases", 0));
	print_setting("dhcp", buf_str(&text));
}

static void print_ipv6(const json_t *network)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);
	const json_t *ipv6 = json_object_get(network, "ipv6");
	const char *subnet = out_str(ipv6, "subnet");

	if (!subnet)
		return;
	buf_printf(&text, "%s%s", subnet,
		   json_is_true(json_object_get(ipv6, "subnet_auto")) ? " (auto)" : "");
	print_setting("ipv6", buf_str(&text));
	print_setting("gateway6", out_str(ipv6, "gateway"));
	print_list_setting("dns6", ipv6, "dns");
}

static void print_switch(const json_t *network)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	if (json_is_false(json_object_get(network, "learning"))) {
		buf_puts(&text, "MACs not learned");
	} else {
		buf_puts(&text, "MACs kept for ");
		out_duration(&text, out_int(network, "ageing_s", 0));
	}
	if (json_is_true(json_object_get(network, "stp")))
		buf_puts(&text, ", spanning tree on");
	print_setting("switch", buf_str(&text));
}

static void print_policy(const json_t *policy)
{
	size_t rules = json_array_size(json_object_get(policy, "rules"));
	const char *host = out_str(policy, "host"), *metadata = out_str(policy, "metadata");
	char text[80];

	if (!host || !metadata)
		return;
	snprintf(text, sizeof(text), "host %s, %zu rule%s%s", host, rules, rules == 1 ? "" : "s",
		 strcmp(metadata, "allow") == 0 ? ", metadata service allowed" : "");
	print_setting("policy", text);
}

static void print_network(const struct cli *cli, const json_t *network)
{
	_cleanup_(buf_done) struct buf way = BUF_INIT(OUT_TEXT_MAX);
	const char *state = out_str(network, "state");

	picture_network(network, &way);
	printf("%s\n\n", buf_str(&way));
	print_setting("name", out_str(network, "name"));
	print_setting("mode", out_str(network, "mode"));
	printf("  %-9s %s%s%s\n", "state", out_color(cli->color, out_state_color(state)),
	       state ? state : "?", out_color(cli->color, OUT_PLAIN));
	print_setting("bridge", out_str(network, "bridge"));
	if (json_is_true(json_object_get(network, "subnet_auto")))
		printf("  %-9s %s (auto)\n", "subnet", out_str(network, "subnet"));
	else
		print_setting("subnet", out_str(network, "subnet"));
	print_setting("gateway", out_str(network, "gateway"));
	print_ipv6(network);
	if (json_is_false(json_object_get(network, "host")))
		print_setting("host", "not in the network");
	print_setting("uplink", out_str(network, "uplink"));
	print_setting("take-over", out_str(json_object_get(network, "takeover"), "phase"));
	print_setting("inbound", out_str(network, "inbound"));
	print_setting("ports", out_str(network, "ports"));
	print_setting("source", out_str(network, "source"));
	printf("  %-9s %" PRId64 "%s\n", "mtu", out_int(network, "mtu", 0),
	       json_is_true(json_object_get(network, "mtu_auto")) ? " (as the uplink)" : "");
	print_switch(network);
	print_dhcp(network);
	print_setting("domain", out_str(network, "domain"));
	print_list_setting("dns", network, "dns");
	print_list_setting("peers", network, "peers");
	print_policy(json_object_get(network, "policy"));
	print_list_setting("accepted by", network, "accepts");
	print_list_setting("guests", network, "guests");
	print_setting("file", out_str(network, "file"));
}

/* One request about one network. The answer's reference is the caller's. */
static int ask(struct cli *cli, const char *method, const char *name, const char *rest,
	       json_t **ret)
{
	char path[CLI_PATH_MAX];
	int r = cli_check_name("network", name);

	if (r != EXIT_OK)
		return r;
	snprintf(path, sizeof(path), "/v1/networks/%s%s", name, rest);
	return cli_call(cli, method, path, NULL, ret);
}

static int run_show(struct cli *cli, const struct verb_args *a)
{
	json_t *network = NULL;
	int r = ask(cli, "GET", a->arg[0], "", &network);

	if (r == EXIT_OK && !cli_print_json(cli, network)) {
		print_network(cli, network);
		(void)print_problem(network);
		print_notes(network);
	}
	json_decref(network);
	return r;
}

enum {
	CREATE_SUBNET,
	CREATE_GATEWAY,
	CREATE_RANGE,
	CREATE_LEASE,
	CREATE_DOMAIN,
	CREATE_DNS,
	CREATE_UPLINK,
	CREATE_PORTS,
	CREATE_SOURCE,
	CREATE_MTU,
	CREATE_BRIDGE,
	CREATE_NO_DHCP,
	CREATE_MODE,
	CREATE_INBOUND,
	CREATE_NO_HOST,
	CREATE_CONFIRM,
	CREATE_FORCE,
	CREATE_IPV6,
	CREATE_COUNT,
};

static const struct verb_opt create_opts[] = {
	[CREATE_SUBNET] = {"subnet", "CIDR", "192.168.122.0/24; default: auto, one that is free"},
	[CREATE_GATEWAY] = {"gateway", "ADDRESS", "the host's own; default: the first address"},
	[CREATE_RANGE] = {"range", "A-B", "what DHCP gives out; default: all that are free"},
	[CREATE_LEASE] = {"lease", "TIME", "for how long: 45m, 12h; default: 1h"},
	[CREATE_DOMAIN] = {"domain", "NAME", "the guests' domain name"},
	[CREATE_DNS] = {"dns", "A,B", "resolvers for the guests; default: the host's own"},
	[CREATE_UPLINK] = {"uplink", "IFACE", "way out; default: auto, follows the default route"},
	[CREATE_PORTS] = {"ports", "A-B", "source ports that NAT uses; default: 1024-65535"},
	[CREATE_SOURCE] = {"source", "A[-B]",
			   "addresses of this host that NAT uses; default: the uplink's own"},
	[CREATE_MTU] = {"mtu", "BYTES", "of the bridge and its guests; default: the uplink's"},
	[CREATE_BRIDGE] = {"bridge", "IFACE", "the bridge's name; default: vl-NAME"},
	[CREATE_NO_DHCP] = {"no-dhcp", NULL, "no DHCP server"},
	[CREATE_MODE] = {"mode", "MODE", "nat (the default), routed, isolated or bridged"},
	[CREATE_INBOUND] = {"inbound", "POLICY",
			    "routed: accept, established (the default) or none"},
	[CREATE_NO_HOST] = {"no-host", NULL, "isolated: without the host, a switch only"},
	[CREATE_CONFIRM] = {"confirm", "TIME",
			    "bridged: undo it unless 'vmlane confirm' comes in time, such as 30s"},
	[CREATE_FORCE] = {"force", NULL,
			  "although a DHCP client is on the NIC, or listeners on forwarded ports"},
	[CREATE_IPV6] = {"ipv6", "CIDR", "IPv6 too: auto, or a prefix of 64 bits; default: none"},
};
_Static_assert(ARRAY_SIZE(create_opts) == CREATE_COUNT, "an option without a row");
_Static_assert(CREATE_COUNT <= VERB_OPTS_MAX, "verb_args.opt is too small");

/* Where in the configuration an option's text goes: section.key, or key alone. */
static const struct {
	int opt;
	const char *section;
	const char *key;
} create_keys[] = {
	{CREATE_MODE, NULL, "mode"},	   {CREATE_BRIDGE, NULL, "bridge"},
	{CREATE_SUBNET, "ipv4", "subnet"}, {CREATE_GATEWAY, "ipv4", "gateway"},
	{CREATE_PORTS, "nat", "ports"},	   {CREATE_INBOUND, NULL, "inbound"},
	{CREATE_RANGE, "dhcp", "range"},   {CREATE_LEASE, "dhcp", "lease"},
	{CREATE_DOMAIN, "dns", "domain"},  {CREATE_SOURCE, "nat", "source"},
	{CREATE_MTU, NULL, "mtu"},	   {CREATE_IPV6, "ipv6", "subnet"},
};

static void put(json_t *body, const char *section, const char *key, json_t *value)
{
	json_t *in = body;

	if (section) {
		in = json_object_get(body, section);
		if (!in) {
			in = json_object();
			json_object_set_new(body, section, in);
		}
	}
	json_object_set_new(in, key, value);
}

static json_t *split_commas(const char *text)
{
	json_t *list = json_array();

	for (;;) {
		size_t len = strcspn(text, ",");

		json_array_append_new(list, json_stringn(text, len));
		if (!text[len])
			return list;
		text += len + 1;
	}
}

static bool is_bridged(const struct verb_args *a)
{
	return a->opt[CREATE_MODE] && strcmp(a->opt[CREATE_MODE], "bridged") == 0;
}

static json_t *create_body(const struct verb_args *a)
{
	json_t *body = json_pack("{s:s}", "network", a->arg[0]);
	const char *mode = a->opt[CREATE_MODE];

	for (size_t i = 0; i < ARRAY_SIZE(create_keys); i++)
		if (a->opt[create_keys[i].opt])
			put(body, create_keys[i].section, create_keys[i].key,
			    json_string(a->opt[create_keys[i].opt]));
	if (!a->opt[CREATE_SUBNET] && !a->opt[CREATE_NO_HOST] && !is_bridged(a))
		put(body, "ipv4", "subnet", json_string("auto"));
	/* In mode nat the uplink is a part of the translation. */
	if (a->opt[CREATE_UPLINK])
		put(body, !mode || strcmp(mode, "nat") == 0 ? "nat" : NULL, "uplink",
		    json_string(a->opt[CREATE_UPLINK]));
	if (a->opt[CREATE_NO_HOST])
		put(body, NULL, "host", json_false());
	if (a->opt[CREATE_DNS])
		put(body, "dns", "servers", split_commas(a->opt[CREATE_DNS]));
	if (a->opt[CREATE_NO_DHCP])
		put(body, "dhcp", "enabled", json_false());
	return body;
}

static void print_done(const struct cli *cli, const json_t *network)
{
	const char *state = out_str(network, "state"), *bridge = out_str(network, "bridge");
	const char *name = out_str(network, "name"), *subnet = out_str(network, "subnet");

	printf("network %s is %s%s%s: bridge %s%s%s\n", name ? name : "?",
	       out_color(cli->color, out_state_color(state)), state ? state : "?",
	       out_color(cli->color, OUT_PLAIN), bridge ? bridge : "?", subnet ? ", subnet " : "",
	       subnet ? subnet : "");
}

int network_finish(struct cli *cli, json_t *network)
{
	int r = takeover_await(cli, &network);

	if (r != EXIT_OK) {
		json_decref(network);
		return r;
	}
	if (!cli_print_json(cli, network))
		print_done(cli, network);
	takeover_hint(cli, network);
	print_notes(network);
	r = print_problem(network);
	json_decref(network);
	return r;
}

static int run_create(struct cli *cli, const struct verb_args *a)
{
	char path[CLI_PATH_MAX];
	json_t *network = NULL;
	int r = cli_check_name("network", a->arg[0]);

	if (r != EXIT_OK)
		return r;
	if (a->opt[CREATE_NO_DHCP] && (a->opt[CREATE_RANGE] || a->opt[CREATE_LEASE]))
		return cli_usage_error("network create",
				       "--no-dhcp leaves --range and --lease without a meaning");
	r = takeover_query("network create", a->opt[CREATE_CONFIRM], a->opt[CREATE_FORCE] != NULL,
			   "/v1/networks", path, sizeof(path));
	if (r == EXIT_OK)
		r = cli_call(cli, "POST", path, create_body(a), &network);
	return r == EXIT_OK ? network_finish(cli, network) : r;
}

static const struct verb_opt force_opts[] = {
	{"force", NULL, "also while guests are plugged in"},
};

static int run_delete(struct cli *cli, const struct verb_args *a)
{
	json_t *answer = NULL;
	int r = ask(cli, "DELETE", a->arg[0], a->opt[0] ? "?force=1" : "", &answer);

	if (r == EXIT_OK && !cli_print_json(cli, answer))
		printf("network %s is deleted\n", a->arg[0]);
	json_decref(answer);
	return r;
}

static int run_start(struct cli *cli, const struct verb_args *a)
{
	char rest[64];
	json_t *network = NULL;
	int r = takeover_query("network start", a->opt[0], a->opt[1] != NULL, "/start", rest,
			       sizeof(rest));

	if (r == EXIT_OK)
		r = ask(cli, "POST", a->arg[0], rest, &network);
	return r == EXIT_OK ? network_finish(cli, network) : r;
}

static int run_stop(struct cli *cli, const struct verb_args *a)
{
	json_t *network = NULL;
	int r = ask(cli, "POST", a->arg[0], a->opt[0] ? "/stop?force=1" : "/stop", &network);

	return r == EXIT_OK ? network_finish(cli, network) : r;
}

static const struct verb_opt start_opts[] = {
	{"confirm", "TIME", "bridged: undo it unless 'vmlane confirm' comes in time, such as 30s"},
	{"force", NULL, "although a DHCP client is on the NIC, or listeners on forwarded ports"},
};

static const struct verb_opt set_opts[] = {
	[SET_CONFIRM] = {"confirm", "TIME",
			 "bridged: undo it unless 'vmlane confirm' comes in time, such as 30s"},
	[SET_FORCE] = {"force", NULL,
		       "although a DHCP client is on the NIC, or listeners on forwarded ports"},
};

static const struct verb_opt import_opts[] = {
	[IMPORT_REPLACE] = {"replace", NULL,
			    "the network is there, and becomes what the file says"},
	[IMPORT_CONFIRM] = {"confirm", "TIME",
			    "bridged: undo it unless 'vmlane confirm' comes in time, such as 30s"},
	[IMPORT_FORCE] = {"force", NULL,
			  "although a DHCP client is on the NIC, or listeners on forwarded ports"},
};

static const struct verb verbs[] = {
	{"list", "", "all networks and their state", .run = run_list},
	{"show", "NAME", "one network: the way to the Internet and its settings", .min = 1,
	 .max = 1, .run = run_show},
	{"create", "NAME [OPTION...]", "write a network's file and start it",
	 .more = "Examples:\n  vmlane network create default\n"
		 "  vmlane network create lab --subnet 192.168.5.0/24\n"
		 "  vmlane network create lan --mode bridged --uplink eth0 --confirm 30s\n",
	 .opts = create_opts, .n_opts = ARRAY_SIZE(create_opts), .min = 1, .max = 1,
	 .run = run_create},
	{"set", "NAME KEY=VALUE...", "change keys in a network's file and apply it",
	 .more = "Keys are those of vmlane.yaml(5), with dots for blocks; without a value a key "
		 "is\n"
		 "taken away. Examples:\n  vmlane network set lab mtu=1400 switch.stp=on\n"
		 "  vmlane network set lab guests.web1.ipv4=192.168.5.10 dhcp.lease=\n"
		 "  vmlane network set lab 'dns.servers=[192.0.2.53, 192.0.2.54]'\n",
	 .opts = set_opts, .n_opts = ARRAY_SIZE(set_opts), .min = 2, .max = VERB_ANY,
	 .run = change_set},
	{"export", "NAME", "print a network's file", .min = 1, .max = 1, .run = change_export},
	{"import", "FILE [OPTION...]", "make a network of a file, or of standard input: -",
	 .opts = import_opts, .n_opts = ARRAY_SIZE(import_opts), .min = 1, .max = 1,
	 .run = change_import},
	{"delete", "NAME [--force]", "stop a network and remove its file", .opts = force_opts,
	 .n_opts = ARRAY_SIZE(force_opts), .min = 1, .max = 1, .run = run_delete},
	{"start", "NAME [--confirm TIME] [--force]", "make a stopped network run",
	 .opts = start_opts, .n_opts = ARRAY_SIZE(start_opts), .min = 1, .max = 1,
	 .run = run_start},
	{"stop", "NAME [--force]", "take a network's bridge and rules down, keep its file",
	 .opts = force_opts, .n_opts = ARRAY_SIZE(force_opts), .min = 1, .max = 1, .run = run_stop},
};

const struct noun noun_network = {
	.name = "network",
	.help = "Networks of virtual machines.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
