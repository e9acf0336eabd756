/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_nflog_parse.c - messages of NFLOG one behind the other, and the packets in them in words. */
// libs: firewall base
#include <stdlib.h>
#include <string.h>
#include "firewall/nflog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void say(const uint8_t *data, size_t len)
{
	struct in_addr dst;
	char words[160], few[8];

	nflog_words(data, len, words, sizeof(words), &dst);
	must(strlen(words) > 0 && strlen(words) < sizeof(words) - 1);
	nflog_words(data, len, few, sizeof(few), NULL);
	must(strncmp(words, few, strlen(few)) == 0);
}

static void check(const struct nflog_packet *p, const uint8_t *from, size_t len)
{
	must(p->data >= from && p->data + p->len <= from + len);
	must(memchr(p->prefix, '\0', sizeof(p->prefix)) != NULL);
	say(p->data, p->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	say(data, size);
	while (size >= sizeof(struct nlmsghdr)) {
		struct nflog_packet p;
		struct nlmsghdr head;
		size_t len;
		void *copy;

		memcpy(&head, data, sizeof(head));
		len = size_min(size, head.nlmsg_len < sizeof(head) ? size : head.nlmsg_len);
		copy = malloc(len); /* aligned, and no byte more */
		must(copy != NULL);
		memcpy(copy, data, len);
		if (nflog_parse(copy, len, &p) == 0)
			check(&p, copy, len);
		free(copy);
		len = size_min(size, (len + 3) / 4 * 4);
		data += len;
		size -= len;
	}
	return 0;
}
