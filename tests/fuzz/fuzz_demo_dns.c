/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_demo_dns.c - any bytes as a query to the demo's resolver. What it answers begins with the
 * query's id and the response bit, repeats the question, and has no more than one answer.
 */
// libs: cli
#include <stdlib.h>
#include <string.h>

#include "cli/demo_dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t out[DEMO_DNS_MAX];
	size_t len = demo_dns_answer(data, size, out);

	if (!len)
		return 0;
	if (len > sizeof(out) || len < 17 || memcmp(out, data, 2) != 0 || !(out[2] & 0x80))
		abort();
	if (out[7] > 1 || memcmp(out + 12, data + 12, len - 12 - (out[7] ? 16 : 0)) != 0)
		abort();
	return 0;
}
