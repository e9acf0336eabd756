# SPDX-License-Identifier: GPL-2.0-or-later
"""trace.py - what following packets costs those that are not followed, and how soon it shows one."""
import os
import re
import shutil
import signal
import statistics
import subprocess
import time

from packet import GUEST_MAC, side
from stats import Table, duration, number, percentile, spread
from world import WORK, run

VMLANE = os.path.join(os.environ["BENCH_BUILD"], "src/cli/vmlane")
ELSEWHERE = "host 192.0.2.77"
CYCLES, QUANTUM_US = 40, 5000


class Watcher:
    """A program that looks on while packets are counted; ready when it has said so."""

    def __init__(self, ns, argv, ready):
        self.p = subprocess.Popen(["nsenter", f"--net={ns.path}"] + argv, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.p.stderr:
            if ready in line:
                return
        raise RuntimeError(f"{argv[0]} ended before it was ready")

    def end(self):
        self.p.send_signal(signal.SIGINT)
        self.p.communicate(timeout=20)


def sides(ns, tap):
    """(what, argv or None, the word on stderr that tells it is ready)"""
    yield "nothing attached", None, None
    yield "vmlane trace, other packets", [VMLANE, "trace", tap, ELSEWHERE], "following"
    if shutil.which("tcpdump"):
        yield "tcpdump -i any, other packets", ["tcpdump", "-i", "any", "-n", "-w", "/dev/null", ELSEWHERE], "listening"
    yield "vmlane trace, these packets, folded", [VMLANE, "trace", tap, "--summary"], "following"


def rate(argument):
    """Median frames a second over a few short quanta."""
    lines = run(f"{WORK}/tap_rate", str(CYCLES), str(QUANTUM_US), "16", argument).splitlines()
    return statistics.median(float(line.split()[0]) for line in lines[:-1])


def measure_rate(quick, command, argument, ns, tap):
    rounds = 20 if quick else 40
    table = Table("A guest's 64-byte UDP packets through NAT while somebody looks on", command,
                  ("", "median", "p10-p90", "times the rate with nothing attached, median (p10-p90) of each round's", "rounds"))
    values = {}
    order = list(sides(ns, tap))
    for _ in range(rounds):
        order = order[1:] + order[:1]
        for what, argv, ready in order:
            watcher = Watcher(ns, argv, ready) if argv else None
            values.setdefault(what, []).append(rate(argument))
            if watcher:
                watcher.end()
    base = values["nothing attached"]
    for what, _, _ in sides(ns, tap):
        v = values[what]
        table.row(what, f"{number(statistics.median(v))} /s", f"{number(percentile(v, 10))}-{number(percentile(v, 90))}",
                  spread([x / b for x, b in zip(v, base)]), str(len(v)))
    table.note("One flow set of 16 on one processor, as fast as it goes: 'these packets' is every one of them, which no trace is for; packets that find "
               "its buffer full are counted as lost events, and the packets themselves are not held up.")
    table.show()


def measure_times(quick, command, ns, tap):
    rounds = 10 if quick else 30
    ready, first, end = [], [], []
    for _ in range(rounds):
        begin = time.monotonic()
        p = subprocess.Popen(["nsenter", f"--net={ns.path}", VMLANE, "-o", "json", "trace", tap, "-c", "1"],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        p.stdout.readline()
        ready.append(time.monotonic() - begin)
        begin = time.monotonic()
        run(f"{WORK}/tap_rate", "1", "100", "1", measure_times.argument)
        sent = time.monotonic()
        line = p.stdout.readline()
        first.append(time.monotonic() - begin)
        assert '"event":"packet"' in re.sub(r"\s", "", line), line
        p.wait(timeout=20)
        end.append(time.monotonic() - sent)
    table = Table("vmlane trace from command to packet", command, ("", "median", "p10-p90", "rounds"))
    for what, v in (("command to following", ready), ("packet to its line", first), ("last packet to exit", end)):
        table.row(what, duration(statistics.median(v)), f"{duration(percentile(v, 10))}-{duration(percentile(v, 90))}", str(len(v)))
    table.note("The packet is sent by a program started for it, whose start is in the second figure. Goals: 100 ms, 50 ms, 100 ms.")
    table.show()


def measure(quick, command):
    argument, ns, _ = side("traced", 1)
    tap = argument.split(",")[1]
    measure_times.argument = argument
    measure_times(quick, command, ns, tap)
    measure_rate(quick, command, argument, ns, tap)
