# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane guest list and find, vmlane scan: every guest of the host, whoever started it."""
import json
import os
import socket
import subprocess

import pytest

from daemon import program
from foreign import ForeignGuest, make_host
from packet import ARP, BROADCAST, Ether, Wire
from plain import Plain, ping
from world import wait_for


def vmlane(world, *args, check=True):
    """Without a daemon."""
    done = world.host.run(program("vmlane"), "--socket", f"{world.tmp}/none.sock", "-o", "json", *args, check=False)
    assert not check or done.returncode == 0, done.stderr
    return json.loads(done.stdout) if check else done


def guests(world, *args):
    return {g["tap"]: g for g in vmlane(world, "guest", "list", *args)["guests"]}


def addresses(guest):
    return {a["address"]: a for a in guest["addresses"] if not a["address"].startswith("fe80:")}


def arrived(wire):
    """All frames that came so far."""
    frames = []
    while True:
        try:
            frames.append(Ether(wire.s.recv(65536, socket.MSG_DONTWAIT)))
        except BlockingIOError:
            return frames


def test_qemu_started_by_hand(world, need_qemu):
    """Its name, NIC model and MAC from the command line, before it has sent a frame."""
    make_host(world)
    world.host.run("sh", "-ec", "ip tuntap add vnet5 mode tap; ip link set vnet5 master br7 up")
    off = guests(world)["vnet5"]
    assert (off["state"], off["pid"], off["mac"], off["managed"]) == ("off", None, None, False)
    vm = world.host.start(need_qemu, "-S", "-nodefaults", "-display", "none", "-machine", "none" if "aarch64" in need_qemu else "pc",
                          "-name", "win,debug-threads=on", "-netdev", "tap,id=n,ifname=vnet5,script=no,downscript=no",
                          *(["-device", "e1000e,netdev=n,mac=52:54:00:11:22:33"] if "x86" in need_qemu else []),
                          log=f"{world.tmp}/qemu.log")
    g = wait_for("QEMU to have its tap", lambda: [g for g in guests(world).values() if g["state"] == "running"])[0]
    assert (g["tap"], g["bridge"], g["kind"], g["name"], g["pid"]) == ("vnet5", "br7", "tap", "win", vm.pid)
    assert g["process"].startswith("qemu-system")
    if "x86" in need_qemu:
        assert (g["nic_model"], g["mac"]) == ("e1000e", "52:54:00:11:22:33")
    for what in ("win", "vnet5", str(vm.pid)) + (("52:54:00:11:22:33", "52-54-00-11-22-33") if "x86" in need_qemu else ()):
        found = vmlane(world, "guest", "find", what)["guests"]
        assert [f["tap"] for f in found] == ["vnet5"], what
    vm.end()
    assert guests(world)["vnet5"]["state"] == "off"


JAIL = "srv/jailer/firecracker/551e7604-e35c-42b3-b825-416853441234/root/dev/net"


@pytest.mark.parametrize("comm, line, name, mac", [
    ("firecracker", "/usr/bin/firecracker --api-sock /run/firecracker.socket --id web1", "web1", None),
    ("firecracker", "firecracker --api-sock /run/vms/web1.socket --config-file vm_config.json", "web1", None),
    ("firecracker", "firecracker --no-api --config-file vms/web1.json", "web1", None),
    ("firecracker", "./firecracker --id=web1 --start-time-us=1 --start-time-cpu-us=2 --parent-cpu-time-us=3", "web1", None),
    ("cloud-hyperviso", "cloud-hypervisor --api-socket /run/vms/web1.sock --kernel fw --net tap=other,mac=02:00:00:00:00:01 "
     "tap=vnet5,mac=52:54:00:11:22:33", "web1", "52:54:00:11:22:33"),
    ("cloud-hyperviso", "cloud-hypervisor --api-socket path=/run/vms/web1.sock --net fd=33,mac=52:54:00:11:22:33", "web1", "52:54:00:11:22:33"),
    ("cloud-hyperviso", "/opt/cloud-hypervisor-static --api-socket=/run/ch.sock --net=tap=vnet5", None, None),
], ids=["id", "socket", "config", "jailer", "tap", "fd", "nameless"])
def test_other_monitors(world, tmp, comm, line, name, mac):
    """What /proc shows of firecracker and cloud-hypervisor, by a stand-in: neither is in Debian. A jail's device has a long name."""
    make_host(world)
    world.host.run("sh", "-ec", f"ip tuntap add vnet5 mode tap vnet_hdr; ip link set vnet5 master br7 up; mkdir -p {tmp}/{JAIL}; mknod {tmp}/{JAIL}/tun c 10 200")
    device = f"{tmp}/{JAIL}/tun" if "start-time" in line else "/dev/net/tun"
    vm = world.host.python("disguise.py", device, "vnet5", "33", comm, *line.split(), stdout=subprocess.PIPE, log=f"{tmp}/vmm.log")
    assert vm.line() == "ready"
    g = guests(world)["vnet5"]
    assert (g["name"], g["pid"], g["process"], g["nic_model"], g["mac"], g["state"]) == (name, vm.pid, comm, "virtio-net", mac, "running")
    for what in [x for x in (name, mac, str(vm.pid)) if x]:
        assert [f["tap"] for f in vmlane(world, "guest", "find", what)["guests"]] == ["vnet5"], what
    vm.end()
    assert guests(world)["vnet5"]["state"] == "off"


def test_namespaces_as_containers_have_them(world):
    p = Plain(world)
    a, b = p.guest(1), p.guest(2)
    inside = a.start("sleep", "1000")
    assert ping(a, "10.7.0.1") and ping(b, "10.7.0.1")
    seen = guests(world)
    assert (seen["vnet1"]["name"], seen["vnet1"]["kind"], seen["vnet1"]["pid"], seen["vnet1"]["process"]) == ("g1", "veth", inside.pid, "sleep")
    assert (seen["vnet2"]["name"], seen["vnet2"]["pid"]) == ("g2", None)
    for n, ns in ((1, a), (2, b)):
        mine = addresses(seen[f"vnet{n}"])
        assert list(mine) == [ns.address] and mine[ns.address]["source"] == "neighbour" and not mine[ns.address]["stale"]
        assert seen[f"vnet{n}"]["mac"] == ns.links()["eth0"]["address"] and seen[f"vnet{n}"]["uplink"] is None
    assert [g["name"] for g in vmlane(world, "guest", "find", a.address)["guests"]] == ["g1"]
    # The way out is no guest, also where it is a veth in the bridge.
    p.uplink_into_bridge()
    assert world.host.run("busybox", "ping", "-q", "-c", 1, "203.0.113.1")
    seen = guests(world)
    assert "eth0" not in seen and seen["vnet1"]["uplink"] == "eth0"


def test_nothing_of_the_host_is_a_guest(world):
    make_host(world)
    world.host.run("ip", "tuntap", "add", "tun9", "mode", "tun")
    done = world.host.run(program("vmlane"), "--socket", f"{world.tmp}/none.sock", "guest", "list", check=False)
    assert done.returncode == 0 and done.stdout == ""
    assert "vmlaned is not running" in done.stderr and "no guests" in done.stderr
    done = vmlane(world, "guest", "find", "10.7.0.99", check=False)
    assert done.returncode == 2 and "no guest of this host has '10.7.0.99'" in done.stderr
    assert vmlane(world, "guest", "list", "--network", "br7") == {"guests": []}
    assert vmlane(world, "guest", "list", "--network", "br8", check=False).returncode == 3


def test_leases_of_dnsmasq(world):
    """A guest that has told its name to somebody else's DHCP server."""
    p = Plain(world)
    g = p.guest(1)
    g.run("ip", "addr", "flush", "dev", "eth0")
    path = "/var/lib/misc/dnsmasq.leases"
    if os.path.exists(path):
        os.unlink(path)
    world.host.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=br0", "--bind-interfaces",
                     "--user=root", f"--dhcp-leasefile={path}", "--no-ping",
                     "--dhcp-range=10.7.0.50,10.7.0.60,1h", log=f"{world.tmp}/dnsmasq.log")
    done = g.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "20", "-T", "1", "-s", "/bin/true",
                 "-x", "hostname:printer", check=False)
    assert done.returncode == 0, done.stderr
    mine = guests(world)["vnet1"]
    lease, = addresses(mine).items()
    assert lease[0] in [f"10.7.0.{n}" for n in range(50, 61)] and lease[1]["source"] == "lease-file"
    with open(path, encoding="utf-8") as f:
        words = f.read().split()
    # It is over: the address may be anybody's.
    with open(path, "w", encoding="utf-8") as f:
        f.write(" ".join(["1000"] + words[1:]) + "\n")
    world.host.run("ip", "neigh", "flush", "all")
    mine = guests(world)["vnet1"]
    assert addresses(mine)[lease[0]]["stale"] and mine["notes"] == ["stale"] and mine["ipv4"] is None
    os.unlink(path)


def test_macvtap(world):
    """Its process holds /dev/tapN, its bridge is the NIC below."""
    if world.host.run("ip", "link", "add", "mv0", "link", "eth0", "address", "52:54:00:00:00:77", "type", "macvtap",
                      "mode", "bridge", check=False).returncode != 0:
        pytest.skip("this kernel has no macvtap")
    world.host.run("ip", "link", "set", "mv0", "up")
    g = guests(world)["mv0"]
    assert (g["kind"], g["uplink"], g["bridge"], g["mac"], g["state"]) == ("macvtap", "eth0", None, "52:54:00:00:00:77", "off")
    index = world.host.links()["mv0"]["ifindex"]
    sysfs = world.host.run("sh", "-ec", f"mount -t sysfs none {world.tmp} && cat {world.tmp}/class/net/mv0/tap{index}/dev; umount {world.tmp}")
    major, minor = sysfs.strip().split(":")
    # A /dev of its own, so that the machine's stays as it is.
    done = world.host.run(
        "unshare", "--mount", "sh", "-ec",
        f"mount -t tmpfs none /dev; mknod /dev/null c 1 3; mknod /dev/tap{index} c {major} {minor};"
        f"exec 5<>/dev/tap{index}; echo $$ >&2;"
        f"{program('vmlane')} --socket {world.tmp}/none.sock -o json guest list 2>/dev/null", check=False)
    g = [g for g in json.loads(done.stdout)["guests"] if g["tap"] == "mv0"][0]
    assert g["state"] == "running" and g["pid"] == int(done.stderr.split()[-1]) and g["process"] == "sh"


def test_two_with_one_mac_or_address(world):
    make_host(world)
    one, two = ForeignGuest(world, 1, mac="52:54:00:07:00:aa"), ForeignGuest(world, 2, address="10.7.0.11")
    assert one.ping("10.7.0.1")
    # The host's table has room for one of them: a scan hears both.
    seen = vmlane(world, "scan", "br7")
    assert seen["bridge"] == "br7" and seen["asked"] == 253
    assert {(f["address"], f["mac"], f["port"], f["duplicate"]) for f in seen["found"] if "." in f["address"]} == \
        {("10.7.0.11", one.mac, "vnet1", True), ("10.7.0.11", two.mac, "vnet2", True)}
    world.host.run("sh", "-ec", "ip tuntap add vnet3 mode tap; ip link set vnet3 master br7 up")
    three = world.ns("vm3")
    assert world.host.python("vmm.py", "vnet3", three.name, one.mac, stdout=subprocess.PIPE, log=f"{world.tmp}/3.log").line() == "ready"
    # Their bridge has the MAC at one port only, whoever sent last: nothing to see. A VMM's command line would tell.
    assert set(guests(world)) == {"vnet1", "vnet2", "vnet3"}


def test_scan_asks_for_its_own_subnets_only(world):
    p = Plain(world)
    a, b = p.guest(1), p.guest(2)
    p.bridge("br1", "10.8.0.1/24")
    other = p.guest(3, bridge="br1", address="10.8.0.13", gateway="10.8.0.1")
    for ns in (world.host, a, b):
        wait_for("its addresses to be its own", lambda: not ns.run("ip", "-6", "addr", "show", "tentative"))  # pylint: disable=cell-var-from-loop
    wires = {n: Wire(ns, proto=0x0806) for n, ns in ((2, b), (3, other))}
    found = vmlane(world, "scan", "br0")
    assert {f["address"]: f["guest"] for f in found["found"] if "." in f["address"]} == {a.address: "g1", b.address: "g2"}
    # IPv6 too: link-local ones, from who answers pings to all nodes.
    assert {f["guest"] for f in found["found"] if ":" in f["address"]} == {"g1", "g2"}
    asked = [f[ARP].pdst for f in arrived(wires[2]) if f[ARP].op == 1 and f.dst == BROADCAST]
    assert set(asked) == {f"10.7.0.{n}" for n in range(2, 255)} and len(asked) <= 2 * 253
    assert not [f for f in arrived(wires[3]) if f[ARP].psrc.startswith("10.7.")]
    # The list knows it from now on.
    assert list(addresses(guests(world)["vnet2"])) == [b.address]
    # Other subnets are refused, and parts of one are not.
    done = vmlane(world, "scan", "br0", "--subnet", "10.9.0.0/24", check=False)
    assert done.returncode == 2 and "10.9.0.0/24 is not on br0" in done.stderr
    part = vmlane(world, "scan", "br0", "--subnet", "10.7.0.8/30")
    assert part["asked"] == 2 and [f["address"] for f in part["found"] if "." in f["address"]] == []
    for w in wires.values():
        w.close()


def test_scan_of_a_bridge_without_address(world):
    p = Plain(world)
    p.host.run("ip", "addr", "flush", "dev", "br0")
    a = p.guest(1)
    done = vmlane(world, "scan", "br0", check=False)
    assert done.returncode == 2 and "--subnet PREFIX" in done.stderr
    wire = Wire(a, proto=0x0806)
    found = vmlane(world, "scan", "br0", "--subnet", "10.7.0.0/28")
    assert [f["address"] for f in found["found"] if "." in f["address"]] == [a.address]
    # Probes: they claim no address (RFC 5227).
    assert {f[ARP].psrc for f in arrived(wire) if f[ARP].op == 1} == {"0.0.0.0"}
    wire.close()


@pytest.mark.parametrize("args,says", [
    (("nowhere",), "there is no interface nowhere"),
    (("eth0",), "eth0 is no bridge"),
    (("br0", "--subnet", "10.7.0.0"), "is no prefix"),
    (("br0", "--rate", "0"), "--rate '0'"),
    (("br2",), "br2 is down: ip link set br2 up"),
    (("br3",), "are too many"),
])
def test_scan_refuses(world, args, says):
    Plain(world)
    world.host.run("sh", "-ec", "ip link add br2 type bridge; ip link add br3 type bridge; ip addr add 172.16.0.1/12 dev br3; ip link set br3 up")
    done = vmlane(world, "scan", *args, check=False)
    assert done.returncode in (1, 2) and says in done.stderr


def test_ours_and_others(world, vmlaned, guest):
    """One list: the daemon's guests with what it knows, and those that are none of its own."""
    web = guest("web1")
    web.dhcp()
    make_host(world)
    other = ForeignGuest(world, 1)
    assert other.ping("10.7.0.1")
    listed = {g["tap"]: g for g in vmlaned.vmlane("guest", "list")["guests"]}
    mine, theirs = listed["vl-web1"], listed["vnet1"]
    assert (mine["managed"], mine["network"], mine["name"], mine["addresses"][0]["source"]) == (True, "default", "web1", "lease")
    assert mine["addresses"][0]["address"] == mine["ipv4"] == web.ip and mine["seen_s"] is not None
    assert (theirs["managed"], theirs["network"], theirs["bridge"]) == (False, None, "br7") and other.ip in addresses(theirs)
    assert [g["tap"] for g in vmlaned.vmlane("guest", "list", "--network", "default")["guests"]] == ["vl-web1"]
    assert [g["tap"] for g in vmlaned.vmlane("guest", "list", "--network", "br7")["guests"]] == ["vnet1"]
    for what in (web.ip, web.mac, "web1", "vl-web1"):
        assert [g["name"] for g in vmlaned.vmlane("guest", "find", what)["guests"]] == ["web1"], what
    line = vmlaned.vmlane("guest", "find", web.ip, json_out=False)
    assert line.startswith("web1: running, ") and line.count("\n") == 1 and web.mac in line
    # Our networks by their names; without the daemon too.
    assert web.ip in {f["address"] for f in vmlaned.vmlane("scan", "default")["found"]}
    vmlaned.stop()
    assert web.ip in {f["address"] for f in vmlane(world, "scan", "default")["found"]}
    alone = guests(world)
    assert (alone["vl-web1"]["name"], alone["vl-web1"]["network"]) == ("web1", "default")
    table = vmlaned.argv("guest", "list")
    assert "web1" in world.host.run(*table)
    vmlaned.start()


def test_a_frame_of_another_mac_is_counted(world):
    p = Plain(world)
    a = p.guest(1)
    assert ping(a, "10.7.0.1")
    wire = Wire(a)
    for n in range(3):
        wire.send(Ether(src=f"02:00:00:00:00:0{n}", dst=BROADCAST, type=0x9000) / b"x")
    wait_for("the bridge to learn them", lambda: guests(world)["vnet1"]["more_macs"] == 3)
    wire.close()
