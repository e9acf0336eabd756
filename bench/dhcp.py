# SPDX-License-Identifier: GPL-2.0-or-later
"""dhcp.py - from a new guest's DISCOVER to its ACK, and how many guests a second a server serves.
Leases of all servers are on the same disk; a second pair of servers keeps them in memory."""
import os
import statistics
import time

from sides import Dnsmasq, Vmlaned
from stats import TIMES_HEAD, Table, duration, number, percentile, spread, times_row
from world import WORK, Guests, Ns

# More addresses than can be given away here.
SUBNET, FIRST, LAST, MASK = "10.64.0.0/14", "10.64.0.2", "10.67.255.254", "255.252.0.0"
CLIENTS, SLICE_MS, SLICE_RAM_MS = 32, 200, 100


def vmlane_side(guests, name, disk):
    ns = Ns(name)
    client, port = guests.wire(ns)
    daemon = Vmlaned(ns, [("bench", SUBNET, FIRST, LAST)], disk)
    ns.ip(f"link set {port} master vl-bench")
    return client, daemon


def dnsmasq_side(guests, name, *options):
    ns = Ns(name)
    client, port = guests.wire(ns)
    ns.ip("link add br0 address 52:54:00:00:00:01 type bridge", "addr add 10.64.0.1/14 brd + dev br0", "link set br0 up",
          f"link set {port} master br0")
    return client, Dnsmasq(ns, "br0", FIRST, LAST, MASK, *options)


def latencies(guests, rounds, timeout_ms, sides):
    """Seconds to OFFER and to ACK, for each side a list over the rounds in which all answered."""
    args = [f"s{i}={client}" for i, client in enumerate(sides)]
    lines = guests.run("dhcp_client", "latency", rounds, timeout_ms, *args, timeout=120).splitlines()
    good = [[tuple(int(ns) / 1e9 for ns in cell.split("/")) for cell in line.split()] for line in lines if "lost" not in line]
    if not good:
        raise RuntimeError(f"no round in which all servers answered; the last was: {lines[-1]}")
    return [[r[i][1] for r in good] for i in range(len(sides))], [[r[i][0] for r in good] for i in range(len(sides))], \
        rounds - len(good)


def disk_floor(count):
    """Seconds that each of @count writes of two pages takes until it is on the disk of the leases."""
    taken = []
    fd = os.open(f"{WORK}/floor", os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for i in range(count):
            begin = time.perf_counter()
            os.pwrite(fd, bytes(8192), i % 64 * 8192)
            os.fdatasync(fd)
            taken.append(time.perf_counter() - begin)
    finally:
        os.close(fd)
    return taken


def fresh_guest(guests, pairs, quick):
    """@pairs: (title of ours, client, title of theirs, client). The table, and what the disk alone takes."""
    chunks, rounds = (10, 10) if quick else (20, 20)
    clients = [c for p in pairs for c in (p[1], p[3])]
    acks, offers, floor, lost = [[] for _ in clients], [[] for _ in clients], [], 0
    disk_floor(64)  # the file has its blocks
    for _ in range(chunks):
        ack, offer, missing = latencies(guests, rounds, 2000, clients)
        for i in range(len(clients)):
            acks[i] += ack[i]
            offers[i] += offer[i]
        lost += missing
        floor += disk_floor(len(ack[0]))
    return acks, offers, floor, lost


def latency_table(guests, pairs, pinging, quick, command):
    table = Table("DISCOVER to ACK, a new guest each time", command, TIMES_HEAD)
    acks, offers, floor, lost = fresh_guest(guests, pairs, quick)
    for i, (ours, _, theirs, _) in enumerate(pairs):
        times_row(table, ours, acks[2 * i], acks[2 * i])
        times_row(table, theirs, acks[2 * i + 1], acks[2 * i])
        if i == 0:
            times_row(table, "the disk alone: fdatasync of two pages", floor, acks[0])
    slow, _, missing = latencies(guests, 1 if quick else 3, 8000, [pairs[0][1], pinging])
    times_row(table, "dnsmasq with its defaults: it pings first", slow[1], slow[0])
    table.note("Each server's times are divided by those of the vmlaned above it. DISCOVER to OFFER, without the disk: " +
               ", ".join(f"{duration(statistics.median(o))} {n}" for o, n in zip(offers, ("vmlaned", "dnsmasq"))) +
               f". Rounds without an answer: {lost + missing}.")
    table.show()


def load_once(guests, i, slices, in_ram):
    """Rates of a new vmlaned and a new dnsmasq. vmlaned keeps 65,536 leases of a network at most."""
    client, daemon = vmlane_side(guests, f"v{i}", not in_ram)
    other, server = dnsmasq_side(guests, f"d{i}", "--no-ping", *(["--leasefile-ro"] if in_ram else []))
    out = guests.run("dhcp_client", "rate", slices, SLICE_RAM_MS if in_ram else SLICE_MS, CLIENTS, f"ours={client}", f"other={other}")
    answered_all(daemon)
    daemon.end()
    server.end()
    return [[float(x) for x in line.split()] for line in out.splitlines()]


def load_table(guests, pairs, quick, command):
    times, slices = (1, 4) if quick else (5, 4)
    table = Table(f"Leases per second, {CLIENTS} clients that each ask again at once", command,
                  ("", "median", "p10-p90", "vmlaned's are so many times as many, median (p10-p90) of each slice's", "slices"))
    for in_ram, (ours, _, theirs, _) in enumerate(pairs):
        rates = list(zip(*[row for i in range(times) for row in load_once(guests, 10 * in_ram + i, slices, in_ram)]))
        for name, values in zip((ours, theirs), rates):
            ratios = [a / b for a, b in zip(rates[0], values) if b]
            table.row(name, f"{number(statistics.median(values))} /s", f"{number(percentile(values, 10))}-"
                      f"{number(percentile(values, 90))}", spread(ratios), str(len(values)))
    table.note(f"Slices of {SLICE_MS} ms in turn ({SLICE_RAM_MS} ms without a disk); after each {slices}, both begin with no leases.")
    table.show()


def answered_all(daemon):
    counters = daemon.api("GET", "/v1/status")["counters"]["dhcp"]
    if counters["ignored"] or counters["store_failed"] or counters["socket_drops"]:
        raise RuntimeError(f"vmlaned did not answer all, so these figures are not what they say: {counters}")


def measure(quick, command):
    guests = Guests()
    disk, on_disk = vmlane_side(guests, "disk", True)
    ram, in_ram = vmlane_side(guests, "ram", False)
    # dnsmasq writes its lease file anew and waits for the disk, too, before it sends an ACK.
    pairs = [("vmlaned", disk, "dnsmasq --no-ping", dnsmasq_side(guests, "file", "--no-ping")[0]),
             ("vmlaned, state on a tmpfs", ram, "dnsmasq --no-ping --leasefile-ro (no file)",
              dnsmasq_side(guests, "nofile", "--no-ping", "--leasefile-ro")[0])]
    latency_table(guests, pairs, dnsmasq_side(guests, "pings")[0], quick, command)
    load_table(guests, pairs, quick, command)
    answered_all(on_disk)
    answered_all(in_ram)
