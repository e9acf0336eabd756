/* SPDX-License-Identifier: GPL-2.0-or-later */
/* symbols.c - /proc/kallsyms: "ADDRESS TYPE NAME [MODULE]", a line a symbol; of these the functions. */
#include "path/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define KALLSYMS_MAX (64 * 1024 * 1024)

struct symbol {
	uint64_t address;
	const char *name;
};

/* struct symbols - sorted by address; the names point into @text. */
struct symbols {
	char *text;
	struct symbol *v;
	size_t n;
};

static int compare(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

/* One line, which is cut into its words; false for what is no function. */
static bool line_read(char *line, struct symbol *ret)
{
	char *end, *name;

	ret->address = strtoull(line, &end, 16);
	if (end == line || end[0] != ' ' || !end[1] || end[2] != ' ')
		return false;
	if (!strchr("tTwW", end[1]))
		return false;
	name = end + 3;
	name[strcspn(name, " \t")] = '\0';
	ret->name = name;
	return *name;
}

static int lines_read(struct symbols *s)
{
	size_t room = 0;
	char *save = NULL;

	for (char *line = strtok_r(s->text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct symbol symbol;

		if (!line_read(line, &symbol))
			continue;
		if (s->n == room) {
			struct symbol *p;

			room = room ? room * 2 : 65536;
			p = reallocarray(s->v, room, sizeof(*p));
			if (!p)
				return -ENOMEM;
			s->v = p;
		}
		s->v[s->n++] = symbol;
	}
	if (s->n == 0 || s->v[s->n - 1].address == 0)
		return -EPERM;
	qsort(s->v, s->n, sizeof(*s->v), compare);
	return 0;
}

int symbols_parse(const char *text, size_t len, struct symbols **ret)
{
	_cleanup_(symbols_freep) struct symbols *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return -ENOMEM;
	s->text = strndup(text, len);
	if (!s->text)
		return -ENOMEM;
	r = lines_read(s);
	if (r < 0)
		return r;
	*ret = s;
	s = NULL;
	return 0;
}

int symbols_new(struct symbols **ret)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(KALLSYMS_MAX);
	_cleanup_(fd_closep) int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	char chunk[65536];
	ssize_t n;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_append(&text, chunk, (size_t)n);
	if (n < 0)
		return -errno;
	if (text.error)
		return text.error;
	return symbols_parse(buf_str(&text), text.len, ret);
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	free(s->v);
	free(s->text);
	free(s);
}

const char *symbols_find(const struct symbols *s, uint64_t address)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->v[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? s->v[low - 1].name : NULL;
}
