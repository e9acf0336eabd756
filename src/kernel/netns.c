/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.c - see netns.h. The kernel knows a namespace by its inode; links know it by a number that is good
 * in their own namespace only (net/core/net_namespace.c: RTM_GETNSID translates).
 */
#include "kernel/netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/text.h"
#include "kernel/rtnl_internal.h"

#define NAMED_DIR "/run/netns"
#define CGROUP_MAX 4096
#define CONTAINER_ID_LEN 64   /* hex digits of an OCI container's number */
#define CONTAINER_ID_SHOWN 12 /* of them, as `docker ps` shows them */

/* struct seen - a namespace that was met; @wanted: ours has a number for it. */
struct seen {
	ino_t ino;
	dev_t dev;
	bool wanted;
	struct netns_holder h;
};

/* struct scan - those met so far; @error sticks. */
struct scan {
	struct rtnl *r;
	struct seen *v;
	size_t n;
	size_t cap;
	int error;
};

static int on_id(const struct nlmsghdr *nlh, struct rtnl_array *out)
{
	struct rtnl_attrs attrs;
	const struct nlattr *attr;
	int32_t id;

	if (nlh->nlmsg_type != RTM_NEWNSID ||
	    mnl_nlmsg_get_payload_len(nlh) < NLMSG_ALIGN(sizeof(struct rtgenmsg)))
		return 0;
	attrs = rtnl_attrs_of(nlh, NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct rtgenmsg))));
	while ((attr = rtnl_attrs_next(&attrs)) != NULL)
		if (mnl_attr_get_type(attr) == NETNSA_NSID &&
		    rtnl_attr_copy(attr, &id, sizeof(id)) && id != NETNSA_NSID_NOT_ASSIGNED)
			return rtnl_array_add(out, &id);
	return 0;
}

/* The number of the namespace that @fd refers to; false when no link of ours leads there. */
static bool ask_id(struct rtnl *r, int fd, int32_t *ret)
{
	struct rtnl_array out = {.size = sizeof(*ret)};
	struct rtnl_request q = {.what = "name a network namespace"};
	struct err e;
	bool found;

	rtnl_request_begin(r, &q, RTM_GETNSID, NLM_F_ACK, sizeof(struct rtgenmsg));
	mnl_attr_put_u32(q.last, NETNSA_FD, (uint32_t)fd);
	found = rtnl_request_run(r, &q, on_id, &out, &e) == 0 && out.n == 1;
	if (found)
		memcpy(ret, out.v, sizeof(*ret));
	free(out.v);
	return found;
}

/* The namespace that the file @fd is, asked about when it is met for the first time; NULL on errors. */
static struct seen *meet(struct scan *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return NULL;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].ino == st.st_ino && s->v[i].dev == st.st_dev)
			return &s->v[i];
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 16;
		struct seen *v = reallocarray(s->v, cap, sizeof(*v));

		if (!v) {
			s->error = -ENOMEM;
			return NULL;
		}
		s->v = v;
		s->cap = cap;
	}
	s->v[s->n] = (struct seen){.ino = st.st_ino, .dev = st.st_dev};
	s->v[s->n].wanted = ask_id(s->r, fd, &s->v[s->n].h.id);
	return &s->v[s->n++];
}

/* ---- names ---- */

/* The last @n letters of @s are a container's number: 64 hex digits. */
static bool ends_in_id(const char *s, size_t n)
{
	if (n < CONTAINER_ID_LEN)
		return false;
	for (size_t i = n - CONTAINER_ID_LEN; i < n; i++)
		if (!isxdigit((unsigned char)s[i]))
			return false;
	return true;
}

/* One part of a control group's path: "docker-0123....scope", "lxc.payload.web1", "machine-x.scope". */
static bool name_of_part(const char *part, size_t len, char *ret)
{
	static const char *const before[] = {"lxc.payload.", "machine-"};
	static const char scope[] = ".scope";
	size_t tail = sizeof(scope) - 1;

	if (len > tail && memcmp(part + len - tail, scope, tail) == 0)
		len -= tail;
	if (ends_in_id(part, len)) {
		snprintf(ret, NETNS_NAME_LEN, "%.*s", CONTAINER_ID_SHOWN,
			 part + len - CONTAINER_ID_LEN);
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(before); i++) {
		size_t n = strlen(before[i]);

		if (len <= n || memcmp(part, before[i], n) != 0)
			continue;
		snprintf(ret, NETNS_NAME_LEN, "%.*s", (int)size_min(len - n, NETNS_NAME_LEN - 1),
			 part + n);
		return true;
	}
	return false;
}

bool netns_container_name(const char *cgroup, size_t len, char ret[static NETNS_NAME_LEN])
{
	const char *p = cgroup, *end = cgroup + len;
	bool found = false;

	ret[0] = '\0';
	/* The innermost part that is a container's counts. */
	while (p < end) {
		const char *stop = p;

		while (stop < end && *stop != '/' && *stop != '\n' && *stop != ':')
			stop++;
		found |= name_of_part(p, (size_t)(stop - p), ret);
		p = stop + 1;
	}
	return found;
}

static void take_process(struct netns_holder *h, int proc_pid, pid_t pid)
{
	char cgroup[CGROUP_MAX];
	ssize_t n;

	if (h->pid && h->pid < pid)
		return;
	if (proc_read_comm(proc_pid, h->comm, sizeof(h->comm)) < 0)
		return;
	h->pid = pid;
	n = proc_read_at(proc_pid, "cgroup", cgroup, sizeof(cgroup));
	if (n > 0)
		netns_container_name(cgroup, (size_t)n, h->name);
}

/* ---- the walks ---- */

static bool look_at_process(int proc_pid, pid_t pid, void *ctx)
{
	_cleanup_(fd_closep) int fd = openat(proc_pid, "ns/net", O_RDONLY | O_CLOEXEC);
	struct scan *s = ctx;
	struct seen *seen = fd < 0 ? NULL : meet(s, fd);

	if (seen && seen->wanted)
		take_process(&seen->h, proc_pid, pid);
	return !s->error;
}

static void look_at_name(struct scan *s, int dir, const char *name)
{
	_cleanup_(fd_closep) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	struct seen *seen = fd < 0 ? NULL : meet(s, fd);

	if (seen && seen->wanted && !seen->h.name[0])
		snprintf(seen->h.name, sizeof(seen->h.name), "%.*s", NETNS_NAME_LEN - 1, name);
}

static void look_at_names(struct scan *s)
{
	DIR *dir = opendir(NAMED_DIR);
	const struct dirent *d;

	if (!dir)
		return;
	while (!s->error && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.')
			look_at_name(s, dirfd(dir), d->d_name);
	closedir(dir);
}

int netns_scan(struct rtnl *r, struct netns_holder **ret, size_t *ret_n)
{
	struct scan s = {.r = r};
	struct netns_holder *out = NULL;
	int err = proc_each(look_at_process, &s);
	size_t n = 0;

	if (err == 0)
		look_at_names(&s);
	if (err == 0)
		err = s.error;
	if (err == 0)
		out = calloc(s.n + 1, sizeof(*out));
	for (size_t i = 0; out && i < s.n; i++)
		if (s.v[i].wanted)
			out[n++] = s.v[i].h;
	free(s.v);
	if (!out)
		return err < 0 ? err : -ENOMEM;
	*ret = out;
	*ret_n = n;
	return 0;
}
