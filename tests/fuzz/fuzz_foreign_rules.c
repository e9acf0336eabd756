/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_foreign_rules.c - what nf_tables tells of others' changes: whose they are, and each rule as if it
 * might be one that was put into another firewall's chain. A rule that is read as one of ours is the
 * same when it is written and read again.
 */
// libs: firewall
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "firewall/accepts.h"
#include "firewall/watch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void on_change(const struct fw_change *c, void *ctx)
{
	must(memchr(c->process, '\0', sizeof(c->process)) != NULL);
	++*(size_t *)ctx;
}

static void there_and_back(const struct fw_accept *a)
{
	_Alignas(struct nlmsghdr) char buf[2048];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct fw_accept back;
	bool changed;

	mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
	accept_put(nlh, a);
	must(accept_read(nlh, &back, &changed));
	must(!changed && memcmp(&back, a, sizeof(back)) == 0);
}

static void read_rules(const uint8_t *data, size_t size)
{
	while (size >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr *nlh = malloc(size); /* aligned, and no byte more */
		struct fw_accept a;
		bool changed;
		size_t step;

		if (!nlh)
			return;
		memcpy(nlh, data, size);
		step = nlh->nlmsg_len;
		if (step >= sizeof(*nlh) && step <= size && accept_read(nlh, &a, &changed) &&
		    !changed)
			there_and_back(&a);
		free(nlh);
		if (step < sizeof(*nlh) || step > size)
			return;
		step = size_min((step + 3) & ~(size_t)3, size);
		data += step;
		size -= step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy = calloc(1, size ? size : 1);
	struct fw_change open = {0};
	size_t told = 0;

	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	fw_watch_take(copy, size, &open, on_change, &told);
	must(told <= size / sizeof(struct nlmsghdr));
	free(copy);
	read_rules(data, size);
	return 0;
}
