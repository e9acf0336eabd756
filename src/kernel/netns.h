/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - the other network namespaces of the machine, and who lives in them: containers, whose
 * interfaces are veths at our bridges.
 */
#ifndef VMLANE_KERNEL_NETNS_H
#define VMLANE_KERNEL_NETNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "kernel/proc.h"
#include "kernel/rtnl.h"

#define NETNS_NAME_LEN 64

/**
 * struct netns_holder - a network namespace that the calling thread's has a veth into
 * @id:		its number as this namespace's links name it (IFLA_LINK_NETNSID)
 * @pid:	the lowest of the processes in it, 0 for none
 * @comm:	that process' name
 * @name:	of the container, as the process' control group tells it (the first 12 digits of Docker's and
 *		Podman's numbers, LXC's and systemd-nspawn's names), else its name in /run/netns; "" for none
 */
struct netns_holder {
	int32_t id;
	pid_t pid;
	char comm[PROC_COMM_MAX];
	char name[NETNS_NAME_LEN];
};

/*
 * netns_scan() - by /proc and /run/netns; free() *ret. Processes that may not be looked at are passed
 * over. 0 or -errno.
 */
int netns_scan(struct rtnl *r, struct netns_holder **ret, size_t *ret_n) __must_check;

/*
 * netns_container_name() - the pure part: of what /proc/PID/cgroup says, @len bytes, the container's name
 * into @ret; false, and "", when it is in none that is known.
 */
bool netns_container_name(const char *cgroup, size_t len, char ret[static NETNS_NAME_LEN]);

#endif
