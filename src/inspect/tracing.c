/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracing.c - see tracing.h. One thread: poll, read, hand on. */
#include "inspect/tracing.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "inspect/deciding.h"
#include "path/inject.h"
#include "path/symbols.h"

#define TICK_NS 4000000000ull	     /* tracer_tick() */
#define LOAD_NS 100000000ull	     /* how often mind_the_load() looks */
#define LOAD_PACKETS 2000	     /* 20,000 a second that do not match are a load */
#define REST_AFTER_NS 10000000000ull /* so long after the last packet that matched */
#define REFRESH_MIN_NS 200000000ull  /* not oftener, however many unknown interfaces there are */
#define ETHERTYPE_IP4 0x0800
#define ETHERTYPE_IP6 0x86dd

/**
 * struct tracing - a trace under way
 * @offset_ns:	CLOCK_REALTIME less CLOCK_MONOTONIC, at the start
 * @next_tick:	when tracer_tick() is due; @refreshed: when the interfaces were last read
 * @stale:	an interface was seen that is not known
 * @met:	more is known of the guest than its rules were asked for
 * @reasons:	learn_reasons() was here
 * @may_rest:	what is lost by it is not too much, and the kernel can; see mind_the_load()
 * @resting:	it does; @woken: a packet to follow has come meanwhile
 * @counted_at:	when @filtered and @followed were last looked at
 * @followed_at: when the last packet was followed, as far as it was looked at; 0: none yet
 */
struct tracing {
	struct subject *subject;
	struct tracing_options o;
	struct tracer *tracer;
	struct deciding *deciding;
	struct journeys *journeys;
	struct symbols *symbols;
	bool no_symbols;
	struct journey_words words;
	uint64_t offset_ns;
	uint64_t next_tick;
	uint64_t refreshed;
	bool stale;
	bool met;
	bool reasons;
	bool may_rest;
	bool resting;
	bool woken;
	uint64_t counted_at;
	uint64_t followed_at;
	uint64_t filtered;
	uint64_t followed;
	int error;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static const char *word_reason(uint32_t reason, void *ctx)
{
	struct tracing *t = ctx;

	return tracer_reason(t->tracer, reason);
}

static const char *word_function(uint64_t location, void *ctx)
{
	struct tracing *t = ctx;

	if (!t->symbols && !t->no_symbols)
		t->no_symbols = symbols_new(&t->symbols) < 0;
	return t->symbols ? symbols_find(t->symbols, location) : NULL;
}

/* Where the kernel cannot tell which packet a message is about, none is asked for. */
static int ask_rules(struct tracing *t, struct err *e)
{
	t->met = false;
	return tracer_joins(t->tracer)
		       ? deciding_ask(t->deciding, t->subject, t->o.filter, t->o.mark, e)
		       : 0;
}

static int start(struct tracing *t, struct err *e)
{
	struct tracer_options o = {
		.netns = t->subject->view.netns,
		.filter = t->o.filter ? t->o.filter->insns : NULL,
		.n_filter = t->o.filter ? t->o.filter->n : 0,
		.detail = t->o.detail,
		.mark = t->o.mark,
		.snaplen = t->o.snaplen,
	};
	struct pcap_filter_flow flow;
	int r = deciding_new(&t->deciding, e);

	if (r < 0)
		return r;
	o.trace_socket = deciding_socket(t->deciding);
	if (t->o.filter && pcap_filter_flow(t->o.filter->text, &flow))
		pcap_flow_must(&flow, &o.must);
	r = tracer_new(&o, &t->tracer, e);

	if (r < 0)
		return r;
	r = subject_watch(t->subject, t->tracer);
	if (r < 0)
		return err_set(e, r, "limit", "trace",
			       "an interface has an index of %d or more, which cannot be watched",
			       PATH_IFINDEX_MAX);
	if (t->o.mark)
		t->subject->view.taken_mark = injector_taken_mark(t->o.mark);
	r = journeys_new(&t->subject->view, &t->journeys);
	if (r < 0)
		return err_set(e, r, "memory", "trace", "out of memory");
	journeys_functions(t->journeys, word_function, t);
	r = tracer_start(t->tracer, e);
	if (r < 0)
		return r;
	deciding_restart(t->deciding);
	return ask_rules(t, e);
}

int tracing_new(struct subject *s, const struct tracing_options *o, struct tracing **ret,
		struct err *e)
{
	_cleanup_(tracing_freep) struct tracing *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(e, -ENOMEM, "memory", "trace", "out of memory");
	t->subject = s;
	t->o = *o;
	t->may_rest = o->filter && o->filter->n && !o->snaplen && !o->mark;
	t->words = (struct journey_words){
		.view = &s->view, .reason = word_reason, .function = word_function, .ctx = t};
	t->offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC);
	t->next_tick = clock_ns(CLOCK_MONOTONIC) + TICK_NS;
	r = start(t, e);
	if (r < 0)
		return r;
	*ret = t;
	t = NULL;
	return 0;
}

void tracing_free(struct tracing *t)
{
	if (!t)
		return;
	journeys_free(t->journeys);
	deciding_free(t->deciding);
	tracer_free(t->tracer);
	symbols_free(t->symbols);
	free(t);
}

const struct journey_words *tracing_words(const struct tracing *t)
{
	return &t->words;
}

uint64_t tracing_realtime(const struct tracing *t, uint64_t monotonic_ns)
{
	return monotonic_ns + t->offset_ns;
}

static void learn_address(struct tracing *t, uint8_t family, const uint8_t addr[16])
{
	struct subject *s = t->subject;

	for (size_t i = 0; i < s->n_addrs; i++)
		if (s->addrs[i].family == family && memcmp(s->addrs[i].addr, addr, 16) == 0)
			return;
	if (s->n_addrs == PATH_ADDRS_MAX)
		return;
	s->addrs[s->n_addrs].family = family;
	memcpy(s->addrs[s->n_addrs++].addr, addr, 16);
	t->met = true;
	tracer_guest_addr(t->tracer, family, addr);
}

/* What comes in by the guest's port tells who it is. */
static void learn_guest(struct tracing *t, const struct path_seen *s)
{
	static const uint8_t none[16];
	const struct path_device *d = path_device_find(&t->subject->view, (int)s->head.ifindex);
	struct mac mac;

	if (!d || d->role != DEVICE_GUEST)
		return;
	if (!t->subject->has_mac) {
		memcpy(mac.b, s->smac, sizeof(mac.b));
		t->subject->mac = mac;
		t->subject->has_mac = true;
		t->met = true;
		tracer_guest_mac(t->tracer, &mac);
	}
	if (memcmp(s->src, none, sizeof(none)) == 0)
		return;
	if (s->ethertype == ETHERTYPE_IP4)
		learn_address(t, AF_INET, s->src);
	else if (s->ethertype == ETHERTYPE_IP6)
		learn_address(t, AF_INET6, s->src);
}

/*
 * Reasons have numbers of each kernel's own. Reading them takes 10 ms: after all is attached, and before
 * anything is read, so that nobody waits for what was told meanwhile.
 */
static void learn_reasons(struct tracing *t)
{
	t->reasons = true;
	t->subject->view.no_socket_reason = tracer_reason_number(t->tracer, "NO_SOCKET");
	t->subject->view.unspecified_reason = tracer_reason_number(t->tracer, "NOT_SPECIFIED");
	t->subject->view.ipv6_off_reason = tracer_reason_number(t->tracer, "IPV6DISABLED");
}

static void on_event(const struct path_head *head, size_t len, void *ctx)
{
	struct tracing *t = ctx;
	int r;

	if (head->type == PATH_WAKE) {
		t->woken = true;
		return;
	}
	if (head->type == PATH_RX && len >= sizeof(struct path_seen))
		learn_guest(t, (const struct path_seen *)head);
	if (head->netns == t->subject->view.netns && head->ifindex &&
	    !path_device_find(&t->subject->view, (int)head->ifindex))
		t->stale = true;
	if (head->type == PATH_TRACE && len >= sizeof(struct path_trace))
		deciding_event(t->deciding, (const struct path_trace *)head);
	if (t->o.on_event)
		t->o.on_event(head, len, t->o.ctx);
	r = journeys_event(t->journeys, head, len);
	if (r < 0)
		t->error = r;
}

/* Interfaces come and go; a failure leaves the old view, whose unknown ones have numbers. */
static void refresh(struct tracing *t, uint64_t now)
{
	if (now < t->refreshed + REFRESH_MIN_NS)
		return;
	t->refreshed = now;
	t->stale = false;
	if (subject_refresh(t->subject, NULL) == 0)
		t->error = subject_watch(t->subject, t->tracer);
}

/* How long to sleep at most, for all that has a time. */
static int sleep_ms(const struct tracing *t, uint64_t now, int timeout_ms)
{
	int due = journeys_wait_ms(t->journeys, now);
	int decided = deciding_wait_ms(t->deciding, now);
	int tick = t->next_tick <= now ? 0 : (int)((t->next_tick - now) / 1000000 + 1);

	/* What may be decided about is kept back until then; see tell(). */
	if (due >= 0 && decided > due && deciding_settled(t->deciding) != UINT64_MAX)
		due = decided;
	if (due < 0 || tick < due)
		due = tick;
	if (t->may_rest && due > (int)(LOAD_NS / 1000000))
		due = (int)(LOAD_NS / 1000000);
	if (decided >= 0 && decided < due)
		due = decided;
	return timeout_ms < 0 || due < timeout_ms ? due : timeout_ms;
}

/*
 * All that is there at @now. The messages come first: the events that tell whose they are were told
 * before them.
 */
static int read_all(struct tracing *t, uint64_t now, bool rest)
{
	int r = deciding_receive(t->deciding, now);

	journeys_clock(t->journeys, now);
	if (r == 0)
		r = tracer_read(t->tracer, on_event, t);
	if (r >= 0)
		r = deciding_decide(t->deciding, rest ? UINT64_MAX : now, t->journeys);
	if (r >= 0 && t->o.snaplen)
		r = tracer_read_frames(t->tracer, t->o.on_frame, t->o.frame_ctx);
	return r < 0 && r != -EINTR ? r : 0;
}

static void rest(struct tracing *t)
{
	if (tracer_rest(t->tracer) < 0) {
		t->may_rest = false;
		return;
	}
	deciding_pause(t->deciding);
	t->resting = true;
	t->woken = false;
}

static int wake(struct tracing *t)
{
	int r = tracer_wake(t->tracer);

	t->resting = false;
	return r < 0 ? r : ask_rules(t, NULL);
}

/*
 * Being ready to follow costs each packet of the host a little, and asking for rules more. Where many
 * do not match, and none has for long, the tracer rests: it only looks for one that does, and is ready
 * again a moment after it came, or when the load is gone. What came in between is counted as lost.
 */
static int mind_the_load(struct tracing *t, uint64_t now)
{
	uint64_t filtered = tracer_counter(t->tracer, PATH_FILTERED);
	uint64_t followed = tracer_counter(t->tracer, PATH_FOLLOWED);
	uint64_t span = now - t->counted_at, more = filtered - t->filtered;
	bool first = t->counted_at == 0, load = more * LOAD_NS > LOAD_PACKETS * span;

	if (t->woken && t->resting) {
		t->followed_at = now;
		return wake(t);
	}
	if (!t->may_rest || span < LOAD_NS)
		return 0;
	if (followed != t->followed)
		t->followed_at = now;
	t->counted_at = now;
	t->filtered = filtered;
	t->followed = followed;
	if (first)
		return 0;
	if (t->resting && !load)
		return wake(t);
	if (!t->resting && load && (!t->followed_at || now - t->followed_at > REST_AFTER_NS))
		rest(t);
	return 0;
}

/*
 * Those of whom nothing was heard for long enough, as of when all was read: whatever has come since then,
 * while this process may have waited for its turn, is news yet to be read.
 */
static void tell(struct tracing *t, uint64_t read_ns, journey_fn fn, void *ctx)
{
	uint64_t settled = deciding_settled(t->deciding);

	journeys_due(t->journeys, settled < read_ns ? settled : read_ns, fn, ctx);
}

int tracing_run(struct tracing *t, int wake_fd, int timeout_ms, journey_fn fn, void *ctx)
{
	struct pollfd fds[] = {
		{tracer_fd(t->tracer), POLLIN, 0},
		{tracer_frames_fd(t->tracer), POLLIN, 0},
		{deciding_fd(t->deciding), POLLIN, 0},
		{wake_fd, POLLIN, 0},
	};
	uint64_t now;
	int r;

	if (!t->reasons)
		learn_reasons(t);
	now = clock_ns(CLOCK_MONOTONIC);
	r = poll(fds, ARRAY_SIZE(fds), sleep_ms(t, now, timeout_ms));
	if (r < 0 && errno != EINTR)
		return -errno;
	now = clock_ns(CLOCK_MONOTONIC);
	r = read_all(t, now, false);
	if (r < 0)
		return r;
	if (t->stale)
		refresh(t, now);
	if (now >= t->next_tick) {
		tracer_tick(t->tracer);
		t->next_tick = now + TICK_NS;
	}
	r = mind_the_load(t, now);
	if (r == 0 && t->met && !t->resting)
		r = ask_rules(t, NULL);
	tell(t, now, fn, ctx);
	if (r == 0)
		r = t->error;
	t->error = 0;
	return r;
}

void tracing_rest(struct tracing *t, journey_fn fn, void *ctx)
{
	/* Twice: a message may have come between the first look at those and at the events. */
	if (read_all(t, clock_ns(CLOCK_MONOTONIC), false) == 0 &&
	    read_all(t, clock_ns(CLOCK_MONOTONIC), true) == 0)
		journeys_due(t->journeys, UINT64_MAX, fn, ctx);
}

struct tracing_loss tracing_loss(const struct tracing *t)
{
	return (struct tracing_loss){
		.events = tracer_counter(t->tracer, PATH_LOST),
		.journeys = journeys_overflow(t->journeys),
		.unreadable = tracer_counter(t->tracer, PATH_UNREADABLE),
		.rested = tracer_counter(t->tracer, PATH_RESTED),
		.frames = tracer_frames_lost(t->tracer),
		.rules = deciding_lost(t->deciding),
	};
}

uint64_t tracing_filtered(const struct tracing *t)
{
	return tracer_counter(t->tracer, PATH_FILTERED);
}

bool tracing_knows_rules(const struct tracing *t)
{
	return tracer_joins(t->tracer);
}
