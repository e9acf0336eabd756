/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - packet sockets with a ring each (Documentation/networking/packet_mmap.rst, TPACKET_V2).
 *
 * A ring rather than recvmsg(): the kernel then stamps a frame at each interface as it passes,
 * while asking for SO_TIMESTAMPNS stamps it once for the whole way in. Frames that are longer than
 * a slot (segmentation offload) come through the socket's queue besides (PACKET_COPY_THRESH).
 *
 * It does not know which frames belong together: that is for the caller to say. Next on the walk:
 * wire/frame.h, which takes the frames apart.
 */
#include "path/watch.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define SLOT_SIZE 2048u
#define SLOTS 1024u
#define BLOCK_SIZE (64u * 1024)
#define RING_SIZE ((size_t)SLOT_SIZE * SLOTS)

/**
 * struct tap_point - one watched interface
 * @fd:		packet socket, -1 before it is open
 * @ring:	RING_SIZE bytes shared with the kernel, MAP_FAILED before it is mapped
 * @next:	the slot to be read next
 */
struct tap_point {
	int fd;
	uint8_t *ring;
	unsigned int next;
};

/**
 * struct watch - the watched interfaces
 * @epoll_fd:	readable when a ring has frames
 * @points:	@n of them
 * @dropped:	frames the kernel had no slot for
 * @big:	FRAME_MAX bytes for a frame that is longer than a slot
 */
struct watch {
	int epoll_fd;
	struct tap_point points[WATCH_MAX];
	size_t n;
	uint64_t dropped;
	uint8_t *big;
};

static int set_option(int fd, int name, int value)
{
	return setsockopt(fd, SOL_PACKET, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

static int ring_map(struct tap_point *p)
{
	struct tpacket_req req = {
		.tp_block_size = BLOCK_SIZE,
		.tp_block_nr = (unsigned int)(RING_SIZE / BLOCK_SIZE),
		.tp_frame_size = SLOT_SIZE,
		.tp_frame_nr = SLOTS,
	};
	int r;

	r = set_option(p->fd, PACKET_VERSION, TPACKET_V2);
	if (!r)
		r = set_option(p->fd, PACKET_COPY_THRESH, 1);
	if (r)
		return r;
	if (setsockopt(p->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) < 0)
		return -errno;
	p->ring = mmap(NULL, RING_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, p->fd, 0);
	return p->ring == MAP_FAILED ? -errno : 0;
}

static int point_open(struct tap_point *p, const char *ifname)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int r;

	at.sll_ifindex = (int)if_nametoindex(ifname);
	if (!at.sll_ifindex)
		return -ENODEV;
	/* Protocol 0: nothing is received before bind() has chosen the interface. */
	p->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		return -errno;
	r = ring_map(p);
	if (r)
		return r;
	if (bind(p->fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		return -errno;
	return 0;
}

static int watch_add(struct watch *w, const char *ifname)
{
	struct tap_point *p = &w->points[w->n];
	struct epoll_event ev = {.events = EPOLLIN, .data.u32 = (uint32_t)w->n};
	int r;

	*p = (struct tap_point){.fd = -1, .ring = MAP_FAILED};
	w->n++;
	r = point_open(p, ifname);
	if (r)
		return r;
	return epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, p->fd, &ev) < 0 ? -errno : 0;
}

static int explain(struct err *e, int r, const char *ifname)
{
	switch (r) {
	case -ENODEV:
		return err_set(e, r, "no-interface", ifname, "there is no such interface here");
	case -EPERM:
		return err_set(e, r, "not-allowed", ifname,
			       "watching an interface needs CAP_NET_RAW: run it as root");
	default:
		return err_set(e, r, "kernel", ifname, "cannot be watched: %s", strerror(-r));
	}
}

static struct watch *watch_alloc(void)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->big = malloc(FRAME_MAX);
	w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (w->big && w->epoll_fd >= 0)
		return w;
	watch_free(w);
	return NULL;
}

int watch_new(const char *const *ifnames, size_t n, struct watch **ret, struct err *e)
{
	struct watch *w;
	int r = 0;

	if (n == 0 || n > WATCH_MAX)
		return err_set(e, -EINVAL, "too-many", NULL,
			       "between 1 and %d interfaces can be watched at once, not %zu",
			       WATCH_MAX, n);
	w = watch_alloc();
	if (!w)
		return explain(e, -ENOMEM, ifnames[0]);
	for (size_t i = 0; i < n && !r; i++) {
		r = watch_add(w, ifnames[i]);
		if (r)
			explain(e, r, ifnames[i]);
	}
	if (r) {
		watch_free(w);
		return r;
	}
	*ret = w;
	return 0;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->n; i++) {
		if (w->points[i].ring != MAP_FAILED)
			munmap(w->points[i].ring, RING_SIZE);
		fd_closep(&w->points[i].fd);
	}
	fd_closep(&w->epoll_fd);
	free(w->big);
	free(w);
}

int watch_fd(const struct watch *w)
{
	return w->epoll_fd;
}

uint64_t watch_dropped(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		struct tpacket_stats st;
		socklen_t len = sizeof(st);

		/* The kernel counts from zero again after each look. */
		if (!getsockopt(w->points[i].fd, SOL_PACKET, PACKET_STATISTICS, &st, &len))
			w->dropped += st.tp_drops;
	}
	return w->dropped;
}

static struct tpacket2_hdr *slot_at(const struct tap_point *p)
{
	return (struct tpacket2_hdr *)(void *)(p->ring + (size_t)p->next * SLOT_SIZE);
}

/* The status word is how the kernel hands a slot over: what it wrote is there once it is set. */
static uint32_t slot_status(const struct tap_point *p)
{
	return __atomic_load_n(&slot_at(p)->tp_status, __ATOMIC_ACQUIRE);
}

static uint64_t slot_time(const struct tap_point *p)
{
	const struct tpacket2_hdr *h = slot_at(p);

	return (uint64_t)h->tp_sec * 1000000000u + h->tp_nsec;
}

static void slot_release(struct tap_point *p)
{
	__atomic_store_n(&slot_at(p)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	p->next = (p->next + 1) % SLOTS;
}

static void slot_deliver(struct watch *w, size_t index, watch_fn fn, void *ctx)
{
	struct tap_point *p = &w->points[index];
	const struct tpacket2_hdr *h = slot_at(p);
	const uint8_t *base = (const uint8_t *)h;
	struct sockaddr_ll from;
	struct watch_event ev = {
		.index = index,
		.time_ns = slot_time(p),
		.bytes = base + h->tp_mac,
		.len = h->tp_snaplen,
	};

	memcpy(&from, base + TPACKET_ALIGN((int)sizeof(*h)), sizeof(from));
	ev.outgoing = from.sll_pkttype == PACKET_OUTGOING;
	if (h->tp_status & TP_STATUS_COPY) {
		ssize_t n = recv(p->fd, w->big, FRAME_MAX, 0);

		if (n > 0) {
			ev.bytes = w->big;
			ev.len = (size_t)n;
		}
	}
	if (frame_parse(ev.bytes, ev.len, false, &ev.frame))
		ev.frame = (struct frame){.kind = FRAME_OTHER};
	fn(&ev, ctx);
}

/* The point whose next frame is the oldest, or w->n when there is none. */
static size_t oldest(const struct watch *w)
{
	size_t best = w->n;

	for (size_t i = 0; i < w->n; i++) {
		if (!(slot_status(&w->points[i]) & TP_STATUS_USER))
			continue;
		if (best == w->n || slot_time(&w->points[i]) < slot_time(&w->points[best]))
			best = i;
	}
	return best;
}

/* An interface that went down or away says so once; taking the error makes the socket quiet. */
static void take_errors(const struct watch *w)
{
	for (size_t i = 0; i < w->n; i++) {
		socklen_t len = sizeof(int);
		int error;

		(void)getsockopt(w->points[i].fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
}

int watch_read(struct watch *w, int timeout_ms, watch_fn fn, void *ctx)
{
	struct epoll_event evs[WATCH_MAX];
	unsigned int budget = SLOTS;
	int n = 0;
	int ready;

	ready = epoll_wait(w->epoll_fd, evs, WATCH_MAX, timeout_ms);
	if (ready < 0)
		return -errno;
	for (int i = 0; i < ready; i++)
		if (evs[i].events & EPOLLERR)
			take_errors(w);
	/* The budget lets the caller look at its clock when frames never end. */
	for (size_t i = oldest(w); i < w->n && budget; i = oldest(w), budget--) {
		slot_deliver(w, i, fn, ctx);
		slot_release(&w->points[i]);
		n++;
	}
	return n;
}
