# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of libvirt's: its daemon, its default network with its dnsmasq and its rules, and a machine that it started. vmlane
knows the machine, says what becomes of its packets by whose rules, finds nothing wrong, and works beside it."""
import json
import signal

import pytest

from daemon import program
from libvirtd import libvirt  # noqa: F401  pylint: disable=unused-import
from test_doctor import Doctor, resolv  # noqa: F401  pylint: disable=unused-import
from test_inventory import addresses, guests, vmlane
from test_lan import image, page  # noqa: F401  pylint: disable=unused-import
from test_modes import network, way_back
from test_trace import Trace
from world import INTERNET, UPLINK, wait_for

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("resolv")]

MAC = "52:54:00:aa:bb:01"


def explain(world, *args):
    """(exit status, the packets' verdicts, where which rules had decided) without a daemon."""
    done = world.host.run(program("vmlane"), "-o", "json", "explain", *args, check=False)
    packets = [x for x in map(json.loads, done.stdout.splitlines()) if x["event"] == "packet"]
    assert packets, done.stderr
    return done.returncode, [p["verdict"] for p in packets], {rule for p in packets for rule in deciders(p)}


def deciders(packet):
    """(table, chain) of each rule that is named in a packet's hops."""
    return [(h["decision"]["table"], h["decision"]["chain"]) for h in packet["hops"] if (h.get("decision") or {}).get("rule")]


def refused_by_libvirt(packet):
    """What comes in from outside: by the rule at the end of libvirt's chain, in words, too."""
    assert packet["diagnosis"]["code"] == "firewall-forward" and ("filter", "LIBVIRT_FWI") in deciders(packet)
    assert "LIBVIRT_FWI" in packet["diagnosis"]["cause"] and 'oifname "virbr0" counter reject' in packet["diagnosis"]["evidence"][0]["text"]


def test_a_machine_of_libvirts(world, libvirt):
    """From its start to its end, without a daemon of ours."""
    doctor = Doctor(world)
    libvirt.virsh("net-start", "default")
    assert doctor.well()["networks"] == 1 and guests(world) == {}
    vm = libvirt.domain("web1", MAC)
    vm.ready()
    # ---- who it is ----
    mine, = guests(world).values()
    tap = mine["tap"]
    assert tap.startswith("vnet") and (mine["name"], mine["state"], mine["kind"], mine["bridge"]) == ("web1", "running", "tap", "virbr0")
    assert (mine["pid"], mine["mac"], mine["nic_model"], mine["managed"]) == (vm.pid, MAC, "virtio-net", False)
    assert mine["process"].startswith("qemu-system") and (mine["ipv4"], mine["ipv4_source"]) == (vm.ip, "lease-file")
    assert not addresses(mine)[vm.ip]["stale"] and mine["notes"] == []
    for what in ("web1", tap, str(vm.pid), MAC, MAC.upper().replace(":", "-"), vm.ip):
        assert [g["tap"] for g in vmlane(world, "guest", "find", what)["guests"]] == [tap], what
    assert [g["name"] for g in vmlane(world, "guest", "list", "--network", "virbr0")["guests"]] == ["web1"]
    # ---- whose rules decide about it ----
    assert vm.page(INTERNET) == UPLINK
    code, verdicts, rules = explain(world, "web1", "tcp", f"{INTERNET}:80")
    assert (code, verdicts) == (0, ["DELIVERED", "DELIVERED"])
    assert {("filter", "LIBVIRT_FWO"), ("filter", "LIBVIRT_FWI"), ("nat", "LIBVIRT_PRT")} <= rules
    # (What dnsmasq answers is not known.)
    assert explain(world, "web1", "udp", "192.168.122.1:53")[2] == {("filter", "LIBVIRT_INP")}
    code, verdicts, rules = explain(world, "web1", "tcp", f"{vm.ip}:80", "--from-outside")
    assert (code, verdicts) == (2, ["DROP"]) and ("filter", "LIBVIRT_FWI") in rules
    way_back(world, "192.168.122.0/24")
    t = Trace(world, "web1")
    assert vm.page(INTERNET) == UPLINK
    assert t.packet(f"tcp {vm.ip}:", verdict="DELIVERED")["end"]
    assert world.internet.run("curl", "-sS", "--max-time", 20, f"http://{vm.ip}/", check=False).returncode == 7
    refused_by_libvirt(t.packet(f"> {vm.ip}:80 SYN", verdict="DROP"))
    t.end()
    # The host is no outsider to them.
    assert page(world.host, vm.ip) == "hello from web1\n"
    found = doctor.well()
    assert (found["networks"], found["guests"]) == (1, 1) and found["findings"] == []
    # ---- its lease is over, its neighbour forgotten ----
    libvirt.expire()
    world.host.run("ip", "neigh", "flush", "all")
    mine = guests(world)[tap]
    assert addresses(mine)[vm.ip]["stale"] and mine["notes"] == ["stale"] and mine["ipv4"] is None
    # ---- and then it is ----
    vm.destroy()
    wait_for("its tap to go", lambda: guests(world) == {})
    assert vmlane(world, "guest", "find", "web1", check=False).returncode == 2
    doctor.well()
    libvirt.virsh("net-destroy", "default")
    assert doctor.well()["networks"] == 0


def rules_of_libvirt(world):
    """{(table, chain, rule): handle}"""
    found = json.loads(world.host.run("nft", "-j", "list", "ruleset", "ip"))["nftables"]
    return {(r["table"], r["chain"], json.dumps([x for x in r["expr"] if "counter" not in x])): r["handle"]
            for r in (x["rule"] for x in found if "rule" in x) if r["chain"].startswith("LIBVIRT_")}


def are_anew(before, now):
    return set(before) == set(now) and all(now[rule] != before[rule] for rule in before)


@pytest.mark.slow
def test_beside_ours(world, libvirt, daemon, guest):
    """Two networks, two firewalls: each one's guests get out, neither's into the other's; whoever starts again, and in which order."""
    d = daemon({"ours.yaml": network("ours", "nat", "192.168.9.0/24")})
    libvirt.virsh("net-start", "default")
    mine = guest("web1", d=d, network="ours")
    mine.dhcp()
    theirs = libvirt.domain("web2", MAC).ready()

    def fine():
        assert mine.http()["address"] == UPLINK and theirs.page(INTERNET) == UPLINK
        assert not theirs.ping(mine.ip, 1) and mine.http(f"{theirs.ip}", check=False, timeout=2).returncode != 0
        assert d.vmlane("diff") == {"changes": []}

    fine()
    listed = {g["name"]: g for g in d.vmlane("guest", "list")["guests"]}
    assert [(g["managed"], g["bridge"], g["ipv4"]) for g in (listed["web1"], listed["web2"])] == \
        [(True, "vl-ours", mine.ip), (False, "virbr0", theirs.ip)]
    doctor = Doctor(world, d.socket)
    assert doctor.well()["guests"] == 2
    assert d.get("/v1/status")["problems"] == []
    # libvirtd loads its rules anew, one by one, in filter before nat; ours starts again.
    before = rules_of_libvirt(world)
    libvirt.p.p.send_signal(signal.SIGHUP)
    wait_for("the same rules, all new", lambda: are_anew(before, rules_of_libvirt(world)))
    d.restart()
    fine()
    # Its network starts again, which leaves its machines without a bridge, as everybody has met who uses libvirt.
    libvirt.virsh("net-destroy", "default")
    libvirt.virsh("net-start", "default")
    assert mine.http()["address"] == UPLINK
    f = doctor.finding("not-in-bridge")
    assert f["where"] == f"guest web2 ({listed['web2']['tap']})"
    # (Which of the host's bridges it was, nobody has written down where others would look.)
    doctor.sh(f["diagnosis"]["advice"].partition(":")[0].replace("BRIDGE", "virbr0"))
    fine()
    doctor.well()
    # Ours goes away, and takes nothing of libvirt's along.
    d.vmlane("guest", "detach", "web1")
    d.vmlane("network", "delete", "ours")
    d.stop()
    assert theirs.page(INTERNET) == UPLINK
    doctor.well()


def test_its_subnet_is_taken(world, libvirt, daemon):
    """Both have 192.168.122.0/24 by default: the second one is told."""
    libvirt.virsh("net-start", "default")
    d = daemon()
    says = "subnet 192.168.122.0/24 overlaps with the host's route to 192.168.122.0/24 over virbr0"
    assert says in d.p.text() and d.api("GET", "/v1/networks/default")[0] == 404
    assert says in d.errors("network", "create", "other", "--subnet", "192.168.122.0/24")[1]
    d.vmlane("network", "create", "other", "--subnet", "192.168.9.0/24")
    f = Doctor(world, d.socket).finding("daemon-problem", "warning")
    assert says in f["diagnosis"]["cause"]
