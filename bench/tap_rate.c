/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tap_rate.c - writes UDP frames into the taps of guests, as a VMM does, and prints how many a
 * second of processor time each way took. The kernel carries a frame to the uplink within the write.
 *
 *   tap_rate CYCLES QUANTUM_US FLOWS SIDE=NETNS,TAP,GUEST_MAC,GUEST_IP,BRIDGE_MAC... [--matched RATE | --new CYCLES] [--latency]
 *
 * A cycle gives each side one quantum, in turn, from this one process: what else the machine does
 * hits all of them. FLOWS source ports take turns. A line a cycle: frames per second of each side;
 * at the end a line "sent N..." to compare with what arrived. With --matched one more flow, to port 7,
 * has RATE frames a second in among them, which count as the others do. With --latency each frame is
 * timed by itself, by the wall clock, and before "sent" comes a line "latency" with the median and the
 * 99th percentile of each side, in ns. With --new no two frames of a side are of one connection (other
 * ports, from 1024 on), and before each so many cycles a line "wait" is printed and one awaited on stdin:
 * who measures makes room for more connections. Next: packet.py, guard.py.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/addr.h"
#include "wire/frame.h"

#define SIDES_MAX 8
#define FLOWS_MAX 4096
#define FRAME_SIZE 60 /* 64 with the checksum that the wire adds */
#define BATCH 16      /* frames between two looks at the clock */
#define STEP_NS 20    /* of a histogram of latencies; its last step has all that took longer */
#define STEPS 10000

/**
 * struct side - one guest
 * @frames:	one frame a flow, behind its virtio header
 * @matched:	the frame to port 7; @matched_due_ns: when the next is, @matched_every_ns: 0 for none
 * @next:	whose turn it is
 * @fresh:	each frame begins a connection; @begun: how many so far
 * @sent:	frames so far
 * @took:	with --latency: how many took so many steps; else NULL
 */
struct side {
	int fd;
	uint8_t frames[FLOWS_MAX][sizeof(struct virtio_net_hdr) + FRAME_SIZE];
	uint8_t matched[sizeof(struct virtio_net_hdr) + FRAME_SIZE];
	uint64_t matched_due_ns;
	uint64_t matched_every_ns;
	unsigned int next;
	bool fresh;
	uint32_t begun;
	unsigned long long sent;
	unsigned int *took;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Time of this process: what it waits for the processor, on a busy machine, is not the packets'. */
static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/*
 * A port that has just been opened forwards nothing until the kernel has noticed, which it does in its own
 * time: frames that are lost at once would cost next to nothing.
 */
static int wait_until_up(struct ifreq *req)
{
	const struct timespec step = {.tv_nsec = 20000000};
	_cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	for (int i = 0; i < 1000; i++) {
		if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, req) < 0)
			return -errno;
		/* Once more: its bridge is told together with everybody else. */
		nanosleep(&step, NULL);
		if (req->ifr_flags & IFF_RUNNING)
			return 0;
	}
	return -ETIMEDOUT;
}

/* tap_take() - the persistent tap @name of namespace @netns. */
static int tap_take(const char *netns, const char *name, int *ret)
{
	struct ifreq req = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
	_cleanup_(fd_closep) int ns = open(netns, O_RDONLY | O_CLOEXEC);
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (ns < 0 || setns(ns, CLONE_NEWNET) < 0)
		return -errno;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &req) < 0)
		return -errno;
	r = wait_until_up(&req);
	if (r < 0)
		return r;
	*ret = fd;
	fd = -1;
	return 0;
}

static int frames_fill(struct side *s, struct udp_send *udp, unsigned int flows)
{
	static const uint8_t payload[FRAME_SIZE - 14 - 20 - 8];

	udp->payload = payload;
	udp->payload_len = sizeof(payload);
	udp->dport = 9;
	udp->ttl = 64;
	for (unsigned int i = 0; i < flows; i++) {
		udp->sport = (uint16_t)(20000 + i);
		if (udp_frame_build(udp, s->frames[i] + sizeof(struct virtio_net_hdr),
				    FRAME_SIZE) != FRAME_SIZE)
			return -EINVAL;
	}
	udp->sport = 7777;
	udp->dport = 7;
	return udp_frame_build(udp, s->matched + sizeof(struct virtio_net_hdr), FRAME_SIZE) ==
			       FRAME_SIZE
		       ? 0
		       : -EINVAL;
}

static int side_open(struct side *s, char *arg, unsigned int flows)
{
	struct udp_send udp = {.dst = ip4_from_host(0xc6336407)}; /* 198.51.100.7 */
	char *field[5] = {0}, *save = NULL;
	int r;

	arg = strchr(arg, '=');
	for (size_t i = 0; arg && i < ARRAY_SIZE(field); i++)
		field[i] = strtok_r(i ? NULL : arg + 1, ",", &save);
	if (!arg || !field[4] || mac_parse(field[2], &udp.eth_src) < 0 ||
	    ip4_parse(field[3], &udp.src) < 0 || mac_parse(field[4], &udp.eth_dst) < 0)
		return -EINVAL;
	r = frames_fill(s, &udp, flows);
	return r < 0 ? r : tap_take(field[0], field[1], &s->fd);
}

/* As many as are due; what a pause between quanta has left undone stays so. */
static int send_matched(struct side *s, uint64_t start, uint64_t now, unsigned int *count)
{
	if (s->matched_due_ns < start)
		s->matched_due_ns = start;
	for (; s->matched_every_ns && s->matched_due_ns <= now;
	     s->matched_due_ns += s->matched_every_ns) {
		if (write(s->fd, s->matched, sizeof(s->matched)) < 0)
			return -errno;
		++*count;
	}
	return 0;
}

static void put_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* Ports that were not there before, and no checksum, which UDP over IPv4 need not have. */
static void make_new(struct side *s, uint8_t *frame)
{
	const uint32_t ports = 65536 - 1024;
	uint8_t *udp = frame + sizeof(struct virtio_net_hdr) + 14 + 20;

	put_be16(udp, 1024 + s->begun % ports);
	put_be16(udp + 2, 1024 + s->begun / ports);
	put_be16(udp + 6, 0);
	s->begun++;
}

static int send_next(struct side *s, unsigned int flows)
{
	uint8_t *f = s->frames[s->next];
	uint64_t start;

	if (s->fresh)
		make_new(s, f);
	start = s->took ? clock_ns(CLOCK_MONOTONIC) : 0;
	s->next = (s->next + 1) % flows;
	if (write(s->fd, f, sizeof(s->frames[0])) < 0)
		return -errno;
	if (s->took) {
		uint64_t steps = (clock_ns(CLOCK_MONOTONIC) - start) / STEP_NS;

		s->took[steps < STEPS ? steps : STEPS - 1]++;
	}
	return 0;
}

static int quantum(struct side *s, unsigned int flows, uint64_t ns, double *ret)
{
	uint64_t start = now_ns(), now = start;
	unsigned int count = 0;

	for (; now < start + ns; now = now_ns()) {
		for (int i = 0; i < BATCH; i++) {
			int r = send_next(s, flows);

			if (r < 0)
				return r;
		}
		count += BATCH;
		if (send_matched(s, start, now, &count) < 0)
			return -EIO;
	}
	s->sent += count;
	*ret = count * 1e9 / (double)(now - start);
	return 0;
}

/* Of all that were timed, the time that @percent of them did not take longer than. */
static unsigned long percentile_ns(const struct side *s, unsigned int percent)
{
	unsigned long long all = 0, so_far = 0;
	unsigned int step = 0;

	for (unsigned int i = 0; i < STEPS; i++)
		all += s->took[i];
	for (; step < STEPS - 1; step++) {
		so_far += s->took[step];
		if (so_far * 100 >= all * percent)
			break;
	}
	return (step + 1) * STEP_NS;
}

/* Somebody says when to go on. */
static int pause_here(void)
{
	int c;

	puts("wait");
	fflush(stdout);
	do
		c = getchar();
	while (c != '\n' && c != EOF);
	return c == EOF ? -EPIPE : 0;
}

/* @pause: cycles between two pauses, 0 for none */
static int run(struct side *sides, size_t n, unsigned int flows, unsigned long cycles, uint64_t ns,
	       unsigned long pause)
{
	for (unsigned long c = 0; c < cycles; c++) {
		double rate[SIDES_MAX];

		if (pause && c % pause == 0 && pause_here() < 0)
			return -EPIPE;
		for (size_t i = 0; i < n; i++) {
			size_t which = (i + c) % n;
			int r = quantum(&sides[which], flows, ns, &rate[which]);

			if (r < 0)
				return r;
		}
		for (size_t i = 0; i < n; i++)
			printf("%.0f ", rate[i]);
		putchar('\n');
	}
	if (sides[0].took) {
		printf("latency");
		for (size_t i = 0; i < n; i++)
			printf(" %lu,%lu", percentile_ns(&sides[i], 50),
			       percentile_ns(&sides[i], 99));
		putchar('\n');
	}
	printf("sent");
	for (size_t i = 0; i < n; i++)
		printf(" %llu", sides[i].sent);
	putchar('\n');
	return 0;
}

/* One processor for all: the ratios are of work done, not of where it was done. */
static int pin(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	static struct side sides[SIDES_MAX];
	unsigned long cycles = argc > 4 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long quantum_us = argc > 4 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned long flows = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;
	unsigned long matched = 0, pause = 0;
	size_t n = argc > 4 ? (size_t)argc - 4 : 0;
	bool latency = n && strcmp(argv[argc - 1], "--latency") == 0;
	int r;

	if (latency) {
		argc--;
		n--;
	}
	if (n > 2 && strcmp(argv[argc - 2], "--matched") == 0) {
		matched = strtoul(argv[argc - 1], NULL, 10);
		n -= 2;
	} else if (n > 2 && strcmp(argv[argc - 2], "--new") == 0) {
		pause = strtoul(argv[argc - 1], NULL, 10);
		n -= 2;
	}
	if (!cycles || !quantum_us || !flows || flows > FLOWS_MAX || n > SIDES_MAX) {
		fprintf(stderr, "usage: tap_rate CYCLES QUANTUM_US FLOWS "
				"SIDE=NETNS,TAP,GUEST_MAC,GUEST_IP,BRIDGE_MAC... [--matched RATE | "
				"--new CYCLES] [--latency]\n");
		return 1;
	}
	r = pin();
	for (size_t i = 0; i < n && r == 0; i++)
		r = side_open(&sides[i], argv[4 + i], (unsigned int)flows);
	for (size_t i = 0; i < n; i++) {
		sides[i].matched_every_ns = matched ? 1000000000 / matched : 0;
		sides[i].fresh = pause != 0;
	}
	for (size_t i = 0; latency && i < n && r == 0; i++) {
		sides[i].took = calloc(STEPS, sizeof(*sides[i].took));
		if (!sides[i].took)
			r = -ENOMEM;
	}
	if (r == 0)
		r = run(sides, n, (unsigned int)flows, cycles, quantum_us * 1000, pause);
	if (r < 0) {
		fprintf(stderr, "tap_rate: %s\n", strerror(-r));
		return 1;
	}
	return 0;
}
