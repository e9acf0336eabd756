/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of router advertisements on a real bridge, in a network namespace of its own: a raw client on
 * one veth pair, and behind another, in a second namespace, the kernel itself as the host that is
 * advertised to. Server and clients take turns in one process.
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
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "../netns.h"
#include "../wire/nd_read.h"
#include "base/clock.h"
#include "lease/ra_server.h"

#define LIMIT_US 5000000

static pid_t host; /* a process that keeps the kernel client's namespace */

static const struct mac guest_mac = {{0x52, 0x54, 0, 1, 0, 1}};
static const struct mac bridge_mac = {{0x52, 0x54, 0, 0xff, 0, 1}};

struct world {
	sd_event *loop;
	struct lease_socket *socket;
	struct ra_config cfg;
	struct ra_server *server;
	int client;
	struct err e;
};

static struct in6_addr addr(const char *text)
{
	struct in6_addr a;

	assert_int_equal(ip6_parse(text, &a), 0);
	return a;
}

static int open_client(void)
{
	struct sockaddr_ll sll = {.sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)if_nametoindex("guest")};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int size = 4 * 1024 * 1024;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&sll, sizeof(sll)), 0);
	return fd;
}

static void start_server(struct world *w)
{
	assert_int_equal(
		ra_server_new(w->loop, w->socket, "test", &bridge_mac, &w->cfg, &w->server, &w->e),
		0);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(sd_event_new(&w->loop), 0);
	w->cfg.source = addr("fe80::1");
	assert_int_equal(ip6_prefix_parse("fd00:1::/64", &w->cfg.prefix), 0);
	w->cfg.mtu = 1400;
	w->cfg.router = true;
	w->cfg.dns[w->cfg.n_dns++] = addr("fd00:1::1");
	strcpy(w->cfg.domain, "default.vm");
	w->client = open_client();
	assert_int_equal(lease_socket_new(w->loop, (int)if_nametoindex("vl-test"), "test",
					  &w->socket, &w->e),
			 0);
	start_server(w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	ra_server_free(w->server);
	lease_socket_free(w->socket);
	close(w->client);
	sd_event_unref(w->loop);
	free(w);
	return 0;
}

static struct ra_counters counters(const struct world *w)
{
	struct ra_counters c;

	ra_server_counters(w->server, &c);
	return c;
}

/* The advertisement that the client has, if it has one. */
static bool have(struct world *w, struct nd_read *ret)
{
	uint8_t f[2048];
	ssize_t len;

	while ((len = recv(w->client, f, sizeof(f), 0)) > 0) {
		if (len > 54 && f[20] == IPPROTO_ICMPV6 && f[54] == 134) {
			assert_true(nd_read(f, (size_t)len, ret));
			assert_true(ip6_equal(&ret->src, &w->cfg.source));
			assert_true(mac_equal(&ret->eth_src, &bridge_mac));
			assert_true(mac_equal(&ret->ra.mac, &bridge_mac));
			return true;
		}
	}
	return false;
}

static void get(struct world *w, struct nd_read *ret)
{
	uint64_t end = clock_boot_us() + LIMIT_US;

	while (!have(w, ret)) {
		assert_true(sd_event_run(w->loop, 10000) >= 0);
		if (clock_boot_us() > end)
			fail_msg("no advertisement");
	}
}

static void get_multicast(struct world *w, struct nd_read *ret)
{
	struct in6_addr all = addr("ff02::1");

	get(w, ret);
	assert_true(ip6_equal(&ret->dst, &all));
	assert_true(mac_is_multicast(&ret->eth_dst));
}

/* A solicitation from @src; @hops is 255 in good ones. */
static void solicit(struct world *w, const char *src, uint8_t hops)
{
	uint8_t f[62] = {0x33, 0x33, 0, 0, 0, 2, [12] = 0x86, 0xdd, 0x60, [19] = 8, IPPROTO_ICMPV6};
	struct in6_addr from = addr(src), to = addr("ff02::2");
	uint16_t sum;

	memcpy(f + 6, guest_mac.b, 6);
	f[21] = hops;
	memcpy(f + 22, &from, 16);
	memcpy(f + 38, &to, 16);
	f[54] = 133;
	sum = checksum_finish(checksum_add(8 + IPPROTO_ICMPV6, f + 22, sizeof(f) - 22));
	f[56] = (uint8_t)(sum >> 8);
	f[57] = (uint8_t)sum;
	assert_int_equal(send(w->client, f, sizeof(f), 0), sizeof(f));
}

/* The first one comes by itself; what is asked is answered alone and at once. */
static void test_ask(void **state)
{
	struct world *w = *state;
	struct nd_read got, first;
	struct in6_addr ll = addr("fe80::77"), all = addr("ff02::1");

	get_multicast(w, &first);
	assert_int_equal(first.ra.mtu, 1400);
	assert_int_equal(first.ra.n_prefixes, 1);
	assert_string_equal(first.ra.domain, "default.vm");
	solicit(w, "fe80::77", 255);
	get(w, &got);
	assert_true(ip6_equal(&got.dst, &ll));
	assert_true(mac_equal(&got.eth_dst, &guest_mac));
	assert_true(nd_ra_same(&got.ra, &first.ra));
	solicit(w, "::", 255);
	get(w, &got);
	assert_true(ip6_equal(&got.dst, &all));
	assert_true(mac_equal(&got.eth_dst, &guest_mac));
	assert_int_equal(counters(w).answered, 2);
	assert_int_equal(counters(w).multicast, 1);
	assert_int_equal(counters(w).received, 2);
}

/* From the frame that asks to the frame that answers; the limit is what a busy machine may need. */
static void test_latency(void **state)
{
	struct world *w = *state;
	uint64_t best = UINT64_MAX;
	struct nd_read got;

	get_multicast(w, &got);
	for (int i = 0; i < 100; i++) {
		uint64_t begin = clock_boot_us(), took;

		assert_false(have(w, &got));
		solicit(w, "fe80::77", 255);
		get(w, &got);
		assert_true(mac_equal(&got.eth_dst, &guest_mac));
		took = clock_boot_us() - begin;
		best = took < best ? took : best;
	}
	printf("solicitation to advertisement: best of 100: %llu us\n", (unsigned long long)best);
	assert_true(best < 20000);
}

static void test_bad(void **state)
{
	struct world *w = *state;
	struct in6_addr ll = addr("fe80::77");
	struct nd_read got;

	get_multicast(w, &got);
	solicit(w, "fe80::66", 254); /* from another network */
	solicit(w, "ff02::66", 255); /* from a group */
	solicit(w, "fe80::77", 255);
	get(w, &got);
	assert_true(ip6_equal(&got.dst, &ll));
	assert_int_equal(counters(w).received, 3);
	assert_int_equal(counters(w).bad, 2);
	assert_int_equal(counters(w).answered, 1);
}

/* A flood is answered so often, and then by one for all. */
static void test_flood(void **state)
{
	struct world *w = *state;
	struct nd_read got;
	uint64_t first;

	get_multicast(w, &got);
	first = clock_boot_us();
	for (unsigned int i = 0; i < 4 * RA_ANSWERS_PER_S; i++) {
		solicit(w, "fe80::77", 255);
		assert_true(sd_event_run(w->loop, 0) >= 0);
	}
	while (sd_event_run(w->loop, 0) > 0)
		;
	assert_int_equal(counters(w).received + counters(w).socket_drops, 4 * RA_ANSWERS_PER_S);
	assert_int_equal(counters(w).answered + counters(w).put_off, counters(w).received);
	assert_true(counters(w).put_off > 0);
	do {
		get(w, &got);
	} while (!mac_is_multicast(&got.eth_dst));
	assert_true(clock_boot_us() - first >= (RA_MIN_DELAY_S - 1) * 1000000);
	assert_int_equal(counters(w).multicast, 2);
}

static void test_last_word(void **state)
{
	struct world *w = *state;
	struct nd_read got;

	get_multicast(w, &got);
	ra_server_last_word(w->server);
	get_multicast(w, &got);
	assert_int_equal(got.ra.router_s, 0);
	assert_int_equal(got.ra.prefixes[0].preferred_s, 0);
	assert_int_equal(got.ra.n_dns, 0);
	assert_int_equal(got.ra.n_old_dns, 1); /* a lifetime of 0 */
	/* freed without a word, and nobody answers any more */
	ra_server_free(w->server);
	w->server = NULL;
	solicit(w, "fe80::77", 255);
	while (sd_event_run(w->loop, 10000) > 0)
		;
	assert_false(have(w, &got));
}

/* Guests that have the old link-local address as router hear of its end from itself. */
static void test_new_source(void **state)
{
	struct world *w = *state;
	struct ra_config cfg = w->cfg;
	struct nd_read got;

	get_multicast(w, &got);
	cfg.source = addr("fe80::2");
	ra_server_configure(w->server, &cfg);
	get_multicast(w, &got); /* from fe80::1 */
	assert_int_equal(got.ra.router_s, 0);
	w->cfg = cfg;
	solicit(w, "fe80::77", 255);
	get(w, &got);
	assert_int_equal(got.ra.router_s, RA_ROUTER_S);
}

static void test_bridge_down(void **state)
{
	struct world *w = *state;
	struct nd_read got;

	get_multicast(w, &got);
	assert_int_equal(system("ip link set vl-test down"), 0);
	ra_server_last_word(w->server);
	assert_int_equal(counters(w).send_failed, 1);
	assert_int_equal(system("ip link set vl-test up"), 0);
	ra_server_last_word(w->server);
	assert_int_equal(counters(w).send_failed, 1);
	assert_int_equal(counters(w).multicast, 2);
}

/* @text is in the output of @command; the server may work meanwhile. */
static void await(struct world *w, const char *command, const char *text, bool there)
{
	uint64_t end = clock_boot_us() + LIMIT_US;
	char out[4096];

	do {
		FILE *f = popen(command, "r");
		size_t n;

		assert_non_null(f);
		n = fread(out, 1, sizeof(out) - 1, f);
		out[n] = '\0';
		pclose(f);
		if ((strstr(out, text) != NULL) == there)
			return;
		assert_true(sd_event_run(w->loop, 10000) >= 0);
	} while (clock_boot_us() < end);
	fail_msg("\"%s\" %s in the output of %s:\n%s", text, there ? "is not" : "is", command, out);
}

static void in_host(char *buf, size_t size, const char *command)
{
	snprintf(buf, size, "nsenter -t %d -n %s", (int)host, command);
}

static void await_host(struct world *w, const char *command, const char *text, bool there)
{
	char line[256];

	in_host(line, sizeof(line), command);
	await(w, line, text, there);
}

/* The kernel makes its address, its default route and its MTU of what we say, and forgets them. */
static void test_kernel_host(void **state)
{
	const struct mac mac = {{0x52, 0x54, 0, 2, 0, 1}};
	struct world *w = *state;
	struct ra_config cfg = w->cfg;
	char own[IP6_STRLEN + 8], line[256];
	struct in6_addr a;

	in_host(line, sizeof(line), "ip link set host up");
	assert_int_equal(system(line), 0);
	a = ip6_from_mac(&cfg.prefix, &mac);
	ip6_format(&a, own);
	strcat(own, "/64");
	await_host(w, "ip -6 addr show dev host scope global", own, true);
	await_host(w, "ip -6 route show default", "via fe80::1 ", true);
	await_host(w, "ip -6 route show default", "mtu 1400", true);
	await_host(w, "ip -6 route show", "fd00:1::/64 ", true);
	/* the prefix changes: the old addresses are for old connections only */
	assert_int_equal(ip6_prefix_parse("fd00:2::/64", &cfg.prefix), 0);
	cfg.router = false;
	ra_server_configure(w->server, &cfg);
	await_host(w, "ip -6 addr show dev host scope global deprecated", own, true);
	await_host(w, "ip -6 addr show dev host scope global", "fd00:2::5054:ff:fe02:1/64", true);
	await_host(w, "ip -6 route show default", "via", false);
	/* and back; then the end */
	ra_server_configure(w->server, &w->cfg);
	await_host(w, "ip -6 addr show dev host scope global -deprecated", own, true);
	await_host(w, "ip -6 route show default", "via fe80::1 ", true);
	ra_server_last_word(w->server);
	await_host(w, "ip -6 route show default", "via", false);
	await_host(w, "ip -6 addr show dev host scope global -deprecated", own, false);
}

/* So that bridges which snoop let solicitations through whoever plays the querier. */
static void test_group(void **state)
{
	struct world *w = *state;

	await(w, "ip -6 maddr show dev vl-test", "ff02::2", true);
	ra_server_free(w->server);
	w->server = NULL;
	await(w, "ip -6 maddr show dev vl-test", "ff02::2", false);
	start_server(w);
	await(w, "ip -6 maddr show dev vl-test", "ff02::2", true);
}

static pid_t start_host(void)
{
	int ready[2];
	char c;
	pid_t pid;

	if (pipe(ready) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		close(ready[1]);
		pause();
		_exit(0);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		pid = -1;
	close(ready[0]);
	return pid;
}

static int make_links(void)
{
	char line[512];

	snprintf(line, sizeof(line),
		 "ip link add vl-test address 52:54:00:ff:00:01 type bridge && "
		 "ip link add port type veth peer name guest && "
		 "ip link add port2 type veth peer name host address 52:54:00:02:00:01 netns %d && "
		 "sysctl -qw net.ipv6.conf.guest.disable_ipv6=1 && "
		 "ip -6 addr add fe80::1/64 dev vl-test nodad && "
		 "for i in port port2 guest vl-test; do ip link set $i up; done && "
		 "ip link set port master vl-test && ip link set port2 master vl-test",
		 (int)host);
	return system(line);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_kernel_host), T(test_ask),	  T(test_latency),
		T(test_bad),	     T(test_flood),	  T(test_last_word),
		T(test_new_source),  T(test_bridge_down), T(test_group),
	};
	int r;

	if (system("ip -V >/dev/null 2>&1 && nsenter -V >/dev/null") != 0)
		netns_skip("needs ip (package iproute2) and nsenter (util-linux)");
	netns_enter();
	if (access("/proc/sys/net/ipv6", F_OK) < 0)
		netns_skip("the kernel has no IPv6");
	host = start_host();
	if (host < 0 || make_links() != 0)
		netns_skip("no bridge and veth pairs could be made");
	r = cmocka_run_group_tests(tests, NULL, NULL);
	kill(host, SIGKILL);
	waitpid(host, NULL, 0);
	return r;
}
