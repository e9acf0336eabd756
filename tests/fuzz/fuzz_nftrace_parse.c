/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_nftrace_parse.c - trace messages one behind the other: each alone, its copy, and all that are
 * whole folded into verdicts, as if they were about one packet.
 */
// libs: path
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include "path/verdicts.h"

#define MSGS_MAX 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct nftrace_msg *m, const uint8_t *from, size_t size)
{
	const uint8_t *end = from + size;

	must((const uint8_t *)m->table >= from && (const uint8_t *)m->table < end);
	must(strlen(m->table) && strlen(m->table) <= NFTRACE_NAME_MAX);
	must(strlen(m->chain) && strlen(m->chain) <= NFTRACE_NAME_MAX);
	must(!m->l3.len || (m->l3.p >= from && m->l3.p + m->l3.len <= end));
	must(nftrace_verdict_name(m->verdict) != NULL);
}

static void fold(struct nftrace_msg *const *msgs, size_t n)
{
	struct buf out = BUF_INIT(1 << 20);
	struct verdict v[8];
	size_t k = verdicts_fold((const struct nftrace_msg *const *)msgs, n, v, ARRAY_SIZE(v));
	struct path_decision d;

	must(k <= ARRAY_SIZE(v));
	for (size_t i = 0; i < k; i++) {
		must(v[i].n_steps <= VERDICT_STEPS_MAX);
		must(v[i].by != VERDICT_UNKNOWN || !v[i].whole);
		verdict_print(&v[i], NULL, &out);
		verdict_decision(&v[i], NULL, &d);
	}
	buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nftrace_msg *msgs[MSGS_MAX];
	size_t n = 0;

	while (size >= sizeof(struct nlmsghdr) && n < MSGS_MAX) {
		struct nlmsghdr head;
		struct nftrace_msg m;
		size_t len;
		void *copy;

		memcpy(&head, data, sizeof(head));
		len = size_min(size, head.nlmsg_len < sizeof(head) ? size : head.nlmsg_len);
		copy = malloc(len); /* aligned, and no byte more */
		must(copy != NULL);
		memcpy(copy, data, len);
		if (nftrace_parse(copy, len, &m) == 0) {
			check(&m, copy, len);
			m.number = (uint32_t)n;
			msgs[n] = nftrace_msg_copy(&m);
			must(msgs[n] && strcmp(msgs[n]->chain, m.chain) == 0);
			n++;
		}
		free(copy);
		len = size_min(size, (len + 3) / 4 * 4);
		data += len;
		size -= len;
	}
	fold(msgs, n);
	while (n)
		free(msgs[--n]);
	return 0;
}
