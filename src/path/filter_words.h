/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter_words.h - the words of a capture filter, told apart as libpcap does, and which of them are names.
 *
 * libpcap looks up every word that it does not know as a host's or network's name, in the DNS too: that
 * can take many seconds and tells others what one looks for. So names are refused before libpcap sees
 * them, except where a port's or protocol's is due; those come from /etc/services and /etc/protocols.
 * What is in doubt is taken for a name. Next on the walk: pcap_filter.h.
 */
#ifndef VMLANE_PATH_FILTER_WORDS_H
#define VMLANE_PATH_FILTER_WORDS_H

#include <stddef.h>
#include "base/err.h"

#define FILTER_TEXT_MAX 2048  /* bytes of a filter */
#define FILTER_TOKENS_MAX 512 /* words, addresses, operators of a filter */
#define FILTER_TOKEN_MAX 63   /* bytes of one of them */

enum filter_token_kind {
	FILTER_KEYWORD, /* of libpcap's language, "and" and the like too */
	FILTER_NUMBER,	/* decimal or 0x... */
	FILTER_ADDRESS, /* IPv4 of one to four numbers, IPv6, MAC */
	FILTER_NAME,	/* of a port or a protocol */
	FILTER_SIGN,	/* "(", "/", "&&", ... */
};

struct filter_token {
	enum filter_token_kind kind;
	char text[FILTER_TOKEN_MAX + 1];
};

/* struct filter_tokens - a filter in pieces; @n of them */
struct filter_tokens {
	size_t n;
	struct filter_token items[FILTER_TOKENS_MAX];
};

/*
 * filter_words_check() - take @text apart and refuse what libpcap would have to look up
 *
 * -EINVAL in words: a name where an address is due, a word that is in no filter (with the one that was
 * meant), an address that is none, a character that has no meaning. -E2BIG past the limits above.
 * Whether the words make sense together is for libpcap to say.
 */
int filter_words_check(const char *text, struct filter_tokens *ret, struct err *e) __must_check;

#endif
