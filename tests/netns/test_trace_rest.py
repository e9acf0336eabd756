# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace under a load of packets that do not match: it rests, and is there again when one does."""
import glob
import json
import signal
import threading

import pytest

from plain import Plain, ping, udp
from test_trace import Trace, hops, way
from test_trace_modes import OUT, TO_GUEST
from world import INTERNET, wait_for

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def plain(world):
    # Its refusals would match, being ICMP.
    world.internet.nft("table ip quiet { chain in { type filter hook prerouting priority -300; udp dport 9 drop; }; }")
    return Plain(world)


class Flood:
    """Datagrams to a port where nobody listens, as fast as they go."""

    def __init__(self, ns, address=INTERNET):
        self.socket, self.to, self.stop = udp(ns), (address, 9), False
        self.threads = [threading.Thread(target=self.run)]
        for t in self.threads:
            t.start()

    def run(self):
        payload = b"x" * 18
        while not self.stop:
            for _ in range(500):
                self.socket.sendto(payload, self.to)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join()
        self.socket.close()


@pytest.fixture
def flood():
    floods = []

    def make(*args):
        floods.append(Flood(*args))
        return floods[-1]
    yield make
    for f in floods:
        if not f.stop:
            f.end()


def links(trace):
    """The kinds of the BPF links that it holds."""
    kinds = []
    for path in glob.glob(f"/proc/{trace.p.pid}/fdinfo/*"):
        try:
            with open(path, encoding="ascii") as f:
                kinds += [line.split()[1] for line in f if line.startswith("link_type:")]
        except FileNotFoundError:
            pass
    return kinds


def resting(trace):
    return "tcx" in links(trace)


def end(trace):
    trace.p.p.send_signal(signal.SIGINT)
    while True:
        e = json.loads(trace.p.line())
        if e["event"] == "end":
            assert trace.p.wait() == 0
            return e["lost"]
        trace.seen.append(e)


def rules(world):
    return "vmlane_trace" in world.host.run("nft", "list", "tables")


def test_rests_under_load_and_wakes_for_a_packet(world, plain, flood):
    g = plain.guest(1)
    assert ping(g, INTERNET)
    t = Trace(world, "vnet1", "icmp")
    assert not resting(t) and rules(world)
    f = flood(g)
    wait_for("the rest", lambda: resting(t))
    # Of what each packet of the machine meets nothing is left.
    wait_for("the rest of the rest", lambda: len([k for k in links(t) if k != "tcx"]) <= 1 and not rules(world))
    assert not t.seen
    # The packet that wakes it is not followed, and is counted; those after it are, on all of their way.
    assert ping(g, INTERNET)
    wait_for("the waking", lambda: not resting(t) and rules(world))
    assert ping(g, INTERNET, "-s", 77)
    out = t.packet(", 105 bytes", direction="out")
    assert way(out) == OUT and "fw" in hops(out)
    assert way(t.packet(", 105 bytes", direction="in")) == ["uplink-in", "route", "nat", *TO_GUEST]
    # What has matched once may match again soon: no rest, although the load goes on.
    assert not resting(t)
    f.end()
    lost = end(t)
    assert 1 <= lost.pop("rested") <= 4, lost  # the request, perhaps the reply, in and out
    assert lost == {"events": 0, "packets": 0, "unreadable": 0}


def test_packets_to_the_guest_wake_it_too(world, plain, flood):
    """The host's own, which come in nowhere."""
    g = plain.guest(1)
    assert ping(g, INTERNET)
    assert ping(world.host, g.address)
    t = Trace(world, "vnet1", "icmp")
    flood(g)
    wait_for("the rest", lambda: resting(t))
    # On a busy machine it may be at rest again before it is asked.
    asked = []
    wait_for("the waking", lambda: asked.append(ping(world.host, g.address)) or not resting(t))
    assert all(asked)
    assert ping(world.host, g.address, "-s", 77)
    assert "echo request" in t.packet(", 105 bytes", direction="in")["text"]
    assert 1 <= end(t)["rested"] <= 4 * len(asked)


def test_is_ready_again_when_the_load_is_gone(world, plain, flood):
    g = plain.guest(1)
    assert ping(g, INTERNET)
    t = Trace(world, "vnet1", "icmp")
    f = flood(g)
    wait_for("the rest", lambda: resting(t))
    f.end()
    wait_for("the waking", lambda: not resting(t) and rules(world))
    assert ping(g, INTERNET)
    assert way(t.packet("echo request")) == OUT and way(t.packet("echo reply"))
    assert end(t) == {"events": 0, "packets": 0, "unreadable": 0, "rested": 0}


@pytest.mark.parametrize("how", ["all", "capture"])
def test_no_rest_where_each_packet_counts(world, plain, flood, how):
    """Where all packets are wanted, and where frames go to a file: these are to be complete."""
    g = plain.guest(1)
    assert ping(g, INTERNET)
    if how == "all":
        t = Trace(world, "vnet1", "--summary")
    else:
        t = Trace(world, "vnet1", "icmp", "-w", f"{world.tmp}/all.pcapng")
    f = flood(g)
    before = tx(world)
    wait_for("many packets", lambda: tx(world) > before + 50000)
    assert not resting(t)
    f.end()
    if how == "capture":
        assert ping(g, INTERNET)
        assert way(t.packet("echo request")) == OUT
    assert end(t)["rested"] == 0


def tx(world):
    return world.host.ip("-s", "link", "show", "eth0")[0]["stats64"]["tx"]["packets"]
