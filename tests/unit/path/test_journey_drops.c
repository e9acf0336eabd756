/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/journey.c: what the kernel frees as a drop, and is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/in.h>

#include "path/journey.h"

enum { TAP = 3, BRIDGE = 5 };
enum { R_NOT_SPECIFIED = 2, R_ICMP_CSUM = 5 };

static const struct path_device devices[] = {
	{TAP, BRIDGE, DEVICE_GUEST, {{0}}, "vl-web1", "web1"},
	{BRIDGE, 0, DEVICE_BRIDGE, {{0}}, "vl-default", ""},
};
static const struct path_view view = {
	.devices = devices, .n_devices = 2, .unspecified_reason = R_NOT_SPECIFIED};

static void note_end(const struct journey *j, bool over, void *ctx)
{
	*(enum journey_end *)ctx = j->end;
}

/* The location is the function's name. */
static const char *function(uint64_t location, void *ctx)
{
	return (const char *)(uintptr_t)location;
}

/* A ping to the host itself, of ICMPv6 or else of ICMP, that is freed for @reason in @where. */
static enum journey_end end_of_ping(bool icmp6, uint32_t reason, const char *where, bool names)
{
	struct path_seen s = {
		.head = {.type = PATH_RX, .packet = 1, .time_ns = 1000, .ifindex = TAP},
		.ethertype = icmp6 ? 0x86dd : 0x0800,
		.l4 = icmp6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.flags = PATH_L4,
		.dport = icmp6 ? 128 << 8 : 8 << 8,
		.dmac = {2},
		.len = 64,
		.ttl = 64};
	enum journey_end end = JOURNEY_UNDER_WAY;
	struct journeys *j;

	assert_int_equal(journeys_new(&view, &j), 0);
	if (names)
		journeys_functions(j, function, NULL);
	assert_int_equal(journeys_event(j, &s.head, sizeof(s)), 0);
	s.head.ifindex = BRIDGE;
	assert_int_equal(journeys_event(j, &s.head, sizeof(s)), 0);
	s.head.type = PATH_DROP;
	s.reason = reason;
	s.location = (uint64_t)(uintptr_t)where;
	assert_int_equal(journeys_event(j, &s.head, sizeof(s)), 0);
	journeys_due(j, UINT64_MAX, note_end, &end);
	journeys_free(j);
	return end;
}

/* Linux 6.1 frees what ICMPv6 has answered as a drop without a reason. */
static void test_icmp6_that_was_answered(void **state)
{
	assert_int_equal(end_of_ping(true, R_NOT_SPECIFIED, "icmpv6_rcv", true), JOURNEY_DELIVERED);
	assert_int_equal(end_of_ping(true, R_NOT_SPECIFIED, "icmpv6_rcv", false), JOURNEY_DROPPED);
	assert_int_equal(end_of_ping(true, R_NOT_SPECIFIED, "ip6_input_finish", true),
			 JOURNEY_DROPPED);
	assert_int_equal(end_of_ping(true, R_NOT_SPECIFIED, NULL, true), JOURNEY_DROPPED);
	assert_int_equal(end_of_ping(true, R_ICMP_CSUM, "icmpv6_rcv", true), JOURNEY_DROPPED);
	assert_int_equal(end_of_ping(false, R_NOT_SPECIFIED, "icmpv6_rcv", true), JOURNEY_DROPPED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_icmp6_that_was_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
