/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tcx.c - see tcx.h. */
#include "path/tcx.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TCX_FIRST (1u << 3) /* BPF_F_BEFORE of linux/bpf.h: nobody in particular, so before all */

/* The part of union bpf_attr that BPF_LINK_CREATE reads for TCX; the headers here are older. */
struct tcx_link_attr {
	uint32_t prog_fd;
	uint32_t target_ifindex;
	uint32_t attach_type;
	uint32_t flags;
	uint32_t relative_fd;
	uint32_t pad;
	uint64_t expected_revision;
};

int tcx_attach_first(int prog_fd, int ifindex, bool egress)
{
	struct tcx_link_attr a = {
		.prog_fd = (uint32_t)prog_fd,
		.target_ifindex = (uint32_t)ifindex,
		.attach_type = egress ? TCX_EGRESS : TCX_INGRESS,
		.flags = TCX_FIRST,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &a, sizeof(a));

	return fd < 0 ? -errno : fd;
}
