/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vmm_args.c - see vmm_args.h. */
#include "cli/vmm_args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

#define ARG_MAX_LEN (128 * 1024) /* MAX_ARG_STRLEN of the kernel */

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

enum vmm_kind vmm_kind_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;

	if (has_prefix(name, "qemu-") || strcmp(name, "kvm") == 0)
		return VMM_QEMU;
	if (has_prefix(name, "cloud-hypervisor"))
		return VMM_CLOUD_HYPERVISOR;
	if (strcmp(name, "crosvm") == 0)
		return VMM_CROSVM;
	return has_prefix(name, "firecracker") ? VMM_FIRECRACKER : VMM_UNKNOWN;
}

/* The placeholders; the order is the one of put_placeholder(). */
enum placeholder {
	PLACE_FD,
	PLACE_FDS,
	PLACE_MAC,
	PLACE_TAP,
	PLACE_COUNT,
};

static const char *const placeholders[] = {
	[PLACE_FD] = "{fd}",
	[PLACE_FDS] = "{fds}",
	[PLACE_MAC] = "{mac}",
	[PLACE_TAP] = "{tap}",
};
_Static_assert(ARRAY_SIZE(placeholders) == PLACE_COUNT, "a placeholder without its text");

/* Which placeholder @s begins with, or PLACE_COUNT. */
static enum placeholder placeholder_at(const char *s)
{
	unsigned int p = 0;

	while (p < PLACE_COUNT && !has_prefix(s, placeholders[p]))
		p++;
	return (enum placeholder)p;
}

static bool has_placeholder(char *const *argv, enum placeholder p)
{
	for (; *argv; argv++)
		if (strstr(*argv, placeholders[p]))
			return true;
	return false;
}

static bool has_placeholders(char *const *argv)
{
	for (unsigned int p = 0; p < PLACE_COUNT; p++)
		if (has_placeholder(argv, (enum placeholder)p))
			return true;
	return false;
}

static void put_fds(struct buf *out, const struct vmm_nic *nic, char separator)
{
	for (size_t i = 0; i < nic->n_fds; i++) {
		if (i)
			buf_append(out, &separator, 1);
		buf_printf(out, "%d", nic->fds[i]);
	}
}

static void put_placeholder(struct buf *out, enum placeholder p, const struct vmm_nic *nic)
{
	switch (p) {
	case PLACE_FD:
	case PLACE_FDS:
		put_fds(out, nic, ':');
		break;
	case PLACE_MAC:
		buf_puts(out, nic->mac);
		break;
	case PLACE_TAP:
	case PLACE_COUNT:
		buf_puts(out, nic->tap);
		break;
	}
}

/**
 * struct args - the list under construction
 * @v:		NULL-terminated, room for @max arguments
 * @error:	the first error; sticks
 */
struct args {
	char **v;
	size_t n;
	size_t max;
	int error;
};

/* Takes @text over; NULL is out of memory. */
static void args_add(struct args *a, char *text)
{
	if (!a->error && (!text || a->n == a->max))
		a->error = text ? -E2BIG : -ENOMEM;
	if (a->error) {
		free(text);
		return;
	}
	a->v[a->n++] = text;
}

static void args_add_buf(struct args *a, struct buf *text)
{
	int error = text->error;

	args_add(a, buf_steal(text));
	if (error == -E2BIG)
		a->error = error;
	buf_done(text);
}

static void args_add_copy(struct args *a, const char *text)
{
	args_add(a, strdup(text));
}

static void args_add_replaced(struct args *a, const char *s, const struct vmm_nic *nic)
{
	struct buf out = BUF_INIT(ARG_MAX_LEN);

	while (*s) {
		enum placeholder p = placeholder_at(s);

		if (p == PLACE_COUNT) {
			buf_append(&out, s++, 1);
			continue;
		}
		put_placeholder(&out, p, nic);
		s += strlen(placeholders[p]);
	}
	args_add_buf(a, &out);
}

/* Has the command line option @name already, as -name or --name? */
static bool has_option(char *const *argv, const char *name)
{
	for (argv++; *argv; argv++) {
		const char *s = *argv;

		if (s[0] == '-' && strcmp(s + (s[1] == '-' ? 2 : 1), name) == 0)
			return true;
	}
	return false;
}

static void add_qemu(struct args *a, char *const *argv, const struct vmm_nic *nic)
{
	struct buf netdev = BUF_INIT(ARG_MAX_LEN), device = BUF_INIT(ARG_MAX_LEN);
	bool many = nic->n_fds > 1;

	buf_printf(&netdev, "tap,id=vmlane0,%s=", many ? "fds" : "fd");
	put_fds(&netdev, nic, ':');
	buf_printf(&device, "%s,netdev=vmlane0,mac=%s", nic->model, nic->mac);
	if (many)
		buf_puts(&device, ",mq=on");
	if (many &&
	    strstr(nic->model, "-pci")) /* a vector a ring, one for config, one for control */
		buf_printf(&device, ",vectors=%zu", 2 * nic->n_fds + 2);
	if (!has_option(argv, "name")) {
		args_add_copy(a, "-name");
		args_add_copy(a, nic->guest);
	}
	args_add_copy(a, "-netdev");
	args_add_buf(a, &netdev);
	args_add_copy(a, "-device");
	args_add_buf(a, &device);
}

static void add_cloud_hypervisor_value(struct args *a, const struct vmm_nic *nic)
{
	struct buf net = BUF_INIT(ARG_MAX_LEN);

	if (nic->n_fds > 1) {
		buf_puts(&net, "fd=[");
		put_fds(&net, nic, ',');
		buf_printf(&net, "],mac=%s,num_queues=%zu", nic->mac, 2 * nic->n_fds);
	} else {
		buf_printf(&net, "fd=%d,mac=%s", nic->fds[0], nic->mac);
	}
	args_add_buf(a, &net);
}

static void add_crosvm(struct args *a, const struct vmm_nic *nic)
{
	struct buf net = BUF_INIT(ARG_MAX_LEN);

	buf_printf(&net, "tap-fd=%d,mac=%s", nic->fds[0], nic->mac);
	args_add_copy(a, "--net");
	args_add_buf(a, &net);
}

static void build_added(struct args *a, char *const *argv, const struct vmm_nic *nic)
{
	enum vmm_kind kind = vmm_kind_of(argv[0]);
	bool done = false;

	for (char *const *arg = argv; *arg; arg++) {
		args_add_copy(a, *arg);
		/* cloud-hypervisor takes --net once, with a value for each NIC behind it */
		if (kind == VMM_CLOUD_HYPERVISOR && !done && strcmp(*arg, "--net") == 0) {
			add_cloud_hypervisor_value(a, nic);
			done = true;
		}
	}
	if (kind == VMM_QEMU) {
		add_qemu(a, argv, nic);
	} else if (kind == VMM_CROSVM) {
		add_crosvm(a, nic);
	} else if (kind == VMM_CLOUD_HYPERVISOR && !done) {
		args_add_copy(a, "--net");
		add_cloud_hypervisor_value(a, nic);
	}
}

#define ADDED_MAX 8

int vmm_args_build(char *const *argv, const struct vmm_nic *nic, char ***ret)
{
	struct args a = {.max = ADDED_MAX};

	for (char *const *arg = argv; *arg; arg++)
		a.max++;
	a.v = calloc(a.max + 1, sizeof(*a.v));
	if (!a.v)
		return -ENOMEM;
	if (has_placeholders(argv))
		for (char *const *arg = argv; *arg; arg++)
			args_add_replaced(&a, *arg, nic);
	else
		build_added(&a, argv, nic);
	if (a.error) {
		vmm_args_free(a.v);
		return a.error;
	}
	*ret = a.v;
	return 0;
}

void vmm_args_free(char **argv)
{
	if (!argv)
		return;
	for (size_t i = 0; argv[i]; i++)
		free(argv[i]);
	free(argv);
}

int vmm_args_check(char *const *argv, const char *guest, const char *network, const char *model,
		   size_t queues, struct err *e)
{
	enum vmm_kind kind = vmm_kind_of(argv[0]);
	bool placeholders_used = has_placeholders(argv);

	if (kind == VMM_FIRECRACKER)
		return err_set(
			e, -EOPNOTSUPP, "vmm", argv[0],
			"firecracker opens its tap by name; give it one that stays: vmlane "
			"guest attach %s --network %s --owner USER, and put what that prints "
			"into the \"network-interfaces\" of its configuration",
			guest, network);
	if (kind == VMM_UNKNOWN && !placeholders_used)
		return err_set(
			e, -EOPNOTSUPP, "vmm", argv[0],
			"how this VMM takes a tap is not known; put placeholders where it "
			"wants it: {fd} or {fds} (the tap's descriptors), {mac}, {tap} (name)");
	if (queues > 1 && has_placeholder(argv, PLACE_FD))
		return err_set(
			e, -EOPNOTSUPP, "vmm", argv[0],
			"{fd} stands for one descriptor, and --queues %zu makes %zu: use {fds}",
			queues, queues);
	if (placeholders_used || queues == 1)
		return 0;
	if (kind == VMM_CROSVM)
		return err_set(e, -EOPNOTSUPP, "vmm", argv[0],
			       "crosvm takes one descriptor: leave --queues out");
	if (kind == VMM_QEMU && !has_prefix(model, "virtio-net"))
		return err_set(e, -EOPNOTSUPP, "vmm", argv[0],
			       "%s has one queue only: leave --queues out, or --model "
			       "virtio-net-pci",
			       model);
	return 0;
}
