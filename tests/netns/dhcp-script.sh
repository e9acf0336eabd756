#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dhcp-script.sh - what udhcpc, dhclient and dhcpcd call: writes its environment to a new file
# beside $DHCP_EVENTS and gives the interface its address, as the distribution's script would.
[ -n "${DHCP_EVENTS:-}" ] || exit 0
dev=${interface:-eth0}
case ${1:-${reason:-}} in
deconfig | PREINIT)
	ip link set dev "$dev" up
	[ -z "${1:-}" ] || ip -4 addr flush dev "$dev"
	;;
bound | renew)
	ip -4 addr flush dev "$dev"
	ip addr add "$ip/$mask" dev "$dev"
	ip route replace default via "${router%% *}"
	;;
BOUND | REBOOT | RENEW | REBIND)
	# dhcpcd does it itself.
	if [ -z "${ifssid+x}${pid:+${protocol:-}}${if_configured:-}" ]; then
		ip -4 addr flush dev "$dev"
		ip addr add "$new_ip_address/$new_subnet_mask" dev "$dev"
		ip route replace default via "${new_routers%% *}"
	fi
	;;
EXPIRE | RELEASE | STOP | FAIL | leasefail) ;;
esac

# One file an event, in the order they came; renamed when it is whole.
n=$(ls "$DHCP_EVENTS".*.env 2>/dev/null | wc -l)
export DHCP_REASON=${1:-}
env -0 >"$DHCP_EVENTS.$n.env"
ln "$DHCP_EVENTS.$n.env" "$DHCP_EVENTS.$n.done"
