/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symbols.h - the kernel's function at an address, from /proc/kallsyms. */
#ifndef VMLANE_PATH_SYMBOLS_H
#define VMLANE_PATH_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

struct symbols;

/*
 * symbols_new() - read them; some 50 ms, so only when one is needed. -EPERM when the kernel hides its
 * addresses (kernel.kptr_restrict), -ENOMEM, or as open() says.
 */
int symbols_new(struct symbols **ret) __must_check;
/* symbols_parse() - the same from @text, @len bytes in the form of /proc/kallsyms. */
int symbols_parse(const char *text, size_t len, struct symbols **ret) __must_check;
void symbols_free(struct symbols *s);
DEFINE_CLEANUP(struct symbols *, symbols_free)

/* symbols_find() - the name of the function that has @address, without offset; NULL for none. */
const char *symbols_find(const struct symbols *s, uint64_t address);

#endif
