# SPDX-License-Identifier: GPL-2.0-or-later
"""guard.py - what guards cost a guest's packet on its way through NAT and to another guest, with 1 guest and with many,
and what rules in the manner of libvirt's clean-traffic cost it: a chain for each guest, found by going through all ports."""
import shutil

from sides import Vmlaned
from stats import Table, duration
from ways import IP, MAC, WAYS, GuestSide, measure_way
from world import Ns, WORK, run


def clean_traffic(ns, tap, others):
    """As ebtables has it; the guest's port comes last, as it does for whoever was started last."""
    rules = ["*nat", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT"]
    ports = [(f"none{i}", f"52:54:01:00:{i // 256:02x}:{i % 256:02x}", f"10.80.{1 + i // 250}.{i % 250}") for i in range(others)]
    ports.append((tap, MAC, IP))
    rules += [f":I-{port} ACCEPT" for port, _, _ in ports]
    rules += [f"-A PREROUTING -i {port} -j I-{port}" for port, _, _ in ports]
    for port, mac, ip in ports:
        rules += [f"-A I-{port} -s ! {mac} -j DROP", f"-A I-{port} -p IPv4 --ip-src ! {ip} -j DROP",
                  f"-A I-{port} -p IPv4 --ip-proto udp --ip-sport 67 -j DROP", f"-A I-{port} -p IPv4 -j ACCEPT",
                  f"-A I-{port} -p ARP --arp-mac-src ! {mac} -j DROP", f"-A I-{port} -p ARP --arp-ip-src ! {ip} -j DROP",
                  f"-A I-{port} -p ARP -j ACCEPT", f"-A I-{port} -j DROP"]
    with ns.enter():
        run("ebtables-nft-restore", stdin="\n".join(rules) + "\n")


class Side(GuestSide):
    """A daemon with a guest, @others of them beside it, and another port of the bridge."""

    def __init__(self, name, guard, others, ebtables=False):
        ns = Ns(name)
        daemon = Vmlaned(ns, [])
        daemon.api("POST", "/v1/networks", {"network": "n", "ipv4": {"subnet": "10.80.0.0/16"}, "guard": guard,
                                            "guests": {"guest": {"ipv4": IP, "mac": MAC}}})
        if guard == "on":
            for i in range(others):
                daemon.api("POST", "/v1/guests", {"name": f"other{i}", "network": "n"})
        super().__init__(name, ns, daemon.api("POST", "/v1/guests", {"name": "guest", "network": "n"}))
        if ebtables:
            clean_traffic(self.ns, self.tap, others)


def measure_latency(sides, words, cycles, command):
    """Of frames that are timed one by one: from the guest's write to the packet's end at the uplink."""
    lines = run(f"{WORK}/tap_rate", str(cycles), "3000", "1", *[s.arg(None) for s in sides], "--latency", timeout=300).splitlines()
    times = [[int(x) / 1e9 for x in pair.split(",")] for pair in lines[-2].split()[1:]]
    table = Table("How long a guest's 64-byte UDP packet takes to the uplink, without guards and with them", command,
                  ("", "median", "p99", "more than without, median", "median, times that without", "p99, times that without"))
    for side, (median, p99) in zip(sides, times):
        table.row(words[side.name], duration(median), duration(p99), f"{(median - times[0][0]) * 1e9:.0f} ns",
                  f"{median / times[0][0]:.2f}", f"{p99 / times[0][1]:.2f}")
    table.show()


def measure(quick, command):
    cycles, many = (100, 100) if quick else (1500, 1000)
    counts = sorted({0, 99, many - 1})
    plan = [("off", "off", 0, False), ("again", "off", 0, False)] + [(f"on{n + 1}", "on", n, False) for n in counts]
    if shutil.which("ebtables-nft-restore"):
        plan += [(f"ebt{n + 1}", "off", n, True) for n in counts]
    words = {"off": "no guards", "again": "no guards, once more"}
    words.update({f"on{n + 1}": f"all guards, {n + 1:,} guest{'s' if n else ''}" for n in counts})
    words.update({f"ebt{n + 1}": f"ebtables rules, {n + 1:,} guest{'s' if n else ''}" for n in counts})
    sides = [Side(*p) for p in plan]
    for way in WAYS:
        measure_way(sides, words, cycles, way, "without guards and with them", command)
    measure_latency(sides, words, cycles // 3, command)
