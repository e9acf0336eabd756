# SPDX-License-Identifier: GPL-2.0-or-later
"""From a lost packet to its cause: each test breaks something, asks why nothing gets through, runs the
printed command as it is printed, and sees the packet get through."""
import json
import os
import platform
import subprocess

import pytest

from daemon import program
from foreign import GATEWAY, ForeignGuest, make_host
from world import INTERNET, UPLINK, wait_for

pytestmark = pytest.mark.usefixtures("world")

OUT = ("tcp", f"{INTERNET}:80")


class Host:
    """The world's host with a foreign bridge, and what the tests ask of it."""

    def __init__(self, world, nat=True):
        self.world, self.ns, self.who = world, world.host, []
        make_host(world, nat)

    def guest(self, number, **kw):
        return ForeignGuest(self.world, number, **kw)

    def sh(self, text):
        """In a shell of the host, as somebody would type it."""
        self.ns.run("sh", "-ec", text)

    def ask(self, *args, port="vnet1"):
        """`vmlane probe --port PORT ...`: its answer, and what it says of the cause (None: nothing)."""
        done = self.ns.run(program("vmlane"), "-o", "json", "probe", "--port", port, *self.who, *args, check=False)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines and lines[-1]["event"] == "answer", done.stdout + done.stderr
        assert done.returncode == (0 if lines[-1]["reachable"] else 2)
        causes = [line["diagnosis"] for line in lines if line.get("diagnosis")]
        return lines[-1]["answer"], causes[-1] if causes else None

    def why(self, code, *args, answer="not reachable", **kw):
        """It does not get through, for @code."""
        got, cause = self.ask(*args, **kw)
        assert got == answer and cause, f"{got}: {cause}"
        assert cause["code"] == code, cause
        return cause

    def mended(self, cause, *args, **kw):
        """The command as printed, then the same question."""
        assert cause["mend"], cause
        self.sh(cause["mend"])
        assert self.ask(*args, **kw) == ("reachable", None)


@pytest.fixture
def host(world):
    return Host(world)


@pytest.fixture
def vm2(host, vm):
    g = host.guest(2)
    assert vm.reaches(g.ip) and g.reaches(GATEWAY)
    return g


@pytest.fixture(params=[True, False], ids=["nat", "no-rules"])
def vm_alone(world, request):
    host = Host(world, nat=request.param)
    g = host.guest(1)
    host.who = ["--mac", g.mac, "--source", g.ip]
    assert g.reaches(GATEWAY)
    return host


def evidence(cause, kind):
    return [e["text"] for e in cause["evidence"] if e["kind"] == kind]


def trace_of(host, *args):
    p = host.ns.start(program("vmlane"), "-o", "json", "trace", *args, stdout=subprocess.PIPE,
                      log=f"{host.world.tmp}/trace.log")
    assert json.loads(p.line())["event"] == "start"
    return p


def traced(p, code):
    """The first packet that is explained so."""
    while True:
        line = json.loads(p.line())
        assert line["event"] in ("packet", "blocked")
        if line.get("diagnosis") and line["diagnosis"]["code"] == code:
            return line


# ---- forwarding and routes ----


@pytest.mark.parametrize("fault, code, sysctl", [
    ("echo 0 >/proc/sys/net/ipv4/ip_forward", "ip-forward-off", "net.ipv4.ip_forward = 0"),
    ("echo 0 >/proc/sys/net/ipv4/conf/br7/forwarding", "forwarding-off", "net/ipv4/conf/br7/forwarding = 0"),
])
def test_forwarding_off(host, vm, fault, code, sysctl):
    host.sh(fault)
    assert not vm.ping(INTERNET)
    cause = host.why(code, *OUT)
    assert evidence(cause, "sysctl") == [sysctl]
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_route_that_refuses(host, vm, kind):
    host.sh(f"ip route add {kind} 198.51.100.0/24; ip route add {kind} 198.51.0.0/16 metric 5")
    assert not vm.ping(INTERNET)
    cause = host.why(f"route-{kind}", *OUT)
    assert evidence(cause, "route") == [f"{kind} 198.51.100.0/24 table 254 metric 0"]
    assert cause["mend"] == f"ip route del {kind} 198.51.100.0/24 table 254 metric 0"
    host.sh(cause["mend"] + f"; ip route del {kind} 198.51.0.0/16")
    assert vm.reaches(INTERNET)


def test_no_default_route(host, vm):
    """The gateway is the only neighbour out there that is known: that is said."""
    host.sh("ip route del default")
    assert not vm.ping(INTERNET)
    cause = host.why("no-default-route", *OUT)
    assert evidence(cause, "neighbour") == ["203.0.113.1, the only one on eth0"]
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


def test_no_default_route_and_nobody_knows(world, host, vm):
    mac = json.loads(host.ns.run("ip", "-j", "link", "show", "eth0"))[0]["address"]
    # Else the gateway, which checks from time to time whom it knows, makes itself known by asking.
    world.internet.run("ip", "neigh", "replace", "203.0.113.2", "lladdr", mac, "nud", "permanent", "dev", "eth0")
    host.sh("ip route del default; ip neigh flush dev eth0")
    cause = host.why("no-default-route", *OUT)
    assert not cause["mend"] and "ip route add default via GATEWAY dev eth0" in cause["advice"]


def test_uplink_down(host, vm):
    host.sh("ip link set eth0 down")
    assert not vm.ping(INTERNET)
    cause = host.why("uplink-down", *OUT)
    assert cause["mend"] == "ip link set dev eth0 up"
    host.sh(cause["mend"])
    # The next thing that is missing, and nobody has spoken out there yet.
    assert host.ask(*OUT)[1]["code"] == "no-default-route"
    host.sh("ip route add default via 203.0.113.1")
    assert vm.reaches(INTERNET)


def test_gateway_dead(host, vm):
    host.world.internet.run("ip", "link", "set", "eth0", "arp", "off")
    host.sh("ip neigh flush dev eth0")
    cause = host.why("neighbour-silent", *OUT)
    assert "the gateway 203.0.113.1 does not answer on eth0" in cause["cause"] and not cause["mend"]
    host.world.internet.run("ip", "link", "set", "eth0", "arp", "on")
    wait_for("the gateway", lambda: vm.ping(INTERNET))
    assert host.ask(*OUT) == ("reachable", None)


def test_rp_filter_and_an_asymmetric_route(host, vm):
    """Answers come by a second line, which is not where the host would send to."""
    host.world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    # ARP is filtered as well: they know each other before.
    assert host.world.internet.run("busybox", "ping", "-q", "-c", "1", "192.0.2.2")
    host.sh("echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter")
    host.world.internet.run("ip", "route", "add", UPLINK, "via", "192.0.2.2", "dev", "eth1")
    t = trace_of(host, "vnet1")
    assert not vm.ping(INTERNET)
    cause = traced(t, "rp-filter")["diagnosis"]
    t.end()
    assert "by eth1" in cause["cause"] and evidence(cause, "route") == [f"{INTERNET} dev eth0"]
    host.sh(cause["mend"])
    assert vm.reaches(INTERNET)


def test_too_big(host, vm):
    host.sh("ip link set eth0 mtu 1300")
    size = ("--size", "1400")
    cause = host.why("too-big", *size, *OUT)
    assert evidence(cause, "interface") == ["eth0 mtu 1300"]
    host.mended(cause, *size, *OUT)


def test_not_translated(host, vm):
    host.sh("nft delete table ip theirs")
    assert not vm.ping(INTERNET)
    cause = host.why("not-translated", *OUT, answer="no way back")
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


def test_translated_to_a_private_address(host, vm):
    """As at home, where another router translates once more: nothing is wrong with that."""
    host.sh("nft delete table ip theirs; ip addr add 192.168.77.2/24 dev eth0; ip route replace default via 203.0.113.1 src 192.168.77.2;"
            "nft 'add table ip n; add chain ip n p { type nat hook postrouting priority 100; }; add rule ip n p oifname eth0 snat to 192.168.77.2'")
    assert host.ask(*OUT) == ("reachable", None)


def test_nat_ports_exhausted(host, vm):
    """One port for all of TCP: the second connection to the same server finds none."""
    host.sh("nft delete table ip theirs; nft 'add table ip n; add chain ip n p { type nat hook postrouting priority 100; };"
            " add rule ip n p ip protocol tcp masquerade to :40000-40000; add rule ip n p masquerade'")
    # It stays open: the port of one that is closing may be taken.
    first = vm.ns.start("/usr/bin/python3", "-c", "import socket, sys; s = socket.create_connection((sys.argv[1], 80));"
                        " print('open', flush=True); sys.stdin.read()", INTERNET, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.line() == "open"
    cause = host.why("nat-ports", *OUT)
    assert evidence(cause, "nat") == [f"{UPLINK}:40000 > {INTERNET}:80"] and "nat: ports:" in cause["advice"]
    host.sh("nft 'flush chain ip n p; add rule ip n p masquerade'")
    assert host.ask(*OUT) == ("reachable", None)


def test_nobody_listens(host, vm):
    cause = host.why("no-listener", "udp", f"{GATEWAY}:53")
    assert "UDP port 53" in cause["cause"]


# ---- the bridge and its ports ----


def test_tap_in_no_bridge(host, vm):
    host.sh("ip link set vnet1 nomaster")
    assert not vm.ping(INTERNET)
    cause = host.why("not-in-bridge", *OUT)
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


def test_tap_down(host, vm):
    host.sh("ip link set vnet1 down")
    cause = host.why("port-down", *OUT)
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


def test_no_vm(host, vm):
    vm.vmm.end()
    cause = host.why("no-vm", *OUT)
    assert "the VM does not run" in cause["cause"] and cause["advice"] == "start the VM"
    vm.on()
    wait_for("the guest", lambda: host.ask(*OUT) == ("reachable", None))


def test_stp_keeps_the_port_shut(host, vm):
    host.sh("ip link set br7 type bridge forward_delay 1500 stp_state 1; ip link set vnet1 down; ip link set vnet1 up")
    asked = OUT
    cause = host.why("port-blocked", *asked)
    assert "vnet1" in evidence(cause, "interface")[0]
    host.mended(cause, *asked)
    assert vm.reaches(INTERNET)


def test_isolated_ports(host, vm, vm2):
    host.sh("bridge link set dev vnet1 isolated on; bridge link set dev vnet2 isolated on")
    assert not vm.ping(vm2.ip)
    cause = host.why("isolated", "icmp", vm2.ip)
    host.mended(cause, "icmp", vm2.ip)
    assert vm.reaches(vm2.ip)


def test_mac_table_has_the_way_back(host, vm, vm2):
    """A static entry sends what is for vm2 back to where it came from."""
    host.sh(f"bridge fdb replace {vm2.mac} dev vnet1 master static sticky")
    assert not vm.ping(vm2.ip)
    cause = host.why("mac-table-wrong", "icmp", vm2.ip)
    host.mended(cause, "icmp", vm2.ip)
    assert vm.reaches(vm2.ip)


def test_mac_table_has_another_port(host, vm, vm2):
    """A static entry has the traced guest's MAC at somebody else's port: its answers go there."""
    host.sh(f"bridge fdb replace {vm.mac} dev vnet2 master static sticky")
    t = trace_of(host, "vnet1")
    assert not vm.ping(INTERNET)
    cause = traced(t, "mac-table-wrong")["diagnosis"]
    t.end()
    host.sh(cause["mend"])
    assert vm.reaches(INTERNET)


def test_host_answers_without_conntrack(world, vm_alone):
    """Of the question no connection is known when the host answers: bridged frames go by no rule of IP's, or there is none."""
    host = vm_alone
    p = host.ns.python("server.py", GATEWAY, stdout=subprocess.PIPE, log=f"{world.tmp}/gateway.log")
    assert p.line() == "ready"
    for nf in (0, 1):
        if os.path.exists("/proc/sys/net/bridge"):
            host.sh(f"echo {nf} >/proc/sys/net/bridge/bridge-nf-call-iptables")
        for question in (("icmp", GATEWAY), ("tcp", f"{GATEWAY}:80")):
            assert host.ask(*question)[0] == "reachable", (nf, question)


def test_two_guests_with_one_mac(host, vm, vm2):
    """The other one speaks in between, and gets the answers."""
    t = trace_of(host, "vnet1")
    assert vm.reaches(GATEWAY)
    vm2.ns.run("ip", "link", "set", "eth0", "address", vm.mac)
    vm2.ns.run("ip", "neigh", "flush", "dev", "eth0")
    assert vm2.reaches(GATEWAY)
    host.ns.run("busybox", "ping", "-q", "-c", "1", "-W", "1", vm.ip, check=False)
    cause = traced(t, "mac-twice")["diagnosis"]
    t.end()
    assert "vnet2" in cause["cause"] and not cause["mend"]
    vm2.ns.run("ip", "link", "set", "eth0", "address", "52:54:00:07:00:22")
    assert vm.reaches(GATEWAY)
    assert host.ask(*OUT) == ("reachable", None)


def test_two_guests_with_one_address(host, vm, vm2):
    t = trace_of(host, "vnet1")
    assert vm.reaches(INTERNET)
    vm2.ns.run("ip", "addr", "add", f"{vm.ip}/24", "dev", "eth0")
    vm2.ns.run("busybox", "arping", "-U", "-c", "2", "-I", "eth0", vm.ip, check=False)
    host.ns.run("busybox", "ping", "-q", "-c", "1", "-W", "1", vm.ip, check=False)
    cause = traced(t, "address-twice")["diagnosis"]
    t.end()
    assert vm2.mac in evidence(cause, "neighbour")[0]
    vm2.ns.run("ip", "addr", "del", f"{vm.ip}/24", "dev", "eth0")
    host.sh(cause["advice"].split("then: ")[1])
    assert vm.reaches(INTERNET)


def test_other_port_down(host, vm, vm2):
    host.sh("ip link set vnet2 down")
    cause = host.why("no-port", "icmp", vm2.ip)
    assert cause["mend"] == "ip link set dev vnet2 up"
    host.mended(cause, "icmp", vm2.ip)


def test_port_with_a_small_mtu(host, vm, vm2):
    host.sh("ip link set vnet2 mtu 900")
    asked = ("--size", "1000", "icmp", vm2.ip)
    cause = host.why("too-big-for-port", *asked)
    host.mended(cause, *asked)
    assert vm.reaches(vm2.ip, "-s", "900")


def test_vm_does_not_read(host, vm):
    """Its process is stopped; more than its queue takes is sent to it."""
    t = trace_of(host, "vnet1")
    vm.vmm.p.send_signal(19)  # SIGSTOP
    host.ns.run("sh", "-c", f"for i in $(seq 1100); do echo x; done | busybox nc -u -w 1 {vm.ip} 9", check=False)
    flood = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
             f"[s.sendto(b'x', ('{vm.ip}', 9)) for _ in range(1500)]")
    host.ns.run("/usr/bin/python3", "-c", flood)
    cause = traced(t, "vm-not-reading")["diagnosis"]
    t.end()
    assert cause["mend"] == f"kill -CONT {vm.vmm.pid}"
    host.sh(cause["mend"])
    assert vm.reaches(INTERNET)


# ---- what the guest has set ----


def test_guest_with_a_wrong_gateway(host):
    g = host.guest(1, gateway="10.7.0.254")
    t = trace_of(host, "vnet1")
    assert not g.ping(INTERNET, wait=4)
    cause = traced(t, "arp-unanswered")["diagnosis"]
    t.end()
    assert "10.7.0.254" in cause["cause"] and f"gateway {GATEWAY}" in cause["advice"]
    g.ns.run("ip", "route", "replace", "default", "via", GATEWAY)
    assert g.reaches(INTERNET)


def test_guest_that_takes_a_guest_for_its_gateway(host, vm2):
    g = host.guest(3, gateway=vm2.ip)
    t = trace_of(host, "vnet3")
    g.ping(INTERNET)
    assert f"gateway {GATEWAY}" in traced(t, "guest-gateway")["diagnosis"]["advice"]
    t.end()


def test_guest_with_a_wrong_netmask(host):
    g = host.guest(1, prefix=8)
    t = trace_of(host, "vnet1")
    assert not g.ping("10.200.0.1")
    cause = traced(t, "guest-netmask")["diagnosis"]
    t.end()
    assert evidence(cause, "network") == [f"10.7.0.0/24, router {GATEWAY}"]


def test_guest_with_an_address_of_elsewhere(host):
    g = host.guest(1, address="10.9.0.5", gateway=None)
    g.ns.run("sh", "-ec", f"ip route add {GATEWAY} dev eth0; ip route add default via {GATEWAY}")
    t = trace_of(host, "vnet1")
    assert not g.ping(INTERNET)
    cause = traced(t, "guest-address")["diagnosis"]
    t.end()
    assert "10.9.0.5" in cause["cause"] and evidence(cause, "network") == [f"10.7.0.0/24, router {GATEWAY}"]
    # It has its old address still: as told, it takes one of the network there is now.
    g.ns.run("sh", "-ec", f"ip addr flush dev eth0; ip addr add 10.7.0.11/24 dev eth0; ip route replace default via {GATEWAY}")
    assert g.reaches(INTERNET)


# ---- firewalls ----


FORWARD_DROP = "nft 'add table inet x; add chain inet x f { type filter hook forward priority 0; policy drop; }'"
FORWARD_RULE = ("nft 'add table inet x; add chain inet x f { type filter hook forward priority 0; }; add chain inet x g;"
                " add rule inet x f jump g; add rule inet x g ip saddr 10.7.0.0/24 counter drop'")


@pytest.mark.parametrize("fault, rule", [
    (FORWARD_DROP, "inet x f policy drop"),
    (FORWARD_RULE, 'inet x g handle 4 "ip saddr 10.7.0.0/24 counter drop"'),
])
def test_forward_dropped_by_nft(host, vm, fault, rule):
    host.sh(fault)
    assert not vm.ping(INTERNET)
    cause = host.why("firewall-forward", *OUT)
    assert evidence(cause, "rule") == [rule]
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


def test_forward_dropped_in_dockers_layout(host, vm):
    """The accepts go where Docker leaves room for them, and nowhere else."""
    host.sh("iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -P FORWARD DROP")
    assert not vm.ping(INTERNET)
    cause = host.why("firewall-forward", *OUT)
    assert "policy of chain FORWARD in table ip filter" in cause["cause"]
    assert cause["mend"].startswith(f"iptables-nft -I DOCKER-USER -i br7 -o eth0 -s {vm.ip} -j ACCEPT && ")
    before = host.ns.run("iptables-nft", "-S", "FORWARD")
    host.mended(cause, *OUT)
    assert host.ns.run("iptables-nft", "-S", "FORWARD") == before
    assert vm.reaches(INTERNET)


def test_forward_dropped_by_iptables_nft(host, vm):
    host.sh("iptables-nft -A FORWARD -s 10.7.0.0/24 -j DROP")
    cause = host.why("firewall-forward", *OUT)
    assert cause["mend"].startswith("iptables-nft -I FORWARD -i br7 -o eth0 ")
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


def test_forward_dropped_by_iptables_legacy(host, vm):
    host.sh("iptables-legacy -P FORWARD DROP")
    assert not vm.ping(INTERNET)
    cause = host.why("firewall-legacy", *OUT)
    assert "neither its number nor its chain can be seen" in cause["cause"]
    host.mended(cause, *OUT)
    assert vm.reaches(INTERNET)


@pytest.mark.parametrize("tool", ["iptables-legacy", "iptables-nft"])
def test_bridged_frames_dropped_by_iptables(host, vm, vm2, tool):
    """br_netfilter shows them to iptables' FORWARD."""
    host.sh(f"echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables; {tool} -P FORWARD DROP")
    assert not vm.ping(vm2.ip)
    cause = host.why("firewall-legacy" if tool == "iptables-legacy" else "firewall-forward", "icmp", vm2.ip)
    assert "net.bridge.bridge-nf-call-iptables = 1" in evidence(cause, "sysctl")
    assert cause["mend"] == f"{tool} -I FORWARD -i br7 -o br7 -j ACCEPT"
    host.mended(cause, "icmp", vm2.ip)
    assert vm.reaches(vm2.ip)


@pytest.mark.parametrize("fault, tool", [
    ("nft 'add table bridge x; add chain bridge x f { type filter hook forward priority 0; policy drop; }'", "nft"),
    ("ebtables-nft -P FORWARD DROP", "ebtables-nft"),
])
def test_bridge_family_drop(host, vm, vm2, fault, tool):
    host.sh(fault)
    assert not vm.ping(vm2.ip)
    cause = host.why("firewall-bridge", "icmp", vm2.ip)
    assert cause["mend"].split()[0] == tool
    host.mended(cause, "icmp", vm2.ip)
    assert vm.reaches(vm2.ip)


def test_dhcp_dropped_at_input(host):
    """The guest's questions die before a server hears them; the mend lets in those, and nothing else."""
    host.sh("nft 'add table inet x; add chain inet x in { type filter hook input priority 0; policy drop; }'")
    g = host.guest(1)
    g.ns.run("ip", "addr", "flush", "dev", "eth0")
    t = trace_of(host, "vnet1", "udp", "port", "67")
    # It asks again and again, as clients do: rules are traced from its second packet on.
    g.ns.start("busybox", "udhcpc", "-f", "-i", "eth0", "-t", "20", "-T", "1", "-s", "/bin/true")
    cause = traced(t, "firewall-dhcp")["diagnosis"]
    host.sh(cause["mend"])
    assert "udp dport 67" in cause["mend"]
    server = host.ns.start("/usr/bin/python3", "-uc", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                           "s.bind(('', 67)); print('ready'); s.recv(1500); print('asked')", stdout=subprocess.PIPE)
    assert server.line() == "ready"
    assert server.line() == "asked"
    t.end()


# ---- how it is said ----


def test_for_people(host, vm):
    host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward")
    done = host.ns.run(program("vmlane"), "probe", "--port", "vnet1", *OUT, check=False)
    assert done.returncode == 2
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "cause: this host does not forward IPv4 packets at all" in lines
    assert "evidence: sysctl net.ipv4.ip_forward = 0 (ip-forward-off)" in lines
    assert "mend: sysctl -w net.ipv4.ip_forward=1" in lines


def test_trace_says_it_once(host, vm):
    """The same again within a second is a word, not a block."""
    host.sh("echo 0 >/proc/sys/net/ipv4/ip_forward")
    p = host.ns.start(program("vmlane"), "trace", "vnet1", "icmp", "-c", "10", stdout=subprocess.PIPE,
                      log=f"{host.world.tmp}/text.log")
    wait_for("the trace", lambda: "following vnet1" in p.text())
    vm.ns.run("busybox", "ping", "-q", "-c", "10", "-i", "0.02", "-W", "1", INTERNET, check=False)
    assert p.wait() == 0
    text = p.p.stdout.read().decode()
    assert 1 <= text.count("mend: sysctl -w net.ipv4.ip_forward=1") <= 3
    assert text.count("cause: ip-forward-off") >= 7


def test_unknown_is_said_as_it_is(host, vm):
    """Nothing is guessed: the reason as the kernel has it."""
    host.sh("echo 1 >/proc/sys/net/ipv4/conf/all/drop_unicast_in_l2_multicast")
    t = trace_of(host, "vnet1")
    frame = ("import socket; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); s.bind(('eth0', 0));"
             f"s.send(bytes.fromhex('ffffffffffff' + '{vm.mac.replace(':', '')}' + '0800'"
             " + '4500001c00010000401165cf' + '0a07000b' + '0a070001' + '0001000100080000'))")
    vm.ns.run("/usr/bin/python3", "-c", frame)
    line = traced(t, "unknown")
    t.end()
    assert line["diagnosis"]["mend"] is None and "the kernel says " in line["diagnosis"]["cause"]


def test_forwarding_of_ipv6_off(host, vm):
    host.sh("ip addr add 2001:db8:7::1/64 dev br7 nodad; ip addr add 2001:db8:1::2/64 dev eth0 nodad;"
            "ip route add default via 2001:db8:1::1 dev eth0")
    host.world.internet.run("sh", "-ec", "ip addr add 2001:db8:1::1/64 dev eth0 nodad; ip addr add 2001:db8:9::9/128 dev lo;"
                            "ip route add 2001:db8:7::/64 via 2001:db8:1::2")
    vm.ns.run("sh", "-ec", "ip addr add 2001:db8:7::11/64 dev eth0 nodad; ip route add default via 2001:db8:7::1")
    assert not vm.ping("2001:db8:9::9")
    host.who = ["--mac", vm.mac, "--source", "2001:db8:7::11"]
    asked = ("udp", "[2001:db8:9::9]:53")
    cause = host.why("ip-forward-off", *asked)
    assert evidence(cause, "sysctl") == ["net.ipv6.conf.all.forwarding = 0"]
    host.mended(cause, *asked)
    assert vm.reaches("2001:db8:9::9", count=3)  # the first may go while neighbours are looked for


def test_our_own_rules_are_gone(world, vmlaned, guest, tmp):
    """The daemon was killed and somebody flushed the rules: what starts it restores them."""
    g = guest("web1")
    g.dhcp()
    assert g.reaches(INTERNET)
    asked = ("--port", g.show()["tap"], "--mac", g.mac, "--source", g.ip, *OUT)
    vmlaned.kill9()
    world.host.run("nft", "delete", "table", "inet", "vmlane")
    assert not g.ping(INTERNET)
    done = world.host.run(*vmlaned.argv("-o", "json", "probe", *asked), check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[-1]["answer"] == "no way back", done.stderr
    cause = next(line["diagnosis"] for line in lines if line.get("diagnosis"))
    assert cause["code"] == "not-translated" and evidence(cause, "network") == ["default"]
    assert cause["mend"] == "systemctl start vmlaned"
    # Nothing here is run by systemd: what stands in for it says what it was asked.
    with open(f"{tmp}/systemctl", "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\necho \"$*\" >{tmp}/asked\n")
    os.chmod(f"{tmp}/systemctl", 0o755)
    world.host.run("sh", "-ec", f"PATH={tmp}:$PATH\n{cause['mend']}")
    with open(f"{tmp}/asked", encoding="utf-8") as f:
        assert f.read() == "start vmlaned\n"
    vmlaned.start()
    assert g.reaches(INTERNET)
    done = world.host.run(*vmlaned.argv("-o", "json", "probe", *asked), check=False)
    assert done.returncode == 0 and "not-translated" not in done.stdout, done.stdout


PROGRAMS = """#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#define SEC(name) __attribute__((section(name), used))
SEC("xdp") int drop_xdp(struct xdp_md *c) { return XDP_DROP; }
SEC("tc") int drop_tc(struct __sk_buff *s) { return TC_ACT_SHOT; }
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.fixture
def drop_programs(tmp):
    """An object file of programs that drop all they see; ip and tc want a bpffs to load it."""
    with open(f"{tmp}/drop.c", "w", encoding="utf-8") as f:
        f.write(PROGRAMS)
    subprocess.run(["clang-14", "-O2", "-g", "-target", "bpf", "-idirafter", f"/usr/include/{platform.machine()}-linux-gnu",
                    "-c", f"{tmp}/drop.c", "-o", f"{tmp}/drop.o"], check=True)
    subprocess.run(["mount", "-t", "bpf", "bpf", "/sys/fs/bpf"], check=True)
    yield f"{tmp}/drop.o"
    subprocess.run(["umount", "/sys/fs/bpf"], check=True)


@pytest.mark.parametrize("dev, way, code", [
    ("vnet1", "ingress", "tc"),
    ("eth0", "egress", "tc"),
    ("vnet1", "xdp", "xdp"),
    ("br7", "xdp", "xdp"),
])
def test_program_drops(host, vm, drop_programs, dev, way, code):
    """In real traffic: a probe is taken off at the way out before filters there see it."""
    if way == "xdp":
        host.sh(f"ip link set dev {dev} xdpgeneric obj {drop_programs} sec xdp")
    else:
        host.sh(f"tc qdisc add dev {dev} clsact; tc filter add dev {dev} {way} pref 7 bpf da obj {drop_programs} sec tc")
    t = trace_of(host, "vnet1")
    assert not vm.ping(INTERNET)
    cause = traced(t, code)["diagnosis"]
    t.end()
    assert dev in evidence(cause, code)[0]
    host.sh(cause["mend"])
    assert vm.reaches(INTERNET)


def test_two_filters_are_not_guessed_between(host, vm, drop_programs):
    host.sh("tc qdisc add dev vnet1 clsact; tc filter add dev vnet1 ingress pref 7 bpf da obj "
            f"{drop_programs} sec tc; tc filter add dev vnet1 ingress pref 9 bpf da obj {drop_programs} sec tc")
    cause = host.why("tc", *OUT)
    assert not cause["mend"] and "tc filter show dev vnet1 ingress" in cause["advice"]
