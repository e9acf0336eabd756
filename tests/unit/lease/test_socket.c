/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of the packet socket on a bridge, in a network namespace of its own, with a raw client on
 * the other end of a veth pair. A last frame that is let through shows without waiting that those
 * before it were not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../netns.h"
#include "base/addr.h"
#include "base/macro.h"
#include "lease/socket.h"

#define LIMIT_US 3000000

static const uint8_t bridge_mac[6] = {0x52, 0x54, 0, 0xff, 0, 1};
static const uint8_t guest_mac[6] = {0x52, 0x54, 0, 1, 0, 1};

/* struct heard - what one listener got: how many frames, how many of them cut, and the last. */
struct heard {
	unsigned int n;
	unsigned int cut;
	size_t len;
	uint8_t last[LEASE_FRAME_MAX];
};

struct world {
	sd_event *loop;
	struct lease_socket *socket;
	struct heard heard[LEASE_KIND_COUNT];
	int client;
	struct err e;
};

static void on_frames(const struct lease_frame *frames, size_t n, void *ctx)
{
	struct heard *h = ctx;

	assert_true(n >= 1 && n <= LEASE_BATCH_MAX);
	h->n += (unsigned int)n;
	for (size_t i = 0; i < n; i++)
		h->cut += frames[i].cut;
	h->len = frames[n - 1].len;
	memcpy(h->last, frames[n - 1].bytes, size_min(h->len, sizeof(h->last)));
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_ALL),
				  .sll_ifindex = (int)if_nametoindex("guest")};

	assert_non_null(w);
	assert_int_equal(sd_event_new(&w->loop), 0);
	w->client = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(w->client >= 0);
	assert_int_equal(bind(w->client, (struct sockaddr *)&sll, sizeof(sll)), 0);
	assert_int_equal(lease_socket_new(w->loop, (int)if_nametoindex("vl-test"), "test",
					  &w->socket, &w->e),
			 0);
	lease_socket_listen(w->socket, LEASE_IP4, on_frames, &w->heard[LEASE_IP4]);
	lease_socket_listen(w->socket, LEASE_IP6, on_frames, &w->heard[LEASE_IP6]);
	lease_socket_listen(w->socket, LEASE_ND, on_frames, &w->heard[LEASE_ND]);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	lease_socket_free(w->socket);
	close(w->client);
	sd_event_unref(w->loop);
	free(w);
	return 0;
}

/* A frame with nothing in it but what the filter looks at, and the bridge. */
static size_t frame(uint8_t *f, const uint8_t *to, uint16_t type, uint8_t proto, uint8_t what)
{
	memset(f, 0, 100);
	memcpy(f, to, 6);
	memcpy(f + 6, guest_mac, 6);
	f[12] = (uint8_t)(type >> 8);
	f[13] = (uint8_t)type;
	if (type == ETH_P_IP) {
		f[14] = 0x45;
		f[23] = proto;
		f[37] = what; /* the port's low byte */
	} else if (type == ETH_P_IPV6) {
		f[14] = 0x60;
		f[19] = 100 - 54; /* length after the header */
		f[20] = proto;
		f[54] = what; /* the ICMPv6 type */
	}
	return 100;
}

static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t routers[6] = {0x33, 0x33, 0, 0, 0, 2};

static void put(struct world *w, const uint8_t *f, size_t len)
{
	assert_int_equal(send(w->client, f, len, 0), len);
}

static void put_dhcp(struct world *w)
{
	uint8_t f[128];

	put(w, f, frame(f, everybody, ETH_P_IP, IPPROTO_UDP, 67));
}

static void put_rs(struct world *w)
{
	uint8_t f[128];

	put(w, f, frame(f, routers, ETH_P_IPV6, IPPROTO_ICMPV6, 133));
}

static void run_until(struct world *w, enum lease_kind kind, unsigned int n)
{
	while (w->heard[kind].n < n) {
		if (sd_event_run(w->loop, LIMIT_US) <= 0)
			fail_msg("%u of %u frames", w->heard[kind].n, n);
	}
	assert_int_equal(w->heard[kind].n, n);
}

/* Each listener gets its own kinds, once, as they were sent. */
static void test_kinds(void **state)
{
	struct world *w = *state;
	uint8_t f[128];
	size_t len;

	put_dhcp(w);
	put_rs(w);
	put(w, f, frame(f, everybody, ETH_P_ARP, 0, 0));
	len = frame(f, bridge_mac, ETH_P_IPV6, IPPROTO_ICMPV6, 133);
	put(w, f, len);
	run_until(w, LEASE_IP6, 2);
	run_until(w, LEASE_IP4, 2);
	assert_int_equal(w->heard[LEASE_IP6].len, len);
	assert_memory_equal(w->heard[LEASE_IP6].last, f, len);
	assert_int_equal(w->heard[LEASE_ND].n, 0);
	put(w, f, frame(f, routers, ETH_P_IPV6, IPPROTO_ICMPV6, 135));
	len = frame(f, bridge_mac, ETH_P_IPV6, IPPROTO_ICMPV6, 136);
	put(w, f, len);
	run_until(w, LEASE_ND, 2);
	assert_memory_equal(w->heard[LEASE_ND].last, f, len);
	assert_int_equal(w->heard[LEASE_IP6].n, 2);
	assert_int_equal(w->heard[LEASE_IP6].cut + w->heard[LEASE_IP4].cut, 0);
	assert_int_equal(lease_socket_drops(w->socket), 0);
}

static void test_filter(void **state)
{
	static const uint8_t other_host[6] = {0x52, 0x54, 0, 9, 9, 9};
	static const struct {
		const uint8_t *to;
		uint16_t type;
		uint8_t proto;
		uint8_t what;
	} unwanted[] = {
		{routers, ETH_P_IPV6, IPPROTO_ICMPV6, 134}, /* advertisement */
		{routers, ETH_P_IPV6, IPPROTO_ICMPV6, 135}, /* neighbour solicitation */
		{routers, ETH_P_IPV6, IPPROTO_ICMPV6, 128}, /* echo */
		{routers, ETH_P_IPV6, IPPROTO_UDP, 133},
		{routers, ETH_P_IPV6, IPPROTO_HOPOPTS, 133}, /* an extension header */
		{other_host, ETH_P_IPV6, IPPROTO_ICMPV6, 133},
		{everybody, ETH_P_IP, IPPROTO_UDP, 68},
		{everybody, ETH_P_IP, IPPROTO_TCP, 67},
		{other_host, ETH_P_IP, IPPROTO_UDP, 67},
		{everybody, ETH_P_LOOPBACK, 0, 0},
	};
	struct world *w = *state;
	uint8_t f[128];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++)
		put(w, f,
		    frame(f, unwanted[i].to, unwanted[i].type, unwanted[i].proto,
			  unwanted[i].what));
	len = frame(f, routers, ETH_P_IPV6, IPPROTO_ICMPV6, 133);
	put(w, f, ETH_HLEN + 40); /* ends where its type would be */
	memmove(f + 16, f + 12, len - 12);
	memcpy(f + 12, "\x81\x00\x00\x05", 4); /* inside a VLAN */
	put(w, f, len + 4);
	put_rs(w);
	put_dhcp(w);
	run_until(w, LEASE_IP6, 1);
	run_until(w, LEASE_IP4, 1);
}

static void test_cut(void **state)
{
	struct world *w = *state;
	uint8_t f[LEASE_FRAME_MAX + 1] = {0};

	frame(f, everybody, ETH_P_IP, IPPROTO_UDP, 67);
	put(w, f, LEASE_FRAME_MAX);
	run_until(w, LEASE_IP4, 1);
	assert_int_equal(w->heard[LEASE_IP4].cut, 0);
	put(w, f, sizeof(f));
	run_until(w, LEASE_IP4, 2);
	assert_int_equal(w->heard[LEASE_IP4].cut, 1);
}

/* What nobody listens to takes nothing from who does; a flood is counted to the last frame. */
static void test_deaf(void **state)
{
	struct world *w = *state;
	unsigned int n = 0;

	lease_socket_listen(w->socket, LEASE_IP6, NULL, NULL);
	for (size_t i = 0; i < 2 * LEASE_BATCH_MAX; i++)
		put_rs(w);
	put_dhcp(w);
	run_until(w, LEASE_IP4, 1);
	assert_int_equal(w->heard[LEASE_IP6].n, 0);
	lease_socket_listen(w->socket, LEASE_IP6, on_frames, &w->heard[LEASE_IP6]);
	for (size_t i = 0; i < 8000; i++)
		put_rs(w);
	while (sd_event_run(w->loop, 0) > 0)
		n++;
	assert_true(n >= 1);
	assert_true(lease_socket_drops(w->socket) > 0);
	assert_int_equal(w->heard[LEASE_IP6].n + lease_socket_drops(w->socket), 8000);
}

static void test_send(void **state)
{
	struct world *w = *state;
	uint8_t f[128], got[256];
	struct pollfd p = {.fd = w->client, .events = POLLIN};
	size_t len = frame(f, guest_mac, ETH_P_IPV6, IPPROTO_ICMPV6, 134);
	int on = 1;

	memcpy(f + 6, bridge_mac, 6);
	assert_int_equal(setsockopt(w->client, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)),
			 0);
	assert_int_equal(lease_socket_send(w->socket, f, len), 0);
	do {
		assert_int_equal(poll(&p, 1, LIMIT_US / 1000), 1);
	} while (recv(w->client, got, sizeof(got), 0) != (ssize_t)len || memcmp(got, f, len) != 0);
	assert_int_equal(system("ip link set vl-test down"), 0);
	assert_int_equal(lease_socket_send(w->socket, f, len), -ENETDOWN);
	assert_int_equal(system("ip link set vl-test up"), 0);
	/* the socket still has the error of then to tell, but it is over */
	assert_int_equal(lease_socket_send(w->socket, f, len), 0);
}

static void test_no_such_interface(void **state)
{
	struct lease_socket *socket = NULL;
	struct world *w = *state;

	assert_int_equal(lease_socket_ifindex(w->socket), if_nametoindex("vl-test"));
	assert_int_equal(lease_socket_new(w->loop, 4711, "test", &socket, &w->e), -ENODEV);
	assert_null(socket);
	assert_string_equal(w->e.where, "test");
}

/* Ports of a bridge pass frames on from a moment after they were switched on. */
static int await_bridge(void **state)
{
	struct world *w;

	setup((void **)&w);
	for (int i = 0; i < LIMIT_US / 10000 && w->heard[LEASE_IP4].n == 0; i++) {
		put_dhcp(w);
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	}
	assert_true(w->heard[LEASE_IP4].n > 0);
	return teardown((void **)&w);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kinds), T(test_filter), T(test_cut),
		T(test_deaf),  T(test_send),   T(test_no_such_interface),
	};

	if (system("ip -V >/dev/null 2>&1") != 0)
		netns_skip("needs ip (package iproute2)");
	netns_enter();
	if (system("ip link add vl-test address 52:54:00:ff:00:01 type bridge && "
		   "ip link add port mtu 2000 type veth peer name guest mtu 2000 && "
		   "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 && "
		   "ip link set port master vl-test && ip link set port up && "
		   "ip link set guest up && ip link set vl-test up") != 0)
		netns_skip("no bridge and veth pair could be made");
	/* else the kernel itself drops what is no whole packet */
	if (access("/proc/sys/net/bridge", F_OK) == 0 &&
	    system("sysctl -qw net.bridge.bridge-nf-call-iptables=0 "
		   "net.bridge.bridge-nf-call-ip6tables=0") != 0)
		return 1;
	return cmocka_run_group_tests(tests, await_bridge, NULL);
}
