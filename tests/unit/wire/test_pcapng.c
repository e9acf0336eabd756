/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/wire/pcapng.c, byte by byte; path/test_capture_file.c shows the whole to tshark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/pcapng.h"

static struct buf *fresh(struct buf *b)
{
	*b = BUF_INIT(PCAPNG_BLOCK_MAX);
	return b;
}

#define assert_block(b, bytes)                                                                     \
	do {                                                                                       \
		assert_int_equal((b)->len, sizeof(bytes));                                         \
		assert_memory_equal((b)->data, bytes, sizeof(bytes));                              \
	} while (0)

static void test_section(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		0x0a, 0x0d, 0x0d, 0x0a, 72, 0, 0, 0,
		0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		1, 0, 2, 0, 'h', 'i', 0, 0,
		2, 0, 4, 0, 'x', '8', '6', '6',
		3, 0, 5, 0, 'L', 'i', 'n', 'u', 'x', 0, 0, 0,
		4, 0, 7, 0, 'v', 'm', 'l', 'a', 'n', 'e', '1', 0,
		0, 0, 0, 0, 72, 0, 0, 0,
	};
	/* clang-format on */
	const struct pcapng_section s = {
		.hardware = "x866", .os = "Linux", .application = "vmlane1", .comment = "hi"};
	struct buf b;

	(void)state;
	assert_int_equal(pcapng_section_build(&s, fresh(&b)), 0);
	assert_block(&b, expected);
	buf_done(&b);
}

static void test_interface(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		1, 0, 0, 0, 56, 0, 0, 0,
		1, 0, 0, 0, 0, 0, 4, 0,
		2, 0, 3, 0, 't', 'a', 'p', 0,
		3, 0, 4, 0, 'p', 'o', 'r', 't',
		9, 0, 1, 0, 9, 0, 0, 0,
		11, 0, 4, 0, 0, 'a', 'r', 'p',
		0, 0, 0, 0, 56, 0, 0, 0,
	};
	/* clang-format on */
	const struct pcapng_interface i = {.name = "tap", .description = "port", .filter = "arp"};
	struct buf b;

	(void)state;
	assert_int_equal(pcapng_interface_build(&i, fresh(&b)), 0);
	assert_block(&b, expected);
	buf_done(&b);
}

/* What has no value has no option. */
static void test_bare(void **state)
{
	/* clang-format off */
	static const uint8_t interface[] = {
		1, 0, 0, 0, 32, 0, 0, 0, 1, 0, 0, 0, 0, 0, 4, 0,
		9, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0,
	};
	static const uint8_t packet[] = {
		6, 0, 0, 0, 36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 36, 0, 0, 0,
	};
	/* clang-format on */
	const struct pcapng_interface i = {.description = ""};
	const struct pcapng_packet p = {0};
	struct buf b;

	(void)state;
	assert_int_equal(pcapng_interface_build(&i, fresh(&b)), 0);
	assert_block(&b, interface);
	buf_done(&b);
	assert_int_equal(pcapng_packet_build(&p, fresh(&b)), 0);
	assert_block(&b, packet);
	buf_done(&b);
}

static void test_packet(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		6, 0, 0, 0, 84, 0, 0, 0,
		3, 0, 0, 0,
		0x04, 0x03, 0x02, 0x01, 0x08, 0x07, 0x06, 0x05, /* the upper half first */
		5, 0, 0, 0, 0x2a, 1, 0, 0,
		'h', 'e', 'l', 'l', 'o', 0, 0, 0,
		1, 0, 4, 0, 'd', 'r', 'o', 'p',
		2, 0, 4, 0, 2, 0, 0, 0,
		4, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0,
		5, 0, 8, 0, 0xef, 0xbe, 0, 0, 1, 0, 0, 0,
		0, 0, 0, 0, 84, 0, 0, 0,
	};
	/* clang-format on */
	const struct pcapng_packet p = {
		.interface = 3,
		.time_ns = 0x0102030405060708,
		.bytes = "hello",
		.len = 5,
		.whole_len = 298,
		.direction = PCAPNG_OUT,
		.has_id = true,
		.id = 0x10000beef,
		.drops = 7,
		.comment = "drop",
	};
	struct buf b;

	(void)state;
	assert_int_equal(pcapng_packet_build(&p, fresh(&b)), 0);
	assert_block(&b, expected);
	buf_done(&b);
}

static void test_stats(void **state)
{
	/* clang-format off */
	static const uint8_t expected[] = {
		5, 0, 0, 0, 88, 0, 0, 0, 2, 0, 0, 0,
		0, 0, 0, 0, 9, 0, 0, 0,
		2, 0, 8, 0, 1, 0, 0, 0, 8, 0, 0, 0,
		3, 0, 8, 0, 0, 0, 0, 0, 9, 0, 0, 0,
		4, 0, 8, 0, 12, 0, 0, 0, 0, 0, 0, 0,
		7, 0, 8, 0, 2, 0, 0, 0, 0, 0, 0, 0,
		8, 0, 8, 0, 10, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 88, 0, 0, 0,
	};
	/* clang-format on */
	struct pcapng_stats s = {
		.interface = 2,
		.start_ns = 0x100000008,
		.end_ns = 9,
		.delivered = 10,
		.counted = true,
		.received = 12,
		.dropped = 2,
	};
	struct buf b;

	(void)state;
	assert_int_equal(pcapng_stats_build(&s, fresh(&b)), 0);
	assert_block(&b, expected);
	assert_int_equal(sizeof(expected), PCAPNG_STATS_MAX);
	buf_done(&b);
	s.counted = false;
	assert_int_equal(pcapng_stats_build(&s, fresh(&b)), 0);
	assert_int_equal(b.len, sizeof(expected) - 24);
	buf_done(&b);
}

/* struct text_case - a comment, and what of it is written */
struct text_case {
	const char *text;
	const char *written;
};
#define BAD "\xef\xbf\xbd"

static void test_utf8(void **state)
{
	static const struct text_case cases[] = {
		{"plain", "plain"},
		{"\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa7"},
		{"a\xff", "a" BAD},
		{"\xc3", BAD},
		{"\xc3(", BAD "("},
		{"\xe2\x82", BAD BAD},
		{"\xc0\x80", BAD BAD},		       /* overlong */
		{"\xe0\x80\x80", BAD BAD BAD},	       /* overlong */
		{"\xed\xa0\x80", BAD BAD BAD},	       /* a surrogate */
		{"\xf4\x90\x80\x80", BAD BAD BAD BAD}, /* past U+10FFFF */
		{"\xef\xbf\xbf", "\xef\xbf\xbf"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct pcapng_packet p = {.comment = cases[i].text};
		size_t len = strlen(cases[i].written);
		struct buf b;

		assert_int_equal(pcapng_packet_build(&p, fresh(&b)), 0);
		assert_int_equal(b.data[28], 1);
		assert_int_equal(b.data[30], len);
		assert_memory_equal(b.data + 32, cases[i].written, len);
		assert_int_equal(b.len, 36 + 4 + (len + 3) / 4 * 4);
		buf_done(&b);
	}
}

/* The longest there may be, and one more: an error leaves what was there. */
static void test_limits(void **state)
{
	char *text = calloc(1, PCAPNG_TEXT_MAX + 2);
	uint8_t *frame = calloc(1, PCAPNG_SNAPLEN + 1);
	struct pcapng_packet p = {.comment = text, .bytes = frame, .len = PCAPNG_SNAPLEN};
	const struct pcapng_interface i = {.name = text};
	const struct pcapng_section s = {.os = text};
	struct buf b;

	(void)state;
	assert_non_null(text);
	assert_non_null(frame);
	memset(text, 0xff, PCAPNG_TEXT_MAX); /* each becomes three bytes */
	assert_int_equal(pcapng_packet_build(&p, fresh(&b)), 0);
	assert_int_equal(b.len, 36 + PCAPNG_SNAPLEN + 4 + 3 * PCAPNG_TEXT_MAX);
	b.len = 0;
	text[PCAPNG_TEXT_MAX] = 'x';
	assert_int_equal(pcapng_packet_build(&p, &b), -E2BIG);
	assert_int_equal(pcapng_interface_build(&i, &b), -E2BIG);
	assert_int_equal(pcapng_section_build(&s, &b), -E2BIG);
	p.comment = NULL;
	p.len++;
	assert_int_equal(pcapng_packet_build(&p, &b), -E2BIG);
	p.len = 2;
	p.whole_len = 1;
	assert_int_equal(pcapng_packet_build(&p, &b), -EINVAL);
	assert_int_equal(b.error, 0);
	assert_int_equal(b.len, 0);
	buf_done(&b);
	free(text);
	free(frame);
}

static void test_buffer_full(void **state)
{
	const struct pcapng_packet p = {.bytes = "1234", .len = 4};
	struct buf b = BUF_INIT(2 * 40 - 1);

	(void)state;
	assert_int_equal(pcapng_packet_build(&p, &b), 0);
	assert_int_equal(pcapng_packet_build(&p, &b), -E2BIG);
	assert_int_equal(b.len, 40);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_section), cmocka_unit_test(test_interface),
		cmocka_unit_test(test_bare),	cmocka_unit_test(test_packet),
		cmocka_unit_test(test_stats),	cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_limits),	cmocka_unit_test(test_buffer_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
