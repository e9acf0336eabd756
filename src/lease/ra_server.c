/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ra_server.c - router advertisements on one network, see ra_server.h.
 *
 * It joins the pure parts to the world: frames (wire/nd.c), what to say and when (ra.c), the socket
 * (socket.c) and the clock. It decides nothing itself.
 */
#include "lease/ra_server.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

#define TIMER_ACCURACY_US 50000 /* timers of many networks may fire together */

static_assert(ND_RA_FRAME_MAX <= LEASE_FRAME_MAX, "what is sent could be received");

/**
 * struct ra_server - see ra_server.h
 * @socket:	not owned
 * @group:	a socket that reads nothing: it is in the bridge's all-routers group; -1 when it
 *		could not join
 */
struct ra_server {
	struct lease_socket *socket;
	char network[NAME_MAX_LEN + 1];
	struct mac mac;
	int group;
	sd_event_source *timer;
	struct ra_state state;
	struct ra_counters counters;
};

/*
 * Bridges that snoop keep frames for a group from a host that is not in it once some guest plays
 * the multicast querier. The kernel joins where it forwards, which it does not on every network of
 * ours (RFC 4861 6.2.2).
 */
static void join_routers(struct ra_server *s)
{
	const struct ipv6_mreq group = {.ipv6mr_multiaddr = {{{0xff, 0x02, [15] = 2}}},
					.ipv6mr_interface =
						(unsigned int)lease_socket_ifindex(s->socket)};

	s->group = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->group >= 0 &&
	    setsockopt(s->group, IPPROTO_IPV6, IPV6_JOIN_GROUP, &group, sizeof(group)) == 0)
		return;
	log_debug("ra: %s: not in the all-routers group: %s", s->network, strerror(errno));
	fd_closep(&s->group);
}

/* ---- out ---- */

static bool send_ra(struct ra_server *s, struct ra_send *what)
{
	uint8_t frame[ND_RA_FRAME_MAX];
	int r;

	what->ra.mac = s->mac;
	r = nd_ra_frame_build(&what->ra, &s->state.cfg.source, &what->eth_dst, &what->dst, frame,
			      sizeof(frame));
	if (r >= 0)
		r = lease_socket_send(s->socket, frame, (size_t)r);
	if (r < 0) {
		log_debug("ra: %s: not sent: %s", s->network, strerror(-r));
		s->counters.send_failed++;
	}
	return r == 0;
}

static void rearm(struct ra_server *s)
{
	int r = sd_event_source_set_time(s->timer, ra_next_us(&s->state));

	if (r >= 0)
		r = sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		log_debug("ra: %s: timer: %s", s->network, strerror(-r));
}

static uint32_t fresh_random(void)
{
	uint32_t bits;

	/* Before the kernel has gathered any, the time is random enough: it only spreads load. */
	if (getrandom(&bits, sizeof(bits), GRND_NONBLOCK) != sizeof(bits))
		bits = (uint32_t)clock_boot_us() * 2654435761U;
	return bits;
}

static int on_timer(sd_event_source *src, uint64_t usec, void *data)
{
	struct ra_server *s = data;
	struct ra_send what;

	if (ra_due(&s->state, clock_boot_us(), fresh_random(), &what) && send_ra(s, &what))
		s->counters.multicast++;
	rearm(s);
	return 0;
}

/* ---- in ---- */

static void on_solicitation(struct ra_server *s, const struct nd_rs *rs)
{
	struct ra_send what;

	if (ra_solicited(&s->state, &rs->eth_src, &rs->src, clock_boot_us(), &what) == RA_LATER) {
		s->counters.put_off++;
		rearm(s);
	} else if (send_ra(s, &what)) {
		s->counters.answered++;
	}
}

static void on_frames(const struct lease_frame *frames, size_t n, void *ctx)
{
	struct ra_server *s = ctx;

	for (size_t i = 0; i < n; i++) {
		struct nd_rs rs;

		s->counters.received++;
		if (frames[i].cut || nd_rs_parse(frames[i].bytes, frames[i].len, &rs) < 0)
			s->counters.bad++;
		else
			on_solicitation(s, &rs);
	}
}

/* ---- life ---- */

int ra_server_new(sd_event *loop, struct lease_socket *socket, const char *network,
		  const struct mac *mac, const struct ra_config *cfg, struct ra_server **ret,
		  struct err *e)
{
	struct ra_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(e, -ENOMEM, "memory", NULL, "out of memory");
	s->socket = socket;
	s->group = -1;
	s->mac = *mac;
	snprintf(s->network, sizeof(s->network), "%s", network);
	ra_init(&s->state, cfg, clock_boot_us());
	r = sd_event_add_time(loop, &s->timer, CLOCK_BOOTTIME, ra_next_us(&s->state),
			      TIMER_ACCURACY_US, on_timer, s);
	if (r < 0) {
		free(s);
		return err_set(e, r, "ra-timer", network, "no timer for router advertisements: %s",
			       strerror(-r));
	}
	join_routers(s);
	lease_socket_listen(socket, LEASE_IP6, on_frames, s);
	*ret = s;
	return 0;
}

void ra_server_free(struct ra_server *s)
{
	if (!s)
		return;
	lease_socket_listen(s->socket, LEASE_IP6, NULL, NULL);
	sd_event_source_disable_unref(s->timer);
	fd_closep(&s->group);
	free(s);
}

void ra_server_last_word(struct ra_server *s)
{
	struct ra_send what;

	ra_last(&s->state, clock_boot_us(), &what);
	if (send_ra(s, &what))
		s->counters.multicast++;
}

void ra_server_configure(struct ra_server *s, const struct ra_config *cfg)
{
	/* RFC 4861 6.2.8: guests must not go on asking for a router that is not there. */
	if (!ip6_equal(&s->state.cfg.source, &cfg->source))
		ra_server_last_word(s);
	ra_configure(&s->state, cfg, clock_boot_us());
	rearm(s);
}

void ra_server_counters(const struct ra_server *s, struct ra_counters *ret)
{
	*ret = s->counters;
	ret->socket_drops = lease_socket_drops(s->socket);
}
