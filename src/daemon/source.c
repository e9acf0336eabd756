/* SPDX-License-Identifier: GPL-2.0-or-later */
/* source.c - see source.h. It only looks: what is on an uplink is the administrator's. */
#include "daemon/source.h"

#include <string.h>

#include "daemon/bridged.h"

static bool host_has(const struct actual *a, struct in_addr addr)
{
	for (size_t i = 0; i < a->n_addrs; i++)
		if (ip4_equal(a->addrs[i].prefix.addr, addr))
			return true;
	return false;
}

static bool is_on_link(const struct actual *a, const char *ifname, struct in_addr addr)
{
	const struct link_state *link = actual_link_by_name(a, ifname);

	for (size_t i = 0; link && i < a->n_addrs; i++)
		if (a->addrs[i].ifindex == link->ifindex && ip4_in(&a->addrs[i].prefix, addr))
			return true;
	return false;
}

/* The uplinks of @n, or the bridge that took the one it names; their number. */
static size_t uplinks_of(struct manager *m, const struct network_config *n, const struct actual *a,
			 char (*ret)[IFNAMSIZ])
{
	const struct takeover_rt *t;

	if (!n->uplink[0])
		return actual_uplinks(a, ret, UPLINKS_MAX);
	t = bridged_by_uplink(m, n->uplink);
	memcpy(ret[0], t ? t->row.bridge : n->uplink, IFNAMSIZ);
	return 1;
}

void source_problem(struct manager *m, const struct network_rt *n, const struct actual *a,
		    struct err *ret)
{
	const struct network_config *c = n->config;
	char uplinks[UPLINKS_MAX][IFNAMSIZ], addr[IP4_STRLEN];
	uint32_t first = ip4_host(c->source_first), last = ip4_host(c->source_last);
	size_t n_uplinks;

	*ret = (struct err){0};
	if (n->stopped || c->mode != NETWORK_NAT || !network_has_source(c))
		return;
	n_uplinks = uplinks_of(m, c, a, uplinks);
	for (uint32_t i = first; i <= last; i++) {
		struct in_addr source = ip4_from_host(i);

		if (host_has(a, source))
			continue;
		for (size_t u = 0; u < n_uplinks; u++) {
			if (!is_on_link(a, uplinks[u], source))
				continue;
			ip4_format(source, addr);
			err_set(ret, 0, SOURCE_ABSENT, n->name,
				"guests leave as %s, which is on no interface: on %s nobody "
				"answers "
				"when that address is asked for, and replies do not come; `ip addr "
				"add %s/32 dev %s` makes the host have it",
				addr, uplinks[u], addr, uplinks[u]);
			return;
		}
	}
}
