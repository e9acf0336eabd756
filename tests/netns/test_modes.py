# SPDX-License-Identifier: GPL-2.0-or-later
"""Routed and isolated networks: who reaches whom, what DHCP tells, and all kinds side by side."""
import json
import subprocess

import pytest

from daemon import DEFAULT
from guest import met
from packet import ARP, IP, UDP, Ether, Wire
from test_nat import second_uplink, udp_ask
from world import INTERNET, TIMEOUT, UPLINK, Monitor, wait_for

THEIRS = "203.0.113.1"  # the Internet's end of the uplink


def network(name, mode, subnet=None, more=""):
    """The text of a file."""
    ipv4 = f"ipv4:\n  subnet: {subnet}\n" if subnet else ""
    return f"network: {name}\nmode: {mode}\n{more}{ipv4}"


ROUTED = network("lan", "routed", "192.168.5.0/24")
OPEN = network("open", "routed", "192.168.6.0/24", "inbound: accept\n")
NONE = network("none", "routed", "192.168.7.0/24", "inbound: none\n")
HOSTS = network("hosts", "isolated", "192.168.8.0/24")
PRIVATE = network("private", "isolated", more="host: false\n")


def ping(ns, address):
    return ns.run("busybox", "ping", "-q", "-c", 1, "-W", 1, address, check=False).returncode == 0


def fetch(ns, address, timeout=2):
    """(curl's exit code, whom the server saw)"""
    done = ns.run("curl", "-sS", "--max-time", timeout, f"http://{address}/", check=False)
    return done.returncode, json.loads(done.stdout)["address"] if done.stdout else None


def serve(guest):
    """A web server in the guest."""
    p = guest.ns.python("server.py", "0.0.0.0", stdout=subprocess.PIPE, log=f"{guest.tmp}/server.log")
    assert p.line() == "ready"


def way_back(world, *subnets, via=UPLINK):
    """The outside knows where the guests are."""
    for subnet in subnets:
        world.internet.run("ip", "route", "add", subnet, "via", via)


def host_accepts_all(world):
    """Others' rules and settings that would let everything through."""
    world.host.nft("table ip other { chain f { type filter hook forward priority -10; policy accept; accept; }; }")
    for dev in ("all", "default"):
        world.host.run("sh", "-c", f"echo 1 >/proc/sys/net/ipv4/conf/{dev}/forwarding")


def forwarding(world, dev):
    return world.host.sysctl(f"net/ipv4/conf/{dev}/forwarding")


# ---- routed ----


def test_routed_goes_out_as_itself(world, daemon, guest):
    d = daemon({"lan.yaml": ROUTED})
    way_back(world, "192.168.5.0/24")
    g = guest("web1", d=d, network="lan")
    told = g.dhcp()
    assert told["router"] == "192.168.5.1" and told["dns"] == "203.0.113.1"
    assert g.http()["address"] == g.ip
    assert udp_ask(g.ns, sport=500) == {"address": g.ip, "port": 500, "seq": "hello"}
    assert g.ping(INTERNET) and g.ping("192.168.5.1")
    assert forwarding(world, "eth0") == forwarding(world, "vl-lan") == "1"
    shown = d.network("lan")
    assert shown["mode"] == "routed" and shown["inbound"] == "established" and shown["ports"] is None
    assert shown["uplink"] == "auto" and shown["uplinks"] == [{"name": "eth0", "address": UPLINK}]
    d.vmlane("network", "stop", "lan", "--force")
    assert forwarding(world, "eth0") == "0"


def test_routed_established_refuses_new_connections(world, daemon, guest):
    d = daemon({"lan.yaml": ROUTED})
    way_back(world, "192.168.5.0/24")
    g = guest("web1", d=d, network="lan")
    g.dhcp()
    serve(g)
    code, _ = fetch(world.internet, g.ip)
    assert code == 7, "not refused at once"
    assert not ping(world.internet, g.ip)
    assert d.status()["counters"]["firewall"]["refused_in"] >= 2
    assert ping(world.host, g.ip) and fetch(world.host, g.ip) == (0, "192.168.5.1")


def test_routed_accept_lets_the_outside_in(world, daemon, guest):
    d = daemon({"open.yaml": OPEN, "default.yaml": DEFAULT})
    way_back(world, "192.168.6.0/24")
    g, other = guest("web1", d=d, network="open"), guest("other", d=d)
    g.dhcp()
    other.dhcp()
    serve(g)
    assert fetch(world.internet, g.ip) == (0, THEIRS)
    assert ping(world.internet, g.ip)
    assert g.http()["address"] == g.ip
    # That is for the uplinks, not for other networks of ours.
    assert not other.ping(g.ip) and fetch(other.ns, g.ip)[0] != 0
    assert not g.ping(other.ip)


def test_routed_sources_are_checked(world, daemon, guest):
    """A guest of a routed network is seen as itself, so it must be itself."""
    d = daemon({"open.yaml": OPEN + "guard: { ip: off }\n"})
    way_back(world, "192.168.6.0/24")
    g = guest("web1", d=d, network="open")
    g.dhcp()
    gateway = g.ns.run("busybox", "arping", "-c", "1", "-I", "eth0", "192.168.6.1").split("[")[1].split("]")[0]
    wire, out = Wire(world.internet, "eth0"), Wire(g.ns)
    for src in ("10.1.2.3", "192.168.5.7", "192.168.6.255", "8.8.8.8", g.ip):
        out.send(Ether(src=g.mac, dst=gateway) / IP(src=src, dst=INTERNET, id=4242) / UDP(sport=5000, dport=7777)
                 / b"spoof")
    seen = []
    for frame in wire.frames(TIMEOUT):
        if IP in frame and frame[IP].dst == INTERNET and frame[IP].id == 4242:
            seen.append(frame[IP].src)
            break  # the honest one was sent last
    assert seen == [g.ip]
    assert d.status()["counters"]["firewall"]["spoofed"] >= 4


def test_routed_none_stays_on_the_host(world, daemon, guest):
    d = daemon({"none.yaml": NONE})
    way_back(world, "192.168.7.0/24")
    g = guest("web1", d=d, network="none")
    told = g.dhcp()
    assert told["router"] == "192.168.7.1" and told["dns"] is None
    host_accepts_all(world)
    serve(g)
    assert g.ping("192.168.7.1") and ping(world.host, g.ip)
    assert udp_ask(g.ns, timeout=0.3) is None and not g.ping(INTERNET)
    assert fetch(world.internet, g.ip, timeout=1)[0] != 0 and not ping(world.internet, g.ip)
    shown = d.network("none")
    assert shown["inbound"] == "none" and shown["uplink"] is None and shown["uplinks"] == []


def test_routed_none_needs_no_forwarding_of_the_uplink(world, daemon):
    daemon({"none.yaml": NONE, "hosts.yaml": HOSTS, "private.yaml": PRIVATE})
    assert forwarding(world, "eth0") == "0"
    assert [forwarding(world, f"vl-{n}") for n in ("none", "hosts", "private")] == ["1", "0", "0"]


def test_routed_by_a_named_uplink(world, daemon, guest):
    second_uplink(world)
    world.host.run("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.1", "dev", "eth1")
    d = daemon({"open.yaml": OPEN + "uplink: eth1\n"})
    way_back(world, "192.168.6.0/24", via="192.0.2.2")
    g = guest("web1", d=d, network="open")
    g.dhcp()
    serve(g)
    assert g.http()["address"] == g.ip
    assert fetch(world.internet, g.ip) == (0, "192.0.2.1")
    assert d.network("open")["uplinks"] == [{"name": "eth1", "address": "192.0.2.2"}]
    assert forwarding(world, "eth0") == "0"
    # By another line nothing comes in and nothing goes out.
    world.host.run("ip", "route", "del", "198.51.100.0/24")
    world.host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding")
    assert udp_ask(g.ns, timeout=0.3) is None
    world.internet.run("ip", "route", "replace", "192.168.6.0/24", "via", UPLINK)
    assert fetch(world.internet, g.ip, timeout=1)[0] != 0


def test_uplink_that_is_missing(world, daemon, guest):
    """The network runs, the guest gets its address; it goes out once the interface is there."""
    d = daemon({"open.yaml": OPEN + "uplink: eth1\n"})
    g = guest("web1", d=d, network="open")
    g.dhcp()
    assert d.network("open")["state"] == "running" and d.network("open")["uplinks"] == []
    assert udp_ask(g.ns, timeout=0.3) is None
    second_uplink(world)
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    way_back(world, "192.168.6.0/24", via="192.0.2.2")
    assert wait_for("a way out", lambda: udp_ask(g.ns, timeout=0.2), timeout=3)["address"] == g.ip


# ---- isolated ----


def test_isolated_sees_the_host_and_nothing_else(world, daemon, guest):
    d = daemon({"hosts.yaml": HOSTS})
    way_back(world, "192.168.8.0/24")
    a, b = guest("a", d=d, network="hosts"), guest("b", d=d, network="hosts")
    told = a.dhcp()
    b.dhcp()
    assert told["router"] is None and told["dns"] is None
    assert "default" not in a.ns.run("ip", "route")
    assert a.ping(b.ip) and a.ping("192.168.8.1") and ping(world.host, a.ip)
    # However much the guest, the host's other rules and the outside want it.
    a.ns.run("ip", "route", "add", "default", "via", "192.168.8.1")
    host_accepts_all(world)
    serve(a)
    assert udp_ask(a.ns, timeout=0.3) is None and not a.ping(INTERNET)
    assert fetch(world.internet, a.ip, timeout=1)[0] != 0 and not ping(world.internet, a.ip)
    shown = d.network("hosts")
    assert shown["mode"] == "isolated" and shown["host"] is True and shown["subnet"] == "192.168.8.0/24"
    assert [shown[k] for k in ("uplink", "ports", "inbound")] == [None] * 3 and shown["uplinks"] == []
    assert shown["dns"] == []


def test_isolated_with_resolvers_of_its_own(daemon, guest):
    d = daemon({"hosts.yaml": HOSTS + "dns:\n  servers: [ 192.168.8.53 ]\n  domain: lab.vm\n"})
    told = guest("a", d=d, network="hosts").dhcp()
    assert told["dns"] == "192.168.8.53" and told["domain"] == "lab.vm" and told["router"] is None


def test_isolating_ends_what_was_open(world, daemon, guest):
    """A connection from the time before passes no longer, in neither direction."""
    text = network("lab", "nat", "192.168.8.0/24")
    d = daemon({"lab.yaml": text})
    g = guest("a", d=d, network="lab")
    g.dhcp()
    assert udp_ask(g.ns, sport=4000)["address"] == UPLINK
    d.write("lab.yaml", network("lab", "isolated", "192.168.8.0/24"))
    d.vmlane("apply")
    host_accepts_all(world)
    assert udp_ask(g.ns, sport=4000, timeout=0.3) is None
    # An answer that was long on its way: the translation is still there, the guest's door is not.
    wire = Wire(g.ns)
    late = IP(src=INTERNET, dst=UPLINK) / UDP(sport=7777, dport=4000) / b"late"
    Wire(world.internet, "eth0").send(Ether(dst=world.host.links()["eth0"]["address"]) / late)
    assert not [f for f in wire.frames(0.3) if IP in f and f[IP].src == INTERNET]
    assert d.status()["counters"]["firewall"]["refused_in"] == 1


def test_private_is_a_switch_only(world, daemon, guest):
    d = daemon({"private.yaml": PRIVATE})
    a, b = guest("a", d=d, network="private"), guest("b", d=d, network="private")
    assert world.host.addresses("vl-private") == []
    for g, address in ((a, "10.9.0.1"), (b, "10.9.0.2")):
        g.ns.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    assert a.ping("10.9.0.2") and b.ping("10.9.0.1")
    serve(b)
    assert fetch(a.ns, "10.9.0.2") == (0, "10.9.0.1")
    shown = d.network("private")
    assert shown["state"] == "running" and shown["host"] is False
    assert [shown[k] for k in ("subnet", "gateway", "dhcp", "uplink", "ports")] == [None] * 5
    assert d.vmlane("diff") == {"changes": []}


def test_private_does_not_reach_the_host(world, daemon, guest):
    """Nor by frames that name the bridge's MAC and the host's other addresses."""
    d = daemon({"private.yaml": PRIVATE})
    host_accepts_all(world)
    a = guest("a", d=d, network="private")
    a.ns.run("ip", "addr", "add", "203.0.113.77/24", "dev", "eth0")
    bridge = world.host.links()["vl-private"]["address"]
    wire = Wire(a.ns)
    wire.send(Ether(src=a.mac, dst="ff:ff:ff:ff:ff:ff") / ARP(hwsrc=a.mac, psrc="203.0.113.77", pdst=UPLINK))
    assert not [f for f in wire.frames(0.3) if ARP in f and f[ARP].op == 2], "the host told its MAC"
    a.ns.run("ip", "neigh", "add", UPLINK, "lladdr", bridge, "dev", "eth0")
    assert not a.ping(UPLINK)
    a.ns.run("ip", "route", "add", "default", "via", UPLINK)
    assert udp_ask(a.ns, timeout=0.3) is None
    # Nor is anybody there who gives addresses.
    done = a.ns.run("busybox", "udhcpc", "-f", "-n", "-q", "-t", 1, "-T", 1, "-i", "eth0", "-s", "/bin/true",
                    check=False)
    assert done.returncode != 0
    assert d.status()["counters"]["firewall"]["refused_out"] >= 1


def test_the_host_comes_and_goes(world, daemon, guest):
    """isolated with the host, without, and with it again, guests plugged in all the time."""
    d = daemon({"hosts.yaml": HOSTS})
    a = guest("a", d=d, network="hosts")
    a.dhcp()
    assert a.ping("192.168.8.1")
    d.write("hosts.yaml", network("hosts", "isolated", more="host: false\n"))
    d.vmlane("apply")
    assert world.host.addresses("vl-hosts") == [] and not a.ping("192.168.8.1")
    assert d.vmlane("diff") == {"changes": []}
    d.write("hosts.yaml", HOSTS)
    d.vmlane("apply")
    assert world.host.addresses("vl-hosts") == ["192.168.8.1/24"] and a.ping("192.168.8.1")
    assert d.vmlane("diff") == {"changes": []}
    assert a.dhcp()["address"] == a.ip


# ---- side by side, over restarts, by the command ----

ALL = {"default.yaml": DEFAULT, "lan.yaml": ROUTED, "open.yaml": OPEN, "none.yaml": NONE, "hosts.yaml": HOSTS,
       "private.yaml": PRIVATE, "lab.yaml": network("lab", "nat", "192.168.9.0/24")}


def test_all_kinds_side_by_side(world, daemon, guest):
    d = daemon(ALL)
    way_back(world, "192.168.5.0/24", "192.168.6.0/24", "192.168.7.0/24", "192.168.8.0/24")
    guests = {name: guest(f"g-{name}", d=d, network=name) for name in ("default", "lab", "lan", "open", "none", "hosts")}
    for g in guests.values():
        g.dhcp()
    guests["hosts"].ns.run("ip", "route", "add", "default", "via", "192.168.8.1")
    out = {name: (udp_ask(g.ns, timeout=0.5) or {}).get("address") for name, g in guests.items()}
    assert out == {"default": UPLINK, "lab": UPLINK, "lan": guests["lan"].ip, "open": guests["open"].ip,
                   "none": None, "hosts": None}
    assert [name for name, g in guests.items() if ping(world.internet, g.ip)] == ["open"]
    assert [name for name, g in guests.items() if not ping(world.host, g.ip)] == []
    assert met(guests) == set()


def test_restart_changes_nothing(world, daemon, guest):
    d = daemon(ALL)
    g = guest("web1", d=d, network="lan")
    g.dhcp()
    d.stop()
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.start()
    assert ip.lines() == [] and nft.lines() == []
    assert d.writes() == 0
    assert d.vmlane("diff") == {"changes": []}


def test_state_is_enough(daemon):
    """Files that have become bad: the networks go on as they were applied."""
    d = daemon(ALL)
    before = {n: d.network(n) for n in ("lan", "open", "none", "hosts", "private")}
    d.stop()
    for name in before:
        d.write(f"{name}.yaml", "network: [\n")
    d.start()
    for name, was in before.items():
        now = d.network(name)
        assert {k: now[k] for k in ("mode", "inbound", "host", "subnet", "uplink", "state")} == \
            {k: was[k] for k in ("mode", "inbound", "host", "subnet", "uplink", "state")}


@pytest.mark.parametrize("argv, picture", [
    (["--mode", "routed", "--subnet", "10.3.0.0/24"],
     "[no guests] -> [bridge vl-x 10.3.0.1] -> [routed] -> [uplink eth0] -> Internet"),
    (["--mode", "routed", "--subnet", "10.3.0.0/24", "--inbound", "accept", "--uplink", "eth0"],
     "[no guests] -> [bridge vl-x 10.3.0.1] <-> [routed] <-> [uplink eth0] <-> Internet"),
    (["--mode", "routed", "--subnet", "10.3.0.0/24", "--uplink", "eth7"],
     "[no guests] -> [bridge vl-x 10.3.0.1] -> (no uplink: there is no eth7)"),
    (["--mode", "routed", "--subnet", "10.3.0.0/24", "--inbound", "none"],
     "[no guests] -> [bridge vl-x 10.3.0.1] (no way out of this host)"),
    (["--mode", "isolated", "--subnet", "10.3.0.0/24"],
     "[no guests] -> [bridge vl-x 10.3.0.1] (no way out of this host)"),
    (["--mode", "isolated", "--no-host"], "[no guests] -> [bridge vl-x] (no way out, not even to this host)"),
    (["--subnet", "10.3.0.0/24"], f"[no guests] -> [bridge vl-x 10.3.0.1] -> [NAT: {UPLINK}] -> [uplink eth0] -> Internet"),
])
def test_create_by_command(daemon, argv, picture):
    d = daemon({})
    d.vmlane("network", "create", "x", *argv, json_out=False)
    assert d.vmlane("network", "show", "x", json_out=False).splitlines()[0] == picture
    assert d.network("x")["state"] == "running"
    assert d.vmlane("diff") == {"changes": []}
    d.vmlane("network", "delete", "x")


@pytest.mark.parametrize("argv, words", [
    (["--mode", "routed", "--subnet", "10.3.0.0/24", "--ports", "2000-3000"], "`nat` has no meaning in mode routed"),
    (["--mode", "isolated", "--subnet", "10.3.0.0/24", "--uplink", "eth0"], "`uplink` has no meaning in mode isolated"),
    (["--subnet", "10.3.0.0/24", "--inbound", "accept"], "`inbound` has no meaning in mode nat"),
    (["--no-host"], "`host` has no meaning in mode nat"),
    (["--mode", "routed", "--subnet", "10.3.0.0/24", "--inbound", "all"], "expected accept, established or none"),
    (["--mode", "isolated", "--no-host", "--subnet", "10.3.0.0/24"], "`ipv4` has no meaning with `host: false`"),
    (["--mode", "routed", "--subnet", "10.3.0.0/24", "--uplink", "vl-x"], "vl-x is the network's own bridge"),
])
def test_create_is_refused(daemon, argv, words):
    d = daemon({})
    code, text = d.errors("network", "create", "x", *argv)
    assert code == 2 and words in text
    assert d.get("/v1/networks")["networks"] == []
