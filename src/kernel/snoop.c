/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snoop.c - see snoop.h. */
#include "kernel/snoop.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER (128 * 1024) /* some hundred frames: more is a flood */
#define DHCP_SERVER 67
#define DHCP_CLIENT 68
#define IP6_HLEN 40

#define TAKE (SNOOP_FRAME_MAX + 1) /* one more than there is room for: seen as cut */

static const struct sock_filter all[] = {
	BPF_STMT(BPF_RET | BPF_K, TAKE),
};

static const struct sock_filter discovery[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + IP6_HLEN),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, TAKE),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static const struct sock_filter dhcp[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 7),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_HLEN + 6),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 5, 0), /* more fragments, or an offset */
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_HLEN),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, ETH_HLEN + 2),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_SERVER, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP_CLIENT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, TAKE),
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static const struct {
	uint16_t protocol;
	uint16_t n;
	const struct sock_filter *filter;
} kinds[] = {
	[SNOOP_ARP] = {ETH_P_ARP, ARRAY_SIZE(all), all},
	[SNOOP_ND] = {ETH_P_IPV6, ARRAY_SIZE(discovery), discovery},
	[SNOOP_DHCP] = {ETH_P_IP, ARRAY_SIZE(dhcp), dhcp},
};
_Static_assert(ARRAY_SIZE(kinds) == SNOOP_COUNT, "a kind without its filter");

static int set_options(int fd, enum snoop_kind kind)
{
	const struct sock_fprog prog = {
		.len = kinds[kind].n,
		.filter = (struct sock_filter *)kinds[kind].filter,
	};
	const int on = 1, size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

/* Bound to no protocol until the filter is in place, so that nothing else is ever queued. */
int snoop_open(int ifindex, enum snoop_kind kind, int *ret)
{
	const struct sockaddr_ll at = {.sll_family = AF_PACKET,
				       .sll_protocol = htons(kinds[kind].protocol),
				       .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = set_options(fd, kind);
	if (r == 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

/* struct arrivals - what is read at once; only its used slots are touched. */
struct arrivals {
	struct mmsghdr msgs[SNOOP_BATCH_MAX];
	struct iovec iov[SNOOP_BATCH_MAX];
	union {
		struct cmsghdr align;
		uint8_t bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control[SNOOP_BATCH_MAX];
	uint8_t bytes[SNOOP_BATCH_MAX][SNOOP_FRAME_MAX];
};

static uint16_t vlan_of(struct msghdr *msg)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA ||
		    c->cmsg_len < CMSG_LEN(sizeof(aux)))
			continue;
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		return aux.tp_status & TP_STATUS_VLAN_VALID ? aux.tp_vlan_tci & 0xfff : 0;
	}
	return 0;
}

size_t snoop_read(int fd, size_t max, void (*fn)(const struct snoop_frame *f, void *ctx), void *ctx)
{
	unsigned int room = (unsigned int)size_min(max, SNOOP_BATCH_MAX);
	struct arrivals a;
	int n;

	for (unsigned int i = 0; i < room; i++) {
		a.iov[i] = (struct iovec){.iov_base = a.bytes[i], .iov_len = sizeof(a.bytes[i])};
		a.msgs[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &a.iov[i],
							 .msg_iovlen = 1,
							 .msg_control = &a.control[i],
							 .msg_controllen = sizeof(a.control[i])}};
	}
	/* ENETDOWN comes once when the bridge goes down; the socket works again when it is up. */
	n = recvmmsg(fd, a.msgs, room, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct snoop_frame f = {a.bytes[i], a.msgs[i].msg_len, vlan_of(&a.msgs[i].msg_hdr)};

		if (!(a.msgs[i].msg_hdr.msg_flags & MSG_TRUNC))
			fn(&f, ctx);
	}
	return n > 0 ? (size_t)n : 0;
}
