/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cursor.h - reading and writing bytes with bounds checks.
 *
 * A cursor that runs out goes bad and stays bad: reads then give zeros, writes do nothing. A
 * parser reads what it wants and looks at cursor_ok() once before it believes any of it.
 */
#ifndef VMLANE_BASE_CURSOR_H
#define VMLANE_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct cursor - a reader over somebody else's bytes
 * @p:		the next byte
 * @left:	bytes not yet read
 * @bad:	a read went past the end
 */
struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

static inline struct cursor cursor_init(const void *bytes, size_t len)
{
	return (struct cursor){.p = bytes, .left = len};
}

static inline bool cursor_ok(const struct cursor *c)
{
	return !c->bad;
}

/* cursor_take() - the next @len bytes, or NULL when there are fewer. */
const uint8_t *cursor_take(struct cursor *c, size_t len);
/* cursor_sub() - a cursor over the next @len bytes, which are skipped here. */
struct cursor cursor_sub(struct cursor *c, size_t len);
bool cursor_copy(struct cursor *c, void *out, size_t len);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_be16(struct cursor *c); /* returned in host byte order */
uint32_t cursor_be32(struct cursor *c); /* returned in host byte order */

/**
 * struct writer - a writer into a fixed buffer
 * @base:	the buffer; not owned
 * @len:	bytes written
 * @cap:	the buffer's size
 * @bad:	a write did not fit
 */
struct writer {
	uint8_t *base;
	size_t len;
	size_t cap;
	bool bad;
};

static inline struct writer writer_init(void *buf, size_t cap)
{
	return (struct writer){.base = buf, .cap = cap};
}

/* writer_reserve() - @len zeroed bytes to fill in later, or NULL when they do not fit. */
uint8_t *writer_reserve(struct writer *w, size_t len);
void writer_bytes(struct writer *w, const void *bytes, size_t len);
void writer_u8(struct writer *w, uint8_t v);
void writer_be16(struct writer *w, uint16_t v); /* @v in host byte order */
void writer_be32(struct writer *w, uint32_t v); /* @v in host byte order */

#endif
