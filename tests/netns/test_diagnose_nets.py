# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks that are set up in less usual ways, which are no faults; and faults of IPv6, spanning tree, tunnels and
conntrack. What is printed is done as it is printed, and the guest gets through."""
import json
import signal
import subprocess

import pytest

from daemon import program
from foreign import GATEWAY
from test_diagnose import OUT, Host, evidence, trace_of, traced
from world import INTERNET, INTERNET6, wait_for

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def host(world):
    return Host(world)


def nothing_wrong(host, port, *commands):
    """No packet of what @commands do is explained."""
    t = trace_of(host, port)
    for ns, command in commands:
        ns.run("sh", "-ec", command)
    t.p.send_signal(signal.SIGINT)
    lines = [json.loads(line) for line in t.p.stdout.read().decode().splitlines()]
    assert t.wait() == 0 and len(lines) > 2
    wrong = [line for line in lines if line.get("diagnosis") and line["diagnosis"]["code"] != "not-wanted"]
    assert not wrong, [(line["text"], line["diagnosis"]["cause"]) for line in wrong]


PING = "busybox ping -q -c 2 -i 0.2 -W 2"


# ---- no faults ----


def test_two_networks_on_one_bridge(host, vm):
    """Each has its router; guests of both are where they belong, and reach each other."""
    host.sh("ip addr add 10.8.0.1/24 dev br7; ip addr add 10.9.0.1/26 dev br7 label br7:x;"
            "nft add rule ip theirs post ip saddr '{ 10.8.0.0/24, 10.9.0.0/26 }' oifname eth0 masquerade")
    for number, address, gateway in ((2, "10.8.0.12", "10.8.0.1"), (3, "10.9.0.13", "10.9.0.1")):
        g = host.guest(number, address=address, gateway=gateway, prefix=24 if number == 2 else 26)
        nothing_wrong(host, g.tap, (g.ns, f"{PING} {INTERNET}; {PING} {gateway}; {PING} {vm.ip}; {PING} {GATEWAY}"))
    nothing_wrong(host, "vnet1", (vm.ns, f"{PING} 10.8.0.12"))


def test_networks_that_are_only_routed_to_the_bridge(host, vm):
    """Without an address of the host's in it; it comes while the trace runs, as well."""
    host.sh("ip route add 10.8.0.0/24 dev br7; nft add rule ip theirs post ip saddr 10.8.0.0/24 oifname eth0 masquerade")
    g = host.guest(2, address="10.8.0.12", gateway=None)
    g.ns.run("sh", "-ec", f"ip route add {GATEWAY} dev eth0; ip route add default via {GATEWAY}")
    nothing_wrong(host, "vnet2", (g.ns, f"{PING} {INTERNET}"))
    nothing_wrong(host, "vnet1", (host.ns, "ip addr add 10.10.0.1/24 dev br7"),
                  (vm.ns, f"ip addr flush dev eth0; ip addr add 10.10.0.5/24 dev eth0; {PING} 10.10.0.1"))


def test_host_that_answers_for_others(host):
    """proxy_arp: the guest's netmask is wide, and that is how it is meant."""
    host.sh("echo 1 >/proc/sys/net/ipv4/conf/br7/proxy_arp")
    g = host.guest(1, prefix=8)
    host.sh("ip route add 10.99.0.0/24 via 203.0.113.1")
    host.world.internet.run("ip", "addr", "add", "10.99.0.7/32", "dev", "lo")
    nothing_wrong(host, "vnet1", (g.ns, f"{PING} 10.99.0.7; {PING} {GATEWAY}"))


def test_router_of_the_lan(world, host):
    """The host's NIC is a port of the guests' bridge: they use the LAN's router, as the host does, and not the host."""
    host.sh("ip addr flush dev eth0; ip link set eth0 master br7; ip route add default via 10.7.0.254")
    world.internet.run("ip", "addr", "add", "10.7.0.254/24", "dev", "eth0")
    g = host.guest(1, gateway="10.7.0.254")
    assert g.reaches(INTERNET)
    host.sh(f"{PING} {INTERNET}")  # its own gateway tells it which port is the NIC's: here it is a veth as others
    nothing_wrong(host, "vnet1", (g.ns, f"{PING} {INTERNET}; {PING} {GATEWAY}"))


# ---- summary ----


def test_summary_says_why(host, vm):
    """Each way that ends badly has its causes once, however many packets it was."""
    host.sh("ip route add blackhole 192.0.2.0/24")
    t = trace_of(host, "vnet1", "icmp", "--summary")
    vm.ns.run("sh", "-c", f"busybox ping -q -c 5 -i 0.05 -W 1 192.0.2.9; {PING} {INTERNET}")
    t.p.send_signal(signal.SIGINT)
    lines = [json.loads(line) for line in t.p.stdout.read().decode().splitlines()]
    ways = [line for line in lines if line["event"] == "way" and line["verdict"] == "DROP"]
    assert len(ways) == 1 and ways[0]["packets"] == 5
    (why,) = ways[0]["diagnoses"]
    assert why["code"] == "route-blackhole" and why["packets"] == 5
    assert all(not line["diagnoses"] for line in lines if line["event"] == "way" and line["verdict"] != "DROP")
    host.sh(why["mend"])
    host.world.internet.run("ip", "addr", "add", "192.0.2.9/32", "dev", "lo")
    assert vm.reaches("192.0.2.9")


def test_summary_for_people(host, vm):
    host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward")
    p = host.ns.start(program("vmlane"), "trace", "vnet1", "icmp", "--summary", "-c", "4", stdout=subprocess.PIPE,
                      log=f"{host.world.tmp}/text.log")
    wait_for("the trace", lambda: "following vnet1" in p.text())
    vm.ns.run("busybox", "ping", "-q", "-c", "4", "-i", "0.05", "-W", "1", INTERNET, check=False)
    assert p.wait() == 0
    text = p.p.stdout.read().decode()
    assert text.count("mend: sysctl -w net.ipv4.ip_forward=1") == 1 and "4x" in text


# ---- IPv6 ----


@pytest.fixture
def vm6(world, host, vm):
    """With an address and a way out by IPv6, translated as IPv4 is."""
    world.internet6()
    host.sh("echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; ip addr add fd07::1/64 dev br7 nodad;"
            "nft 'add table ip6 theirs6; add chain ip6 theirs6 post { type nat hook postrouting priority 100; };"
            " add rule ip6 theirs6 post oifname eth0 masquerade'")
    vm.ns.run("sh", "-ec", "ip addr add fd07::11/64 dev eth0 nodad; ip route add default via fd07::1")
    host.who = ["--mac", vm.mac, "--source", "fd07::11"]
    wait_for("IPv6", lambda: vm.ping(INTERNET6))
    return vm


OUT6 = ("udp", f"[{INTERNET6}]:7777")


def routes_asked(host, vm, address, *options):
    """How often routing tables were asked about one ping."""
    t = trace_of(host, "--port", "vnet1", "-v")
    vm.ping(address, *options)
    lines = [json.loads(t.line())]
    while "echo request" not in lines[-1].get("text", ""):
        lines.append(json.loads(t.line()))
    t.p.send_signal(signal.SIGINT)
    lines += [json.loads(line) for line in t.p.stdout.read().decode().splitlines()]
    number = next(line["packet"] for line in lines if "echo request" in line.get("text", ""))
    return len([line for line in lines if line["event"] == "seen" and line["packet"] == number and line["what"] == "fib"])


@pytest.mark.parametrize("address", [INTERNET, INTERNET6], ids=["ipv4", "ipv6"])
def test_others_ask_for_routes_too(host, vm6, address):
    """For the way of an ICMP error the kernel asks in all directions, and so do rules: not about the packet."""
    once = routes_asked(host, vm6, address)
    assert once and routes_asked(host, vm6, address, "-t", "1") == once
    host.ns.nft("table inet asks { chain ways { type filter hook forward priority 0; fib daddr oif exists counter; }; }\n")
    assert routes_asked(host, vm6, address) == once


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_route6_that_refuses(host, vm6, kind):
    host.sh(f"ip -6 route add {kind} 2001:db8:100::/48; ip -6 route add {kind} 2001:db8::/32 metric 5")
    assert not vm6.ping(INTERNET6)
    cause = host.why(f"route-{kind}", *OUT6)
    assert evidence(cause, "route") == [f"{kind} 2001:db8:100::/48 table 254 metric 1024"]
    host.sh(cause["mend"] + f"; ip -6 route del {kind} 2001:db8::/32 metric 5")
    assert vm6.reaches(INTERNET6)


def test_no_default_route6_and_a_router_that_is_known(host, vm6):
    """What has advertised itself as a router is taken for it."""
    host.sh("echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra; ip -6 route del default; ip -6 neigh flush dev eth0")
    mac = host.world.internet.links()["eth0"]["address"]
    host.world.internet.run("ip", "addr", "add", "fe80::1/64", "dev", "eth0", "nodad")
    host.sh(f"ip -6 neigh replace fe80::1 dev eth0 lladdr {mac} nud stale router")
    assert not vm6.ping(INTERNET6)
    cause = host.why("no-default-route", *OUT6)
    assert evidence(cause, "neighbour") == ["fe80::1 dev eth0 router"]
    host.mended(cause, *OUT6)
    assert vm6.reaches(INTERNET6)


def advertise(ns, dev="eth0"):
    """A router's advertisements, one each 0.3 s, RFC 4861, 4.2; sent by a process of its own."""
    code = ("import socket, struct, sys, time\n"
            "s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)\n"
            "s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)\n"
            "at = ('ff02::1', 0, 0, socket.if_nametoindex(sys.argv[1]))\n"
            "prefix = socket.inet_pton(socket.AF_INET6, sys.argv[2]) if len(sys.argv) > 2 else None\n"
            "ra = struct.pack('!BBHBBHII', 134, 0, 0, 64, 0, 600, 0, 0)\n"
            "ra += struct.pack('!BBBBIII', 3, 4, 64, 0xc0, 600, 600, 0) + prefix if prefix else b''\n"
            "while True:\n"
            "    try:\n"
            "        s.sendto(ra, at)\n"
            "    except OSError:\n"
            "        pass\n"
            "    time.sleep(0.3)\n")
    return lambda *args: ns.start("/usr/bin/python3", "-c", code, dev, *args)


def test_uplink_that_takes_no_router_advertisements(world, host, vm6):
    """It forwards, and the kernel's default is to take none then."""
    advertise(world.internet)()
    host.sh("ip -6 route del default; ip -6 neigh flush dev eth0; echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    cause = host.why("accept-ra", *OUT6)
    assert evidence(cause, "sysctl") == ["net/ipv6/conf/eth0/accept_ra = 1 (forwarding: 1)"]
    host.sh(cause["mend"])
    wait_for("the default route", lambda: vm6.ping(INTERNET6))
    assert host.ask(*OUT6) == ("reachable", None)


def test_no_default_route6_and_nobody_knows(host, vm6):
    host.sh("ip -6 route del default; echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_ra; ip -6 neigh flush all")
    cause = host.why("no-default-route", *OUT6)
    assert not cause["mend"] and "no router has advertised itself here" in cause["advice"]


def test_gateway6_dead(host, vm6):
    host.sh("ip -6 route replace default via 2001:db8:113::99 dev eth0")
    cause = host.why("neighbour-silent", *OUT6)
    assert "the gateway 2001:db8:113::99 does not answer on eth0" in cause["cause"] and not cause["mend"]
    host.sh("ip -6 route replace default via 2001:db8:113::1 dev eth0")
    assert vm6.reaches(INTERNET6)
    assert host.ask(*OUT6) == ("reachable", None)


def has_linklocal(g):
    shown = g.ns.run("ip", "-6", "addr", "show", "dev", "eth0", "scope", "link")
    return "fe80:" in shown and "tentative" not in shown


def solicit(g):
    """Ask for a router, as when the interface comes up: RFC 4861, 4.1. Always from the same address."""
    wait_for("the guest's link-local address", lambda: has_linklocal(g))
    code = ("import socket, struct; s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6);"
            "s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255);"
            "s.sendto(struct.pack('!BBHI', 133, 0, 0, 0), ('ff02::2', 0, 0, socket.if_nametoindex('eth0')))")
    g.ns.run("/usr/bin/python3", "-c", code)


def test_nobody_advertises_a_router(world, host, vm6):
    """The host has a network there, and no daemon for it: said when the guest asks again."""
    t = trace_of(host, "vnet1", "icmp6")
    for _ in range(3):
        solicit(vm6)
        vm6.ns.run("busybox", "sleep", "1")
    cause = traced(t, "ra-missing")["diagnosis"]
    assert "nobody advertises one on br7" in cause["cause"]
    t.end()
    vm6.ns.run("sh", "-ec", "ip -6 route del default; ip addr del fd07::11/64 dev eth0; echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    advertise(host.ns, "br7")("fd07::")
    wait_for("the guest's address", lambda: vm6.ping(INTERNET6))


def test_guests_without_ipv6_ask_in_vain_and_nothing_is_wrong(host, vm):
    """Linux asks for a router wherever it is."""
    t = trace_of(host, "vnet1", "icmp6")
    for _ in range(3):
        solicit(vm)
        vm.ns.run("busybox", "sleep", "1")
    t.p.send_signal(signal.SIGINT)
    lines = [json.loads(line) for line in t.p.stdout.read().decode().splitlines()]
    assert sum("router solicitation" in line.get("text", "") for line in lines) >= 3
    assert "ra-missing" not in {line["diagnosis"]["code"] for line in lines if line.get("diagnosis")}


def test_another_guest_advertises_itself(host, vm6):
    other = host.guest(2)
    t = trace_of(host, "vnet1", "icmp6")
    vm6.ns.run("sh", "-ec", "ip -6 route del default; echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra")
    advertise(other.ns)()
    cause = traced(t, "ra-foreign")["diagnosis"]
    t.end()
    assert evidence(cause, "interface") == ["vnet2"]
    wait_for("the wrong router", lambda: "default" in vm6.ns.run("ip", "-6", "route"))
    assert not vm6.ping(INTERNET6)
    host.sh(cause["mend"])
    vm6.ns.run("ip", "-6", "route", "flush", "default")
    advertise(host.ns, "br7")()
    wait_for("the right router", lambda: vm6.ping(INTERNET6))


# ---- spanning tree ----


def test_stp_blocks_a_loop(host, vm):
    """A guest has two NICs and bridges them: the host's bridge hears itself, and shuts one of its ports."""
    host.sh("ip link set br7 type bridge stp_state 1 forward_delay 200 hello_time 100")
    g = host.guest(2)
    host.sh("ip tuntap add vnet3 mode tap vnet_hdr; ip link set vnet3 master br7 up")
    g.ns.run("sh", "-ec", "ip link set eth0 name nic0; ip link add br0 type bridge group_fwd_mask 0")
    second = host.ns.python("vmm.py", "vnet3", g.ns.name, "52:54:00:07:00:33", stdout=subprocess.PIPE, log=f"{host.world.tmp}/second.log")
    assert second.line() == "ready"
    g.ns.run("sh", "-ec", "ip link set nic0 master br0 up; ip link set eth0 master br0 up; ip link set br0 up")

    def state(port):
        return json.loads(host.ns.run("bridge", "-j", "link", "show", "dev", port))[0]["state"]
    wait_for("spanning tree", lambda: sorted((state("vnet2"), state("vnet3"))) == ["blocking", "forwarding"])
    shut, opened = ("vnet2", "vnet3") if state("vnet2") == "blocking" else ("vnet3", "vnet2")
    host.who = ["--mac", g.mac, "--source", "10.7.0.99"]
    cause = host.why("port-blocked", *OUT, port=shut)
    assert f"blocks the port {shut}, as there is another way to the same place" in cause["cause"]
    assert evidence(cause, "interface") == [f"{shut} blocking", "br7 stp on"] and not cause["mend"]
    assert "see which other port leads there" in cause["advice"]
    wait_for("the open port", lambda: state(opened) == "forwarding")
    second.end()
    wait_for("the loop's end", lambda: state("vnet2") == "forwarding")
    host.who = ["--mac", g.mac, "--source", "10.7.0.12"]
    wait_for("the way out", lambda: host.ask(*OUT, port="vnet2") == ("reachable", None))


# ---- uplinks that change ----


def test_uplink_has_moved(host, vm):
    """From a cable to another line: the rule that translates still names the old one."""
    host.world.uplink("wlan0", "192.0.2.2", "192.0.2.1")
    host.sh("ip route replace default via 192.0.2.1")
    assert not vm.ping(INTERNET)
    cause = host.why("not-translated", *OUT, answer="no way back")
    assert "it leaves by wlan0" in cause["cause"] and 'oifname "wlan0" masquerade' in cause["mend"]
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


TUNNEL = """
import fcntl, os, struct, sys
fd = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(fd, 0x400454CA, struct.pack("16sH22x", b"tun0", 0x1001))
print("ready", flush=True)
while True:
    p = bytearray(os.read(fd, 2000))
    if p[0] >> 4 != 4 or p[9] != 1 or p[20] != 8 or p[12:16] != bytes([10, 66, 0, 2]):
        continue
    p[12:16], p[16:20], p[20] = p[16:20], p[12:16], 0
    total = struct.unpack("!H", p[22:24])[0] + 0x0800
    p[22:24] = struct.pack("!H", (total & 0xFFFF) + (total >> 16))
    os.write(fd, p)
"""


def test_full_tunnel(host, vm):
    """A VPN has taken the default route: packets leave by it, with an address that is nobody's there. The tunnel has no
    MAC: it is no guest's port."""
    p = host.ns.start("/usr/bin/python3", "-c", TUNNEL, stdout=subprocess.PIPE)
    assert p.line() == "ready"
    host.sh("ip addr add 10.66.0.2/24 dev tun0; ip link set tun0 up; ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0")
    t = trace_of(host, "vnet1", "icmp")
    assert not vm.ping(INTERNET)
    line = traced(t, "not-translated")
    assert line["end"] == "DELIVERED out by tun0"
    host.sh(line["diagnosis"]["mend"])
    assert vm.reaches(INTERNET)
    t.end()


# ---- conntrack ----


def test_conntrack_full(host, vm):
    """As many connections as the machine allows each namespace, made in this one: the limit belongs to the first one."""
    limit = int(host.ns.sysctl("net/netfilter/nf_conntrack_max"))
    if limit > 600000:
        pytest.skip(f"nf_conntrack_max is {limit}: too many to make")
    # Connections that have been answered: those that have not make room for others.
    with open(f"{host.world.tmp}/connections", "w", encoding="utf-8") as f:
        f.writelines(f"-A -p udp -s 10.6.0.1 -d 10.6.{n >> 16}.2 --sport {n & 0xffff} --dport 9 -t 900 -u SEEN_REPLY,ASSURED\n"
                     for n in range(limit + 100) if n & 0xffff)
    host.ns.run("conntrack", "-R", f"{host.world.tmp}/connections", check=False, timeout=120)
    assert int(host.ns.sysctl("net/netfilter/nf_conntrack_count")) >= limit - 1
    t = trace_of(host, "vnet1", "icmp")
    wait_for("no room", lambda: not vm.ping(INTERNET))
    cause = traced(t, "conntrack-full")["diagnosis"]
    assert f"net.netfilter.nf_conntrack_max = {limit}" in evidence(cause, "sysctl")
    assert not cause["mend"] and f"sysctl -w net.netfilter.nf_conntrack_max={limit * 2}" in cause["advice"]
    host.sh("conntrack -F")
    wait_for("room", lambda: vm.ping(INTERNET))
    t.end()
