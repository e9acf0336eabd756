# SPDX-License-Identifier: GPL-2.0-or-later
"""What other programs do to rules, links, addresses and sysctls of ours is put right, told, and nothing else is."""
import json
import os
import subprocess
import time

import pytest

from daemon import DEFAULT
from guest import stop_stream
from test_monitor import Listener
from test_switch import port
from world import INTERNET, TIMEOUT, wait_for

LAN = "network: {0}\nmode: bridged\nuplink: {1}\n"
POLICY = DEFAULT + """policy:
  sets: { web: [203.0.113.0/24, 198.51.100.0/24] }
  rules:
    - reject out tcp 80 to @web
"""
NOHOST = "network: priv\nmode: isolated\nhost: false\n"


def guardian(d):
    return d.status()["guardian"]


def same(d):
    """Nothing of what it looks at differs from what is configured."""
    return d.vmlane("diff")["changes"] == []


class Mended:
    """with Mended(daemon): ... - one thing is broken inside, and it is put right and told before this ends."""

    def __init__(self, d, *words, by=None):
        self.d, self.words, self.by = d, words, by

    def __enter__(self):
        self.before = guardian(self.d)["mended"]
        return self

    def __exit__(self, kind, *_):
        if kind:
            return
        wait_for("it to be put right", lambda: guardian(self.d)["mended"] > self.before and same(self.d))
        last = guardian(self.d)["last"]
        for word in self.words:
            assert any(word in c for c in last["changes"]), last
        if self.by:
            assert last["process"] == self.by and last["pid"] > 0, last


@pytest.fixture
def web1(guest):
    g = guest("web1")
    g.dhcp()
    return g


# ---- rules ----


@pytest.mark.parametrize("how", ["flush ruleset", "delete table inet vmlane", "flush table inet vmlane",
                                 "insert rule inet vmlane forward drop", "add chain inet vmlane theirs"])
def test_rules(vmlaned, world, web1, how):
    m = Listener(vmlaned)
    with Mended(vmlaned, "table inet vmlane", by="nft"):
        world.host.run("nft", *how.split())
    assert web1.http()["address"] == "203.0.113.2"
    told = m.expect("mended", process="nft")
    assert "nft, process" in told["text"] and told["took_us"] > 0
    assert "put right what somebody changed: " in vmlaned.p.text()
    m.end()


def test_established_connections_survive_a_flush(vmlaned, world, web1):
    stream = web1.stream()
    for _ in range(5):
        with Mended(vmlaned):
            world.host.run("nft", "flush", "ruleset")
    went = stop_stream(stream)
    assert len(went["ports"]) == 1 and went["ports"][0][0] == "203.0.113.2", went
    assert went["received"] > went["sent"] * 0.4, went  # the machine may be slow, and five times there were no rules


@pytest.mark.long
def test_a_table_that_was_remembered(world, daemon, guest):
    """When nothing changed for a while the table comes again in one transaction, as it was, rules by users and all."""
    d = daemon({"default.yaml": POLICY})
    g = guest("web1", d=d)
    g.dhcp()
    assert g.http(check=False).returncode and g.reaches("192.168.122.1")
    listing = world.host.run("nft", "-s", "list", "table", "inet", "vmlane")
    for _ in range(20):
        time.sleep(2)
        before = d.writes()
        with Mended(d, "+ firewall table inet vmlane", by="nft"):
            world.host.run("nft", "flush", "ruleset")
        if d.writes() == before + 1:
            break
    else:
        pytest.fail("it was never remembered")
    assert world.host.run("nft", "-s", "list", "table", "inet", "vmlane") == listing
    assert g.http(check=False).returncode and g.reaches("192.168.122.1")
    d.vmlane("network", "create", "other", "--subnet", "10.9.0.0/24")  # from now on it is another table
    with Mended(d):
        world.host.run("nft", "flush", "ruleset")
    assert "10.9.0.0" in world.host.run("nft", "list", "set", "inet", "vmlane", "sources")


def test_rules_of_others_are_no_concern(vmlaned, world, web1):
    """Thousands of transactions that are not about our tables: nothing is read again, nothing written."""
    before = vmlaned.writes()
    world.host.nft("table inet theirs { set s { type ipv4_addr; }; chain c { }; }\n")
    for i in range(8):
        world.host.nft("".join(f"add rule inet theirs c ip saddr 10.{i}.{j}.1 counter\n" for j in range(250)))
    assert guardian(vmlaned)["mended"] == 0 and vmlaned.writes() == before
    with Mended(vmlaned):
        world.host.run("nft", "delete", "table", "inet", "vmlane")
    assert world.host.run("nft", "list", "chain", "inet", "theirs", "c").count("counter") == 2000
    assert web1.http()


def test_a_saved_ruleset_is_loaded(vmlaned, world, web1, tmp):
    """As /etc/nftables.conf has it: everything flushed, others' rules put there, in one transaction."""
    path = f"{tmp}/nftables.conf"
    with open(path, "w", encoding="utf-8") as f:
        f.write("flush ruleset\ntable inet filter {\nchain input {\ntype filter hook input priority 0; policy accept;\n}\n}\n")
    with Mended(vmlaned, by="nft"):
        world.host.run("nft", "-f", path)
    assert "table inet filter" in world.host.run("nft", "list", "tables")
    assert web1.http()


def test_somebody_does_not_stop(vmlaned, world, web1):
    """It is held back, told once, and goes on at its own pace; when it is quiet all is well."""
    first = time.monotonic()
    p = world.host.start("sh", "-c", "while :; do nft flush ruleset; done")
    wait_for("a word about it", lambda: "keeps changing what is vmlane's" in vmlaned.p.text())
    assert guardian(vmlaned)["held_back"]
    assert any(x["code"] == "fought" and "nft" in x["message"] for x in vmlaned.status()["problems"])
    used = cpu(vmlaned)
    begin, mended = time.monotonic(), guardian(vmlaned)["mended"]
    wait_for("three more", lambda: guardian(vmlaned)["mended"] >= mended + 3)
    took = time.monotonic() - begin
    assert took > 1.5, "it does not hold back"
    assert cpu(vmlaned) - used < 0.7 * took, "it is busy"
    p.end()
    wait_for("the rules", lambda: same(vmlaned))
    assert web1.http()
    assert vmlaned.p.text().count("keeps changing what is vmlane's") == 1
    # 30 in a row, and one for each second since.
    assert vmlaned.p.text().count("put right what somebody changed") <= 32 + time.monotonic() - first
    assert "takes no lifetimes" not in vmlaned.p.text()


def cpu(d):
    with open(f"/proc/{d.p.p.pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.long
def test_a_flood_of_rules_that_is_lost(vmlaned, world, web1):
    """More messages than are held while the daemon cannot read: everything is looked at."""
    os.kill(vmlaned.p.p.pid, 19)  # SIGSTOP
    try:
        world.host.nft("table inet theirs { chain c { }; }\n")
        rules = "".join(f"add rule inet theirs c ip saddr 10.0.{j // 250}.{j % 250} counter comment \"{'x' * 100}\"\n" for j in range(5000))
        for _ in range(12):
            world.host.nft(rules)
        world.host.run("nft", "delete", "table", "inet", "vmlane")
    finally:
        os.kill(vmlaned.p.p.pid, 18)  # SIGCONT
    wait_for("the table", lambda: guardian(vmlaned)["mended"] == 1 and same(vmlaned), timeout=2 * TIMEOUT)
    assert "rules changed faster than it was heard" in vmlaned.p.text()
    assert web1.http()


# ---- links and addresses ----


BROKEN = {
    "a port less": ("vl-web1", "ip link set vl-web1 nomaster"),
    "a port elsewhere": ("vl-web1", "ip link add theirs type bridge; ip link set vl-web1 master theirs"),
    "a port down": ("vl-web1", "ip link set vl-web1 down"),
    "a port that is isolated": ("vl-web1", "bridge link set dev vl-web1 isolated on"),
    "a port that does not learn": ("vl-web1", "bridge link set dev vl-web1 learning off"),
    "a port with another MTU": ("vl-web1", "ip link set vl-web1 mtu 1400"),
    "a bridge down": ("vl-default", "ip link set vl-default down"),
    "a bridge less": ("vl-default", "ip link del vl-default"),
    "a bridge with STP": ("vl-default", "ip link set vl-default type bridge stp_state 1"),
    "an address less": ("192.168.122.1/24", "ip addr del 192.168.122.1/24 dev vl-default"),
    "no addresses": ("192.168.122.1/24", "ip addr flush dev vl-default"),
    "no forwarding of the bridge": ("conf.vl-default.forwarding", "echo 0 >/proc/sys/net/ipv4/conf/vl-default/forwarding"),
    "no forwarding of the uplink": ("conf.eth0.forwarding", "echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding"),
    "no forwarding at all": ("forwarding", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/ip_forward"),
    "IPv6 on the bridge": ("disable_ipv6", "echo 0 >/proc/sys/net/ipv6/conf/vl-default/disable_ipv6"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_links_addresses_sysctls(vmlaned, world, web1, what):
    word, how = BROKEN[what]
    with Mended(vmlaned, word):
        world.host.run("sh", "-ec", how)
    assert web1.ping("192.168.122.1") and web1.http()["address"] == "203.0.113.2"


MEDDLED = {
    "gone": "bridge fdb del {a} dev vl-a master",
    "at another port": "bridge fdb replace {a} dev vl-b master static",
    "pinned to another port": "bridge fdb replace {a} dev vl-b master static sticky",
    "not sticky": "bridge fdb replace {a} dev vl-a master static",
    "one more": "bridge fdb add 02:00:00:00:00:77 dev vl-a master static sticky",
    "the second gone": "bridge fdb del 02:00:00:00:00:05 dev vl-a master",
    "the second at another port": "bridge fdb replace 02:00:00:00:00:05 dev vl-b master static",
}


def test_pinned_macs(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "guests:\n  a:\n    macs: [ 02:00:00:00:00:05 ]\n"})
    a, b = guest("a", d=d), guest("b", d=d)
    for g in (a, b):
        g.dhcp()
    for what, how in MEDDLED.items():
        with Mended(d, "vl-a" if "one more" in what else "MAC"):
            world.host.run("sh", "-ec", how.format(a=a.mac))
        assert pins(world, "vl-a") == {a.mac, "02:00:00:00:00:05"} and pins(world, "vl-b") == {b.mac}, what
    # What others pin where it is in nobody's way is theirs.
    before = guardian(d)["mended"]
    world.host.run("sh", "-ec", "ip link add theirs type veth peer name theirs2; ip link set theirs master vl-default;"
                   "bridge fdb add 02:00:00:00:00:99 dev theirs master static")
    with Mended(d, "MAC"):
        world.host.run("bridge", "fdb", "del", b.mac, "dev", "vl-b", "master")
    assert guardian(d)["mended"] == before + 1 and pins(world, "theirs") == {"02:00:00:00:00:99"}
    assert a.http() and b.http()


def pins(world, port):
    return {e["mac"] for e in json.loads(world.host.run("bridge", "-j", "fdb", "show", "dev", port)) if e["state"] == "static" and "master" in e}


def test_a_port_is_set_again(world, daemon, guest):
    """What a port loses with its bridge it has again when it is back, and its guard is on before that."""
    d = daemon({"default.yaml": DEFAULT + "switch: { learning: off }\nguests:\n  a:\n    isolate: true\n    macs: [ 02:00:00:00:00:05 ]\n"})
    a, b = guest("a", d=d), guest("b", d=d)
    for g in (a, b):
        g.dhcp()
    def settings():
        return {k: v for k, v in port(d, "a").items() if isinstance(v, (bool, str))}
    was, macs = settings(), pins(world, "vl-a")
    assert was["isolated"] and not was["learning"] and "02:00:00:00:00:05" in macs
    for how in (["nomaster"], ["master", "theirs"]):
        world.host.run("ip", "link", "add", "theirs", "type", "bridge", check=False)
        with Mended(d, "~ vl-a: bridge " + ("theirs -> " if "theirs" in how else "") + "vl-default"):
            world.host.run("ip", "link", "set", "vl-a", *how)
        assert settings() == was and pins(world, "vl-a") == macs
        assert sum("vl-a" in c for c in guardian(d)["last"]["changes"]) == 1, guardian(d)
        assert a.http()


def test_a_tap_of_an_attached_guest(vmlaned, world, guest):
    g = guest("db", tap=True)
    with Mended(vmlaned, "vl-db"):
        world.host.run("ip", "link", "del", "vl-db")
    g.off()
    g.ns.run("ip", "link", "del", "eth0", check=False)
    g.on()
    g.dhcp()
    assert g.http()


def test_addresses_of_ipv6(world, daemon, guest):
    world.internet6()
    d = daemon({"default.yaml": DEFAULT + "ipv6:\n  subnet: fd00:a::/64\n"})
    g = guest("web1", d=d)
    g.slaac("fd00:a::/64")
    with Mended(d, "fd00:a::1"):
        world.host.run("ip", "addr", "del", "fd00:a::1/64", "dev", "vl-default")
    with Mended(d, "accept_ra"):
        world.host.run("sh", "-c", "echo 2 >/proc/sys/net/ipv6/conf/vl-default/accept_ra")
    assert g.http("2001:db8:100::7")


def test_a_guests_rate(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "guests:\n  web1:\n    rate: { up: 8mbit, down: 8mbit }\n"})
    guest("web1", d=d)
    with Mended(d, "vl-web1"):
        world.host.run("tc", "qdisc", "del", "dev", "vl-web1", "root")
    with Mended(d, "rate", by="nft"):
        world.host.run("nft", "flush", "chain", "netdev", "vmlane", "vl-web1")
    assert "tbf" in world.host.run("tc", "qdisc", "show", "dev", "vl-web1")


def test_a_nic_of_a_bridged_network(world, daemon):
    d = daemon({})
    world.host.run("ip", "link", "set", "eth1", "down", check=False)
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    d.write("lan.yaml", LAN.format("lan", "eth1"))
    d.vmlane("apply")
    wait_for("the take-over", lambda: d.network("lan")["takeover"]["phase"] == "held")
    before = guardian(d)["mended"]
    world.host.run("ip", "link", "set", "eth1", "nomaster")
    wait_for("the NIC", lambda: world.host.links()["eth1"].get("master") == "vl-lan")
    assert guardian(d)["mended"] >= before
    assert d.network("lan")["problem"] is None


def test_what_others_add_stays(vmlaned, world, web1):
    """A second address on our bridge, a port, rules of their own: theirs."""
    world.host.run("sh", "-ec", "ip addr add 192.168.122.9/24 dev vl-default; ip link add theirs type veth peer name theirs2;"
                   "ip link set theirs master vl-default; ip link add br-theirs type bridge; ip addr add 10.55.0.1/24 dev br-theirs")
    world.host.nft("table inet theirs { chain c { type filter hook forward priority 0; }; }\n")
    before = guardian(vmlaned)["mended"]
    world.host.run("nft", "delete", "table", "inet", "vmlane")
    wait_for("the table", lambda: guardian(vmlaned)["mended"] == before + 1)
    assert world.host.addresses("vl-default") == ["192.168.122.1/24", "192.168.122.9/24"]
    assert world.host.links()["theirs"]["master"] == "vl-default"
    assert world.host.addresses("br-theirs") == ["10.55.0.1/24"]
    assert "table inet theirs" in world.host.run("nft", "list", "tables")


def test_what_we_do_ourselves_is_nothing_to_mend(vmlaned, world, guest):
    for i in range(3):
        vmlaned.vmlane("network", "create", f"lab{i}", "--subnet", f"10.{i}.0.0/24")
        vmlaned.vmlane("guest", "attach", f"g{i}", "--network", f"lab{i}")
    vmlaned.vmlane("network", "stop", "lab0", "--force")
    vmlaned.vmlane("network", "start", "lab0")
    vmlaned.vmlane("guest", "detach", "g1")
    vmlaned.vmlane("network", "set", "lab2", "mtu=1400", check=False)
    vmlaned.vmlane("network", "delete", "lab2", "--force")
    g = guest("web1")
    g.dhcp()
    g.off()
    with Mended(vmlaned):  # what was told before this was told of, too
        world.host.run("nft", "flush", "ruleset")
    assert guardian(vmlaned)["mended"] == 1
    vmlaned.restart()
    assert guardian(vmlaned)["mended"] == 0 and guardian(vmlaned)["last"] is None


# ---- the uplink ----


def test_the_uplinks_address_changes(vmlaned, world, web1):
    assert web1.http()["address"] == "203.0.113.2"
    world.host.run("sh", "-ec", "ip addr del 203.0.113.2/24 dev eth0; ip addr add 203.0.113.77/24 dev eth0;"
                   "ip route replace default via 203.0.113.1 dev eth0 onlink")
    wait_for("the new address", lambda: "203.0.113.77" in web1.ns.run("curl", "-sS", "--max-time", "2", f"http://{INTERNET}/", check=False).stdout)
    assert same(vmlaned)


# ---- telling ----


def test_status(vmlaned, world):
    assert guardian(vmlaned) == {"on": True, "mended": 0, "held_back": False, "last": None}
    with Mended(vmlaned):
        world.host.run("nft", "flush", "ruleset")
    last = guardian(vmlaned)["last"]
    assert last["count"] == len(last["changes"]) == 1 and abs(last["time"] - time.time()) < TIMEOUT
    text = vmlaned.vmlane("status", json_out=False)
    assert "guardian" in text and "put right once" in text and "firewall table inet vmlane" in text and "(nft, process" in text


def test_switched_off(world, daemon, guest):
    d = daemon(args=["--no-guardian"])
    g = guest("web1", d=d)
    g.dhcp()
    world.host.run("nft", "delete", "table", "inet", "vmlane")
    world.host.run("ip", "link", "set", "vl-web1", "nomaster")
    assert not same(d) and not guardian(d)["on"]
    assert "off" in [line for line in d.vmlane("status", json_out=False).splitlines() if line.startswith("guardian")][0]
    d.vmlane("apply")
    assert same(d) and g.http()


def test_each_sysctl(world, daemon):
    """Of most of these the kernel tells nothing by itself: that somebody writes them is heard."""
    world.internet6()
    d = daemon({"priv.yaml": NOHOST, "default.yaml": DEFAULT + "ipv6:\n  subnet: fd00:a::/64\nguests:\n  web1:\n    ipv4: 192.168.122.10\n    forward: [ \"tcp 8080 -> 80\" ]\n"})
    for path, broken in (("ipv4/conf/vl-priv/arp_ignore", 0), ("ipv4/conf/vl-default/route_localnet", 0), ("ipv4/conf/vl-default/forwarding", 0),
                         ("ipv4/conf/eth0/forwarding", 0), ("ipv6/conf/vl-priv/disable_ipv6", 0), ("ipv6/conf/vl-default/addr_gen_mode", 0),
                         ("ipv6/conf/vl-default/accept_ra", 1), ("ipv6/conf/vl-default/accept_redirects", 1),
                         ("ipv6/conf/vl-default/disable_ipv6", 1), ("ipv6/conf/vl-default/forwarding", 0)):
        was = world.host.sysctl(f"net/{path}")
        assert was != str(broken), path
        with Mended(d, "net." + path.replace("/", ".")):
            world.host.run("sysctl", "-qw", f"net/{path}={broken}")
        assert world.host.sysctl(f"net/{path}") == was, path


def test_a_sysctl_of_all_interfaces(vmlaned, world):
    """What is written for all changes each one's."""
    with Mended(vmlaned, "net.ipv6.conf.vl-default.disable_ipv6"):
        world.host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.all.disable_ipv6=0")
    assert world.host.sysctl("net/ipv6/conf/vl-default/disable_ipv6") == "1"
    assert world.host.sysctl("net/ipv6/conf/eth0/disable_ipv6") == "0"


def test_a_sysctl_by_another_mount(world, daemon, tmp):
    """Of this not even the write is heard: it is found by looking."""
    d = daemon({"priv.yaml": NOHOST})
    with Mended(d, "vl-priv.arp_ignore"):
        world.host.run("unshare", "--mount", "sh", "-ec", f"mount -t proc proc {tmp}; echo 0 >{tmp}/sys/net/ipv4/conf/vl-priv/arp_ignore")


def test_leases_and_bridge_together(vmlaned, world, guest):
    """The bridge is made anew under a running guest: it goes on, and the DHCP server is there again."""
    a, b = guest("a"), guest("b")
    a.dhcp()
    with Mended(vmlaned, "bridge vl-default"):
        world.host.run("ip", "link", "del", "vl-default")
    assert a.http()
    assert b.dhcp()["address"] != a.ip


def test_what_failed_is_tried_again(world, daemon):
    """Somebody holds our table while it is to be mended, and goes without a word."""
    d = daemon()
    nft = world.host.start("nft", "-i", stdin=subprocess.PIPE)
    nft.p.stdin.write(b"delete table inet vmlane; add table inet vmlane { flags owner; }\n")
    nft.p.stdin.flush()
    wait_for("the mend to fail", lambda: "refused to change the rules" in d.p.text())
    nft.end()
    wait_for("the table to be back", lambda: "chain forward" in world.host.run("nft", "list", "table", "inet", "vmlane", check=False).stdout)
    assert d.vmlane("diff") == {"changes": []}


def test_traffic_control_is_no_fight(world, daemon, guest):
    """What is told of a port is compared with what is ours there, however often: others' things beside it are theirs."""
    d = daemon({"default.yaml": DEFAULT + "guests:\n  web1:\n    rate: { down: 8mbit }\n"})
    guest("web1", d=d)
    for _ in range(60):
        world.host.run("tc", "qdisc", "add", "dev", "vl-web1", "clsact")
        world.host.run("tc", "qdisc", "del", "dev", "vl-web1", "clsact")
    world.host.run("tc", "qdisc", "del", "dev", "vl-web1", "root")
    wait_for("the rate to be back", lambda: "tbf" in world.host.run("tc", "qdisc", "show", "dev", "vl-web1"))
    wait_for("it to be told", lambda: "put right" in d.p.text())
    assert "keeps changing" not in d.p.text() and guardian(d)["mended"] == 1 and not guardian(d)["held_back"]
