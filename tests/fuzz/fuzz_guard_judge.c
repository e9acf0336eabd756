/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of guests, and ports: what is known to be good at a glance is good when it is looked at. The first
 * byte has the guards that are on, the second how much is known, and in its highest bits the other guards; then
 * the frame. The same bytes are then read as frames and MACs in time, which are counted: no more pass than may.
 */
// libs: kernel model wire base
#include <stdlib.h>
#include <string.h>

#include "bpf/guard_count.h"
#include "kernel/port_facts.h"

static void facts_make(unsigned int guards, unsigned int known, struct port_facts *f)
{
	const struct mac own = {{0x52, 0x54, 0, 1, 2, 3}}, inner = {{0x52, 0x54, 0, 4, 5, 6}};
	const struct guest_prefix prefix = {.ip4 = {ip4_from_host(0x0a080000), 24}};
	const struct in6_addr router = ip6_linklocal(&inner);
	int r;

	memset(f, 0, sizeof(*f));
	f->guards = (uint16_t)guards;
	f->known4 = known & 1;
	f->known6 = known >> 1 & 1;
	f->has_net6 = known >> 2 & 1;
	f->gateway = known & 8 ? ip4_from_host(0x0a070001).s_addr : 0;
	memcpy(f->net6, "\xfd\0\0\x0a", 4);
	r = port_facts_mac(f, &own);
	if (r == 0 && known & 16)
		r = port_facts_mac(f, &inner);
	if (r == 0)
		r = port_facts_pair(f, &own, ip4_from_host(0x0a070005));
	if (r == 0)
		r = port_facts_prefix(f, &prefix);
	if (r == 0)
		r = port_facts_router6(f, &router);
	if (r < 0)
		abort();
}

/* Of each four bytes the first two are how many 100 us have passed, the others how many frames there are. */
static void count_in_time(const uint8_t *data, size_t size)
{
	__u64 begin = (__u64)data[0] << 30, now = begin, due = 0, passed = 0, most = 0;
	const uint32_t rate = 1u + data[1];

	for (size_t i = 2; i + 4 <= size; i += 4) {
		uint32_t frames = 1u + (data[i + 2] & 63);

		now += (__u64)(data[i] << 8 | data[i + 1]) * 100000;
		if (!count_frames(&due, rate, frames, now))
			continue;
		passed += frames;
		most = frames > most ? frames : most;
		if (passed > (now - begin + COUNT_SECOND_NS) / (COUNT_SECOND_NS / rate) + most)
			abort();
	}
}

/* Of each two bytes the first lets time go on, or is of a processor whose clock is behind; the second is a MAC. */
static void count_macs(const uint8_t *data, size_t size)
{
	static struct port_seen seen;
	const uint32_t max = 1u + (data[1] & 15);
	uint32_t latest = 2u + data[0];

	memset(&seen, 0, sizeof(seen));
	for (size_t i = 2; i + 2 <= size; i += 2) {
		uint32_t period;
		bool known;

		latest += data[i] > 250 ? data[i] - 250u : 0;
		period = latest - (data[i] == 0);
		known = count_knows(&seen, data[i + 1], period);
		if (!count_seen(&seen, data[i + 1], period, max) && known)
			abort();
		if (seen.now + seen.before > max || seen.now > max)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct port_facts f;
	struct port_fast fast;
	struct port_window w;
	enum guard g;

	if (size < 2)
		return 0;
	facts_make(data[0] | (unsigned int)(data[1] >> 5) << 8, data[1] & 31u, &f);
	port_facts_fast(&f, 7, &fast);
	port_window_fill(data + 2, size - 2, &w);
	g = port_judge(&f, &w);
	if (g > GUARD_COUNT || (g < GUARD_COUNT && port_judge_fast(&fast, &w)))
		abort();
	/* With no guard on there is nobody to drop it. */
	f.guards = 0;
	if (port_judge(&f, &w) != GUARD_COUNT)
		abort();
	count_in_time(data, size);
	count_macs(data, size);
	return 0;
}
