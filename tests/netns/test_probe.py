# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane probe: a synthetic packet of a guest, the verdict, and nothing left of it."""
import json
import os
import signal
import subprocess

import pytest

import bpfprog
import foreign
from daemon import HOOKS, program
from packet import Wire, IP, Ether
from world import INTERNET, UPLINK, wait_for


@pytest.fixture(params=["tcx", "nft"], autouse=True)
def stopped_by(request, monkeypatch):
    """What stops a probe at the way out: all of it holds for both."""
    if request.param == "tcx" and not bpfprog.has_tcx():
        pytest.skip("this kernel has no TCX (since Linux 6.6)")
    if request.param == "nft" and bpfprog.has_tcx():
        if not HOOKS:
            pytest.skip("a kernel without TCX is played by builds with -Dtest_hooks=true only")
        monkeypatch.setenv("VMLANE_TEST_REFUSE", "tcx")
    return request.param


@pytest.fixture
def probe(world):
    def ask(*args, code=0):
        done = world.host.run(program("vmlane"), "-o", "json", "probe", *args, check=False)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines[-1]["event"] == "answer" and lines[-1]["reachable"] == (code == 0)
        return lines
    return ask


def way(packet):
    return [h["hop"] for h in packet["hops"] if h["hop"] not in ("fw", "neigh")]


OUT = ["vm-out", "bridge-in", "route", "nat", "uplink-out"]
BACK = ["uplink-in", "route", "nat", "bridge-fwd", "tap-queued"]


@pytest.mark.parametrize("what", [("icmp", INTERNET), ("tcp", f"{INTERNET}:443"), ("udp", f"{INTERNET}:53")])
def test_there_and_back(world, guest, probe, what):
    """Nobody is asked: the Internet's own interface sees nothing of it, and conntrack forgets it."""
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    wire, port = Wire(world.internet, "eth0"), Wire(g.ns)
    lines = probe("web1", *what, "--socket", g.d.socket)
    there, back, answer = lines
    assert way(there) == OUT and way(back) == BACK
    assert answer["answer"] == "reachable" and not answer["sent"]
    assert there["hops"][0]["dev"] == g.show()["tap"]
    world.internet.run("busybox", "ping", "-q", "-c", "1", UPLINK)  # a mark: what came before it has been seen
    assert not [f for f in wire.frames(1) if IP in f and f[IP].src == UPLINK and f[IP].dst == INTERNET]
    assert not [f for f in port.frames(1) if IP in f and f[IP].src == INTERNET]
    assert INTERNET not in world.host.run("cat", "/proc/net/nf_conntrack")


def test_a_guest_that_is_off(guest, probe, vmlaned):
    """Its tap is there, and the daemon knows its MAC; the address is given."""
    g = guest("web1", tap=True)
    g.off()
    vmlaned.world.host.run("ip", "link", "set", g.about["tap"], "up")
    done = probe("web1", "icmp", INTERNET, "--source", "192.168.122.77", "--socket", vmlaned.socket, code=2)
    assert done[-1]["answer"] in ("no way back", "not reachable")


def test_dropped_by_a_rule(world, guest, probe):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    world.host.nft("table ip strict { chain ways { type filter hook forward priority 10; tcp dport 25 drop; }; }")
    there, answer = probe("web1", "tcp", f"{INTERNET}:25", code=2)
    assert answer["answer"] == "not reachable" and there["verdict"] == "DROP"
    d = there["hops"][-1]["decision"]
    assert (d["table"], d["chain"], d["rule"]) == ("strict", "ways", "tcp dport 25 drop")
    assert probe("web1", "tcp", f"{INTERNET}:80")[-1]["answer"] == "reachable"


def test_no_way_back(world, guest, probe):
    """Out it gets; the reply is dropped where it comes in."""
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    world.host.nft("table ip strict { chain early { type filter hook prerouting priority -310; iifname eth0 tcp sport 443 drop; }; }")
    there, back, answer = probe("web1", "tcp", f"{INTERNET}:443", code=2)
    assert way(there) == OUT and back["verdict"] == "DROP" and answer["answer"] == "no way back"


def test_to_the_host_and_to_a_neighbour(guest, probe):
    a, b = guest("web1"), guest("web2")
    a.dhcp(), b.dhcp()
    assert a.ping("192.168.122.1") and b.ping("192.168.122.1")
    lines = probe("web1", "icmp", "192.168.122.1")
    assert lines[0]["end"] == "DELIVERED to the host" and way(lines[1])[0] == "host-out"
    lines = probe("web1", "icmp", b.ip)
    assert lines[0]["end"] == f"DELIVERED to {b.show()['tap']}"
    assert probe("web1", "arp", b.ip)[-1]["reachable"]


def test_sent_for_real(guest, probe):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    there, back, answer = probe("web1", "tcp", f"{INTERNET}:80", "--send")
    assert answer["sent"] and "SYN,ACK" in back["text"]
    there, back, answer = probe("web1", "tcp", f"{INTERNET}:81", "--send")
    assert "RST" in back["text"]


def test_too_big(world, guest, probe):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    world.host.run("ip", "route", "add", INTERNET, "via", "203.0.113.1", "mtu", "1400")
    there, _ = probe("web1", "icmp", INTERNET, "--size", "1500", code=2)
    assert there["hops"][-1]["reason"] == "PKT_TOO_BIG"
    assert "packet too big" in next(h for h in there["hops"] if h["hop"] == "icmp-error")["text"]
    assert probe("web1", "icmp", INTERNET, "--size", "1400")[-1]["reachable"]


def test_for_people(world, guest):
    g = guest("web1")
    g.dhcp()
    assert g.ping("192.168.122.1")
    out = world.host.run(program("vmlane"), "probe", "web1", "icmp", INTERNET)
    assert out.splitlines()[-1] == "reachable: it gets there, and the reply gets back (it was taken off at the way out: nobody was asked)"


@pytest.mark.parametrize("args, code, words", [
    ([], 1, "what is asked?"),
    (["web1", "icmp"], 1, "what is asked?"),
    (["web1", "sctp", "1.2.3.4"], 1, "'sctp' is no protocol that can be probed"),
    (["web1", "tcp", "1.2.3.4"], 1, "'1.2.3.4' is no ADDRESS:PORT"),
    (["web1", "tcp", "1.2.3.4:0"], 1, "is no ADDRESS:PORT"),
    (["web1", "icmp", "host"], 1, "'host' is no address"),
    (["web1", "icmp", "1.2.3.4", "--size", "10"], 1, "--size '10'"),
    (["web1", "icmp", "1.2.3.4", "--source", "::1"], 1, "--source '::1'"),
    (["web1", "tcp", "2001:db8::1:443"], 1, "[ADDRESS]:PORT"),
    (["web1", "tcp", "[2001:db8::1]"], 1, "[ADDRESS]:PORT"),
    (["web1", "icmp", "224.0.0.251"], 1, "multicast"),
    (["web1", "udp", "[ff02::fb]:5353"], 1, "multicast"),
    (["web1", "udp", "255.255.255.255:67"], 1, "broadcast"),
    (["web1", "icmp", "127.0.0.1"], 1, "the guest itself"),
    (["web1", "icmp", "0.0.0.0"], 1, "no host's address"),
    (["web1", "arp", "fe80::1"], 1, "IPv4 addresses"),
    (["web1", "--all", "--size", "100"], 1, "--all asks the usual"),
    (["web1", "--all", "--to", "::1"], 1, "--to '::1'"),
    (["web1", "--all", "icmp"], 1, "what is asked?"),
    (["web1", "icmp", "1.2.3.4", "--to", "1.2.3.4"], 1, "go with --all"),
    (["nobody", "--all"], 2, "there is no guest 'nobody'"),
    (["nobody", "icmp", "1.2.3.4"], 2, "there is no guest 'nobody'"),
])
def test_bad_words(world, guest, args, code, words):
    guest("web1")
    done = world.host.run(program("vmlane"), "probe", *args, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr


# ---- what is left behind ----


def learned(host):
    """Neighbours and the bridges' MAC tables, without their states and ages; not what needs no learning."""
    neighs = {(n["dst"], n["dev"]) for n in host.ip("neigh", "show", "nud", "all") if "NOARP" not in n["state"]}
    macs = {(m["mac"], m["ifname"]) for m in json.loads(host.run("bridge", "-j", "fdb", "show"))
            if m.get("state") != "permanent"}
    return neighs, macs


def test_neighbours_are_forgotten(world, guest, probe):
    """Those that it made, and no others: what was known before is known afterwards."""
    g = guest("web1").allowed("192.168.122.10", "192.168.122.66")
    g.static("192.168.122.10")
    assert g.ping("192.168.122.1")
    world.host.run("ip", "neigh", "flush", "dev", "eth0")
    world.host.run("ip", "neigh", "add", "203.0.113.77", "lladdr", "52:54:00:00:00:77", "dev", "eth0", "nud", "stale")
    before = learned(world.host)
    assert any(dev == "vl-default" for _, dev in before[0]) and not any(a == "203.0.113.1" for a, _ in before[0])
    probe("web1", "icmp", INTERNET)
    assert learned(world.host) == before
    # Somebody who is not there: asked for, and given up. The guest speaks with an address it never had.
    probe("web1", "icmp", "203.0.113.99", code=2)
    probe("web1", "icmp", "192.168.122.1", "--source", "192.168.122.66")
    probe("web1", "tcp", "203.0.113.77:80")
    assert learned(world.host) == before


def test_a_silent_guests_mac_is_forgotten(world, guest, probe):
    """Its frame teaches the bridge where it is, which is not so for long; what the host would ask it, it is
    taken to have answered."""
    g = guest("web1", tap=True)
    g.d.vmlane("network", "set", "default", "guard=off")  # which would pin its MAC
    g.ns.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")  # silent it shall be
    world.host.run("bridge", "fdb", "del", g.about["mac"], "dev", g.about["tap"], "master", check=False)
    before = learned(world.host)
    probe("web1", "icmp", INTERNET, "--source", "192.168.122.10", "--socket", g.d.socket)
    assert learned(world.host) == before


def test_nothing_is_left_after_kill(world, guest, stopped_by):
    """Whatever moment it is killed at."""
    g = guest("web1").allowed("192.168.122.10")
    g.static("192.168.122.10")
    assert g.ping("192.168.122.1")
    p = world.host.start(program("vmlane"), "-o", "json", "probe", "web1", "icmp", "203.0.113.99", log=f"{g.tmp}/probe.log")
    made = {"tcx": lambda: bpfprog.attached(world.host, "eth0"),
            "nft": lambda: "hook egress" in world.host.run("nft", "list", "ruleset")}[stopped_by]
    wait_for("the way out to be watched", made)
    p.end(signal.SIGKILL)
    wait_for("it to be watched no more", lambda: not made())
    assert "vmlane_trace" not in world.host.run("nft", "list", "tables")
    assert world.internet.run("busybox", "ping", "-q", "-c", "1", UPLINK)


# ---- other programs' filters at the way out ----


@pytest.fixture
def bpffs(tmp):
    path = f"{tmp}/bpf"
    os.mkdir(path)
    subprocess.run(["mount", "-t", "bpf", "bpf", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.fixture
def web1(guest):
    g = guest("web1").allowed("192.168.122.10")
    g.static("192.168.122.10")
    assert g.ping("192.168.122.1")
    return g


def filter_of(lines):
    return next(line for line in lines if line["event"] == "filter")


def test_a_tc_filter_that_drops(world, web1, probe, bpffs):
    """It comes behind the place where the probe is taken off: it is asked, and the printed command mends it."""
    bpfprog.pin(bpfprog.DROP, f"{bpffs}/drop")
    world.host.run("sh", "-ec", f"tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress protocol ip pref 7 bpf da object-pinned {bpffs}/drop")
    assert not web1.ping(INTERNET)
    lines = probe("web1", "icmp", INTERNET, code=2)
    found = filter_of(lines)
    assert (found["dev"], found["filter"], found["verdict"]) == ("eth0", "tc filter pref 7 bpf", "DROP")
    assert lines[-1]["answer"] == "not reachable" and found["diagnosis"]["code"] == "tc"
    world.host.run("sh", "-ec", found["diagnosis"]["mend"])
    assert web1.ping(INTERNET)
    assert not [line for line in probe("web1", "icmp", INTERNET) if line["event"] == "filter"]


def test_a_tc_filter_of_other_packets(world, web1, probe, bpffs):
    """It is not asked about what is not its protocol, nor behind one that has let it pass."""
    bpfprog.pin(bpfprog.DROP, f"{bpffs}/drop")
    bpfprog.pin(bpfprog.PASS, f"{bpffs}/pass")
    world.host.run("sh", "-ec", f"""tc qdisc add dev eth0 clsact
        tc filter add dev eth0 egress protocol ipv6 pref 3 bpf da object-pinned {bpffs}/drop
        tc filter add dev eth0 egress protocol ip pref 5 bpf da object-pinned {bpffs}/pass
        tc filter add dev eth0 egress protocol ip pref 7 bpf da object-pinned {bpffs}/drop""")
    assert web1.ping(INTERNET)
    assert len(probe("web1", "icmp", INTERNET)) == 3


def test_a_tc_filter_that_cannot_be_asked(world, web1, probe):
    world.host.run("sh", "-ec", "tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress protocol ip pref 4 u32 "
                   "match ip dst 198.51.100.0/24 flowid 1:1")
    lines = probe("web1", "icmp", INTERNET, code=2)
    assert filter_of(lines)["verdict"] == "UNKNOWN" and filter_of(lines)["diagnosis"]["code"] == "tc-unknown"
    assert lines[-1]["answer"] == "not known"
    assert probe("web1", "icmp", INTERNET, "--send")[-1]["answer"] == "reachable"
    out = world.host.run(program("vmlane"), "probe", "web1", "icmp", INTERNET, check=False).stdout
    assert "not passed: tc filter pref 4 u32 at eth0" in out and "not known: " in out.splitlines()[-1]


@pytest.mark.skipif(not bpfprog.has_tcx(), reason="this kernel has no TCX (since Linux 6.6)")
@pytest.mark.parametrize("verdict, answer", [(bpfprog.DROP, "not reachable"), (bpfprog.NEXT, "reachable"),
                                             (bpfprog.PASS, "reachable")])
def test_a_tcx_program_of_another(world, web1, probe, verdict, answer):
    """One that lets everything pass does not let the probe pass by us: nobody sees it outside."""
    router = world.internet.links()["eth0"]["address"]  # or its MAC could not be asked for
    world.host.run("ip", "neigh", "replace", "203.0.113.1", "lladdr", router, "dev", "eth0", "nud", "permanent")
    link = bpfprog.attach(world.host, "eth0", verdict)
    wire = Wire(world.internet, "eth0")
    assert web1.ping("203.0.113.1") == (verdict != bpfprog.DROP)
    lines = probe("web1", "tcp", f"{INTERNET}:443", code=0 if answer == "reachable" else 2)
    assert lines[-1]["answer"] == answer
    world.internet.run("busybox", "ping", "-q", "-c", "1", UPLINK, check=False)
    assert not [f for f in wire.frames(1) if IP in f and f[IP].dst == INTERNET]
    if verdict == bpfprog.DROP:
        assert filter_of(lines)["filter"].startswith("BPF program ") and "(theirs)" in filter_of(lines)["filter"]
    os.close(link)
    assert probe("web1", "tcp", f"{INTERNET}:443")[-1]["answer"] == "reachable"


def test_an_egress_chain_of_another(world, web1, probe):
    """It comes before the place where the probe is taken off, and drops it by itself."""
    world.host.nft("table netdev theirs { chain out { type filter hook egress device eth0 priority 0\n tcp dport 443 drop\n }\n }")
    there, answer = probe("web1", "tcp", f"{INTERNET}:443", code=2)
    assert there["verdict"] == "DROP" and answer["answer"] == "not reachable"
    assert there["hops"][-1]["decision"]["table"] == "theirs"
    assert probe("web1", "tcp", f"{INTERNET}:80")[-1]["answer"] == "reachable"


def test_more_devices_than_links(world, web1, probe):
    """Not each device can have a TCX program of its own: then a chain watches all of them."""
    batch = "".join(f"link add many{i} type ifb\n" for i in range(40))
    world.host.run("ip", "-batch", "-", stdin=batch)
    wire = Wire(world.internet, "eth0")
    assert probe("web1", "icmp", INTERNET)[-1]["answer"] == "reachable"
    world.internet.run("busybox", "ping", "-q", "-c", "1", UPLINK)
    assert not [f for f in wire.frames(1) if IP in f and f[IP].dst == INTERNET]


# ---- the usual questions ----


@pytest.fixture
def usual(world):
    """`probe --all`: its lines by the check's name, and what came out."""
    def ask(*args, code=0, env=None):
        done = world.host.run(program("vmlane"), "-o", "json", "probe", *args, "--all", check=False)
        assert done.returncode == code, f"{done.returncode}\n{done.stdout}{done.stderr}"
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines[-1]["event"] == "result" and lines[-1]["ok"] == (code == 0)
        checks = {line["check"]: line for line in lines[:-1]}
        count = [c["result"] for c in checks.values()].count
        assert [lines[-1][k] for k in ("passed", "failed", "not_tried")] == [count("pass"), count("fail"), count("not tried")]
        return checks
    return ask


IPV4 = ["port", "dhcp", "arp", "dns", "gateway", "ping", "https", "mtu"]
IPV6 = ["ra", "nd", "ping6"]


def results(checks):
    return {name: c["result"] for name, c in checks.items()}


def test_all_of_a_healthy_guest(world, guest, usual):
    """Nobody outside is asked, and the daemon's leases and counters are as before."""
    g = guest("web1")
    g.dhcp()
    before = (g.d.get("/v1/leases")["leases"], g.d.get("/v1/status")["counters"]["dhcp"])
    wire = Wire(world.internet, "eth0")
    checks = usual("web1", "--to", INTERNET, "--socket", g.d.socket)
    assert list(checks) == IPV4 + IPV6
    assert results(checks) == {**dict.fromkeys(IPV4, "pass"), **dict.fromkeys(IPV6, "not tried")}
    assert checks["dhcp"]["text"] == f"{g.ip} is offered by 192.168.122.1"
    assert checks["arp"]["text"].startswith("192.168.122.1 is at ") and checks["dns"]["text"] == "udp 203.0.113.1:53"
    assert "1500 bytes" in checks["mtu"]["text"] and "no IPv6" in checks["ra"]["text"]
    after = (g.d.get("/v1/leases")["leases"], g.d.get("/v1/status")["counters"]["dhcp"])
    assert [(x["address"], x["mac"]) for x in after[0]] == [(x["address"], x["mac"]) for x in before[0]]
    assert after[1] == before[1]
    world.internet.run("busybox", "ping", "-q", "-c", "1", UPLINK)
    assert not [f for f in wire.frames(1) if IP in f and f[IP].dst in (INTERNET, "203.0.113.1") and f[IP].proto != 1]
    table = world.host.run("cat", "/proc/net/nf_conntrack")
    assert INTERNET not in table and "255.255.255.255" not in table


def test_all_of_a_guest_without_a_lease(guest, usual):
    """It is asked in the name of the offered address; no lease comes of it. Its guards know only of those."""
    g = guest("web1")
    checks = usual("web1", "--to", INTERNET, "--mac", g.mac, "--socket", g.d.socket)
    assert {n for n, r in results(checks).items() if r == "pass"} == {"port", "dhcp"}
    assert "is offered by 192.168.122.1" in checks["dhcp"]["text"] and "once it has taken it" in checks["ping"]["text"]
    g.d.vmlane("network", "set", "default", "guard=off")
    checks = usual("web1", "--to", INTERNET, "--mac", g.mac, "--socket", g.d.socket)
    assert results(checks)["ping"] == "pass" and "is offered by 192.168.122.1" in checks["dhcp"]["text"]
    assert g.d.get("/v1/leases")["leases"] == []
    assert g.dhcp()["address"]


def test_all_says_why(world, guest, usual):
    """A cross for what is broken, with its cause; the command mends it."""
    g = guest("web1")
    g.dhcp()
    world.host.nft("table ip strict { chain ways { type filter hook forward priority 10; tcp dport 443 drop; }; }")
    checks = usual("web1", "--to", INTERNET, code=2)
    assert [name for name, c in checks.items() if c["result"] == "fail"] == ["https"]
    assert checks["https"]["diagnosis"]["code"] == "firewall-forward"
    assert checks["https"]["diagnosis"]["mend"]
    world.host.run("nft", "delete", "table", "ip", "strict")
    usual("web1", "--to", INTERNET)


def test_all_sent_for_real(world, guest, usual):
    """Port 443 has no server here: the other side's refusal is an answer too. Nobody serves DNS there."""
    g = guest("web1")
    g.dhcp()
    assert g.ping(INTERNET)
    checks = usual("web1", "--to", INTERNET, "--send", code=2)
    assert results(checks)["ping"] == "pass" and results(checks)["https"] == "pass"
    assert [name for name, c in checks.items() if c["result"] == "fail"] == ["dns"]


def test_all_of_ipv6(world, daemon, guest, usual):
    world.internet6()
    d = daemon({"default.yaml": "network: default\nmode: nat\nipv4:\n  subnet: 192.168.122.0/24\nipv6:\n  subnet: fd00:a::/64\n"})
    g = guest("web1", d=d)
    g.dhcp()
    g.slaac("fd00:a::/64")
    checks = usual("web1", "--to", INTERNET, "--to6", "2001:db8:100::7", "--socket", d.socket)
    assert results(checks) == dict.fromkeys(IPV4 + IPV6, "pass")
    assert "fd00:a::/64" in checks["ra"]["text"] and checks["nd"]["text"].startswith("fe80::")


def test_all_of_a_foreign_guest(world, usual):
    """Somebody's bridge, without a server: what cannot be known is said so."""
    foreign.make_host(world)
    vm = foreign.ForeignGuest(world, 1)
    assert vm.ping(foreign.GATEWAY)
    checks = usual("vnet1", "--to", INTERNET)
    assert {name for name, c in checks.items() if c["result"] == "pass"} == {"port", "arp", "gateway", "ping", "https", "mtu"}
    assert "no server of this host" in checks["dhcp"]["text"] and "resolver" in checks["dns"]["text"]
    vm.vmm.end()
    checks = usual("vnet1", "--to", INTERNET, code=2)
    assert checks["port"]["diagnosis"]["code"] == "no-vm" and "the port is shut" in checks["ping"]["text"]


def test_all_of_a_foreign_guest_with_dnsmasq(world, usual):
    """A server of somebody else's answers, at the host's own addresses too."""
    foreign.make_host(world)
    vm = foreign.ForeignGuest(world, 1)
    assert vm.ping(foreign.GATEWAY)
    world.host.start("dnsmasq", "-k", "--conf-file=/dev/null", "--interface=br7", "--bind-interfaces", "--no-resolv", "--no-ping",
                     "--user=root", "--pid-file=", f"--dhcp-leasefile={world.tmp}/leases", "--dhcp-range=10.7.0.50,10.7.0.60",
                     "--address=/example.com/192.0.2.1", log=f"{world.tmp}/dnsmasq.log")
    wait_for("dnsmasq", lambda: ":53 " in world.host.run("ss", "-lunH"))
    checks = usual("vnet1", "--to", INTERNET)
    assert set(results(checks).values()) == {"pass", "not tried"} and results(checks)["dns"] == "pass"
    assert "offered by 10.7.0.1" in checks["dhcp"]["text"] and checks["dns"]["text"] == "10.7.0.1 answers (NOERROR)"
    assert not open(f"{world.tmp}/leases", encoding="utf-8").read().strip()  # pylint: disable=consider-using-with


def test_all_of_an_isolated_network(daemon, guest, usual):
    d = daemon({"lab.yaml": "network: lab\nmode: isolated\nipv4:\n  subnet: 192.168.9.0/24\n"})
    g = guest("web1", d=d, network="lab")
    g.dhcp()
    checks = usual("web1", "--socket", d.socket)
    assert "isolated" in checks["ping"]["text"] and results(checks)["dhcp"] == "pass"


def test_all_for_people(world, guest):
    g = guest("web1")
    g.dhcp()
    world.host.nft("table ip strict { chain ways { type filter hook forward priority 10; tcp dport 443 drop; }; }")
    out = world.host.run("env", "LC_ALL=C.UTF-8", program("vmlane"), "probe", "web1", "--all", "--to", INTERNET, check=False).stdout
    lines = out.splitlines()
    assert lines[0].startswith("\u2713 port") and any(line.startswith("\u2717 https") for line in lines)
    assert any("mend:" in line for line in lines) and any(line.startswith("- ra") for line in lines)
    assert lines[-1] == "7 passed, 1 failed, 3 not tried (nobody outside of this host was asked: --send does)"
    out = world.host.run("env", "LC_ALL=C", program("vmlane"), "probe", "web1", "--all", "--to", INTERNET, check=False).stdout
    assert "FAIL https" in out and "ok   ping" in out


# ---- where the guest is ----


def test_by_port_in_another_namespace(world, probe):
    """As --netns and --port name it; the same host, seen from another one."""
    foreign.make_host(world)
    vm = foreign.ForeignGuest(world, 1)
    assert vm.ping(foreign.GATEWAY)
    for args in (("--port", "vnet1"), ("--port", "vnet1", "--mac", vm.mac)):
        done = world.internet.run(program("vmlane"), "-o", "json", "probe", "icmp", INTERNET, "--netns", "host", *args)
        assert json.loads(done.splitlines()[-1])["reachable"]
    done = world.internet.run(program("vmlane"), "-o", "json", "probe", "--all", "--port", "vnet1", "--netns", "host", "--to",
                              INTERNET)
    assert json.loads(done.splitlines()[-1])["failed"] == 0
    done = world.internet.run(program("vmlane"), "probe", "icmp", INTERNET, "--netns", "nowhere", "--port", "vnet1", check=False)
    assert done.returncode == 2 and "there is no network namespace" in done.stderr


def test_to_itself(world, web1):
    done = world.host.run(program("vmlane"), "probe", "web1", "icmp", "192.168.122.10", check=False)
    assert done.returncode == 2 and "the guest's own address" in done.stderr


def test_ipv6_with_a_port(world, daemon, guest, probe):
    world.internet6()
    d = daemon({"default.yaml": "network: default\nmode: nat\nipv4:\n  subnet: 192.168.122.0/24\nipv6:\n  subnet: fd00:a::/64\n"})
    g = guest("web1", d=d)
    g.dhcp()
    source = g.slaac("fd00:a::/64")
    for what in (("tcp", "[2001:db8:100::7]:443"), ("icmp", "2001:db8:100::7"), ("icmp", "[2001:db8:100::7]")):
        assert probe("web1", *what, "--source", source)[-1]["reachable"]
