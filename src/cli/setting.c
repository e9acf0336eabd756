/* SPDX-License-Identifier: GPL-2.0-or-later */
/* setting.c - see setting.h. Pure. */
#include "cli/setting.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is the comma at @p, of an element that began at @from, between two ports? @end is the list's. */
static bool joins_ports(const char *from, const char *p, const char *end)
{
	return p > from && p + 1 < end && is_digit(p[-1]) && is_digit(p[1]) &&
	       memchr(from, ' ', (size_t)(p - from));
}

/* Where the element that begins at @p ends: at its comma, or at @end. */
static const char *plain_end(const char *p, const char *end)
{
	const char *from = p;

	while (p < end && (*p != ',' || joins_ports(from, p, end)))
		p++;
	return p;
}

static const char *trim(const char *from, const char *to)
{
	while (to > from && to[-1] == ' ')
		to--;
	return to;
}

/* "a, b" from @p to @end, without JSON's brackets; NULL: a quote is open, or goes on behind its end. */
static json_t *plain_list(const char *p, const char *end)
{
	json_t *list = json_array();

	while (list && p < end) {
		const char *from = p, *to;

		while (from < end && *from == ' ')
			from++;
		if (from < end && (*from == '"' || *from == '\'')) {
			to = memchr(from + 1, *from, (size_t)(end - from - 1));
			p = to ? plain_end(to + 1, end) : end;
			if (!to || trim(to + 1, p) != to + 1) {
				json_decref(list);
				return NULL;
			}
			from++;
		} else {
			p = plain_end(from, end);
			to = trim(from, p);
		}
		if (to > from)
			json_array_append_new(list, json_stringn(from, (size_t)(to - from)));
		p++;
	}
	return list;
}

json_t *setting_value(const char *text)
{
	size_t len = strlen(text);
	json_t *j;

	if (!len)
		return json_null();
	if (*text != '[' && *text != '{')
		return json_string(text);
	j = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	if (j || *text == '{' || text[len - 1] != ']')
		return j;
	return plain_list(text + 1, text + len - 1);
}
