/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * service_filter.c - requests that add a rule to a network's policy, or take one away: the list of
 * rules with one more or less is a change of its file like any other (service_change.c).
 */
#include <errno.h>
#include <string.h>

#include "daemon/service.h"

static int parse(const char *text, struct policy_rule *ret, struct err_list *errs)
{
	char why[256];

	if (policy_rule_parse(text, ret, why, sizeof(why)) < 0)
		return err_add(errs, -EINVAL, "bad-value", "rule",
			       "the rule is wrong: %s; expected " POLICY_RULE_EXPECTED, why);
	return 0;
}

/* {"policy": {"rules": [...]}}, with no rules left: {"policy": {"rules": null}} */
static int change(void *ctx, const struct peer *p, const char *name, json_t *rules, json_t **ret,
		  struct err_list *errs)
{
	const struct change_options none = {0};
	json_t *patch;
	char *text;
	int r = -ENOMEM;

	if (json_array_size(rules) == 0) {
		json_decref(rules);
		rules = json_null();
	}
	patch = json_pack("{s:{s:o}}", "policy", "rules", rules);
	text = patch ? json_dumps(patch, JSON_COMPACT) : NULL;
	if (text)
		r = service_network_change(ctx, p, name, text, strlen(text), &none, ret, errs);
	free(text);
	json_decref(patch);
	return r;
}

static void append(json_t *rules, const struct policy_rule *rule)
{
	char text[POLICY_RULE_STRLEN];

	json_array_append_new(rules, json_string(policy_rule_format(rule, text)));
}

int service_filter_add(void *ctx, const struct peer *p, const char *name, const char *text,
		       unsigned int position, json_t **ret, struct err_list *errs)
{
	const struct network_rt *n = manager_network(ctx, name);
	const struct network_policy *policy;
	struct policy_rule rule;
	json_t *rules;
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = parse(text, &rule, errs);
	if (r < 0)
		return r;
	policy = &n->config->policy;
	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy_rule_same(&policy->rules[i], &rule))
			return err_add(errs, -EEXIST, "exists", "rule",
				       "network %s has this rule already, as number %zu", name,
				       i + 1);
	if (position > policy->n_rules + 1)
		return err_add(errs, -EINVAL, "bad-value", "position",
			       "network %s has %zu rules: expected a position from 1 to %zu", name,
			       policy->n_rules, policy->n_rules + 1);
	rules = json_array();
	for (size_t i = 0; i <= policy->n_rules; i++) {
		if (position ? i + 1 == position : i == policy->n_rules)
			append(rules, &rule);
		if (i < policy->n_rules)
			append(rules, &policy->rules[i]);
	}
	return change(ctx, p, name, rules, ret, errs);
}

int service_filter_delete(void *ctx, const struct peer *p, const char *name, const char *text,
			  json_t **ret, struct err_list *errs)
{
	const struct network_rt *n = manager_network(ctx, name);
	const struct network_policy *policy;
	struct policy_rule rule;
	bool found = false;
	json_t *rules;
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = parse(text, &rule, errs);
	if (r < 0)
		return r;
	policy = &n->config->policy;
	rules = json_array();
	for (size_t i = 0; i < policy->n_rules; i++) {
		if (policy_rule_same(&policy->rules[i], &rule))
			found = true;
		else
			append(rules, &policy->rules[i]);
	}
	if (found)
		return change(ctx, p, name, rules, ret, errs);
	json_decref(rules);
	return err_add(errs, -ENOENT, "no-rule", "rule",
		       "network %s has no such rule; `vmlane filter list %s` shows those it has",
		       name, name);
}
