/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * saved_rules.c - rules of the host that were saved with our table among them.
 *
 * `nft list ruleset` prints the lifetimes of ICMP connections (firewall/lifetime.h) in words that
 * nft itself does not take back. Where that listing was made the host's rules for the next boot,
 * none of them would be loaded: the host would stand there without its own firewall.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/manager.h"

#define SAVED_RULES "/etc/nftables.conf"

bool saved_rules_problem(const struct manager *m, struct err *e)
{
	const char *path = m->options->saved_rules[0] ? m->options->saved_rules : SAVED_RULES;
	char line[1024];
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && !found && fgets(line, sizeof(line), f))
		found = strncmp(line, "table inet vmlane {", strlen("table inet vmlane {")) == 0;
	if (f)
		fclose(f);
	if (!found)
		return false;
	err_set(e, -EINVAL, "saved-rules", path,
		"the host's saved rules have vmlane's own table among them, which nft cannot load "
		"again: at "
		"the next boot none of these rules would be there. Take `table inet vmlane { ... "
		"}` and "
		"`table netdev vmlane { ... }` out of %s; vmlaned makes them by itself",
		path);
	return true;
}
