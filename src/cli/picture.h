/* SPDX-License-Identifier: GPL-2.0-or-later */
/* picture.h - the way of packets as one line of boxes, from the API's objects. */
#ifndef VMLANE_CLI_PICTURE_H
#define VMLANE_CLI_PICTURE_H

#include <jansson.h>
#include "base/buf.h"

/*
 * picture_network() - [guests: web1, web2] -> [bridge ...] -> [NAT: ...] -> ... -> Internet, and a
 * line for each port of the host that leads to a guest: [host tcp 8080] -> [guest web1 ... tcp 80]
 */
void picture_network(const json_t *network, struct buf *out);

/*
 * picture_guest() - [guest web1 192.168.122.10] -> [tap vl-web1] -> [bridge ...] -> ...; @network
 * may be NULL: then the way ends at the bridge. Forwards as for a network.
 */
void picture_guest(const json_t *guest, const json_t *network, struct buf *out);

#endif
