/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm.h - which process holds a tap, and what NIC it shows to its guest: read from /proc. */
#ifndef VMLANE_KERNEL_VMM_H
#define VMLANE_KERNEL_VMM_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/addr.h"

/**
 * struct vmm_holder - a process that has a tap open
 * @tap:	the tap's name (matched whole: tap1 is not tap10)
 * @pid:	the process
 * @fd:		a descriptor of the tap in that process; 0: not known. Tells which NIC is behind it
 *		where the command line names descriptors (`fd=`) only
 * @macvtap:	it is a macvtap (a descriptor of /dev/tapN), not a tap
 * @comm:	the process' name: "qemu-system-x86", ...
 * @mac:	of that NIC, when @has_mac
 * @nic_model:	what the guest sees: "virtio-net", "e1000e", "rtl8139", ... ; "" when not known
 * @vm_name:	from `-name`, "" when not known
 */
struct vmm_holder {
	char tap[IFNAMSIZ];
	pid_t pid;
	int fd;
	bool macvtap;
	char comm[32];
	bool has_mac;
	struct mac mac;
	char nic_model[32];
	char vm_name[64];
};

/*
 * vmm_scan() - all processes of the machine that hold a tap fd and that this process may look at,
 * each once per tap and described (vmm_describe()); free() *ret. A process whose /proc/PID/fd is
 * not readable for us is passed over, and so are taps of other network namespaces where the kernel
 * lets us see that (it takes the right to trace the process).
 */
int vmm_scan(struct vmm_holder **ret, size_t *ret_n) __must_check;
/*
 * vmm_describe() - fill comm, nic_model and vm_name of @h from /proc/@h->pid/{comm,cmdline};
 * @mac (may be NULL) tells which -device belongs to the tap when there are several.
 * -ESRCH: no such process.
 */
int vmm_describe(struct vmm_holder *h, const struct mac *mac) __must_check;
/*
 * vmm_cmdline_parse() - the pure part: nic_model, mac and vm_name of @h from @argv, joined by NULs (@len
 * bytes) as in /proc/PID/cmdline; @h->comm and @h->fd help where they are set.
 */
void vmm_cmdline_parse(const char *argv, size_t len, const char *tap, const struct mac *mac,
		       struct vmm_holder *h);

#endif
