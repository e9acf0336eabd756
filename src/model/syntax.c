/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * syntax.c - see syntax.h. libyaml says "did not find expected key"; a person wants to hear what
 * is wrong with which line.
 */
#include "model/syntax.h"

#include <stdio.h>
#include <string.h>

static struct location mark_location(const yaml_mark_t *m)
{
	return (struct location){(unsigned int)m->line + 1, (unsigned int)m->column + 1};
}

static bool continues_char(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The character that libyaml counts as the @index-th; all before it was valid UTF-8. */
static const char *find_char(const char *text, size_t len, size_t index)
{
	const char *end = text + len;

	while (text < end && index > 0) {
		text++;
		while (text < end && continues_char(*text))
			text++;
		index--;
	}
	return text;
}

/* The first tab in the white space that begins the line @p lies in, or NULL. */
static const char *indent_tab(const char *text, size_t len, const char *p)
{
	const char *end = text + len;

	while (p > text && p[-1] != '\n' && p[-1] != '\r')
		p--;
	while (p < end && *p == ' ')
		p++;
	return p < end && *p == '\t' ? p : NULL;
}

/* The line and column of byte @p of @text; there is a byte after each before @p. */
static struct location byte_location(const char *text, const char *p)
{
	struct location at = {1, 1};

	for (; text < p; text++) {
		if (*text == '\n' || (*text == '\r' && text[1] != '\n')) {
			at.line++;
			at.col = 1;
		} else if (!continues_char(*text)) {
			at.col++;
		}
	}
	return at;
}

static void reader_mistake(struct document *d, const yaml_parser_t *p, const char *text, size_t len)
{
	const char *bad = text + size_min(p->problem_offset, len);
	struct location at = byte_location(text, bad);

	if (strstr(p->problem, "control characters") && p->problem_value == 0)
		document_mistake(d, at, "syntax", "a NUL byte; this is not a text file");
	else if (strstr(p->problem, "control characters"))
		document_mistake(d, at, "syntax", "the control character U+%04X is not allowed",
				 (unsigned int)p->problem_value);
	else
		document_mistake(d, at, "syntax", "not UTF-8 text (byte 0x%02x)",
				 bad < text + len ? (unsigned char)*bad : 0U);
}

/**
 * struct wording - what to say for one of libyaml's problems
 * @problem:	libyaml's words
 * @words:	ours; %u is the line where the construct began
 * @at_start:	the place to mend is where the construct began, not where it failed
 */
struct wording {
	const char *problem;
	const char *words;
	bool at_start;
};

static const struct wording wordings[] = {
	{"could not find expected ':'", "not a `key: value` line", true},
	{"found unexpected end of stream", "the quote that opens here is never closed", true},
	{"found unexpected document indicator", "the quote that opens here is never closed", true},
	{"mapping values are not allowed in this context",
	 "a `: ` is not allowed here; check the indentation, and quote text that has `: ` in it",
	 false},
	{"mapping keys are not allowed in this context", "a `? ` is not allowed here", false},
	{"block sequence entries are not allowed in this context",
	 "a `- ` is not allowed here; begin the list in a line of its own", false},
	{"did not find expected key",
	 "the indentation does not fit the keys that begin in line %u, or something follows a "
	 "value",
	 false},
	{"did not find expected '-' indicator",
	 "expected another `- ` of the list that begins in line %u; check the indentation", false},
	{"did not find expected ',' or ']'",
	 "expected `,` or `]`, for the `[` that opens in line %u", false},
	{"did not find expected ',' or '}'",
	 "expected `,` or `}`, for the `{` that opens in line %u", false},
	{"did not find expected node content", "a value is missing here", false},
	{"did not find expected <document start>", "unexpected text after the end of the document",
	 false},
	{"found unknown escape character",
	 "unknown escape after `\\`; in single quotes a `\\` stands for itself", false},
	{"did not find expected comment or line break", "only a comment may follow here", false},
	{"did not find expected alphabetic or numeric character",
	 "anchors (&) and aliases (*) are not taken; quote text that begins with & or *", false},
	{"found undefined tag handle", "tags (!) are not taken; quote text that begins with !",
	 false},
};

static const struct wording *find_wording(const char *problem)
{
	for (size_t i = 0; i < ARRAY_SIZE(wordings); i++)
		if (strcmp(problem, wordings[i].problem) == 0)
			return &wordings[i];
	return NULL;
}

/*
 * Between { } and [ ] tabs are as good as spaces: JSON is written so. The scanner may be past the
 * closing bracket already when the parser complains, so its level does not tell alone.
 */
static bool in_brackets(const yaml_parser_t *p)
{
	return p->flow_level > 0 || (p->context && strstr(p->context, "flow"));
}

static bool tab_mistake(struct document *d, const yaml_parser_t *parser, const char *text,
			size_t len, const char *p)
{
	const char *tab = in_brackets(parser) ? NULL : indent_tab(text, len, p);

	if (!tab)
		return false;
	document_mistake(d, byte_location(text, tab), "tab",
			 "a tab is used for indentation; use spaces");
	return true;
}

/* "cannot start any token": of printable characters these are %, @ and `. */
static bool start_mistake(struct document *d, const yaml_parser_t *p, const char *bad,
			  const char *end)
{
	if (!strstr(p->problem, "cannot start any token") || bad >= end)
		return false;
	if (*bad == '\t')
		document_mistake(d, mark_location(&p->problem_mark), "tab",
				 "a tab is not allowed here; use spaces");
	else
		document_mistake(d, mark_location(&p->problem_mark), "syntax",
				 "text cannot begin with '%c'; put it in quotes", *bad);
	return true;
}

/* "did not find expected key" in the middle of a line: it is no question of indentation. */
static bool after_value_mistake(struct document *d, const yaml_parser_t *p, const char *text,
				const char *bad)
{
	if (strcmp(p->problem, "did not find expected key") != 0)
		return false;
	while (bad > text && bad[-1] == ' ')
		bad--;
	if (bad == text || bad[-1] == '\n' || bad[-1] == '\r')
		return false;
	document_mistake(d, mark_location(&p->problem_mark), "syntax",
			 "unexpected text after a value; put all of the value in quotes");
	return true;
}

static const yaml_mark_t *context_mark(const yaml_parser_t *p)
{
	return p->context ? &p->context_mark : &p->problem_mark;
}

static void wording_mistake(struct document *d, const yaml_parser_t *p)
{
	const struct wording *w = find_wording(p->problem);
	const yaml_mark_t *start = context_mark(p);
	const yaml_mark_t *mark = w && w->at_start ? start : &p->problem_mark;
	const char *line = w ? strstr(w->words, "%u") : NULL;

	if (!w)
		document_mistake(d, mark_location(mark), "syntax", "not valid YAML: %s",
				 p->problem);
	else if (!line)
		document_mistake(d, mark_location(mark), "syntax", "%s", w->words);
	else
		document_mistake(d, mark_location(mark), "syntax", "%.*s%zu%s",
				 (int)(line - w->words), w->words, start->line + 1, line + 2);
}

void syntax_mistake(struct document *d, const yaml_parser_t *p, const char *text, size_t len)
{
	const char *bad = find_char(text, len, p->problem_mark.index);
	const char *start = find_char(text, len, context_mark(p)->index);

	if (p->error == YAML_READER_ERROR) {
		reader_mistake(d, p, text, len);
		return;
	}
	if (tab_mistake(d, p, text, len, bad) || tab_mistake(d, p, text, len, start) ||
	    start_mistake(d, p, bad, text + len) || after_value_mistake(d, p, text, bad))
		return;
	wording_mistake(d, p);
}
