# SPDX-License-Identifier: GPL-2.0-or-later
"""Events as they happen: GET /v1/events and `vmlane monitor`."""
import json
import os
import socket
import subprocess

from daemon import program
from world import TIMEOUT, wait_for


class Listener:
    """`vmlane monitor -o json`, its events so far."""

    def __init__(self, d, *args):
        self.path = os.path.join(d.world.tmp, f"monitor{id(self)}")
        with open(self.path, "wb") as out:
            self.p = subprocess.Popen(d.world.host.argv(d.argv("monitor", "-o", "json", *args)), stdout=out)
        wait_for("hello", lambda: self.of("hello") or self.p.poll() is not None)

    def events(self):
        with open(self.path, encoding="utf-8") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def of(self, name, **keys):
        return [e for e in self.events() if e["event"] == name and all(e.get(k) == v for k, v in keys.items())]

    def expect(self, name, **keys):
        wait_for(f"event {name} {keys}", lambda: self.of(name, **keys))
        return self.of(name, **keys)[-1]

    def end(self):
        self.p.terminate()
        return self.p.wait(TIMEOUT)


def open_fds(d):
    return len(os.listdir(f"/proc/{d.p.p.pid}/fd"))


def test_life_of_a_guest(world, vmlaned, guest):
    m = Listener(vmlaned)
    g = guest("web1")
    assert m.expect("guest-attached", guest="web1", network="default")["tap"] == "vl-web1"
    m.expect("guest-up", guest="web1")
    address = g.dhcp()["address"]
    lease = m.expect("lease", guest="web1")
    assert lease["address"] == address and lease["mac"] == g.mac
    learned = m.expect("mac-learned", mac=g.mac)
    assert learned["port"] == "vl-web1" and learned["guest"] == "web1" and learned["from"] is None
    g.off()
    m.expect("guest-ended", guest="web1")
    assert not m.of("guest-detached")
    times = [e["time"] for e in m.events()]
    assert times == sorted(times) and times[0] > 1.6e9
    m.end()


def test_a_mac_that_moves(world, vmlaned, guest):
    vmlaned.vmlane("network", "set", "default", "guard=off")
    a, b = guest("a"), guest("b")
    a.dhcp()
    b.dhcp()
    m = Listener(vmlaned)
    # b speaks with a's MAC: what a stolen address, or a migrated guest, looks like to the switch
    stolen = a.mac
    b.ns.run("ip", "link", "set", "eth0", "address", stolen)
    b.ns.run("busybox", "arping", "-c", "1", "-w", "1", "-I", "eth0", "192.168.122.1", check=False)
    m.expect("mac-moved", mac=stolen)
    moved = m.of("mac-moved", mac=stolen)[0]  # a may speak too, and get it back
    assert (moved["from"], moved["port"], moved["guest"]) == ("vl-a", "vl-b", "b")
    m.end()


def test_networks_and_uplinks(world, vmlaned):
    m = Listener(vmlaned)
    vmlaned.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    m.expect("network-created", network="lab")
    vmlaned.vmlane("network", "stop", "lab")
    m.expect("network-stopped", network="lab")
    vmlaned.vmlane("network", "start", "lab")
    m.expect("network-started", network="lab")
    vmlaned.vmlane("network", "delete", "lab")
    m.expect("network-deleted", network="lab")
    world.host.run("ip", "route", "del", "default")
    assert m.expect("uplink", uplinks=[])["text"].startswith("there is no way out")
    world.host.run("ip", "route", "add", "default", "via", "203.0.113.1")
    m.expect("uplink", uplinks=["eth0"])
    m.end()


def test_only_what_was_asked_for(vmlaned):
    only = Listener(vmlaned, "--network", "lab", "--count", "2")
    vmlaned.vmlane("guest", "attach", "x", "--network", "default")
    vmlaned.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    assert only.p.wait(TIMEOUT) == 0
    assert [e["event"] for e in only.events()] == ["hello", "network-created"]


def test_the_end_of_the_daemon_ends_it(vmlaned):
    m = Listener(vmlaned)
    vmlaned.stop()
    assert m.p.wait(TIMEOUT) == 2
    vmlaned.start()


def listen_raw(d):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(TIMEOUT)
    s.connect(d.socket)
    s.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
    got = b""
    while b"event: hello" not in got and b"too many" not in got:
        more = s.recv(65536)
        assert more, got
        got += more
    return s, got


def test_listeners_that_go_or_do_not_read(vmlaned):
    before = open_fds(vmlaned)
    deaf, got = listen_raw(vmlaned)
    assert b" 200 " in got and b"text/event-stream" in got
    many = [listen_raw(vmlaned)[0] for _ in range(31)]
    one_more, got = listen_raw(vmlaned)
    assert b" 503 " in got
    one_more.close()
    for s in many:
        s.close()
    # each event is some 140 bytes: more than the socket's buffer and the stream's together
    for _ in range(60):
        vmlaned.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
        vmlaned.vmlane("network", "delete", "lab")
    wait_for("those that went to be noticed", lambda: open_fds(vmlaned) <= before + 2)
    deaf.close()
    m = Listener(vmlaned)
    vmlaned.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    m.expect("network-created", network="lab")
    m.end()
    # those that went are noticed when something is written to them
    vmlaned.vmlane("network", "delete", "lab")
    vmlaned.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    wait_for("all to be gone", lambda: open_fds(vmlaned) <= before + 2)  # network lab's own, and a request's


def test_people_read_lines(vmlaned):
    done = subprocess.Popen(vmlaned.world.host.argv([program("vmlane"), "--socket", vmlaned.socket, "monitor", "--count", "2"]),
                            stdout=subprocess.PIPE, text=True)
    hello = done.stdout.readline()
    vmlaned.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    line = done.stdout.readline()
    assert done.wait(TIMEOUT) == 0
    assert "hello" in hello and "listening" in hello
    assert "network-created" in line and "network lab was created" in line
