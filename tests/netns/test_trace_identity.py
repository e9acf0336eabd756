# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace never takes one packet for another: mixed traffic whose packets can all be told apart by what they
carry, and some that cannot, while the host's own TCP uses the memory of packets again and again."""
import collections
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading

import pytest

from daemon import program
from packet import ARP, BROADCAST, Ether, Wire
from test_trace import hop, way
from test_trace_modes import OUT, TO_GUEST
from world import INTERNET, wait_for

# VMLANE_IDENTITY=180 follows about a million packets.
ROUNDS = int(os.environ.get("VMLANE_IDENTITY", "2"))
ECHOES, SHOUTS, QUESTIONS, BULK = 1200, 300, 200, 400000


def echoes(address, first):
    """Questions from a source port of their own each, one after the other."""
    for i in range(ECHOES):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("", first + i))
            s.settimeout(10)
            s.sendto(b"%d" % i, (address, 7777))
            assert json.loads(s.recv(2048))["seq"] == str(i)


def shouts(address):
    """Flooded to the other guests and up to the host; now and then a question, so that nobody falls behind."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
        ask.bind(("", 1025))
        ask.settimeout(10)
        for i in range(SHOUTS):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                s.bind(("", 60000 + i))
                s.sendto(b"%d" % i, ("255.255.255.255", 9))
            if i % 8 == 0:
                ask.sendto(b"x", (address, 7777))
                ask.recv(2048)


def questions(wire, frame, address):
    """The same bytes again and again, each of which is a packet of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
        ask.bind(("", 1026))
        ask.settimeout(10)
        for i in range(QUESTIONS):
            wire.send(frame)
            if i % 8 == 0:
                ask.sendto(b"x", (address, 7777))
                ask.recv(2048)


def bulk():
    with socket.create_connection((INTERNET, 9998)) as s:
        s.sendall(b"x" * BULK)
        s.shutdown(socket.SHUT_WR)
        while s.recv(65536):
            pass


def local(stop):
    """The host's own: short connections within it, whose packets' memory is another's soon."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        while not stop.is_set():
            with socket.create_connection(server.getsockname()) as a, server.accept()[0] as b:
                a.sendall(b"z" * 2000)
                b.sendall(b"z" * 2000)
                assert a.recv(4096) and b.recv(4096)


class Crowd:
    """Functions in threads, each inside a namespace."""

    def __init__(self):
        self.threads, self.failed = [], []

    def start(self, ns, what, *args):
        def run():
            try:
                with ns.enter():
                    what(*args)
            except BaseException as e:  # pylint: disable=broad-except
                self.failed.append(f"{what.__name__}: {e!r}")

        self.threads.append(threading.Thread(target=run, daemon=True))
        self.threads[-1].start()

    def join(self):
        for t in self.threads:
            t.join(600)
        assert not self.failed


def mirror(server):
    with contextlib.suppress(OSError):
        conn, _ = server.accept()
        with conn:
            while data := conn.recv(65536):
                conn.sendall(data)


def mark(e):
    """What no hop changes of a packet, and no other packet has at that time."""
    ports = tuple(sorted((e["sport"], e["dport"]))) if e["protocol"] == 17 else ()
    return e["protocol"], e["ip_id"], e["seq"], ports


def traffic(world, guests):
    a, b, _ = guests
    crowd, stop, background = Crowd(), threading.Event(), Crowd()
    with world.internet.enter():
        server = socket.create_server(("0.0.0.0", 9998))
    background.start(world.internet, mirror, server)
    background.start(world.host, local, stop)
    wire = Wire(a.ns)
    frame = bytes(Ether(src=a.mac, dst=BROADCAST) / ARP(op=1, hwsrc=a.mac, psrc=a.ip, pdst="192.168.122.99"))
    crowd.start(a.ns, echoes, INTERNET, 2000)
    crowd.start(a.ns, echoes, b.ip, 30000)
    crowd.start(a.ns, shouts, INTERNET)
    crowd.start(a.ns, questions, wire, frame, b.ip)
    crowd.start(a.ns, bulk)
    crowd.join()
    stop.set()
    background.join()
    server.close(), wire.close()


def wrong_events(lines):
    """Packets that have an event of another's, or one out of its order."""
    first, last, wrong = {}, {}, []
    for e in lines:
        if e["event"] != "seen" or "protocol" not in e:
            continue
        n = e["packet"]
        if first.setdefault(n, mark(e)) != mark(e):
            wrong.append((first[n], e))
        if e["what"] != "read" and e["time"] < last.get(n, 0) - 1e-6 and not e["copy"]:
            wrong.append(("late", e))
        last[n] = max(last.get(n, 0), e["time"])
    return wrong


def run(world, guests):
    """One trace, as long as the traffic; its lines. None when some were lost, of which it says how many: of the
    packets that they were about nothing can be told then."""
    path = f"{world.tmp}/trace.json"
    with open(path, "wb") as out:
        t = world.host.start(program("vmlane"), "-o", "json", "trace", "web1", "-v", stdout=out, log=f"{world.tmp}/trace.log")
    wait_for("the trace", lambda: os.path.getsize(path))
    traffic(world, guests)
    t.p.send_signal(signal.SIGINT)
    assert t.wait() == 0, t.text()
    with open(path, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert lines[-1]["event"] == "end"
    if lines[-1]["lost"]["events"]:
        return None
    assert lines[-1]["lost"] == {"events": 0, "packets": 0, "unreadable": 0, "rested": 0}, lines[-1]
    return lines


def check(lines, a, b):
    """All that was sent was followed, once, on all of its way, and no event is another packet's."""
    wrong = wrong_events(lines)
    assert not wrong, (len(wrong), wrong[:5])
    packets = [e for e in lines if e["event"] == "packet"]
    assert len({e["packet"] for e in packets}) == len(packets)

    def flow(p, *keys):
        return tuple(p["flow"].get(k) for k in keys)

    # NAT, there and back: each question and each answer once, and all of their way.
    nat = [p for p in packets if flow(p, "src", "dst", "dport") == (a.ip, INTERNET, 7777) and 2000 <= p["flow"]["sport"] < 22000]
    assert len(nat) == ECHOES and collections.Counter(tuple(way(p)) for p in nat) == {tuple(OUT): ECHOES}
    assert all(hop(p, "nat")["after"]["sport"] == p["flow"]["sport"] for p in nat)
    answers = [p for p in packets if flow(p, "src", "sport") == (INTERNET, 7777) and 2000 <= p["flow"]["dport"] < 22000]
    assert collections.Counter(tuple(way(p)) for p in answers) == {("uplink-in", "route", "nat", *TO_GUEST): ECHOES}
    by_number = {p["packet"]: p for p in packets}
    assert all(by_number[p["reply_to"]]["flow"]["sport"] == p["flow"]["dport"] for p in answers)
    # Bridged.
    bridged = [p for p in packets if flow(p, "src", "dst", "dport") == (a.ip, b.ip, 7777) and p["flow"]["sport"] in range(30000, 50000)]
    assert collections.Counter(tuple(w for w in way(p)) for p in bridged) == {("vm-out", "bridge-fwd"): ECHOES}
    # Flooded: two copies, and the host's.
    flooded = [p for p in packets if p["flow"].get("dst") == "255.255.255.255" and p["flow"].get("dport") == 9]
    assert len(flooded) == SHOUTS
    assert {(hop(p, "bridge-fwd")["copies"], p["verdict"]) for p in flooded} == {(2, "DELIVERED")}, \
        collections.Counter(p["end"] for p in flooded)
    # Not to be told apart by any byte, and yet not one packet.
    same = [p for p in packets if p["text"] == f"arp who-has 192.168.122.99 tell {a.ip}"]
    assert len(same) == QUESTIONS and {hop(p, "bridge-fwd")["copies"] for p in same} == {2}
    # TCP, in whatever sizes.
    tcp = [p for p in packets if flow(p, "dst", "dport") == (INTERNET, 9998)]
    assert tcp and {tuple(way(p)) for p in tcp} == {tuple(OUT)}
    assert {p["verdict"] for p in packets} == {"DELIVERED"}, collections.Counter(p["end"] for p in packets)


def test_no_packet_is_taken_for_another(world, guest):
    # The host's own short connections would fill conntrack's table in some minutes.
    world.host.run("sysctl", "-qw", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=1")
    guests = [guest(f"web{i}") for i in (1, 2, 3)]
    for g in guests:
        g.dhcp()
    a, b, _ = guests
    p = b.ns.python("server.py", "0.0.0.0", stdout=subprocess.PIPE, log=f"{world.tmp}/server-web2.log")
    assert p.line() == "ready"
    assert a.ping(INTERNET) and a.ping(b.ip)
    followed = again = 0
    for _ in range(ROUNDS):
        # Where others keep the processors from the trace for long, its buffer does not do.
        while not (lines := run(world, guests)):
            again += 1
            assert again <= 3 + ROUNDS / 10, "events are lost again and again"
        check(lines, a, b)
        followed += lines[-1]["packets"]
    print(f"{followed} packets followed, {again} rounds repeated because events were lost")
    assert followed >= ROUNDS * (4 * ECHOES + SHOUTS + QUESTIONS)
