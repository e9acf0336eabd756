/* SPDX-License-Identifier: GPL-2.0-or-later */
/* explain_others.c - see explain_others.h. */
#include "inspect/explain_others.h"

#include <bpf/bpf.h>
#include <linux/netfilter.h>
#include <linux/xfrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINK_NETFILTER 10 /* BPF_LINK_TYPE_NETFILTER: headers before Linux 6.4 lack it */
#define IPVS_HEADER 3	  /* lines */

/* struct netfilter_link - the beginning of the kernel's struct bpf_link_info, for such a link */
struct netfilter_link {
	uint32_t type;
	uint32_t id;
	uint32_t prog_id;
	uint32_t pad;
	uint32_t pf;
	uint32_t hook;
	int32_t priority;
	uint32_t flags;
	uint8_t rest[64];
};

void explain_bpf_name(uint32_t id, char *ret, size_t size)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	snprintf(ret, size, "%u", id);
	if (fd < 0)
		return;
	if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.name[0])
		snprintf(ret, size, "%s", info.name);
	close(fd);
}

/* A link that has gone meanwhile, or that this user may not see, is none. */
static void read_programs(struct explain_others *o)
{
	uint32_t id = 0;

	while (o->n_programs < EXPLAIN_BPF_MAX && bpf_link_get_next_id(id, &id) == 0) {
		struct netfilter_link info = {0};
		uint32_t len = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		if (bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.type == LINK_NETFILTER)
			o->programs[o->n_programs++] = (struct explain_bpf){
				.pf = info.pf, .hook = info.hook, .program = info.prog_id};
		close(fd);
	}
}

bool explain_ipvs_serves(const char *text)
{
	for (int i = 0; i < IPVS_HEADER && text; i++) {
		text = strchr(text, '\n');
		text = text ? text + 1 : NULL;
	}
	return text && *text;
}

static bool read_ipvs(void)
{
	char text[1024];
	FILE *f = fopen("/proc/thread-self/net/ip_vs", "re");
	size_t n;

	if (!f)
		return false;
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return explain_ipvs_serves(text);
}

int explain_others_read(struct explain_others *o, struct err *e)
{
	*o = (struct explain_others){0};
	o->ipvs = read_ipvs();
	read_programs(o);
	return ipsec_policies(&o->policies, &o->n_policies, e);
}

void explain_others_done(struct explain_others *o)
{
	free(o->policies);
	*o = (struct explain_others){0};
}

/* What is forwarded has to be let in as well as out. */
static bool asks_policy(const struct ipsec_policy *p, unsigned int hook)
{
	switch (hook) {
	case NF_INET_LOCAL_IN:
		return p->dir == XFRM_POLICY_IN;
	case NF_INET_FORWARD:
		return p->dir == XFRM_POLICY_FWD || p->dir == XFRM_POLICY_OUT;
	case NF_INET_LOCAL_OUT:
	case NF_INET_POST_ROUTING:
		return p->dir == XFRM_POLICY_OUT;
	default:
		return false;
	}
}

bool explain_others_ask(const struct explain_others *o, const struct explain_hook *at, char *ret,
			size_t size)
{
	uint8_t family = at->pf == NFPROTO_IPV4 ? AF_INET : AF_INET6;
	char name[64];

	for (size_t i = 0; i < o->n_programs; i++)
		if (o->programs[i].pf == at->pf && o->programs[i].hook == at->hook) {
			explain_bpf_name(o->programs[i].program, name, sizeof(name));
			snprintf(ret, size,
				 "BPF program %s at a netfilter hook, here or in another namespace",
				 name);
			return true;
		}
	for (size_t i = 0; i < o->n_policies; i++)
		if (asks_policy(&o->policies[i], at->hook) &&
		    ipsec_policy_is_for(&o->policies[i], family, at->l4, at->src, at->dst)) {
			snprintf(ret, size, "IPsec: a policy of `ip xfrm policy` is about it");
			return true;
		}
	if (o->ipvs && (at->hook == NF_INET_LOCAL_IN || at->hook == NF_INET_FORWARD ||
			at->hook == NF_INET_LOCAL_OUT)) {
		snprintf(ret, size, "IPVS has virtual services (ipvsadm -L)");
		return true;
	}
	return false;
}
