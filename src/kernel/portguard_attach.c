/* SPDX-License-Identifier: GPL-2.0-or-later */
/* portguard_attach.c - see portguard_attach.h. */
#include "kernel/portguard_attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/test_refuse.h"

/* Of linux/bpf.h since 6.6; the headers here are older. */
#define TCX_INGRESS 46
#define TCX_REPLACE (1u << 2)
#define TCX_BEFORE (1u << 3)

#define TCX_PROGRAMS_MAX 64 /* BPF_MPROG_MAX */

/* Where a kernel has no TCX: our filter's place at clsact. */
#define CLSACT_HANDLE 0x766c
#define CLSACT_PRIORITY 1

/* The part of union bpf_attr that BPF_PROG_ATTACH and BPF_PROG_DETACH read for TCX. */
struct tcx_prog_attr {
	uint32_t target_ifindex;
	uint32_t prog_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t replace_fd;
	uint32_t relative;
	uint64_t expected_revision;
};

static int tcx(int command, int ifindex, int fd, unsigned int flags, int replace)
{
	struct tcx_prog_attr a = {
		.target_ifindex = (uint32_t)ifindex,
		.prog_fd = (uint32_t)fd,
		.attach_type = TCX_INGRESS,
		.flags = flags,
		.replace_fd = (uint32_t)replace,
	};

	return syscall(SYS_bpf, command, &a, sizeof(a)) < 0 ? -errno : 0;
}

/* The programs' ids at @ifindex, in @ret; how many. -EINVAL: this kernel has no TCX. */
static int tcx_ids(int ifindex, uint32_t ret[static TCX_PROGRAMS_MAX])
{
	uint32_t n = TCX_PROGRAMS_MAX;
	int r;

	if (test_refused("tcx"))
		return -EINVAL;
	r = bpf_prog_query(ifindex, (enum bpf_attach_type)TCX_INGRESS, 0, NULL, ret, &n);
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : (int)n;
}

/* It knows TCX: asking for a device that cannot be tells. */
static bool has_tcx(void)
{
	static int known = -1;
	uint32_t ids[TCX_PROGRAMS_MAX];

	if (known < 0)
		known = tcx_ids(INT32_MAX, ids) != -EINVAL;
	return known;
}

bool port_program_is_silent(void)
{
	return has_tcx();
}

static int clsact_id(int ifindex, uint32_t *ret)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);
	int r = bpf_tc_query(&hook, &o);

	*ret = r == 0 ? o.prog_id : 0;
	/* Without clsact, or without filters there, the question itself is wrong. */
	return r == -ENOENT || r == -EINVAL ? 0 : r;
}

static int clsact_attach(int ifindex, int fd, bool replace)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY,
		    .prog_fd = fd, .flags = replace ? BPF_TC_F_REPLACE : 0);
	int r = bpf_tc_hook_create(&hook);

	if (r < 0 && r != -EEXIST)
		return r;
	return bpf_tc_attach(&hook, &o);
}

static int clsact_detach(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, o, .handle = CLSACT_HANDLE, .priority = CLSACT_PRIORITY);

	return bpf_tc_detach(&hook, &o);
}

int port_program_at(int ifindex, const struct port_program *v, int n)
{
	uint32_t ids[TCX_PROGRAMS_MAX];
	int count = 1, r;

	r = has_tcx() ? tcx_ids(ifindex, ids) : clsact_id(ifindex, ids);
	if (r < 0)
		return r;
	if (has_tcx())
		count = r;
	for (int i = 0; i < n; i++)
		for (int k = 0; k < count; k++)
			if (v[i].fd >= 0 && v[i].id == ids[k])
				return i;
	return n;
}

int port_program_attach(int ifindex, const struct port_program *p, const struct port_program *old)
{
	if (!has_tcx())
		return clsact_attach(ifindex, p->fd, old != NULL);
	return tcx(BPF_PROG_ATTACH, ifindex, p->fd, old ? TCX_REPLACE : TCX_BEFORE,
		   old ? old->fd : 0);
}

int port_program_detach(int ifindex, const struct port_program *p)
{
	int r = has_tcx() ? tcx(BPF_PROG_DETACH, ifindex, p->fd, 0, 0) : clsact_detach(ifindex);

	return r == -ENODEV || r == -ENOENT ? 0 : r;
}
