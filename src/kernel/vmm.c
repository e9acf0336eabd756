/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm.c - finds the processes that have a tap open, by the walk of proc.c. What their command lines mean is
 * vmm_cmdline.c's.
 */
#include "kernel/vmm_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/text.h"
#include "kernel/proc.h"

/* struct holders - those found so far; @error sticks. */
struct holders {
	struct vmm_holder *v;
	size_t n;
	size_t cap;
	int error;
};

static bool have(const struct holders *l, pid_t pid, const char *tap)
{
	for (size_t i = l->n; i > 0 && l->v[i - 1].pid == pid; i--)
		if (strcmp(l->v[i - 1].tap, tap) == 0)
			return true;
	return false;
}

static void add(struct holders *l, const struct vmm_holder *h)
{
	if (l->n >= VMM_HOLDERS_MAX)
		l->error = -E2BIG;
	if (l->error)
		return;
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 16;
		struct vmm_holder *v = reallocarray(l->v, cap, sizeof(*v));

		if (!v) {
			l->error = -ENOMEM;
			return;
		}
		l->v = v;
		l->cap = cap;
	}
	l->v[l->n++] = *h;
}

/* The tap behind descriptor @fd: the line "iff:\tNAME" of its fdinfo, empty when not attached. */
static bool tap_of_fd(int proc_pid, int fd, char ret[static IFNAMSIZ])
{
	char path[32], info[1024];
	const char *line;
	ssize_t n;
	size_t len;

	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	n = proc_read_at(proc_pid, path, info, sizeof(info) - 1);
	if (n <= 0)
		return false;
	info[n] = '\0';
	line = strstr(info, "\niff:\t");
	if (!line)
		return false;
	line += strlen("\niff:\t");
	len = strcspn(line, "\n");
	if (len == 0 || len >= IFNAMSIZ || line[len] != '\n')
		return false;
	memcpy(ret, line, len);
	ret[len] = '\0';
	return true;
}

/* Of a descriptor's path: that of a chroot's /dev/net/tun is long. */
#define TARGET_MAX 4096

/* What the descriptor is of, by the end of its path: a tap's, or a macvtap's /dev/tapN. */
static bool is_tun(const char *target)
{
	static const char device[] = "/net/tun";
	size_t len = strlen(target), tail = sizeof(device) - 1;

	return len >= tail && strcmp(target + len - tail, device) == 0;
}

/* The N is the interface's index, in the namespace where it was made (drivers/net/tap.c). */
static bool is_macvtap(const char *target, char ret[static IFNAMSIZ])
{
	static const char device[] = "/dev/tap";
	size_t len = sizeof(device) - 1;
	uint32_t index;

	return strncmp(target, device, len) == 0 &&
	       text_u32(target + len, 1, INT32_MAX, &index) == 0 && if_indextoname(index, ret);
}

static bool fd_target(const struct proc_fd *f, char ret[static TARGET_MAX])
{
	ssize_t n = readlinkat(f->fd_dir, f->name, ret, TARGET_MAX - 1);

	if (n < 0 || n == TARGET_MAX - 1)
		return false;
	ret[n] = '\0';
	return true;
}

/*
 * A tap of the same name in another network namespace is another tap. The kernel tells a tap's
 * namespace by its descriptor only, which needs the right to trace the process; where we may not,
 * the tap is taken for one of ours.
 */
static bool in_other_netns(pid_t pid, int fd)
{
	_cleanup_(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	_cleanup_(fd_closep) int copy = -1;
	_cleanup_(fd_closep) int netns = -1;
	struct stat ours, theirs;

	if (pidfd < 0)
		return false;
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		return false;
	netns = ioctl(copy, TUNGETDEVNETNS);
	if (netns < 0 || fstat(netns, &theirs) < 0 || stat("/proc/self/ns/net", &ours) < 0)
		return false;
	return ours.st_ino != theirs.st_ino || ours.st_dev != theirs.st_dev;
}

static bool look_at_fd(const struct proc_fd *f, void *ctx)
{
	struct vmm_holder h = {.pid = f->pid, .fd = f->fd};
	struct holders *out = ctx;
	char target[TARGET_MAX];

	if (!fd_target(f, target))
		return true;
	h.macvtap = is_macvtap(target, h.tap);
	if (!h.macvtap && (!is_tun(target) || !tap_of_fd(f->proc_pid, h.fd, h.tap)))
		return true;
	if (have(out, h.pid, h.tap) || in_other_netns(h.pid, h.fd))
		return true;
	/* It may have ended meanwhile: then it holds nothing. */
	if (vmm_describe(&h, NULL) == 0)
		add(out, &h);
	return !out->error;
}

int vmm_scan(struct vmm_holder **ret, size_t *ret_n)
{
	struct holders out = {0};
	int r = proc_each_fd(look_at_fd, &out);

	if (r == 0)
		r = out.error;
	if (r < 0) {
		free(out.v);
		return r;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}

static int read_cmdline(int proc_pid, const struct mac *mac, struct vmm_holder *h)
{
	char *cmdline = malloc(VMM_CMDLINE_MAX);
	ssize_t n;

	if (!cmdline)
		return -ENOMEM;
	n = proc_read_at(proc_pid, "cmdline", cmdline, VMM_CMDLINE_MAX);
	if (n >= 0)
		vmm_cmdline_parse(cmdline, (size_t)n, h->tap, mac, h);
	free(cmdline);
	return n < 0 ? (int)n : 0;
}

int vmm_describe(struct vmm_holder *h, const struct mac *mac)
{
	_cleanup_(fd_closep) int dir = -1;
	char path[32];
	int r;

	snprintf(path, sizeof(path), "/proc/%d", (int)h->pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	r = proc_read_comm(dir, h->comm, sizeof(h->comm));
	return r < 0 ? r : read_cmdline(dir, mac, h);
}
