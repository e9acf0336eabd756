# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests on a LAN as people have it: a router with dnsmasq, the usual DHCP clients, a real machine.

    [guest] -- tap | vl-lan | host eth0 -- 203.0.113.0/24 -- internet eth0, the LAN's router and DHCP server
"""
import subprocess

import pytest

from daemon import program
from world import UPLINK, wait_for

ROUTER = "203.0.113.1"
LAN = {"network": "lan", "mode": "bridged", "uplink": "eth0"}
CLIENTS = ["udhcpc", "dhclient", "dhcpcd"]
FILTER = "/proc/sys/net/bridge/bridge-nf-call-iptables"


class Router:
    """The LAN's own DHCP server, and what it knows of its neighbours."""

    def __init__(self, world):
        self.ns, self.leases = world.internet, f"{world.tmp}/leases"
        world.internet.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0",
                             "--bind-interfaces", "--dhcp-range=203.0.113.100,203.0.113.150,1h", "--no-ping",
                             f"--dhcp-leasefile={self.leases}", "--user=root", log=f"{world.tmp}/dnsmasq.log")

    def lease(self, mac):
        """The address that it has given to @mac, or None."""
        try:
            with open(self.leases, encoding="utf-8") as f:
                return next((line.split()[2] for line in f if line.split()[1] == mac), None)
        except FileNotFoundError:
            return None

    def mac_of(self, ip):
        """Whoever answers for @ip."""
        self.ns.run("busybox", "ping", "-q", "-c", "1", "-W", "2", ip)
        return {n["dst"]: n.get("lladdr") for n in self.ns.ip("-4", "neigh", "show", "dev", "eth0")}[ip]


@pytest.fixture
def router(world):
    return Router(world)


@pytest.fixture
def lan(daemon, router):
    d = daemon({})
    status, answer = d.api("POST", "/v1/networks", LAN)
    assert status == 201, answer
    wait_for("the gateway to answer", lambda: d.network("lan")["takeover"]["phase"] == "held")
    return d


@pytest.mark.long
@pytest.mark.parametrize("tap", [False, True], ids=["run", "attach"])
@pytest.mark.parametrize("client", CLIENTS)
def test_address_of_the_lan(router, lan, guest, client, tap):
    """The LAN's router gives it, and the guest is reached there under its own MAC and address."""
    g = guest("web1", d=lan, network="lan", tap=tap)
    told = g.dhcp(client, arp=True)
    assert told["server"] == told["router"] == ROUTER and told["prefix"] == 24 and told["lease"] == "3600"
    assert told["address"] == router.lease(g.mac) and told["address"].startswith("203.0.113.1")
    assert router.mac_of(g.ip) == g.mac
    # It is no one but itself out there: no translation, and no address of the host's.
    assert g.http(ROUTER)["address"] == g.ip
    assert g.ping(UPLINK) and lan.get("/v1/leases")["leases"] == []
    assert {m["mac"]: m["port"] for m in lan.vmlane("mac", "list")["macs"] if m["kind"] == "static"}[g.mac] == "vl-web1"


def test_guests_host_and_lan_reach_each_other(world, router, lan, guest):
    one, two = guest("one", d=lan, network="lan"), guest("two", d=lan, network="lan", tap=True)
    assert one.dhcp()["address"] != two.dhcp()["address"]
    assert one.ping(two.ip) and two.ping(one.ip) and one.ping(UPLINK)
    for ip in (one.ip, two.ip):
        world.host.run("busybox", "ping", "-q", "-c", "1", "-W", "2", ip)
    assert router.mac_of(one.ip) == one.mac and router.mac_of(two.ip) == two.mac
    assert router.mac_of(UPLINK) == world.host.links()["eth0"]["address"]
    picture = lan.vmlane("network", "show", "lan", json_out=False)
    assert "LAN" in picture and "one" in picture and "two" in picture


def test_lease_is_kept_when_the_daemon_ends(router, lan, guest):
    """The LAN goes on without it: a guest renews, and a new connection is made."""
    g = guest("web1", d=lan, network="lan")
    told = g.dhcp()
    lan.kill9()
    assert told["client"].renew()["address"] == g.ip
    assert g.http(ROUTER)["address"] == g.ip and router.mac_of(g.ip) == g.mac
    lan.start()
    assert lan.writes() == 0 and g.http(ROUTER)["address"] == g.ip


def test_foreign_bridge(world, router, daemon, guest):
    """The same on a bridge that somebody else has made, with the NIC in it."""
    world.host.run("ip", "-batch", "-", stdin=f"""link add br0 type bridge
link set br0 up
addr flush dev eth0
link set eth0 master br0
addr add {UPLINK}/24 dev br0
route add default via {ROUTER}
""")
    d = daemon({})
    assert d.api("POST", "/v1/networks", {"network": "lan", "mode": "bridged", "bridge": "br0", "uplink": "eth0"})[0] == 201
    g = guest("web1", d=d, network="lan")
    assert g.dhcp()["address"] == router.lease(g.mac) and router.mac_of(g.ip) == g.mac
    assert g.http(ROUTER)["address"] == g.ip and d.status()["problems"] == []
    # Stopped, its guests are on the LAN no more, and nothing else of the bridge has changed.
    d.vmlane("network", "stop", "lan", "--force")
    assert not g.ping(ROUTER) and "master" not in world.host.links()["vl-web1"]
    assert world.host.links()["eth0"]["master"] == "br0" and d.get("/v1/diff")["changes"] == []
    d.vmlane("network", "start", "lan")
    assert g.ping(ROUTER) and d.get("/v1/diff")["changes"] == []


def test_frames_that_the_host_filters(world, router, lan, guest):
    """br_netfilter and a chain that drops what it does not know: named, and what it says to do helps."""
    if world.host.run("test", "-e", FILTER, check=False).returncode:
        pytest.skip("this kernel has no br_netfilter")
    g = guest("web1", d=lan, network="lan")
    g.dhcp()
    world.host.run("sh", "-c", f"echo 1 >{FILTER}")
    assert lan.network("lan")["problem"] is None and g.ping(ROUTER)
    world.host.nft("table ip filter {\nchain FORWARD {\ntype filter hook forward priority 0; policy drop;\n}\n}\n")
    assert not g.ping(ROUTER)
    n = lan.network("lan")
    assert n["state"] == "running" and n["problem"]["code"] == "br-netfilter", n
    assert "ip filter FORWARD" in n["problem"]["message"] and "iifname and oifname vl-lan" in n["problem"]["message"]
    assert any(p["code"] == "br-netfilter" for p in lan.status()["problems"])
    # Nothing of it is done for whoever has not said so.
    lan.vmlane("apply")
    assert not g.ping(ROUTER)
    world.host.run("nft", "add", "rule", "ip", "filter", "FORWARD", "iifname", "vl-lan", "oifname", "vl-lan", "accept")
    assert g.ping(ROUTER) and g.http(ROUTER)["address"] == g.ip
    world.host.run("nft", "flush", "chain", "ip", "filter", "FORWARD")
    world.host.run("sh", "-c", f"echo 0 >{FILTER}")
    assert g.ping(ROUTER) and lan.network("lan")["problem"] is None


# ---- a real machine ----


@pytest.fixture
def image(need_qemu):
    """(QEMU, kernel, initrd): a machine that gets an address by DHCP and serves a page."""
    done = subprocess.run([program("vmlane-guest-image"), "--offline"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        pytest.skip("no kernel for the guest: " + done.stderr.strip().splitlines()[-1])
    words = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    return need_qemu, words["kernel"], words["initrd"]


def boot(d, image, name, network):
    """A machine on @network, started by `vmlane run` as people do; what `guest show` says of it."""
    qemu, kernel, initrd = image
    x86 = "x86" in qemu
    console, log = "ttyS0" if x86 else "ttyAMA0", f"{d.world.tmp}/{name}.console.log"
    d.world.host.start(*d.argv("run", "--network", network, "--name", name, "--", qemu, "-nodefaults", "-no-user-config",
                               "-display", "none", "-machine", ("pc" if x86 else "virt") + ",accel=tcg", "-cpu", "max",
                               "-m", "256", "-kernel", kernel, "-initrd", initrd, "-append",
                               f"console={console} panic=-1 vmlane.name={name}", "-serial", f"file:{log}", "-serial", "null"),
                       log=f"{d.world.tmp}/{name}.qemu.log")

    def plugged():
        done = d.api("GET", f"/v1/guests/{name}")
        return done[0] == 200 and done[1]["state"] == "running" and done[1]

    return wait_for(f"machine {name}", plugged)


def page(ns, ip):
    """What the machine serves; it is still starting when its address is known."""
    def fetch():
        done = ns.run("curl", "-sS", "--max-time", "2", f"http://{ip}/", check=False)
        return done.returncode == 0 and done.stdout

    return wait_for(f"the page of {ip}", fetch, step=0.1)


@pytest.mark.slow
def test_machine_on_the_lan(world, router, lan, image):
    """QEMU boots a kernel; the LAN's router gives it an address and fetches its page."""
    vm = boot(lan, image, "vm1", "lan")
    ip = wait_for("an address from the LAN", lambda: router.lease(vm["mac"]))
    assert page(world.internet, ip) == "hello from vm1\n"
    assert router.mac_of(ip) == vm["mac"]
    assert page(world.host, ip) == "hello from vm1\n"
    shown = lan.vmlane("guest", "show", "vm1")
    assert shown["process"].startswith("qemu-system") and shown["nic_model"] == "virtio-net"


@pytest.mark.slow
def test_machine_behind_nat(world, vmlaned, image):
    """The same machine behind NAT: an address of ours, and nobody outside comes in."""
    vm = boot(vmlaned, image, "vm1", "default")
    lease = wait_for("a lease of ours", lambda: vmlaned.lease(vm["mac"]))
    assert lease["guest"] == "vm1" and page(world.host, lease["address"]) == "hello from vm1\n"
    world.internet.run("ip", "route", "add", "192.168.122.0/24", "via", UPLINK)
    refused = world.internet.run("curl", "-sS", "--max-time", "3", f"http://{lease['address']}/", check=False)
    assert refused.returncode in (7, 28), refused
    assert vmlaned.vmlane("guest", "show", "vm1")["ipv4"] == lease["address"]
