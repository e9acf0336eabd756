/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the demo's pure parts: which frames are one packet, which messages one DHCP exchange, DNS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "cli/demo_dhcp.h"
#include "cli/demo_dns.h"
#include "cli/demo_path.h"

#define GUEST 0xc0a87a0a  /* 192.168.122.10 */
#define HOST 0xcb007102	  /* 203.0.113.2 */
#define SERVER 0xc6336407 /* 198.51.100.7 */

enum { TAP, BRIDGE, UPLINK };

static struct watch_event tcp_event(size_t point, bool outgoing, uint32_t src, uint32_t seq,
				    const char *payload)
{
	return (struct watch_event){
		.index = point,
		.outgoing = outgoing,
		.frame = {.kind = FRAME_TCP,
			  .src = ip4_from_host(src),
			  .dst = ip4_from_host(SERVER),
			  .sport = src == HOST ? 1024 : 40000,
			  .dport = 80,
			  .ip_id = 7,
			  .tcp_seq = seq,
			  .tcp_flags = 24,
			  .payload = (const uint8_t *)payload,
			  .payload_len = strlen(payload)},
	};
}

static void add(struct trail_log *log, struct watch_event ev, uint64_t at_ns)
{
	ev.time_ns = at_ns;
	trail_note(&ev, log);
}

static void test_trail(void **state)
{
	static const size_t points[] = {TAP, BRIDGE, UPLINK};
	static const bool outgoing[] = {false, false, true};
	static struct trail_log log;
	struct trail t;
	size_t lost = 99;

	(void)state;
	memset(&log, 0, sizeof(log));
	add(&log, tcp_event(TAP, false, GUEST, 100, "GET /"), 1);
	add(&log, tcp_event(BRIDGE, false, GUEST, 99, "GET /"), 2);
	add(&log, tcp_event(BRIDGE, false, GUEST, 100, "GET /other"), 3);
	assert_int_equal(trail_find(&log, &log.seen[0], points, outgoing, &t, &lost), -ENOENT);
	assert_int_equal(lost, 1);
	add(&log, tcp_event(BRIDGE, false, GUEST, 100, "GET /"), 4);
	/* at the uplink, but coming in: not the same direction */
	add(&log, tcp_event(UPLINK, false, HOST, 100, "GET /"), 5);
	assert_int_equal(trail_find(&log, &log.seen[0], points, outgoing, &t, &lost), -ENOENT);
	assert_int_equal(lost, 2);
	add(&log, tcp_event(UPLINK, true, HOST, 100, "GET /"), 6);
	assert_int_equal(trail_find(&log, &log.seen[0], points, outgoing, &t, &lost), 0);
	assert_int_equal(t.at[0]->time_ns, 1);
	assert_int_equal(t.at[1]->time_ns, 4);
	assert_int_equal(t.at[2]->time_ns, 6);
	assert_string_equal(t.at[2]->start, "GET /");
}

static void test_seen_same(void **state)
{
	struct seen a = {.frame = {.kind = FRAME_ICMP,
				   .src = ip4_from_host(GUEST),
				   .dst = ip4_from_host(SERVER),
				   .icmp_type = 8,
				   .icmp_id = 1,
				   .icmp_seq = 3}};
	struct seen b = a;

	(void)state;
	b.frame.src = ip4_from_host(HOST);
	b.frame.icmp_id = 2; /* a NAT may choose another */
	assert_true(seen_same(&a, &b));
	b.frame.icmp_seq = 4;
	assert_false(seen_same(&a, &b));
	b = a;
	b.frame.src = ip4_from_host(HOST);
	b.frame.dst = ip4_from_host(GUEST);
	assert_false(seen_same(&a, &b));
	b = a;
	b.hash++;
	assert_false(seen_same(&a, &b));
}

static void test_trail_full(void **state)
{
	static struct trail_log log;

	(void)state;
	memset(&log, 0, sizeof(log));
	for (size_t i = 0; i < TRAIL_SEEN_MAX + 3; i++)
		add(&log, tcp_event(TAP, false, GUEST, 1, ""), i);
	assert_int_equal(log.n, TRAIL_SEEN_MAX);
	assert_int_equal(log.missed, 3);
}

/* ---- DHCP ---- */

static void dhcp(struct dhcp_log *log, enum dhcp4_type type, uint32_t xid, uint8_t mac, uint32_t ip)
{
	bool reply = type == DHCP4_OFFER || type == DHCP4_ACK;
	struct dhcp4_msg m = {
		.op = reply ? 2 : 1,
		.xid = xid,
		.type = type,
		.chaddr = {{0x52, 0x54, 0, 0, 0, mac}},
		.yiaddr = ip4_from_host(reply ? ip : 0),
		.requested = ip4_from_host(reply ? 0 : ip),
		.server_id = ip4_from_host(reply ? 0xc0a87a01 : 0),
		.router = ip4_from_host(reply ? 0xc0a87a01 : 0),
		.lease_s = reply ? 3600 : 0,
	};
	uint8_t bytes[DHCP4_MSG_MAX];
	int len = dhcp4_build(&m, bytes, sizeof(bytes));
	struct watch_event ev = {
		.time_ns = (log->n + 1) * 1000000,
		.frame = {.kind = FRAME_UDP,
			  .sport = reply ? 67 : 68,
			  .dport = reply ? 68 : 67,
			  .payload = bytes,
			  .payload_len = (size_t)len},
	};

	assert_true(len > 0);
	dhcp_note(&ev, log);
}

static const char *text_at(const json_t *facts, const char *object, const char *key)
{
	return json_string_value(json_object_get(json_object_get(facts, object), key));
}

static void test_dhcp_exchange(void **state)
{
	static struct dhcp_log log;
	struct mac mac = {{0x52, 0x54, 0, 0, 0, 1}}, other = {{0x52, 0x54, 0, 0, 0, 9}};
	enum dhcp4_type missing;
	json_t *facts;

	(void)state;
	memset(&log, 0, sizeof(log));
	dhcp(&log, DHCP4_DISCOVER, 5, 1, 0); /* went unanswered */
	dhcp(&log, DHCP4_DISCOVER, 6, 1, 0);
	dhcp(&log, DHCP4_OFFER, 6, 1, GUEST);
	dhcp(&log, DHCP4_DISCOVER, 7, 2, 0); /* somebody else's, in between */
	dhcp(&log, DHCP4_REQUEST, 6, 1, GUEST);
	assert_int_equal(dhcp_facts(&log, &mac, &facts, &missing), -ENOENT);
	assert_int_equal(missing, DHCP4_ACK);
	dhcp(&log, DHCP4_ACK, 6, 1, GUEST);
	assert_int_equal(dhcp_facts(&log, &mac, &facts, &missing), 0);
	assert_int_equal(json_array_size(json_object_get(facts, "messages")), 4);
	assert_string_equal(text_at(facts, "ack", "address"), "192.168.122.10");
	assert_string_equal(text_at(facts, "ack", "server"), "192.168.122.1");
	json_decref(facts);
	assert_int_equal(dhcp_facts(&log, &other, &facts, &missing), -ENOENT);
}

static void test_dhcp_incomplete(void **state)
{
	static struct dhcp_log log;
	struct mac mac = {{0x52, 0x54, 0, 0, 0, 1}};
	enum dhcp4_type missing;
	json_t *facts;

	(void)state;
	memset(&log, 0, sizeof(log));
	dhcp(&log, DHCP4_DISCOVER, 5, 1, 0);
	dhcp(&log, DHCP4_OFFER, 4, 1, GUEST); /* of another exchange */
	dhcp(&log, DHCP4_REQUEST, 5, 1, GUEST);
	dhcp(&log, DHCP4_ACK, 5, 1, GUEST);
	assert_int_equal(dhcp_facts(&log, &mac, &facts, &missing), -ENOENT);
	assert_int_equal(missing, DHCP4_OFFER);
}

/* ---- DNS ---- */

/* A query for @name, labels in wire form: "\3www\7example". */
static size_t query(const char *name, uint16_t flags, uint8_t type,
		    uint8_t out[static DEMO_DNS_MAX])
{
	uint8_t head[12] = {0x12, 0x34, (uint8_t)(flags >> 8), (uint8_t)flags, 0, 1};
	const uint8_t tail[] = {0, type, 0, 1};
	size_t len = strlen(name) + 1;

	memcpy(out, head, sizeof(head));
	memcpy(out + 12, name, len);
	memcpy(out + 12 + len, tail, sizeof(tail));
	return 12 + len + sizeof(tail);
}

static void test_dns(void **state)
{
	uint8_t q[DEMO_DNS_MAX], a[DEMO_DNS_MAX];
	size_t len = query("\3wWw\7example", 0x0100, 1, q);

	(void)state;
	assert_int_equal(demo_dns_answer(q, len, a), len + 16);
	assert_memory_equal(a, "\x12\x34\x85\x80\0\1\0\1\0\0\0\0", 12);
	assert_memory_equal(a + len, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc6\x33\x64\7", 16);
	/* an AAAA of the known name: no error, no answer */
	len = query("\3www\7example", 0x0100, 28, q);
	assert_int_equal(demo_dns_answer(q, len, a), len);
	assert_memory_equal(a + 2, "\x85\x80\0\1\0\0", 6);
	/* an unknown name */
	len = query("\2ww\7example", 0x0100, 1, q);
	assert_int_equal(demo_dns_answer(q, len, a), len);
	assert_int_equal(a[3], 0x83);
}

static void test_dns_refusals(void **state)
{
	uint8_t q[DEMO_DNS_MAX], a[DEMO_DNS_MAX];
	size_t len = query("\3www\7example", 0x0100, 1, q);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(demo_dns_answer(q, cut, a), 0);
	len = query("\3www\7example", 0x8180, 1, q); /* a response */
	assert_int_equal(demo_dns_answer(q, len, a), 0);
	len = query("\x7fwww", 0x0100, 1, q); /* a label that is too long */
	assert_int_equal(demo_dns_answer(q, len, a), 0);
	len = query("\3www\7example", 0x0100, 1, q);
	q[5] = 2; /* two questions */
	assert_int_equal(demo_dns_answer(q, len, a), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trail),		cmocka_unit_test(test_seen_same),
		cmocka_unit_test(test_trail_full),	cmocka_unit_test(test_dhcp_exchange),
		cmocka_unit_test(test_dhcp_incomplete), cmocka_unit_test(test_dns),
		cmocka_unit_test(test_dns_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
