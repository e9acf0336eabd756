/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter_words.c - see filter_words.h.
 *
 * libpcap takes a word that is no keyword by what stands before it: after "port" it is a port, and in
 * "port http or https" the second still is, since a word without a qualifier has that of the one
 * before; parentheses have the one from before them, inside and behind. The same is kept here
 * (struct reader.due), and reset by whatever else comes, so that a name gets through only where
 * libpcap asks /etc/services or /etc/protocols. A name must end its condition, lest it is a keyword
 * that only libpcap knows and that says what the next word is.
 */
#include "path/filter_words.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "base/addr.h"
#include "base/text.h"

#define DEPTH_MAX 64

/* enum due - what a name would be at this place */
enum due {
	DUE_ADDRESS,
	DUE_PORT,
	DUE_PROTOCOL,
};

/* enum effect - what a keyword does to what is due behind it */
enum effect {
	TO_ADDRESS,
	TO_PORT,
	TO_PROTOCOL,
	TO_SAME,
};

struct keyword {
	const char *word;
	enum effect effect;
};

/* The language's words as far as they can match in Ethernet frames; libpcap 1.10 knows all of them. */
static const struct keyword keywords[] = {
	{"and", TO_SAME},
	{"or", TO_SAME},
	{"not", TO_SAME},
	{"port", TO_PORT},
	{"portrange", TO_PORT},
	{"proto", TO_PROTOCOL},
	{"protochain", TO_PROTOCOL},
	{"src", TO_ADDRESS},
	{"dst", TO_ADDRESS},
	{"host", TO_ADDRESS},
	{"net", TO_ADDRESS},
	{"mask", TO_ADDRESS},
	{"gateway", TO_ADDRESS},
	{"ether", TO_ADDRESS},
	{"link", TO_ADDRESS},
	{"ip", TO_ADDRESS},
	{"ip6", TO_ADDRESS},
	{"arp", TO_ADDRESS},
	{"rarp", TO_ADDRESS},
	{"tcp", TO_ADDRESS},
	{"udp", TO_ADDRESS},
	{"sctp", TO_ADDRESS},
	{"icmp", TO_ADDRESS},
	{"icmp6", TO_ADDRESS},
	{"igmp", TO_ADDRESS},
	{"igrp", TO_ADDRESS},
	{"pim", TO_ADDRESS},
	{"vrrp", TO_ADDRESS},
	{"carp", TO_ADDRESS},
	{"ah", TO_ADDRESS},
	{"esp", TO_ADDRESS},
	{"stp", TO_ADDRESS},
	{"llc", TO_ADDRESS},
	{"iso", TO_ADDRESS},
	{"broadcast", TO_ADDRESS},
	{"multicast", TO_ADDRESS},
	{"inbound", TO_ADDRESS},
	{"outbound", TO_ADDRESS},
	{"less", TO_ADDRESS},
	{"greater", TO_ADDRESS},
	{"len", TO_ADDRESS},
	{"length", TO_ADDRESS},
	{"byte", TO_ADDRESS},
	{"vlan", TO_ADDRESS},
	{"mpls", TO_ADDRESS},
	{"pppoed", TO_ADDRESS},
	{"pppoes", TO_ADDRESS},
	{"geneve", TO_ADDRESS},
	{"icmptype", TO_ADDRESS},
	{"icmpcode", TO_ADDRESS},
	{"icmp-echoreply", TO_ADDRESS},
	{"icmp-unreach", TO_ADDRESS},
	{"icmp-sourcequench", TO_ADDRESS},
	{"icmp-redirect", TO_ADDRESS},
	{"icmp-echo", TO_ADDRESS},
	{"icmp-routeradvert", TO_ADDRESS},
	{"icmp-routersolicit", TO_ADDRESS},
	{"icmp-timxceed", TO_ADDRESS},
	{"icmp-paramprob", TO_ADDRESS},
	{"icmp-tstamp", TO_ADDRESS},
	{"icmp-tstampreply", TO_ADDRESS},
	{"icmp6type", TO_ADDRESS},
	{"icmp6code", TO_ADDRESS},
	{"icmp6-destinationunreach", TO_ADDRESS},
	{"icmp6-packettoobig", TO_ADDRESS},
	{"icmp6-timeexceeded", TO_ADDRESS},
	{"icmp6-parameterproblem", TO_ADDRESS},
	{"icmp6-echo", TO_ADDRESS},
	{"icmp6-echoreply", TO_ADDRESS},
	{"icmp6-routersolicit", TO_ADDRESS},
	{"icmp6-routeradvert", TO_ADDRESS},
	{"icmp6-neighborsolicit", TO_ADDRESS},
	{"icmp6-neighboradvert", TO_ADDRESS},
	{"icmp6-redirect", TO_ADDRESS},
	{"tcpflags", TO_ADDRESS},
	{"tcp-fin", TO_ADDRESS},
	{"tcp-syn", TO_ADDRESS},
	{"tcp-rst", TO_ADDRESS},
	{"tcp-push", TO_ADDRESS},
	{"tcp-ack", TO_ADDRESS},
	{"tcp-urg", TO_ADDRESS},
	{"tcp-ece", TO_ADDRESS},
	{"tcp-cwr", TO_ADDRESS},
};

/**
 * struct reader - where we are in the text
 * @due:	what a name would be here
 * @outer:	what was due before each "(" that is open, @depth of them
 * @brackets:	"[" that are open: within them ":" separates numbers
 * @after_name:	the last token was a name
 */
struct reader {
	const char *at;
	enum due due;
	enum due outer[DEPTH_MAX];
	size_t depth;
	size_t brackets;
	bool after_name;
	struct filter_tokens *out;
	struct err *e;
};

static const struct keyword *keyword_find(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (!strcmp(keywords[i].word, word))
			return &keywords[i];
	return NULL;
}

static const char *keyword_near(const char *word)
{
	const char *words[ARRAY_SIZE(keywords)];
	char lower[FILTER_TOKEN_MAX + 1];
	size_t len = strlen(word);

	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		words[i] = keywords[i].word;
	for (size_t i = 0; i <= len; i++)
		lower[i] = (char)tolower((unsigned char)word[i]);
	return text_suggest(lower, words, ARRAY_SIZE(keywords));
}

/* ---- what a word is ---- */

static bool is_number(const char *s)
{
	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return s[2] && strspn(s + 2, "0123456789abcdefABCDEF") == strlen(s + 2);
	return *s && strspn(s, "0123456789") == strlen(s);
}

/* "10.1" and "10.1.2" are networks to libpcap, whose parts nobody else looks at. */
static bool is_ip4(const char *s, bool *ret_in_range)
{
	unsigned int parts = 0;

	*ret_in_range = true;
	for (;;) {
		size_t digits = strspn(s, "0123456789");
		unsigned int value = 0;

		if (!digits)
			return false;
		for (size_t i = 0; i < digits && value < 1000; i++)
			value = value * 10 + (unsigned int)(s[i] - '0');
		if (value > 255)
			*ret_in_range = false;
		parts++;
		s += digits;
		if (*s != '.')
			break;
		s++;
	}
	return !*s && parts >= 2 && parts <= 4;
}

static bool is_colon_address(const char *s)
{
	struct in6_addr a6;
	struct mac mac;

	return inet_pton(AF_INET6, s, &a6) == 1 || mac_parse(s, &mac) == 0;
}

/* ---- errors ---- */

static int refuse_name(const struct reader *r, const char *word)
{
	const char *near = keyword_near(word);

	if (near)
		return err_set(r->e, -EINVAL, "filter", word,
			       "no word of a filter; did you mean \"%s\"?", near);
	return err_set(
		r->e, -EINVAL, "filter", word,
		"no word of a filter, and names are not looked up (that could take long, and "
		"would show in the capture): give the address, as in \"host 8.8.8.8\"");
}

static int refuse_address(const struct reader *r, const char *word)
{
	return err_set(r->e, -EINVAL, "filter", word,
		       "neither an IPv6 address nor a MAC address such as 52:54:00:39:d3:fe");
}

/* ---- the pieces ---- */

static int token_add(struct reader *r, enum filter_token_kind kind, const char *text, size_t len)
{
	struct filter_token *t = &r->out->items[r->out->n];

	if (r->out->n >= FILTER_TOKENS_MAX)
		return err_set(r->e, -E2BIG, "filter", NULL,
			       "the filter has more than %d words and signs", FILTER_TOKENS_MAX);
	if (len > FILTER_TOKEN_MAX)
		return err_set(r->e, -E2BIG, "filter", NULL,
			       "a word of the filter has more than %d characters",
			       FILTER_TOKEN_MAX);
	t->kind = kind;
	memcpy(t->text, text, len);
	t->text[len] = '\0';
	r->out->n++;
	return 0;
}

static void keyword_apply(struct reader *r, const struct keyword *k)
{
	switch (k->effect) {
	case TO_ADDRESS:
		r->due = DUE_ADDRESS;
		break;
	case TO_PORT:
		r->due = DUE_PORT;
		break;
	case TO_PROTOCOL:
		r->due = DUE_PROTOCOL;
		break;
	case TO_SAME:
		break;
	}
}

static int word_classify(struct reader *r, struct filter_token *t)
{
	const struct keyword *k = keyword_find(t->text);
	bool in_range;

	if (k) {
		t->kind = FILTER_KEYWORD;
		keyword_apply(r, k);
		return 0;
	}
	if (strchr(t->text, ':')) {
		t->kind = FILTER_ADDRESS;
		return is_colon_address(t->text) ? 0 : refuse_address(r, t->text);
	}
	if (is_number(t->text)) {
		t->kind = FILTER_NUMBER;
		return 0;
	}
	if (is_ip4(t->text, &in_range)) {
		t->kind = FILTER_ADDRESS;
		return in_range ? 0
				: err_set(r->e, -EINVAL, "filter", t->text,
					  "not an IPv4 address: its numbers go up to 255");
	}
	t->kind = FILTER_NAME;
	if (r->due == DUE_ADDRESS || !isalnum((unsigned char)t->text[0]))
		return refuse_name(r, t->text);
	return 0;
}

static int word_read(struct reader *r)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-:";
	size_t len = strspn(r->at, letters);
	int err;

	if (r->brackets)
		len = strcspn(r->at, ":") < len ? strcspn(r->at, ":") : len;
	err = token_add(r, FILTER_NAME, r->at, len);
	if (err)
		return err;
	r->at += len;
	return word_classify(r, &r->out->items[r->out->n - 1]);
}

/* "\tcp" is the name of a protocol that would be a keyword without the stroke. */
static int escaped_read(struct reader *r)
{
	size_t len = 1;
	int err;

	while (isalnum((unsigned char)r->at[len]) || r->at[len] == '-')
		len++;
	err = token_add(r, FILTER_NAME, r->at, len);
	if (err)
		return err;
	if (len == 1 || r->due == DUE_ADDRESS)
		return refuse_name(r, r->out->items[r->out->n - 1].text);
	r->at += len;
	return 0;
}

static int sign_apply(struct reader *r, char c)
{
	switch (c) {
	case '(':
		if (r->depth >= DEPTH_MAX)
			return err_set(r->e, -E2BIG, "filter", NULL,
				       "more than %d parentheses within each other", DEPTH_MAX);
		r->outer[r->depth++] = r->due;
		break;
	case ')':
		r->due = r->depth ? r->outer[--r->depth] : DUE_ADDRESS;
		break;
	case '[':
		r->brackets++;
		r->due = DUE_ADDRESS;
		break;
	case ']':
		r->brackets -= r->brackets > 0;
		break;
	}
	return 0;
}

/* The signs of two characters, "||" say, before those of one. */
static int sign_read(struct reader *r)
{
	static const char *const pairs[] = {"&&", "||", ">=", "<=", "!=", "==", "<<", ">>"};
	static const char singles[] = "()[]!<>=+-*/%&|^:";
	size_t len = 0;
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		if (!strncmp(r->at, pairs[i], 2))
			len = 2;
	if (!len && strchr(singles, *r->at))
		len = 1;
	if (!len)
		return err_set(r->e, -EINVAL, "filter", NULL,
			       isprint((unsigned char)*r->at)
				       ? "the character \"%c\" has no meaning in a filter"
				       : "byte 0x%02x has no meaning in a filter",
			       (unsigned char)*r->at);
	err = token_add(r, FILTER_SIGN, r->at, len);
	if (!err)
		err = sign_apply(r, len == 1 ? *r->at : '\0');
	r->at += len;
	return err;
}

static bool ends_condition(const struct filter_token *t)
{
	static const char *const ends[] = {"and", "or", "&&", "||", ")"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		if (!strcmp(t->text, ends[i]))
			return true;
	return false;
}

/* Each token on its way: does it stand where it may, behind a name? */
static int order_check(struct reader *r)
{
	const struct filter_token *t = &r->out->items[r->out->n - 1];

	if (r->after_name && !ends_condition(t))
		return err_set(r->e, -EINVAL, "filter", t->text,
			       "after the name \"%s\" only \"and\", \"or\" or \")\" can follow",
			       r->out->items[r->out->n - 2].text);
	r->after_name = t->kind == FILTER_NAME;
	return 0;
}

/* Where ":" may begin a word ("::1"), and where it is a sign ("ip[0:2]"). */
static bool begins_word(const struct reader *r)
{
	if (isalnum((unsigned char)*r->at) || *r->at == '_' || *r->at == '.')
		return true;
	return *r->at == ':' && !r->brackets;
}

int filter_words_check(const char *text, struct filter_tokens *ret, struct err *e)
{
	struct reader r = {.at = text, .out = ret, .e = e};
	int err = 0;

	ret->n = 0;
	if (strnlen(text, FILTER_TEXT_MAX + 1) > FILTER_TEXT_MAX)
		return err_set(e, -E2BIG, "filter", NULL, "the filter has more than %d characters",
			       FILTER_TEXT_MAX);
	while (!err) {
		r.at += strspn(r.at, " \t\r\n");
		if (!*r.at)
			break;
		if (begins_word(&r))
			err = word_read(&r);
		else if (*r.at == '\\')
			err = escaped_read(&r);
		else
			err = sign_read(&r);
		if (!err)
			err = order_check(&r);
	}
	return err;
}
