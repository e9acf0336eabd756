/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ra.h - the router advertiser's mind (RFC 4861 6.2): configuration, time and what happened in; the
 * advertisement to send, to whom and when, out. No I/O, no clock, no globals; randomness is an
 * argument.
 *
 * Times are microseconds of a clock that never goes back (clock_boot_us()). Addresses are in network
 * byte order.
 */
#ifndef VMLANE_LEASE_RA_H
#define VMLANE_LEASE_RA_H

#include "model/network.h"
#include "wire/nd.h"

#define RA_DNS_MAX NETWORK_DNS_MAX
#define RA_OLD_MAX 4 /* prefixes that are told to be out of use; the oldest gives way */

/* What is told. A guest that hears nothing more of us keeps what it has for as long as this. */
#define RA_ROUTER_S 9000     /* router and resolvers: the most that RFC 4861 6.2.1 allows */
#define RA_PREFERRED_S 14400 /* the prefix's addresses are used for new connections */
#define RA_VALID_S 86400
#define RA_OLD_VALID_S 7200 /* hosts heed no shorter one: RFC 4862 5.5.3 e */

/* RFC 4861 10 and 6.2.1 */
#define RA_INITIAL_COUNT 3
#define RA_INITIAL_INTERVAL_S 16
#define RA_MIN_INTERVAL_S 200
#define RA_MAX_INTERVAL_S 600
#define RA_MIN_DELAY_S 3 /* between multicast ones */

/* Unicast answers in one second; what is asked beyond that is answered by one multicast. */
#define RA_ANSWERS_PER_S 500

/**
 * struct ra_config - what is advertised on one network
 * @source:	the bridge's link-local address. It must be one that the kernel has on the bridge and
 *		answers for (no duplicate address detection that still runs): guests make it their
 *		router
 * @prefix:	on-link; with length 64 the guests make addresses of it too. Length 0: none
 * @mtu:	0: not told
 * @router:	the network has a way out, so guests may use us as default router
 * @dns:	resolvers, @n_dns of them
 * @domain:	search list's only entry, labels of 1 to 63 characters; "": none
 */
struct ra_config {
	struct in6_addr source;
	struct ip6_prefix prefix;
	uint32_t mtu;
	bool router;
	struct in6_addr dns[RA_DNS_MAX];
	size_t n_dns;
	char domain[DOMAIN_MAX_LEN + 1];
};

/* struct ra_old - a prefix that was advertised once, and until when hosts may keep its addresses. */
struct ra_old {
	struct ip6_prefix prefix;
	uint64_t until_us;
};

/**
 * struct ra_state - one network's advertiser; owned by the caller, of no use but to the functions
 * below
 * @next_us:	when the next multicast one is due
 * @last_us:	when the last one was sent; @sent_any: whether there was one
 * @initial:	how many of the quick first ones are still to come
 * @old:	@n_old of them, the latest last
 * @old_dns, @old_domain: what was told before and is not to be used any more; the latest last
 * @window_us:	the second that @answers counts in
 */
struct ra_state {
	struct ra_config cfg;
	struct ra_old old[RA_OLD_MAX];
	size_t n_old;
	struct in6_addr old_dns[RA_DNS_MAX];
	size_t n_old_dns;
	char old_domain[DOMAIN_MAX_LEN + 1];
	uint64_t next_us;
	uint64_t last_us;
	bool sent_any;
	unsigned int initial;
	uint64_t window_us;
	unsigned int answers;
};

/* struct ra_send - an advertisement, and the envelope to send it in (but for the sender's MAC). */
struct ra_send {
	struct mac eth_dst;
	struct in6_addr dst;
	struct nd_ra ra;
};

/* enum ra_answer - what a solicitation leads to. */
enum ra_answer {
	RA_NOW,	  /* send what is returned, at once */
	RA_LATER, /* too many: a multicast one is on its way, see ra_next_us() */
};

/* ra_init() - the network becomes an advertising one: the first multicast is due at once. */
void ra_init(struct ra_state *s, const struct ra_config *cfg, uint64_t now_us);

/*
 * ra_configure() - from now on this is told: soon, and a few times, as RFC 4861 6.2.4 allows. A prefix
 * that is there no more is told to be out of use until hosts have forgotten it. Nothing happens
 * when nothing changed.
 */
void ra_configure(struct ra_state *s, const struct ra_config *cfg, uint64_t now_us);

/*
 * ra_solicited() - a valid solicitation from @src (which may be ::) came in a frame from @eth_src.
 * @ret is set for RA_NOW.
 */
enum ra_answer ra_solicited(struct ra_state *s, const struct mac *eth_src,
			    const struct in6_addr *src, uint64_t now_us, struct ra_send *ret);

/* ra_next_us() - when to call ra_due(). */
uint64_t ra_next_us(const struct ra_state *s);

/*
 * ra_due() - is it time for a multicast one? Then @ret is it, and the next is planned with @random,
 * 32 fresh bits.
 */
bool ra_due(struct ra_state *s, uint64_t now_us, uint32_t random, struct ra_send *ret);

/* ra_last() - the network ends: router, resolvers and prefixes are out of use (RFC 4861 6.2.5). */
void ra_last(const struct ra_state *s, uint64_t now_us, struct ra_send *ret);

#endif
