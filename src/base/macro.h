/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * macro.h - small compiler helpers that every folder uses.
 */
#ifndef VMLANE_BASE_MACRO_H
#define VMLANE_BASE_MACRO_H

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The result is an error code that the caller has to look at. */
#define __must_check __attribute__((warn_unused_result))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))
#define __unused __attribute__((unused))

/* _cleanup_(f): call f(&var) when var leaves its scope. */
#define _cleanup_(f) __attribute__((cleanup(f)))

/**
 * DEFINE_CLEANUP() - make `type`'s free function usable with _cleanup_()
 * @type:	a pointer type, e.g. struct foo *
 * @func:	its destructor; must accept NULL
 *
 * Defines func##p(type *), so that `_cleanup_(foo_freep) struct foo *f = NULL;` frees f.
 */
#define DEFINE_CLEANUP(type, func)                                                                 \
	static inline __unused void func##p(type *p)                                               \
	{                                                                                          \
		if (*p)                                                                            \
			func(*p);                                                                  \
	}

static inline void freep(void *p)
{
	free(*(void **)p);
}

/* Closes *fd when it is a valid descriptor; errno is left alone. */
void fd_closep(int *fd);

static inline size_t size_min(size_t a, size_t b)
{
	return a < b ? a : b;
}

#endif
