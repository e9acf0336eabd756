# SPDX-License-Identifier: GPL-2.0-or-later
"""packet.py - DHCP messages that no honest client sends, frames as they are on a wire, and single
questions to the Internet's server."""
import json
import logging
import random
import select
import socket
import time

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
# pylint: disable=wrong-import-position,no-name-in-module
from scapy.layers.dhcp import BOOTP, DHCP  # noqa: E402
from scapy.layers.inet import IP, UDP  # noqa: E402
from scapy.layers.l2 import ARP, Ether  # noqa: E402
from world import INTERNET, TIMEOUT  # noqa: E402

SO_RCVBUFFORCE = 33  # asm-generic/socket.h
BROADCAST = "ff:ff:ff:ff:ff:ff"
TYPES = {1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform"}


class Wire:
    """A packet socket on an interface of a namespace."""

    def __init__(self, ns, dev="eth0", proto=3):
        with ns.enter():
            self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(proto))
            self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
            self.s.bind((dev, proto))

    def send(self, frame):
        self.s.send(bytes(frame))

    def frames(self, timeout):
        """What arrives until @timeout seconds are over. Taking frames apart is slow: those that have
        come by then are read to the last, unless they never end."""
        end = time.monotonic() + timeout
        while time.monotonic() < end + TIMEOUT:
            if not select.select([self.s], [], [], max(0, end - time.monotonic()))[0]:
                return
            yield Ether(self.s.recv(65536))

    def close(self):
        self.s.close()


class DhcpPeer:
    """One client by hand: @mac speaks from the guest's wire."""

    def __init__(self, ns, mac, dev="eth0", wire=None):
        self.wire, self.mac, self.xid = wire or Wire(ns, dev), mac, random.getrandbits(32)

    def send(self, kind, *options, ciaddr="0.0.0.0", src="0.0.0.0", flags=0x8000, dst="255.255.255.255",
             eth_dst=BROADCAST, hops=0, chaddr=None):
        chaddr = bytes.fromhex((chaddr or self.mac).replace(":", ""))
        bootp = BOOTP(op=1, xid=self.xid, flags=flags, ciaddr=ciaddr, chaddr=chaddr + b"\0" * 10, hops=hops)
        self.wire.send(Ether(src=self.mac, dst=eth_dst) / IP(src=src, dst=dst) / UDP(sport=68, dport=67) / bootp
                       / DHCP(options=[("message-type", kind), *options, "end"]))

    def receive(self, timeout=3):
        """(type, yiaddr, options) of the next answer to us, or None."""
        for frame in self.wire.frames(timeout):
            if BOOTP in frame and frame[BOOTP].op == 2 and frame[BOOTP].xid == self.xid:
                options = dict(o[:2] if len(o) == 2 else (o[0], o[1:]) for o in frame[DHCP].options
                               if isinstance(o, tuple))
                return TYPES[options["message-type"]], frame[BOOTP].yiaddr, options
        return None

    def ask(self, kind, *options, timeout=3, **kw):
        self.send(kind, *options, **kw)
        return self.receive(timeout)

    def bind(self, *options, wish=None):
        """DISCOVER (asking for address @wish) to ACK; (address, options)."""
        self.xid = random.getrandbits(32)
        offer = self.ask("discover", *options, *([("requested_addr", wish)] if wish else []))
        assert offer and offer[0] == "offer", f"no offer: {offer}"
        ack = self.ask("request", ("requested_addr", offer[1]), ("server_id", offer[2]["server_id"]), *options)
        assert ack and ack[0] == "ack" and ack[1] == offer[1], f"{offer} then {ack}"
        return ack[1], ack[2]


def udp_ask(ns, sport=0, address=INTERNET, timeout=10):
    """Who the UDP server says we are, or None."""
    six = ":" in address
    with ns.enter():
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    with s:
        s.settimeout(timeout)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::" if six else "0.0.0.0", sport))
        try:
            s.sendto(b"hello", (address, 7777))
            return json.loads(s.recv(2048))
        except (socket.timeout, OSError):
            return None


def tcp_ask(ns, sport, address=INTERNET):
    """Who the web server says we are when we come from port @sport."""
    six = ":" in address
    with ns.enter():
        s = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
    with s:
        s.settimeout(TIMEOUT)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("::" if six else "0.0.0.0", sport))
        s.connect((address, 80))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while True:
            piece = s.recv(4096)
            if not piece:
                return json.loads(answer.split(b"\r\n\r\n", 1)[1])
            answer += piece
