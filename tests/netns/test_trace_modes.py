# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace in each mode that guests' packets have: forwarded ports, bridged, across networks, fragments,
segments, IPv6, multicast, VLAN tags. Most without any daemon: with bridges and rules that were made by hand."""
import json
import signal
import socket
import subprocess
import threading

import pytest

from packet import BROADCAST, Ether, IP, UDP, Wire
from plain import Plain, get, ping, udp, without_tso
from test_trace import Trace, hop, hops, way
from world import INTERNET, UPLINK, wait_for

pytestmark = pytest.mark.usefixtures("world")
OUT = ["vm-out", "bridge-in", "route", "nat", "uplink-out"]
TO_GUEST = ["bridge-fwd", "tap-queued", "vm-read"]


@pytest.fixture
def plain(world):
    return Plain(world)


@pytest.fixture
def trace(world):
    return lambda *args: Trace(world, *args)


def forwards(world, guest):
    """Port 8080 of the uplink's address is the guest's port 80: from outside, from the host, from other guests."""
    world.host.nft(f"""table ip forwards {{
        chain first {{ type nat hook prerouting priority dstnat; ip daddr {UPLINK} tcp dport 8080 dnat to {guest.address}:80; }}
        chain own {{ type nat hook output priority -100; ip daddr {UPLINK} tcp dport 8080 dnat to {guest.address}:80; }}
        chain hairpin {{ type nat hook postrouting priority srcnat; ip saddr 10.7.0.0/24 ip daddr {guest.address} ct status dnat masquerade; }}
    }}""")
    p = guest.python("server.py", "0.0.0.0", stdout=subprocess.PIPE, log=f"{world.tmp}/forwarded.log")
    assert p.line() == "ready"


def ends(flow):
    return tuple(f"{flow[a]}:{flow[p]}" for a, p in (("src", "sport"), ("dst", "dport")))


@pytest.mark.parametrize("known", [True, False], ids=["neighbour-known", "neighbour-asked"])
def test_port_forward_from_outside(world, plain, trace, known):
    """The first packet is addressed to the host, and nobody knows yet that it is the guest's."""
    g = plain.guest(1)
    forwards(world, g)
    if known:
        assert ping(world.host, g.address)
    t = trace("vnet1", "tcp")
    assert "203.0.113.1" in get(world.internet, f"http://{UPLINK}:8080/")
    t.packet("FIN", direction="in"), t.packet("FIN", direction="out")
    t.end()
    there = [p for p in t.seen if p["direction"] == "in"]
    assert there[0]["text"].endswith(f"> {UPLINK}:8080 SYN, 60 bytes")
    assert "table" not in hop(there[0], "route")["route"], "of the first the table is not known any more"
    for p in there:
        assert way(p) == ["uplink-in", "route", "nat"] + TO_GUEST, p
        assert hop(p, "route")["route"]["dev"] == "br0"
        assert hop(p, "uplink-in")["dev"] == "eth0" and hop(p, "nat")["after"]["dst"] == g.address
        assert ends(hop(p, "nat")["before"])[1] == f"{UPLINK}:8080"
    back = [p for p in t.seen if p["direction"] == "out"]
    assert {tuple(way(p)) for p in back} == {tuple(OUT)}
    assert back[0]["reply_to"] == there[0]["packet"] and "SYN,ACK" in back[0]["text"]
    assert hop(back[0], "nat")["after"]["src"] == UPLINK
    assert {p["verdict"] for p in t.seen} == {"DELIVERED"}


def test_port_forward_from_the_host_and_from_a_guest(world, plain, trace):
    g, other = plain.guest(1), plain.guest(2)
    forwards(world, g)
    t = trace("vnet1", "tcp")
    get(world.host, f"http://{UPLINK}:8080/")
    syn = t.packet("SYN", direction="in")
    assert way(syn) == ["host-out"] + TO_GUEST and hop(syn, "host-out")["dev"] == "br0"
    answer = t.packet("SYN,ACK", direction="out")
    assert way(answer) == ["vm-out", "bridge-in", "route", "host-in"] and answer["reply_to"] == syn["packet"]
    t.end()
    t = trace("vnet1", "tcp")
    get(other, f"http://{UPLINK}:8080/")
    syn = t.packet("SYN", direction="in")
    assert hop(syn, "vm-out")["dev"] == "vnet2" and way(syn)[-3:] == TO_GUEST
    changes = [h for h in syn["hops"] if h["hop"] == "nat"]
    assert changes[0]["before"]["dst"] == UPLINK and changes[-1]["after"]["dst"] == g.address
    assert changes[0]["before"]["src"] == other.address and changes[-1]["after"]["src"] == "10.7.0.1"
    answer = t.packet("SYN,ACK", direction="out")
    assert hop(answer, "bridge-fwd")["ports"] == ["vnet2"] and answer["reply_to"] == syn["packet"]
    t.end()


@pytest.mark.parametrize("netfilter", [True, False], ids=["br_netfilter", "without"])
def test_bridged(world, plain, trace, netfilter):
    """The uplink is itself a port of the guest's bridge."""
    plain.uplink_into_bridge()
    plain.bridge_netfilter(netfilter)
    g = plain.guest(1, address="203.0.113.50", gateway="203.0.113.1")
    assert ping(world.host, "203.0.113.1") and ping(g, INTERNET)
    t = trace("vnet1", "icmp")
    assert ping(g, INTERNET)
    out = t.packet("echo request")
    assert way(out) == ["vm-out", "bridge-fwd", "uplink-out"] and out["end"] == "DELIVERED out by eth0"
    back = t.packet("echo reply")
    assert way(back) == ["uplink-in"] + TO_GUEST and back["reply_to"] == out["packet"]
    assert ping(world.internet, g.address)
    request = t.packet("203.0.113.1 > 203.0.113.50 echo request")
    assert way(request) == ["uplink-in"] + TO_GUEST and hop(request, "uplink-in")["dev"] == "eth0"
    assert ping(world.host, g.address)
    assert way(t.packet(f"{UPLINK} > 203.0.113.50 echo request")) == ["host-out"] + TO_GUEST
    assert t.packet(f"203.0.113.50 > {UPLINK} echo reply")["end"] == "DELIVERED to the host"
    # With br_netfilter IP's rules see bridged frames too, once they are asked for.
    for _ in range(5):
        assert ping(g, INTERNET)
    assert t.end()["dropped"] == 0
    assert any("fw" in hops(p) for p in t.seen if p["text"].startswith(f"icmp {g.address} > {INTERNET}")) == netfilter


def test_across_two_networks(plain, trace):
    plain.bridge("br1", "10.8.0.1/24")
    a, b = plain.guest(1), plain.guest(2, "br1", "10.8.0.5", "10.8.0.1")
    t = trace("vnet1", "icmp")
    assert ping(a, b.address)
    out = t.packet("echo request")
    assert way(out) == ["vm-out", "bridge-in", "route", "bridge-fwd"] and hop(out, "bridge-fwd")["ports"] == ["vnet2"]
    assert hop(out, "route")["route"]["dev"] == "br1"
    back = t.packet("echo reply")
    assert way(back) == ["vm-out", "bridge-in", "route"] + TO_GUEST
    assert [h["dev"] for h in back["hops"] if h["hop"] in ("vm-out", "bridge-in")] == ["vnet2", "br1"]
    assert back["reply_to"] == out["packet"]
    t.end()


def test_host_to_guest(world, plain, trace):
    g = plain.guest(1)
    t = trace("vnet1")
    assert ping(world.host, g.address)
    asked = t.packet(f"arp who-has {g.address} tell 10.7.0.1")
    assert way(asked) == ["host-out"] + TO_GUEST
    told = t.packet(f"arp {g.address} is at")
    assert way(told) == ["vm-out", "bridge-in"] and told["end"] == "DELIVERED to the host"
    out = t.packet("echo request")
    assert way(out) == ["host-out"] + TO_GUEST and out["direction"] == "in"
    assert t.packet("echo reply")["reply_to"] == out["packet"]
    t.end()


def test_dhcp_all_four(guest, trace):
    """Broadcasts: to the other guests, and up to the host's server, which reads them by a packet socket. None is a DROP."""
    g = guest("web1")
    guest("web2")
    t = trace("web1", "udp")
    g.dhcp()
    t.end()
    four = [p for p in t.seen if "DHCP" in p["text"]]
    assert [p["direction"] for p in four] == ["out", "in", "out", "in"]
    assert {p["verdict"] for p in four} == {"DELIVERED"}
    for p in four[::2]:
        assert "bridge-in" in hops(p) and p["end"] == "DELIVERED to vl-web2 and the host"
    for p in four[1::2]:
        assert way(p) == ["host-out"] + TO_GUEST and p["end"] == "DELIVERED to the guest"


@pytest.fixture(params=[True, False], ids=["br_netfilter", "without"])
def reassembled(plain, request):
    """The way in of fragments: conntrack puts them together at the bridge's port, or where they are IP's."""
    plain.bridge_netfilter(request.param)
    return ["vm-out", "reassembled", "bridge-in"] if request.param else ["vm-out", "bridge-in", "reassembled"]


def test_fragments_with_nat(world, plain, trace, reassembled):
    """conntrack puts them together and the host takes them apart again: one journey, and what waited for it says so."""
    g = plain.guest(1)
    assert ping(g, INTERNET)
    t = trace("vnet1", "ip")  # and not what its IPv6 says of itself when it likes
    with udp(g) as s:
        s.sendto(b"x" * 3000, (INTERNET, 9))
        port = s.getsockname()[1]
    whole = t.packet("fragment at 2960 (last)", direction="out")
    assert way(whole) == [*reassembled, "route", "nat", "uplink-out"]
    assert hop(whole, "reassembled")["pieces"] == 3 and hop(whole, "reassembled")["text"] == "from 3 fragments, 3028 bytes"
    assert ends(hop(whole, "nat")["before"]) == (f"{g.address}:{port}", f"{INTERNET}:9")
    assert hop(whole, "nat")["after"]["src"] == UPLINK
    assert hop(whole, "uplink-out")["pieces"] == 3 and hop(whole, "uplink-out")["text"] == "eth0 in 3 pieces"
    for part in ("fragment at 0", "fragment at 1480"):
        piece = t.packet(part, direction="out")
        assert way(piece) == reassembled[:reassembled.index("reassembled")] and piece["verdict"] == "JOINED" and piece["joined"] == whole["packet"]
        assert piece["end"] == f"JOINED: goes on in #{whole['packet']}"
    assert t.end()["dropped"] == 0, [(p["text"], p["end"], p["hops"][-1]) for p in t.seen if p["verdict"] == "DROP"]
    # And in: a reply of two pieces to a question of two.
    t = trace("vnet1", "udp")
    with udp(g) as s:
        s.settimeout(5)
        s.sendto(b"y" * 1900, (INTERNET, 7777))
        assert len(s.recv(9000)) > 1900
    back = t.packet("fragment at 0", direction="in")
    assert way(back)[0] == "uplink-in" and way(back)[-3:] == TO_GUEST and hop(back, "tap-queued")["pieces"] == 2
    assert hop(back, "bridge-fwd")["copies"] == 1 and hop(back, "nat")["after"]["dst"] == g.address
    t.end()
    assert "LOST-SIGHT" not in {p["verdict"] for p in t.seen}


def test_fragments_to_the_host_and_back(plain, trace, reassembled):
    g = plain.guest(1)
    assert ping(g, "10.7.0.1")
    t = trace("vnet1", "icmp")
    assert ping(g, "10.7.0.1", "-s", "3000")
    whole = t.packet("fragment at 2960 (last)", direction="out")
    assert way(whole) == [*reassembled, "route", "host-in"]
    assert hop(whole, "reassembled")["text"] == "from 3 fragments, 3028 bytes"
    back = t.packet("echo reply", direction="in")
    assert way(back) == ["host-out"] + TO_GUEST and hop(back, "tap-queued")["pieces"] == 3
    t.end()
    assert sorted(p["verdict"] for p in t.seen) == ["DELIVERED"] * 2 + ["JOINED"] * 2


def test_fragments_bridged_stay_what_they_are(plain, trace):
    plain.bridge_netfilter(False)
    a, b = plain.guest(1), plain.guest(2)
    assert ping(a, b.address)
    t = trace("vnet1", "src", "host", a.address)
    with udp(a) as s:
        s.sendto(b"x" * 3000, (b.address, 9))
    pieces = [t.packet(f"fragment at {at}", direction="out") for at in (0, 1480, 2960)]
    assert all(way(p) == ["vm-out", "bridge-fwd"] and p["verdict"] == "DELIVERED" for p in pieces)
    t.end()


class Mirror:
    """Takes all that a connection brings to its end, and sends as much back."""

    def __init__(self, ns):
        with ns.enter():
            self.s = socket.create_server(("0.0.0.0", 9999))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        conn, _ = self.s.accept()
        n = 0
        while data := conn.recv(65536):
            n += len(data)
        conn.sendall(b"y" * n)
        conn.close()
        self.s.close()


def exchange(ns, size):
    """@size bytes to the mirror, and as many back."""
    with ns.enter():
        s = socket.create_connection((INTERNET, 9999))
    with s:
        s.sendall(b"x" * size)
        s.shutdown(socket.SHUT_WR)
        n = 0
        while data := s.recv(65536):
            n += len(data)
    assert n == size


@pytest.mark.parametrize("tso", [True, False], ids=["tso", "segmented-on-the-way"])
def test_large_tcp(world, guest, trace, tso):
    """A tap whose guest leaves it to the host to make segments: one hop for all of them, wherever they are made."""
    g = guest("web1")
    g.dhcp()
    if not tso:
        without_tso(world.host, "eth0")
        without_tso(world.host, g.show()["tap"])
    Mirror(world.internet)
    t = trace("web1", "tcp")
    exchange(g.ns, 300000)
    t.packet("FIN", direction="in")
    t.end()
    data = {d: [p for p in t.seen if p["direction"] == d and p["length"] > 100] for d in ("in", "out")}
    large = [p for p in data["out"] if " segments" in p["text"]]
    assert large, [p["text"] for p in data["out"]]
    for p in data["out"]:
        assert way(p) == OUT and p["verdict"] == "DELIVERED", p
    for p in data["in"]:
        assert [h for h in way(p) if h != "route"] == ["uplink-in", "nat"] + TO_GUEST and p["verdict"] == "DELIVERED", p
    for p in large:
        n = int(p["text"].split(" in ")[1].split()[0])
        assert n > 1 and hop(p, "uplink-out").get("pieces") == (None if tso else n), p
    # All of it was seen, and nothing twice but what was sent twice.
    for d in ("in", "out"):
        sent = sum(p["length"] - 52 for p in data[d])
        assert 299000 <= sent, (d, sent)


def test_jumbo(plain, world, trace):
    a, b = plain.guest(1), plain.guest(2)
    for ns, devs in ((world.host, ("vnet1", "vnet2", "br0")), (a, ("eth0",)), (b, ("eth0",))):
        for dev in devs:
            ns.run("ip", "link", "set", dev, "mtu", 9000)
    t = trace("vnet1", "icmp")
    assert ping(a, b.address, "-s", "8900")
    out, back = t.packet("echo request"), t.packet("echo reply")
    assert out["length"] == back["length"] == 8928 and way(back) == ["vm-out"] + TO_GUEST
    t.end()


def test_ipv6(world, plain, trace):
    world.host.run("sh", "-ec", "sysctl -qw net.ipv6.conf.all.forwarding=1; ip addr add fd07::1/64 dev br0 nodad;"
                   "ip addr add fd03::2/64 dev eth0 nodad; ip route add default via fd03::1")
    world.internet.run("sh", "-ec", "ip addr add fd03::1/64 dev eth0 nodad; ip route add fd07::/64 via fd03::2; ip addr add fd98::7/128 dev lo")
    a, b = plain.guest(1), plain.guest(2)
    for ns, n in ((a, 11), (b, 12)):
        ns.run("sh", "-ec", f"ip addr add fd07::{n}/64 dev eth0 nodad; ip route add default via fd07::1")
    t = trace("vnet1")
    wait_for("the way out", lambda: ping(a, "fd98::7"))
    asked = t.packet("fd07::11 > ff02::1:ff00:1 neighbour solicitation")
    assert set(way(asked)) >= {"vm-out", "bridge-fwd", "bridge-in"} and asked["verdict"] == "DELIVERED"
    told = t.packet("fd07::1 > fd07::11 neighbour advertisement")
    assert way(told) == ["host-out"] + TO_GUEST
    back = t.packet("fd98::7 > fd07::11 echo reply")
    assert way(back) == ["uplink-in", "route"] + TO_GUEST
    out = next(p for p in t.seen if p["packet"] == back["reply_to"])
    assert way(out) == ["vm-out", "bridge-in", "route", "uplink-out"]
    assert hop(out, "route")["route"] == {"table": 254, "error": 0, "gateway": "fd03::1", "dev": "eth0"}
    assert ping(a, "fd07::12")
    reply = t.packet("fd07::12 > fd07::11 echo reply")
    assert way(reply) == ["vm-out"] + TO_GUEST and hop(reply, "vm-out")["dev"] == "vnet2"
    assert ping(a, "fd07::1")
    assert way(t.packet("fd07::11 > fd07::1 echo request")) == ["vm-out", "bridge-in", "route", "host-in"]
    world.host.run("ip", "-6", "route", "add", "blackhole", "fd99::/64")
    assert not ping(a, "fd99::1", "-W", "1")
    lost = t.packet("fd07::11 > fd99::1 echo request")
    assert lost["verdict"] == "DROP" and hop(lost, "route")["text"].startswith("blackhole route to fd99::1")
    t.end()


def test_multicast_to_two_guests(plain, trace):
    """mDNS: whom it went to, as its sender and as one who got it see it."""
    a = plain.guest(1)
    plain.guest(2), plain.guest(3)
    sender, receiver = trace("vnet1", "udp"), trace("vnet2", "udp")
    with udp(a) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        s.sendto(bytes(40), ("224.0.0.251", 5353))
    out = sender.packet("mDNS")
    assert set(hop(out, "bridge-fwd")["ports"]) == {"vnet2", "vnet3"} and out["end"] == "DELIVERED to 2 ports and the host"
    got = receiver.packet("mDNS")
    assert way(got) == ["vm-out"] + TO_GUEST and hop(got, "vm-out")["dev"] == "vnet1" and got["direction"] == "in"
    sender.end(), receiver.end()


@pytest.mark.parametrize("off", [0, 1], ids=["ipv6", "no-ipv6"])
def test_how_multicast_is_kept_in_order(world, plain, trace, off):
    """Reports of IGMP and MLD, who looks for routers and for its own address: the only guest's, which the bridge floods to
    the host alone. Nobody there wants them, and nothing is wrong."""
    g = plain.guest(1)
    world.host.run("sh", "-ec", f"echo {off} >/proc/sys/net/ipv6/conf/br0/disable_ipv6")
    t = trace("vnet1")
    g.run("sh", "-ec", "for off in 1 0; do echo $off >/proc/sys/net/ipv6/conf/eth0/disable_ipv6; done")
    with udp(g) as s:
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton("239.1.2.3") + socket.inet_aton(g.address))
        for what in ("multicast listener report", "neighbour solicitation", "router solicitation", "igmp"):
            t.packet(what, direction="out")
    t.end()
    wrong = [p for p in t.seen if p["direction"] == "out" and (p["verdict"] == "DROP" or p["diagnosis"])]
    assert not wrong, [(p["text"], p["end"], hops(p), p["hops"][-1]["text"]) for p in wrong]


def test_vlan_tags(plain, trace):
    """One tag, which the kernel takes out of the frame on its way, and two."""
    from scapy.layers.l2 import Dot1AD, Dot1Q  # pylint: disable=import-outside-toplevel
    a, b = plain.guest(1), plain.guest(2)
    assert ping(a, b.address)
    macs = [ns.links()["eth0"]["address"] for ns in (a, b)]
    wire, listener = Wire(a), Wire(b)
    t = trace("vnet1")
    inner = IP(src="10.5.0.11", dst="10.5.0.12") / UDP(sport=5, dport=9) / b"hello"
    wire.send(Ether(src=macs[0], dst=macs[1]) / Dot1Q(vlan=5) / inner)
    one = t.packet("udp 10.5.0.11:5 > 10.5.0.12:9 vlan 5, 33 bytes")
    assert way(one) == ["vm-out", "bridge-fwd"] and one["vlan"] == 5
    wire.send(Ether(src=macs[0], dst=macs[1]) / Dot1AD(vlan=6) / Dot1Q(vlan=7) / inner)
    two = t.packet("udp 10.5.0.11:5 > 10.5.0.12:9 vlan 7, 33 bytes")
    assert way(two) == ["vm-out", "bridge-fwd"]
    wire.send(Ether(src=macs[0], dst=BROADCAST, type=0x88B5) / b"no protocol that anybody knows")
    assert t.packet("ethertype 0x88b5")["verdict"] == "DELIVERED"
    t.end()
    assert sum(b"hello" in bytes(f) for f in listener.frames(0.2)) == 2
    wire.close(), listener.close()


def test_retransmissions_are_packets_of_their_own(world, plain, trace):
    """The first SYN is lost out there: two journeys, and the answer is the second's."""
    g = plain.guest(1)
    world.internet.nft("table ip lossy { set seen { type inet_service; flags dynamic; size 64; }; chain in { type filter hook input priority 0;"
                       "tcp dport 80 tcp flags syn tcp sport != @seen add @seen { tcp sport } drop; }; }")
    t = trace("vnet1", "tcp")
    get(g, f"http://{INTERNET}/")
    answer = t.packet("SYN,ACK")
    t.packet("FIN", direction="in")
    t.end()
    syns = [p for p in t.seen if p["text"].endswith("SYN, 60 bytes")]
    assert len(syns) == 2 and all(way(p) == OUT for p in syns)
    assert answer["reply_to"] == syns[1]["packet"]
    assert syns[0]["flow"] == syns[1]["flow"]


def test_flood(world, plain):
    """10,000 packets as fast as they go: all are accounted for, as seen or as lost."""
    g = plain.guest(1)
    assert ping(g, INTERNET)
    t = Trace(world, "vnet1", "--summary", "udp")
    with udp(g) as s:
        for i in range(10000):
            s.sendto(b"%d" % i, (INTERNET, 9))
    t.p.p.send_signal(signal.SIGINT)
    lines = []
    while not lines or lines[-1]["event"] != "end":
        lines.append(json.loads(t.p.line()))
    assert t.p.wait() == 0
    out = sum(w["packets"] for w in lines if w["event"] == "way" and w["way"].startswith("vm-out"))
    lost = lines[-1]["lost"]
    assert out == 10000 or out + lost["packets"] + lost["events"] >= 10000, lines
    assert lost["unreadable"] == 0
