/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diagnosing.c - see diagnosing.h. */
#include "inspect/diagnosing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "inspect/facts.h"

#define FACTS_AGE_MS 200
#define FACTS_AGE_MIN_MS 5
#define AGAIN_NS 1000000000ull
#define SAID_MAX 64

/* struct said - a diagnosis that was given, by its hash, and when. */
struct said {
	uint64_t what;
	uint64_t at_ns;
};

/**
 * struct diagnosing - see diagnosing.h
 * @said:	to the caller; @confirmed: by facts from after their packets
 * @one_sided:	answers may not be among the packets that are seen: nobody is said to be silent
 */
struct diagnosing {
	const struct subject *subject;
	struct live_facts *facts;
	struct said said[SAID_MAX];
	struct said confirmed[SAID_MAX];
	bool one_sided;
	struct questions questions;
};

int diagnosing_new(const struct subject *s, const char *socket, bool one_sided,
		   struct diagnosing **ret)
{
	struct diagnosing *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	r = live_facts_new(socket, &d->facts);
	if (r < 0) {
		free(d);
		return r;
	}
	d->subject = s;
	d->one_sided = one_sided;
	*ret = d;
	return 0;
}

void diagnosing_free(struct diagnosing *d)
{
	if (!d)
		return;
	live_facts_free(d->facts);
	free(d);
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* Facts from after the packet was sent; where there are many such packets, not for each. */
static unsigned int age_ms(const struct journey *j)
{
	uint64_t now = now_ns(), age = now > j->begin_ns ? (now - j->begin_ns) / 1000000 : 0;

	if (age < FACTS_AGE_MIN_MS)
		return FACTS_AGE_MIN_MS;
	return age < FACTS_AGE_MS ? (unsigned int)age : FACTS_AGE_MS;
}

/* It was remembered in @table less than a second ago; from now on it is. */
static bool remembered(struct said table[static SAID_MAX], const struct diagnosis *what)
{
	uint64_t h = hash_str(HASH_INIT, what->code), now = now_ns();
	struct said *s;
	bool again;

	for (size_t i = 0; i < what->n_evidence; i++)
		h = hash_str(h, what->evidence[i].text);
	h = hash_str(h, what->mend);
	s = &table[hash_mix(h) % SAID_MAX];
	again = s->what == h && now - s->at_ns < AGAIN_NS;
	if (!again)
		*s = (struct said){.what = h, .at_ns = now};
	return again;
}

static bool concluded(const struct facts *f, const struct diagnosis_guest *guest,
		      const struct journey *j, const struct journey_words *w, struct diagnosis *ret)
{
	struct facts now;

	if (!f)
		return false;
	now = *f;
	now.guest = *guest;
	return diagnose(j, w, &now, ret);
}

bool diagnosing_journey(struct diagnosing *d, const struct journey *j,
			const struct journey_words *w, struct diagnosis *ret)
{
	struct diagnosis_guest guest = {
		.has_mac = d->subject->has_mac,
		.mac = d->subject->mac,
		.addrs = d->subject->addrs,
		.n_addrs = d->subject->n_addrs,
	};

	guest.asked = questions_note(&d->questions, j);
	if (d->one_sided)
		guest.asked = (struct asked){.kind = QUESTION_NONE};
	if (!diagnosis_wanted(j, w->view, &guest))
		return false;
	if (!concluded(live_facts_get(d->facts, age_ms(j)), &guest, j, w, ret))
		return false;
	/* What is new is not said of what was before the packet. */
	if (remembered(d->confirmed, ret))
		return true;
	return concluded(live_facts_since(d->facts, j->begin_ns), &guest, j, w, ret);
}

bool diagnosing_port(struct diagnosing *d, int ifindex, struct diagnosis *ret)
{
	const struct facts *f = live_facts_get(d->facts, 0);

	return f && diagnose_port(ifindex, &d->subject->view, f, ret);
}

bool diagnosing_again(struct diagnosing *d, const struct diagnosis *what)
{
	return remembered(d->said, what);
}
