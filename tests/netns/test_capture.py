# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane capture, as tshark reads it."""
import glob
import os
import signal
import subprocess
import time

import pytest

from daemon import program
from world import INTERNET, TIMEOUT, UPLINK, wait_for

FIELDS = ["frame.interface_name", "frame.packet_id", "frame.p2p_dir", "ip.src", "ip.dst", "frame.comment", "dhcp.option.dhcp",
          "icmp.type", "frame.len", "frame.cap_len"]


def tshark(path, *args):
    """What tshark prints of a file; it must have nothing to complain of."""
    done = subprocess.run(["tshark", "-n", "-r", path, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if "Running as user" not in line and line.strip()]
    assert done.returncode == 0 and not complaints, done.stderr
    return done.stdout


def frames(path):
    out = tshark(path, "-T", "fields", "-E", "separator=|", *[a for f in FIELDS for a in ("-e", f)])
    return [dict(zip(FIELDS, line.split("|"))) for line in out.splitlines()]


class Capture:
    def __init__(self, world, *args, path=None):
        self.path = path or f"{world.tmp}/capture-{time.monotonic_ns()}.pcapng"
        self.p = world.host.start(program("vmlane"), "capture", *args, "-w", self.path, log=f"{self.path}.log")
        wait_for("the capture", lambda: "capturing" in self.p.text())

    def end(self):
        self.p.p.send_signal(signal.SIGINT)
        assert self.p.wait() == 0
        assert "lost: 0" in self.p.text(), self.p.text()


@pytest.fixture
def capture(world):
    return lambda *args, **kw: Capture(world, *args, **kw)


def test_a_guest_boots_and_pings(guest, capture):
    g = guest("web1")
    c = capture("web1")
    g.dhcp()
    assert g.ping(INTERNET)
    c.end()
    tap = g.show()["tap"]
    seen = frames(c.path)
    # DISCOVER, OFFER, REQUEST, ACK at the guest's port
    assert [f["dhcp.option.dhcp"] for f in seen if f["dhcp.option.dhcp"] and f["frame.interface_name"] == tap] == ["1", "2", "3", "5"]
    ask = [f for f in seen if f["icmp.type"] == "8" and f["ip.dst"] == INTERNET]
    assert [f["frame.interface_name"] for f in ask] == [tap, "vl-default", "eth0"]
    assert len({f["frame.packet_id"] for f in ask}) == 1
    assert [f["frame.p2p_dir"] for f in ask] == ["1", "1", "0"]
    assert [f["ip.src"] for f in ask] == [g.ip, g.ip, UPLINK]
    assert not ask[0]["frame.comment"] and ask[2]["frame.comment"].startswith(f"NAT: was icmp {g.ip} > {INTERNET}")
    back = [f for f in seen if f["icmp.type"] == "0" and f["ip.src"] == INTERNET]
    assert [f["frame.interface_name"] for f in back] == ["eth0", "vl-default", tap]
    assert len({f["frame.packet_id"] for f in back}) == 1 and back[0]["frame.packet_id"] != ask[0]["frame.packet_id"]
    assert all(f["frame.len"] == f["frame.cap_len"] for f in ask + back)


def test_every_byte(guest, capture):
    """The server's answer is in the capture, whole, at every interface it passed."""
    g = guest("web1")
    g.dhcp()
    c = capture("web1", "tcp", "port", "80")
    assert g.http()["address"] == UPLINK
    c.end()
    for interface in (g.show()["tap"], "vl-default", "eth0"):
        out = tshark(c.path, "-Y", f'frame.interface_name == "{interface}" && tcp.srcport == 80', "-T", "fields", "-e", "tcp.payload")
        assert UPLINK in "".join(bytes.fromhex(line.replace(":", "")).decode() for line in out.split()), interface
    bad = tshark(c.path, "-Y", "_ws.malformed")
    assert not bad.strip(), bad


def test_why_it_was_dropped(world, guest, capture):
    g = guest("web1")
    g.dhcp()
    world.host.run("ip", "route", "add", "blackhole", "198.51.100.99")
    c = capture("web1", "host", "198.51.100.99")
    assert not g.ping("198.51.100.99")
    c.end()
    last = frames(c.path)[-1]
    assert last["frame.comment"].startswith("DROP: ") and last["ip.dst"] == "198.51.100.99"


def test_into_a_pipe(world, guest):
    """-w - into Wireshark: tshark reads while it is captured."""
    g = guest("web1")
    g.dhcp()
    argv = world.host.argv([program("vmlane"), "capture", "web1", "icmp", "-w", "-"])
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as p:
        assert b"capturing" in p.stderr.readline()
        reader = subprocess.Popen(["tshark", "-n", "-l", "-i", "-", "-c", "3", "-T", "fields", "-e", "frame.interface_name"],
                                  stdin=p.stdout, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        deadline = time.monotonic() + TIMEOUT
        while reader.poll() is None and time.monotonic() < deadline:
            g.ping(INTERNET)
        assert reader.communicate(timeout=TIMEOUT)[0].split()[:3] == [g.show()["tap"], "vl-default", "eth0"]
        p.stdout.close()
        g.ping(INTERNET)  # nobody reads it any more: that ends it, quietly
        assert p.wait(timeout=TIMEOUT) == 0


def test_ring_of_files(world, guest, capture):
    g = guest("web1")
    g.dhcp()
    base = f"{world.tmp}/ring"
    c = capture("web1", "icmp", "--file-size", "1", "--files", "2", path=f"{base}.pcapng")
    g.ns.run("busybox", "ping", "-q", "-c", "900", "-i", "0.001", "-s", "1200", INTERNET, timeout=3 * TIMEOUT)
    c.end()
    files = sorted(glob.glob(f"{base}_*.pcapng"))
    assert len(files) == 2 and all(os.path.getsize(f) <= 1000000 for f in files), files
    assert all(frames(f) for f in files)


def test_count_and_snaplen(guest, capture):
    g = guest("web1")
    g.dhcp()
    c = capture("web1", "icmp", "-c", "2", "-s", "64")
    g.ping(INTERNET, count=2)
    assert c.p.wait() == 0
    seen = frames(c.path)
    assert {f["frame.packet_id"] for f in seen} == {seen[0]["frame.packet_id"], str(int(seen[0]["frame.packet_id"]) + 1)}
    assert {f["frame.cap_len"] for f in seen} == {"64"} and {f["frame.len"] for f in seen} == {"98"}


@pytest.mark.parametrize("args, code, words", [
    (["web1"], 1, "where to? -w FILE.pcapng"),
    (["-w", "/tmp/x"], 1, "whose packets?"),
    (["nobody", "-w", "/tmp/x"], 2, "there is no guest 'nobody'"),
    (["web1", "-w", "/"], 2, "/"),
    (["web1", "-w", "/run/nowhere/x"], 2, "/run/nowhere/x"),
    (["web1", "-w", "/tmp/x", "-s", "10"], 1, "--snaplen '10' is not a number from 64"),
    (["web1", "-w", "/tmp/x", "--files", "3"], 1, "--files is for --file-size or --file-time"),
    (["web1", "-w", "/tmp/x", "port", "x"], 1, "port"),
])
def test_bad_words(world, guest, args, code, words):
    guest("web1")
    done = world.host.run(program("vmlane"), "capture", *args, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr
