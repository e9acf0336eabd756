/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/trace_join.c: messages and events as several CPUs make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "path/trace_join.h"

#define PACKETS 8
#define DECIDED_MAX 64

static struct path_seen packets[PACKETS];

static struct {
	struct {
		uint32_t packet;
		uint64_t time_ns;
		char chain[16];
		enum verdict_by by;
	} all[DECIDED_MAX];
	size_t n;
} decided;

static const struct path_seen *seen(uint32_t packet, void *ctx)
{
	(void)ctx;
	return packet < PACKETS && packets[packet].ethertype ? &packets[packet] : NULL;
}

static void note(uint32_t packet, uint64_t time_ns, const struct verdict *v, void *ctx)
{
	(void)ctx;
	if (decided.n == DECIDED_MAX)
		return;
	decided.all[decided.n].packet = packet;
	decided.all[decided.n].time_ns = time_ns;
	decided.all[decided.n].by = v->by;
	snprintf(decided.all[decided.n].chain, sizeof(decided.all[0].chain), "%s", v->chain);
	decided.n++;
}

static const struct trace_join_ops ops = {.seen = seen, .decided = note};

/* Packets 1 and up: UDP from 10.9.0.N, port 1000 + N, all else the same. */
static int setup(void **state)
{
	struct trace_join *j;

	memset(packets, 0, sizeof(packets));
	for (uint8_t i = 1; i < PACKETS; i++)
		packets[i] = (struct path_seen){.ethertype = ETH_P_IP,
						.l4 = IPPROTO_UDP,
						.flags = PATH_L4,
						.sport = (uint16_t)(1000 + i),
						.dport = 53,
						.src = {10, 9, 0, i},
						.dst = {192, 0, 2, 1}};
	decided.n = 0;
	assert_int_equal(trace_join_new(&j), 0);
	*state = j;
	return 0;
}

static int teardown(void **state)
{
	trace_join_free(*state);
	return 0;
}

static void event(struct trace_join *j, uint32_t number, uint32_t id, uint32_t packet)
{
	const struct path_trace e = {
		.head = {.packet = packet, .time_ns = number + 1000}, .number = number, .id = id};

	trace_join_event(j, &e);
}

/* The headers of packet @n, as an IPv4 header and the first bytes behind it. */
static void headers(uint8_t n, uint8_t l3[20], uint8_t l4[8])
{
	const struct path_seen *s = &packets[n];

	memset(l3, 0, 20);
	memset(l4, 0, 8);
	l3[0] = 0x45;
	l3[4] = (uint8_t)(s->ip_id >> 8);
	l3[5] = (uint8_t)s->ip_id;
	l3[9] = s->l4;
	memcpy(l3 + 12, s->src, 4);
	memcpy(l3 + 16, s->dst, 4);
	l4[0] = (uint8_t)(s->sport >> 8);
	l4[1] = (uint8_t)s->sport;
	l4[3] = (uint8_t)s->dport;
}

static void message(struct trace_join *j, uint32_t number, uint32_t id, uint8_t packet,
		    const char *chain, int verdict)
{
	uint8_t l3[20], l4[8];
	struct nftrace_msg m = {.number = number,
				.id = id,
				.family = NFPROTO_INET,
				.type = NFTRACE_RULE,
				.verdict = verdict,
				.handle = 5,
				.table = "t",
				.chain = chain,
				.target = verdict == NFT_JUMP ? "to" : ""};

	if (packet) {
		headers(packet, l3, l4);
		m.l3 = (struct nftrace_bytes){l3, sizeof(l3)};
		m.l4 = (struct nftrace_bytes){l4, sizeof(l4)};
	}
	assert_int_equal(trace_join_message(j, &m, 0), 0);
}

static void expect(struct trace_join *j, const char *chains, uint64_t unknown)
{
	char said[256] = "";
	size_t len = 0;

	trace_join_due(j, UINT64_MAX, &ops, NULL);
	for (size_t i = 0; i < decided.n; i++)
		len += (size_t)snprintf(said + len, sizeof(said) - len, "%s%s=%u", i ? " " : "",
					decided.all[i].chain, decided.all[i].packet);
	assert_string_equal(said, chains);
	assert_int_equal(trace_join_unknown(j), unknown);
}

static void test_in_step(void **state)
{
	struct trace_join *j = *state;

	message(j, 0, 7, 1, "a", NF_ACCEPT);
	message(j, 1, 7, 1, "b", NFT_JUMP);
	event(j, 0, 7, 1);
	event(j, 1, 7, 1);
	event(j, 2, 8, 2);
	event(j, 3, 7, 1);
	message(j, 2, 8, 2, "a", NF_DROP);
	message(j, 3, 7, 0, "b", NF_ACCEPT);
	expect(j, "a=1 a=2 b=1", 0);
	assert_int_equal(decided.all[0].time_ns, 1000);
	assert_int_equal(decided.all[1].time_ns, 1002);
}

/* Two CPUs queue 4 and 5 and are counted 5 and 4; both look when 5's is the queue's last. */
static void test_swapped(void **state)
{
	struct trace_join *j = *state;

	message(j, 4, 7, 1, "a", NF_ACCEPT);
	message(j, 5, 8, 2, "b", NF_ACCEPT);
	event(j, 4, 8, 2);
	event(j, 5, 8, 1);
	expect(j, "a=1 b=2", 0);
}

/* The event could not be made, or tells no id: the packet was met before by its id. */
static void test_missing_event(void **state)
{
	struct trace_join *j = *state;

	event(j, 0, 0, 1);
	message(j, 0, 7, 1, "a", NF_ACCEPT);
	message(j, 1, 7, 1, "b", NF_DROP);
	message(j, 2, 9, 2, "c", NF_ACCEPT); /* never heard of */
	expect(j, "a=1 b=1", 1);
}

/* The same addresses and ports again soon, in the same memory: the same id, and another packet. */
static void test_id_used_again(void **state)
{
	struct trace_join *j = *state;

	packets[2] = packets[1];
	event(j, 0, 7, 1);
	message(j, 0, 7, 1, "a", NF_ACCEPT);
	event(j, 1, 7, 1);
	message(j, 1, 7, 1, "b", NF_ACCEPT);
	event(j, 2, 7, 2);
	message(j, 2, 7, 1, "a", NF_ACCEPT);
	event(j, 3, 7, 2);
	message(j, 3, 7, 1, "b", NF_ACCEPT);
	expect(j, "a=1 b=1 a=2 b=2", 0);
}

/*
 * A rule rejects: the answer's messages come first, while packet 1 is still at hand; then the answer
 * is, when the rule's own message comes.
 */
static void test_rejected(void **state)
{
	struct trace_join *j = *state;

	packets[3].l4 = IPPROTO_TCP;
	packets[4].l4 = IPPROTO_TCP;
	event(j, 0, 7, 1);
	message(j, 0, 7, 1, "early", NF_ACCEPT);
	event(j, 1, 9, 1);
	message(j, 1, 9, 3, "out", NF_ACCEPT);
	event(j, 2, 9, 3);
	message(j, 2, 9, 3, "post", NF_ACCEPT);
	event(j, 3, 7, 3);
	message(j, 3, 7, 1, "forward", NF_DROP);
	expect(j, "early=1 out=3 post=3 forward=1", 0);
	/* An answer that nobody follows is nobody's. */
	event(j, 8, 11, 1);
	message(j, 8, 11, 4, "out", NF_ACCEPT);
	decided.n = 0;
	expect(j, "", 1);
}

static void test_time(void **state)
{
	struct trace_join *j = *state;

	assert_int_equal(trace_join_wait_ms(j, 0), -1);
	message(j, 0, 7, 1, "a", NF_ACCEPT);
	assert_int_equal(trace_join_wait_ms(j, 0), 2);
	trace_join_due(j, 1999999, &ops, NULL);
	assert_int_equal(decided.n, 0);
	event(j, 0, 7, 1); /* late, but not too late */
	assert_int_equal(trace_join_wait_ms(j, 1500000), 1);
	assert_int_equal(trace_join_wait_ms(j, 2000000), 0);
	trace_join_due(j, 2000000, &ops, NULL);
	assert_int_equal(decided.n, 1);
	/* One whose end was lost. */
	event(j, 1, 8, 2);
	message(j, 1, 8, 2, "b", NFT_JUMP);
	assert_int_equal(trace_join_wait_ms(j, 0), 100);
	trace_join_due(j, 99999999, &ops, NULL);
	assert_int_equal(decided.n, 1);
	trace_join_due(j, 100000000, &ops, NULL);
	assert_int_equal(decided.n, 2);
	assert_int_equal(decided.all[1].by, VERDICT_UNKNOWN);
	assert_int_equal(trace_join_wait_ms(j, 0), -1);
}

/* What was heard of since the look before the one that found a message may be what it is about. */
static void test_settled(void **state)
{
	struct trace_join *j = *state;

	assert_true(trace_join_settled(j) == UINT64_MAX);
	trace_join_look(j, 0);
	trace_join_look(j, 500);
	message(j, 0, 7, 1, "a", NF_ACCEPT);
	trace_join_look(j, 900);
	event(j, 0, 7, 1);
	assert_int_equal(trace_join_settled(j), 0);
	message(j, 1, 7, 1, "b", NF_ACCEPT);
	trace_join_due(j, 2000000, &ops, NULL);
	assert_int_equal(decided.n, 2);
	assert_true(trace_join_settled(j) == UINT64_MAX);
	trace_join_look(j, 9000);
	message(j, 2, 7, 1, "c", NF_ACCEPT);
	assert_int_equal(trace_join_settled(j), 900);
}

/* More than there is room for, of each kind: nothing but the oldest is lost, and that is counted. */
static void test_limits(void **state)
{
	struct trace_join *j = *state;

	for (uint32_t i = 0; i < 5000; i++)
		message(j, i, i, 1, "a", NF_ACCEPT);
	assert_true(trace_join_unknown(j) > 0);
	for (uint32_t i = 0; i < 200; i++)
		message(j, 5000 + i, i, 1, "b", NFT_JUMP);
	for (uint32_t i = 0; i < 200; i++)
		message(j, 5200 + i, 199, 0, "b", NFT_JUMP);
	event(j, 5399, 199, 1);
	event(j, 5400, 199, 1);
	message(j, 5400, 199, 0, "b", NF_DROP);
	decided.n = 0;
	trace_join_due(j, UINT64_MAX, &ops, NULL);
	assert_int_equal(decided.n, 1);
	assert_int_equal(decided.all[0].by, VERDICT_RULE);
}

static void test_fits(void **state)
{
	uint8_t l3[20], l4[8];
	struct nftrace_msg m = {.l3 = {l3, 20}, .l4 = {l4, 8}};
	struct path_seen *s = &packets[1];

	(void)state;
	headers(1, l3, l4);
	assert_int_equal(trace_fits(&m, s), TRACE_SAME);
	assert_int_equal(trace_fits(&m, &packets[2]), TRACE_MAYBE); /* perhaps translated */
	s->ip_id = 1;
	assert_int_equal(trace_fits(&m, s), TRACE_OTHER);
	s->ip_id = 0;
	s->l4 = IPPROTO_TCP;
	assert_int_equal(trace_fits(&m, s), TRACE_OTHER);
	headers(1, l3, l4);
	assert_int_equal(trace_fits(&m, s), TRACE_SAME);
	l4[7] = 1; /* the sequence number */
	assert_int_equal(trace_fits(&m, s), TRACE_OTHER);
	s->l4 = IPPROTO_ICMP;
	s->dport = 0x0800;
	s->sport = 0x1234;
	s->seq = 9;
	headers(1, l3, l4);
	memcpy(l4, "\x08\x00\xaa\xaa\x12\x34\x00\x09", 8);
	assert_int_equal(trace_fits(&m, s), TRACE_SAME);
	l4[4] = 0x77; /* the id, translated */
	assert_int_equal(trace_fits(&m, s), TRACE_MAYBE);
	l4[7] = 8;
	assert_int_equal(trace_fits(&m, s), TRACE_OTHER);
	l3[0] = 0x60;
	assert_int_equal(trace_fits(&m, s), TRACE_OTHER);
	m.l3.len = 10;
	assert_int_equal(trace_fits(&m, s), TRACE_OTHER);
	m.l3.len = 0; /* told with the first message only */
	assert_int_equal(trace_fits(&m, s), TRACE_MAYBE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_in_step, setup, teardown),
		cmocka_unit_test_setup_teardown(test_swapped, setup, teardown),
		cmocka_unit_test_setup_teardown(test_missing_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_id_used_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rejected, setup, teardown),
		cmocka_unit_test_setup_teardown(test_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_settled, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fits, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
