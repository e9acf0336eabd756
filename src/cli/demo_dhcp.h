/* SPDX-License-Identifier: GPL-2.0-or-later */
/* demo_dhcp.h - the DHCP messages seen on the bridge, and the four that gave a guest its address. */
#ifndef VMLANE_CLI_DEMO_DHCP_H
#define VMLANE_CLI_DEMO_DHCP_H

#include <jansson.h>
#include "path/watch.h"
#include "wire/dhcp4.h"

#define DHCP_SEEN_MAX 128

/* struct dhcp_seen - a message, with the frame it came in. */
struct dhcp_seen {
	uint64_t time_ns;
	struct mac eth_src;
	struct mac eth_dst;
	struct in_addr src;
	struct in_addr dst;
	struct dhcp4_msg msg;
};

/* struct dhcp_log - in order of time; @missed: messages there was no room for. */
struct dhcp_log {
	struct dhcp_seen seen[DHCP_SEEN_MAX];
	size_t n;
	size_t missed;
};

/* dhcp_note() - a watch_fn; @ctx is the struct dhcp_log. */
void dhcp_note(const struct watch_event *ev, void *ctx);

/*
 * dhcp_facts() - the DISCOVER, OFFER, REQUEST and ACK of the exchange that gave @mac its address. 0, or
 * -ENOENT with the type of the message that was not seen in *ret_missing.
 */
int dhcp_facts(const struct dhcp_log *log, const struct mac *mac, json_t **ret,
	       enum dhcp4_type *ret_missing) __must_check;

#endif
