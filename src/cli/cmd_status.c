/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_status.c - vmlane status: the daemon, its networks, what is wrong, what was dropped. */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/socket_name.h"
#include "cli/verb.h"

/* The column of what stands left; values begin behind it. */
#define LEFT "%-11s"

static void print_daemon(const struct cli *cli, const json_t *status)
{
	_cleanup_(buf_done) struct buf uptime = BUF_INIT(64);
	const char *version = out_str(status, "version"), *dir = out_str(status, "config_dir");

	out_duration(&uptime, out_int(status, "uptime_s", 0));
	printf("%s" LEFT "%s%s, process %" PRId64 ", up %s, configuration in %s\n",
	       out_color(cli->color, OUT_BOLD), "vmlaned", out_color(cli->color, OUT_PLAIN),
	       version ? version : "?", out_int(status, "pid", 0), buf_str(&uptime),
	       dir ? dir : "?");
}

static void print_words(const char *name, const json_t *status, const char *key, const char *none)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	out_cell_list(status, key, &text);
	printf(LEFT "%s\n", name, text.len ? buf_str(&text) : none);
}

static void print_network(const struct cli *cli, const json_t *n, const char *left)
{
	_cleanup_(buf_done) struct buf uplinks = BUF_INIT(OUT_TEXT_MAX);
	const char *state = out_str(n, "state"), *name = out_str(n, "name");
	const char *subnet = out_str(n, "subnet");

	out_cell_list(n, "uplinks", &uplinks);
	printf(LEFT "%s %s%s%s %s", left, name ? name : "?",
	       out_color(cli->color, out_state_color(state)), state ? state : "?",
	       out_color(cli->color, OUT_PLAIN), subnet ? subnet : "");
	if (uplinks.len)
		printf(" -> %s", buf_str(&uplinks));
	printf(", guests: %zu, leases: %" PRId64 "\n",
	       json_array_size(json_object_get(n, "guests")), out_int(n, "leases", 0));
}

static void print_networks(const struct cli *cli, const json_t *networks)
{
	const json_t *n;
	size_t i;

	if (json_array_size(networks) == 0)
		printf(LEFT "none; create one: vmlane network create default --subnet "
			    "192.168.122.0/24\n",
		       "networks");
	json_array_foreach (networks, i, n)
		print_network(cli, n, i ? "" : "networks");
}

static void print_guardian(const json_t *status)
{
	const json_t *g = json_object_get(status, "guardian"), *last = json_object_get(g, "last");
	const json_t *changes = json_object_get(last, "changes");
	const char *process = out_str(last, "process");
	int64_t n = out_int(g, "mended", 0), count = out_int(last, "count", 0);
	struct buf text = BUF_INIT(OUT_TEXT_MAX);

	if (!json_is_true(json_object_get(g, "on"))) {
		printf(LEFT "off: what others change stays so until `vmlane apply`\n", "guardian");
		return;
	}
	if (n == 0) {
		printf(LEFT "nothing had to be put right\n", "guardian");
		return;
	}
	out_duration(&text, clock_wall_s() - out_int(last, "time", 0));
	buf_puts(&text, " ago: ");
	out_escape(&text, json_string_value(json_array_get(changes, 0)));
	if (count > 1)
		buf_printf(&text, " and %" PRId64 " more", count - 1);
	if (process) {
		buf_puts(&text, " (");
		out_escape(&text, process);
		buf_printf(&text, ", process %" PRId64 ")", out_int(last, "pid", 0));
	}
	if (n == 1)
		printf(LEFT "put right once, %s\n", "guardian", buf_str(&text));
	else
		printf(LEFT "put right %" PRId64 " times, last %s\n", "guardian", n,
		       buf_str(&text));
	buf_done(&text);
}

/* Where other firewalls leave a place for accepts: none on most hosts. */
static void print_accepts(const json_t *status)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(status, "accepts"), i, p) {
		const char *tool = out_str(p, "tool"), *place = out_str(p, "place");

		printf(LEFT "%s: %" PRId64 " in %s\n", i ? "" : "accepts", tool ? tool : "?",
		       out_int(p, "rules", 0), place ? place : "?");
	}
}

static void print_problems(const struct cli *cli, const json_t *status)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(status, "problems"), i, p) {
		const char *where = out_str(p, "where"), *message = out_str(p, "message");
		bool placed = where && *where;
		char text[sizeof(((struct err *)NULL)->message)];

		snprintf(text, sizeof(text), "%s", message ? message : "?");
		socket_name(text, sizeof(text));
		printf("%s" LEFT "%s%s%s%s\n", out_color(cli->color, OUT_RED), "problem",
		       placed ? where : "", placed ? ": " : "", text,
		       out_color(cli->color, OUT_PLAIN));
	}
}

/**
 * struct counter - a counter of the status
 * @group:	"firewall", "dhcp" or "ra" (router advertisements)
 * @key:	in the group
 * @words:	what people read
 * @always:	shown even when zero
 * @bad:	not zero is a reason to look closer
 */
struct counter {
	const char *group;
	const char *key;
	const char *words;
	bool always;
	bool bad;
};

static const struct counter counters[] = {
	{"firewall", "refused_in", "from outside refused", .always = true},
	{"firewall", "refused_out", "from guests refused"},
	{"firewall", "refused_host", "to the host refused"},
	{"firewall", "metadata", "to the cloud's metadata service"},
	{"firewall", "limited", "beyond guests' limits", .bad = true},
	{"firewall", "spoofed", "with a false source", .bad = true},
	{"firewall", "invalid", "belonging to no connection"},
	{"firewall", "closed", "IPv6 between other interfaces, kept closed"},
	{"dhcp", "received", "received", .always = true},
	{"dhcp", "sent", "sent", .always = true},
	{"dhcp", "bad", "malformed", .bad = true},
	{"dhcp", "ignored", "ignored"},
	{"dhcp", "store_failed", "leases not stored", .bad = true},
	{"dhcp", "send_failed", "not sent", .bad = true},
	{"dhcp", "socket_drops", "lost for want of time", .bad = true},
	{"ra", "received", "asked for", .always = true},
	{"ra", "answered", "sent to who asked", .always = true},
	{"ra", "multicast", "to all", .always = true},
	{"ra", "bad", "malformed", .bad = true},
	{"ra", "put_off", "put off, since too many asked", .bad = true},
	{"ra", "send_failed", "not sent", .bad = true},
	{"ra", "socket_drops", "lost for want of time", .bad = true},
};

static void print_counters(const struct cli *cli, const json_t *status, const char *group,
			   const char *left)
{
	const json_t *values = json_object_get(json_object_get(status, "counters"), group);
	const char *separator = "";

	printf(LEFT, left);
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		const struct counter *c = &counters[i];
		int64_t n = strcmp(c->group, group) == 0 ? out_int(values, c->key, 0) : 0;
		bool red = c->bad && n > 0;

		if (strcmp(c->group, group) != 0 || (n == 0 && !c->always))
			continue;
		printf("%s%s%" PRId64 " %s%s", separator, red ? out_color(cli->color, OUT_RED) : "",
		       n, c->words, red ? out_color(cli->color, OUT_PLAIN) : "");
		separator = ", ";
	}
	putchar('\n');
}

static bool has_ipv6(const json_t *networks)
{
	const json_t *n;
	size_t i;

	json_array_foreach (json_object_get(networks, "networks"), i, n) {
		if (json_is_object(json_object_get(n, "ipv6")))
			return true;
	}
	return false;
}

static void print_status(const struct cli *cli, const json_t *status, const json_t *networks)
{
	print_daemon(cli, status);
	print_networks(cli, json_object_get(networks, "networks"));
	print_words("uplinks", status, "uplinks", "none: the host has no default route");
	if (json_array_size(json_object_get(status, "uplinks6")))
		print_words("uplinks v6", status, "uplinks6", "");
	print_words("resolvers", status, "resolvers", "none: guests are told no DNS server");
	print_counters(cli, status, "firewall", "packets");
	print_counters(cli, status, "dhcp", "dhcp");
	if (has_ipv6(networks))
		print_counters(cli, status, "ra", "adverts");
	print_guardian(status);
	print_accepts(status);
	print_problems(cli, status);
}

static int run_status(struct cli *cli, const struct verb_args *a)
{
	json_t *status = NULL, *networks = NULL;
	int r = cli_call(cli, "GET", "/v1/status", NULL, &status);

	if (r == EXIT_OK && !cli_print_json(cli, status)) {
		r = cli_call(cli, "GET", "/v1/networks", NULL, &networks);
		if (r == EXIT_OK)
			print_status(cli, status, networks);
		json_decref(networks);
	}
	json_decref(status);
	return r;
}

static const struct verb verb = {
	"status",
	"",
	"the daemon, its networks, what is wrong",
	.run = run_status,
};

const struct noun noun_status = {"status", "the daemon, its networks, what is wrong", &verb, 1};
