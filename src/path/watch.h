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
 * @time_ns:	CLOCK_REALTIME
 * @bytes:	valid during the callback only
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
int watch_new(const char *const *ifnames, size_t n, struct watch **ret, struct err *e) __must_check;
void watch_free(struct watch *w);
/* watch_read() - wait up to @timeout_ms for frames, call @fn for each; the number, or -errno. */
int watch_read(struct watch *w, int timeout_ms, watch_fn fn, void *ctx) __must_check;

#endif
