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

/* The rules of @n's file with @rule in place @position (0: at the end). */
static int with_rule(const struct network_rt *n, const struct network_policy *policy,
		     const struct policy_rule *rule, unsigned int position, json_t **ret,
		     struct err_list *errs)
{
	json_t *rules;

	for (size_t i = 0; i < policy->n_rules; i++)
		if (policy_rule_same(&policy->rules[i], rule))
			return err_add(errs, -EEXIST, "exists", "rule",
				       "network %s has this rule already, as number %zu", n->name,
				       i + 1);
	if (position > policy->n_rules + 1)
		return err_add(errs, -EINVAL, "bad-value", "position",
			       "network %s has %zu rules: expected a position from 1 to %zu",
			       n->name, policy->n_rules, policy->n_rules + 1);
	rules = json_array();
	for (size_t i = 0; i <= policy->n_rules; i++) {
		if (position ? i + 1 == position : i == policy->n_rules)
			append(rules, rule);
		if (i < policy->n_rules)
			append(rules, &policy->rules[i]);
	}
	*ret = rules;
	return 0;
}

static int without_rule(const struct network_rt *n, const struct network_policy *policy,
			const struct policy_rule *rule, json_t **ret, struct err_list *errs)
{
	json_t *rules = json_array();
	bool found = false;

	for (size_t i = 0; i < policy->n_rules; i++) {
		if (policy_rule_same(&policy->rules[i], rule))
			found = true;
		else
			append(rules, &policy->rules[i]);
	}
	if (found) {
		*ret = rules;
		return 0;
	}
	json_decref(rules);
	return err_add(errs, -ENOENT, "no-rule", "rule",
		       "network %s has no such rule; `vmlane filter list %s` shows those it has",
		       n->name, n->name);
}

/* struct filter_change - what is asked for: @text to be added at @position, or to go. */
struct filter_change {
	const char *text;
	bool add;
	unsigned int position;
};

/* The file's rules, not those that run: what was written there and not applied yet stays. */
static int filter_change(void *ctx, const struct peer *p, const char *name,
			 const struct filter_change *f, json_t **ret, struct err_list *errs)
{
	const struct network_rt *n = manager_network(ctx, name);
	struct network_config *file = NULL;
	struct policy_rule rule;
	json_t *rules = NULL;
	int r;

	if (!n)
		return service_no_network(errs, name);
	r = parse(f->text, &rule, errs);
	if (r == 0)
		r = service_file_config(ctx, n, &file, errs);
	if (r < 0)
		return r;
	r = f->add ? with_rule(n, &file->policy, &rule, f->position, &rules, errs)
		   : without_rule(n, &file->policy, &rule, &rules, errs);
	network_config_free(file);
	return r < 0 ? r : change(ctx, p, name, rules, ret, errs);
}

int service_filter_add(void *ctx, const struct peer *p, const char *name, const char *text,
		       unsigned int position, json_t **ret, struct err_list *errs)
{
	return filter_change(ctx, p, name, &(struct filter_change){text, true, position}, ret,
			     errs);
}

int service_filter_delete(void *ctx, const struct peer *p, const char *name, const char *text,
			  json_t **ret, struct err_list *errs)
{
	return filter_change(ctx, p, name, &(struct filter_change){.text = text}, ret, errs);
}
