/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_nft_program.c - a dump of a ruleset, message behind message; whatever becomes of it is then run
 * over one packet at each hook.
 */
// libs: path
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include "path/nft_eval.h"

#define MESSAGE_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* 10.1.0.2:5 > 10.2.0.2:53 */
static const uint8_t frame[] = {2,  0, 0,  0, 0, 2, 2, 0,  0,  0, 0, 1,	 8, 0, 0x45,
				0,  0, 29, 0, 7, 0, 0, 64, 17, 0, 0, 10, 1, 0, 2,
				10, 2, 0,  2, 0, 5, 0, 53, 0,  9, 0, 0,	 65};

static void evaluate(const struct nftprog *p, uint8_t pf, uint32_t hook)
{
	const struct nfteval_at at = {.pf = pf,
				      .hook = hook,
				      .device = "a0",
				      .from = NFTEVAL_FIRST,
				      .to = NFTEVAL_LAST,
				      .now_s = 1000000};
	const struct nfteval_dev dev = {.index = 3, .name = "a0", .type = 1};
	uint8_t *bytes = malloc(sizeof(frame)); /* and no byte more */
	struct nfteval_packet pkt = {.bytes = bytes,
				     .len = sizeof(frame),
				     .network = 14,
				     .protocol = 0x800,
				     .in = &dev,
				     .out = &dev,
				     .ct.state = NFTEVAL_CT_NEW,
				     .ct.family = NFPROTO_IPV4};
	struct nfteval_result r;

	must(bytes != NULL);
	memcpy(bytes, frame, sizeof(frame));
	if (nfteval_run(p, &at, NULL, &pkt, &r) == 0) {
		must(r.n_steps <= NFTEVAL_STEPS_MAX);
		must(nfteval_outcome_name(r.outcome) != NULL);
		must((r.outcome == NFTEVAL_UNKNOWN) == (r.unknown[0] != '\0'));
	}
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t families[] = {NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_BRIDGE, NFPROTO_ARP,
					   NFPROTO_NETDEV};
	struct nftprog *p;
	int r = 0;

	if (nftprog_new(&p))
		return 0;
	while (size >= sizeof(struct nlmsghdr) + 4 && r == 0) {
		struct nlmsghdr head;
		struct nlmsghdr *copy;
		size_t len;

		memcpy(&head, data, sizeof(head));
		len = head.nlmsg_len < sizeof(head) + 4 || head.nlmsg_len > size ? size
										 : head.nlmsg_len;
		len = size_min(len, MESSAGE_MAX);
		copy = malloc(len);
		must(copy != NULL);
		memcpy(copy, data, len);
		copy->nlmsg_len = (uint32_t)len;
		r = nftprog_add(p, copy);
		free(copy);
		len = size_min(size, (len + 3) / 4 * 4);
		data += len;
		size -= len;
	}
	if (nftprog_finish(p) == 0)
		for (size_t i = 0; i < ARRAY_SIZE(families); i++)
			for (uint32_t hook = 0; hook < 5; hook++)
				evaluate(p, families[i], hook);
	nftprog_free(p);
	return 0;
}
