# SPDX-License-Identifier: GPL-2.0-or-later
"""What vmlane trace says of a packet besides its way: what the packet is, and for whom it waited."""
import socket

import pytest

from plain import Plain, ping, udp
from test_trace import Trace, hop, hops
from world import INTERNET, UPLINK

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def plain(world):
    return Plain(world)


@pytest.fixture
def trace(world):
    return lambda *args: Trace(world, *args)


def dns(flags):
    """A message of DNS about example.org, RFC 1035."""
    return bytes.fromhex(f"0001{flags:04x}0001000000000000" "076578616d706c65036f72670000010001")


def test_names_of_dhcp(guest, trace):
    g = guest("web1")
    t = trace("web1", "udp")
    g.dhcp()
    asked = t.packet("DHCP ACK")
    t.end()
    assert [p["message"] for p in t.seen[:4]] == ["DHCP DISCOVER", "DHCP OFFER", "DHCP REQUEST", "DHCP ACK"]
    assert " DHCP ACK, " in asked["text"]


def test_names_of_icmp6_and_dhcp6(plain, trace):
    plain.host.run("ip", "addr", "add", "fd07::1/64", "dev", "br0", "nodad")
    a = plain.guest(1)
    a.run("ip", "addr", "add", "fd07::11/64", "dev", "eth0", "nodad")
    t = trace("vnet1", "ip6")
    assert a.run("busybox", "ping", "-6", "-q", "-c", 1, "fd07::1")
    assert t.packet("fd07::11 > ff02::1:ff00:1")["message"] == "neighbour solicitation"
    assert t.packet("neighbour advertisement")["message"] == "neighbour advertisement"
    assert t.packet("echo request")["message"] == "echo request"
    s = udp(a, socket.AF_INET6)
    for kind, name in ((1, "SOLICIT"), (5, "RENEW"), (11, "INFORMATION-REQUEST"), (99, None)):
        s.sendto(bytes([kind, 1, 2, 3]), ("fd07::1", 547))
        assert t.packet(f"DHCPv6{' ' + name if name else ','}")["message"] == f"DHCPv6 {name}" if name else "DHCPv6"
    t.end()


def test_names_of_dns(world, plain, trace):
    """The answer's code is said, and nothing of what is no error."""
    g = plain.guest(1)
    server = udp(world.internet)
    server.bind((INTERNET, 53))
    s = udp(g)
    t = trace("vnet1", "udp")
    for code, name in ((0, "DNS"), (2, "DNS SERVFAIL"), (3, "DNS NXDOMAIN"), (5, "DNS REFUSED")):
        s.sendto(dns(0x0100), (INTERNET, 53))
        _, back = server.recvfrom(512)
        server.sendto(dns(0x8180 | code), back)
        s.recv(512)
        answer = t.packet(name + ",", direction="in")
        assert answer["message"] == name and answer["reply_to"]
    t.end()


def test_errors_say_what_they_are_about(world, plain, trace):
    """The port that nobody listens at, also where the error is translated on its way."""
    g = plain.guest(1)
    t = trace("vnet1", "icmp")
    s = udp(g)
    s.sendto(b"x", (INTERNET, 4242))
    error = t.packet("port unreachable", direction="in")
    assert error["message"] == "port unreachable of udp port 4242" and "nat" in hops(error), error
    assert error["verdict"] == "DELIVERED"
    t.end()
    world.host.nft(f"table ip forwards {{ chain first {{ type nat hook prerouting priority dstnat; ip daddr {UPLINK} udp dport 8080 dnat to {g.address}:4343; }}; }}")
    t = trace("vnet1", "icmp")
    udp(world.internet).sendto(b"x", (UPLINK, 8080))
    error = t.packet("port unreachable", direction="out")
    assert error["message"] == "port unreachable of udp port 4343" and error["end"] == "DELIVERED out by eth0", error
    t.end()


def test_waits_for_a_neighbour(world, plain, trace):
    """The way out is asked for: how long is said."""
    g = plain.guest(1)
    ping(g, "10.7.0.1")
    world.host.run("ip", "neigh", "flush", "dev", "eth0")
    t = trace("vnet1", "icmp")
    assert ping(g, INTERNET)
    first = t.packet("echo request")
    neigh = hop(first, "neigh")
    assert hops(first) == ["vm-out", "bridge-in", "route", "neigh", "nat", "uplink-out"] or "fw" in hops(first)
    assert neigh["dev"] == "eth0" and neigh["neighbour"]["address"] == "203.0.113.1"
    assert neigh["neighbour"]["state"] == "known" and neigh["neighbour"]["waited_us"] > 0
    assert "203.0.113.1 dev eth0: its MAC was known after " in neigh["text"]
    assert ping(g, INTERNET)
    t.packet("echo request", packet=first["packet"])
    t.end()
    again = [p for p in t.seen if "echo request" in p["text"]][1]
    assert "neigh" not in hops(again)


def test_waits_for_a_neighbour_in_vain(world, plain, trace):
    """Of IPv6, too. It ends as the kernel gives up."""
    g = plain.guest(1)
    world.host.run("sh", "-ec", "sysctl -qw net.ipv6.conf.all.forwarding=1; ip addr add fd07::1/64 dev br0 nodad; ip addr add fd03::2/64 dev eth0 nodad")
    g.run("sh", "-ec", "ip addr add fd07::11/64 dev eth0 nodad; ip route add default via fd07::1")
    t = trace("vnet1", "icmp or icmp6")
    for address in ("203.0.113.99", "fd03::99"):
        ping(g, address)
        p = t.packet(f"> {address} echo request")
        neigh = hop(p, "neigh")
        assert p["verdict"] == "DROP" and neigh["neighbour"]["state"] == "failed" and neigh["neighbour"]["address"] == address
        assert "no answer to who that is for " in neigh["text"]
        assert p["diagnosis"]["code"] == "neighbour-silent", p["diagnosis"]
        assert p["diagnosis"]["evidence"][0]["text"] == f"{address} dev eth0 FAILED"
    t.end()
