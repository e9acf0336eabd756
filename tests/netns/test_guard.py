# SPDX-License-Identifier: GPL-2.0-or-later
"""Guards at guests' ports: what a guest must not send reaches nobody, and a normal guest notices nothing.

Each attack is a frame with a mark in it, sent from guest `mallory`; behind it goes an honest frame with
another mark. That one has to arrive at the victim, and tells that no more will come: the attack is either
seen before it, or was dropped. With the guard's switch off the same frame has to arrive.
"""
import ipaddress
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import time

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6_Reply
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6MLReport2, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS,
                                ICMPv6ND_Redirect, ICMPv6EchoRequest, ICMPv6NDOptDstLLAddr,
                                ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IPv6, IPv6ExtHdrDestOpt,
                                IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, HBHOptUnknown, PadN, RouterAlert)
from scapy.layers.l2 import ARP, LLC, STP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.packet import Raw

import bpfprog
from daemon import DEFAULT, HOOKS
from guest import stop_stream
from packet import BROADCAST, DhcpPeer, Wire
from world import INTERNET, wait_for

GUARDED = DEFAULT + "guard: on\n"
SIX = GUARDED + "ipv6: { subnet: fd00:a::/64 }\n"
ROUTER, ROUTER6 = "192.168.122.1", "fd00:a::1"
STRANGER = "02:00:00:00:00:77"
EVIL = b"an attack, 7e57"
END = b"the end, 7e57"
PIN_DIR = "/sys/fs/bpf/vmlane"
TO_ALL6 = {"dst": "33:33:00:00:00:01"}


def eui64(mac):
    """The last half of an IPv6 address that is made of @mac."""
    b = bytes.fromhex(mac.replace(":", ""))
    return f"{b[0] ^ 2:02x}{b[1]:02x}:{b[2]:02x}ff:fe{b[3]:02x}:{b[4]:02x}{b[5]:02x}"


def local(mac):
    return f"fe80::{eui64(mac)}"


def arrives(victim, sender, *frames, dev="eth0"):
    """Which of @frames (their numbers) reach @victim's wire: those that hold EVIL and their number."""
    heard, wire = Wire(victim.ns, dev=dev), Wire(sender.ns)
    for i, f in enumerate(frames):
        wire.send(f / Raw(EVIL + bytes([i])))
    wire.send(Ether(src=sender.mac, dst=BROADCAST) / IP(src=sender.ip, dst="192.168.122.255") / UDP(sport=9, dport=9) / END)
    got = set()
    for f in heard.frames(10):
        data = bytes(f)
        if END in data:
            break
        at = data.find(EVIL)
        if at >= 0 and data[6:12] != bytes(6):
            got.add(data[at + len(EVIL)])
    else:
        raise AssertionError("what is honest does not arrive either")
    heard.close()
    wire.close()
    return got


def dropped(d, name):
    """Of each guard what it has dropped so far."""
    return {k: v["dropped"] for k, v in d.get(f"/v1/guests/{name}")["guard"].items()}


class Net:
    """alice, who is a normal guest, and mallory; with an address each."""

    def __init__(self, d, guest):
        self.d, self.guest = d, guest
        self.alice, self.mallory = guest("alice", d=d), guest("mallory", d=d, tap=True)
        for g in (self.alice, self.mallory):
            g.dhcp()
        self.bridge = d.world.host.links()["vl-default"]["address"]

    def attack(self, guard, *frames, victim=None):
        """All of @frames are dropped and counted by @guard."""
        before = dropped(self.d, "mallory")[guard]
        got = arrives(victim or self.alice, self.mallory, *frames)
        assert got == set(), f"{guard}: {[frames[i].summary() for i in got]} got through"
        assert dropped(self.d, "mallory")[guard] >= before + len(frames)

    def switch(self, guard, on):
        self.d.vmlane("network", "set", "default", f"guests.mallory.guard.{guard}={on}")

    def both(self, guard, *frames):
        """Dropped, and with the guard off not."""
        self.attack(guard, *frames)
        self.switch(guard, "off")
        assert arrives(self.alice, self.mallory, *frames) == set(range(len(frames)))
        self.switch(guard, "on")
        self.attack(guard, *frames)


@pytest.fixture
def net(daemon, guest):
    return Net(daemon({"default.yaml": SIX}), guest)


# ---- attacks ----


def test_mac(net):
    a, m = net.alice, net.mallory
    frames = [Ether(src=src, dst=BROADCAST) / IP(src=m.ip, dst="192.168.122.255") / UDP(sport=9, dport=9)
              for src in (STRANGER, a.mac, net.bridge)]
    net.attack("mac", *frames)
    # Nobody's MAC was taken over: alice still gets what is hers.
    assert a.ping(ROUTER) and m.ping(a.ip)
    net.switch("mac", "off")
    assert arrives(a, m, frames[0]) == {0}
    # Also without the guard at mallory's port alice's MAC stays where alice is.
    arrives(a, m, frames[1])
    assert a.ping(ROUTER) and m.ping(a.ip)


def test_ip4(net):
    a, m = net.alice, net.mallory
    net.both("ip", *[Ether(src=m.mac, dst=a.mac) / IP(src=src, dst=a.ip) / UDP(sport=9, dport=9)
                     for src in (ROUTER, "192.168.122.77", "8.8.8.8", "0.0.0.0", "127.0.0.1")])
    # alice's own address, which its kernel would not take from outside.
    net.attack("ip", Ether(src=m.mac, dst=BROADCAST) / IP(src=a.ip, dst="192.168.122.255") / UDP(sport=9, dport=9),
               Ether(src=m.mac, dst=a.mac) / IP(src=a.ip, dst=m.ip) / TCP(flags="R"),
               Ether(src=m.mac, dst=a.mac) / IP(src=ROUTER, dst=a.ip, frag=5) / b"a later piece",
               Ether(src=m.mac, dst=a.mac) / IP(src=ROUTER, dst=a.ip, options=b"\1\1\1\1") / ICMP(type=5, code=1))


def test_arp(net):
    a, m = net.alice, net.mallory
    arps = [Ether(src=m.mac, dst=BROADCAST) / ARP(op=op, hwsrc=m.mac, psrc=ip, pdst=dst)
            for op, ip, dst in ((2, ROUTER, a.ip), (1, ROUTER, ROUTER), (1, "192.168.122.77", ROUTER), (2, a.ip, ROUTER))]
    net.both("arp", *arps)
    # Whose MAC it tells of counts, not only who sends it.
    net.attack("arp", Ether(src=m.mac, dst=a.mac) / ARP(op=2, hwsrc=STRANGER, psrc=m.ip, pdst=a.ip),
               Ether(src=m.mac, dst=a.mac) / ARP(op=2, hwsrc=a.mac, psrc=ROUTER, pdst=a.ip),
               Ether(src=m.mac, dst=a.mac) / ARP(op=1, hwsrc=STRANGER, psrc="0.0.0.0", pdst=a.ip),
               Ether(src=m.mac, dst=a.mac) / ARP(hwtype=6, op=2, hwsrc=m.mac, psrc=ROUTER, pdst=a.ip))
    assert a.ping(ROUTER) and a.ns.ip("neigh", "show", ROUTER, "dev", "eth0")[0]["lladdr"] == net.bridge


def test_arp_that_is_not_ethernet_and_ip4(net):
    """Its fields would be elsewhere than they are looked for."""
    m = net.mallory
    frame = Ether(src=m.mac, dst=BROADCAST, type=0x0806) / Raw(struct.pack("!HHBBH", 1, 0x0800, 8, 4, 2) + bytes(24))
    net.attack("arp", frame)


def test_ip6(net):
    a, m = net.alice, net.mallory
    a.slaac("fd00:a::/64")
    net.both("ip", *[Ether(src=m.mac, dst=a.mac) / IPv6(src=src, dst=local(a.mac)) / UDP(sport=9, dport=9)
                     for src in (ROUTER6, local(net.bridge), "2001:db8::1", f"fd00:a::{eui64(a.mac)}", local(a.mac),
                                 "fe80:1::1", "::1", "::")])


def test_nd(net):
    a, m = net.alice, net.mallory
    theirs = f"fd00:a::{eui64(a.mac)}"
    na = [Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255)
          / ICMPv6ND_NA(R=0, S=0, O=1, tgt=tgt) / ICMPv6NDOptDstLLAddr(lladdr=mac)
          for tgt, mac in ((ROUTER6, m.mac), (local(net.bridge), m.mac), (theirs, m.mac), ("2001:db8::1", m.mac),
                           (local(m.mac), STRANGER))]
    ns = [Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255)
          / ICMPv6ND_NS(tgt=theirs) / ICMPv6NDOptSrcLLAddr(lladdr=STRANGER),
          # As if it looked for duplicates of alice's address, or the router's: they would give it up.
          Ether(src=m.mac, **TO_ALL6) / IPv6(src="::", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt=theirs),
          Ether(src=m.mac, **TO_ALL6) / IPv6(src="::", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt=ROUTER6),
          Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255)
          / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=STRANGER)]
    net.both("nd", *na, *ns)
    # Behind other headers too.
    net.attack("nd", Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255)
               / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")]) / ICMPv6ND_NA(tgt=ROUTER6, O=1)
               / ICMPv6NDOptDstLLAddr(lladdr=m.mac))


def rogue_dhcp(m, **to):
    return Ether(src=m.mac, **to) / IP(src=m.ip, dst="255.255.255.255") / UDP(sport=67, dport=68) \
        / BOOTP(op=2, yiaddr="192.168.122.99", siaddr=m.ip, chaddr=b"\x52\x54") \
        / DHCP(options=[("message-type", "offer"), ("server_id", m.ip), ("router", m.ip), "end"])


def test_dhcp(net):
    m = net.mallory
    net.both("dhcp", rogue_dhcp(m, dst=BROADCAST), rogue_dhcp(m, dst=net.alice.mac),
             *[Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1") / UDP(sport=547, dport=546) / x()
               for x in (DHCP6_Advertise, DHCP6_Reply)])
    net.attack("dhcp", Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1")
               / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")]) / UDP(sport=547, dport=546) / DHCP6_Reply(),
               # its first piece has all that a client needs
               Ether(src=m.mac, dst=BROADCAST) / IP(src=m.ip, dst="255.255.255.255", flags="MF") / UDP(sport=67, dport=68) / BOOTP(op=2))


def test_ra(net):
    m = net.mallory
    head = Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255)
    ra = ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64)
    frames = [head / ra, head / ICMPv6ND_Redirect(tgt=local(m.mac), dst="2001:db8::7"),
              head / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0\0\0\0")]) / ra,
              head / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0\0\0\0")]) / ra,
              head / IPv6ExtHdrFragment(offset=0, m=0, id=7) / ra,
              # behind all that is looked at
              head / IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=0x1E, optdata=bytes(240))] * 4) / ra]
    net.attack("ra", *frames)
    routes = net.alice.ns.run("ip", "-6", "route")
    addresses = net.alice.ns.run("ip", "-6", "addr")
    assert "bad" not in addresses and local(m.mac) not in routes
    net.switch("ra", "off")
    # What is behind all that is looked at could be a DHCP server's as well, or a neighbour's.
    assert arrives(net.alice, m, *frames) == set(range(len(frames) - 1))
    for guard in ("dhcp", "nd"):
        net.switch(guard, "off")
    assert arrives(net.alice, m, *frames) == set(range(len(frames)))


def test_ethertype(net):
    a, m = net.alice, net.mallory
    ip = IP(src=m.ip, dst=a.ip) / UDP(sport=9, dport=9)
    net.both("ethertype", Ether(src=m.mac, dst=a.mac, type=0x88B5), Ether(src=m.mac, dst=BROADCAST, type=0x88CC),
             Ether(src=m.mac, dst=a.mac, type=0x8863), Ether(src=m.mac, dst=a.mac) / Dot1Q(vlan=7) / ip,
             Ether(src=m.mac, dst=a.mac) / Dot1AD(vlan=7) / Dot1Q(vlan=8) / ip,
             Ether(src=m.mac, dst=a.mac) / LLC(dsap=0xE0, ssap=0xE0, ctrl=3))


def test_tags_hide_nothing(net):
    """What is within a tag is looked at, also where tags are let pass; priority alone is no VLAN."""
    a, m = net.alice, net.mallory
    spoof = IP(src=ROUTER, dst=a.ip) / UDP(sport=9, dport=9)
    tagged = [Ether(src=m.mac, dst=a.mac) / Dot1Q(vlan=v, prio=5) for v in (0, 7)]
    assert arrives(a, m, tagged[0] / IP(src=m.ip, dst=a.ip) / UDP(sport=9, dport=9)) == {0}
    net.attack("ip", tagged[0] / spoof)
    net.attack("arp", tagged[0] / ARP(op=2, hwsrc=m.mac, psrc=ROUTER, pdst=a.ip))
    net.switch("ethertype", "off")
    net.attack("ip", tagged[0] / spoof, tagged[1] / spoof)
    net.attack("arp", tagged[1] / ARP(op=2, hwsrc=m.mac, psrc=ROUTER, pdst=a.ip))
    net.attack("dhcp", tagged[1] / IP(src=m.ip, dst="255.255.255.255") / UDP(sport=67, dport=68) / BOOTP(op=2))
    net.attack("ra", tagged[1] / IPv6(src=local(m.mac), dst="ff02::1", hlim=255) / ICMPv6ND_RA())


def test_bpdu(net):
    m = net.mallory
    bpdu = Ether(src=m.mac, dst="01:80:c2:00:00:00") / LLC(dsap=0x42, ssap=0x42, ctrl=3) / STP(rootid=0)
    net.attack("bpdu", bpdu)
    # LLDP, LACP and the others end at the port, whatever its guards are.
    others = [Ether(src=m.mac, dst=f"01:80:c2:00:00:{n:02x}", type=0x88CC) for n in (2, 3, 0x0E)]
    assert arrives(net.alice, m, *others) == set()
    for guard in ("bpdu", "ethertype"):
        net.switch(guard, "off")
    assert arrives(net.alice, m, bpdu) == {0}
    assert arrives(net.alice, m, *others) == set()


def test_spanning_tree_has_its_root(daemon, guest):
    """Where the bridge takes part in it, too: what guards drop it never hears."""
    d = daemon({"default.yaml": GUARDED + "switch: { stp: on }\nguests:\n  trusted: { guard: { bpdu: off, ethertype: off } }\n"})
    m, t = guest("mallory", d=d), guest("trusted", d=d)

    def root():
        info = d.world.host.links()["vl-default"]["linkinfo"]["info_data"]
        return info["root_id"]

    def better(g):
        return Dot3(dst="01:80:c2:00:00:00", src=g.mac) / LLC(dsap=0x42, ssap=0x42, ctrl=3) \
            / STP(rootid=0, rootmac="00:00:00:00:00:01", bridgeid=0, bridgemac=g.mac, maxage=20, hellotime=2, fwddelay=2)

    for g in (m, t):
        wait_for("forwarding", lambda g=g: any(p["guest"] == g.name and p["state"] == "forwarding" for p in d.get("/v1/ports")["ports"]))
    mine = root()
    wires = {g: Wire(g.ns) for g in (m, t)}

    def heard():
        wires[m].send(better(m))
        return dropped(d, "mallory")["bpdu"]

    wait_for("the drop", heard)
    assert root() == mine and all(p["state"] == "forwarding" for p in d.get("/v1/ports")["ports"] if p["guest"] == "mallory")

    wires[t].send(better(t))
    # What comes behind it has been looked at, so it has too.
    assert t.ping(ROUTER) if t.dhcp() else False
    assert not any(dropped(d, "trusted").values())
    ports = {p["ifname"]: p["root_block"] for p in json.loads(d.world.host.run("bridge", "-d", "-j", "link", "show"))
             if p["ifname"].startswith("vl-")}
    assert ports == {"vl-mallory": True, "vl-trusted": False}
    d.write("default.yaml", GUARDED + "switch: { stp: on }\nguests:\n  trusted: {}\n  mallory: { guard: { bpdu: off } }\n")
    assert {"~ vl-trusted: root guard on", "~ vl-mallory: root guard off"} <= {c["text"] for c in d.vmlane("diff")["changes"]}
    d.vmlane("apply")
    # The kernel itself sets the ageing for a while after such a thing.
    assert not [c for c in d.vmlane("diff")["changes"] if "guard" in c["text"]]


# ---- what must pass ----


def test_normal_guest_notices_nothing(net):
    """ARP probes and announcements, multicast reports, its own privacy addresses, DHCP without address."""
    a, m = net.alice, net.mallory
    other = "fd00:a::dead:beef:1:2"
    head6 = {"src": m.mac, **TO_ALL6}
    frames = [Ether(src=m.mac, dst=BROADCAST) / ARP(op=1, hwsrc=m.mac, psrc="0.0.0.0", pdst=m.ip),
              Ether(src=m.mac, dst=BROADCAST) / ARP(op=1, hwsrc=m.mac, psrc=m.ip, pdst=m.ip),
              Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=m.mac, psrc=m.ip, pdst=m.ip),
              Ether(src=m.mac, dst="01:00:5e:00:00:fb") / IP(src=m.ip, dst="224.0.0.251") / UDP(sport=5353, dport=5353),
              Ether(src=m.mac, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67),
              Ether(**head6) / IPv6(src="::", dst="ff02::1", hlim=255) / ICMPv6ND_NS(tgt=other),
              Ether(**head6) / IPv6(src=other, dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=other, O=1) / ICMPv6NDOptDstLLAddr(lladdr=m.mac),
              Ether(**head6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255) / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=m.mac),
              Ether(**head6) / IPv6(src=other, dst="ff02::1") / ICMPv6EchoRequest()]
    before = dropped(net.d, "mallory")
    assert arrives(a, m, *frames) == set(range(len(frames)))
    m.slaac("fd00:a::/64")
    assert a.ping(m.ip) and m.ping(ROUTER) and m.http() and a.http()
    assert dropped(net.d, "mallory") == before
    assert set(dropped(net.d, "alice").values()) == {0}


def offline_probe(d, name, *args):
    """`vmlane probe NAME ...`: its last cause."""
    done = d.world.host.run(*d.argv("-o", "json", "probe", name, *args), check=False)
    causes = [x["diagnosis"] for x in map(json.loads, done.stdout.splitlines()) if x.get("diagnosis")]
    return causes[-1] if causes else None


def test_a_drop_is_explained(net):
    """The guard by name, the address, and a command that mends it."""
    d, m = net.d, net.mallory
    assert offline_probe(d, "mallory", "tcp", f"{INTERNET}:80") is None
    cause = offline_probe(d, "mallory", "--source", "192.168.122.201", "tcp", f"{INTERNET}:80")
    assert cause["code"] == "guard" and "`ip`" in cause["cause"] and "192.168.122.201" in cause["cause"], cause
    assert {"kind": "guard", "text": "ip"} in cause["evidence"]
    d.world.host.run("sh", "-ec", cause["mend"].replace("vmlane ", " ".join(d.argv()) + " ", 1))
    assert offline_probe(d, "mallory", "--source", "192.168.122.201", "tcp", f"{INTERNET}:80") is None
    cause = offline_probe(d, "mallory", "--source", ROUTER, "tcp", f"{INTERNET}:80")
    assert cause["code"] == "guard" and not cause["mend"] and "router" in cause["advice"]
    # Without sending anything, too.
    done = d.world.host.run(*d.argv("-o", "json", "explain", "mallory", "--source", "192.168.122.202", "tcp", f"{INTERNET}:80"), check=False)
    said = [x["diagnosis"] for x in map(json.loads, done.stdout.splitlines()) if x.get("diagnosis")]
    assert said and said[0]["code"] == "guard" and "192.168.122.202" in said[0]["cause"], done.stdout
    # A real packet in a trace, of another guard.
    p = d.world.host.start(*d.argv("-o", "json", "trace", "mallory", "--count", "1", "udp"), stdout=subprocess.PIPE,
                           log=f"{m.tmp}/trace.log")
    p.line()
    rogue = Wire(m.ns)

    def traced():
        rogue.send(rogue_dhcp(m, dst=BROADCAST))
        if not select.select([p.p.stdout], [], [], 0.5)[0]:
            return None
        found = json.loads(p.line())
        return found if found.get("diagnosis") else None

    cause = wait_for("the drop", traced)["diagnosis"]
    assert cause["code"] == "guard" and "`dhcp`" in cause["cause"]
    assert cause["mend"] == "vmlane network set default guests.mallory.guard.dhcp=off"


# ---- addresses come and go ----


def unhurt(stream):
    """All of a running flow was answered, and by one way."""
    told = stop_stream(stream)
    return told["received"] == told["sent"] > 0 and len(told["ports"]) == 1


def ip_passes(victim, sender, src, six=False):
    """A frame from @src arrives."""
    ip = IPv6(src=src, dst="ff02::1") if six else IP(src=src, dst=victim.ip)
    frame = Ether(src=sender.mac, **TO_ALL6) if six else Ether(src=sender.mac, dst=victim.mac)
    return arrives(victim, sender, frame / ip / UDP(sport=9, dport=9)) == {0}


def test_leases_are_followed_at_once(net):
    """The guest's first frame with its address passes; what it gave back does not any more."""
    d, a, m = net.d, net.alice, net.mallory
    mac, old = m.mac, m.ip
    assert ip_passes(a, m, old)
    peer = DhcpPeer(m.ns, mac)
    d.vmlane("lease", "release", "default", old)
    m.ip = old
    heard = Wire(a.ns)
    Wire(m.ns).send(Ether(src=mac, dst=a.mac) / IP(src=old, dst=a.ip) / UDP(sport=9, dport=9) / EVIL)
    wish = "192.168.122.211"
    offer = peer.ask("discover", ("requested_addr", wish))
    assert offer[1] == wish
    ack = peer.ask("request", ("requested_addr", wish), ("server_id", offer[2]["server_id"]))
    assert ack[0] == "ack"
    Wire(m.ns).send(Ether(src=mac, dst=a.mac) / IP(src=wish, dst=a.ip) / UDP(sport=9, dport=9) / END)
    for f in heard.frames(10):
        assert EVIL not in bytes(f), "with an address that it has given back"
        if END in bytes(f):
            break
    else:
        raise AssertionError("the first frame with the new address is lost")
    # The client itself gives it back.
    m.ip = wish
    m.ns.run("ip", "addr", "flush", "dev", "eth0")
    peer.send("release", ("server_id", offer[2]["server_id"]), ciaddr=wish, src=wish, dst=ROUTER, eth_dst=net.bridge)
    wait_for("the lease to be released", lambda: not d.lease(mac))
    before = dropped(d, "mallory")["ip"]
    Wire(m.ns).send(Ether(src=mac, dst=a.mac) / IP(src=wish, dst=a.ip) / UDP(sport=9, dport=9) / EVIL)
    wait_for("the drop", lambda: dropped(d, "mallory")["ip"] == before + 1)
    assert d.vmlane("diff")["changes"] == []


def test_lease_that_ends(daemon, guest):
    """Without its renewal nobody has the address."""
    d = daemon({"default.yaml": GUARDED.replace("lease: 1h", "lease: 60s")})
    a, m = guest("alice", d=d), guest("mallory", d=d)
    a.dhcp()
    told = m.dhcp()
    assert ip_passes(a, m, m.ip)
    told["client"].p.end(signal.SIGKILL)
    wire = Wire(m.ns)
    frame = Ether(src=m.mac, dst=a.mac) / IP(src=m.ip, dst=a.ip) / UDP(sport=9, dport=9) / EVIL

    def drops():
        wire.send(frame)
        return dropped(d, "mallory")["ip"]

    assert drops() == 0
    wait_for("the lease's end", drops, timeout=90, step=0.2)
    assert a.ping(ROUTER) and ip_passes(m, a, a.ip)
    assert d.vmlane("diff")["changes"] == []


def test_configured_addresses(daemon, guest):
    """`ipv4` without a lease, `addresses` beside it, of both families; changed under the guest's feet."""
    guests = "guests:\n  mallory:\n    ipv4: 192.168.122.50\n    addresses: [{}]\n"
    d = daemon({"default.yaml": SIX + guests.format("192.168.122.60, 10.8.0.0/24, 'fd00:8::/64', 'fd00:a::77'")})
    a, m = guest("alice", d=d), guest("mallory", d=d)
    a.dhcp()
    m.static("192.168.122.50")
    for src, may in (("192.168.122.60", True), ("10.8.0.9", True), ("10.8.1.9", False), ("192.168.122.61", False)):
        assert ip_passes(a, m, src) is may, src
    for src, may in (("fd00:8::9", True), ("fd00:a::77", True), ("fd00:9::9", False)):
        assert ip_passes(a, m, src, six=True) is may, src
    arps = [Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=m.mac, psrc=ip, pdst=a.ip) for ip in ("192.168.122.60", "10.8.0.9")]
    nas = [Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=t, O=1)
           / ICMPv6NDOptDstLLAddr(lladdr=m.mac) for t in ("fd00:8::9", "fd00:a::77")]
    assert arrives(a, m, *arps, *nas) == {0, 1, 2, 3}
    assert d.get("/v1/guests/mallory")["allowed_addresses"] == ["192.168.122.60", "10.8.0.0/24", "fd00:8::/64", "fd00:a::77"]
    stream = m.stream()
    d.write("default.yaml", SIX + guests.format("10.8.1.0/24"))
    assert "~ vl-mallory: guard" in [c["text"] for c in d.vmlane("diff")["changes"]]
    d.vmlane("apply")
    assert d.vmlane("diff")["changes"] == []
    for src, may in (("192.168.122.60", False), ("10.8.0.9", False), ("10.8.1.9", True)):
        assert ip_passes(a, m, src) is may, src
    assert unhurt(stream)


def test_without_dhcp_any_of_the_subnet(daemon, guest):
    """Where nobody gives out addresses guests choose one of the network's, but not the router's."""
    d = daemon({"default.yaml": "network: default\nmode: nat\nipv4: { subnet: 192.168.122.0/24 }\ndhcp: { enabled: false }\nguard: on\n"})
    a, m = guest("alice", d=d), guest("mallory", d=d)
    a.static("192.168.122.20")
    m.static("192.168.122.30")
    assert a.ping(m.ip) and m.http()
    for src, may in (("192.168.122.31", True), (ROUTER, False), ("10.8.1.9", False)):
        assert ip_passes(a, m, src) is may, src


def test_network_without_the_host(daemon, guest):
    """What addresses it has nobody knows: MACs and the rest are watched all the same."""
    d = daemon({"lab.yaml": "network: lab\nmode: isolated\nhost: false\nguard: on\n"})
    a, m = guest("alice", d=d, network="lab"), guest("mallory", d=d, network="lab")
    for g, ip in ((a, "10.1.1.1"), (m, "10.1.1.2")):
        g.ns.run("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
        g.ip = ip
    assert a.ping(m.ip)
    assert ip_passes(a, m, "10.1.1.77")
    arp = Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=m.mac, psrc="10.1.1.77", pdst=a.ip)
    assert arrives(a, m, arp, Ether(src=STRANGER, dst=BROADCAST) / IP(src=m.ip, dst=a.ip),
                   Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=STRANGER, psrc=m.ip, pdst=a.ip),
                   rogue_dhcp(m, dst=BROADCAST), Ether(src=m.mac, dst=a.mac, type=0x88B5)) == {0}


def test_bridged(world, daemon, guest):
    """On somebody else's bridge: what can be known of the LAN's guests."""
    world.host.run("ip", "link", "add", "br9", "type", "bridge")
    world.host.run("ip", "link", "set", "br9", "up")
    d = daemon({"lan.yaml": "network: lan\nmode: bridged\nbridge: br9\nguard: on\nguests:\n  bob: { addresses: [10.1.1.3] }\n"})
    a, m, b = (guest(n, d=d, network="lan") for n in ("alice", "mallory", "bob"))
    for g, ip in ((a, "10.1.1.1"), (m, "10.1.1.2"), (b, "10.1.1.3")):
        g.ns.run("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
        g.ip = ip
    assert a.ping(m.ip) and b.ping(a.ip)
    assert ip_passes(a, m, "10.1.1.77") and not ip_passes(a, b, "10.1.1.77")
    ra = Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255) / ICMPv6ND_RA()
    assert arrives(a, m, ra, Ether(src=a.mac, dst=BROADCAST) / IP(src=m.ip, dst=a.ip), rogue_dhcp(m, dst=BROADCAST),
                   Ether(src=m.mac, dst=a.mac, type=0x88B5)) == set()


# ---- whatever happens to the daemon, the rules, the guests ----


def spoofs(m, a):
    return [Ether(src=STRANGER, dst=BROADCAST) / IP(src=m.ip, dst=a.ip), Ether(src=m.mac, dst=a.mac) / IP(src=ROUTER, dst=a.ip) / UDP(),
            Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=m.mac, psrc=ROUTER, pdst=a.ip), rogue_dhcp(m, dst=BROADCAST)]


def test_without_the_daemon_and_across_its_restart(net):
    """In force while it is dead; the next one finds all as it is, and cuts nobody off."""
    d, a, m = net.d, net.alice, net.mallory
    stream = m.stream()
    assert arrives(a, m, *spoofs(m, a)) == set()
    counted = dropped(d, "mallory")
    d.kill9()
    assert arrives(a, m, *spoofs(m, a)) == set() and a.ping(m.ip) and m.http()
    d.start()
    assert d.status()["counters"]["firewall_transactions"] == 0
    assert d.vmlane("diff")["changes"] == []
    assert arrives(a, m, *spoofs(m, a)) == set() and ip_passes(a, m, m.ip)
    assert dropped(d, "mallory")["mac"] >= counted["mac"] + 2
    assert unhurt(stream)


class Pins:
    """What vmlane keeps in the BPF filesystem for the host's namespace, and the maps behind it."""

    def __init__(self, host):
        self.host = host
        self.inode = host.run("stat", "-Lc", "%i", "/proc/self/ns/net").strip()

    def names(self):
        return sorted(p for p in (os.listdir(PIN_DIR) if os.path.isdir(PIN_DIR) else []) if p.startswith(self.inode + "-"))

    def path(self, name):
        return f"{PIN_DIR}/{self.inode}-2-{name}"

    def program(self):
        return next(f"{PIN_DIR}/{n}" for n in self.names() if "-program-" in n)

    def at(self, tap):
        """How many programs are at the ingress of @tap."""
        return bpfprog.attached(self.host, tap, bpfprog.TCX_INGRESS)


def test_what_others_change(daemon, guest):
    """Whatever is missing is put right by `apply`: nobody tells when a program is taken off."""
    net = Net(daemon({"default.yaml": SIX}, args=["--no-guardian"]), guest)
    d, a, m = net.d, net.alice, net.mallory
    pins = Pins(d.world.host)
    index = d.world.host.links()["vl-mallory"]["ifindex"]
    key = [f"0x{b:02x}" for b in struct.pack("=I", index)]
    facts = pins.path("facts")

    def change_facts():
        lines = json.loads(d.world.host.run("bpftool", "-j", "map", "lookup", "pinned", facts, "key", *key))
        value = lines["value"]
        value[:2] = ["0x00", "0x00"]
        d.world.host.run("bpftool", "map", "update", "pinned", facts, "key", *key, "value", *value)

    def delete_facts():
        d.world.host.run("bpftool", "map", "delete", "pinned", facts, "key", *key)

    def take_off():
        fd = bpfprog.get(pins.program())
        bpfprog.take_off(d.world.host, "vl-mallory", fd)
        os.close(fd)

    for how in (change_facts, delete_facts, take_off):
        how()
        assert "~ vl-mallory: guard" in [c["text"] for c in d.vmlane("diff")["changes"]], how
        d.vmlane("apply")
        assert d.vmlane("diff")["changes"] == [], how
        assert arrives(a, m, *spoofs(m, a)) == set(), how
        assert m.ping(ROUTER) and m.http()
    d.world.host.run("nft", "flush", "ruleset")
    assert arrives(a, m, *spoofs(m, a)) == set()


# As versions before the programs had it: all guests' guards in one table.
OLD_TABLE = """table bridge vmlane {
	set known { type ifname . ether_addr; elements = { "vl-mallory" . 02:00:00:00:00:01 } }
	chain prerouting {
		type filter hook prerouting priority -300; policy accept;
		iifname "vl-mallory" iifname . ether saddr != @known drop
	}
}
"""


def test_guests_of_before_are_upgraded_in_place(daemon, guest):
    """Those of a daemon that knew no guards, and those of one that had them as rules."""
    d = daemon({"default.yaml": DEFAULT + "guard: off\n"})
    a, m = guest("alice", d=d), guest("mallory", d=d, tap=True)
    a.dhcp()
    m.dhcp()
    pins = Pins(d.world.host)
    assert len(arrives(a, m, *spoofs(m, a)[1:])) == 3
    assert pins.names() == [] and pins.at("vl-mallory") == 0
    d.kill9()
    d.write("default.yaml", GUARDED)
    d.world.host.run("nft", "-f", "-", stdin=OLD_TABLE)
    d.start()
    d.vmlane("apply")
    assert "bridge" not in d.world.host.run("nft", "list", "tables")
    stream = m.stream()
    assert arrives(a, m, *spoofs(m, a)) == set() and pins.at("vl-mallory") == 1
    assert unhurt(stream) and a.ping(m.ip)
    d.write("default.yaml", DEFAULT + "guard: off\n")
    d.vmlane("apply")
    assert d.vmlane("diff")["changes"] == []
    assert pins.names() == [] and pins.at("vl-mallory") == 0
    assert len(arrives(a, m, *spoofs(m, a)[1:])) == 3


def test_an_older_program_is_replaced(net):
    """In one step at each port, with what it has counted."""
    d, a, m = net.d, net.alice, net.mallory
    host, pins = d.world.host, Pins(d.world.host)
    arrives(a, m, *spoofs(m, a))
    counted = dropped(d, "mallory")
    d.kill9()
    own, path = bpfprog.get(pins.program()), pins.path("program-00000000000000aa")
    os.unlink(pins.program())
    bpfprog.pin(bpfprog.NEXT, path)
    old = bpfprog.get(path)
    bpfprog.put_on(host, "vl-mallory", old, own)
    # Not the spoofed ARP, which alice would believe.
    assert len(arrives(a, m, spoofs(m, a)[1], spoofs(m, a)[3])) == 2
    stream = a.stream()
    d.start()
    assert arrives(a, m, *spoofs(m, a)) == set()
    assert pins.at("vl-mallory") == 1 and len([n for n in pins.names() if "-program-" in n]) == 1
    assert dropped(d, "mallory")["dhcp"] > counted["dhcp"]
    assert unhurt(stream) and d.vmlane("diff")["changes"] == []
    for fd in (own, old):
        os.close(fd)


def test_filter_list(net):
    """What was dropped, of whom, and the last of it; for one guest, for a network, for nobody."""
    d, a, m = net.d, net.alice, net.mallory
    begin = int(time.time())
    net.attack("ip", Ether(src=m.mac, dst=a.mac) / IP(src="192.168.122.77", dst=a.ip) / UDP(sport=9, dport=9))
    net.attack("mac", Ether(src=STRANGER, dst=a.mac) / IP(src=m.ip, dst=a.ip) / UDP(sport=9, dport=9))
    net.attack("arp", Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=m.mac, psrc=ROUTER))
    net.attack("nd", Ether(src=m.mac, **TO_ALL6) / IPv6(src=local(m.mac), dst="ff02::1", hlim=255) / ICMPv6ND_NA(tgt=ROUTER6))
    net.attack("ethertype", Ether(src=m.mac, dst=a.mac, type=0x88B5))
    net.switch("bpdu", "off")
    rows = d.vmlane("filter", "list", "mallory")["filters"]
    assert [r["guard"] for r in rows] == ["mac", "ip", "arp", "nd", "dhcp", "ra", "ethertype", "bpdu", "broadcast", "multicast", "macs"]
    assert {r["guard"] for r in rows if not r["on"]} == {"bpdu"}
    last = {r["guard"]: r["last"] for r in rows}
    assert last["bpdu"] is None and all(begin - 1 <= x["time"] <= time.time() + 1 for x in last.values() if x)
    assert {g: (x["mac"], x["address"], x["ethertype"]) for g, x in last.items() if x} == {
        "ip": (m.mac, "192.168.122.77", "0x0800"), "mac": (STRANGER, m.ip, "0x0800"), "arp": (m.mac, ROUTER, "0x0806"),
        "nd": (m.mac, str(ipaddress.ip_address(local(m.mac))), "0x86dd"), "ethertype": (m.mac, None, "0x88b5")}
    assert len(d.vmlane("filter", "list", "default")["filters"]) == 22 == len(d.vmlane("filter", "list")["filters"])
    table = d.vmlane("filter", "list", "mallory", json_out=False)
    assert re.search(r"mallory +ip +on +1 +\d+s ago from " + m.mac + ", 192.168.122.77", table), table
    assert "there is no guest 'nobody'" in d.errors("filter", "list", "nobody")[1]


def test_all_goes_with_the_guest(net):
    """And the next one of that name starts anew."""
    d, a, m = net.d, net.alice, net.mallory
    host = d.world.host
    pins = Pins(host)
    arrives(a, m, *spoofs(m, a))
    assert dropped(d, "mallory")["dhcp"]

    def ports():
        return len(json.loads(host.run("bpftool", "-j", "map", "dump", "pinned", pins.path("facts"))))

    assert ports() == 2
    m.off()
    d.vmlane("guest", "detach", "mallory")
    assert ports() == 1
    d.vmlane("guest", "attach", "mallory", "--network", "default")
    assert set(dropped(d, "mallory").values()) == {0} and ports() == 2
    d.vmlane("guest", "detach", "mallory")
    a.off()
    wait_for("the end of it all", lambda: pins.names() == [])
    assert d.vmlane("diff")["changes"] == []


def test_ports_that_are_made_anew_are_guarded(net):
    """By a daemon that was killed before it had made the tap."""
    d, a, m = net.d, net.alice, net.mallory
    d.kill9()
    m.off()
    d.world.host.run("ip", "link", "delete", "vl-mallory")
    d.start()
    m.ns = d.world.ns("g-mallory2")
    m.on()
    m.ns.run("ip", "addr", "add", f"{m.ip}/24", "dev", "eth0")
    assert arrives(a, m, *spoofs(m, a)) == set() and ip_passes(a, m, m.ip)
    assert d.vmlane("diff")["changes"] == []


@pytest.mark.skipif(not HOOKS, reason="a kernel without TCX is played by builds with -Dtest_hooks=true only")
def test_as_a_tc_filter(daemon, guest, monkeypatch):
    """Where the kernel has no TCX: there, dead and alive, explained, and gone with its switch."""
    monkeypatch.setenv("VMLANE_TEST_REFUSE", "tcx")
    net = Net(daemon({"default.yaml": SIX}), guest)
    d, a, m = net.d, net.alice, net.mallory
    host, pins = d.world.host, Pins(net.d.world.host)

    def filters():
        return [f for f in json.loads(host.run("tc", "-j", "filter", "show", "dev", "vl-mallory", "ingress")) if "options" in f]

    assert pins.at("vl-mallory") == 0 and len(filters()) == 1
    stream = m.stream()
    assert arrives(a, m, *spoofs(m, a)) == set()
    d.kill9()
    assert arrives(a, m, *spoofs(m, a)) == set()
    d.start()
    assert len(filters()) == 1 and d.vmlane("diff")["changes"] == []
    cause = offline_probe(d, "mallory", "--source", "192.168.122.201", "tcp", f"{INTERNET}:80")
    assert cause["code"] == "guard" and "`ip`" in cause["cause"]
    host.run("tc", "filter", "del", "dev", "vl-mallory", "ingress", "pref", "1")
    # The daemon hears of it, unless it was told to apply before.
    d.vmlane("apply")
    assert len(filters()) == 1
    assert arrives(a, m, *spoofs(m, a)) == set() and unhurt(stream)
    d.vmlane("network", "set", "default", "guard=off")
    assert filters() == [] and pins.names() == []
    assert len(arrives(a, m, spoofs(m, a)[1], spoofs(m, a)[3])) == 2


def test_without_bpffs_nobody_is_plugged_in(daemon, guest):
    """Not without its guards; what to do is said."""
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/sys/fs/bpf"], check=True)
    try:
        d = daemon({"default.yaml": GUARDED + "guests:\n  trusted: { guard: off }\n"})
        error = d.errors("guest", "attach", "web1", "--network", "default")
        assert "mount -t bpf bpf /sys/fs/bpf" in str(error), error
        assert "vl-web1" not in d.world.host.links()
        d.vmlane("guest", "attach", "trusted", "--network", "default")
    finally:
        subprocess.run(["umount", "/sys/fs/bpf"], check=True)
    d.vmlane("guest", "attach", "web1", "--network", "default")
    assert Pins(d.world.host).at("vl-web1") == 1


@pytest.mark.skipif(not HOOKS, reason="a kernel without BPF is played by builds with -Dtest_hooks=true only")
def test_the_rest_goes_on_without_the_program(net, monkeypatch):
    """A daemon that finds the pins of an earlier one, and cannot load its program, does all else."""
    d, a, m = net.d, net.alice, net.mallory
    d.kill9()
    d.world.host.nft("flush ruleset")
    d.world.host.run("ip", "link", "set", "vl-default", "down")
    monkeypatch.setenv("VMLANE_TEST_REFUSE", "bpf")
    d.start()
    assert a.http() and d.network("default")["state"] == "running"
    assert "bpf" in str(d.get("/v1/guests/mallory")["problem"]).lower()
    # The kernel still has the guards.
    assert arrives(a, m, *spoofs(m, a)) == set() and Pins(d.world.host).at("vl-mallory") == 1
    d.kill9()
    monkeypatch.delenv("VMLANE_TEST_REFUSE")
    d.start()
    assert d.get("/v1/guests/mallory")["problem"] is None and d.vmlane("diff")["changes"] == []


# ---- real clients ----


@pytest.mark.parametrize("client", ["udhcpc", "dhclient", "dhcpcd"])
def test_clients(net, client):
    a, d = net.alice, net.d
    if not shutil.which(client) and client != "udhcpc":
        pytest.skip(f"{client} is not installed")
    g = net.guest("carol", d=d)
    told = g.dhcp(client)
    assert g.ping(a.ip) and a.ping(g.ip) and g.http() and told["router"] == ROUTER
    # It looks whether somebody else has its address, and tells that it has it.
    g.ns.run("busybox", "arping", "-D", "-c", "1", "-w", "2", "-I", "eth0", "192.168.122.250", check=False)
    g.ns.run("busybox", "arping", "-U", "-c", "1", "-I", "eth0", g.ip, check=False)
    g.slaac("fd00:a::/64")
    g.ns.run("sh", "-c", "echo 2 >/proc/sys/net/ipv6/conf/eth0/use_tempaddr")
    g.ns.run("ip", "link", "set", "eth0", "down")
    g.ns.run("ip", "link", "set", "eth0", "up")
    g.slaac("fd00:a::/64")
    wait_for("the router to be reached by IPv6", lambda: g.ping(ROUTER6))
    assert not any(dropped(d, "carol").values()), dropped(d, "carol")
