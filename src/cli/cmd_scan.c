/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_scan.c - vmlane scan: who answers on a network's bridge, and which guest that is. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/client.h"
#include "base/text.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"
#include "inspect/inventory.h"
#include "inspect/scan.h"
#include "model/network.h"

#define BAR_LEN 30
#define SCAN_RATE_MAX 100000

enum { SCAN_SUBNET, SCAN_OPT_RATE, SCAN_OPT_COUNT };

static const struct verb_opt opts[] = {
	[SCAN_SUBNET] = {"subnet", "PREFIX",
			 "only these addresses; needed where the bridge has none"},
	[SCAN_OPT_RATE] = {"rate", "N", "frames a second at most; default: 1000"},
};
_Static_assert(ARRAY_SIZE(opts) == SCAN_OPT_COUNT, "an option without a row");

/* ---- which bridge ---- */

/* The bridge of our network @name, as the daemon has it; "" when it has none, or is not there. */
static void ask_bridge(struct cli *cli, const char *name, char ret[static IFNAMSIZ])
{
	struct err_list errs = {0};
	char path[CLI_PATH_MAX];
	json_t *answer = NULL;

	ret[0] = '\0';
	if (!name_valid(name))
		return;
	snprintf(path, sizeof(path), "/v1/networks/%s", name);
	if (api_call(cli->socket, "GET", path, NULL, &answer, &errs) == 0 &&
	    out_str(answer, "bridge"))
		snprintf(ret, IFNAMSIZ, "%s", out_str(answer, "bridge"));
	json_decref(answer);
}

/* Without the daemon the alias of the bridge tells whose it is. */
static void find_bridge(const char *name, char ret[static IFNAMSIZ])
{
	static const char *const before[] = {ALIAS_NETWORK, ALIAS_BRIDGED};
	_cleanup_(rtnl_freep) struct rtnl *rtnl = NULL;
	struct actual a = {0};
	struct err e;

	if (rtnl_new(&rtnl) < 0 || rtnl_snapshot(rtnl, &a, &e) < 0)
		return;
	for (size_t i = 0; i < a.n_links; i++)
		for (size_t k = 0; k < ARRAY_SIZE(before); k++) {
			size_t len = strlen(before[k]);

			if (strncmp(a.links[i].alias, before[k], len) == 0 &&
			    strcmp(a.links[i].alias + len, name) == 0)
				memcpy(ret, a.links[i].name, IFNAMSIZ);
		}
	actual_done(&a);
}

/* ---- while it runs ---- */

/* struct watch - @fd: of signals; @bar: a terminal is there to be drawn on. */
struct watch {
	int fd;
	bool bar;
	bool stopped;
};

static int on_progress(size_t done, size_t all, size_t found, void *ctx)
{
	struct watch *w = ctx;
	size_t filled = all ? done * BAR_LEN / all : BAR_LEN;

	if (w->bar)
		fprintf(stderr, "\r[%.*s%*s] %3zu %%  %zu found ", (int)filled,
			"##############################", (int)(BAR_LEN - filled), "",
			all ? done * 100 / all : 100, found);
	w->stopped = w->fd >= 0 && cli_signalled(w->fd);
	return w->stopped ? -EINTR : 0;
}

static void bar_end(const struct watch *w)
{
	if (w->bar)
		fputs("\r\033[K", stderr);
}

/* ---- what was found ---- */

/* struct found - the answers, and what tells whose they are. */
struct found {
	struct scan_result r;
	struct inventory guests;
	struct fdb_entry *fdb;
	size_t n_fdb;
};

static void found_done(struct found *f)
{
	free(f->r.v);
	free(f->fdb);
	inventory_done(&f->guests);
}

/* Whose they are is an extra: a scan without it is better than none. */
static void read_guests(const struct scan *s, struct found *f)
{
	_cleanup_(rtnl_freep) struct rtnl *rtnl = NULL;
	struct err e;

	if (rtnl_new(&rtnl) == 0 && rtnl_fdb_dump(rtnl, s->ifindex, &f->fdb, &f->n_fdb, &e) < 0)
		f->n_fdb = 0;
	if (inventory_read(NULL, 0, &f->guests, &e) < 0)
		f->guests = (struct inventory){0};
}

static int port_of(const struct found *f, const struct mac *mac)
{
	for (size_t i = 0; i < f->n_fdb; i++)
		if (!f->fdb[i].local && mac_equal(&f->fdb[i].mac, mac))
			return f->fdb[i].port;
	return 0;
}

static const struct inventory_guest *guest_at(const struct found *f, int port)
{
	for (size_t i = 0; i < f->guests.n && port; i++)
		if (f->guests.v[i].ifindex == port)
			return &f->guests.v[i];
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	const struct scan_answer *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return memcmp(x->addr, y->addr, sizeof(x->addr));
}

static bool same_address(const struct scan_result *r, size_t i)
{
	return (i > 0 && by_address(&r->v[i - 1], &r->v[i]) == 0) ||
	       (i + 1 < r->n && by_address(&r->v[i], &r->v[i + 1]) == 0);
}

static json_t *answer_json(const struct found *f, size_t i)
{
	const struct scan_answer *a = &f->r.v[i];
	int port = port_of(f, &a->mac);
	const struct inventory_guest *g = guest_at(f, port);
	char address[IP6_STRLEN], mac[MAC_STRLEN], name[IF_NAMESIZE] = "";

	if (port)
		(void)if_indextoname((unsigned int)port, name);
	inet_ntop(a->family, a->addr, address, sizeof(address));
	return json_pack("{s:s, s:s, s:o, s:o, s:I, s:b}", "address", address, "mac",
			 mac_format(&a->mac, mac), "port",
			 name[0] ? json_string(name) : json_null(), "guest",
			 g && g->name[0] ? json_string(g->name) : json_null(), "rtt_us",
			 (json_int_t)a->rtt_us, "duplicate", same_address(&f->r, i));
}

static json_t *result_json(const struct scan *s, struct found *f)
{
	json_t *list = json_array();

	qsort(f->r.v, f->r.n, f->r.n ? sizeof(*f->r.v) : 0, by_address);
	for (size_t i = 0; i < f->r.n; i++)
		json_array_append_new(list, answer_json(f, i));
	return json_pack("{s:s, s:I, s:o}", "bridge", s->bridge, "asked", (json_int_t)f->r.asked,
			 "found", list);
}

static void cell_rtt(const json_t *row, const char *key, struct buf *out)
{
	buf_printf(out, "%.1f ms", (double)out_int(row, key, 0) / 1000);
}

static void cell_note(const json_t *row, const char *key, struct buf *out)
{
	if (json_is_true(json_object_get(row, key)))
		buf_puts(out, "two have this address");
}

static const struct out_col columns[] = {
	{"ADDRESS", "address", out_cell_text},
	{"MAC", "mac", out_cell_text},
	{"PORT", "port", out_cell_text},
	{"GUEST", "guest", out_cell_text},
	{"TIME", "rtt_us", cell_rtt, .right = true},
	{"NOTE", "duplicate", cell_note},
};

static int print_result(struct cli *cli, json_t *result)
{
	_cleanup_(freep) char *text = NULL;
	json_t *rows = json_object_get(result, "found");
	int r;

	if (cli_print_json(cli, result))
		return EXIT_OK;
	if (json_array_size(rows) == 0) {
		fprintf(stderr, "nobody answered on %s (%lld addresses asked)\n",
			out_str(result, "bridge"), (long long)out_int(result, "asked", 0));
		return EXIT_OK;
	}
	r = out_sanitize(result);
	if (r == 0)
		r = out_table(columns, ARRAY_SIZE(columns), rows, cli->color, &text);
	if (r < 0)
		return cli_fail(r, NULL);
	puts(text);
	return EXIT_OK;
}

/* ---- the verb ---- */

static int fail(int r, const struct err *e)
{
	struct err_list errs = {.n = 1, .items = {*e}};

	return cli_fail(r, &errs);
}

static int scan_bridge(struct cli *cli, const struct scan *s)
{
	struct watch w = {.fd = cli_signals(), .bar = !cli->json && isatty(STDERR_FILENO)};
	struct found f = {0};
	struct err e = {0};
	json_t *result;
	int r = scan_run(s, on_progress, &w, &f.r, &e);

	bar_end(&w);
	if (w.fd >= 0)
		close(w.fd);
	if (w.stopped) {
		fputs("vmlane: stopped before its end; nothing is shown\n", stderr);
		return EXIT_REFUSED;
	}
	if (r < 0)
		return fail(r, &e);
	if (scan_remember(s, &f.r, &e) < 0)
		fprintf(stderr, "vmlane: not remembered: %s\n", e.message);
	read_guests(s, &f);
	result = result_json(s, &f);
	r = result ? print_result(cli, result) : cli_fail(-ENOMEM, NULL);
	json_decref(result);
	found_done(&f);
	return r;
}

static int run_scan(struct cli *cli, const struct verb_args *a)
{
	const char *subnet = a->opt[SCAN_SUBNET], *rate = a->opt[SCAN_OPT_RATE];
	struct ip4_prefix prefix;
	char bridge[IFNAMSIZ];
	uint32_t per_s = SCAN_RATE;
	struct scan s;
	struct err e;
	int r;

	if (subnet && ip4_prefix_parse(subnet, &prefix) < 0)
		return cli_usage_error("scan", "--subnet '%s' is no prefix such as 192.168.5.0/24",
				       subnet);
	if (rate && text_u32(rate, 1, SCAN_RATE_MAX, &per_s) < 0)
		return cli_usage_error("scan", "--rate '%s' is not a number of 1 to %d", rate,
				       SCAN_RATE_MAX);
	ask_bridge(cli, a->arg[0], bridge);
	if (!bridge[0])
		find_bridge(a->arg[0], bridge);
	r = scan_prepare(bridge[0] ? bridge : a->arg[0], subnet ? &prefix : NULL, &s, &e);
	if (r < 0)
		return fail(r, &e);
	s.rate = per_s;
	return scan_bridge(cli, &s);
}

static const struct verb verbs[] = {
	{"scan", "NETWORK|BRIDGE [OPTION...]", "ask who is there: ARP and ICMPv6 from the bridge",
	 .more = "Asks each address of the bridge's subnets, and no others, twice at most; a /24 "
		 "takes "
		 "two\nseconds. An address that two answer for is marked. What is found goes into "
		 "the host's "
		 "neighbour\ntable, so that `vmlane guest list` has it. Guests whose firewall "
		 "drops "
		 "pings to\nall nodes show their IPv4 addresses only. Any bridge will do, also one "
		 "that "
		 "is not vmlane's.\n\n"
		 "Example:\n  vmlane scan default\n",
	 .opts = opts, .n_opts = ARRAY_SIZE(opts), .min = 1, .max = 1, .run = run_scan},
};

const struct noun noun_scan = {
	.name = "scan",
	.help = "Who answers on a network.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
