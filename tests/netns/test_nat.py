# SPDX-License-Identifier: GPL-2.0-or-later
"""The way out and the way back: translation, what is refused, and the uplink that moves."""
import socket
import time

import pytest

from daemon import DEFAULT
from guest import stop_stream
from packet import IP, UDP, Ether, Wire, tcp_ask, udp_ask
from world import INTERNET, TIMEOUT, UPLINK, wait_for

LAB = """network: lab
mode: nat
ipv4:
  subnet: 192.168.5.0/24
"""


def test_guest_reaches_the_internet_as_the_host(guest):
    g = guest("web1")
    g.dhcp()
    assert g.http()["address"] == UPLINK
    assert g.ping(INTERNET)
    assert udp_ask(g.ns)["address"] == UPLINK


def test_privileged_source_ports_are_not_kept(guest):
    """A server that trusts ports below 1024 (NFS) must not trust a guest's."""
    g = guest("web1")
    g.dhcp()
    for sport in (500, 1023):
        seen = udp_ask(g.ns, sport)
        assert seen["address"] == UPLINK and seen["port"] >= 1024
        assert tcp_ask(g.ns, sport)["port"] >= 1024


def test_port_range(daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "nat:\n  ports: 20000-20099\n"})
    assert d.network()["ports"] == "20000-20099"
    g = guest("web1", d=d)
    g.dhcp()
    for sport in (0, 500, 40000):
        assert 20000 <= udp_ask(g.ns, sport)["port"] <= 20099
        assert 20000 <= tcp_ask(g.ns, sport)["port"] <= 20099
    assert g.ping(INTERNET)


def test_nobody_comes_in(world, guest):
    g = guest("web1")
    address = g.dhcp()["address"]
    g.ns.start("/usr/bin/python3", "-m", "http.server", "8080")
    other = guest("web2")
    other.dhcp()
    wait_for("the guest's own server", lambda: other.ns.run(
        "curl", "-s", "-o", "/dev/null", f"http://{address}:8080/", check=False).returncode == 0)
    # The Internet's router knows a way to the guest, and still is refused, in words.
    world.internet.run("ip", "route", "add", "192.168.122.0/24", "via", UPLINK)
    refused = world.internet.run("curl", "-sS", "--max-time", 5, f"http://{address}:8080/", check=False)
    assert refused.returncode == 7, "not refused at once: " + refused.stderr
    assert world.internet.run("busybox", "ping", "-c", "1", "-W", "1", address, check=False).returncode != 0
    counters = g.d.status()["counters"]["firewall"]
    assert counters["refused_in"] >= 2


def test_spoofed_sources_stay_inside(world, daemon, guest):
    g = guest("web1", d=daemon({"default.yaml": DEFAULT + "guard: { ip: off }\n"}))
    g.dhcp()
    gateway = g.ns.run("busybox", "arping", "-c", "1", "-I", "eth0", "192.168.122.1").split("[")[1].split("]")[0]
    wire, out = Wire(world.internet, "eth0"), Wire(g.ns)
    spoofed = ["10.1.2.3", "192.168.5.7", UPLINK, "8.8.8.8"]
    for src in spoofed + [g.ip]:
        out.send(Ether(src=g.mac, dst=gateway) / IP(src=src, dst=INTERNET, id=4242) / UDP(sport=5000, dport=7777)
                 / b"spoof")
    seen = []
    for frame in wire.frames(TIMEOUT):
        if IP in frame and frame[IP].dst == INTERNET and frame[IP].id == 4242:
            seen.append(frame[IP].src)
            break  # the honest one was sent last
    assert seen == [UPLINK]
    # Linux itself refuses the host's own address as a source (martian); the others are ours.
    assert g.d.status()["counters"]["firewall"]["spoofed"] >= len(spoofed) - 1


def test_networks_do_not_reach_each_other(daemon, guest):
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": LAB})
    one, two = guest("one", d=d), guest("two", d=d, network="lab")
    one.dhcp()
    two.dhcp()
    assert two.ip.startswith("192.168.5.")
    assert one.http()["address"] == two.http()["address"] == UPLINK
    assert not one.ping(two.ip) and not two.ping(one.ip)


def test_broadcast_and_multicast_are_not_translated(world, guest):
    g = guest("web1")
    g.dhcp()
    wire = Wire(world.internet, "eth0")
    g.ns.run("ip", "route", "add", "224.0.0.0/24", "dev", "eth0")
    with g.ns.enter():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        s.sendto(b"x", ("224.0.0.251", 5353))
        s.sendto(b"x", ("255.255.255.255", 7777))
    assert g.http()
    assert not [f for f in wire.frames(0.3) if IP in f and f[IP].dst in ("224.0.0.251", "255.255.255.255")]


def second_uplink(world):
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")


def test_uplink_follows_the_default_route(world, vmlaned, guest):
    second_uplink(world)
    g = guest("web1")
    g.dhcp()
    assert g.http()["address"] == UPLINK
    assert vmlaned.network()["uplinks"] == [{"name": "eth0", "address": UPLINK}]
    start = time.monotonic()
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    seen = wait_for("a way out by eth1", lambda: udp_ask(g.ns, timeout=0.1), timeout=1)
    assert seen["address"] == "192.0.2.2" and time.monotonic() - start < 1
    assert vmlaned.network()["uplinks"] == [{"name": "eth1", "address": "192.0.2.2"}]
    assert world.host.sysctl("net/ipv4/conf/eth1/forwarding") == "1"
    # And when there is none for a while, and then again.
    world.host.run("ip", "route", "del", "default")
    wait_for("no uplink", lambda: vmlaned.network()["uplinks"] == [])
    world.host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    assert wait_for("a way out by eth0", lambda: udp_ask(g.ns, timeout=0.1), timeout=1)["address"] == UPLINK


def test_named_uplink_stays(world, daemon, guest):
    second_uplink(world)
    world.host.run("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.1", "dev", "eth1")
    d = daemon({"default.yaml": DEFAULT + "nat:\n  uplink: eth1\n"})
    g = guest("web1", d=d)
    g.dhcp()
    assert g.http()["address"] == "192.0.2.2"
    # What leaves by another line is not this network's way out.
    world.host.run("ip", "route", "del", "198.51.100.0/24")
    assert udp_ask(g.ns, timeout=0.5) is None


def test_forwarding_only_where_it_is_needed(world, vmlaned):
    second_uplink(world)

    def forwarding():
        return {dev: world.host.sysctl(f"net/ipv4/conf/{dev}/forwarding") for dev in ("eth0", "eth1", "lo")}

    assert forwarding() == {"eth0": "1", "eth1": "0", "lo": "0"}
    assert world.host.sysctl("net/ipv4/conf/vl-default/forwarding") == "1"
    vmlaned.vmlane("network", "stop", "default")
    assert forwarding() == {"eth0": "0", "eth1": "0", "lo": "0"}
    assert world.host.sysctl("net/ipv4/ip_forward") == "0"


def test_forwarding_that_was_on_before_stays_on(world, daemon):
    world.host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding")
    d = daemon()
    d.vmlane("network", "stop", "default")
    assert world.host.sysctl("net/ipv4/conf/eth0/forwarding") == "1"


def test_uplink_that_comes_late(world, daemon, guest):
    """The daemon starts before the machine has a way out at all."""
    world.host.run("ip", "route", "del", "default")
    d = daemon()
    assert d.network()["state"] == "running" and d.network()["uplinks"] == []
    g = guest("web1", d=d)
    g.dhcp()
    assert udp_ask(g.ns, timeout=0.3) is None
    world.host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    assert wait_for("a way out", lambda: udp_ask(g.ns, timeout=0.5))["address"] == UPLINK


def spoof(g, count):
    """Packets with a source that is not the guest's, and what is counted then."""
    before = g.d.status()["counters"]["firewall"]["spoofed"]
    g.ping("192.168.122.1")
    mac = next(n["lladdr"] for n in g.ns.ip("neigh", "show", "192.168.122.1", "dev", "eth0"))
    out = Wire(g.ns)
    for i in range(count):
        out.send(Ether(src=g.mac, dst=mac) / IP(src="8.8.8.8", dst=INTERNET) / UDP(sport=5000 + i, dport=7777))
    return wait_for("them to be counted", lambda: g.d.status()["counters"]["firewall"]["spoofed"] - before >= count)


def chains(world):
    listing = world.host.run("nft", "list", "table", "inet", "vmlane").splitlines()
    return sorted(line.split()[1] for line in listing if line.strip().startswith("chain "))


def test_new_chains_leave_the_counters_alone(world, daemon, guest):
    """Networks with port ranges, sources and prefix lengths that no other has come and go."""
    vmlaned = daemon({"default.yaml": DEFAULT + "guard: { ip: off }\n"})
    g = guest("web1", d=vmlaned)
    g.dhcp()
    spoof(g, 3)
    before = chains(world)
    counted = vmlaned.status()["counters"]["firewall"]
    stream = g.stream()
    for n, source in ((5, None), (6, "203.0.113.2")):
        vmlaned.vmlane("network", "create", f"lab{n}", "--subnet", f"192.168.{n}.0/2{n}",
                       "--ports", f"{n}0000-{n}0999", *(["--source", source] if source else []))
    two = guest("two", network="lab5", d=vmlaned)
    two.dhcp()
    assert 50000 <= udp_ask(two.ns)["port"] <= 50999
    assert len(chains(world)) > len(before)
    # Somebody else's rules are no reason to make ours anew.
    world.host.nft("table ip other { chain c { }; }")
    vmlaned.vmlane("network", "create", "lab7", "--subnet", "192.168.7.0/27", "--ports", "10000-10999")
    assert vmlaned.vmlane("diff")["changes"] == []
    vmlaned.restart()
    assert vmlaned.writes() == 0
    for n in (5, 6, 7):
        vmlaned.vmlane("network", "delete", f"lab{n}", "--force")
    assert vmlaned.status()["counters"]["firewall"] == counted
    result = stop_stream(stream)
    assert result["received"] == result["sent"] > 0
    assert chains(world) == before
    vmlaned.restart()
    assert vmlaned.writes() == 0 and vmlaned.status()["problems"] == []


@pytest.mark.parametrize("what", ["restart", "kill9"])
def test_packets_flow_without_the_daemon(vmlaned, guest, what):
    g = guest("web1")
    g.dhcp()
    stream = g.stream()
    time.sleep(0.2)
    if what == "restart":
        vmlaned.restart()
    else:
        vmlaned.kill9()
        time.sleep(0.3)  # a while without any daemon
        vmlaned.start()
    result = stop_stream(stream)
    assert result["sent"] > 50
    assert result["received"] == result["sent"]
    assert len(result["ports"]) == 1, "the flow was translated anew"
