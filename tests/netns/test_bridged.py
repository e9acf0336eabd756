# SPDX-License-Identifier: GPL-2.0-or-later
"""mode: bridged - the host's only NIC goes into a bridge and comes back, and nothing is lost by it.

    [guest] -- tap | vl-lan | host eth0 -- 203.0.113.0/24 -- internet, here the LAN's router
"""
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

from daemon import HOOKS
from guest import stop_stream
from world import INTERNET, UPLINK, wait_for

ROUTER = "203.0.113.1"
LAN = {"network": "lan", "mode": "bridged", "uplink": "eth0"}


def settled(world):
    """The link-local address is there, and known to be unique."""
    show = ["ip", "-6", "addr", "show", "dev", "eth0"]
    wait_for("the link-local address", lambda: "tentative" not in world.host.run(*show) and "fe80" in world.host.run(*show))


def furnish(world):
    """Everything that may belong to a NIC, beside the usual."""
    host = world.host
    host.run("ip", "-batch", "-", stdin=f"""
addr add 203.0.113.50/24 dev eth0 label eth0:1
addr add 198.18.0.1 peer 198.18.0.2 dev eth0 scope link
addr add 203.0.113.60/24 dev eth0 valid_lft 3000 preferred_lft 2000
addr add 10.77.0.1/24 dev eth0 noprefixroute metric 77
route add 10.78.0.0/16 via {ROUTER} metric 50 mtu 1400 proto static
route add 10.79.0.0/16 dev eth0 scope link src 203.0.113.50 table 100
route add default via 198.18.0.9 dev eth0 onlink table 100 metric 5
route add 10.80.0.0/16 nexthop via {ROUTER} weight 3 nexthop via 203.0.113.9 weight 1
rule add iif eth0 lookup 100 pref 1000
rule add oif eth0 from 203.0.113.50 lookup 100 pref 1001
""")
    host.run("ip", "-6", "-batch", "-", stdin="""addr add 2001:db8:1::2/64 dev eth0 nodad
addr add 2001:db8:1::3/64 dev eth0 nodad valid_lft 3000 preferred_lft 0
route add default via 2001:db8:1::1 dev eth0 metric 512
route add 2001:db8:9::/48 via fe80::1 dev eth0 proto ra expires 2000
rule add iif eth0 lookup 100 pref 1002
""")
    settled(world)
    world.internet.run("ip", "-6", "addr", "add", "2001:db8:1::1/64", "dev", "eth0", "nodad")


def picture(world, dev="eth0"):
    """What belongs to @dev, in the words of `ip`, without what the clock changes: of 2000 seconds to
    live and those just below it becomes the same."""
    found = []

    def about(seconds):
        return (int(seconds) + 250) // 500

    for family in ("-4", "-6"):
        for link in json.loads(world.host.run("ip", "-j", "-d", family, "addr", "show", "dev", dev) or "[]"):
            for a in link.get("addr_info", []):
                for key in ("valid_life_time", "preferred_life_time"):
                    a[key] = "forever" if a[key] == 4294967295 else a[key] > 0 and about(a[key])
                found.append(json.dumps(a, sort_keys=True))
        for line in world.host.run("ip", "-d", family, "route", "show", "table", "all").splitlines():
            words = line.split()
            if f" dev {dev} " in f"{line} " and "local" not in words[:1] and "table local" not in line:
                if "expires" in words:
                    at = words.index("expires")
                    words[at + 1] = str(about(words[at + 1].rstrip("sec")))
                found.append(" ".join(words).replace(" linkdown", ""))
        found += [line for line in world.host.run("ip", family, "rule").splitlines() if f" {dev}" in line]
    routes = world.host.run("ip", "route", "show", "10.80.0.0/16")
    return found + [" ".join(routes.replace(" linkdown", "").split())]


def renamed(things):
    return [t.replace("vl-lan", "eth0") for t in things]


class Talk:
    """A TCP connection of the host to the Internet that says something all the time."""

    def __init__(self, world, src=None, dst=INTERNET):
        family = socket.AF_INET6 if ":" in dst else socket.AF_INET
        with world.internet.enter():
            server = socket.socket(family)
            server.bind((dst, 0))
            server.listen(1)
        with world.host.enter():
            self.sock = socket.socket(family)
            if src:
                self.sock.bind((src, 0))
            self.sock.connect(server.getsockname()[:2])
        self.peer = server.accept()[0]
        server.close()

    def works(self):
        for a, b in ((self.sock, self.peer), (self.peer, self.sock)):
            b.settimeout(10)
            a.sendall(b"hello")
            got = b""
            while len(got) < 5:
                got += b.recv(5 - len(got))
            assert got == b"hello"


class Pulse:
    """UDP to the router and back every 2 ms; end() tells the longest time without an answer. The daemon
    is in a hurry as it is, since what it waits for others on a busy machine is not what is measured."""

    def __init__(self, world, d):
        os.sched_setscheduler(d.p.pid, os.SCHED_RR, os.sched_param(1))
        self.p = world.host.python("pulse.py", "/run/netns/internet", INTERNET, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, log=f"{world.tmp}/pulse.log")
        assert self.p.line() == "running"

    def end(self):
        self.p.p.stdin.close()
        longest = float(self.p.line())
        assert self.p.wait() == 0
        return longest


def phase(d, name="lan"):
    t = d.network(name)["takeover"]
    return t and t["phase"]


def held(d):
    wait_for("the gateway to answer", lambda: phase(d) == "held")


def take(d, **query):
    q = "&".join(f"{k}={v}" for k, v in query.items())
    return d.api("POST", f"/v1/networks?{q}", LAN)


def test_there_and_back(world, daemon):
    """Addresses, routes and rules come to the bridge and back; connections stay, packets flow."""
    furnish(world)
    Talk(world).works()
    before, mac = picture(world), world.host.links()["eth0"]["address"]
    d = daemon({})
    talks = [Talk(world), Talk(world, src="203.0.113.50"), Talk(world, src="2001:db8:1::2", dst="2001:db8:1::1")]
    pulse = Pulse(world, d)
    status, answer = take(d)
    assert status == 201, answer
    held(d)
    there = pulse.end()
    assert renamed(picture(world, "vl-lan")) == before
    assert picture(world) == [picture(world)[-1]]
    links = world.host.links()
    assert links["eth0"]["master"] == "vl-lan" and links["vl-lan"]["address"] == links["eth0"]["address"] == mac
    info = links["vl-lan"]["linkinfo"]["info_data"]
    assert info["stp_state"] == 0 and info["forward_delay"] == 0
    for t in talks:
        t.works()
    assert d.network("lan")["state"] == "running" and d.get("/v1/diff")["changes"] == []
    assert d.status()["problems"] == []
    d.kill9()
    d.start()
    assert phase(d) == "held" and renamed(picture(world, "vl-lan")) == before
    pulse = Pulse(world, d)
    assert d.api("DELETE", "/v1/networks/lan")[0] == 200
    back = pulse.end()
    assert picture(world) == before
    assert set(world.host.links()) == {"lo", "eth0"} and "master" not in world.host.links()["eth0"]
    for t in talks:
        t.works()
    print(f"outage: {there * 1000:.1f} ms there, {back * 1000:.1f} ms back")
    assert there < 0.1 and back < 0.1


def restored(world, d, before):
    """As it was, and the network stopped with its reason told."""
    assert picture(world) == before
    assert "vl-lan" not in world.host.links()
    assert d.network("lan")["state"] == "stopped"


@pytest.mark.long
@pytest.mark.skipif(not HOOKS, reason="the build has no test hooks (-Dtest_hooks=true)")
def test_killed_between_any_two_steps(world, daemon):
    """All back as it was, or the NIC held: at every step of the way there and of the way back."""
    furnish(world)
    Talk(world).works()
    before = picture(world)
    at = f"{world.tmp}/die-at"
    os.environ["VMLANE_TEST_DIE_AT"] = at
    try:
        d = daemon({})
        talk, steps = Talk(world), {"there": 0, "back": 0}
        for way in steps:
            for n in range(1, 400):
                if way == "back":
                    if "vl-lan" not in world.host.links():
                        d.api("POST", "/v1/networks/lan/start") if d.network("lan") else None
                    held(d)
                with open(at, "w", encoding="utf-8") as f:
                    f.write(str(n))
                try:
                    if way == "there":
                        take(d)
                    else:
                        d.api("POST", "/v1/networks/lan/stop")
                except OSError:
                    pass
                os.unlink(at)
                died = wait_for_end(d)
                if died:
                    d.start()
                if way == "there" and died:
                    assert picture(world) == before, n
                    assert "vl-lan" not in world.host.links(), n
                    forget(d)
                elif way == "back" and died:
                    if "vl-lan" in world.host.links():
                        assert renamed(picture(world, "vl-lan")) == before, n
                        assert phase(d) == "held", n
                    else:
                        assert picture(world) == before, n
                    d.api("POST", "/v1/networks/lan/stop")
                    d.api("POST", "/v1/networks/lan/start")
                else:
                    break
                steps[way] = n
                talk.works()
            assert steps[way] > 20, steps
        assert picture(world) == before and d.network("lan")["state"] == "stopped"
        print(f"killed before each of {steps} steps")
    finally:
        del os.environ["VMLANE_TEST_DIE_AT"]


def wait_for_end(d):
    """The daemon has killed itself (True), or answers."""
    for _ in range(1000):
        if not d.p.alive():
            return True
        try:
            d.status()
            return False
        except OSError:
            time.sleep(0.01)
    return False


def forget(d):
    if d.api("GET", "/v1/networks/lan")[0] == 200:
        assert d.api("DELETE", "/v1/networks/lan")[0] == 200


def test_confirmed_by_hand_or_not_at_all(world, daemon):
    furnish(world)
    Talk(world).works()
    before, d = picture(world), daemon({})
    talk = Talk(world)
    # no word in time
    assert take(d, confirm=1)[0] == 201
    assert phase(d) == "unconfirmed" and renamed(picture(world, "vl-lan")) == before
    wait_for("the way back", lambda: phase(d) == "returned")
    restored(world, d, before)
    assert d.network("lan")["problem"]["code"] == "rolled-back"
    assert "vmlane confirm" in d.network("lan")["problem"]["message"]
    assert "nothing-to-confirm" in str(d.api("POST", "/v1/confirm"))
    # a restart changes nothing of that
    d.restart()
    restored(world, d, before)
    assert phase(d) == "returned"
    # a word in time
    out = d.vmlane("network", "start", "lan", "--confirm", "1s", json_out=False)
    assert "vmlane confirm" in out
    assert d.vmlane("confirm")["confirmed"] == ["lan"]
    time.sleep(1.2)
    assert phase(d) == "held" and renamed(picture(world, "vl-lan")) == before
    assert d.vmlane("network", "stop", "lan")["state"] == "stopped"
    restored(world, d, before)
    assert d.network("lan")["problem"] is None
    # the daemon dies, or is ended, before the word
    for how in (d.kill9, d.stop):
        assert d.api("POST", "/v1/networks/lan/start?confirm=60")[0] == 200
        how()
        if how == d.stop:
            assert picture(world) == before
        d.start()
        restored(world, d, before)
        assert "vmlaned ended" in d.network("lan")["problem"]["message"]
    talk.works()


def test_gateway_that_is_not_reached(world, daemon):
    """The safe default: without a word the gateway has to answer as it did before."""
    Talk(world).works()
    settled(world)
    before, d = picture(world), daemon({})
    # The host's own filter, say, knows only eth0.
    world.host.nft("table arp a {\nchain c {\ntype filter hook output priority 0\noifname \"vl-lan\" drop\n}\n}\n")
    code, out = d.errors("network", "create", "lan", "--mode", "bridged", "--uplink", "eth0")
    assert code and ROUTER in out and "did not answer" in out
    assert d.network("lan")["takeover"]["phase"] == "returned"
    restored(world, d, before)
    Talk(world).works()


def test_reboot(world, daemon):
    """The machine was restarted in between: nothing is moved by what another boot's kernel had."""
    settled(world)
    Talk(world).works()
    before, d = picture(world), daemon({})

    def reboot():
        """What the next boot finds: the NIC as ifupdown and the like make it, and the state."""
        d.kill9()
        world.host.run("ip", "link", "del", "vl-lan")
        world.host.run("ip", "link", "set", "eth0", "down")
        world.host.run("ip", "link", "set", "eth0", "up")
        settled(world)
        world.host.run("ip", "addr", "add", f"{UPLINK}/24", "dev", "eth0")
        world.host.run("ip", "route", "add", "default", "via", ROUTER)
        with sqlite3.connect(f"{d.state}/state.db") as db:
            db.execute("UPDATE takeover SET boot_id='0123456789abcdef0123456789abcdef'")
        db.close()
        d.start()

    assert take(d, confirm=60)[0] == 201
    reboot()
    restored(world, d, before)
    assert "machine was restarted" in d.network("lan")["problem"]["message"]
    assert d.api("POST", "/v1/networks/lan/start")[0] == 200
    held(d)
    reboot()
    held(d)
    assert renamed(picture(world, "vl-lan")) == before


REFUSED = [
    ("no-uplink", "nothing", []),
    ("bad-value", "lo", []),
    ("bad-uplink", "br7", ["link add br7 type bridge"]),
    ("bad-uplink", "tap7", ["tuntap add tap7 mode tap"]),
    ("bad-uplink", "vl-default", []),
    ("in-bridge", "p7", ["link add br7 type bridge", "link add p7 type veth peer name p8", "link set p7 master br7"]),
    ("uplink-down", "p7", ["link add p7 type veth peer name p8"]),
]


@pytest.mark.parametrize("code,nic,made", REFUSED, ids=[f"{r[0]}-{r[1]}" for r in REFUSED])
def test_refused(world, vmlaned, code, nic, made):
    for line in made:
        world.host.run("ip", *line.split())
    before = world.host.links().keys()
    status, answer = vmlaned.api("POST", "/v1/networks", {**LAN, "uplink": nic})
    assert status >= 400 and answer["code"] == code and nic in answer["message"], answer
    assert world.host.links().keys() == before
    assert vmlaned.api("GET", "/v1/networks/lan")[0] == 404


def test_who_configures_the_nic(world, vmlaned):
    """networkd, NetworkManager, ifupdown and Wi-Fi are found by the traces that they leave."""
    index = world.host.links()["eth0"]["ifindex"]
    traces = [("systemd-networkd", f"/run/systemd/netif/links/{index}", "ADMIN_STATE=configured\nOPER_STATE=routable\n"),
              ("NetworkManager", f"/run/NetworkManager/devices/{index}", "[device]\nmanaged=true\n")]
    for who, path, text in traces:
        os.makedirs(os.path.dirname(path))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        status, answer = vmlaned.api("POST", "/v1/networks", LAN)
        assert status == 409 and answer["code"] == "managed" and who in answer["message"], answer
        assert "bridge: br0" in answer["message"] and path in answer["message"]
        os.unlink(path)
    assert "vl-lan" not in world.host.links()


def test_two_networks_on_one_nic(world, vmlaned):
    assert take(vmlaned)[0] == 201
    status, answer = vmlaned.api("POST", "/v1/networks", {**LAN, "network": "two"})
    assert status == 400 and "lan" in answer["message"] and "eth0" in answer["message"], answer


def test_dhcp_client_on_the_nic(world, vmlaned):
    client = world.host.start("busybox", "udhcpc", "-i", "eth0", "-f", "-s", "/bin/true", "-t", "1000", log=f"{world.tmp}/c.log")
    wait_for("the client", lambda: open(f"/proc/{client.pid}/cmdline", "rb").read().startswith(b"busybox"))
    status, answer = take(vmlaned)
    assert status == 409 and answer["code"] == "dhcp-client" and str(client.pid) in answer["message"], answer
    assert take(vmlaned, force=1)[0] == 201


def test_foreign_bridge(world, daemon):
    """Used, never changed, left as it was; waited for when it is not there yet."""
    host = world.host
    d = daemon({})
    status, answer = d.api("POST", "/v1/networks", {"network": "lan", "mode": "bridged", "bridge": "br0"})
    assert status == 201 and answer["state"] == "failed" and answer["problem"]["code"] == "no-bridge", answer
    def bridge():
        host.run("ip", "link", "add", "br0", "address", "02:00:00:00:00:77", "type", "bridge", "stp_state", "1", "ageing_time", "1000")
        host.run("ip", "link", "set", "br0", "up")
    bridge()
    wait_for("the bridge to be seen", lambda: d.network("lan")["state"] == "running")
    d.vmlane("guest", "attach", "web1", "--network", "lan")
    tap = "vl-web1"
    assert host.links()[tap]["master"] == "br0"
    host.run("ip", "link", "del", "br0")
    wait_for("the problem", lambda: d.network("lan")["state"] == "failed")
    bridge()
    was = host.links()["br0"]
    wait_for("the guest in the bridge", lambda: host.links()[tap].get("master") == "br0")
    assert d.network("lan")["state"] == "running" and d.network("lan")["adopted"]
    now = host.links()["br0"]
    assert {k: was[k] for k in ("mtu", "address", "ifalias") if k in was} == \
        {k: now[k] for k in ("mtu", "address", "ifalias") if k in now}
    assert now["linkinfo"]["info_data"]["stp_state"] == 1
    assert d.get("/v1/diff")["changes"] == []
    assert d.api("DELETE", "/v1/networks/lan?force=1")[0] == 200
    assert "br0" in host.links() and tap not in host.links()


def test_nic_removed_and_back(world, daemon):
    d = daemon({})
    assert take(d)[0] == 201
    world.internet.run("ip", "link", "del", "eth0")
    wait_for("the problem", lambda: (d.network("lan")["problem"] or {}).get("code") == "uplink-gone")
    assert any(p["code"] == "uplink-gone" for p in d.status()["problems"])
    subprocess.run(["ip", "link", "add", "eth0", "netns", "host", "type", "veth", "peer", "name", "eth0", "netns",
                    "internet"], check=True)
    world.internet.run("ip", "addr", "add", f"{ROUTER}/24", "dev", "eth0")
    world.internet.run("ip", "link", "set", "eth0", "up")
    wait_for("the NIC to be a port again", lambda: d.network("lan")["problem"] is None)
    Talk(world).works()


def test_nat_goes_out_by_the_bridge(world, vmlaned, guest):
    """A NAT network whose uplink is taken goes on, named or not, and forwarding is put back."""
    vmlaned.write("named.yaml", "network: named\nnat:\n  uplink: eth0\nipv4:\n  subnet: 192.168.77.0/24\n")
    vmlaned.vmlane("apply")
    auto, named = guest("web1"), guest("web2", network="named")
    for g in (auto, named):
        g.dhcp()
    assert take(vmlaned)[0] == 201
    held(vmlaned)
    assert vmlaned.get("/v1/diff")["changes"] == []
    for g in (auto, named):
        s = g.stream(1)
        time.sleep(0.3)
        assert stop_stream(s)["received"] > 0
    assert world.host.sysctl("net/ipv4/conf/vl-lan/forwarding") == "1"
    assert vmlaned.api("DELETE", "/v1/networks/lan")[0] == 200
    wait_for("the uplink to be followed", lambda: world.host.sysctl("net/ipv4/conf/eth0/forwarding") == "1")
    assert vmlaned.get("/v1/diff")["changes"] == []


def test_vlans_where_the_kernel_has_none(world, daemon):
    """Refused before the NIC is touched; tests/platform has the kernel that can."""
    settled(world)
    world.host.run("ip", "link", "add", "br7", "type", "bridge")
    if "vlan_default_pvid" in world.host.links()["br7"]["linkinfo"]["info_data"]:
        pytest.skip("this kernel's bridges filter VLANs: tests/platform/test_vlans.py shows that")
    before, d = picture(world), daemon({})
    status, answer = d.api("POST", "/v1/networks", {**LAN, "guests": {"web1": {"vlan": 20}}})
    assert status >= 400 and answer["code"] == "no-vlan-filtering", answer
    assert "type vlan id 20" in answer["message"] and d.api("GET", "/v1/networks/lan")[0] == 404
    assert picture(world) == before and "vl-lan" not in world.host.links()
    # With a network that is there already: the guest, and only that, is refused.
    assert take(d)[0] == 201
    d.vmlane("guest", "attach", "web1", "--network", "lan")
    with open(f"{d.config}/lan.yaml", "a", encoding="utf-8") as f:
        f.write("guests:\n  web1: {vlan: 20}\n  web2: {vlan: 20}\n")
    code, said = d.errors("apply")
    assert code == 2 and "cannot filter VLANs" in said, said
    assert "master" not in world.host.links()["vl-web1"] and d.network("lan")["state"] == "running"
    assert d.vmlane("guest", "show", "web1")["problem"]["code"] == "no-vlan-filtering"
    assert "cannot filter VLANs" in d.errors("guest", "attach", "web2", "--network", "lan")[1]
    assert "vl-web2" not in world.host.links()
    take_out = open(f"{d.config}/lan.yaml", encoding="utf-8").read().split("guests:")[0]
    d.write("lan.yaml", take_out)
    d.vmlane("apply")
    assert world.host.links()["vl-web1"]["master"] == "vl-lan" and d.status()["problems"] == []
