/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsguest_relay.c - carries frames between two taps as they are, virtio header included: both have
 * the same header size and offloads, so that nothing has to be looked at, and a 64 KiB segment stays one.
 */
#include "cli/nsguest.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The largest frame a tap gives: 64 KiB of payload with its headers and the virtio header. */
#define FRAME_ROOM (64 * 1024 + 512)
/* Frames taken from one queue before the others get their turn. */
#define BATCH 64
#define STOP UINT64_MAX

static int add(int epoll_fd, int fd, uint64_t tag)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = tag};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

int nsguest_relay_init(struct nsguest_relay *r, const int *host, const int *guest, size_t n)
{
	struct nsguest_relay new = {.host = host, .guest = guest, .n = n};
	int ret = 0;

	new.frame = malloc(FRAME_ROOM);
	new.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!new.frame || new.epoll_fd < 0)
		ret = -ENOMEM;
	/* A tag's lowest bit says which row, the rest which entry. */
	for (uint64_t i = 0; i < n && !ret; i++) {
		ret = add(new.epoll_fd, host[i], i << 1);
		if (!ret)
			ret = add(new.epoll_fd, guest[i], i << 1 | 1);
	}
	if (ret) {
		nsguest_relay_done(&new);
		return ret;
	}
	*r = new;
	return 0;
}

void nsguest_relay_done(struct nsguest_relay *r)
{
	free(r->frame);
	fd_closep(&r->epoll_fd);
}

/* A frame that the other side does not take is lost, as on a wire that is not plugged in. */
static int carry(struct nsguest_relay *r, int from, int to, uint64_t *count)
{
	for (int i = 0; i < BATCH; i++) {
		ssize_t n = read(from, r->frame, FRAME_ROOM);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -ENODEV;
		if (n == 0)
			return 0;
		if (write(to, r->frame, (size_t)n) == n)
			(*count)++;
		else
			r->dropped++;
	}
	return 0;
}

int nsguest_relay_run(struct nsguest_relay *r, int stop_fd)
{
	struct epoll_event evs[32];
	int ret;

	ret = add(r->epoll_fd, stop_fd, STOP);
	while (!ret) {
		int n = epoll_wait(r->epoll_fd, evs, (int)ARRAY_SIZE(evs), -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		for (int k = 0; k < n && !ret; k++) {
			uint64_t tag = evs[k].data.u64;
			size_t i = (size_t)(tag >> 1);

			if (tag == STOP)
				return 0;
			ret = tag & 1 ? carry(r, r->guest[i], r->host[i], &r->from_guest)
				      : carry(r, r->host[i], r->guest[i], &r->to_guest);
		}
	}
	return ret;
}
