#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# by_hand.sh up|down DIR - a NAT network as people make it with ip, nft and dnsmasq, in as few
# processes as that can be done: one of each. `up` ends when dnsmasq has bound its socket.
set -eu
dir=$2
case $1 in
up)
	ip -batch - <<-EOF
		link add br-hand address 52:54:00:00:00:01 type bridge
		addr add 192.168.122.1/24 brd + dev br-hand
		link set br-hand up
	EOF
	echo 1 >/proc/sys/net/ipv4/conf/br-hand/forwarding
	echo 1 >/proc/sys/net/ipv4/conf/up0/forwarding
	echo 1 >/proc/sys/net/ipv6/conf/br-hand/disable_ipv6
	nft -f - <<-EOF
		table ip hand {
			chain forward {
				type filter hook forward priority filter; policy accept;
				iifname br-hand oifname br-hand accept
				iifname br-hand ip saddr 192.168.122.0/24 accept
				iifname br-hand reject
				oifname br-hand ip daddr 192.168.122.0/24 ct state established,related accept
				oifname br-hand reject
			}
			chain postrouting {
				type nat hook postrouting priority srcnat; policy accept;
				ip saddr != 192.168.122.0/24 return
				oifname br-hand return
				ip daddr { 224.0.0.0/24, 255.255.255.255 } return
				meta l4proto { tcp, udp } masquerade to :1024-65535
				masquerade
			}
		}
	EOF
	dnsmasq --conf-file=/dev/null --port=0 --user=root --quiet-dhcp --log-facility="$dir/dnsmasq.log" \
		--interface=br-hand --except-interface=lo --bind-dynamic --dhcp-authoritative --no-ping \
		--dhcp-range=192.168.122.2,192.168.122.254,255.255.255.0,1h --dhcp-lease-max=253 \
		--dhcp-leasefile="$dir/hand.leases" --pid-file="$dir/hand.pid"
	;;
down)
	kill "$(cat "$dir/hand.pid")"
	nft delete table ip hand
	ip link delete br-hand
	;;
esac
