/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * listing.c - from nft's listing of our table back to its elements and its skeleton.
 *
 * The listing has sets and maps as blocks with at most one `elements = { ... }`, which may go over
 * several lines. Names are in double quotes, and nothing else in a listing of ours is but rules'
 * comments. Sets that rules fill (`flags dynamic`) are none of ours to compare: what is in them is
 * left out.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "firewall/lines.h"
#include "firewall/ruleset.h"

#define LISTING_MAX (64 * 1024 * 1024)
#define SET_NAME_MAX 128 /* with a network's and a guest's name in it */

/* The name in "set NAME {" or "map NAME {", at the start of a line; false when it is neither. */
static bool set_name(const char *line, char ret[static SET_NAME_MAX])
{
	size_t len;

	line += strspn(line, "\t ");
	if (strncmp(line, "set ", 4) != 0 && strncmp(line, "map ", 4) != 0)
		return false;
	len = strcspn(line + 4, " {\n");
	if (len == 0 || len >= SET_NAME_MAX)
		return false;
	memcpy(ret, line + 4, len);
	ret[len] = '\0';
	return true;
}

/* The end of an element: the ',' or '}' outside of quotes, or the end of the text. */
static const char *element_end(const char *p)
{
	bool quoted = false;

	for (; *p && (quoted || (*p != ',' && *p != '}')); p++) {
		if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

static const char *skip_blank(const char *p)
{
	return p + strspn(p, " \t\n");
}

/* The elements from behind the '{' at @p on; returns behind the '}', or NULL when it is missing. */
static const char *read_elements(const char *p, const char *set, struct lines *out)
{
	for (;;) {
		const char *end;
		size_t len;

		p = skip_blank(p);
		end = element_end(p);
		if (!*end)
			return NULL;
		len = (size_t)(end - p);
		while (len && strchr(" \t\n", p[len - 1]))
			len--;
		if (len)
			lines_add(out, "%s\t%.*s", set, (int)len, p);
		p = end + 1;
		if (*end == '}')
			return p;
	}
}

static int read_listing(const char *p, struct lines *elements, struct buf *rest)
{
	struct lines ignored = {0};
	char set[SET_NAME_MAX] = "";
	bool dynamic = false;

	while (*p) {
		size_t len = strcspn(p, "\n");
		const char *word = p + strspn(p, "\t ");

		if (strncmp(word, "elements = {", 12) == 0 && set[0]) {
			p = read_elements(word + 12, set, dynamic ? &ignored : elements);
			lines_done(&ignored);
			if (!p)
				return -EBADMSG;
			p += strspn(p, "\n");
			continue;
		}
		if (set_name(p, set))
			dynamic = false;
		if (strncmp(word, "flags ", 6) == 0 && memmem(word, len, "dynamic", 7))
			dynamic = true;
		buf_append(rest, p, len);
		buf_puts(rest, "\n");
		p += len + (p[len] == '\n');
	}
	return rest->error ? rest->error : elements->error;
}

int fw_listing_read(const char *listing, struct fw_ruleset *ret)
{
	struct buf rest = BUF_INIT(LISTING_MAX);
	struct lines elements = {0};
	char *skeleton = NULL;
	int r = read_listing(listing, &elements, &rest);

	if (r == 0) {
		lines_sort_unique(&elements);
		skeleton = buf_steal(&rest);
		r = skeleton ? 0 : -ENOMEM;
	}
	if (r < 0) {
		lines_done(&elements);
		buf_done(&rest);
		return r;
	}
	*ret = (struct fw_ruleset){.table = "inet vmlane",
				   .skeleton = skeleton,
				   .elements = elements.v,
				   .n_elements = elements.n};
	return 0;
}
