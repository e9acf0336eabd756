/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * explain_others.h - who has a say about packets at netfilter's hooks besides rules: IPsec, IPVS, BPF
 * programs. None of them is modelled: where one may decide, it is named. Flowtables take packets of
 * connections that have been answered, which no prediction is about.
 */
#ifndef VMLANE_INSPECT_EXPLAIN_OTHERS_H
#define VMLANE_INSPECT_EXPLAIN_OTHERS_H

#include "kernel/ipsec.h"
#include "path/explain.h"

#define EXPLAIN_BPF_MAX 64

/* struct explain_bpf - a BPF program at a hook, of this network namespace or another: that is not told */
struct explain_bpf {
	uint32_t pf;
	uint32_t hook;
	uint32_t program;
};

/**
 * struct explain_others - as they are now
 * @policies:	IPsec's, @n_policies of them
 * @ipvs:	IPVS has a virtual service
 * @programs:	@n_programs of them
 */
struct explain_others {
	struct ipsec_policy *policies;
	size_t n_policies;
	bool ipvs;
	struct explain_bpf programs[EXPLAIN_BPF_MAX];
	size_t n_programs;
};

/* explain_others_read() - -errno with words; explain_others_done() afterwards, also then. */
int explain_others_read(struct explain_others *o, struct err *e) __must_check;
void explain_others_done(struct explain_others *o);

/* explain_others_ask() - who else decides there, in words; false: nobody. See struct explain_host. */
bool explain_others_ask(const struct explain_others *o, const struct explain_hook *at, char *ret,
			size_t size);

/* explain_ipvs_serves() - whether @text, of /proc/net/ip_vs, has a service. */
bool explain_ipvs_serves(const char *text);

/* explain_bpf_name() - a program's name, or its number where it has none. */
void explain_bpf_name(uint32_t id, char *ret, size_t size);

#endif
