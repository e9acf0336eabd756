# SPDX-License-Identifier: GPL-2.0-or-later
"""What networks with IPv6 ask of the host: forwarding in both of the kernel's ways, the uplink that
goes on listening to its router, nothing opened between others, and all of it put back."""
import contextlib
import os
import subprocess

import pytest

from daemon import DEFAULT
from packet import Ether, Wire, udp_ask
from test_ipv6 import HOSTS, NAT, ULA, ping, six
from test_modes import network
from world import INTERNET6, UPLINK, Monitor, wait_for

# pylint: disable=wrong-import-order,no-name-in-module
from scapy.layers.inet6 import (ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IPv6)  # isort: skip

PROBE = "/proc/sys/net/ipv6/conf/all/force_forwarding"


@pytest.fixture(params=["each interface", "the whole host"])
def way(request, world):
    """How the kernel forwards: Linux 6.17 and later can by interface; to the daemon that of @world
    looks like an older one where what it asks for is hidden."""
    has = world.host.run("test", "-e", PROBE, check=False).returncode == 0
    if request.param == "each interface":
        if not has:
            pytest.skip("this kernel has no force_forwarding")
        yield request.param
        return
    with contextlib.ExitStack() as stack:
        if has:
            world.host.run("mount", "--bind", "/dev/null", PROBE)
            stack.callback(world.host.run, "umount", PROBE)
        yield request.param


def settings(world, *keys):
    """The host's IPv6 sysctls that we may touch, of all interfaces but ours."""
    keys = keys or ("forwarding", "force_forwarding", "accept_ra")
    found = {}
    for dev in world.host.run("ls", "/proc/sys/net/ipv6/conf").split():
        for key in keys:
            path = f"/proc/sys/net/ipv6/conf/{dev}/{key}"
            if not dev.startswith("vl-") and world.host.run("test", "-e", path, check=False).returncode == 0:
                found[f"{dev}/{key}"] = world.host.run("cat", path).strip()
    return found


def sysctl6(world, path):
    return world.host.sysctl(f"net/ipv6/conf/{path}")


# ---- the uplink's router advertisements ----


class Router:
    """The Internet's end of eth0 as a router that advertises itself."""

    def __init__(self, world):
        self.world, self.wire = world, Wire(world.internet, "eth0")
        self.mac = world.internet.links()["eth0"]["address"]
        self.lladdr = wait_for("the router's address", self._lladdr)

    def _lladdr(self):
        return next((a["local"] for link in self.world.internet.ip("-6", "addr", "show", "dev", "eth0", "scope", "link")
                     for a in link.get("addr_info", []) if "local" in a and not a.get("tentative")), None)

    def say(self, lifetime):
        self.wire.send(Ether(src=self.mac, dst="33:33:00:00:00:01") / IPv6(src=self.lladdr, dst="ff02::1", hlim=255)
                       / ICMPv6ND_RA(routerlifetime=lifetime) / ICMPv6NDOptSrcLLAddr(lladdr=self.mac)
                       / ICMPv6NDOptPrefixInfo(prefix="2001:db8:113::", prefixlen=64, validlifetime=2 * lifetime,
                                               preferredlifetime=lifetime))

    def heard(self):
        """What the host has of it: for how many seconds yet, or None."""
        route = self.world.host.run("ip", "-6", "route", "show", "default", "proto", "ra").split()
        return int(route[route.index("expires") + 1].rstrip("sec")) if "expires" in route else None


def has_address(ns, dev):
    """A global one that may be used."""
    text = ns.run("ip", "-6", "addr", "show", "dev", dev, "scope", "global")
    return "inet6" in text and "tentative" not in text


def internet_by_ra(world):
    """An IPv6 Internet that the host hears of by advertisements only."""
    world.internet.run("ip", "addr", "add", "2001:db8:113::1/64", "dev", "eth0", "nodad")
    world.internet.run("ip", "addr", "add", f"{INTERNET6}/128", "dev", "lo", "nodad")
    world.internet.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    server = world.internet.python("server.py", INTERNET6, stdout=subprocess.PIPE, log=f"{world.tmp}/server6.log")
    assert server.line() == "ready"
    router = Router(world)
    router.say(60)
    wait_for("the host's address", lambda: has_address(world.host, "eth0"))
    assert router.heard() and ping(world.host, INTERNET6)
    return router


def test_the_uplink_goes_on_listening(world, way, daemon, guest):
    """Its default route by advertisement is not lost for a moment, and is refreshed by later ones."""
    router = internet_by_ra(world)
    before = settings(world)
    assert before["eth0/accept_ra"] == "1"
    ip = Monitor(world.host, "ip")
    d = daemon({"default.yaml": NAT})
    assert not [line for line in ip.lines() if "Deleted" in line and "default" in line], "the route was gone"
    assert router.heard() and ping(world.host, INTERNET6)
    assert sysctl6(world, "eth0/accept_ra") == "2"
    router.say(600)
    wait_for("a longer life", lambda: (router.heard() or 0) > 60)
    g = guest("web1", d=d)
    g.slaac(ULA)
    assert g.http(INTERNET6)["address"].startswith("2001:db8:113:")
    # A short one ends when it said, as it would without us; and another begins.
    router.say(1)
    wait_for("the end of the route", lambda: router.heard() is None)
    router.say(600)
    wait_for("the route", router.heard)
    wait_for("the way out", lambda: udp_ask(g.ns, address=INTERNET6, timeout=0.3))
    # More networks, and none: the route stays.
    ip.lines()
    d.vmlane("network", "create", "lab", "--ipv6", "auto")
    d.vmlane("network", "delete", "lab")
    d.vmlane("network", "stop", "default", "--force")
    assert not [line for line in ip.lines() if "Deleted" in line and "default via" in line]
    assert router.heard() and settings(world) == before


def test_advertisements_are_nobodys_business_without_them(world, way, daemon):
    """A host whose routes are static: accept_ra stays, where forwarding by interface leaves that."""
    world.internet6()
    before = settings(world)
    daemon({"default.yaml": NAT})
    assert ping(world.host, INTERNET6)
    changed = {k for k, v in settings(world).items() if before.get(k) != v}
    if way == "each interface":
        assert changed == {"eth0/force_forwarding"}
    else:
        assert "eth0/force_forwarding" not in changed and "all/forwarding" in changed
        assert sysctl6(world, "eth0/accept_ra") == sysctl6(world, "default/accept_ra") == "2"


def test_an_interface_that_comes_later_listens(world, way, daemon):
    router = internet_by_ra(world)
    daemon({"default.yaml": NAT})
    world.host.run("ip", "link", "del", "eth0")
    wait_for("it is gone", lambda: router.heard() is None)
    world.uplink("eth0", UPLINK, "203.0.113.1")
    world.internet.run("ip", "addr", "add", "2001:db8:113::1/64", "dev", "eth0", "nodad")
    again = Router(world)
    again.say(600)
    wait_for("the route", again.heard)
    wait_for("the host's address", lambda: has_address(world.host, "eth0"))
    assert ping(world.host, INTERNET6)


# ---- what was closed stays closed ----


def lan(world):
    """A namespace behind another interface of the host: (it, a way to ask the Internet)."""
    ns = world.ns("lan")
    world.host.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", "lan")
    for where, dev, address in ((world.host, "lan0", "2001:db8:9::1"), (ns, "eth0", "2001:db8:9::2")):
        where.run("ip", "addr", "add", f"{address}/64", "dev", dev, "nodad")
        where.run("ip", "link", "set", dev, "up")
    ns.run("ip", "route", "add", "default", "via", "2001:db8:9::1")
    world.internet.run("ip", "route", "add", "2001:db8:9::/64", "via", "2001:db8:113::2")
    return ns


def test_others_stay_as_they_were(world, way, daemon, guest):
    """Between the host's other interfaces nothing was forwarded before, and nothing is now."""
    world.internet6()
    ns = lan(world)
    wait_for("the lan", lambda: ping(ns, "2001:db8:9::1"))
    assert not ping(ns, INTERNET6) and not ping(world.internet, "2001:db8:9::2")
    d = daemon({"default.yaml": NAT})
    g = guest("web1", d=d)
    g.slaac(ULA)
    assert ping(g.ns, INTERNET6)
    assert not ping(ns, INTERNET6) and not ping(world.internet, "2001:db8:9::2")
    assert d.status()["counters"]["firewall"]["closed"] >= 1
    assert ping(ns, "2001:db8:9::1"), "the host itself is reached as ever"
    d.vmlane("network", "stop", "default", "--force")
    assert not ping(ns, INTERNET6) and not ping(world.internet, "2001:db8:9::2")


def test_a_router_stays_one(world, way, daemon, guest):
    """Who forwards already goes on doing so, with networks of ours and after them."""
    world.internet6()
    ns = lan(world)
    world.host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
    before = settings(world)
    wait_for("a router", lambda: ping(ns, INTERNET6) and ping(world.internet, "2001:db8:9::2"))
    d = daemon({"default.yaml": NAT})
    assert settings(world) == before
    g = guest("web1", d=d)
    g.slaac(ULA)
    assert ping(g.ns, INTERNET6) and ping(ns, INTERNET6) and ping(world.internet, "2001:db8:9::2")
    d.vmlane("network", "delete", "default", "--force")
    assert settings(world) == before and ping(ns, INTERNET6)


def test_what_others_switch_passes(world, way, daemon):
    """With br_netfilter frames inside somebody else's bridge come by the rules, and go on."""
    calls = "/proc/sys/net/bridge/bridge-nf-call-ip6tables"
    if world.host.run("test", "-e", calls, check=False).returncode:
        pytest.skip("no br_netfilter (modprobe br_netfilter)")
    world.internet6()
    world.host.run("sh", "-c", f"echo 1 >{calls}")
    world.host.run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
    world.host.run("ip", "link", "set", "br0", "up")
    ends = []
    for i in (1, 2):
        ends.append(world.ns(f"end{i}"))
        world.host.run("ip", "link", "add", f"p{i}", "type", "veth", "peer", "name", "eth0", "netns", f"end{i}")
        world.host.run("ip", "link", "set", f"p{i}", "master", "br0", "up")
        ends[-1].run("ip", "addr", "add", f"2001:db8:44::{i}/64", "dev", "eth0", "nodad")
        ends[-1].run("ip", "link", "set", "eth0", "up")
    wait_for("the bridge", lambda: ping(ends[0], "2001:db8:44::2"))
    d = daemon({"default.yaml": NAT})
    assert ping(ends[0], "2001:db8:44::2") and d.vmlane("diff") == {"changes": []}


# ---- and back ----


def test_all_of_it_is_put_back(world, way, daemon, guest):
    """By stop, by delete, and by a daemon that was killed in between."""
    router = internet_by_ra(world)
    world.host.run("sh", "-c", "ip link add set-apart type bridge; echo 1 >/proc/sys/net/ipv6/conf/set-apart/forwarding")
    router.say(600)  # that, too, costs it
    wait_for("the route", router.heard)
    before = settings(world)
    d = daemon({"default.yaml": NAT, "hosts.yaml": HOSTS})
    assert settings(world) != before
    d.vmlane("network", "stop", "default")
    assert settings(world) == before and d.vmlane("diff") == {"changes": []}
    d.vmlane("network", "start", "default")
    d.kill9()
    d.start()
    assert d.writes() == 0
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert settings(world) == before
    d.write("default.yaml", NAT)
    d.vmlane("apply")
    assert settings(world) != before
    d.kill9()
    os.unlink(f"{d.config}/default.yaml")
    d.start()
    assert settings(world) == before and router.heard()


def test_a_saved_value_goes_along_with_its_interface(world, way, daemon):
    router = internet_by_ra(world)
    before = settings(world)
    d = daemon({"default.yaml": NAT})
    world.host.run("ip", "link", "set", "eth0", "down")
    world.host.run("ip", "link", "set", "eth0", "name", "wan0")
    world.host.run("ip", "link", "set", "wan0", "up")
    wait_for("the interface", lambda: "LOWER_UP" in world.host.run("ip", "link", "show", "wan0"))
    router.say(600)
    wait_for("the route", router.heard)
    d.vmlane("apply")
    assert sysctl6(world, "wan0/accept_ra") == "2"
    d.vmlane("network", "delete", "default")
    assert settings(world) == {k.replace("eth0/", "wan0/"): v for k, v in before.items()}


# ---- no IPv6 on the host ----


def test_ipv6_is_off(world, daemon, guest):
    """Named, with what to do; IPv4 works, and IPv6 does once it is there."""
    world.host.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    before = settings(world)
    d = daemon({"default.yaml": NAT, "lab.yaml": six(network("lab", "nat", "192.168.5.0/24"), "auto")})
    shown = d.network()
    assert shown["state"] == "running" and shown["problem"]["code"] == "ipv6-off"
    assert "sysctl -w net.ipv6.conf.all.disable_ipv6=0" in shown["problem"]["message"]
    assert "192.168.122.0/24" in d.vmlane("network", "show", "default", json_out=False)
    g = guest("web1", d=d)
    g.dhcp()
    assert g.http()["address"] == UPLINK
    assert settings(world) == before and d.vmlane("diff") == {"changes": []}
    d.restart()
    assert d.writes() == 0 and d.network()["problem"]["code"] == "ipv6-off"
    world.host.run("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    world.internet6()
    d.vmlane("apply")
    assert d.network()["problem"] is None and d.network("lab")["problem"] is None
    g.slaac(ULA)
    # The guardian may have been faster than the host's way out, and advertised no router at first.
    wait_for("the router", lambda: g.ns.run("ip", "-6", "route", "show", "default"))
    assert g.http(INTERNET6)["address"] == "2001:db8:113::2"
