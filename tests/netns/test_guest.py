# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests: attach, detach, run, QEMU's bridge helper, and what the switch and the inventory show."""
import os
import shutil
import signal
import subprocess
import sys

import pytest

from daemon import DEFAULT, program
from guest import RunGuest, TapGuest
from world import wait_for


def test_attach_tells_how_to_start_the_machine(world, vmlaned):
    about = vmlaned.vmlane("guest", "attach", "db", "--network", "default")
    assert about["tap"] == "vl-db" and about["state"] == "off" and about["kind"] == "attached"
    assert about["mac"].startswith("52:54:00:")
    args = about["args"]
    assert args["qemu"] == ["-netdev", "tap,id=net0,ifname=vl-db,script=no,downscript=no", "-device",
                            f"virtio-net-pci,netdev=net0,mac={about['mac']}"]
    assert args["cloud_hypervisor"] == ["--net", f"tap=vl-db,mac={about['mac']}"]
    assert args["firecracker"] == {"iface_id": "net0", "guest_mac": about["mac"], "host_dev_name": "vl-db"}
    link = world.host.links()["vl-db"]
    assert link["master"] == "vl-default" and link["linkinfo"]["info_data"]["type"] == "tap"
    assert link["linkinfo"]["info_data"]["vnet_hdr"] and link["linkinfo"]["info_data"]["persist"]
    text = vmlaned.vmlane("guest", "show", "db", json_out=False)
    assert "virtio-net-pci" in text and "vl-db" in text


def test_persistent_tap_is_switched_on_and_off(world, vmlaned, guest):
    g = guest("db", tap=True)
    g.dhcp()
    assert g.show()["state"] == "running" and g.show()["carrier"]
    g.off()
    wait_for("the guest to be off", lambda: g.show()["state"] == "off")
    assert "vl-db" in world.host.links()
    g.on()
    assert g.dhcp()["address"] == g.ip
    vmlaned.vmlane("guest", "detach", "db")
    assert "vl-db" not in world.host.links()
    assert vmlaned.vmlane("guest", "list")["guests"] == []


def test_attach_twice_and_names(vmlaned):
    vmlaned.vmlane("guest", "attach", "db", "--network", "default")
    code, said = vmlaned.errors("guest", "attach", "db", "--network", "default")
    assert code == 2 and "db" in said
    assert vmlaned.errors("guest", "attach", "x", "--network", "nowhere")[0] == 2
    assert vmlaned.errors("guest", "attach", "default", "--network", "default")[0] == 2
    assert vmlaned.errors("guest", "attach", "a b", "--network", "default")[0] in (1, 2)
    mac = vmlaned.vmlane("guest", "show", "db")["mac"]
    code, said = vmlaned.errors("guest", "attach", "thief", "--network", "default", "--mac", mac)
    assert code == 2 and mac in said
    assert vmlaned.errors("guest", "attach", "m", "--network", "default", "--mac", "01:00:5e:00:00:01")[0] in (1, 2)
    assert vmlaned.errors("guest", "detach", "nobody")[0] == 2
    longest = "a" * 32
    assert len(vmlaned.vmlane("guest", "attach", longest, "--network", "default")["tap"]) <= 15
    other = "a" * 31 + "b"
    assert vmlaned.vmlane("guest", "attach", other, "--network", "default")["tap"] != \
        vmlaned.vmlane("guest", "show", longest)["tap"]


def test_given_mac_owner_and_queues(world, vmlaned):
    about = vmlaned.vmlane("guest", "attach", "fast", "--network", "default", "--mac", "52:54:00:12:34:56",
                           "--owner", "games", "--queues", "4")
    assert (about["mac"], about["queues"], about["owner_uid"]) == ("52:54:00:12:34:56", 4, 5)
    data = world.host.links()["vl-fast"]["linkinfo"]["info_data"]
    assert data["multi_queue"] and data["user"] in ("games", 5)
    assert "queues=4" in " ".join(about["args"]["qemu"])
    g = TapGuest(vmlaned, "fast", attach=False, queues=4)
    assert g.mac == "52:54:00:12:34:56"
    g.dhcp()
    assert g.http()["address"] == "203.0.113.2"


def test_run_multi_queue(vmlaned):
    done = vmlaned.vmlane("run", "--network", "default", "--name", "mq", "--queues", "3", "--", "echo", "{fds}", "{mac}",
                          json_out=False)
    fds, mac = done.split()
    assert len(fds.replace(":", ",").split(",")) == 3 and mac.startswith("52:54:00:")


def test_run_ends_with_the_machine(world, vmlaned, guest):
    """The exit status is the machine's; the tap goes however it ends."""
    code, _, _ = vmlaned.vmlane("run", "--network", "default", "--name", "short", "--", "sh", "-c", "exit 7 #{fd}",
                                check=False, json_out=False)
    assert code == 7
    wait_for("the tap to be gone", lambda: "vl-short" not in world.host.links())
    g = guest("web1")
    g.dhcp()
    g.off(signal.SIGKILL)
    wait_for("the tap to be gone", lambda: "vl-web1" not in world.host.links())
    assert [x for x in vmlaned.get("/v1/guests")["guests"] if x["state"] == "running"] == []
    assert vmlaned.get("/v1/diff")["changes"] == []


def test_run_refuses_before_it_starts_anything(vmlaned):
    code, said = vmlaned.errors("run", "--network", "nowhere", "--name", "x", "--", "true", "{fd}")
    assert code == 2 and "nowhere" in said
    assert vmlaned.errors("run", "--network", "default", "--", "true", "{fd}")[0] == 1
    code, said = vmlaned.errors("run", "--network", "default", "--name", "x", "--", "/no/such/vmm", "{fd}")
    assert code != 0 and "/no/such/vmm" in said
    wait_for("its end", lambda: vmlaned.get("/v1/guests") == {"guests": []})


def test_detach_of_a_running_guest(world, vmlaned, guest):
    g = guest("web1")
    vmlaned.vmlane("guest", "detach", "web1")
    assert "vl-web1" not in world.host.links()
    assert g.vmm.wait(5) != 0  # its card is gone


def test_configured_guest_is_listed_and_known(vmlaned, daemon, guest):
    vmlaned.write("default.yaml", DEFAULT + "guests:\n  web1:\n    mac: 52:54:00:39:d3:fe\n    ipv4: 192.168.122.10\n")
    vmlaned.vmlane("apply")
    listed = vmlaned.vmlane("guest", "list")["guests"]
    assert [(g["name"], g["state"], g["kind"], g["ipv4"]) for g in listed] == \
        [("web1", "absent", "configured", "192.168.122.10")]
    g = guest("web1")
    assert g.mac == "52:54:00:39:d3:fe" and g.dhcp()["address"] == "192.168.122.10"
    assert g.show()["kind"] == "run"


def test_inventory_switch_and_mac_table(world, vmlaned, guest):
    web, db = guest("web1"), guest("db", tap=True)
    web.dhcp()
    db.dhcp()
    web.ping(db.ip)
    listed = {g["name"]: g for g in vmlaned.vmlane("guest", "list")["guests"]}
    assert listed["web1"]["process"].startswith("vmlane-nsguest"[:15]) and listed["web1"]["pid"] == web.vmm.pid
    assert listed["web1"]["carrier"] and listed["web1"]["ipv4"] == web.ip
    ports = {p["port"]: p for p in vmlaned.vmlane("port", "list")["ports"]}
    for g in (web, db):
        port = ports[g.show()["tap"]]
        assert (port["guest"], port["mac"], port["state"], port["up"]) == (g.name, g.mac, "forwarding", True)
        stats = world.host.ip("-s", "link", "show", "dev", port["port"])[0]["stats64"]
        # What the host received on the tap came from the guest.
        assert 0 < port["rx_packets"] <= stats["rx"]["packets"]
        assert 0 < port["rx_bytes"] <= stats["rx"]["bytes"]
    macs = {(m["mac"], m["kind"]): m for m in vmlaned.vmlane("mac", "list")["macs"]}
    assert macs[(web.mac, "static")]["port"] == "vl-web1" and macs[(web.mac, "static")]["guest"] == "web1"
    assert macs[(db.mac, "static")]["age_s"] is None
    bridge = world.host.links()["vl-default"]["address"]
    assert any(m["kind"] == "local" and m["mac"] == bridge for m in macs.values())
    for noun in ("guest", "port", "mac", "lease", "network"):
        table = vmlaned.vmlane(noun, "list", json_out=False)
        assert len(table.splitlines()) >= 2, table


def test_status(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    s = vmlaned.vmlane("status")
    assert (s["networks"], s["guests"], s["leases"]) == (1, 1, 1)
    assert s["uplinks"] == ["eth0"] and s["resolvers"] == ["203.0.113.1"] and s["pid"] == vmlaned.p.pid
    assert s["counters"]["dhcp"]["received"] >= 2 and s["counters"]["dhcp"]["sent"] >= 2
    assert s["counters"]["kernel_writes"] > 0 and s["problems"] == []


def test_resolvers_follow_resolv_conf(world, vmlaned, guest):
    with open(world.resolv, "w", encoding="utf-8") as f:
        f.write("search example.org\nnameserver 203.0.113.53\nnameserver 127.0.0.53\nnameserver 203.0.113.54\n")
    wait_for("the new resolvers", lambda: vmlaned.status()["resolvers"] == ["203.0.113.53", "203.0.113.54"])
    assert guest("web1").dhcp()["dns"].replace(",", " ").split() == ["203.0.113.53", "203.0.113.54"]


def qemu_argv(name):
    return [name, "-M", "q35" if "x86" in name else "virt", "-accel", "tcg", "-m", "128", "-display", "none",
            "-nodefaults", "-serial", "none", "-monitor", "none", "-S"]


def test_bridge_helper_with_real_qemu(world, vmlaned, need_qemu):
    """As an unprivileged user: QEMU asks the helper, the helper the daemon."""
    # A copy, since the build may be where only root can go, below /root say.
    helper = shutil.copy(program("vmlane-bridge-helper"), f"{world.tmp}/helper")
    argv = ["setpriv", "--reuid=5", "--regid=60", "--init-groups"] + qemu_argv(need_qemu) + [
        "-name", "old", "-netdev", f"bridge,id=n0,br=vl-default,helper={helper}",
        "-device", "e1000e,netdev=n0,mac=52:54:00:77:00:01"]
    vm = world.host.start(*argv, log=f"{world.tmp}/qemu.log", env={"VMLANE_SOCKET": vmlaned.socket})

    def plugged():
        assert vm.alive(), vm.text()
        # The tap may be seen before the daemon tells whose it is.
        return [g for g in vmlaned.vmlane("guest", "list")["guests"] if g["state"] == "running" and g["kind"] == "run"]

    g = wait_for("the guest", plugged)[0]
    assert g["network"] == "default" and g["name"] == "old"
    assert g["process"].startswith("qemu-system") and g["nic_model"] == "e1000e" and g["pid"] == vm.pid
    assert world.host.links()[g["tap"]]["master"] == "vl-default"
    vm.end()
    wait_for("the tap to vanish", lambda: g["tap"] not in world.host.links())


def test_run_with_real_qemu(world, vmlaned, need_qemu):
    """No placeholder: vmlane knows how QEMU wants its card."""
    vm = world.host.start(*vmlaned.argv("run", "--network", "default", "--name", "vm1", "--", *qemu_argv(need_qemu)),
                          log=f"{world.tmp}/qemu.log")

    def plugged():
        assert vm.alive(), vm.text()
        g = [g for g in vmlaned.vmlane("guest", "list")["guests"] if g["state"] == "running"]
        return g and g[0]["nic_model"] and g[0]

    g = wait_for("the guest", plugged)
    assert (g["name"], g["nic_model"], g["pid"]) == ("vm1", "virtio-net", vm.pid)
    vm.end()
    wait_for("the tap to vanish", lambda: "vl-vm1" not in world.host.links())


def test_guest_that_says_nothing_is_bound_to_its_user(vmlaned):
    """A second machine on one persistent tap is the kernel's to refuse: single queue."""
    g = TapGuest(vmlaned, "db")
    second = vmlaned.world.host.python("vmm.py", g.about["tap"], g.ns.name, g.about["mac"], log=f"{g.tmp}/second.log")
    assert second.wait(5) != 0
    assert "busy" in second.text().lower()


def test_foreign_port_on_our_bridge_is_left_alone(world, vmlaned):
    world.host.run("ip", "link", "add", "foreign", "type", "veth", "peer", "name", "foreign1")
    world.host.run("ip", "link", "set", "foreign", "master", "vl-default", "up")
    assert vmlaned.vmlane("apply") == {"changes": [], "kernel_writes": 0}
    port = next(p for p in vmlaned.vmlane("port", "list")["ports"] if p["port"] == "foreign")
    assert port["guest"] is None
    world.host.run("ip", "link", "del", "foreign")


@pytest.mark.parametrize("name", ["web1", "a.b-c_d", "0"])
def test_names(vmlaned, name):
    g = RunGuest(vmlaned, name)
    assert g.dhcp()["hostname"] == name.replace("_", "-")  # RFC 1123 knows no '_'


def test_what_a_process_calls_itself_is_not_printed_as_it_is(world, vmlaned):
    """Whoever owns the tap chooses its process's name: a terminal must not see escape sequences in it."""
    vmlaned.vmlane("guest", "attach", "web1", "--network", "default")
    code = ("import ctypes, os, sys, time; sys.path.insert(0, sys.argv[1]); import vmm; fd = vmm.open_tap('vl-web1');"
            r"ctypes.CDLL(None).prctl(15, b'\x1b]0;x\x07\xffy'); print('ready', flush=True); time.sleep(600)")
    p = world.host.start(sys.executable, "-c", code, os.path.dirname(os.path.abspath(__file__)), stdout=subprocess.PIPE)
    assert p.line() == "ready"
    text = vmlaned.vmlane("guest", "show", "web1", json_out=False)
    assert "\\033]0;x\\007" in text and not any(ord(c) < 32 and c != "\n" for c in text), repr(text)
    assert "y" in vmlaned.vmlane("guest", "show", "web1")["process"]
    p.end()
