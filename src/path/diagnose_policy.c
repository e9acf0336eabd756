/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose_policy.c - what networks' policies refuse (table `inet vmlane`): the rule in the words of
 * its network's file, which its comment has; the host that is closed; the metadata service; limits. See
 * firewall/policy.h for the chains.
 */
#include "path/diagnose_internal.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "model/policy.h"
#include "path/diagnose_policy.h"

static bool is_chain(const struct look *l, const char *name)
{
	const struct path_decision *p = &l->drop->decision;

	return p->drops && strcmp(p->family, "inet") == 0 && strcmp(p->table, "vmlane") == 0 &&
	       strcmp(p->chain, name) == 0;
}

/* The network whose guest has sent it, by its bridge's alias; NULL when it is not known. */
static const char *network_of(const struct look *l)
{
	size_t len = strlen(ALIAS_NETWORK);

	return l->in && strncmp(l->in->alias, ALIAS_NETWORK, len) == 0 ? l->in->alias + len : NULL;
}

static const char *guest_of(const struct look *l)
{
	const struct link_state *tap = NULL;
	size_t len = strlen(ALIAS_GUEST);

	for (size_t i = 0; i < l->g->n_hops && !tap; i++)
		if (l->g->hops[i].kind == HOP_VM_OUT)
			tap = fact_link(l->f, l->g->hops[i].ifindex);
	return tap && strncmp(tap->alias, ALIAS_GUEST, len) == 0 ? tap->alias + len : NULL;
}

static void saw_rule(const struct look *l, struct diagnosis *d)
{
	const struct path_decision *p = &l->drop->decision;

	diagnosis_saw(d, "rule", "inet vmlane %s handle %llu", p->chain,
		      (unsigned long long)p->handle);
}

/* ---- rules ---- */

bool policy_rule_of(const struct path_decision *p, char network[static POLICY_NAME_MAX + 1],
		    char rule[static POLICY_RULE_STRLEN])
{
	static const char *const chains[] = {"out/", "in/", "host/"};
	const char *slash = strchr(p->chain, '/'), *text, *end;
	bool one = false;

	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		one = one || strncmp(p->chain, chains[i], strlen(chains[i])) == 0;
	if (!one || strcmp(p->family, "inet") != 0 || strcmp(p->table, "vmlane") != 0)
		return false;
	snprintf(network, POLICY_NAME_MAX + 1, "%s", slash + 1);
	text = strstr(p->rule, " comment \"");
	text = text ? strstr(text, ": ") : NULL;
	end = text ? strchr(text, '"') : NULL;
	snprintf(rule, POLICY_RULE_STRLEN, "%.*s", end ? (int)(end - text - 2) : 0,
		 end ? text + 2 : "");
	return true;
}

bool is_policy_rule(const struct look *l)
{
	char network[POLICY_NAME_MAX + 1], rule[POLICY_RULE_STRLEN];

	return l->drop->decision.drops && policy_rule_of(&l->drop->decision, network, rule);
}

/* Words with a "..." at their end were too long for a comment. */
static bool is_whole(const char *rule)
{
	size_t len = strlen(rule);

	return len && (len < 3 || strcmp(rule + len - 3, "...") != 0);
}

void tell_policy_rule(const struct look *l, struct diagnosis *d)
{
	char network[POLICY_NAME_MAX + 1], rule[POLICY_RULE_STRLEN];

	if (!policy_rule_of(&l->drop->decision, network, rule))
		return;
	saw_rule(l, d);
	diagnosis_saw(d, "policy", "network %s: %s", network, rule[0] ? rule : "?");
	diagnosis_cause(d, "the policy of network %s refuses it: \"%s\"", network,
			rule[0] ? rule : "a rule of it");
	if (is_whole(rule))
		diagnosis_mend(d, "vmlane filter delete %s '%s'", network, rule);
	diagnosis_advice(d,
			 "or let this alone through, by an `allow` ahead of it: vmlane filter add "
			 "%s --at N RULE; vmlane filter list %s shows the rules",
			 network, network);
}

/* ---- what is so by default ---- */

bool is_closed_host(const struct look *l)
{
	return is_chain(l, "closed_host");
}

static const char *l4_name(uint8_t l4)
{
	return l4 == IPPROTO_TCP ? "tcp" : "udp";
}

void tell_closed_host(const struct look *l, struct diagnosis *d)
{
	const struct path_seen *s = &l->drop->seen;
	const char *network = network_of(l), *guest = guest_of(l);
	bool ports = s->l4 == IPPROTO_TCP || s->l4 == IPPROTO_UDP;

	saw_rule(l, d);
	diagnosis_cause(d,
			"network %s is closed towards this host: its guests reach DHCP, DNS and "
			"ping here and nothing else",
			network ? network : "of this guest");
	if (!network)
		return;
	if (ports && guest)
		diagnosis_mend(d, "vmlane filter add %s allow host %s %u from %s", network,
			       l4_name(s->l4), s->dport, guest);
	else if (ports)
		diagnosis_mend(d, "vmlane filter add %s allow host %s %u", network, l4_name(s->l4),
			       s->dport);
	else
		diagnosis_mend(d, "vmlane filter add %s allow host %u", network, s->l4);
	diagnosis_advice(d,
			 "%sor all of this host's services to all its guests: vmlane network set "
			 "%s policy.host=open",
			 guest ? "the guest has to be in the network's file, as {} at least; " : "",
			 network);
}

bool is_metadata(const struct look *l)
{
	return is_chain(l, "no_metadata");
}

void tell_metadata(const struct look *l, struct diagnosis *d)
{
	const char *network = network_of(l);

	saw_rule(l, d);
	diagnosis_cause(d, "guests do not reach the cloud's metadata service, which tells this "
			   "host's secrets, unless their network says so");
	if (network)
		diagnosis_mend(d, "vmlane network set %s policy.metadata=allow", network);
	diagnosis_advice(d,
			 "it is for all guests of the network then; rules can say for whom alone");
}

/* ---- limits ---- */

bool is_limit(const struct look *l)
{
	return is_chain(l, "too_many") || is_chain(l, "too_fast");
}

void tell_limit(const struct look *l, struct diagnosis *d)
{
	const char *network = network_of(l), *guest = guest_of(l);
	bool many = is_chain(l, "too_many");

	saw_rule(l, d);
	diagnosis_cause(d,
			many ? "%s has as many connections as it may have: no further one is let "
			       "through until some of them have ended"
			     : "%s begins more connections a second than it may",
			guest ? guest : "the guest");
	if (network && guest)
		diagnosis_mend(d, "vmlane network set %s guests.%s.limits.%s=unlimited", network,
			       guest, many ? "connections" : "new");
	diagnosis_advice(d,
			 "or a higher number%s; vmlane filter list shows what each guest's "
			 "limits have refused",
			 many ? "" : ", such as 200/s");
}
