/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_tell.c - see guard_tell.h. While nobody listens nothing is looked at; then it is one map element a
 * port and second.
 */
#include "daemon/guard_tell.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "daemon/events.h"
#include "daemon/guard_ports.h"
#include "daemon/service.h"

#define TELL_US 1000000

/* "3 frames, the last one from 52:54:00:12:34:56" */
static void tell(struct manager *m, const struct guard_port *p, enum guard g, uint64_t count,
		 const struct port_last *last)
{
	const struct guest_rt *guest = manager_guest_by_tap(m, p->tap);
	char mac[MAC_STRLEN];
	struct mac smac;

	if (!guest)
		return;
	memcpy(smac.b, last->smac, sizeof(smac.b));
	events_emit(m, "guard", guest->g.network, guest->g.name,
		    json_pack("{s:s, s:I, s:o}", "guard", guard_name(g), "count", (json_int_t)count,
			      "last", view_guard_last(last)),
		    "%s %s: guard %s dropped %" PRIu64 " frame%s, the last one from %s",
		    guest->g.network, guest->g.name, guard_name(g), count, count == 1 ? "" : "s",
		    mac_format(&smac, mac));
}

/* What was dropped before somebody listened is nobody's news. */
static void look(struct manager *m, struct guard_port *p, bool first)
{
	struct port_drops now;

	if (portguard_drops(m->guard, p->ifindex, &now) < 0)
		return;
	for (enum guard g = 0; g < GUARD_COUNT; g++) {
		if (!first && now.dropped[g] > p->told[g])
			tell(m, p, g, now.dropped[g] - p->told[g], &now.last[g]);
		p->told[g] = now.dropped[g];
	}
}

static void look_at_all(struct manager *m, bool first)
{
	for (struct guard_port *p = m->guard_ports; p && m->guard; p = p->hh.next)
		look(m, p, first);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *ctx)
{
	struct manager *m = ctx;

	(void)usec;
	look_at_all(m, false);
	if (sd_event_source_set_time_relative(s, TELL_US) < 0 ||
	    sd_event_source_set_enabled(s, SD_EVENT_ONESHOT) < 0)
		log_warning("what guards drop is not told any more");
	return 0;
}

void guard_tell_listen(struct manager *m, bool any)
{
	if (!any) {
		m->guard_tell = sd_event_source_disable_unref(m->guard_tell);
		return;
	}
	if (m->guard_tell)
		return;
	look_at_all(m, true);
	if (sd_event_add_time_relative(m->loop, &m->guard_tell, CLOCK_MONOTONIC, TELL_US, 0,
				       on_timer, m) < 0)
		log_warning("what guards drop is not told");
}
