/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cursor.c - see cursor.h. */
#include "base/cursor.h"

#include <string.h>

const uint8_t *cursor_take(struct cursor *c, size_t len)
{
	const uint8_t *p = c->p;

	if (c->bad || len > c->left) {
		c->bad = true;
		return NULL;
	}
	c->p += len;
	c->left -= len;
	return p;
}

struct cursor cursor_sub(struct cursor *c, size_t len)
{
	const uint8_t *p = cursor_take(c, len);

	if (!p)
		return (struct cursor){.bad = true};
	return cursor_init(p, len);
}

bool cursor_copy(struct cursor *c, void *out, size_t len)
{
	const uint8_t *p = cursor_take(c, len);

	if (!p) {
		memset(out, 0, len);
		return false;
	}
	memcpy(out, p, len);
	return true;
}

uint8_t cursor_u8(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 1);

	return p ? p[0] : 0;
}

uint16_t cursor_be16(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 2);

	return p ? (uint16_t)(p[0] << 8 | p[1]) : 0;
}

uint32_t cursor_be32(struct cursor *c)
{
	const uint8_t *p = cursor_take(c, 4);

	if (!p)
		return 0;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint8_t *writer_reserve(struct writer *w, size_t len)
{
	uint8_t *p = w->base + w->len;

	if (w->bad || len > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	memset(p, 0, len);
	w->len += len;
	return p;
}

void writer_bytes(struct writer *w, const void *bytes, size_t len)
{
	uint8_t *p = writer_reserve(w, len);

	if (p && len)
		memcpy(p, bytes, len);
}

void writer_u8(struct writer *w, uint8_t v)
{
	writer_bytes(w, &v, 1);
}

void writer_be16(struct writer *w, uint16_t v)
{
	const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	writer_bytes(w, b, sizeof(b));
}

void writer_be32(struct writer *w, uint32_t v)
{
	writer_be16(w, (uint16_t)(v >> 16));
	writer_be16(w, (uint16_t)v);
}
