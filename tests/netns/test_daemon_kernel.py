# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon and what others do to the kernel: rules, forwarding, routes, links, and lost events."""
import re
import signal
import subprocess

import pytest

from daemon import DEFAULT
from world import Monitor, wait_for

LAB = "network: lab\nmode: nat\nipv4:\n  subnet: 192.168.5.0/24\n"


def forwarding(world, dev):
    return world.host.sysctl(f"net/ipv4/conf/{dev}/forwarding")


def transactions(d):
    return d.status()["counters"]["firewall_transactions"]


# ---- the table ----

def listing(world, *more):
    return world.host.run("nft", *more, "list", "table", "inet", "vmlane")


def last_rule(world):
    chain = listing(world, "-a").split("chain forward {")[1].split("\n\t}")[0]
    return re.findall(r"# handle (\d+)", chain)[-1]


def first_elements(world):
    """("set" or "map", its name, its first element) of the first one that has any."""
    found = re.search(r"(map|set) (\w+) \{[^}]*elements = \{ ([^,}]*)", listing(world, "-s"))
    return found.group(1), found.group(2), found.group(3).strip()


TAMPER = {
    "a rule less": lambda w: f"delete rule inet vmlane forward handle {last_rule(w)}",
    "a rule more": lambda w: "add rule inet vmlane forward counter accept",
    "a chain more": lambda w: "add chain inet vmlane foreign",
    "an element less": lambda w: "delete element inet vmlane {1} {{ {2} }}".format(*first_elements(w)),
    "a set flushed": lambda w: "flush {0} inet vmlane {1}".format(*first_elements(w)),
}


@pytest.mark.parametrize("what", TAMPER)
def test_one_thing_changed_in_our_table(world, daemon, guest, what):
    vmlaned = daemon(args=["--no-guardian"])
    g = guest("web1", d=vmlaned)
    g.dhcp()
    before = listing(world, "-s")
    world.host.nft(TAMPER[what](world) + "\n")
    assert listing(world, "-s") != before
    assert [c["op"] for c in vmlaned.get("/v1/diff")["changes"]] == ["change"]
    # Also without an apply: whoever moves a route has the table looked at.
    world.host.run("ip", "route", "replace", "default", "via", "203.0.113.1", "metric", "5")
    wait_for("the table", lambda: sorted(listing(world, "-s").split()) == sorted(before.split()))
    assert vmlaned.get("/v1/diff")["changes"] == []
    assert g.http()["address"] == "203.0.113.2"


def test_what_others_do_to_their_tables_changes_nothing_for_ours(world, vmlaned):
    """A new network is one transaction of elements, as if nobody had been there."""
    world.host.nft("table inet foreign { chain f { type filter hook forward priority 0; }; }\n")
    before = transactions(vmlaned)
    for _ in range(3):
        assert vmlaned.get("/v1/diff")["changes"] == []
    assert vmlaned.api("POST", "/v1/networks", {"network": "lab", "ipv4": {"subnet": "192.168.5.0/24"}})[0] == 201
    assert transactions(vmlaned) == before + 1
    assert "foreign" in world.host.run("nft", "list", "tables")


# ---- forwarding ----


def test_forwarding_that_was_on_stays_on(world, daemon):
    world.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/forwarding")
    d = daemon()
    d.restart()
    d.vmlane("network", "delete", "default")
    assert forwarding(world, "eth0") == "1"


def test_forwarding_is_put_back_after_the_last_of_two_networks(world, daemon):
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": LAB})
    assert forwarding(world, "eth0") == "1"
    d.vmlane("network", "delete", "lab")
    assert forwarding(world, "eth0") == "1"
    d.kill9()
    d.start()
    d.vmlane("network", "stop", "default")
    assert forwarding(world, "eth0") == "0"
    d.vmlane("network", "start", "default")
    d.vmlane("network", "delete", "default")
    assert forwarding(world, "eth0") == "0"


def test_forwarding_of_a_renamed_uplink_is_put_back(world, vmlaned):
    world.host.run("ip", "link", "set", "eth0", "down")
    world.host.run("ip", "link", "set", "eth0", "name", "wan0")
    world.host.run("ip", "link", "set", "wan0", "up")
    world.host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    wait_for("the uplink", lambda: vmlaned.status()["uplinks"] == ["wan0"])
    wait_for("forwarding", lambda: vmlaned.get("/v1/diff")["changes"] == [])
    assert forwarding(world, "wan0") == "1"
    vmlaned.kill9()
    vmlaned.start()
    vmlaned.vmlane("network", "delete", "default")
    assert forwarding(world, "wan0") == "0"


def test_forwarding_of_an_uplink_that_came_back_as_another(world, vmlaned):
    """The old one's value is not the new one's."""
    world.host.run("ip", "link", "del", "eth0")
    world.uplink("eth0", "203.0.113.2", "203.0.113.1")
    world.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/forwarding")
    world.host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    wait_for("the uplink", lambda: vmlaned.get("/v1/diff")["changes"] == [])
    vmlaned.vmlane("network", "delete", "default")
    assert forwarding(world, "eth0") == "1"


def test_a_host_that_became_a_router_stays_one(world, vmlaned):
    """A container engine came after us, and switched forwarding on as a whole."""
    world.host.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    vmlaned.vmlane("network", "delete", "default")
    assert forwarding(world, "eth0") == "1"
    world.host.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    vmlaned.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24")
    assert forwarding(world, "eth0") == "1"
    vmlaned.vmlane("network", "delete", "lab")
    assert forwarding(world, "eth0") == "0"


def test_a_record_without_the_write_that_it_was_for(world, vmlaned):
    """Killed in between: the state says that 0 was, and 0 still is."""
    vmlaned.kill9()
    world.host.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/conf/eth0/forwarding")
    vmlaned.start()
    assert forwarding(world, "eth0") == "1"
    vmlaned.vmlane("network", "delete", "default")
    assert forwarding(world, "eth0") == "0"


# ---- following ----


def ways_out(world):
    found = re.findall(r'"vl-default" \. "(\w+)"', listing(world))
    return sorted(set(found))


def test_default_routes_of_all_kinds(world, vmlaned):
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")

    def route(*args):
        world.host.run("ip", "route", *args)

    def expect(*names):
        wait_for(f"the way out by {names}", lambda: ways_out(world) == sorted(names))
        for dev in ("eth0", "eth1"):
            wait_for(f"forwarding of {dev}", lambda d=dev: forwarding(world, d) == str(int(d in names)))
        assert vmlaned.get("/v1/diff")["changes"] == []

    expect("eth0")
    route("add", "default", "via", "192.0.2.1", "metric", "100")
    expect("eth0", "eth1")
    route("del", "default", "via", "203.0.113.1")
    expect("eth1")
    route("replace", "default", "metric", "100", "nexthop", "via", "203.0.113.1", "nexthop", "via", "192.0.2.1")
    expect("eth0", "eth1")
    world.host.run("ip", "route", "flush", "table", "main")
    expect()
    route("add", "203.0.113.0/24", "dev", "eth0")
    route("add", "default", "via", "203.0.113.1")
    expect("eth0")


def test_a_named_uplink_that_appears_later(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "nat:\n  uplink: eth1\n"})
    assert d.network()["uplinks"] == [] and forwarding(world, "eth0") == "0"
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    wait_for("forwarding", lambda: forwarding(world, "eth1") == "1")
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    g = guest("web1", d=d)
    g.dhcp()
    assert g.http()["address"] == "192.0.2.2"
    d.vmlane("network", "delete", "default", "--force")
    assert forwarding(world, "eth1") == "0"


def test_plugging_guests_in_is_no_reason_to_look_at_everything(world, vmlaned, guest):
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    before = vmlaned.writes()
    guest("web1").off()
    wait_for("the guest to be gone", lambda: vmlaned.get("/v1/guests")["guests"] == [])
    ip.lines()
    assert nft.lines() == []
    assert vmlaned.status()["counters"]["firewall_transactions"] <= before


def test_lost_events(world, vmlaned, guest):
    """More than the socket takes while the daemon stands still: it looks again, and misses nothing."""
    g = guest("web1")
    g.dhcp()
    vmlaned.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24")
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    vmlaned.p.p.send_signal(signal.SIGSTOP)
    batch = "".join(f"link set lo mtu {65535 - i % 2}\n" for i in range(12000))
    world.host.run("ip", "-batch", "-", stdin=batch, timeout=60)
    world.host.run("ip", "link", "del", "vl-lab")
    g.vmm.end(signal.SIGKILL)
    world.host.run("ip", "link", "del", "vl-web1", check=False)
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    vmlaned.p.p.send_signal(signal.SIGCONT)
    wait_for("the guest's end", lambda: vmlaned.get("/v1/guests")["guests"] == [])
    assert "came too fast" in vmlaned.p.text(), "no event was lost: this test proves nothing"
    wait_for("the way out", lambda: ways_out(world) == ["eth1"])
    wait_for("the bridge", lambda: vmlaned.network("lab")["state"] == "running" and "vl-lab" in world.host.links())


# ---- guests ----


def test_old_news_does_not_end_the_guest_that_has_the_name_now(world, vmlaned, guest):
    """Plugged in again before the daemon hears of the first tap's end."""
    for _ in range(10):
        g = guest("web1")
        # Its end is noticed by the one who asks, and heard of afterwards.
        vmlaned.p.p.send_signal(signal.SIGSTOP)
        g.vmm.end(signal.SIGKILL)
        wait_for("the tap's end", lambda: "vl-web1" not in world.host.links())
        subprocess.run(["ip", "netns", "del", g.ns.name], check=False, stderr=subprocess.DEVNULL)
        world.names.remove(g.ns.name)
        with open(f"{world.tmp}/early.log", "ab") as log:
            early = subprocess.Popen(world.host.argv(vmlaned.argv(
                "run", "--network", "default", "--name", "web1", "--", "sh", "-c", "exec sleep infinity", "{fd}")),
                stderr=log)
        vmlaned.p.p.send_signal(signal.SIGCONT)
        wait_for("the tap", lambda: "vl-web1" in world.host.links())
        assert vmlaned.get("/v1/guests/web1")["kind"] == "run"
        assert [x["name"] for x in vmlaned.get("/v1/guests")["guests"]] == ["web1"]
        early.kill()
        early.wait()
        wait_for("its end", lambda: vmlaned.get("/v1/guests")["guests"] == [])


def test_tap_of_a_running_guest_deleted_by_hand(world, vmlaned, guest):
    guest("web1")
    world.host.run("ip", "link", "del", "vl-web1")
    wait_for("the guest to be gone", lambda: vmlaned.get("/v1/guests")["guests"] == [])
    assert vmlaned.get("/v1/diff")["changes"] == []


def test_names_that_become_the_same_interface(world, vmlaned):
    """A long name's tap is cut and hashed: two that meet are told apart by a refusal."""
    first, second = colliding()
    assert vmlaned.api("POST", "/v1/guests", {"name": first, "network": "default"})[0] == 201
    status, answer = vmlaned.api("POST", "/v1/guests", {"name": second, "network": "default"})
    assert status == 409 and first in answer["message"]
    # Also when its tap was deleted by hand, and for bridges.
    tap = vmlaned.get(f"/v1/guests/{first}")["tap"]
    world.host.run("ip", "link", "del", tap)
    assert vmlaned.api("POST", "/v1/guests", {"name": second, "network": "default"})[0] == 409
    status, answer = vmlaned.api("POST", "/v1/networks", {"network": second, "ipv4": {"subnet": "10.8.0.0/24"}})
    assert status == 409 and first in answer["message"]
    vmlaned.vmlane("apply")
    assert world.host.links()[tap]["master"] == "vl-default"


def interface(name):
    """As model/network.c cuts and hashes a long name."""
    mask, h = (1 << 64) - 1, 0xcbf29ce484222325
    for byte in name.encode() + b"\0":
        h = (h ^ byte) * 0x100000001b3 & mask
    for factor in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        h = (h ^ h >> 33) * factor & mask
    return f"vl-{name[:7]}-{(h ^ h >> 33) & 0xffff:04x}"


def colliding():
    """Two long names of one interface name."""
    seen = {}
    for i in range(10000):
        name = f"a-long-name-{i}"
        if interface(name) in seen:
            return seen[interface(name)], name
        seen[interface(name)] = name
    raise AssertionError("no collision")


def test_the_bridges_mac_is_nobodys(world, vmlaned):
    mac = world.host.links()["vl-default"]["address"]
    code, said = vmlaned.errors("guest", "attach", "evil", "--network", "default", "--mac", mac)
    assert code == 2 and "vl-default" in said
