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

/* The table's rules, in @ret_info->size bytes; NULL where they cannot be read. Owned by the caller. */
static struct ipt_get_entries *read_entries(int fd, int family, const char *table,
					    struct ipt_getinfo *ret_info)
{
	struct ipt_get_entries *all;

	*ret_info = (struct ipt_getinfo){0};
	snprintf(ret_info->name, sizeof(ret_info->name), "%s", table);
	if (ask(fd, family, IPT_SO_GET_INFO, IP6T_SO_GET_INFO, ret_info, sizeof(*ret_info)) < 0 ||
	    ret_info->size > SIZE_MAX_TABLE)
		return NULL;
	all = calloc(1, sizeof(*all) + ret_info->size);
	if (!all)
		return NULL;
	memcpy(all->name, ret_info->name, sizeof(all->name));
	all->size = ret_info->size;
	if (ask(fd, family, IPT_SO_GET_ENTRIES, IP6T_SO_GET_ENTRIES, all,
		sizeof(*all) + ret_info->size) == 0)
		return all;
	free(all);
	return NULL;
}

static enum iptables_legacy look(int fd, int family, const char *table, unsigned int hook)
{
	enum iptables_legacy found = IPTABLES_LEGACY_RULES;
	struct ipt_getinfo info;
	struct ipt_get_entries *all = read_entries(fd, family, table, &info);

	if (hook >= NF_INET_NUMHOOKS || (info.valid_hooks && !(info.valid_hooks & 1u << hook)))
		found = IPTABLES_LEGACY_PASS;
	else if (all && info.hook_entry[hook] == info.underflow[hook])
		found = policy((const uint8_t *)all->entrytable, info.size, family,
			       info.hook_entry[hook]);
	free(all);
	return found;
}

static int open_socket(int family, const char *table)
{
	return in_use(family, table) ? socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW) : -1;
}

enum iptables_legacy iptables_legacy_at(int family, const char *table, unsigned int hook)
{
	enum iptables_legacy found;
	int fd;

	if (!in_use(family, table))
		return IPTABLES_LEGACY_PASS;
	fd = open_socket(family, table);
	if (fd < 0)
		return IPTABLES_LEGACY_RULES;
	found = look(fd, family, table, hook);
	close(fd);
	return found;
}

/* ---- rules one by one ---- */

/* struct rule - the interface it is about, "" for any, and its target with what that is told. */
struct rule {
	char in[IFNAMSIZ];
	char target[XT_EXTENSION_MAXNAMELEN];
	char told[XT_FUNCTION_MAXNAMELEN];
};

typedef bool (*rule_fn)(const struct rule *r, const char *name);

/* The rule of @left bytes at @p; how long it is, 0 where it is broken. */
static size_t take_rule(const uint8_t *p, size_t left, int family, struct rule *ret)
{
	bool v6 = family == AF_INET6;
	size_t header = v6 ? sizeof(struct ip6t_entry) : sizeof(struct ipt_entry);
	size_t in = v6 ? offsetof(struct ip6t_entry, ipv6.iniface)
		       : offsetof(struct ipt_entry, ip.iniface);
	uint16_t target, next;

	*ret = (struct rule){0};
	if (left < header)
		return 0;
	memcpy(&target,
	       p + (v6 ? offsetof(struct ip6t_entry, target_offset)
		       : offsetof(struct ipt_entry, target_offset)),
	       sizeof(target));
	memcpy(&next,
	       p + (v6 ? offsetof(struct ip6t_entry, next_offset)
		       : offsetof(struct ipt_entry, next_offset)),
	       sizeof(next));
	if (next < header || next > left || target + sizeof(struct xt_entry_target) > next)
		return 0;
	memcpy(ret->in, p + in, sizeof(ret->in) - 1);
	memcpy(ret->target, p + target + offsetof(struct xt_entry_target, u.user.name),
	       sizeof(ret->target) - 1);
	memcpy(ret->told, p + target + sizeof(struct xt_entry_target),
	       size_min(sizeof(ret->told) - 1, next - target - sizeof(struct xt_entry_target)));
	return next;
}

static bool any_rule(int family, const char *table, rule_fn fn, const char *name)
{
	struct ipt_get_entries *all;
	struct ipt_getinfo info;
	bool found = false;
	size_t len, at = 0;
	struct rule r;
	int fd = open_socket(family, table);

	if (fd < 0)
		return false;
	all = read_entries(fd, family, table, &info);
	close(fd);
	while (all && !found && at < info.size) {
		len = take_rule((const uint8_t *)all->entrytable + at, info.size - at, family, &r);
		found = len && fn(&r, name);
		at = len ? at + len : info.size;
	}
	free(all);
	return found;
}

/* A chain begins with a rule whose target ERROR is told the chain's name. */
static bool begins(const struct rule *r, const char *name)
{
	return strcmp(r->target, XT_ERROR_TARGET) == 0 && strcmp(r->told, name) == 0;
}

static bool comes_in(const struct rule *r, const char *name)
{
	return strcmp(r->in, name) == 0;
}

bool iptables_legacy_has_chain(int family, const char *table, const char *chain)
{
	return any_rule(family, table, begins, chain);
}

bool iptables_legacy_names(int family, const char *table, const char *ifname)
{
	return any_rule(family, table, comes_in, ifname);
}
