/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * socket.h - the packet socket on a network's bridge, one for all that serves its guests.
 *
 * A packet socket sees the frames before the host's own firewall does, so that guests get their
 * address also where INPUT drops by default. DHCP (server.h) and router advertisements
 * (ra_server.h) share it: closing one costs the kernel an RCU grace period (12 ms measured), and
 * each network has its own so that a guest that floods it takes no frame from other networks. Who has
 * which IPv6 address (daemon/snoop.h) comes by it too: one more socket for that would cost each packet.
 */
#ifndef VMLANE_LEASE_SOCKET_H
#define VMLANE_LEASE_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>
#include "base/err.h"

#define LEASE_FRAME_MAX 1600 /* a DHCP message of DHCP4_MSG_MAX and its headers */
#define LEASE_BATCH_MAX 64   /* frames that are read at once */

/* enum lease_kind - whose a frame is. */
enum lease_kind {
	LEASE_IP4, /* ARP; whole UDP datagrams to port 67 */
	LEASE_IP6, /* router solicitations */
	LEASE_ND,  /* neighbour solicitations and advertisements */
	LEASE_KIND_COUNT,
};

/**
 * struct lease_frame - a frame that came
 * @bytes:	from the Ethernet header on; valid until the handler returns
 * @cut:	it was longer than LEASE_FRAME_MAX, so there is only a part of it
 */
struct lease_frame {
	const uint8_t *bytes;
	size_t len;
	bool cut;
};

/* lease_frames_fn - @n frames (1 to LEASE_BATCH_MAX) that came together. Must not free the socket. */
typedef void (*lease_frames_fn)(const struct lease_frame *frames, size_t n, void *ctx);

struct lease_socket;
/*
 * lease_socket_new() - on interface @ifindex; @network is for the error's text. The bridge may be
 * down; the socket works when it is up. -EPERM without CAP_NET_RAW.
 */
int lease_socket_new(sd_event *loop, int ifindex, const char *network, struct lease_socket **ret,
		     struct err *e) __must_check;
/* lease_socket_free() - after those who listen to it. */
void lease_socket_free(struct lease_socket *s);
int lease_socket_ifindex(const struct lease_socket *s);
/* lease_socket_listen() - @fn gets the frames of @kind from now on; NULL: nobody does. */
void lease_socket_listen(struct lease_socket *s, enum lease_kind kind, lease_frames_fn fn,
			 void *ctx);
/* lease_socket_send() - a whole frame out of the interface; 0 or -errno (-ENETDOWN: it is down). */
int lease_socket_send(const struct lease_socket *s, const uint8_t *frame, size_t len) __must_check;
/* lease_socket_drops() - frames of any kind that the kernel's queue had no room for, so far. */
uint64_t lease_socket_drops(struct lease_socket *s);

#endif
