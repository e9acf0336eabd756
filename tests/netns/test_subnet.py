# SPDX-License-Identifier: GPL-2.0-or-later
"""subnet: auto - a subnet that is free, the same one for ever, and a word when it is no longer free."""
import pytest

from daemon import DEFAULT
from test_modes import PRIVATE, network
from test_nat import udp_ask
from world import UPLINK, Monitor, wait_for

AUTO = network("lab", "nat", "auto")


def subnet(d, name="lab"):
    return d.network(name)["subnet"]


def test_create_without_a_subnet(world, daemon, guest):
    d = daemon({})
    d.vmlane("network", "create", "lab")
    shown = d.network("lab")
    assert (shown["subnet"], shown["gateway"], shown["subnet_auto"]) == ("192.168.122.0/24", "192.168.122.1", True)
    assert shown["dhcp"]["range"] == "192.168.122.2-192.168.122.254"
    assert "192.168.122.0/24 (auto)" in d.vmlane("network", "show", "lab", json_out=False)
    with open(f"{d.config}/lab.yaml", encoding="utf-8") as f:
        assert "subnet: auto" in f.read()
    g = guest("web1", d=d, network="lab")
    assert g.dhcp()["router"] == "192.168.122.1"
    assert g.http()["address"] == UPLINK
    # The next ones, of all modes, stopped or not.
    d.vmlane("network", "create", "two", "--mode", "routed")
    d.vmlane("network", "stop", "two")
    d.vmlane("network", "create", "three", "--mode", "isolated")
    assert (subnet(d, "two"), subnet(d, "three")) == ("192.168.123.0/24", "192.168.124.0/24")
    assert d.vmlane("diff") == {"changes": []}


@pytest.mark.parametrize("how, expected", [
    # The host is a guest on 192.168.122.0/24 itself.
    (["ip addr add 192.168.122.50/24 dev eth0"], "192.168.123.0/24"),
    # On an interface that is down there is an address and no route.
    (["ip link add d0 type bridge", "ip addr add 192.168.122.50/24 dev d0"], "192.168.123.0/24"),
    (["ip link add d0 type bridge", "ip addr add 192.168.122.50/24 dev d0 noprefixroute", "ip link set d0 up"],
     "192.168.123.0/24"),
    # Routes: wider, narrower, in a table of its own, over several ways.
    (["ip route add 192.168.0.0/16 via 203.0.113.1"], "172.16.0.0/24"),
    (["ip route add 192.168.122.77/32 via 203.0.113.1"], "192.168.123.0/24"),
    (["ip route add 192.168.120.0/21 via 203.0.113.1 table 77"], "192.168.128.0/24"),
    (["ip route add 192.168.122.0/23 nexthop via 203.0.113.1 nexthop via 203.0.113.9"], "192.168.124.0/24"),
    (["ip route add 192.168.0.0/16 via 203.0.113.1", "ip route add 172.16.0.0/12 via 203.0.113.1"], "10.0.0.0/24"),
    # A VPN that takes all: halves of the default route do not count.
    (["ip route add 0.0.0.0/1 via 203.0.113.1", "ip route add 128.0.0.0/1 via 203.0.113.1"], "192.168.122.0/24"),
])
def test_what_is_taken_is_left_alone(world, daemon, guest, how, expected):
    for command in how:
        world.host.run(*command.split())
    d = daemon({"lab.yaml": AUTO})
    assert subnet(d) == expected
    assert d.status()["problems"] == []
    g = guest("web1", d=d, network="lab")
    g.dhcp()
    assert udp_ask(g.ns)["address"] == UPLINK


def test_networks_of_ours_are_taken(daemon):
    """Those with a subnet of their own come first, whatever the order of the files."""
    d = daemon({"a.yaml": network("a", "nat", "auto"), "b.yaml": network("b", "routed", "auto"),
                "c.yaml": network("c", "isolated", "auto"), "private.yaml": PRIVATE, "default.yaml": DEFAULT})
    assert [subnet(d, n) for n in "abc"] == [f"192.168.{n}.0/24" for n in (123, 124, 125)]
    assert d.status()["problems"] == []


def test_choice_stays(world, daemon, guest):
    """Over restarts, stops and a host that changes; also when others leave free what came before."""
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": AUTO})
    assert subnet(d) == "192.168.123.0/24"
    g = guest("web1", d=d, network="lab")
    address = g.dhcp()["address"]
    d.vmlane("network", "delete", "default")
    d.vmlane("apply")
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.restart()
    assert subnet(d) == "192.168.123.0/24" and d.writes() == 0
    assert ip.lines() == [] and nft.lines() == []
    assert d.vmlane("diff") == {"changes": []} and d.vmlane("check")
    d.vmlane("network", "stop", "lab", "--force")
    d.restart()
    assert subnet(d) == "192.168.123.0/24"
    d.vmlane("network", "start", "lab")
    assert g.dhcp()["address"] == address
    # Also when the file is not there to be read.
    d.stop()
    d.write("lab.yaml", "network: [\n")
    d.start()
    assert subnet(d) == "192.168.123.0/24" and d.network("lab")["state"] == "running"
    # Deleted and made again it is a new network.
    d.write("lab.yaml", AUTO)
    d.vmlane("network", "delete", "lab", "--force")
    d.vmlane("network", "create", "lab")
    assert subnet(d) == "192.168.122.0/24"


def test_choice_survives_a_kill(world, daemon):
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": AUTO})
    d.kill9()
    d.start()
    assert subnet(d) == "192.168.123.0/24" and d.vmlane("diff") == {"changes": []}


def test_diff_tells_the_choice_and_apply_keeps_to_it(world, daemon):
    d = daemon()
    d.write("lab.yaml", AUTO)
    told = [c["text"] for c in d.vmlane("diff")["changes"]]
    assert "+ address 192.168.123.1/24 on vl-lab" in told
    d.vmlane("apply")
    assert world.host.addresses("vl-lab") == ["192.168.123.1/24"]
    # From auto to a written one and back: what is chosen then is free then.
    d.write("lab.yaml", network("lab", "nat", "10.7.0.0/24"))
    d.vmlane("apply")
    assert world.host.addresses("vl-lab") == ["10.7.0.1/24"] and d.network("lab")["subnet_auto"] is False
    d.write("lab.yaml", AUTO)
    d.vmlane("apply")
    assert world.host.addresses("vl-lab") == ["192.168.123.1/24"]


def test_status_tells_of_a_clash_at_once(world, daemon, guest):
    """A VPN that comes up later, with a wider or a narrower route."""
    d = daemon({"lab.yaml": AUTO})
    g = guest("web1", d=d, network="lab")
    g.dhcp()
    assert d.status()["problems"] == []
    world.host.run("ip", "link", "add", "wg0", "type", "bridge")
    world.host.run("ip", "link", "set", "wg0", "up")
    for route in ("192.168.0.0/16", "192.168.122.128/25"):
        world.host.run("ip", "route", "add", route, "dev", "wg0", "table", "55")
        found = [p for p in d.status()["problems"] if p["code"] == "overlap"]
        assert len(found) == 1 and found[0]["where"].endswith("lab.yaml:4:11")
        assert f"overlaps with the host's route to {route} over wg0" in found[0]["message"]
        world.host.run("ip", "route", "del", route, "dev", "wg0", "table", "55")
    assert d.status()["problems"] == []
    assert subnet(d) == "192.168.122.0/24" and g.ping("192.168.122.1")
    # After a restart it is told once, and the network, which is up, goes on.
    world.host.run("ip", "route", "add", "192.168.0.0/16", "dev", "wg0", "table", "55")
    d.restart()
    assert [p["code"] for p in d.status()["problems"]] == ["overlap"]
    assert d.network("lab")["state"] == "running" and g.ping("192.168.122.1")


def test_nothing_is_free(world, daemon):
    for route in ("192.168.0.0/16", "172.16.0.0/12", "10.0.0.0/8"):
        world.host.run("ip", "route", "add", route, "via", "203.0.113.1")
    d = daemon({"default.yaml": network("default", "isolated", "100.64.0.0/24"), "lab.yaml": AUTO})
    assert [n["name"] for n in d.get("/v1/networks")["networks"]] == ["default"]
    assert [p["code"] for p in d.status()["problems"]] == ["no-subnet"]
    assert "no private subnet is free" in d.errors("apply")[1]
    assert "lab.yaml:4:11" in d.errors("check")[1]
    code, text = d.errors("network", "create", "two")
    assert code == 2 and "no private subnet is free" in text
    world.host.run("ip", "route", "del", "10.0.0.0/8")
    d.vmlane("apply")
    assert subnet(d) == "10.0.0.0/24"
    wait_for("no problem", lambda: d.status()["problems"] == [])


@pytest.mark.parametrize("argv, words", [
    (["--gateway", "10.0.0.1"], "`gateway` needs a subnet that is known"),
    (["--range", "10.0.0.2-10.0.0.9"], "`range` needs a subnet that is known"),
    (["--subnet", "automatic"], "expected an address and prefix length such as 192.168.122.0/24, or `auto`"),
])
def test_create_is_refused(daemon, argv, words):
    d = daemon({})
    code, text = d.errors("network", "create", "x", *argv)
    assert code == 2 and words in text
    assert d.get("/v1/networks")["networks"] == []
