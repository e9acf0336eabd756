/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp4.h - DHCPv4 messages (RFC 2131, options RFC 2132): bytes <-> struct dhcp4_msg. Pure.
 *
 * Next on the walk: lease/decide.h, which answers one message with another.
 */
#ifndef VMLANE_WIRE_DHCP4_H
#define VMLANE_WIRE_DHCP4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/addr.h"

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
/*
 * The vendor class (option 60) of a DISCOVER that `vmlane probe` sends in a guest's name: our server
 * offers and forgets.
 */
#define DHCP4_PROBE_CLASS "vmlane-probe"
#define DHCP4_MSG_MAX 1472
#define DHCP4_CLIENT_ID_MAX 255 /* RFC 6842: what was sent must be echoed, whatever its length */
#define DHCP4_HOSTNAME_MAX 63
#define DHCP4_DNS_MAX 4
#define DHCP4_PARAMS_MAX 128
#define DHCP4_AGENT_INFO_MAX 255

enum dhcp4_type { /* RFC 2132 9.6 */
		  DHCP4_DISCOVER = 1,
		  DHCP4_OFFER = 2,
		  DHCP4_REQUEST = 3,
		  DHCP4_DECLINE = 4,
		  DHCP4_ACK = 5,
		  DHCP4_NAK = 6,
		  DHCP4_RELEASE = 7,
		  DHCP4_INFORM = 8,
		  DHCP4_TYPE_COUNT,
};

/* dhcp4_type_name() - "DISCOVER", ...; "?" for none of them. */
const char *dhcp4_type_name(enum dhcp4_type t);

/**
 * struct dhcp4_msg - a message, in or out. An absent option is zero or empty; no option that is
 * kept here has zero as a value of its own.
 * @op:		1 BOOTREQUEST, 2 BOOTREPLY
 * @xid:	host byte order
 * @secs:	seconds since the client began, host byte order
 * @broadcast:	the BROADCAST flag (RFC 2131 section 2)
 * @ciaddr ... @giaddr: RFC 2131 section 2
 * @chaddr:	the client's MAC (htype 1, hlen 6; other hardware is -EPROTONOSUPPORT)
 * @type:	option 53
 * @requested:	option 50; @server_id: option 54; both 0 when absent
 * @client_id:	option 61 as sent, @client_id_len bytes (type byte included)
 * @hostname:	option 12, cut to letters, digits, '-' and '.' (other bytes are left out, and so
 *		are '-' and '.' at its ends), NUL-terminated; "" when absent or nothing is left.
 *		Option 81 (RFC 4702) is used when 12 is absent.
 * @vendor_class: option 60, printable part, for show
 * @params:	option 55 as sent
 * @agent_info:	option 82 as sent, to be echoed (RFC 3046 2.2)
 * @mask .. @renew_s: for replies: options 1, 3, 6, 15, 26, 28, 51, 58, 59; 0/"" leaves one out
 * @message:	option 56, for NAK
 * @max_size:	option 57, bytes of an IP datagram; 0 when absent. In a reply: the client's, which
 *		limits the reply and is not sent
 */
struct dhcp4_msg {
	uint8_t op;
	uint32_t xid;
	uint16_t secs;
	bool broadcast;
	struct in_addr ciaddr;
	struct in_addr yiaddr;
	struct in_addr siaddr;
	struct in_addr giaddr;
	struct mac chaddr;
	enum dhcp4_type type;
	struct in_addr requested;
	struct in_addr server_id;
	uint8_t client_id[DHCP4_CLIENT_ID_MAX];
	size_t client_id_len;
	char hostname[DHCP4_HOSTNAME_MAX + 1];
	char vendor_class[64];
	uint8_t params[DHCP4_PARAMS_MAX];
	size_t n_params;
	uint8_t agent_info[DHCP4_AGENT_INFO_MAX];
	size_t agent_info_len;
	struct in_addr mask;
	struct in_addr router;
	struct in_addr dns[DHCP4_DNS_MAX];
	size_t n_dns;
	char domain[254];
	uint16_t mtu;
	struct in_addr broadcast_addr;
	uint32_t lease_s;
	uint32_t renew_s;  /* T1 */
	uint32_t rebind_s; /* T2 */
	char message[64];
	uint16_t max_size;
};

/*
 * dhcp4_parse() - the payload of a UDP datagram. 0, -EBADMSG (cut short, no magic cookie, option
 * overruns or has a wrong length, more than one message type, ...), -EPROTONOSUPPORT (no option 53:
 * plain BOOTP; a message type that RFC 2131 does not have; not Ethernet). Option overload (RFC 2132
 * 9.3) and split options (RFC 3396) are read.
 */
int dhcp4_parse(const void *bytes, size_t len, struct dhcp4_msg *ret) __must_check;

/* dhcp4_is_probe() - a DISCOVER with DHCP4_PROBE_CLASS. */
bool dhcp4_is_probe(const struct dhcp4_msg *m);

/*
 * dhcp4_build() - at most @cap bytes and, in a reply, no more than the client takes: @m->max_size,
 * or 576 bytes (with the IP and UDP headers) when it did not say or said less. Optional options
 * are left out where there is no room, in order of importance. At least 300 bytes long (BOOTP
 * relays want that). The length, or -ENOBUFS.
 * Options are sent when their field is set; `decide` chooses which.
 */
int dhcp4_build(const struct dhcp4_msg *m, void *buf, size_t cap) __must_check;

#endif
