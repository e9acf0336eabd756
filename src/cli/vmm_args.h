/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm_args.h - how each VMM is told to use tap descriptors it inherits. Pure: an argument list in,
 * an argument list out. cmd_run.c opens the tap and executes the result.
 */
#ifndef VMLANE_CLI_VMM_ARGS_H
#define VMLANE_CLI_VMM_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"

enum vmm_kind {
	VMM_UNKNOWN,
	VMM_QEMU,
	VMM_CLOUD_HYPERVISOR,
	VMM_CROSVM,
	VMM_FIRECRACKER,
	VMM_KIND_COUNT,
};

/* vmm_kind_of() - by the last part of @path: "/usr/bin/qemu-system-x86_64", "kvm", ... */
enum vmm_kind vmm_kind_of(const char *path);

/**
 * struct vmm_nic - what the VMM gets
 * @guest:	the guest's name
 * @network:	its network, for words
 * @mac:	as text
 * @tap:	the tap's name
 * @model:	QEMU's device ("virtio-net-pci")
 * @fds:	the tap's descriptors, one a queue
 * @n_fds:	how many
 */
struct vmm_nic {
	const char *guest;
	const char *network;
	const char *mac;
	const char *tap;
	const char *model;
	const int *fds;
	size_t n_fds;
};

/**
 * vmm_args_check() - can @argv be given a NIC at all? Asked before the tap is opened
 * @guest:	for the words of the mend
 * @queues:	how many descriptors there will be
 *
 * 0, or -EOPNOTSUPP with the mend in @e.
 */
int vmm_args_check(char *const *argv, const char *guest, const char *network, const char *model,
		   size_t queues, struct err *e) __must_check;

/**
 * vmm_args_build() - the command line with the NIC in it
 * @argv:	NULL-terminated; passed vmm_args_check()
 * @ret:	NULL-terminated; vmm_args_free() it
 *
 * Placeholders {fd}, {fds}, {mac}, {tap} are replaced wherever they stand, and nothing is added
 * then; without any, what the VMM needs is added.
 */
int vmm_args_build(char *const *argv, const struct vmm_nic *nic, char ***ret) __must_check;

void vmm_args_free(char **argv);

#endif
