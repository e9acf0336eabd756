/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_sighting.c - frames of guests, one after the other, into the table of who has which address: each is a
 * byte for where it came in, one for the time since the last, one for its length in pairs, and itself.
 */
// libs: daemon wire base
#include <stddef.h>
#include <stdint.h>
#include "daemon/sightings.h"

/* struct check - what was given out */
struct check {
	size_t n;
};

static void on_address(const struct seen_address *a, void *ctx)
{
	struct check *c = ctx;

	if (mac_is_multicast(&a->mac) || (a->stale && a->duplicate) ||
	    (a->family != AF_INET && a->family != AF_INET6))
		__builtin_trap();
	c->n++;
}

static void one(struct sightings *t, const uint8_t *data, size_t len, uint8_t where, uint64_t now)
{
	struct sighting_place at = {
		.bridge = 1 + (where >> 7), .port = where & 7, .vlan = where >> 3 & 1};
	struct sightings_news news;
	struct sighting s;

	/* A port is one of one bridge. */
	if (at.port)
		at.port += where & 0x80;
	if (sighting_parse(data, len, &s) == 0)
		(void)!sightings_add(t, &at, &s, now, &news);
	if ((where & 0x70) == 0x70)
		sightings_port_gone(t, at.port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sightings *t = sightings_new();
	uint64_t now = 1000000;
	struct check c = {0};

	if (!t)
		return 0;
	while (size > 3) {
		size_t len = size_min(2 * (size_t)data[2], size - 3);

		now += (uint64_t)data[1] * 5000000;
		one(t, data + 3, len, data[0], now);
		data += 3 + len;
		size -= 3 + len;
	}
	sightings_each(t, now, on_address, &c);
	if (c.n != sightings_count(t) || c.n > SIGHTINGS_ADDRS)
		__builtin_trap();
	sightings_bridge_gone(t, 1);
	sightings_free(t);
	return 0;
}
