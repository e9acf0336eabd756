/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.c - see picture.h. The same picture as in the manual and the demo. */
#include "cli/picture.h"

#include <string.h>

#include "cli/output.h"

#define ARROW " -> "

static const char *or_unknown(const char *s)
{
	return s ? s : "?";
}

static void picture_no_uplink(const json_t *network, struct buf *out)
{
	const char *uplink = out_str(network, "uplink");

	if (uplink && strcmp(uplink, "auto") != 0)
		buf_printf(out, ARROW "(no uplink: there is no %s)", uplink);
	else
		buf_puts(out, ARROW "(no uplink: the host has no default route)");
}

/* The uplinks of IPv4 and IPv6 in one list; the reference is the caller's. */
static json_t *both_uplinks(const json_t *network)
{
	const json_t *ipv6 = json_object_get(network, "ipv6");
	json_t *list = json_array();

	json_array_extend(list, json_object_get(network, "uplinks"));
	json_array_extend(list, json_object_get(ipv6, "uplinks"));
	return list;
}

static bool has_uplink(const json_t *network)
{
	json_t *list = both_uplinks(network);
	bool has = json_array_size(list) > 0;

	json_decref(list);
	return has;
}

/* What outsiders see guests as, in both families. */
static void picture_nat(const json_t *network, struct buf *out)
{
	const char *source = out_str(network, "source");
	json_t *list, *u;
	size_t i;

	if (source) {
		buf_printf(out, "[NAT: %s]", source);
		return;
	}
	list = both_uplinks(network);
	buf_puts(out, "[NAT: ");
	json_array_foreach (list, i, u)
		buf_printf(out, "%s%s", i ? ", " : "", or_unknown(out_str(u, "address")));
	buf_puts(out, "]");
	json_decref(list);
}

/* Each uplink once: most are of both families. */
static void picture_uplinks(const json_t *network, struct buf *out)
{
	json_t *list = both_uplinks(network), *names = json_object(), *u;
	const char *name;
	size_t i;

	json_array_foreach (list, i, u)
		json_object_set_new(names, or_unknown(out_str(u, "name")), json_true());
	i = 0;
	json_object_foreach (names, name, u)
		buf_printf(out, "%s%s", i++ ? ", " : "", name);
	json_decref(names);
	json_decref(list);
}

static bool is(const json_t *network, const char *key, const char *value)
{
	const char *s = out_str(network, key);

	return s && strcmp(s, value) == 0;
}

/* Frames go both ways as they are: the guests are on the LAN. */
static void picture_lan(const json_t *network, struct buf *out)
{
	if (json_array_size(json_object_get(network, "uplinks"))) {
		buf_puts(out, " <-> [NIC ");
		out_cell_list(network, "uplinks", out);
		buf_puts(out, "]");
	}
	buf_puts(out, " <-> LAN");
}

/* Behind the bridge; of several uplinks (a multipath default route) all are named. */
static void picture_way(const json_t *network, struct buf *out)
{
	const char *arrow = is(network, "inbound", "accept") ? " <-> " : ARROW;

	if (is(network, "mode", "bridged")) {
		picture_lan(network, out);
	} else if (json_is_false(json_object_get(network, "host"))) {
		buf_puts(out, " (no way out, not even to this host)");
	} else if (is(network, "mode", "isolated") || is(network, "inbound", "none")) {
		buf_puts(out, " (no way out of this host)");
	} else if (!has_uplink(network)) {
		picture_no_uplink(network, out);
	} else {
		buf_puts(out, arrow);
		if (is(network, "mode", "routed"))
			buf_puts(out, "[routed]");
		else
			picture_nat(network, out);
		buf_printf(out, "%s[uplink ", arrow);
		picture_uplinks(network, out);
		buf_printf(out, "]%sInternet", arrow);
	}
}

static void picture_out(const json_t *network, struct buf *out)
{
	const char *state = out_str(network, "state"), *gateway = out_str(network, "gateway");
	const char *gateway6 = out_str(json_object_get(network, "ipv6"), "gateway");

	buf_printf(out, "[bridge %s%s%s%s%s]", or_unknown(out_str(network, "bridge")),
		   gateway ? " " : "", gateway ? gateway : "", gateway6 ? " " : "",
		   gateway6 ? gateway6 : "");
	if (state && strcmp(state, "running") != 0)
		buf_printf(out, ARROW "(%s)", state);
	else
		picture_way(network, out);
}

/* The ways in that @of, a network or guest, has by ports of the host. */
static void picture_forwards(const json_t *of, struct buf *out)
{
	const json_t *f;
	size_t i;

	json_array_foreach (json_object_get(of, "forwards"), i, f) {
		const char *address = out_str(f, "address"), *proto = out_str(f, "protocol");

		buf_printf(out, "\n[host %s %s%s%s]" ARROW "[guest %s %s %s %s]", or_unknown(proto),
			   address ? address : "", address ? ":" : "",
			   or_unknown(out_str(f, "ports")), or_unknown(out_str(f, "guest")),
			   or_unknown(out_str(f, "to")), or_unknown(proto),
			   or_unknown(out_str(f, "to_ports")));
	}
}

void picture_network(const json_t *network, struct buf *out)
{
	if (json_array_size(json_object_get(network, "guests")) == 0) {
		buf_puts(out, "[no guests]" ARROW);
	} else {
		buf_puts(out, "[guests: ");
		out_cell_list(network, "guests", out);
		buf_puts(out, "]" ARROW);
	}
	picture_out(network, out);
	picture_forwards(network, out);
}

void picture_guest(const json_t *guest, const json_t *network, struct buf *out)
{
	const char *ipv4 = out_str(guest, "ipv4"), *tap = out_str(guest, "tap");

	buf_printf(out, "[guest %s%s%s]" ARROW, or_unknown(out_str(guest, "name")), ipv4 ? " " : "",
		   ipv4 ? ipv4 : "");
	if (!tap) {
		buf_puts(out, "(not plugged in)");
	} else {
		buf_printf(out, "[tap %s]" ARROW, tap);
		if (network)
			picture_out(network, out);
		else
			buf_printf(out, "[bridge %s]", or_unknown(out_str(guest, "bridge")));
	}
	picture_forwards(guest, out);
}
