/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diagnose.h - from a packet that was dropped, or that gets no answer, to its cause and the command
 * that mends it.
 *
 * Pure: what the host is like comes as struct facts, which looks only at what is asked for. What is
 * not known for certain is not said: then the code is "unknown", with the kernel's own words. Next on
 * the walk: diagnose_internal.h, and the tables in diagnose_bridge.c, diagnose_ip.c, diagnose_fw.c.
 */
#ifndef VMLANE_PATH_DIAGNOSE_H
#define VMLANE_PATH_DIAGNOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "model/plan.h"
#include "path/journey_text.h"
#include "path/questions.h"

/*
 * struct fact_neigh - a neighbour; @state is NUD_* of linux/neighbour.h, @addr as in struct path_address.
 * @router: of IPv6, it has said that it is one
 */
struct fact_neigh {
	int ifindex;
	uint8_t family;
	uint8_t addr[16];
	struct mac mac;
	uint16_t state;
	bool router;
};

/* struct fact_refusal - a route that refuses; @type is RTN_* of linux/rtnetlink.h. */
struct fact_refusal {
	uint8_t family;
	uint8_t dst[16];
	uint8_t len;
	uint32_t table;
	uint32_t metric;
	uint8_t type;
};

/**
 * struct diagnosis_guest - what is known of the guest
 * @has_mac:	@mac is its
 * @addrs:	its addresses, @n_addrs of them
 * @asked:	whether the packet is a question that it has asked before
 * @all:	it stands for all guests of its network: what lets its packets through shall be for those too
 */
struct diagnosis_guest {
	bool has_mac;
	struct mac mac;
	const struct path_address *addrs;
	size_t n_addrs;
	struct asked asked;
	bool all;
};

/*
 * struct fact_vmm - who has a tap open; @stopped: the process is stopped (SIGSTOP). @mac: of its NIC, as
 * its command line says, when @has_mac
 */
struct fact_vmm {
	int pid;
	char comm[32];
	char vm_name[64];
	bool stopped;
	bool has_mac;
	struct mac mac;
};

/**
 * struct facts - the host as it is now; not owned
 * @host:	links, addresses and routes of both families, and the bridges' MAC tables
 * @neighs, @refusals: @n_neighs and @n_refusals of them
 * @guest:	whose packets they are
 * @sysctl:	value of @path below /proc/sys into @ret of @size; false: there is none
 * @writable:	whether that sysctl can be set from here: some belong to the machine's first network
 *		namespace
 * @chain:	whether nf_tables has this chain
 * @legacy:	whether iptables-legacy has table @table of @family (AF_INET, AF_INET6) in use
 * @vmm:	who has the tap open; false: nobody, or it cannot be seen
 * @gateway:	a router that a DHCP lease gave for interface @ifindex, and where that is written
 * @routed:	whether our network @name shall not be translated; false also when nobody tells
 * @isolated:	whether our network @name has no way out; false also when nobody tells
 * @resolvers:	those that our network @name gives its guests by DHCP, at most @max into @ret; how many
 * @filter:	the only tc filter that @ifindex has in that direction: its preference and kind; false
 *		when there is none, when there are more, or BPF programs (TCX) beside it
 * @daemon:	whether vmlaned answers
 *
 * All functions have to be there.
 */
struct facts {
	const struct actual *host;
	const struct fact_neigh *neighs;
	size_t n_neighs;
	const struct fact_refusal *refusals;
	size_t n_refusals;
	struct diagnosis_guest guest;
	bool (*sysctl)(const char *path, char *ret, size_t size, void *ctx);
	bool (*writable)(const char *path, void *ctx);
	bool (*chain)(const char *family, const char *table, const char *chain, void *ctx);
	bool (*legacy)(int family, const char *table, void *ctx);
	bool (*vmm)(const char *tap, struct fact_vmm *ret, void *ctx);
	bool (*gateway)(int ifindex, struct in_addr *ret, char *source, size_t size, void *ctx);
	bool (*routed)(const char *network, void *ctx);
	bool (*isolated)(const char *network, void *ctx);
	size_t (*resolvers)(const char *network, struct in_addr *ret, size_t max, void *ctx);
	bool (*filter)(int ifindex, bool egress, uint16_t *ret_pref, char *kind, size_t size,
		       void *ctx);
	bool (*daemon)(void *ctx);
	void *ctx;
};

#define DIAGNOSIS_EVIDENCE_MAX 6

/* struct diagnosis_evidence - @kind: "sysctl", "interface", "rule", "route", "neighbour", "mac-table", ... */
struct diagnosis_evidence {
	const char *kind;
	char text[200];
};

/**
 * struct diagnosis - what is wrong, and what mends it
 * @code:	for programs; docs/API.md has them all
 * @cause:	in plain words
 * @evidence:	what was seen of it, @n_evidence of them
 * @mend:	one line for a shell of the host; "" when there is no such command
 * @advice:	what to do instead of, or know about, the command; may be ""
 */
struct diagnosis {
	const char *code;
	char cause[400];
	struct diagnosis_evidence evidence[DIAGNOSIS_EVIDENCE_MAX];
	size_t n_evidence;
	char mend[700];
	char advice[300];
};

/* diagnosis_wanted() - @g ended in a way that diagnose() may explain; looks at no facts. */
bool diagnosis_wanted(const struct journey *g, const struct path_view *v,
		      const struct diagnosis_guest *guest);

/* diagnose() - @g has ended; false when there is nothing to explain. */
bool diagnose(const struct journey *g, const struct journey_words *w, const struct facts *f,
	      struct diagnosis *ret);

/* diagnose_port() - whether anything of a guest can get in by its port @ifindex; false: it can. */
bool diagnose_port(int ifindex, const struct path_view *v, const struct facts *f,
		   struct diagnosis *ret);

/**
 * struct egress_filter - somebody's filter at a way out, which a probe was taken off before
 * @dev:	where
 * @what:	"tc filter pref 7 bpf", "BPF program 12 (name)"
 * @pref:	of a tc filter; 0: a program beside them (TCX)
 * @why:	NULL: it drops such packets; else why that is not known
 */
struct egress_filter {
	const char *dev;
	const char *what;
	uint16_t pref;
	const char *why;
};

/* diagnose_egress() - what it means for a packet that @f stands at its way out. */
void diagnose_egress(const struct egress_filter *f, struct diagnosis *ret);

/*
 * diagnosis_untranslated() - @g left by an uplink for a public address with a private source that
 * nobody has translated
 */
bool diagnosis_untranslated(const struct journey *g, const struct path_view *v);

#endif
