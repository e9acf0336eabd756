# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane explain: what is predicted from the host's state is what a probe sees, and what cannot be predicted is
said. Each question is asked with --probe, which compares; that the probe itself is right, test_probe.py and
test_diagnose.py show."""
import json
import os

import pytest

import bpfprog
from daemon import program
from foreign import GATEWAY, ForeignGuest, make_host
from test_diagnose import drop_programs  # noqa: F401 pylint: disable=unused-import
from world import INTERNET, INTERNET6, UPLINK

pytestmark = pytest.mark.usefixtures("world")

OUT = ("tcp", f"{INTERNET}:80")
PASSES, REFUSED, UNKNOWN = 0, 2, 4


class Told:
    """What `vmlane explain --probe` said: of the prediction, and of the probe."""

    def __init__(self, done):
        self.code, self.text = done.returncode, done.stdout + done.stderr
        self.lines = [json.loads(line) for line in done.stdout.splitlines()]
        packets = [x for x in self.lines if x["event"] == "packet"]
        self.predicted = [x for x in packets if x.get("predicted")]
        self.seen = [x for x in packets if not x.get("predicted")]
        answers = [x for x in self.lines if x["event"] == "answer"]
        assert answers and answers[0]["predicted"], self.text
        self.answer, self.what = answers[0]["answer"], answers[0]["what"]
        self.comparison = next((x for x in self.lines if x["event"] == "comparison"), None)
        self.blocked = next((x for x in self.lines if x["event"] == "blocked"), None)

    def cause(self, packets=None):
        found = [x["diagnosis"]["code"] for x in (self.predicted if packets is None else packets) if x["diagnosis"]]
        if packets is None and self.blocked:
            found.append(self.blocked["diagnosis"]["code"])
        return found[-1] if found else None

    def hops(self, n=0):
        return [h["hop"] for h in self.predicted[n]["hops"] if h["hop"] != "fw"]

    def hop(self, kind, n=0):
        return next(h for h in self.predicted[n]["hops"] if h["hop"] == kind)


def explain(ns, *args, probe=True):
    """It must never differ from the probe."""
    done = ns.run(program("vmlane"), "-o", "json", "explain", *(["--probe"] if probe else []), *args, check=False)
    assert done.returncode in (PASSES, REFUSED, UNKNOWN), f"{done.returncode}\n{done.stdout}{done.stderr}"
    told = Told(done)
    if told.comparison and told.answer != "unknown":
        assert told.cause() == told.cause(told.seen), told.text
    return told


class Host:
    """The world's host with a foreign bridge."""

    def __init__(self, world):
        self.world, self.ns, self.who = world, world.host, []
        make_host(world)

    def guest(self, number, **kw):
        return ForeignGuest(self.world, number, **kw)

    def sh(self, text):
        self.ns.run("sh", "-ec", text)

    def ask(self, *args, port="vnet1", code=PASSES, **kw):
        told = explain(self.ns, "--port", port, *self.who, *args, **kw)
        assert code is None or told.code == code, told.text
        return told

    def dropped(self, cause, *args, **kw):
        told = self.ask(*args, code=REFUSED, **kw)
        assert told.cause() == cause, told.text
        return told


@pytest.fixture
def host(world):
    return Host(world)


@pytest.fixture
def vm2(host, vm):
    g = host.guest(2)
    assert vm.reaches(g.ip) and g.reaches(GATEWAY)
    return g


# ---- ways that are open ----


@pytest.mark.parametrize("what", [("icmp", INTERNET), OUT, ("udp", f"{INTERNET}:53")])
def test_out_and_back(host, vm, what):
    told = host.ask(*what)
    assert told.hops(0) == ["vm-out", "bridge-in", "route", "nat", "uplink-out"]
    assert told.hops(1) == ["uplink-in", "route", "nat", "bridge-fwd", "tap-queued"]
    assert told.hop("nat")["after"]["src"] == UPLINK
    assert told.predicted[0]["end"] == "would leave by eth0"
    rule = told.hop("fw")["decision"]
    assert (rule["table"], rule["chain"]) == ("theirs", "post") and "snat to" in rule["rule"]
    assert f"fdb {vm.mac} dev vnet1" in told.hop("bridge-fwd", 1)["why"]
    assert told.comparison["same"]


def test_nothing_is_sent(host, vm):
    """Without --probe there are no connections, neighbours and MAC table entries more, and no rule counts."""
    host.sh("nft add rule ip theirs post counter")

    def state():
        return (host.ns.run("nft", "list", "ruleset"), host.ns.run("cat", "/proc/net/nf_conntrack").count("dport=4444"),
                sorted((n["dst"], n.get("dev")) for n in host.ns.ip("neigh")),
                sorted(line.split()[0] for line in host.ns.run("bridge", "fdb", "show", "br", "br7").splitlines()))
    before = state()
    told = host.ask("tcp", f"{INTERNET}:4444", probe=False)
    assert told.comparison is None and not told.seen
    assert state() == before


def test_to_the_host(host, vm):
    told = host.ask("icmp", GATEWAY)
    assert told.predicted[0]["end"] == "would be taken by the host"
    assert told.hops(1)[0] == "host-out"
    host.dropped("no-listener", "tcp", f"{GATEWAY}:81")


def test_guest_to_guest(host, vm, vm2):
    told = host.ask("icmp", vm2.ip)
    assert told.predicted[0]["end"] == "would get to vnet2"
    assert f"fdb {vm2.mac} dev vnet2" in told.hop("bridge-fwd")["why"]
    assert host.ask("arp", vm2.ip).answer == "reachable"


# ---- faults of the state ----


@pytest.mark.parametrize("fault, code, what", [
    ("echo 0 >/proc/sys/net/ipv4/ip_forward", "ip-forward-off", OUT),
    ("echo 0 >/proc/sys/net/ipv4/conf/br7/forwarding", "forwarding-off", OUT),
    ("ip route add blackhole 198.51.100.0/24", "route-blackhole", OUT),
    ("ip route add unreachable 198.51.100.0/24", "route-unreachable", OUT),
    ("ip route add prohibit 198.51.100.0/24", "route-prohibit", OUT),
    ("ip route del default", "no-default-route", OUT),
    ("ip link set vnet1 down", "port-down", OUT),
    ("ip link set vnet1 nomaster", "not-in-bridge", OUT),
    ("ip link set br7 type bridge forward_delay 1500 stp_state 1; ip link set vnet1 down; ip link set vnet1 up", "port-blocked", OUT),
    ("nft 'add table inet x; add chain inet x f { type filter hook forward priority 0; policy drop; }'", "firewall-forward", OUT),
    ("iptables-nft -A FORWARD -s 10.7.0.0/24 -j DROP", "firewall-forward", OUT),
    ("iptables-legacy -P FORWARD DROP", "firewall-legacy", OUT),
    ("nft 'add table inet x; add chain inet x i { type filter hook input priority 0; policy drop; }'", "firewall-input",
     ("icmp", GATEWAY)),
    ("nft 'add table inet x; add chain inet x p { type filter hook prerouting priority raw; tcp dport 80 drop; }'", "firewall", OUT),
    ("nft delete table ip theirs", "not-translated", ("tcp", "8.8.8.8:443")),
    ("ip route add 198.51.100.7 via 203.0.113.1 mtu 1000", "unknown", ("icmp", INTERNET, "--size", "1200")),
    ("ip link set eth0 mtu 1000", "too-big", ("icmp", INTERNET, "--size", "1200")),
])
def test_fault(host, vm, fault, code, what):
    host.sh("ip neigh replace 203.0.113.1 lladdr 52:54:00:99:00:01 dev eth0 nud permanent")
    host.sh(fault)
    host.dropped(code, *what)


def test_rp_filter(host, vm):
    """The guest's network has a route elsewhere."""
    host.sh("echo 1 >/proc/sys/net/ipv4/conf/br7/rp_filter; ip route add 10.9.0.0/24 dev eth0")
    host.who = ["--mac", vm.mac, "--source", "10.9.0.5"]
    host.dropped("rp-filter", *OUT)


@pytest.mark.parametrize("fault, code", [
    ("bridge link set dev vnet1 isolated on; bridge link set dev vnet2 isolated on", "isolated"),
    ("bridge fdb replace VM2 dev vnet1 master static sticky", "mac-table-wrong"),
    ("ip link set vnet2 down", "no-port"),
    ("nft 'add table bridge x; add chain bridge x f { type filter hook forward priority 0; policy drop; }'", "firewall-bridge"),
    ("ebtables-nft -P FORWARD DROP", "firewall-bridge"),
    ("iptables-nft -P FORWARD DROP", "firewall-forward"),
    ("iptables-legacy -P FORWARD DROP", "firewall-legacy"),
])
def test_fault_in_the_bridge(host, vm, vm2, fault, code):
    host.sh("echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables")
    host.sh(fault.replace("VM2", vm2.mac))
    host.dropped(code, "icmp", vm2.ip)


@pytest.mark.parametrize("brnf", [0, 1])
def test_port_with_a_small_mtu(host, vm, vm2, brnf):
    host.sh(f"echo {brnf} >/proc/sys/net/bridge/bridge-nf-call-iptables; ip link set vnet2 mtu 900")
    host.dropped("too-big-for-port", "icmp", vm2.ip, "--size", "1000")
    host.ask("icmp", vm2.ip, "--size", "900")


def test_no_way_back(host, vm):
    host.sh("nft 'add table inet x; add chain inet x p { type filter hook prerouting priority -310; iifname eth0 drop; }'")
    told = host.ask(*OUT, code=REFUSED)
    assert told.answer == "no way back" and told.cause() == "firewall"


def test_vlans(host, vm, vm2):
    """Access ports of two VLANs, and the host in one of them."""
    if host.ns.run("ip", "link", "set", "br7", "type", "bridge", "vlan_filtering", "1", check=False).returncode:
        pytest.skip("this kernel cannot filter VLANs in bridges")
    host.sh("bridge vlan add dev vnet1 vid 10 pvid untagged; bridge vlan del dev vnet1 vid 1")
    told = host.ask("arp", GATEWAY)
    assert "bridge-in" not in told.hops() or told.predicted[0]["verdict"] == "DROP"
    host.sh("bridge vlan add dev br7 vid 10 self pvid untagged")
    host.ask("icmp", GATEWAY)
    host.sh("bridge vlan add dev vnet2 vid 10 pvid untagged")
    assert vm.reaches(vm2.ip)
    host.ask("icmp", vm2.ip)
    host.sh("bridge vlan del dev vnet1 vid 10")
    assert host.ask("icmp", vm2.ip, code=REFUSED).predicted[0]["hops"][-1]["reason"] == "VLAN_FILTER"


def test_locked_port(host, vm, vm2):
    host.sh("bridge link set dev vnet1 locked on learning off; bridge fdb del " + f"{vm.mac} dev vnet1 master")
    told = host.ask("icmp", vm2.ip, code=REFUSED)
    assert "vnet1 is locked" in told.predicted[0]["hops"][-1]["why"]
    host.sh(f"bridge fdb add {vm.mac} dev vnet1 master static")
    host.ask("icmp", vm2.ip)


def test_forwards_in(host, vm):
    """A port of the host's leads to the guest; what has no forward is the host's own."""
    host.sh("nft 'add chain ip theirs pre { type nat hook prerouting priority -100; };"
            f" add rule ip theirs pre iifname eth0 tcp dport 8080 dnat to {vm.ip}:80'")
    host.who = ["--mac", vm.mac]
    told = host.ask("tcp", f"{UPLINK}:8080", "--from-outside")
    assert told.hops(0) == ["uplink-in", "route", "nat", "bridge-fwd", "tap-queued"]
    assert told.hop("nat")["after"]["dst"] == vm.ip and told.hop("nat")["after"]["dport"] == 80
    assert told.predicted[1]["end"] == "would leave by eth0"
    host.dropped("no-listener", "tcp", f"{UPLINK}:8081", "--from-outside")


def test_routed(host, vm):
    """No translation: somebody out there knows the way back."""
    host.sh("nft flush ruleset")
    host.world.internet.run("sh", "-ec", f"ip addr add 10.99.0.1/32 dev lo; ip route add 10.7.0.0/24 via {UPLINK}")
    assert vm.reaches("10.99.0.1")
    told = host.ask("icmp", "10.99.0.1")
    assert told.hops(0) == ["vm-out", "bridge-in", "route", "uplink-out"]
    assert told.hops(1) == ["uplink-in", "route", "bridge-fwd", "tap-queued"]


def test_bridged(host, vm):
    """The uplink is a port of the guest's bridge, and the LAN's router is the gateway."""
    host.sh("nft flush ruleset; ip addr flush dev eth0; ip link set eth0 master br7; ip addr flush dev br7; ip addr add 203.0.113.2/24 dev br7;"
            "ip route replace default via 203.0.113.1; busybox ping -q -c 1 203.0.113.1")
    vm.ns.run("sh", "-ec", "ip addr add 203.0.113.77/24 dev eth0; ip route replace default via 203.0.113.1")
    assert vm.reaches("203.0.113.1")
    host.who = ["--mac", vm.mac, "--source", "203.0.113.77"]
    told = host.ask("icmp", "203.0.113.1")
    assert told.hops(0) == ["vm-out", "bridge-fwd", "uplink-out"] and told.hops(1) == ["uplink-in", "bridge-fwd", "tap-queued"]


@pytest.fixture
def vm6(host, vm):
    host.world.internet6()
    host.sh("ip addr add fd00:7::1/64 dev br7 nodad; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding;"
            "nft 'table ip6 theirs { chain post { type nat hook postrouting priority 100; oifname eth0 snat to 2001:db8:113::2; }; }'")
    vm.ns.run("sh", "-ec", "ip addr add fd00:7::11/64 dev eth0 nodad; ip route add default via fd00:7::1")
    host.who = ["--mac", vm.mac, "--source", "fd00:7::11"]
    assert vm.reaches("fd00:7::1", count=2) and vm.reaches(INTERNET6, count=3)
    host.sh(f"ip neigh replace 2001:db8:113::1 lladdr 52:54:00:99:00:01 dev eth0 nud permanent; ip neigh replace fd00:7::11 lladdr {vm.mac} dev br7 nud permanent")
    return vm


@pytest.mark.parametrize("what", [("icmp", INTERNET6), ("tcp", f"[{INTERNET6}]:80"), ("icmp", "fd00:7::1")])
def test_ipv6(host, vm6, what):
    host.ask(*what)


@pytest.mark.parametrize("fault, code", [
    ("echo 0 >/proc/sys/net/ipv6/conf/all/forwarding", "ip-forward-off"),
    ("ip -6 route add blackhole 2001:db8:100::/64", "route-blackhole"),
    ("nft 'table ip6 x { chain f { type filter hook forward priority 0; tcp dport 80 drop; }; }'", "firewall-forward"),
])
def test_ipv6_fault(host, vm6, fault, code):
    host.sh(fault)
    host.dropped(code, "tcp", f"[{INTERNET6}]:80")


# ---- our own networks ----


def test_our_nat_network(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    assert g.reaches(INTERNET) and g.reaches("192.168.122.1")
    for what in (("icmp", INTERNET), OUT, ("udp", f"{INTERNET}:53"), ("icmp", "192.168.122.1")):
        told = explain(world.host, "web1", *what, "--socket", vmlaned.socket)
        assert told.code == PASSES and told.comparison["same"], told.text
    told = explain(world.host, "web1", "tcp", "192.168.122.1:22", "--socket", vmlaned.socket)
    assert told.code == REFUSED


def test_our_guests(world, vmlaned, guest):
    a, b = guest("web1"), guest("web2")
    a.dhcp(), b.dhcp()
    assert a.reaches(b.ip) and a.reaches("192.168.122.1") and b.reaches("192.168.122.1")
    told = explain(world.host, "web1", "icmp", b.ip, "--socket", vmlaned.socket)
    assert told.code == PASSES and told.predicted[0]["end"] == f"would get to {b.show()['tap']}"


NETS = {
    "lan.yaml": "network: lan\nmode: routed\nipv4:\n  subnet: 192.168.5.0/24\n",
    "none.yaml": "network: none\nmode: routed\ninbound: none\nipv4:\n  subnet: 192.168.7.0/24\n",
    "hosts.yaml": "network: hosts\nmode: isolated\nipv4:\n  subnet: 192.168.8.0/24\n",
    "private.yaml": "network: private\nmode: isolated\nhost: false\n",
}


def test_our_routed_networks(world, daemon, guest):
    """One whose guests get out as themselves, and one that stays on the host."""
    d = daemon(NETS)
    lan, none = guest("lan1", d=d, network="lan"), guest("none1", d=d, network="none")
    lan.dhcp(), none.dhcp()
    world.internet.run("ip", "route", "add", "192.168.5.0/24", "via", UPLINK)
    assert lan.ping(INTERNET) and not none.ping(INTERNET)
    told = explain(world.host, "lan1", "icmp", INTERNET, "--socket", d.socket)
    assert told.code == PASSES and told.hops(0) == ["vm-out", "bridge-in", "route", "uplink-out"], told.text
    assert told.comparison["same"]
    told = explain(world.host, "lan1", "tcp", f"{lan.ip}:80", "--from-outside", "--socket", d.socket)
    assert told.code == REFUSED and told.cause() == "vmlane-policy", told.text
    told = explain(world.host, "none1", "icmp", INTERNET, "--socket", d.socket)
    assert told.code == REFUSED and told.cause() == "vmlane-policy", told.text


def test_our_isolated_networks(world, daemon, guest):
    """The host, and not even that; nobody outside either way."""
    d = daemon(NETS)
    a, b = guest("hosts1", d=d, network="hosts"), guest("hosts2", d=d, network="hosts")
    p = guest("p1", d=d, network="private")
    a.dhcp(), b.dhcp()
    p.ns.run("ip", "addr", "add", "192.168.9.11/24", "dev", "eth0")
    assert a.reaches("192.168.8.1") and b.reaches("192.168.8.1") and a.reaches(b.ip)
    for who, what, code in (("hosts1", "192.168.8.1", PASSES), ("hosts1", b.ip, PASSES), ("hosts1", INTERNET, REFUSED)):
        told = explain(world.host, who, "icmp", what, "--socket", d.socket)
        assert told.code == code, told.text
        assert told.cause() == (None if code == PASSES else "vmlane-policy"), told.text
    told = explain(world.host, "p1", "icmp", INTERNET, "--source", "192.168.9.11", "--socket", d.socket)
    assert told.code == REFUSED and told.cause() == "vmlane-policy", told.text


# ---- who else decides ----


def test_programs_on_the_way(host, vm, drop_programs):
    """Of tc and XDP: what they do is theirs, and which one it is, is said."""
    link = bpfprog.attach(host.ns, "eth0", bpfprog.PASS, "meter")
    told = host.ask(*OUT, code=UNKNOWN, probe=False)
    assert told.hop("UNKNOWN")["text"] == "tc program meter at eth0 egress"
    os.close(link)
    host.sh(f"tc qdisc add dev br7 clsact; tc filter add dev br7 ingress pref 7 bpf da obj {drop_programs} sec tc")
    assert host.ask(*OUT, code=UNKNOWN, probe=False).hop("UNKNOWN")["text"] == "tc program bpf (pref 7) at br7 ingress"
    host.sh(f"tc qdisc del dev br7 clsact; ip link set dev vnet1 xdpgeneric obj {drop_programs} sec xdp")
    told = host.ask(*OUT, code=UNKNOWN, probe=False)
    assert told.hop("UNKNOWN")["text"].startswith("XDP program ") and told.hop("UNKNOWN")["text"].endswith(" at vnet1")
    host.sh("ip link set dev vnet1 xdpgeneric off")
    host.ask(*OUT)


def test_ipsec_policies(host, vm):
    """What a policy is about cannot be said, before its source is translated or after; all else can."""
    for selector in ("src 10.7.0.0/24 dst 198.51.100.0/24", f"src {UPLINK}/32 dst 198.51.100.0/24"):
        host.sh(f"ip xfrm policy add {selector} dir out action block")
        assert not vm.ping(INTERNET)
        told = host.ask(*OUT, code=UNKNOWN, probe=False)
        assert told.hop("UNKNOWN")["text"] == "IPsec: a policy of `ip xfrm policy` is about it"
        host.ask("icmp", GATEWAY)
        host.sh(f"ip xfrm policy del {selector} dir out")
        host.ask(*OUT)


@pytest.mark.everywhere
def test_bpf_at_a_hook(host, vm):
    try:
        link = bpfprog.attach_netfilter(host.ns, 2, verdict=0)  # NF_INET_FORWARD, NF_DROP
    except OSError as e:
        pytest.skip(f"this kernel takes no BPF programs at netfilter's hooks: {e}")
    assert not vm.ping(INTERNET)
    told = host.ask(*OUT, code=UNKNOWN, probe=False)
    assert told.hop("UNKNOWN")["text"].startswith("BPF program theirs at a netfilter hook")
    host.ask("icmp", GATEWAY)
    os.close(link)
    host.ask(*OUT)


def test_flowtable(host, vm):
    """Takes what comes after the answer: not what begins."""
    done = host.ns.run("nft", "-f", "-", check=False, stdin="table inet fast { flowtable ft { hook ingress priority 0; devices = { br7, eth0 }; };"
                       "chain ways { type filter hook forward priority 0; ct state established flow add @ft; }; }\n")
    if done.returncode:
        pytest.skip(f"this kernel has no flowtables: {done.stderr.splitlines()[0]}")
    assert vm.reaches(INTERNET)
    told = host.ask(*OUT, probe=False, code=None)
    assert told.code == PASSES or "flow" in told.hop("UNKNOWN")["text"], told.text


# ---- what is not known ----


@pytest.mark.parametrize("fault, words", [
    ("nft 'add table inet x; add chain inet x f { type filter hook forward priority 0; limit rate 1/second drop; }'", "limit"),
    ("ip neigh flush dev eth0", "neighbour unknown: 203.0.113.1 on eth0 will be asked for its MAC"),
    ("iptables-legacy -A FORWARD -s 10.7.0.0/24 -j ACCEPT", "iptables-legacy table filter"),
])
def test_unknown(host, vm, fault, words):
    host.sh(fault)
    told = host.ask(*OUT, code=UNKNOWN, probe=False)
    assert told.answer == "unknown" and told.predicted[0]["verdict"] == "UNKNOWN"
    assert words in told.hop("UNKNOWN")["text"]


def test_one_rule_or_another(host, vm):
    """Which of two rules drops it cannot be known, that one of them does is."""
    host.sh("nft 'add table inet x; add chain inet x first { type filter hook forward priority -5; ip protocol tcp accept; };"
            "add chain inet x f { type filter hook forward priority 0; meta cpu 0 drop; tcp dport 80 drop; }'")
    told = host.ask(*OUT, code=REFUSED)
    decided = [h["decision"] for h in told.predicted[0]["hops"] if h["hop"] == "fw" or (h["hop"] == "DROP" and "decision" in h)]
    assert ("accept", None) in [(d["verdict"], d.get("one_of")) for d in decided if d["chain"] == "first"], told.text
    assert {d.get("one_of") for d in decided if d["chain"] == "f"} == {"meta cpu"}, told.text
    done = host.ns.run(program("vmlane"), "explain", "--port", "vnet1", *host.who, *OUT, check=False)
    assert "(or another that does the same: `meta cpu` is not known)" in done.stdout


def test_for_people(host, vm):
    done = host.ns.run(program("vmlane"), "explain", "--port", "vnet1", *host.who, *OUT)
    assert done.splitlines()[-1] == "reachable: it would get there, and the reply back (nothing was sent)"
    assert "would leave by eth0" in done


@pytest.mark.parametrize("args, code, words", [
    ([], 1, "what is asked?"),
    (["vnet1", "sctp", "1.2.3.4"], 1, "'sctp' is no protocol"),
    (["vnet1", "tcp", "1.2.3.4"], 1, "'1.2.3.4' is no ADDRESS:PORT"),
    (["vnet1", "tcp", "2001:db8::1:443"], 1, "[ADDRESS]:PORT"),
    (["vnet1", "arp", "fe80::1"], 1, "IPv4 addresses"),
    (["vnet1", "icmp", "1.2.3.4", "--size", "10"], 1, "--size '10'"),
    (["vnet1", "icmp", "1.2.3.4", "--source", "::1"], 1, "--source '::1'"),
    (["vnet1", "icmp", "1.2.3.4", "--mac", "1"], 1, "--mac '1'"),
    (["nobody", "icmp", "1.2.3.4"], 2, "there is no guest 'nobody'"),
])
def test_bad_words(host, vm, args, code, words):  # pylint: disable=unused-argument
    done = host.ns.run(program("vmlane"), "explain", *args, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr
