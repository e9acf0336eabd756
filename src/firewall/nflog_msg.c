/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nflog_msg.c - packets that rules tell of: messages -> packets -> words. Pure. See nflog.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdio.h>
#include <string.h>

#include "firewall/nflog.h"

static int take_attr(const struct nlattr *a, void *ctx)
{
	struct nflog_packet *p = ctx;
	size_t len = mnl_attr_get_payload_len(a);

	switch (mnl_attr_get_type(a)) {
	case NFULA_PREFIX:
		snprintf(p->prefix, sizeof(p->prefix), "%.*s", (int)len,
			 (const char *)mnl_attr_get_payload(a));
		break;
	case NFULA_PAYLOAD:
		p->data = mnl_attr_get_payload(a);
		p->len = len;
		break;
	case NFULA_HWADDR: {
		const struct nfulnl_msg_packet_hw *hw = mnl_attr_get_payload(a);

		p->has_mac = len >= sizeof(*hw) && ntohs(hw->hw_addrlen) == sizeof(p->mac.b);
		if (p->has_mac)
			memcpy(p->mac.b, hw->hw_addr, sizeof(p->mac.b));
		break;
	}
	}
	return MNL_CB_OK;
}

int nflog_parse(const struct nlmsghdr *nlh, size_t len, struct nflog_packet *ret)
{
	/* Both are multiples of four: nothing is between them. */
	const size_t head = sizeof(*nlh) + sizeof(struct nfgenmsg);
	struct nflog_packet p = {0};

	if (len < head || nlh->nlmsg_len > len || nlh->nlmsg_len < head)
		return -EBADMSG;
	if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
		return -ENOMSG;
	mnl_attr_parse_payload((const char *)nlh + head, nlh->nlmsg_len - head, take_attr, &p);
	if (!p.data)
		return -EBADMSG;
	*ret = p;
	return 0;
}

/* ---- words ---- */

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_words(const char *src, const char *dst, bool six, uint8_t l4, const uint8_t *header,
		      size_t len, char *buf, size_t size)
{
	const char *a = six ? "[" : "", *b = six ? "]" : "";
	bool ports = (l4 == IPPROTO_TCP || l4 == IPPROTO_UDP || l4 == IPPROTO_SCTP) && len >= 4;
	const char *name = l4 == IPPROTO_TCP	? "tcp"
			   : l4 == IPPROTO_UDP	? "udp"
			   : l4 == IPPROTO_SCTP ? "sctp"
						: NULL;

	if (ports)
		snprintf(buf, size, "%s %s%s%s:%u > %s%s%s:%u", name, a, src, b, be16(header), a,
			 dst, b, be16(header + 2));
	else if (l4 == IPPROTO_ICMP || l4 == IPPROTO_ICMPV6)
		snprintf(buf, size, "icmp%s type %u %s > %s", l4 == IPPROTO_ICMPV6 ? "v6" : "",
			 len ? header[0] : 0, src, dst);
	else
		snprintf(buf, size, "protocol %u %s > %s", l4, src, dst);
}

void nflog_words(const uint8_t *data, size_t len, char *buf, size_t size, struct in_addr *dst)
{
	char src_text[IP6_STRLEN], dst_text[IP6_STRLEN];
	size_t header;

	if (dst)
		dst->s_addr = INADDR_ANY;
	snprintf(buf, size, "?");
	if (len >= 20 && data[0] >> 4 == 4) {
		struct in_addr from, to;

		header = (size_t)(data[0] & 15) * 4;
		memcpy(&from, data + 12, sizeof(from));
		memcpy(&to, data + 16, sizeof(to));
		if (dst)
			*dst = to;
		if (header < 20 || header > len)
			return;
		ip4_format(from, src_text);
		ip4_format(to, dst_text);
		put_words(src_text, dst_text, false, data[9], data + header, len - header, buf,
			  size);
	} else if (len >= 40 && data[0] >> 4 == 6) {
		struct in6_addr from, to;

		memcpy(&from, data + 8, sizeof(from));
		memcpy(&to, data + 24, sizeof(to));
		ip6_format(&from, src_text);
		ip6_format(&to, dst_text);
		put_words(src_text, dst_text, true, data[6], data + 40, len - 40, buf, size);
	}
}
