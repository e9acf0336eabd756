/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper_guest.c - see helper_guest.h. */
#include "cli/helper_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/output.h"
#include "kernel/vmm.h"

#define PROC_FILE_MAX (2 * 1024 * 1024) /* command lines can be as long as ARG_MAX */

static void list_networks(const json_t *networks, struct buf *out)
{
	const json_t *n;
	size_t i;

	json_array_foreach (networks, i, n) {
		const char *name = out_str(n, "name"), *bridge = out_str(n, "bridge");

		buf_printf(out, "%s%s (%s)", i ? ", " : "", name ? name : "?",
			   bridge ? bridge : "?");
	}
}

static const json_t *find_by(const json_t *networks, const char *key, const char *value)
{
	const json_t *n;
	size_t i;

	json_array_foreach (networks, i, n) {
		const char *s = out_str(n, key);

		if (s && strcmp(s, value) == 0)
			return n;
	}
	return NULL;
}

int helper_network_find(const json_t *networks, const char *br, const char **ret,
			struct err_list *errs)
{
	_cleanup_(buf_done) struct buf known = BUF_INIT(4096);
	const json_t *list = json_object_get(networks, "networks"), *n;
	const char *name;

	n = find_by(list, "bridge", br);
	if (!n)
		n = find_by(list, "name", br);
	name = out_str(n, "name");
	if (name && name_valid(name)) {
		*ret = name;
		return 0;
	}
	list_networks(list, &known);
	if (!known.len)
		return err_add(errs, -ENOENT, "no-network", br,
			       "there is no network at all; create one: vmlane network create "
			       "default --subnet 192.168.122.0/24");
	return err_add(errs, -ENOENT, "no-network", br,
		       "no network has this name or bridge; say br=NAME, there are: %s",
		       buf_str(&known));
}

/* Free: not there at all, or only written down for this network and never plugged in. */
static bool name_free(const json_t *guests, const char *network, const char *name)
{
	const json_t *guest = find_by(json_object_get(guests, "guests"), "name", name);
	const char *of = out_str(guest, "network"), *kind = out_str(guest, "kind");

	if (!guest)
		return true;
	return of && kind && strcmp(of, network) == 0 && strcmp(kind, "configured") == 0;
}

void helper_name(const json_t *guests, const char *network, const char *vm_name, pid_t pid,
		 char ret[static NAME_MAX_LEN + 1])
{
	if (name_valid(vm_name) && name_free(guests, network, vm_name))
		snprintf(ret, NAME_MAX_LEN + 1, "%s", vm_name);
	else
		snprintf(ret, NAME_MAX_LEN + 1, "vm-%d", (int)pid);
}

/* A file of /proc/@pid, with a NUL behind it; -errno. */
static int read_proc(pid_t pid, const char *file, struct buf *out)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[64], chunk[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_append(out, chunk, (size_t)n);
		if (out->error)
			return out->error;
	}
	return 0;
}

bool helper_is_shell(const char *comm)
{
	static const char *const shells[] = {"sh", "dash", "bash", "ash", "busybox", "ksh", "zsh"};
	size_t len = strcspn(comm, "\n");

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
		if (strlen(shells[i]) == len && memcmp(comm, shells[i], len) == 0)
			return true;
	return false;
}

pid_t helper_stat_ppid(const char *stat)
{
	/* "PID (comm) STATE PPID ...", and a comm may hold anything, ')' and blanks too */
	const char *end = strrchr(stat, ')');
	int ppid;
	char state;

	if (!end || sscanf(end + 1, " %c %d", &state, &ppid) != 2 || ppid <= 0)
		return 0;
	return ppid;
}

static pid_t past_shell(pid_t pid)
{
	_cleanup_(buf_done) struct buf comm = BUF_INIT(PROC_FILE_MAX);
	_cleanup_(buf_done) struct buf stat = BUF_INIT(PROC_FILE_MAX);
	pid_t parent;

	if (read_proc(pid, "comm", &comm) < 0 || !helper_is_shell(buf_str(&comm)))
		return pid;
	if (read_proc(pid, "stat", &stat) < 0)
		return pid;
	parent = helper_stat_ppid(buf_str(&stat));
	return parent ? parent : pid;
}

void helper_guest_find(const json_t *guests, const char *network, struct helper_guest *ret)
{
	_cleanup_(buf_done) struct buf cmdline = BUF_INIT(PROC_FILE_MAX);
	struct vmm_holder holder = {0};
	pid_t pid = past_shell(getppid());

	/* Not readable (another user's, hidden by hidepid): the name stays unknown. */
	if (read_proc(pid, "cmdline", &cmdline) == 0)
		vmm_cmdline_parse(buf_str(&cmdline), cmdline.len, "", NULL, &holder);
	ret->pid = pid;
	helper_name(guests, network, holder.vm_name, pid, ret->name);
}
