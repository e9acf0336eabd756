/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_filter.c - vmlane filter: list, add, delete, test. What guests may reach and who may reach them
 * is the policy of their network; docs/POLICY.md.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/filter_list.h"
#include "cli/filter_test.h"
#include "cli/output.h"
#include "cli/request.h"
#include "cli/verb.h"
#include "model/policy.h"

enum {
	ADD_AT,
	ADD_OPTS,
};

static const struct verb_opt add_opts[] = {
	[ADD_AT] = {"at", "N", "as the N-th rule; by default as the last"},
};
_Static_assert(ARRAY_SIZE(add_opts) == ADD_OPTS, "an option for each number");

/* The words behind the network, quoted together or not. */
static int rule_of(const char *verb, const struct verb_args *a, char *ret, size_t size)
{
	struct policy_rule rule;
	size_t used = 0;
	char why[256];

	ret[0] = '\0';
	for (int i = 1; i < a->n && used < size; i++)
		used += (size_t)snprintf(ret + used, size - used, "%s%s", i > 1 ? " " : "",
					 a->arg[i]);
	if (used >= size)
		return cli_usage_error(verb, "the rule is too long");
	if (policy_rule_parse(ret, &rule, why, sizeof(why)) < 0)
		return cli_usage_error(verb, "'%s' is no rule: %s; expected " POLICY_RULE_EXPECTED,
				       ret, why);
	return cli_check_name("network", a->arg[0]);
}

static int change(struct cli *cli, const struct verb_args *a, const char *method, json_t *body)
{
	char path[CLI_PATH_MAX];
	json_t *answer = NULL;
	int r;

	snprintf(path, sizeof(path), "/v1/networks/%s/rules", a->arg[0]);
	r = cli_call(cli, method, path, body, &answer);
	if (r == EXIT_OK && !cli_print_json(cli, answer) &&
	    json_is_true(json_object_get(answer, "rewritten")))
		fprintf(stderr, "vmlane: the file was written anew, without its comments\n");
	json_decref(answer);
	return r;
}

static int run_add(struct cli *cli, const struct verb_args *a)
{
	char rule[POLICY_RULE_STRLEN];
	uint32_t at = 0;
	json_t *body;
	int r = rule_of("filter add", a, rule, sizeof(rule));

	if (r != EXIT_OK)
		return r;
	if (a->opt[ADD_AT] && text_u32(a->opt[ADD_AT], 1, POLICY_RULES_MAX, &at) < 0)
		return cli_usage_error("filter add", "--at '%s' is not a number from 1 to %d",
				       a->opt[ADD_AT], POLICY_RULES_MAX);
	body = json_pack("{s:s}", "rule", rule);
	if (at)
		json_object_set_new(body, "position", json_integer(at));
	return change(cli, a, "POST", body);
}

static int run_delete(struct cli *cli, const struct verb_args *a)
{
	char rule[POLICY_RULE_STRLEN];
	int r = rule_of("filter delete", a, rule, sizeof(rule));

	return r == EXIT_OK ? change(cli, a, "DELETE", json_pack("{s:s}", "rule", rule)) : r;
}

static const struct verb verbs[] = {
	{"list", "[NETWORK|GUEST]",
	 "rules of policies and guards at guests' ports, and what they met",
	 .more = "PACKETS counts the first packets of connections that a rule has met, and those "
		 "that a limit has\n"
		 "refused. DROPPED counts frames since the guest was plugged in; LAST is the last "
		 "of them: its\n"
		 "Ethernet source, and its IP or ARP source if it had one. Switches: `guard` of "
		 "network and\n"
		 "guest, and `limits` of those guards that count, vmlane.yaml(5).\n",
	 .max = 1, .run = filter_list},
	{"add", "NETWORK RULE", "one more rule in a network's policy, at once",
	 .more = "RULE is ACTION DIRECTION [PROTOCOL [PORTS]] [from WHO] [to WHO] [log], see "
		 "vmlane.yaml(5), such as\n"
		 "  vmlane filter add lab deny out tcp 25 log\n"
		 "  vmlane filter add lab --at 1 'allow host tcp 22 from web1'\n"
		 "Connections that are there go on.\n",
	 .opts = add_opts, .n_opts = ARRAY_SIZE(add_opts), .min = 2, .max = VERB_ANY,
	 .run = run_add},
	{"delete", "NETWORK RULE", "that rule is no more", .min = 2, .max = VERB_ANY,
	 .run = run_delete},
	{"test", "GUEST icmp ADDR | tcp|udp ADDR:PORT", "which rule a packet would meet",
	 .more = "It is concluded from the kernel's rules as they are now; nothing is sent. "
		 "`vmlane explain` has the whole way.\n"
		 "Exit status 0: allowed; 2: not; 4: it cannot be said.\n",
	 .opts = filter_test_opts, .n_opts = FILTER_TEST_OPTS, .min = 2, .max = VERB_ANY,
	 .run = filter_test},
};

const struct noun noun_filter = {
	.name = "filter",
	.help = "What guests may reach and send, who may reach them, and what was dropped of it.",
	.verbs = verbs,
	.n_verbs = ARRAY_SIZE(verbs),
};
