# SPDX-License-Identifier: GPL-2.0-or-later
"""snoop.py - what listening for guests' addresses costs a guest's packet: vmlaned's way, a socket of one protocol on
the bridge, and what would hear more: sockets of all protocols on the bridge, at its ports, on all interfaces."""
import ctypes
import socket
import struct

from sides import Vmlaned
from ways import IP, MAC, WAYS, GuestSide, measure_way
from world import Ns

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


class Side(GuestSide):
    """A daemon with a guest, and another port of the bridge. The network has no DHCP, so that nothing else of vmlaned's listens there."""

    def __init__(self, name, options=(), listen=None):
        ns = Ns(name)
        daemon = Vmlaned(ns, [], options=options)
        daemon.api("POST", "/v1/networks", {"network": "n", "ipv4": {"subnet": "10.80.0.0/16"}, "dhcp": {"enabled": False}, "guard": "off",
                                            "guests": {"guest": {"ipv4": IP, "mac": MAC}}})
        super().__init__(name, ns, daemon.api("POST", "/v1/guests", {"name": "guest", "network": "n"}))
        self.sockets = [listener(self.ns, dev) for dev in (listen(self) if listen else [])]


SIDES = (("off", "--no-snoop", ["--no-snoop"], None),
         ("again", "--no-snoop, once more", ["--no-snoop"], None),
         ("on", "vmlaned as it is", [], None),
         ("bridge", "a socket for all protocols on the bridge", ["--no-snoop"], lambda s: [s.bridge]),
         ("ports", "one at each of the two ports", ["--no-snoop"], lambda s: [s.tap, "peer0"]),
         ("all", "one on all interfaces", ["--no-snoop"], lambda s: [None]))


def measure(quick, command):
    sides = [Side(name, options, listen) for name, _, options, listen in SIDES]
    words = {name: word for name, word, _, _ in SIDES}
    for way in WAYS:
        measure_way(sides, words, 100 if quick else 1000, way, "while addresses are listened for", command)
