/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * replay.c - main() for a fuzz target without libFuzzer: every file of the directories named on
 * the command line goes through the target once. The normal test run does so with the corpus and
 * with what once crashed, with any compiler. It makes no inputs of its own.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/macro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(int dir, const char *name)
{
	_cleanup_(freep) uint8_t *data = NULL;
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;
	ssize_t n;

	fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	/* Exactly as long as the input, so that a read past its end is seen by the sanitizer. */
	data = malloc((size_t)st.st_size + (st.st_size == 0));
	if (!data)
		return -ENOMEM;
	n = read(fd, data, (size_t)st.st_size);
	if (n < 0)
		return -errno;
	(void)LLVMFuzzerTestOneInput(data, (size_t)n);
	return 1;
}

/* A directory that is not there has no files: most targets never crashed. */
static int replay_dir(const char *path, size_t *count)
{
	struct dirent *ent;
	DIR *dir;
	int r = 0;

	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((ent = readdir(dir))) {
		if (ent->d_name[0] == '.')
			continue;
		r = replay_file(dirfd(dir), ent->d_name);
		if (r < 0) {
			fprintf(stderr, "%s/%s: %s\n", path, ent->d_name, strerror(-r));
			break;
		}
		*count += (size_t)r;
	}
	closedir(dir);
	return r < 0 ? r : 0;
}

int main(int argc, char **argv)
{
	size_t count = 0;

	for (int i = 1; i < argc; i++) {
		if (replay_dir(argv[i], &count) < 0)
			return 1;
	}
	if (count == 0) {
		fprintf(stderr, "no input at all: the corpus is missing\n");
		return 1;
	}
	printf("%zu inputs\n", count);
	return 0;
}
