/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * buf.h - a growing text buffer with a stated maximum.
 *
 * Errors stick: after -ENOMEM or -E2BIG every later append does nothing, so a builder appends
 * freely and looks at buf->error once, at its end.
 */
#ifndef VMLANE_BASE_BUF_H
#define VMLANE_BASE_BUF_H

#include <stddef.h>
#include "base/macro.h"

/**
 * struct buf - text under construction
 * @data:	NUL-terminated; owned by the buffer; NULL until the first append
 * @len:	bytes without the NUL
 * @cap:	bytes allocated
 * @max:	the longest @len allowed
 * @error:	0, -ENOMEM, or -E2BIG
 */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max;
	int error;
};

#define BUF_INIT(max_len) ((struct buf){.max = (max_len)})

void buf_done(struct buf *b);
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...) __printf(2, 3);
/* buf_str() - the text, never NULL ("" when empty). */
const char *buf_str(const struct buf *b);
/* buf_steal() - hands the text over (free() it); NULL after an error. The buffer is empty then. */
char *buf_steal(struct buf *b);

#endif
