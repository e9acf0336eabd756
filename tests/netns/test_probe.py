# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane probe: a synthetic packet of a guest, the verdict, and nothing left of it."""
import json
import os
import signal

import pytest

from daemon import program
from packet import Wire, IP, Ether
from world import INTERNET, UPLINK


@pytest.fixture
def probe(world):
    def ask(*args, code=0):
        done = world.host.run(program("vmlane"), "-o", "json", "probe", *args, check=False)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines[-1]["event"] == "answer" and lines[-1]["reachable"] == (code == 0)
        return lines
    return ask


def way(packet):
    return [h["hop"] for h in packet["hops"] if h["hop"] != "fw"]


OUT = ["vm-out", "bridge-in", "route", "nat", "uplink-out"]
BACK = ["uplink-in", "route", "nat", "bridge-fwd", "tap-queued"]


@pytest.mark.parametrize("what", [("icmp", INTERNET), ("tcp", f"{INTERNET}:443"), ("udp", f"{INTERNET}:53")])
def test_there_and_back(world, guest, probe, what):
    """Nobody is asked: the Internet's own interface sees nothing of it, and conntrack forgets it."""
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    wire, port = Wire(world.internet, "eth0"), Wire(g.ns)
    lines = probe("web1", *what, "--socket", g.d.socket)
    there, back, answer = lines
    assert way(there) == OUT and way(back) == BACK
    assert answer["answer"] == "reachable" and not answer["sent"]
    assert there["hops"][0]["dev"] == g.show()["tap"]
    world.internet.run("busybox", "ping", "-q", "-c", "1", UPLINK)  # a mark: what came before it has been seen
    assert not [f for f in wire.frames(1) if IP in f and f[IP].src == UPLINK and f[IP].dst == INTERNET]
    assert not [f for f in port.frames(1) if IP in f and f[IP].src == INTERNET]
    assert INTERNET not in world.host.run("cat", "/proc/net/nf_conntrack")


def test_a_guest_that_is_off(guest, probe, vmlaned):
    """Its tap is there, and the daemon knows its MAC; the address is given."""
    g = guest("web1", tap=True)
    g.off()
    vmlaned.world.host.run("ip", "link", "set", g.about["tap"], "up")
    done = probe("web1", "icmp", INTERNET, "--source", "192.168.122.77", "--socket", vmlaned.socket, code=2)
    assert done[-1]["answer"] in ("no way back", "not reachable")


def test_dropped_by_a_rule(world, guest, probe):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    world.host.nft("table ip strict { chain ways { type filter hook forward priority 10; tcp dport 25 drop; }; }")
    there, answer = probe("web1", "tcp", f"{INTERNET}:25", code=2)
    assert answer["answer"] == "not reachable" and there["verdict"] == "DROP"
    d = there["hops"][-1]["decision"]
    assert (d["table"], d["chain"], d["rule"]) == ("strict", "ways", "tcp dport 25 drop")
    assert probe("web1", "tcp", f"{INTERNET}:80")[-1]["answer"] == "reachable"


def test_no_way_back(world, guest, probe):
    """Out it gets; the reply is dropped where it comes in."""
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    world.host.nft("table ip strict { chain early { type filter hook prerouting priority -310; iifname eth0 tcp sport 443 drop; }; }")
    there, back, answer = probe("web1", "tcp", f"{INTERNET}:443", code=2)
    assert way(there) == OUT and back["verdict"] == "DROP" and answer["answer"] == "no way back"


def test_to_the_host_and_to_a_neighbour(guest, probe):
    a, b = guest("web1"), guest("web2")
    a.dhcp(), b.dhcp()
    assert a.ping("192.168.122.1") and b.ping("192.168.122.1")
    lines = probe("web1", "icmp", "192.168.122.1")
    assert lines[0]["end"] == "DELIVERED to the host" and way(lines[1])[0] == "host-out"
    lines = probe("web1", "icmp", b.ip)
    assert lines[0]["end"] == f"DELIVERED to {b.show()['tap']}"
    assert probe("web1", "arp", b.ip)[-1]["reachable"]


def test_sent_for_real(guest, probe):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    there, back, answer = probe("web1", "tcp", f"{INTERNET}:80", "--send")
    assert answer["sent"] and "SYN,ACK" in back["text"]
    there, back, answer = probe("web1", "tcp", f"{INTERNET}:81", "--send")
    assert "RST" in back["text"]


def test_too_big(world, guest, probe):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    world.host.run("ip", "route", "add", INTERNET, "via", "203.0.113.1", "mtu", "1400")
    there, _ = probe("web1", "icmp", INTERNET, "--size", "1500", code=2)
    assert there["hops"][-1]["reason"] == "PKT_TOO_BIG"
    assert "packet too big" in next(h for h in there["hops"] if h["hop"] == "icmp-error")["text"]
    assert probe("web1", "icmp", INTERNET, "--size", "1400")[-1]["reachable"]


def test_for_people(world, guest):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    out = world.host.run(program("vmlane"), "probe", "web1", "icmp", INTERNET)
    assert out.splitlines()[-1] == "reachable: it gets there, and the reply gets back (it was taken off at the way out: nobody was asked)"


@pytest.mark.parametrize("args, code, words", [
    ([], 1, "what is asked?"),
    (["web1", "icmp"], 1, "what is asked?"),
    (["web1", "sctp", "1.2.3.4"], 1, "'sctp' is no protocol that can be probed"),
    (["web1", "tcp", "1.2.3.4"], 1, "'1.2.3.4' is no ADDRESS:PORT"),
    (["web1", "tcp", "1.2.3.4:0"], 1, "is no ADDRESS:PORT"),
    (["web1", "icmp", "host"], 1, "'host' is no address"),
    (["web1", "icmp", "1.2.3.4", "--size", "10"], 1, "--size '10'"),
    (["web1", "icmp", "1.2.3.4", "--source", "::1"], 1, "--source '::1'"),
    (["nobody", "icmp", "1.2.3.4"], 2, "there is no guest 'nobody'"),
])
def test_bad_words(world, guest, args, code, words):
    guest("web1")
    done = world.host.run(program("vmlane"), "probe", *args, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr
