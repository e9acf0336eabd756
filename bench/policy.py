# SPDX-License-Identifier: GPL-2.0-or-later
"""policy.py - what a connection's first packet costs on its way through NAT with a policy of many rules and without any."""
import socket
import statistics
import struct
import subprocess

from sides import Vmlaned
from stats import Table, duration, number, percentile, spread
from world import Ns, WORK, run

MAC, IP = "52:54:00:aa:00:01", "10.80.0.10"
CYCLES = 25  # between two rests: what begins in them neither fills conntrack's table nor makes its chains long
NLM_F_REQUEST, NLM_F_ACK, CT_DELETE, NETLINK_NETFILTER = 1, 4, 1 << 8 | 2, 12


def forget(ns):
    """All connections of a namespace end, as by `conntrack -F`."""
    with ns.enter(), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER) as s:
        s.sendall(struct.pack("IHHIIBBH", 20, CT_DELETE, NLM_F_REQUEST | NLM_F_ACK, 1, 0, socket.AF_UNSPEC, 0, 0))
        error = struct.unpack_from("i", s.recv(4096), 16)[0]
    if error:
        raise RuntimeError(f"conntrack's table is not emptied: {error}")


class Side:
    """A daemon with a guest, in a network with @rules rules of which none matches: each is of another port below 1024."""

    def __init__(self, name, rules):
        self.name, self.ns = name, Ns(name)
        daemon = Vmlaned(self.ns, [])
        daemon.api("POST", "/v1/networks", {"network": "n", "ipv4": {"subnet": "10.80.0.0/24"}, "guard": "off",
                                            "policy": {"rules": [f"deny out udp {100 + i}" for i in range(rules)]},
                                            "guests": {"guest": {"ipv4": IP, "mac": MAC}}})
        guest = daemon.api("POST", "/v1/guests", {"name": "guest", "network": "n"})
        self.arg = f"{name}={self.ns.path},{guest['tap']},{MAC},{IP},{self.ns.mac(guest['bridge'])}"


def known(ns):
    """Connections in a namespace."""
    with ns.enter():
        return int(run("cat", "/proc/sys/net/netfilter/nf_conntrack_count"))


def begin_many(sides, cycles):
    """A list of rates for each side; each packet has begun a connection, and has left."""
    lines, begun, before = [], [0] * len(sides), None
    argv = [f"{WORK}/tap_rate", str(cycles), "3000", "1", *[s.arg for s in sides], "--new", str(CYCLES)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            if line != "wait\n":
                lines.append(line)
                continue
            if before is None:
                before = [s.ns.left_by("up0") for s in sides]
            begun = [b + known(s.ns) for b, s in zip(begun, sides)]
            for side in sides:
                forget(side.ns)
            begun = [b - known(s.ns) for b, s in zip(begun, sides)]
            p.stdin.write("\n")
            p.stdin.flush()
    if p.returncode:
        raise RuntimeError(f"tap_rate ended with {p.returncode}")
    sent = [int(x) for x in lines.pop().split()[1:]]
    for side, n, b, so_far in zip(sides, sent, before, begun):
        left, new = side.ns.left_by("up0") - b, so_far + known(side.ns)
        if left < n * 0.99 or new < n * 0.99:
            raise RuntimeError(f"{side.name}: of {n} packets {left} left by the uplink, {new} began a connection: this measured drops")
        forget(side.ns)
    return list(zip(*[[float(x) for x in line.split()] for line in lines]))


def measure(quick, command):
    counts = (0, 0, 1, 32, 256)
    words = ["no rules", "no rules, once more", "1 rule", "32 rules", "256 rules"]
    sides = [Side(f"side{i}", n) for i, n in enumerate(counts)]
    # (The first connections of a namespace find nothing prepared.)
    rates = [values[CYCLES:] for values in begin_many(sides, CYCLES * (5 if quick else 61))]
    table = Table("The first packet of a guest's connection through NAT (64 bytes, UDP), with a policy and without", command,
                  ("", "median", "p10-p90", "a new connection takes", "more than without rules",
                   "times what it takes without, median (p10-p90) of each cycle's", "cycles"))
    for word, values in zip(words, rates):
        each = statistics.median(values)
        table.row(word, f"{number(each)} /s", f"{number(percentile(values, 10))}-{number(percentile(values, 90))}", duration(1 / each),
                  f"{statistics.median(1 / v - 1 / b for v, b in zip(values, rates[0])) * 1e9:.0f} ns", spread([b / v for v, b in zip(values, rates[0])]), str(len(values)))
    table.note("No rule matches: all are gone through, the dearest there is. Packets that come after the first answer meet none of them.")
    table.show()
