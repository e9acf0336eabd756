# SPDX-License-Identifier: GPL-2.0-or-later
"""nft_trace.py - nf_tables' trace messages and conntrack's table over netlink, in a namespace: what the
kernel itself says it did with a packet."""
import select
import socket
import struct

NETLINK_NETFILTER, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 12, 270, 1
NFNLGRP_NFTRACE = 9
SO_RCVBUFFORCE = 33
TABLE, CHAIN, HANDLE, TYPE, VERDICT, MARK, NFPROTO, POLICY = 1, 2, 3, 4, 5, 14, 15, 16
TYPES = {1: "policy", 2: "return", 3: "rule"}


def attributes(data):
    at = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if length < 4 or length > len(data):
            break
        at[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return at


def text(raw):
    return raw.rstrip(b"\0").decode()


def message(data):
    """A trace message: type, table, chain, handle, verdict, jump's target, mark."""
    family = data[0]
    at = attributes(data[4:])
    verdict = attributes(at.get(VERDICT, b""))
    code = struct.unpack(">i", verdict[1])[0] if 1 in verdict else None
    if code is None and POLICY in at:
        code = struct.unpack(">i", at[POLICY])[0]
    return {"family": family, "type": TYPES.get(struct.unpack(">I", at[TYPE])[0]), "table": text(at[TABLE]),
            "chain": text(at[CHAIN]), "handle": struct.unpack(">Q", at[HANDLE])[0] if HANDLE in at else 0,
            "verdict": code, "mark": struct.unpack(">I", at[MARK])[0] if MARK in at else 0}


class Traces:
    """The trace messages of namespace @ns."""

    def __init__(self, ns):
        with ns.enter():
            self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.s.bind((0, 0))
        self.s.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTRACE)

    def until(self, table, timeout=20):
        """All messages before the first of @table, in order."""
        found = []
        while select.select([self.s], [], [], timeout)[0]:
            data = self.s.recv(65536)
            length = struct.unpack_from("I", data)[0]
            m = message(data[16:length])
            if m["table"] == table and m["type"] == "rule" and m["verdict"] == 0:
                return found
            found.append(m)
        raise TimeoutError(f"no trace message of table {table}")


def attr(kind, data):
    raw = struct.pack("HH", len(data) + 4, kind) + data
    return raw + b"\0" * (-len(raw) % 4)


def nest(kind, *parts):
    return attr(kind | 0x8000, b"".join(parts))


class Conntrack:
    """The connections of namespace @ns: all gone, or one that is established."""

    def __init__(self, ns):
        with ns.enter():
            self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.s.bind((0, 0))
        self.seq = 0

    def ask(self, kind, flags, family, body):
        self.seq += 1
        payload = struct.pack("BBH", family, 0, 0) + body
        self.s.send(struct.pack("IHHII", 16 + len(payload), (1 << 8) | kind, 5 | flags, self.seq, 0) + payload)
        data = self.s.recv(65536)
        assert struct.unpack_from("H", data, 4)[0] == 2, data
        error = struct.unpack_from("i", data, 16)[0]
        assert error == 0, error

    def flush(self):
        self.ask(2, 0, 0, b"")

    def add(self, ip6, proto, src, dst, sport, dport, mark):
        """Established, replied to, confirmed."""
        def tuple_(kind, a, b, p, q):
            kinds = (3, 4) if ip6 else (1, 2)
            return nest(kind, nest(1, attr(kinds[0], a), attr(kinds[1], b)),
                        nest(2, attr(1, bytes([proto])), attr(2, struct.pack(">H", p)), attr(3, struct.pack(">H", q))))
        body = tuple_(1, src, dst, sport, dport) + tuple_(2, dst, src, dport, sport)
        body += attr(3, struct.pack(">I", 0xE)) + attr(7, struct.pack(">I", 600)) + attr(8, struct.pack(">I", mark))
        if proto == 6:
            # Liberal in both directions: what follows need not fit the window.
            body += nest(4, nest(1, attr(1, b"\3"), attr(4, b"\x08\x08"), attr(5, b"\x08\x08")))
        self.ask(0, 0x600, 10 if ip6 else 2, body)
