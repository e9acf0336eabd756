/* SPDX-License-Identifier: GPL-2.0-or-later */
/* scan.c - see scan.h. */
#include "inspect/scan.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "kernel/rtnl.h"
#include "wire/craft.h"
#include "wire/frame.h"

#define PASSES 2       /* who is silent is asked once more */
#define LISTEN_MS 400  /* after each pass */
#define ROUND_MS 5     /* frames are sent in bursts of so long */
#define ECHO_ID 0x766c /* "vl" */
#define ICMP6_ECHO_REPLY 129
#define RECEIVE_BYTES (4 << 20)

/* ---- what to ask ---- */

static size_t hosts_of(const struct ip4_prefix *p)
{
	size_t all = (size_t)1 << (32 - p->len);

	return p->len >= 31 ? all : all - 2;
}

static int add_subnet(struct scan *s, const struct ip4_prefix *p, struct in_addr source)
{
	for (size_t i = 0; i < s->n_subnets; i++)
		if (s->subnets[i].prefix.len <= p->len && ip4_in(&s->subnets[i].prefix, p->addr))
			return 0;
	if (s->n_subnets == SCAN_SUBNETS_MAX)
		return -E2BIG;
	s->subnets[s->n_subnets++] = (struct scan_subnet){*p, source};
	return 0;
}

static int take_subnets(const struct actual *a, const struct ip4_prefix *only, struct scan *s,
			struct err *e)
{
	bool any = false;
	int r = 0;

	for (size_t i = 0; i < a->n_addrs && r == 0; i++) {
		const struct addr_state *own = &a->addrs[i];

		if (own->ifindex != s->ifindex)
			continue;
		any = true;
		if (!only)
			r = add_subnet(s, &own->prefix, own->prefix.addr);
		else if (ip4_overlap(only, &own->prefix))
			r = add_subnet(s, only->len > own->prefix.len ? only : &own->prefix,
				       own->prefix.addr);
	}
	if (r < 0)
		return err_set(e, -ERANGE, "subnets", s->bridge,
			       "%s has more than %d subnets; say which: --subnet PREFIX", s->bridge,
			       SCAN_SUBNETS_MAX);
	if (only && any && s->n_subnets == 0) {
		char text[IP4_PREFIX_STRLEN];

		return err_set(e, -ERANGE, "subnet", s->bridge,
			       "%s is not on %s, which has addresses in other subnets only",
			       ip4_prefix_format(only, text), s->bridge);
	}
	if (only && !any)
		return add_subnet(s, only, (struct in_addr){0});
	return 0;
}

static void take_sources6(const struct actual *a, struct scan *s)
{
	for (size_t i = actual_first_addr6(a, s->ifindex);
	     i < a->n_addrs6 && a->addrs6[i].ifindex == s->ifindex; i++)
		if (s->n_sources6 < SCAN_SUBNETS_MAX)
			s->sources6[s->n_sources6++] = a->addrs6[i].prefix.addr;
}

static size_t count_hosts(const struct scan *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_subnets; i++)
		n += hosts_of(&s->subnets[i].prefix);
	return n;
}

static int check(const struct scan *s, struct err *e)
{
	size_t n = count_hosts(s);

	if (n > SCAN_ADDRS_MAX)
		return err_set(
			e, -ERANGE, "subnet", s->bridge,
			"%zu addresses are too many (%d at most); say which: --subnet PREFIX", n,
			SCAN_ADDRS_MAX);
	if (n == 0 && s->n_sources6 == 0)
		return err_set(e, -ERANGE, "subnet", s->bridge,
			       "%s has no address, so that nobody knows what to ask for; say it: "
			       "--subnet PREFIX",
			       s->bridge);
	return 0;
}

static int prepare(struct rtnl *rtnl, const char *bridge, const struct ip4_prefix *only,
		   struct actual *a, struct scan *s, struct err *e)
{
	const struct link_state *l;
	int r = rtnl_snapshot(rtnl, a, e);

	if (r == 0)
		r = rtnl_snapshot_ipv6(rtnl, a, e);
	if (r < 0)
		return r;
	l = actual_link_by_name(a, bridge);
	if (!l)
		return err_set(e, -ENODEV, "not-found", bridge, "there is no interface %s", bridge);
	if (strcmp(l->kind, "bridge") != 0)
		return err_set(e, -EINVAL, "no-bridge", bridge,
			       "%s is no bridge; a scan asks the guests of one", bridge);
	if (!l->up)
		return err_set(e, -ENETDOWN, "down", bridge, "%s is down: ip link set %s up",
			       bridge, bridge);
	memcpy(s->bridge, l->name, sizeof(s->bridge));
	s->ifindex = l->ifindex;
	s->mac = l->mac;
	s->rate = SCAN_RATE;
	take_sources6(a, s);
	r = take_subnets(a, only, s, e);
	return r < 0 ? r : check(s, e);
}

int scan_prepare(const char *bridge, const struct ip4_prefix *only, struct scan *ret, struct err *e)
{
	_cleanup_(rtnl_freep) struct rtnl *rtnl = NULL;
	struct actual a = {0};
	struct scan s = {0};
	int r = rtnl_new(&rtnl);

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	r = prepare(rtnl, bridge, only, &a, &s, e);
	actual_done(&a);
	if (r == 0)
		*ret = s;
	return r;
}

/* ---- asking ---- */

/**
 * struct host - an address that is asked for
 * @answered:	somebody has it
 * @asked_us:	when it was asked for last
 */
struct host {
	struct in_addr addr;
	struct in_addr source;
	bool answered;
	uint64_t asked_us;
};

/**
 * struct run - a scan under way
 * @hosts:	sorted by address, @n of them; owned
 * @asked6_us:	when all nodes were asked
 * @cap:	room in @out
 */
struct run {
	const struct scan *s;
	int fd;
	struct host *hosts;
	size_t n;
	uint64_t asked6_us;
	struct scan_result out;
	size_t cap;
};

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static int by_addr(const void *a, const void *b)
{
	uint32_t x = ip4_host(((const struct host *)a)->addr);
	uint32_t y = ip4_host(((const struct host *)b)->addr);

	return x < y ? -1 : x > y;
}

static int list_hosts(struct run *r)
{
	const struct scan *s = r->s;

	r->hosts = calloc(count_hosts(s) + 1, sizeof(*r->hosts));
	if (!r->hosts)
		return -ENOMEM;
	for (size_t i = 0; i < s->n_subnets; i++) {
		const struct scan_subnet *sub = &s->subnets[i];
		uint32_t first = ip4_host(ip4_network(&sub->prefix));

		for (size_t k = 0; k < hosts_of(&sub->prefix); k++) {
			struct host *h = &r->hosts[r->n];

			h->addr = ip4_from_host(first + (uint32_t)k + (sub->prefix.len < 31));
			h->source = sub->source;
			r->n += !ip4_equal(h->addr, sub->source);
		}
	}
	qsort(r->hosts, r->n, sizeof(*r->hosts), by_addr);
	r->out.asked = r->n;
	return 0;
}

/* Answers only: ARP replies, and ICMPv6 echo replies to the number we ask with. */
static int filter(int fd)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_ARP, 0, 2),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 20),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 7, 8),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 7),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 5),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 54),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP6_ECHO_REPLY, 0, 3),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 58),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ECHO_ID, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 256),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {.len = ARRAY_SIZE(code), .filter = code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

static int open_socket(struct run *r, struct err *e)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = r->s->ifindex,
				 .sll_protocol = htons(ETH_P_ALL)};
	int bytes = RECEIVE_BYTES;
	int err = 0;

	/* Nothing is received before the filter is there. */
	r->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0)
		err = -errno;
	if (err == 0)
		err = filter(r->fd);
	if (err == 0 && bind(r->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		err = -errno;
	if (err < 0)
		return err_set(e, err, "kernel", r->s->bridge, "no packet socket on %s: %s%s",
			       r->s->bridge, strerror(-err),
			       err == -EPERM ? "; CAP_NET_RAW is needed: run it as root" : "");
	(void)setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return 0;
}

static int send_frame(const struct run *r, const struct craft *c)
{
	uint8_t frame[128];
	int len = craft_build(c, frame, sizeof(frame));

	if (len < 0)
		return len;
	for (int tries = 0; tries < 100; tries++) {
		struct pollfd p = {.fd = r->fd, .events = POLLOUT};

		if (send(r->fd, frame, (size_t)len, 0) >= 0)
			return 0;
		if (errno != EAGAIN && errno != ENOBUFS && errno != EINTR)
			return -errno;
		(void)poll(&p, 1, 10);
	}
	return -EAGAIN;
}

static int ask_host(struct run *r, struct host *h)
{
	struct craft c = {.kind = CRAFT_ARP_REQUEST, .eth_src = r->s->mac, .family = AF_INET};

	memset(c.eth_dst.b, 0xff, sizeof(c.eth_dst.b));
	memcpy(c.src, &h->source, sizeof(h->source));
	memcpy(c.dst, &h->addr, sizeof(h->addr));
	h->asked_us = now_us();
	return send_frame(r, &c);
}

/* ff02::1, all nodes (RFC 4291 2.7.1). */
static int ask_nodes(struct run *r)
{
	static const uint8_t all[16] = {0xff, 0x02, [15] = 1};
	static const struct mac eth_all = {{0x33, 0x33, 0, 0, 0, 1}};
	int err = 0;

	r->asked6_us = now_us();
	for (size_t i = 0; i < r->s->n_sources6 && err == 0; i++) {
		struct craft c = {.kind = CRAFT_ECHO,
				  .eth_src = r->s->mac,
				  .eth_dst = eth_all,
				  .family = AF_INET6,
				  .sport = ECHO_ID,
				  .dport = 1,
				  .ttl = 1};

		memcpy(c.src, &r->s->sources6[i], sizeof(c.src));
		memcpy(c.dst, all, sizeof(c.dst));
		err = send_frame(r, &c);
	}
	return err;
}

/* ---- answers ---- */

static bool is_known(const struct run *r, const struct scan_answer *a)
{
	for (size_t i = r->out.n; i-- > 0;)
		if (r->out.v[i].family == a->family &&
		    memcmp(r->out.v[i].addr, a->addr, sizeof(a->addr)) == 0 &&
		    mac_equal(&r->out.v[i].mac, &a->mac))
			return true;
	return false;
}

static int add_answer(struct run *r, const struct scan_answer *a)
{
	if (r->out.n == SCAN_FOUND_MAX)
		return 0;
	if (r->out.n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 64;
		struct scan_answer *v = reallocarray(r->out.v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->out.v = v;
		r->cap = cap;
	}
	r->out.v[r->out.n++] = *a;
	return 0;
}

static uint32_t since(uint64_t asked_us)
{
	return (uint32_t)(now_us() - asked_us);
}

static int on_arp(struct run *r, const struct frame *f)
{
	struct host key = {.addr = f->arp_sender_ip}, *h;
	struct scan_answer a = {.family = AF_INET, .mac = f->arp_sender_mac};

	h = bsearch(&key, r->hosts, r->n, sizeof(key), by_addr);
	/* What was not asked for is somebody else's affair. */
	if (!h || !h->asked_us)
		return 0;
	memcpy(a.addr, &f->arp_sender_ip, sizeof(f->arp_sender_ip));
	a.rtt_us = since(h->asked_us);
	/* The first answer is new for sure; only for more of them the list is gone through. */
	if (h->answered && is_known(r, &a))
		return 0;
	h->answered = true;
	return add_answer(r, &a);
}

static int on_echo(struct run *r, const uint8_t *frame, const struct frame *f)
{
	struct scan_answer a = {.family = AF_INET6, .mac = f->eth_src};

	memcpy(a.addr, frame + ETH_HLEN + 8, sizeof(a.addr));
	a.rtt_us = since(r->asked6_us);
	return is_known(r, &a) ? 0 : add_answer(r, &a);
}

/* All answers that are there. */
static int read_answers(struct run *r)
{
	struct sockaddr_ll from;
	uint8_t frame[256];
	int err = 0;

	while (err == 0) {
		socklen_t size = sizeof(from);
		ssize_t n =
			recvfrom(r->fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);
		struct frame f;

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (from.sll_pkttype == PACKET_OUTGOING ||
		    frame_parse(frame, (size_t)n, false, &f) < 0)
			continue;
		if (f.kind == FRAME_ARP && f.arp_op == 2)
			err = on_arp(r, &f);
		else if (f.ethertype == ETH_P_IPV6 && n >= ETH_HLEN + 40 + 8)
			err = on_echo(r, frame, &f);
	}
	return err;
}

static int listen_ms(struct run *r, int ms)
{
	uint64_t end = now_us() + (uint64_t)ms * 1000;
	int err = 0;

	while (err == 0) {
		struct pollfd p = {.fd = r->fd, .events = POLLIN};
		uint64_t now = now_us();

		if (now >= end)
			break;
		if (poll(&p, 1, (int)((end - now) / 1000) + 1) > 0)
			err = read_answers(r);
	}
	return err;
}

/* ---- the scan ---- */

/* struct progress - whom to tell of it. */
struct progress {
	scan_progress_fn fn;
	void *ctx;
	size_t done;
	size_t all;
};

static int tell(const struct progress *p, const struct run *r)
{
	return p->fn ? p->fn(p->done, p->all, r->out.n, p->ctx) : 0;
}

/* One pass over those that have not answered, so many each round that the rate is kept. */
static int pass(struct run *r, struct progress *p)
{
	size_t burst = size_min(r->s->rate * ROUND_MS / 1000 + 1, 1024), n = 0;
	int err = ask_nodes(r);

	for (size_t i = 0; i < r->n && err == 0; i++) {
		p->done++;
		if (r->hosts[i].answered)
			continue;
		err = ask_host(r, &r->hosts[i]);
		if (err == 0 && ++n % burst == 0) {
			err = listen_ms(r, (int)(burst * 1000 / r->s->rate));
			if (err == 0)
				err = tell(p, r);
		}
	}
	if (err == 0)
		err = listen_ms(r, LISTEN_MS);
	return err ? err : tell(p, r);
}

int scan_run(const struct scan *s, scan_progress_fn fn, void *ctx, struct scan_result *ret,
	     struct err *e)
{
	struct run r = {.s = s, .fd = -1};
	struct progress p = {.fn = fn, .ctx = ctx};
	int err = list_hosts(&r);

	p.all = r.n * PASSES;
	if (err < 0)
		err_set(e, err, "memory", s->bridge, "%s", strerror(-err));
	else
		err = open_socket(&r, e);
	for (int i = 0; i < PASSES && err == 0; i++) {
		err = pass(&r, &p);
		if (err < 0)
			err_set(e, err, "kernel", s->bridge, "cannot ask on %s: %s", s->bridge,
				strerror(-err));
	}
	fd_closep(&r.fd);
	free(r.hosts);
	if (err < 0)
		free(r.out.v);
	else
		*ret = r.out;
	return err;
}

static bool has_two(const struct scan_result *found, size_t i)
{
	const struct scan_answer *a = &found->v[i];

	for (size_t k = 0; k < found->n; k++)
		if (k != i && found->v[k].family == a->family &&
		    memcmp(found->v[k].addr, a->addr, sizeof(a->addr)) == 0)
			return true;
	return false;
}

int scan_remember(const struct scan *s, const struct scan_result *found, struct err *e)
{
	_cleanup_(rtnl_freep) struct rtnl *rtnl = NULL;
	int r = rtnl_new(&rtnl);

	if (r < 0)
		return err_set(e, r, "kernel", "netlink", "%s", strerror(-r));
	for (size_t i = 0; i < found->n && r == 0; i++) {
		const struct scan_answer *a = &found->v[i];

		if (!has_two(found, i))
			r = rtnl_neigh_learn(rtnl, s->ifindex, a->family, a->addr, &a->mac, e);
	}
	return r;
}
