#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guest-init.sh - what a demo guest runs: bring the machine up, get an address by DHCP, serve one
# page, then do what is asked of it over a control channel.
#
# The same file is three things, so that a virtual machine and a namespace guest behave alike:
#   /init of the initramfs that guest-image.sh builds (its process number is 1);
#   the command of a namespace guest (vmlane-nsguest ... -- guest-init.sh);
#   the script that udhcpc calls (its first argument is then udhcpc's event).
#
# Control channel: one line in is one shell command; out come its output, then a line
# "VMLANE-END STATUS". "VMLANE-READY ADDRESS" is said once the address is there. In a virtual machine the channel
# is the second serial port (or vmlane.ctl=TTY on the kernel's command line), otherwise stdin/stdout.
#
# Everything is done by busybox, since the virtual machine has nothing else.

bb=$(command -v busybox) || { echo "guest-init: busybox is missing: apt install busybox-static" >&2; exit 1; }
dir=${VMLANE_GUEST_DIR:-/run}
iface=eth0

say() {
	echo "guest-init: $*" >&2
}

# ---- the script of udhcpc: set what the lease says ----

dhcp_bound() {
	"$bb" ip addr flush dev "$interface"
	"$bb" ip addr add "$ip/$mask" broadcast "${broadcast:-+}" dev "$interface"
	for r in $router; do
		"$bb" ip route replace default via "$r" dev "$interface"
		break
	done
	[ -z "$mtu" ] || "$bb" ip link set dev "$interface" mtu "$mtu"
	{
		[ -z "$domain" ] || echo "search $domain"
		for d in $dns; do
			echo "nameserver $d"
		done
	} >/etc/resolv.conf
	echo "$ip" >"$dir/address"
	say "$1: address $ip/$mask, router ${router:-none}, dns ${dns:-none}, server ${serverid:-?}, lease ${lease:-?} s"
}

case "$1" in
bound)
	dhcp_bound "$1"
	exit 0
	;;
renew)
	# The same address again: leave it in place, connections are running over it.
	[ "$(cat "$dir/address" 2>/dev/null)" = "$ip" ] || dhcp_bound "$1"
	exit 0
	;;
deconfig)
	"$bb" ip addr flush dev "$interface"
	exit 0
	;;
leasefail | nak)
	say "DHCP: $1 ${message:-}"
	exit 0
	;;
esac

# ---- bringing the machine up (virtual machine only) ----

word() { # word KEY: the value of KEY= on the kernel's command line
	for w in $(cat /proc/cmdline); do
		case "$w" in
		"$1"=*) echo "${w#*=}" ;;
		esac
	done
}

vm_up() {
	"$bb" mkdir -p /proc /sys /dev /run /tmp /etc /bin
	"$bb" mount -t proc proc /proc
	"$bb" mount -t sysfs sys /sys
	"$bb" mount -t devtmpfs dev /dev
	"$bb" mount -t tmpfs run /run
	export PATH=/bin HOME=/
	say "the kernel has handed over, $(uname -r)"
	"$bb" --install -s /bin
	while read -r m; do
		insmod "/modules/$m" 2>/dev/null || say "module $m does not load"
	done </modules/order
	name=$(word vmlane.name)
	hostname "${name:-guest}"
	ctl=/dev/$(word vmlane.ctl)
	[ -c "$ctl" ] || ctl=/dev/ttyS1
	# Opened first: some terminals forget their settings when nobody has them open.
	exec <"$ctl" >"$ctl"
	stty raw -echo
	stty 115200 2>/dev/null # a virtio console has no speed
}

nic_up() {
	tries=0
	# The driver finds its card a moment after it was loaded.
	until [ -e "/sys/class/net/$iface" ] || [ "$tries" -ge 100 ]; do
		"$bb" usleep 20000
		tries=$((tries + 1))
	done
	if ! [ -e "/sys/class/net/$iface" ]; then
		say "there is no $iface: no driver in this kernel for the card?"
		return 1
	fi
	"$bb" ip link set dev lo up
	"$bb" ip link set dev "$iface" up
}

serve() {
	"$bb" mkdir -p "$dir/www"
	printf 'hello from %s\n' "$("$bb" hostname)" >"$dir/www/index.html"
	"$bb" httpd -p 80 -h "$dir/www" || say "httpd does not start"
}

command_loop() {
	while IFS= read -r line; do
		("$bb" sh -c "$line") </dev/null 2>&1
		echo "VMLANE-END $?"
	done
}

[ $$ -ne 1 ] || vm_up
self=$0
case "$self" in
/*) ;;
*) self=$PWD/$self ;;
esac
if nic_up; then
	# udhcpc stays in the foreground until it has an address, then renews it in the background.
	"$bb" udhcpc -i "$iface" -s "$self" -t 20 -T 1 -A 1 -x "hostname:$("$bb" hostname)" </dev/null >&2
	serve
	echo "VMLANE-READY $(cat "$dir/address" 2>/dev/null)"
fi
command_loop
[ $$ -ne 1 ] || "$bb" poweroff -f
