/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iptables_legacy.h - what can be told of the rules of iptables-legacy without reading them. */
#ifndef VMLANE_KERNEL_IPTABLES_LEGACY_H
#define VMLANE_KERNEL_IPTABLES_LEGACY_H

#include <stdbool.h>

/* enum iptables_legacy - what a table does with whatever comes to a hook */
enum iptables_legacy {
	IPTABLES_LEGACY_PASS,  /* not there, not at this hook, or no rules and policy ACCEPT */
	IPTABLES_LEGACY_DROP,  /* no rules, and policy DROP */
	IPTABLES_LEGACY_RULES, /* it depends on its rules, or the table could not be read */
};

/*
 * iptables_legacy_at() - table @table ("filter") of @family (AF_INET, AF_INET6) at @hook (NF_INET_*),
 * in the calling thread's network namespace. A table that is not in use is not brought into use.
 */
enum iptables_legacy iptables_legacy_at(int family, const char *table, unsigned int hook);
/* iptables_legacy_has_chain() - @table has a chain of the user's called @chain. */
bool iptables_legacy_has_chain(int family, const char *table, const char *chain);
/* iptables_legacy_names() - a rule of @table is about what comes in by interface @ifname. */
bool iptables_legacy_names(int family, const char *table, const char *ifname);

#endif
