# SPDX-License-Identifier: GPL-2.0-or-later
"""Port forwards: every way in, who the guest sees, what stays shut, and how it all comes and goes."""
import contextlib
import json
import os
import re
import socket
import subprocess

import pytest
from packet import IP, UDP, Ether, Wire
from scapy.layers.inet import TCP
from test_modes import network
from world import INTERNET, UPLINK, Monitor, wait_for

GATEWAY = "192.168.1.1"
WEB, DB, OTHER = "192.168.1.10", "192.168.1.11", "192.168.2.10"


# Neither there nor answered; ICMP's words for it are limited to one a second.
SHUT = (None, "refused")


def guests(**forwards):
    """The block `guests`: web=[...], db=[...] with their fixed addresses."""
    addresses = {"web": WEB, "db": DB, "other": OTHER}
    return "guests:\n" + "".join(
        f"  {name}:\n    ipv4: {addresses[name]}\n" + (f"    forward: {json.dumps(texts)}\n" if texts else "")
        for name, texts in forwards.items())


def net_a(web=(), db=()):
    return network("a", "nat", "192.168.1.0/24", guests(web=web, db=db))


def net_b(other=()):
    return network("b", "nat", "192.168.2.0/24", guests(other=other))


def serve(where, kind, *ports):
    """@where is a guest or a namespace."""
    ns = getattr(where, "ns", where)
    p = ns.python("ports.py", kind, *ports, stdout=subprocess.PIPE, log=f"{ns.world.tmp}/{ns.name}-{ports[0]}.log")
    assert p.line() == "ready"
    return p


class Refused(Exception):
    pass


def dial(ns, address, port, timeout=20):
    with ns.enter():
        s = socket.socket()
    s.settimeout(timeout)
    s.connect((address, port))
    return s


def say(s):
    """One question on an open connection."""
    s.sendall(b"x")
    return json.loads(s.makefile().readline())


def ask(ns, kind, address, port, timeout=20, sport=0):
    """The server's answer; None when there is none, "refused" when it is refused."""
    ns = getattr(ns, "ns", ns)
    with ns.enter():
        s = socket.socket(socket.AF_INET, {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind])
    with s:
        s.settimeout(timeout)
        if sport:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("", sport))
        try:
            s.connect((address, port))
            s.sendall(b"x")
            return json.loads(s.recv(2048))
        except socket.timeout:
            return None
        except OSError:
            return "refused"


def reached(ns, kind, address, port, **kw):
    """(who the guest saw, its port), or what came instead."""
    answer = ask(ns, kind, address, port, **kw)
    return (answer["address"], answer["at"]) if isinstance(answer, dict) else answer


@pytest.fixture
def machine(guest):
    """machine(d, "web", "a"): a guest with its fixed address, by DHCP."""

    def make(d, name, net):
        g = guest(name, d=d, network=net)
        g.dhcp()
        return g

    return make


@pytest.fixture(params=["1", "0"], ids=["br_netfilter", "plain"])
def bridge_calls(request, world):
    """Whether the kernel shows frames inside bridges to the IP chains."""
    path = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    if world.host.run("test", "-e", path, check=False).returncode:
        if request.param == "1":
            pytest.skip("this kernel has no br_netfilter")
        return "0"
    world.host.run("sh", "-c", f"echo {request.param} >{path}")
    return request.param


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_every_way_in(world, daemon, machine, bridge_calls, kind):
    d = daemon({"a.yaml": net_a(web=[f"{kind} 8080 -> 80", f"{kind} 8081 -> 80"]), "b.yaml": net_b(),
                "c.yaml": network("c", "isolated", "192.168.3.0/24")})
    web, db, other, shut = (machine(d, n, net) for n, net in
                            (("web", "a"), ("db", "a"), ("other", "b"), ("shut", "c")))
    assert web.ip == WEB
    serve(web, kind, 80, 81)
    # From outside: the guest sees who it really is.
    assert reached(world.internet, kind, UPLINK, 8080) == ("203.0.113.1", 80)
    assert reached(world.internet, kind, UPLINK, 8081) == ("203.0.113.1", 80)
    # From the host itself, by each address it has; 127.0.0.1 is nobody's outside.
    assert reached(world.host, kind, "127.0.0.1", 8080) == (GATEWAY, 80)
    assert reached(world.host, kind, "127.1.2.3", 8080) == (GATEWAY, 80)
    assert reached(world.host, kind, UPLINK, 8080) == (UPLINK, 80)
    assert reached(world.host, kind, GATEWAY, 8080) == (GATEWAY, 80)
    # From a guest of the same network: back through the host.
    for address in (UPLINK, GATEWAY):
        assert reached(db, kind, address, 8080) == (GATEWAY, 80)
        if bridge_calls == "0":  # else the kernel turns the frame in the bridge, never back to its own port
            assert reached(web, kind, address, 8080) == (GATEWAY, 80)
    # From another network: as from outside; not from one that gets out nowhere.
    assert reached(other, kind, UPLINK, 8080) == (other.ip, 80)
    assert reached(shut, kind, UPLINK, 8080, timeout=1) in SHUT
    assert reached(shut, kind, "192.168.3.1", 8080, timeout=1) in SHUT
    # Nothing else has been opened.
    assert reached(other, kind, WEB, 80, timeout=1) in SHUT
    world.internet.run("ip", "route", "add", "192.168.1.0/24", "via", UPLINK)
    assert reached(world.internet, kind, WEB, 80, timeout=1) in SHUT
    assert reached(world.internet, kind, UPLINK, 80, timeout=1) in SHUT
    assert d.status()["problems"] == []


def test_ranges_and_addresses(world, daemon, machine):
    """A range leads to as many ports; an address is that one only, and 127.0.0.1 the host's own."""
    world.host.run("ip", "addr", "add", "203.0.113.3/24", "dev", "eth0")
    d = daemon({"a.yaml": net_a(web=["udp 5000-5009 -> 6000", "tcp 203.0.113.3:8000-8001 -> 80"],
                                db=["tcp 127.0.0.1:2222 -> 22", f"tcp {UPLINK}:8000 -> 80"])})
    web, db = machine(d, "web", "a"), machine(d, "db", "a")
    serve(web, "udp", *range(5999, 6011))
    serve(web, "tcp", 80, 81)
    serve(db, "tcp", 22, 80)
    for i in (0, 1, 5, 9):
        assert reached(world.internet, "udp", UPLINK, 5000 + i) == ("203.0.113.1", 6000 + i)
    assert reached(world.internet, "udp", UPLINK, 4999, timeout=1) in SHUT
    assert reached(world.internet, "udp", UPLINK, 5010, timeout=1) in SHUT
    assert ask(world.internet, "tcp", "203.0.113.3", 8000)["at"] == 80
    assert ask(world.internet, "tcp", "203.0.113.3", 8001)["at"] == 81
    assert ask(world.internet, "tcp", UPLINK, 8000)["at"] == 80
    assert reached(world.internet, "tcp", UPLINK, 8001) == "refused"
    assert reached(world.host, "tcp", "127.0.0.1", 2222) == (GATEWAY, 22)
    assert reached(world.host, "tcp", UPLINK, 2222) == "refused"
    assert reached(world.internet, "tcp", UPLINK, 2222) == "refused"


def test_an_address_of_another_interface(world, daemon, machine):
    """It is reached by the interface that has it, which forwards as long as the forward is there."""
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    d = daemon({"a.yaml": net_a(web=["tcp 192.0.2.2:8080 -> 80"])})
    web = machine(d, "web", "a")
    serve(web, "tcp", 80)
    assert world.host.sysctl("net/ipv4/conf/eth1/forwarding") == "1"
    assert reached(world.internet, "tcp", "192.0.2.2", 8080) == ("192.0.2.1", 80)
    # It goes and comes back, on its own.
    world.host.run("ip", "addr", "del", "192.0.2.2/24", "dev", "eth1")
    wait_for("forwarding off", lambda: world.host.sysctl("net/ipv4/conf/eth1/forwarding") == "0")
    assert [x["code"] for x in d.status()["problems"]] == ["no-address"]
    world.host.run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth1")
    wait_for("forwarding on", lambda: world.host.sysctl("net/ipv4/conf/eth1/forwarding") == "1")
    assert reached(world.internet, "tcp", "192.0.2.2", 8080) == ("192.0.2.1", 80)
    d.write("a.yaml", net_a())
    d.vmlane("apply")
    assert world.host.sysctl("net/ipv4/conf/eth1/forwarding") == "0"


def test_routed(world, daemon, machine):
    d = daemon({"b.yaml": network("b", "routed", "192.168.2.0/24", guests(other=["tcp 8080 -> 80"]))})
    other = machine(d, "other", "b")
    serve(other, "tcp", 80)
    assert reached(world.internet, "tcp", UPLINK, 8080) == ("203.0.113.1", 80)
    assert reached(world.host, "tcp", "127.0.0.1", 8080) == ("192.168.2.1", 80)
    world.internet.run("ip", "route", "add", "192.168.2.0/24", "via", UPLINK)
    assert reached(world.internet, "tcp", OTHER, 80) == "refused"


def test_guests_do_not_reach_the_hosts_loopback(world, daemon, machine):
    """CVE-2020-8558: the bridge routes 127.0.0.0/8 for the host's own connections; frames do not come in by it."""
    d = daemon({"a.yaml": net_a(web=["udp 8080 -> 80"]) + "guard: off\n"})
    web, db = machine(d, "web", "a"), machine(d, "db", "a")
    serve(web, "udp", 80)
    assert world.host.sysctl("net/ipv4/conf/vl-a/route_localnet") == "1"
    with world.host.enter():
        secret = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    secret.bind(("127.0.0.1", 5353))
    mac = world.host.links()["vl-a"]["address"]
    before = d.status()["counters"]["firewall"]["spoofed"]
    out, wire = Wire(db.ns), Wire(web.ns)
    for src in (DB, "127.0.0.1", GATEWAY, "0.0.0.0"):
        for port in (5353, 8080):
            out.send(Ether(src=db.mac, dst=mac) / IP(src=src, dst="127.0.0.1") / UDP(sport=4000, dport=port) / b"evil")
            out.send(Ether(src=db.mac, dst=mac) / IP(src=src, dst="127.0.0.1") / TCP(sport=4000, dport=port, flags="A"))
    # What was sent behind them has come: so would they have.
    assert reached(db, "udp", GATEWAY, 8080) == (GATEWAY, 80)
    assert not [f for f in wire.frames(0.2) if b"evil" in bytes(f)]
    secret.setblocking(False)
    with pytest.raises(BlockingIOError):
        secret.recv(100)
    assert d.status()["counters"]["firewall"]["spoofed"] > before
    secret.close()


def test_an_isolated_guest_stays_isolated(world, daemon, machine):
    d = daemon({"a.yaml": re.sub("(    ipv4: .*\n)", r"\1    isolate: true\n", net_a(web=["tcp 8080 -> 80"]))})
    web, db = machine(d, "web", "a"), machine(d, "db", "a")
    serve(web, "tcp", 80, 81)
    assert reached(world.internet, "tcp", UPLINK, 8080) == ("203.0.113.1", 80)
    assert not db.ping(web.ip) and ask(db, "tcp", WEB, 81, timeout=0.5) in (None, "refused")


def test_others_translations_stay_refused(world, daemon, machine):
    """What another table translates to a port that is not forwarded."""
    d = daemon({"a.yaml": net_a(web=["tcp 8080 -> 80"])})
    web = machine(d, "web", "a")
    serve(web, "tcp", 80, 81)
    world.host.nft(f"""table ip foreign {{
        chain pre {{
            type nat hook prerouting priority -150
            tcp dport 9000 dnat to {WEB}:81
        }}
    }}""")
    assert reached(world.internet, "tcp", UPLINK, 9000) == "refused"
    assert reached(world.internet, "tcp", UPLINK, 8080) == ("203.0.113.1", 80)


def elements(world, name):
    text = world.host.run("nft", "-p", "list", "map", "inet", "vmlane", name)
    return re.findall(r"[0-9. ]+ : [0-9. ]+", text)


def test_come_and_go(world, daemon, machine):
    """Added, kept, moved, removed: by apply, each change nothing but its elements."""
    d = daemon({"a.yaml": net_a()})
    web, db = machine(d, "web", "a"), machine(d, "db", "a")
    serve(web, "tcp", 80)
    serve(web, "udp", 80)
    serve(db, "udp", 80)
    localnet = "net/ipv4/conf/vl-a/route_localnet"
    assert world.host.sysctl(localnet) == "0"
    # Somebody knocks before there is anything, and goes on from the same port.
    assert ask(world.internet, "udp", UPLINK, 5000, sport=7000) == "refused"
    d.write("a.yaml", net_a(web=["tcp 8080 -> 80", "udp 5000 -> 80"]))
    d.vmlane("apply")
    assert world.host.sysctl(localnet) == "1"
    assert reached(world.internet, "udp", UPLINK, 5000, sport=7000) == ("203.0.113.1", 80)
    with contextlib.closing(dial(world.internet, UPLINK, 8080)) as kept:
        assert say(kept)["at"] == 80
        # Another's forward comes, and a range: the connection goes on.
        d.write("a.yaml", net_a(web=["tcp 8080 -> 80", "udp 5000 -> 80"], db=["tcp 9000-9009 -> 90"]))
        d.vmlane("apply")
        assert say(kept)["at"] == 80
        # UDP moves to another guest, for who goes on sending too.
        d.write("a.yaml", net_a(web=["tcp 8080 -> 80"], db=["udp 5000 -> 80"]))
        d.vmlane("apply")
        seen = Wire(db.ns)
        assert reached(world.internet, "udp", UPLINK, 5000, sport=7000) == ("203.0.113.1", 80)
        assert [f for f in seen.frames(0.2) if UDP in f and f[UDP].dport == 80]
        assert say(kept)["at"] == 80
        # The same by an address only: it still leads there.
        d.write("a.yaml", net_a(web=[f"tcp {UPLINK}:8080 -> 80"]))
        d.vmlane("apply")
        assert say(kept)["at"] == 80
        d.write("a.yaml", net_a())
        d.vmlane("apply")
        with pytest.raises(OSError):
            for _ in range(3):
                say(kept)
    assert reached(world.internet, "tcp", UPLINK, 8080) == "refused"
    assert world.host.sysctl(localnet) == "0"
    assert elements(world, "forward_any") == elements(world, "forward_at") == []
    assert d.vmlane("diff") == {"changes": []}


def test_stop_delete_restart_kill(world, daemon, machine):
    d = daemon({"a.yaml": net_a(web=["tcp 8080 -> 80", "udp 203.0.113.2:5000-5003 -> 6000"])})
    web = machine(d, "web", "a")
    serve(web, "tcp", 80)
    with contextlib.closing(dial(world.internet, UPLINK, 8080)) as kept:
        assert say(kept)["at"] == 80
        d.stop()
        assert say(kept)["at"] == 80 and reached(world.internet, "tcp", UPLINK, 8080) == ("203.0.113.1", 80)
        ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
        d.start()
        assert ip.lines() == [] and nft.lines() == [] and d.writes() == 0
        d.kill9()
        d.start()
        assert ip.lines() == [] and nft.lines() == [] and d.writes() == 0
        assert say(kept)["at"] == 80
    # Taken out of the file while nobody was there.
    d.kill9()
    d.write("a.yaml", net_a(web=["tcp 8081 -> 80"]))
    d.start()
    assert reached(world.internet, "tcp", UPLINK, 8080) == "refused"
    assert reached(world.internet, "tcp", UPLINK, 8081) == ("203.0.113.1", 80)
    d.vmlane("network", "stop", "a", "--force")
    assert reached(world.internet, "tcp", UPLINK, 8081) == "refused"
    assert "vmlane" not in world.host.run("nft", "list", "tables")
    d.vmlane("network", "start", "a")
    assert wait_for("the forward", lambda: reached(world.internet, "tcp", UPLINK, 8081, timeout=1)) == \
        ("203.0.113.1", 80)
    d.vmlane("network", "delete", "a", "--force")
    assert reached(world.internet, "tcp", UPLINK, 8081) == "refused"


LISTEN = """import socket, sys
s = socket.socket({family}, socket.{kind}); s.bind(({address!r}, {port}))
if {listen}: s.listen()
print("ready", flush=True); sys.stdin.read()
"""


def listen(ns, kind, address, port):
    code = LISTEN.format(family="socket.AF_INET6" if ":" in address else "socket.AF_INET", address=address, port=port,
                         kind={"tcp": "SOCK_STREAM", "udp": "SOCK_DGRAM"}[kind], listen=kind == "tcp")
    p = ns.start("/usr/bin/python3", "-c", code, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert p.line() == "ready"
    return p


@pytest.mark.parametrize("kind,address,forward", [
    ("tcp", "0.0.0.0", "tcp 8080 -> 80"), ("tcp", "127.0.0.1", "tcp 8000-8100 -> 80"),
    ("tcp", "::", "tcp 203.0.113.2:8080 -> 80"), ("udp", UPLINK, "udp 203.0.113.2:8080 -> 80")])
def test_a_listener_of_the_host_is_named(world, daemon, kind, address, forward):
    d = daemon({"a.yaml": net_a()})
    p = listen(world.host, kind, address, 8080)
    d.write("a.yaml", net_a(web=[forward]))
    code, text = d.errors("apply")
    shown = "0.0.0.0" if address == "::" else address
    assert code == 2 and f"on which python3 (pid {p.pid}) listens" in text, text
    assert "a.yaml:" in text and f'"{forward}"' in text and f"{kind} {shown}:8080" in text and "--force" in text
    assert elements(world, "forward_any") == elements(world, "forward_at") == []
    # By the API alone, which tells who asks for nothing of other processes.
    status, answer = d.api("POST", "/v1/apply", {})
    assert status == 409 and answer["code"] == "port-in-use"
    d.vmlane("apply", "--force")
    problem = d.status()["problems"]
    assert [x["code"] for x in problem] == ["port-in-use"] and "hides" in problem[0]["message"]
    assert f"python3 (pid {p.pid})" in d.vmlane("status", json_out=False)
    # It is in effect now: nothing that leaves it alone asks about it again.
    d.write("b.yaml", net_b())
    d.vmlane("apply")
    p.end()
    assert d.status()["problems"] == []


@pytest.mark.parametrize("kind,address,forward", [
    ("udp", "0.0.0.0", "tcp 8080 -> 80"), ("tcp", "127.0.0.1", "tcp 203.0.113.2:8080 -> 80"),
    ("tcp", "::1", "tcp 8080 -> 80"), ("tcp", "0.0.0.0", "tcp 8081 -> 80")])
def test_a_listener_elsewhere_is_no_obstacle(world, daemon, kind, address, forward):
    d = daemon({"a.yaml": net_a()})
    listen(world.host, kind, address, 8080)
    d.write("a.yaml", net_a(web=[forward]))
    d.vmlane("apply")
    assert d.status()["problems"] == []


def test_create_and_start_ask_too(world, daemon):
    d = daemon({})
    p = listen(world.host, "tcp", "0.0.0.0", 8080)
    body = {"network": "a", "ipv4": {"subnet": "192.168.1.0/24"},
            "guests": {"web": {"ipv4": WEB, "forward": ["tcp 8080 -> 80"]}}}
    status, answer = d.api("POST", "/v1/networks", body)
    assert status == 409 and answer["code"] == "port-in-use"
    assert d.get("/v1/networks")["networks"] == [] and os.listdir(d.config) == []
    status, answer = d.api("POST", "/v1/networks?force=1", body)
    assert status == 201 and answer["forwards"][0]["ports"] == "8080"
    d.vmlane("network", "stop", "a")
    assert d.status()["problems"] == []
    code, text = d.errors("network", "start", "a")
    assert code == 2 and f"python3 (pid {p.pid})" in text
    p.end()
    d.vmlane("network", "start", "a")
    # One who comes later is told of; nothing is undone.
    listen(world.host, "tcp", "0.0.0.0", 8080)
    assert [x["code"] for x in d.status()["problems"]] == ["port-in-use"]


def test_set_by_command(world, daemon, machine):
    """A listener is asked after here too, and nothing is half done."""
    d = daemon({"a.yaml": net_a()})
    web = machine(d, "web", "a")
    serve(web, "tcp", 80)
    p = listen(world.host, "tcp", "127.0.0.1", 8080)
    before = d.vmlane("network", "export", "a", json_out=False)
    key = "guests.web.forward=[tcp 8080 -> 80]"
    code, text = d.errors("network", "set", "a", key)
    assert code == 2 and f"python3 (pid {p.pid})" in text
    assert d.vmlane("network", "export", "a", json_out=False) == before and elements(world, "forward_any") == []
    d.vmlane("network", "set", "a", "--force", key)
    assert reached(world.internet, "tcp", UPLINK, 8080) == ("203.0.113.1", 80)
    d.vmlane("network", "set", "a", "guests.web.forward=")
    assert reached(world.internet, "tcp", UPLINK, 8080) == "refused"


def test_an_address_that_is_not_there_yet(world, daemon, machine):
    d = daemon({"a.yaml": net_a(web=["tcp 203.0.113.9:8080 -> 80"])})
    web = machine(d, "web", "a")
    serve(web, "tcp", 80)
    assert [x["code"] for x in d.status()["problems"]] == ["no-address"]
    world.host.run("ip", "addr", "add", "203.0.113.9/24", "dev", "eth0")
    assert d.status()["problems"] == []
    assert reached(world.internet, "tcp", "203.0.113.9", 8080) == ("203.0.113.1", 80)


def test_bad_forwards(daemon):
    """Across files; what is wrong within one is tests/golden/config's."""
    d = daemon({"a.yaml": net_a(web=["tcp 8080 -> 80"])})
    d.write("b.yaml", net_b(other=["tcp 203.0.113.2:8000-8090 -> 80"]))
    code, text = d.errors("apply")
    assert code == 2 and re.search(r'b\.yaml:\d+:\d+: `forward`: "tcp 203.0.113.2:8000-8090 -> 80" wants port 8080, '
                                   r'which is that of "tcp 8080 -> 80" of guest "web" of network "a" '
                                   r'\(.*a\.yaml:\d+:\d+\)', text), text
    d.write("b.yaml", net_b(other=["udp 192.168.1.1:53 -> 53"]))
    assert 'the gateway 192.168.1.1 of network "a"' in d.errors("apply")[1]
    body = {"network": "b", "ipv4": {"subnet": "192.168.2.0/24"}, "guests": {"other": {"forward": ["tcp 1 -> 1"]}}}
    os.unlink(f"{d.config}/b.yaml")
    status, answer = d.api("POST", "/v1/networks", body)
    assert status == 400 and answer["code"] == "forward-without-address" and "`ipv4`" in answer["message"]
    assert [n["name"] for n in d.get("/v1/networks")["networks"]] == ["a"]


def test_shown(daemon, machine):
    d = daemon({"a.yaml": net_a(web=["tcp 8080 -> 80", "udp 203.0.113.2:5000-5009 -> 6000"]), "b.yaml": net_b()})
    machine(d, "web", "a")
    first = {"network": "a", "guest": "web", "protocol": "tcp", "address": None, "ports": "8080", "to": WEB,
             "to_ports": "80", "state": "running"}
    second = {**first, "protocol": "udp", "address": UPLINK, "ports": "5000-5009", "to_ports": "6000-6009"}
    assert d.get("/v1/forwards") == {"forwards": [first, second]} == d.vmlane("forward", "list")
    assert d.network("a")["forwards"] == [first, second] and d.network("b")["forwards"] == []
    assert d.get("/v1/guests/web")["forwards"] == [first, second]
    text = d.vmlane("network", "show", "a", json_out=False)
    assert f"[host tcp 8080] -> [guest web {WEB} tcp 80]" in text
    assert f"[host udp {UPLINK}:5000-5009] -> [guest web {WEB} udp 6000-6009]" in d.vmlane(
        "guest", "show", "web", json_out=False)
    table = d.vmlane("forward", "list", json_out=False).splitlines()
    assert table[0].split() == ["PROTO", "ADDRESS", "PORTS", "NETWORK", "GUEST", "TO", "TO-PORTS", "STATE"]
    assert table[1].split() == ["tcp", "-", "8080", "a", "web", WEB, "80", "running"]
    assert d.vmlane("forward", "list", "--network", "b") == {"forwards": []}
    d.vmlane("network", "stop", "a", "--force")
    assert {f["state"] for f in d.get("/v1/forwards")["forwards"]} == {"stopped"}


def test_a_thousand_forwards(world, daemon, machine):
    """They are elements of the same maps: not one rule more, and a restart writes nothing."""
    d = daemon({"a.yaml": net_a(web=["tcp 20000 -> 80"])})
    web = machine(d, "web", "a")
    serve(web, "tcp", 80)

    def rules():
        text = world.host.run("nft", "-s", "list", "table", "inet", "vmlane")
        return re.sub(r"elements = \{[^}]*\}", "", text)

    before = rules()
    many = [[f"tcp {20000 + i} -> 80" for i in range(k, k + 250)] for k in (0, 250, 500, 750)]
    extra = "guests:\n" + "".join(f"  {name}:\n    ipv4: {address}\n    forward: {json.dumps(texts)}\n" for
                                  name, address, texts in zip(["web", "x1", "x2", "x3"],
                                                              [WEB, "192.168.1.21", "192.168.1.22", WEB[:-2] + "23"],
                                                              many))
    d.write("a.yaml", network("a", "nat", "192.168.1.0/24", extra))
    assert [c["object"] for c in d.vmlane("apply")["changes"]] == ["a", "inet vmlane"]
    assert rules() == before and len(elements(world, "forward_any")) == 1000
    assert reached(world.internet, "tcp", UPLINK, 20249) == ("203.0.113.1", 80)
    d.restart()
    assert d.writes() == 0
    assert reached(world.internet, "tcp", UPLINK, 20000) == ("203.0.113.1", 80)


def test_peers_and_forwards(world, daemon, machine):
    """A peer's guest is seen as itself, by its own address as by the forward."""
    d = daemon({"a.yaml": net_a(web=["tcp 8080 -> 80"]) + "peers: [ b ]\n", "b.yaml": net_b() + "peers: [ a ]\n"})
    web, other = machine(d, "web", "a"), machine(d, "other", "b")
    serve(web, "tcp", 80)
    assert reached(other, "tcp", UPLINK, 8080) == (other.ip, 80) == reached(other, "tcp", WEB, 80)
    assert reached(web, "tcp", INTERNET, 81) in (None, "refused")
