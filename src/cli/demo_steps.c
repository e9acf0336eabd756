/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_steps.c - what the demo shows. Each step asks or captures, checks that it is as it must be, notes the
 * facts, and has them drawn: nothing is drawn that was not seen.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/demo.h"
#include "cli/demo_path.h"
#include "cli/output.h"

#define DAEMON_LOG DEMO_DIR "/vmlaned.log"
#define COMMAND_LOG DEMO_DIR "/vmlane.log"
#define COMMAND_S 20
#define KNOCK_S 4
#define HTTP_PORT 80
#define OUTPUT_MAX (1024 * 1024)

enum { AT_TAP, AT_BRIDGE, AT_UPLINK };

/* ---- 1 to 3: addresses, inventory, MAC table ---- */

int demo_steps_dhcp_begin(struct demo *d)
{
	const char *const where[] = {d->bridge};

	d->dhcp = calloc(1, sizeof(*d->dhcp));
	if (!d->dhcp)
		return demo_fail(d, -ENOMEM, NULL, "out of memory");
	return demo_watch(d, where, ARRAY_SIZE(where), dhcp_note, d->dhcp);
}

/* The array @key of what `vmlane -o json NOUN list` prints, as new reference. */
static int ask(struct demo *d, const char *noun, const char *key, json_t **ret)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	char vmlane[PATH_MAX];
	const char *const argv[] = {vmlane, "--socket", DEMO_SOCKET, "-o",
				    "json", noun,	"list",	     NULL};
	json_t *answer, *list;
	struct err e;
	int r;

	if (cli_program_path("vmlane", vmlane, sizeof(vmlane)))
		return demo_fail(d, -ENOENT, NULL, "vmlane is not beside this program");
	r = demo_capture(argv, COMMAND_LOG, &out, &e);
	if (r)
		return demo_fail(d, r, COMMAND_LOG, "vmlane %s list: %s", noun, e.message);
	answer = json_loads(buf_str(&out), 0, NULL);
	list = json_incref(json_object_get(answer, key));
	json_decref(answer);
	if (!json_is_array(list)) {
		json_decref(list);
		return demo_fail(d, -EPROTO, COMMAND_LOG, "vmlane %s list prints no %s", noun, key);
	}
	*ret = list;
	return 0;
}

static json_t *find_by(const json_t *list, const char *key, const char *value)
{
	json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *s = out_str(one, key);

		if (s && strcmp(s, value) == 0)
			return one;
	}
	return NULL;
}

static bool is(const json_t *obj, const char *key, const char *value)
{
	const char *s = out_str(obj, key);

	return s && strcmp(s, value) == 0;
}

/* What the inventory says of a guest must be what the guest itself knows. */
static int check_guest(struct demo *d, struct demo_guest *g, const json_t *row)
{
	const char *mac = out_str(row, "mac"), *tap = out_str(row, "tap");

	if (!row)
		return demo_fail(d, -ENOENT, DAEMON_LOG, "the inventory does not have %s", g->name);
	if (!mac || !tap)
		return demo_fail(d, -EPROTO, DAEMON_LOG, "the inventory has no MAC or tap of %s",
				 g->name);
	snprintf(g->mac, sizeof(g->mac), "%s", mac);
	snprintf(g->tap, sizeof(g->tap), "%s", tap);
	if (!is(row, "bridge", d->bridge))
		return demo_fail(d, -EPROTO, DAEMON_LOG, "%s is not on the bridge %s", g->name,
				 d->bridge);
	if (!is(row, "ipv4", g->address))
		return demo_fail(d, -EPROTO, DAEMON_LOG,
				 "the inventory has %s for %s, the guest itself %s",
				 out_str(row, "ipv4") ? out_str(row, "ipv4") : "no address",
				 g->name, g->address);
	if (!json_is_true(json_object_get(row, "carrier")))
		return demo_fail(d, -EPROTO, DAEMON_LOG, "the inventory has no link for %s",
				 g->name);
	if (!out_str(row, "process") || (g->vm && !out_str(row, "nic_model")))
		return demo_fail(d, -EPROTO, DAEMON_LOG,
				 "the inventory does not know the process or NIC model of %s",
				 g->name);
	return 0;
}

static int inventory_get(struct demo *d)
{
	json_t *guests = NULL, *sorted;
	int r;

	r = ask(d, "guest", "guests", &guests);
	if (r)
		return r;
	/* In the order in which the demo speaks of them. */
	sorted = json_array();
	for (size_t i = 0; i < DEMO_GUESTS && !r; i++) {
		json_t *row = find_by(guests, "name", d->guests[i].name);

		r = check_guest(d, &d->guests[i], row);
		json_array_append(sorted, row);
	}
	json_object_set_new(d->facts, "inventory", sorted);
	json_decref(guests);
	return r;
}

static int dhcp_of(struct demo *d, const struct demo_guest *g, json_t *list)
{
	enum dhcp4_type missing = DHCP4_ACK;
	struct mac mac;
	json_t *one;
	int r;

	if (mac_parse(g->mac, &mac))
		return demo_fail(d, -EPROTO, NULL, "%s is not a MAC", g->mac);
	r = dhcp_facts(d->dhcp, &mac, &one, &missing);
	if (r)
		return demo_fail(d, r, DAEMON_LOG, "no DHCP%s with %s was seen on %s",
				 dhcp4_type_name(missing), g->mac, d->bridge);
	json_object_set_new(one, "guest", json_string(g->name));
	json_object_set_new(one, "on", json_string(d->bridge));
	json_array_append_new(list, one);
	if (!is(json_object_get(one, "ack"), "address", g->address))
		return demo_fail(d, -EPROTO, g->log, "%s has %s, which is not what its ACK said",
				 g->name, g->address);
	return 0;
}

static int step_dhcp(struct demo *d)
{
	json_t *list = json_array();
	int r;

	json_object_set_new(d->facts, "dhcp", list);
	r = demo_drain(d);
	for (size_t i = 0; i < DEMO_GUESTS && !r; i++)
		r = dhcp_of(d, &d->guests[i], list);
	if (r)
		return r;
	show_heading(&d->show, "Each guest gets its address (DHCP, captured on %s)", d->bridge);
	show_dhcp(&d->show, list);
	return 0;
}

static int step_macs(struct demo *d)
{
	json_t *macs = NULL;
	int r;

	r = ask(d, "mac", "macs", &macs);
	if (r)
		return r;
	json_object_set_new(d->facts, "macs", macs);
	for (size_t i = 0; i < DEMO_GUESTS; i++) {
		const struct demo_guest *g = &d->guests[i];

		if (!is(find_by(macs, "mac", g->mac), "port", g->tap))
			return demo_fail(d, -ENOENT, DAEMON_LOG,
					 "the switch has not learned %s at %s", g->mac, g->tap);
	}
	show_heading(&d->show, "The switch has learned who is behind which port");
	show_macs(&d->show, macs);
	return 0;
}

/* ---- 4: the way of a packet ---- */

/**
 * struct flight - one packet out and its answer
 * @title:	for people
 * @command:	what makes the guest send it
 * @kind, @port: what to look for: the packet out is of this kind, to this port
 * @icmp_out, @icmp_in: types of the two, for ICMP
 * @start_out, @start_in: with what the payloads begin, for TCP
 */
struct flight {
	const char *key;
	const char *title;
	const char *command;
	enum frame_kind kind;
	uint16_t port;
	uint8_t icmp_out, icmp_in;
	const char *start_out, *start_in;
};

/* Debian 12's static busybox crashes on wget's own -T. */
#define WGET "busybox timeout 10 busybox wget -q -O - "

static const struct flight flights[] = {
	{
		.key = "ping",
		.title = "a ping to " DEMO_SERVER_ADDR,
		.command = "busybox ping -c 1 -W 5 " DEMO_SERVER_ADDR,
		.kind = FRAME_ICMP,
		.icmp_out = 8,
		.icmp_in = 0,
	},
	{
		.key = "http",
		.title = "the request of an HTTP fetch from http://" DEMO_SERVER_NAME "/",
		.command = WGET "http://" DEMO_SERVER_NAME "/",
		.kind = FRAME_TCP,
		.port = HTTP_PORT,
		.start_out = "GET ",
		.start_in = "HTTP/",
	},
};

static bool flight_matches(const struct flight *f, const struct seen *s, bool out)
{
	const char *start = out ? f->start_out : f->start_in;
	struct in_addr server;

	if (s->frame.kind != f->kind || ip4_parse(DEMO_SERVER_ADDR, &server) ||
	    !ip4_equal(out ? s->frame.dst : s->frame.src, server))
		return false;
	if (f->kind == FRAME_ICMP)
		return s->frame.icmp_type == (out ? f->icmp_out : f->icmp_in);
	return (out ? s->frame.dport : s->frame.sport) == f->port &&
	       strncmp(s->start, start, strlen(start)) == 0;
}

static const struct seen *flight_first(const struct trail_log *log, const struct flight *f,
				       bool out)
{
	for (size_t i = 0; i < log->n; i++) {
		const struct seen *s = &log->seen[i];

		if (s->point == (size_t)(out ? AT_TAP : AT_UPLINK) && !s->outgoing &&
		    flight_matches(f, s, out))
			return s;
	}
	return NULL;
}

static const char *point_name(const struct demo *d, const struct demo_guest *g, size_t point)
{
	return point == AT_TAP ? g->tap : point == AT_BRIDGE ? d->bridge : DEMO_UPLINK;
}

static int flight_trail(struct demo *d, const struct demo_guest *g, const struct trail_log *log,
			const struct flight *f, bool out, struct trail *ret)
{
	static const size_t points[2][TRAIL_POINTS] = {{AT_UPLINK, AT_BRIDGE, AT_TAP},
						       {AT_TAP, AT_BRIDGE, AT_UPLINK}};
	static const bool outgoing[2][TRAIL_POINTS] = {{false, true, true}, {false, false, true}};
	const struct seen *first = flight_first(log, f, out);
	size_t lost = 0;

	if (first && !trail_find(log, first, points[out], outgoing[out], ret, &lost))
		return 0;
	return demo_fail(d, -ENOENT, DAEMON_LOG, "%s%s was not seen on %s (%zu frames were seen)",
			 out ? "" : "the answer to ", f->title, point_name(d, g, points[out][lost]),
			 log->n);
}

static json_t *hop_facts(const char *hop, const char *interface, const struct seen *s,
			 const struct seen *before)
{
	char src[IP4_STRLEN], dst[IP4_STRLEN];

	return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:I, s:i}", "hop", hop, "interface",
			 interface, "src", ip4_format(s->frame.src, src), "dst",
			 ip4_format(s->frame.dst, dst), "sport", (int)s->frame.sport, "dport",
			 (int)s->frame.dport, "ns",
			 (json_int_t)(before ? (int64_t)(s->time_ns - before->time_ns) : 0),
			 "ip_id", (int)s->frame.ip_id);
}

static json_t *trail_facts(const struct demo *d, const struct demo_guest *g, const struct trail *t,
			   bool out)
{
	static const char *const hops[2][TRAIL_POINTS] = {{"uplink-in", "bridge-out", "tap-queued"},
							  {"vm-out", "bridge-in", "uplink-out"}};
	json_t *list = json_array();

	for (size_t i = 0; i < TRAIL_POINTS; i++)
		json_array_append_new(list,
				      hop_facts(hops[out][i], point_name(d, g, t->at[i]->point),
						t->at[i], i ? t->at[i - 1] : NULL));
	return list;
}

/* The guest's address up to the bridge, the host's on the uplink, both ways. */
static int check_nat(struct demo *d, const struct demo_guest *g, const struct trail *out,
		     const struct trail *in)
{
	struct in_addr guest, host;
	bool ok;

	if (ip4_parse(g->address, &guest) || ip4_parse(DEMO_HOST_ADDR, &host))
		return demo_fail(d, -EINVAL, NULL, "%s is not an address", g->address);
	ok = ip4_equal(out->at[0]->frame.src, guest) && ip4_equal(out->at[1]->frame.src, guest) &&
	     ip4_equal(out->at[2]->frame.src, host) && ip4_equal(in->at[0]->frame.dst, host) &&
	     ip4_equal(in->at[1]->frame.dst, guest) && ip4_equal(in->at[2]->frame.dst, guest);
	return ok ? 0
		  : demo_fail(d, -EPROTO, DAEMON_LOG, "the addresses of %s were not translated",
			      g->name);
}

static void trim(char *s)
{
	s[strcspn(s, "\r\n")] = '\0';
}

/* The router as its own DHCP server told the guest. */
static const char *router_of(const struct demo *d, const struct demo_guest *g)
{
	const json_t *dhcp = find_by(json_object_get(d->facts, "dhcp"), "guest", g->name);

	return out_str(json_object_get(dhcp, "ack"), "router");
}

/* Make the guest do it while tap, bridge and uplink are watched. */
static int fly(struct demo *d, struct demo_guest *g, const struct flight *f, struct trail_log *log,
	       struct buf *out)
{
	const char *const where[] = {
		[AT_TAP] = g->tap, [AT_BRIDGE] = d->bridge, [AT_UPLINK] = DEMO_UPLINK};
	int status = -1;
	int r;

	r = demo_watch(d, where, ARRAY_SIZE(where), trail_note, log);
	if (!r)
		r = demo_guest_run(d, g, f->command, COMMAND_S, out, &status);
	if (!r)
		r = demo_drain(d);
	if (!r && status)
		r = demo_fail(d, -EIO, g->log, "%s: %s failed with status %d: %s", g->name,
			      f->command, status, buf_str(out));
	return r;
}

static int flight_run(struct demo *d, struct demo_guest *g, const struct flight *f, json_t *list)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	_cleanup_(freep) struct trail_log *log = calloc(1, sizeof(*log));
	char answer[128] = "";
	struct trail go, back;
	json_t *path;
	int r;

	if (!log)
		return demo_fail(d, -ENOMEM, NULL, "out of memory");
	r = fly(d, g, f, log, &out);
	if (!r)
		r = flight_trail(d, g, log, f, true, &go);
	if (!r)
		r = flight_trail(d, g, log, f, false, &back);
	if (!r)
		r = check_nat(d, g, &go, &back);
	if (!r)
		r = demo_watch(d, NULL, 0, NULL, NULL);
	if (r)
		return r;
	if (f->kind == FRAME_TCP) {
		snprintf(answer, sizeof(answer), "%s", buf_str(&out));
		trim(answer);
		/* The server's own witness, besides the capture. */
		if (strcmp(answer, "you are " DEMO_HOST_ADDR) != 0)
			return demo_fail(d, -EPROTO, g->log, "the server answered: %s", answer);
	}
	path = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o, s:I, s:s*}", "what", f->key, "title",
			 f->title, "guest", g->name, "router", router_of(d, g), "request",
			 trail_facts(d, g, &go, true), "reply", trail_facts(d, g, &back, false),
			 "answer_ns", (json_int_t)(back.at[0]->time_ns - go.at[2]->time_ns),
			 "answer", answer[0] ? answer : NULL);
	if (json_array_append_new(list, path))
		return demo_fail(d, -ENOMEM, NULL, "out of memory");
	show_path(&d->show, path);
	return 0;
}

static int step_paths(struct demo *d)
{
	json_t *list = json_array();
	int r = 0;

	json_object_set_new(d->facts, "paths", list);
	show_heading(&d->show,
		     "The way of a packet from %s to the Internet, captured at each point",
		     d->guests[0].name);
	for (size_t i = 0; i < ARRAY_SIZE(flights) && !r; i++)
		r = flight_run(d, &d->guests[0], &flights[i], list);
	return r;
}

/* ---- 5: who reaches whom ---- */

/* 0 once the connection is there, -errno when it was refused, -ETIMEDOUT without an answer. */
static int connect_await(struct demo *d, int fd, uint64_t deadline, int *ret)
{
	int error = -ETIMEDOUT;
	socklen_t len = sizeof(error);
	int r = 0;

	while (!r) {
		struct pollfd p[] = {{.fd = fd, .events = POLLOUT},
				     {.fd = watch_fd(d->watch), .events = POLLIN}};
		int n = poll(p, ARRAY_SIZE(p), 500);

		r = demo_pump(d, clock_boot_us());
		if (r == -ETIMEDOUT)
			r = 0;
		if (n > 0 && p[0].revents) {
			if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
				error = errno;
			*ret = -error;
			return r;
		}
		if (clock_boot_us() >= deadline)
			break;
	}
	*ret = -ETIMEDOUT;
	return r;
}

/* *ret: 0 or the -errno of connect(); *ret_us: how long that took. */
static int knock(struct demo *d, const struct demo_guest *g, int *ret, uint64_t *ret_us)
{
	_cleanup_(fd_closep) int fd = demo_socket(d->internet_ns, SOCK_STREAM | SOCK_NONBLOCK);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(HTTP_PORT)};
	uint64_t start = clock_boot_us();
	int r = 0;

	if (fd < 0)
		return demo_fail(d, fd, NULL, "a socket in the Internet: %s", strerror(-fd));
	if (ip4_parse(g->address, &to.sin_addr))
		return demo_fail(d, -EINVAL, NULL, "%s is not an address", g->address);
	*ret = connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : 0;
	if (*ret == -EINPROGRESS)
		r = connect_await(d, fd, start + KNOCK_S * 1000000ull, ret);
	*ret_us = clock_boot_us() - start;
	return r;
}

/* The first frame to the guest's door at @point, or NULL. */
static const struct seen *knock_seen(const struct trail_log *log, const struct demo_guest *g,
				     size_t point)
{
	struct in_addr to;

	if (ip4_parse(g->address, &to))
		return NULL;
	for (size_t i = 0; i < log->n; i++) {
		const struct seen *s = &log->seen[i];

		if (s->point == point && s->frame.kind == FRAME_TCP &&
		    ip4_equal(s->frame.dst, to) && s->frame.dport == HTTP_PORT)
			return s;
	}
	return NULL;
}

static int check_knock(struct demo *d, const struct demo_guest *g, const struct trail_log *log,
		       int got)
{
	if (got == 0)
		return demo_fail(d, -EPROTO, DAEMON_LOG,
				 "a host of the Internet could open a connection to %s", g->name);
	if (!knock_seen(log, g, AT_UPLINK))
		return demo_fail(d, -ENOENT, DAEMON_LOG,
				 "the Internet's packet to %s never arrived, so that nothing was "
				 "refused (%s)",
				 g->name, strerror(-got));
	if (knock_seen(log, g, AT_BRIDGE) || knock_seen(log, g, AT_TAP))
		return demo_fail(d, -EPROTO, DAEMON_LOG,
				 "the Internet's packet to %s was let through to its network",
				 g->name);
	return 0;
}

static int inbound(struct demo *d, struct demo_guest *g, json_t *list)
{
	const char *const where[] = {
		[AT_TAP] = g->tap, [AT_BRIDGE] = d->bridge, [AT_UPLINK] = DEMO_UPLINK};
	_cleanup_(freep) struct trail_log *log = calloc(1, sizeof(*log));
	char src[IP4_STRLEN], dst[IP4_STRLEN], to[32];
	const struct seen *s;
	uint64_t took = 0;
	int got = 0;
	int r;

	if (!log)
		return demo_fail(d, -ENOMEM, NULL, "out of memory");
	r = demo_watch(d, where, ARRAY_SIZE(where), trail_note, log);
	if (!r)
		r = knock(d, g, &got, &took);
	if (!r)
		r = demo_drain(d);
	if (!r)
		r = check_knock(d, g, log, got);
	if (!r)
		r = demo_watch(d, NULL, 0, NULL, NULL);
	if (r)
		return r;
	s = knock_seen(log, g, AT_UPLINK);
	snprintf(to, sizeof(to), "%s:%d", g->address, HTTP_PORT);
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "guest",
					g->name, "to", to, "src", ip4_format(s->frame.src, src),
					"dst", ip4_format(s->frame.dst, dst), "arrived_on",
					DEMO_UPLINK, "bridge", d->bridge, "not_on", g->tap,
					"result", strerror(-got), "us", (json_int_t)took));
	return 0;
}

static int step_inbound(struct demo *d)
{
	json_t *list = json_array();
	int r;

	json_object_set_new(d->facts, "inbound", list);
	show_heading(&d->show, "The Internet cannot open a connection to a guest");
	/* A neighbour on the uplink who knows the way: the packet really comes. */
	r = demo_internet_ip(d, "route add " DEMO_SUBNET " via " DEMO_HOST_ADDR "\n");
	for (size_t i = 0; i < DEMO_GUESTS && !r; i++)
		r = inbound(d, &d->guests[i], list);
	if (!r)
		show_inbound(&d->show, list);
	return r;
}

static int reach(struct demo *d, struct demo_guest *from, const struct demo_guest *to, json_t *list)
{
	_cleanup_(buf_done) struct buf out = BUF_INIT(OUTPUT_MAX);
	char cmd[128], want[64], answer[128];
	int status = -1;
	int r;

	snprintf(cmd, sizeof(cmd), WGET "http://%s/", to->address);
	snprintf(want, sizeof(want), "hello from %s", to->name);
	r = demo_guest_run(d, from, cmd, COMMAND_S, &out, &status);
	if (r)
		return r;
	snprintf(answer, sizeof(answer), "%s", buf_str(&out));
	trim(answer);
	if (status || strcmp(answer, want) != 0)
		return demo_fail(d, -EIO, from->log, "%s does not reach %s: status %d, %s",
				 from->name, to->name, status, answer);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "from", from->name, "to",
					      to->name, "what", "HTTP", "answer", answer));
	return 0;
}

static int step_neighbours(struct demo *d)
{
	json_t *list = json_array();
	int r;

	json_object_set_new(d->facts, "neighbours", list);
	r = reach(d, &d->guests[0], &d->guests[1], list);
	if (!r)
		r = reach(d, &d->guests[1], &d->guests[0], list);
	if (r)
		return r;
	show_heading(&d->show, "The guests reach each other");
	show_neighbours(&d->show, list);
	return 0;
}

int demo_steps_run(struct demo *d)
{
	int r;

	show_guests(&d->show, json_object_get(json_object_get(d->facts, "world"), "guests"));
	r = inventory_get(d);
	if (!r)
		r = step_dhcp(d);
	if (!r) {
		show_heading(&d->show, "The inventory");
		show_inventory(&d->show, json_object_get(d->facts, "inventory"));
		r = step_macs(d);
	}
	if (!r)
		r = step_paths(d);
	if (!r)
		r = step_inbound(d);
	return r ? r : step_neighbours(d);
}
