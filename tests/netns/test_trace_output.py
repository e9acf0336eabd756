# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace: what it writes besides the packets' ways, -w FILE, and what it looks like on a terminal."""
import contextlib
import os
import pty
import re
import select
import signal
import subprocess

from daemon import program
from test_capture import frames
from test_trace import Trace
from world import INTERNET, UPLINK, wait_for


def test_frames_and_ways_at_once(world, guest):
    """-w: packet #1 of the text is packet id 1 of the file, at each interface, and translated."""
    g = guest("web1")
    g.dhcp()
    path = f"{world.tmp}/t.pcapng"
    t = Trace(world, "web1", "icmp", "-w", path)
    assert g.ping(INTERNET)
    out, back = t.packet("echo request"), t.packet("echo reply")
    t.end()
    seen = frames(path)
    for packet, kind, ways in ((out, "8", [(g.show()["tap"], g.ip), ("vl-default", g.ip), ("eth0", UPLINK)]),
                               (back, "0", [("eth0", INTERNET), ("vl-default", INTERNET), (g.show()["tap"], INTERNET)])):
        mine = [f for f in seen if int(f["frame.packet_id"], 0) == packet["packet"]]
        assert [(f["frame.interface_name"], f["ip.src"]) for f in mine] == ways and {f["icmp.type"] for f in mine} == {kind}


def test_a_file_that_cannot_be_written(world, guest):
    guest("web1")
    done = world.host.run(program("vmlane"), "trace", "web1", "-w", "/nowhere/t.pcapng", check=False)
    assert done.returncode == 2 and "/nowhere/t.pcapng" in done.stderr and done.stdout == ""
    done = world.host.run(program("vmlane"), "trace", "web1", "-w", "-", check=False)
    assert done.returncode == 1 and "vmlane capture GUEST -w -" in done.stderr


class Terminal:
    """The command on a terminal of its own."""

    def __init__(self, world, *args, env=None):
        self.fd, theirs = pty.openpty()
        argv = world.host.argv([program("vmlane"), "trace", *args])
        self.p = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs,  # pylint: disable=consider-using-with
                                  env={**os.environ, "TERM": "xterm", **(env or {})})
        os.close(theirs)
        self.text = ""

    def read(self):
        while select.select([self.fd], [], [], 0)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:  # the other end is closed
                return self.text
            self.text += data.decode()
        return self.text

    def until(self, words):
        wait_for(words, lambda: re.search(words, self.read()))

    def end(self):
        self.p.send_signal(signal.SIGINT)
        wait_for("its end", lambda: (self.read(), self.p.poll() is not None)[1])
        self.read()
        os.close(self.fd)
        assert self.p.returncode == 0
        return self.text

    def kill(self):
        with contextlib.suppress(OSError):
            self.p.kill()
            self.p.wait()


def shown(text):
    """What stands on the screen in the end: lines that were wiped do not."""
    lines = text.replace("\r\n", "\n").split("\n")
    return [re.sub(r"\x1b\[[0-9;]*m", "", line.split("\r\x1b[K")[-1]) for line in lines]


def test_on_a_terminal(world, guest):
    """Colours, and a line at the bottom that counts and makes room for each packet."""
    g = guest("web1")
    g.dhcp()
    t = Terminal(world, "web1", "icmp")
    try:
        t.until("following web1 on")
        t.until(r"0 packets, 0 dropped")
        assert g.ping(INTERNET)
        t.until(r"\r\x1b\[K2 packets, 0 dropped")
        text = t.end()
    finally:
        t.kill()
    assert "\x1b[1m#1\x1b[0m" in text and "\x1b[32mDELIVERED out by eth0\x1b[0m" in text
    screen = shown(text)
    assert len([line for line in screen if re.search(r"packets, \d+ dropped", line)]) == 1, screen
    assert not [line for line in screen if "packets" in line and "#" in line], screen
    assert screen[-2] == "2 packets, 0 dropped; lost from sight: 0 events"


def test_summary_on_a_terminal(world, guest):
    """No blocks while it runs, but the count; then the ways."""
    g = guest("web1")
    g.dhcp()
    t = Terminal(world, "web1", "icmp", "--summary")
    try:
        t.until("following web1 on")
        assert g.ping(INTERNET, count=3)
        t.until(r"\r\x1b\[K6 packets, 0 dropped")
        text = t.end()
    finally:
        t.kill()
    assert "#1" not in text and "echo request" not in text
    screen = shown(text)
    assert any("uplink-out eth0: DELIVERED out by eth0" in line for line in screen), screen
    assert any(line.startswith("6 packets, 0 dropped") for line in screen)


def test_no_colours_but_on_a_terminal_that_has_them(world, guest):
    g = guest("web1")
    g.dhcp()
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        t = Terminal(world, "web1", "icmp", env=env)
        try:
            t.until("following web1 on")
            assert g.ping(INTERNET)
            t.until("DELIVERED to the guest")
            assert not re.search(r"\x1b\[[0-9;]*m", t.end())
        finally:
            t.kill()
    p = world.host.start(program("vmlane"), "trace", "web1", "icmp", "-c", "1", stdout=subprocess.PIPE, log=f"{world.tmp}/plain.log",
                         env={"TERM": "xterm"})
    wait_for("the trace", lambda: "following web1" in p.text())
    assert g.ping(INTERNET)
    assert p.wait() == 0
    assert "\x1b" not in p.p.stdout.read().decode() and "\x1b" not in p.text()
