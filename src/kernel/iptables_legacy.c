/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iptables_legacy.c - see iptables_legacy.h: getsockopt() of a raw socket, as iptables-legacy reads its
 * tables (linux/netfilter_ipv4/ip_tables.h).
 */
#include "kernel/iptables_legacy.h"

/* The system's first: the kernel's have to know that they are there. */
#include <netinet/in.h>
#include <net/if.h>

#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macro.h"

#define SIZE_MAX_TABLE (64u << 20)
#define POLICY_DROP (-NF_DROP - 1)
#define POLICY_ACCEPT (-NF_ACCEPT - 1)

/* Both families' structures have the same layout here, and options of their own numbers. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo), "one for both");
_Static_assert(sizeof(struct ipt_get_entries) == sizeof(struct ip6t_get_entries), "one for both");

static bool in_use(int family, const char *table)
{
	char line[XT_TABLE_MAXNAMELEN + 2];
	bool found = false;
	FILE *f = fopen(family == AF_INET6 ? "/proc/thread-self/net/ip6_tables_names"
					   : "/proc/thread-self/net/ip_tables_names",
			"re");

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(line, table) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static int ask(int fd, int family, int what, int what6, void *ret, size_t size)
{
	socklen_t len = (socklen_t)size;

	return getsockopt(fd, family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
			  family == AF_INET6 ? what6 : what, ret, &len);
}

/* The verdict of the rule at @at, which is a chain's policy. */
static enum iptables_legacy policy(const uint8_t *entries, size_t size, int family, size_t at)
{
	size_t header = family == AF_INET6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry);
	struct xt_standard_target t;
	uint16_t target;

	if (at + header > size)
		return IPTABLES_LEGACY_RULES;
	memcpy(&target,
	       entries + at +
		       (family == AF_INET6 ? offsetof(struct ip6t_entry, target_offset)
					   : offsetof(struct ipt_entry, target_offset)),
	       sizeof(target));
	if (at + target + sizeof(t) > size)
		return IPTABLES_LEGACY_RULES;
	memcpy(&t, entries + at + target, sizeof(t));
	if (t.target.u.user.name[0] != '\0') /* the standard target has no name */
		return IPTABLES_LEGACY_RULES;
	if (t.verdict == POLICY_ACCEPT)
		return IPTABLES_LEGACY_PASS;
	return t.verdict == POLICY_DROP ? IPTABLES_LEGACY_DROP : IPTABLES_LEGACY_RULES;
}

static enum iptables_legacy look(int fd, int family, const char *table, unsigned int hook)
{
	struct ipt_getinfo info = {0};
	struct ipt_get_entries *all;
	enum iptables_legacy found = IPTABLES_LEGACY_RULES;

	snprintf(info.name, sizeof(info.name), "%s", table);
	if (ask(fd, family, IPT_SO_GET_INFO, IP6T_SO_GET_INFO, &info, sizeof(info)) < 0 ||
	    info.size > SIZE_MAX_TABLE)
		return IPTABLES_LEGACY_RULES;
	if (hook >= NF_INET_NUMHOOKS || !(info.valid_hooks & 1u << hook))
		return IPTABLES_LEGACY_PASS;
	if (info.hook_entry[hook] != info.underflow[hook])
		return IPTABLES_LEGACY_RULES;
	all = calloc(1, sizeof(*all) + info.size);
	if (!all)
		return IPTABLES_LEGACY_RULES;
	memcpy(all->name, info.name, sizeof(all->name));
	all->size = info.size;
	if (ask(fd, family, IPT_SO_GET_ENTRIES, IP6T_SO_GET_ENTRIES, all,
		sizeof(*all) + info.size) == 0)
		found = policy((const uint8_t *)all->entrytable, info.size, family,
			       info.hook_entry[hook]);
	free(all);
	return found;
}

enum iptables_legacy iptables_legacy_at(int family, const char *table, unsigned int hook)
{
	enum iptables_legacy found;
	int fd;

	if (!in_use(family, table))
		return IPTABLES_LEGACY_PASS;
	fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (fd < 0)
		return IPTABLES_LEGACY_RULES;
	found = look(fd, family, table, hook);
	close(fd);
	return found;
}
