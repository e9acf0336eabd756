# SPDX-License-Identifier: GPL-2.0-or-later
"""peers: networks whose guests reach each other, without translation, when both say so."""
import subprocess

from guest import met
from test_modes import HOSTS, fetch, network, way_back
from test_nat import udp_ask
from world import UPLINK, Monitor

A = network("a", "nat", "192.168.1.0/24", "peers: [ b, c ]\n")
B = network("b", "routed", "192.168.2.0/24", "peers: [ a ]\n")
C = network("c", "routed", "192.168.3.0/24", "inbound: none\npeers: [ a ]\n")
D = network("d", "nat", "192.168.4.0/24")


def serve(guest):
    p = guest.ns.python("server.py", "0.0.0.0", stdout=subprocess.PIPE, log=f"{guest.tmp}/server.log")
    assert p.line() == "ready"


def machines(d, guest, names):
    guests = {name: guest(f"g-{name}", d=d, network=name) for name in names}
    for g in guests.values():
        g.dhcp()
    return guests


def test_peers_meet_as_themselves(world, daemon, guest):
    """nat with routed, with one that has no other way out, and not with others, nor by way of a peer."""
    d = daemon({"a.yaml": A, "b.yaml": B, "c.yaml": C, "d.yaml": D, "hosts.yaml": HOSTS})
    way_back(world, "192.168.2.0/24")
    guests = machines(d, guest, "abcd")
    assert met(guests) == {("a", "b"), ("b", "a"), ("a", "c"), ("c", "a")}
    for name in "abc":
        serve(guests[name])
    assert fetch(guests["a"].ns, guests["b"].ip) == (0, guests["a"].ip)
    assert fetch(guests["b"].ns, guests["a"].ip) == (0, guests["b"].ip)
    assert fetch(guests["c"].ns, guests["a"].ip) == (0, guests["c"].ip)
    # The ways out are what they were.
    assert udp_ask(guests["a"].ns)["address"] == UPLINK
    assert udp_ask(guests["b"].ns)["address"] == guests["b"].ip
    assert udp_ask(guests["c"].ns, timeout=0.3) is None
    assert d.network("a")["peers"] == ["b", "c"] and d.status()["problems"] == []
    assert d.vmlane("diff") == {"changes": []}
    # A peer's guest is checked as ever: it cannot speak as another peer's.
    guests["b"].ns.run("ip", "addr", "add", "192.168.3.99/32", "dev", "eth0")
    assert guests["b"].ns.run("busybox", "ping", "-q", "-c", 1, "-W", 1, "-I", "192.168.3.99", guests["a"].ip,
                              check=False).returncode != 0


def test_peers_come_and_go(world, daemon, guest):
    d = daemon({"a.yaml": network("a", "nat", "192.168.1.0/24"), "d.yaml": D})
    guests = machines(d, guest, "ad")
    assert met(guests) == set()
    d.write("a.yaml", network("a", "nat", "192.168.1.0/24", "peers: [ d ]\n"))
    code, text = d.errors("apply")
    assert code == 2 and 'network "d" does not list "a" among its own `peers`' in text and "a.yaml:3:8" in text
    assert met(guests) == set()
    d.write("d.yaml", D + "peers: [ a ]\n")
    d.vmlane("apply")
    assert met(guests) == {("a", "d"), ("d", "a")}
    d.stop()
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.start()
    assert ip.lines() == [] and nft.lines() == [] and d.writes() == 0
    # Stopped, it is nobody's way; started again, it is.
    d.vmlane("network", "stop", "d", "--force")
    assert met(guests) == set()
    d.vmlane("network", "start", "d")
    assert met(guests) == {("a", "d"), ("d", "a")}
    d.write("a.yaml", network("a", "nat", "192.168.1.0/24"))
    d.write("d.yaml", D)
    d.vmlane("apply")
    assert met(guests) == set()


def test_a_peer_is_not_deleted_from_under_another(daemon):
    d = daemon({"a.yaml": network("a", "nat", "192.168.1.0/24", "peers: [ d ]\n"), "d.yaml": D + "peers: [ a ]\n"})
    code, text = d.errors("network", "delete", "d")
    assert code == 2 and "network a lists d among its `peers`" in text
    d.vmlane("network", "delete", "d", "--force")
    assert 'there is no network "d"' in d.errors("apply")[1]
    d.write("a.yaml", network("a", "nat", "192.168.1.0/24"))
    d.vmlane("apply")
    assert d.status()["problems"] == []


def test_at_start_one_that_only_one_wants_is_told(daemon, guest):
    """The networks run; nothing is opened."""
    d = daemon({"a.yaml": network("a", "nat", "192.168.1.0/24", "peers: [ d ]\n"), "d.yaml": D})
    assert [p["code"] for p in d.status()["problems"]] == ["no-peer"]
    guests = machines(d, guest, "ad")
    assert met(guests) == set() and udp_ask(guests["a"].ns)["address"] == UPLINK


def test_created_with_a_peer(daemon):
    d = daemon({"a.yaml": network("a", "nat", "192.168.1.0/24")})
    body = {"network": "x", "peers": ["a"], "ipv4": {"subnet": "192.168.9.0/24"}}
    status, answer = d.api("POST", "/v1/networks", body)
    assert status == 400 and answer["code"] == "no-peer" and "does not list" in answer["message"]
    assert [n["name"] for n in d.get("/v1/networks")["networks"]] == ["a"]
