/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * snoop.c - see snoop.h. Which sockets are on which bridge, how much is read of them, and what is told.
 * Next on the walk: view_sightings.c shows what is known.
 */
#include "daemon/snoop_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/events.h"

#define BRIDGE_RATE 500 /* frames a second that are looked at */
#define BRIDGE_BURST 1000
#define ALL_RATE 2000
#define ALL_BURST 4000
#define PAUSE_US 100000
#define LEFT_US 1000000 /* so late nothing is read of a port that is gone */

static struct snoop_bridge *bridge_find(const struct snoop *s, int ifindex)
{
	struct snoop_bridge *b;

	HASH_FIND_INT(s->bridges, &ifindex, b);
	return b;
}

/* ---- how much ---- */

static void bucket_fill(struct bucket *b, unsigned int rate, unsigned int burst, uint64_t now_us)
{
	uint64_t more = (now_us - b->since_us) * rate / 1000000;

	if (!b->since_us || more >= burst) {
		b->left = burst;
		b->since_us = now_us;
	} else if (more) {
		b->left = (unsigned int)size_min(b->left + more, burst);
		b->since_us += more * 1000000 / rate;
	}
}

/* So many frames may be looked at now. */
static size_t budget(struct snoop_bridge *b, uint64_t now_us)
{
	bucket_fill(&b->bucket, BRIDGE_RATE, BRIDGE_BURST, now_us);
	bucket_fill(&b->s->bucket, ALL_RATE, ALL_BURST, now_us);
	return size_min(b->bucket.left, b->s->bucket.left);
}

static void spend(struct snoop_bridge *b, size_t n)
{
	b->bucket.left -= (unsigned int)size_min(n, b->bucket.left);
	b->s->bucket.left -= (unsigned int)size_min(n, b->s->bucket.left);
}

static void listen_again(struct snoop_bridge *b)
{
	b->paused = false;
	for (size_t k = 0; k < SNOOP_COUNT; k++)
		if (b->sources[k] && sd_event_source_set_enabled(b->sources[k], SD_EVENT_ON) < 0)
			log_error("%s: out of memory; nothing more is heard there", b->name);
}

static int on_pause_over(sd_event_source *src, uint64_t usec, void *ctx)
{
	struct snoop_bridge *b, *next;
	struct snoop *s = ctx;

	(void)src;
	(void)usec;
	HASH_ITER (hh, s->bridges, b, next) {
		if (b->paused)
			listen_again(b);
	}
	return 0;
}

/* The kernel's queue fills meanwhile, and what does not fit is dropped there, which costs next to nothing. */
static void pause_bridge(struct snoop_bridge *b)
{
	struct snoop *s = b->s;
	int r = 0;

	for (size_t k = 0; k < SNOOP_COUNT; k++)
		if (b->sources[k])
			(void)sd_event_source_set_enabled(b->sources[k], SD_EVENT_OFF);
	b->paused = true;
	if (!s->timer)
		r = sd_event_add_time_relative(s->m->loop, &s->timer, CLOCK_MONOTONIC, PAUSE_US, 0,
					       on_pause_over, s);
	else if (sd_event_source_get_enabled(s->timer, NULL) == 0)
		r = sd_event_source_set_time_relative(s->timer, PAUSE_US);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->timer, SD_EVENT_ONESHOT);
	if (r < 0)
		log_error("%s: out of memory; nothing more is heard there", b->name);
}

/* ---- what is told ---- */

static void port_name(struct snoop *s, int ifindex, char ret[static IFNAMSIZ])
{
	struct link_state link;

	strcpy(ret, "?");
	if (ifindex && rtnl_link_get(s->m->rtnl, NULL, ifindex, &link, NULL) == 0)
		strcpy(ret, link.name);
}

const char *snoop_address(uint8_t family, const uint8_t addr[16], char text[static IP6_STRLEN])
{
	return inet_ntop(family, addr, text, IP6_STRLEN);
}

static bool is_linklocal(const struct sighting *what)
{
	struct in6_addr a;

	memcpy(&a, what->addr, sizeof(a));
	return what->family == AF_INET6 && ip6_is_linklocal(&a);
}

/* struct heard - one sighting on its way to those who listen. */
struct heard {
	struct snoop_bridge *b;
	const struct sighting *what;
	const struct sightings_news *news;
	const char *network;
	const char *guest;
	char port[IFNAMSIZ], other_port[IFNAMSIZ];
	char mac[MAC_STRLEN], other_mac[MAC_STRLEN];
	char address[IP6_STRLEN];
};

static void tell_duplicates(const struct heard *h)
{
	struct manager *m = h->b->s->m;

	if (h->news->duplicate_address) {
		log_warning("%s: %s is at two ports: %s (%s) and %s (%s)", h->b->name, h->address,
			    h->port, h->mac, h->other_port, h->other_mac);
		events_emit(m, "duplicate-address", h->network, h->guest,
			    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "address", h->address,
				      "bridge", h->b->name, "mac", h->mac, "port", h->port,
				      "other_mac", h->other_mac, "other_port", h->other_port),
			    "%s: %s is at two ports: %s (%s) and %s (%s)", h->b->name, h->address,
			    h->port, h->mac, h->other_port, h->other_mac);
	}
	if (h->news->duplicate_mac) {
		log_warning("%s: MAC %s is at two ports: %s and %s", h->b->name, h->mac, h->port,
			    h->other_port);
		events_emit(m, "duplicate-mac", h->network, h->guest,
			    json_pack("{s:s, s:s, s:s, s:s}", "bridge", h->b->name, "mac", h->mac,
				      "port", h->port, "other_port", h->other_port),
			    "%s: MAC %s is at two ports: %s and %s", h->b->name, h->mac, h->port,
			    h->other_port);
	}
}

static void tell_address(const struct heard *h, const struct network_rt *n)
{
	static const char *const words[] = {"ARP", "ND", "DHCP"};
	const char *name = sighting_names[h->what->kind];

	_Static_assert(ARRAY_SIZE(words) == SIGHTING_COUNT, "a kind without its word");
	/* What is on the LAN is nobody's guest here. */
	if (!h->news->address || is_linklocal(h->what) ||
	    (n && strcmp(n->config->uplink, h->port) == 0))
		return;
	events_emit(h->b->s->m, "guest-address", h->network, h->guest,
		    json_pack("{s:s, s:s, s:s, s:s, s:s}", "address", h->address, "mac", h->mac,
			      "source", name, "bridge", h->b->name, "port", h->port),
		    "%s has %s (%s seen at %s, %s)", h->guest ? h->guest : h->port, h->address,
		    words[h->what->kind], h->port, h->mac);
}

static void tell(struct snoop_bridge *b, const struct sighting_place *at,
		 const struct sighting *what, const struct sightings_news *news)
{
	struct heard h = {.b = b, .what = what, .news = news};
	struct manager *m = b->s->m;
	const struct network_rt *n;
	const struct guest_rt *g;
	bool duplicate = news->duplicate_address || news->duplicate_mac;

	if (!at->port || at->port == b->nic || !(duplicate || (news->address && m->listening)) ||
	    pace_ask(duplicate ? &b->s->warn : &b->s->tell, clock_boot_us()))
		return;
	n = manager_network_by_bridge(m, b->name);
	h.network = n ? n->name : NULL;
	port_name(b->s, at->port, h.port);
	g = manager_guest_by_tap(m, h.port);
	h.guest = g ? g->g.name : NULL;
	port_name(b->s, news->other_port, h.other_port);
	mac_format(&what->mac, h.mac);
	mac_format(&news->other_mac, h.other_mac);
	snoop_address(what->family, what->addr, h.address);
	tell_duplicates(&h);
	tell_address(&h, n);
}

/* ---- what is heard ---- */

static struct off_port *off_find(const struct snoop *s, int ifindex)
{
	struct off_port *o;

	HASH_FIND_INT(s->off, &ifindex, o);
	return o;
}

/* What cannot be noted is taken to be on: at the worst it is shown a while longer. */
static void off_set(struct snoop *s, int ifindex, bool off)
{
	struct off_port *o = off_find(s, ifindex);

	if (off && !o) {
		o = calloc(1, sizeof(*o));
		if (!o)
			return;
		o->ifindex = ifindex;
		HASH_ADD_INT(s->off, ifindex, o);
	} else if (!off && o) {
		HASH_DEL(s->off, o);
		free(o);
	}
}

/* A frame may be read before it is told that its port is on again. */
static bool is_off(struct snoop *s, int ifindex)
{
	struct link_state link;

	if (!off_find(s, ifindex))
		return false;
	if (rtnl_link_get(s->m->rtnl, NULL, ifindex, &link, NULL) < 0 || !link.up || !link.carrier)
		return true;
	off_set(s, ifindex, false);
	return false;
}

/*
 * The bridge has learned it a moment ago; where it has not it is not known. false: it is the host's own, or
 * was sent by who is not there any more.
 */
static bool find_port(struct snoop_bridge *b, const struct mac *mac, struct sighting_place *at)
{
	uint16_t vid = !b->filtering ? 0 : at->vlan ? at->vlan : b->pvid;
	struct fdb_entry f;

	if (rtnl_fdb_get(b->s->m->rtnl, b->ifindex, mac, vid, &f) < 0)
		return !b->left_us || clock_boot_us() - b->left_us > LEFT_US;
	at->port = f.port;
	return !f.local && f.port != b->ifindex && !is_off(b->s, f.port);
}

static void take(struct snoop_bridge *b, const uint8_t *bytes, size_t len, uint16_t vlan)
{
	struct sighting_place at = {.bridge = b->ifindex, .vlan = vlan};
	struct sightings_news news;
	struct sighting what;

	if (sighting_parse(bytes, len, &what) < 0 || !find_port(b, &what.mac, &at))
		return;
	b->s->heard++;
	if (sightings_add(b->s->table, &at, &what, clock_boot_us(), &news) == 0)
		tell(b, &at, &what, &news);
}

static void on_frame(const struct snoop_frame *f, void *ctx)
{
	take(ctx, f->bytes, f->len, f->vlan);
}

static int on_readable(sd_event_source *src, int fd, uint32_t revents, void *ctx)
{
	struct snoop_bridge *b = ctx;
	size_t n = budget(b, clock_boot_us());

	(void)src;
	(void)revents;
	if (n)
		spend(b, snoop_read(fd, n, on_frame, b));
	else
		pause_bridge(b);
	return 0;
}

/* By the socket that serves a network: read by then, so that only the looking is saved. */
static void on_served(const struct lease_frame *frames, size_t n, void *ctx)
{
	struct network_rt *net = ctx;
	struct snoop_bridge *b = bridge_find(net->snoop, net->ifindex);
	size_t most;

	if (!b)
		return;
	most = budget(b, clock_boot_us());
	spend(b, n);
	for (size_t i = 0; i < n && i < most; i++)
		if (!frames[i].cut)
			take(b, frames[i].bytes, frames[i].len, 0);
}

/* ---- sockets ---- */

static void sock_close(struct snoop_bridge *b, enum snoop_kind k)
{
	b->sources[k] = sd_event_source_disable_unref(b->sources[k]);
	fd_closep(&b->fds[k]);
	b->fds[k] = -1;
}

static void sock_open(struct snoop_bridge *b, enum snoop_kind k)
{
	int r = snoop_open(b->ifindex, k, &b->fds[k]);

	/* It went while it was looked at: that will be told. */
	if (r == -ENODEV)
		return;
	if (r == 0)
		r = sd_event_add_io(b->s->m->loop, &b->sources[k], b->fds[k], EPOLLIN, on_readable,
				    b);
	if (r >= 0)
		return;
	sock_close(b, k);
	if (!b->s->failed)
		log_warning("%s: addresses of guests cannot be heard there: %s", b->name,
			    strerror(-r));
	b->s->failed = true;
}

/* The networks that are served have a socket that hears neighbour discovery along with the rest. */
static bool is_wanted(const struct snoop_bridge *b, const struct network_rt *n, enum snoop_kind k)
{
	switch (k) {
	case SNOOP_ND:
		return !n || !n->socket || n->ifindex != b->ifindex;
	case SNOOP_DHCP:
		return b->nic || (n && n->config->mode == NETWORK_BRIDGED);
	default:
		return true;
	}
}

static void settle(struct snoop_bridge *b)
{
	const struct network_rt *n = manager_network_by_bridge(b->s->m, b->name);

	for (enum snoop_kind k = 0; k < SNOOP_COUNT; k++) {
		bool wanted = is_wanted(b, n, k);

		if (wanted && b->fds[k] < 0)
			sock_open(b, k);
		else if (!wanted && b->fds[k] >= 0)
			sock_close(b, k);
	}
}

void snoop_served(struct manager *m, struct network_rt *n)
{
	struct snoop_bridge *b = m->snoop ? bridge_find(m->snoop, n->ifindex) : NULL;

	n->snoop = m->snoop;
	if (n->snoop && n->socket)
		lease_socket_listen(n->socket, LEASE_ND, on_served, n);
	if (b)
		settle(b);
}

/* ---- bridges ---- */

static void bridge_free(struct snoop_bridge *b)
{
	for (enum snoop_kind k = 0; k < SNOOP_COUNT; k++)
		sock_close(b, k);
	HASH_DEL(b->s->bridges, b);
	free(b);
}

static struct snoop_bridge *bridge_add(struct snoop *s, int ifindex)
{
	struct snoop_bridge *b;

	if (HASH_COUNT(s->bridges) >= SNOOP_BRIDGES_MAX) {
		if (!s->failed)
			log_warning("more than %d bridges: on the others guests' addresses are not "
				    "heard",
				    SNOOP_BRIDGES_MAX);
		s->failed = true;
		return NULL;
	}
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->s = s;
	b->ifindex = ifindex;
	for (size_t k = 0; k < SNOOP_COUNT; k++)
		b->fds[k] = -1;
	HASH_ADD_INT(s->bridges, ifindex, b);
	return b;
}

static void heard_bridge(struct snoop *s, const struct link_state *link)
{
	struct snoop_bridge *b = bridge_find(s, link->ifindex);

	if (!b)
		b = bridge_add(s, link->ifindex);
	if (!b)
		return;
	memcpy(b->name, link->name, sizeof(b->name));
	b->filtering = link->vlan_filtering;
	b->pvid = link->default_pvid;
	settle(b);
}

/* Guests are behind taps and veths; other ports lead to a LAN, whose DHCP server may be theirs. */
static void heard_port(struct snoop *s, const struct link_state *link)
{
	struct snoop_bridge *b = link->master ? bridge_find(s, link->master) : NULL;

	if (!b || b->nic || strcmp(link->kind, "tun") == 0 || strcmp(link->kind, "veth") == 0)
		return;
	b->nic = link->ifindex;
	settle(b);
}

static void nic_left(struct snoop *s, int ifindex, int master)
{
	struct snoop_bridge *b, *next;

	HASH_ITER (hh, s->bridges, b, next) {
		if (b->nic != ifindex || b->ifindex == master)
			continue;
		b->nic = 0;
		settle(b);
	}
}

/*
 * Of @bridge it is told to be a port now, 0: of none. News may be old: what was heard since would be lost
 * with it, so that it is looked up where there is something to lose.
 */
static void port_gone(struct snoop *s, int port, int bridge)
{
	int was = sightings_port_bridge(s->table, port);
	struct snoop_bridge *b;
	struct link_state now;

	if (!was || was == bridge)
		return;
	if (rtnl_link_get(s->m->rtnl, NULL, port, &now, NULL) == 0 && now.up && now.carrier &&
	    now.master == was)
		return;
	sightings_port_gone(s->table, port);
	b = bridge_find(s, was);
	if (b)
		b->left_us = clock_boot_us();
}

void snoop_link(struct manager *m, const struct link_state *link)
{
	struct snoop *s = m->snoop;
	bool is_on = link->up && link->carrier;

	if (!s)
		return;
	if (strcmp(link->kind, "bridge") == 0) {
		heard_bridge(s, link);
		return;
	}
	if (link->master || off_find(s, link->ifindex))
		off_set(s, link->ifindex, link->master && !is_on);
	port_gone(s, link->ifindex, is_on ? link->master : 0);
	if (strcmp(link->kind, "tun") != 0 && strcmp(link->kind, "veth") != 0)
		nic_left(s, link->ifindex, link->master);
	heard_port(s, link);
}

void snoop_link_gone(struct manager *m, int ifindex)
{
	struct snoop *s = m->snoop;
	struct snoop_bridge *b = s ? bridge_find(s, ifindex) : NULL;

	if (!s)
		return;
	if (b) {
		sightings_bridge_gone(s->table, ifindex);
		bridge_free(b);
		return;
	}
	off_set(s, ifindex, false);
	port_gone(s, ifindex, 0);
	nic_left(s, ifindex, 0);
}

void snoop_resync(struct manager *m)
{
	struct snoop *s = m->snoop;
	struct snoop_bridge *b, *next;
	struct actual a = {0};

	if (!s || rtnl_snapshot(m->rtnl, &a, NULL) < 0)
		return;
	HASH_ITER (hh, s->bridges, b, next) {
		if (!actual_link_by_index(&a, b->ifindex))
			snoop_link_gone(m, b->ifindex);
	}
	/* A port can only be one of a bridge that is known. */
	for (size_t i = 0; i < a.n_links; i++)
		if (strcmp(a.links[i].kind, "bridge") == 0)
			snoop_link(m, &a.links[i]);
	for (size_t i = 0; i < a.n_links; i++)
		if (strcmp(a.links[i].kind, "bridge") != 0)
			snoop_link(m, &a.links[i]);
	actual_done(&a);
}

/* ---- beginning and end ---- */

int snoop_new(struct manager *m)
{
	struct network_rt *n, *next;
	struct snoop *s;

	if (m->options->no_snoop)
		return 0;
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->m = m;
	s->table = sightings_new();
	if (!s->table) {
		free(s);
		return -ENOMEM;
	}
	m->snoop = s;
	/* First, so that no bridge gets a socket more than it needs: closing one takes its time. */
	HASH_ITER (hh, m->networks, n, next)
		snoop_served(m, n);
	snoop_resync(m);
	return 0;
}

void snoop_free(struct snoop *s)
{
	struct snoop_bridge *b, *next;

	if (!s)
		return;
	HASH_ITER (hh, s->bridges, b, next)
		bridge_free(b);
	while (s->off)
		off_set(s, s->off->ifindex, false);
	sd_event_source_disable_unref(s->timer);
	sightings_free(s->table);
	free(s);
}
