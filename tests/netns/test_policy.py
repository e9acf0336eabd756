# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests may reach on the host and elsewhere, and who may reach them:
the policy of a network, with real clients."""
import contextlib
import json
import os
import random
import select
import socket
import subprocess

import pytest

from guest import met
from test_modes import network, way_back
from test_monitor import Listener
from test_trace import Trace
from world import INTERNET, INTERNET6, TIMEOUT, UPLINK, Monitor, wait_for

GATEWAY, GATEWAY6 = "192.168.122.1", "fd00:a::1"
METADATA, METADATA6 = "169.254.169.254", "fd00:ec2::254"
BOTH = "ipv4:\n  subnet: 192.168.122.0/24\nipv6:\n  subnet: fd00:a::/64\n"


@pytest.fixture(autouse=True)
def no_icmp_limits(world):
    """The host tells each time that it refuses, not once a second."""
    for name in ("ipv4/icmp_ratelimit", "ipv6/icmp/ratelimit"):
        world.host.run("sh", "-c", f"echo 0 >/proc/sys/net/{name}")


def lab(policy="", more="", guests="", mode="nat"):
    return f"network: lab\nmode: {mode}\n{BOTH}{policy}{more}{guests}"


def policy(*rules, host=None, metadata=None, sets=None):
    text = "policy:\n"
    text += f"  host: {host}\n" if host else ""
    text += f"  metadata: {metadata}\n" if metadata else ""
    text += "".join(["  rules:\n"] + [f"    - {r}\n" for r in rules]) if rules else ""
    text += f"  sets: {json.dumps(sets)}\n" if sets else ""
    return text


def talk(ns, *ports):
    """Somebody who answers there; ports as "tcp:22"."""
    p = ns.python("talker.py", *ports, stdout=subprocess.PIPE, log=f"{ns.world.tmp}/talker-{ns.name}.log")
    assert p.line() == "ready"
    return p


def tcp(ns, address, port, wait=5):
    """"open" where somebody says hello, "refused" or "no route" where the sender is told, else "silence"."""
    with ns.enter():
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    with contextlib.closing(s):
        s.settimeout(wait)
        try:
            s.connect((address, port))
            return "open" if s.recv(16) == b"hello" else "closed"
        except ConnectionRefusedError:
            return "refused"
        except (socket.timeout, TimeoutError):
            return "silence"
        except OSError:
            return "no route"


def udp(ns, address, port, wait=5):
    with ns.enter():
        s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    with contextlib.closing(s):
        try:
            s.connect((address, port))
            s.send(b"hello")
            if not select.select([s], [], [], wait)[0]:
                return "silence"
            return "open" if s.recv(16) == b"hello" else "closed"
        except ConnectionRefusedError:
            return "refused"
        except OSError:
            return "no route"


def ping(ns, address):
    return ns.run("busybox", "ping6" if ":" in address else "ping", "-q", "-c", 1, "-W", 1, address,
                  check=False).returncode == 0


def outside(world):
    """The Internet knows the way back by IPv6, and where the metadata service of a cloud would be."""
    world.internet6()
    for address, dev in ((METADATA, "lo"), (METADATA6, "lo")):
        world.internet.run("ip", "addr", "add", address, "dev", dev)
    world.host.run("ip", "route", "add", METADATA, "via", "203.0.113.1")


def up(d, guest, name="web1", net="lab", **kw):
    g = guest(name, d=d, network=net, **kw)
    g.dhcp()
    g.ip6 = g.slaac("fd00:a::/64") if net == "lab" else None
    return g


# ---- what is so by default ----


def test_the_host_is_closed(world, daemon, guest):
    """DHCP, DNS and ping; nothing else, on none of its addresses; and it is told at once."""
    world.internet6()
    d = daemon({"lab.yaml": lab(), "other.yaml": network("other", "nat", "192.168.9.0/24")})
    talk(world.host, "tcp:22", "tcp:53", "udp:53", "udp:123")
    g = up(d, guest)
    for address in (GATEWAY, GATEWAY6, UPLINK, "192.168.9.1"):
        assert tcp(g.ns, address, 22) == "no route", address
        assert udp(g.ns, address, 123) == "no route", address
        assert tcp(g.ns, address, 53) == "open", address
        assert ping(g.ns, address), address
    # (A server of UDP answers by the nearest address.)
    assert udp(g.ns, GATEWAY, 53) == "open" and udp(g.ns, GATEWAY6, 53) == "open"
    # What begins at the host comes back.
    talk(g.ns, "tcp:80")
    assert tcp(world.host, g.ip, 80) == "open" and tcp(world.host, g.ip6, 80) == "open"
    assert d.status()["counters"]["firewall"]["refused_host"] >= 8
    assert g.http()["address"] == UPLINK
    assert d.vmlane("diff") == {"changes": []}


def test_an_open_host(world, daemon, guest):
    d = daemon({"lab.yaml": lab(policy(host="open"))})
    talk(world.host, "tcp:22", "udp:123")
    g = up(d, guest)
    for address in (GATEWAY, GATEWAY6, UPLINK):
        assert tcp(g.ns, address, 22) == "open"
    assert udp(g.ns, GATEWAY, 123) == "open" and udp(g.ns, GATEWAY6, 123) == "open"
    d.vmlane("network", "set", "lab", "policy.host=closed")
    assert tcp(g.ns, GATEWAY, 22) == "no route"


def test_a_network_that_ends_at_the_host(world, daemon, guest):
    """isolated: as the others; a second network's gateway is no way in either."""
    d = daemon({"lab.yaml": lab(mode="isolated")})
    talk(world.host, "tcp:22", "udp:53")
    g = up(d, guest)
    assert tcp(g.ns, GATEWAY, 22) == "no route" and udp(g.ns, GATEWAY, 53) == "open" and ping(g.ns, GATEWAY6)
    d.vmlane("network", "set", "lab", "policy.rules=[allow host tcp 22]")
    assert tcp(g.ns, GATEWAY, 22) == "open" and tcp(g.ns, GATEWAY6, 22) == "open"


def test_metadata_is_out_of_reach(world, daemon, guest):
    """Whatever rules say, until the switch does; by the host's way out, and on the host itself."""
    outside(world)
    d = daemon({"lab.yaml": lab(policy("allow out", "allow host"))})
    talk(world.internet, "tcp:8080")
    g = up(d, guest)
    assert tcp(g.ns, INTERNET, 8080) == "open" and tcp(g.ns, INTERNET6, 8080) == "open"
    for address in (METADATA, METADATA6):
        assert tcp(g.ns, address, 8080, wait=0.3) == "silence", address
    assert d.status()["counters"]["firewall"]["metadata"] >= 2
    d.vmlane("network", "set", "lab", "policy.metadata=allow")
    for address in (METADATA, METADATA6):
        assert tcp(g.ns, address, 8080) == "open", address
    # On the host.
    d.vmlane("network", "set", "lab", "policy.metadata=deny")
    world.host.run("ip", "addr", "add", METADATA, "dev", "lo")
    talk(world.host, "tcp:8080")
    assert tcp(g.ns, METADATA, 8080, wait=0.3) == "silence" and tcp(g.ns, GATEWAY, 8080) == "open"
    d.vmlane("network", "set", "lab", "policy.metadata=allow")
    assert tcp(g.ns, METADATA, 8080) == "open"


def test_other_networks_stay_apart(world, daemon, guest):
    """No rule opens a way that the networks' modes do not have."""
    everything = policy("allow out", "allow in", "allow host")
    d = daemon({"lab.yaml": lab(everything),
                "other.yaml": network("other", "nat", "192.168.9.0/24", everything)})
    guests = {"web1": up(d, guest), "far": up(d, guest, "far", "other")}
    assert met(guests) == set()


# ---- rules ----


def test_rules_out(world, daemon, guest):
    """Each form, in both families; the first that matches decides."""
    outside(world)
    rules = policy("allow out tcp 25 to " + INTERNET, "deny out tcp 25,8000-8009", "reject out tcp 26 from web1",
                   "allow out udp 9 from @trusted", "deny out udp 9", "deny out ping to " + INTERNET6,
                   "deny out tcp 27 from web2", "reject out tcp 28 to @two",
                   sets={"two": [INTERNET, "2001:db8::/32"], "trusted": ["web2", "192.168.122.200"]})
    d = daemon({"lab.yaml": lab(rules, "guard: off\n", "guests:\n  web1: {}\n  web2: {}\n")})
    talk(world.internet, *[f"tcp:{p}" for p in (25, 26, 27, 28, 8000, 8009, 8010)], "udp:9")
    one, two = up(d, guest), up(d, guest, "web2")
    assert tcp(one.ns, INTERNET, 25) == "open" and tcp(one.ns, INTERNET6, 25, 0.3) == "silence"
    for address in (INTERNET, INTERNET6):
        assert tcp(one.ns, address, 8000, 0.3) == "silence" and tcp(one.ns, address, 8009, 0.3) == "silence"
        assert tcp(one.ns, address, 8010) == "open"
        # By name: both families, whatever addresses it has.
        assert tcp(one.ns, address, 26) == "no route" and tcp(two.ns, address, 26) == "open"
        assert tcp(one.ns, address, 27) == "open" and tcp(two.ns, address, 27, 0.3) == "silence"
        assert tcp(one.ns, address, 28) == "no route"
        assert udp(one.ns, address, 9, 0.3) == "silence" and udp(two.ns, address, 9) == "open"
    assert ping(one.ns, INTERNET) and not ping(one.ns, INTERNET6)
    one.ns.run("ip", "addr", "add", "fd00:a::77/64", "dev", "eth0", "nodad")
    one.ns.run("ip", "route", "replace", INTERNET6, "via", GATEWAY6, "src", "fd00:a::77")
    assert tcp(one.ns, INTERNET6, 26) == "no route"
    one.ns.run("ip", "addr", "add", "192.168.122.200/24", "dev", "eth0")
    one.ns.run("ip", "route", "replace", INTERNET, "via", GATEWAY, "src", "192.168.122.200")
    assert udp(one.ns, INTERNET, 9) == "open"


def test_rules_to_the_host(world, daemon, guest):
    rules = policy("allow host tcp 22 from web1", "deny host udp 53", "reject host ping", "deny host tcp 24",
                   "allow host tcp 24-26 to " + GATEWAY)
    d = daemon({"lab.yaml": lab(rules, guests="guests:\n  web1: {}\n")})
    talk(world.host, "tcp:22", "tcp:23", "tcp:24", "tcp:25", "udp:53", "tcp:53")
    one, two = up(d, guest), up(d, guest, "web2")
    for address in (GATEWAY, GATEWAY6):
        assert tcp(one.ns, address, 22) == "open" and tcp(two.ns, address, 22) == "no route"
        assert tcp(one.ns, address, 23) == "no route" and tcp(one.ns, address, 24, 0.3) == "silence"
        assert udp(one.ns, address, 53, 0.3) == "silence" and tcp(one.ns, address, 53) == "open"
        assert not ping(one.ns, address)
    assert tcp(one.ns, GATEWAY, 25) == "open" and tcp(one.ns, UPLINK, 25) == "no route"
    # What keeps the network going cannot be denied.
    d.vmlane("network", "set", "lab", "policy.rules=[deny host]")
    three = up(d, guest, "web3")
    assert three.http()["address"] == UPLINK and tcp(three.ns, GATEWAY, 53, 0.3) == "silence"


def test_rules_in(world, daemon, guest):
    """What the mode refuses is let in, and what it lets in is refused."""
    world.internet6()
    way_back(world, "192.168.122.0/24")
    world.internet.run("ip", "route", "add", "fd00:a::/64", "via", "2001:db8:113::2")
    rules = policy("allow in tcp 22 from 203.0.113.0/24 to web1", "allow in tcp 22 from 2001:db8:113::/64 to web1",
                   "allow in ping")
    d = daemon({"lab.yaml": lab(rules, guests="guests:\n  web1: {}\n", mode="routed")})
    one, two = up(d, guest), up(d, guest, "web2")
    for g in (one, two):
        talk(g.ns, "tcp:22", "tcp:23")
    for kind in ("ip", "ip6"):
        a, b = getattr(one, kind), getattr(two, kind)
        assert tcp(world.internet, a, 22) == "open" and tcp(world.internet, b, 22) == "no route"
        assert tcp(world.internet, a, 23) == "no route" and ping(world.internet, b)
    d.vmlane("network", "set", "lab", "inbound=accept", "policy.rules=[deny in tcp 22 to web1, reject in ping]")
    for kind in ("ip", "ip6"):
        a, b = getattr(one, kind), getattr(two, kind)
        assert tcp(world.internet, a, 22, 0.3) == "silence" and tcp(world.internet, b, 22) == "open"
        assert tcp(world.internet, a, 23) == "open" and not ping(world.internet, b)


def test_forwards_and_peers_meet_the_policy(world, daemon, guest):
    """The rules `in` see the guest's own port; from peers, too, beside the peers' rules `out`."""
    forward = 'guests:\n  web1: {ipv4: 192.168.122.10, forward: ["tcp 8080 -> 80"]}\n'
    d = daemon({"lab.yaml": lab(policy("deny in tcp 80 from 203.0.113.1"), "peers: [far]\n", forward),
                "far.yaml": network("far", "nat", "192.168.9.0/24", "peers: [lab]\n" + policy("deny out tcp 81")),
                "third.yaml": network("third", "nat", "192.168.7.0/24", policy("deny out tcp 80"))})
    one, far, third = up(d, guest), up(d, guest, "far1", "far"), up(d, guest, "third1", "third")
    talk(one.ns, "tcp:80", "tcp:81", "tcp:82")
    assert tcp(world.internet, UPLINK, 8080, 0.3) == "silence"
    assert tcp(far.ns, one.ip, 80) == "open" and tcp(far.ns, one.ip, 81, 0.3) == "silence"
    # By the forward from another network of the host, which is no peer: by that one's rules, too.
    assert tcp(third.ns, UPLINK, 8080, 0.3) == "silence"
    d.vmlane("network", "set", "third", "policy=")
    assert tcp(third.ns, UPLINK, 8080) == "open" and tcp(third.ns, one.ip, 80) == "no route"
    # (The commas between ports part no rules, in quotes or not.)
    d.vmlane("network", "set", "lab", "policy.rules=[deny in tcp 80,82,allow in tcp 83,85-86, deny in udp 1]")
    assert [r["rule"] for r in d.vmlane("filter", "list", "lab")["rules"]] == ["deny in tcp 80,82", "allow in tcp 83,85-86", "deny in udp 1"]
    assert tcp(far.ns, one.ip, 82, 0.3) == "silence"
    d.vmlane("network", "set", "lab", 'policy.rules=["deny in tcp 80,82"]')
    assert tcp(third.ns, UPLINK, 8080, 0.3) == "silence" and tcp(far.ns, one.ip, 82, 0.3) == "silence"
    d.vmlane("network", "set", "lab", "policy=")
    assert tcp(world.internet, UPLINK, 8080) == "open" and tcp(far.ns, one.ip, 82) == "open"


def test_names_follow_guests(world, daemon, guest):
    """A guest that comes, goes and comes back with another MAC and another address is the same."""
    way_back(world, "192.168.122.0/24")
    rules = policy("deny out tcp 25 from web1", "allow in tcp 22 to @mine", sets={"mine": ["web1"]})
    d = daemon({"lab.yaml": lab(rules, guests="guests:\n  web1: {}\n", mode="routed")})
    talk(world.internet, "tcp:25")
    seen = set()
    for n, tap in ((1, False), (2, True), (3, False)):
        g = up(d, guest, mac=f"52:54:00:00:00:0{n}", tap=tap)
        talk(g.ns, "tcp:22")
        seen.add(g.ip)
        assert tcp(g.ns, INTERNET, 25, 0.3) == "silence"
        wait_for("the lease to be followed", lambda g=g: tcp(world.internet, g.ip, 22) == "open")
        assert tcp(world.internet, g.ip, 23) == "no route"
        assert d.vmlane("diff") == {"changes": []}
        if tap:
            d.vmlane("guest", "detach", "web1")
        g.off()
        wait_for("its end", lambda: d.get("/v1/guests/web1")["mac"] is None)
        subprocess.run(["ip", "netns", "del", "g-web1"], check=False)
        world.names.remove("g-web1")
    assert len(seen) == 3


# ---- live ----


def held(ns, address, port):
    """An open connection; say() tells whether it still carries what is sent."""
    with ns.enter():
        s = socket.create_connection((address, port), timeout=TIMEOUT)
    assert s.recv(16) == b"hello"

    def say():
        s.settimeout(TIMEOUT)
        s.sendall(b"still there?")
        return s.recv(64) == b"still there?"

    return say


def nft_rules(world):
    return world.host.run("nft", "-s", "list", "table", "inet", "vmlane")


def test_changed_live(world, daemon, guest):
    """Rules come, change and go while connections run on; what has been counted stays."""
    world.internet6()
    d = daemon({"lab.yaml": lab(guests="guests:\n  web1: {}\n")})
    talk(world.internet, "tcp:25", "tcp:26")
    talk(world.host, "tcp:22")
    g = up(d, guest)
    say = [held(g.ns, INTERNET, 25), held(g.ns, INTERNET6, 25)]
    d.vmlane("network", "set", "lab", "policy.rules=[allow host tcp 22, deny out tcp 25]")
    say.append(held(g.ns, GATEWAY, 22))
    assert tcp(g.ns, INTERNET, 25, 0.3) == "silence" and all(s() for s in say)
    counted = counters(world)
    assert counted and max(counted.values()) > 0
    for rules in ("[deny out tcp 26, deny out tcp 25]", "[deny out tcp 25]",
                  "[allow out tcp 1 from @a, deny out tcp 25, deny host from web1]"):
        sets = 'policy.sets={"a": ["web1", "10.0.0.0/8"]}' if "@a" in rules else "policy.sets="
        d.vmlane("network", "set", "lab", f"policy.rules={rules}", sets)
        assert all(s() for s in say)
        kept = counters(world)
        assert all(kept[name] >= n for name, n in counted.items() if name in kept)
        assert tcp(g.ns, INTERNET, 25, 0.3) == "silence" and tcp(g.ns, GATEWAY, 22) != "open"
    d.vmlane("network", "set", "lab", "policy=")
    assert tcp(g.ns, INTERNET, 25) == "open" and all(s() for s in say)
    assert counters(world) == {} and "/lab" not in nft_rules(world)
    # The table was never replaced as a whole: a change of rules is a change of rules.
    g.http()


def counters(world):
    """The rules' counters, by name."""
    text = json.loads(world.host.run("nft", "-j", "list", "counters"))["nftables"]
    return {c["counter"]["name"]: c["counter"]["packets"] for c in text
            if "counter" in c and c["counter"]["name"].startswith("rule/")}


def test_sets_change_alone(world, daemon, guest):
    """An address more in a set is one element more, whatever else there is."""
    d = daemon({"lab.yaml": lab(policy("reject out tcp 25 to @bad", sets={"bad": ["198.51.100.0/25"]}))})
    talk(world.internet, "tcp:25")
    g = up(d, guest)
    assert tcp(g.ns, INTERNET, 25) == "no route"
    nft = Monitor(world.host, "nft")
    d.vmlane("network", "set", "lab", 'policy.sets={"bad": ["198.51.100.0/25", "10.0.0.0/8", "10.1.0.0/16"]}')
    lines = nft.lines()
    assert lines == ["add element inet vmlane set/lab/bad/4 { 10.0.0.0/8 }"], lines
    d.vmlane("network", "set", "lab", 'policy.sets={"bad": ["198.51.100.128/25"]}')
    assert tcp(g.ns, INTERNET, 25) == "open"


def test_kill_and_restart(world, daemon, guest):
    """Rules hold without the daemon; the next one finds them as they should be, and changes nothing."""
    rules = policy("deny out tcp 25 from web1 log", "allow host tcp 22 from @a", "allow in tcp 22 to web1",
                   sets={"a": ["web1", "10.0.0.5"]})
    d = daemon({"lab.yaml": lab(rules, "limits: {connections: 100, new: 50/s}\n",
                                "guests:\n  web1: {limits: {new: unlimited}}\n")})
    talk(world.internet, "tcp:25")
    talk(world.host, "tcp:22")
    g = up(d, guest)

    def check():
        assert tcp(g.ns, INTERNET, 25, 0.3) == "silence" and tcp(g.ns, GATEWAY, 22) == "open"
        assert tcp(g.ns, GATEWAY, 23) == "no route"

    check()
    for end in (d.kill9, d.stop, d.kill9):
        before = nft_rules(world)
        end()
        check()
        nft = Monitor(world.host, "nft")
        d.start()
        assert nft.lines() == [] and d.writes() == 0 and d.vmlane("diff") == {"changes": []}
        check()
        assert sorted(nft_rules(world).split("\n")) == sorted(before.split("\n"))
    world.host.nft("flush ruleset")
    d.vmlane("apply")
    check()


# ---- the command ----


def test_the_command(world, daemon, guest):
    d = daemon({"lab.yaml": "# of the lab\n" + lab(guests="guests:\n  web1: {}\n")})
    talk(world.internet, "tcp:25")
    g = up(d, guest)
    assert d.vmlane("filter", "list")["rules"] == []
    d.vmlane("filter", "add", "lab", "deny out tcp 25 from web1 log")
    d.vmlane("filter", "add", "lab", "--at", 1, "allow", "host", "tcp", 22)
    assert tcp(g.ns, INTERNET, 25, 0.3) == "silence"
    rows = d.vmlane("filter", "list", "lab")["rules"]
    assert [(r["position"], r["rule"]) for r in rows] == [(1, "allow host tcp 22"),
                                                          (2, "deny out tcp 25 from web1 log")]
    assert rows[0]["packets"] == 0 and rows[1]["packets"] >= 1 and rows[1]["bytes"] >= 60
    text = d.vmlane("filter", "list", json_out=False)
    assert "deny out tcp 25 from web1 log" in text and "PACKETS" in text
    assert d.network("lab")["policy"] == {"host": "closed", "metadata": "deny", "sets": {},
                                          "rules": ["allow host tcp 22", "deny out tcp 25 from web1 log"]}
    assert "host closed, 2 rules" in d.vmlane("network", "show", "lab", json_out=False)
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        assert f.read().startswith("# of the lab\n")
    for args, code, words in ((("add", "lab", "deny out tcp 25 from web1 log"), 2, "has this rule already, as number 2"),
                              (("add", "lab", "deny out tcp 99999"), 1, "are no ports"),
                              (("add", "lab", "deny out from web2"), 2, 'no guest "web2"'),
                              (("add", "lab", "--at", "9", "deny out"), 2, "from 1 to 3"),
                              (("add", "lab", "--at", "x", "deny out"), 1, "is not a number"),
                              (("add", "nowhere", "deny out"), 2, "nowhere"),
                              (("delete", "lab", "deny out"), 2, "vmlane filter list lab"),
                              (("test", "web1", "tcp", "nonsense"), 1, "ADDRESS:PORT")):
        assert d.errors("filter", *args)[0] == code, args
        assert words in d.errors("filter", *args)[1], args
    code, out, err = d.vmlane("filter", "add", "lab", "deny out", check=False, user=(65534, 65534))
    assert code in (2, 3) and ("not-allowed" in err or "sudo" in err or "root" in err or out == "")
    d.vmlane("filter", "delete", "lab", "deny out tcp 25 from web1 log")
    d.vmlane("filter", "delete", "lab", "allow host tcp 22")
    assert d.vmlane("filter", "list")["rules"] == [] and tcp(g.ns, INTERNET, 25) == "open"


def test_told_to_who_listens(world, daemon, guest):
    """With the guest and the rule; a flood is a few events."""
    way_back(world, "192.168.122.0/24")
    rules = policy("deny out tcp 25 log", "allow host udp 53 log", "deny out udp 9 to " + INTERNET6 + " log",
                   "deny in tcp 22 to web1 log", "deny out udp 10 log")
    world.internet6()
    d = daemon({"lab.yaml": lab(rules, "inbound: accept\n", "guests:\n  web1: {}\n", mode="routed")})
    talk(world.host, "udp:53")
    g = up(d, guest)
    m = Listener(d)
    tcp(g.ns, INTERNET, 25, 0.1)
    e = m.expect("filter", rule="deny out tcp 25 log", guest="web1", network="lab", action="deny")
    assert e["packet"].startswith(f"tcp {g.ip}:") and e["packet"].endswith(f" > {INTERNET}:25")
    assert udp(g.ns, GATEWAY, 53) == "open"
    assert m.expect("filter", action="allow", guest="web1")["packet"].endswith(f" > {GATEWAY}:53")
    udp(g.ns, INTERNET6, 9, 0.1)
    assert m.expect("filter", rule=f"deny out udp 9 to {INTERNET6} log")["packet"].endswith(f" > [{INTERNET6}]:9")
    tcp(world.internet, g.ip, 22, 0.1)
    assert m.expect("filter", rule="deny in tcp 22 to web1 log")["guest"] == "web1"
    with g.ns.enter():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        for _ in range(500):
            s.sendto(b"flood", (INTERNET, 10))
    udp(g.ns, INTERNET, 10, 0.1)
    row = [r for r in d.vmlane("filter", "list")["rules"] if r["rule"] == "deny out udp 10 log"][0]
    assert row["packets"] > 500
    assert 1 <= len(m.of("filter", rule="deny out udp 10 log")) < 200
    assert m.end() == 0 or True
    # Nobody listens, nobody is told; the next one is.
    tcp(g.ns, INTERNET, 25, 0.1)
    m = Listener(d)
    assert m.of("filter") == []
    tcp(g.ns, INTERNET, 25, 0.1)
    m.expect("filter", rule="deny out tcp 25 log")
    m.end()


# ---- what would be ----


def asked(d, g, proto, address, port=None, *more):
    """(allowed, the rules that decided)"""
    dest = address if port is None else f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    if "--from-outside" not in more:
        more += ("--source", g.ip6 if ":" in address else g.ip)
    code, out, err = d.vmlane("filter", "test", g.name, proto, dest, *more, check=False)
    assert code in (0, 2), f"{proto} {dest}: {code} {out} {err}"
    answer = json.loads(out)
    assert answer["answer"] == ("allowed" if code == 0 else "denied"), answer
    return code == 0, [r["rule"] for r in answer["rules"]], answer


def test_which_rule(world, daemon, guest):
    outside(world)
    rules = policy("allow out tcp 25 to " + INTERNET, "deny out tcp 25", "allow host tcp 22 from web1",
                   "reject in tcp 80 to web1", "deny out ping to " + INTERNET6)
    d = daemon({"lab.yaml": lab(rules, guests="guests:\n  web1: {}\n", mode="routed", more="inbound: accept\n")})
    talk(world.host, "tcp:22")
    g = up(d, guest)
    assert asked(d, g, "tcp", INTERNET, 25)[:2] == (True, ["allow out tcp 25 to " + INTERNET])
    assert asked(d, g, "tcp", INTERNET6, 25)[:2] == (False, ["deny out tcp 25"])
    assert asked(d, g, "tcp", INTERNET, 26)[:2] == (True, [])
    assert asked(d, g, "tcp", GATEWAY, 22)[:2] == (True, ["allow host tcp 22 from web1"])
    allowed, met_rules, answer = asked(d, g, "tcp", GATEWAY, 23)
    assert (allowed, met_rules) == (False, []) and answer["by"]["chain"] == "closed_host"
    assert asked(d, g, "tcp", METADATA, 80)[2]["by"]["chain"] == "no_metadata"
    assert asked(d, g, "icmp", GATEWAY)[0] and not asked(d, g, "icmp", INTERNET6)[0]
    assert asked(d, g, "tcp", g.ip, 80, "--from-outside")[:2] == (False, ["reject in tcp 80 to web1"])
    assert asked(d, g, "tcp", g.ip, 81, "--from-outside")[:2] == (True, [])
    # A rule that nobody can model may drop it before the policy is asked.
    d.world.host.run("iptables-legacy", "-t", "raw", "-A", "PREROUTING", "-p", "tcp", "-j", "ACCEPT")
    assert d.vmlane("filter", "test", "web1", "tcp", f"{INTERNET}:80", check=False)[0] == 4
    d.world.host.run("iptables-legacy", "-t", "raw", "-F")
    text = d.vmlane("filter", "test", "web1", "tcp", f"{GATEWAY}:23", json_out=False, check=False)
    assert text[0] == 2 and "the host is closed" in text[1]
    text = d.vmlane("filter", "test", "web1", "tcp", f"[{INTERNET6}]:25", "--source", g.ip6, json_out=False, check=False)
    assert text[0] == 2 and "denied: network lab: deny out tcp 25" in text[1]


def test_traced_by_name(world, daemon, guest):
    """A drop is told in the words of the file, with the command that mends it, which does."""
    rules = policy("deny out tcp 25 from web1")
    d = daemon({"lab.yaml": lab(rules, "limits: {connections: 100000}\n", "guests:\n  web1: {}\n")})
    talk(world.internet, "tcp:25")
    talk(world.host, "tcp:22")
    g = up(d, guest)

    def cause(*args):
        out = d.vmlane("explain", "web1", *args, check=False)[1]
        lines = [json.loads(line) for line in out.splitlines()]
        return [line["diagnosis"] for line in lines if line.get("diagnosis")][-1]

    told = cause("tcp", f"{INTERNET}:25")
    assert told["code"] == "policy-rule" and '"deny out tcp 25 from web1"' in told["cause"]
    assert told["mend"] == "vmlane filter delete lab 'deny out tcp 25 from web1'"
    mend(d, told)
    assert tcp(g.ns, INTERNET, 25) == "open"
    told = cause("tcp", f"{GATEWAY}:22")
    assert told["code"] == "policy-host"
    mend(d, told)
    assert tcp(g.ns, GATEWAY, 22) == "open" and tcp(g.ns, GATEWAY, 23) != "open"
    told = cause("tcp", f"{METADATA}:80")
    assert told["code"] == "policy-metadata"
    mend(d, told)
    assert asked(d, g, "tcp", METADATA, 80)[0]


def told_by_rule(packet, rule):
    told = packet["diagnosis"]
    assert told["code"] == "policy-rule" and f'"{rule}"' in told["cause"], told
    assert [e["text"] for e in told["evidence"] if e["kind"] == "policy"] == [f"network lab: {rule}"]
    assert told["mend"] == f"vmlane filter delete lab '{rule}'"
    return told


def probed(d, *args):
    """(answer, the cause)"""
    lines = [json.loads(line) for line in d.vmlane("probe", *args, check=False)[1].splitlines()]
    causes = [line["diagnosis"] for line in lines if line.get("diagnosis")]
    return lines[-1]["answer"], causes[-1] if causes else None


def test_drops_are_seen_by_name(world, daemon, guest):
    """Of real packets on their way, in each direction and both families, and of probes: the rule as it is in the file."""
    world.internet6()
    way_back(world, "192.168.122.0/24")
    world.internet.run("ip", "route", "add", "fd00:a::/64", "via", "2001:db8:113::2")
    rules = policy("deny out tcp 25,26 from web1", "reject host udp 123", "deny in tcp 22 to web1", "reject out udp 9 to @some log",
                   sets={"some": ["198.51.100.0/24", "2001:db8::/32"]})
    d = daemon({"lab.yaml": lab(rules, "inbound: accept\n", "guests:\n  web1: {}\n", mode="routed")})
    g = up(d, guest)
    talk(g.ns, "tcp:22")
    talk(world.internet, "tcp:25")
    t = Trace(world, "web1")
    for ours, address, gateway in ((g.ip, INTERNET, GATEWAY), (f"[{g.ip6}]", f"[{INTERNET6}]", f"[{GATEWAY6}]")):
        to, at = address.strip("[]"), gateway.strip("[]")
        assert tcp(g.ns, to, 25, 0.3) == "silence" and udp(g.ns, at, 123) == "no route" and udp(g.ns, to, 9) == "no route"
        assert tcp(world.internet, ours.strip("[]"), 22, 0.3) == "silence"
        told_by_rule(t.packet(f"> {address}:25 SYN", verdict="DROP"), "deny out tcp 25,26 from web1")
        told_by_rule(t.packet(f"> {gateway}:123", verdict="DROP"), "reject host udp 123")
        told_by_rule(t.packet(f"> {address}:9", verdict="DROP"), "reject out udp 9 to @some log")
        told_by_rule(t.packet(f"> {ours}:22 SYN", verdict="DROP"), "deny in tcp 22 to web1")
    t.end()
    for to, rule in ((("tcp", f"{INTERNET}:26"), "deny out tcp 25,26 from web1"), (("udp", f"{GATEWAY}:123"), "reject host udp 123"),
                     (("tcp", f"{g.ip}:22", "--from-outside"), "deny in tcp 22 to web1"), (("tcp", f"{INTERNET}:25"), "deny out tcp 25,26 from web1")):
        answer, cause = probed(d, "web1", *to)
        assert answer != "reachable" and told_by_rule({"diagnosis": cause}, rule)
    mend(d, cause)
    assert probed(d, "web1", "tcp", f"{INTERNET}:25") == ("reachable", None) and tcp(g.ns, INTERNET, 25) == "open"


def mend(d, told):
    import shlex
    d.vmlane(*shlex.split(told["mend"])[1:])


WHO = ["web1", "web2", "@some", "@more", INTERNET, "198.51.100.0/24", "192.168.122.0/24", "2001:db8:100::/64",
       "fd00:a::/64", GATEWAY, GATEWAY6]


def random_rule(r):
    action, direction = r.choice(["allow", "deny", "reject"]), r.choice(["out", "host"])
    words = [action, direction]
    proto = r.choice(["", "tcp", "udp", "tcp 25", "tcp 24-26", "udp 9", "tcp 9,25", "ping", "icmp", "icmpv6", "17"])
    if proto:
        words.append(proto)
    if r.random() < 0.5:
        words += ["from", r.choice(WHO[:4] + WHO[6:9])]
    if r.random() < 0.5:
        words += ["to", r.choice([w for w in WHO if w not in ("web1", "web2")])]
    if r.random() < 0.2:
        words.append("log")
    return " ".join(words)


def valid_rules(d, r, n):
    """So many that the daemon takes together."""
    rules = []
    while len(rules) < n:
        rule = random_rule(r)
        body = {"policy": {"rules": rules + [rule]}}
        if rule not in rules and d.api("PATCH", "/v1/networks/lab", body)[0] == 200:
            rules.append(rule)
    return rules


@pytest.mark.long
def test_test_says_what_is(world, daemon, guest):
    """Whatever rules there are, `filter test` says what becomes of a real connection."""
    seed = int(os.environ.get("VMLANE_SEED", "0")) or random.randrange(1 << 30)
    rounds = int(os.environ.get("VMLANE_RULESETS", "0")) or 6
    r = random.Random(seed)
    print(f"VMLANE_SEED={seed}")
    world.internet6()
    sets = policy(sets={"some": ["web1", "198.51.100.7", "fd00:a::1"], "more": ["web2", "2001:db8::/32", "192.168.0.0/16"]})
    d = daemon({"lab.yaml": lab(sets, guests="guests:\n  web1: {}\n  web2: {}\n")})
    talk(world.internet, "tcp:25", "udp:9")
    talk(world.host, "tcp:25", "tcp:53", "udp:53", "udp:9")
    guests = [up(d, guest), up(d, guest, "web2")]
    for _ in range(rounds):
        rules = valid_rules(d, r, r.randrange(1, 7))
        for g in guests:
            for address in (INTERNET, INTERNET6, GATEWAY, GATEWAY6):
                for proto, port in (("tcp", 25), ("udp", 9), ("icmp", None), ("tcp", 53)):
                    if port == 53 and address in (INTERNET, INTERNET6):
                        continue
                    said, by, answer = asked(d, g, proto, address, port)
                    if proto == "icmp":
                        seen = ping(g.ns, address)
                    else:
                        seen = (tcp if proto == "tcp" else udp)(g.ns, address, port, 5 if said else 0.3) == "open"
                    assert said == seen, (seed, rules, g.name, proto, address, port, by, answer, seen)
