# SPDX-License-Identifier: GPL-2.0-or-later
"""trace.py - what following packets costs those that are not followed, and how soon it shows one."""
import json
import os
import shutil
import signal
import statistics
import subprocess
import time

from packet import GUEST_MAC, side
from stats import Table, duration, number, percentile, spread
from world import WORK, run, wait_for

VMLANE = os.path.join(os.environ["BENCH_BUILD"], "src/cli/vmlane")
ELSEWHERE = "host 192.0.2.77"
CYCLES, QUANTUM_US, WARM_UP = 200, 2000, 125
MATCHED, MATCHED_RATE = "port 7", 10000
NFT_MATCHED = "table inet watch { chain watched { type filter hook prerouting priority -350; udp dport 7 meta nftrace set 1; }; }"


class Watcher:
    """A program that looks on while packets are counted; ready when it has said so. @ready None: it says nothing,
    and is ready when the kernel has it in group NFNLGRP_NFTRACE."""

    def __init__(self, ns, argv, ready):
        self.p = subprocess.Popen(["nsenter", f"--net={ns.path}"] + argv, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if not ready:
            wait_for("its socket", lambda: listens(self.p.pid))
            return
        for line in self.p.stderr:
            if ready in line:
                return
        raise RuntimeError(f"{argv[0]} ended before it was ready")

    def end(self):
        self.p.send_signal(signal.SIGINT)
        self.p.communicate(timeout=20)


def listens(pid):
    """It has a netlink socket that belongs to a group; both as /proc/PID/net/netlink has them."""
    with open(f"/proc/{pid}/net/netlink", encoding="ascii") as f:
        return any(line.split()[2] == str(pid) and int(line.split()[3], 16) for line in f.readlines()[1:])


def sides(ns, tap):
    """(what, argv or None, the word on stderr that tells it is ready, whether packets that match are sent beside)"""
    tcpdump = ["tcpdump", "-i", "any", "-n", "-w", "/dev/null"]
    yield "nothing attached", None, None, False
    yield "vmlane trace, other packets", [VMLANE, "trace", tap, ELSEWHERE], "following", False
    if shutil.which("tcpdump"):
        yield "tcpdump -i any, other packets", tcpdump + [ELSEWHERE], "listening", False
    yield "nothing attached, and 10 kpps", None, None, True
    yield "vmlane trace of the 10 kpps, folded", [VMLANE, "trace", tap, MATCHED, "--summary"], "following", True
    if shutil.which("tcpdump"):
        yield "tcpdump -i any of the 10 kpps", tcpdump + [MATCHED], "listening", True
    yield "nft monitor trace of the 10 kpps", ["nft", "monitor", "trace"], None, True
    yield "vmlane trace, these packets, folded", [VMLANE, "trace", tap, "--summary"], "following", False


def rate(argument, matched):
    """
    Median frames a second over a few short quanta, without those at the beginning. With @matched, so many more go
    to port 7, of which nobody is counted.
    """
    argv = [f"{WORK}/tap_rate", str(CYCLES), str(QUANTUM_US), "16", argument]
    lines = run(*argv, *(["--matched", str(MATCHED_RATE)] if matched else [])).splitlines()
    return statistics.median(float(line.split()[0]) for line in lines[WARM_UP:-1])


def look(ns, what, argv, ready):
    if "nft" in what:
        with ns.enter():
            run("nft", "-f", "-", stdin=NFT_MATCHED)
    return Watcher(ns, argv, ready) if argv else None


def look_away(ns, what, watcher):
    if watcher:
        watcher.end()
    if "nft" in what:
        with ns.enter():
            run("nft", "delete table inet watch")


def measure_rate(quick, command, argument, ns, tap):
    rounds = 5 if quick else 20
    table = Table("A guest's 64-byte UDP packets through NAT while somebody looks on", command,
                  ("", "median", "p10-p90", "times the rate with nothing attached, median (p10-p90) of each round's", "rounds"))
    values = {}
    order = list(sides(ns, tap))
    for _ in range(rounds):
        order = order[1:] + order[:1]
        for what, argv, ready, matched in order:
            watcher = look(ns, what, argv, ready)
            values.setdefault(what, []).append(rate(argument, matched))
            look_away(ns, what, watcher)
    for what, _, _, matched in sides(ns, tap):
        v, base = values[what], values["nothing attached" + (", and 10 kpps" if matched else "")]
        table.row(what, f"{number(statistics.median(v))} /s", f"{number(percentile(v, 10))}-{number(percentile(v, 90))}",
                  spread([x / b for x, b in zip(v, base)]), str(len(v)))
    table.note("One flow set of 16 on one processor, as fast as it goes, after 0.25 s in which those who look on get used to it; the 10 kpps are one "
               "flow beside them, whose rows are compared with that row. 'these packets' is every one of them, which no trace is for; packets that "
               "find its buffer full are counted as lost events, and the packets themselves are not held up.")
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
        line = next(line for line in p.stdout if json.loads(line)["event"] != "blocked")  # no VM has the tap open
        first.append(time.monotonic() - begin)
        assert json.loads(line)["event"] == "packet", line
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
