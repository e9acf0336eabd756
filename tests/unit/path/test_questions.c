/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/questions.c: what was asked in vain, and what was not, in whatever order it is heard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "path/questions.h"

#define SECOND 1000000000ull
#define SYN 2
#define SYN_ACK 18

/* A journey that got where it was going, from @src:@sport to @dst:@dport, at @at seconds. */
static struct journey packet(uint8_t l4, const char *src, uint16_t sport, const char *dst,
			     uint16_t dport, unsigned int at)
{
	struct journey j = {.begin_ns = (at + 1) * SECOND, .end = JOURNEY_DELIVERED};
	uint8_t family = strchr(src, ':') ? AF_INET6 : AF_INET;

	j.first = (struct path_seen){.ethertype = family == AF_INET ? 0x0800 : 0x86dd,
				     .l4 = l4,
				     .flags = PATH_L4,
				     .sport = sport,
				     .dport = dport};
	assert_int_equal(inet_pton(family, src, j.first.src), 1);
	assert_int_equal(inet_pton(family, dst, j.first.dst), 1);
	j.flow = (struct flow){.family = family, .l4 = l4};
	memcpy(j.flow.from.addr, j.first.src, 16);
	memcpy(j.flow.to.addr, j.first.dst, 16);
	j.flow.from.port = sport;
	j.flow.to.port = dport;
	j.began = j.flow;
	return j;
}

static struct journey dns(unsigned int at)
{
	return packet(IPPROTO_UDP, "10.7.0.11", 4000, "198.51.100.7", 53, at);
}

static struct journey dns_answer(unsigned int at)
{
	struct journey j = packet(IPPROTO_UDP, "198.51.100.7", 53, "10.7.0.11", 4000, at);

	j.to_guest = true;
	return j;
}

static struct journey dhcp(bool server, unsigned int type, uint8_t mac, unsigned int at)
{
	struct journey j = server ? packet(IPPROTO_UDP, "10.7.0.1", 67, "255.255.255.255", 68, at)
				  : packet(IPPROTO_UDP, "0.0.0.0", 68, "255.255.255.255", 67, at);

	j.first.seq = type;
	j.first.smac[5] = mac;
	j.to_guest = server;
	return j;
}

static unsigned int times(struct questions *q, struct journey j)
{
	return questions_note(q, &j).times;
}

static void test_in_vain(void **state)
{
	struct questions q = {0};
	struct journey j = dns(7);
	struct asked a;

	assert_int_equal(times(&q, dns(0)), 1);
	assert_int_equal(times(&q, dns(5)), 2);
	a = questions_note(&q, &j);
	assert_int_equal(a.kind, QUESTION_DNS);
	assert_int_equal(a.times, 3);
	assert_true(a.for_ns == 7 * SECOND);
	assert_int_equal(times(&q, dns_answer(8)), 0);
	assert_int_equal(times(&q, dns(9)), 1);
}

/* Journeys are told when they are over: the answer's may be first. */
static void test_answer_before_its_question(void **state)
{
	struct questions q = {0};

	assert_int_equal(times(&q, dns_answer(1)), 0);
	assert_int_equal(times(&q, dns(0)), 0);
	assert_int_equal(times(&q, dns(2)), 1);
}

/* It has come, although the guest never saw it: that is another fault. */
static void test_answer_that_was_dropped(void **state)
{
	struct journey j = dns_answer(1);
	struct questions q = {0};

	assert_int_equal(times(&q, dns(0)), 1);
	j.end = JOURNEY_DROPPED;
	questions_note(&q, &j);
	assert_int_equal(times(&q, dns(2)), 1);
}

static void test_question_that_was_dropped(void **state)
{
	struct questions q = {0};
	struct journey j = dns(0);

	j.end = JOURNEY_DROPPED;
	assert_int_equal(questions_note(&q, &j).kind, QUESTION_NONE);
	assert_int_equal(times(&q, dns(2)), 1);
}

/* Other servers and other connections are other questions. */
static void test_tcp(void **state)
{
	struct journey a = packet(IPPROTO_TCP, "10.7.0.11", 4000, "198.51.100.7", 80, 0);
	struct journey b = packet(IPPROTO_TCP, "10.7.0.11", 4001, "198.51.100.7", 80, 0);
	struct journey back = packet(IPPROTO_TCP, "198.51.100.7", 80, "203.0.113.2", 9, 2);
	struct questions q = {0};

	a.first.tcp_flags = b.first.tcp_flags = SYN;
	assert_int_equal(times(&q, a), 1);
	assert_int_equal(times(&q, b), 1);
	assert_int_equal(times(&q, a), 2);
	a.first.tcp_flags = SYN_ACK;
	assert_int_equal(questions_note(&q, &a).kind, QUESTION_NONE);
	/* Dropped before it was translated back: whose it was is not known, and nobody is accused. */
	back.to_guest = true;
	back.first.tcp_flags = SYN_ACK;
	back.end = JOURNEY_DROPPED;
	questions_note(&q, &back);
	assert_int_equal(times(&q, b), 0);
}

static void test_dhcp(void **state)
{
	struct questions q = {0};
	struct journey other = dhcp(true, DHCP_OFFER, 2, 3);
	struct asked a;

	assert_int_equal(times(&q, dhcp(false, DHCP_DISCOVER, 9, 0)), 1);
	assert_int_equal(times(&q, dhcp(false, DHCP_DISCOVER, 9, 1)), 2);
	assert_int_equal(times(&q, dhcp(false, 7 /* RELEASE */, 9, 1)), 0);
	questions_note(&q, &(struct journey){0});
	assert_false(questions_note(&q, &(struct journey){.to_guest = true}).other);
	times(&q, dhcp(true, DHCP_OFFER, 1, 2));
	times(&q, dhcp(true, DHCP_OFFER, 1, 2));
	assert_int_equal(times(&q, dhcp(false, DHCP_REQUEST, 9, 3)), 1);
	a = questions_note(&q, &other);
	assert_true(a.other);
	assert_int_equal(a.other_mac[5], 1);
	other = dhcp(true, DHCP_OFFER, 1, 60); /* long after the other's */
	assert_false(questions_note(&q, &other).other);
}

/* There is room for a few; those asked last are kept. */
/* The host takes them without a trace of it, unless some socket hears them. */
static void test_router_that_nobody_hears(void **state)
{
	struct questions q = {0};
	struct journey j;

	for (unsigned int n = 1; n <= 3; n++) {
		j = packet(IPPROTO_ICMPV6, "fe80::1", 0, "ff02::2", 133 << 8, n);
		j.end = JOURNEY_LOST_SIGHT;
		assert_int_equal(times(&q, j), n);
		assert_int_equal(questions_note(&(struct questions){0}, &j).kind, QUESTION_ROUTER);
	}
	/* A question for a name that is lost from sight may be anywhere. */
	j = dns(9);
	j.end = JOURNEY_LOST_SIGHT;
	assert_int_equal(questions_note(&q, &j).kind, QUESTION_NONE);
}

static void test_many(void **state)
{
	struct questions q = {0};

	assert_int_equal(times(&q, dns(0)), 1);
	for (unsigned int i = 1; i < QUESTIONS_MAX; i++) {
		struct journey j =
			packet(IPPROTO_TCP, "10.7.0.11", (uint16_t)i, "192.0.2.1", 80, i);

		j.first.tcp_flags = SYN;
		assert_int_equal(times(&q, j), 1);
	}
	assert_int_equal(times(&q, dns(QUESTIONS_MAX)), 2);
	for (unsigned int i = 1; i <= QUESTIONS_MAX; i++) {
		struct journey j = packet(IPPROTO_TCP, "10.7.0.11", (uint16_t)i, "192.0.2.2", 80,
					  QUESTIONS_MAX + i);

		j.first.tcp_flags = SYN;
		assert_int_equal(times(&q, j), 1);
	}
	assert_int_equal(times(&q, dns(900)), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_vain),
		cmocka_unit_test(test_answer_before_its_question),
		cmocka_unit_test(test_answer_that_was_dropped),
		cmocka_unit_test(test_question_that_was_dropped),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_dhcp),
		cmocka_unit_test(test_router_that_nobody_hears),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
