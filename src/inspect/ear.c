/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ear.c - see ear.h. A packet socket at the port, which sees what goes out there. */
#include "inspect/ear.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROOM 2048 /* the rest of a longer frame is of no use here */

struct ear {
	int fd;
	uint8_t frame[ROOM];
};

int ear_open(int ifindex, struct ear **ret, struct err *e)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = ifindex};
	struct ear *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return err_set(e, -ENOMEM, "memory", "probe", "out of memory");
	/* Bound before it hears anything: of this device only. */
	h->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&at, sizeof(at)) < 0) {
		r = -errno;
		ear_close(h);
		return err_set(e, r, "kernel", "probe", "no packet socket at the guest's port: %s",
			       strerror(-r));
	}
	*ret = h;
	return 0;
}

void ear_close(struct ear *h)
{
	if (!h)
		return;
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

int ear_fd(const struct ear *h)
{
	return h->fd;
}

/* The next frame that goes out; its length, or 0 when none is there. */
static size_t hear(struct ear *h)
{
	struct sockaddr_ll from = {0};
	socklen_t size = sizeof(from);
	ssize_t n;

	for (;;) {
		n = recvfrom(h->fd, h->frame, sizeof(h->frame), 0, (struct sockaddr *)&from, &size);
		if (n <= 0)
			return 0;
		if (from.sll_pkttype == PACKET_OUTGOING)
			return (size_t)n;
	}
}

void ear_clear(struct ear *h)
{
	while (hear(h))
		;
}

bool ear_listen(struct ear *h, bool (*fn)(const struct answer *a, void *ctx), void *ctx)
{
	struct answer a;
	size_t len;

	while ((len = hear(h)))
		if (answer_parse(h->frame, len, &a) == 0 && fn(&a, ctx))
			return true;
	return false;
}
