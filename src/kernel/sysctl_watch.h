/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl_watch.h - hearing of sysctls that others write (fs/notify: inotify on their directories).
 *
 * Heard are writes through any path that leads to the caller's mount of /proc. Not heard are those
 * through another mount of it (of another PID namespace, say), what the kernel changes by itself,
 * and all of a directory that the kernel forgot, short of memory, until sysctl_watch_check(): so
 * whoever has to know looks now and then, too.
 */
#ifndef VMLANE_KERNEL_SYSCTL_WATCH_H
#define VMLANE_KERNEL_SYSCTL_WATCH_H

#include <stddef.h>
#include "base/macro.h"

struct sysctl_watch;

/* Of directory @dir something was written; "": of any, as more came than was kept. */
typedef void (*sysctl_watch_fn)(const char *dir, void *ctx);

/* sysctl_watch_new() - @ret_fd, which stays the watch's, is readable when there is something. */
int sysctl_watch_new(sysctl_watch_fn fn, void *ctx, struct sysctl_watch **ret,
		     int *ret_fd) __must_check;
void sysctl_watch_free(struct sysctl_watch *w);

/*
 * sysctl_watch_begin(), _add(), _end() - the directories to be watched from now on, in place of those
 * of before; @dir as in "net/ipv4/conf/eth0", once or more. _end() returns how many of them cannot
 * be watched (fs.inotify.max_user_watches), which does not count what is not there. sysctl_watch_add()
 * returns 0 or -ENOMEM.
 */
void sysctl_watch_begin(struct sysctl_watch *w);
int sysctl_watch_add(struct sysctl_watch *w, const char *dir) __must_check;
size_t sysctl_watch_end(struct sysctl_watch *w);
/*
 * sysctl_watch_check() - look at the next @n directories: one that is not the one that is watched, as
 * its interface was made anew or the kernel forgot it, is watched from now on.
 */
void sysctl_watch_check(struct sysctl_watch *w, size_t n);
/* sysctl_watch_read() - call when the fd is readable: calls the function for what was written. */
void sysctl_watch_read(struct sysctl_watch *w);

#endif
