/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/kernel/{tap,vmm,sysctl}.c against the kernel, in a namespace of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../netns.h"
#include "kernel/rtnl.h"
#include "kernel/sysctl.h"
#include "kernel/tap.h"
#include "kernel/vmm.h"

#define NOBODY 65534

static bool there(const char *name)
{
	return if_nametoindex(name) != 0;
}

static void test_open(void **state)
{
	uint64_t before = kernel_write_count();
	struct ifreq req = {0};
	struct err e = {0};
	int fd, other;

	(void)state;
	assert_int_equal(tap_open("vl-t", 1, &fd, &e), 0);
	assert_int_equal(kernel_write_count() - before, 1);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(ioctl(fd, TUNGETIFF, &req), 0);
	assert_string_equal(req.ifr_name, "vl-t");
	assert_int_equal(req.ifr_flags & (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE),
			 IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
	assert_int_equal(tap_open("vl-t", 1, &other, &e), -EBUSY);
	assert_non_null(strstr(e.message, "held by another process"));
	close(fd);
	assert_false(there("vl-t"));
}

static void test_queues(void **state)
{
	struct ifreq req = {0};
	struct err e = {0};
	int fds[4] = {-1, -1, -1, -1}, one;

	(void)state;
	assert_int_equal(tap_open("vl-q", 4, fds, &e), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(ioctl(fds[i], TUNGETIFF, &req), 0);
		assert_true(req.ifr_flags & IFF_MULTI_QUEUE);
	}
	one = -7;
	assert_int_equal(tap_open("vl-q", 1, &one, &e), -EINVAL);
	assert_int_equal(one, -7);
	for (int i = 0; i < 4; i++)
		close(fds[i]);
	assert_false(there("vl-q"));
	assert_int_equal(tap_open("vl-q", 0, fds, &e), -EINVAL);
	assert_int_equal(tap_open("vl-q", TAP_QUEUES_MAX + 1, fds, &e), -EINVAL);
}

static void test_names(void **state)
{
	static const char *const bad[] = {"", "vl-%d", "sixteen-letters-", "a/b", "a b", ".."};
	struct err e = {0};
	int fd;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tap_open(bad[i], 1, &fd, &e), -EINVAL);
	assert_int_equal(tap_open("lo", 1, &fd, &e), -EINVAL);
	assert_non_null(strstr(e.message, "is no tap"));
}

/* Exit status of a child that runs as @uid without any capability: 0, or the errno. */
static int open_as(uid_t uid, const char *name, unsigned int queues)
{
	pid_t pid = fork();
	int status, fd;

	if (pid == 0) {
		struct ifreq req = {0};

		/* /dev/net/tun is 0666 on most machines, but not on all: open it before. */
		fd = open("/dev/net/tun", O_RDWR);
		if (setgid(NOBODY) != 0 || setuid(uid) != 0)
			_exit(255);
		req.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
					(queues > 1 ? IFF_MULTI_QUEUE : 0));
		strcpy(req.ifr_name, name);
		_exit(ioctl(fd, TUNSETIFF, &req) == 0 ? 0 : errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_owner(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(tap_create("vl-mine", 1, NOBODY, NULL), 0);
	assert_true(there("vl-mine"));
	assert_int_equal(open_as(NOBODY, "vl-mine", 1), 0);
	assert_int_equal(open_as(NOBODY - 1, "vl-mine", 1), EPERM);
	assert_int_equal(tap_create("vl-root", 2, TAP_NO_OWNER, NULL), 0);
	assert_int_equal(open_as(NOBODY, "vl-root", 2), EPERM);
	assert_int_equal(tap_open("vl-root", 2, fds, NULL), 0);
	close(fds[0]);
	close(fds[1]);
	assert_true(there("vl-root"));
	/* a further queue of a tap in use */
	assert_int_equal(tap_open("vl-run", 2, fds, NULL), 0);
	assert_int_equal(open_as(NOBODY, "vl-run", 2), EPERM);
	close(fds[0]);
	close(fds[1]);
}

static void test_create_leaves_the_owner(void **state)
{
	uint64_t before;
	int fd;

	(void)state;
	assert_int_equal(tap_create("vl-keep", 1, NOBODY, NULL), 0);
	before = kernel_write_count();
	assert_int_equal(tap_open("vl-keep", 1, &fd, NULL), 0);
	assert_int_equal(kernel_write_count(), before);
	close(fd);
	assert_int_equal(open_as(NOBODY, "vl-keep", 1), 0);
}

static void test_carrier(void **state)
{
	struct link_state l;
	struct rtnl *r;
	int fd;

	(void)state;
	assert_int_equal(rtnl_new(&r), 0);
	assert_int_equal(tap_create("vl-c", 1, TAP_NO_OWNER, NULL), 0);
	assert_int_equal(rtnl_link_set_up(r, "vl-c", true, NULL), 0);
	assert_int_equal(rtnl_link_get(r, "vl-c", 0, &l, NULL), 0);
	assert_string_equal(l.kind, "tun");
	assert_false(l.carrier);
	assert_int_equal(tap_open("vl-c", 1, &fd, NULL), 0);
	assert_int_equal(rtnl_link_get(r, "vl-c", 0, &l, NULL), 0);
	assert_true(l.carrier);
	close(fd);
	rtnl_free(r);
}

/* A process called vmlane-nsguest that holds @tap until its stdin ends. */
static pid_t start_holder(const char *tap, bool own_netns, int *ret_stdin)
{
	int pipe_in[2], ready[2];
	pid_t pid;
	char c;

	assert_int_equal(pipe(pipe_in), 0);
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fds[2];

		close(pipe_in[1]);
		if (own_netns && unshare(CLONE_NEWNET) < 0)
			_exit(1);
		prctl(PR_SET_NAME, "vmlane-nsguest");
		if (tap_open(tap, 2, fds, NULL) < 0 || write(ready[1], "r", 1) != 1)
			_exit(1);
		_exit(read(pipe_in[0], &c, 1) == 0 ? 0 : 1);
	}
	close(pipe_in[0]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	*ret_stdin = pipe_in[1];
	return pid;
}

static size_t count(const struct vmm_holder *h, size_t n, pid_t pid)
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		found += h[i].pid == pid;
	return found;
}

static void test_scan(void **state)
{
	int in, in_other;
	pid_t pid = start_holder("vl-s1", false, &in);
	pid_t other = start_holder("vl-s1", true, &in_other);
	struct vmm_holder *h, one = {.pid = pid};
	size_t n;

	(void)state;
	assert_int_equal(vmm_scan(&h, &n), 0);
	assert_int_equal(count(h, n, pid), 1); /* once, though it has two queues */
	assert_int_equal(count(h, n, other), 0);
	for (size_t i = 0; i < n; i++) {
		if (h[i].pid != pid)
			continue;
		assert_string_equal(h[i].tap, "vl-s1");
		assert_string_equal(h[i].comm, "vmlane-nsguest");
		assert_string_equal(h[i].nic_model, "namespace");
		assert_true(h[i].fd > 2);
	}
	free(h);
	assert_int_equal(vmm_describe(&one, NULL), 0);
	assert_string_equal(one.nic_model, "namespace");
	close(in);
	close(in_other);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(waitpid(other, NULL, 0), other);
	assert_int_equal(vmm_describe(&one, NULL), -ESRCH);
	assert_int_equal(vmm_scan(&h, &n), 0);
	assert_int_equal(count(h, n, pid), 0);
	free(h);
}

static void test_sysctl(void **state)
{
	char value[SYSCTL_VALUE_MAX] = "untouched";
	uint64_t before = kernel_write_count();
	struct err e = {0};

	(void)state;
	assert_int_equal(sysctl_write("net/ipv4/conf/lo/forwarding", "1", &e), 0);
	assert_int_equal(kernel_write_count() - before, 1);
	assert_int_equal(sysctl_read("net/ipv4/conf/lo/forwarding", value), 0);
	assert_string_equal(value, "1");
	assert_int_equal(sysctl_write("net/ipv4/conf/lo/forwarding", "0", &e), 0);
	assert_int_equal(sysctl_read("net/ipv4/conf/lo/forwarding", value), 0);
	assert_string_equal(value, "0");
	assert_int_equal(sysctl_read("net/ipv4/conf/absent/forwarding", value), -ENOENT);
	assert_int_equal(sysctl_read("net/ipv4/../ipv4/ip_forward", value), -EINVAL);
	assert_int_equal(sysctl_read("/etc/hostname", value), -EINVAL);
	assert_int_equal(sysctl_read("kernel/version", value), -EOVERFLOW);
	assert_string_equal(value, "0");
	assert_int_equal(sysctl_write("net/ipv4/conf/lo/forwarding", "many", &e), -EINVAL);
	assert_string_equal(e.where, "net/ipv4/conf/lo/forwarding");
	assert_int_equal(sysctl_write("net/ipv4/conf/absent/forwarding", "1", &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_queues),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_owner),
		cmocka_unit_test(test_create_leaves_the_owner),
		cmocka_unit_test(test_carrier),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_sysctl),
	};

	netns_enter();
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		netns_skip("no /dev/net/tun (modprobe tun)");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
