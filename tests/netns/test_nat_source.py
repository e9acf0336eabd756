# SPDX-License-Identifier: GPL-2.0-or-later
"""nat.source, and networks side by side that each have an address, ports and an uplink of their own."""
import json

import pytest

from daemon import DEFAULT
from packet import tcp_ask, udp_ask
from world import INTERNET, UPLINK, wait_for

LAB = """network: lab
mode: nat
ipv4:
  subnet: 192.168.5.0/24
"""
POOL = [f"203.0.113.{n}" for n in range(16, 24)]


def give(world, *addresses, dev="eth0"):
    for a in addresses:
        world.host.run("ip", "addr", "add", f"{a}/32", "dev", dev)


def with_source(source, more=""):
    return DEFAULT + f"nat:\n  source: {source}\n{more}"


def seen(world, g, address=INTERNET):
    """As whom @g is seen: by UDP, by TCP and by its pings."""
    assert g.ping(address)
    table = world.host.run("cat", "/proc/net/nf_conntrack").splitlines()
    pings = [line for line in table if " icmp " in line and f"src={g.ip} " in line]
    assert pings
    return {udp_ask(g.ns)["address"], tcp_ask(g.ns, 0)["address"],
            *(line.split("src=")[2].split("dst=")[1].split()[0] for line in pings)}


def test_guests_leave_as_the_source(world, daemon, guest):
    give(world, "203.0.113.5")
    d = daemon({"default.yaml": with_source("203.0.113.5", "  ports: 20000-20099\n")})
    g = guest("web1", d=d)
    g.dhcp()
    assert seen(world, g) == {"203.0.113.5"}
    for sport in (0, 500, 40000):
        assert 20000 <= udp_ask(g.ns, sport)["port"] <= 20099
        assert 20000 <= tcp_ask(g.ns, sport)["port"] <= 20099
    assert udp_ask(world.host)["address"] == UPLINK  # the host itself is who it was
    assert d.network()["source"] == "203.0.113.5" and d.network()["problem"] is None
    text = d.vmlane("network", "show", "default", json_out=False)
    assert "[NAT: 203.0.113.5]" in text and "source    203.0.113.5" in text


def test_a_guest_has_one_address_of_the_range(world, daemon, guest):
    """RFC 4787 REQ-2: "paired", whatever it asks by whatever protocol; another may have another."""
    give(world, *POOL)
    d = daemon({"default.yaml": with_source(f"{POOL[0]}-{POOL[-1]}")})
    world.internet.run("ip", "addr", "add", "198.51.100.8/32", "dev", "lo")
    taken = set()
    for name in ("web1", "web2", "web3", "web4", "web5", "web6"):
        g = guest(name, d=d)
        g.dhcp()
        mine = seen(world, g)
        assert len(mine) == 1 and mine <= set(POOL)
        assert tcp_ask(g.ns, 0, "198.51.100.8")["address"] in mine
        for _ in range(5):
            assert udp_ask(g.ns)["address"] in mine
        taken |= mine
    assert len(taken) > 1


def test_networks_with_all_of_their_own(world, daemon, guest):
    """Two networks, two addresses, two port ranges, two lines; and the host's own default route."""
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    give(world, "203.0.113.5")
    give(world, "192.0.2.16", dev="eth1")
    d = daemon({"default.yaml": with_source("203.0.113.5", "  ports: 20000-29999\n  uplink: eth0\n"),
                "lab.yaml": LAB + "nat:\n  source: 192.0.2.16\n  ports: 30000-39999\n  uplink: eth1\n"})
    one, two = guest("one", d=d), guest("two", d=d, network="lab")
    one.dhcp()
    two.dhcp()
    # The manual's rules, without which the second network's way out is refused.
    assert udp_ask(two.ns, timeout=0.2) is None
    world.host.run("ip", "route", "add", "default", "via", "192.0.2.1", "table", "100")
    world.host.run("ip", "rule", "add", "iif", "vl-lab", "lookup", "main", "suppress_prefixlength", "0")
    world.host.run("ip", "rule", "add", "iif", "vl-lab", "lookup", "100")
    wait_for("a way out by eth1", lambda: udp_ask(two.ns, timeout=0.2))
    assert seen(world, one) == {"203.0.113.5"} and seen(world, two) == {"192.0.2.16"}
    assert 20000 <= udp_ask(one.ns)["port"] <= 29999 and 30000 <= udp_ask(two.ns)["port"] <= 39999
    assert 20000 <= tcp_ask(one.ns, 0)["port"] <= 29999 and 30000 <= tcp_ask(two.ns, 0)["port"] <= 39999
    assert not one.ping(two.ip) and not two.ping(one.ip)
    assert d.status()["problems"] == []


def test_absent_source_is_told_with_the_mend(world, daemon, guest):
    d = daemon({"default.yaml": with_source("203.0.113.16-203.0.113.17")})
    g = guest("web1", d=d)
    g.dhcp()
    give(world, "203.0.113.16")
    shown = d.network()
    assert shown["state"] == "running" and shown["problem"]["code"] == "source-absent"
    told = [p["message"] for p in d.status()["problems"]]
    assert len(told) == 1 and "`ip addr add 203.0.113.17/32 dev eth0`" in told[0]
    assert "ip addr add" in d.vmlane("network", "show", "default", check=False, json_out=False)[2]
    world.host.run(*told[0].split("`")[1].split())  # as it says
    assert d.status()["problems"] == [] and d.network()["problem"] is None
    assert udp_ask(g.ns)["address"] in ("203.0.113.16", "203.0.113.17")
    # vmlane itself has touched no address.
    d.vmlane("network", "stop", "default", "--force")
    assert sorted(world.host.addresses("eth0")) == ["203.0.113.16/32", "203.0.113.17/32", f"{UPLINK}/24"]


def test_absent_source_is_found_behind_a_taken_nic(world, daemon):
    """The address would have to be on the bridge that a bridged network has put in the NIC's place."""
    d = daemon({"default.yaml": with_source("203.0.113.16", "  uplink: eth0\n"),
                "lan.yaml": "network: lan\nmode: bridged\nuplink: eth0\n"})
    wait_for("the NIC to be taken", lambda: d.vmlane("apply", "--confirm", "60s", check=False)[0] == 0)
    d.vmlane("confirm")
    assert "203.0.113.16/32 dev vl-lan" in d.network()["problem"]["message"]


def test_routed_source(world, daemon, guest):
    """Of no subnet that the host is in: the routers out there know the way."""
    world.internet.run("ip", "route", "add", "100.64.7.0/28", "via", UPLINK)
    d = daemon({"default.yaml": with_source("100.64.7.1-100.64.7.14")})
    g = guest("web1", d=d)
    g.dhcp()
    mine = seen(world, g)
    assert len(mine) == 1 and mine.pop().startswith("100.64.7.")
    assert d.status()["problems"] == []


def test_source_comes_goes_and_stays(world, vmlaned, guest):
    """By a changed file, through a restart and a kill, and taken out again."""
    give(world, "203.0.113.5", "203.0.113.6")
    g = guest("web1")
    g.dhcp()
    for source in ("203.0.113.5", "203.0.113.6", None):
        vmlaned.write("default.yaml", with_source(source) if source else DEFAULT)
        assert [c["object"] for c in vmlaned.vmlane("diff")["changes"]]
        vmlaned.vmlane("apply")
        assert vmlaned.network()["source"] == source
        assert udp_ask(g.ns)["address"] == (source or UPLINK)
        assert vmlaned.vmlane("diff")["changes"] == []
        vmlaned.restart()
        assert udp_ask(g.ns)["address"] == (source or UPLINK)
        vmlaned.kill9()
        vmlaned.start()
        assert udp_ask(g.ns)["address"] == (source or UPLINK)
        assert vmlaned.writes() == 0
    chains = world.host.run("nft", "-j", "list", "chains")
    assert not [c for c in json.loads(chains)["nftables"] if "203.0.113" in c.get("chain", {}).get("name", "")]


def test_create_with_source(world, daemon, guest):
    give(world, "203.0.113.5")
    d = daemon({})
    d.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24", "--source", "203.0.113.5",
             "--ports", "20000-29999")
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        assert "  source: 203.0.113.5\n" in f.read()
    g = guest("web1", d=d, network="lab")
    g.dhcp()
    assert udp_ask(g.ns)["address"] == "203.0.113.5"
    d.vmlane("network", "delete", "lab", "--force")
    assert "inet vmlane" not in world.host.run("nft", "list", "tables")


@pytest.mark.parametrize("source, words", [
    ("192.168.5.7", "lies in the subnet 192.168.5.0/24 of network \"lab\""),
    ("203.0.113.9-203.0.113.5", "`source`: \"203.0.113.9-203.0.113.5\" is wrong"),
    ("10.0.0.0-10.0.9.0", "more addresses than 256"),
    ("127.0.0.1", "loopback addresses"),
])
def test_bad_source(daemon, source, words):
    d = daemon({"lab.yaml": LAB})
    code, text = d.errors("network", "create", "bad", "--subnet", "10.9.0.0/24", "--source", source)
    assert code == 2 and words in text
    assert [n["name"] for n in d.get("/v1/networks")["networks"]] == ["lab"]
