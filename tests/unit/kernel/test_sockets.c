/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tests of src/kernel/listener.c, proc.c and conntrack.c against the kernel, in a namespace of their
 * own: sockets that listen, whose they are, and connections that are forgotten.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "../netns.h"
#include "kernel/conntrack.h"
#include "kernel/listener.h"
#include "kernel/proc.h"

static void run(const char *command)
{
	int status = system(command);

	if (status != 0)
		fail_msg("%s: exit status %d", command, status);
}

static int bound(int family, int type, const char *addr, uint16_t port, bool v6only)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0), on = v6only;
	struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	int r;

	assert_true(fd >= 0);
	if (family == AF_INET) {
		assert_int_equal(inet_pton(AF_INET, addr, &four.sin_addr), 1);
		r = bind(fd, (struct sockaddr *)&four, sizeof(four));
	} else {
		assert_int_equal(inet_pton(AF_INET6, addr, &six.sin6_addr), 1);
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
		r = bind(fd, (struct sockaddr *)&six, sizeof(six));
	}
	assert_int_equal(r, 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static uint32_t inode_of(int fd)
{
	struct stat s;

	assert_int_equal(fstat(fd, &s), 0);
	return (uint32_t)s.st_ino;
}

static const struct listener *find(const struct listener *l, size_t n, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (l[i].port == port)
			return &l[i];
	return NULL;
}

static void test_listeners(void **state)
{
	/* what is bound; @addr NULL: it takes no IPv4 */
	static const struct {
		int family;
		int type;
		const char *bind;
		bool v6only;
		uint16_t port;
		const char *addr;
	} sockets[] = {
		{AF_INET, SOCK_STREAM, "0.0.0.0", false, 1001, "0.0.0.0"},
		{AF_INET, SOCK_STREAM, "127.0.0.1", false, 1002, "127.0.0.1"},
		{AF_INET, SOCK_DGRAM, "127.0.0.2", false, 1003, "127.0.0.2"},
		{AF_INET6, SOCK_STREAM, "::", false, 1004, "0.0.0.0"},
		{AF_INET6, SOCK_DGRAM, "::", true, 1005, NULL},
		{AF_INET6, SOCK_STREAM, "::1", false, 1006, NULL},
		{AF_INET6, SOCK_STREAM, "::ffff:127.0.0.3", false, 1007, "127.0.0.3"},
	};
	int fds[ARRAY_SIZE(sockets)], peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(1003),
				       .sin_addr.s_addr = htonl(0x7f000002)};
	struct listener *l;
	struct err e = {0};
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		fds[i] = bound(sockets[i].family, sockets[i].type, sockets[i].bind, sockets[i].port,
			       sockets[i].v6only);
	/* One that is connected waits for nobody else. */
	assert_int_equal(connect(peer, (const struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listeners_read(&l, &n, &e), 0);
	assert_int_equal(n, 5);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		const struct listener *found = find(l, n, sockets[i].port);
		char text[IP4_STRLEN];

		if (!sockets[i].addr) {
			assert_null(found);
			continue;
		}
		assert_non_null(found);
		assert_string_equal(ip4_format(found->addr, text), sockets[i].addr);
		assert_int_equal(found->proto,
				 sockets[i].type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP);
		assert_int_equal(found->uid, geteuid());
		assert_int_equal(found->inode, inode_of(fds[i]));
	}
	free(l);
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++)
		close(fds[i]);
	close(peer);
	assert_int_equal(listeners_read(&l, &n, &e), 0);
	assert_int_equal(n, 0);
	free(l);
}

static void test_holder(void **state)
{
	int fd = bound(AF_INET, SOCK_STREAM, "127.0.0.1", 1001, false);
	char comm[PROC_COMM_MAX] = "";
	uint32_t inode = inode_of(fd);
	pid_t pid = 0;

	(void)state;
	assert_int_equal(proc_socket_holder(inode, &pid, comm), 0);
	assert_int_equal(pid, getpid());
	assert_memory_equal(comm, "test-kernel-soc", 15);
	close(fd);
	assert_int_equal(proc_socket_holder(inode, &pid, comm), -ENOENT);
	assert_int_equal(proc_socket_holder(0, &pid, comm), -ENOENT);
}

/* A datagram from one of our addresses to another, which nobody answers but ICMP. */
static void send_udp(uint16_t sport, uint16_t dport)
{
	int fd = bound(AF_INET, SOCK_DGRAM, "127.0.0.1", sport, false);
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(dport),
				       .sin_addr.s_addr = htonl(0x7f000002)};

	assert_int_equal(sendto(fd, "x", 1, 0, (const struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
}

/* struct seen - flows by their source's port, 0 to 9; and which of them shall be forgotten. */
struct seen {
	unsigned int count[10];
	struct conntrack_flow last;
	int forget;
};

static bool look(const struct conntrack_flow *f, void *ctx)
{
	struct seen *s = ctx;

	if (f->sport < 2000 || f->sport > 2009)
		return false;
	s->count[f->sport - 2000]++;
	s->last = *f;
	return f->sport == s->forget;
}

static void note(const struct conntrack_flow *f, void *ctx)
{
	(void)look(f, ctx);
}

static void test_conntrack(void **state)
{
	struct seen s = {0};
	struct err e = {0};
	size_t n = 42;

	(void)state;
	run("nft -f - <<'X'\n"
	    "table ip t {\n"
	    "	chain o {\n"
	    "		type nat hook output priority -100\n"
	    "		udp dport 3001 dnat to 127.0.0.3:4001\n"
	    "	}\n"
	    "}\n"
	    "X");
	send_udp(2000, 3000);
	send_udp(2001, 3001);
	assert_int_equal(conntrack_forget(look, &s, &n, &e), 0);
	assert_int_equal(n, 0);
	assert_int_equal(s.count[0], 1);
	assert_int_equal(s.count[1], 1);
	/* To be looked at only. */
	s = (struct seen){.forget = 2000};
	assert_int_equal(conntrack_each(note, &s, &e), 0);
	assert_int_equal(s.count[0], 1);
	assert_int_equal(s.count[1], 1);
	assert_int_equal(s.last.seen_as.s_addr, s.last.src.s_addr);
	assert_int_equal(s.last.seen_port, s.last.sport);
	s = (struct seen){.forget = 2000};
	assert_int_equal(conntrack_forget(look, &s, &n, &e), 0);
	assert_int_equal(n, 1);
	s = (struct seen){0};
	assert_int_equal(conntrack_forget(look, &s, &n, &e), 0);
	assert_int_equal(s.count[0], 0);
	assert_int_equal(s.count[1], 1);
	/* The one that is left was translated. */
	assert_int_equal(s.last.proto, IPPROTO_UDP);
	assert_int_equal(ip4_host(s.last.src), 0x7f000001);
	assert_int_equal(ip4_host(s.last.dst), 0x7f000002);
	assert_int_equal(s.last.sport, 2001);
	assert_int_equal(s.last.dport, 3001);
	assert_int_equal(ip4_host(s.last.answers), 0x7f000003);
	assert_int_equal(s.last.answers_port, 4001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_holder),
		cmocka_unit_test(test_conntrack),
	};

	netns_enter();
	run("ip link set lo up");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
