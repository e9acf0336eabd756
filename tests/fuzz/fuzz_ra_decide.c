/* SPDX-License-Identifier: GPL-2.0-or-later */
// libs: lease model wire base
/*
 * fuzz_ra_decide.c - any sequence of solicitations, timers, changes and waits. Whatever happens: no
 * two multicast advertisements within 3 s, never silent for longer than the longest interval, no
 * more answers in a second than the limit, the current prefix in use and the others not, and all
 * of it can be sent.
 */
#include <stdlib.h>
#include "base/cursor.h"
#include "../unit/wire/nd_read.h"
#include "lease/ra.h"

#define STEPS_MAX 400
#define S UINT64_C(1000000)
#define ANSWERS (2 * RA_ANSWERS_PER_S) /* in any second, however the windows lie */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/**
 * struct story - one advertiser, and what a host has seen of it
 * @last_us:	when the last multicast one came; @any: whether one did
 * @answered_us: when the last ANSWERS answers went; @n_answered: how many there were in all
 */
struct story {
	struct ra_state s;
	uint64_t now_us;
	uint64_t last_us;
	bool any;
	uint64_t answered_us[ANSWERS];
	size_t n_answered;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct ra_config read_config(struct cursor *c)
{
	static const char *const domains[] = {"", "a.vm", "b.vm", "default.vm"};
	uint8_t how = cursor_u8(c), what = cursor_u8(c);
	struct ra_config cfg = {.source = {{{0xfe, 0x80, [15] = 1}}},
				.router = how & 1,
				.mtu = how & 2 ? 1400 : 0,
				.n_dns = how >> 2 & 3};

	if (how & 16)
		cfg.prefix = (struct ip6_prefix){{{{0xfd, [7] = what & 15, [15] = what}}},
						 how & 32 ? 64 : 80};
	for (size_t i = 0; i < cfg.n_dns; i++)
		cfg.dns[i] = (struct in6_addr){{{0xfd, [15] = (uint8_t)(what + i) & 7}}};
	strcpy(cfg.domain, domains[how >> 6]);
	return cfg;
}

static void check_prefixes(const struct ra_config *cfg, const struct nd_ra *ra, bool last)
{
	for (size_t i = 0; i < ra->n_prefixes; i++) {
		const struct nd_prefix *p = &ra->prefixes[i];
		bool current = cfg->prefix.len && ip6_prefix_equal(&p->prefix, &cfg->prefix);

		must(current == (i == 0 && cfg->prefix.len));
		must(p->preferred_s == (current && !last ? RA_PREFERRED_S : 0));
		must(p->valid_s <= (current && !last ? RA_VALID_S : RA_OLD_VALID_S));
		must(p->autonomous == (p->prefix.len == 64) && p->on_link);
		for (size_t k = 0; k < i; k++)
			must(!ip6_prefix_equal(&p->prefix, &ra->prefixes[k].prefix));
	}
	must(ra->n_prefixes >= (cfg->prefix.len != 0));
}

static void check_dns(const struct nd_ra *ra)
{
	for (size_t i = 0; i < ra->n_old_dns; i++) {
		for (size_t k = 0; k < ra->n_dns; k++)
			must(!ip6_equal(&ra->old_dns[i], &ra->dns[k]));
		for (size_t k = 0; k < i; k++)
			must(!ip6_equal(&ra->old_dns[i], &ra->old_dns[k]));
	}
	must(!ra->domain[0] || strcmp(ra->domain, ra->old_domain) != 0);
}

static void check(const struct story *t, struct ra_send *send, bool last)
{
	const struct ra_config *cfg = &t->s.cfg;
	uint8_t frame[ND_RA_FRAME_MAX];
	struct nd_read back;
	int len;

	must(send->ra.router_s == (cfg->router && !last ? RA_ROUTER_S : 0));
	must(send->ra.dns_s == (last ? 0 : RA_ROUTER_S));
	check_prefixes(cfg, &send->ra, last);
	check_dns(&send->ra);
	send->ra.mac = (struct mac){{2, 0, 0, 0, 0, 1}};
	len = nd_ra_frame_build(&send->ra, &cfg->source, &send->eth_dst, &send->dst, frame,
				sizeof(frame));
	must(len > 0);
	if (!last) /* the last has two options of one kind with a lifetime of 0 */
		must(nd_read(frame, (size_t)len, &back) && nd_ra_same(&back.ra, &send->ra));
}

static void step_timer(struct story *t, uint32_t random)
{
	struct ra_send send;

	if (!ra_due(&t->s, t->now_us, random, &send)) {
		must(ra_next_us(&t->s) > t->now_us);
		return;
	}
	check(t, &send, false);
	must(mac_is_multicast(&send.eth_dst) && ip6_is_multicast(&send.dst));
	must(!t->any || t->now_us - t->last_us >= RA_MIN_DELAY_S * S);
	t->any = true;
	t->last_us = t->now_us;
	must(ra_next_us(&t->s) > t->now_us);
	must(ra_next_us(&t->s) <= t->now_us + RA_MAX_INTERVAL_S * S);
}

/* @n guests ask at once. */
static void step_solicit(struct story *t, size_t n, bool unspecified)
{
	const struct mac mac = {{2, 0, 0, 0, 0, 7}};
	const struct in6_addr src = {{{0xfe, 0x80, [15] = 7}}}, none = {0};
	struct ra_send send;

	for (size_t i = 0; i < n; i++) {
		uint64_t *slot = &t->answered_us[t->n_answered % ANSWERS];

		if (ra_solicited(&t->s, &mac, unspecified ? &none : &src, t->now_us, &send) ==
		    RA_LATER) {
			must(ra_next_us(&t->s) <= t->now_us + RA_MIN_DELAY_S * S);
			continue;
		}
		if (i % 100 == 0) /* they are all the same */
			check(t, &send, false);
		must(mac_equal(&send.eth_dst, &mac));
		must(unspecified == ip6_is_multicast(&send.dst));
		must(t->n_answered < ANSWERS || t->now_us - *slot >= S);
		*slot = t->now_us;
		t->n_answered++;
	}
}

static void step(struct story *t, struct cursor *c)
{
	uint8_t what = cursor_u8(c), how = cursor_u8(c);
	struct ra_config cfg;
	struct ra_send send;

	switch (what >> 5) {
	case 0:
		t->now_us += (uint64_t)how << (what & 31);
		break;
	case 1:
	case 2:
		cfg = read_config(c);
		ra_configure(&t->s, &cfg, t->now_us);
		must(ra_next_us(&t->s) <= t->now_us + RA_MAX_INTERVAL_S * S);
		break;
	case 3:
		step_solicit(t, (size_t)how * 4, what & 1);
		break;
	case 4:
		ra_last(&t->s, t->now_us, &send);
		check(t, &send, true);
		break;
	case 5: /* the timer of one that slept */
		if (ra_next_us(&t->s) > t->now_us)
			t->now_us = ra_next_us(&t->s);
		step_timer(t, (uint32_t)how << 24);
		break;
	default:
		step_timer(t, (uint32_t)how << 24);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor c = cursor_init(data, size);
	struct story t = {.now_us = 1000 * S};
	struct ra_config cfg = read_config(&c);

	ra_init(&t.s, &cfg, t.now_us);
	for (size_t i = 0; i < STEPS_MAX && c.left > 0; i++)
		step(&t, &c);
	return 0;
}
