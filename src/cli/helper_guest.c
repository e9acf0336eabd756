/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper_guest.c - see helper_guest.h. */
#include "cli/helper_guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/output.h"
#include "kernel/vmm.h"

#define NICS_MAX 32
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
	if (name_valid(vm_name) && name_free(guests, network, vm_name)) {
		snprintf(ret, NAME_MAX_LEN + 1, "%s", vm_name);
		return;
	}
	snprintf(ret, NAME_MAX_LEN + 1, "vm-%d", (int)pid);
	for (int i = 2; i <= NICS_MAX && !name_free(guests, network, ret); i++)
		snprintf(ret, NAME_MAX_LEN + 1, "vm-%d-%d", (int)pid, i);
}

/* The value of @key in QEMU's "type,key=value,..." into @buf; false when it is not there. */
static bool option_get(const char *options, const char *key, char *buf, size_t size)
{
	size_t key_len = strlen(key);

	for (const char *s = options; *s; s += strcspn(s, ",")) {
		if (*s == ',')
			s++;
		if (strncmp(s, key, key_len) == 0 && s[key_len] == '=') {
			const char *value = s + key_len + 1;

			snprintf(buf, size, "%.*s", (int)strcspn(value, ","), value);
			return true;
		}
	}
	return false;
}

/* The next argument behind @arg, or NULL; @end is behind the last one's NUL. */
static const char *next_arg(const char *arg, const char *end)
{
	arg += strlen(arg) + 1;
	return arg < end ? arg : NULL;
}

/* @arg is option @name, as -name or --name. */
static bool is_option(const char *arg, const char *name)
{
	return arg[0] == '-' && strcmp(arg + (arg[1] == '-' ? 2 : 1), name) == 0;
}

static bool is_our_bridge(const char *options, const char *br)
{
	char value[64] = "br0"; /* QEMU's default */

	if (strncmp(options, "bridge", 6) != 0 || (options[6] && options[6] != ','))
		return false;
	option_get(options, "br", value, sizeof(value));
	return strcmp(value, br) == 0;
}

/* The mac= of the -device at netdev @id. */
static int device_mac(const char *argv, const char *end, const char *id, struct mac *ret)
{
	char value[64];

	for (const char *arg = argv, *value_arg; arg; arg = next_arg(arg, end)) {
		value_arg = next_arg(arg, end);
		if (!value_arg || !is_option(arg, "device") ||
		    !option_get(value_arg, "netdev", value, sizeof(value)) ||
		    strcmp(value, id) != 0)
			continue;
		if (!option_get(value_arg, "mac", value, sizeof(value)))
			return -ENOENT;
		return mac_parse(value, ret) < 0 ? -ENOENT : 0;
	}
	return -ENOENT;
}

int helper_mac(const char *argv, size_t len, const char *br, struct mac *ret)
{
	const char *end = argv + len, *nic = NULL, *netdev = NULL;
	char value[64];
	int found = 0;

	for (const char *arg = len ? argv : NULL, *options; arg; arg = next_arg(arg, end)) {
		options = next_arg(arg, end);
		if (!options || !is_our_bridge(options, br))
			continue;
		if (is_option(arg, "nic"))
			nic = options;
		else if (is_option(arg, "netdev"))
			netdev = options;
		else
			continue;
		found++;
	}
	if (found != 1)
		return -ENOENT;
	if (netdev)
		return option_get(netdev, "id", value, sizeof(value))
			       ? device_mac(argv, end, value, ret)
			       : -ENOENT;
	return option_get(nic, "mac", value, sizeof(value)) && mac_parse(value, ret) == 0 ? 0
											  : -ENOENT;
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
	long ppid;

	if (!end || strlen(end) < strlen(") S 1"))
		return 0;
	ppid = strtol(end + strlen(") S "), NULL, 10);
	return ppid > 0 && ppid <= INT_MAX ? (pid_t)ppid : 0;
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

void helper_guest_find(const json_t *guests, const char *network, const char *br,
		       struct helper_guest *ret)
{
	_cleanup_(buf_done) struct buf cmdline = BUF_INIT(PROC_FILE_MAX);
	struct vmm_holder holder = {0};
	struct mac mac;

	*ret = (struct helper_guest){.pid = past_shell(getppid())};
	/* Not readable (another user's, hidden by hidepid): name and MAC stay unknown. */
	if (read_proc(ret->pid, "cmdline", &cmdline) == 0 && cmdline.len > 0) {
		vmm_cmdline_parse(buf_str(&cmdline), cmdline.len, "", NULL, &holder);
		if (helper_mac(buf_str(&cmdline), cmdline.len, br, &mac) == 0)
			mac_format(&mac, ret->mac);
	}
	helper_name(guests, network, holder.vm_name, ret->pid, ret->name);
}
