/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of src/kernel/vmm_cmdline.c: command lines as they are seen in the wild. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/vmm.h"

#define MAC_A "52:54:00:39:d3:fe"
#define MAC_B "52:54:00:39:d3:ff"

/* struct sample - a command line (one blank stands for the NUL) and what is to be found in it. */
struct sample {
	const char *line;
	const char *tap;
	const char *mac;
	int fd;
	const char *comm;
	const char *model;
	const char *name;
};

static const struct sample samples[] = {
	/* a shell script */
	{"qemu-system-x86_64 -enable-kvm -m 512 -name web1 -netdev "
	 "tap,id=net0,ifname=vl-web1,script=no,downscript=no -device "
	 "virtio-net-pci,netdev=net0,mac=" MAC_A,
	 "vl-web1", NULL, 0, "qemu-system-x86", "virtio-net", "web1"},
	/* libvirt, descriptors, two NICs of different models */
	{"/usr/bin/qemu-system-x86_64 -name guest=db,debug-threads=on -S -machine pc-q35-7.2 "
	 "-netdev "
	 "tap,fd=31,id=hostnet0,vhost=on,vhostfd=33 -device "
	 "virtio-net-pci,netdev=hostnet0,id=net0,mac=" MAC_A ",bus=pci.1,addr=0x0 -netdev "
	 "tap,fds=35:36,id=hostnet1 -device e1000e,netdev=hostnet1,id=net1,mac=" MAC_B,
	 "vnet0", NULL, 31, "qemu-system-x86", "virtio-net", "db"},
	{"/usr/bin/qemu-system-x86_64 -name guest=db,debug-threads=on -netdev "
	 "tap,fd=31,id=hostnet0 -device virtio-net-pci,netdev=hostnet0 -netdev "
	 "tap,fds=35:36,id=hostnet1 -device e1000e,netdev=hostnet1",
	 "vnet1", NULL, 36, "qemu-system-x86", "e1000e", "db"},
	/* no descriptor known: the MAC tells */
	{"qemu-system-x86_64 -netdev tap,fd=31,id=a -device virtio-net-pci,netdev=a,mac=" MAC_A
	 " -netdev tap,fd=32,id=b -device rtl8139,netdev=b,mac=" MAC_B,
	 "vnet1", MAC_B, 0, "", "rtl8139", ""},
	/* neither: better nothing than a guess */
	{"qemu-system-x86_64 -netdev tap,fd=31,id=a -device virtio-net-pci,netdev=a,mac=" MAC_A
	 " -netdev tap,fd=32,id=b -device rtl8139,netdev=b,mac=" MAC_B,
	 "vnet1", NULL, 0, "", "", ""},
	/* 31 is not 3, nor 1 */
	{"qemu-system-x86_64 -netdev tap,fd=31,id=a -device virtio-net-pci,netdev=a -netdev "
	 "tap,fd=3,id=b -device e1000,netdev=b",
	 "vnet1", NULL, 3, "", "e1000", ""},
	/* libvirt of today: JSON, numbers as strings or not */
	{"/usr/bin/qemu-system-x86_64 -name guest=j,debug-threads=on -netdev "
	 "{\"type\":\"tap\",\"fd\":\"31\",\"vhost\":true,\"vhostfd\":\"33\",\"id\":\"hostnet0\"} "
	 "-device "
	 "{\"driver\":\"virtio-net-pci\",\"netdev\":\"hostnet0\",\"id\":\"net0\",\"mac\":\"" MAC_A
	 "\",\"bus\":\"pci.1\",\"addr\":\"0x0\"} -device "
	 "{\"driver\":\"e1000e\",\"netdev\":\"hostnet1\"} -netdev "
	 "{\"type\":\"tap\",\"fd\":40,\"id\":\"hostnet1\"}",
	 "vnet0", NULL, 40, "qemu-system-x86", "e1000e", "j"},
	/* Proxmox */
	{"/usr/bin/kvm -id 100 -name mail,debug-threads=on -netdev "
	 "type=tap,id=net0,ifname=tap100i0,script=/var/lib/qemu-server/pve-bridge,downscript=/var/"
	 "lib/"
	 "qemu-server/pve-bridgedown,vhost=on -device "
	 "virtio-net-pci,mac=" MAC_A ",netdev=net0,bus=pci.0,addr=0x12,id=net0 -netdev "
	 "type=tap,id=net1,ifname=tap100i1 -device e1000-82544gc,mac=" MAC_B ",netdev=net1",
	 "tap100i1", NULL, 0, "kvm", "e1000", "mail"},
	/* tap1 is not tap10 */
	{"qemu-system-x86_64 -netdev tap,id=a,ifname=tap10 -device rtl8139,netdev=a -netdev "
	 "tap,id=b,ifname=tap1 -device vmxnet3,netdev=b",
	 "tap1", NULL, 0, "", "vmxnet3", ""},
	/* -nic, and the models that go without saying */
	{"qemu-system-x86_64 -nic tap,ifname=t0,model=virtio-net-pci,mac=" MAC_A, "t0", NULL, 0, "",
	 "virtio-net", ""},
	{"qemu-system-x86_64 -nic tap,ifname=t0", "t0", NULL, 0, "", "e1000", ""},
	{"qemu-system-x86_64 -nic tap,ifname=t0 -M q35", "t0", NULL, 0, "", "e1000e", ""},
	{"qemu-system-aarch64 -machine virt,gic-version=3 -nic tap,ifname=t0", "t0", NULL, 0, "",
	 "virtio-net", ""},
	{"qemu-system-ppc64 -nic tap,ifname=t0", "t0", NULL, 0, "", "", ""},
	{"qemu-system-x86_64 -nic bridge,br=vl-default,model=e1000e", "tap0", NULL, 14, "",
	 "e1000e", ""},
	/* the old -net */
	{"qemu-system-i386 -net nic,model=rtl8139,macaddr=" MAC_A " -net tap,ifname=t0,script=no",
	 "t0", NULL, 0, "", "rtl8139", ""},
	{"qemu-system-i386 --net nic --net tap,ifname=t0", "t0", NULL, 0, "", "e1000", ""},
	{"qemu-system-i386 -net nic,model=ne2k_pci,netdev=x -netdev tap,id=x,ifname=t0", "t0", NULL,
	 0, "", "ne2k_pci", ""},
	/* user-mode networking is no tap's */
	{"qemu-system-x86_64 -netdev user,id=u -device e1000,netdev=u -netdev tap,id=t,ifname=t0 "
	 "-device virtio-net,netdev=t",
	 "t0", NULL, 0, "", "virtio-net", ""},
	/* commas in values; driver named by its key */
	{"qemu-system-x86_64 -name a,,b,process=x -netdev tap,script=/x,,ifname=t1,id=t,ifname=t0 "
	 "-device driver=e1000-82545em,netdev=t -device e1000e,netdev=u",
	 "t0", NULL, 0, "", "e1000", "a,b"},
	{"cloud-hypervisor --api-socket /run/ch.sock --net tap=t0,mac=" MAC_A, "t0", NULL, 0,
	 "cloud-hyperviso", "virtio-net", ""},
	{"/usr/bin/firecracker --id fc-7 --api-sock /run/fc.sock", "t0", NULL, 0, "firecracker",
	 "virtio-net", "fc-7"},
	/* As its jailer starts it, and without a name of its own. */
	{"./firecracker --id=551e7604-e35c-42b3-b825-416853441234 --start-time-us=1 "
	 "--start-time-cpu-us=2 --parent-cpu-time-us=3 --api-sock /run/other.socket",
	 "t0", NULL, 0, "firecracker", "virtio-net", "551e7604-e35c-42b3-b825-416853441234"},
	{"firecracker-v1.7.0-x86_64 --api-sock /srv/vms/web1.socket --config-file vm.json", "t0",
	 NULL, 0, "firecracker-v1.", "virtio-net", "web1"},
	{"firecracker --api-sock=/run/firecracker.socket --config-file=vms/db2.json", "t0", NULL, 0,
	 "firecracker", "virtio-net", "db2"},
	{"firecracker --no-api --config-file vm_config.json", "t0", NULL, 0, "firecracker",
	 "virtio-net", ""},
	{"firecracker --id", "t0", NULL, 0, "firecracker", "virtio-net", ""},
	{"cloud-hypervisor --kernel hypervisor-fw --disk path=a.raw --api-socket "
	 "path=/run/web1.sock "
	 "--net tap=t0,mac=" MAC_A,
	 "t0", NULL, 0, "cloud-hyperviso", "virtio-net", "web1"},
	{"cloud-hypervisor-static --api-socket=/run/ch/web1-sock", "t0", NULL, 0, "cloud-hyperviso",
	 "virtio-net", "web1"},
	{"cloud-hypervisor --api-socket fd=3 --net fd=5", "t0", NULL, 5, "cloud-hyperviso",
	 "virtio-net", ""},
	{"crosvm run --name=box --net tap-name=t0 vmlinux", "t0", NULL, 0, "crosvm", "virtio-net",
	 "box"},
	{"jailed --id x", "t0", NULL, 0, "firecracker", "virtio-net", "x"},
	{"vmlane-nsguest web2", "vl-web2", NULL, 0, "vmlane-nsguest", "namespace", ""},
	{"/usr/sbin/openvpn --dev tap0", "tap0", NULL, 0, "openvpn", "", ""},
	{"", "tap0", NULL, 0, "kthreadd", "", ""},
	/* cut short, or broken */
	{"qemu-system-x86_64 -netdev", "t0", NULL, 0, "", "", ""},
	{"qemu-system-x86_64 -device {\"driver\":{} -name", "t0", NULL, 0, "", "", ""},
	{"qemu-system-x86_64 -netdev tap, -device ,netdev= -name ,", "t0", NULL, 0, "", "", ""},
};

static void check(const struct sample *s)
{
	struct vmm_holder h = {.fd = s->fd};
	size_t len = strlen(s->line);
	char *argv = malloc(len ? len : 1); /* without a NUL behind it, for the sanitizers */
	struct mac mac;

	assert_non_null(argv);
	memcpy(argv, s->line, len);
	for (size_t i = 0; i < len; i++)
		if (argv[i] == ' ')
			argv[i] = '\0';
	strcpy(h.comm, s->comm);
	if (s->mac)
		assert_int_equal(mac_parse(s->mac, &mac), 0);
	vmm_cmdline_parse(argv, len, s->tap, s->mac ? &mac : NULL, &h);
	if (strcmp(h.nic_model, s->model) != 0 || strcmp(h.vm_name, s->name) != 0)
		fail_msg("%s\nfound model '%s' of '%s', expected '%s' of '%s'", s->line,
			 h.nic_model, h.vm_name, s->model, s->name);
	free(argv);
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++)
		check(&samples[i]);
}

/* Every prefix of every sample is read without harm; what is found stays within its bounds. */
static void test_prefixes(void **state)
{
	struct vmm_holder h = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		size_t len = strlen(samples[i].line);

		for (size_t n = 0; n < len; n++) {
			char *cut = malloc(n ? n : 1);

			assert_non_null(cut);
			memcpy(cut, samples[i].line, n);
			for (size_t k = 0; k < n; k++)
				cut[k] = cut[k] == ' ' ? '\0' : cut[k];
			vmm_cmdline_parse(cut, n, samples[i].tap, NULL, &h);
			assert_true(strlen(h.nic_model) < sizeof(h.nic_model));
			free(cut);
		}
	}
}

/* The MAC of the NIC behind a tap of other monitors than QEMU, by the tap's name or descriptor. */
static void test_macs(void **state)
{
	static const struct {
		const char *line;
		const char *tap;
		int fd;
		const char *mac; /* NULL: none is known */
	} rows[] = {
		{"cloud-hypervisor --net tap=t0,mac=" MAC_A ",ip=10.0.0.1", "t0", 0, MAC_A},
		{"cloud-hypervisor --net=mac=" MAC_A ",tap=t0", "t0", 0, MAC_A},
		{"cloud-hypervisor --net tap=t1,mac=" MAC_A " tap=t0,mac=" MAC_B " --cpus boot=1",
		 "t0", 0, MAC_B},
		{"cloud-hypervisor --net tap=t1,mac=" MAC_A " --net tap=t0,mac=" MAC_B, "t0", 0,
		 MAC_B},
		{"cloud-hypervisor --net fd=5,mac=" MAC_A " fd=[6,7],mac=" MAC_B, "t0", 7, MAC_B},
		{"cloud-hypervisor --net fd=5,mac=" MAC_A " fd=[6,7],mac=" MAC_B, "t0", 5, MAC_A},
		{"cloud-hypervisor --net mac=" MAC_A ",fd=5,host_mac=" MAC_B, "t0", 5, MAC_A},
		{"cloud-hypervisor --net tap=t0,host_mac=" MAC_B, "t0", 5, NULL},
		/* t1 is not t10, 5 is not 55; without a name or with another's it may be any. */
		{"cloud-hypervisor --net tap=t10,mac=" MAC_A, "t1", 0, NULL},
		{"cloud-hypervisor --net fd=55,mac=" MAC_A, "t1", 5, NULL},
		{"cloud-hypervisor --net fd=,mac=" MAC_A " fd=[,5 fd=[", "t1", 5, NULL},
		{"cloud-hypervisor --net mac=" MAC_A, "t0", 5, NULL},
		{"cloud-hypervisor --net --net --cpus tap=t0,mac=" MAC_A, "t0", 0, NULL},
		{"cloud-hypervisor --net", "t0", 0, NULL},
		{"crosvm run --net tap-name=t0,mac=" MAC_A, "t0", 0, MAC_A},
		{"firecracker --net tap=t0,mac=" MAC_A, "t0", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct vmm_holder h = {.fd = rows[i].fd};
		size_t len = strlen(rows[i].line) + 1;
		char line[256], text[MAC_STRLEN];

		memcpy(line, rows[i].line, len);
		for (size_t k = 0; k < len; k++)
			line[k] = line[k] == ' ' ? '\0' : line[k];
		vmm_cmdline_parse(line, len, rows[i].tap, NULL, &h);
		if (h.has_mac != (rows[i].mac != NULL) ||
		    (h.has_mac && strcmp(mac_format(&h.mac, text), rows[i].mac) != 0))
			fail_msg("%s, %s and %d: found %s", rows[i].line, rows[i].tap, rows[i].fd,
				 h.has_mac ? mac_format(&h.mac, text) : "none");
	}
}

static void test_too_long(void **state)
{
	char line[600] = "qemu-system-x86_64";
	struct vmm_holder h = {0};
	size_t at = strlen(line) + 1;

	(void)state;
	strcpy(line + at, "-name");
	at += 6;
	memset(line + at, 'n', 300);
	at += 301;
	vmm_cmdline_parse(line, at, "t0", NULL, &h);
	assert_int_equal(strlen(h.vm_name), sizeof(h.vm_name) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
