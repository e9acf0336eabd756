# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network's switch is told: guests kept apart, spanning tree, how long it remembers MACs."""
import pytest
from scapy.layers.inet import ICMP

from daemon import DEFAULT
from packet import IP, Ether, Wire
from test_nat import udp_ask
from world import INTERNET, UPLINK, Monitor, wait_for

APART = """guests:
  a: { isolate: true }
  b: { isolate: true }
"""


def port(d, name):
    found = [p for p in d.get("/v1/ports")["ports"] if p["guest"] == name]
    assert len(found) == 1
    return found[0]


def bridge(world, name="vl-default"):
    return world.host.links()[name]["linkinfo"]["info_data"]


def test_isolated_guests_do_not_meet(daemon, guest):
    """Plugged in both ways; each still reaches everyone else."""
    d = daemon({"default.yaml": DEFAULT + APART})
    a, b, c = guest("a", d=d), guest("b", d=d, tap=True), guest("c", d=d)
    for g in (a, b, c):
        g.dhcp()
    assert not a.ping(b.ip) and not b.ping(a.ip)
    assert a.ping(c.ip) and c.ping(a.ip) and b.ping(c.ip) and c.ping(b.ip)
    assert a.ping("192.168.122.1") and udp_ask(b.ns)["address"] == UPLINK and a.ping(INTERNET)
    assert [port(d, n)["isolated"] for n in "abc"] == [True, True, False]
    table = d.vmlane("port", "list", json_out=False)
    assert "ISOLATED" in table.splitlines()[0]
    assert [("yes" in line.split()) for line in table.splitlines()[1:]].count(True) == 2


def test_isolated_guests_do_not_meet_by_the_host(world, daemon, guest):
    """Nor by sending to the gateway's MAC what the host would route back into the network."""
    d = daemon({"default.yaml": DEFAULT + APART + "guard: { ip: off }\n"})
    a, b = guest("a", d=d), guest("b", d=d)
    a.dhcp()
    b.dhcp()
    refused = d.status()["counters"]["firewall"]["refused_out"]
    heard = Wire(b.ns)
    gateway = world.host.links()["vl-default"]["address"]
    for src in (a.ip, "192.168.5.5"):
        Wire(a.ns).send(Ether(src=a.mac, dst=gateway) / IP(src=src, dst=b.ip) / ICMP(id=77))
    a.ns.run("ip", "route", "add", f"{b.ip}/32", "via", "192.168.122.1")
    b.ns.run("ip", "route", "add", f"{a.ip}/32", "via", "192.168.122.1")
    assert not a.ping(b.ip) and not b.ping(a.ip)
    assert not [f for f in heard.frames(0.2) if IP in f and f[IP].src in (a.ip, "192.168.5.5")]
    assert d.status()["counters"]["firewall"]["refused_out"] >= refused + 4


def test_isolation_comes_and_goes(world, daemon, guest):
    d = daemon(args=["--no-guardian"])
    a, b = guest("a", d=d), guest("b", d=d)
    a.dhcp()
    b.dhcp()
    assert a.ping(b.ip)
    d.write("default.yaml", DEFAULT + APART)
    changes = [c["text"] for c in d.vmlane("diff")["changes"]]
    assert "~ vl-a: isolated" in changes and "~ vl-b: isolated" in changes
    d.vmlane("apply")
    assert not a.ping(b.ip)
    assert d.vmlane("diff") == {"changes": []}
    # Somebody undoes it: that shows, and is mended.
    world.host.run("bridge", "link", "set", "dev", "vl-a", "isolated", "off")
    assert [c["text"] for c in d.vmlane("diff")["changes"]] == ["~ vl-a: isolated"]
    d.vmlane("apply")
    assert port(d, "a")["isolated"] and not a.ping(b.ip)
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert a.ping(b.ip) and not port(d, "a")["isolated"]


def test_restart_finds_isolated_ports(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + APART + "switch: { stp: true, ageing: 60s }\n"})
    guest("a", d=d)
    guest("b", d=d, tap=True)
    d.stop()
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.start()
    assert ip.lines() == [] and nft.lines() == [] and d.writes() == 0
    assert d.vmlane("diff") == {"changes": []}


def test_spanning_tree(world, daemon, guest):
    """With it a port waits before it forwards: two seconds twice, and the guest gets its address."""
    d = daemon({"default.yaml": DEFAULT + "switch: { stp: true }\n"})
    assert (bridge(world)["stp_state"], bridge(world)["forward_delay"]) == (1, 200)
    a = guest("a", d=d)
    assert port(d, "a")["state"] in ("listening", "learning")
    wait_for("a forwarding port", lambda: port(d, "a")["state"] == "forwarding", timeout=25)
    a.dhcp()
    assert udp_ask(a.ns)["address"] == UPLINK
    assert d.network()["stp"] is True
    assert "spanning tree on" in d.vmlane("network", "show", "default", json_out=False)
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert (bridge(world)["stp_state"], bridge(world)["forward_delay"]) == (0, 0)
    assert port(d, "a")["state"] == "forwarding" and a.ping("192.168.122.1")


@pytest.mark.long
def test_ageing(world, daemon, guest):
    """A MAC that is silent is forgotten after the time that is set, and not before."""
    d = daemon({"default.yaml": DEFAULT + "switch: { ageing: 10s }\nguard: off\n"}, args=["--no-guardian"])
    assert bridge(world)["ageing_time"] == 1000
    assert d.network()["ageing_s"] == 10
    assert d.vmlane("diff") == {"changes": []}
    world.host.run("ip", "link", "set", "vl-default", "type", "bridge", "ageing_time", "5000")
    assert [c["text"] for c in d.vmlane("diff")["changes"]] == ["~ vl-default: MAC ageing 50s -> 10s"]
    d.vmlane("apply")
    a = guest("a", d=d)
    a.ns.run("ip", "addr", "add", "192.168.122.9/24", "dev", "eth0")
    assert a.ping("192.168.122.1")

    def known():
        return [m["mac"] for m in d.get("/v1/macs")["macs"] if m["kind"] == "learned"]

    mac = a.mac
    assert mac in known()
    a.ns.run("ip", "link", "set", "eth0", "arp", "off")
    wait_for("the MAC to be forgotten", lambda: mac not in known(), timeout=40)
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert bridge(world)["ageing_time"] == 30000
