# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that ask and get no answer, or the wrong one: resolvers, DHCP servers, routers. Each fault is made,
its cause is read, what is printed is done as it is printed, and the guest gets through."""
import json
import shlex
import socket
import subprocess
from types import SimpleNamespace

import pytest

from foreign import GATEWAY
from packet import ARP, BOOTP, BROADCAST, DHCP, IP, UDP, Ether, Wire
from test_diagnose import Host, evidence, trace_of, traced
from world import INTERNET, UPLINK, wait_for

pytestmark = pytest.mark.usefixtures("world")
QUERY = bytes.fromhex("000101000001000000000000" "076578616d706c65036f72670000010001")


@pytest.fixture
def host(world):
    return Host(world)


class Resolver:
    """Answers DNS on @address of @ns, each question with @rcode."""

    def __init__(self, ns, address, rcode=0):
        code = ("import socket, sys; s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)\n"
                "s.bind((sys.argv[1], 53)); print('ready', flush=True)\n"
                "while True:\n"
                "    q, peer = s.recvfrom(512)\n"
                "    s.sendto(q[:2] + bytes([0x81, 0x80 | int(sys.argv[2])]) + q[4:], peer)\n")
        self.p = ns.start("/usr/bin/python3", "-c", code, address, rcode, stdout=subprocess.PIPE)
        assert self.p.line() == "ready"


class Asker:
    """Asks @server for a name from one port, as resolvers' clients do: again after a while, once a call."""

    def __init__(self, guest, server):
        with guest.ns.enter():
            self.s = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
        self.server = server

    def ask(self, timeout=0.3):
        """The answer's code; None: there is none, False: it is refused."""
        self.s.settimeout(timeout)
        self.s.connect((self.server, 53))
        try:
            self.s.send(QUERY)
            return self.s.recv(512)[3] & 15
        except socket.timeout:
            return None
        except ConnectionRefusedError:
            return False

    def until(self, trace, code):
        """Ask in vain a few times; the packet that @trace explains by @code."""
        for _ in range(3):
            assert self.ask(timeout=1) is None
        return traced(trace, code)


# ---- names ----


def test_resolver_is_silent(world, host, vm):
    """It is there, and does not answer: said when it is asked again, where the question left, and not before."""
    world.internet.nft("table ip quiet { chain in { type filter hook input priority 0; udp dport 53 drop; }; }\n")
    Resolver(world.internet, INTERNET)
    asker = Asker(vm, INTERNET)
    t = trace_of(host, "vnet1", "udp")
    line = asker.until(t, "dns-silent")
    cause = line["diagnosis"]
    assert f"resolver {INTERNET} does not answer: the question leaves by eth0" in cause["cause"]
    assert evidence(cause, "packet")[0].startswith("asked ") and not cause["mend"]
    world.internet.run("nft", "delete", "table", "ip", "quiet")
    assert asker.ask(timeout=5) == 0
    t.end()


def test_resolver_that_answers_is_not_accused(world, host, vm):
    """Two questions at once, as clients ask for both kinds of address; and again, for longer than patience lasts."""
    Resolver(world.internet, INTERNET)
    a, b = Asker(vm, INTERNET), Asker(vm, INTERNET)
    t = trace_of(host, "vnet1", "udp", "-c", "44")
    for _ in range(11):
        for asker in (a, b):
            asker.s.sendto(QUERY, (INTERNET, 53))
        for asker in (a, b):
            assert asker.s.recv(512)
        vm.ns.run("busybox", "sleep", "0.12")
    assert t.wait() == 0
    assert b'"diagnosis":{' not in t.p.stdout.read()


def test_half_of_the_packets_accuse_nobody(world, host, vm):
    """The filter leaves out answers: that there is none, nobody can tell."""
    asker = Asker(vm, INTERNET)
    t = trace_of(host, "vnet1", f"udp and dst host {INTERNET}", "-c", "4")
    world.internet.nft("table ip quiet { chain in { type filter hook input priority 0; udp dport 53 drop; }; }\n")
    for _ in range(4):
        assert asker.ask(timeout=0.7) is None
    assert t.wait() == 0
    assert b'"diagnosis":{' not in t.p.stdout.read()


def test_nobody_listens_at_the_resolver(world, host, vm):
    asker = Asker(vm, INTERNET)
    t = trace_of(host, "vnet1", "icmp")
    assert asker.ask(timeout=5) is False
    cause = traced(t, "dns-refused")["diagnosis"]
    assert "nobody listens on its UDP port 53" in cause["cause"] and evidence(cause, "packet") == [f"port unreachable from {INTERNET}"]
    Resolver(world.internet, INTERNET)
    assert asker.ask(timeout=5) == 0
    t.end()


def test_resolver_refuses(world, host, vm):
    """It answers REFUSED, as one does that serves others only."""
    r = Resolver(world.internet, INTERNET, 5)
    asker = Asker(vm, INTERNET)
    t = trace_of(host, "vnet1", "udp")
    assert asker.ask(timeout=5) == 5
    cause = traced(t, "dns-refused")["diagnosis"]
    assert "(REFUSED)" in cause["cause"] and "configuration" in cause["advice"]
    r.p.end()
    Resolver(world.internet, INTERNET)
    assert asker.ask(timeout=5) == 0
    t.end()


def test_resolver_with_a_wrong_address(host, vm):
    """An address of the guest's network that nobody has: its neighbours are asked in vain."""
    asker = Asker(vm, "10.7.0.53")
    t = trace_of(host, "vnet1")
    for _ in range(4):
        asker.ask(timeout=1)
    cause = traced(t, "arp-unanswered")["diagnosis"]
    t.end()
    assert "10.7.0.53" in cause["cause"]


def test_resolver_of_our_network_that_is_nobody(world, daemon, guest):
    """The network's configuration gives it: which one, and what changes it, is said; then the guest asks anew."""
    d = daemon({"default.yaml": "network: default\nmode: nat\nipv4:\n  subnet: 192.168.122.0/24\n"
                "dns:\n  servers: [192.168.122.253, 203.0.113.1]\n"})
    g = guest("web1", d=d)
    assert g.dhcp()["dns"].split()[0] == "192.168.122.253"
    asker = Asker(g, "192.168.122.253")
    t = world.host.start(*d.argv("-o", "json", "trace", "web1"), stdout=subprocess.PIPE, log=f"{world.tmp}/trace.log")
    assert json.loads(t.line())["event"] == "start"
    for _ in range(4):
        asker.ask(timeout=1)
    cause = traced(t, "dns-silent")["diagnosis"]
    t.end()
    assert "192.168.122.253" in cause["cause"] and evidence(cause, "network") == ["default"]
    assert cause["mend"] == "vmlane network set default 'dns.servers=[203.0.113.1]'"
    d.vmlane(*shlex.split(cause["mend"])[1:])
    assert g.dhcp()["dns"] == "203.0.113.1"


def test_resolver_on_this_host_that_nobody_runs(host, vm):
    asker = Asker(vm, GATEWAY)
    t = trace_of(host, "vnet1", "udp")
    assert asker.ask(timeout=5) is False
    cause = traced(t, "no-listener")["diagnosis"]
    assert "a guest that asks here for names gets none" in cause["cause"]
    Resolver(host.ns, GATEWAY)
    assert asker.ask(timeout=5) == 0
    t.end()


# ---- DHCP ----


def udhcpc(g, *args):
    """Asks until somebody answers; it ends with the first lease."""
    return g.ns.start("busybox", "udhcpc", "-f", "-q", "-i", "eth0", "-t", "100", "-T", "1", "-s", "/bin/true", *args)


def dnsmasq(ns, address, first, gateway=None, dev="br7"):
    """A DHCP server at @address, without names; it says what it does in its log."""
    log = f"{ns.world.tmp}/dnsmasq-{address}.log"
    p = ns.start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", f"--interface={dev}", "--bind-dynamic", "--user=root",
                 f"--dhcp-range={first},{first[:-1]}9,1h", f"--dhcp-option=3,{gateway or address}", "--no-ping", "--leasefile-ro",
                 "--dhcp-authoritative", "--log-facility=-", f"--pid-file={log}.pid", log=log)
    wait_for("dnsmasq", lambda: "DHCP, IP range" in p.text())
    return p


def test_nobody_answers_dhcp(host):
    g = host.guest(1)
    g.ns.run("ip", "addr", "flush", "dev", "eth0")
    t = trace_of(host, "vnet1", "udp", "port", "67")
    c = udhcpc(g)
    cause = traced(t, "dhcp-unanswered")["diagnosis"]
    assert "there is no DHCP server on br7" in cause["cause"] and not cause["mend"]
    dnsmasq(host.ns, GATEWAY, "10.7.0.51")
    assert c.wait() == 0
    t.end()


def test_our_dhcp_server_does_not_run(world, vmlaned, guest):
    """The daemon is dead: what starts it is said."""
    g = guest("web1", tap=True)
    g.ns.run("ip", "addr", "flush", "dev", "eth0")
    tap = g.show()["tap"]
    vmlaned.kill9()
    t = trace_of(SimpleNamespace(ns=world.host, world=world), tap, "udp", "port", "67")
    c = g.ns.start("busybox", "udhcpc", "-f", "-q", "-i", "eth0", "-t", "100", "-T", "1", "-s", "/bin/true")
    cause = traced(t, "dhcp-unanswered")["diagnosis"]
    assert evidence(cause, "network") == ["default"] and cause["mend"] == "systemctl start vmlaned"
    vmlaned.start()
    assert c.wait() == 0
    t.end()


def test_two_dhcp_servers(host):
    """A second guest runs one, too: the first asks, and both answer. The host's is the right one."""
    dnsmasq(host.ns, GATEWAY, "10.7.0.51")
    g, other = host.guest(1), host.guest(2)
    g.ns.run("ip", "addr", "flush", "dev", "eth0")
    dnsmasq(other.ns, other.ip, "10.7.0.91", dev="eth0")
    t = trace_of(host, "vnet1", "udp")
    udhcpc(g).wait()
    # Whoever is faster has been asked for the address: the slower one's offer may have come first.
    while True:
        cause = traced(t, "dhcp-twice")["diagnosis"]
        assert sorted(e.split()[3] for e in evidence(cause, "packet")) == [GATEWAY, other.ip]
        if cause["mend"]:
            break
        udhcpc(g).wait()
    assert 'iifname "vnet2" udp sport 67 drop' in cause["mend"]
    t.end()
    host.sh(cause["mend"])
    t = trace_of(host, "vnet1", "udp")
    assert udhcpc(g).wait() == 0
    while "DHCP ACK" not in (line := json.loads(t.line()))["text"]:
        assert other.ip not in line["text"] or line["verdict"] == "DROP"
        # Whoever reads that is not told to undo it.
        if line.get("diagnosis") and other.ip in line["text"]:
            assert line["diagnosis"]["code"] == "guard" and not line["diagnosis"]["mend"]
    t.end()


def test_lease_of_another_network(host):
    """The network has changed since: the server says so, and the guest asks for another address."""
    dnsmasq(host.ns, GATEWAY, "10.7.0.51")
    g = host.guest(1)
    g.ns.run("ip", "addr", "flush", "dev", "eth0")
    t = trace_of(host, "vnet1", "udp")
    Wire(g.ns).s.send(reboot_request(g.mac, "192.168.77.5"))
    cause = traced(t, "dhcp-nak")["diagnosis"]
    assert evidence(cause, "packet") == [f"DHCP NAK from {GATEWAY}"]
    assert udhcpc(g).wait() == 0
    t.end()


def reboot_request(mac, address):
    """DHCPREQUEST of a client that had @address before it was rebooted (RFC 2131, 4.3.2: INIT-REBOOT)."""
    return bytes(Ether(dst=BROADCAST, src=mac) / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67) /
                 BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=7, flags=0x8000) /
                 DHCP(options=[("message-type", "request"), ("requested_addr", address), "end"]))


# ---- whose address it is ----


def test_guest_with_the_routers_address(host):
    """Given by hand, in vain: it is the gateway's."""
    g = host.guest(1, address=GATEWAY, gateway=None)
    t = trace_of(host, "vnet1")
    g.ns.run("busybox", "arping", "-U", "-c", "1", "-I", "eth0", GATEWAY, check=False)
    cause = traced(t, "router-address-taken")["diagnosis"]
    t.end()
    assert cause["advice"] == "give the guest another address" and g.mac in evidence(cause, "packet")[0]
    g.ns.run("sh", "-ec", f"ip addr flush dev eth0; ip addr add 10.7.0.11/24 dev eth0; ip route add default via {GATEWAY}")
    assert g.reaches(INTERNET)


def test_another_guest_with_the_routers_address(host, vm):
    """It tells all; the first guest believes it and loses its way out, until the other is not heard any more."""
    other = host.guest(2)
    t = trace_of(host, "vnet1")
    w = Wire(other.ns)

    def lie():
        w.s.send(bytes(Ether(dst=vm.mac, src=other.mac) / ARP(op=2, psrc=GATEWAY, hwsrc=other.mac, pdst=vm.ip, hwdst=vm.mac)))
    lie()
    cause = traced(t, "router-address-taken")["diagnosis"]
    t.end()
    assert f"{GATEWAY} is at {other.mac}, behind vnet2" in evidence(cause, "packet")

    def believed():
        # Not within a second after the truth was heard (net/ipv4/arp.c: LOCKTIME).
        lie()
        return not vm.ping(INTERNET)
    wait_for("the guest to believe it", believed)
    host.sh(cause["mend"])
    vm.ns.run("sh", "-ec", cause["advice"].split("by ")[1] + " dev eth0")
    lie()
    assert vm.reaches(INTERNET)


# ---- TCP ----


def test_server_is_silent(world, host, vm):
    """All is right on this host: how the packet left is said, and who is silent. """
    world.internet.nft("table ip quiet { chain in { type filter hook input priority 0; tcp dport 80 drop; }; }\n")
    t = trace_of(host, "vnet1", "tcp")
    p = vm.ns.start("busybox", "wget", "-q", "-O", "/dev/null", f"http://{INTERNET}/")
    cause = traced(t, "no-answer")["diagnosis"]
    assert f"{INTERNET} port 80 does not answer: the question leaves by eth0" in cause["cause"]
    assert any(e.startswith(f"from {UPLINK} port ") for e in evidence(cause, "packet"))
    world.internet.run("nft", "delete", "table", "ip", "quiet")
    assert p.wait() == 0
    t.end()
