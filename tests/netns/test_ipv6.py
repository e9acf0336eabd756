# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 of networks: addresses that guests make themselves, the way out and in, and what does not
pass. What it asks of the host's sysctls is in test_ipv6_host.py."""
import ipaddress
import re
import socket
import subprocess

import pytest

from daemon import DEFAULT
from guest import met
from packet import Ether, Wire, tcp_ask, udp_ask
from test_modes import fetch, host_accepts_all, network
from world import INTERNET, INTERNET6, TIMEOUT, UPLINK, UPLINK6, Monitor, wait_for

# pylint: disable=wrong-import-order,no-name-in-module
from scapy.layers.inet import UDP  # isort: skip
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6  # isort: skip

ULA = "fd00:122::/64"
GLOBAL = "2001:db8:5::/64"


def six(text, subnet, more=""):
    """The text of a file, with a block `ipv6`."""
    return text + f"ipv6:\n  subnet: {subnet}\n{more}"


NAT = six(DEFAULT, ULA)
ROUTED = six(network("lan", "routed", "192.168.5.0/24"), GLOBAL)
OPEN = six(network("open", "routed", "192.168.6.0/24", "inbound: accept\n"), "2001:db8:6::/64")
NONE = six(network("none", "routed", "192.168.7.0/24", "inbound: none\n"), "2001:db8:7::/64")
HOSTS = six(network("hosts", "isolated", "192.168.8.0/24"), "fd00:8::/64")


def ping(ns, address):
    return ns.run("busybox", "ping6", "-q", "-c", 1, "-W", 1, address, check=False).returncode == 0


def way_back(world, *prefixes):
    """The outside knows where the guests are."""
    for prefix in prefixes:
        world.internet.run("ip", "route", "add", prefix, "via", UPLINK6)


def serve(guest):
    p = guest.ns.python("server.py", "::", stdout=subprocess.PIPE, log=f"{guest.tmp}/server6.log")
    assert p.line() == "ready"


def six_off(guest):
    return guest.ns.run("ip", "-6", "route", "show", "default") == ""


# ---- nat ----


def test_guest_reaches_both_internets(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d)
    g.dhcp()
    address = g.slaac(ULA)
    assert g.http()["address"] == UPLINK
    assert g.http(INTERNET6)["address"] == UPLINK6
    assert udp_ask(g.ns, address=INTERNET6)["address"] == UPLINK6
    assert ping(g.ns, INTERNET6) and ping(g.ns, "fd00:122::1") and ping(world.host, address)
    default, = g.ns.ip("-6", "route", "show", "default")
    assert default["gateway"].startswith("fe80::") and default["protocol"] == "ra"
    shown = d.network()
    assert shown["ipv6"] == {"subnet": ULA, "subnet_auto": False, "gateway": "fd00:122::1", "dns": [], "router": True,
                             "uplinks": [{"name": "eth0", "address": UPLINK6}]}
    assert shown["problem"] is None and d.status()["problems"] == []
    assert d.status()["uplinks6"] == ["eth0"]
    assert g.show()["ipv6"] == [address]
    text = d.vmlane("network", "show", "default", json_out=False)
    assert text.startswith(f"[guests: web1] -> [bridge vl-default 192.168.122.1 fd00:122::1] -> [NAT: {UPLINK}, {UPLINK6}]"
                           " -> [uplink eth0] -> Internet\n")
    assert f"  ipv6      {ULA}\n" in text
    assert f"  ipv6      {address} (seen)\n" in d.vmlane("guest", "show", "web1", json_out=False)
    assert d.vmlane("diff") == {"changes": []}


def test_ports_of_nat66(world, daemon, guest):
    """Source ports come from the range, privileged ones are not kept, and others are where free."""
    world.internet6()
    d = daemon({"default.yaml": NAT, "lab.yaml": six(network("lab", "nat", "192.168.5.0/24",
                                                               "nat:\n  ports: 20000-20099\n"), "fd00:5::/64")})
    g, lab = guest("web1", d=d), guest("lab1", d=d, network="lab")
    g.slaac(ULA)
    lab.slaac("fd00:5::/64")
    assert udp_ask(g.ns, 40000, INTERNET6) == {"address": UPLINK6, "port": 40000, "seq": "hello"}
    assert udp_ask(g.ns, 500, INTERNET6)["port"] >= 1024 and tcp_ask(g.ns, 1023, INTERNET6)["port"] >= 1024
    for sport in (0, 500, 40000):
        assert 20000 <= udp_ask(lab.ns, sport, INTERNET6)["port"] <= 20099
        assert 20000 <= tcp_ask(lab.ns, sport, INTERNET6)["port"] <= 20099


def test_nobody_comes_in(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d)
    address = g.slaac(ULA)
    serve(g)
    assert fetch(world.host, f"[{address}]") == (0, "fd00:122::1")
    way_back(world, ULA)
    assert fetch(world.internet, f"[{address}]")[0] == 7, "not refused at once"
    assert not ping(world.internet, address)
    assert d.status()["counters"]["firewall"]["refused_in"] >= 2


def test_packet_too_big_comes_back(world, daemon, guest):
    """A router out there has a narrow link: its word reaches the guest, through the translation."""
    world.internet6()
    far = world.ns("far")
    world.internet.run("ip", "link", "add", "far", "mtu", "1300", "type", "veth", "peer", "name", "eth0", "netns", "far")
    for ns, dev, address in ((world.internet, "far", "2001:db8:200::1"), (far, "eth0", "2001:db8:200::2")):
        ns.run("ip", "addr", "add", f"{address}/64", "dev", dev, "nodad")
        ns.run("ip", "link", "set", dev, "up", "mtu", "1300")
    far.run("ip", "route", "add", "default", "via", "2001:db8:200::1")
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d)
    g.slaac(ULA)
    assert ping(g.ns, "2001:db8:200::2")
    with g.ns.enter():
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with s:
        s.sendto(b"x" * 1400, ("2001:db8:200::2", 9))
        # Open until then: it is to whom the word goes.
        wait_for("the path's MTU", lambda: " mtu 1300 " in g.ns.run("ip", "-6", "route", "get", "2001:db8:200::2"))
    # TCP finds its size by it.
    p = far.python("server.py", "2001:db8:200::2", stdout=subprocess.PIPE, log=f"{g.tmp}/far.log")
    assert p.line() == "ready"
    assert g.http("2001:db8:200::2")["address"] == UPLINK6


# ---- routed ----


def test_routed_goes_out_as_itself(world, daemon, guest):
    world.internet6()
    d = daemon({"lan.yaml": ROUTED})
    way_back(world, GLOBAL)
    g = guest("web1", d=d, network="lan")
    address = g.slaac(GLOBAL)
    serve(g)
    assert g.http(INTERNET6)["address"] == address
    assert udp_ask(g.ns, 500, INTERNET6) == {"address": address, "port": 500, "seq": "hello"}
    assert ping(g.ns, INTERNET6)
    # inbound: established
    assert fetch(world.internet, f"[{address}]")[0] == 7, "not refused at once"
    assert not ping(world.internet, address)
    assert ping(world.host, address)


def test_routed_accept_lets_the_outside_in(world, daemon, guest):
    world.internet6()
    d = daemon({"open.yaml": OPEN, "default.yaml": NAT})
    way_back(world, "2001:db8:6::/64")
    g, other = guest("web1", d=d, network="open"), guest("other", d=d)
    address, others = g.slaac("2001:db8:6::/64"), other.slaac(ULA)
    serve(g)
    assert fetch(world.internet, f"[{address}]") == (0, "2001:db8:113::1") and ping(world.internet, address)
    # That is for the uplinks, not for other networks of ours.
    assert not ping(other.ns, address) and fetch(other.ns, f"[{address}]")[0] != 0
    assert not ping(g.ns, others)


def test_routed_none_stays_on_the_host(world, daemon, guest):
    world.internet6()
    d = daemon({"none.yaml": NONE})
    way_back(world, "2001:db8:7::/64")
    g = guest("web1", d=d, network="none")
    address = g.slaac("2001:db8:7::/64")
    host_accepts_all6(world)
    serve(g)
    assert six_off(g) and d.network("none")["ipv6"]["router"] is False
    g.ns.run("ip", "route", "add", "default", "via", "2001:db8:7::1")
    assert ping(g.ns, "2001:db8:7::1") and ping(world.host, address)
    assert udp_ask(g.ns, address=INTERNET6, timeout=0.3) is None
    assert fetch(world.internet, f"[{address}]", timeout=1)[0] != 0 and not ping(world.internet, address)


def host_accepts_all6(world):
    """Others' rules and settings that would let everything through."""
    host_accepts_all(world)
    world.host.nft("table ip6 other { chain f { type filter hook forward priority -10; policy accept; accept; }; }")
    world.host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")


def test_by_a_named_uplink(world, daemon, guest):
    """`uplink: eth0` holds for IPv6 too: by another way nothing goes out."""
    world.internet6(default=False)
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    for ns, address in ((world.host, "2001:db8:2::2"), (world.internet, "2001:db8:2::1")):
        ns.run("ip", "addr", "add", f"{address}/64", "dev", "eth1", "nodad")
    world.host.run("ip", "route", "add", "default", "via", "2001:db8:2::1")
    d = daemon({"default.yaml": NAT + "nat:\n  uplink: eth0\n", "two.yaml": six(network("two", "nat", "192.168.5.0/24"),
                                                                                 "fd00:5::/64")})
    g, two = guest("web1", d=d), guest("web2", d=d, network="two")
    g.slaac(ULA)
    two.slaac("fd00:5::/64")
    two.dhcp()
    assert udp_ask(g.ns, address=INTERNET6, timeout=0.5) is None
    assert udp_ask(two.ns, address=INTERNET6)["address"] == "2001:db8:2::2"
    assert d.network("two")["ipv6"]["uplinks"] == [{"name": "eth1", "address": "2001:db8:2::2"}]
    # The default route moves: `auto` follows it, in both families on its own.
    world.host.run("ip", "-6", "route", "replace", "default", "via", "2001:db8:113::1")
    wait_for("the other uplink", lambda: (udp_ask(two.ns, address=INTERNET6, timeout=0.2) or {}).get("address") == UPLINK6)
    assert udp_ask(g.ns, address=INTERNET6)["address"] == UPLINK6
    assert udp_ask(two.ns)["address"] == UPLINK


# ---- isolated ----


def test_isolated_sees_the_host_and_nothing_else(world, daemon, guest):
    world.internet6()
    d = daemon({"hosts.yaml": HOSTS})
    way_back(world, "fd00:8::/64")
    a, b = guest("a", d=d, network="hosts"), guest("b", d=d, network="hosts")
    one, two = a.slaac("fd00:8::/64"), b.slaac("fd00:8::/64")
    assert six_off(a)
    assert ping(a.ns, two) and ping(a.ns, "fd00:8::1") and ping(world.host, one)
    host_accepts_all6(world)
    a.ns.run("ip", "route", "add", "default", "via", "fd00:8::1")
    serve(a)
    assert udp_ask(a.ns, address=INTERNET6, timeout=0.3) is None and not ping(a.ns, INTERNET6)
    assert fetch(world.internet, f"[{one}]", timeout=1)[0] != 0 and not ping(world.internet, one)


def test_isolated_guests_do_not_meet_by_way_of_the_host(world, daemon, guest):
    """With the bridge's MAC a packet would come back into the bridge."""
    text = NAT + "guests:\n  a: {isolate: true}\n  b: {isolate: true}\n  c: {}\n"
    d = daemon({"default.yaml": text})
    guests = {name: guest(name, d=d) for name in "abc"}
    addresses = {name: g.slaac(ULA) for name, g in guests.items()}
    bridge = world.host.links()["vl-default"]["address"]
    host_accepts_all6(world)
    assert ping(guests["a"].ns, addresses["c"]) and not ping(guests["a"].ns, addresses["b"])
    for name in "ab":
        other = addresses["b" if name == "a" else "a"]
        guests[name].ns.run("ip", "neigh", "replace", other, "lladdr", bridge, "dev", "eth0", "nud", "permanent")
    assert not ping(guests["a"].ns, addresses["b"])
    assert d.status()["counters"]["firewall"]["refused_out"] >= 1


# ---- networks among themselves ----


def test_peers_meet_as_themselves(world, daemon, guest):
    a = six(network("a", "nat", "192.168.1.0/24", "peers: [ b, c ]\n"), "fd00:1::/64")
    b = six(network("b", "routed", "192.168.2.0/24", "peers: [ a ]\n"), "fd00:2::/64")
    d = daemon({"a.yaml": a, "b.yaml": b, "c.yaml": network("c", "nat", "192.168.3.0/24", "peers: [ a ]\n"),
                "d.yaml": six(network("d", "nat", "192.168.4.0/24"), "fd00:4::/64")})
    guests = {name: guest(f"g-{name}", d=d, network=name) for name in "abd"}
    addresses = {name: g.slaac(f"fd00:{i}::/64") for name, g, i in zip("abd", guests.values(), (1, 2, 4))}
    # Without an uplink of IPv6 a peer is a way on, and d has none.
    assert not six_off(guests["a"]) and six_off(guests["d"])
    guests["d"].ns.run("ip", "route", "add", "default", "via", "fd00:4::1")
    assert met(guests, addresses) == {("a", "b"), ("b", "a")}
    serve(guests["b"])
    assert fetch(guests["a"].ns, f"[{addresses['b']}]") == (0, addresses["a"])


# ---- who guests say they are ----


def forged(guest, dst, gateway, port=7777):
    """From each false source a packet, and an honest one behind them."""
    own = guest.slaac(ULA)
    network_id = str(ipaddress.ip_network(ULA).network_address)
    sources = ["2001:db8::66", "fd00:5::7", UPLINK6, INTERNET6, network_id, "fd00:122::1", "fd00:122:0:1::5"]
    out = Wire(guest.ns)
    for src in sources + [own]:
        out.send(Ether(src=guest.mac, dst=gateway) / IPv6(src=src, dst=dst) / UDP(sport=5000, dport=port) / b"forged")
    return sources, own


def test_forged_sources_do_not_leave(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": NAT.replace("mode: nat", "mode: routed") + "guard: { ip: off }\n", "lab.yaml": six(
        network("lab", "nat", "192.168.5.0/24"), "fd00:5::/64")})
    way_back(world, ULA)
    g = guest("web1", d=d)
    gateway = world.host.links()["vl-default"]["address"]
    wire = Wire(world.internet, "eth0")
    sources, own = forged(g, INTERNET6, gateway)
    # Link-local ones the kernel itself does not forward.
    Wire(g.ns).send(Ether(src=g.mac, dst=gateway) / IPv6(src="fe80::66", dst=INTERNET6) / UDP(sport=1, dport=7777))
    seen = []
    for frame in wire.frames(TIMEOUT):
        if IPv6 in frame and frame[IPv6].dst == INTERNET6:
            seen.append(frame[IPv6].src)
            break  # the honest one was sent last
    assert seen == [own]
    assert d.status()["counters"]["firewall"]["spoofed"] == len(sources)


def test_forged_sources_do_not_reach_the_host(world, daemon, guest):
    d = daemon({"default.yaml": NAT + "guard: { ip: off }\n"})
    g = guest("web1", d=d)
    with world.host.enter():
        s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with s:
        s.settimeout(TIMEOUT)
        s.bind(("::", 53))
        sources, own = forged(g, "fd00:122::1", world.host.links()["vl-default"]["address"], 53)
        assert s.recvfrom(100)[1][0] == own
    assert d.status()["counters"]["firewall"]["spoofed"] == len(sources)


def test_a_guest_is_nobodys_router(world, daemon, guest):
    """Neither the host's, by an advertisement or a redirect."""
    from scapy.layers.inet6 import (ICMPv6ND_RA, ICMPv6ND_Redirect, ICMPv6NDOptPrefixInfo,  # isort: skip
                                    ICMPv6NDOptSrcLLAddr)
    d = daemon({"default.yaml": NAT, "hosts.yaml": HOSTS})
    for name in ("default", "hosts"):
        g = guest(f"g-{name}", d=d, network=name)
        address = g.slaac(ULA if name == "default" else "fd00:8::/64")
        lladdr = next(a["local"] for a in g.ns.ip("-6", "addr", "show", "dev", "eth0")[0]["addr_info"]
                      if a["scope"] == "link")
        assert ping(world.host, address)
        out, ether = Wire(g.ns), Ether(src=g.mac, dst="33:33:00:00:00:01")
        out.send(ether / IPv6(src=lladdr, dst="ff02::1", hlim=255) / ICMPv6ND_RA(routerlifetime=1800)
                 / ICMPv6NDOptSrcLLAddr(lladdr=g.mac) / ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64))
        out.send(Ether(src=g.mac, dst=world.host.links()[f"vl-{name}"]["address"])
                 / IPv6(src=lladdr, dst=f"{ULA[:-4] if name == 'default' else 'fd00:8:'}:1", hlim=255)
                 / ICMPv6ND_Redirect(tgt=lladdr, dst="2001:db8:77::1"))
        assert ping(world.host, address)
        assert "2001:db8:" not in world.host.run("ip", "-6", "addr", "show", "dev", f"vl-{name}")
        assert world.host.run("ip", "-6", "route", "show", "default") == ""
        assert "2001:db8:77::1" not in world.host.run("ip", "-6", "route", "show", "table", "all", "cached")


# ---- without IPv6 ----


def test_without_the_key_nothing_passes(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": six(network("lab", "nat", "192.168.5.0/24"), "fd00:5::/64")})
    g = guest("web1", d=d)
    g.dhcp()
    assert world.host.sysctl("net/ipv6/conf/vl-default/disable_ipv6") == "1"
    assert d.network()["ipv6"] is None
    host_accepts_all6(world)
    g.ns.run("ip", "addr", "add", "fd00:122::5/64", "dev", "eth0", "nodad")
    g.ns.run("ip", "route", "add", "default", "via", "fe80::1", "dev", "eth0")
    assert udp_ask(g.ns, address=INTERNET6, timeout=0.3) is None
    assert g.http()["address"] == UPLINK


# ---- life ----


def test_the_key_comes_and_goes(world, daemon, guest):
    world.internet6()
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    d.write("default.yaml", NAT)
    changes = [c["text"] for c in d.vmlane("apply")["changes"]]
    assert "+ address fd00:122::1/64 on vl-default" in changes
    g.slaac(ULA)
    assert g.http(INTERNET6)["address"] == UPLINK6 and g.http()["address"] == UPLINK
    assert d.vmlane("diff") == {"changes": []}
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    # The guest is told: no router any more, and the address is out of use.
    wait_for("no router", lambda: six_off(g))
    assert world.host.run("ip", "-6", "addr", "show", "dev", "vl-default") == ""
    assert udp_ask(g.ns, address=INTERNET6, timeout=0.3) is None
    assert d.vmlane("diff") == {"changes": []} and g.http()["address"] == UPLINK


def preferred(guest, prefix):
    net = ipaddress.ip_network(prefix)
    return any(ipaddress.ip_address(a["local"]) in net and a["preferred_life_time"] > 0
               for link in guest.ns.ip("-6", "addr", "show", "dev", "eth0") for a in link.get("addr_info", []))


def test_another_prefix(world, daemon, guest):
    """Guests go over to the new one; what they had before is out of use at once."""
    world.internet6()
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d)
    g.slaac(ULA)
    d.write("default.yaml", six(DEFAULT, "fd00:7::/64"))
    changes = [c["text"] for c in d.vmlane("apply")["changes"]]
    assert "- address fd00:122::1/64 on vl-default" in changes and "+ address fd00:7::1/64 on vl-default" in changes
    g.slaac("fd00:7::/64")
    wait_for("the old one out of use", lambda: not preferred(g, ULA))
    assert g.http(INTERNET6)["address"] == UPLINK6
    assert d.vmlane("diff") == {"changes": []}


def test_stop_tells_the_guests(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d, tap=True)
    g.slaac(ULA)
    d.vmlane("network", "stop", "default", "--force")
    wait_for("no router", lambda: six_off(g))
    assert not preferred(g, ULA)
    d.vmlane("network", "start", "default")
    g.slaac(ULA)
    assert g.http(INTERNET6)["address"] == UPLINK6


def test_router_only_with_a_way_out(world, daemon, guest):
    """Guests of a host without IPv6 Internet have addresses and no default route; it comes later."""
    world.internet6(default=False)
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d)
    g.slaac(ULA)
    assert six_off(g) and ping(g.ns, "fd00:122::1")
    world.host.run("ip", "route", "add", "default", "via", "2001:db8:113::1")
    wait_for("a default route", lambda: not six_off(g))
    assert g.http(INTERNET6)["address"] == UPLINK6
    world.host.run("ip", "-6", "route", "del", "default")
    wait_for("no default route", lambda: six_off(g))
    assert preferred(g, ULA)


def told(guest):
    """What the router says, by rdisc6."""
    done = guest.ns.run("rdisc6", "-1", "-w", 3000, "eth0", check=False)
    lines = [re.split(r" *: +", line.strip(), maxsplit=1) for line in done.stdout.splitlines()]
    return {line[0]: line[1].strip() for line in lines if len(line) == 2}


def test_what_guests_are_told(world, daemon, guest):
    world.internet6()
    with open(world.resolv, "w", encoding="utf-8") as f:
        f.write("nameserver ::1\nnameserver fe80::53%eth0\nnameserver 2001:db8:100::53\nnameserver 203.0.113.1\n")
    d = daemon({"default.yaml": NAT, "lab.yaml": six(network("lab", "nat", "192.168.5.0/24", "mtu: 1400\n"),
                                                      "fd00:5::/64", "  dns: [ fd00:5::53 ]\n")})
    g, lab = guest("web1", d=d), guest("lab1", d=d, network="lab")
    g.slaac(ULA)
    lab.slaac("fd00:5::/64")
    said = told(g)
    assert said["Prefix"] == ULA and said["MTU"].split()[0] == "1500"
    assert said["Recursive DNS server"] == "2001:db8:100::53" and said["DNS search list"].rstrip(".") == "default.vm"
    assert g.dhcp()["dns"] == "203.0.113.1"
    said = told(lab)
    assert said["MTU"].split()[0] == "1400" and said["Recursive DNS server"] == "fd00:5::53"
    assert d.network("lab")["ipv6"]["dns"] == ["fd00:5::53"]
    assert d.network()["ipv6"]["dns"] == ["2001:db8:100::53"]


def test_restart_changes_nothing(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": NAT, "lan.yaml": ROUTED, "hosts.yaml": HOSTS})
    g = guest("web1", d=d)
    g.slaac(ULA)
    d.stop()
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.start()
    assert [line for line in ip.lines() if "ff02::" not in line] == [] and nft.lines() == []
    assert d.writes() == 0
    assert d.vmlane("diff") == {"changes": []}
    d.kill9()
    assert g.http(INTERNET6)["address"] == UPLINK6
    d.start()
    assert d.writes() == 0 and g.http(INTERNET6)["address"] == UPLINK6


def test_foreign_addresses_go_and_ours_come_back(world, daemon):
    d = daemon({"default.yaml": NAT}, args=["--no-guardian"])
    world.host.run("ip", "addr", "add", "fd00:66::1/64", "dev", "vl-default")
    world.host.run("ip", "addr", "del", "fd00:122::1/64", "dev", "vl-default")
    assert {c["text"] for c in d.vmlane("diff")["changes"]} == {"- address fd00:66::1/64 on vl-default",
                                                                "+ address fd00:122::1/64 on vl-default"}
    d.vmlane("apply")
    assert d.vmlane("diff") == {"changes": []}
    assert "fd00:122::1/64" in world.host.run("ip", "-6", "addr", "show", "dev", "vl-default")


# ---- subnet: auto ----


def test_auto_is_a_ula_and_stays(world, daemon, guest):
    world.internet6()
    d = daemon({"lab.yaml": six(network("lab", "nat", "auto"), "auto"),
                "lan.yaml": six(network("lan", "routed", "auto"), "auto")})
    chosen = {n: d.network(n)["ipv6"]["subnet"] for n in ("lab", "lan")}
    assert len(set(chosen.values())) == 2
    for subnet in chosen.values():
        net = ipaddress.ip_network(subnet)
        assert net.prefixlen == 64 and net.subnet_of(ipaddress.ip_network("fd00::/8"))
    g = guest("web1", d=d, network="lab")
    g.slaac(chosen["lab"])
    assert g.http(INTERNET6)["address"] == UPLINK6
    assert f"{chosen['lab']} (auto)" in d.vmlane("network", "show", "lab", json_out=False)
    d.restart()
    d.vmlane("apply")
    assert {n: d.network(n)["ipv6"]["subnet"] for n in chosen} == chosen
    d.vmlane("network", "stop", "lan")
    d.vmlane("network", "start", "lan")
    assert d.network("lan")["ipv6"]["subnet"] == chosen["lan"]


def test_auto_finds_nothing_free(world, daemon):
    world.internet6()
    world.host.run("ip", "route", "add", "fd00::/8", "via", "2001:db8:113::1")
    d = daemon({})
    code, text = d.errors("network", "create", "lab", "--ipv6", "auto")
    assert code == 2 and "no local prefix (fd00::/8) is free" in text
    assert d.get("/v1/networks")["networks"] == []


# ---- by command, and bad input ----


def test_create_by_command(world, daemon, guest):
    world.internet6()
    d = daemon({})
    d.vmlane("network", "create", "lab", "--ipv6", "fd00:9::/64")
    assert d.network("lab")["ipv6"]["gateway"] == "fd00:9::1"
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        assert "ipv6:\n  subnet: fd00:9::/64\n  gateway: fd00:9::1\n" in f.read()
    g = guest("web1", d=d, network="lab")
    g.slaac("fd00:9::/64")
    assert g.http(INTERNET6)["address"] == UPLINK6


@pytest.mark.parametrize("argv, words", [
    (["--ipv6", "fd00:9::/48"], "the prefix length is /48; expected /64"),
    (["--ipv6", "fd00:9::1/64"], "has bits set behind its prefix; expected fd00:9::/64"),
    (["--ipv6", "ff02::/64"], "multicast addresses (ff00::/8)"),
    (["--ipv6", "fe80::/64"], "link-local addresses (fe80::/10)"),
    (["--ipv6", "10.0.0.0/24"], "expected a prefix of 64 bits"),
    (["--ipv6", "fd00:9::/64", "--mtu", "1200"], "1200 is too small for IPv6; expected 1280 or more"),
    (["--ipv6", "2001:db8:113::/64"], "overlaps with the host's route to 2001:db8:113::/64 over eth0"),
    (["--ipv6", ULA], f'IPv6 subnet {ULA} is already that of network "default"'),
    (["--ipv6", "auto", "--mode", "isolated", "--no-host"], "`ipv6` has no meaning with `host: false`"),
    (["--ipv6", "auto", "--mode", "bridged", "--uplink", "eth0"], "`ipv6` has no meaning in mode bridged"),
])
def test_create_is_refused(world, daemon, argv, words):
    world.internet6()
    d = daemon({"default.yaml": NAT})
    code, text = d.errors("network", "create", "lab", *argv)
    assert code == 2 and words in text
    assert [n["name"] for n in d.get("/v1/networks")["networks"]] == ["default"]


def test_a_route_that_comes_later_is_told(world, daemon):
    world.internet6()
    d = daemon({"default.yaml": NAT})
    world.host.run("ip", "route", "add", "fd00:122::/48", "via", "2001:db8:113::1")
    assert any("overlaps with the host's route to fd00:122::/48 over eth0" in p["message"]
               for p in d.status()["problems"])


def test_set_by_command(world, daemon, guest):
    """A network gets IPv6, another prefix, and none again, key by key."""
    world.internet6()
    d = daemon()
    g = guest("web1", d=d)
    d.vmlane("network", "set", "default", f"ipv6.subnet={ULA}")
    g.slaac(ULA)
    assert g.http(INTERNET6)["address"] == UPLINK6
    d.vmlane("network", "set", "default", "ipv6.subnet=fd00:7::/64", "ipv6.dns=[2001:db8:100::53]")
    g.slaac("fd00:7::/64")
    assert d.network()["ipv6"]["dns"] == ["2001:db8:100::53"]
    code, text = d.errors("network", "set", "default", "ipv6.subnet=fd00:7::/60")
    assert code == 2 and "expected /64" in text and d.network()["ipv6"]["subnet"] == "fd00:7::/64"
    d.vmlane("network", "set", "default", "ipv6=")
    wait_for("no router", lambda: six_off(g))
    assert d.network()["ipv6"] is None and d.vmlane("diff") == {"changes": []}
