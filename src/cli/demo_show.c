/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_show.c - see demo_show.h. */
#include "cli/demo_show.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/output.h"

#define TEXT_MAX (64 * 1024)
#define TAIL_LINES 15
#define TAIL_BYTES 4096
/* On a log, how often a wait that lasts is mentioned again. */
#define TELL_EVERY_S 5

void show_init(struct show *s, bool color, bool quiet)
{
	struct winsize ws;

	*s = (struct show){.color = color, .quiet = quiet, .tty = isatty(STDOUT_FILENO)};
	if (s->tty && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws))
		s->width = ws.ws_col;
}

static const char *paint(const struct show *s, enum out_color c)
{
	return out_color(s->color, c);
}

void show_line(struct show *s, const char *fmt, ...)
{
	va_list ap;

	if (s->quiet)
		return;
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

void show_heading(struct show *s, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	s->step++;
	show_line(s, "\n%s%u  %s%s", paint(s, OUT_BOLD), s->step, text, paint(s, OUT_PLAIN));
}

/* ---- waiting ---- */

void show_wait_begin(struct show *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->waiting, sizeof(s->waiting), fmt, ap);
	va_end(ap);
	s->since_us = clock_boot_us();
	s->told_s = 0;
}

void show_wait_tick(struct show *s)
{
	unsigned int now_s = (unsigned int)((clock_boot_us() - s->since_us) / 1000000);

	if (s->quiet || !s->waiting[0] || now_s < 1 || now_s == s->told_s)
		return;
	if (s->tty)
		printf("\r   %s%s ... %u s%s", paint(s, OUT_DIM), s->waiting, now_s,
		       paint(s, OUT_PLAIN));
	else if (!s->told_s || now_s >= s->told_s + TELL_EVERY_S)
		printf("   %s ... %u s\n", s->waiting, now_s);
	else
		return;
	s->told_s = now_s;
	fflush(stdout);
}

void show_wait_end(struct show *s)
{
	double took = (double)(clock_boot_us() - s->since_us) / 1e6;

	if (s->waiting[0] && s->told_s && !s->quiet) {
		if (s->tty)
			printf("\r\033[K");
		printf("   %s%s: %.1f s%s\n", paint(s, OUT_DIM), s->waiting, took,
		       paint(s, OUT_PLAIN));
		fflush(stdout);
	}
	s->waiting[0] = '\0';
}

/* ---- the steps ---- */

static const char *str(const json_t *obj, const char *key)
{
	const char *v = out_str(obj, key);

	return v ? v : "?";
}

static void show_row(struct show *s, const char *name, const char *fmt, ...) __printf(3, 4);

static void show_row(struct show *s, const char *name, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	show_line(s, "   %s%-9s%s %s", paint(s, OUT_BOLD), name, paint(s, OUT_PLAIN), text);
}

void show_world(struct show *s, const json_t *world)
{
	const json_t *network = json_object_get(world, "network");

	show_row(s, "internet", "router and resolver %s; %s %s serves HTTP", str(world, "internet"),
		 str(world, "server_name"), str(world, "server"));
	show_row(s, "host", "uplink %s %s; vmlaned: network %s, %s, %s, in %.1f ms",
		 str(world, "uplink"), str(world, "host"), str(network, "name"),
		 str(network, "mode"), str(network, "subnet"),
		 (double)out_int(world, "network_us", 0) / 1000);
}

void show_guests(struct show *s, const json_t *guests)
{
	const json_t *g;
	size_t i;

	json_array_foreach (guests, i, g)
		show_row(s, str(g, "name"), "%s", str(g, "text"));
}

static void show_message(struct show *s, const json_t *m)
{
	const char *address = out_str(m, "address");

	show_line(s, "     %+9.3f ms  %-8s  %s -> %s  %s%s", (double)out_int(m, "us", 0) / 1000,
		  str(m, "type"), str(m, "eth_src"), str(m, "eth_dst"),
		  address ? address : "which address may I have?",
		  address ? out_int(m, "asks", 0) ? "?" : "" : "");
}

void show_dhcp(struct show *s, const json_t *dhcp)
{
	const json_t *one, *m;
	size_t i, k;

	json_array_foreach (dhcp, i, one) {
		const json_t *ack = json_object_get(one, "ack");
		_cleanup_(buf_done) struct buf dns = BUF_INIT(TEXT_MAX);

		show_line(s, "   %s%s%s", paint(s, OUT_BOLD), str(one, "guest"),
			  paint(s, OUT_PLAIN));
		json_array_foreach (json_object_get(one, "messages"), k, m)
			show_message(s, m);
		out_cell_list(ack, "dns", &dns);
		show_line(s,
			  "     ACK by server %s%s%s: %s for %lld s, router %s, "
			  "dns %s",
			  paint(s, OUT_GREEN), str(ack, "server"), paint(s, OUT_PLAIN),
			  str(ack, "address"), (long long)out_int(ack, "lease_s", 0),
			  str(ack, "router"), dns.len ? buf_str(&dns) : "-");
	}
}

/* A table, moved in by three columns like the rest. */
static void show_table(struct show *s, const struct out_col *cols, size_t n, const json_t *rows)
{
	_cleanup_(freep) char *text = NULL;
	char *save = NULL;

	if (s->quiet || out_table(cols, n, rows, s->color, &text))
		return;
	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		show_line(s, "   %s", l);
}

void show_inventory(struct show *s, const json_t *guests)
{
	static const struct out_col cols[] = {
		{"GUEST", "name", out_cell_text},
		{"PROCESS", "process", out_cell_text},
		{"NIC", "nic_model", out_cell_text},
		{"TAP", "tap", out_cell_text},
		{"BRIDGE", "bridge", out_cell_text},
		{"MAC", "mac", out_cell_text},
		{"IPV4", "ipv4", out_cell_text},
		{"LINK", "carrier", out_cell_link, .state = true},
	};

	show_table(s, cols, ARRAY_SIZE(cols), guests);
}

void show_macs(struct show *s, const json_t *macs)
{
	static const struct out_col cols[] = {
		{"BRIDGE", "bridge", out_cell_text}, {"MAC", "mac", out_cell_text},
		{"PORT", "port", out_cell_text},     {"GUEST", "guest", out_cell_text},
		{"KIND", "kind", out_cell_text},     {"AGE", "age_s", out_cell_age, .right = true},
	};

	show_table(s, cols, ARRAY_SIZE(cols), macs);
}

static void endpoint(const json_t *hop, const char *addr, const char *port, char *ret, size_t size)
{
	int64_t p = out_int(hop, port, 0);

	if (p)
		snprintf(ret, size, "%s:%lld", str(hop, addr), (long long)p);
	else
		snprintf(ret, size, "%s", str(hop, addr));
}

/* One line a hop: what changed from the one before is in colour. */
static void show_hop(struct show *s, const json_t *hop, const json_t *before)
{
	char src[64], dst[64], since[32] = "";
	bool new_src, new_dst;

	endpoint(hop, "src", "sport", src, sizeof(src));
	endpoint(hop, "dst", "dport", dst, sizeof(dst));
	new_src = before && strcmp(str(hop, "src"), str(before, "src")) != 0;
	new_dst = before && strcmp(str(hop, "dst"), str(before, "dst")) != 0;
	if (before)
		snprintf(since, sizeof(since), "%+.3f ms", (double)out_int(hop, "ns", 0) / 1e6);
	show_line(s, "     %-10s  %-10s  %s%21s%s -> %s%-21s%s %10s%s", str(hop, "hop"),
		  str(hop, "interface"), paint(s, new_src ? OUT_YELLOW : OUT_PLAIN), src,
		  paint(s, OUT_PLAIN), paint(s, new_dst ? OUT_YELLOW : OUT_PLAIN), dst,
		  paint(s, OUT_PLAIN), since, new_src || new_dst ? "  translated" : "");
}

static void show_hops(struct show *s, const json_t *hops)
{
	const json_t *h, *before = NULL;
	size_t i;

	json_array_foreach (hops, i, h) {
		show_hop(s, h, before);
		before = h;
	}
}

/* The last number of the router's address, as it stands in the box: "192.168.122.1" is ".1". */
static const char *last_part(const char *addr)
{
	const char *dot = strrchr(addr, '.');

	return dot ? dot : addr;
}

/*
 * The line of boxes; everything in it was captured. Where the terminal is too narrow for it the
 * line is broken before an arrow.
 */
static void show_boxes(struct show *s, const json_t *path)
{
	const json_t *hops = json_object_get(path, "request");
	const json_t *tap = json_array_get(hops, 0), *bridge = json_array_get(hops, 1);
	const json_t *uplink = json_array_get(hops, 2);
	char left[200], right[200];

	snprintf(left, sizeof(left), "[guest %s %s] -> [tap %s] -> [bridge %s %s]",
		 str(path, "guest"), str(tap, "src"), str(tap, "interface"),
		 str(bridge, "interface"), last_part(str(path, "router")));
	snprintf(right, sizeof(right), "-> [NAT: %s] -> [uplink %s] -> Internet",
		 str(uplink, "src"), str(uplink, "interface"));
	if (s->width && 3 + strlen(left) + 1 + strlen(right) > s->width)
		show_line(s, "   %s%s\n     %s%s", paint(s, OUT_GREEN), left, right,
			  paint(s, OUT_PLAIN));
	else
		show_line(s, "   %s%s %s%s", paint(s, OUT_GREEN), left, right, paint(s, OUT_PLAIN));
}

void show_path(struct show *s, const json_t *path)
{
	show_line(s, "   %s%s%s", paint(s, OUT_BOLD), str(path, "title"), paint(s, OUT_PLAIN));
	show_hops(s, json_object_get(path, "request"));
	show_line(s, "     %sand its answer, %.3f ms later:%s", paint(s, OUT_DIM),
		  (double)out_int(path, "answer_ns", 0) / 1e6, paint(s, OUT_PLAIN));
	show_hops(s, json_object_get(path, "reply"));
	if (out_str(path, "answer"))
		show_line(s, "     the server answered: %s\"%s\"%s", paint(s, OUT_GREEN),
			  str(path, "answer"), paint(s, OUT_PLAIN));
	show_line(s, "%s", "");
	show_boxes(s, path);
	show_line(s, "%s", "");
}

void show_inbound(struct show *s, const json_t *list)
{
	const json_t *in;
	size_t i;

	json_array_foreach (list, i, in) {
		show_line(s, "   %s -> %s  arrives on %s, is not seen on %s or %s:", str(in, "src"),
			  str(in, "to"), str(in, "arrived_on"), str(in, "not_on"),
			  str(in, "bridge"));
		show_line(s, "     the answer is %s\"%s\"%s after %.1f ms", paint(s, OUT_GREEN),
			  str(in, "result"), paint(s, OUT_PLAIN),
			  (double)out_int(in, "us", 0) / 1000);
	}
}

void show_neighbours(struct show *s, const json_t *list)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		show_line(s, "   %s -> %s  %-5s %s", str(one, "from"), str(one, "to"),
			  str(one, "what"), str(one, "answer"));
}

/* ---- failure ---- */

static void show_tail(const char *log)
{
	char text[TAIL_BYTES + 1];
	FILE *f = fopen(log, "re");
	const char *from;
	size_t n;
	int lines = 0;

	if (!f)
		return;
	if (fseek(f, -TAIL_BYTES, SEEK_END) < 0)
		rewind(f);
	n = fread(text, 1, TAIL_BYTES, f);
	fclose(f);
	text[n] = '\0';
	from = text + n;
	while (from > text && (from[-1] != '\n' || from == text + n || ++lines < TAIL_LINES))
		from--;
	if (!*from)
		return;
	fprintf(stderr, "the end of %s:\n", log);
	while (*from) {
		size_t len = strcspn(from, "\n");
		char line[TAIL_BYTES + 1];

		memcpy(line, from, len);
		line[len] = '\0';
		fputs("  | ", stderr);
		out_print_escaped(stderr, line);
		fputc('\n', stderr);
		from += len + (from[len] == '\n');
	}
}

void show_failure(const struct show *s, const char *reason, const char *log)
{
	fflush(stdout);
	if (s->waiting[0] && s->told_s && s->tty && !s->quiet)
		fputc('\n', stderr);
	fputs("vmlane: demo: ", stderr);
	out_print_escaped(stderr, reason);
	fputc('\n', stderr);
	if (log && *log)
		show_tail(log);
}
