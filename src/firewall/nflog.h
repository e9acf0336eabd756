/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nflog.h - packets that rules tell of (`log` of a policy's rule), by nf_tables' log to a group of
 * NFLOG. While nobody listens to the group, the kernel throws them away at no cost.
 */
#ifndef VMLANE_FIREWALL_NFLOG_H
#define VMLANE_FIREWALL_NFLOG_H

#include <linux/netlink.h>
#include <stdint.h>
#include "base/addr.h"
#include "base/err.h"

#define NFLOG_PREFIX_MAX 128
#define NFLOG_COPY 128 /* bytes of each packet: its headers */

/**
 * struct nflog_packet - one that was told
 * @prefix:	of the rule
 * @has_mac:	@mac is its source's
 * @data:	from the IP header on, @len bytes; valid until the next call, or while the message is
 */
struct nflog_packet {
	char prefix[NFLOG_PREFIX_MAX];
	bool has_mac;
	struct mac mac;
	const uint8_t *data;
	size_t len;
};

struct nflog;

/* nflog_new() - listen to @group of this network namespace. -EBUSY: somebody else does. */
int nflog_new(uint16_t group, struct nflog **ret, struct err *e) __must_check;
void nflog_free(struct nflog *l);
/* nflog_fd() - readable when there are packets. */
int nflog_fd(const struct nflog *l);
typedef void (*nflog_fn)(const struct nflog_packet *p, void *ctx);
/* nflog_read() - tell of those that are there, at most some 100. 0 or -errno; -ENOBUFS: some are lost. */
int nflog_read(struct nflog *l, nflog_fn fn, void *ctx) __must_check;

/*
 * nflog_parse() - the packet of one message of @len bytes, which has to be aligned as the struct is; its data
 * lives in the message. -ENOMSG: it is another message; -EBADMSG: it is cut short, or without a packet.
 */
int nflog_parse(const struct nlmsghdr *nlh, size_t len, struct nflog_packet *ret) __must_check;

/*
 * nflog_words() - "tcp 192.168.122.10:4242 > 198.51.100.7:25" into @buf of @size; "?" for what is no IP
 * packet. @dst, if not NULL, gets the destination when it is an IPv4 address, else 0.0.0.0.
 */
void nflog_words(const uint8_t *data, size_t len, char *buf, size_t size, struct in_addr *dst);

#endif
