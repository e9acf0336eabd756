#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh BUILD_DIR [--quick] [--only start,dhcp,memory,packet,forward,policy,guard,guardian,snoop,trace] - the figures, side by side.
#
# Each figure is measured in namespaces of its own (net, mount, pid): nothing here can reach the
# machine's interfaces, rules or services, and everything is gone when this ends, also by kill -9.
# The figures go to stdout; nothing else is written but leases, in a directory below BUILD_DIR
# (a disk, as in real use) that is removed at the end. See README.md for what is measured.
set -eu
here=$(cd "$(dirname "$0")" && pwd -P)
usage="usage: $0 BUILD_DIR [--quick] [--only start,dhcp,memory,packet,forward,policy,guard,guardian,snoop,trace]"
figures="start dhcp memory packet forward policy guard guardian snoop trace"
quick=
[ $# -ge 1 ] && [ -d "$1" ] || { echo "$usage" >&2; exit 1; }
build=$(cd "$1" && pwd -P)
export BENCH_COMMAND="sudo bench/run.sh $1"
shift
while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=--quick ;;
	--only)
		[ $# -ge 2 ] || { echo "$usage" >&2; exit 1; }
		shift
		figures=${1//,/ }
		;;
	*) echo "$usage" >&2; exit 1 ;;
	esac
	shift
done
for figure in $figures; do
	case $figure in
	start | dhcp | memory | packet | forward | policy | guard | guardian | snoop | trace) ;;
	*) echo "$usage" >&2; exit 1 ;;
	esac
done
if [ "$(id -u)" != 0 ]; then
	echo "network namespaces need root: $BENCH_COMMAND" >&2
	exit 77
fi

# The sources of what the tools use, not the build's libraries: those may have sanitizers in them.
work=$(mktemp -d "$build/bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
for tool in dhcp_client tap_rate; do
	${CC:-cc} -std=gnu11 -D_GNU_SOURCE -O2 -I"$here/../src" -o "$work/$tool" "$here/$tool.c" \
		"$here"/../src/wire/*.c "$here"/../src/base/*.c
done

limit=${BENCH_TIMEOUT:-600}
export PYTHONDONTWRITEBYTECODE=1 BENCH_BUILD="$build" BENCH_WORK="$work" LC_ALL=C
in_namespaces()
{
	timeout --foreground --signal=KILL "$limit" \
		unshare --net --mount --pid --fork --kill-child --mount-proc bash -c '
		set -eu
		mount -t tmpfs -o mode=755 tmpfs /run
		mkdir -p /run/netns /run/bench
		mount -t sysfs sysfs /sys
		mount -t bpf bpf /sys/fs/bpf
		# What libvirtd and others write outside of the directories they are told stays in here.
		for d in etc var; do
			mkdir -p /run/over/$d /run/over/$d.aside
			mount -t overlay -o lowerdir=/$d,upperdir=/run/over/$d,workdir=/run/over/$d.aside \
				overlay /$d || echo "bench: no overlay on /$d" >&2
		done
		ip link set lo up
		status=0
		/usr/bin/python3 "$@" || status=$?
		exit $status
	' run "$here/bench.py" "$@"
}

/usr/bin/python3 "$here/bench.py" machine
failed=0
for figure in $figures; do
	# What the one before has left: sides of several figures have the same names.
	rm -rf "$work"/state-* "$work"/*.leases
	in_namespaces $quick "$figure" && status=0 || status=$?
	[ "$status" != 137 ] || echo "$figure: not finished within $limit s" >&2
	[ "$status" = 0 ] || failed=1
done
exit "$failed"
