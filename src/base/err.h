/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * err.h - errors that a user caused or has to mend: what, where, and in which words.
 *
 * Functions return 0 or -errno; those that can fail for a reason a person must read also take a
 * `struct err *` (or a `struct err_list *` where all mistakes are collected) and fill it. Both may
 * be NULL when the caller does not want the words.
 */
#ifndef VMLANE_BASE_ERR_H
#define VMLANE_BASE_ERR_H

#include <stddef.h>
#include "base/macro.h"

/**
 * struct err - one error
 * @code:	short, stable, for programs: "unknown-key", "overlap", "kernel", ...
 * @where:	file:line:col, a field path, or an object ("network default"); "" when there is none
 * @message:	what is wrong, what was expected, and the mend where one is known; no newline
 */
struct err {
	char code[32];
	char where[256];
	char message[512];
};

#define ERR_LIST_MAX 64

/**
 * struct err_list - several errors, in the order found
 * @n:		how many of @items are filled, at most ERR_LIST_MAX
 * @dropped:	how many more there were
 */
struct err_list {
	size_t n;
	size_t dropped;
	struct err items[ERR_LIST_MAX];
};

/**
 * err_set() - fill @e and return @r, so that callers can `return err_set(e, -EINVAL, ...)`
 * @e:		may be NULL
 * @r:		negative errno, handed back
 * @where:	may be NULL, then ""
 */
int err_set(struct err *e, int r, const char *code, const char *where, const char *fmt, ...)
	__printf(5, 6);

/* err_add() - append to @l (may be NULL); returns @r. Counts in @l->dropped past the maximum. */
int err_add(struct err_list *l, int r, const char *code, const char *where, const char *fmt, ...)
	__printf(5, 6);

#ifdef __clang_analyzer__
/*
 * The analyzer looks into one file at a time: tell it that both return the @r they are given. (In
 * err.c the names stand in parentheses, so that they are not taken for these macros.)
 */
#define err_set(e, r, ...) ((err_set)(e, r, __VA_ARGS__), (r))
#define err_add(l, r, ...) ((err_add)(l, r, __VA_ARGS__), (r))
#endif

/* err_list_push() - append a copy of @e. */
void err_list_push(struct err_list *l, const struct err *e);

/* err_format() - "where: message" (or only the message) into @buf; returns @buf. */
const char *err_format(const struct err *e, char *buf, size_t size);

#endif
