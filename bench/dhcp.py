# SPDX-License-Identifier: GPL-2.0-or-later
"""dhcp.py - from a new guest's DISCOVER to its ACK, and how many guests a second a server serves.
Leases of all servers are on the same disk."""
import statistics

from sides import Dnsmasq, Vmlaned
from stats import TIMES_HEAD, Table, number, percentile, spread, times_row
from world import Guests, Ns, Skip

SUBNET, FIRST, LAST, MASK = "10.66.0.0/16", "10.66.0.2", "10.66.255.254", "255.255.0.0"
CLIENTS = 32


def vmlane_side(guests):
    ns = Ns("dhcp")
    client, port = guests.wire(ns)
    daemon = Vmlaned(ns, [("bench", SUBNET, FIRST, LAST)])
    ns.ip(f"link set {port} master vl-bench")
    return client, daemon


def dnsmasq_side(guests, name, *options):
    ns = Ns(name)
    client, port = guests.wire(ns)
    ns.ip("link add br0 address 52:54:00:00:00:01 type bridge", "addr add 10.66.0.1/16 brd + dev br0", "link set br0 up",
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


def fresh_guest(guests, ours, others, quick, command):
    rounds = 100 if quick else 400
    table = Table("DISCOVER to ACK, a new guest each time", command, TIMES_HEAD)
    names = [name for name, (_, _, waits) in others.items() if not waits]
    guests.gets_lease(ours)
    acks, offers, lost = latencies(guests, rounds, 2000, [ours] + [others[n][0] for n in names])
    for name, values in zip(["vmlaned (lease on disk before the ACK)"] + names, acks):
        times_row(table, name, values, acks[0])
    table.note(f"Of vmlaned's time, DISCOVER to OFFER: {number(statistics.median(offers[0]) * 1e6)} us. "
               f"Rounds lost: {lost}.")
    for name in [n for n in others if n not in names]:
        slow, _, lost = latencies(guests, 3, 8000, [ours, others[name][0]])
        times_row(table, name, slow[1], slow[0])
    table.show()


def load(guests, ours, other, quick, command):
    slices = 10 if quick else 20
    table = Table(f"Leases per second, {CLIENTS} clients that each ask again at once", command,
                  ("", "median", "p10-p90", "vmlaned's are so many times as many, median (p10-p90) of each slice's", "slices"))
    out = guests.run("dhcp_client", "rate", slices, 100, CLIENTS, f"ours={ours}", f"other={other}")
    rates = list(zip(*[[float(x) for x in line.split()] for line in out.splitlines()]))
    for name, values in zip(("vmlaned", "dnsmasq --no-ping"), rates):
        ratios = [a / b for a, b in zip(rates[0], values) if b]
        table.row(name, f"{number(statistics.median(values))} /s", f"{number(percentile(values, 10))}-"
                  f"{number(percentile(values, 90))}", spread(ratios), str(len(values)))
    table.note(f"Slices of 100 ms in turn; by the end vmlaned holds about {number(sum(rates[0]) / 10)} leases of these, "
               f"dnsmasq about {number(sum(rates[1]) / 10)}.")
    table.show()


def measure(quick, command):
    guests = Guests()
    ours, daemon = vmlane_side(guests)
    others = {}
    try:
        others["dnsmasq --no-ping"] = (*dnsmasq_side(guests, "noping", "--no-ping"), False)
        others["dnsmasq, its defaults (it pings first)"] = (*dnsmasq_side(guests, "pings"), True)
    except Skip as e:
        print(f"dnsmasq: skipped, {e}")
    fresh_guest(guests, ours, others, quick, command)
    if others:
        load(guests, ours, others["dnsmasq --no-ping"][0], quick, command)
    counters = daemon.api("GET", "/v1/status")["counters"]["dhcp"]
    print(f"vmlaned's own count: {counters}", flush=True)
