# SPDX-License-Identifier: GPL-2.0-or-later
"""packet.py - what a guest's packet costs on its way out with 1 network running and with many."""
import statistics
import time

from sides import Vmlaned, numbered
from stats import Table, duration, number, percentile, spread
from world import Ns, WORK, run

GUEST_MAC = "52:54:00:aa:00:01"


def side(name, count):
    """A daemon with @count networks and one guest, in the middle one; (tap_rate's argument, ns, seconds)."""
    ns = Ns(name)
    begin = time.perf_counter()
    networks = numbered(count)
    daemon = Vmlaned(ns, networks)
    taken = time.perf_counter() - begin
    network, _, address, _ = networks[count // 2]
    guest = daemon.api("POST", "/v1/guests", {"name": "guest", "network": network, "mac": GUEST_MAC})
    return f"{name}={ns.path},{guest['tap']},{GUEST_MAC},{address},{ns.mac(guest['bridge'])}", ns, taken


def measure(quick, command):
    many, cycles = (200, 200) if quick else (1000, 1000)
    one_arg, one, _ = side("one", 1)
    many_arg, lot, seconds = side("many", many)
    table = Table(f"A guest's 64-byte UDP packet through NAT, with 1 and with {many:,} networks running", command,
                  ("", "median", "p10-p90", "times the rate with 1, median (p10-p90) of each cycle's", "cycles"))
    least = 1.0
    for flows in (1, 1000):
        before = [ns.left_by("up0") for ns in (one, lot)]
        lines = run(f"{WORK}/tap_rate", str(cycles), "3000", str(flows), one_arg, many_arg).splitlines()
        sent = [int(x) for x in lines.pop().split()[1:]]
        arrived = [ns.left_by("up0") - b for ns, b in zip((one, lot), before)]
        rates = list(zip(*[[float(x) for x in line.split()] for line in lines]))
        for name, values in zip(("1 network", f"{many:,} networks"), rates):
            table.row(f"{name}, {flows:,} flow{'s' if flows > 1 else ''}", f"{number(statistics.median(values))} /s",
                      f"{number(percentile(values, 10))}-{number(percentile(values, 90))}",
                      spread([v / b for v, b in zip(values, rates[0])]), str(len(values)))
        for a, s in zip(arrived, sent):
            if a < s * 0.99:
                raise RuntimeError(f"only {a} of {s} packets left by the uplink: this measured drops")
            least = min(least, a / s)
    table.note(f"Written into the guest's tap as a VMM does, counted at the uplink: {least * 100:.2f} % or more arrived. Nobody answers, so each packet passes "
               f"the rules for new connections. vmlaned had all {many:,} networks up {duration(seconds)} after it was executed.")
    table.show()
