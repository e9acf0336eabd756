/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * filter.bpf.h - classic BPF, as libpcap compiles filters to, interpreted. Only packets that would begin
 * to be followed meet it, so that its pace does not matter.
 */
#ifndef VMLANE_BPF_FILTER_H
#define VMLANE_BPF_FILTER_H

#include "bpf/read.bpf.h"

/*
 * struct filter_run - the registers and the memory of the machine that classic BPF is for. In a map:
 * up to Linux 6.6 the verifier takes what a loop does to the stack for what its first round does, and
 * would find that no packet ever matches.
 */
struct filter_run {
	__u32 a, x, pc, result;
	__u32 mem[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter_run);
} filter_runs SEC(".maps");

/* struct filter_loop - what the loop is told: none of it changes meanwhile. */
struct filter_loop {
	struct frame *f;
	struct filter_run *run;
};

static __always_inline bool filter_load(struct filter_run *r, const struct frame *f, __u32 off,
					__u16 size)
{
	const __u8 *p;

	if (size == 0x10) { /* BPF_B */
		p = AT(f, off, 1);
		if (p)
			r->a = p[0];
	} else if (size == 0x08) { /* BPF_H */
		p = AT(f, off, 2);
		if (p)
			r->a = be16_at(p);
	} else {
		p = AT(f, off, 4);
		if (p)
			r->a = be32_at(p);
	}
	return p;
}

static __always_inline void filter_alu(struct filter_run *r, __u16 code, __u32 v)
{
	switch (code & 0xf0) {
	case 0x00:
		r->a += v;
		break;
	case 0x10:
		r->a -= v;
		break;
	case 0x20:
		r->a *= v;
		break;
	case 0x30:
		r->a = v ? r->a / v : 0;
		break;
	case 0x40:
		r->a |= v;
		break;
	case 0x50:
		r->a &= v;
		break;
	case 0x60:
		r->a <<= v & 31;
		break;
	case 0x70:
		r->a >>= v & 31;
		break;
	case 0x80:
		r->a = -r->a;
		break;
	case 0x90:
		r->a = v ? r->a % v : 0;
		break;
	case 0xa0:
		r->a ^= v;
		break;
	}
}

static __always_inline bool filter_test(const struct filter_run *r, __u16 code, __u32 v)
{
	switch (code & 0xf0) {
	case 0x10:
		return r->a == v;
	case 0x20:
		return r->a > v;
	case 0x30:
		return r->a >= v;
	case 0x40:
		return r->a & v;
	}
	return false;
}

static __always_inline bool same_words(const __u8 *p, const volatile __u8 *host, __u32 n)
{
	for (__u32 i = 0; i < n; i++)
		if (p[i] != host[i])
			return false;
	return true;
}

static __always_inline bool lacks_port(const struct frame *f, __u32 off)
{
	const __u8 *p = AT(f, off, 4);

	return p && *(const __u16 *)p != config.must.port_be &&
	       *(const __u16 *)(p + 2) != config.must.port_be;
}

static __always_inline bool lacks_ip4(const struct frame *f)
{
	const __u8 *p = AT(f, f->l3, 20);

	if (!p)
		return false;
	if (config.must.l4 && p[9] != config.must.l4)
		return true;
	if (config.must.family == AF_INET && !same_words(p + 12, config.must.host, 4) &&
	    !same_words(p + 16, config.must.host, 4))
		return true;
	/* Later fragments have no ports, and are asked for none. */
	return config.must.port_be && !((p[6] & 0x1f) | p[7]) &&
	       lacks_port(f, f->l3 + (p[0] & 15) * 4);
}

static __always_inline bool lacks_ip6(const struct frame *f)
{
	const __u8 *p = AT(f, f->l3, 40);

	return p && config.must.family == AF_INET6 && !same_words(p + 8, config.must.host, 16) &&
	       !same_words(p + 24, config.must.host, 16);
}

/* filter_cannot_match() - at a glance; false: it has to be asked. */
__noinline int filter_cannot_match(const struct frame *f)
{
	const __u8 *type;
	__u16 ethertype;

	if (!f || !config.n_filter)
		return false;
	type = AT(f, f->l3 - 2, 2);
	if (!type)
		return false;
	ethertype = be16_at(type);
	if (config.must.ethertype && ethertype != config.must.ethertype)
		return true;
	if (ethertype == ETH_P_IP)
		return lacks_ip4(f);
	return ethertype == ETH_P_IPV6 && lacks_ip6(f);
}

/* Bytes of an IPv4 header without options, and of what is behind it as far as the ports. */
#define PLAIN_LEN 24

/* plain_cannot_match() - the same of IPv4 behind an untagged Ethernet header; false: not so plain. */
static __always_inline bool plain_cannot_match(const __u8 *p)
{
	if (!config.n_filter || p[0] != 0x45)
		return false;
	if (config.must.ethertype && config.must.ethertype != ETH_P_IP)
		return true;
	if (config.must.l4 && p[9] != config.must.l4)
		return true;
	if (config.must.family == AF_INET && !same_words(p + 12, config.must.host, 4) &&
	    !same_words(p + 16, config.must.host, 4))
		return true;
	return config.must.port_be && !((p[6] & 0x1f) | p[7]) &&
	       *(const __u16 *)(p + 20) != config.must.port_be &&
	       *(const __u16 *)(p + 22) != config.must.port_be;
}

/* One instruction; 1 ends the loop. The codes are those of linux/bpf_common.h. */
static long filter_step(__u32 i, struct filter_loop *loop)
{
	struct filter_run *r = loop->run;
	struct frame *f = loop->f;
	__u32 pc = r->pc;
	__u16 code;
	__u32 k, v;
	const __u8 *p;

	if (pc >= PATH_FILTER_MAX || pc >= config.n_filter)
		return 1;
	code = config.filter[pc].code;
	k = config.filter[pc].k;
	v = code & 0x08 ? r->x : k;
	r->pc = pc + 1;
	switch (code & 7) {
	case 0: /* LD */
		switch (code & 0xe0) {
		case 0x00:
			r->a = k;
			break;
		case 0x20:
			if (!filter_load(r, f, k, code & 0x18))
				return 1;
			break;
		case 0x40:
			if (!filter_load(r, f, r->x + k, code & 0x18))
				return 1;
			break;
		case 0x60:
			r->a = r->mem[k & 15];
			break;
		case 0x80:
			r->a = f->len;
			break;
		}
		break;
	case 1: /* LDX */
		switch (code & 0xe0) {
		case 0x00:
			r->x = k;
			break;
		case 0x60:
			r->x = r->mem[k & 15];
			break;
		case 0x80:
			r->x = f->len;
			break;
		case 0xa0: /* 4 * (IP header length) */
			p = AT(f, k, 1);
			if (!p)
				return 1;
			r->x = (p[0] & 15) * 4;
			break;
		}
		break;
	case 2:
		r->mem[k & 15] = r->a;
		break;
	case 3:
		r->mem[k & 15] = r->x;
		break;
	case 4:
		filter_alu(r, code, v);
		break;
	case 5:
		if ((code & 0xf0) == 0x00)
			r->pc += k;
		else
			r->pc += filter_test(r, code, v) ? config.filter[pc].jt
							 : config.filter[pc].jf;
		break;
	case 6:
		r->result = (code & 0x18) == 0x10 ? r->a : k;
		return 1;
	case 7:
		if (code & 0x80)
			r->a = r->x;
		else
			r->x = r->a;
		break;
	}
	return 0;
}

__noinline int filter_matches(struct frame *f)
{
	struct filter_loop loop = {.f = f};
	__u32 zero = 0;

	if (!f)
		return false;
	if (config.n_filter == 0)
		return true;
	loop.run = bpf_map_lookup_elem(&filter_runs, &zero);
	if (!loop.run)
		return false;
	__builtin_memset(loop.run, 0, sizeof(*loop.run));
	bpf_loop(PATH_FILTER_MAX, filter_step, &loop, 0);
	return loop.run->result != 0;
}

#endif
