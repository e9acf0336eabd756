/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * journey_text.h - a journey in words: what the packet is, each hop, how it ended. Pure.
 */
#ifndef VMLANE_PATH_JOURNEY_TEXT_H
#define VMLANE_PATH_JOURNEY_TEXT_H

#include "base/buf.h"
#include "path/journey.h"

/* packet_text() - "tcp 192.168.122.10:41000 > 198.51.100.7:443 SYN", one line without newline. */
void packet_text(const struct path_seen *s, struct buf *out);

/*
 * packet_message() - what it says, where its protocol has a word for it: "echo request", "DHCP OFFER",
 * "DNS NXDOMAIN", "port unreachable of udp port 53"; nothing else.
 */
void packet_message(const struct path_seen *s, struct buf *out);

/* flow_text() - "192.168.122.10:41000 > 198.51.100.7:443"; without ports where there are none. */
void flow_text(const struct flow *f, struct buf *out);

/* address_text() - an address of @family (AF_INET, AF_INET6) in the field's usual form. */
void address_text(uint8_t family, const uint8_t addr[16], struct buf *out);

/*
 * What the words need to know besides the journey; functions may give NULL for "not known".
 * @why (may be NULL): of predicted hops, what it was concluded from.
 */
struct journey_words {
	const struct path_view *view;
	const char *(*reason)(uint32_t reason, void *ctx);     /* name of a drop reason */
	const char *(*function)(uint64_t location, void *ctx); /* name of the code there */
	const char *(*why)(const struct hop *h, void *ctx);
	void *ctx;
};

/* hop_text() - what happened at @h, without its name and time: "via 203.0.113.1 dev eth0". */
void hop_text(const struct hop *h, const struct journey_words *w, struct buf *out);

/* journey_end_text() - "DELIVERED to the guest", "DROP: ...", one line. */
void journey_end_text(const struct journey *g, const struct journey_words *w, struct buf *out);

/* journey_prediction_text() - the same of a predicted one: "would leave by eth0". */
void journey_prediction_text(const struct journey *g, const struct journey_words *w,
			     struct buf *out);

/* device_name() - its name, or "if7" where that is not known; "" for none. Static for @buf. */
const char *device_name(const struct path_view *v, int ifindex, char buf[static IFNAMSIZ]);

#endif
