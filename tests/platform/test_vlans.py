# SPDX-License-Identifier: GPL-2.0-or-later
"""VLANs of bridged guests: access ports here, tagged on the NIC, as the LAN's switch has them.

    [guest] -- vl-guest | vl-lan | host eth0 == untagged and tagged == internet eth0, eth0.20, eth0.30
"""
import json

import pytest

from guest import Guest
from world import wait_for

ROUTER = "203.0.113.1"
LAN = """network: lan
mode: bridged
uplink: eth0
guests:
  a: {vlan: 20}
  b: {vlan: 20}
  c: {vlan: 30}
"""


@pytest.fixture
def lan(world):
    """The LAN's router is in VLANs 20 and 30 too, and gives addresses in 20."""
    for vlan in (20, 30):
        world.internet.run("ip", "link", "add", f"eth0.{vlan}", "link", "eth0", "type", "vlan", "id", vlan)
        world.internet.run("ip", "addr", "add", f"10.{vlan}.0.1/24", "dev", f"eth0.{vlan}")
        world.internet.run("ip", "link", "set", f"eth0.{vlan}", "up")
    world.internet.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0.20", "--bind-interfaces",
                         "--dhcp-range=10.20.0.100,10.20.0.150,1h", f"--dhcp-leasefile={world.tmp}/leases", "--user=root",
                         log=f"{world.tmp}/dnsmasq.log")
    return world


def vlans(ns, port):
    """{vid: is it untagged there}"""
    found = json.loads(ns.run("bridge", "-j", "vlan", "show", "dev", port) or "[]")
    return {v["vlan"]: sorted(v.get("flags", [])) == ["Egress Untagged", "PVID"] for p in found for v in p["vlans"]}


def filtering(world, bridge="vl-lan"):
    return world.host.links()[bridge]["linkinfo"]["info_data"]["vlan_filtering"]


def start(d, text=LAN):
    """By its file: so that it can be changed there."""
    d.write("lan.yaml", text)
    d.vmlane("apply")
    wait_for("the gateway to answer", lambda: d.network("lan")["takeover"]["phase"] == "held")


def address(g: Guest, text):
    g.ns.run("ip", "addr", "replace", f"{text}/24", "dev", "eth0")
    g.ip = text


def test_each_in_its_vlan(lan, daemon, guest):
    d = daemon({})
    start(d)
    a, b, c, plain = (guest(n, d=d, network="lan") for n in ("a", "b", "c", "plain"))
    assert a.dhcp()["address"].startswith("10.20.0.1") and a.show()["vlan"] == 20 and plain.show()["vlan"] is None
    address(b, "10.20.0.7")
    address(c, "10.30.0.7")
    address(plain, "203.0.113.7")
    assert a.ping("10.20.0.1") and b.ping("10.20.0.1") and c.ping("10.30.0.1") and plain.ping(ROUTER)
    assert a.ping(b.ip)
    assert lan.host.run("busybox", "ping", "-q", "-c", "1", "-W", "2", ROUTER)
    # What has the right address is in the wrong VLAN all the same.
    for g in (c, plain):
        g.ns.run("ip", "addr", "add", "10.20.0.66/24", "dev", "eth0")
        assert not g.ping("10.20.0.1") and not g.ping(b.ip)
        g.ns.run("ip", "addr", "del", "10.20.0.66/24", "dev", "eth0")
    # Nor does a guest come into another one by its own tags.
    a.ns.run("ip", "link", "add", "eth0.30", "link", "eth0", "type", "vlan", "id", "30")
    a.ns.run("ip", "addr", "add", "10.30.0.66/24", "dev", "eth0.30")
    a.ns.run("ip", "link", "set", "eth0.30", "up")
    assert not a.ping("10.30.0.1")
    assert vlans(lan.host, "vl-a") == vlans(lan.host, "vl-b") == {20: True} and vlans(lan.host, "vl-c") == {30: True}
    assert vlans(lan.host, "vl-plain") == {1: True} and vlans(lan.host, "eth0") == {1: True, 20: False, 30: False}
    assert d.get("/v1/diff")["changes"] == [] and d.status()["problems"] == []
    assert "vlan      20" in d.vmlane("guest", "show", "a", json_out=False)
    for how in (d.restart, lambda: (d.kill9(), d.start())):
        how()
        assert d.writes() == 0 and a.ping("10.20.0.1") and plain.ping(ROUTER)


def changed(d):
    """Less what the guards pin: the guest's MAC is pinned anew in each VLAN."""
    return [c["text"] for c in d.vmlane("apply")["changes"]
            if ("vl-" in c["object"] or c["object"] == "eth0") and " MAC " not in c["text"]]


def test_changes_while_it_runs(lan, daemon, guest):
    """Into a VLAN, into another one, and out again; with the last of them the bridge is plain again."""
    plain = LAN.split("guests:")[0]
    d = daemon({})
    start(d, plain)
    g = guest("a", d=d, network="lan")
    address(g, "203.0.113.7")
    assert g.ping(ROUTER) and not filtering(lan)
    d.write("lan.yaml", plain + "guests: {a: {vlan: 20}}\n")
    assert changed(d) == ["~ vl-lan: VLAN filtering on", "+ VLAN 20 tagged at eth0", "+ VLAN 20 untagged at vl-a",
                          "- VLAN 1 at vl-a"]
    assert not g.ping(ROUTER) and filtering(lan)
    address(g, "10.20.0.7")
    assert g.ping("10.20.0.1")
    d.write("lan.yaml", plain + "guests: {a: {vlan: 30}}\n")
    assert changed(d) == ["+ VLAN 30 tagged at eth0", "- VLAN 20 at eth0", "+ VLAN 30 untagged at vl-a", "- VLAN 20 at vl-a"]
    address(g, "10.30.0.7")
    assert g.ping("10.30.0.1")
    # Somebody meddles: with the ports, and with the bridge.
    for how, word in ((["bridge", "vlan", "add", "vid", "20", "dev", "vl-a", "pvid", "untagged"], "VLAN 30 untagged at vl-a"),
                      (["bridge", "vlan", "del", "vid", "30", "dev", "vl-a"], "VLAN 30 untagged at vl-a"),
                      (["bridge", "vlan", "del", "vid", "30", "dev", "eth0"], "VLAN 30 tagged at eth0"),
                      (["ip", "link", "set", "vl-lan", "type", "bridge", "vlan_filtering", "0"], "VLAN filtering on")):
        before = d.status()["guardian"]["mended"]
        lan.host.run(*how)
        wait_for("it to be put right", lambda: d.status()["guardian"]["mended"] > before and d.get("/v1/diff")["changes"] == [])  # pylint: disable=cell-var-from-loop
        assert any(word in c for c in d.status()["guardian"]["last"]["changes"]), (how, d.status()["guardian"])
        assert g.ping("10.30.0.1")
    d.write("lan.yaml", plain)
    assert changed(d) == ["~ vl-lan: VLAN filtering off", "- VLAN 30 at eth0", "+ VLAN 1 untagged at vl-a", "- VLAN 30 at vl-a"]
    assert g.ping(ROUTER) and not filtering(lan) and d.get("/v1/diff")["changes"] == []
    assert d.api("DELETE", "/v1/networks/lan?force=1")[0] == 200
    assert set(lan.host.links()) == {"lo", "eth0"}
    assert lan.host.run("busybox", "ping", "-q", "-c", "1", "-W", "2", ROUTER)


def test_foreign_bridge(lan, daemon, guest):
    """It has to filter VLANs already; of it only the guests' own ports are touched."""
    host, text = lan.host, LAN.replace("uplink: eth0", "bridge: br0")
    host.run("ip", "-batch", "-", stdin="""link add br0 type bridge
link add p1 type veth peer name p2
link set p1 master br0 up
link set br0 up
""")
    d = daemon({})
    d.write("lan.yaml", text)
    d.vmlane("apply")
    code, said = d.errors("guest", "attach", "a", "--network", "lan")
    assert code == 2 and "br0 does not filter VLANs" in said and "vlan_filtering 1" in said
    assert "vl-a" not in host.links() and d.get("/v1/guests")["guests"][0]["state"] == "absent"
    d.vmlane("guest", "attach", "plain", "--network", "lan")
    host.run("ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1", "vlan_default_pvid", "5")
    host.run("bridge", "vlan", "add", "vid", "20", "dev", "p1")
    d.vmlane("guest", "attach", "a", "--network", "lan")
    assert vlans(host, "vl-a") == {20: True} and vlans(host, "vl-plain") == {5: True}
    assert vlans(host, "p1") == {5: True, 20: False} and vlans(host, "br0") == {5: True}
    assert d.get("/v1/diff")["changes"] == [] and d.status()["problems"] == []
    # Where it no longer can be kept in its VLAN a guest is in none.
    host.run("ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "0")
    code, said = d.errors("apply")
    assert code == 2 and "br0 does not filter VLANs" in said and "master" not in host.links()["vl-a"]
    assert d.vmlane("guest", "show", "a")["problem"]["code"] == "no-vlan-filtering"
    assert any(p["code"] == "no-vlan-filtering" for p in d.status()["problems"])
    host.run("ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1")
    d.vmlane("apply")
    assert vlans(host, "vl-a") == {20: True} and d.vmlane("guest", "show", "a")["problem"] is None
    assert d.api("DELETE", "/v1/networks/lan?force=1")[0] == 200
    assert vlans(host, "p1") == {5: True, 20: False} and filtering(lan, "br0") == 1
