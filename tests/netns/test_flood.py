# SPDX-License-Identifier: GPL-2.0-or-later
"""Guards that count: broadcasts, multicast frames and MACs of a guest, beyond their limits, reach nobody; the
guest's other frames and its neighbours do not notice.

Floods end with an honest frame to one receiver: when that has come, all has come that will.
"""
import json
import os
import random
import re
import select
import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

import bpfprog
from daemon import DEFAULT
from packet import BROADCAST, Wire
from test_guard import PIN_DIR, ROUTER, SIX, STRANGER, Net, Pins, arrives, dropped, ip_passes, spoofs, unhurt
from world import wait_for

FLOOD = b"a flood, 7e57"
END = b"its end, 7e57"
RATE = 20  # low enough for a busy machine to send far more


def limits(d, **of):
    d.vmlane("network", "set", "default", *[f"guests.mallory.limits.{k}={v}" for k, v in of.items()])


def flood(victim, sender, frames):
    """All of @frames from @sender's wire; the bytes of those that @victim gets, and how long it took. A hundred
    at a time, so that no queue is ever full, and what is missing was dropped by somebody."""
    heard, wire = Wire(victim.ns), Wire(sender.ns)
    end = bytes(Ether(src=sender.mac, dst=victim.mac) / IP(src=sender.ip, dst=victim.ip) / UDP(sport=9, dport=9) / Raw(END))
    got, own, begin = [], bytes.fromhex(victim.mac.replace(":", "")), time.monotonic()
    for i in range(0, len(frames), 100):
        for f in frames[i:i + 100]:
            wire.s.send(f)
        wire.s.send(end)
        while True:
            assert select.select([heard.s], [], [], 30)[0], "what is honest does not arrive either"
            data = heard.s.recv(65536)
            # Not what the victim answers: its ICMP errors have the frame in them.
            if data[6:12] in (own, bytes(6)):
                continue
            if END in data:
                break
            if FLOOD in data:
                got.append(data)
    took = time.monotonic() - begin
    heard.close()
    wire.close()
    return got, took


def broadcasts(m, n):
    """By turns what is known to be good at a glance, and what is looked at."""
    ip = bytes(Ether(src=m.mac, dst=BROADCAST) / IP(src=m.ip, dst="192.168.122.255") / UDP(sport=9, dport=9) / FLOOD)
    arp = bytes(Ether(src=m.mac, dst=BROADCAST) / ARP(op=1, hwsrc=m.mac, psrc=m.ip, pdst="192.168.122.9") / FLOOD)
    return [(ip, arp)[i % 2] for i in range(n)]


def multicasts(m, n):
    four = bytes(Ether(src=m.mac, dst="01:00:5e:7f:00:07") / IP(src=m.ip, dst="239.255.0.7") / UDP(sport=9, dport=9) / FLOOD)
    six = bytes(Ether(src=m.mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::7", dst="ff02::1", hlim=255) / UDP(sport=9, dport=9) / FLOOD)
    return [(four, six)[i % 2] for i in range(n)]


@pytest.fixture
def net(daemon, guest):
    return Net(daemon({"default.yaml": SIX}), guest)


# ---- frames to many ----


@pytest.mark.parametrize("guard, frames", [("broadcast", broadcasts), ("multicast", multicasts)])
def test_flood(net, guard, frames):
    """At most a second's worth and the rate arrive; what is unicast, the neighbour and the other kind are unhurt."""
    d, a, m = net.d, net.alice, net.mallory
    # Neighbours know each other before: asking for one is a broadcast, too.
    assert m.ping(a.ip) and m.ping(ROUTER) and a.ping(ROUTER)
    limits(d, **{guard: f"{RATE}/s"})
    own, others = m.stream(), a.stream()
    before, n = dropped(d, "mallory"), 3000
    got, took = flood(a, m, frames(m, n))
    # Its kernel sends some itself.
    assert RATE / 2 <= len(got) <= RATE * (took + 1) + 1, (len(got), took)
    after = dropped(d, "mallory")
    # Its kernel sends some to many itself.
    assert n - len(got) <= after[guard] - before[guard] < n
    assert {g: after[g] - before[g] for g in after if g != guard} == {g: 0 for g in after if g != guard}
    assert unhurt(own) and unhurt(others)
    # The other kind has a limit of its own; alice's is alice's.
    other = {"broadcast": multicasts, "multicast": broadcasts}[guard]
    got, _ = flood(a, m, other(m, 50))
    assert len(got) == 50
    got, _ = flood(m, a, frames(a, 50))
    assert len(got) == 50
    assert not any(dropped(d, "alice").values())
    # It comes back by itself, and without a limit all gets through.
    wait_for("room", lambda: len(flood(a, m, frames(m, 1))[0]) == 1)
    limits(d, **{guard: "unlimited"})
    assert d.get("/v1/guests/mallory")["guard"][guard]["on"] is False
    got, _ = flood(a, m, frames(m, 300))
    assert len(got) == 300
    assert d.vmlane("diff")["changes"] == []


def test_spoofed_frames_take_nobodys_room(net):
    """What another guard drops does not count."""
    d, a, m = net.d, net.alice, net.mallory
    limits(d, broadcast="50/s")
    bad = bytes(Ether(src=m.mac, dst=BROADCAST) / ARP(op=2, hwsrc=m.mac, psrc=ROUTER, pdst=a.ip) / FLOOD)
    got, _ = flood(a, m, [bad] * 200 + broadcasts(m, 5))
    assert len(got) == 5 and dropped(d, "mallory")["arp"] == 200 and dropped(d, "mallory")["broadcast"] == 0


def test_switches_and_where_limits_come_from(net):
    """A guest's own goes before its network's; guard off, no limit; the default is told."""
    d, a, m = net.d, net.alice, net.mallory

    def told(guest, guard):
        g = d.get(f"/v1/guests/{guest}")["guard"][guard]
        return g["on"], g["limit"]

    assert [told("mallory", g) for g in ("broadcast", "multicast", "macs", "mac")] == [(True, 1000), (True, 20000), (True, 256), (True, None)]
    d.vmlane("network", "set", "default", "limits.broadcast=7/s")
    limits(d, broadcast="500/s")
    assert told("mallory", "broadcast") == (True, 500) and told("alice", "broadcast") == (True, 7)
    table = d.vmlane("filter", "list", "mallory", json_out=False)
    assert re.search(r"mallory +broadcast +on, 500/s +0", table) and re.search(r"mallory +macs +on, 256 +0", table), table
    net.switch("broadcast", "off")
    assert told("mallory", "broadcast") == (False, 500)
    limits(d, broadcast="5/s")
    assert len(flood(a, m, broadcasts(m, 200))[0]) == 200
    net.switch("broadcast", "on")
    limits(d, broadcast="3/s")
    assert len(flood(a, m, broadcasts(m, 100))[0]) < 50
    assert "broadcast: 3/s" in open(f"{d.config}/default.yaml", encoding="utf-8").read()
    assert d.vmlane("diff")["changes"] == []
    error = d.errors("network", "set", "default", "limits.broadcast=0/s")
    assert "1/s to 10000000/s" in str(error)


def test_in_mode_bridged(world, daemon, guest):
    """There too, where connections cannot be limited; that is said."""
    world.host.run("ip", "link", "add", "br9", "type", "bridge")
    world.host.run("ip", "link", "set", "br9", "up")
    d = daemon({"lan.yaml": "network: lan\nmode: bridged\nbridge: br9\nlimits: { broadcast: 20/s }\n"})
    a, m = (guest(n, d=d, network="lan") for n in ("alice", "mallory"))
    for g, ip in ((a, "10.1.1.1"), (m, "10.1.1.2")):
        g.ns.run("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
        g.ip = ip
    got, took = flood(a, m, broadcasts(m, 1000))
    assert RATE / 2 <= len(got) <= RATE * (took + 1) + 1
    error = d.errors("network", "set", "lan", "limits.new=5/s")
    assert "`new` has no meaning in mode bridged" in str(error)


# ---- MACs ----


def table_of(d, port):
    """The MACs that the bridge has learned behind @port."""
    found = json.loads(d.world.host.run("bridge", "-j", "fdb", "show", "br", "vl-default"))
    return {e["mac"] for e in found if e["ifname"] == port and e.get("state") not in ("permanent", "static")}


def random_macs(n, seed):
    r = random.Random(seed)
    return [f"52:54:{r.randrange(256):02x}:{r.randrange(256):02x}:{r.randrange(256):02x}:{r.randrange(256):02x}" for _ in range(n)]


def from_macs(a, m, macs):
    return [bytes(Ether(src=mac, dst=a.mac) / IP(src=m.ip, dst=a.ip) / UDP(sport=9, dport=9) / FLOOD) for mac in macs]


def test_macof(net):
    """A flood of MACs fills neither the bridge's table nor anybody's place in it."""
    d, a, m = net.d, net.alice, net.mallory
    net.switch("mac", "off")
    limits(d, macs="30")
    others = a.stream()
    macs = random_macs(3000, 1)
    got, _ = flood(a, m, from_macs(a, m, macs[:100]))
    sources = {f[6:12].hex(":") for f in got}
    assert sources == set(macs[:30]) and dropped(d, "mallory")["macs"] == 70
    assert flood(a, m, from_macs(a, m, macs[100:]))[0] == []
    assert dropped(d, "mallory")["macs"] == 2970
    learned = table_of(d, "vl-mallory")
    assert learned - {m.mac} == sources, len(learned)
    assert unhurt(others)
    # Those that are known pass, others do not; its own does always.
    got, _ = flood(a, m, from_macs(a, m, macs[:40] + [m.mac]))
    assert [f[6:12].hex(":") for f in got] == macs[:30] + [m.mac]
    assert m.ping(a.ip) and m.http() and a.http()
    # So do those that are written down, and across the daemon's end.
    d.vmlane("network", "set", "default", f"guests.mallory.macs=[{STRANGER}]")
    d.kill9()
    got, _ = flood(a, m, from_macs(a, m, macs[25:35] + [STRANGER]))
    assert [f[6:12].hex(":") for f in got] == macs[25:30] + [STRANGER]
    d.start()
    got, _ = flood(a, m, from_macs(a, m, macs[25:35]))
    assert [f[6:12].hex(":") for f in got] == macs[25:30]
    # More of them by a higher limit, which forgets nobody; all without one.
    limits(d, macs="40")
    got, _ = flood(a, m, from_macs(a, m, macs[:60]))
    assert [f[6:12].hex(":") for f in got] == macs[:40]
    limits(d, macs="unlimited")
    got, _ = flood(a, m, from_macs(a, m, macs[:200]))
    assert len(got) == 200
    assert d.vmlane("diff")["changes"] == []


def test_macs_that_are_silent_make_room(daemon, guest):
    """As the bridge forgets them, or later."""
    net = Net(daemon({"default.yaml": SIX + "switch: { ageing: 10s }\nguests:\n  mallory: { guard: { mac: off }, limits: { macs: 5 } }\n"}), guest)
    a, m = net.alice, net.mallory
    first, second = random_macs(5, 2), random_macs(5, 3)
    assert len(flood(a, m, from_macs(a, m, first + second))[0]) == 5
    begin = time.monotonic()

    def let_in():
        # One of the first stays.
        got = {f[6:12].hex(":") for f in flood(a, m, from_macs(a, m, first[:1] + second))[0]}
        assert first[0] in got
        assert len(table_of(net.d, "vl-mallory") - {m.mac}) <= 5
        return got >= set(second[:4])

    wait_for("room for others", let_in, timeout=60, step=0.5)
    # Counted periods are at least as long as the bridge's memory.
    assert time.monotonic() - begin > 9


# ---- told ----


def test_diagnosis(net):
    """A probe that is one too many says so, and what mends it."""
    d, m = net.d, net.mallory
    net.switch("mac", "off")
    limits(d, macs="1")
    flood(net.alice, m, from_macs(net.alice, m, random_macs(3, 5)))
    p = d.world.host.start(*d.argv("-o", "json", "trace", "mallory", "--count", "1", "udp"), stdout=-1, log=f"{m.tmp}/trace.log")
    p.line()
    wire = Wire(m.ns)

    def traced(frame):
        wire.send(frame)
        if not select.select([p.p.stdout], [], [], 0.5)[0]:
            return None
        found = json.loads(p.line())
        return found if found.get("diagnosis") else None

    frame = Ether(src=STRANGER, dst=net.alice.mac) / IP(src=m.ip, dst=net.alice.ip) / UDP(sport=9, dport=9)
    found = wait_for("the drop", lambda: traced(frame))
    cause = found["diagnosis"]
    assert cause["code"] == "guard" and "`macs`" in cause["cause"] and STRANGER in cause["cause"], cause
    assert cause["mend"] == "vmlane network set default guests.mallory.limits.macs=unlimited" and "256" in cause["advice"]
    d.world.host.run("sh", "-ec", cause["mend"].replace("vmlane ", " ".join(d.argv()) + " ", 1))
    assert len(flood(net.alice, m, from_macs(net.alice, m, [STRANGER]))[0]) == 1


def test_events(net):
    """Who listens is told once a second for each guest and guard, with how many there were; nobody else costs anything."""
    d, a, m = net.d, net.alice, net.mallory
    limits(d, broadcast="5/s")
    # Before somebody listens: no news.
    arrives(a, m, *spoofs(m, a)[:1])
    p = d.world.host.start(*d.argv("-o", "json", "monitor", "--network", "default"), stdout=-1, log=f"{m.tmp}/monitor.log")
    assert json.loads(p.line())["event"] == "hello"
    before = dropped(d, "mallory")
    begin = time.monotonic()
    flood(a, m, broadcasts(m, 500) + [bytes(f) for f in spoofs(m, a)[1:3]])
    after = dropped(d, "mallory")
    want = {g: after[g] - before[g] for g in after if after[g] != before[g]}
    assert set(want) >= {"broadcast", "ip", "arp"}
    told, events = {}, []
    while told != want:
        e = json.loads(p.line())
        if e["event"] != "guard":
            continue
        events.append(e)
        told[e["guard"]] = told.get(e["guard"], 0) + e["count"]
        assert e["guest"] == "mallory" and e["network"] == "default" and e["last"]["mac"] == m.mac
        assert f"guard {e['guard']} dropped {e['count']} frame" in e["text"], e["text"]
    took = time.monotonic() - begin
    assert len([e for e in events if e["guard"] == "broadcast"]) <= took + 1
    p.end()


# ---- kept ----


def test_program_taken_off_is_noticed(net):
    """By nobody's telling: within a second or so, mended and logged."""
    d, a, m = net.d, net.alice, net.mallory
    pins = Pins(d.world.host)
    p = d.world.host.start(*d.argv("-o", "json", "monitor"), stdout=-1, log=f"{m.tmp}/monitor.log")
    assert json.loads(p.line())["event"] == "hello"
    fd = bpfprog.get(pins.program())
    for _ in range(2):
        bpfprog.take_off(d.world.host, "vl-mallory", fd)
        begin = time.monotonic()
        wait_for("the program", lambda: pins.at("vl-mallory") == 1, step=0.05)
        took = time.monotonic() - begin
        assert took < 10, took
        while True:
            e = json.loads(p.line())
            if e["event"] == "mended":
                break
        assert e["changes"] == ["~ vl-mallory: guard"], e
        assert arrives(a, m, *spoofs(m, a)) == set()
    os.close(fd)
    log = open(d.log, encoding="utf-8").read()
    assert log.count("put right what somebody changed: ~ vl-mallory: guard") == 2, log
    p.end()


def test_pins_that_are_removed_come_back(net):
    """Without them the next daemon would not find what is at the ports."""
    d, a, m = net.d, net.alice, net.mallory
    pins = Pins(d.world.host)
    names = pins.names()
    assert len(names) == 5
    for gone in (names[:1], names):
        for name in gone:
            os.unlink(f"{PIN_DIR}/{name}")
        wait_for("the pins", lambda: pins.names() == names, step=0.05)
        assert arrives(a, m, *spoofs(m, a)) == set()
    assert "the guards' pins were gone" in open(d.log, encoding="utf-8").read()
    d.restart()
    assert pins.at("vl-mallory") == 1 and d.vmlane("diff")["changes"] == []


@pytest.mark.parametrize("lost", ["facts", "fasts", "drops", "seen"])
def test_a_pin_that_was_lost_while_nobody_looked(net, lost):
    """The next daemon has maps of its own then, and no port is left with a program that looks into the old ones."""
    d, a, m = net.d, net.alice, net.mallory
    pins = Pins(d.world.host)
    d.kill9()
    os.unlink(pins.path(lost))
    d.start()
    assert len(pins.names()) == 5 and pins.at("vl-mallory") == 1 and pins.at("vl-alice") == 1
    assert arrives(a, m, *spoofs(m, a)) == set() and a.ping(m.ip) and m.ping(ROUTER)
    # What it says of ports from now on is what they do.
    old = m.ip
    assert ip_passes(a, m, old)
    d.vmlane("lease", "release", "default", old)
    for n in (1, 2):
        Wire(m.ns).send(Ether(src=m.mac, dst=a.mac) / IP(src=old, dst=a.ip) / UDP(sport=9, dport=9))
        wait_for("the drop", lambda: dropped(d, "mallory")["ip"] >= n)  # pylint: disable=cell-var-from-loop
        d.restart()
        assert d.vmlane("diff")["changes"] == []


def test_maps_of_another_layout_are_left_behind(net):
    """A version whose maps are others takes over port by port; nothing of the old one stays."""
    d, a, m = net.d, net.alice, net.mallory
    host, pins = d.world.host, Pins(net.d.world.host)
    d.kill9()
    # As the version before had it: maps and program by other names, and a program at the port that knows them.
    own = bpfprog.get(pins.program())
    for name in pins.names():
        os.rename(f"{PIN_DIR}/{name}", f"{PIN_DIR}/{name.replace('-2-', '-1-', 1)}")
    theirs = f"{PIN_DIR}/{pins.inode}-1-program-00000000000000aa"
    for name in pins.names():
        if "-program-" in name:
            os.unlink(f"{PIN_DIR}/{name}")
    bpfprog.pin(bpfprog.NEXT, theirs)
    old = bpfprog.get(theirs)
    for tap in ("vl-mallory", "vl-alice"):
        bpfprog.put_on(host, tap, old, own)
    stream = a.stream()
    d.start()
    assert all("-2-" in n for n in pins.names()) and len(pins.names()) == 5, pins.names()
    assert pins.at("vl-mallory") == 1 and pins.at("vl-alice") == 1
    assert arrives(a, m, *spoofs(m, a)) == set() and unhurt(stream)
    assert d.vmlane("diff")["changes"] == []
    limits(d, broadcast="5/s")
    assert len(flood(a, m, broadcasts(m, 300))[0]) < 100
    for fd in (own, old):
        os.close(fd)
