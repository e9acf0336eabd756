# SPDX-License-Identifier: GPL-2.0-or-later
"""snoop.py - what listening for guests' addresses costs a guest's packet: vmlaned's way, a socket of one protocol on
the bridge, and what would hear more: sockets of all protocols on the bridge, at its ports, on all interfaces."""
import ctypes
import socket
import statistics
import struct

from sides import Vmlaned
from stats import Table, duration, number, percentile, spread
from world import Ns, WORK, run

MAC, IP = "52:54:00:aa:00:01", "10.80.0.10"
PEER = "52:54:00:bb:00:01"  # another port's: what is switched there is counted and goes no further
ETH_P_ALL, SOL_PACKET, PACKET_IGNORE_OUTGOING, SO_ATTACH_FILTER = 3, 263, 23, 26
# ARP, UDP to port 67 or 68 without fragments, ICMPv6 133 to 136: (code, jump if true, jump if false, k).
FILTER = [(0x28, 0, 0, 12), (0x15, 12, 0, 0x0806), (0x15, 0, 7, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 10, 17), (0x28, 0, 0, 20), (0x45, 8, 0, 0x3fff),
          (0xb1, 0, 0, 14), (0x48, 0, 0, 16), (0x15, 4, 5, 67), (0x15, 0, 4, 0x86dd), (0x30, 0, 0, 20), (0x15, 0, 2, 58), (0x30, 0, 0, 54),
          (0x35, 1, 0, 133), (0x06, 0, 0, 0), (0x06, 0, 0, 200)]


def listener(ns, dev):
    """A packet socket for all protocols with the filter, on @dev or (None) on all interfaces. What goes out is left out, as that would cost more."""
    code = b"".join(struct.pack("HBBI", c, t, f, k) for c, t, f, k in FILTER)
    kept = ctypes.create_string_buffer(code, len(code))
    with ns.enter():
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0 if dev else socket.htons(ETH_P_ALL))
        s.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HxxxxxxP", len(FILTER), ctypes.addressof(kept)))
        s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        if dev:
            s.bind((dev, ETH_P_ALL))
    return s


class Side:
    """A daemon with a guest, and another port of the bridge. The network has no DHCP, so that nothing else of vmlaned's listens there."""

    def __init__(self, name, options=(), listen=None):
        self.name, self.ns = name, Ns(name)
        daemon = Vmlaned(self.ns, [], options=options)
        daemon.api("POST", "/v1/networks", {"network": "n", "ipv4": {"subnet": "10.80.0.0/16"}, "dhcp": {"enabled": False}, "guard": "off",
                                            "guests": {"guest": {"ipv4": IP, "mac": MAC}}})
        guest = daemon.api("POST", "/v1/guests", {"name": "guest", "network": "n"})
        self.tap, self.bridge = guest["tap"], guest["bridge"]
        self.ns.ip("link add peer0 type veth peer name peer1", "link set peer1 up", f"link set peer0 master {self.bridge} up")
        with self.ns.enter():
            run("bridge", "fdb", "add", PEER, "dev", "peer0", "master", "static")
        self.sockets = [listener(self.ns, dev) for dev in (listen(self) if listen else [])]

    def arg(self, dst):
        return f"{self.name}={self.ns.path},{self.tap},{MAC},{IP},{dst or self.ns.mac(self.bridge)}"


SIDES = (("off", "--no-snoop", ["--no-snoop"], None),
         ("again", "--no-snoop, once more", ["--no-snoop"], None),
         ("on", "vmlaned as it is", [], None),
         ("bridge", "a socket for all protocols on the bridge", ["--no-snoop"], lambda s: [s.bridge]),
         ("ports", "one at each of the two ports", ["--no-snoop"], lambda s: [s.tap, "peer0"]),
         ("all", "one on all interfaces", ["--no-snoop"], lambda s: [None]))
WAYS = (("through NAT", "up0", None), ("to another port of the bridge", "peer0", PEER))


def measure_way(sides, cycles, way, command):
    title, dev, dst = way
    before = [s.ns.left_by(dev) for s in sides]
    lines = run(f"{WORK}/tap_rate", str(cycles), "3000", "1", *[s.arg(dst) for s in sides], timeout=300).splitlines()
    sent = [int(x) for x in lines.pop().split()[1:]]
    arrived = [s.ns.left_by(dev) - b for s, b in zip(sides, before)]
    rates = list(zip(*[[float(x) for x in line.split()] for line in lines]))
    best = percentile(rates[0], 90)
    table = Table(f"A guest's 64-byte UDP packet {title}, while addresses are listened for", command,
                  ("", "median", "a packet takes", "times the rate without, median (p10-p90) of each cycle's", "of the least disturbed cycles (p90)", "cycles"))
    for (_, words, _, _), values in zip(SIDES, rates):
        table.row(words, f"{number(statistics.median(values))} /s", duration(1 / statistics.median(values)),
                  spread([v / b for v, b in zip(values, rates[0])]), f"{percentile(values, 90) / best:.3f}", str(len(values)))
    for side, a, s in zip(sides, arrived, sent):
        if a < s * 0.99:
            raise RuntimeError(f"{side.name}: only {a} of {s} packets left by {dev}: this measured drops")
    table.show()


def measure(quick, command):
    sides = [Side(name, options, listen) for name, _, options, listen in SIDES]
    for way in WAYS:
        measure_way(sides, 100 if quick else 1000, way, command)
