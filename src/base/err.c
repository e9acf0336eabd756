/* SPDX-License-Identifier: GPL-2.0-or-later */
/* err.c - see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void fd_closep(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static void fill(struct err *e, const char *code, const char *where, const char *fmt, va_list ap)
	__printf(4, 0);
static void fill(struct err *e, const char *code, const char *where, const char *fmt, va_list ap)
{
	snprintf(e->code, sizeof(e->code), "%s", code);
	snprintf(e->where, sizeof(e->where), "%s", where ? where : "");
	vsnprintf(e->message, sizeof(e->message), fmt, ap);
}

int(err_set)(struct err *e, int r, const char *code, const char *where, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return r;
	va_start(ap, fmt);
	fill(e, code, where, fmt, ap);
	va_end(ap);
	return r;
}

int(err_add)(struct err_list *l, int r, const char *code, const char *where, const char *fmt, ...)
{
	va_list ap;

	if (!l)
		return r;
	if (l->n >= ERR_LIST_MAX) {
		l->dropped++;
		return r;
	}
	va_start(ap, fmt);
	fill(&l->items[l->n++], code, where, fmt, ap);
	va_end(ap);
	return r;
}

void err_list_push(struct err_list *l, const struct err *e)
{
	if (!l)
		return;
	if (l->n >= ERR_LIST_MAX) {
		l->dropped++;
		return;
	}
	l->items[l->n++] = *e;
}

const char *err_format(const struct err *e, char *buf, size_t size)
{
	if (e->where[0])
		snprintf(buf, size, "%s: %s", e->where, e->message);
	else
		snprintf(buf, size, "%s", e->message);
	return buf;
}
