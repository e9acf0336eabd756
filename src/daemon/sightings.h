/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sightings.h - which stations were seen with which addresses (wire/sighting.h), behind which port, and
 * when. Bounded whatever is sent; no I/O, and the time is an argument.
 *
 * Whoever floods it loses what was known of their own port first: a port has room for so many stations,
 * a station for so many addresses, and only when all of it is full do those go that were silent longest.
 * Next on the walk: daemon/snoop.c.
 */
#ifndef VMLANE_DAEMON_SIGHTINGS_H
#define VMLANE_DAEMON_SIGHTINGS_H

#include "base/addr.h"
#include "base/macro.h"
#include "wire/sighting.h"

#define SIGHTINGS_STATION_ADDRS 16  /* addresses of a station */
#define SIGHTINGS_PORT_STATIONS 256 /* stations of a port, or of a bridge without a known port */
#define SIGHTINGS_STATIONS 16384    /* in all; about 3 MB */
#define SIGHTINGS_ADDRS 32768	    /* likewise; about 6 MB */
#define SIGHTINGS_FORGET_US 86400000000 /* a station that was silent so long is forgotten */
#define SIGHTINGS_FRESH_US 300000000	/* an address is taken for true so long after it was seen */
#define SIGHTINGS_BACK_US 60000000 /* a MAC that comes back to its port so soon has not moved */
#define SIGHTINGS_TELL_US 60000000 /* the same duplicate is not news more often */

/**
 * struct sighting_place - where a frame came in
 * @bridge:	its ifindex; @port: that of its port, 0 where it is not known
 * @vlan:	of its tag; 0: untagged there
 */
struct sighting_place {
	int bridge;
	int port;
	uint16_t vlan;
};

/**
 * struct sightings_news - what is new
 * @address:	the station had not been seen with this address
 * @duplicate_address: @other_mac behind @other_port was seen with it not long ago
 * @duplicate_mac: the station's MAC is behind @other_port as well
 */
struct sightings_news {
	bool address;
	bool duplicate_address;
	bool duplicate_mac;
	int other_port;
	struct mac other_mac;
};

/**
 * struct seen_address - one address of a station, to be shown
 * @kind:	what it was last seen by
 * @age_us:	since then
 * @stale:	that is long ago
 * @duplicate:	a station behind another port was seen with it, and neither is stale
 * @twin_port:	its MAC was seen behind this port too, not long ago; 0: it was not
 */
struct seen_address {
	struct sighting_place at;
	struct mac mac;
	uint8_t family;
	uint8_t addr[16];
	enum sighting_kind kind;
	uint64_t age_us;
	bool stale;
	bool duplicate;
	int twin_port;
};

struct sightings;
struct sightings *sightings_new(void);
void sightings_free(struct sightings *t);

/*
 * sightings_add() - @s was seen at @at; what is new of it to *@ret. 0 or -ENOMEM. What @s has @gone takes
 * away the addresses that its MAC has by DHCP alone.
 */
int sightings_add(struct sightings *t, const struct sighting_place *at, const struct sighting *s,
		  uint64_t now_us, struct sightings_news *ret) __must_check;
/* sightings_port_bridge() - the bridge on which somebody was seen behind @port; 0: nobody was. */
int sightings_port_bridge(struct sightings *t, int port);
/* sightings_port_gone() - nobody is behind @port any more. */
void sightings_port_gone(struct sightings *t, int port);
void sightings_bridge_gone(struct sightings *t, int bridge);
/* sightings_each() - all that are known at @now_us, in no order. */
void sightings_each(struct sightings *t, uint64_t now_us,
		    void (*fn)(const struct seen_address *a, void *ctx), void *ctx);
size_t sightings_count(const struct sightings *t);
/* sightings_evicted() - addresses that had to go for others, so far. */
uint64_t sightings_evicted(const struct sightings *t);
DEFINE_CLEANUP(struct sightings *, sightings_free)

#endif
