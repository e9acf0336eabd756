# SPDX-License-Identifier: GPL-2.0-or-later
"""plain.py - guests without any daemon: a bridge, veth ports and rules that somebody made by hand in
namespace `host`."""
import ctypes
import fcntl
import socket
import struct

SIOCETHTOOL, ETHTOOL_STSO = 0x8946, 0x1F


class Plain:
    """Bridge br0 (10.7.0.1/24), masqueraded out of eth0."""

    def __init__(self, world):
        self.world, self.host = world, world.host
        self.host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        self.bridge("br0", "10.7.0.1/24")
        self.host.nft("table ip own { chain post { type nat hook postrouting priority srcnat;"
                      "ip saddr 10.7.0.0/24 oifname eth0 masquerade; }; }")

    def bridge(self, name, address):
        self.host.run("sh", "-ec", f"ip link add {name} type bridge forward_delay 0 mcast_snooping 0;"
                      f"ip addr add {address} dev {name}; ip link set {name} up")

    def guest(self, n, bridge="br0", address=None, gateway="10.7.0.1"):
        """Namespace g<n> behind port vnet<n>, at 10.7.0.<10+n>."""
        ns = self.world.ns(f"g{n}")
        ns.port, ns.address = f"vnet{n}", address or f"10.7.0.{10 + n}"
        self.host.run("sh", "-ec", f"ip link add {ns.port} type veth peer name eth0 netns g{n};"
                      f"ip link set {ns.port} master {bridge} up")
        ns.run("sh", "-ec", f"ip addr add {ns.address}/24 dev eth0; ip link set eth0 up; ip route add default via {gateway}")
        return ns

    def uplink_into_bridge(self):
        """Bridged: the uplink is a port of br0, which has its address."""
        self.host.run("sh", "-ec", "ip addr flush dev br0; ip addr del 203.0.113.2/24 dev eth0; ip link set eth0 master br0; ip addr add 203.0.113.2/24 dev br0;"
                      "ip route add default via 203.0.113.1")

    def bridge_netfilter(self, on):
        for what in ("iptables", "ip6tables", "arptables"):
            self.host.run("sysctl", "-qw", f"net.bridge.bridge-nf-call-{what}={int(on)}")


def ping(ns, address, *options):
    return ns.run("busybox", "ping", "-q", "-c", 1, "-W", 2, *options, address, check=False).returncode == 0


def get(ns, url):
    return ns.run("curl", "-sS", "--max-time", 20, url)


def udp(ns, family=socket.AF_INET):
    with ns.enter():
        return socket.socket(family, socket.SOCK_DGRAM)


def without_tso(ns, dev):
    """Large TCP packets are taken apart before they reach @dev."""
    value = ctypes.create_string_buffer(struct.pack("II", ETHTOOL_STSO, 0))
    with udp(ns) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sQ16x", dev.encode(), ctypes.addressof(value)))
