/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket.c - the packet socket on a network's bridge, see socket.h.
 *
 * It sorts frames by their Ethernet type and knows no more of them than its filter does.
 * Next on the walk: server.c for DHCP, ra_server.c for router advertisements.
 */
#include "lease/socket.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/macro.h"
#include "wire/dhcp4.h"

#define RECEIVE_BUFFER (2 * 1024 * 1024) /* many guests that boot at once */
#define IP6_HLEN 40

/* struct listener - who gets the frames of one kind; @fn NULL: nobody. */
struct listener {
	lease_frames_fn fn;
	void *ctx;
};

/**
 * struct lease_socket - see socket.h
 * @drops:	PACKET_STATISTICS so far; the kernel starts again from zero each time it is asked
 */
struct lease_socket {
	int fd;
	int ifindex;
	sd_event_source *source;
	struct listener listeners[LEASE_KIND_COUNT];
	uint64_t drops;
};

/*
 * What the socket queues: frames to this host, to a group or to all (not those passing by, not our
 * own, not those of a VLAN inside), that are ARP, whole IPv4 UDP datagrams to port 67, or router
 * solicitations, neighbour solicitations or advertisements without extension headers.
 */
static const struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, PACKET_OTHERHOST, 20, 0),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 18),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 15, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 8, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 14),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 9),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 12),
	BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_HLEN + 6),
	BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x3fff, 10, 0), /* more fragments, or an offset */
	BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_HLEN),
	BPF_STMT(BPF_LD | BPF_H | BPF_IND, ETH_HLEN + 2),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DHCP4_SERVER_PORT, 6, 7),
	/* IPv6 */
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 6),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 5),
	BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + IP6_HLEN),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_ROUTER_SOLICIT, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_SOLICIT, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ND_NEIGHBOR_ADVERT, 0, 1),
	BPF_STMT(BPF_RET | BPF_K,
		 LEASE_FRAME_MAX + 1), /* one more than there is room for: seen as cut */
	BPF_STMT(BPF_RET | BPF_K, 0),
};

static int set_options(int fd)
{
	const struct sock_fprog prog = {.len = ARRAY_SIZE(filter),
					.filter = (struct sock_filter *)filter};
	const int on = 1, size = RECEIVE_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0)
		return -errno;
	/* Both are only better: the filter drops what is outgoing, and clients ask again. */
	(void)setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return 0;
}

/* Bound to no protocol until the filter is in place, so that nothing else is ever queued. */
static int open_socket(int ifindex, int *ret)
{
	const struct sockaddr_ll sll = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	r = set_options(fd);
	if (r == 0 && bind(fd, (const struct sockaddr *)&sll, sizeof(sll)) < 0)
		r = -errno;
	if (r < 0) {
		close(fd);
		return r;
	}
	*ret = fd;
	return 0;
}

static uint16_t ethertype(const uint8_t *frame)
{
	return (uint16_t)(frame[12] << 8 | frame[13]);
}

static enum lease_kind kind_of(const uint8_t *frame)
{
	if (ethertype(frame) != ETH_P_IPV6)
		return LEASE_IP4;
	return frame[ETH_HLEN + IP6_HLEN] == ND_ROUTER_SOLICIT ? LEASE_IP6 : LEASE_ND;
}

/* struct arrivals - what is read at once; 100 KB on the stack, only its used slots are touched. */
struct arrivals {
	struct mmsghdr msgs[LEASE_BATCH_MAX];
	struct iovec iov[LEASE_BATCH_MAX];
	uint8_t bytes[LEASE_BATCH_MAX][LEASE_FRAME_MAX];
};

static void deliver(struct lease_socket *s, const struct arrivals *a, int n, enum lease_kind kind)
{
	struct lease_frame frames[LEASE_BATCH_MAX];
	size_t n_frames = 0;

	for (int i = 0; i < n; i++) {
		/* The filter read as far as kind_of() does, so it is there. */
		if (kind_of(a->bytes[i]) == kind)
			frames[n_frames++] = (struct lease_frame){
				.bytes = a->bytes[i],
				.len = a->msgs[i].msg_len,
				.cut = a->msgs[i].msg_hdr.msg_flags & MSG_TRUNC,
			};
	}
	if (n_frames)
		s->listeners[kind].fn(frames, n_frames, s->listeners[kind].ctx);
}

static int on_readable(sd_event_source *src, int fd, uint32_t revents, void *data)
{
	struct lease_socket *s = data;
	struct arrivals a;
	int n;

	for (size_t i = 0; i < LEASE_BATCH_MAX; i++) {
		a.iov[i] = (struct iovec){.iov_base = a.bytes[i], .iov_len = sizeof(a.bytes[i])};
		a.msgs[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &a.iov[i], .msg_iovlen = 1}};
	}
	/* ENETDOWN comes once when the bridge goes down; the socket works again when it is up. */
	n = recvmmsg(fd, a.msgs, LEASE_BATCH_MAX, MSG_DONTWAIT, NULL);
	for (size_t kind = 0; kind < LEASE_KIND_COUNT; kind++) {
		if (s->listeners[kind].fn)
			deliver(s, &a, n, (enum lease_kind)kind);
	}
	return 0;
}

int lease_socket_new(sd_event *loop, int ifindex, const char *network, struct lease_socket **ret,
		     struct err *e)
{
	struct lease_socket *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "memory", NULL, "out of memory");
	s->fd = -1;
	s->ifindex = ifindex;
	r = open_socket(ifindex, &s->fd);
	if (r < 0) {
		err_set(e, r, "guest-socket", network,
			"no packet socket on interface %d for DHCP and router advertisements: %s%s",
			ifindex, strerror(-r), r == -EPERM ? "; vmlaned needs CAP_NET_RAW" : "");
	} else {
		r = sd_event_add_io(loop, &s->source, s->fd, EPOLLIN, on_readable, s);
		if (r < 0)
			err_set(e, r, "guest-socket", network, "event loop: %s", strerror(-r));
	}
	if (r < 0) {
		lease_socket_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void lease_socket_free(struct lease_socket *s)
{
	if (!s)
		return;
	sd_event_source_disable_unref(s->source);
	fd_closep(&s->fd);
	free(s);
}

int lease_socket_ifindex(const struct lease_socket *s)
{
	return s->ifindex;
}

void lease_socket_listen(struct lease_socket *s, enum lease_kind kind, lease_frames_fn fn,
			 void *ctx)
{
	s->listeners[kind] = (struct listener){fn, ctx};
}

static int send_once(const struct lease_socket *s, const uint8_t *frame, size_t len)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = s->ifindex};

	to.sll_protocol = htons(ethertype(frame));
	if (sendto(s->fd, frame, len, MSG_DONTWAIT, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	return 0;
}

int lease_socket_send(const struct lease_socket *s, const uint8_t *frame, size_t len)
{
	int r;

	assert(len >= ETH_HLEN);
	r = send_once(s, frame, len);
	/* That the bridge went down is told once, be it by now up again. */
	if (r == -ENETDOWN)
		r = send_once(s, frame, len);
	return r;
}

uint64_t lease_socket_drops(struct lease_socket *s)
{
	struct tpacket_stats st;
	socklen_t len = sizeof(st);

	if (getsockopt(s->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == 0)
		s->drops += st.tp_drops;
	return s->drops;
}
