# SPDX-License-Identifier: GPL-2.0-or-later
"""Policies and limits: what counts as a connection, how many there may be, and how many rules."""
import contextlib
import json
import select
import socket
import subprocess

import pytest
from daemon import Failed
from test_modes import network, way_back
from test_policy import GATEWAY, lab, mend, nft_rules, no_icmp_limits, ping, policy, probed, talk, tcp, up
from test_trace import Trace
from world import INTERNET, INTERNET6, TIMEOUT, UPLINK, wait_for

__all__ = ["no_icmp_limits"]  # a fixture, for each test here too


# ---- connections without an answer ----


def one_way(sender, receiver, address, port):
    """A flow of UDP that nobody answers; send(n) sends so many and says how many came."""
    v6 = ":" in address
    with receiver.enter():
        to = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        to.bind((address, port))
    with sender.enter():
        s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        s.connect((address, port))

    def send(n):
        came = 0
        for _ in range(n):
            # What a packet before it was told of: that says nothing of this one.
            with contextlib.suppress(OSError):
                s.send(b"hello")
        while came < n and select.select([to], [], [], TIMEOUT if came else 1)[0]:
            came += to.recv(16) == b"hello"
        return came

    return send


def test_a_flow_without_answers_is_one_connection(world, daemon, guest):
    """Conntrack calls it new for ever. Its first packet is judged, and the others pass."""
    world.internet6()
    way_back(world, "192.168.122.0/24")
    d = daemon({"lab.yaml": lab(policy("allow in udp 9", "allow host udp 9"), "limits: {new: 5/s}\n", mode="routed")})
    g = up(d, guest)
    flows = [one_way(*ends) for ends in ((g.ns, world.internet, INTERNET, 9), (g.ns, world.internet, INTERNET6, 9),
                                         (g.ns, world.host, GATEWAY, 9), (world.internet, g.ns, g.ip, 9))]
    for send in flows:
        wait_for("the limit to be met no more", lambda send=send: send(1) == 1)
        assert send(100) == 100
    d.vmlane("network", "set", "lab", "policy.rules=[deny out, deny in, deny host, deny out udp 9]")
    assert all(send(20) == 20 for send in flows)
    # Who begins only now is judged, at each packet: it never becomes a connection.
    for ends in ((g.ns, world.internet, INTERNET, 10), (g.ns, world.host, GATEWAY, 10), (world.internet, g.ns, g.ip, 10)):
        assert one_way(*ends)(20) == 0


def test_no_way_out_by_a_neighbour(world, daemon, guest):
    """With br_netfilter conntrack knows what guests send each other, too: that opens nothing."""
    world.host.run("sh", "-ec", "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables")
    d = daemon({"lab.yaml": lab(policy("deny out udp 9"))})
    one, two = up(d, guest), up(d, guest, "web2")
    assert ping(one.ns, GATEWAY)
    mac = json.loads(one.ns.run("ip", "-j", "neigh", "show", GATEWAY))[0]["lladdr"]
    for receiver, address, via in ((world.host, UPLINK, "192.168.122.77"), (world.internet, INTERNET, "192.168.122.78")):
        send = one_way(one.ns, receiver, address, 9)
        one.ns.run("ip", "neigh", "replace", via, "lladdr", two.mac, "dev", "eth0")
        one.ns.run("ip", "route", "replace", address, "via", via)
        assert send(3) == 0
        known = world.host.run("conntrack", "-L", "-p", "udp", "-d", address)
        assert "UNREPLIED" in known, known
        one.ns.run("ip", "neigh", "replace", via, "lladdr", mac, "dev", "eth0")
        assert send(3) == 0


# ---- how many rules, and whose ----


def test_more_rules_than_fit_a_megabyte(world, daemon, guest):
    """Twenty networks with all the rules that each may have; the last rule of the last one counts."""
    nets = [f"n{i}" for i in range(20)]
    d = daemon({f"{n}.yaml": network(n, "nat", f"192.168.{i + 1}.0/24",
                                     policy(*[f"allow out tcp {p} from 192.168.{i + 1}.0/24" for p in range(1, 256)],
                                            "deny out tcp 25-8000"))
                for i, n in enumerate(nets)})
    talk(world.internet, "tcp:300", "tcp:8080")
    g = up(d, guest, "web1", nets[-1])
    assert tcp(g.ns, INTERNET, 300, 0.3) == "silence" and tcp(g.ns, INTERNET, 8080) == "open"
    d.vmlane("network", "set", nets[-1], "policy.rules=[deny out tcp 8080]")
    assert tcp(g.ns, INTERNET, 300) == "open" and tcp(g.ns, INTERNET, 8080, 0.3) == "silence"
    assert d.vmlane("diff") == {"changes": []}


def test_refused_by_the_kernel(world, daemon):
    """Somebody else holds our table: what is asked for is not done, and neither file nor answer say it is."""
    d = daemon({"lab.yaml": lab()})
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        before = f.read()
    nft = world.host.start("nft", "-i", stdin=subprocess.PIPE)
    # "owner": nobody else can change it while that program runs.
    nft.p.stdin.write(b"delete table inet vmlane; add table inet vmlane { flags owner; }\n")
    nft.p.stdin.flush()
    wait_for("the table to be held", lambda: "owner" in world.host.run("nft", "list", "ruleset"))
    with pytest.raises(Failed) as told:
        d.vmlane("network", "set", "lab", "policy.rules=[deny out tcp 25]")
    assert "inet vmlane" in told.value.err or "firewall" in told.value.err, told.value.err
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        assert f.read() == before
    assert d.get("/v1/networks/lab")["policy"]["rules"] == []
    nft.end()
    d.vmlane("network", "set", "lab", "policy.rules=[deny out tcp 25]")
    assert "dport 25" in nft_rules(world)


def test_the_command_keeps_what_was_written(world, daemon):
    """Rules in the file that nobody has applied yet are not lost when another one comes or goes."""
    d = daemon({"lab.yaml": lab(policy("deny out tcp 1", "deny out tcp 2"))})
    d.write("lab.yaml", lab(policy("deny out tcp 2", "deny out tcp 3")))
    d.vmlane("filter", "add", "lab", "deny out tcp 4")
    assert d.network("lab")["policy"]["rules"] == [f"deny out tcp {n}" for n in (2, 3, 4)]
    d.write("lab.yaml", lab(policy("deny out tcp 3", "deny out tcp 5")))
    assert "no such rule" in d.errors("filter", "delete", "lab", "deny out tcp 2")[1]
    d.vmlane("filter", "delete", "lab", "deny out tcp 3")
    assert d.network("lab")["policy"]["rules"] == ["deny out tcp 5"]
    d.write("lab.yaml", lab(policy("deny out tcp nonsense")))
    assert "lab.yaml" in d.errors("filter", "add", "lab", "deny out tcp 6")[1]
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        assert "nonsense" in f.read()


# ---- limits ----


def flood(ns, address, port, n, wait=0.5):
    """Begin @n connections at once; those that were made, still open."""
    made, asked_for = [], []
    with ns.enter():
        for _ in range(n):
            s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            s.setblocking(False)
            s.connect_ex((address, port))
            asked_for.append(s)
    for s in asked_for:
        s.setblocking(True)
        s.settimeout(wait if not made or len(made) < n else 0.05)
        try:
            made.append(s) if s.recv(16) == b"hello" else s.close()
        except OSError:
            s.close()
        wait = 0.05 if s.fileno() == -1 else wait
    return made


def test_connections_are_limited(world, daemon, guest):
    """So many at a time; the neighbour does not notice, and ended ones make room."""
    d = daemon({"lab.yaml": lab(more="limits: {connections: 40}\n",
                                guests="guests:\n  web1: {}\n  web3: {limits: {connections: unlimited}}\n")})
    talk(world.internet, "tcp:25")
    one, two, three = up(d, guest), up(d, guest, "web2"), up(d, guest, "web3")
    made = flood(one.ns, INTERNET, 25, 100)
    assert 30 <= len(made) <= 40, len(made)  # what it has asked by DHCP and such counts, too
    for g in (two, three):
        assert tcp(g.ns, INTERNET, 25) == "open"
    assert len(flood(three.ns, INTERNET, 25, 100, 5)) == 100
    assert tcp(one.ns, INTERNET, 25, 0.3) == "silence" and tcp(one.ns, GATEWAY, 53, 0.3) == "silence"
    # Those that are there go on.
    for s in made:
        s.settimeout(TIMEOUT)
        s.sendall(b"?")
        assert s.recv(16) == b"?"
    rows = {r["guest"]: r for r in d.vmlane("filter", "list", "lab")["rules"]}
    assert rows["web1"]["rule"] == "connections: 40" and rows["web1"]["packets"] >= 60
    assert rows["web2"]["packets"] == 0 and "web3" not in rows
    assert d.status()["counters"]["firewall"]["limited"] >= 60
    world.host.run("conntrack", "-D", "-s", one.ip, check=False)
    wait_for("room", lambda: tcp(one.ns, INTERNET, 25, 1) == "open")
    d.vmlane("network", "set", "lab", "limits=")
    assert len(flood(one.ns, INTERNET, 25, 60, 5)) == 60


def test_new_connections_are_limited(world, daemon, guest):
    d = daemon({"lab.yaml": lab(more="limits: {new: 5/s}\n",
                                guests="guests:\n  web2: {limits: {new: 1000/s}}\n")})
    talk(world.internet, "udp:9", "tcp:25")
    talk(world.host, "tcp:53")
    one, two = up(d, guest), up(d, guest, "web2")
    for g, most in ((one, 80), (two, 150)):
        with g.ns.enter():
            socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(150)]
        for s in socks:
            s.sendto(b"hello", (INTERNET, 9))
        answered = 0
        if g is two:
            for s in socks:
                s.settimeout(TIMEOUT)
                answered += s.recv(16) == b"hello"
            assert answered == 150
        else:
            wait_for("an answer", lambda socks=socks: select.select(socks, [], [], 0.1)[0])
            answered = len(select.select(socks, [], [], 0.5)[0])
            assert 1 <= answered <= most
        for s in socks:
            s.close()
    rows = {r["guest"]: r for r in d.vmlane("filter", "list", "lab")["rules"]}
    assert rows["web1"]["rule"] == "new: 5/s" and rows["web1"]["packets"] >= 60 and rows["web2"]["packets"] == 0
    assert tcp(two.ns, GATEWAY, 53) == "open"
    wait_for("the flood to be over", lambda: tcp(one.ns, INTERNET, 25, 1) == "open")


def told_by_limit(packet, words, limit):
    told = packet["diagnosis"]
    assert told["code"] == "policy-limit" and words in told["cause"] and told["cause"].startswith("web1 "), told
    assert told["mend"] == f"vmlane network set lab guests.web1.limits.{limit}=unlimited"
    return told


def test_limits_are_told(world, daemon, guest):
    """A guest has all the connections it may have, or begins too many: its next packet is told of so, live and by probe, and what
    is printed lets it through."""
    d = daemon({"lab.yaml": lab(more="limits: {connections: 20}\n", guests="guests:\n  web1: {}\n")})
    talk(world.internet, "tcp:25", "udp:9")
    g = up(d, guest)
    made = flood(g.ns, INTERNET, 25, 40)
    assert made
    t = Trace(world, "web1")
    assert tcp(g.ns, INTERNET, 25, 0.3) == "silence"
    told = told_by_limit(t.packet(f"> {INTERNET}:25 SYN", verdict="DROP"), "as many connections as it may have", "connections")
    assert any("too_many" in e["text"] for e in told["evidence"])
    answer, cause = probed(d, "web1", "tcp", f"{INTERNET}:25")
    assert answer != "reachable" and told_by_limit({"diagnosis": cause}, "as many connections", "connections") == cause
    mend(d, told)
    assert tcp(g.ns, INTERNET, 25) == "open" and probed(d, "web1", "tcp", f"{INTERNET}:25") == ("reachable", None)
    d.vmlane("network", "set", "lab", "limits.new=50/s")
    with g.ns.enter():
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(300)]
    for s in socks:
        s.sendto(b"hello", (INTERNET, 9))
    told = told_by_limit(t.packet(f"> {INTERNET}:9", verdict="DROP"), "more connections a second", "new")
    assert any("too_fast" in e["text"] for e in told["evidence"])
    t.end()
    mend(d, told)
    for s in socks:
        s.close()
    with g.ns.enter():
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(150)]
    for s in socks:
        s.sendto(b"hello", (INTERNET, 9))
    for s in socks:
        s.settimeout(TIMEOUT)
        assert s.recv(16) == b"hello"
        s.close()
