# SPDX-License-Identifier: GPL-2.0-or-later
"""guardian.py - how long the rules are away when another program flushes them, and what happens to packets meanwhile; and how long
a sysctl has somebody else's value.

    [guest] c-SIDE -- p-SIDE [vl-n0 | vmlaned] up0 -- x-SIDE [nowhere]

This process flushes (a transaction that deletes all tables), and hears of each transaction as vmlaned does. It switches IPv6 on at a
bridge that shall be without, of which the kernel tells nobody, and reads that sysctl until it is back. A guest sends a
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

EVERY_S = 1.75  # a flush and a sysctl of each side; more often would be taken for a fight (daemon/pace.h)
QUIET_S = 3  # then the table has been remembered
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


class Side:
    """A daemon with @count networks, and a guest of the first."""

    def __init__(self, count):
        self.ns = Ns(f"flush{count}")
        self.daemon = Vmlaned(self.ns, numbered(count))
        self.packets, self.ear = Flow(self.ns), Ear(self.ns)
        self.flushed, self.set, self.mended = [], [], 0
        with open("/proc/self/comm", encoding="ascii") as f:
            self.own = f.read().strip()
        with self.ns.enter():
            self.flusher = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
            self.sysctl = os.open("/proc/sys/net/ipv6/conf/vl-n0/disable_ipv6", os.O_RDWR)

    def wait(self):
        """With all that is looked at afterwards; else the next one would be put right along with this."""
        self.mended += 1
        wait_for("the end of it", lambda: self.daemon.api("GET", "/v1/status")["guardian"]["mended"] >= self.mended)

    def flush(self):
        self.ear.empty()
        begin = time.perf_counter()
        self.flusher.sendto(FLUSH, (0, 0))
        self.ear.wait(self.own, 30)
        self.flushed.append(self.ear.wait("vmlaned", 30) - begin)
        self.wait()

    def write(self):
        begin = time.perf_counter()
        os.pwrite(self.sysctl, b"0", 0)
        while os.pread(self.sysctl, 8, 0).strip() != b"1":
            if time.perf_counter() > begin + 30:
                raise RuntimeError("the sysctl stays as it is")
            time.sleep(0.0002)
        self.set.append(time.perf_counter() - begin)
        self.wait()

    def end(self):
        counts = self.packets.end()
        self.daemon.end()
        return counts


def times(seconds):
    return duration(statistics.median(seconds)), duration(percentile(seconds, 99)), duration(max(seconds)), str(len(seconds))


def measure(quick, command):
    rounds = 10 if quick else 100
    sides = {count: Side(count) for count in ((1, 100) if quick else (1, 100, 1000))}
    time.sleep(QUIET_S)
    for _ in range(rounds):
        begin = time.monotonic()
        for side in sides.values():
            side.flush()
            side.write()
        time.sleep(max(0, begin + EVERY_S - time.monotonic()))
    rules = Table(f"All rules flushed by another program, {rounds} times: until they are there again", command,
                  ("networks", "median", "p99", "longest", "flushes", "packets not sent on, each time", "sent on untranslated, each time"))
    sysctls = Table(f"A sysctl changed by another program, {rounds} times: until it is back", command,
                    ("networks", "median", "p99", "longest", "changes"))
    for count, side in sides.items():
        sent, host, own = side.end()
        rules.row(f"{count:,}", *times(side.flushed), f"{(sent - host - own) / rounds:.1f}", f"{own / rounds:.1f}")
        sysctls.row(f"{count:,}", *times(side.set))
    rules.note(f"From before the flush is sent until vmlaned's transaction is told by the kernel. A guest of network n0 sends {RATE:,} datagrams a second in one connection.")
    rules.show()
    sysctls.note("From before net.ipv6.conf.vl-n0.disable_ipv6 is written until it reads as before.")
    sysctls.show()


if __name__ == "__main__":
    flow(*sys.argv[1:])
