# SPDX-License-Identifier: GPL-2.0-or-later
"""start.py - how long a network takes from `start` until it is usable: bridge up with its address,
rules in the kernel, DHCP server bound. After each start, outside of the time measured, that is
looked at, and a new guest asks for an address and must get one (of libvirt only after its first
start: its dnsmasq takes 3 s for that)."""
import time

from sides import ByHand, Libvirt, Vmlaned, numbered
from stats import TIMES_HEAD, Table, times_row
from world import Guests, Ns, Skip, run, timed

SETTLE_S = 0.05  # what the last stop has set off is over by then


class Start:
    """`vmlane network start`, by the API or by the command."""
    bridge = "vl-bench"

    def __init__(self, ns, daemon, command, name="bench"):
        self.ns, self.daemon, self.by_command, self.name = ns, daemon, command, name

    def start(self):
        if self.by_command:
            return timed(*self.daemon.command("network", "start", self.name))
        begin = time.perf_counter()
        answer = self.daemon.api("POST", f"/v1/networks/{self.name}/start")
        taken = time.perf_counter() - begin
        if answer["state"] != "running":
            raise RuntimeError(f"not running: {answer}")
        return taken

    def stop(self):
        self.daemon.api("POST", f"/v1/networks/{self.name}/stop")


def check(guests, side, first):
    """Is it what it says it is?"""
    ns, pings = side.ns, isinstance(side, Libvirt)
    if ns.address(side.bridge) != "192.168.122.1":
        raise RuntimeError(f"{ns.name}: {side.bridge} is not up or has no address")
    with ns.enter():
        rules = run("nft", "list", "ruleset")
    if "masquerade" not in rules.lower():
        raise RuntimeError(f"{ns.name}: no masquerading")
    ns.ip(f"link set p-{ns.name} master {side.bridge}")
    if pings and not first:
        return
    if not guests.gets_lease(f"c-{ns.name}", (8000,) if pings else (200,) * 5):
        raise RuntimeError(f"{ns.name}: a guest gets no address")


def make(guests, table):
    """(title, side) of those that work here; ours first."""
    ns = Ns("start")
    guests.wire(ns)
    daemon = Vmlaned(ns, [("bench", "192.168.122.0/24", "192.168.122.2", "192.168.122.254")])
    daemon.api("POST", "/v1/networks/bench/stop")
    sides = [("vmlaned, POST /v1/networks/N/start", Start(ns, daemon, False)),
             ("vmlane network start (command)", Start(ns, daemon, True))]
    for title, kind, name in (("ip + nft + dnsmasq (by_hand.sh)", ByHand, "hand"), ("virsh net-start", Libvirt, "libvirt")):
        try:
            ns = Ns(name)
            side = kind(ns)
            guests.wire(ns)
            sides.append((title, side))
        except Skip as e:
            table.note(f"{title}: skipped, {e}")
    return sides


def among_others(quick, command):
    """The same by the API, while other networks are running."""
    rounds, counts = (4, (0, 100)) if quick else (20, (0, 100, 1000))
    table = Table("Network start while others are running (POST /v1/networks/N/start)", command, TIMES_HEAD)
    sides = []
    for count in counts:
        ns = Ns(f"among{count}")
        sides.append(Start(ns, Vmlaned(ns, numbered(count + 1)), False, "n0"))
        sides[-1].stop()
    took = [[] for _ in sides]
    for r in range(rounds):
        for k in range(len(sides)):
            at = (k + r) % len(sides)
            time.sleep(4 * SETTLE_S)
            took[at].append(sides[at].start())
            time.sleep(4 * SETTLE_S)
            sides[at].stop()
    for count, values in zip(counts, took):
        times_row(table, f"{count:,} others", values, took[0])
    table.show()


def against_others(quick, command):
    rounds = 6 if quick else 30
    guests = Guests()
    table = Table("Network start until usable", command, TIMES_HEAD)
    sides = make(guests, table)
    took = [[] for _ in sides]
    for r in range(rounds + 1):
        for k in range(len(sides)):
            at = (k + r) % len(sides)
            side = sides[at][1]
            time.sleep(SETTLE_S)
            seconds = side.start()
            check(guests, side, r == 0)
            side.stop()
            if r > 0:  # the first is for the caches
                took[at].append(seconds)
    for (title, _), values in zip(sides, took):
        times_row(table, title, values, took[0])
    table.show()


def measure(quick, command):
    against_others(quick, command)
    among_others(quick, command)
