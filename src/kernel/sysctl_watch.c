/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl_watch.c - see sysctl_watch.h. One descriptor for all; a watch holds the directory's inode,
 * but not the name's way to it (its dentry): the kernel makes another inode for a name that it
 * looks up again, which the inode's number tells.
 */
#include "kernel/sysctl_watch.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

/* Short of memory an entry is just not there. */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(entry) ((entry)->oom = true)
#include <uthash.h>

#include "model/plan.h"

#define READ_SIZE 16384

/**
 * struct watched - a directory
 * @wd:		of inotify; -1: it is not watched
 * @inode:	that is watched; 0: it was not there
 * @wanted:	since sysctl_watch_begin()
 * @oom:	uthash could not add it
 */
struct watched {
	char dir[SYSCTL_PATH_MAX];
	int wd;
	ino_t inode;
	bool wanted;
	bool oom;
	UT_hash_handle hh;
	UT_hash_handle hh_wd;
};

/**
 * struct sysctl_watch - all of them
 * @by_dir:	owned; @by_wd: those with a watch
 * @next:	the first that sysctl_watch_check() looks at; NULL: that of @by_dir
 */
struct sysctl_watch {
	int fd;
	sysctl_watch_fn fn;
	void *ctx;
	struct watched *by_dir;
	struct watched *by_wd;
	struct watched *next;
	_Alignas(struct inotify_event) char buf[READ_SIZE];
};

int sysctl_watch_new(sysctl_watch_fn fn, void *ctx, struct sysctl_watch **ret, int *ret_fd)
{
	struct sysctl_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->fn = fn;
	w->ctx = ctx;
	w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (w->fd < 0) {
		r = -errno;
		free(w);
		return r;
	}
	*ret = w;
	*ret_fd = w->fd;
	return 0;
}

static void unwatch(struct sysctl_watch *w, struct watched *d)
{
	if (d->wd < 0)
		return;
	HASH_DELETE(hh_wd, w->by_wd, d);
	(void)inotify_rm_watch(w->fd, d->wd);
	d->wd = -1;
}

static void drop(struct sysctl_watch *w, struct watched *d)
{
	unwatch(w, d);
	if (w->next == d)
		w->next = d->hh.next;
	HASH_DEL(w->by_dir, d);
	free(d);
}

void sysctl_watch_free(struct sysctl_watch *w)
{
	struct watched *d, *next;

	if (!w)
		return;
	HASH_ITER (hh, w->by_dir, d, next)
		drop(w, d);
	close(w->fd);
	free(w);
}

/* watch() - @d as it is there now, if it is there. */
static void watch(struct sysctl_watch *w, struct watched *d)
{
	char path[SYSCTL_PATH_MAX + sizeof("/proc/sys/")];
	struct watched *other = NULL;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/sys/%s", d->dir);
	if (stat(path, &st) < 0)
		st.st_ino = 0;
	if (st.st_ino && st.st_ino == d->inode && d->wd >= 0)
		return;
	unwatch(w, d);
	d->inode = st.st_ino;
	if (!d->inode)
		return;
	d->wd = inotify_add_watch(w->fd, path, IN_MODIFY | IN_ONLYDIR);
	if (d->wd < 0)
		return;
	d->oom = false;
	HASH_FIND(hh_wd, w->by_wd, &d->wd, sizeof(d->wd), other);
	/* A watch that there is already: two names of one directory would share it. */
	if (!other)
		HASH_ADD(hh_wd, w->by_wd, wd, sizeof(d->wd), d);
	if (!other && d->oom)
		(void)inotify_rm_watch(w->fd, d->wd);
	if (other || d->oom)
		d->wd = -1;
}

void sysctl_watch_begin(struct sysctl_watch *w)
{
	for (struct watched *d = w->by_dir; d; d = d->hh.next)
		d->wanted = false;
}

int sysctl_watch_add(struct sysctl_watch *w, const char *dir)
{
	struct watched *d = NULL;

	HASH_FIND_STR(w->by_dir, dir, d);
	if (!d) {
		d = calloc(1, sizeof(*d));
		if (!d)
			return -ENOMEM;
		snprintf(d->dir, sizeof(d->dir), "%s", dir);
		d->wd = -1;
		HASH_ADD_STR(w->by_dir, dir, d);
		if (d->oom) {
			free(d);
			return -ENOMEM;
		}
	} else if (d->wanted) {
		return 0;
	}
	d->wanted = true;
	watch(w, d);
	return 0;
}

size_t sysctl_watch_end(struct sysctl_watch *w)
{
	struct watched *d, *next;
	size_t failed = 0;

	HASH_ITER (hh, w->by_dir, d, next) {
		if (!d->wanted)
			drop(w, d);
		else
			failed += d->inode && d->wd < 0;
	}
	return failed;
}

void sysctl_watch_check(struct sysctl_watch *w, size_t n)
{
	n = size_min(n, HASH_COUNT(w->by_dir));
	for (size_t i = 0; i < n; i++) {
		struct watched *d = w->next ? w->next : w->by_dir;

		watch(w, d);
		w->next = d->hh.next;
	}
}

static void take(struct sysctl_watch *w, const struct inotify_event *ev)
{
	struct watched *d = NULL;

	if (ev->mask & IN_Q_OVERFLOW) {
		w->fn("", w->ctx);
		return;
	}
	/* Of one that is not watched any more, something may still be on its way. */
	HASH_FIND(hh_wd, w->by_wd, &ev->wd, sizeof(ev->wd), d);
	if (d && (ev->mask & IN_MODIFY))
		w->fn(d->dir, w->ctx);
}

void sysctl_watch_read(struct sysctl_watch *w)
{
	ssize_t len = read(w->fd, w->buf, sizeof(w->buf));
	size_t at = 0;

	/* The kernel gives whole events. */
	while (len > 0 && at < (size_t)len) {
		const struct inotify_event *ev = (const void *)(w->buf + at);

		take(w, ev);
		at += sizeof(*ev) + ev->len;
	}
}
