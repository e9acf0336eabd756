# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirtd.py - libvirt's own daemon in namespace `host`, with files of the test's own, its default network as
Debian's package libvirt-daemon-config-network has it, and machines (QEMU without KVM) that get an address by DHCP.

Neither systemd, a message bus, cgroups nor virtlogd are needed. /var/lib/libvirt is a tmpfs for the test, so that
vmlane finds the leases where they are on any host.
"""
import glob
import json
import os
import shutil
import socket
import subprocess
import time

import pytest

from world import TIMEOUT, wait_for

STATE = "/var/lib/libvirt"
STATUS = f"{STATE}/dnsmasq/virbr0.status"
DRIVERS = "/usr/lib/*/libvirt/connection-driver/libvirt_driver_{}.so"
CONF = """auth_unix_rw = "none"
auth_unix_ro = "none"
unix_sock_group = "root"
log_outputs = "3:stderr"
"""
QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
dynamic_ownership = 0
remember_owner = 0
"""
NETWORK = """<network><name>default</name><bridge name='virbr0'/><forward/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network>
"""
# The second serial port is the control channel of tools/guest-init.sh.
DOMAIN = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>192</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type><kernel>{kernel}</kernel><initrd>{initrd}</initrd>
<cmdline>console=ttyS0 panic=-1 vmlane.name={name}</cmdline></os>
<features><acpi/></features><cpu mode='maximum'/>
<devices><emulator>{qemu}</emulator>
<interface type='network'><mac address='{mac}'/><source network='default'/><model type='virtio'/></interface>
<serial type='file'><source path='{tmp}/{name}.console.log'/></serial>
<serial type='unix'><source mode='bind' path='{tmp}/{name}.ctl'/></serial>
<memballoon model='none'/></devices></domain>
"""
# What libvirtd alone sees: users that only the package with its services makes, /etc/libvirt, and the interfaces of
# this namespace in /sys, by which it sets its bridge up.
START = """
{ cat /etc/passwd; echo libvirt-qemu:x:64055:64055::/var/lib/libvirt:/usr/sbin/nologin; } >$1/passwd
{ cat /etc/group; echo libvirt-qemu:x:64055:; echo kvm:x:64056:; } >$1/group
mount --bind $1/passwd /etc/passwd
mount --bind $1/group /etc/group
mount -t sysfs sysfs /sys
for d in etc var/log var/cache; do
    mkdir -p /$d/libvirt
    mount -t tmpfs tmpfs /$d/libvirt
done
cp -r $1/etc/. /etc/libvirt/
exec libvirtd -f /etc/libvirt/libvirtd.conf
"""


def missing():
    """What this host lacks for it; None: nothing."""
    for name in ("libvirtd", "virsh", "dnsmasq", "iptables"):
        if not shutil.which(name):
            return f"{name} is not installed (tools/deps.sh check)"
    for driver in ("qemu", "network"):
        if not glob.glob(DRIVERS.format(driver)):
            return f"libvirt's driver {driver} is not installed"
    return None


class Domain:
    """A machine that runs; sh() is a command in it."""

    def __init__(self, libvirt, name, mac):
        self.libvirt, self.name, self.mac = libvirt, name, mac
        with open(f"/run/libvirt/qemu/{name}.pid", encoding="ascii") as f:
            self.pid = int(f.read())
        self.ctl = socket.socket(socket.AF_UNIX)
        self.ctl.connect(f"{libvirt.tmp}/{name}.ctl")
        self.ctl.settimeout(TIMEOUT)
        self.said = self.ctl.makefile("rb")
        self.ip = None

    def lease(self):
        return next((x for x in self.libvirt.leases() if x["mac-address"] == self.mac), None)

    def ready(self):
        """It has its address, and serves its page."""
        for line in self.said:
            if line.startswith(b"VMLANE-READY"):
                break
        self.ip = wait_for("libvirt to know of the lease", self.lease)["ip-address"]
        return self

    def sh(self, command):
        """(status, output)"""
        self.ctl.sendall(command.encode() + b"\n")
        out = b""
        for line in self.said:
            if line.startswith(b"VMLANE-END"):
                return int(line.split()[1]), out.decode()
            out += line
        raise AssertionError(f"{self.name} ended in the middle of {command!r}")

    def page(self, address, wait=20):
        """What a web server out there says who the machine is; None: it does not answer."""
        out = self.sh(f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w {wait} {address} 80; echo")[1]
        return json.loads(out.rpartition("\r\n\r\n")[2])["address"] if " 200 " in out else None

    def ping(self, address, wait=20):
        return self.sh(f"ping -q -c 1 -W {wait} {address}")[0] == 0

    def destroy(self):
        self.ctl.close()
        self.libvirt.virsh("destroy", self.name)


class Libvirt:
    def __init__(self, world, image):
        self.world, self.image = world, image
        self.tmp = f"{world.tmp}/libvirt"
        os.makedirs(f"{self.tmp}/etc/qemu/networks")
        for name, text in (("libvirtd.conf", CONF), ("qemu.conf", QEMU_CONF), ("qemu/networks/default.xml", NETWORK)):
            with open(f"{self.tmp}/etc/{name}", "w", encoding="ascii") as f:
                f.write(text)
        self.p = world.host.start("unshare", "--mount", "sh", "-ec", START, "libvirtd", self.tmp, log=f"{world.tmp}/libvirtd.log")
        wait_for("libvirtd", lambda: self.p.alive() and self.virsh("version", check=False).returncode == 0 or self.ended())

    def ended(self):
        assert self.p.alive(), f"libvirtd ended with {self.p.p.returncode}:\n{self.p.text()}"

    def virsh(self, *args, check=True):
        return self.world.host.run("virsh", "-q", "-c", "qemu:///system", *args, check=check)

    @staticmethod
    def leases():
        """As its helper wrote them for its bridge."""
        try:
            with open(STATUS, encoding="ascii") as f:
                return json.loads(f.read() or "[]")
        except (FileNotFoundError, json.JSONDecodeError):
            return []

    def domain(self, name, mac):
        qemu, kernel, initrd = self.image
        path = f"{self.tmp}/{name}.xml"
        with open(path, "w", encoding="ascii") as f:
            f.write(DOMAIN.format(name=name, mac=mac, kernel=kernel, initrd=initrd, qemu=shutil.which(qemu), tmp=self.tmp))
        self.virsh("create", path)
        return Domain(self, name, mac)

    @staticmethod
    def expire():
        """All leases have ended a minute ago."""
        over = [{**x, "expiry-time": int(time.time()) - 60} for x in Libvirt.leases()]
        with open(STATUS, "w", encoding="ascii") as f:
            json.dump(over, f)


@pytest.fixture
def libvirt(world, image):
    why = missing() or ("" if "x86_64" in image[0] else "the machine's description is x86's")
    if why:
        pytest.skip(f"no libvirt: {why}")
    # /sys and others are libvirtd's own; this one vmlane has to see.
    os.makedirs(STATE, exist_ok=True)
    shutil.rmtree("/run/libvirt", ignore_errors=True)  # of the test before this one, if it was ended hard
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", STATE], check=True)
    lv = Libvirt(world, image)
    yield lv
    for name in lv.virsh("list", "--name", check=False).stdout.split():
        lv.virsh("destroy", name, check=False)
    lv.virsh("net-destroy", "default", check=False)
    lv.p.end()
    subprocess.run(["umount", "-l", STATE], check=True)
