/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_pcap_filter.c - a filter's words as somebody typed them. Whatever they are, no host's name is looked
 * up; what compiles jumps only within itself and runs on a frame.
 */
// libs: path
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path/pcap_filter.h"
#include "../unit/path/no_lookups.h"

/* Longer ones are refused, or make libpcap think for seconds. */
#define TEXT_MAX 300

static void try_seen(const char *text, size_t seen)
{
	static const uint8_t frame[127] = {0x52, 0x54, 0, 0, 0, 1, 0x52, 0x54,
					   0,	 0,    0, 2, 8, 0, 0x45};
	static struct pcap_filter f;
	struct err e = {0};

	if (pcap_filter_compile(&text, 1, seen, &f, &e)) {
		assert(e.message[0]);
		assert(!memchr(e.message, '\n', strlen(e.message)));
	} else {
		assert(f.n <= PATH_FILTER_MAX);
		(void)pcap_filter_matches(&f, frame, sizeof(frame), 1500);
		(void)pcap_filter_matches(&f, frame, 0, 0);
	}
	assert(lookups == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcap_filter_flow flow;
	char text[TEXT_MAX + 1];

	if (size > TEXT_MAX || memchr(data, '\0', size))
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	try_seen(text, PCAP_FILTER_WHOLE);
	try_seen(text, PATH_FRAME_MAX - 1);
	if (pcap_filter_flow(text, &flow))
		assert(!flow.host.family || flow.host.family == AF_INET ||
		       flow.host.family == AF_INET6);
	return 0;
}
