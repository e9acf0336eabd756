/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guard_count.h - what a port's frames are counted by: broadcasts and multicast frames a second, and MACs
 * behind the port. Like guard_judge.h for the program at the port (guard.bpf.c) and for tests; time is
 * passed in. Whoever changes something holds the lock that is beside it. Every step takes the same time,
 * however much has been counted.
 */
#ifndef VMLANE_BPF_GUARD_COUNT_H
#define VMLANE_BPF_GUARD_COUNT_H

#include "bpf/port_facts.h"

#define COUNT_INLINE static __attribute__((always_inline)) inline

#define COUNT_SECOND_NS 1000000000ull

/* ---- frames a second ---- */

/*
 * count_frames() - @frames of them at @now_ns, where @rate (not 0) a second may come, and one second's
 * worth at once: whether they may. @due_ns is the only state: when all that has come would have come at
 * that rate, without a pause (a virtual scheduling algorithm, ITU-T I.371). Who is let through may go into
 * debt by what it brings at once, so that the rate holds for frames that are cut into many behind the port.
 */
COUNT_INLINE _Bool count_frames(__u64 *due_ns, __u32 rate, __u32 frames, __u64 now_ns)
{
	__u64 each = COUNT_SECOND_NS / rate, due = *due_ns;

	if (due < now_ns)
		due = now_ns;
	if (due - now_ns > COUNT_SECOND_NS - each)
		return 0;
	*due_ns = due + frames * each;
	return 1;
}

/* ---- MACs ---- */

/* The six bytes at @b as a number. */
COUNT_INLINE __u64 count_mac(const __u8 *b)
{
	return (__u64)b[0] << 40 | (__u64)b[1] << 32 | (__u64)b[2] << 24 | (__u64)b[3] << 16 |
	       (__u64)b[4] << 8 | b[5];
}

/* count_period() - the period that @now_ns is in; 1 or more. @age_s is not 0. */
COUNT_INLINE __u32 count_period(__u64 now_ns, __u32 age_s)
{
	return (__u32)(now_ns / (age_s * COUNT_SECOND_NS)) + 1;
}

/* Each MAC has two sets of PORT_SEEN_WAYS places: where the @which-th of them begins. */
COUNT_INLINE __u32 count_set(__u64 mac, unsigned int which)
{
	__u64 hash = mac * 0x9e3779b97f4a7c15ull;
	__u32 first = (__u32)(hash >> 56) & (PORT_SEEN_SETS - 1);
	__u32 second = (__u32)(hash >> 48) & (PORT_SEEN_SETS - 1);

	/* Two different ones. */
	second ^= second == first;
	return (which ? second : first) * PORT_SEEN_WAYS;
}

/* 1 of 0, else 0; without a branch, of which each doubles the verifier's ways. */
COUNT_INLINE __u64 count_is_zero(__u64 v)
{
	return ((v - 1) & ~v) >> 63;
}

/* count_knows() - @mac was seen in @period already: nothing is to be done about it, and no lock is needed. */
COUNT_INLINE _Bool count_knows(const struct port_seen *s, __u64 mac, __u32 period)
{
	__u64 wanted = mac << 16 | (period & 0xffff), found = 0;
	__u32 first = count_set(mac, 0), second = count_set(mac, 1);

	for (__u32 i = 0; i < PORT_SEEN_WAYS; i++) {
		found |= count_is_zero(s->place[first + i] ^ wanted);
		found |= count_is_zero(s->place[second + i] ^ wanted);
	}
	return found != 0;
}

/*
 * struct count_look - what a set has for a MAC: how often it is in it, 0 or 1, at place @at, last seen @age
 * periods ago (0 or 1); and how many places are free, of which @free_at is one
 */
struct count_look {
	__u32 there;
	__u32 at;
	__u32 age;
	__u32 free;
	__u32 free_at;
};

/* How many periods ago @place was used; 2 or more: it is free, unless it is 0, which always is. */
COUNT_INLINE __u32 count_age(__u64 place, __u32 period)
{
	return (period - (__u32)place) & 0xffff;
}

COUNT_INLINE struct count_look count_look(const struct port_seen *s, __u32 set, __u64 mac,
					  __u32 period)
{
	struct count_look l = {0, 0, 0, 0, 0};

	for (__u32 i = 0; i < PORT_SEEN_WAYS; i++) {
		__u64 v = s->place[set + i];
		__u32 age = count_age(v, period);
		__u32 live = (__u32)(count_is_zero(age >> 1) & ~count_is_zero(v));
		__u32 hit = (__u32)count_is_zero(v >> 16 ^ mac) & live;

		l.there |= hit;
		l.at |= -hit & (set + i);
		l.age |= -hit & age;
		l.free += live ^ 1;
		l.free_at = (l.free_at & -live) | ((set + i) & ~-live);
	}
	return l;
}

/* A new period begins, unless another processor's clock is behind; the one that it is then. */
COUNT_INLINE __u32 count_turn(struct port_seen *s, __u32 period)
{
	__u32 passed = period - s->period;

	if (passed == 0 || passed >> 31)
		return s->period;
	s->before = passed == 1 ? s->now : 0;
	s->now = 0;
	s->period = period;
	return period;
}

/*
 * count_seen() - @mac is seen in @period, where @max of them may be: whether it is one of those. Those
 * count that were seen in this period or the last one, so that a bridge that forgets after a period knows
 * no more than that.
 */
COUNT_INLINE _Bool count_seen(struct port_seen *s, __u64 mac, __u32 period, __u32 max)
{
	struct count_look one, two;
	__u32 at;

	period = count_turn(s, period);
	one = count_look(s, count_set(mac, 0), mac, period);
	two = count_look(s, count_set(mac, 1), mac, period);
	if (one.there | two.there) {
		at = one.at | two.at;
		s->now += one.age | two.age;
		s->before -= one.age | two.age;
	} else {
		if (s->now + s->before >= max || !(one.free | two.free))
			return 0;
		/* The set that has more room gets it. */
		at = one.free >= two.free ? one.free_at : two.free_at;
		s->now++;
	}
	s->place[at & (PORT_SEEN_PLACES - 1)] = mac << 16 | (period & 0xffff);
	return 1;
}

#endif
