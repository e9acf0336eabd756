/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lines.c - see lines.h. */
#include "firewall/lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MAX 1000000

void lines_done(struct lines *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct lines){0};
}

static int lines_grow(struct lines *l)
{
	size_t cap = l->cap ? l->cap * 2 : 64;
	char **v;

	if (l->n >= LINES_MAX)
		return -E2BIG;
	v = reallocarray(l->v, cap, sizeof(*v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	l->cap = cap;
	return 0;
}

void lines_add(struct lines *l, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int len;

	if (!l->error && l->n == l->cap)
		l->error = lines_grow(l);
	if (l->error)
		return;
	va_start(ap, fmt);
	len = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (len < 0)
		l->error = -ENOMEM;
	else
		l->v[l->n++] = text;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void lines_sort_unique(struct lines *l)
{
	size_t kept = 0;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), compare_lines);
	for (size_t i = 0; i < l->n; i++) {
		if (kept && strcmp(l->v[kept - 1], l->v[i]) == 0)
			free(l->v[i]);
		else
			l->v[kept++] = l->v[i];
	}
	l->n = kept;
}
