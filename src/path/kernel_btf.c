/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kernel_btf.c - see kernel_btf.h; the form of the file: Documentation/bpf/btf.rst. */
#include "path/kernel_btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BTF "/sys/kernel/btf/vmlinux"
#define SECTION_MAX (64u * 1024 * 1024)

/**
 * struct kernel_btf - as much of it as was needed
 * @names:	@n_names bytes of strings
 * @types_at:	where the types are in the file, @n_types bytes of them
 * @types:	NULL until a reason was asked for
 * @reasons:	enum skb_drop_reason in it, @n_reasons of them
 */
struct kernel_btf {
	char *names;
	size_t n_names;
	off_t types_at;
	size_t n_types;
	uint8_t *types;
	const struct btf_enum *reasons;
	size_t n_reasons;
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
	if (h.magic != BTF_MAGIC || h.str_len == 0 || h.str_len > SECTION_MAX ||
	    h.type_len > SECTION_MAX)
		return -EINVAL;
	k->types_at = (off_t)h.hdr_len + h.type_off;
	k->n_types = h.type_len;
	k->names = malloc(h.str_len);
	if (!k->names)
		return -ENOMEM;
	k->n_names = h.str_len;
	r = read_all(fd, k->names, k->n_names, (off_t)h.hdr_len + h.str_off);
	return r < 0 || !k->names[k->n_names - 1] ? r : -EINVAL;
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
	free(k->types);
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

/* How much follows a type's first twelve bytes; -1 for a kind that is not known. */
static long more_of(const struct btf_type *t)
{
	long vlen = BTF_INFO_VLEN(t->info);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FWD:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_FLOAT:
	case BTF_KIND_TYPE_TAG:
		return 0;
	case BTF_KIND_INT:
		return sizeof(uint32_t);
	case BTF_KIND_ARRAY:
		return sizeof(struct btf_array);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return vlen * (long)sizeof(struct btf_member);
	case BTF_KIND_ENUM:
		return vlen * (long)sizeof(struct btf_enum);
	case BTF_KIND_ENUM64:
		return vlen * (long)sizeof(struct btf_enum64);
	case BTF_KIND_FUNC_PROTO:
		return vlen * (long)sizeof(struct btf_param);
	case BTF_KIND_VAR:
		return sizeof(struct btf_var);
	case BTF_KIND_DATASEC:
		return vlen * (long)sizeof(struct btf_var_secinfo);
	case BTF_KIND_DECL_TAG:
		return sizeof(struct btf_decl_tag);
	default:
		return -1;
	}
}

const struct btf_enum *btf_types_find_enum(const uint8_t *types, size_t len, const char *names,
					   size_t n_names, const char *name, size_t *ret_n)
{
	const struct btf_type *t;
	size_t more;

	for (size_t at = 0; at + sizeof(*t) <= len; at += sizeof(*t) + more) {
		t = (const struct btf_type *)(types + at);
		if (more_of(t) < 0)
			return NULL;
		more = (size_t)more_of(t);
		if (more > len - at - sizeof(*t))
			return NULL;
		if (BTF_INFO_KIND(t->info) == BTF_KIND_ENUM && t->name_off < n_names &&
		    strcmp(names + t->name_off, name) == 0) {
			*ret_n = BTF_INFO_VLEN(t->info);
			return (const struct btf_enum *)(t + 1);
		}
	}
	return NULL;
}

/* Once; without them no reason has a name. */
static void reasons_read(struct kernel_btf *k)
{
	_cleanup_(fd_closep) int fd = -1;

	if (k->read)
		return;
	k->read = true;
	fd = open(PATH_BTF, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	k->types = malloc(k->n_types);
	if (!k->types || read_all(fd, k->types, k->n_types, k->types_at) < 0)
		return;
	k->reasons = btf_types_find_enum(k->types, k->n_types, k->names, k->n_names,
					 "skb_drop_reason", &k->n_reasons);
}

static const char *name_of(const struct kernel_btf *k, const struct btf_enum *value)
{
	return value->name_off < k->n_names ? k->names + value->name_off : "";
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
	reasons_read(k);
	for (size_t i = 0; i < k->n_reasons; i++)
		if ((uint32_t)k->reasons[i].val == reason)
			return reason_word(name_of(k, &k->reasons[i]));
	return NULL;
}

uint32_t kernel_btf_reason_number(struct kernel_btf *k, const char *name)
{
	reasons_read(k);
	for (size_t i = 0; i < k->n_reasons; i++)
		if (strcmp(reason_word(name_of(k, &k->reasons[i])), name) == 0)
			return (uint32_t)k->reasons[i].val;
	return 0;
}
