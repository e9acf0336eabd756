/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nic.c - see nic.h. Next on the walk: model/takeover.c judges. */
#include "kernel/nic.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_FILE_MAX 65536

/* A file that is small, as text; its length, or -errno. Longer ones are cut. */
static int read_small(const char *path, char *buf, size_t size)
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		return -errno;
	while (len < size - 1 && (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += (size_t)n;
	buf[len] = '\0';
	return (int)len;
}

/* Is there /sys/class/net/@ifname/@what? */
static bool in_sys(const char *root, const char *ifname, const char *what)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/sys/class/net/%s/%s", root, ifname, what);
	return access(path, F_OK) == 0;
}

/* ---- who configures it ---- */

static void set_manager(struct nic_facts *f, const char *who, const char *where)
{
	snprintf(f->manager, sizeof(f->manager), "%s", who);
	snprintf(f->manager_where, sizeof(f->manager_where), "%.127s", where);
}

static bool line_is(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)) != NULL; at += len)
		if ((at == text || at[-1] == '\n') && (at[len] == '\n' || at[len] == '\0'))
			return true;
	return false;
}

/* networkd and NetworkManager each keep a file for every link they know, by its number. */
static void ask_networkd(struct nic_facts *f, const char *root, int ifindex)
{
	char path[PATH_MAX], text[4096];

	snprintf(path, sizeof(path), "%s/run/systemd/netif/links/%d", root, ifindex);
	if (read_small(path, text, sizeof(text)) > 0 && !line_is(text, "ADMIN_STATE=unmanaged") &&
	    !line_is(text, "ADMIN_STATE=initialized") && !line_is(text, "ADMIN_STATE=pending"))
		set_manager(f, "systemd-networkd", path);
}

static void ask_network_manager(struct nic_facts *f, const char *root, int ifindex)
{
	char path[PATH_MAX], text[4096];

	snprintf(path, sizeof(path), "%s/run/NetworkManager/devices/%d", root, ifindex);
	if (read_small(path, text, sizeof(text)) > 0 && strstr(text, "managed=true"))
		set_manager(f, "NetworkManager", path);
}

/* "iface eth0 inet static" in @text, not commented out, unless it says "manual". */
static bool ifupdown_names(char *text, const char *ifname)
{
	char *save = NULL, *words = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *word = strtok_r(line, " \t", &words), *name, *method;

		if (!word || strcmp(word, "iface") != 0)
			continue;
		name = strtok_r(NULL, " \t", &words);
		(void)strtok_r(NULL, " \t", &words); /* inet, inet6 */
		method = strtok_r(NULL, " \t", &words);
		if (name && strcmp(name, ifname) == 0 && !(method && strcmp(method, "manual") == 0))
			return true;
	}
	return false;
}

static bool ifupdown_file(struct nic_facts *f, const char *path)
{
	char *text = malloc(SMALL_FILE_MAX);
	bool found =
		text && read_small(path, text, SMALL_FILE_MAX) > 0 && ifupdown_names(text, f->name);

	if (found)
		set_manager(f, "ifupdown", path);
	free(text);
	return found;
}

static void ask_ifupdown(struct nic_facts *f, const char *root)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *d;

	snprintf(path, sizeof(path), "%s/etc/network/interfaces", root);
	if (ifupdown_file(f, path))
		return;
	snprintf(path, sizeof(path), "%s/etc/network/interfaces.d", root);
	d = opendir(path);
	while (d && (entry = readdir(d)) != NULL && !f->manager[0]) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/etc/network/interfaces.d/%.200s", root,
			 entry->d_name);
		(void)ifupdown_file(f, path);
	}
	if (d)
		closedir(d);
}

/* ---- processes ---- */

static const char *const dhcp_clients[] = {"dhclient", "dhcpcd", "udhcpc",
					   "udhcpc6",  "dhcp6c", "pump"};

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_client_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(dhcp_clients); i++) {
		size_t len = strlen(dhcp_clients[i]);

		/* dhcpcd calls itself "dhcpcd: eth0 [ip4]". */
		if (strncmp(name, dhcp_clients[i], len) == 0 &&
		    (name[len] == '\0' || name[len] == ':'))
			return true;
	}
	return false;
}

/* @ifname as a word of its own in @text, which may be "-ieth0", "eth0", "dhcpcd: eth0 [ip4]". */
static bool names_interface(const char *text, const char *ifname)
{
	size_t len = strlen(ifname);

	if (strncmp(text, "-i", 2) == 0 && strcmp(text + 2, ifname) == 0)
		return true;
	for (const char *at = text; (at = strstr(at, ifname)) != NULL; at += len)
		if ((at == text || at[-1] == ' ' || at[-1] == '=') &&
		    (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

bool nic_dhcp_cmdline(const char *cmdline, size_t len, const char *ifname)
{
	bool client = false, named = false;
	size_t at = 0;

	/* Of a script or of busybox the program's name is the second word. */
	for (int word = 0; at < len; word++) {
		const char *text = cmdline + at;

		if (word < 2)
			client |= is_client_name(base_name(text));
		named |= names_interface(text, ifname);
		at += strnlen(text, len - at) + 1;
	}
	return client && named;
}

/*
 * /proc/PID/ns/net is only for those who may trace the process, which takes more of root's power
 * than the daemon has. Each network namespace has its own /proc/PID/net, though.
 */
static bool same_netns(const char *root, const char *pid)
{
	struct stat own, other;
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/%.20s/net/dev", root, pid);
	if (stat("/proc/self/net/dev", &own) < 0 || stat(path, &other) < 0)
		return false;
	return own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

static void look_at_process(struct nic_facts *f, const char *root, const char *pid)
{
	char path[PATH_MAX], cmdline[4096] = "", comm[32];
	int len;

	snprintf(path, sizeof(path), "%s/proc/%.20s/cmdline", root, pid);
	len = read_small(path, cmdline, sizeof(cmdline));
	if (len <= 0 || !nic_dhcp_cmdline(cmdline, (size_t)len, f->name) || !same_netns(root, pid))
		return;
	snprintf(path, sizeof(path), "%s/proc/%.20s/comm", root, pid);
	len = read_small(path, comm, sizeof(comm));
	if (len > 0)
		comm[strcspn(comm, "\n")] = '\0';
	snprintf(f->dhcp_client, sizeof(f->dhcp_client), "%.31s", len > 0 ? comm : "a DHCP client");
	f->dhcp_pid = (int)strtol(pid, NULL, 10);
}

static void look_for_clients(struct nic_facts *f, const char *root)
{
	const struct dirent *entry;
	char path[PATH_MAX];
	DIR *d;

	snprintf(path, sizeof(path), "%s/proc", root);
	d = opendir(path);
	while (d && (entry = readdir(d)) != NULL && !f->dhcp_client[0])
		if (isdigit((unsigned char)entry->d_name[0]))
			look_at_process(f, root, entry->d_name);
	if (d)
		closedir(d);
}

/* ---- the interface itself ---- */

static int take_link(struct rtnl *r, const struct link_state *l, struct nic_facts *f)
{
	struct link_state master;

	f->exists = true;
	snprintf(f->kind, sizeof(f->kind), "%s", l->kind);
	f->ours = strncmp(l->alias, "vmlane:", strlen("vmlane:")) == 0;
	f->loopback = strcmp(l->name, "lo") == 0;
	if (l->master && rtnl_link_get(r, NULL, l->master, &master, NULL) == 0)
		snprintf(f->bridge, sizeof(f->bridge), "%s", master.name);
	return 0;
}

static bool is_ethernet(const char *root, const char *ifname)
{
	char path[PATH_MAX], text[16];

	snprintf(path, sizeof(path), "%s/sys/class/net/%s/type", root, ifname);
	/* Where there is no /sys of ours the kernel's own refusal has to do. */
	return read_small(path, text, sizeof(text)) <= 0 || strcmp(text, "1\n") == 0;
}

int nic_facts_read(struct rtnl *r, const char *root, const char *ifname, struct nic_facts *ret,
		   struct err *e)
{
	struct nic_facts f = {0};
	struct link_state l;
	int err;

	snprintf(f.name, sizeof(f.name), "%s", ifname);
	err = rtnl_link_get(r, ifname, 0, &l, e);
	if (err < 0 && err != -ENODEV)
		return err;
	if (err == 0) {
		take_link(r, &l, &f);
		f.wireless = in_sys(root, ifname, "wireless") || in_sys(root, ifname, "phy80211");
		f.ethernet = f.loopback || is_ethernet(root, ifname);
		ask_networkd(&f, root, l.ifindex);
		if (!f.manager[0])
			ask_network_manager(&f, root, l.ifindex);
		if (!f.manager[0])
			ask_ifupdown(&f, root);
		look_for_clients(&f, root);
	}
	*ret = f;
	return 0;
}
