/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnose_policy.h - rules of networks' policies, as their owners wrote them. */
#ifndef VMLANE_PATH_DIAGNOSE_POLICY_H
#define VMLANE_PATH_DIAGNOSE_POLICY_H

#include "model/policy.h"
#include "path/journey.h"

/*
 * policy_rule_of() - whether @p is the decision of a policy's rule: then its network, and its words ("" when
 * they are not known).
 */
bool policy_rule_of(const struct path_decision *p, char network[static POLICY_NAME_MAX + 1],
		    char rule[static POLICY_RULE_STRLEN]);

#endif
