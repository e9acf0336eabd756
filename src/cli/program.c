/* SPDX-License-Identifier: GPL-2.0-or-later */
/* program.c - where the other programs of vmlane are: cli_program_init(), _path() of cli.h. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "config.h"

/* Seen from the folder of this program: build tree first, then an installation. */
static const char *const folders[] = {".", "../daemon", "../sbin", "../libexec/vmlane"};

static int try_folder(const char *folder, const char *sub, const char *name, char *ret, size_t size)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/%s/%s", folder, sub, name);

	if (n < 0 || (size_t)n >= sizeof(path) || (size_t)n >= size || access(path, X_OK) < 0)
		return -ENOENT;
	memcpy(ret, path, (size_t)n + 1);
	return 0;
}

/* The folder of this program, with room for its name behind it; "" when it is not known. */
static char self_folder[PATH_MAX];

void cli_program_init(void)
{
	ssize_t n = readlink("/proc/self/exe", self_folder, sizeof(self_folder) - 1);
	char *slash;

	self_folder[n > 0 ? n : 0] = '\0';
	slash = strrchr(self_folder, '/');
	if (slash)
		*slash = '\0';
}

int cli_program_path(const char *name, char *ret, size_t size)
{
	for (size_t i = 0; self_folder[0] && i < ARRAY_SIZE(folders); i++)
		if (try_folder(self_folder, folders[i], name, ret, size) == 0)
			return 0;
	return try_folder(VMLANE_LIBEXECDIR, ".", name, ret, size);
}
