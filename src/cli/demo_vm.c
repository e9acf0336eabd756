/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_vm.c - see demo_vm.h. */
#include "cli/demo_vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/**
 * struct arch - what differs between the machines
 * @machine:	as uname says
 * @console:	the kernel's name of the first serial port
 * @ctl:	and of the control channel
 */
static const struct arch {
	const char *machine;
	const char *qemu;
	const char *qemu_machine;
	const char *console;
	const char *ctl;
} arches[] = {
	{"x86_64", "qemu-system-x86_64", "pc", "ttyS0", "ttyS1"},
	/* one serial port only: the control channel is a virtio console */
	{"aarch64", "qemu-system-aarch64", "virt", "ttyAMA0", "hvc0"},
};

static const struct arch *arch_here(void)
{
	struct utsname u;

	if (uname(&u) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(arches); i++)
		if (strcmp(arches[i].machine, u.machine) == 0)
			return &arches[i];
	return NULL;
}

const char *demo_vm_qemu(void)
{
	const struct arch *a = arch_here();

	return a ? a->qemu : NULL;
}

static void args_add(struct demo_vm *vm, size_t *n, const char *const *args)
{
	for (; *args && *n + 1 < DEMO_VM_ARGS_MAX; args++)
		vm->argv[(*n)++] = *args;
	vm->argv[*n] = NULL;
}

static void words_fill(struct demo_vm *vm, const struct arch *a, const struct demo_guest *g,
		       const char *accel)
{
	snprintf(vm->qemu, sizeof(vm->qemu), "%s", a->qemu);
	snprintf(vm->machine, sizeof(vm->machine), "%s,accel=%s", a->qemu_machine, accel);
	snprintf(vm->ctl, sizeof(vm->ctl), DEMO_DIR "/%s.ctl", g->name);
	snprintf(vm->console, sizeof(vm->console), DEMO_DIR "/%s.console", g->name);
	snprintf(vm->ctl_chardev, sizeof(vm->ctl_chardev), "socket,id=ctl,path=%s", vm->ctl);
	snprintf(vm->console_chardev, sizeof(vm->console_chardev),
		 "socket,id=console,path=%s,logfile=%s,logappend=on", vm->console, g->log);
	/* earlyprintk: a kernel that runs at all says so at once */
	snprintf(vm->append, sizeof(vm->append),
		 "console=%s %s panic=-1 vmlane.name=%s vmlane.ctl=%s", a->console,
		 strcmp(a->machine, "x86_64") ? "earlycon" : "earlyprintk=ttyS0,115200", g->name,
		 a->ctl);
}

int demo_vm_describe(const struct demo_options *o, const struct demo_guest *g, const char *accel,
		     struct demo_vm *ret)
{
	const struct arch *a = arch_here();
	const char *const run[] = {ret->vmlane,	 "--socket", DEMO_SOCKET, "run", "--network",
				   DEMO_NETWORK, "--name",   g->name,	  "--",	 NULL};
	const char *const common[] = {ret->qemu,
				      "-name",
				      g->name,
				      "-nodefaults",
				      "-no-user-config",
				      "-no-reboot",
				      "-display",
				      "none",
				      "-machine",
				      ret->machine,
				      "-cpu",
				      strcmp(accel, "kvm") ? "max" : "host",
				      "-m",
				      "256",
				      "-kernel",
				      o->kernel,
				      "-initrd",
				      o->initrd,
				      "-append",
				      ret->append,
				      "-chardev",
				      ret->console_chardev,
				      "-serial",
				      "chardev:console",
				      "-chardev",
				      ret->ctl_chardev,
				      NULL};
	static const char *const serial[] = {"-serial", "chardev:ctl", NULL};
	static const char *const virtio[] = {"-device", "virtio-serial-pci", "-device",
					     "virtconsole,chardev=ctl", NULL};
	size_t n = 0;

	ret->argv[0] = NULL;
	if (!a || cli_program_path("vmlane", ret->vmlane, sizeof(ret->vmlane)))
		return -ENOENT;
	words_fill(ret, a, g, accel);
	args_add(ret, &n, run);
	args_add(ret, &n, common);
	args_add(ret, &n, strcmp(a->ctl, "hvc0") ? serial : virtio);
	return 0;
}

/* ---- KVM ---- */

static void mark_path(const struct demo_options *o, char ret[static PATH_MAX])
{
	const char *slash = strrchr(o->initrd, '/');

	snprintf(ret, PATH_MAX, "%.*s/kvm-does-not-boot", (int)(slash ? slash - o->initrd : 0),
		 o->initrd);
}

static bool read_line(const char *path, char *ret, size_t size)
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (!f)
		return false;
	ok = fgets(ret, (int)size, f) != NULL;
	fclose(f);
	return ok;
}

bool demo_vm_kvm_possible(const struct demo_options *o, char *why, size_t size)
{
	char path[PATH_MAX], then[64], now[64];

	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		snprintf(why, size, "there is no /dev/kvm");
		return false;
	}
	mark_path(o, path);
	if (!read_line(path, then, sizeof(then)) || !read_line(BOOT_ID, now, sizeof(now)) ||
	    strcmp(then, now) != 0)
		return true;
	snprintf(why, size, "KVM does not boot a guest here");
	return false;
}

void demo_vm_kvm_failed(const struct demo_options *o)
{
	char path[PATH_MAX], now[64];
	FILE *f;

	mark_path(o, path);
	if (!read_line(BOOT_ID, now, sizeof(now)))
		return;
	/* When it cannot be noted, the next run tries again. */
	f = fopen(path, "we");
	if (!f)
		return;
	fputs(now, f);
	fclose(f);
}
