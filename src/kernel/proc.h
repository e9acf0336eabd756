/* SPDX-License-Identifier: GPL-2.0-or-later */
/* proc.h - processes and their descriptors, as /proc shows them to this process. */
#ifndef VMLANE_KERNEL_PROC_H
#define VMLANE_KERNEL_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/macro.h"

#define PROC_COMM_MAX 32 /* of a process' name; the kernel's have 15 letters */

/**
 * struct proc_fd - a descriptor of a process
 * @proc_pid:	directory /proc/PID, opened
 * @fd_dir:	directory /proc/PID/fd, opened; @name is @fd in it
 */
struct proc_fd {
	pid_t pid;
	int fd;
	int proc_pid;
	int fd_dir;
	const char *name;
};

/*
 * proc_each() - call @fn with each process and its opened directory /proc/PID, until it returns false.
 * Returns 0, or -errno when there is no /proc.
 */
int proc_each(bool (*fn)(int proc_pid, pid_t pid, void *ctx), void *ctx) __must_check;

/*
 * proc_each_fd() - call @fn with each descriptor of each process whose descriptors this process may
 * see, until it returns false. Returns 0, or -errno when there is no /proc.
 */
int proc_each_fd(bool (*fn)(const struct proc_fd *f, void *ctx), void *ctx) __must_check;

/* proc_read_at() - at most @size bytes of file @name below directory @dir; how many, or -errno. */
ssize_t proc_read_at(int dir, const char *name, char *out, size_t size) __must_check;
/* proc_read_comm() - the name of the process whose directory @proc_pid is, into @out of @size. */
int proc_read_comm(int proc_pid, char *out, size_t size) __must_check;

/*
 * proc_socket_holder() - a process that has the socket with this inode open, and its name. -ENOENT
 * when none is seen: it takes the right to trace a process to see its descriptors.
 */
int proc_socket_holder(uint32_t inode, pid_t *ret_pid,
		       char ret_comm[static PROC_COMM_MAX]) __must_check;

#endif
