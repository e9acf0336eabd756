# SPDX-License-Identifier: GPL-2.0-or-later
"""foreign.py - a host whose guests somebody else set up: a bridge, taps, a masquerade rule, all by hand.

No daemon mends anything here, so that what is broken stays broken until a test mends it.
"""
import subprocess

from world import UPLINK

GATEWAY = "10.7.0.1"


class ForeignGuest:
    """A namespace behind tap `vnetN`, as a VM behind it would be; `vmm` is the process that holds the tap."""

    def __init__(self, world, number, bridge="br7", mac=None, address=None, prefix=24, gateway=GATEWAY):
        self.world, self.tap = world, f"vnet{number}"
        self.mac = mac or f"52:54:00:07:00:{number:02x}"
        self.ip = address or f"10.7.0.{10 + number}"
        world.host.run("ip", "tuntap", "add", self.tap, "mode", "tap", "vnet_hdr")
        world.host.run("ip", "link", "set", self.tap, *(["master", bridge] if bridge else []), "up")
        self.ns, self.vmm = world.ns(f"vm{number}"), None
        self.on()
        self.ns.run("ip", "addr", "add", f"{self.ip}/{prefix}", "dev", "eth0")
        if gateway:
            self.ns.run("ip", "route", "add", "default", "via", gateway)

    def on(self):
        self.vmm = self.world.host.python("vmm.py", self.tap, self.ns.name, self.mac, stdout=subprocess.PIPE,
                                          log=f"{self.world.tmp}/{self.tap}.log")
        assert self.vmm.line() == "ready"

    def ping(self, address, *args, count=1, wait=1):
        return self.ns.run("busybox", "ping", "-q", "-c", count, "-W", wait, *args, address, check=False).returncode == 0

    def reaches(self, address, *args, count=1, wait=20):
        """As ping(), where an answer is expected: it may take its time on a busy machine."""
        return self.ping(address, *args, count=count, wait=wait)


def make_host(world, nat=True):
    """Bridge br7 with the gateway's address, forwarding on, and a masquerade rule of somebody's."""
    world.host.run("sh", "-ec", f"ip link add br7 type bridge forward_delay 0; ip addr add {GATEWAY}/24 dev br7;"
                   "ip link set br7 up; echo 1 >/proc/sys/net/ipv4/ip_forward")
    if nat:
        world.host.nft(f"""table ip theirs {{
            chain post {{
                type nat hook postrouting priority 100
                ip saddr 10.7.0.0/24 oifname eth0 snat to {UPLINK}
            }}
        }}""")
