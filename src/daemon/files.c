/* SPDX-License-Identifier: GPL-2.0-or-later */
/* files.c - see files.h. */
#include "daemon/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len > end_len && strcmp(s + len - end_len, end) == 0;
}

static int is_config(const struct dirent *d)
{
	return d->d_name[0] != '.' &&
	       (ends_with(d->d_name, ".yaml") || ends_with(d->d_name, ".yml"));
}

static int open_error(const char *path, int error, struct err_list *errs)
{
	if (error == ELOOP)
		return err_add(errs, -ELOOP, "file", path,
			       "is a loop of symbolic links; expected a regular file");
	if (error == ENOENT)
		return err_add(errs, -ENOENT, "file", path,
			       "is a symbolic link to nothing; expected a regular file");
	return err_add(errs, -error, "file", path, "cannot be read: %s", strerror(error));
}

/* At most CONFIG_FILE_MAX bytes of a regular file; O_NONBLOCK so no FIFO hangs us. */
int files_read(const char *path, char **ret, size_t *ret_len, struct err_list *errs)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return open_error(path, errno, errs);
	if (fstat(fd, &st) < 0)
		return open_error(path, errno, errs);
	if (!S_ISREG(st.st_mode))
		return err_add(errs, -EINVAL, "file", path, "is not a regular file");
	if (st.st_size > CONFIG_FILE_MAX)
		return err_add(errs, -EFBIG, "file", path,
			       "is too large: %lld bytes, at most %d are read",
			       (long long)st.st_size, CONFIG_FILE_MAX);
	text = malloc((size_t)CONFIG_FILE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (len <= CONFIG_FILE_MAX && (n = read(fd, text + len, CONFIG_FILE_MAX + 1 - len)) > 0)
		len += (size_t)n;
	if (len > CONFIG_FILE_MAX)
		return err_add(errs, -EFBIG, "file", path, "is too large: more than %d bytes",
			       CONFIG_FILE_MAX);
	text[len] = '\0';
	*ret = text;
	*ret_len = len;
	text = NULL;
	return 0;
}

static int load_one(const char *path, struct config_file *ret, struct err_list *errs)
{
	_cleanup_(freep) char *text = NULL;
	size_t len = 0;
	int r;

	ret->path = strdup(path);
	if (!ret->path)
		return -ENOMEM;
	if (ends_with(path, ".yml"))
		return err_add(errs, -EINVAL, "file", path, "must be called NAME.yaml; rename it");
	r = files_read(path, &text, &len, errs);
	if (r < 0)
		return r;
	return network_config_parse(path, text, len, &ret->network, errs);
}

static void free_names(struct dirent **names, int n)
{
	for (int i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

int files_load(const char *dir, struct config_set *ret, struct err_list *errs)
{
	struct config_set set = {0};
	struct dirent **names = NULL;
	char path[PATH_MAX];
	int n, r = 0;

	snprintf(path, sizeof(path), "%s/networks", dir);
	n = scandir(path, &names, is_config, alphasort);
	if (n < 0)
		return err_add(errs, -errno, "file", path, "cannot be read: %s", strerror(errno));
	set.files = calloc((size_t)n + 1, sizeof(*set.files));
	if (!set.files || n > CONFIG_NETWORKS_MAX) {
		free_names(names, n);
		free(set.files);
		return n > CONFIG_NETWORKS_MAX
			       ? err_add(errs, -E2BIG, "file", path, "has %d files, at most %d", n,
					 CONFIG_NETWORKS_MAX)
			       : -ENOMEM;
	}
	for (int i = 0; i < n && r != -ENOMEM; i++) {
		int one;

		snprintf(path, sizeof(path), "%s/networks/%s", dir, names[i]->d_name);
		one = load_one(path, &set.files[set.n++], errs);
		if (one < 0)
			r = one == -ENOMEM ? -ENOMEM : -EINVAL;
	}
	free_names(names, n);
	*ret = set;
	return r;
}

void files_path(const char *dir, const char *name, char *ret, size_t size)
{
	snprintf(ret, size, "%s/networks/%s.yaml", dir, name);
}

static int sync_dir(const char *path)
{
	char dir[PATH_MAX];
	char *slash;
	int fd, r;

	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (!slash)
		return -EINVAL;
	*slash = '\0';
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fsync(fd) < 0 ? -errno : 0;
	close(fd);
	return r;
}

/* As the file that it will replace, if there is one; the owner as far as we may. */
static int take_after(int fd, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fchown(fd, st.st_uid, st.st_gid) < 0 && errno != EPERM)
		return -errno;
	return fchmod(fd, st.st_mode & 07777) < 0 ? -errno : 0;
}

static int write_synced(const char *tmp, const char *path, const char *text, size_t len)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return -errno;
	r = take_after(fd, path);
	while (r == 0 && len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

/* Beside it and hidden, so that renaming it replaces the file at once. */
static int tmp_path(const char *path, char ret[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash || snprintf(ret, PATH_MAX, "%.*s/.%s.tmp", (int)(slash - path), path,
			       slash + 1) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

int files_replace(const char *path, const char *text, size_t len, struct err *e)
{
	_cleanup_(freep) char *target = realpath(path, NULL);
	char tmp[PATH_MAX];
	int r = target || errno == ENOENT ? 0 : -errno;

	if (r == 0)
		r = tmp_path(target ? target : path, tmp);
	if (r < 0)
		return err_set(e, r, "file", path, "cannot be written: %s", strerror(-r));
	r = write_synced(tmp, target ? target : path, text, len);
	if (r == 0 && rename(tmp, target ? target : path) < 0)
		r = -errno;
	if (r == 0)
		r = sync_dir(target ? target : path);
	if (r == 0)
		return 0;
	unlink(tmp);
	return err_set(e, r, "file", path, "cannot be written: %s", strerror(-r));
}

int files_write(const char *dir, const struct network_config *n, struct err *e)
{
	struct buf text = BUF_INIT(CONFIG_FILE_MAX);
	char path[PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%s/networks", dir);
	r = files_mkdir(path, 0755, e);
	if (r < 0)
		return r;
	files_path(dir, n->name, path, sizeof(path));
	network_config_emit(n, &text);
	r = text.error ? err_set(e, text.error, "file", path, "cannot be written: %s",
				 strerror(-text.error))
		       : files_replace(path, buf_str(&text), text.len, e);
	buf_done(&text);
	return r;
}

bool files_is_json(const char *text, size_t len)
{
	size_t i = 0;

	while (i < len && strchr(" \t\r\n", text[i]))
		i++;
	return i < len && text[i] == '{';
}

/* DIR/.NAME.yaml.deleted: what begins with a dot is not read. */
static int aside_path(const char *path, char ret[PATH_MAX])
{
	const char *slash = strrchr(path, '/');

	if (!slash || snprintf(ret, PATH_MAX, "%.*s/.%s.deleted", (int)(slash - path), path,
			       slash + 1) >= PATH_MAX)
		return -ENAMETOOLONG;
	return 0;
}

int files_set_aside(const char *path, struct err *e)
{
	char aside[PATH_MAX];
	int r = aside_path(path, aside);

	if (r == 0)
		unlink(aside); /* of a daemon that was killed: not to be put back */
	if (r == 0 && rename(path, aside) < 0)
		r = -errno;
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = sync_dir(path);
	return r < 0 ? err_set(e, r, "file", path, "cannot be removed: %s", strerror(-r)) : 0;
}

void files_put_back(const char *path)
{
	char aside[PATH_MAX];

	if (aside_path(path, aside) < 0 || access(aside, F_OK) < 0)
		return;
	if (rename(aside, path) < 0 || sync_dir(path) < 0)
		log_error("%s could not be put back: %s", path, strerror(errno));
}

void files_drop_aside(const char *path)
{
	char aside[PATH_MAX];

	if (aside_path(path, aside) == 0)
		unlink(aside);
}

int files_remove(const char *path, struct err *e)
{
	int r;

	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(e, -errno, "file", path, "cannot be removed: %s", strerror(errno));
	r = sync_dir(path);
	return r < 0 && r != -ENOENT
		       ? err_set(e, r, "file", path, "cannot be removed: %s", strerror(-r))
		       : 0;
}

int files_mkdir(const char *path, unsigned int mode, struct err *e)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_set(e, -errno, "file", part, "cannot be created: %s",
				       strerror(errno));
		*p = '/';
	}
	if (mkdir(part, (mode_t)mode) < 0 && errno != EEXIST)
		return err_set(e, -errno, "file", part, "cannot be created: %s", strerror(errno));
	return 0;
}
