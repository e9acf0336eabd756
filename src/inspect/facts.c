/* SPDX-License-Identifier: GPL-2.0-or-later */
/* facts.c - see facts.h. Each question has one small function. */
#include "inspect/facts.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "api/client.h"
#include "kernel/rtnl.h"
#include "kernel/sysctl.h"
#include "kernel/vmm.h"
#include "path/rules.h"
#include "path/tcx.h"

/**
 * struct live_facts - see facts.h
 * @read_ms:	when @actual and what follows was read; 0: never; @cost_ms: how long that took
 * @holders:	of taps, @n_holders of them, once @has_holders; as old as @actual
 * @rules:	made when the first chain is asked for
 */
struct live_facts {
	const char *socket;
	struct facts facts;
	struct rtnl *rtnl;
	struct rules_live *rules;
	struct actual actual;
	struct fact_neigh *neighs;
	struct fact_refusal *refusals;
	struct vmm_holder *holders;
	size_t n_holders;
	bool has_holders;
	uint64_t read_ms;
	uint64_t cost_ms;
};

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* ---- questions ---- */

static bool ask_sysctl(const char *path, char *ret, size_t size, void *ctx)
{
	char value[SYSCTL_VALUE_MAX];

	if (sysctl_read(path, value) < 0)
		return false;
	snprintf(ret, size, "%s", value);
	return true;
}

static bool ask_writable(const char *path, void *ctx)
{
	char full[SYSCTL_PATH_MAX + 16];

	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	return access(full, W_OK) == 0;
}

static uint8_t nf_family(const char *name)
{
	for (unsigned int i = 0; i < 256; i++)
		if (strcmp(rules_family_name((uint8_t)i), name) == 0)
			return (uint8_t)i;
	return 0;
}

static bool ask_chain(const char *family, const char *table, const char *chain, void *ctx)
{
	struct live_facts *l = ctx;
	const struct rules *rules;

	if (!l->rules && rules_live_new(&l->rules, NULL) < 0)
		return false;
	if (rules_live_get(l->rules, &rules, NULL) < 0)
		return false;
	return rules_chain(rules, nf_family(family), table, chain);
}

static bool ask_legacy(int family, const char *table, void *ctx)
{
	char line[64];
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

/* The third word of /proc/PID/stat, behind the name in brackets. */
static bool is_stopped(pid_t pid)
{
	char path[64], text[512], *p;
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');
	return p && p[1] == ' ' && (p[2] == 'T' || p[2] == 't');
}

static bool ask_vmm(const char *tap, struct fact_vmm *ret, void *ctx)
{
	struct live_facts *l = ctx;

	if (!l->has_holders && vmm_scan(&l->holders, &l->n_holders) < 0)
		return false;
	l->has_holders = true;
	for (size_t i = 0; i < l->n_holders; i++) {
		const struct vmm_holder *h = &l->holders[i];

		if (strcmp(h->tap, tap) != 0)
			continue;
		*ret = (struct fact_vmm){.pid = h->pid,
					 .stopped = is_stopped(h->pid),
					 .has_mac = h->has_mac,
					 .mac = h->mac};
		memcpy(ret->comm, h->comm, sizeof(ret->comm));
		memcpy(ret->vm_name, h->vm_name, sizeof(ret->vm_name));
		return true;
	}
	return false;
}

/*
 * The first address behind the last line of @path that begins with @key: of a lease file, in which
 * the last lease is the one that counts.
 */
static bool lease_router(const char *path, const char *key, struct in_addr *ret)
{
	char line[256], address[64];
	bool found = false;
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof(line), f)) {
		const char *p = line + strspn(line, " \t");

		if (strncmp(p, key, strlen(key)) != 0)
			continue;
		p += strlen(key);
		snprintf(address, sizeof(address), "%.*s", (int)strspn(p, "0123456789."), p);
		found |= ip4_parse(address, ret) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

static bool ask_gateway(int ifindex, struct in_addr *ret, char *source, size_t size, void *ctx)
{
	static const struct {
		const char *path, *key;
	} places[] = {
		{"/run/systemd/netif/leases/%d", "ROUTER="},
		{"/var/lib/dhcp/dhclient.%s.leases", "option routers "},
		{"/var/lib/dhclient/dhclient--%s.lease", "option routers "},
	};
	struct live_facts *l = ctx;
	const struct link_state *link = actual_link_by_index(&l->actual, ifindex);

	if (!link)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *mark = strchr(places[i].path, '%');
		char path[128];

		if (mark[1] == 'd')
			snprintf(path, sizeof(path), "%.*s%d%s", (int)(mark - places[i].path),
				 places[i].path, ifindex, mark + 2);
		else
			snprintf(path, sizeof(path), "%.*s%s%s", (int)(mark - places[i].path),
				 places[i].path, link->name, mark + 2);
		if (!lease_router(path, places[i].key, ret))
			continue;
		snprintf(source, size, "%s", path);
		return true;
	}
	return false;
}

/* The daemon's answer to GET @path, a new reference; NULL: none. */
static json_t *daemon_get(const struct live_facts *l, const char *path)
{
	struct err_list *errs = calloc(1, sizeof(*errs));
	json_t *answer = NULL;

	if (errs && l->socket && api_call(l->socket, "GET", path, NULL, &answer, errs) < 0)
		answer = NULL;
	free(errs);
	return answer;
}

static bool has_mode(void *ctx, const char *network, const char *mode)
{
	char path[256];
	json_t *answer;
	const char *is;
	bool has;

	snprintf(path, sizeof(path), "/v1/networks/%s", network);
	answer = daemon_get(ctx, path);
	is = json_string_value(json_object_get(answer, "mode"));
	has = is && strcmp(is, mode) == 0;
	json_decref(answer);
	return has;
}

static bool ask_routed(const char *network, void *ctx)
{
	return has_mode(ctx, network, "routed");
}

static bool ask_isolated(const char *network, void *ctx)
{
	return has_mode(ctx, network, "isolated");
}

static size_t ask_resolvers(const char *network, struct in_addr *ret, size_t max, void *ctx)
{
	char path[256];
	json_t *answer, *value;
	size_t i, n = 0;

	snprintf(path, sizeof(path), "/v1/networks/%s", network);
	answer = daemon_get(ctx, path);
	json_array_foreach (json_object_get(answer, "dns"), i, value) {
		const char *text = json_string_value(value);

		if (n < max && text && ip4_parse(text, &ret[n]) == 0)
			n++;
	}
	json_decref(answer);
	return n;
}

/* BPF programs at a device that are no filters of tc's own. */
static bool has_tcx(int ifindex, bool egress)
{
	uint32_t ids[1], n = ARRAY_SIZE(ids);
	int r = bpf_prog_query(ifindex, egress ? TCX_EGRESS : TCX_INGRESS, 0, NULL, ids, &n);

	return (r == 0 || r == -ENOSPC) && n > 0;
}

static bool ask_filter(int ifindex, bool egress, uint16_t *ret_pref, char *kind, size_t size,
		       void *ctx)
{
	struct live_facts *l = ctx;
	struct filter_state *all = NULL;
	size_t n = 0;
	bool only;

	if (has_tcx(ifindex, egress) ||
	    rtnl_filter_dump(l->rtnl, ifindex, egress, &all, &n, NULL) < 0)
		return false;
	only = n == 1;
	if (only) {
		*ret_pref = all[0].pref;
		snprintf(kind, size, "%s", all[0].kind);
	}
	free(all);
	return only;
}

static bool ask_daemon(void *ctx)
{
	json_t *answer = daemon_get(ctx, "/v1/status");
	bool answers = answer;

	json_decref(answer);
	return answers;
}

/* ---- reading ---- */

int live_facts_new(const char *socket, struct live_facts **ret)
{
	struct live_facts *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	r = rtnl_new(&l->rtnl);
	if (r < 0) {
		free(l);
		return r;
	}
	l->socket = socket;
	l->facts = (struct facts){
		.host = &l->actual,
		.sysctl = ask_sysctl,
		.writable = ask_writable,
		.chain = ask_chain,
		.legacy = ask_legacy,
		.vmm = ask_vmm,
		.gateway = ask_gateway,
		.routed = ask_routed,
		.isolated = ask_isolated,
		.resolvers = ask_resolvers,
		.filter = ask_filter,
		.daemon = ask_daemon,
		.ctx = l,
	};
	*ret = l;
	return 0;
}

static void forget(struct live_facts *l)
{
	actual_done(&l->actual);
	free(l->neighs);
	free(l->refusals);
	free(l->holders);
	l->holders = NULL;
	l->n_holders = 0;
	l->has_holders = false;
	l->actual = (struct actual){0};
	l->neighs = NULL;
	l->refusals = NULL;
	l->facts.n_neighs = l->facts.n_refusals = 0;
	l->read_ms = 0;
}

void live_facts_free(struct live_facts *l)
{
	if (!l)
		return;
	forget(l);
	rtnl_free(l->rtnl);
	rules_live_free(l->rules);
	free(l);
}

/* Of both families, IPv4's first. */
static int read_neighs(struct live_facts *l)
{
	struct neigh6_entry *all6 = NULL;
	struct neigh_entry *all = NULL;
	size_t n = 0, n6 = 0;
	int r = rtnl_neigh_dump(l->rtnl, 0, &all, &n, NULL);

	if (r == 0)
		r = rtnl_neigh6_dump(l->rtnl, &all6, &n6, NULL);
	if (r == 0) {
		l->neighs = calloc(n + n6 + 1, sizeof(*l->neighs));
		r = l->neighs ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		l->neighs[i] = (struct fact_neigh){.ifindex = all[i].ifindex,
						   .family = AF_INET,
						   .mac = all[i].mac,
						   .state = all[i].state};
		memcpy(l->neighs[i].addr, &all[i].addr, sizeof(all[i].addr));
	}
	for (size_t i = 0; i < n6 && r == 0; i++) {
		l->neighs[n + i] = (struct fact_neigh){.ifindex = all6[i].ifindex,
						       .family = AF_INET6,
						       .mac = all6[i].mac,
						       .state = all6[i].state,
						       .router = all6[i].router};
		memcpy(l->neighs[n + i].addr, &all6[i].addr, sizeof(all6[i].addr));
	}
	free(all);
	free(all6);
	l->facts.neighs = l->neighs;
	l->facts.n_neighs = r == 0 ? n + n6 : 0;
	return r;
}

static int add_refusals(struct live_facts *l, int family)
{
	struct refusal_state *all = NULL;
	struct fact_refusal *more;
	size_t n = 0, had = l->facts.n_refusals;
	int r = rtnl_refusal_dump(l->rtnl, family, &all, &n, NULL);

	if (r < 0)
		return r;
	more = reallocarray(l->refusals, had + n + 1, sizeof(*more));
	if (more)
		l->refusals = more;
	for (size_t i = 0; i < n && more; i++) {
		more[had + i] = (struct fact_refusal){.family = all[i].family,
						      .len = all[i].len,
						      .table = all[i].table,
						      .metric = all[i].metric,
						      .type = all[i].type};
		memcpy(more[had + i].dst, all[i].dst, sizeof(all[i].dst));
	}
	free(all);
	l->facts.refusals = l->refusals;
	l->facts.n_refusals = more ? had + n : had;
	return more ? 0 : -ENOMEM;
}

static int read_all(struct live_facts *l)
{
	int r = rtnl_snapshot(l->rtnl, &l->actual, NULL);

	if (r == 0)
		r = rtnl_snapshot_ipv6(l->rtnl, &l->actual, NULL);
	if (r == 0)
		r = rtnl_fdb_dump(l->rtnl, 0, &l->actual.fdb, &l->actual.n_fdb, NULL);
	if (r == 0)
		r = read_neighs(l);
	if (r == 0)
		r = add_refusals(l, AF_INET);
	return r == 0 ? add_refusals(l, AF_INET6) : r;
}

static const struct facts *read_anew(struct live_facts *l)
{
	uint64_t begin = now_ms();

	forget(l);
	if (read_all(l) < 0) {
		forget(l);
		return NULL;
	}
	l->read_ms = now_ms();
	l->cost_ms = l->read_ms - begin;
	return &l->facts;
}

const struct facts *live_facts_get(struct live_facts *l, unsigned int max_age_ms)
{
	uint64_t now = now_ms(), spare = l->cost_ms * 10 < 1000 ? l->cost_ms * 10 : 1000;

	if (!l->read_ms || now - l->read_ms > (max_age_ms > spare ? max_age_ms : spare))
		return read_anew(l);
	return &l->facts;
}

const struct facts *live_facts_since(struct live_facts *l, uint64_t since_ns)
{
	bool known = l->read_ms && (l->read_ms - l->cost_ms) * 1000000 >= since_ns;

	if (known || (l->read_ms && now_ms() - l->read_ms < l->cost_ms))
		return &l->facts;
	return read_anew(l);
}
