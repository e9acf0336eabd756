/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_rules_parse.c - any text as nft's listing: what is read can be found again. */
// libs: path
#include <stdlib.h>
#include <string.h>
#include "path/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check_chain(const struct rules *r, const struct rules_chain *c)
{
	const struct rules_chain *found = rules_chain(r, c->table->family, c->table->name, c->name);

	must(found && strcmp(found->name, c->name) == 0);
	must(c->type && c->hook && c->device);
}

static void check_rule(const struct rules *r, const struct rules_rule *rule)
{
	const struct rules_table *t = rule->chain->table;
	const struct rules_rule *found = rules_find(r, t->family, t->name, rule->handle);

	must(found && found->handle == rule->handle && rule->handle != 0);
	must(!strchr(rule->text, '\n'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct rules_chain *chains;
	const struct rules_rule *rules;
	struct rules *r;

	if (rules_parse((const char *)data, size, &r) < 0)
		return 0;
	for (size_t i = 0, n = rules_chains(r, &chains); i < n; i++)
		check_chain(r, &chains[i]);
	for (size_t i = 0, n = rules_all(r, &rules); i < n; i++)
		check_rule(r, &rules[i]);
	(void)rules_conntrack(r);
	rules_free(r);
	return 0;
}
