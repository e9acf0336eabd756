/* SPDX-License-Identifier: GPL-2.0-or-later */
/* inventory_show.c - see inventory_show.h. */
#include "cli/inventory_show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/output.h"

/* ---- rows ---- */

static json_t *count_json(int64_t n)
{
	return n < 0 ? json_null() : json_integer(n);
}

static const char *address_text(const struct inventory_address *a, char text[static IP6_STRLEN])
{
	return inet_ntop(a->family, a->addr, text, IP6_STRLEN);
}

static json_t *address_json(const struct inventory_address *a)
{
	char text[IP6_STRLEN];

	return json_pack("{s:s, s:s, s:o, s:b, s:b}", "address", address_text(a, text), "source",
			 inventory_sources[a->source], "age_s", count_json(a->age_s), "stale",
			 a->stale, "duplicate", a->duplicate);
}

static json_t *addresses_json(const struct inventory_guest *g)
{
	json_t *list = json_array();

	for (size_t i = 0; i < g->n_addrs; i++)
		json_array_append_new(list, address_json(&g->addrs[i]));
	return list;
}

static void note(json_t *notes, bool is_so, const char *what)
{
	if (is_so)
		json_array_append_new(notes, json_string(what));
}

static json_t *notes_json(const struct inventory_guest *g)
{
	json_t *notes = json_array();
	bool duplicate = false, stale = g->n_addrs > 0;

	for (size_t i = 0; i < g->n_addrs; i++) {
		duplicate |= g->addrs[i].duplicate;
		stale &= g->addrs[i].stale;
	}
	note(notes, g->duplicate_mac, "duplicate-mac");
	note(notes, duplicate, "duplicate-address");
	note(notes, stale, "stale");
	note(notes, !g->up, "down");
	return notes;
}

/* The addresses of one family, as the daemon's guests have them: the one in "ipv4", all in "ipv6". */
static void set_plain_addresses(json_t *row, const struct inventory_guest *g)
{
	json_t *ipv6 = json_array();
	char text[IP6_STRLEN];

	for (size_t i = 0; i < g->n_addrs; i++) {
		const struct inventory_address *a = &g->addrs[i];

		if (a->family == AF_INET6) {
			json_array_append_new(ipv6, json_string(address_text(a, text)));
		} else if (!out_str(row, "ipv4") && !a->stale) {
			json_object_set_new(row, "ipv4", json_string(address_text(a, text)));
			json_object_set_new(row, "ipv4_source",
					    json_string(inventory_sources[a->source]));
		}
	}
	json_object_set_new(row, "ipv6", ipv6);
}

/* A macvtap has its carrier from the interface below it; the others, from who is at their end. */
static bool is_running(const struct inventory_guest *g)
{
	return g->pid || (g->carrier && g->kind != INVENTORY_MACVTAP);
}

json_t *inventory_row(const struct inventory_guest *g)
{
	char mac[MAC_STRLEN];
	json_t *row;

	row = json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:n, s:n}", "name",
			out_string(g->name), "network", out_string(g->network), "state",
			is_running(g) ? "running" : "off", "kind", inventory_kinds[g->kind], "tap",
			g->port, "bridge", out_string(g->bridge), "mac",
			g->has_mac ? json_string(mac_format(&g->mac, mac)) : json_null(), "pid",
			g->pid ? json_integer(g->pid) : json_null(), "ipv4", "ipv4_source");
	if (!row)
		return NULL;
	json_object_set_new(row, "process", out_string(g->comm));
	json_object_set_new(row, "nic_model", out_string(g->nic_model));
	json_object_set_new(row, "carrier", json_boolean(g->carrier));
	json_object_set_new(row, "vlan", g->vlan ? json_integer(g->vlan) : json_null());
	json_object_set_new(row, "managed", json_false());
	set_plain_addresses(row, g);
	return row;
}

/* ---- ours and theirs ---- */

/* The one of @address taken out of @list, a new reference; NULL: it has none. */
static json_t *take_address(json_t *list, const char *address)
{
	json_t *a;
	size_t i;

	json_array_foreach (list, i, a) {
		if (strcmp(out_str(a, "address"), address) != 0)
			continue;
		json_incref(a);
		json_array_remove(list, i);
		return a;
	}
	return NULL;
}

/* A lease is more than having been seen; having been seen by the daemon is no more than by anybody. */
static void add_known(json_t *list, const char *address, const char *source)
{
	json_t *a = take_address(list, address);

	if (!a)
		a = json_pack("{s:s, s:s, s:n, s:b, s:b}", "address", address, "source", source,
			      "age_s", "stale", 0, "duplicate", 0);
	else if (strcmp(source, "seen") != 0)
		json_object_set_new(a, "source", json_string(source));
	json_array_insert_new(list, 0, a);
}

/* What the daemon gave out, or saw, stands first. */
static void add_daemons_addresses(const json_t *row, json_t *list)
{
	const char *ipv4 = out_str(row, "ipv4"), *source = out_str(row, "ipv4_source");
	const json_t *ipv6 = json_object_get(row, "ipv6"), *address;
	size_t i;

	json_array_foreach (ipv6, i, address)
		add_known(list, json_string_value(address), "seen");
	if (ipv4)
		add_known(list, ipv4, source ? source : "seen");
}

static void set_if_null(json_t *row, const char *key, json_t *value)
{
	if (json_is_null(json_object_get(row, key)))
		json_object_set(row, key, value);
	json_decref(value);
}

/* What the look at the host adds to every row; @g is NULL for guests without a port. */
static void add_view(json_t *row, const struct inventory_guest *g)
{
	json_t *list = g ? addresses_json(g) : json_array();

	if (json_is_true(json_object_get(row, "managed")))
		add_daemons_addresses(row, list);
	json_object_set_new(row, "addresses", list);
	json_object_set_new(row, "seen_s", count_json(g ? g->seen_s : -1));
	json_object_set_new(row, "more_macs", json_integer(g ? g->more_macs : 0));
	json_object_set_new(row, "uplink", out_string(g ? g->uplink : ""));
	json_object_set_new(row, "notes", g ? notes_json(g) : json_array());
	if (!g)
		return;
	if (g->pid)
		set_if_null(row, "pid", json_integer(g->pid));
	set_if_null(row, "process", out_string(g->comm));
	set_if_null(row, "nic_model", out_string(g->nic_model));
}

/* struct by_port - a guest to be found by its port; @taken: the daemon has it. */
struct by_port {
	const struct inventory_guest *g;
	bool taken;
};

static int compare_ports(const void *a, const void *b)
{
	const struct by_port *x = a, *y = b;

	return strcmp(x->g->port, y->g->port);
}

static struct by_port *find_port(struct by_port *all, size_t n, const char *port)
{
	struct inventory_guest named = {0};
	struct by_port key = {.g = &named};

	if (!port)
		return NULL;
	snprintf(named.port, sizeof(named.port), "%s", port);
	return bsearch(&key, all, n, sizeof(*all), compare_ports);
}

static int append_others(const struct by_port *all, size_t n, json_t *rows)
{
	for (size_t i = 0; i < n; i++) {
		json_t *row;

		if (all[i].taken)
			continue;
		row = inventory_row(all[i].g);
		if (!row || json_array_append_new(rows, row) < 0)
			return -ENOMEM;
		add_view(row, all[i].g);
	}
	return 0;
}

int inventory_merge(const struct inventory *in, json_t *rows)
{
	struct by_port *all = calloc(in->n + 1, sizeof(*all));
	json_t *row;
	size_t i;
	int r;

	if (!all)
		return -ENOMEM;
	for (i = 0; i < in->n; i++)
		all[i].g = &in->v[i];
	qsort(all, in->n, sizeof(*all), compare_ports);
	json_array_foreach (rows, i, row) {
		struct by_port *found = find_port(all, in->n, out_str(row, "tap"));

		json_object_set_new(row, "managed", json_true());
		add_view(row, found ? found->g : NULL);
		if (found)
			found->taken = true;
	}
	r = append_others(all, in->n, rows);
	free(all);
	return r;
}

/* ---- as a table ---- */

void inventory_cell_process(const json_t *row, const char *key, struct buf *out)
{
	const char *process = out_str(row, key);
	int64_t pid = out_int(row, "pid", 0);

	if (pid)
		buf_printf(out, "%s (%" PRId64 ")", process ? process : "?", pid);
}

/* "ARP seen" of what the daemon has only heard; NULL of all else. */
static const char *heard_by(const json_t *address)
{
	static const char *const words[][2] = {
		{"arp", "ARP seen"}, {"nd", "ND seen"}, {"dhcp", "DHCP seen"}};
	const char *source = out_str(address, "source");

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (source && strcmp(source, words[i][0]) == 0)
			return words[i][1];
	return NULL;
}

/* What is not to be taken as it is: how it is known, and whether it still is. */
static void put_doubt(const json_t *address, bool with_age, struct buf *out)
{
	const char *heard = heard_by(address);
	bool stale = json_is_true(json_object_get(address, "stale"));

	if (!heard && !stale)
		return;
	buf_printf(out, " (%s", heard ? heard : "stale");
	if (heard && with_age && json_is_integer(json_object_get(address, "age_s"))) {
		buf_puts(out, " ");
		out_cell_age(address, "age_s", out);
		buf_puts(out, " ago");
	}
	buf_puts(out, heard && stale ? ", stale)" : ")");
}

static void put_addresses(const json_t *row, const char *key, bool with_age, struct buf *out)
{
	const json_t *list = json_object_get(row, key), *a;
	size_t i, more = 0;

	json_array_foreach (list, i, a) {
		/* Link-local ones follow from the MAC. */
		if (strncmp(out_str(a, "address"), "fe80:", 5) == 0)
			continue;
		if (out->len > (with_age ? 300u : 50u)) {
			more++;
			continue;
		}
		buf_printf(out, "%s%s", out->len ? ", " : "", out_str(a, "address"));
		put_doubt(a, with_age, out);
	}
	if (more)
		buf_printf(out, ", +%zu", more);
}

static void cell_addresses(const json_t *row, const char *key, struct buf *out)
{
	put_addresses(row, key, false, out);
}

static void cell_addresses_age(const json_t *row, const char *key, struct buf *out)
{
	put_addresses(row, key, true, out);
}

static void cell_mac(const json_t *row, const char *key, struct buf *out)
{
	int64_t more = out_int(row, "more_macs", 0);

	out_cell_text(row, key, out);
	if (more > 0)
		buf_printf(out, " +%" PRId64, more);
}

static const struct out_col columns[] = {
	{"NAME", "name", out_cell_text},
	{"NETWORK", "network", out_cell_text},
	{"STATE", "state", out_cell_text, .state = true},
	{"PROCESS", "process", inventory_cell_process},
	{"NIC", "nic_model", out_cell_text},
	{"PORT", "tap", out_cell_text},
	{"BRIDGE", "bridge", out_cell_text},
	{"VLAN", "vlan", out_cell_text},
	{"UPLINK", "uplink", out_cell_text},
	{"MAC", "mac", cell_mac},
	{"ADDRESS", "addresses", cell_addresses},
	{"SEEN", "seen_s", out_cell_age},
	{"NOTE", "notes", out_cell_list},
};

static bool is_empty(const struct out_col *col, const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

		col->cell(row, col->key, &text);
		if (text.len)
			return false;
	}
	return true;
}

/* These stand in the table only when they say something. */
static bool is_optional(const struct out_col *col)
{
	static const char *const keys[] = {"vlan", "uplink", "notes"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(col->key, keys[i]) == 0)
			return true;
	return false;
}

int inventory_print(const struct cli *cli, const json_t *rows)
{
	struct out_col shown[ARRAY_SIZE(columns)];
	_cleanup_(freep) char *text = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (!is_optional(&columns[i]) || !is_empty(&columns[i], rows))
			shown[n++] = columns[i];
	r = out_table(shown, n, rows, cli->color, &text);
	if (r < 0)
		return r;
	puts(text);
	return 0;
}

static void put_part(struct buf *out, const char *before, const json_t *row, const char *key,
		     out_cell_fn cell)
{
	struct buf text = BUF_INIT(OUT_TEXT_MAX);

	cell(row, key, &text);
	if (text.len)
		buf_printf(out, "%s%s", before, buf_str(&text));
	buf_done(&text);
}

void inventory_print_found(const struct cli *cli, const json_t *row)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(OUT_TEXT_MAX);
	const char *name = out_str(row, "name");

	buf_printf(&line, "%s%s%s", out_color(cli->color, OUT_BOLD),
		   name ? name : "(without a name)", out_color(cli->color, OUT_PLAIN));
	put_part(&line, ": ", row, "state", out_cell_text);
	put_part(&line, ", ", row, "process", inventory_cell_process);
	put_part(&line, ", ", row, "nic_model", out_cell_text);
	put_part(&line, ", port ", row, "tap", out_cell_text);
	put_part(&line, " on ", row, "bridge", out_cell_text);
	put_part(&line, ", VLAN ", row, "vlan", out_cell_text);
	put_part(&line, ", network ", row, "network", out_cell_text);
	put_part(&line, ", MAC ", row, "mac", cell_mac);
	put_part(&line, ", ", row, "addresses", cell_addresses_age);
	put_part(&line, ", by ", row, "uplink", out_cell_text);
	put_part(&line, ", last seen ", row, "seen_s", out_cell_age);
	put_part(&line, " ago; note: ", row, "notes", out_cell_list);
	puts(buf_str(&line));
}
