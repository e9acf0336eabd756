/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * questions.h - what a guest asks again and again, and who has answered so far: of ARP, DNS, DHCP, router
 * solicitations and TCP's SYN.
 *
 * Pure: journeys and their times. What is no answer to anything is not looked at. Next on the walk:
 * diagnose_guest.c.
 */
#ifndef VMLANE_PATH_QUESTIONS_H
#define VMLANE_PATH_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "path/journey.h"

enum question_kind {
	QUESTION_NONE,
	QUESTION_ARP,	 /* who has an address */
	QUESTION_DNS,	 /* to a resolver, by UDP */
	QUESTION_DHCP,	 /* DISCOVER and REQUEST */
	QUESTION_ROUTER, /* router solicitation */
	QUESTION_TCP,	 /* SYN */
};

/**
 * struct asked - what is known of one question of a guest
 * @times:	how often it was asked in a row, in vain so far, this time included
 * @for_ns:	since it was first asked so
 * @other:	of an offer of DHCP: another server has made one to the same question, @other_addr with
 *		MAC @other_mac
 */
struct asked {
	enum question_kind kind;
	unsigned int times;
	uint64_t for_ns;
	bool other;
	uint8_t other_addr[16];
	uint8_t other_mac[6];
};

/* struct question - see questions.c */
struct question {
	enum question_kind kind;
	uint8_t family;
	uint8_t addr[16];
	uint16_t sport;
	uint16_t dport;
	unsigned int times;
	uint64_t first_ns;
	uint64_t answered_ns;
	uint64_t used_ns;
};

#define QUESTIONS_MAX 64
#define OFFERS_MAX 4

/* struct offer - a server of DHCP that was heard, its address as in struct path_seen, and when. */
struct offer {
	uint8_t addr[16];
	uint8_t mac[6];
	uint64_t at_ns;
};

/* struct questions - of one guest; beyond QUESTIONS_MAX the one that was asked longest ago is forgotten. */
struct questions {
	struct question all[QUESTIONS_MAX];
	struct offer offers[OFFERS_MAX];
};

/* questions_note() - @j has ended; of what is no question .kind is QUESTION_NONE. */
struct asked questions_note(struct questions *q, const struct journey *j);

/* DHCP's message types (RFC 2132, 9.6), in path_seen.seq. */
enum { DHCP_DISCOVER = 1, DHCP_OFFER, DHCP_REQUEST, DHCP_DECLINE, DHCP_ACK, DHCP_NAK };

/* journey_dhcp() - the type of a DHCP server's message to a guest, or of the guest's; 0: it is none. */
unsigned int journey_dhcp(const struct journey *j, bool from_server);

#endif
