/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsguest.h - vmlane-nsguest's three parts: nsguest.c (options, life and death), nsguest_world.c
 * (the guest's namespaces), nsguest_relay.c (frames).
 */
#ifndef VMLANE_CLI_NSGUEST_H
#define VMLANE_CLI_NSGUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/addr.h"
#include "base/err.h"

#define NSGUEST_QUEUES_MAX 256
#define NSGUEST_PRIVATE_MAX 16

/**
 * struct nsguest_options - the command line
 * @fds:	the host tap's descriptors, @n_fds of them, one a queue
 * @mac:	of the guest's eth0
 * @name:	the guest's hostname, NULL: as the caller's
 * @ns_path:	where to bind the guest's network namespace, NULL: nowhere
 * @pid_file:	where to write the number of the guest's first process, NULL: nowhere
 * @private_dirs: directories that are empty and the guest's own, @n_private of them
 * @die_with_parent: end when the parent process does
 * @stats:	print the number of frames at the end
 * @command:	NULL-terminated
 */
struct nsguest_options {
	int fds[NSGUEST_QUEUES_MAX];
	size_t n_fds;
	struct mac mac;
	const char *name;
	const char *ns_path;
	const char *pid_file;
	const char *private_dirs[NSGUEST_PRIVATE_MAX];
	size_t n_private;
	bool die_with_parent;
	bool stats;
	char **command;
};

/* ---- nsguest_world.c ---- */

/*
 * nsguest_nic_create() - a new network namespace with a tap eth0 like the host's: the same number of
 * queues, header size and offloads. @ret_fds gets o->n_fds descriptors; @ret_ns_fd the namespace.
 * The calling process is in its old namespace again when this returns.
 */
int nsguest_nic_create(const struct nsguest_options *o, int *ret_fds, int *ret_ns_fd,
		       struct err *e) __must_check;

/*
 * nsguest_start() - run o->command in the guest: network namespace @ns_fd, its own process numbers,
 * mounts and hostname. The guest is killed as a whole when the caller ends. *ret_pid is the guest's
 * first process, whose exit status is the command's (128 + signal when one killed it).
 */
int nsguest_start(const struct nsguest_options *o, int ns_fd, pid_t *ret_pid,
		  struct err *e) __must_check;

/* ---- nsguest_relay.c ---- */

/**
 * struct nsguest_relay - two rows of descriptors, frames read from one are written to the other
 * @host, @guest: @n each; entry i of one belongs to entry i of the other; not owned
 * @to_guest, @from_guest: frames carried
 * @dropped:	frames that the other side did not take (its interface is down)
 */
struct nsguest_relay {
	const int *host;
	const int *guest;
	size_t n;
	int epoll_fd;
	uint8_t *frame;
	uint64_t to_guest;
	uint64_t from_guest;
	uint64_t dropped;
};

int nsguest_relay_init(struct nsguest_relay *r, const int *host, const int *guest,
		       size_t n) __must_check;
void nsguest_relay_done(struct nsguest_relay *r);
/*
 * nsguest_relay_run() - carry frames until @stop_fd is readable. 0 then; -ENODEV when a tap is
 * gone; other -errno from epoll.
 */
int nsguest_relay_run(struct nsguest_relay *r, int stop_fd) __must_check;

#endif
