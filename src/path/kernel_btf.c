/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_btf.c - see kernel_btf.h; the form of the file: Documentation/bpf/btf.rst. */
#include "path/kernel_btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BTF "/sys/kernel/btf/vmlinux"
#define NAMES_MAX (64u * 1024 * 1024)

/**
 * struct kernel_btf - as much of it as was needed
 * @names:	@n_names bytes of strings
 * @types:	NULL until a reason was asked for; @reasons: enum skb_drop_reason in it, or NULL
 */
struct kernel_btf {
	char *names;
	size_t n_names;
	struct btf *types;
	const struct btf_type *reasons;
	bool read;
};

static int read_all(int fd, void *to, size_t len, off_t at)
{
	for (char *p = to; len;) {
		ssize_t n = pread(fd, p, len, at);

		if (n <= 0)
			return n < 0 ? -errno : -EINVAL;
		p += n;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

static int names_read(struct kernel_btf *k, int fd)
{
	struct btf_header h;
	int r = read_all(fd, &h, sizeof(h), 0);

	if (r < 0)
		return r;
	if (h.magic != BTF_MAGIC || h.str_len == 0 || h.str_len > NAMES_MAX)
		return -EINVAL;
	k->names = malloc(h.str_len);
	if (!k->names)
		return -ENOMEM;
	k->n_names = h.str_len;
	return read_all(fd, k->names, k->n_names, (off_t)h.hdr_len + h.str_off);
}

int kernel_btf_new(struct kernel_btf **ret)
{
	_cleanup_(kernel_btf_freep) struct kernel_btf *k = calloc(1, sizeof(*k));
	_cleanup_(fd_closep) int fd = open(PATH_BTF, O_RDONLY | O_CLOEXEC);
	int r;

	if (!k)
		return -ENOMEM;
	if (fd < 0)
		return -errno;
	r = names_read(k, fd);
	if (r < 0)
		return r;
	*ret = k;
	k = NULL;
	return 0;
}

void kernel_btf_free(struct kernel_btf *k)
{
	if (!k)
		return;
	btf__free(k->types);
	free(k->names);
	free(k);
}

bool btf_names_find(const char *names, size_t len, const char *name)
{
	size_t size = strlen(name) + 1;
	const char *p = names;

	while ((p = memmem(p, len - (size_t)(p - names), name, size))) {
		if (p == names || !p[-1])
			return true;
		p++;
	}
	return false;
}

bool kernel_btf_has(const struct kernel_btf *k, const char *name)
{
	return btf_names_find(k->names, k->n_names, name);
}

static const struct btf_type *reasons(struct kernel_btf *k)
{
	int id = -1;

	if (k->read)
		return k->reasons;
	k->read = true;
	k->types = btf__load_vmlinux_btf();
	if (k->types)
		id = btf__find_by_name_kind(k->types, "skb_drop_reason", BTF_KIND_ENUM);
	if (id > 0)
		k->reasons = btf__type_by_id(k->types, (uint32_t)id);
	return k->reasons;
}

/* SKB_DROP_REASON_NETFILTER_DROP, SKB_CONSUMED: without what all of them begin with. */
static const char *reason_word(const char *name)
{
	static const char *const prefixes[] = {"SKB_DROP_REASON_", "SKB_"};

	for (size_t p = 0; p < ARRAY_SIZE(prefixes); p++)
		if (strncmp(name, prefixes[p], strlen(prefixes[p])) == 0)
			return name + strlen(prefixes[p]);
	return name;
}

const char *kernel_btf_reason(struct kernel_btf *k, uint32_t reason)
{
	const struct btf_type *all = reasons(k);
	const struct btf_enum *values = all ? btf_enum(all) : NULL;

	for (unsigned int i = 0; all && i < btf_vlen(all); i++)
		if ((uint32_t)values[i].val == reason)
			return reason_word(btf__name_by_offset(k->types, values[i].name_off));
	return NULL;
}

uint32_t kernel_btf_reason_number(struct kernel_btf *k, const char *name)
{
	const struct btf_type *all = reasons(k);
	const struct btf_enum *values = all ? btf_enum(all) : NULL;

	for (unsigned int i = 0; all && i < btf_vlen(all); i++)
		if (strcmp(reason_word(btf__name_by_offset(k->types, values[i].name_off)), name) ==
		    0)
			return (uint32_t)values[i].val;
	return 0;
}
