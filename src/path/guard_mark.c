/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard_mark.c - see guard_mark.h. */
#include "path/guard_mark.h"

#include <stdio.h>
#include <string.h>

#include "bpf/port_facts.h"

bool guard_mark_decision(uint32_t mark, struct path_decision *ret)
{
	enum guard g = (enum guard)(mark & 0xff);

	if ((mark & ~0xffu) != PORT_GUARD_MARK || g >= GUARD_COUNT)
		return false;
	*ret = (struct path_decision){.family = PATH_GUARD_FAMILY,
				      .table = "vmlane",
				      .base = "guard",
				      .hook = "ingress",
				      .verdict = "drop",
				      .drops = true};
	snprintf(ret->chain, sizeof(ret->chain), "%s", guard_name(g));
	snprintf(ret->rule, sizeof(ret->rule), "guard %s", guard_name(g));
	return true;
}

enum guard guard_mark_of(const struct path_decision *d)
{
	enum guard g = 0;

	if (!d->drops || strcmp(d->family, PATH_GUARD_FAMILY) != 0)
		return GUARD_COUNT;
	while (g < GUARD_COUNT && strcmp(guard_name(g), d->chain) != 0)
		g++;
	return g;
}
