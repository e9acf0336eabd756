/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_policy_rule.c - a policy's rule as somebody typed it. One that is taken reads back as the same, and
 * has rules of nftables that are text and nothing else; one that is not is told in words fit for a
 * terminal.
 */
// libs: model firewall
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/policy.h"
#include "model/policy.h"

#define TEXT_MAX 600

/* The table of a network whose policy is this rule, whoever it speaks of. */
static void build(struct policy_rule *r)
{
	struct policy_set sets[2] = {{.name = ""}};
	struct network_policy p = {.rules = r, .n_rules = 1, .sets = sets};
	bool sorted = strcmp(r->from.name, r->to.name) <= 0;
	struct fw_guest who[2] = {{.name = sorted ? r->from.name : r->to.name},
				  {.name = sorted ? r->to.name : r->from.name}};
	struct fw_network n = {.name = "lab", .mode = NETWORK_ROUTED, .policy = &p, .who = who};
	const struct fw_desired d = {.networks = &n, .n = 1};
	struct fw_ruleset ruleset;

	strcpy(n.bridge, "vl-lab");
	n.subnet = (struct ip4_prefix){ip4_from_host(0xc0a87a00), 24};
	if (r->from.kind == POLICY_SET)
		strcpy(sets[p.n_sets++].name, r->from.name);
	if (r->to.kind == POLICY_SET && (p.n_sets == 0 || strcmp(sets[0].name, r->to.name) != 0))
		strcpy(sets[p.n_sets++].name, r->to.name);
	n.n_who = strcmp(r->from.name, r->to.name) == 0 ? 1 : 2;
	if (fw_ruleset_build(&d, &ruleset) < 0)
		abort();
	assert(strstr(ruleset.skeleton, "counter rule/lab/"));
	for (const char *c = ruleset.skeleton; *c; c++)
		assert((*c >= ' ' && *c < 0x7f) || *c == '\n' || *c == '\t');
	fw_ruleset_done(&ruleset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[TEXT_MAX + 1], words[POLICY_RULE_STRLEN], why[256] = "";
	struct policy_rule r, again;

	if (size > TEXT_MAX || memchr(data, '\0', size))
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (policy_rule_parse(text, &r, why, sizeof(why)) < 0) {
		assert(why[0]);
		for (const char *c = why; *c; c++)
			assert(*c >= ' ' && *c < 0x7f);
		return 0;
	}
	policy_rule_format(&r, words);
	if (policy_rule_parse(words, &again, why, sizeof(why)) < 0)
		abort();
	assert(policy_rule_same(&r, &again));
	build(&r);
	return 0;
}
