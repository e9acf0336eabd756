# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace, when the memory of a packet that has ended unseen is another packet's at once: that one looks as much
like the first as two packets can, and yet it is none of the guest's."""
import json
import os
import signal
import socket
import struct

import pytest

from daemon import program
from foreign import GATEWAY, make_host
from packet import ARP, BROADCAST, Ether, Wire
from test_trace import hops
from vmm import open_tap
from world import wait_for

pytestmark = pytest.mark.usefixtures("world")
MAC, OTHER = "52:54:00:07:00:01", "02:00:00:00:00:01"
ROUNDS = int(os.environ.get("VMLANE_REUSE", "300"))
SOLICITATION = struct.pack("!BBHI", 133, 0, 0, 0)


def checksum(src, dst, data):
    """Of ICMPv6 (RFC 8200, 8.1)."""
    pseudo = src + dst + struct.pack("!I3xB", len(data), 58) + data
    total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def icmp6(mac, message, src="fe80::7", dst="ff02::1", hop_limit=255):
    """An Ethernet frame with @message, whose checksum is filled in."""
    a, b = socket.inet_pton(socket.AF_INET6, src), socket.inet_pton(socket.AF_INET6, dst)
    message = message[:2] + struct.pack("!H", checksum(a, b, message)) + message[4:]
    return (b"\x33\x33" + b[12:] + bytes.fromhex(mac.replace(":", "")) + b"\x86\xdd" +
            struct.pack("!IHBB", 6 << 28, len(message), 58, hop_limit) + a + b + message)


def arp(mac, src, target):
    return bytes(Ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=mac, psrc=src, pdst=target))


KINDS = {
    # Neither has a byte behind its ICMPv6 header: a router solicitation, an end of listening.
    "icmp6": (icmp6(MAC, SOLICITATION), icmp6(OTHER, struct.pack("!BBHI", 132, 0, 0, 0))),
    # Nothing but the sender differs, as when host and guest look for the same neighbour.
    "arp": (arp(MAC, "10.7.0.11", "10.7.0.99"), arp(OTHER, GATEWAY, "10.7.0.99")),
    # Nothing differs at all.
    "same": (icmp6(MAC, SOLICITATION),) * 2,
}


class Vm:
    """This process is the VMM behind vnet1, on one processor, so that memory is used again at once; and there is a trace."""

    def __init__(self, world):
        make_host(world)
        world.host.run("sh", "-ec", "ip tuntap add vnet1 mode tap vnet_hdr; ip link set vnet1 master br7 up;"
                       "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        with world.host.enter():
            self.tap = open_tap("vnet1")
        self.log, self.before = f"{world.tmp}/trace.json", os.sched_getaffinity(0)
        with open(self.log, "wb") as out:
            self.t = world.host.start(program("vmlane"), "-o", "json", "trace", "--port", "vnet1", stdout=out, log=f"{world.tmp}/trace.log")
        wait_for("the trace", lambda: os.path.getsize(self.log) or not self.t.alive())
        os.sched_setaffinity(0, {min(self.before)})

    def send(self, frame):
        os.write(self.tap, bytes(10) + frame)

    def sent(self):
        """The trace is over: the guest's packets, and all that was told."""
        os.sched_setaffinity(0, self.before)
        self.t.p.send_signal(signal.SIGINT)
        assert self.t.wait() == 0, self.t.text()
        os.close(self.tap)
        with open(self.log, encoding="utf-8") as f:
            lines = [json.loads(line) for line in f]
        return [p for p in lines if p["event"] == "packet" and p["hops"] and hops(p)[0] == "vm-out"], lines


@pytest.mark.parametrize("kind", list(KINDS))
def test_memory_is_used_again(world, kind):
    guests, hosts = KINDS[kind]
    vm, uplink = Vm(world), Wire(world.host)
    for _ in range(ROUNDS):
        vm.send(guests)
        for _ in range(4):
            uplink.send(hosts)
    uplink.close()
    sent, _ = vm.sent()
    assert len(sent) == ROUNDS
    wrong = [p for p in sent if "uplink-out" in hops(p)]
    assert not wrong, (len(wrong), [h["text"] for h in wrong[0]["hops"]])


@pytest.mark.parametrize("where", ["host", "internet"])
def test_another_packet_waits_for_its_neighbour(world, where):
    """The host's own, or one of another namespace."""
    vm = Vm(world)
    with getattr(world, where).enter():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(100):
        vm.send(arp(MAC, "10.7.0.11", "10.7.0.99"))
        s.sendto(b"x", (f"203.0.113.{100 + i}", 9))
    s.close()
    sent, lines = vm.sent()
    assert len(sent) == 100
    wrong = [p for p in lines if p["event"] == "packet" and "neigh" in hops(p)]
    assert not wrong, (len(wrong), [h["text"] for h in wrong[0]["hops"]])
