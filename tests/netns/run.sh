#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh BUILD_DIR [PYTEST OPTION...] - the namespace tests, with the programs of BUILD_DIR.
#
# Everything happens inside namespaces of its own (net, mount, pid): nothing here can reach the
# machine's interfaces, and everything is gone when this ends, also by kill -9: the kernel ends a
# pid namespace with its first process.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
VMLANE_BUILD=$(cd "$1" && pwd)
shift
export VMLANE_BUILD PYTHONDONTWRITEBYTECODE=1
if [ "$(id -u)" != 0 ]; then
	echo "network namespaces need root: sudo $0 $VMLANE_BUILD" >&2
	exit 77
fi

# The sanitizers of gcc 12 and clang 14 hang or fall now and then where the kernel scatters mappings
# over more bits than they expect (vm.mmap_rnd_bits above 28): they run without that.
still=
! grep -q __asan_init "$VMLANE_BUILD/src/daemon/vmlaned" || still="setarch $(uname -m) --addr-no-randomize"

exec $still unshare --net --mount --uts --pid --fork --kill-child --mount-proc bash -c '
	set -eu
	mount -t tmpfs -o mode=755 tmpfs /run
	# What DHCP clients and servers write outside of the files they are told to use.
	for d in /var/lib/dhcp /var/lib/dhcpcd /var/lib/misc; do
		[ ! -d $d ] || mount -t tmpfs tmpfs $d
	done
	mkdir -p /run/netns /run/test
	# Group vmlane, with two of the users that every Debian has.
	{ grep -v "^vmlane:" /etc/group; echo "vmlane:x:64099:games,daemon"; } >/run/group
	mount --bind /run/group /etc/group
	# As udev makes it: whether a user may open a tap is for the kernel to say.
	mknod -m 666 /run/tun c 10 200
	mount --bind /run/tun /dev/net/tun
	mount -t sysfs sysfs /sys
	mount -t bpf bpf /sys/fs/bpf
	ip link set lo up
	cd "$1"
	shift
	status=0
	/usr/bin/python3 -m pytest -p no:cacheprovider -q -rs "$@" || status=$?
	exit $status
' run "$here" "$@"
