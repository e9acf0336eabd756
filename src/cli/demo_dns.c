/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * demo_dns.c - the demo's Internet resolver: it knows one name, and one address for it (RFC 1035).
 * Not a DNS server for anything else.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/cursor.h"
#include "cli/demo.h"
#include "cli/demo_dns.h"

#define DNS_NAME_MAX 256
#define DNS_QUERY_FLAGS 0xf800u /* QR and the opcode: zero in a plain query */
#define DNS_ANSWER 0x8580u	/* QR, AA, RD, RA */
#define DNS_NXDOMAIN 3u
#define DNS_TYPE_A 1
#define DNS_CLASS_IN 1
#define DNS_NAME_AT_12 0xc00cu /* a pointer to the question's name (RFC 1035 4.1.4) */
#define DNS_TTL_S 60

/* The question's name as text; false when it is not one. */
static bool read_name(struct cursor *c, char ret[static DNS_NAME_MAX])
{
	size_t n = 0;

	for (;;) {
		uint8_t len = cursor_u8(c);
		const uint8_t *label;

		if (len == 0)
			break;
		label = len < 64 ? cursor_take(c, len) : NULL;
		if (!label || n + len + 2 > DNS_NAME_MAX)
			return false;
		if (n)
			ret[n++] = '.';
		memcpy(ret + n, label, len);
		n += len;
	}
	ret[n] = '\0';
	return cursor_ok(c);
}

size_t demo_dns_answer(const uint8_t *query, size_t len, uint8_t out[static DEMO_DNS_MAX])
{
	struct cursor c = cursor_init(query, len);
	struct writer w = writer_init(out, DEMO_DNS_MAX);
	uint16_t id = cursor_be16(&c), flags = cursor_be16(&c), questions = cursor_be16(&c);
	char name[DNS_NAME_MAX];
	uint16_t type, class;
	struct in_addr addr;
	bool known, give;

	cursor_take(&c, 6);
	if (flags & DNS_QUERY_FLAGS || questions != 1 || !read_name(&c, name))
		return 0;
	type = cursor_be16(&c);
	class = cursor_be16(&c);
	if (!cursor_ok(&c) || ip4_parse(DEMO_SERVER_ADDR, &addr))
		return 0;
	known = strcasecmp(name, DEMO_SERVER_NAME) == 0;
	give = known && type == DNS_TYPE_A && class == DNS_CLASS_IN;
	writer_be16(&w, id);
	writer_be16(&w, (uint16_t)(DNS_ANSWER | (known ? 0 : DNS_NXDOMAIN)));
	writer_be16(&w, 1);
	writer_be16(&w, give);
	writer_be32(&w, 0);
	writer_bytes(&w, query + 12, len - c.left - 12);
	if (give) {
		writer_be16(&w, DNS_NAME_AT_12);
		writer_be16(&w, DNS_TYPE_A);
		writer_be16(&w, DNS_CLASS_IN);
		writer_be32(&w, DNS_TTL_S);
		writer_be16(&w, sizeof(addr));
		writer_bytes(&w, &addr, sizeof(addr));
	}
	return w.bad ? 0 : w.len;
}

void demo_dns_run(int fd)
{
	uint8_t query[DEMO_DNS_MAX], out[DEMO_DNS_MAX];
	struct sockaddr_in from;

	for (;;) {
		socklen_t from_len = sizeof(from);
		ssize_t n =
			recvfrom(fd, query, sizeof(query), 0, (struct sockaddr *)&from, &from_len);
		size_t len = n > 0 ? demo_dns_answer(query, (size_t)n, out) : 0;

		if (n < 0 && errno != EINTR)
			_exit(1);
		if (len)
			(void)!sendto(fd, out, len, 0, (struct sockaddr *)&from, from_len);
	}
}
