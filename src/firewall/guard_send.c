/* SPDX-License-Identifier: GPL-2.0-or-later */
/* guard_send.c - see guard_send.h. A key's parts are padded to four bytes each (nf_tables' NFT_REG32). */
#include "firewall/guard_send.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/netfilter.h, which knows of it then */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "firewall/batch.h"
#include "firewall/guard_chains.h"

#define TABLE "vmlane"
#define BATCH_MAX 1024 /* a third of it is used */
#define MAC_PADDED 8

static void put_element(struct nlmsghdr *nlh, const char *set, const void *key, size_t len)
{
	struct nlattr *list, *item, *data;

	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, set);
	list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
	item = mnl_attr_nest_start(nlh, NFTA_LIST_ELEM);
	data = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_KEY);
	mnl_attr_put(nlh, NFTA_DATA_VALUE, len, key);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, item);
	mnl_attr_nest_end(nlh, list);
}

static int send_element(struct mnl_socket *socket, const char *set, const void *key, size_t len,
			bool add)
{
	_Alignas(struct nlmsghdr) char buf[2 * BATCH_MAX];
	struct mnl_nlmsg_batch *batch = mnl_nlmsg_batch_start(buf, BATCH_MAX);
	uint32_t seq = 0, last;
	int r = 0;

	if (!batch)
		return -ENOMEM;
	fw_batch_put(batch, NFNL_MSG_BATCH_BEGIN, 0, NFPROTO_BRIDGE, &seq);
	mnl_nlmsg_batch_next(batch);
	put_element(fw_batch_put(batch, add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM,
				 NLM_F_ACK | (add ? NLM_F_CREATE : 0), NFPROTO_BRIDGE, &seq),
		    set, key, len);
	last = seq;
	mnl_nlmsg_batch_next(batch);
	fw_batch_put(batch, NFNL_MSG_BATCH_END, 0, NFPROTO_BRIDGE, &seq);
	mnl_nlmsg_batch_next(batch);
	if (mnl_socket_sendto(socket, mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch)) < 0)
		r = -errno;
	mnl_nlmsg_batch_stop(batch);
	return r < 0 ? r : fw_batch_answers(socket, last);
}

int guard_send_pair(struct mnl_socket *socket, const struct fw_guard_port *p,
		    const struct fw_guard_pair *pair, bool add)
{
	uint8_t key[IFNAMSIZ + MAC_PADDED + sizeof(pair->addr)] = {0};
	size_t len = IFNAMSIZ;

	snprintf((char *)key, IFNAMSIZ, "%s", p->ifname);
	if (p->guards & 1u << GUARD_MAC) {
		memcpy(key + len, pair->mac.b, sizeof(pair->mac.b));
		len += MAC_PADDED;
	}
	memcpy(key + len, &pair->addr, sizeof(pair->addr));
	len += sizeof(pair->addr);
	return send_element(socket, guard_pair_set(fw_guard_mask(p)), key, len, add);
}

unsigned int guard_send_forget(struct mnl_socket *socket, const char *ifname)
{
	uint8_t key[IFNAMSIZ] = {0};
	unsigned int done = 0;
	char set[32];

	snprintf((char *)key, IFNAMSIZ, "%s", ifname);
	for (enum guard g = 0; g < GUARD_COUNT; g++) {
		snprintf(set, sizeof(set), "dropped_%s", guard_name(g));
		done += send_element(socket, set, key, sizeof(key), false) == 0;
	}
	return done;
}
