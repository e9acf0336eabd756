/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sysctl.c - see sysctl.h. Below net/ the kernel shows the caller's own network namespace. */
#include "kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "kernel/rtnl.h"

/* Paths hold interface names, so a ".." would be a bug or an attack. */
static int open_sysctl(const char *path, int flags)
{
	char full[SYSCTL_PATH_MAX + sizeof("/proc/sys/")];
	int fd;

	if (path[0] == '/' || strstr(path, "..") || strlen(path) >= SYSCTL_PATH_MAX)
		return -EINVAL;
	snprintf(full, sizeof(full), "/proc/sys/%s", path);
	fd = open(full, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int sysctl_read(const char *path, char ret[static SYSCTL_VALUE_MAX])
{
	_cleanup_(fd_closep) int fd = open_sysctl(path, O_RDONLY);
	char value[SYSCTL_VALUE_MAX + 1];
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, value, sizeof(value));
	if (n < 0)
		return -errno;
	if (n > 0 && value[n - 1] == '\n')
		n--;
	if (n >= SYSCTL_VALUE_MAX)
		return -EOVERFLOW;
	memcpy(ret, value, (size_t)n);
	ret[n] = '\0';
	return 0;
}

static const char *mend(int r)
{
	switch (r) {
	case -EROFS:
		return "; /proc/sys is mounted read-only";
	case -EACCES:
	case -EPERM:
		return "; CAP_NET_ADMIN is needed";
	default:
		return "";
	}
}

int sysctl_write(const char *path, const char *value, struct err *e)
{
	_cleanup_(fd_closep) int fd = open_sysctl(path, O_WRONLY);
	size_t len = strlen(value);
	int r = fd;

	if (fd >= 0) {
		ssize_t n = write(fd, value, len);

		kernel_write_counted();
		if (n >= 0 && (size_t)n == len)
			return 0;
		r = n < 0 ? -errno : -EIO;
	}
	return err_set(e, r, "kernel", path, "the kernel refused to set it to %s: %s%s", value,
		       strerror(-r), mend(r));
}
