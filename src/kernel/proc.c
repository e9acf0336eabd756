/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc.c - see proc.h. Used by vmm.c (taps) and for sockets. */
#include "kernel/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"

ssize_t proc_read_at(int dir, const char *name, char *out, size_t size)
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

int proc_read_comm(int proc_pid, char *out, size_t size)
{
	ssize_t n = proc_read_at(proc_pid, "comm", out, size - 1);

	if (n < 0)
		return (int)n;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

/* One process; false when @fn has seen enough. */
static bool look_at(int proc, const char *name, bool (*fn)(int proc_pid, pid_t pid, void *ctx),
		    void *ctx)
{
	_cleanup_(fd_closep) int proc_pid = -1;
	uint32_t pid;

	if (text_u32(name, 1, INT32_MAX, &pid) < 0)
		return true;
	proc_pid = openat(proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return proc_pid < 0 || fn(proc_pid, (pid_t)pid, ctx);
}

int proc_each(bool (*fn)(int proc_pid, pid_t pid, void *ctx), void *ctx)
{
	const struct dirent *d;
	DIR *proc = opendir("/proc");

	if (!proc)
		return -errno;
	while ((d = readdir(proc)) != NULL)
		if (!look_at(dirfd(proc), d->d_name, fn, ctx))
			break;
	closedir(proc);
	return 0;
}

/* struct fds - what proc_each_fd() was asked. */
struct fds {
	bool (*fn)(const struct proc_fd *f, void *ctx);
	void *ctx;
};

static bool each_fd_of(int proc_pid, pid_t pid, void *ctx)
{
	const struct fds *fds = ctx;
	const struct dirent *d;
	bool more = true;
	uint32_t number;
	DIR *dir;
	int fd;

	fd = openat(proc_pid, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return true;
	}
	while (more && (d = readdir(dir)) != NULL) {
		if (text_u32(d->d_name, 0, INT32_MAX, &number) == 0)
			more = fds->fn(&(struct proc_fd){pid, (int)number, proc_pid, dirfd(dir),
							 d->d_name},
				       fds->ctx);
	}
	closedir(dir);
	return more;
}

int proc_each_fd(bool (*fn)(const struct proc_fd *f, void *ctx), void *ctx)
{
	struct fds fds = {fn, ctx};

	return proc_each(each_fd_of, &fds);
}

/* struct search - @link is what the descriptor of the socket that is looked for links to. */
struct search {
	char link[sizeof("socket:[4294967295]")];
	pid_t pid;
	char comm[PROC_COMM_MAX];
};

static bool is_socket(const struct proc_fd *f, void *ctx)
{
	struct search *s = ctx;
	char target[sizeof(s->link)];
	size_t len = strlen(s->link);
	ssize_t n = readlinkat(f->fd_dir, f->name, target, sizeof(target));

	if (n != (ssize_t)len || memcmp(target, s->link, len) != 0 ||
	    proc_read_comm(f->proc_pid, s->comm, sizeof(s->comm)) < 0)
		return true;
	s->pid = f->pid;
	return false;
}

int proc_socket_holder(uint32_t inode, pid_t *ret_pid, char ret_comm[static PROC_COMM_MAX])
{
	struct search s = {0};
	int r;

	if (inode == 0)
		return -ENOENT;
	snprintf(s.link, sizeof(s.link), "socket:[%u]", inode);
	r = proc_each_fd(is_socket, &s);
	if (r < 0)
		return r;
	if (!s.pid)
		return -ENOENT;
	*ret_pid = s.pid;
	memcpy(ret_comm, s.comm, sizeof(s.comm));
	return 0;
}
