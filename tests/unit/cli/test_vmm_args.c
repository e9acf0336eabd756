/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of cli/vmm_args.c: which VMM is it, and what is it told about its NIC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/vmm_args.h"

#define WORDS_MAX 16
#define MAC "52:54:00:00:00:01"

/* "a b c" -> {"a", "b", "c", NULL}, in static memory. */
static char **words(const char *text)
{
	static char *argv[WORDS_MAX + 1];
	static char copy[512];
	char *save = NULL;
	size_t n = 0;

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		assert_true(n < WORDS_MAX);
		argv[n++] = w;
	}
	argv[n] = NULL;
	return argv;
}

static void test_kind(void **state)
{
	static const struct {
		const char *path;
		enum vmm_kind kind;
	} cases[] = {
		{"qemu-system-x86_64", VMM_QEMU},
		{"/usr/bin/qemu-system-aarch64", VMM_QEMU},
		{"./qemu-kvm", VMM_QEMU},
		{"kvm", VMM_QEMU},
		{"/usr/bin/kvm", VMM_QEMU},
		{"kvmtool", VMM_UNKNOWN},
		{"/opt/qemu-build/lkvm", VMM_UNKNOWN},
		{"cloud-hypervisor", VMM_CLOUD_HYPERVISOR},
		{"./cloud-hypervisor-static", VMM_CLOUD_HYPERVISOR},
		{"/usr/bin/crosvm", VMM_CROSVM},
		{"firecracker", VMM_FIRECRACKER},
		{"firecracker-v1.7.0-x86_64", VMM_FIRECRACKER},
		{"", VMM_UNKNOWN},
		{"/", VMM_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(vmm_kind_of(cases[i].path), cases[i].kind);
}

static void test_build(void **state)
{
	static const struct {
		const char *in;
		size_t queues;
		const char *out;
	} cases[] = {
		{"qemu-system-x86_64 -m 1G", 1,
		 "qemu-system-x86_64 -m 1G -name web1 -netdev tap,id=vmlane0,fd=7 -device "
		 "virtio-net-pci,netdev=vmlane0,mac=" MAC},
		{"kvm -name other", 1,
		 "kvm -name other -netdev tap,id=vmlane0,fd=7 -device "
		 "virtio-net-pci,netdev=vmlane0,mac=" MAC},
		{"kvm --name other", 3,
		 "kvm --name other -netdev tap,id=vmlane0,fds=7:8:9 -device "
		 "virtio-net-pci,netdev=vmlane0,mac=" MAC ",mq=on,vectors=8"},
		{"cloud-hypervisor --kernel k", 1,
		 "cloud-hypervisor --kernel k --net fd=7,mac=" MAC},
		{"cloud-hypervisor --kernel k", 2,
		 "cloud-hypervisor --kernel k --net fd=[7,8],mac=" MAC ",num_queues=4"},
		{"cloud-hypervisor --net tap=t0 --kernel k", 1,
		 "cloud-hypervisor --net fd=7,mac=" MAC " tap=t0 --kernel k"},
		{"crosvm run k", 1, "crosvm run k --net tap-fd=7,mac=" MAC},
		{"myvmm --fd={fd} --nic={mac}/{tap}", 1, "myvmm --fd=7 --nic=" MAC "/vl-web1"},
		{"myvmm {fds}{fds} {fd {} {MAC} fds", 2, "myvmm 7:87:8 {fd {} {MAC} fds"},
		/* placeholders used: nothing is added, also for a VMM that is known */
		{"kvm -netdev tap,fd={fd},id=n", 1, "kvm -netdev tap,fd=7,id=n"},
	};
	static const int fds[] = {7, 8, 9};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vmm_nic nic = {"web1", "default",      MAC, "vl-web1", "virtio-net-pci",
				      fds,    cases[i].queues};
		struct buf joined = BUF_INIT(4096);
		char **argv = NULL;

		assert_int_equal(vmm_args_check(words(cases[i].in), "web1", "default", nic.model,
						nic.n_fds, NULL),
				 0);
		assert_int_equal(vmm_args_build(words(cases[i].in), &nic, &argv), 0);
		for (size_t k = 0; argv[k]; k++)
			buf_printf(&joined, "%s%s", k ? " " : "", argv[k]);
		assert_string_equal(buf_str(&joined), cases[i].out);
		buf_done(&joined);
		vmm_args_free(argv);
	}
}

static void test_model(void **state)
{
	static const int fds[] = {3, 4};
	struct vmm_nic nic = {"web1", "default", MAC, "vl-web1", "e1000e", fds, 1};
	char **argv = NULL;

	(void)state;
	assert_int_equal(vmm_args_build(words("kvm"), &nic, &argv), 0);
	assert_string_equal(argv[6], "e1000e,netdev=vmlane0,mac=" MAC);
	vmm_args_free(argv);

	/* microvm's NIC has no PCI vectors */
	nic.model = "virtio-net-device";
	nic.n_fds = 2;
	assert_int_equal(vmm_args_build(words("kvm"), &nic, &argv), 0);
	assert_string_equal(argv[6], "virtio-net-device,netdev=vmlane0,mac=" MAC ",mq=on");
	vmm_args_free(argv);
}

static void test_refused(void **state)
{
	static const struct {
		const char *in;
		size_t queues;
		const char *model;
		const char *mend;
	} cases[] = {
		{"firecracker --api-sock s", 1, "virtio-net-pci",
		 "vmlane guest attach web1 --network default --owner USER"},
		{"firecracker {tap}", 1, "virtio-net-pci", "guest attach"},
		{"myvmm --kernel k", 1, "virtio-net-pci", "{fd}"},
		{"myvmm {fd", 1, "virtio-net-pci", "{fd}"},
		{"myvmm {fd}", 2, "virtio-net-pci", "{fds}"},
		{"kvm {fd}", 2, "virtio-net-pci", "{fds}"},
		{"crosvm run k", 2, "virtio-net-pci", "--queues"},
		{"kvm", 2, "e1000e", "virtio-net-pci"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err e = {0};

		assert_int_equal(vmm_args_check(words(cases[i].in), "web1", "default",
						cases[i].model, cases[i].queues, &e),
				 -EOPNOTSUPP);
		assert_non_null(strstr(e.message, cases[i].mend));
	}
}

/* An argument longer than the kernel takes is refused, not cut. */
static void test_too_long(void **state)
{
	static const int fds[] = {3};
	struct vmm_nic nic = {"web1", "default", MAC, "vl-web1", "virtio-net-pci", fds, 1};
	size_t size = 200 * 1024;
	char *big = malloc(size), **argv = NULL;
	char *in[] = {"myvmm", big, "{fd}", NULL};

	(void)state;
	assert_non_null(big);
	memset(big, 'a', size - 1);
	big[size - 1] = '\0';
	assert_int_equal(vmm_args_build(in, &nic, &argv), -E2BIG);
	assert_null(argv);
	free(big);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kind),	 cmocka_unit_test(test_build),
		cmocka_unit_test(test_model),	 cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
