/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracer.c - the programs of src/bpf in the kernel: load, configure, attach, read.
 *
 * What a kernel has not is found by looking (BTF), not by its version; the programs that need it are
 * left out.
 */
#include "path/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "bpf/path.skel.h"
#pragma GCC diagnostic pop
#include "base/test_refuse.h"
#include "path/kernel_btf.h"
#include "path/rest.h"

#define BLOOM_WORDS 1024 /* src/bpf/state.bpf.h: BLOOM_BITS / 64 */
#define FLOWS_MAX 16384	 /* its map `flows` */
#define LINKS_MAX 16	 /* more than there are programs */

/**
 * struct tracer - programs and their maps
 * @btf:	what the kernel has, and how its drop reasons are called
 * @trace_link: of what sees trace messages; NULL when nothing does, see tracer_joins()
 * @links:	the other programs', @n_links of them; none while it rests
 * @rest:	NULL before the first rest
 * @followed:	packets that were at the last tick; @quiet: ticks since there was another
 * @frames:	NULL without `snaplen`; @frame: room for one, to put it together
 */
struct tracer {
	struct path_bpf *skel;
	struct ring_buffer *ring;
	struct kernel_btf *btf;
	struct bpf_link *trace_link;
	struct bpf_link *links[LINKS_MAX];
	size_t n_links;
	struct rest *rest;
	tracer_fn fn;
	void *ctx;
	struct perf_buffer *frames;
	tracer_frame_fn frame_fn;
	void *frame_ctx;
	uint8_t *frame;
	uint64_t frames_lost;
	uint64_t followed;
	unsigned int quiet;
};

_Static_assert(sizeof(((struct path_bpf__bss *)0)->flow_bloom[0]) == BLOOM_WORDS * 8,
	       "the programs' Bloom filters");

static __printf(2, 0) int no_print(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (level == LIBBPF_DEBUG || !getenv("VMLANE_BPF_LOG"))
		return 0;
	return vfprintf(stderr, fmt, args);
}

static int configure(struct path_config *c, const struct tracer_options *o)
{
	if (o->n_filter > PATH_FILTER_MAX)
		return -EINVAL;
	c->netns = o->netns;
	c->trace_socket = o->trace_socket;
	c->mark = o->mark;
	c->must = o->must;
	c->snaplen = o->snaplen;
	c->n_filter = (uint32_t)o->n_filter;
	for (size_t i = 0; i < o->n_filter; i++)
		c->filter[i] = o->filter[i];
	return 0;
}

/* A tracepoint of this kernel: its BTF has a type for its programs. */
static bool has_tracepoint(const struct kernel_btf *btf, const char *type)
{
	return kernel_btf_has(btf, type);
}

/* A function of this kernel that programs may be called by. */
static bool has_function(const struct kernel_btf *btf, const char *name)
{
	return kernel_btf_has(btf, name);
}

/* enum trace_by - what may see trace messages; see load_programs() and attach_trace() */
enum trace_by {
	BY_TRACEPOINT = 1,
	BY_ENTRY = 2,
	BY_PROBE = 4,
};

static unsigned int trace_possible(const struct kernel_btf *btf)
{
	unsigned int by = 0;

	if (has_tracepoint(btf, "btf_trace_sk_data_ready") && !test_refused("sk_data_ready"))
		return BY_TRACEPOINT;
	if (has_function(btf, "sock_def_readable") && !test_refused("fentry"))
		by |= BY_ENTRY;
	if (!test_refused("kprobe"))
		by |= BY_PROBE;
	return by;
}

static void choose_trace_programs(struct path_bpf *s, unsigned int by)
{
	bpf_program__set_autoload(s->progs.on_trace, by & BY_TRACEPOINT);
	bpf_program__set_autoload(s->progs.on_trace_entry, by & BY_ENTRY);
	bpf_program__set_autoload(s->progs.on_trace_probe, by & BY_PROBE);
	bpf_program__set_autoattach(s->progs.on_trace, false);
	bpf_program__set_autoattach(s->progs.on_trace_entry, false);
	bpf_program__set_autoattach(s->progs.on_trace_probe, false);
}

static void choose_programs(struct tracer *t, const struct tracer_options *o)
{
	struct path_bpf *s = t->skel;

	bpf_program__set_autoload(s->progs.on_read, o->detail & TRACER_READ);
	bpf_program__set_autoload(s->progs.on_queue, o->detail & TRACER_QUEUE);
	bpf_program__set_autoload(s->progs.on_free, o->detail & TRACER_FREE);
	bpf_program__set_autoload(s->progs.on_icmp,
				  o->detail & TRACER_ICMP &&
					  has_tracepoint(t->btf, "btf_trace_icmp_send"));
	bpf_program__set_autoload(s->progs.on_neigh,
				  has_tracepoint(t->btf, "btf_trace_neigh_event_send_done"));
	bpf_program__set_autoload(s->progs.on_route6,
				  has_tracepoint(t->btf, "btf_trace_fib6_table_lookup"));
}

static int on_event(void *ctx, void *data, size_t len)
{
	struct tracer *t = ctx;

	if (len >= sizeof(struct path_head))
		t->fn(data, len, t->ctx);
	return 0;
}

/* Before kernel 5.11 maps count against RLIMIT_MEMLOCK; it does no harm later. */
static void lift_memlock(void)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	(void)setrlimit(RLIMIT_MEMLOCK, &all);
}

static int load_error(int r, struct err *e)
{
	if (r == -EPERM) /* the verifier's refusals are EACCES */
		return err_set(
			e, -EPERM, "permission", "trace",
			"the kernel does not let this user load its programs: run it as root "
			"(CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)");
	return err_set(
		e, r, "kernel", "trace",
		"the kernel does not take the tracing programs: %s (VMLANE_BPF_LOG=1 shows why)",
		strerror(-r));
}

/* One try, with what @by tells for trace messages; -errno of the kernel without words, or with them. */
static int load_with(struct tracer *t, const struct tracer_options *o, unsigned int by,
		     struct err *e)
{
	int r;

	t->skel = path_bpf__open();
	if (!t->skel)
		return err_set(e, -errno, "kernel", "trace", "the programs cannot be opened: %s",
			       strerror(errno));
	r = configure((struct path_config *)&t->skel->rodata->config, o);
	if (r < 0)
		return err_set(e, r, "limit", "trace", "a filter of more than %d steps",
			       PATH_FILTER_MAX);
	choose_programs(t, o);
	choose_trace_programs(t->skel, by);
	r = path_bpf__load(t->skel);
	return r < 0 ? load_error(r, e) : 0;
}

/* A kernel may refuse to call programs from a function: then without those. */
static int load_programs(struct tracer *t, const struct tracer_options *o, struct err *e)
{
	unsigned int by = o->trace_socket ? trace_possible(t->btf) : 0;
	int r;

	lift_memlock();
	r = load_with(t, o, by, e);
	for (unsigned int without = BY_ENTRY; r < 0 && without <= BY_PROBE; without <<= 1) {
		if (!(by & without))
			continue;
		by &= ~without;
		path_bpf__destroy(t->skel);
		r = load_with(t, o, by, e);
	}
	return r;
}

static int load(struct tracer *t, const struct tracer_options *o, struct err *e)
{
	int r;

	r = kernel_btf_new(&t->btf);
	if (r < 0)
		return err_set(e, -EOPNOTSUPP, "kernel", "trace",
			       "this kernel has no type information (/sys/kernel/btf/vmlinux, "
			       "CONFIG_DEBUG_INFO_BTF): tracing needs it");
	r = load_programs(t, o, e);
	if (r < 0)
		return r;
	t->ring = ring_buffer__new(bpf_map__fd(t->skel->maps.events), on_event, t, NULL);
	if (!t->ring)
		return err_set(e, -errno, "kernel", "trace", "no ring buffer: %s", strerror(errno));
	return 0;
}

static void on_frame(void *ctx, int cpu, void *data, __u32 size)
{
	struct tracer *t = ctx;
	struct path_frame f;
	size_t len;

	if (size < sizeof(f))
		return;
	memcpy(&f, data, sizeof(f)); /* a perf buffer aligns to four bytes */
	if (f.n_link > sizeof(f.link) || size - sizeof(f) < f.n_bytes ||
	    f.n_bytes > PATH_FRAME_BYTES)
		return;
	memcpy(t->frame, f.link, f.n_link);
	memcpy(t->frame + f.n_link, (const uint8_t *)data + sizeof(f), f.n_bytes);
	len = f.n_link + f.n_bytes;
	t->frame_fn(&f.seen, t->frame, len, f.whole_len > len ? f.whole_len : len, t->frame_ctx);
}

static void on_frames_lost(void *ctx, int cpu, __u64 count)
{
	struct tracer *t = ctx;

	t->frames_lost += count;
}

#define FRAME_PAGES 512 /* of 4 KiB, a CPU */

static int open_frames(struct tracer *t, struct err *e)
{
	t->frame = malloc(PATH_FRAME_MAX + PATH_FRAME_BYTES);
	t->frames = perf_buffer__new(bpf_map__fd(t->skel->maps.frames), FRAME_PAGES, on_frame,
				     on_frames_lost, t, NULL);
	if (!t->frame || !t->frames)
		return err_set(e, -ENOMEM, "memory", "capture", "no room for frames: %s",
			       strerror(errno));
	return 0;
}

int tracer_new(const struct tracer_options *o, struct tracer **ret, struct err *e)
{
	_cleanup_(tracer_freep) struct tracer *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_set(e, -ENOMEM, "memory", "trace", "out of memory");
	libbpf_set_print(no_print);
	r = load(t, o, e);
	if (r == 0 && o->snaplen)
		r = open_frames(t, e);
	if (r < 0)
		return r;
	*ret = t;
	t = NULL;
	return 0;
}

static void detach(struct tracer *t)
{
	while (t->n_links)
		bpf_link__destroy(t->links[--t->n_links]);
}

/*
 * What sees trace messages is attached once, by attach_trace(), and stays: it has to count each, and no
 * packet meets it on its way.
 */
static int attach(struct tracer *t)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, t->skel->obj)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program) || !bpf_program__autoattach(program))
			continue;
		if (t->n_links == LINKS_MAX)
			return -E2BIG;
		link = bpf_program__attach(program);
		if (!link)
			return -errno;
		t->links[t->n_links++] = link;
	}
	return 0;
}

void tracer_free(struct tracer *t)
{
	if (!t)
		return;
	ring_buffer__free(t->ring);
	perf_buffer__free(t->frames);
	free(t->frame);
	rest_free(t->rest);
	detach(t);
	bpf_link__destroy(t->trace_link);
	path_bpf__destroy(t->skel);
	kernel_btf_free(t->btf);
	free(t);
}

static void set_bit(uint64_t *bits, unsigned int i, bool on)
{
	uint64_t bit = 1ull << (i % 64);

	if (on)
		__atomic_or_fetch(&bits[i / 64], bit, __ATOMIC_RELAXED);
	else
		__atomic_and_fetch(&bits[i / 64], ~bit, __ATOMIC_RELAXED);
}

int tracer_watch(struct tracer *t, int ifindex, unsigned int watch, unsigned int kind)
{
	struct path_bpf__bss *bss = t->skel->bss;

	if (ifindex <= 0 || ifindex >= PATH_IFINDEX_MAX)
		return -ERANGE;
	set_bit((uint64_t *)bss->watch_in, (unsigned int)ifindex, watch & TRACER_IN);
	set_bit((uint64_t *)bss->watch_out, (unsigned int)ifindex, watch & TRACER_OUT);
	set_bit((uint64_t *)bss->guest_ports, (unsigned int)ifindex, watch & TRACER_GUEST);
	bss->device_kinds[ifindex] = (uint8_t)kind;
	return 0;
}

void tracer_guest_mac(struct tracer *t, const struct mac *mac)
{
	struct path_guest *g = (struct path_guest *)&t->skel->bss->guest;

	memcpy(g->mac, mac->b, sizeof(g->mac));
	g->has_mac = 1;
}

void tracer_guest_addr(struct tracer *t, uint8_t family, const uint8_t addr[16])
{
	struct path_guest *g = (struct path_guest *)&t->skel->bss->guest;
	unsigned int n = g->n_addrs;

	for (unsigned int i = 0; i < n; i++)
		if (g->families[i] == family && memcmp(g->addrs[i], addr, 16) == 0)
			return;
	if (n == PATH_ADDRS_MAX) {
		memmove(g->addrs[0], g->addrs[1], sizeof(g->addrs[0]) * --n);
		memmove(g->families, g->families + 1, n);
	}
	memcpy(g->addrs[n], addr, sizeof(g->addrs[n]));
	g->families[n] = family;
	g->n_addrs = n + 1;
}

/* The first of those that were loaded that the kernel takes; without any no rules are told. */
static void attach_trace(struct tracer *t)
{
	struct bpf_program *all[] = {t->skel->progs.on_trace, t->skel->progs.on_trace_entry,
				     t->skel->progs.on_trace_probe};

	for (size_t i = 0; i < ARRAY_SIZE(all) && !t->trace_link; i++)
		if (bpf_program__autoload(all[i]))
			t->trace_link = bpf_program__attach(all[i]);
}

int tracer_start(struct tracer *t, struct err *e)
{
	int r = attach(t);

	if (r < 0)
		return load_error(r, e);
	attach_trace(t);
	return 0;
}

/* While nothing is followed, most programs do not look at what each CPU was at last. */
static void follow_nothing(struct path_bpf__bss *bss)
{
	memset(bss->current_skb, 0, sizeof(bss->current_skb));
	bss->following = 0;
}

/* A device that has vanished meanwhile is no reason. */
static int rest_watch_all(struct tracer *t)
{
	const struct path_bpf__bss *bss = t->skel->bss;
	int r = 0;

	for (int i = 0; i < PATH_IFINDEX_MAX && r == 0; i++) {
		uint64_t bit = 1ull << (i % 64);

		if (bss->watch_in[i / 64] & bit)
			r = rest_watch(t->rest, i, true);
		if (bss->watch_out[i / 64] & bit && (r == 0 || r == -ENODEV))
			r = rest_watch(t->rest, i, false);
		if (r == -ENODEV)
			r = 0;
	}
	return r;
}

int tracer_rest(struct tracer *t)
{
	struct path_bpf__bss *bss = t->skel->bss;
	int r = 0;

	if (!t->rest)
		r = rest_new(t->skel->obj, (struct path_config *)&t->skel->rodata->config,
			     &t->rest);
	if (r < 0)
		return r;
	bss->woken = 0;
	r = rest_watch_all(t);
	if (r < 0) {
		rest_unwatch(t->rest);
		return r;
	}
	detach(t);
	follow_nothing(bss);
	return 0;
}

int tracer_wake(struct tracer *t)
{
	int r = attach(t);

	rest_unwatch(t->rest);
	return r;
}

bool tracer_joins(const struct tracer *t)
{
	return t->trace_link;
}

int tracer_read(struct tracer *t, tracer_fn fn, void *ctx)
{
	t->fn = fn;
	t->ctx = ctx;
	return ring_buffer__consume(t->ring);
}

int tracer_fd(const struct tracer *t)
{
	return ring_buffer__epoll_fd(t->ring);
}

int tracer_read_frames(struct tracer *t, tracer_frame_fn fn, void *ctx)
{
	t->frame_fn = fn;
	t->frame_ctx = ctx;
	return perf_buffer__consume(t->frames);
}

int tracer_frames_fd(const struct tracer *t)
{
	return t->frames ? perf_buffer__epoll_fd(t->frames) : -1;
}

uint64_t tracer_frames_lost(const struct tracer *t)
{
	return t->frames_lost;
}

/* As bloom_bit() and tuple_hash() of src/bpf/state.bpf.h. */
static void bloom_add_tuple(uint64_t *bloom, const struct path_tuple *t)
{
	uint64_t words[sizeof(*t) / 8], h = 0;
	unsigned int bit;

	memcpy(words, t, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ull;
	bit = (unsigned int)((h * 0x9e3779b97f4a7c15ull) >> 48);
	bloom[bit / 64] |= 1ull << (bit % 64);
}

/* The older generation of the flows' filter is made anew from the map, and then the current one. */
static void renew_flows(struct tracer *t)
{
	struct path_bpf__bss *bss = t->skel->bss;
	uint32_t next = !(bss->flow_generation & 1);
	int fd = bpf_map__fd(t->skel->maps.flows);
	struct path_tuple key, *prev = NULL;

	memset(bss->flow_bloom[next], 0, sizeof(bss->flow_bloom[next]));
	for (int i = 0; i < FLOWS_MAX && bpf_map_get_next_key(fd, prev, &key) == 0; i++) {
		bloom_add_tuple((uint64_t *)bss->flow_bloom[next], &key);
		prev = &key;
	}
	bss->flow_generation = next;
}

void tracer_tick(struct tracer *t)
{
	struct path_bpf__bss *bss = t->skel->bss;
	uint32_t next = !(bss->skb_generation & 1);

	memset(bss->skb_bloom[next], 0, sizeof(bss->skb_bloom[next]));
	bss->skb_generation = next;
	/* What began to be followed before the last generation is over. */
	if (bss->counters[PATH_FOLLOWED] == t->followed && t->quiet++ > 0)
		follow_nothing(bss);
	else if (bss->counters[PATH_FOLLOWED] != t->followed)
		t->quiet = 0;
	t->followed = bss->counters[PATH_FOLLOWED];
	renew_flows(t);
}

uint64_t tracer_counter(const struct tracer *t, enum path_counter c)
{
	return t->skel->bss->counters[c];
}

const char *tracer_reason(struct tracer *t, uint32_t reason)
{
	return kernel_btf_reason(t->btf, reason);
}

uint32_t tracer_reason_number(const struct tracer *t, const char *name)
{
	return kernel_btf_reason_number(t->btf, name);
}
