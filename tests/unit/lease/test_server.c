/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the DHCP server on a real bridge, in a network namespace of its own: a raw client on the
 * other end of a veth pair. Server and client take turns in one process. That something is not
 * answered is seen without waiting: the answer to a later INFORM comes first.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "../netns.h"
#include "lease/server.h"
#include "wire/frame.h"

#define LIMIT_MS 3000
#define MANY 40
#define FRAME_SIZE 2048

static char db_file[64];

/**
 * struct world - a server and what it works with
 * @commits:	of the database, counted by its hook
 * @refuse_commits: the hook makes them fail
 * @events:	told by the server; @event: the last
 */
struct world {
	sd_event *loop;
	sqlite3 *db;
	struct lease_store *store;
	struct network_config net;
	struct lease_config cfg;
	struct lease_socket *socket;
	struct lease_server *server;
	struct mac bridge_mac;
	int client;
	int commits;
	bool refuse_commits;
	unsigned int events;
	struct lease_event event;
	struct err e;
};

static int on_commit(void *ctx)
{
	struct world *w = ctx;

	w->commits++;
	return w->refuse_commits;
}

static void on_event(const struct lease_event *ev, void *ctx)
{
	struct world *w = ctx;

	w->events++;
	w->event = *ev;
}

static void start_socket(struct world *w)
{
	assert_int_equal(lease_socket_new(w->loop, (int)if_nametoindex("vl-test"), "test",
					  &w->socket, &w->e),
			 0);
}

static void start_server(struct world *w)
{
	struct err *e = &w->e;

	assert_int_equal(lease_server_new(w->socket, w->store, &w->bridge_mac, &w->cfg, on_event, w,
					  &w->server, e),
			 0);
}

static void open_db(struct world *w)
{
	assert_int_equal(sqlite3_open(db_file, &w->db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(w->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	assert_int_equal(lease_store_new(w->db, &w->store, &w->e), 0);
	sqlite3_commit_hook(w->db, on_commit, w);
}

static int open_client(void)
{
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex("guest")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = 4 * 1024 * 1024, on = 1;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sll, sizeof(sll)), 0);
	return fd;
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	unlink(db_file);
	assert_int_equal(sd_event_new(&w->loop), 0);
	open_db(w);
	strcpy(w->net.name, "test");
	w->net.dhcp = true;
	w->net.lease_s = 3600;
	assert_int_equal(ip4_prefix_parse("192.168.122.0/24", &w->net.subnet), 0);
	assert_int_equal(ip4_parse("192.168.122.1", &w->net.gateway), 0);
	assert_int_equal(ip4_parse("192.168.122.10", &w->net.range_first), 0);
	assert_int_equal(ip4_parse("192.168.122.250", &w->net.range_last), 0);
	assert_int_equal(mac_parse("52:54:00:ff:00:01", &w->bridge_mac), 0);
	w->cfg.network = &w->net;
	w->client = open_client();
	start_socket(w);
	start_server(w);
	w->commits = 0;
	*state = w;
	return 0;
}

static void close_db(struct world *w)
{
	lease_store_free(w->store);
	assert_int_equal(sqlite3_close(w->db), SQLITE_OK);
}

static int teardown(void **state)
{
	struct world *w = *state;

	lease_server_free(w->server);
	lease_socket_free(w->socket);
	close_db(w);
	close(w->client);
	sd_event_unref(w->loop);
	free(w);
	unlink(db_file);
	return 0;
}

static struct mac mac(unsigned int n)
{
	return (struct mac){{0x52, 0x54, 0, 1, (uint8_t)(n >> 8), (uint8_t)n}};
}

static struct in_addr addr(uint32_t n)
{
	return ip4_from_host(0xc0a87a00 + n);
}

static void send_bytes(struct world *w, const void *bytes, size_t len)
{
	assert_int_equal(send(w->client, bytes, len, 0), len);
}

/* Client @n, to everybody. */
static void ask(struct world *w, unsigned int n, enum dhcp4_type type, struct in_addr requested,
		struct in_addr server, struct in_addr ciaddr)
{
	struct dhcp4_msg m = {.op = 1,
			      .xid = n,
			      .type = type,
			      .chaddr = mac(n),
			      .requested = requested,
			      .server_id = server,
			      .ciaddr = ciaddr};
	uint8_t payload[DHCP4_MSG_MAX], frame[FRAME_SIZE];
	struct udp_send u = {.eth_src = mac(n),
			     .src = ciaddr,
			     .dst = {INADDR_BROADCAST},
			     .sport = 68,
			     .dport = 67,
			     .ttl = 64,
			     .payload = payload};
	int len = dhcp4_build(&m, payload, sizeof(payload));

	assert_true(len > 0);
	memset(u.eth_dst.b, 0xff, 6);
	u.payload_len = (size_t)len;
	len = udp_frame_build(&u, frame, sizeof(frame));
	assert_true(len > 0);
	send_bytes(w, frame, (size_t)len);
}

static const struct in_addr none;

static void discover(struct world *w, unsigned int n)
{
	ask(w, n, DHCP4_DISCOVER, none, none, none);
}

static void request(struct world *w, unsigned int n, struct in_addr a)
{
	ask(w, n, DHCP4_REQUEST, a, w->net.gateway, none);
}

/* The next reply that the client gets, with a complete UDP checksum; fails when none comes. */
static void get(struct world *w, struct dhcp4_msg *ret)
{
	uint8_t bytes[FRAME_SIZE];

	for (int ms = 0; ms < LIMIT_MS; ms += 10) {
		struct frame f;
		ssize_t len = recv(w->client, bytes, sizeof(bytes), 0);

		if (len < 0) {
			assert_int_equal(errno, EAGAIN);
			assert_true(sd_event_run(w->loop, 10000) >= 0);
			continue;
		}
		if (frame_parse(bytes, (size_t)len, true, &f) < 0 || f.kind != FRAME_UDP)
			continue;
		assert_int_equal(f.sport, 67);
		assert_int_equal(f.dport, 68);
		assert_true(ip4_equal(f.src, w->net.gateway));
		assert_true(mac_equal(&f.eth_src, &w->bridge_mac));
		assert_int_equal(dhcp4_parse(f.payload, f.payload_len, ret), 0);
		return;
	}
	fail_msg("no answer");
}

static void expect(struct world *w, unsigned int n, enum dhcp4_type type, struct dhcp4_msg *ret)
{
	get(w, ret);
	if (ret->xid != n || ret->type != type)
		fail_msg("%s for client %u where %s for %u was expected",
			 dhcp4_type_name(ret->type), ret->xid, dhcp4_type_name(type), n);
}

/* Everything sent so far was handled, and not answered. */
static void expect_silence(struct world *w)
{
	struct dhcp4_msg m;

	ask(w, 9999, DHCP4_INFORM, none, none, addr(5));
	expect(w, 9999, DHCP4_ACK, &m);
}

static struct in_addr dora(struct world *w, unsigned int n)
{
	struct dhcp4_msg m;

	discover(w, n);
	expect(w, n, DHCP4_OFFER, &m);
	request(w, n, m.yiaddr);
	expect(w, n, DHCP4_ACK, &m);
	return m.yiaddr;
}

/* What a second connection sees: what would be there after a crash. */
static int rows_on_disk(const char *where)
{
	sqlite3_stmt *st;
	char sql[256];
	sqlite3 *db;
	int n;

	snprintf(sql, sizeof(sql), "SELECT count(*) FROM lease WHERE %s", where);
	assert_int_equal(sqlite3_open(db_file, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return n;
}

static struct lease_counters counters(struct world *w)
{
	struct lease_counters c;

	lease_server_counters(w->server, &c);
	return c;
}

static bool bound(struct world *w, unsigned int n)
{
	struct mac m = mac(n);
	const struct lease *l = lease_find_mac(lease_server_table(w->server), &m);

	return l && l->state == LEASE_BOUND;
}

/* ---- the tests ---- */

static void test_dora(void **state)
{
	struct world *w = *state;
	struct dhcp4_msg m;
	struct in_addr a;

	discover(w, 1);
	expect(w, 1, DHCP4_OFFER, &m);
	assert_int_equal(w->commits, 0); /* an offer is not worth the disk */
	assert_int_equal(w->events, 1);
	assert_int_equal(w->event.type, DHCP4_OFFER);
	request(w, 1, m.yiaddr);
	expect(w, 1, DHCP4_ACK, &m);
	a = m.yiaddr;
	assert_int_equal(w->commits, 1);
	assert_int_equal(rows_on_disk("network = 'test' AND state = 1"), 1);
	assert_int_equal(m.lease_s, 3600);
	assert_true(ip4_equal(m.router, w->net.gateway));
	assert_int_equal(w->event.type, DHCP4_ACK);
	assert_int_equal(w->event.request, DHCP4_REQUEST);
	assert_true(ip4_equal(w->event.lease.addr, a));
	assert_true(mac_equal(&w->event.lease.mac, &(struct mac){{0x52, 0x54, 0, 1, 0, 1}}));
	/* asked again: the same address, and the event tells of it although nothing changed */
	discover(w, 1);
	expect(w, 1, DHCP4_OFFER, &m);
	assert_true(ip4_equal(m.yiaddr, a));
	assert_true(ip4_equal(w->event.lease.addr, a));
	assert_int_equal(counters(w).sent[DHCP4_ACK], 1);
	assert_int_equal(counters(w).got[DHCP4_DISCOVER], 2);
	assert_int_equal(counters(w).received, 3);
	assert_null(lease_server_problem(w->server));
}

static int compare(const void *a, const void *b)
{
	return (*(const double *)a > *(const double *)b) -
	       (*(const double *)a < *(const double *)b);
}

/* Shown, not asserted: it depends on the machine. */
static void test_latency(void **state)
{
	struct world *w = *state;
	double us[200];

	for (unsigned int i = 0; i < ARRAY_SIZE(us); i++) {
		struct timespec t0, t1;

		clock_gettime(CLOCK_MONOTONIC, &t0);
		dora(w, i + 1);
		clock_gettime(CLOCK_MONOTONIC, &t1);
		us[i] = (double)(t1.tv_sec - t0.tv_sec) * 1e6 +
			(double)(t1.tv_nsec - t0.tv_nsec) / 1e3;
	}
	qsort(us, ARRAY_SIZE(us), sizeof(us[0]), compare);
	fprintf(stderr, "DISCOVER to ACK: median %.0f us, p90 %.0f us\n", us[100], us[180]);
	assert_int_equal(w->commits, ARRAY_SIZE(us));
	assert_int_equal(rows_on_disk("state = 1"), ARRAY_SIZE(us));
}

/* Many at once: each its own address, all of them stored with one commit. */
static void test_batch(void **state)
{
	struct in_addr offered[MANY + 1];
	struct world *w = *state;
	struct dhcp4_msg m;

	for (unsigned int n = 1; n <= MANY; n++)
		discover(w, n);
	for (unsigned int n = 1; n <= MANY; n++) {
		expect(w, n, DHCP4_OFFER, &m);
		offered[n] = m.yiaddr;
		for (unsigned int k = 1; k < n; k++)
			assert_false(ip4_equal(offered[k], offered[n]));
	}
	assert_int_equal(w->commits, 0);
	for (unsigned int n = 1; n <= MANY; n++)
		request(w, n, offered[n]);
	for (unsigned int n = 1; n <= MANY; n++) {
		expect(w, n, DHCP4_ACK, &m);
		assert_true(ip4_equal(m.yiaddr, offered[n]));
	}
	assert_int_equal(w->commits, 1);
	assert_int_equal(rows_on_disk("state = 1"), MANY);
}

/* Two that say "this is mine" in one batch: the first gets it, the second is told no. */
static void test_race_in_batch(void **state)
{
	struct world *w = *state;
	struct dhcp4_msg m;

	ask(w, 1, DHCP4_REQUEST, addr(77), none, none);
	ask(w, 2, DHCP4_REQUEST, addr(77), none, none);
	expect(w, 1, DHCP4_ACK, &m);
	expect(w, 2, DHCP4_NAK, &m);
	assert_true(bound(w, 1));
	assert_false(bound(w, 2));
	assert_int_equal(rows_on_disk("1"), 1);
}

static void set_query_only(struct world *w, bool on)
{
	assert_int_equal(sqlite3_exec(w->db, on ? "PRAGMA query_only=1" : "PRAGMA query_only=0",
				      NULL, NULL, NULL),
			 SQLITE_OK);
}

/* The lease cannot be stored: offers, but no ACK; and all is well when it can be again. */
static void test_read_only_store(void **state)
{
	struct world *w = *state;
	struct in_addr before;
	struct dhcp4_msg m;

	before = dora(w, 7);
	set_query_only(w, true);
	discover(w, 1);
	expect(w, 1, DHCP4_OFFER, &m);
	request(w, 1, m.yiaddr);
	expect_silence(w);
	assert_false(bound(w, 1));
	assert_int_equal(counters(w).store_failed, 1);
	assert_int_equal(counters(w).ignored, 0);
	assert_non_null(lease_server_problem(w->server));
	assert_string_equal(lease_server_problem(w->server)->code, "read-only");
	/* an offer needs no store, and does not hide the problem */
	discover(w, 2);
	expect(w, 2, DHCP4_OFFER, &m);
	assert_non_null(lease_server_problem(w->server));
	/* a release that cannot be stored is not believed either */
	ask(w, 7, DHCP4_RELEASE, none, none, before);
	expect_silence(w);
	assert_true(bound(w, 7));
	assert_int_equal(counters(w).store_failed, 2);
	set_query_only(w, false);
	request(w, 2, m.yiaddr);
	expect(w, 2, DHCP4_ACK, &m);
	assert_null(lease_server_problem(w->server));
	dora(w, 1);
	assert_int_equal(rows_on_disk("state = 1"), 3);
}

/* A batch of all kinds whose commit fails: the table is what it was, but for new offers. */
static void test_commit_fails(void **state)
{
	struct world *w = *state;
	struct in_addr a1, a2;
	struct dhcp4_msg m;

	a1 = dora(w, 1);
	a2 = dora(w, 2);
	w->refuse_commits = true;
	ask(w, 1, DHCP4_RELEASE, none, none, a1);	    /* gives a1 back, */
	ask(w, 3, DHCP4_REQUEST, a1, none, none);	    /* which 3 wants at once; */
	ask(w, 2, DHCP4_DECLINE, a2, w->net.gateway, none); /* 2 does not want a2; */
	ask(w, 4, DHCP4_REQUEST, addr(100), none, none);    /* a new one; */
	discover(w, 5);					    /* and one who only looks */
	expect(w, 3, DHCP4_NAK, &m);			    /* decided anew: a1 is still 1's */
	expect(w, 5, DHCP4_OFFER, &m);
	expect_silence(w);
	assert_true(bound(w, 1));
	assert_true(bound(w, 2));
	assert_false(bound(w, 3));
	assert_false(bound(w, 4));
	assert_int_equal(lease_find_addr(lease_server_table(w->server), a2)->state, LEASE_BOUND);
	assert_null(lease_find_addr(lease_server_table(w->server), addr(100)));
	assert_int_equal(lease_count(lease_server_table(w->server)), 3);
	assert_int_equal(counters(w).store_failed, 3);
	assert_int_equal(rows_on_disk("state = 1"), 2);
	w->refuse_commits = false;
	dora(w, 4);
	dora(w, 5);
	assert_int_equal(rows_on_disk("state = 1"), 4);
}

static void test_full_store(void **state)
{
	struct world *w = *state;
	struct dhcp4_msg m;
	uint64_t acks = 0;

	dora(w, 1);
	assert_int_equal(sqlite3_exec(w->db, "PRAGMA max_page_count=1", NULL, NULL, NULL),
			 SQLITE_OK);
	/* the pages there are hold some more; then it is full */
	for (unsigned int n = 2; n < 240 && !counters(w).store_failed; n++) {
		discover(w, n);
		expect(w, n, DHCP4_OFFER, &m);
		request(w, n, m.yiaddr);
		ask(w, 9999, DHCP4_INFORM, none, none, addr(5));
		get(w, &m);
		if (m.xid == n) {
			acks++;
			expect(w, 9999, DHCP4_ACK, &m);
		}
	}
	assert_int_equal(counters(w).store_failed, 1);
	assert_string_equal(lease_server_problem(w->server)->code, "disk-full");
	assert_int_equal(rows_on_disk("state = 1"), acks + 1);
}

static void test_restart(void **state)
{
	struct world *w = *state;
	struct in_addr a = dora(w, 1);
	struct dhcp4_msg m;

	lease_server_free(w->server);
	close_db(w);
	open_db(w);
	start_server(w);
	assert_true(bound(w, 1));
	ask(w, 1, DHCP4_REQUEST, a, none, none);
	expect(w, 1, DHCP4_ACK, &m);
	assert_true(ip4_equal(m.yiaddr, a));
}

static void test_release_by_operator(void **state)
{
	struct world *w = *state;
	struct in_addr a = dora(w, 1);

	assert_int_equal(lease_server_release(w->server, addr(99), &w->e), -ENOENT);
	set_query_only(w, true);
	assert_int_equal(lease_server_release(w->server, a, &w->e), -EROFS);
	assert_true(bound(w, 1));
	set_query_only(w, false);
	assert_int_equal(lease_server_release(w->server, a, &w->e), 0);
	assert_false(bound(w, 1));
	assert_int_equal(rows_on_disk("1"), 0);
}

/* A frame as udp_frame_build() makes it, for the tests that bend it. */
static size_t udp_frame(struct world *w, uint8_t *frame, struct in_addr dst, uint16_t dport)
{
	struct dhcp4_msg m = {.op = 1, .xid = 1, .type = DHCP4_DISCOVER, .chaddr = mac(1)};
	uint8_t payload[DHCP4_MSG_MAX];
	struct udp_send u = {.eth_src = mac(1),
			     .eth_dst = w->bridge_mac,
			     .dst = dst,
			     .sport = 68,
			     .dport = dport,
			     .ttl = 64,
			     .payload = payload};
	int len = dhcp4_build(&m, payload, sizeof(payload));

	assert_true(len > 0);
	u.payload_len = (size_t)len;
	len = udp_frame_build(&u, frame, FRAME_SIZE - 4);
	assert_true(len > 0);
	return (size_t)len;
}

static void fix_ip_checksum(uint8_t *frame)
{
	uint32_t sum = 0;

	frame[24] = frame[25] = 0;
	for (size_t i = 14; i < 34; i += 2)
		sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

/* What the kernel's filter keeps out does not even count as received. */
static void test_filter(void **state)
{
	struct world *w = *state;
	uint8_t f[FRAME_SIZE];
	size_t len;

	len = udp_frame(w, f, w->net.gateway, 68); /* another port */
	send_bytes(w, f, len);
	len = udp_frame(w, f, w->net.gateway, 67);
	f[20] = 0x20; /* more fragments */
	fix_ip_checksum(f);
	send_bytes(w, f, len);
	len = udp_frame(w, f, w->net.gateway, 67);
	f[21] = 1; /* a later fragment */
	fix_ip_checksum(f);
	send_bytes(w, f, len);
	len = udp_frame(w, f, w->net.gateway, 67);
	f[23] = IPPROTO_TCP;
	fix_ip_checksum(f);
	send_bytes(w, f, len);
	len = udp_frame(w, f, w->net.gateway, 67);
	f[12] = 0x86; /* IPv6 */
	f[13] = 0xdd;
	send_bytes(w, f, len);
	len = udp_frame(w, f, w->net.gateway, 67); /* inside a VLAN */
	memmove(f + 16, f + 12, len - 12);
	memcpy(f + 12, "\x81\x00\x00\x05", 4);
	send_bytes(w, f, len + 4);
	send_bytes(w, f, 20); /* cut short */
	expect_silence(w);
	assert_int_equal(counters(w).received, 1);
}

static void test_not_ours(void **state)
{
	struct world *w = *state;
	struct dhcp4_msg m;
	uint8_t f[FRAME_SIZE];
	size_t len;

	len = udp_frame(w, f, addr(2), 67); /* to another server */
	send_bytes(w, f, len);
	expect_silence(w);
	assert_int_equal(counters(w).ignored, 1);
	len = udp_frame(w, f, w->net.gateway, 67);
	f[60] ^=
		1; /* the UDP checksum is not looked at; here the flipped bit is chaddr's padding */
	f[40] ^= 0xff;
	send_bytes(w, f, len); /* to us, not broadcast */
	expect(w, 1, DHCP4_OFFER, &m);
	len = udp_frame(w, f, w->net.gateway, 67);
	f[24] ^= 0xff; /* the IPv4 checksum is */
	send_bytes(w, f, len);
	expect_silence(w);
	assert_int_equal(counters(w).bad, 1);
}

static void drain(struct world *w)
{
	while (sd_event_run(w->loop, 0) > 0)
		;
}

static void test_garbage(void **state)
{
	struct world *w = *state;
	uint8_t f[FRAME_SIZE];
	uint32_t seed = 7;
	size_t len;

	for (int i = 0; i < 500; i++) {
		len = udp_frame(w, f, w->net.gateway, 67);
		for (int k = 0; k < 40; k++) {
			seed = seed * 1664525u + 1013904223u;
			f[42 + (seed >> 8) % (len - 42)] = (uint8_t)(seed >> 24);
		}
		send_bytes(w, f, len);
		if (i % 50 == 0)
			assert_true(sd_event_run(w->loop, 0) >= 0);
	}
	drain(w);
	assert_true(counters(w).bad > 100);
	assert_int_equal(counters(w).received, 500);
}

static void arp(struct world *w, unsigned int n, struct in_addr sender, unsigned int claimed)
{
	const struct mac from = mac(n), inside = mac(claimed);
	const struct in_addr target = w->net.gateway;
	uint8_t f[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	memcpy(f + 6, from.b, 6);
	memcpy(f + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
	memcpy(f + 22, inside.b, 6);
	memcpy(f + 28, &sender, 4);
	memcpy(f + 38, &target, 4);
	send_bytes(w, f, sizeof(f));
}

static void test_arp_sightings(void **state)
{
	struct world *w = *state;
	struct mac other = mac(50);
	const struct lease_table *t = lease_server_table(w->server);
	struct in_addr seen;
	struct dhcp4_msg m;

	arp(w, 1, addr(66), 1);		/* uses .66 */
	arp(w, 2, addr(67), 3);		/* says 3 does */
	arp(w, 4, none, 4);		/* only probes */
	arp(w, 5, ip4_from_host(1), 5); /* is of another network */
	expect_silence(w);
	assert_true(lease_seen_by_other(t, addr(66), &other, time(NULL)));
	assert_false(lease_seen_by_other(t, addr(67), &other, time(NULL)));
	other = mac(1);
	assert_true(lease_seen_addr(t, &other, &seen));
	assert_true(ip4_equal(seen, addr(66)));
	other = mac(5);
	assert_false(lease_seen_addr(t, &other, &seen));
	/* and so .66 is not for others */
	ask(w, 9, DHCP4_REQUEST, addr(66), none, none);
	expect(w, 9, DHCP4_NAK, &m);
}

static void test_offers_are_pruned(void **state)
{
	struct world *w = *state;
	struct lease_table *t = lease_server_table(w->server);
	struct lease old = {.addr = addr(20), .mac = mac(20), .state = LEASE_OFFERED};
	struct lease new = {.addr = addr(21), .mac = mac(21), .state = LEASE_OFFERED};
	struct lease kept = {.addr = addr(22), .mac = mac(22), .state = LEASE_BOUND};
	struct dhcp4_msg m;

	old.expires_s = time(NULL) - 1;
	new.expires_s = time(NULL) + 60;
	kept.expires_s = old.expires_s;
	assert_int_equal(lease_put(t, &old), 0);
	assert_int_equal(lease_put(t, &new), 0);
	assert_int_equal(lease_put(t, &kept), 0);
	discover(w, 1);
	expect(w, 1, DHCP4_OFFER, &m);
	assert_null(lease_find_addr(t, old.addr));
	assert_true(lease_find_addr(t, new.addr) && lease_find_addr(t, kept.addr));
}

static void run(const char *command)
{
	assert_int_equal(system(command), 0);
}

static void test_bridge_down_and_up(void **state)
{
	struct world *w = *state;

	dora(w, 1);
	run("ip link set vl-test down");
	assert_true(sd_event_run(w->loop, 0) >= 0);
	run("ip link set vl-test up");
	dora(w, 2);
}

static void test_reconfigured(void **state)
{
	struct world *w = *state;
	struct lease_config cfg = w->cfg;
	struct dhcp4_msg m;

	cfg.n_dns = 1;
	cfg.dns[0] = addr(53);
	lease_server_configure(w->server, &cfg);
	discover(w, 1);
	expect(w, 1, DHCP4_OFFER, &m);
	assert_int_equal(m.n_dns, 1);
	assert_true(ip4_equal(m.dns[0], addr(53)));
}

/* More at once than the socket holds: what is lost is counted. */
static void test_flood(void **state)
{
	struct world *w = *state;
	uint64_t handled;

	for (unsigned int i = 0; i < 8000; i++)
		discover(w, i % 200 + 1);
	drain(w);
	handled = counters(w).received;
	assert_true(handled >= 64);
	assert_int_equal(handled + counters(w).socket_drops, 8000);
	assert_int_equal(counters(w).sent[DHCP4_OFFER] + counters(w).send_failed, handled);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	/* clang-format off */
	const struct CMUnitTest tests[] = {
		T(test_dora), T(test_latency), T(test_batch),
		T(test_race_in_batch), T(test_read_only_store), T(test_commit_fails),
		T(test_full_store), T(test_restart), T(test_release_by_operator),
		T(test_filter), T(test_not_ours), T(test_garbage),
		T(test_arp_sightings), T(test_offers_are_pruned), T(test_bridge_down_and_up),
		T(test_reconfigured), T(test_flood),
	};
	/* clang-format on */
	char dir[] = "/tmp/vmlane-test-XXXXXX";
	int r;

	if (system("ip -V >/dev/null 2>&1") != 0)
		netns_skip("needs ip (package iproute2)");
	netns_enter();
	if (system("ip link add vl-test address 52:54:00:ff:00:01 type bridge && "
		   "ip link add port type veth peer name guest && "
		   "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
		   "ip link set port master vl-test && ip link set port up && "
		   "ip link set guest up && ip link set vl-test up") != 0)
		netns_skip("no bridge and veth pair could be made");
	/* else the kernel itself drops what test_not_ours() sends */
	if (access("/proc/sys/net/bridge", F_OK) == 0)
		run("sysctl -qw net.bridge.bridge-nf-call-iptables=0");
	if (!mkdtemp(dir))
		return 1;
	snprintf(db_file, sizeof(db_file), "%s/state.db", dir);
	r = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return r;
}
