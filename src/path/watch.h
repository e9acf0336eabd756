/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.h - see one packet at several interfaces of a namespace: packet sockets, one each, all
 * frames in both directions, with the kernel's time stamps. Nothing is put into the data path.
 */
#ifndef VMLANE_PATH_WATCH_H
#define VMLANE_PATH_WATCH_H

#include "base/err.h"
#include "wire/frame.h"

#define WATCH_MAX 16

/**
 * struct watch_event - a frame at an interface
 * @index:	which of the watched interfaces
 * @outgoing:	the host sent it there (PACKET_OUTGOING)
 * @time_ns:	CLOCK_REALTIME; a frame that some other program had the kernel stamp when it entered
 *		the host keeps that one stamp at the further interfaces of its way in
 * @bytes:	valid during the callback only
 * @frame:	@bytes parsed; kind FRAME_OTHER and all zero when they cannot be
 */
struct watch_event {
	size_t index;
	bool outgoing;
	uint64_t time_ns;
	const uint8_t *bytes;
	size_t len;
	struct frame frame;
};

typedef void (*watch_fn)(const struct watch_event *ev, void *ctx);

struct watch;
/*
 * watch_new() - start watching the @n interfaces (at most WATCH_MAX) of the calling thread's network
 * namespace. Needs CAP_NET_RAW there. -ENODEV, -EPERM, -ENOMEM, -EINVAL, in words in @e.
 */
int watch_new(const char *const *ifnames, size_t n, struct watch **ret, struct err *e) __must_check;
void watch_free(struct watch *w);
DEFINE_CLEANUP(struct watch *, watch_free)

/*
 * watch_read() - wait up to @timeout_ms (-1: for ever) for frames, call @fn for each that is there,
 * the oldest first over all interfaces; the number, or -errno (-EINTR after a signal).
 */
int watch_read(struct watch *w, int timeout_ms, watch_fn fn, void *ctx) __must_check;

/* watch_fd() - readable (poll) when watch_read() has something to do; owned by @w. */
int watch_fd(const struct watch *w);

/* watch_dropped() - frames missed so far because watch_read() was not called in time. */
uint64_t watch_dropped(struct watch *w);

#endif
