// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rest.bpf.c - takes the place of path.bpf.c while many packets pass and none of them is to be
 * followed: one short look at each as it comes in by a device that is watched, instead of tracepoints
 * that all packets of the machine meet several times. Nothing is followed meanwhile. What should have
 * been is counted, and user space told, which then attaches path.bpf.c again.
 *
 * TCX programs, in front of all others of the device; they let each packet go on as it is. All maps
 * and variables are those of path.bpf.c. Next on the walk: path/rest.c.
 */
#include "bpf/follow.bpf.h"

#define TCX_NEXT -1 /* of linux/bpf.h, 6.6 */

char LICENSE[] SEC("license") = "GPL";

/* Most of the guest's packets are known by so much not to match. */
static __always_inline bool glance(const struct __sk_buff *ctx)
{
	const __u8 *data = (const __u8 *)(long)ctx->data;
	const __u8 *end = (const __u8 *)(long)ctx->data_end;

	if (data + ETH_HLEN + PLAIN_LEN > end)
		return false;
	if (*(const __u16 *)(data + 12) != bpf_htons(ETH_P_IP))
		return false;
	return plain_cannot_match(data + ETH_HLEN);
}

/* As read_frame() reads it; a device without Ethernet headers gets one of zeros. */
static __always_inline bool frame_load(struct __sk_buff *ctx, struct frame *f)
{
	__u32 n = ctx->len, at = 0;

	if (n > PATH_FRAME_MAX - 1 - ETH_HLEN)
		n = PATH_FRAME_MAX - 1 - ETH_HLEN;
	if (n < ETH_HLEN || bpf_skb_load_bytes(ctx, 0, f->bytes, n))
		return false;
	if (be16_at(f->bytes + 12) != bpf_ntohs(ctx->protocol) &&
	    (f->bytes[0] >> 4 == 4 || f->bytes[0] >> 4 == 6)) {
		__u16 protocol = ctx->protocol;

		at = ETH_HLEN;
		__builtin_memset(f->bytes, 0, ETH_HLEN);
		__builtin_memcpy(f->bytes + 12, &protocol, 2);
		if (bpf_skb_load_bytes(ctx, 0, f->bytes + at, n))
			return false;
	}
	f->len = n + at;
	f->l3 = ETH_HLEN;
	skip_tags(f);
	return true;
}

static __always_inline void wake(struct __sk_buff *ctx)
{
	struct path_head h = {};

	count(PATH_RESTED);
	if (__sync_lock_test_and_set(&woken, 1))
		return;
	head_fill(&h, PATH_WAKE, 0, 0, config.netns, ctx->ifindex);
	tell(&h, sizeof(h));
}

static __always_inline int look(struct __sk_buff *ctx, bool in)
{
	struct place p = {.ifindex = ctx->ifindex, .netns = config.netns, .in = in};
	bool guests = bit_get(guest_ports, p.ifindex);
	struct path_seen *s;
	struct cpu *cpu;

	if (guests && glance(ctx)) {
		counters[PATH_FILTERED]++; /* about right is enough */
		return TCX_NEXT;
	}
	cpu = this_cpu();
	if (!cpu || !frame_load(ctx, &cpu->out))
		return TCX_NEXT;
	s = &cpu->seen;
	__builtin_memset(s, 0, sizeof(*s));
	headers_read(&cpu->out, s);
	s->mark = ctx->mark;
	if (guests && filter_cannot_match(&cpu->out))
		count(PATH_FILTERED);
	else if (wanted(&cpu->out, s, &p))
		wake(ctx);
	return TCX_NEXT;
}

SEC("tc")
int on_rest_in(struct __sk_buff *ctx)
{
	return look(ctx, true);
}

SEC("tc")
int on_rest_out(struct __sk_buff *ctx)
{
	return look(ctx, false);
}
