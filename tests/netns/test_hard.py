# SPDX-License-Identifier: GPL-2.0-or-later
"""Hard days: everybody at once, a full disk, no descriptors left behind, nothing done when idle."""
import os
import subprocess
import time

import pytest

from daemon import DEFAULT, Vmlaned
from packet import BOOTP, DHCP, TYPES, DhcpPeer, Wire, udp_ask
from world import UPLINK, Monitor, wait_for


@pytest.fixture
def vmlaned(daemon):
    """One guest speaks for many clients here, and with addresses of nobody: without guards."""
    return daemon({"default.yaml": DEFAULT + "guard: off\n"})


def answers(wire, wanted, kind, timeout=5):
    """{xid: (yiaddr, server)} of @wanted answers of @kind."""
    found = {}
    for frame in wire.frames(timeout):
        if BOOTP not in frame or frame[BOOTP].op != 2:
            continue
        options = dict(o[:2] for o in frame[DHCP].options if isinstance(o, tuple))
        if TYPES[options["message-type"]] == kind:
            found[frame[BOOTP].xid] = frame[BOOTP].yiaddr
            if len(found) == wanted:
                break
    return found


def test_all_guests_boot_at_once(vmlaned, guest):
    """200 clients in one burst: each is answered, no address twice, all of it stored."""
    g = guest("web1")
    wire = Wire(g.ns)
    peers = {0x1000 + i: DhcpPeer(g.ns, f"52:54:00:00:05:{i:02x}", wire=wire) for i in range(200)}
    for xid, peer in peers.items():
        peer.xid = xid
    for peer in peers.values():
        peer.send("discover")
    offers = answers(wire, 200, "offer")
    assert len(offers) == 200 and len(set(offers.values())) == 200
    for xid, peer in peers.items():
        peer.send("request", ("requested_addr", offers[xid]), ("server_id", "192.168.122.1"))
    assert answers(wire, 200, "ack") == offers
    vmlaned.kill9()
    vmlaned.start()
    stored = {x["mac"]: x["address"] for x in vmlaned.get("/v1/leases")["leases"] if x["state"] == "bound"}
    assert stored == {peer.mac: offers[xid] for xid, peer in peers.items()}


def test_disk_full_means_no_ack(world, guest):
    """A lease that cannot be stored is not given: the next daemon would give it to another."""
    d = Vmlaned(world, {"default.yaml": DEFAULT + "guard: off\n"})
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", d.state], check=True)
    try:
        d.start()
        g = guest("web1", d=d)
        peer = DhcpPeer(g.ns, g.mac)
        offer = peer.ask("discover")
        filler = os.open(f"{d.state}/filler", os.O_WRONLY | os.O_CREAT)
        with pytest.raises(OSError):
            while True:
                os.write(filler, b"x" * 4096)
        os.close(filler)
        wanted = ("requested_addr", offer[1]), ("server_id", offer[2]["server_id"])
        # What SQLite has room for in its log is stored; sooner or later there is none.
        for i in range(200):
            other = DhcpPeer(g.ns, f"52:54:00:00:06:{i:02x}", wire=peer.wire)
            other.xid = 0x2000 + i
            again = other.ask("request", ("requested_addr", f"192.168.122.{20 + i}"), timeout=0.3)
            if again is None:
                break
        assert again is None, "200 leases were stored on a full disk"
        assert peer.ask("request", *wanted, timeout=0.3) is None
        assert d.status()["counters"]["dhcp"]["store_failed"] >= 2
        bound = {x["mac"] for x in d.get("/v1/leases")["leases"] if x["state"] == "bound"}
        assert g.mac not in bound
        # Room again, and all is well; nothing that was acknowledged was lost.
        os.unlink(f"{d.state}/filler")
        peer.xid += 1
        assert peer.ask("request", *wanted)[:2] == ("ack", offer[1])
        d.kill9()
        d.start()
        assert {x["mac"] for x in d.get("/v1/leases")["leases"] if x["state"] == "bound"} == bound | {g.mac}
        d.stop()
    finally:
        if d.p and d.p.alive():
            d.kill9()
        subprocess.run(["umount", "-l", d.state], check=True)


def test_nothing_leaks(vmlaned, guest):
    """Descriptors after fifty guests, clients and networks are those from before."""
    def once(i):
        vmlaned.vmlane("guest", "attach", f"g{i}", "--network", "default")
        vmlaned.vmlane("run", "--network", "default", "--name", f"r{i}", "--", "true", "{fd}", json_out=False)
        vmlaned.api("POST", "/v1/networks", {"network": "lab", "ipv4": {"subnet": "192.168.5.0/24"}})
        vmlaned.api("POST", "/v1/networks", {"network": "bad"})
        vmlaned.vmlane("guest", "detach", f"g{i}")
        vmlaned.api("DELETE", "/v1/networks/lab")

    def descriptors():
        return os.listdir(f"/proc/{vmlaned.p.pid}/fd")

    once(0)
    before = descriptors()
    for i in range(1, 17):
        once(i)
    # A connection that was just ended may still have been in the count before.
    wait_for("no more descriptors than before", lambda: len(descriptors()) <= len(before))


def switches(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


def test_idle_daemon_sleeps(vmlaned, guest):
    """No polling: a network with a guest that says nothing costs nothing."""
    g = guest("web1")
    g.dhcp()["client"].p.end()
    vmlaned.status()
    time.sleep(1)  # what the guest's last packets caused is over
    before = switches(vmlaned.p.pid)
    time.sleep(2)
    assert switches(vmlaned.p.pid) - before <= 6


def test_file_that_is_gone_while_guests_run(world, vmlaned, guest):
    """Removing a network's file does not cut its guests off until somebody says so."""
    g = guest("web1")
    g.dhcp()
    os.unlink(f"{vmlaned.config}/default.yaml")
    code, said = vmlaned.errors("apply")
    assert code == 2 and "--force" in said
    assert g.http()["address"] == UPLINK
    vmlaned.restart()
    assert g.http()["address"] == UPLINK and vmlaned.network()["state"] == "running"
    vmlaned.vmlane("apply", "--force")
    assert "vl-default" not in world.host.links()


def test_changed_subnet_while_guests_run(world, vmlaned, guest):
    """The old address is refused and a new one given, to who asks as to who renews."""
    g = guest("web1")
    g.dhcp()["client"].p.end()
    vmlaned.write("default.yaml", DEFAULT.replace("192.168.122", "192.168.123"))
    vmlaned.vmlane("apply")
    assert world.host.addresses("vl-default") == ["192.168.123.1/24"]
    assert DhcpPeer(g.ns, g.mac).ask("request", ("requested_addr", g.ip))[0] == "nak"
    assert g.dhcp()["address"].startswith("192.168.123.")
    assert g.http()["address"] == UPLINK


def way_out(g, address):
    """The rules follow the uplink within a second."""
    seen = wait_for(f"a way out as {address}", lambda: udp_ask(g.ns, timeout=0.1), timeout=1)
    assert seen["address"] == address and g.http()["address"] == address


def test_uplink_that_vanishes_and_comes_again(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    wait_for("the uplink eth1", lambda: [u["name"] for u in vmlaned.network()["uplinks"]] == ["eth1"])
    world.host.run("ip", "link", "del", "eth1")
    wait_for("no uplink", lambda: vmlaned.network()["uplinks"] == [])
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    world.host.run("ip", "route", "add", "default", "via", "192.0.2.1")
    wait_for("the uplink eth1 again", lambda: [u["name"] for u in vmlaned.network()["uplinks"]] == ["eth1"])
    way_out(g, "192.0.2.2")


def test_renamed_uplink(world, vmlaned, guest):
    """udev names interfaces late; the rules follow."""
    g = guest("web1")
    g.dhcp()
    world.host.run("ip", "link", "set", "eth0", "down")
    world.host.run("ip", "link", "set", "eth0", "name", "wan")
    world.host.run("ip", "link", "set", "wan", "up")
    world.host.run("ip", "route", "replace", "default", "via", "203.0.113.1")
    wait_for("the uplink wan", lambda: [u["name"] for u in vmlaned.network()["uplinks"]] == ["wan"])
    way_out(g, UPLINK)
    assert world.host.sysctl("net/ipv4/conf/wan/forwarding") == "1"


def test_storm_of_foreign_changes(world, vmlaned, guest):
    """Thousands of addresses come and go: netlink overruns, and the daemon is still right."""
    g = guest("web1")
    g.dhcp()
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    batch = "".join(f"address add 10.66.{i // 250}.{i % 250}/32 dev eth1\n" for i in range(5000))
    batch += batch.replace(" add ", " del ")
    world.host.run("ip", "-batch", "-", stdin=batch, timeout=120)
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    wait_for("the uplink eth1", lambda: [u["name"] for u in vmlaned.network()["uplinks"]] == ["eth1"])
    way_out(g, "192.0.2.2")
    nft = Monitor(world.host, "nft")
    assert vmlaned.vmlane("apply") == {"changes": [], "kernel_writes": 0}
    assert nft.lines() == []
