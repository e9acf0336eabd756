/* SPDX-License-Identifier: GPL-2.0-or-later */
// libs: wire base
/*
 * fuzz_frame_parse.c - any bytes as an Ethernet frame. What is understood lies within the frame; and
 * a payload put into a frame of ours comes out of it again.
 */
#include <stdlib.h>
#include <string.h>
#include "wire/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_within(const struct frame *f, const uint8_t *data, size_t size)
{
	must(f->payload >= data && f->payload <= data + size);
	must(f->payload_len <= (size_t)(data + size - f->payload));
}

static void check_build(const uint8_t *data, size_t size)
{
	struct udp_send s = {.sport = 67, .dport = 68, .ttl = 64, .payload = data};
	static uint8_t bytes[FRAME_MAX];
	struct frame f;
	int len;

	s.payload_len = size;
	if (size >= 8)
		memcpy(&s.src, data, 4);
	len = udp_frame_build(&s, bytes, sizeof(bytes));
	if (size > UINT16_MAX - 28) {
		must(len < 0);
		return;
	}
	must(len == (int)size + 42);
	must(frame_parse(bytes, (size_t)len, true, &f) == 0);
	must(f.kind == FRAME_UDP && !f.fragment && f.sport == 67 && f.dport == 68);
	must(ip4_equal(f.src, s.src) && f.payload_len == size);
	must(size == 0 || memcmp(f.payload, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame strict, lax;
	int r = frame_parse(data, size, true, &strict);

	if (r == 0)
		check_within(&strict, data, size);
	if (frame_parse(data, size, false, &lax) == 0)
		check_within(&lax, data, size);
	else
		must(r < 0); /* the check can only refuse more */
	check_build(data, size);
	return 0;
}
