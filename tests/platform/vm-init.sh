#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# vm-init.sh - the first process of the guest that vm.sh boots: /init of its initramfs, and once
# more when it has the machine's files for its root.
#
# It runs /command of the initramfs with its output on the port "output", says its exit status on
# the port "status", and switches the machine off.
bb=/bin/busybox

find_port() # find_port NAME: its device
{
	for p in /sys/class/virtio-ports/*; do
		[ "$($bb cat "$p/name" 2>/dev/null)" != "$1" ] || echo "/dev/${p##*/}"
	done
}

first()
{
	$bb mkdir -p /proc /sys /dev /lower /upper /root
	$bb mount -t proc proc /proc
	$bb mount -t sysfs sys /sys
	$bb mount -t bpf bpf /sys/fs/bpf
	$bb mount -t devtmpfs dev /dev
	while read -r m; do
		$bb insmod "/modules/$m" || echo "module $m does not load"
	done </modules/order
	$bb mount -t virtiofs -o ro machine /lower || { echo "no files"; $bb poweroff -f; }
	$bb mount -t tmpfs upper /upper
	$bb mkdir /upper/files /upper/work
	$bb mount -t overlay -o lowerdir=/lower,upperdir=/upper/files,workdir=/upper/work root /root
	for d in proc sys dev; do
		$bb mkdir -p "/root/$d"
		$bb mount --move "/$d" "/root/$d"
	done
	$bb mkdir -p /root/run
	$bb mount -t tmpfs run /root/run
	$bb cp /init /command "$bb" /root/run/
	exec $bb switch_root /root /run/busybox sh /run/init second
}

# What the machine's own start would have done, as far as tests of networks need it.
second()
{
	bb=/run/busybox
	$bb mkdir -p /dev/pts /dev/shm /dev/net /run/empty
	$bb mount -t devpts pts /dev/pts
	$bb mount -t tmpfs shm /dev/shm
	$bb mount -t cgroup2 cgroup /sys/fs/cgroup
	$bb sed -n '/^export /p' /run/command >/run/environment
	. /run/environment
	$bb mkdir -p "/lib/modules/$($bb uname -r)"
	$bb mount --bind "$VM_MODULES" "/lib/modules/$($bb uname -r)"
	# The kernel asks for what it needs by this.
	printf '#!/run/busybox sh\nexec /run/busybox modprobe "$@"\n' >/run/modprobe
	$bb chmod 755 /run/modprobe
	echo /run/modprobe >/proc/sys/kernel/modprobe
	/run/modprobe tun
	# What others have loaded by the time that tests meet it, and nothing asks for by name.
	for m in br_netfilter iptable_filter iptable_nat iptable_mangle iptable_raw ip6table_filter ip6table_nat; do
		/run/modprobe "$m" 2>/dev/null || echo "this kernel has no module $m"
	done
	$bb ip link set lo up
	# Some settings are the first namespace's alone.
	$bb touch /var/tmp/first-net
	$bb mount --bind /proc/self/ns/net /var/tmp/first-net
	/bin/bash /run/command </dev/null >"$(find_port output)" 2>&1
	status=$?
	[ ! -f /var/tmp/vm-result ] || $bb cat /var/tmp/vm-result >"$(find_port result)"
	echo $status >"$(find_port status)"
	$bb sync
	$bb poweroff -f
}

case "${1:-}" in
second) second ;;
*) first ;;
esac
