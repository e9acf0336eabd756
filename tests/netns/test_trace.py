# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace: the ways of real packets, as they are told."""
import json
import os
import signal
import socket
import subprocess
import time

import pytest

from daemon import program
from world import INTERNET, UPLINK, wait_for

pytestmark = pytest.mark.usefixtures("world")


class Trace:
    """`vmlane trace ... -o json` in the host's namespace; its lines as they come."""

    def __init__(self, world, *args, ns=None):
        self.world = world
        self.p = (ns or world.host).start(program("vmlane"), "-o", "json", "trace", *args, stdout=subprocess.PIPE,
                                          log=f"{world.tmp}/trace-{time.monotonic_ns()}.log")
        self.start = json.loads(self.p.line())
        assert self.start["event"] == "start"
        self.seen = []

    def packet(self, what, **want):
        """The first packet (from the beginning) whose text has @what, and whose fields are @want."""
        for p in self.seen:
            if what in p["text"] and all(p.get(k) == v for k, v in want.items()):
                return p
        while True:
            e = json.loads(self.p.line())
            assert e["event"] == "packet", f"no packet with {what!r} and {want}: {[p['text'] for p in self.seen]}"
            self.seen.append(e)
            if what in e["text"] and all(e.get(k) == v for k, v in want.items()):
                return e

    def end(self):
        """Ctrl-C; the last line, with what was lost."""
        self.p.p.send_signal(signal.SIGINT)
        while True:
            e = json.loads(self.p.line())
            if e["event"] == "end":
                break
            self.seen.append(e)
        assert self.p.wait() == 0
        assert e["lost"] == {"events": 0, "packets": 0, "unreadable": 0, "rested": 0}
        return e


    def ways(self):
        """Of a trace with --summary, at its end: what was folded."""
        self.p.p.send_signal(signal.SIGINT)
        lines = []
        while not lines or lines[-1]["event"] != "end":
            lines.append(json.loads(self.p.line()))
        return [line for line in lines if line["event"] == "way"]


@pytest.fixture
def trace(world):
    return lambda *args, **kw: Trace(world, *args, **kw)


def hops(packet):
    return [h["hop"] for h in packet["hops"]]


def way(packet):
    """The hops without the firewall's opinions, and without waiting for who nobody has asked for yet."""
    return [h for h in hops(packet) if h not in ("fw", "neigh")]


def hop(packet, name):
    return next(h for h in packet["hops"] if h["hop"] == name)


def test_nat_out_and_back(guest, trace):
    g = guest("web1")
    g.dhcp()
    t = trace("web1")
    assert t.start["ports"] == [g.show()["tap"]]
    assert g.ping(INTERNET)
    out = t.packet("echo request")
    assert way(out) == ["vm-out", "bridge-in", "route", "nat", "uplink-out"]
    assert out["verdict"] == "DELIVERED" and out["direction"] == "out"
    assert [hop(out, h)["dev"] for h in ("vm-out", "bridge-in", "uplink-out")] == [g.show()["tap"], "vl-default", "eth0"]
    assert hop(out, "route")["route"] == {"table": 254, "error": 0, "gateway": "203.0.113.1", "dev": "eth0"}
    assert "masquerade" in next(h for h in out["hops"] if h["hop"] == "fw" and h["decision"]["hook"] == "postrouting")["text"]
    assert hop(out, "nat")["before"]["src"] == g.ip and hop(out, "nat")["after"]["src"] == UPLINK
    times = [h["at_us"] for h in out["hops"]]
    assert times == sorted(times) and times[0] == 0
    back = t.packet("echo reply")
    assert way(back) == ["uplink-in", "route", "nat", "bridge-fwd", "tap-queued", "vm-read"]
    assert hop(back, "nat")["before"]["dst"] == UPLINK and hop(back, "nat")["after"]["dst"] == g.ip
    assert back["reply_to"] == out["packet"] and back["verdict"] == "DELIVERED"
    t.end()


def test_tcp_from_the_first_packet_to_the_last(guest, trace):
    """Handshake, data, end: each packet once, and each way back found although it is addressed to the host."""
    g = guest("web1")
    g.dhcp()
    t = trace("web1")
    assert g.http()["address"] == UPLINK
    syn = t.packet("SYN", direction="out")
    assert t.packet("SYN,ACK")["reply_to"] == syn["packet"]
    t.packet("FIN", direction="in")
    t.packet("FIN", direction="out")
    t.end()
    tcp = [p for p in t.seen if p["text"].startswith("tcp")]
    assert {p["verdict"] for p in tcp} == {"DELIVERED"}
    assert {tuple(way(p)) for p in tcp if p["direction"] == "out"} == {("vm-out", "bridge-in", "route", "nat", "uplink-out")}
    assert len({p["packet"] for p in tcp}) == len(tcp)


def test_guest_to_guest_on_one_bridge(guest, trace):
    a, b = guest("web1"), guest("web2")
    a.dhcp(), b.dhcp()
    t = trace("web1")
    assert a.ping(b.ip)
    out = t.packet("echo request")
    assert way(out)[0] == "vm-out" and "uplink-out" not in hops(out) and "bridge-in" not in hops(out)
    assert hop(out, "bridge-fwd")["ports"] == [b.show()["tap"]]
    back = t.packet("echo reply")
    assert way(back) == ["vm-out", "bridge-fwd", "tap-queued", "vm-read"]
    assert hop(back, "vm-out")["dev"] == b.show()["tap"]
    assert back["reply_to"] == out["packet"]
    t.end()


def test_arp_is_flooded_and_answered(guest, trace):
    a, b, c = (guest(n) for n in ("web1", "web2", "web3"))
    a.dhcp(), b.dhcp(), c.dhcp()
    t = trace("web1")
    a.ns.run("ip", "neigh", "flush", "dev", "eth0")
    assert a.ping(b.ip)
    asked = t.packet(f"who-has {b.ip} tell {a.ip}")
    flood = hop(asked, "bridge-fwd")
    assert flood["copies"] == 2 and set(flood["ports"]) == {b.show()["tap"], c.show()["tap"]}
    answered = t.packet(f"arp {b.ip} is at {b.mac}")
    assert way(answered) == ["vm-out", "bridge-fwd", "tap-queued", "vm-read"]
    t.end()


def test_guest_to_host_and_back(guest, trace):
    g = guest("web1")
    g.dhcp()
    t = trace("web1")
    assert g.ping("192.168.122.1")
    out = t.packet("echo request")
    assert out["end"] == "DELIVERED to the host" and way(out)[-1] == "host-in"
    back = t.packet("echo reply")
    assert way(back) == ["host-out", "bridge-fwd", "tap-queued", "vm-read"]
    assert back["reply_to"] == out["packet"]
    t.end()


def test_dhcp_of_a_guest_that_boots(guest, trace):
    """The server's answers leave by a packet socket: they are followed all the same."""
    g = guest("web1")
    t = trace("web1")
    g.dhcp()
    asked = t.packet("DHCP", direction="out")
    assert asked["text"].startswith("udp 0.0.0.0:68 > 255.255.255.255:67 DHCP")
    answered = t.packet("DHCP", direction="in")
    assert way(answered)[-1] == "vm-read"
    t.end()


def test_the_rule_that_drops(world, guest, trace):
    """Somebody else's table: family, table, chain, handle and the rule's words."""
    g = guest("web1")
    g.dhcp()
    world.host.nft("table ip strict { chain ways { type filter hook forward priority 10; policy accept; jump inner; }; chain inner { }; }")
    world.host.nft("add rule ip strict inner ip daddr 198.51.100.7 icmp type echo-request counter drop")
    handle = next(int(line.split("# handle ")[1]) for line in world.host.run("nft", "-a", "list", "table", "ip", "strict").splitlines()
                  if "echo-request" in line)
    t = trace("web1", "icmp")
    assert not g.ping(INTERNET)
    lost = t.packet("echo request", verdict="DROP")
    d = hop(lost, "DROP")
    assert d["reason"] == "NETFILTER_DROP"
    assert {k: d["decision"][k] for k in ("verdict", "family", "table", "chain", "base", "hook", "handle")} == {
        "verdict": "drop", "family": "ip", "table": "strict", "chain": "inner", "base": "ways", "hook": "forward", "handle": handle}
    assert d["decision"]["rule"].startswith("ip daddr 198.51.100.7 icmp type echo-request counter")
    # Ours had let it pass before that, and said so.
    assert [h["decision"]["verdict"] for h in lost["hops"] if h["hop"] == "fw" and h["decision"]["table"] == "vmlane"
            and h["decision"]["hook"] == "forward"] == ["accept"]
    t.end()


def test_the_policy_that_drops(world, guest, trace):
    g = guest("web1")
    g.dhcp()
    world.host.nft("table inet strict { chain ways { type filter hook forward priority 10; policy drop; }; }")
    t = trace("web1", "icmp")
    assert not g.ping(INTERNET)
    d = hop(t.packet("echo request", verdict="DROP"), "DROP")["decision"]
    assert (d["table"], d["chain"], d["hook"], d["handle"], d["verdict"]) == ("strict", "ways", "forward", None, "drop")
    t.end()


def test_no_route(world, guest, trace):
    g = guest("web1")
    g.dhcp()
    world.host.run("ip", "route", "add", "blackhole", "198.51.100.99")
    t = trace("web1")
    assert not g.ping("198.51.100.99")
    lost = t.packet("echo request", verdict="DROP")
    assert hop(lost, "route")["route"]["error"] != 0 and "blackhole" in hop(lost, "route")["text"]
    assert hop(lost, "DROP")["reason"]
    t.end()


def test_drop_at_a_full_tap(guest, trace):
    """A VM that does not read: its tap's ring fills, and then frames are dropped there."""
    g = guest("web1", tap=True)
    g.dhcp()
    assert g.ping("192.168.122.1")  # the host knows its MAC: nothing waits for that
    t = trace("web1", "--summary")
    os.kill(g.vmm.pid, signal.SIGSTOP)
    with g.world.host.enter(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        for _ in range(2000):
            s.sendto(b"x" * 100, (g.ip, 9))
    os.kill(g.vmm.pid, signal.SIGCONT)
    ways = t.ways()
    dropped = [w for w in ways if w["verdict"] == "DROP"]
    assert dropped and any("FULL_RING" in w["way"] for w in dropped), ways
    assert sum(w["packets"] for w in dropped) > 500


def test_summary_folds_equal_ways(guest, trace):
    g = guest("web1")
    g.dhcp()
    t = trace("web1", "--summary")
    assert g.ns.run("busybox", "ping", "-q", "-c", "20", "-i", "0.02", INTERNET)
    out = [w for w in t.ways() if w["way"].startswith("vm-out") and "uplink-out" in w["way"]]
    assert sum(w["packets"] for w in out) >= 20
    assert all(0 < w["p50_us"] <= w["p99_us"] <= w["max_us"] for w in out)


@pytest.mark.parametrize("words, seen, unseen", [
    (["icmp"], "icmp", "tcp"),
    (["tcp", "port", "80"], "tcp", "icmp"),
    (["host", INTERNET, "and", "tcp"], "tcp", "icmp"),
    (["tcp[tcpflags] & tcp-syn != 0"], "SYN", "FIN"),
    (["dst", "port", "80", "and", "src", "net", "192.168.122.0/24"], "tcp", "icmp"),
])
def test_filter(guest, trace, words, seen, unseen):
    """Replies belong to it, though they are addressed to the host."""
    g = guest("web1")
    g.dhcp()
    assert g.ping(INTERNET)
    t = trace("web1", *words)
    assert g.http()["address"] == UPLINK
    assert g.ping(INTERNET)
    out = t.packet(seen, direction="out")
    assert t.packet(seen, direction="in")["verdict"] == "DELIVERED" and out["verdict"] == "DELIVERED"
    t.end()
    if words != ["tcp[tcpflags] & tcp-syn != 0"]:  # its first packet lets its connection in
        assert not [p["text"] for p in t.seen if unseen in p["text"]]


def test_count_ends_it(guest, trace):
    g = guest("web1")
    g.dhcp()
    t = trace("web1", "-c", "2", "icmp")
    assert g.ping(INTERNET, count=2)
    t.packet("echo request"), t.packet("echo reply")
    assert t.p.wait() == 0


def test_for_people(world, guest):
    """The same as text: a block a packet, at most eight lines a direction."""
    g = guest("web1")
    g.dhcp()
    p = world.host.start(program("vmlane"), "trace", "web1", "icmp", "-c", "2", stdout=subprocess.PIPE, log=f"{world.tmp}/text.log")
    wait_for("the trace", lambda: "following web1" in p.text())
    assert g.ping(INTERNET)
    assert p.wait() == 0
    text = p.p.stdout.read().decode()
    blocks = text.split("\n#")
    assert len(blocks) == 2, text
    for block in blocks:
        assert len(block.strip().splitlines()) <= 1 + 8 + 1, block
    assert f"nat            {g.ip} > {INTERNET}  ->  {UPLINK} > {INTERNET}" in text
    assert "(reply to #1 after " in blocks[1] and "DELIVERED to the guest" in blocks[1]
    assert "2 packets, 0 dropped; lost from sight: 0 events" in p.text()


def bpf_programs():
    out = subprocess.run(["bpftool", "-j", "prog", "list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {(p["id"], p["name"]) for p in json.loads(out or "[]") if p.get("name", "").startswith("on_")}


def test_nothing_stays_behind(world, guest, trace):
    """Programs, maps, rules, interfaces: gone after kill -9 too."""
    g = guest("web1")
    g.dhcp()
    before = bpf_programs(), world.host.run("nft", "list", "ruleset"), sorted(world.host.links())
    t = trace("web1")
    assert g.ping(INTERNET)
    t.packet("echo reply")
    assert bpf_programs() - before[0], "no program was seen while it ran: the test sees nothing"
    t.p.end(signal.SIGKILL)
    wait_for("the programs' end", lambda: not bpf_programs() - before[0])
    assert sorted(world.host.links()) == before[2]
    strip = lambda text: [line for line in text.splitlines() if "counter" not in line and "packets" not in line]  # noqa: E731
    assert strip(world.host.run("nft", "list", "ruleset")) == strip(before[1])


@pytest.mark.parametrize("by", ["tap", "mac", "address", "option-port", "option-mac"])
def test_by_any_name(guest, trace, by):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")  # the bridge and the host know it now
    args = {"tap": [g.show()["tap"]], "mac": [g.mac], "address": [g.ip], "option-port": ["--port", g.show()["tap"]],
            "option-mac": ["--mac", g.mac]}[by]
    t = trace(*args)
    assert t.start["ports"] == [g.show()["tap"]]
    assert g.ping(INTERNET)
    assert t.packet("echo request")["verdict"] == "DELIVERED"
    t.end()


def test_without_the_daemon_for_somebody_elses_guest(world, trace):
    """A bridge and a veth that were made by hand, in another namespace: --netns."""
    other = world.ns("other-host")
    vm = world.ns("other-vm")
    other.run("sh", "-ec", "ip link set lo up; ip link add br7 type bridge forward_delay 0; ip addr add 10.7.0.1/24 dev br7;"
              "ip link set br7 up; ip link add vnet7 type veth peer name eth0 netns other-vm; ip link set vnet7 master br7 up")
    vm.run("sh", "-ec", "ip addr add 10.7.0.7/24 dev eth0; ip link set eth0 up; ip link set lo up")
    t = trace("vnet7", "--netns", "other-host")
    vm.run("busybox", "ping", "-q", "-c", "1", "10.7.0.1")
    assert t.packet("echo request")["end"] == "DELIVERED to the host"
    back = t.packet("echo reply")
    assert way(back) == ["host-out", "bridge-fwd", "tap-queued", "vm-read"]
    t.end()


@pytest.mark.parametrize("args, code, words", [
    ([], 1, "whose packets?"),
    (["nobody"], 2, "there is no guest 'nobody' here; guests' ports are: web1 ("),
    (["--port", "eth77"], 2, "there is no port 'eth77' here"),
    (["--mac", "52:54"], 1, "is no MAC address"),
    (["--mac", "52:54:00:00:77:77"], 2, "there is no guest with the MAC '52:54:00:00:77:77' here"),
    (["web1", "-c", "0"], 1, "--count '0' is not a number from 1 on"),
    (["web1", "tcp", "prot", "443"], 1, 'did you mean "proto"?'),
    (["web1", "host", "example.org"], 1, "example.org"),
    (["web1", "--netns", "nowhere"], 2, "there is no network namespace"),
    (["web1", "--sumary"], 1, "did you mean '--summary'?"),
])
def test_bad_words(world, guest, args, code, words):
    guest("web1")
    done = world.host.run(program("vmlane"), "trace", *args, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr


def test_needs_root(world, guest):
    guest("web1")
    done = world.host.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", program("vmlane"), "trace", "web1",
                          check=False)
    assert done.returncode == 2 and "run it as root" in done.stderr, done.stderr
