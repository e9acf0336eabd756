# SPDX-License-Identifier: GPL-2.0-or-later
"""What the table `inet vmlane` does to real packets, without the daemon: the golden ruleset
tests/golden/ruleset/packets.nft is loaded into a host made here.

    a1 .10, a2 .11 -- vl-a 192.168.122.1/24 |      | up0 203.0.113.2  -- inet 203.0.113.1, 198.51.100.7
    b1 .10         -- vl-b 192.168.5.1/25   | host | lan0 10.77.0.1   -- lan  10.77.0.2

Whether a packet does not arrive is not found out by waiting: a good packet is sent behind it on the
same way, and when that one is there, the bad one would have been.
"""
import contextlib
import ctypes
import errno
import json
import os
import socket
import subprocess

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

HERE = os.path.dirname(os.path.abspath(__file__))
# FIREWALL_RULES: a ruleset with a rule taken out, say, to see that the tests notice.
RULES = os.environ.get("FIREWALL_RULES") or os.path.join(HERE, "../golden/ruleset/packets.nft")
INTERNET = "198.51.100.7"
UPLINK = "203.0.113.2"
MACS = {"vl-a": "52:54:00:0a:00:01", "vl-b": "52:54:00:0b:00:01", "a1": "52:54:00:0a:00:0a",
        "a2": "52:54:00:0a:00:0b", "b1": "52:54:00:0b:00:0a", "up0": "52:54:00:0c:00:02", "inet": "52:54:00:0c:00:01"}
OWN = {"a1": ("vl-a", "192.168.122.10"), "b1": ("vl-b", "192.168.5.10")}
TIMEOUT = 5
libc = ctypes.CDLL(None, use_errno=True)


def run(command):
    subprocess.run(["bash", "-ec", command], check=True)


@contextlib.contextmanager
def inside(ns):
    """This thread in namespace @ns; what is opened there stays there."""
    back = os.open("/proc/self/ns/net", os.O_RDONLY)
    there = os.open(f"/run/netns/fw-{ns}", os.O_RDONLY)
    try:
        assert libc.setns(there, 0) == 0, os.strerror(ctypes.get_errno())
        yield
    finally:
        assert libc.setns(back, 0) == 0, os.strerror(ctypes.get_errno())
        os.close(there)
        os.close(back)


def udp(ns, address="", port=0):
    with inside(ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(TIMEOUT)
    s.bind((address, port))
    return s


class Wire:
    """All frames of one interface, both ways."""

    def __init__(self, ns, ifname):
        with inside(ns):
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.bind((ifname, 3))
        self.s.settimeout(TIMEOUT)

    def send(self, packet):
        self.s.send(bytes(packet))

    def until(self, payload):
        """What came in until a packet with @payload did: IP packets, that one not among them."""
        seen = []
        while True:
            frame, address = self.s.recvfrom(65535)
            if address[2] == socket.PACKET_OUTGOING:
                continue
            packet = Ether(frame)
            if payload in frame and not packet.haslayer(ICMP):
                return seen
            # The kernels report their multicast groups whenever they like.
            if packet.haslayer(IPv6) or (packet.haslayer(IP) and packet[IP].proto != socket.IPPROTO_IGMP):
                seen.append(packet)


class Host:
    """The namespaces of the drawing."""

    def __init__(self):
        names = ["host", "inet", "lan", "a1", "a2", "b1"]
        run("\n".join(f"""
        ip netns add fw-{n}
        # No packets but ours: IPv6 reports its groups whenever it likes.
        ip netns exec fw-{n} bash -c 'echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6'
        ip -n fw-{n} link set lo up""" for n in names))
        for guest, bridge in (("a1", "vl-a"), ("a2", "vl-a"), ("b1", "vl-b")):
            run(f"""
            ip -n fw-host link show {bridge} > /dev/null 2>&1 ||
                ip -n fw-host link add {bridge} address {MACS[bridge]} type bridge
            ip -n fw-host link add t-{guest} type veth peer name eth0 address {MACS[guest]} netns fw-{guest}
            ip -n fw-host link set t-{guest} master {bridge} up
            ip -n fw-{guest} link set eth0 up""")
        run(f"""
        ip -n fw-host link set vl-a up; ip -n fw-host addr add 192.168.122.1/24 brd + dev vl-a
        ip -n fw-host link set vl-b up; ip -n fw-host addr add 192.168.5.1/25 brd + dev vl-b
        ip -n fw-host link add up0 address {MACS['up0']} type veth peer name eth0 address {MACS['inet']} netns fw-inet
        ip -n fw-host link add lan0 type veth peer name eth0 netns fw-lan
        ip -n fw-host link set up0 up; ip -n fw-host addr add {UPLINK}/24 dev up0
        ip -n fw-host link set lan0 up; ip -n fw-host addr add 10.77.0.1/24 dev lan0
        ip -n fw-host route add default via 203.0.113.1
        ip -n fw-a1 addr add 192.168.122.10/24 dev eth0; ip -n fw-a1 route add default via 192.168.122.1
        ip -n fw-a2 addr add 192.168.122.11/24 dev eth0; ip -n fw-a2 route add default via 192.168.122.1
        ip -n fw-b1 addr add 192.168.5.10/25 dev eth0; ip -n fw-b1 route add default via 192.168.5.1
        ip -n fw-inet link set eth0 up; ip -n fw-inet addr add 203.0.113.1/24 dev eth0
        ip -n fw-inet addr add {INTERNET}/32 dev lo
        ip -n fw-inet route add 192.168.0.0/16 via {UPLINK}
        ip -n fw-lan link set eth0 up; ip -n fw-lan addr add 10.77.0.2/24 dev eth0
        ip -n fw-lan route add default via 10.77.0.1
        # Nothing but our rules shall refuse.
        ip netns exec fw-host bash -ec '
            echo 1 > /proc/sys/net/ipv4/ip_forward
            for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done
            nft -f {RULES}'
        """)

    def close(self):
        run("for n in host inet lan a1 a2 b1; do ip netns del fw-$n; done")

    def counters(self):
        out = subprocess.run(["ip", "netns", "exec", "fw-host", "nft", "-j", "list", "counters", "table", "inet",
                              "vmlane"], check=True, capture_output=True).stdout
        return {c["counter"]["name"]: c["counter"]["packets"]
                for c in json.loads(out)["nftables"] if "counter" in c}

    def expect(self, **expected):
        """The counters, of which those not named are 0."""
        found = self.counters()
        assert found == {**dict.fromkeys(found, 0), **expected}


@pytest.fixture
def host():
    h = Host()
    yield h
    h.close()


def ask(guest, port=0, to=(INTERNET, 9000), server="inet"):
    """A UDP question from @guest and its answer; the source that the server saw."""
    with udp(server, *to) as s, udp(guest, port=port) as c:
        c.sendto(b"question", to)
        data, source = s.recvfrom(100)
        s.sendto(b"answer", source)
        assert (data, c.recvfrom(100)) == (b"question", (b"answer", to))
        return source


def frame(guest, bridge, src, dst, payload, **ip):
    return Ether(src=MACS[guest], dst=MACS[bridge]) / IP(src=src, dst=dst, **ip) / payload


def fence(guest, wire, sport=33333):
    """All that came out on @wire before a good packet of @guest did."""
    with udp(guest, port=sport) as c:
        c.sendto(b"the good one", (INTERNET, 9999))
    return wire.until(b"the good one")


def test_privileged_source_ports_do_not_pass(host):
    address, port = ask("a1", 500)
    assert address == UPLINK and port >= 1024
    with inside("inet"):
        server = socket.create_server((INTERNET, 80))
    with inside("a1"):
        client = socket.socket()
    server.settimeout(TIMEOUT)
    client.settimeout(TIMEOUT)
    client.bind(("", 600))
    client.connect((INTERNET, 80))
    peer, source = server.accept()
    assert source[0] == UPLINK and source[1] >= 1024
    peer.sendall(b"hello")
    assert client.recv(10) == b"hello"
    for s in (peer, client, server):
        s.close()
    host.expect()


def test_other_source_ports_are_kept(host):
    assert ask("a1", 40000) == (UPLINK, 40000)
    host.expect()


def test_each_network_has_its_port_range(host):
    for _ in range(10):
        address, port = ask("b1")
        assert address == UPLINK and 30000 <= port <= 30009
    host.expect()


@pytest.mark.parametrize("name", OWN)
def test_ping_and_the_errors_that_belong_to_it(host, name):
    outside = Wire("inet", "eth0")
    with inside(name):
        c = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with c:
        c.settimeout(TIMEOUT)
        c.connect((INTERNET, 0))
        c.send(bytes(ICMP(id=77) / b"ping"))
        answer = IP(c.recv(100))[ICMP]
        assert (answer.type, answer.id, bytes(answer.payload)) == (0, 77, b"ping")
    assert [p[IP].src for p in fence(name, outside)] == [UPLINK]
    # An error about an own packet comes back to where that came from.
    with udp(name) as c:
        c.connect((INTERNET, 9))
        c.send(b"nobody listens")
        with pytest.raises(ConnectionRefusedError):
            c.recv(1)
    host.expect()


def test_new_connections_from_outside_are_refused(host):
    guest = Wire("a1", "eth0")
    with inside("inet"):
        c = socket.socket()
    c.settimeout(TIMEOUT)
    with pytest.raises(OSError) as e:
        c.connect(("192.168.122.10", 80))
    assert e.value.errno == errno.EHOSTUNREACH
    c.close()
    with udp("host", port=7) as good:
        good.sendto(b"the host may", ("192.168.122.10", 80))
    assert not guest.until(b"the host may")
    host.expect(refused_in=1)


def test_what_conntrack_does_not_know_does_not_come_in(host):
    guest, outside = Wire("a1", "eth0"), Wire("inet", "eth0")
    outside.send(Ether(src=MACS["inet"], dst=MACS["up0"]) / IP(src=INTERNET, dst="192.168.122.10")
                 / TCP(sport=80, dport=5000, flags="R"))
    ask("a1", 40000)
    assert len(guest.until(b"answer")) == 0
    host.expect(invalid=1)


def test_established_flows_of_another_interface_do_not_help(host):
    ask("a1", 40000)
    lan = Wire("lan", "eth0")
    with udp("a1", port=40000) as c:
        c.sendto(b"x", ("10.77.0.2", 9000))
        # a refusal that the guest hears of
        c.connect(("10.77.0.2", 9000))
        c.send(b"x")
        with pytest.raises(OSError) as e:
            c.recv(1)
        assert e.value.errno == errno.EHOSTUNREACH
    with udp("host") as good:
        good.sendto(b"the host may", ("10.77.0.2", 9000))
    assert not lan.until(b"the host may")
    host.expect(refused_out=2)


# Of each guest: what is not its network's, or nobody's in it.
STRANGE = ["8.8.8.8", INTERNET, "10.77.0.2", "240.0.0.1"]
FORGED = {"a1": STRANGE + ["192.168.5.10", "192.168.121.255", "192.168.123.0", "192.168.122.255", "192.168.122.0"],
          "b1": STRANGE + ["192.168.122.10", "192.168.4.255", "192.168.5.128", "192.168.5.127", "192.168.5.0"]}
# The kernel itself takes these for martians, before any rule.
MARTIAN = ["192.168.122.1", "192.168.5.1", UPLINK, "127.0.0.1", "255.255.255.255", "224.0.0.5", "0.0.0.0"]


@pytest.mark.parametrize("name", OWN)
def test_forged_sources_do_not_leave(host, name):
    guest, outside = Wire(name, "eth0"), Wire("inet", "eth0")
    bridge = OWN[name][0]
    for i, src in enumerate(FORGED[name] + MARTIAN):
        guest.send(frame(name, bridge, src, INTERNET, UDP(sport=5000 + i, dport=53) / b"forged"))
        guest.send(frame(name, bridge, src, INTERNET, ICMP(id=i) / b"forged"))
        guest.send(frame(name, bridge, src, INTERNET, TCP(sport=5000 + i, dport=80, flags="S")))
    assert not fence(name, outside)
    host.expect(spoofed=3 * len(FORGED[name]))


@pytest.mark.parametrize("name", OWN)
def test_forged_sources_do_not_reach_the_host(host, name):
    guest = Wire(name, "eth0")
    bridge, own = OWN[name]
    with udp("host", port=53) as s:
        for src in FORGED[name] + MARTIAN:
            for dst in "192.168.122.1", UPLINK, "192.168.5.1":
                guest.send(frame(name, bridge, src, dst, UDP(sport=5000, dport=53) / src.encode()))
        guest.send(frame(name, bridge, own, UPLINK, UDP(sport=5000, dport=53) / b"good"))
        assert s.recvfrom(100) == (b"good", (own, 5000))
    host.expect(spoofed=3 * len(FORGED[name]))


@pytest.mark.parametrize("name", OWN)
def test_a_guest_without_address_reaches_dhcp(host, name):
    guest = Wire(name, "eth0")
    with udp("host", port=67) as s:
        guest.send(Ether(src=MACS[name], dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
                   / UDP(sport=68, dport=67) / b"discover")
        assert s.recvfrom(100) == (b"discover", ("0.0.0.0", 68))
    host.expect()


def test_no_ride_on_another_guests_flow(host):
    """A forged packet with the very tuple of an established flow of the other network."""
    guest, outside = Wire("a1", "eth0"), Wire("inet", "eth0")
    with udp("inet", INTERNET, 9000) as s, udp("b1", port=5000) as c:
        c.sendto(b"question", (INTERNET, 9000))
        _, source = s.recvfrom(100)
        s.sendto(b"answer", source)
        assert c.recv(100) == b"answer"
        for _ in range(3):
            guest.send(frame("a1", "vl-a", "192.168.5.10", INTERNET, UDP(sport=5000, dport=9000) / b"ride"))
        assert [p for p in fence("a1", outside) if b"ride" in bytes(p)] == []
    host.expect(spoofed=3)


def test_no_icmp_errors_into_another_networks_flow(host):
    """Conntrack calls an error about b1's flow related, whoever sends it."""
    guest, victim = Wire("a1", "eth0"), Wire("b1", "eth0")
    with udp("inet", INTERNET, 9000) as s, udp("b1", port=5000) as c:
        c.sendto(b"question", (INTERNET, 9000))
        _, source = s.recvfrom(100)
        s.sendto(b"answer", source)
        assert c.recv(100) == b"answer"
        quoted = IP(src="192.168.5.10", dst=INTERNET) / UDP(sport=5000, dport=9000) / b"12345678"
        guest.send(frame("a1", "vl-a", "192.168.122.10", "192.168.5.10", ICMP(type=3, code=4, nexthopmtu=68)
                         / Raw(bytes(quoted))))
        s.sendto(b"the good one", source)
        assert [p for p in victim.until(b"the good one") if p.haslayer(ICMP)] == []
        assert c.recv(100) == b"the good one"
    host.expect(refused_out=1)


def test_networks_do_not_reach_each_other(host):
    victim = Wire("b1", "eth0")
    with udp("a1") as c:
        c.connect(("192.168.5.10", 9000))
        c.send(b"x")
        with pytest.raises(OSError) as e:
            c.recv(1)
        assert e.value.errno == errno.EHOSTUNREACH
    with udp("host") as good:
        good.sendto(b"the host may", ("192.168.5.10", 9000))
    assert not victim.until(b"the host may")
    host.expect(refused_out=1)


def test_what_conntrack_does_not_know_does_not_leave_untranslated(host):
    guest, outside = Wire("a1", "eth0"), Wire("inet", "eth0")
    guest.send(frame("a1", "vl-a", "192.168.122.10", INTERNET, TCP(sport=5000, dport=80, flags="R")))
    guest.send(frame("a1", "vl-a", "192.168.122.10", INTERNET, TCP(sport=5000, dport=80, flags="SF")))
    run("ip netns exec fw-host nft 'table ip raw { chain pre { type filter hook prerouting priority raw; "
        "udp dport 7777 notrack; }; }'")
    guest.send(frame("a1", "vl-a", "192.168.122.10", INTERNET, UDP(sport=5000, dport=7777) / b"untracked"))
    assert not fence("a1", outside)
    host.expect(invalid=3)


@pytest.fixture
def bridge_netfilter(host):
    """br_netfilter on, and a counter that proves it."""
    if not os.path.isdir("/proc/sys/net/bridge"):
        pytest.skip("no br_netfilter (modprobe br_netfilter)")
    run("""ip netns exec fw-host bash -ec '
        for f in iptables ip6tables; do echo 1 > /proc/sys/net/bridge/bridge-nf-call-$f; done
        nft "table inet watch { counter c4 { }; counter c6 { }; chain f { type filter hook forward priority 10;
             iifname vl-a oifname vl-a meta nfproto ipv4 counter name c4
             iifname vl-a oifname vl-a meta nfproto ipv6 counter name c6 ; }; }"'""")

    def seen(name):
        out = subprocess.run(["ip", "netns", "exec", "fw-host", "nft", "-j", "list", "counter", "inet", "watch", name],
                             check=True, capture_output=True).stdout
        return json.loads(out)["nftables"][1]["counter"]["packets"]
    return seen


def test_guests_of_one_network_talk(host):
    assert ask("a1", to=("192.168.122.11", 9000), server="a2")[0] == "192.168.122.10"
    host.expect()


def test_guests_of_one_network_talk_under_br_netfilter(host, bridge_netfilter):
    assert ask("a1", 500, to=("192.168.122.11", 9000), server="a2") == ("192.168.122.10", 500)
    assert bridge_netfilter("c4") == 2
    ask("a1")
    host.expect()


def test_what_is_switched_is_not_routed_under_br_netfilter(host, bridge_netfilter):
    """IPv6, other subnets and DHCP of guests among themselves: as without br_netfilter."""
    one, two = Wire("a1", "eth0"), Wire("a2", "eth0")
    ether = Ether(src=MACS["a1"], dst=MACS["a2"])
    one.send(ether / IPv6(src="fe80::1", dst="fe80::2") / UDP(sport=5000, dport=9) / b"by IPv6")
    two.until(b"by IPv6")
    assert bridge_netfilter("c6") >= 1
    one.send(ether / IP(src="10.1.1.1", dst="10.1.1.2") / UDP(sport=5000, dport=9) / b"another subnet")
    two.until(b"another subnet")
    one.send(Ether(src=MACS["a1"], dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
             / UDP(sport=68, dport=67) / b"discover")
    two.until(b"discover")
    host.expect()


def test_forged_sources_do_not_leave_under_br_netfilter(host, bridge_netfilter):
    guest, outside = Wire("a1", "eth0"), Wire("inet", "eth0")
    for i, src in enumerate(FORGED["a1"]):
        guest.send(frame("a1", "vl-a", src, INTERNET, UDP(sport=5000 + i, dport=53) / b"forged"))
    assert not fence("a1", outside)


@pytest.mark.parametrize("name", OWN)
def test_no_ipv6_leaves(host, name):
    bridge = OWN[name][0]
    run(f"""
    ip netns exec fw-host bash -ec 'cd /proc/sys/net/ipv6/conf
        echo 0 > {bridge}/disable_ipv6; echo 0 > up0/disable_ipv6; echo 1 > all/forwarding'
    ip -n fw-host addr add fd00:a::1/64 dev {bridge} nodad; ip -n fw-host addr add fd00:c::2/64 dev up0 nodad
    ip -n fw-host neigh replace fd00:c::1 dev up0 lladdr {MACS['inet']} nud permanent""")
    guest, outside = Wire(name, "eth0"), Wire("inet", "eth0")
    guest.send(Ether(src=MACS[name], dst=MACS[bridge]) / IPv6(src="fd00:a::10", dst="fd00:c::1")
               / UDP(sport=5000, dport=9) / b"by IPv6")
    assert [p for p in fence(name, outside) if b"by IPv6" in bytes(p)] == []
    host.expect(refused_out=1)


def test_without_the_table_all_this_would_pass(host):
    """The forgeries do pass once the table is gone: the tests above can fail."""
    guest, outside = Wire("a1", "eth0"), Wire("inet", "eth0")
    run("ip netns exec fw-host nft delete table inet vmlane")
    for src in "192.168.5.10", "8.8.8.8":
        guest.send(frame("a1", "vl-a", src, INTERNET, UDP(sport=5000, dport=53) / b"forged"))
    with udp("a1", port=500) as c:
        c.sendto(b"the good one", (INTERNET, 9999))
    assert [p[IP].src for p in outside.until(b"the good one") if b"forged" in bytes(p)] == ["192.168.5.10", "8.8.8.8"]
