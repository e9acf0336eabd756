/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_vm.h - the command line of the demo's virtual machine, and whether KVM is worth a try. */
#ifndef VMLANE_CLI_DEMO_VM_H
#define VMLANE_CLI_DEMO_VM_H

#include "cli/demo.h"

#define DEMO_VM_ARGS_MAX 48

/**
 * struct demo_vm - how the machine is started
 * @argv:	`vmlane run ... -- qemu-system-...`; points into the other fields
 * @ctl, @console: unix sockets that QEMU connects to
 */
struct demo_vm {
	const char *argv[DEMO_VM_ARGS_MAX];
	char vmlane[PATH_MAX];
	char qemu[32];
	char machine[48];
	char append[200];
	char ctl[64];
	char console[64];
	char ctl_chardev[128];
	char console_chardev[192];
};

/* demo_vm_qemu() - QEMU's program for this machine, NULL where none is known. */
const char *demo_vm_qemu(void);
/* demo_vm_describe() - fill @ret, which must stay where it is; -ENOENT without `vmlane`. */
int demo_vm_describe(const struct demo_options *o, const struct demo_guest *g, const char *accel,
		     struct demo_vm *ret) __must_check;
/* demo_vm_kvm_possible() - there is a /dev/kvm that has not failed since the machine booted. */
bool demo_vm_kvm_possible(const struct demo_options *o, char *why, size_t size);
/* demo_vm_kvm_failed() - note it beside the guest's kernel; it holds until the machine is booted. */
void demo_vm_kvm_failed(const struct demo_options *o);

#endif
