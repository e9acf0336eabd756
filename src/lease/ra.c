/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ra.c - the router advertiser's mind, see ra.h.
 *
 * | RFC 4861 | here |
 * | 6.2.3 contents | fill() |
 * | 6.2.4 unsolicited ones, their rhythm | ra_due(), plan() |
 * | 6.2.5 ceasing | ra_last() |
 * | 6.2.6 solicitations | ra_solicited() |
 *
 * Next on the walk: ra_server.c, which calls these and sends.
 */
#include "lease/ra.h"

#include <assert.h>
#include <string.h>

#define SECOND_US UINT64_C(1000000)
#define HOP_LIMIT 64	    /* for hosts to use: the current one of RFC 1700 and its successors */
#define SLAAC_PREFIX_LEN 64 /* RFC 4862 5.5.3 d with the interface identifiers of RFC 2464 */

static_assert(RA_OLD_MAX + 1 <= ND_PREFIX_MAX, "the prefix and the old ones fit");
static_assert(RA_DNS_MAX <= ND_DNS_MAX, "the resolvers fit");
static_assert(DOMAIN_MAX_LEN <= ND_DOMAIN_MAX, "the domain fits");

static const struct in6_addr all_nodes = {{{0xff, 0x02, [15] = 1}}};
static const struct mac all_nodes_mac = {{0x33, 0x33, 0, 0, 0, 1}};

/* ---- configuration ---- */

static bool same_dns(const struct ra_config *a, const struct ra_config *b)
{
	return a->n_dns == b->n_dns && memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) == 0;
}

static bool same(const struct ra_config *a, const struct ra_config *b)
{
	return ip6_equal(&a->source, &b->source) && ip6_prefix_equal(&a->prefix, &b->prefix) &&
	       a->mtu == b->mtu && a->router == b->router && same_dns(a, b) &&
	       strcmp(a->domain, b->domain) == 0;
}

static void old_remove(struct ra_state *s, size_t i)
{
	memmove(&s->old[i], &s->old[i + 1], (s->n_old - i - 1) * sizeof(s->old[0]));
	s->n_old--;
}

/* Those that hosts have forgotten need no word; @current is told as the prefix. */
static void old_prune(struct ra_state *s, const struct ip6_prefix *current, uint64_t now_us)
{
	for (size_t i = s->n_old; i-- > 0;) {
		if (s->old[i].until_us <= now_us || ip6_prefix_equal(&s->old[i].prefix, current))
			old_remove(s, i);
	}
}

static void old_add(struct ra_state *s, const struct ip6_prefix *p, uint64_t now_us)
{
	if (s->n_old == RA_OLD_MAX)
		old_remove(s, 0);
	s->old[s->n_old++] = (struct ra_old){*p, now_us + RA_OLD_VALID_S * SECOND_US};
}

static bool has_dns(const struct in6_addr *list, size_t n, const struct in6_addr *a)
{
	for (size_t i = 0; i < n; i++) {
		if (ip6_equal(&list[i], a))
			return true;
	}
	return false;
}

/* What was told and is not in @cfg: first what was replaced just now, then what was before. */
static void old_dns_renew(struct ra_state *s, const struct ra_config *cfg)
{
	struct in6_addr all[2 * RA_DNS_MAX];
	size_t n = s->cfg.n_dns + s->n_old_dns;

	memcpy(all, s->cfg.dns, s->cfg.n_dns * sizeof(all[0]));
	memcpy(all + s->cfg.n_dns, s->old_dns, s->n_old_dns * sizeof(all[0]));
	s->n_old_dns = 0;
	for (size_t i = 0; i < n && s->n_old_dns < RA_DNS_MAX; i++) {
		if (!has_dns(cfg->dns, cfg->n_dns, &all[i]) &&
		    !has_dns(s->old_dns, s->n_old_dns, &all[i]))
			s->old_dns[s->n_old_dns++] = all[i];
	}
}

static void old_domain_renew(struct ra_state *s, const struct ra_config *cfg)
{
	if (s->cfg.domain[0] && strcmp(s->cfg.domain, cfg->domain) != 0)
		memcpy(s->old_domain, s->cfg.domain, sizeof(s->old_domain));
	else if (strcmp(s->old_domain, cfg->domain) == 0)
		s->old_domain[0] = '\0';
}

/* ---- contents ---- */

static void add_prefix(struct nd_ra *ra, const struct ip6_prefix *p, uint32_t valid_s,
		       uint32_t preferred_s)
{
	ra->prefixes[ra->n_prefixes++] =
		(struct nd_prefix){.prefix = *p,
				   .on_link = true,
				   .autonomous = p->len == SLAAC_PREFIX_LEN,
				   .valid_s = valid_s,
				   .preferred_s = preferred_s};
}

/* RFC 4861 6.2.3 */
static void fill(const struct ra_state *s, uint64_t now_us, struct nd_ra *ret)
{
	const struct ra_config *cfg = &s->cfg;
	struct nd_ra ra = {.hop_limit = HOP_LIMIT,
			   .router_s = cfg->router ? RA_ROUTER_S : 0,
			   .mtu = cfg->mtu,
			   .n_dns = cfg->n_dns,
			   .n_old_dns = s->n_old_dns,
			   .dns_s = RA_ROUTER_S};

	if (cfg->prefix.len)
		add_prefix(&ra, &cfg->prefix, RA_VALID_S, RA_PREFERRED_S);
	for (size_t i = 0; i < s->n_old; i++) {
		if (s->old[i].until_us > now_us)
			add_prefix(&ra, &s->old[i].prefix,
				   (uint32_t)((s->old[i].until_us - now_us) / SECOND_US), 0);
	}
	memcpy(ra.dns, cfg->dns, cfg->n_dns * sizeof(ra.dns[0]));
	memcpy(ra.old_dns, s->old_dns, s->n_old_dns * sizeof(ra.old_dns[0]));
	memcpy(ra.domain, cfg->domain, sizeof(cfg->domain));
	memcpy(ra.old_domain, s->old_domain, sizeof(s->old_domain));
	*ret = ra;
}

static void fill_multicast(const struct ra_state *s, uint64_t now_us, struct ra_send *ret)
{
	ret->eth_dst = all_nodes_mac;
	ret->dst = all_nodes;
	fill(s, now_us, &ret->ra);
}

/* ---- time ---- */

/* The next one as soon as RFC 4861 6.2.6 allows. */
static void soon(struct ra_state *s, uint64_t now_us)
{
	uint64_t when = now_us;

	if (s->sent_any && s->last_us + RA_MIN_DELAY_S * SECOND_US > when)
		when = s->last_us + RA_MIN_DELAY_S * SECOND_US;
	if (when < s->next_us)
		s->next_us = when;
}

/* RFC 4861 6.2.4: at random, but the first few quickly one after the other. */
static void plan(struct ra_state *s, uint64_t now_us, uint32_t random)
{
	const uint64_t span = (RA_MAX_INTERVAL_S - RA_MIN_INTERVAL_S) * SECOND_US;
	uint64_t interval = RA_MIN_INTERVAL_S * SECOND_US + (span * random >> 32);

	if (s->initial > 0)
		s->initial--;
	if (s->initial > 0 && interval > RA_INITIAL_INTERVAL_S * SECOND_US)
		interval = RA_INITIAL_INTERVAL_S * SECOND_US;
	s->sent_any = true;
	s->last_us = now_us;
	s->next_us = now_us + interval;
}

/* ---- events ---- */

void ra_init(struct ra_state *s, const struct ra_config *cfg, uint64_t now_us)
{
	*s = (struct ra_state){
		.cfg = *cfg, .next_us = now_us, .initial = RA_INITIAL_COUNT, .window_us = now_us};
}

void ra_configure(struct ra_state *s, const struct ra_config *cfg, uint64_t now_us)
{
	if (same(&s->cfg, cfg))
		return;
	if (s->cfg.prefix.len && !ip6_prefix_equal(&s->cfg.prefix, &cfg->prefix))
		old_add(s, &s->cfg.prefix, now_us);
	old_prune(s, &cfg->prefix, now_us);
	old_dns_renew(s, cfg);
	old_domain_renew(s, cfg);
	s->cfg = *cfg;
	s->initial = RA_INITIAL_COUNT;
	soon(s, now_us);
}

enum ra_answer ra_solicited(struct ra_state *s, const struct mac *eth_src,
			    const struct in6_addr *src, uint64_t now_us, struct ra_send *ret)
{
	if (now_us - s->window_us >= SECOND_US) {
		s->window_us = now_us;
		s->answers = 0;
	}
	if (s->answers == RA_ANSWERS_PER_S) {
		soon(s, now_us);
		return RA_LATER;
	}
	s->answers++;
	/* To who has no address yet: all nodes, but in a frame that is for it alone (RFC 6085). */
	ret->eth_dst = *eth_src;
	ret->dst = ip6_is_unspecified(src) ? all_nodes : *src;
	fill(s, now_us, &ret->ra);
	return RA_NOW;
}

uint64_t ra_next_us(const struct ra_state *s)
{
	return s->next_us;
}

bool ra_due(struct ra_state *s, uint64_t now_us, uint32_t random, struct ra_send *ret)
{
	if (now_us < s->next_us)
		return false;
	old_prune(s, &s->cfg.prefix, now_us);
	fill_multicast(s, now_us, ret);
	plan(s, now_us, random);
	return true;
}

void ra_last(const struct ra_state *s, uint64_t now_us, struct ra_send *ret)
{
	fill_multicast(s, now_us, ret);
	ret->ra.router_s = 0;
	ret->ra.dns_s = 0;
	if (s->cfg.prefix.len) { /* it is the first */
		ret->ra.prefixes[0].valid_s = RA_OLD_VALID_S;
		ret->ra.prefixes[0].preferred_s = 0;
	}
}
