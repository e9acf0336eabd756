/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * announce.c - telling the LAN where our addresses are: gratuitous ARP (RFC 5227 3) and unsolicited
 * neighbour advertisements (RFC 4861 7.2.6). One packet socket, nothing is read.
 */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "kernel/announce.h"
#include "kernel/rtnl_internal.h"
#include "kernel/rtnl_move.h"

/* Writers of bytes one behind the other. */
static uint8_t *bytes(uint8_t *at, const void *from, size_t len)
{
	memcpy(at, from, len);
	return at + len;
}

static uint8_t *u16(uint8_t *at, unsigned int v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
	return at + 2;
}

size_t announce_arp(struct in_addr addr, const struct mac *mac, uint8_t buf[static ANNOUNCE_MAX])
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, none[6];
	uint8_t *at = bytes(bytes(buf, all, 6), mac->b, 6);

	at = u16(u16(u16(at, ETH_P_ARP), 1), ETH_P_IP);
	*at++ = 6;
	*at++ = 4;
	at = u16(at, 1); /* a request, which everybody understands */
	at = bytes(bytes(at, mac->b, 6), &addr, 4);
	at = bytes(bytes(at, none, 6), &addr, 4);
	return (size_t)(at - buf);
}

static uint32_t sum(const uint8_t *p, size_t len, uint32_t start)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		start += (uint32_t)(p[i] << 8 | p[i + 1]);
	return start;
}

#define NA_LEN 32 /* the advertisement with its one option; even */

size_t announce_na(const struct in6_addr *addr, const struct mac *mac,
		   uint8_t buf[static ANNOUNCE_MAX])
{
	static const uint8_t eth_all[6] = {0x33, 0x33, 0, 0, 0, 1};
	static const uint8_t all[16] = {0xff, 0x02, [15] = 1};
	static const uint8_t override[4] = {0x20, 0, 0, 0};
	uint8_t *at = bytes(bytes(buf, eth_all, 6), mac->b, 6), *icmp;
	uint32_t check;

	at = u16(u16(u16(u16(at, ETH_P_IPV6), 0x6000), 0), NA_LEN);
	*at++ = IPPROTO_ICMPV6;
	*at++ = 255;
	at = bytes(bytes(at, addr, 16), all, 16);
	icmp = at;
	*at++ = 136; /* neighbour advertisement */
	*at++ = 0;
	at = bytes(u16(at, 0), override, 4);
	at = bytes(at, addr, 16);
	*at++ = 2; /* target link-layer address, one unit of 8 bytes */
	*at++ = 1;
	at = bytes(at, mac->b, 6);
	check = sum(icmp, NA_LEN, sum(icmp - 32, 32, NA_LEN + IPPROTO_ICMPV6));
	while (check >> 16)
		check = (check & 0xffff) + (check >> 16);
	u16(icmp + 2, ~check & 0xffff);
	return (size_t)(at - buf);
}

/* The address that is ours in @item: IFA_LOCAL where there is a peer, IPv6 has only IFA_ADDRESS. */
static bool own_address(const struct takeover_item *item, void *ret, size_t len)
{
	size_t head = NLMSG_ALIGN(sizeof(struct ifaddrmsg));
	struct rtnl_attrs attrs = {.p = (const char *)item->bytes + head};
	const struct nlattr *attr;
	bool local = false, found = false;

	if (item->kind != ITEM_ADDR || item->len < head)
		return false;
	attrs.left = item->len - head;
	while ((attr = rtnl_attrs_next(&attrs)) != NULL) {
		bool is_local = mnl_attr_get_type(attr) == IFA_LOCAL;

		if ((!is_local && mnl_attr_get_type(attr) != IFA_ADDRESS) || (local && !is_local) ||
		    mnl_attr_get_payload_len(attr) < len)
			continue;
		memcpy(ret, mnl_attr_get_payload(attr), len);
		local |= is_local;
		found = true;
	}
	return found;
}

static size_t build(const struct takeover_item *item, const struct mac *mac,
		    uint8_t buf[static ANNOUNCE_MAX])
{
	struct in6_addr six;
	struct in_addr four;

	if (item->family == AF_INET && own_address(item, &four, sizeof(four)))
		return announce_arp(four, mac, buf);
	if (item->family == AF_INET6 && own_address(item, &six, sizeof(six)))
		return announce_na(&six, mac, buf);
	return 0;
}

size_t holdings_announce(const struct takeover_snapshot *s, int ifindex, const struct mac *mac)
{
	/* Protocol 0: it receives nothing. */
	_cleanup_(fd_closep) int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = ifindex};
	uint8_t buf[ANNOUNCE_MAX];
	size_t sent = 0;

	for (size_t i = 0; fd >= 0 && i < s->n; i++) {
		size_t len = build(&s->items[i], mac, buf);

		if (len &&
		    sendto(fd, buf, len, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof(to)) > 0)
			sent++;
	}
	return sent;
}
