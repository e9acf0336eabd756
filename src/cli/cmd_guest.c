/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_guest.c - vmlane guest: list, show, attach, detach. */
#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>

#include "base/addr.h"
#include "base/text.h"
#include "cli/guest_list.h"
#include "cli/inventory_show.h"
#include "cli/output.h"
#include "cli/picture.h"
#include "cli/request.h"
#include "cli/verb.h"
#include "kernel/tap.h"
#include "kernel/vmm.h"
#include "model/network.h"

/* Taps of different network namespaces may have one name: only holders in ours are meant. */
static bool in_our_netns(pid_t pid)
{
	struct stat ours, theirs;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	return stat(path, &theirs) == 0 && stat("/proc/self/ns/net", &ours) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static void set_if_null(json_t *obj, const char *key, json_t *value)
{
	if (json_is_null(json_object_get(obj, key)))
		json_object_set(obj, key, value);
	json_decref(value);
}

static void fill_guest(json_t *guest, const struct vmm_holder *holders, size_t n)
{
	const char *tap = out_str(guest, "tap");

	for (size_t i = 0; tap && i < n; i++) {
		if (strcmp(holders[i].tap, tap) != 0 || !in_our_netns(holders[i].pid))
			continue;
		set_if_null(guest, "pid", json_integer(holders[i].pid));
		set_if_null(guest, "process", out_string(holders[i].comm));
		if (holders[i].nic_model[0])
			set_if_null(guest, "nic_model", out_string(holders[i].nic_model));
		return;
	}
}

static bool lacks_process(const json_t *guests)
{
	const json_t *g;
	size_t i;

	json_array_foreach (guests, i, g) {
		if (out_str(g, "tap") &&
		    (!json_is_integer(json_object_get(g, "pid")) || !out_str(g, "nic_model")))
			return true;
	}
	return false;
}

/*
 * The daemon's capabilities do not let it look into other users' processes; root may. Should that
 * fail, the columns stay empty.
 */
static void fill_processes(json_t *guests)
{
	_cleanup_(freep) struct vmm_holder *holders = NULL;
	json_t *guest;
	size_t i, n;

	if (geteuid() != 0 || !lacks_process(guests) || vmm_scan(&holders, &n) < 0)
		return;
	json_array_foreach (guests, i, guest)
		fill_guest(guest, holders, n);
}

static void print_setting(const char *name, out_cell_fn cell, const json_t *guest, const char *key)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	cell(guest, key, &text);
	if (text.len)
		printf("  %-9s %s\n", name, buf_str(&text));
}

static void print_ipv6(const json_t *guest)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	out_cell_list(guest, "ipv6", &text);
	if (text.len)
		printf("  %-9s %s (seen)\n", "ipv6", buf_str(&text));
}

static void print_ipv4(const json_t *guest)
{
	const char *ipv4 = out_str(guest, "ipv4"), *source = out_str(guest, "ipv4_source");

	if (ipv4)
		printf("  %-9s %s%s%s%s\n", "ipv4", ipv4, source ? " (" : "", source ? source : "",
		       source ? ")" : "");
}

static void print_owner(const json_t *guest)
{
	int64_t uid = out_int(guest, "owner_uid", -1);
	const struct passwd *pw = uid >= 0 ? getpwuid((uid_t)uid) : NULL;

	if (uid >= 0)
		printf("  %-9s %s (%" PRId64 ")\n", "owner", pw ? pw->pw_name : "uid", uid);
}

static void cell_rate(const json_t *row, const char *key, struct buf *out)
{
	static const char *const ways[] = {"up", "down"};
	const json_t *rate = json_object_get(row, key);
	char text[RATE_STRLEN];

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int64_t bits = out_int(rate, ways[i], 0);

		if (bits > 0)
			buf_printf(out, "%s%s %s", out->len ? ", " : "", ways[i],
				   rate_format((uint64_t)bits, text));
	}
}

/* "on", or those that are off; and what was dropped. */
static void cell_guard(const json_t *row, const char *key, struct buf *out)
{
	json_t *guard = json_object_get(row, key), *one;
	const char *name, *comma = "";
	size_t off = 0;

	json_object_foreach (guard, name, one)
		off += json_is_false(json_object_get(one, "on"));
	if (off == 0 || off == json_object_size(guard))
		buf_puts(out, off ? "off" : "on");
	json_object_foreach (guard, name, one) {
		if (off == json_object_size(guard) || !json_is_false(json_object_get(one, "on")))
			continue;
		buf_printf(out, "%s%s", *comma ? comma : "on but for ", name);
		comma = ", ";
	}
	comma = "";
	json_object_foreach (guard, name, one) {
		int64_t dropped = out_int(one, "dropped", 0);

		if (dropped == 0)
			continue;
		buf_printf(out, "%s%s %" PRId64, *comma ? comma : "; dropped: ", name, dropped);
		comma = ", ";
	}
}

static void print_problem(const struct cli *cli, const json_t *guest)
{
	const char *message = out_str(json_object_get(guest, "problem"), "message");

	if (message)
		printf("  %-9s %s%s%s\n", "problem", out_color(cli->color, OUT_RED), message,
		       out_color(cli->color, OUT_PLAIN));
}

static void print_args_list(const char *vmm, const json_t *args, const char *key)
{
	const json_t *list = json_object_get(args, key), *arg;
	size_t i;

	if (json_array_size(list) == 0)
		return;
	printf("\n%s:\n ", vmm);
	json_array_foreach (list, i, arg)
		printf(" %s", json_string_value(arg));
	putchar('\n');
}

/* Ready to paste into the command line or, for firecracker, into its "network-interfaces". */
static void print_vmm_args(const json_t *guest)
{
	const json_t *args = json_object_get(guest, "args");
	const json_t *firecracker = json_object_get(args, "firecracker");

	print_args_list("QEMU", args, "qemu");
	print_args_list("cloud-hypervisor", args, "cloud_hypervisor");
	if (!json_is_object(firecracker))
		return;
	printf("\nfirecracker (in its configuration's \"network-interfaces\"):\n  ");
	json_dumpf(firecracker, stdout, JSON_ENSURE_ASCII);
	putchar('\n');
}

static void print_guest(const struct cli *cli, const json_t *guest, const json_t *network)
{
	_cleanup_(buf_done) struct buf way = BUF_INIT(OUT_TEXT_MAX);
	const char *state = out_str(guest, "state");

	picture_guest(guest, network, &way);
	printf("%s\n\n", buf_str(&way));
	print_setting("name", out_cell_text, guest, "name");
	print_setting("network", out_cell_text, guest, "network");
	printf("  %-9s %s%s%s\n", "state", out_color(cli->color, out_state_color(state)),
	       state ? state : "?", out_color(cli->color, OUT_PLAIN));
	print_setting("kind", out_cell_text, guest, "kind");
	print_setting("process", inventory_cell_process, guest, "process");
	print_setting("nic", out_cell_text, guest, "nic_model");
	print_setting("tap", out_cell_text, guest, "tap");
	print_setting("mac", out_cell_text, guest, "mac");
	print_ipv4(guest);
	print_ipv6(guest);
	print_setting("link", out_cell_link, guest, "carrier");
	print_setting("queues", out_cell_text, guest, "queues");
	print_setting("vlan", out_cell_text, guest, "vlan");
	print_setting("rate", cell_rate, guest, "rate");
	print_setting("allowed", out_cell_list, guest, "allowed_addresses");
	print_setting("guard", cell_guard, guest, "guard");
	print_owner(guest);
	print_problem(cli, guest);
	print_vmm_args(guest);
}

static int guest_path(const char *name, char *path, size_t size)
{
	int r = cli_check_name("guest", name);

	if (r == EXIT_OK)
		snprintf(path, size, "/v1/guests/%s", name);
	return r;
}

/* The network of @guest for its picture; NULL when it cannot be had, which costs only boxes. */
static json_t *network_of(struct cli *cli, const json_t *guest)
{
	const char *name = out_str(guest, "network");
	char path[CLI_PATH_MAX];
	json_t *network = NULL;

	if (!name)
		return NULL;
	snprintf(path, sizeof(path), "/v1/networks/%s", name);
	return cli_call(cli, "GET", path, NULL, &network) == EXIT_OK ? network : NULL;
}

static int run_show(struct cli *cli, const struct verb_args *a)
{
	json_t *guest = NULL, *network, *alone;
	char path[CLI_PATH_MAX];
	int r;

	r = guest_path(a->arg[0], path, sizeof(path));
	if (r == EXIT_OK)
		r = cli_call(cli, "GET", path, NULL, &guest);
	if (r != EXIT_OK)
		return r;
	alone = json_pack("[O]", guest);
	fill_processes(alone);
	json_decref(alone);
	/* Processes choose their names themselves. */
	if (!cli->json && out_sanitize(guest) < 0) {
		json_decref(guest);
		return cli_fail(-ENOMEM, NULL);
	}
	if (!cli_print_json(cli, guest)) {
		network = network_of(cli, guest);
		print_guest(cli, guest, network);
		json_decref(network);
	}
	json_decref(guest);
	return EXIT_OK;
}

enum {
	ATTACH_NETWORK,
	ATTACH_MAC,
	ATTACH_OWNER,
	ATTACH_QUEUES,
	ATTACH_COUNT,
};

static const struct verb_opt attach_opts[] = {
	[ATTACH_NETWORK] = {"network", "NAME", "the network to plug it into"},
	[ATTACH_MAC] = {"mac", "MAC", "default: one derived from its name, always the same"},
	[ATTACH_OWNER] = {"owner", "USER", "who may open the tap without privileges"},
	[ATTACH_QUEUES] = {"queues", "N", "queue pairs for multi-queue virtio-net; default: 1"},
};
_Static_assert(ARRAY_SIZE(attach_opts) == ATTACH_COUNT, "an option without a row");

static int find_user(const char *name, uid_t *ret)
{
	const struct passwd *pw = getpwnam(name);
	uint32_t uid;

	if (pw) {
		*ret = pw->pw_uid;
		return 0;
	}
	if (text_u32(name, 0, UINT32_MAX - 1, &uid) < 0)
		return -ENOENT;
	*ret = uid;
	return 0;
}

/* The options as the request's keys; EXIT_OK or EXIT_USAGE. */
static int attach_body(const struct verb_args *a, json_t **ret)
{
	const char *mac = a->opt[ATTACH_MAC], *owner = a->opt[ATTACH_OWNER];
	uint32_t queues = 1;
	struct mac m;
	uid_t uid = 0;

	if (mac && mac_parse(mac, &m) < 0)
		return cli_usage_error("guest attach",
				       "--mac '%s' is not a MAC such as 52:54:00:12:34:56", mac);
	if (owner && find_user(owner, &uid) < 0)
		return cli_usage_error("guest attach", "--owner: there is no user '%s'", owner);
	if (a->opt[ATTACH_QUEUES] &&
	    text_u32(a->opt[ATTACH_QUEUES], 1, TAP_QUEUES_MAX, &queues) < 0)
		return cli_usage_error("guest attach", "--queues '%s' is not a number of 1 to %d",
				       a->opt[ATTACH_QUEUES], TAP_QUEUES_MAX);
	*ret = json_pack("{s:s, s:s}", "name", a->arg[0], "network", a->opt[ATTACH_NETWORK]);
	if (mac)
		json_object_set_new(*ret, "mac", json_string(mac));
	if (owner)
		json_object_set_new(*ret, "owner", json_integer(uid));
	if (queues > 1)
		json_object_set_new(*ret, "queues", json_integer(queues));
	return EXIT_OK;
}

static void print_attached(const json_t *guest)
{
	const char *tap = out_str(guest, "tap"), *bridge = out_str(guest, "bridge");
	const char *mac = out_str(guest, "mac"), *name = out_str(guest, "name");

	printf("guest %s is plugged in: tap %s on bridge %s, MAC %s\n", name ? name : "?",
	       tap ? tap : "?", bridge ? bridge : "?", mac ? mac : "?");
	print_vmm_args(guest);
	if (out_int(guest, "owner_uid", -1) < 0)
		printf("\nOnly root may open this tap; to let a user: --owner USER.\n");
}

static int run_attach(struct cli *cli, const struct verb_args *a)
{
	json_t *body = NULL, *guest = NULL;
	int r;

	if (!a->opt[ATTACH_NETWORK])
		return cli_usage_error(
			"guest attach",
			"--network is missing; which there are: vmlane network list");
	r = cli_check_name("guest", a->arg[0]);
	if (r == EXIT_OK)
		r = cli_check_name("network", a->opt[ATTACH_NETWORK]);
	if (r == EXIT_OK)
		r = attach_body(a, &body);
	if (r == EXIT_OK)
		r = cli_call(cli, "POST", "/v1/guests", body, &guest);
	if (r == EXIT_OK && !cli_print_json(cli, guest))
		print_attached(guest);
	json_decref(guest);
	return r;
}

static int run_detach(struct cli *cli, const struct verb_args *a)
{
	char path[CLI_PATH_MAX];
	json_t *answer = NULL;
	int r;

	r = guest_path(a->arg[0], path, sizeof(path));
	if (r == EXIT_OK)
		r = cli_call(cli, "DELETE", path, NULL, &answer);
	if (r == EXIT_OK && !cli_print_json(cli, answer))
		printf("guest %s is unplugged\n", a->arg[0]);
	json_decref(answer);
	return r;
}

static const struct verb verbs[] = {
	{"list", "[--network NAME]", "every guest of the host, whoever started it",
	 .more = "Guests of vmlane's networks, and those that libvirt, QEMU, cloud-hypervisor, "
		 "firecracker or a\ncontainer runtime put on a bridge. Run as root it also names "
		 "the processes of others. Without\nthe daemon it shows what the kernel knows.\n",
	 .opts = guest_list_opts, .n_opts = GUEST_LIST_COUNT, .run = guest_list},
	{"find", "MAC|ADDRESS|PORT|PID|NAME", "whose is it? one line for each guest that it fits",
	 .more = "Exit status 2 when there is none.\n\n"
		 "Example:\n  vmlane guest find 192.168.122.7\n",
	 .min = 1, .max = 1, .run = guest_find},
	{"show", "NAME", "one guest: the way to the Internet and its settings", .min = 1, .max = 1,
	 .run = run_show},
	{"attach", "NAME --network N [OPTION...]", "create a guest's tap; prints VMM arguments",
	 .more = "The tap stays until 'vmlane guest detach'. For one that lives as long as its "
		 "VM:\n"
		 "vmlane run.\n\n"
		 "Example:\n  vmlane guest attach web1 --network default --owner $USER\n",
	 .opts = attach_opts, .n_opts = ARRAY_SIZE(attach_opts), .min = 1, .max = 1,
	 .run = run_attach},
	{"detach", "NAME", "remove a guest's tap", .min = 1, .max = 1, .run = run_detach},
};

const struct noun noun_guest = {
	.name = "guest",
	.help = "Virtual machines plugged into networks.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
