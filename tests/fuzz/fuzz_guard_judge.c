/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames of guests, and ports: what is known to be good at a glance is good when it is looked at. The first
 * byte has the guards that are on, the second how much is known; then the frame.
 */
// libs: kernel model wire base
#include <stdlib.h>
#include <string.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct port_facts f;
	struct port_fast fast;
	struct port_window w;
	enum guard g;

	if (size < 2)
		return 0;
	facts_make(data[0], data[1], &f);
	port_facts_fast(&f, 7, &fast);
	port_window_fill(data + 2, size - 2, &w);
	g = port_judge(&f, &w);
	if (g > GUARD_COUNT || (g < GUARD_COUNT && port_judge_fast(&fast, &w)))
		abort();
	/* With no guard on there is nobody to drop it. */
	f.guards = 0;
	if (port_judge(&f, &w) != GUARD_COUNT)
		abort();
	return 0;
}
