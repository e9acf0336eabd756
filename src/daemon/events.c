/* SPDX-License-Identifier: GPL-2.0-or-later */
/* events.c - see events.h. Next on the walk: api/stream.c sends them. */
#include "daemon/events.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "config.h"
#include "daemon/guard_tell.h"
#include "daemon/policy_log.h"

#define STATIONS_MAX 65536

/* struct station_key - a MAC on a bridge; without padding, since it is hashed as it is. */
struct station_key {
	int bridge;
	struct mac mac;
	uint16_t zero;
};

/* struct station - the port (its ifindex) behind which a MAC was last seen. */
struct station {
	struct station_key key;
	int port;
	UT_hash_handle hh;
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_nsec /= 1000000; /* milliseconds are enough to read */
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1000.0;
}

static void set_name(json_t *event, const char *key, const char *name)
{
	json_object_set_new(event, key, name ? json_string(name) : json_null());
}

void events_emit(struct manager *m, const char *name, const char *network, const char *guest,
		 json_t *more, const char *fmt, ...)
{
	char text[512];
	json_t *event;
	va_list ap;

	if (!m->listening) {
		json_decref(more);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	event = json_pack("{s:f, s:s}", "time", now_s(), "event", name);
	set_name(event, "network", network);
	set_name(event, "guest", guest);
	if (more)
		json_object_update(event, more);
	set_name(event, "text", text);
	api_server_event(m->api, event);
	json_decref(event);
	json_decref(more);
}

int events_hello(void *ctx, json_t **ret, struct err_list *errs)
{
	struct manager *m = ctx;
	unsigned int networks = HASH_COUNT(m->networks), guests = HASH_COUNT(m->guests);

	(void)errs;
	*ret = json_pack("{s:f, s:s, s:s, s:i, s:i, s:o}", "time", now_s(), "event", "hello",
			 "version", VMLANE_VERSION, "networks", (int)networks, "guests",
			 (int)guests, "text",
			 json_sprintf("listening; %u networks, %u guests", networks, guests));
	return *ret ? 0 : -ENOMEM;
}

/* ---- who is where ---- */

static struct station *station_find(struct manager *m, const struct fdb_entry *f)
{
	struct station_key key = {.bridge = f->bridge, .mac = f->mac};
	struct station *s;

	/* NOLINTNEXTLINE(clang-analyzer-*): the analyzer does not follow uthash's hashing */
	HASH_FIND(hh, m->stations, &key, sizeof(key), s);
	return s;
}

static void station_add(struct manager *m, const struct fdb_entry *f)
{
	struct station *s;

	if (HASH_COUNT(m->stations) >= STATIONS_MAX)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->key.bridge = f->bridge;
	s->key.mac = f->mac;
	s->port = f->port;
	HASH_ADD(hh, m->stations, key, sizeof(s->key), s);
}

void events_done(struct manager *m)
{
	struct station *s, *next;

	HASH_ITER (hh, m->stations, s, next) {
		HASH_DEL(m->stations, s);
		free(s);
	}
}

/* What the bridges know already is no news. */
static void stations_load(struct manager *m)
{
	_cleanup_(freep) struct fdb_entry *list = NULL;
	size_t n = 0;

	if (rtnl_fdb_dump(m->rtnl, 0, &list, &n, NULL) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (!list[i].local && !station_find(m, &list[i]))
			station_add(m, &list[i]);
	}
}

void events_listeners(bool any, void *ctx)
{
	struct manager *m = ctx;

	m->listening = any;
	policy_log_listen(m, any);
	guard_tell_listen(m, any);
	if (rtnl_monitor_fdb(m->monitor, any) < 0)
		log_warning("changes of the MAC tables cannot be told");
	if (any)
		stations_load(m);
	else
		events_done(m);
}

static const struct network_rt *network_of(struct manager *m, int bridge)
{
	struct network_rt *n, *next;

	HASH_ITER (hh, m->networks, n, next) {
		if (n->ifindex && n->ifindex == bridge)
			return n;
	}
	return NULL;
}

/* The name of interface @ifindex, or "?" when it is gone already. */
static void port_name(struct manager *m, int ifindex, char ret[static IFNAMSIZ])
{
	struct link_state link;

	strcpy(ret, "?");
	if (rtnl_link_get(m->rtnl, NULL, ifindex, &link, NULL) == 0)
		strcpy(ret, link.name);
}

/* @from: the port it was behind before; 0 when it was not known. */
static void tell_station(struct manager *m, const struct network_rt *n, const struct fdb_entry *f,
			 const char *event, const char *verb, int from)
{
	char mac[MAC_STRLEN], port[IFNAMSIZ], before[IFNAMSIZ] = "";
	const struct guest_rt *g;
	json_t *more;

	mac_format(&f->mac, mac);
	port_name(m, f->port, port);
	if (from)
		port_name(m, from, before);
	g = manager_guest_by_tap(m, port);
	more = json_pack("{s:s, s:s, s:o}", "mac", mac, "port", port, "from",
			 from ? json_string(before) : json_null());
	events_emit(m, event, n->name, g ? g->g.name : NULL, more, "%s %s %s%s%s", mac, verb, port,
		    from ? " from " : "", before);
}

void events_fdb(struct manager *m, const struct rtnl_event *ev)
{
	const struct network_rt *n = network_of(m, ev->fdb.bridge);
	struct station *s;

	if (!m->listening || !n || ev->fdb.local || mac_is_multicast(&ev->fdb.mac))
		return;
	s = station_find(m, &ev->fdb);
	if (ev->kind == RTNL_EVENT_FDB_DEL) {
		if (!s || s->port != ev->fdb.port)
			return;
		tell_station(m, n, &ev->fdb, "mac-forgotten", "is no longer known behind", 0);
		HASH_DEL(m->stations, s);
		free(s);
	} else if (!s) {
		tell_station(m, n, &ev->fdb, "mac-learned", "is behind", 0);
		station_add(m, &ev->fdb);
	} else if (s->port != ev->fdb.port) {
		tell_station(m, n, &ev->fdb, "mac-moved", "moved to", s->port);
		s->port = ev->fdb.port;
	}
}

/* ---- links and uplinks ---- */

void events_link(struct manager *m, const struct link_state *link)
{
	struct guest_rt *g = manager_guest_by_tap(m, link->name);
	bool carrier = link->up && link->carrier;

	if (!g || g->carrier == carrier)
		return;
	g->carrier = carrier;
	events_emit(m, carrier ? "guest-up" : "guest-down", g->g.network, g->g.name,
		    json_pack("{s:s}", "tap", g->g.tap), "%s: its NIC is %s", g->g.name,
		    carrier ? "up" : "down");
}

void events_uplinks(struct manager *m, char (*names)[IFNAMSIZ], size_t n)
{
	struct buf text = BUF_INIT(1024);
	json_t *list;

	if (n == m->n_uplinks && memcmp(names, m->uplinks, n * sizeof(*names)) == 0)
		return;
	memcpy(m->uplinks, names, n * sizeof(*names));
	m->n_uplinks = n;
	list = json_array();
	for (size_t i = 0; i < n; i++) {
		json_array_append_new(list, json_string(names[i]));
		buf_printf(&text, "%s%s", i ? ", " : "", names[i]);
	}
	events_emit(m, "uplink", NULL, NULL, json_pack("{s:o}", "uplinks", list), "%s%s",
		    n ? "the way out is " : "there is no way out: no default route",
		    buf_str(&text));
	buf_done(&text);
}
