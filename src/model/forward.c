/* SPDX-License-Identifier: GPL-2.0-or-later */
/* forward.c - see forward.h. Next on the walk: config_forward.c reads them, forward_check.c compares. */
#include "model/forward.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"

static const struct {
	const char *name;
	uint8_t number;
} protos[] = {
	[FORWARD_TCP] = {"tcp", IPPROTO_TCP},
	[FORWARD_UDP] = {"udp", IPPROTO_UDP},
};
static_assert(ARRAY_SIZE(protos) == FORWARD_PROTO_COUNT, "a name for every protocol");

const char *forward_proto_name(enum forward_proto p)
{
	assert(p < FORWARD_PROTO_COUNT);
	return protos[p].name;
}

uint8_t forward_proto_number(enum forward_proto p)
{
	assert(p < FORWARD_PROTO_COUNT);
	return protos[p].number;
}

/* ---- text ---- */

#define WORD_MAX 32

/* What is from @p to @end, without the blanks around it, into @ret; "" when it is too long. */
static const char *cut(const char *p, const char *end, char ret[static WORD_MAX])
{
	while (p < end && *p == ' ')
		p++;
	while (p < end && end[-1] == ' ')
		end--;
	snprintf(ret, WORD_MAX, "%.*s", end - p < WORD_MAX ? (int)(end - p) : 0, p);
	return ret;
}

static int parse_proto(const char *word, enum forward_proto *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(protos); i++)
		if (strcmp(word, protos[i].name) == 0) {
			*ret = (enum forward_proto)i;
			return 0;
		}
	return -EINVAL;
}

static int parse_port(const char *word, uint16_t *ret, const char **ret_why)
{
	uint32_t port;
	int r = text_u32(word, 1, UINT16_MAX, &port);

	if (r == -ERANGE)
		*ret_why = "a port is not within 1 to 65535";
	if (r < 0)
		return -EINVAL;
	*ret = (uint16_t)port;
	return 0;
}

/* "PORT" or "PORT-PORT" */
static int parse_ports(const char *word, struct forward *f, const char **ret_why)
{
	const char *dash = strchrnul(word, '-');
	char first[WORD_MAX];

	snprintf(first, sizeof(first), "%.*s", (int)(dash - word), word);
	if (parse_port(first, &f->first, ret_why) < 0)
		return -EINVAL;
	f->last = f->first;
	if (*dash && parse_port(dash + 1, &f->last, ret_why) < 0)
		return -EINVAL;
	if (f->last < f->first) {
		*ret_why = "its ports begin after their end";
		return -EINVAL;
	}
	return 0;
}

static int parse_addr(const char *word, struct in_addr *ret, const char **ret_why)
{
	struct in_addr a;

	if (ip4_parse(word, &a) < 0)
		return -EINVAL;
	if (ip4_host(a) >> 24 == 0) {
		*ret_why = "that is no address of a host; all of the host's are meant without one";
		return -EINVAL;
	}
	if (ip4_host(a) >= 0xe0000000u) {
		*ret_why = "a multicast, broadcast or reserved address is no host's own";
		return -EINVAL;
	}
	*ret = a;
	return 0;
}

static int check_ranges(const struct forward *f, const char **ret_why)
{
	if (forward_ports(f) > FORWARD_RANGE_MAX)
		*ret_why = "these are more than 16384 ports";
	else if (f->to + forward_ports(f) - 1 > UINT16_MAX)
		*ret_why = "the guest's ports would go beyond 65535";
	else
		return 0;
	return -EINVAL;
}

int forward_parse(const char *text, struct forward *ret, const char **ret_why)
{
	const char *arrow = strstr(text, "->"), *blank = strchrnul(text, ' '), *colon;
	struct forward f = {0};
	char word[WORD_MAX];

	*ret_why = NULL;
	if (!arrow || blank > arrow || parse_proto(cut(text, blank, word), &f.proto) < 0)
		return -EINVAL;
	colon = memchr(blank, ':', (size_t)(arrow - blank));
	if (colon && parse_addr(cut(blank, colon, word), &f.addr, ret_why) < 0)
		return -EINVAL;
	if (parse_ports(cut(colon ? colon + 1 : blank, arrow, word), &f, ret_why) < 0)
		return -EINVAL;
	if (parse_port(cut(arrow + 2, strchr(arrow, '\0'), word), &f.to, ret_why) < 0)
		return -EINVAL;
	if (check_ranges(&f, ret_why) < 0)
		return -EINVAL;
	*ret = f;
	return 0;
}

const char *forward_format(const struct forward *f, char buf[static FORWARD_STRLEN])
{
	char addr[IP4_STRLEN], last[sizeof("-65535")] = "";

	if (f->last != f->first)
		snprintf(last, sizeof(last), "-%u", f->last);
	snprintf(buf, FORWARD_STRLEN, "%s %s%s%u%s -> %u", forward_proto_name(f->proto),
		 forward_any(f) ? "" : ip4_format(f->addr, addr), forward_any(f) ? "" : ":",
		 f->first, last, f->to);
	return buf;
}

/* ---- comparing ---- */

bool forward_same(const struct forward *a, const struct forward *b)
{
	return a->proto == b->proto && ip4_equal(a->addr, b->addr) && a->first == b->first &&
	       a->last == b->last && a->to == b->to;
}

bool forwards_equal(const struct forward *a, size_t n_a, const struct forward *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++)
		if (!forward_same(&a[i], &b[i]))
			return false;
	return true;
}

bool forward_takes(const struct forward *f, enum forward_proto proto, struct in_addr addr,
		   uint16_t port)
{
	return f->proto == proto && f->first <= port && port <= f->last &&
	       (forward_any(f) || addr.s_addr == INADDR_ANY || ip4_equal(f->addr, addr));
}
