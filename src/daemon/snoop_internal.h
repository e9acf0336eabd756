/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snoop_internal.h - what snoop.c and view_sightings.c share. */
#ifndef VMLANE_DAEMON_SNOOP_INTERNAL_H
#define VMLANE_DAEMON_SNOOP_INTERNAL_H

#include "daemon/pace.h"
#include "daemon/sightings.h"
#include "daemon/snoop.h"
#include "kernel/snoop.h"

#define SNOOP_BRIDGES_MAX 8192

/* struct bucket - @left frames may be looked at, as of @since_us; all 0: a full one */
struct bucket {
	unsigned int left;
	uint64_t since_us;
};

/* struct off_port - a port that is down, or without a carrier, as far as was heard */
struct off_port {
	int ifindex;
	UT_hash_handle hh;
};

/**
 * struct snoop_bridge - a bridge that is listened on
 * @fds:	by kind; -1: not open
 * @nic:	a port of it that leads to a LAN; 0: none
 * @filtering:	it filters VLANs; @pvid: that of untagged frames
 * @left_us:	when a port of it went last: frames that came before may still be read
 * @paused:	more came than is looked at
 */
struct snoop_bridge {
	struct snoop *s;
	int ifindex;
	char name[IFNAMSIZ];
	int fds[SNOOP_COUNT];
	sd_event_source *sources[SNOOP_COUNT];
	int nic;
	bool filtering;
	uint16_t pvid;
	struct bucket bucket;
	uint64_t left_us;
	bool paused;
	UT_hash_handle hh;
};

/**
 * struct snoop - see snoop.h
 * @off:	what is read of these was sent before, by who is not there any more
 * @heard:	sightings so far
 * @bucket:	of all bridges together
 * @tell, @warn: how often new addresses, and duplicates, are told
 * @timer:	armed while a bridge is paused
 * @failed:	that something could not be opened was logged
 */
struct snoop {
	struct manager *m;
	struct sightings *table;
	struct snoop_bridge *bridges;
	struct off_port *off;
	uint64_t heard;
	struct bucket bucket;
	struct pace tell;
	struct pace warn;
	sd_event_source *timer;
	bool failed;
};

/* snoop_address() - as text, in @text. */
const char *snoop_address(uint8_t family, const uint8_t addr[16], char text[static IP6_STRLEN]);

#endif
