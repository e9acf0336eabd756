/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.h - what the command prints: tables for people (libsmartcols), JSON for programs, and
 * text that came from others made safe for a terminal.
 */
#ifndef VMLANE_CLI_OUTPUT_H
#define VMLANE_CLI_OUTPUT_H

#include <stdio.h>
#include "base/buf.h"
#include "cli/cli.h"

#define OUT_TEXT_MAX (64 * 1024 * 1024)

/*
 * A cell: the value of @key of the object @row, as people want to read it, appended to @out.
 * Nothing appended is shown as "-".
 */
typedef void (*out_cell_fn)(const json_t *row, const char *key, struct buf *out);

void out_cell_text(const json_t *row, const char *key, struct buf *out);   /* text or number */
void out_cell_bytes(const json_t *row, const char *key, struct buf *out);  /* 1.5M */
void out_cell_age(const json_t *row, const char *key, struct buf *out);	   /* seconds: 5m */
void out_cell_expiry(const json_t *row, const char *key, struct buf *out); /* seconds: in 59m */
void out_cell_link(const json_t *row, const char *key, struct buf *out);   /* bool: up, down */
void out_cell_yes(const json_t *row, const char *key, struct buf *out);	   /* bool: yes, or "" */
void out_cell_list(const json_t *row, const char *key, struct buf *out);   /* a, b, +3 */

/**
 * struct out_col - a column of a table
 * @head:	its heading
 * @key:	the key of the row's object, given to @cell
 * @cell:	makes the text
 * @right:	numbers: aligned to the right
 * @state:	coloured by its word: "running" green, "failed" red, ...
 */
struct out_col {
	const char *head;
	const char *key;
	out_cell_fn cell;
	bool right;
	bool state;
};

/**
 * out_table() - render @rows (an array of objects) to text
 * @color:	colours may be used
 * @ret:	free() it; no newline behind its last line
 *
 * 0, -EINVAL when @rows is not an array, or -ENOMEM.
 */
int out_table(const struct out_col *cols, size_t n, const json_t *rows, bool color,
	      char **ret) __must_check;

/* out_json() - @j on stdout, indented, pure ASCII, with a newline. */
void out_json(const json_t *j);

/* out_string() - @s as a JSON string, escaped as by out_escape() where it is no UTF-8; null for "". */
json_t *out_string(const char *s);

/* out_escape() - append @s; control and direction-changing characters as octal \033. */
void out_escape(struct buf *out, const char *s);

/* out_sanitize() - out_escape() every string value of @j in place; 0 or -ENOMEM. */
int out_sanitize(json_t *j) __must_check;

/* out_print_escaped() - out_escape() straight to @f. */
void out_print_escaped(FILE *f, const char *s);

/* out_duration() - 42s, 59m, 5h 12m, 3d 4h, 1h; negative is 0s. */
void out_duration(struct buf *out, int64_t seconds);

/* out_str() - the string under @key, or NULL (also when @obj is no object). */
const char *out_str(const json_t *obj, const char *key);

/* out_int() - the number under @key, or @fallback. */
int64_t out_int(const json_t *obj, const char *key, int64_t fallback);

enum out_color {
	OUT_PLAIN,
	OUT_BOLD,
	OUT_RED,
	OUT_GREEN,
	OUT_YELLOW,
	OUT_DIM,
};

/* out_color() - the terminal sequence for @c, "" when @color is false. */
const char *out_color(bool color, enum out_color c);

/* out_state_color() - the colour of a state's word. */
enum out_color out_state_color(const char *state);

#endif
