/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kernel_btf.h - what the running kernel's type information tells: which tracepoints there are, and the
 * names of its drop reasons.
 *
 * libbpf takes 25 ms to make its structures of it, once for itself: here the file's bytes are looked
 * through as they are, its types not before a reason is asked for.
 */
#ifndef VMLANE_PATH_KERNEL_BTF_H
#define VMLANE_PATH_KERNEL_BTF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

struct btf_enum;
struct kernel_btf;

/* kernel_btf_new() - -ENOENT on a kernel without it, -EINVAL when it is not understood, -ENOMEM. */
int kernel_btf_new(struct kernel_btf **ret) __must_check;
void kernel_btf_free(struct kernel_btf *k);
DEFINE_CLEANUP(struct kernel_btf *, kernel_btf_free)

/* kernel_btf_has() - something in the kernel is called so: a type, a function, a field. */
bool kernel_btf_has(const struct kernel_btf *k, const char *name);

/*
 * kernel_btf_reason() - the name of drop reason @reason, without what all of them begin with, owned by @k;
 * NULL for none. kernel_btf_reason_number() - the other way, 0 for none.
 */
const char *kernel_btf_reason(struct kernel_btf *k, uint32_t reason);
uint32_t kernel_btf_reason_number(struct kernel_btf *k, const char *name);

/* btf_names_find() - @names, @len bytes of strings that end with 0 each, has @name as one of them. */
bool btf_names_find(const char *names, size_t len, const char *name);

/*
 * btf_types_find_enum() - the values of the enum @name in @types, @len bytes of types as in the file, whose
 * names are in @names, which ends with a 0. Returns them inside @types and how many; NULL when there is none
 * or when the types are not understood as far as it.
 */
const struct btf_enum *btf_types_find_enum(const uint8_t *types, size_t len, const char *names,
					   size_t n_names, const char *name, size_t *ret_n);

#endif
