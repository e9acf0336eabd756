/* SPDX-License-Identifier: GPL-2.0-or-later */
/* plan_owner.c - see plan_owner.h. Next on the walk: plan.c. */
#include "model/plan_owner.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "model/node.h"

/* The name behind @prefix when @l carries an alias of that kind, else NULL. */
static const char *alias_name(const struct link_state *l, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(l->alias, prefix, len) == 0 ? l->alias + len : NULL;
}

bool plan_is_our_bridge(const struct link_state *l, const char *network)
{
	const char *name = alias_name(l, ALIAS_NETWORK);

	return strcmp(l->kind, "bridge") == 0 && name && (!network || strcmp(name, network) == 0);
}

bool plan_is_our_tap(const struct link_state *l, const char *guest)
{
	const char *name = alias_name(l, ALIAS_GUEST);

	return strcmp(l->kind, "tun") == 0 && name && (!guest || strcmp(name, guest) == 0);
}

enum owner plan_bridge_owner(const struct link_state *l, const struct desired_network *n)
{
	if (!l)
		return OWNER_NONE;
	if (plan_is_our_bridge(l, n->config->name))
		return OWNER_US;
	if (strcmp(l->kind, "bridge") == 0 && !l->alias[0] && mac_equal(&l->mac, &n->mac))
		return OWNER_US_HALF_MADE;
	return OWNER_OTHER;
}

enum owner plan_tap_owner(const struct link_state *l, const struct desired_tap *t)
{
	if (!l)
		return OWNER_NONE;
	if (plan_is_our_tap(l, t->guest))
		return OWNER_US;
	if (strcmp(l->kind, "tun") == 0 && !l->alias[0] && !l->up && l->master == 0)
		return OWNER_US_HALF_MADE;
	return OWNER_OTHER;
}

#define WHAT_MAX 200

/* What @l is, for the message that it is in the way. */
static const char *what_it_is(const struct link_state *l, char buf[static WHAT_MAX])
{
	char name[QUOTE_MAX];

	if (plan_is_our_bridge(l, NULL))
		snprintf(buf, WHAT_MAX, "the bridge of network %s",
			 text_quote(alias_name(l, ALIAS_NETWORK), name));
	else if (plan_is_our_tap(l, NULL))
		snprintf(buf, WHAT_MAX, "the tap of guest %s",
			 text_quote(alias_name(l, ALIAS_GUEST), name));
	else if (!l->kind[0])
		snprintf(buf, WHAT_MAX, "a physical interface");
	else
		snprintf(buf, WHAT_MAX, "somebody else's (a %s)", l->kind);
	return buf;
}

bool plan_bridge_in_way(const struct desired_network *n, const struct link_state *l, struct err *e)
{
	char where[64], what[WHAT_MAX], mend[64] = "";

	if (n->external || plan_bridge_owner(l, n) != OWNER_OTHER)
		return false;
	snprintf(where, sizeof(where), "network %s", n->config->name);
	if (l->kind[0])
		snprintf(mend, sizeof(mend), " or delete it (ip link delete %s)", l->name);
	err_set(e, -EEXIST, "in-the-way", where,
		"interface %s is in the way: it is %s; choose another name with `bridge:`%s",
		l->name, what_it_is(l, what), mend);
	return true;
}

bool plan_tap_in_way(const struct desired_tap *t, const struct link_state *l, struct err *e)
{
	char where[64], what[WHAT_MAX], mend[64] = "";

	if (plan_tap_owner(l, t) != OWNER_OTHER)
		return false;
	snprintf(where, sizeof(where), "guest %s", t->guest);
	if (l->kind[0])
		snprintf(mend, sizeof(mend), " or delete it (ip link delete %s)", l->name);
	err_set(e, -EEXIST, "in-the-way", where,
		"interface %s is in the way: it is %s; choose another name for the guest%s",
		l->name, what_it_is(l, what), mend);
	return true;
}

bool plan_network_blocked(const struct desired_network *n, const struct actual *actual,
			  struct err *e)
{
	return plan_bridge_in_way(n, actual_link_by_name(actual, n->config->bridge), e);
}

bool plan_tap_blocked(const struct desired_tap *t, const struct actual *actual, struct err *e)
{
	return plan_tap_in_way(t, actual_link_by_name(actual, t->name), e);
}
