/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/path/watch.c: two taps in a network namespace, frames in both directions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "path/watch.h"
#include "../netns.h"

#define NOTED_MAX 4096

struct noted {
	size_t index;
	bool outgoing;
	uint64_t time_ns;
	size_t len;
	uint16_t dport;
	uint8_t last;
	enum frame_kind kind;
};

struct notes {
	struct noted all[NOTED_MAX];
	size_t n;
};

static void note(const struct watch_event *ev, void *ctx)
{
	struct notes *notes = ctx;

	/* Only ours: the kernel says a word of IPv6 on each new interface. */
	if (ev->len < 14 || ev->bytes[0] != 0x52)
		return;
	assert_true(notes->n < NOTED_MAX);
	notes->all[notes->n++] = (struct noted){
		.index = ev->index,
		.outgoing = ev->outgoing,
		.time_ns = ev->time_ns,
		.len = ev->len,
		.dport = ev->frame.dport,
		.last = ev->bytes[ev->len - 1],
		.kind = ev->frame.kind,
	};
}

static void set_up(const char *name, bool up)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr;

	memset(&ifr, 0, sizeof(ifr));
	strcpy(ifr.ifr_name, name);
	ifr.ifr_mtu = 9000;
	assert_int_equal(ioctl(sock, SIOCSIFMTU, &ifr), 0);
	assert_int_equal(ioctl(sock, SIOCGIFFLAGS, &ifr), 0);
	ifr.ifr_flags = (short)(up ? ifr.ifr_flags | IFF_UP : ifr.ifr_flags & ~IFF_UP);
	assert_int_equal(ioctl(sock, SIOCSIFFLAGS, &ifr), 0);
	close(sock);
}

/* The kernel has something to say of IPv6 whenever an interface goes up or down. */
static void no_ipv6(void)
{
	FILE *f = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "we");

	if (!f)
		return;
	assert_true(fputs("1", f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int tap(const char *name)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct ifreq ifr;

	no_ipv6();
	if (fd < 0)
		netns_skip("no /dev/net/tun");
	memset(&ifr, 0, sizeof(ifr));
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	strcpy(ifr.ifr_name, name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
	set_up(name, true);
	return fd;
}

static size_t udp(uint16_t dport, size_t payload, uint8_t *frame, size_t cap)
{
	static uint8_t filler[9000];
	struct udp_send s = {
		.eth_src = {{0x52, 0x54, 0, 0, 0, 1}},
		.eth_dst = {{0x52, 0x54, 0, 0, 0, 2}},
		.src = ip4_from_host(0xc0a87a02),
		.dst = ip4_from_host(0xc0a87a03),
		.sport = 5,
		.dport = dport,
		.ttl = 64,
		.payload = filler,
		.payload_len = payload,
	};
	int n;

	filler[payload - 1] = (uint8_t)dport;
	n = udp_frame_build(&s, frame, cap);
	assert_true(n > 0);
	return (size_t)n;
}

static void from_guest(int fd, uint16_t dport, size_t payload)
{
	uint8_t frame[9100];
	size_t len = udp(dport, payload, frame, sizeof(frame));

	assert_int_equal(write(fd, frame, len), len);
}

static void from_host(const char *name, uint16_t dport, size_t payload)
{
	int sock = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name)};
	uint8_t frame[9100];
	size_t len = udp(dport, payload, frame, sizeof(frame));

	assert_int_equal(sendto(sock, frame, len, 0, (struct sockaddr *)&to, sizeof(to)), len);
	close(sock);
}

/* Read until @want frames of ours were seen; fails when they do not come within a second. */
static void read_some(struct watch *w, struct notes *notes, size_t want)
{
	notes->n = 0;
	while (notes->n < want)
		assert_true(watch_read(w, 1000, note, notes) > 0);
	assert_int_equal(notes->n, want);
}

static int fds[2];
static struct notes notes;

static int setup(void **state)
{
	static const char *const names[] = {"tapA", "tapB"};
	struct watch *w;
	struct err e;

	if (fds[0] <= 0) {
		fds[0] = tap("tapA");
		fds[1] = tap("tapB");
	}
	assert_int_equal(watch_new(names, 2, &w, &e), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	watch_free(*state);
	return 0;
}

static void test_directions_and_order(void **state)
{
	struct timespec now;

	from_guest(fds[0], 1, 100);
	from_host("tapB", 2, 100);
	from_guest(fds[1], 3, 100);
	from_host("tapA", 4, 100);
	read_some(*state, &notes, 4);
	clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(notes.all[i].dport, i + 1);
		assert_int_equal(notes.all[i].kind, FRAME_UDP);
		assert_int_equal(notes.all[i].index, i == 1 || i == 2);
		assert_int_equal(notes.all[i].outgoing, i % 2);
		assert_int_equal(notes.all[i].len, 142);
		assert_true(!i || notes.all[i].time_ns >= notes.all[i - 1].time_ns);
	}
	assert_true((uint64_t)now.tv_sec - notes.all[3].time_ns / 1000000000u <= 5);
}

/* Longer than a slot of the ring, and between short ones: each must be whole, and in its place. */
static void test_long_frames(void **state)
{
	static const size_t sizes[] = {100, 8000, 1900, 1980, 2040, 3000, 100};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		from_guest(fds[0], (uint16_t)(10 + i), sizes[i]);
	read_some(*state, &notes, ARRAY_SIZE(sizes));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		assert_int_equal(notes.all[i].dport, 10 + i);
		assert_int_equal(notes.all[i].len, sizes[i] + 42);
		assert_int_equal(notes.all[i].last, 10 + i);
		assert_int_equal(notes.all[i].kind, FRAME_UDP);
	}
}

/* More than the ring holds, unread: what was dropped is counted, and it goes on afterwards. */
static void test_overflow(void **state)
{
	struct watch *w = *state;

	notes.n = 0;
	for (uint16_t i = 0; i < 1500; i++)
		from_guest(fds[0], i, 60);
	while (watch_read(w, 0, note, &notes) > 0)
		;
	assert_true(notes.n > 0 && notes.n < 1500);
	assert_int_equal(watch_dropped(w), 1500 - notes.n);
	assert_int_equal(watch_dropped(w), 1500 - notes.n);
	from_guest(fds[0], 7, 60);
	read_some(w, &notes, 1);
	assert_int_equal(notes.all[0].dport, 7);
}

static void test_timeout_and_link_down(void **state)
{
	struct watch *w = *state;

	notes.n = 0;
	while (watch_read(w, 0, note, &notes) > 0)
		;
	set_up("tapA", false);
	/* Says that the interface went down: not an error, no frame, and not again and again. */
	(void)!watch_read(w, 0, note, &notes);
	assert_int_equal(watch_read(w, 10, note, &notes), 0);
	set_up("tapA", true);
	from_guest(fds[0], 9, 60);
	read_some(w, &notes, 1);
	assert_int_equal(notes.all[0].dport, 9);
}

static void test_garbage(void **state)
{
	static const uint8_t bad[60] = {0x52, 0x54, 0, 0, 0, 2, 0x52, 0x54,
					0,    0,    0, 1, 8, 0, 0x4f, 0xff};

	assert_int_equal(write(fds[0], bad, sizeof(bad)), sizeof(bad));
	read_some(*state, &notes, 1);
	assert_int_equal(notes.all[0].kind, FRAME_OTHER);
}

static void test_refusals(void **state)
{
	static const char *const names[] = {"lo", "nothere0"};
	const char *many[WATCH_MAX + 1];
	struct watch *w = NULL;
	struct err e;

	(void)state;
	assert_int_equal(watch_new(names, 2, &w, &e), -ENODEV);
	assert_string_equal(e.where, "nothere0");
	assert_int_equal(watch_new(names, 0, &w, NULL), -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = "lo";
	assert_int_equal(watch_new(many, ARRAY_SIZE(many), &w, &e), -EINVAL);
	assert_null(w);
	watch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_directions_and_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_timeout_and_link_down, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
		cmocka_unit_test(test_refusals),
	};

	netns_enter();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
