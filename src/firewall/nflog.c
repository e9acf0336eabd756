/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nflog.c - see nflog.h. Messages are those of linux/netfilter/nfnetlink_log.h. */
#include "firewall/nflog.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define READS_MAX 100
#define BUFFER_MAX 65536

struct nflog {
	struct mnl_socket *socket;
	uint16_t group;
};

static struct nlmsghdr *config(char *buf, uint16_t group)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = (unsigned int)time(NULL);
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htons(group);
	return nlh;
}

/* Answered before any packet can be told: what comes is the answer. */
static int ask(struct nflog *l, struct nlmsghdr *nlh)
{
	char buf[BUFFER_MAX];
	ssize_t len;

	if (mnl_socket_sendto(l->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(l->socket, buf, sizeof(buf));
	if (len < 0 || mnl_cb_run(buf, (size_t)len, nlh->nlmsg_seq, 0, NULL, NULL) < 0)
		return -errno;
	return 0;
}

/* First how much of each packet, then the group: none comes before it is as it should be. */
static int set_up(struct nflog *l)
{
	struct nfulnl_msg_config_mode mode = {.copy_range = htonl(NFLOG_COPY),
					      .copy_mode = NFULNL_COPY_PACKET};
	struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
	char buf[256];
	struct nlmsghdr *nlh = config(buf, l->group);

	mnl_attr_put(nlh, NFULA_CFG_CMD, sizeof(bind), &bind);
	mnl_attr_put(nlh, NFULA_CFG_MODE, sizeof(mode), &mode);
	/* Each at once, in hundredths of a second: there are few. */
	mnl_attr_put_u32(nlh, NFULA_CFG_TIMEOUT, htonl(1));
	mnl_attr_put_u32(nlh, NFULA_CFG_QTHRESH, htonl(1));
	return ask(l, nlh);
}

int nflog_new(uint16_t group, struct nflog **ret, struct err *e)
{
	struct nflog *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->group = group;
	l->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	r = l->socket && mnl_socket_bind(l->socket, 0, MNL_SOCKET_AUTOPID) == 0 ? 0 : -errno;
	if (r == 0)
		r = set_up(l);
	if (r == 0) {
		*ret = l;
		return 0;
	}
	nflog_free(l);
	return err_set(e, r, "nflog", "",
		       "the kernel does not tell of packets (NFLOG group %u): %s%s", group,
		       strerror(-r), r == -EBUSY ? "; another program listens to them" : "");
}

void nflog_free(struct nflog *l)
{
	if (!l)
		return;
	if (l->socket)
		mnl_socket_close(l->socket);
	free(l);
}

int nflog_fd(const struct nflog *l)
{
	return mnl_socket_get_fd(l->socket);
}

/* ---- packets ---- */

/* struct telling - a read at work. */
struct telling {
	struct nflog_packet p;
	nflog_fn fn;
	void *ctx;
};

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

static int take_message(const struct nlmsghdr *nlh, void *ctx)
{
	struct telling *t = ctx;

	if (nlh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
	    mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
		return MNL_CB_OK;
	t->p = (struct nflog_packet){0};
	if (mnl_attr_parse(nlh, sizeof(struct nfgenmsg), take_attr, &t->p) > 0 && t->p.data)
		t->fn(&t->p, t->ctx);
	return MNL_CB_OK;
}

int nflog_read(struct nflog *l, nflog_fn fn, void *ctx)
{
	_Alignas(struct nlmsghdr) char buf[BUFFER_MAX];
	struct telling t = {.fn = fn, .ctx = ctx};

	for (int i = 0; i < READS_MAX; i++) {
		ssize_t len = recv(nflog_fd(l), buf, sizeof(buf), MSG_DONTWAIT);

		if (len < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (mnl_cb_run(buf, (size_t)len, 0, 0, take_message, &t) < 0)
			return -errno;
	}
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
