/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vmm.c - walks /proc for processes that have a tap open. What their command lines mean is
 * vmm_cmdline.c's.
 */
#include "kernel/vmm_internal.h"

#include <dirent.h>
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

/* At most @size bytes of file @name below directory @dir; how many, or -errno. */
static ssize_t read_at(int dir, const char *name, char *out, size_t size)
{
	_cleanup_(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	size_t len = 0;

	if (fd < 0)
		return -errno;
	while (len < size) {
		ssize_t n = read(fd, out + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

/* The tap behind descriptor @fd: the line "iff:\tNAME" of its fdinfo, empty when not attached. */
static bool tap_of_fd(int proc_pid, int fd, char ret[static IFNAMSIZ])
{
	char path[32], info[1024];
	const char *line;
	ssize_t n;
	size_t len;

	snprintf(path, sizeof(path), "fdinfo/%d", fd);
	n = read_at(proc_pid, path, info, sizeof(info) - 1);
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

static bool is_tun_fd(int fd_dir, const char *fd)
{
	static const char device[] = "/net/tun";
	char target[64];
	ssize_t n = readlinkat(fd_dir, fd, target, sizeof(target));
	size_t len = sizeof(device) - 1;

	return n >= (ssize_t)len && memcmp(target + (size_t)n - len, device, len) == 0;
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

static void look_at_fd(int proc_pid, int fd_dir, const char *name, pid_t pid, struct holders *out)
{
	struct vmm_holder h = {.pid = pid};
	uint32_t fd;

	if (text_u32(name, 0, INT32_MAX, &fd) < 0 || !is_tun_fd(fd_dir, name))
		return;
	h.fd = (int)fd;
	if (!tap_of_fd(proc_pid, h.fd, h.tap) || have(out, pid, h.tap))
		return;
	if (in_other_netns(pid, h.fd))
		return;
	/* It may have ended meanwhile: then it holds nothing. */
	if (vmm_describe(&h, NULL) == 0)
		add(out, &h);
}

static void look_at_process(int proc, const char *name, struct holders *out)
{
	_cleanup_(fd_closep) int proc_pid = -1;
	const struct dirent *d;
	uint32_t pid;
	DIR *dir;
	int fd;

	if (text_u32(name, 1, INT32_MAX, &pid) < 0)
		return;
	proc_pid = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (proc_pid < 0)
		return;
	fd = openat(proc_pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((d = readdir(dir)) != NULL)
		look_at_fd(proc_pid, dirfd(dir), d->d_name, (pid_t)pid, out);
	closedir(dir);
}

int vmm_scan(struct vmm_holder **ret, size_t *ret_n)
{
	struct holders out = {0};
	const struct dirent *d;
	DIR *proc = opendir("/proc");

	if (!proc)
		return -errno;
	while (!out.error && (d = readdir(proc)) != NULL)
		look_at_process(dirfd(proc), d->d_name, &out);
	closedir(proc);
	if (out.error) {
		free(out.v);
		return out.error;
	}
	*ret = out.v;
	*ret_n = out.n;
	return 0;
}

static int read_comm(int proc_pid, struct vmm_holder *h)
{
	ssize_t n = read_at(proc_pid, "comm", h->comm, sizeof(h->comm) - 1);

	if (n < 0)
		return (int)n;
	h->comm[n] = '\0';
	h->comm[strcspn(h->comm, "\n")] = '\0';
	return 0;
}

static int read_cmdline(int proc_pid, const struct mac *mac, struct vmm_holder *h)
{
	char *cmdline = malloc(VMM_CMDLINE_MAX);
	ssize_t n;

	if (!cmdline)
		return -ENOMEM;
	n = read_at(proc_pid, "cmdline", cmdline, VMM_CMDLINE_MAX);
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
	r = read_comm(dir, h);
	return r < 0 ? r : read_cmdline(dir, mac, h);
}
