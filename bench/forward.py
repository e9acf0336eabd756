# SPDX-License-Identifier: GPL-2.0-or-later
"""forward.py - what the first packet of a connection by a port forward costs with 1 forward and with many."""
import random
import socket
import statistics
import time

from sides import Vmlaned
from stats import Table, duration, percentile, spread
from world import Ns

GUEST, OUTSIDE = "10.80.0.10", "203.0.113.2"
FIRST = 20000  # the first forwarded port
BATCH = 200    # connections of one side in a cycle


def side(name, count):
    """A host with @count forwarded ports; and how long the daemon took to have them."""
    ns = Ns(name)
    daemon = Vmlaned(ns, [])
    ports = f"{FIRST}-{FIRST + count - 1}" if count > 1 else FIRST
    begin = time.perf_counter()
    daemon.api("POST", "/v1/networks", {"network": "n", "ipv4": {"subnet": "10.80.0.0/24"}, "guests": {
        "g": {"ipv4": GUEST, "forward": [f"udp {ports} -> {FIRST}"]}}})
    taken = time.perf_counter() - begin
    # Nobody asks where the guest is; the packets end at its bridge, and are counted there.
    ns.ip(f"neigh replace {GUEST} lladdr 52:54:00:aa:00:01 dev vl-n nud permanent", "addr add 10.90.0.0/16 dev lo")
    with ns.enter(), open("/proc/sys/net/netfilter/nf_conntrack_udp_timeout", "w", encoding="ascii") as f:
        f.write("1")
    return ns, taken


def batch(ns, count):
    """Seconds for each of BATCH connections that the host has not seen before, over all forwards."""
    ports = [FIRST + random.randrange(count) for _ in range(BATCH)]
    with ns.enter():
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
    for s in sockets:
        s.bind((f"10.90.{random.randrange(256)}.{random.randrange(1, 255)}", random.randrange(1024, 65536)))
    start = time.perf_counter()
    for s, port in zip(sockets, ports):
        s.sendto(b"x", (OUTSIDE, port))
    taken = time.perf_counter() - start
    for s in sockets:
        s.close()
    return taken / BATCH


def measure(quick, command):
    many, cycles = (10000, 200) if quick else (10000, 1000)
    counts = {"one": 1, "many": many}
    sides = {name: side(name, count) for name, count in counts.items()}
    before = {name: ns.left_by("vl-n") for name, (ns, _) in sides.items()}
    times = {name: [] for name in counts}
    for cycle in range(cycles):
        for name in list(counts) if cycle % 2 else reversed(counts):
            times[name].append(batch(sides[name][0], counts[name]))
    table = Table(f"The first packet of a connection by a port forward, with 1 and with {many:,} of them", command,
                  ("", "median", "p10-p90", "times that with 1, median (p10-p90) of each cycle's", "cycles"))
    for name, count in counts.items():
        left = sides[name][0].left_by("vl-n") - before[name]
        if left < cycles * BATCH:
            raise RuntimeError(f"only {left} of {cycles * BATCH} packets came to the guest's bridge")
        table.row(f"{count:,} forwarded port{'s' if count > 1 else ''}", duration(statistics.median(times[name])),
                  f"{duration(percentile(times[name], 10))}-{duration(percentile(times[name], 90))}",
                  spread([t / b for t, b in zip(times[name], times["one"])]), str(cycles))
    table.note(f"One sendto() of the host's own to its outer address: socket, conntrack, the look into the map, translation, routing, rules, bridge. "
               f"`POST /v1/networks` with {many:,} forwarded ports took {duration(sides['many'][1])}, with one {duration(sides['one'][1])}.")
    table.show()
