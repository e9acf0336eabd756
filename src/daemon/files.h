/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * files.h - the configuration directory: reading CONFIG-DIR/networks/NAME.yaml safely, and writing
 * and removing single files atomically. Parsing is model/config.h's.
 */
#ifndef VMLANE_DAEMON_FILES_H
#define VMLANE_DAEMON_FILES_H

#include "model/config.h"

/**
 * files_load() - read and parse every *.yaml (and *.yml, to refuse it) of @dir/networks
 * @ret:	one entry a file; .network is NULL for those with mistakes
 * @errs:	all mistakes of all files; files that are no regular files, too large, not readable,
 *		symlink loops and dangling links are mistakes too
 *
 * Returns 0, -EINVAL when there were mistakes (*ret is filled all the same), -ENOENT when the
 * directory does not exist (*ret is empty), other -errno.
 */
int files_load(const char *dir, struct config_set *ret, struct err_list *errs) __must_check;

/* files_path() - DIR/networks/NAME.yaml */
void files_path(const char *dir, const char *name, char *ret, size_t size);

/* files_write() - the file of network @n: complete or not at all, on disk when 0 is returned. */
int files_write(const char *dir, const struct network_config *n, struct err *e) __must_check;
/*
 * files_replace() - @len bytes of @text become the file @path: complete or not at all, on disk when
 * 0 is returned. The mode of a file that is there stays, its owner where we may give files away, and a
 * symbolic link to it stays one.
 */
int files_replace(const char *path, const char *text, size_t len, struct err *e) __must_check;
/* files_read() - a configuration file's text, NUL-terminated, to be freed; -ENOENT, -EFBIG, ... */
int files_read(const char *path, char **ret, size_t *ret_len, struct err_list *errs) __must_check;
/* files_is_json() - a configuration that a program wrote: not to be put into a file as it is. */
bool files_is_json(const char *text, size_t len);
/* files_remove() - @path, durable; fine when there is none. */
int files_remove(const char *path, struct err *e) __must_check;
/*
 * files_set_aside() - @path out of the way, durable, to be put back when what goes with its
 * removal fails; fine when there is none. Nobody reads it where it lies.
 */
int files_set_aside(const char *path, struct err *e) __must_check;
/* files_put_back(), files_drop_aside() - after files_set_aside(). */
void files_put_back(const char *path);
void files_drop_aside(const char *path);
/* files_mkdir() - like mkdir -p; @mode for the last one, 0755 for those above it. */
int files_mkdir(const char *path, unsigned int mode, struct err *e) __must_check;

#endif
