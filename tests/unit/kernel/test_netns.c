/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/kernel/netns.c: control groups as container runtimes make them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "kernel/netns.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *cgroup;
	const char *name;
} samples[] = {
	{"0::/system.slice/docker-" ID ".scope\n", "0123456789ab"},
	{"0::/docker/" ID "\n", "0123456789ab"},
	{"12:pids:/docker/" ID "\n1:name=systemd:/docker/" ID "\n", "0123456789ab"},
	{"0::/machine.slice/libpod-" ID ".scope/container\n", "0123456789ab"},
	{"0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-" ID ".scope\n",
	 "0123456789ab"},
	{"0::/lxc.payload.web1/init.scope\n", "web1"},
	{"0::/machine.slice/machine-deb.scope/payload\n", "deb"},
	{"0::/user.slice/user-1000.slice/session-2.scope\n", ""},
	{"0::/" ID "0"
	 "x\n",
	 ""},
	{"", ""},
};

static void test_names(void **state)
{
	char name[NETNS_NAME_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		bool found =
			netns_container_name(samples[i].cgroup, strlen(samples[i].cgroup), name);

		assert_string_equal(name, samples[i].name);
		assert_int_equal(found, samples[i].name[0] != '\0');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
