# SPDX-License-Identifier: GPL-2.0-or-later
"""The MTU: it follows the uplink's, guests are told, and TCP gets through where large packets do not."""
import re
import socket
import threading

import pytest
from scapy.layers.inet import TCP

from daemon import DEFAULT
from packet import IP, Wire
from test_nat import LAB, second_uplink
from world import INTERNET, Monitor, wait_for

ROUTED = "network: lan\nmode: routed\nipv4: { subnet: 192.168.6.0/24 }\n"
HOSTS = "network: hosts\nmode: isolated\nipv4: { subnet: 192.168.8.0/24 }\n"
PORT = 5001


def mtu_of(world, *links):
    now = world.host.links()
    return [now[name]["mtu"] for name in links]


def uplink_mtu(world, mtu, dev="eth0"):
    world.host.run("ip", "link", "set", dev, "mtu", mtu)


def follows(world, mtu, *links):
    wait_for(f"an MTU of {mtu}", lambda: set(mtu_of(world, *links)) == {mtu})


def problems(d, code):
    return [p["message"] for p in d.status()["problems"] if p["code"] == code]


def settled(d):
    assert d.vmlane("diff") == {"changes": []}


# ---- following the uplink ----


def test_follows_the_uplink(world, daemon, guest):
    """nat and routed do, at once, with guests plugged in both ways; isolated has the usual."""
    d = daemon({"default.yaml": DEFAULT, "lan.yaml": ROUTED, "hosts.yaml": HOSTS})
    a, b, c = guest("a", d=d), guest("b", d=d, tap=True), guest("c", d=d, network="lan")
    links = ("vl-default", "vl-a", "vl-b", "vl-lan", "vl-c")
    told = a.dhcp()
    assert told["mtu"] == "1500" and set(mtu_of(world, *links)) == {1500}
    for mtu in (1400, 1280, 9000, 1500, 1450):
        uplink_mtu(world, mtu)
        follows(world, mtu, *links)
        assert mtu_of(world, "vl-hosts") == [1500]
        assert d.network()["mtu"] == d.network("lan")["mtu"] == mtu
        assert d.network()["mtu_auto"] is True and d.network("hosts")["mtu_auto"] is False
    assert told["client"].renew()["mtu"] == "1450"
    for client in ("dhclient", "dhcpcd"):
        assert b.dhcp(client)["mtu"] == "1450"
        b.ns.run("ip", "addr", "flush", "dev", "eth0")
    assert c.dhcp()["mtu"] == "1450"
    assert "mtu       1450 (as the uplink)" in d.vmlane("network", "show", "default", json_out=False)
    settled(d)
    # Who comes later has it from the start, and so has a network that does.
    guest("e", d=d)
    d.vmlane("network", "create", "late", "--subnet", "10.7.0.0/24")
    assert mtu_of(world, "vl-e", "vl-late") == [1450, 1450]
    settled(d)


def test_a_restart_keeps_it(world, daemon, guest):
    d = daemon()
    guest("a", d=d)
    uplink_mtu(world, 1400)
    follows(world, 1400, "vl-default", "vl-a")
    d.stop()
    ip = Monitor(world.host, "ip")
    d.start()
    assert ip.lines() == [] and d.writes() == 0
    # While the daemon was away it changed once more.
    d.kill9()
    uplink_mtu(world, 1300)
    d.start()
    assert mtu_of(world, "vl-default", "vl-a") == [1300, 1300]
    settled(d)


def test_the_narrowest_uplink_in_use_counts(world, daemon):
    second_uplink(world)
    uplink_mtu(world, 1400, "eth1")
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": LAB + "nat: { uplink: eth1 }\n"})
    assert mtu_of(world, "vl-default", "vl-lab") == [1500, 1400]
    world.host.run("ip", "route", "add", "default", "via", "192.0.2.1", "metric", "50")
    follows(world, 1400, "vl-default")
    world.host.run("ip", "route", "del", "default", "metric", "50")
    follows(world, 1500, "vl-default")
    # Without any the last word is the usual 1500.
    uplink_mtu(world, 1300)
    follows(world, 1300, "vl-default")
    world.host.run("ip", "route", "del", "default")
    follows(world, 1500, "vl-default")
    assert mtu_of(world, "vl-lab") == [1400]
    settled(d)


def test_bounds(world, daemon):
    """An uplink may have what no tap can have, or no IPv4 host must take."""
    world.host.run("ip", "link", "add", "wide", "type", "veth", "peer", "name", "wide0")
    uplink_mtu(world, 65535, "wide")
    daemon({"lab.yaml": LAB + "nat: { uplink: wide }\n"})
    assert mtu_of(world, "vl-lab") == [65521]
    uplink_mtu(world, 300, "wide")
    follows(world, 576, "vl-lab")


def test_never_wider_than_its_ports(world, daemon, guest):
    """Whichever way it changes: a bridge with more than a port's MTU would lose what the host sends."""
    d = daemon()
    guest("a", d=d)
    guest("b", d=d, tap=True)
    now = {name: 1500 for name in ("vl-default", "vl-a", "vl-b")}
    for mtu in (1400, 9000, 1280, 1500):
        ip = Monitor(world.host, "ip")
        uplink_mtu(world, mtu)
        follows(world, mtu, *now)
        for line in ip.lines():
            found = re.match(r"\d+: ([^:@]+)[:@].* mtu (\d+) ", line)
            if found and found.group(1) in now:
                now[found.group(1)] = int(found.group(2))
                assert now["vl-default"] <= min(now["vl-a"], now["vl-b"]), line
        assert set(now.values()) == {mtu}
        ip.p.end()
    settled(d)


def test_somebody_changes_it(world, daemon, guest):
    d = daemon(args=["--no-guardian"])
    guest("a", d=d)
    world.host.run("ip", "link", "set", "vl-a", "mtu", "1300")
    assert "~ vl-a: mtu 1300 -> 1500" in [c["text"] for c in d.vmlane("diff")["changes"]]
    d.vmlane("apply")
    assert mtu_of(world, "vl-a", "vl-default") == [1500, 1500]
    settled(d)


def test_taps_follow_a_bridge_of_the_lan(world, daemon, guest):
    """Mode bridged: what the bridge has is not ours to say, but its guests' taps go with it."""
    world.host.run("ip", "link", "add", "br0", "type", "bridge")
    world.host.run("ip", "link", "set", "br0", "mtu", "1400", "up")
    d = daemon({"lan.yaml": "network: lan\nmode: bridged\nbridge: br0\n"})
    guest("a", d=d, network="lan")
    guest("b", d=d, network="lan", tap=True)
    assert mtu_of(world, "br0", "vl-a", "vl-b") == [1400] * 3
    for mtu in (1300, 9000):
        uplink_mtu(world, mtu, "br0")
        follows(world, mtu, "vl-a", "vl-b")
        assert d.network("lan")["mtu"] == mtu and mtu_of(world, "br0") == [mtu]
    settled(d)


# ---- an MTU of its own ----


def test_given_mtu_stays(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "mtu: 1420\n"})
    g = guest("a", d=d)
    assert g.dhcp()["mtu"] == "1420"
    uplink_mtu(world, 1450)
    world.host.run("ip", "route", "replace", "default", "via", "203.0.113.1", "mtu", "1300")
    assert d.network()["mtu_auto"] is False and d.network()["notes"] == []
    assert mtu_of(world, "vl-default", "vl-a") == [1420, 1420]
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert mtu_of(world, "vl-default", "vl-a") == [1450, 1450]


@pytest.mark.parametrize("text", [DEFAULT, LAB.replace("lab", "default") + "nat: { uplink: eth0 }\n"])
def test_given_mtu_over_the_uplinks(world, daemon, guest, text):
    """Guests may want it among themselves; whoever did not mean it is told, and what to do."""
    d = daemon({"default.yaml": text + "mtu: 9000\n"})
    found = problems(d, "mtu-over-uplink")
    assert len(found) == 1 and "its mtu of 9000 is over the 1500 of uplink eth0" in found[0]
    assert "leave `mtu` out of" in found[0] and d.network()["state"] == "running"
    assert [n["code"] for n in d.network()["notes"]] == ["mtu-over-uplink"] and d.network()["problem"] is None
    code, out, err = d.vmlane("network", "show", "default", check=False, json_out=False)
    assert code == 0 and "9000" in out and "over the 1500" in err
    a, b = guest("a", d=d), guest("b", d=d)
    for g in (a, b):
        assert g.dhcp()["mtu"] == "9000"
        g.ns.run("ip", "link", "set", "eth0", "mtu", "9000")
    # Large frames pass between them, and a connection to the outside begins with what fits there.
    wire = Wire(b.ns)
    a.ns.run("busybox", "ping", "-c", 1, "-W", 2, "-s", 8900, b.ip)
    assert [f for f in wire.frames(0.2) if IP in f and f[IP].src == a.ip and f[IP].len > 8900]
    assert a.http()
    uplink_mtu(world, 9000)
    wait_for("the note to go", lambda: problems(d, "mtu-over-uplink") == [])


def test_create_says_so(daemon):
    d = daemon({})
    code, out, err = d.vmlane("network", "create", "big", "--mtu", 9000, check=False, json_out=False)
    assert code == 0 and "network big is running" in out and "note on network big" in err
    assert d.network("big")["mtu"] == 9000


@pytest.mark.parametrize("mtu", ["575", "65522", "1500b", "-1"])
def test_bad_mtu(daemon, mtu):
    d = daemon({})
    code, text = d.errors("network", "create", "x", f"--mtu={mtu}")
    assert code == 2 and "expected a number from 576 to 65521" in text


# ---- TCP through what is narrower ----


def serve_bytes(ns, address, count, timeout):
    """One connection: @count bytes to whoever comes, then what it sends is read; a (list) of how much."""
    got = []
    with ns.enter():
        listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, PORT))
    listener.listen()

    def run():
        with listener:
            s = listener.accept()[0]
        with s:
            s.settimeout(timeout)
            try:
                s.sendall(b"x" * count)
                total = 0
                while total < count:
                    total += len(s.recv(65536)) or count
                got.append(total)
                s.sendall(b"!")
            except OSError:
                got.append(-1)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, got


def exchange(g, server, address=INTERNET, count=200000, timeout=20):
    """@count bytes each way; whether both came through."""
    thread, got = serve_bytes(server, address, count, timeout)
    with g.ns.enter():
        s = socket.socket()
    with s:
        s.settimeout(timeout)
        s.connect((address, PORT))
        total = 0
        try:
            while total < count:
                total += len(s.recv(65536))
            s.sendall(b"y" * count)
            s.recv(1)
        except OSError:
            total = -1
    thread.join(2 * timeout + 2)
    return total == count and got == [count]


def segments_apart(ns, dev="eth0"):
    """Virtual links pass TCP's bundles of segments whatever their MTU: send one by one."""
    ns.run("ip", "link", "set", dev, "gso_max_segs", "1")


def no_icmp(ns):
    ns.nft("table inet deaf { chain input { type filter hook input priority 0; "
           "meta l4proto { icmp, icmpv6 } drop; }; }\n")


@pytest.fixture(name="narrow")
def narrow_fixture(world, daemon, guest):
    """A guest of 1500 behind an uplink of 1400, and nobody hears of packets that are too large."""
    d = daemon({"default.yaml": DEFAULT + "mtu: 1500\n"}, args=["--no-guardian"])
    uplink_mtu(world, 1400)
    g = guest("a", d=d)
    g.dhcp()
    g.ns.run("ip", "link", "set", "eth0", "mtu", "1500")
    for ns in (world.internet, g.ns):
        segments_apart(ns)
        no_icmp(ns)
    return g


def test_mss_is_clamped_both_ways(world, narrow):
    """Both directions, with path MTU discovery broken; without the rules nothing gets through."""
    wire = Wire(world.internet)
    assert exchange(narrow, world.internet)
    heard = [f for f in wire.frames(0.2) if TCP in f and f[TCP].flags.S and f[IP].dst == INTERNET]
    assert [dict(o for o in f[TCP].options if o[0] == "MSS")["MSS"] for f in heard] == [1360]
    rules = world.host.run("nft", "-a", "list", "table", "inet", "vmlane")
    chain, removed = None, 0
    for line in rules.splitlines():
        if line.strip().startswith("chain "):
            chain = line.split()[1]
        if "maxseg" in line:
            world.host.run("nft", "delete", "rule", "inet", "vmlane", chain, "handle", line.split()[-1])
            removed += 1
    assert removed == 2
    assert not exchange(narrow, world.internet, timeout=1)
    narrow.d.vmlane("apply")
    assert exchange(narrow, world.internet)


def test_mss_is_clamped_towards_guests(world, daemon, guest):
    """From outside to a guest whose network is the narrow one."""
    d = daemon({"lan.yaml": ROUTED + "inbound: accept\nmtu: 1300\n"})
    g = guest("a", d=d, network="lan")
    g.dhcp()
    world.internet.run("ip", "route", "add", "192.168.6.0/24", "via", "203.0.113.2")
    g.ns.run("ip", "link", "set", "eth0", "mtu", "1500")  # it did not listen
    for ns in (world.internet, g.ns):
        segments_apart(ns)
        no_icmp(ns)

    class Outside:
        ns = world.internet

    wire = Wire(g.ns)
    assert exchange(Outside, g.ns, address=g.ip)
    heard = [f for f in wire.frames(0.2) if TCP in f and f[TCP].flags.S and not f[TCP].flags.A]
    assert [dict(o for o in f[TCP].options if o[0] == "MSS")["MSS"] for f in heard] == [1260]
    assert d.status()["problems"] == []


def test_mss_is_never_raised(world, daemon, guest):
    """Nor touched where all is wide enough, nor added to packets that have none."""
    g = guest("a", d=daemon())
    g.dhcp()
    wire = Wire(world.internet)
    with g.ns.enter():
        small, usual = socket.socket(), socket.socket()
    with small, usual:
        small.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 600)
        small.connect((INTERNET, 80))
        usual.connect((INTERNET, 80))
    found = [dict(o for o in f[TCP].options if o[0] == "MSS") for f in wire.frames(0.2)
             if TCP in f and f[TCP].flags.S and f[IP].dst == INTERNET]
    assert found == [{"MSS": 600}, {"MSS": 1460}]
    assert g.d.network()["mtu"] == 1500
