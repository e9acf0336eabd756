/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * output.c - see output.h. Strings of guests (host names!) and of other users reach the terminal
 * only through out_escape() or libsmartcols, which escapes as well.
 */
#include "cli/output.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define LIST_SHOWN 8

const char *out_str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

int64_t out_int(const json_t *obj, const char *key, int64_t fallback)
{
	const json_t *j = json_object_get(obj, key);

	return json_is_integer(j) ? json_integer_value(j) : fallback;
}

void out_cell_text(const json_t *row, const char *key, struct buf *out)
{
	const json_t *j = json_object_get(row, key);

	if (json_is_string(j))
		buf_puts(out, json_string_value(j));
	else if (json_is_integer(j))
		buf_printf(out, "%lld", (long long)json_integer_value(j));
}

void out_cell_yes(const json_t *row, const char *key, struct buf *out)
{
	if (json_is_true(json_object_get(row, key)))
		buf_puts(out, "yes");
}

void out_cell_bytes(const json_t *row, const char *key, struct buf *out)
{
	static const char unit[] = "KMGTPE";
	int64_t n = out_int(row, key, -1);
	double scaled = (double)n / 1024;
	size_t u = 0;

	if (n < 0)
		return;
	if (n < 1024) {
		buf_printf(out, "%lld", (long long)n);
		return;
	}
	for (; scaled >= 1023.95 && u + 2 < sizeof(unit); u++)
		scaled /= 1024;
	buf_printf(out, "%.1f%c", scaled, unit[u]);
}

void out_cell_age(const json_t *row, const char *key, struct buf *out)
{
	if (json_is_integer(json_object_get(row, key)))
		out_duration(out, out_int(row, key, 0));
}

void out_cell_expiry(const json_t *row, const char *key, struct buf *out)
{
	int64_t s = out_int(row, key, 0);

	if (!json_is_integer(json_object_get(row, key)))
		return;
	if (s <= 0) {
		buf_puts(out, "expired");
		return;
	}
	buf_puts(out, "in ");
	out_duration(out, s);
}

void out_cell_link(const json_t *row, const char *key, struct buf *out)
{
	const json_t *j = json_object_get(row, key);

	if (json_is_boolean(j))
		buf_puts(out, json_is_true(j) ? "up" : "down");
}

/* Strings, or objects with a name. */
void out_cell_list(const json_t *row, const char *key, struct buf *out)
{
	const json_t *list = json_object_get(row, key), *j;
	size_t i;

	json_array_foreach (list, i, j) {
		const char *s = json_is_object(j) ? out_str(j, "name") : json_string_value(j);

		if (i == LIST_SHOWN) {
			buf_printf(out, ", +%zu", json_array_size(list) - i);
			break;
		}
		buf_printf(out, "%s%s", i ? ", " : "", s ? s : "?");
	}
}

/* The largest unit and, where it is not zero, the next smaller one. */
void out_duration(struct buf *out, int64_t seconds)
{
	static const struct {
		int64_t s;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	int64_t s = seconds < 0 ? 0 : seconds;
	size_t u = 0;

	while (s < units[u].s && u + 1 < ARRAY_SIZE(units))
		u++;
	buf_printf(out, "%" PRId64 "%c", s / units[u].s, units[u].unit);
	s %= units[u].s;
	/* 59m, not 59m 12s: nobody waits for it */
	if (units[u].s > 60 && s >= units[u + 1].s)
		buf_printf(out, " %" PRId64 "%c", s / units[u + 1].s, units[u + 1].unit);
}

static const struct {
	const char *state;
	enum out_color color;
} state_colors[] = {
	{"running", OUT_GREEN},	 {"forwarding", OUT_GREEN}, {"bound", OUT_GREEN},
	{"up", OUT_GREEN},	 {"failed", OUT_RED},	    {"declined", OUT_RED},
	{"blocking", OUT_RED},	 {"learning", OUT_YELLOW},  {"listening", OUT_YELLOW},
	{"stopped", OUT_YELLOW},
};

enum out_color out_state_color(const char *state)
{
	for (size_t i = 0; state && i < ARRAY_SIZE(state_colors); i++)
		if (strcmp(state_colors[i].state, state) == 0)
			return state_colors[i].color;
	return OUT_PLAIN;
}

const char *out_color(bool color, enum out_color c)
{
	static const char *const sequence[] = {
		[OUT_PLAIN] = "\033[0m",  [OUT_BOLD] = "\033[1m",    [OUT_RED] = "\033[31m",
		[OUT_GREEN] = "\033[32m", [OUT_YELLOW] = "\033[33m", [OUT_DIM] = "\033[2m",
	};

	return color ? sequence[c] : "";
}

static int fill_cell(struct libscols_line *line, size_t i, const struct out_col *col,
		     const json_t *row)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);
	enum out_color c;
	int r;

	col->cell(row, col->key, &text);
	if (text.error)
		return text.error;
	r = scols_line_set_data(line, i, text.len ? buf_str(&text) : "-");
	c = col->state ? out_state_color(buf_str(&text)) : OUT_PLAIN;
	if (r == 0 && c != OUT_PLAIN)
		r = scols_cell_set_color(scols_line_get_cell(line, i), out_color(true, c));
	return r;
}

static int fill_row(struct libscols_table *table, const struct out_col *cols, size_t n,
		    const json_t *row)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	int r = line ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		r = fill_cell(line, i, &cols[i], row);
	return r;
}

static int fill_table(struct libscols_table *table, const struct out_col *cols, size_t n,
		      const json_t *rows)
{
	const json_t *row;
	size_t i;
	int r;

	for (i = 0; i < n; i++)
		if (!scols_table_new_column(table, cols[i].head, 0,
					    cols[i].right ? SCOLS_FL_RIGHT : 0))
			return -ENOMEM;
	json_array_foreach (rows, i, row) {
		r = fill_row(table, cols, n, row);
		if (r < 0)
			return r;
	}
	return 0;
}

int out_table(const struct out_col *cols, size_t n, const json_t *rows, bool color, char **ret)
{
	struct libscols_table *table;
	char *text = NULL;
	int r;

	if (!json_is_array(rows))
		return -EINVAL;
	table = scols_new_table();
	if (!table)
		return -ENOMEM;
	scols_table_enable_colors(table, color);
	scols_table_enable_minout(table, 1); /* no blanks behind the last column */
	r = fill_table(table, cols, n, rows);
	if (r == 0)
		r = scols_print_table_to_string(table, &text);
	scols_unref_table(table);
	if (r < 0)
		return r;
	*ret = text;
	return 0;
}

void out_json(const json_t *j)
{
	json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
}

/* Characters that print nothing but turn or hide what stands beside them. */
static bool is_tricky(wchar_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

void out_escape(struct buf *out, const char *s)
{
	size_t left = strlen(s);
	mbstate_t state = {0};

	while (left > 0) {
		wchar_t c = 0;
		size_t n = mbrtowc(&c, s, left, &state);
		bool bad = n > left; /* -1 and -2: not a character of this locale */

		if (bad) {
			n = 1;
			memset(&state, 0, sizeof(state));
		}
		if (!bad && iswprint((wint_t)c) && !is_tricky(c))
			buf_append(out, s, n);
		else
			for (size_t i = 0; i < n; i++)
				buf_printf(out, "\\%03o", (unsigned int)(unsigned char)s[i]);
		s += n;
		left -= n;
	}
}

void out_print_escaped(FILE *f, const char *s)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	out_escape(&text, s);
	fputs(buf_str(&text), f);
}

static int sanitize_string(json_t *j)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(OUT_TEXT_MAX);

	out_escape(&text, json_string_value(j));
	if (text.error)
		return text.error;
	if (strcmp(buf_str(&text), json_string_value(j)) == 0)
		return 0;
	/* In the C locale an escape is cut out of a UTF-8 sequence byte by byte: never invalid. */
	return json_string_set(j, buf_str(&text)) < 0 ? -ENOMEM : 0;
}

json_t *out_string(const char *s)
{
	struct buf safe = BUF_INIT(OUT_TEXT_MAX);
	json_t *j = s[0] ? json_string(s) : json_null();

	if (!j) {
		out_escape(&safe, s);
		j = json_string(buf_str(&safe));
		buf_done(&safe);
	}
	return j;
}

int out_sanitize(json_t *j)
{
	const char *key;
	json_t *child;
	size_t i;
	int r = 0;

	if (json_is_string(j))
		return sanitize_string(j);
	json_array_foreach (j, i, child) {
		r = out_sanitize(child);
		if (r < 0)
			return r;
	}
	json_object_foreach (j, key, child) {
		r = out_sanitize(child);
		if (r < 0)
			return r;
	}
	return r;
}
