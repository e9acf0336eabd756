# SPDX-License-Identifier: GPL-2.0-or-later
"""ways.py - a guest's frames by both ways that they go, through NAT and to another port of its bridge, on several sides in turn."""
import statistics

from stats import Table, duration, number, percentile, spread
from world import WORK, run

MAC, IP = "52:54:00:aa:00:01", "10.80.0.10"
PEER = "52:54:00:bb:00:01"  # another port's: what is switched there is counted and goes no further
WAYS = (("through NAT", "up0", None), ("to another port of the bridge", "peer0", PEER))


class GuestSide:
    """A namespace @ns with a daemon that has plugged in @guest, and another port of the bridge."""

    def __init__(self, name, ns, guest):
        self.name, self.ns, self.tap, self.bridge = name, ns, guest["tap"], guest["bridge"]
        ns.ip("link add peer0 type veth peer name peer1", "link set peer1 up", f"link set peer0 master {self.bridge} up")
        with ns.enter():
            run("bridge", "fdb", "add", PEER, "dev", "peer0", "master", "static")

    def arg(self, dst):
        return f"{self.name}={self.ns.path},{self.tap},{MAC},{IP},{dst or self.ns.mac(self.bridge)}"


def measure_way(sides, words, cycles, way, what, command):
    """The table for one of WAYS: each side's rate, beside that of the first. @words: a side's name -> for people."""
    title, dev, dst = way
    before = [s.ns.left_by(dev) for s in sides]
    lines = run(f"{WORK}/tap_rate", str(cycles), "3000", "1", *[s.arg(dst) for s in sides], timeout=300).splitlines()
    sent = [int(x) for x in lines.pop().split()[1:]]
    arrived = [s.ns.left_by(dev) - b for s, b in zip(sides, before)]
    rates = list(zip(*[[float(x) for x in line.split()] for line in lines]))
    best = percentile(rates[0], 90)
    table = Table(f"A guest's 64-byte UDP packet {title}, {what}", command,
                  ("", "median", "p10-p90", "a packet takes", "times the rate without, median (p10-p90) of each cycle's",
                   "of the least disturbed cycles (p90)", "cycles"))
    for side, values in zip(sides, rates):
        table.row(words[side.name], f"{number(statistics.median(values))} /s",
                  f"{number(percentile(values, 10))}-{number(percentile(values, 90))}", duration(1 / statistics.median(values)),
                  spread([v / b for v, b in zip(values, rates[0])]), f"{percentile(values, 90) / best:.3f}", str(len(values)))
    for side, a, s in zip(sides, arrived, sent):
        if a < s * 0.99:
            raise RuntimeError(f"{side.name}: only {a} of {s} packets left by {dev}: this measured drops")
    table.show()
