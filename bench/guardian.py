# SPDX-License-Identifier: GPL-2.0-or-later
"""guardian.py - how long the rules are away when another program flushes them, and what happens to packets meanwhile.

    [guest] c-SIDE -- p-SIDE [vl-n0 | vmlaned] up0 -- x-SIDE [nowhere]

This process flushes (a transaction that deletes all tables), and hears of each transaction as vmlaned does. A guest sends a
datagram a millisecond all the time in one connection; those that leave by the uplink are told by their source address."""
import errno
import os
import socket
import statistics
import struct
import subprocess
import sys
import time

from sides import Vmlaned, numbered
from stats import Table, duration, percentile
from world import HERE, Ns, wait_for

EVERY_S = 0.9  # more often would be taken for a fight (daemon/pace.h)
GUEST, HOST, TO = "10.80.0.50", "203.0.113.2", "198.51.100.7"
NFTABLES, BATCH_BEGIN, BATCH_END, NEWTABLE, DELTABLE, NEWGEN = 10, 0x10, 0x11, 0, 2, 15
SOL_NETLINK, ADD_MEMBERSHIP, GROUP_NFTABLES = 270, 1, 7
RATE = 1000


def message(kind, flags, seq, res_id=0):
    return struct.pack("=IHHIIBBH", 20, kind, flags, seq, 0, 0, 0, socket.htons(res_id))


FLUSH = (message(BATCH_BEGIN, 1, 1, NFTABLES) + message(NFTABLES << 8 | DELTABLE, 1, 2) +
         message(BATCH_END, 1, 3, NFTABLES))


def transactions(data):
    """The names of processes whose transactions end in @data."""
    while len(data) >= 20:
        size, kind = struct.unpack_from("=IH", data)
        if kind == NFTABLES << 8 | NEWGEN:
            at, name = 20, ""
            while at + 4 <= size:
                length, attr = struct.unpack_from("=HH", data, at)
                if attr & 0x3fff == 3:
                    name = data[at + 4:at + length].rstrip(b"\0").decode()
                at += max(4, (length + 3) & ~3)
            yield name
        data = data[(size + 3) & ~3:]


class Ear:
    """Who has changed rules, as the kernel tells it."""

    def __init__(self, ns):
        with ns.enter():
            self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self.s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.s.bind((0, 0))
        self.s.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, GROUP_NFTABLES)

    def wait(self, name, seconds):
        """The time at which a transaction of process @name was heard of."""
        self.s.settimeout(seconds)
        while True:
            try:
                names = list(transactions(self.s.recv(65536)))
            except OSError as e:
                if e.errno == errno.ENOBUFS:
                    continue
                raise
            if name in names:
                return time.perf_counter()

    def empty(self):
        self.s.settimeout(0)
        try:
            while True:
                self.s.recv(65536)
        except BlockingIOError:
            pass


class Flow:
    """A guest's datagrams, a millisecond apart, and how they left the host: a process of its own (`guardian.py PATHS...`)."""

    def __init__(self, ns):
        self.guest = Ns(f"g-{ns.name}", uplink=False)
        self.guest.ip(f"link add c type veth peer name p netns {ns.name}", "link set c up", f"addr add {GUEST}/24 dev c",
                      "route add default via 10.80.0.1")
        ns.ip("link set p master vl-n0", "link set p up")
        self.p = subprocess.Popen([sys.executable, f"{HERE}/guardian.py", self.guest.path, Ns.nowhere.path, f"x-{ns.name}"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.p.stdout.readline() == "sent\n"

    def end(self):
        """sent, left as the host's, left as the guest's own."""
        self.p.stdin.close()
        counts = [int(x) for x in self.p.stdout.readline().split()]
        self.p.wait()
        return counts


def enter(path):
    with open(path, "rb") as f:
        import ctypes  # pylint: disable=import-outside-toplevel
        if ctypes.CDLL(None).setns(f.fileno(), 0x40000000):
            sys.exit(path)


def flow(guest, nowhere, dev):
    enter(nowhere)
    seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    seen.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)
    seen.bind((dev, 0x0800))
    seen.setblocking(False)
    enter(guest)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((TO, 7))
    os.set_blocking(0, False)
    sent, host, own, due, last = 0, 0, 0, time.monotonic(), None
    ours, theirs = socket.inet_aton(HOST), socket.inet_aton(GUEST)
    while last is None or time.monotonic() < last:
        try:
            if last is None and not os.read(0, 1):
                last = time.monotonic() + 0.5
        except BlockingIOError:
            pass
        if last is None:
            try:
                s.send(b"x")
            except OSError:
                pass  # counted as sent
            sent += 1
            if sent == 1:
                print("sent", flush=True)
        due = max(due + 1 / RATE, time.monotonic() - 0.01)
        time.sleep(max(0, due - time.monotonic()))
        try:
            while True:
                packet = seen.recv(64)
                host += packet[9] == 17 and packet[12:16] == ours
                own += packet[9] == 17 and packet[12:16] == theirs
        except BlockingIOError:
            pass
    print(sent, host, own, flush=True)


def side(count, rounds):
    """Seconds of each flush, from before it until the table is there again; and what became of packets."""
    ns = Ns(f"flush{count}")
    daemon = Vmlaned(ns, numbered(count))
    packets = Flow(ns)
    ear, took = Ear(ns), []
    with open("/proc/self/comm", encoding="ascii") as f:
        own = f.read().strip()
    with ns.enter():
        flusher = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
    for i in range(rounds):
        time.sleep(EVERY_S)
        ear.empty()
        begin = time.perf_counter()
        flusher.sendto(FLUSH, (0, 0))
        ear.wait(own, 30)
        took.append(ear.wait("vmlaned", 30) - begin)
        # With all that comes after the rules; else the next one would be put right along with this.
        wait_for("the end of it", lambda: daemon.api("GET", "/v1/status")["guardian"]["mended"] > i)  # pylint: disable=cell-var-from-loop
    counts = packets.end()
    daemon.end()
    return took, counts


def measure(quick, command):
    rounds = 10 if quick else 100
    table = Table(f"All rules flushed by another program, {rounds} times: until they are there again", command,
                  ("networks", "median", "p99", "longest", "flushes", "packets not sent on, each time", "sent on untranslated, each time"))
    for count in (1, 100) if quick else (1, 100, 1000):
        took, (sent, host, own) = side(count, rounds)
        table.row(f"{count:,}", duration(statistics.median(took)), duration(percentile(took, 99)), duration(max(took)),
                  str(rounds), f"{(sent - host - own) / rounds:.1f}", f"{own / rounds:.1f}")
    table.note(f"From before the flush is sent until vmlaned's transaction is told by the kernel. A guest of network n0 sends {RATE:,} datagrams a second in one connection.")
    table.show()


if __name__ == "__main__":
    flow(*sys.argv[1:])
