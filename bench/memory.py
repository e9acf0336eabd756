# SPDX-License-Identifier: GPL-2.0-or-later
"""memory.py - what is resident for 1 and for 100 networks: one vmlaned against so many dnsmasq."""
from sides import Dnsmasq, Vmlaned, memory
from stats import Table, number
from world import Ns, Skip


def subnet(i):
    return f"10.77.{i}"


def ours(count):
    daemon = Vmlaned(Ns(f"ours{count}"), [(f"n{i}", f"{subnet(i)}.0/24", f"{subnet(i)}.2", f"{subnet(i)}.254")
                                         for i in range(count)])
    running = [n for n in daemon.api("GET", "/v1/networks")["networks"] if n["state"] == "running" and n["dhcp"]]
    if len(running) != count:
        raise RuntimeError(f"{len(running)} of {count} networks are running")
    used = daemon.memory()
    daemon.end()
    return used


def theirs(count):
    ns = Ns(f"theirs{count}")
    for i in range(count):
        ns.ip(f"link add b{i} type bridge", f"addr add {subnet(i)}.1/24 dev b{i}", f"link set b{i} up")
    servers = [Dnsmasq(ns, f"b{i}", f"{subnet(i)}.2", f"{subnet(i)}.254", "255.255.255.0") for i in range(count)]
    used = memory([s.pid for s in servers])
    for s in servers:
        s.end()
    return used


def measure(_quick, command):
    table = Table("Resident memory", command, ("networks", "vmlaned RSS", "vmlaned PSS", "dnsmasq RSS (sum)", "dnsmasq PSS (sum)",
                                               "dnsmasq / vmlaned: RSS", "PSS"))
    for count in (1, 100):
        a = ours(count)
        try:
            b = theirs(count)
        except Skip as e:
            table.row(str(count), f"{a['Rss']:,} KiB", f"{a['Pss']:,} KiB", "-", "-", "-", "-")
            table.note(f"dnsmasq: skipped, {e}")
            continue
        table.row(str(count), f"{a['Rss']:,} KiB", f"{a['Pss']:,} KiB", f"{b['Rss']:,} KiB", f"{b['Pss']:,} KiB",
                  number(b["Rss"] / a["Rss"]), number(b["Pss"] / a["Pss"]))
    table.note("One reading each (/proc/PID/smaps_rollup): memory does not vary with the machine's load, though PSS does with who else "
               "has the same libraries mapped. vmlaned's is all of it: API, rules, leases, state; dnsmasq's is DHCP alone (--port=0), without what sets up bridges and rules.")
    table.show()
