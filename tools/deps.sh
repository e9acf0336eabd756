#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# deps.sh build|demo|check|bench|all - install the Debian or Ubuntu packages that are missing.
#
# What the build needs is read from debian/control; only what is needed on top of that is listed
# here. None of these packages starts a service or changes the machine's network: the kernel of
# the demo's guest is fetched and unpacked by tools/guest-image.sh, never installed, and the
# bench's dnsmasq is dnsmasq-base.
set -eu
cd "$(dirname "$0")/.."

case $(uname -m) in
x86_64) qemu=qemu-system-x86 ;;
aarch64) qemu=qemu-system-arm ;;
*) qemu=qemu-system-misc ;;
esac

# The first alternative of each Build-Depends, without versions and build profiles. debhelper is
# for packaging only.
build_depends()
{
	awk '/^Build-Depends:/ { on = 1; sub(/^[^:]*:/, "") }
	     on && /^[^ \t]/ && !/^Build-Depends/ && started { exit }
	     on { started = 1; print }' debian/control |
		tr ',' '\n' | sed -e 's/|.*//' -e 's/[[(<].*//' -e 's/[[:space:]]//g' |
		grep -v -e '^$' -e '^debhelper'
}

demo_packages()
{
	echo "$qemu" busybox-static cpio xz-utils iproute2
}

check_packages()
{
	demo_packages
	echo nftables iptables isc-dhcp-client dhcpcd-base ndisc6 dnsmasq-base procps curl python3-pytest python3-scapy clang-14 \
		clang-tidy-14 clang-format-14 libclang-rt-14-dev llvm-14 universal-ctags shellcheck \
		mandoc tshark wireshark-common
	# libvirt's daemon without its services, as Debian 12 has it: 4 MB to fetch, 12 MB
	# on disk. Where its drivers are packages of their own the services may come along: not here.
	[ "$qemu" != qemu-system-x86 ] || apt-cache show libvirt-daemon-driver-network >/dev/null 2>&1 ||
		echo libvirt-daemon libvirt-daemon-driver-qemu libvirt-clients
	# Of its own where it is no longer a part of QEMU.
	! apt-cache show virtiofsd >/dev/null 2>&1 || echo virtiofsd
}

bench_packages()
{
	echo dnsmasq-base iproute2 nftables python3
}

case ${1:-all} in
build) wanted=$(build_depends) ;;
demo) wanted=$(build_depends; demo_packages) ;;
check) wanted=$(build_depends; check_packages) ;;
bench) wanted=$(build_depends; bench_packages) ;;
all) wanted=$(build_depends; check_packages; bench_packages) ;;
*)
	echo "usage: deps.sh build|demo|check|bench|all" >&2
	exit 1
	;;
esac
# One name a line, each once.
wanted=$(echo "$wanted" | tr ' ' '\n' | sort -u)

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: no dpkg here, so nothing was installed; Debian's names for what is needed:" >&2
	echo $wanted >&2
	exit 0
fi

# dpkg-query says nothing about names it does not know: they are missing too.
have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
	sed -n 's/ installed$//p' | sort -u) || true
missing=$(comm -23 <(echo "$wanted") <(echo "$have"))
[ -n "$missing" ] || exit 0

echo "Missing packages:" $missing
if [ "$(id -u)" != 0 ]; then
	echo "Only root may install them: sudo make deps" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install="apt-get install -y --no-install-recommends -q"
# Lists that are there are tried as they are; only when that fails are they fetched anew.
if ! $install $missing; then
	echo "Fetching the package lists anew ..."
	apt-get update -q
	$install $missing
fi
