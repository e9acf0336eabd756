# SPDX-License-Identifier: GPL-2.0-or-later
"""IPv6 as real systems in the guests see it: the kernel, systemd-networkd and dhcpcd as hosts that
heed router advertisements, and what must not keep them from an address."""
import ipaddress
import os
import time

import pytest

from client6 import CLIENTS6, NETWORKD
from daemon import DEFAULT
from packet import Wire
from test_modes import network
from world import INTERNET6, TIMEOUT, UPLINK6, wait_for

# pylint: disable=wrong-import-order,no-name-in-module
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6ND_RS, IPv6  # isort: skip
from scapy.layers.l2 import Ether  # isort: skip

ULA, OTHER = "fd00:122::/64", "fd00:123::/64"
DNS = "2001:db8:100::53"


def six(prefix, more=""):
    return DEFAULT + f"ipv6:\n  subnet: {prefix}\n{more}"


def resolvers(world):
    with open(world.resolv, "w", encoding="utf-8") as f:
        f.write(f"nameserver {DNS}\nnameserver 203.0.113.1\n")


def eui64(prefix, mac):
    """What RFC 4862 makes of a prefix and a MAC."""
    b = bytes.fromhex(mac.replace(":", ""))
    host = bytes([b[0] ^ 2]) + b[1:3] + b"\xff\xfe" + b[3:]
    return str(ipaddress.IPv6Address(ipaddress.ip_network(prefix).network_address.packed[:8] + host))


@pytest.fixture(params=list(CLIENTS6))
def client(request):
    if request.param == "networkd" and not os.access(NETWORKD, os.X_OK):
        pytest.skip(f"{NETWORKD} is not installed (package systemd)")
    return CLIENTS6[request.param]


def test_client_is_told_everything(world, daemon, guest, client):
    world.internet6()
    resolvers(world)
    d = daemon({"default.yaml": six(ULA, "mtu: 1400\n")})
    g = guest("web1", d=d)
    c = client(g)
    assert c.until("its address", lambda c: c.addresses(ULA)) == [eui64(ULA, g.mac)]
    bridge, = (a["local"] for a in world.host.ip("-6", "addr", "show", "dev", "vl-default")[0]["addr_info"]
               if a["scope"] == "link")
    assert c.until("its router", lambda c: c.routers()) == [bridge]
    assert c.mtu() == 1400
    c.until("its resolver", lambda c: c.dns() in (None, ([DNS], ["default.vm"])))
    assert g.http(INTERNET6)["address"] == UPLINK6


def test_networkd_has_both(world, daemon, guest):
    """One client for IPv4 and IPv6, as in most guests."""
    if not os.access(NETWORKD, os.X_OK):
        pytest.skip(f"{NETWORKD} is not installed (package systemd)")
    world.internet6()
    resolvers(world)
    d = daemon({"default.yaml": six(ULA)})
    g = guest("web1", d=d)
    c = CLIENTS6["networkd"](g)
    c.until("both addresses", lambda c: c.addresses(ULA) and g.ns.addresses("eth0") and c.routers())
    c.until("all resolvers", lambda c: set(c.state().get("DNS", "").split()) == {DNS, "203.0.113.1"})
    assert d.lease(g.mac)["address"] + "/24" in g.ns.addresses("eth0")
    assert g.http(INTERNET6)["address"] == UPLINK6 and g.http()["address"] == "203.0.113.2"
    assert c.state()["OPER_STATE"] == "routable"


def test_another_prefix(world, daemon, guest, client):
    """New connections go from the new one at once; the router stays, and resolvers follow."""
    world.internet6()
    d = daemon({"default.yaml": six(ULA, "  dns: [ fd00:122::53 ]\n")})
    g = guest("web1", d=d)
    c = client(g)
    c.until("its address", lambda c: c.addresses(ULA) and c.routers())
    router = c.routers()
    d.write("default.yaml", six(OTHER, "  dns: [ fd00:123::53 ]\n"))
    d.vmlane("apply")
    c.until("the new address", lambda c: c.addresses(OTHER))
    c.until("the old one out of use", lambda c: not c.addresses(ULA))
    c.until("the new resolver", lambda c: c.dns() is None or c.dns()[0] == ["fd00:123::53"])
    assert c.addresses(ULA, preferred=False) == [eui64(ULA, g.mac)]
    assert c.routers() == router
    assert g.http(INTERNET6)["address"] == UPLINK6


def test_no_way_out(daemon, guest, client):
    """Addresses, but no default route; and IPv4 is left as it is."""
    d = daemon({"default.yaml": six(ULA)})
    g = guest("web1", d=d)
    c = client(g)
    address, = c.until("its address", lambda c: c.addresses(ULA))
    assert c.routers() == [] and address == eui64(ULA, g.mac)
    g.dhcp()
    assert g.http()["address"] == "203.0.113.2"


def test_the_daemon_goes_and_comes(world, daemon, guest, client):
    """Whether it is stopped or killed, guests keep what they have; a new one is served after."""
    world.internet6()
    d = daemon({"default.yaml": six(ULA)})
    g = guest("web1", d=d)
    c = client(g)
    c.until("its address", lambda c: c.addresses(ULA) and c.routers())
    wire = Wire(g.ns)
    for end in (d.stop, d.kill9):
        end()
        assert c.addresses(ULA) and c.routers() and g.http(INTERNET6)["address"] == UPLINK6
        d.start()
    new = CLIENTS6["kernel"](guest("web2", d=d))
    new.until("its address", lambda c: c.addresses(ULA) and c.routers())
    assert c.addresses(ULA) and c.routers()
    # Nor was anybody told to forget a router.
    lifetimes = [f[ICMPv6ND_RA].routerlifetime for f in wire.frames(0.1) if ICMPv6ND_RA in f]
    assert lifetimes and 0 not in lifetimes


def test_privacy_addresses(world, daemon, guest):
    """Whatever host part a guest makes up within the prefix is its own."""
    world.internet6()
    d = daemon({"default.yaml": six(ULA)})
    g = guest("web1", d=d)
    g.ns.run("sh", "-c", "echo 2 >/proc/sys/net/ipv6/conf/eth0/use_tempaddr")
    c = CLIENTS6["kernel"](g)
    temporary = set(c.until("two addresses", lambda c: len(c.addresses(ULA)) == 2 and c.addresses(ULA)))
    temporary -= {eui64(ULA, g.mac)}
    assert len(temporary) == 1
    used = g.ns.ip("-6", "route", "get", INTERNET6)[0]["prefsrc"]
    assert {used} == temporary
    assert g.http(INTERNET6)["address"] == UPLINK6


# ---- what must not keep guests from an address ----


def solicitation(g):
    return Ether(src=g.mac, dst="33:33:00:00:00:02") / IPv6(src="fe80::77", dst="ff02::2", hlim=255) / ICMPv6ND_RS()


def ask(g, wire, to=("fe80::77",)):
    """The answer to a solicitation, most often for the guest alone."""
    wire.send(solicitation(g))
    for frame in wire.frames(TIMEOUT):
        if ICMPv6ND_RA in frame and frame[IPv6].dst in to:
            return frame
    raise AssertionError("no advertisement")


def test_host_firewall_drops_all(world, daemon, guest):
    """A host whose own rules let nothing in still answers its guests."""
    world.internet6()
    world.host.nft("table inet strict { chain i { type filter hook input priority -200; policy drop; }; }")
    d = daemon({"default.yaml": six(ULA)})
    g = guest("web1", d=d)
    assert ask(g, Wire(g.ns))[ICMPv6ND_RA].routerlifetime == 9000
    assert g.slaac(ULA) == eui64(ULA, g.mac)


def test_a_querier_among_the_guests(world, daemon, guest):
    """A bridge that snoops keeps groups from who is not in them: the host is in that of the routers."""
    d = daemon({"hosts.yaml": network("hosts", "isolated", "192.168.8.0/24") + f"ipv6:\n  subnet: {ULA}\n"})
    g = guest("web1", d=d, network="hosts")
    assert world.host.sysctl("net/ipv6/conf/vl-hosts/forwarding") == "0"
    for option, value in (("mcast_snooping", 1), ("mcast_query_response_interval", 10), ("mcast_querier", 1)):
        world.host.run("ip", "link", "set", "vl-hosts", "type", "bridge", option, value)
    time.sleep(0.2)  # the response interval, before which a querier does not count; nobody tells
    ask(g, Wire(g.ns))


def test_a_flood_hurts_nobody_else(world, daemon, guest):
    """One guest asks without a pause; those of its own and of other networks are told in time."""
    world.internet6()
    d = daemon({"default.yaml": six(ULA), "lab.yaml": network("lab", "nat", "192.168.5.0/24")
                + f"ipv6:\n  subnet: {OTHER}\n"})
    bad, good, far = guest("bad", d=d), guest("good", d=d), guest("far", d=d, network="lab")
    flood, wire, farwire = Wire(bad.ns), Wire(good.ns), Wire(far.ns)
    frame = bytes(solicitation(bad))
    for _ in range(5000):
        flood.s.send(frame)
    ask(good, wire, ("fe80::77", "ff02::1"))  # at the latest by the next to all, within 3 s
    ask(far, farwire)
    for _ in range(5000):
        flood.s.send(frame)
    c = wait_for("the limit", lambda: put_off(d))
    assert c["answered"] + c["put_off"] == c["received"] and c["bad"] == 0 and c["send_failed"] == 0
    shown = d.vmlane("status", json_out=False)
    assert "adverts" in shown and " put off, since too many asked" in shown


def put_off(d):
    c = d.status()["counters"]["ra"]
    return c if c["put_off"] else None
