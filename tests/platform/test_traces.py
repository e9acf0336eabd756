# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace where the kernel has no tracepoint for nf_tables' messages, fewer drop reasons and an older verifier.
Each start of a command takes long here: so few tests, and much in each."""
import os

import pytest

from daemon import HOOKS
from plain import Plain, get, ping
from test_trace import Trace, hop, way
from world import INTERNET, UPLINK

OUT = ["vm-out", "bridge-in", "route", "nat", "uplink-out"]
TO_GUEST = ["bridge-fwd", "tap-queued", "vm-read"]
STRICT = ("strict", "inner", "drop")


@pytest.fixture
def guests(world):
    """Two; the host's firewall drops one address, and its routes have another."""
    plain = Plain(world)
    both = plain.guest(1), plain.guest(2)
    world.host.nft("table ip strict { chain inner { ip daddr 198.51.100.8 counter drop; };"
                   "chain ways { type filter hook forward priority 10; policy accept; jump inner; }; }")
    world.host.run("ip", "route", "add", "blackhole", "198.51.100.99")
    assert ping(both[0], both[1].address) and ping(both[0], INTERNET)
    return both


def told(t, packet):
    """All of it: what takes long is told in parts."""
    parts = [p for p in t.seen if p["packet"] == packet["packet"]]
    return {**parts[-1], "hops": [h for p in parts for h in p["hops"]]}


def decisions(packet):
    return [tuple(h["decision"][k] for k in ("table", "chain", "verdict")) for h in packet["hops"] if h["hop"] == "fw"]


def rules_are_told(world, g, *args):
    """Each of the packets it has decided about, and of no others."""
    t = Trace(world, "vnet1", *args)
    assert t.start["rules"]
    assert UPLINK in get(g, f"http://{INTERNET}/")  # its address is known from here on, and rules are asked for by it
    assert not ping(g, "198.51.100.8")
    lost = told(t, t.packet("> 198.51.100.8 echo request", verdict="DROP"))
    assert hop(lost, "DROP")["reason"] == "NETFILTER_DROP" and decisions(lost)[-1] == STRICT
    assert hop(lost, "DROP")["decision"]["rule"].startswith("ip daddr 198.51.100.8 counter")
    assert ping(g, INTERNET, "-s", "1000")
    back = t.packet("echo reply", verdict="DELIVERED")
    t.end()
    out, back = told(t, {"packet": told(t, back)["reply_to"]}), told(t, back)
    assert way(out) == OUT and [d[:2] for d in decisions(out)] == [("strict", "ways"), ("own", "post")]
    assert way(back) == ["uplink-in", "route", "nat"] + TO_GUEST and decisions(back) == [("strict", "ways", "accept")]
    assert {p["packet"] for p in t.seen if STRICT in decisions(p)} == {lost["packet"]}
    return [told(t, p) for p in t.seen]


def test_rules_by_a_functions_entry(world, guests):
    """And the frames themselves, into a file."""
    path = f"{world.tmp}/t.pcapng"
    seen = rules_are_told(world, guests[0], "-w", path)
    assert os.path.getsize(path) > 6 * 1042  # one ping, at three interfaces there and three back
    tcp = [p for p in seen if p["text"].startswith("tcp")]
    assert {tuple(way(p)) for p in tcp if p["direction"] == "out"} == {tuple(OUT)}
    assert {p["verdict"] for p in tcp} == {"DELIVERED"}


@pytest.mark.skipif(not HOOKS, reason="the build has no test hooks (-Dtest_hooks=true)")
def test_rules_by_a_probe_there(world, guests, monkeypatch):
    """Where no program may be called at the entry itself."""
    monkeypatch.setenv("VMLANE_TEST_REFUSE", "fentry")
    rules_are_told(world, guests[0])


def test_filter_and_causes(world, guests):
    """A filter that is asked packet by packet; a route's refusal, which has no reason of its own here; the guest's neighbour."""
    a, b = guests
    a.run("sh", "-ec", "ip link add link eth0 name eth0.5 type vlan id 5; ip addr add 10.5.0.11/24 dev eth0.5; ip link set eth0.5 up")
    b.run("sh", "-ec", "ip link add link eth0 name eth0.5 type vlan id 5; ip addr add 10.5.0.12/24 dev eth0.5; ip link set eth0.5 up")
    assert ping(a, "10.5.0.12")
    t = Trace(world, "vnet1", "icmp[0] == 8 or icmp[0] == 0")
    get(a, f"http://{INTERNET}/")
    assert ping(a, b.address) and not ping(a, "198.51.100.99") and ping(a, "10.5.0.12") and ping(a, "10.7.0.1")
    tagged = t.packet("10.5.0.12 > 10.5.0.11 echo reply")
    there = t.packet(f"> {b.address} echo request", verdict="DELIVERED")
    lost = t.packet("> 198.51.100.99 echo request", verdict="DROP")
    host = t.packet("> 10.7.0.1 echo request", verdict="DELIVERED")
    t.end()
    there, lost = told(t, there), told(t, lost)
    assert tagged["vlan"] == 5 and not there.get("vlan") and way(there) == ["vm-out", "bridge-fwd"]
    assert hop(lost, "route")["text"].startswith("blackhole route to") and lost["diagnosis"]["code"] == "route-blackhole"
    assert host["end"] == "DELIVERED to the host"
    assert not [p["text"] for p in t.seen if p["text"].startswith("tcp")]
