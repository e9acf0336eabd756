# SPDX-License-Identifier: GPL-2.0-or-later
"""The switch's MAC table: who gets which frame when MACs are learned, pinned, forgotten, or told by
the configuration alone."""
import os
import signal
import socket
import subprocess

import pytest

from daemon import DEFAULT as GUARDED
from daemon import program
from packet import BROADCAST, Ether, Wire
from test_switch import APART, port
from world import TIMEOUT, Monitor, wait_for

# Frames with anybody's MAC and EtherType are the point here; test_guard.py has those that are not.
DEFAULT = GUARDED + "guard: off\n"
OFF = "switch: { learning: off }\n"
STRANGER = "02:00:00:00:00:77"
NESTED = "02:00:00:00:00:78"
PROTO = 0x88B5  # IEEE's, for experiments


def frame(src, dst, what):
    return Ether(src=src, dst=dst, type=PROTO) / what


def send(g, *frames):
    wire = Wire(g.ns)
    for f in frames:
        wire.send(f)
    wire.close()


def who_hears(sender, others, dst, src=None):
    """The names of @others that get a frame from @sender to @dst. A broadcast that is sent behind
    it tells that no more will come; it has to come to all."""
    wires = {g.name: Wire(g.ns, proto=PROTO) for g in others}
    src = src or sender.mac
    send(sender, frame(src, dst, b"the question"), frame(src, BROADCAST, b"the end"))
    heard = set()
    for name, wire in wires.items():
        for f in wire.frames(TIMEOUT):
            if b"the end" in bytes(f):
                break
            assert b"the question" in bytes(f)
            heard.add(name)
        else:
            raise AssertionError(f"{name} does not get broadcasts")
        wire.close()
    return heard


def table(d, kind):
    return {(m["mac"], m["port"]) for m in d.get("/v1/macs")["macs"] if m["kind"] == kind}


def changes(d):
    return [c["text"] for c in d.vmlane("diff")["changes"]]


def three(d, guest):
    return guest("a", d=d), guest("b", d=d, tap=True), guest("c", d=d)


# ---- learning ----


def test_unknown_is_flooded_known_is_not(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT})
    a, b, c = three(d, guest)
    assert who_hears(a, [b, c], STRANGER) == {"b", "c"}
    send(c, frame(STRANGER, BROADCAST, b"here"))
    wait_for("the MAC to be learned", lambda: (STRANGER, "vl-c") in table(d, "learned"))
    assert who_hears(a, [b, c], STRANGER) == {"c"}
    assert who_hears(c, [a, b], STRANGER) == set()  # it came from there
    # It moves, and is forgotten.
    send(b, frame(STRANGER, BROADCAST, b"here"))
    wait_for("the MAC to move", lambda: (STRANGER, "vl-b") in table(d, "learned"))
    assert who_hears(a, [b, c], STRANGER) == {"b"}
    world.host.run("bridge", "fdb", "del", STRANGER, "dev", "vl-b", "master")
    assert who_hears(a, [b, c], STRANGER) == {"b", "c"}


@pytest.mark.long
def test_aged_out_is_flooded_again(daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "switch: { ageing: 10s }\n"})
    a, b, c = three(d, guest)
    send(c, frame(STRANGER, BROADCAST, b"here"))
    wait_for("the MAC to be learned", lambda: (STRANGER, "vl-c") in table(d, "learned"))
    assert who_hears(a, [b, c], STRANGER) == {"c"}
    wait_for("the MAC to age", lambda: (STRANGER, "vl-c") not in table(d, "learned"))
    assert who_hears(a, [b, c], STRANGER) == {"b", "c"}


def test_isolated_ports_are_not_flooded_from_each_other(daemon, guest):
    d = daemon({"default.yaml": DEFAULT + APART})
    a, b, c = three(d, guest)
    deaf, hears = Wire(b.ns, proto=PROTO), Wire(c.ns, proto=PROTO)
    send(a, frame(a.mac, STRANGER, b"x"), frame(a.mac, b.mac, b"y"), frame(a.mac, BROADCAST, b"z"))
    assert b"z" in b"".join(bytes(f)[14:15] for _, f in zip(range(2), hears.frames(10)))
    assert not list(deaf.frames(0.2))
    assert who_hears(c, [a, b], STRANGER) == {"a", "b"}


def test_spanning_tree_floods_only_when_forwarding(daemon, guest):
    d = daemon({"default.yaml": DEFAULT + "switch: { stp: on }\n"})
    a, b = guest("a", d=d), guest("b", d=d)
    for name in "ab":
        wait_for("forwarding", lambda name=name: port(d, name)["state"] == "forwarding", timeout=25)
    c = guest("c", d=d)
    wire = Wire(c.ns, proto=PROTO)
    assert who_hears(a, [b], STRANGER) == {"b"}
    assert port(d, "c")["state"] in ("listening", "learning")
    assert not list(wire.frames(0.1))
    wait_for("forwarding", lambda: port(d, "c")["state"] == "forwarding", timeout=25)
    assert who_hears(a, [b, c], STRANGER) == {"b", "c"}


# ---- without learning ----


def test_without_learning_unknown_goes_to_nobody(world, daemon, guest):
    """The table has what is plugged in; who sends with another MAC is not heard of again."""
    d = daemon({"default.yaml": DEFAULT + OFF})
    a, b, c = three(d, guest)
    assert who_hears(a, [b, c], STRANGER) == set()
    send(c, frame(STRANGER, BROADCAST, b"here"))
    assert who_hears(a, [b, c], STRANGER) == set()
    for g, others in ((a, [b, c]), (b, [a, c]), (c, [a, b])):
        for other in others:
            assert who_hears(g, others, other.mac) == {other.name}
    assert table(d, "learned") == set()
    assert table(d, "static") == {(g.mac, f"vl-{g.name}") for g in (a, b, c)}
    for g in (a, b, c):
        g.dhcp()
        assert g.ping("192.168.122.1") and g.http()
    assert a.ping(b.ip) and b.ping(c.ip)
    # A guest's MAC cannot be taken over, not even from a guest's own port with the other's.
    send(b, frame(a.mac, BROADCAST, b"I am a"))
    assert who_hears(c, [a, b], a.mac) == {"a"}
    assert d.network()["learning"] is False and port(d, "a")["learning"] is False
    assert "MACs not learned" in d.vmlane("network", "show", "default", json_out=False)
    assert " static " in d.vmlane("mac", "list", json_out=False)
    assert changes(d) == []


def test_nested_macs(daemon, guest):
    """Those of VMs inside a guest, with and without learning."""
    text = DEFAULT + f"guests:\n  c: {{ macs: [ '{STRANGER}', '{NESTED}' ] }}\n"
    d = daemon({"default.yaml": text + OFF})
    a, b, c = three(d, guest)
    assert who_hears(a, [b, c], STRANGER) == who_hears(b, [a, c], NESTED) == {"c"}
    assert who_hears(c, [a, b], a.mac, src=NESTED) == {"a"}
    shown = [m for m in d.get("/v1/macs")["macs"] if m["mac"] == NESTED]
    assert [(m["guest"], m["kind"], m["age_s"]) for m in shown] == [("c", "static", None)]
    d.write("default.yaml", text)
    d.vmlane("apply")
    send(b, frame(STRANGER, BROADCAST, b"I am c's"))
    assert who_hears(a, [b, c], STRANGER) == {"c"}
    # It moves into another guest, and then nobody has it.
    d.write("default.yaml", DEFAULT + f"guests:\n  b: {{ macs: [ '{STRANGER}' ] }}\n")
    assert {f"- MAC {NESTED} at vl-c", f"+ MAC {STRANGER} at vl-b"} <= set(changes(d))
    d.vmlane("apply")
    assert changes(d) == [] and who_hears(a, [b, c], STRANGER) == {"b"}
    assert who_hears(a, [b, c], NESTED) == {"b", "c"}
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert table(d, "static") == set() and who_hears(a, [b, c], STRANGER) == {"b", "c"}


@pytest.mark.parametrize("pinned", [True, False])
def test_static_keeps_a_mac_at_its_port(daemon, guest, pinned):
    """Without it, whoever sends last with a MAC has it; that is what learning means."""
    d = daemon({"default.yaml": DEFAULT + (f"guests:\n  a: {{ static: {str(pinned).lower()} }}\n")})
    a, b, c = three(d, guest)
    a.ns.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6")  # it says nothing by itself
    send(a, frame(a.mac, BROADCAST, b"here"))
    wait_for("the MAC to be known", lambda: a.mac in {m["mac"] for m in d.get("/v1/macs")["macs"]})
    thief = Wire(b.ns)
    thief.send(frame(a.mac, BROADCAST, b"I am a"))
    assert who_hears(c, [a, b], a.mac) == ({"a"} if pinned else {"b"})
    assert ((a.mac, "vl-a") in table(d, "static")) is pinned
    assert changes(d) == []


def test_learning_comes_and_goes_under_guests(daemon, guest):
    d = daemon({"default.yaml": DEFAULT})
    a, b, c = three(d, guest)
    send(c, frame(STRANGER, BROADCAST, b"here"))
    wait_for("the MAC to be learned", lambda: (STRANGER, "vl-c") in table(d, "learned"))
    d.write("default.yaml", DEFAULT + OFF)
    assert {"~ vl-c: learning and flooding off", f"- MAC {STRANGER} at vl-c", f"+ MAC {c.mac} at vl-c"} <= set(changes(d))
    d.vmlane("apply")
    assert changes(d) == [] and table(d, "learned") == set()
    assert who_hears(a, [b, c], STRANGER) == set() and who_hears(a, [b, c], c.mac) == {"c"}
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    assert changes(d) == [] and table(d, "static") == set()
    assert who_hears(a, [b, c], STRANGER) == {"b", "c"} and port(d, "a")["learning"] is True


def test_others_meddle(world, daemon, guest):
    """What is taken out, put in or switched shows in `diff`, and is put right."""
    d = daemon({"default.yaml": DEFAULT + OFF}, args=["--no-guardian"])
    a, b = guest("a", d=d), guest("b", d=d)
    run = world.host.run
    for argv, text in (
            (["bridge", "fdb", "del", a.mac, "dev", "vl-a", "master"], f"+ MAC {a.mac} at vl-a"),
            (["bridge", "fdb", "add", STRANGER, "dev", "vl-b", "master", "static"], f"- MAC {STRANGER} at vl-b"),
            (["bridge", "fdb", "add", STRANGER, "dev", "vl-b", "master", "dynamic"], f"- MAC {STRANGER} at vl-b"),
            (["bridge", "fdb", "replace", a.mac, "dev", "vl-a", "master", "static"], f"+ MAC {a.mac} at vl-a"),
            (["bridge", "link", "set", "dev", "vl-a", "learning", "on"], "~ vl-a: learning and flooding off"),
            (["bridge", "link", "set", "dev", "vl-a", "flood", "on"], "~ vl-a: learning and flooding off")):
        run(*argv)
        assert changes(d) == [text], argv
        d.vmlane("apply")
        assert changes(d) == [] and who_hears(a, [b], STRANGER) == set() and who_hears(b, [a], a.mac) == {"a"}


def test_what_others_pin_where_macs_are_learned_stays(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT})
    guest("a", d=d)
    world.host.run("bridge", "fdb", "add", STRANGER, "dev", "vl-a", "master", "static")
    assert changes(d) == []
    d.vmlane("apply")
    assert table(d, "static") == {(STRANGER, "vl-a")}


def test_macs_on_a_bridge_of_the_lan(world, daemon, guest):
    """Of a bridge that somebody else makes, our own ports' entries are ours too, and nothing else."""
    world.host.run("ip", "link", "add", "br0", "type", "bridge")
    world.host.run("ip", "link", "set", "br0", "up")
    world.host.run("ip", "link", "add", "other", "type", "veth", "peer", "name", "other0")
    world.host.run("ip", "link", "set", "other", "master", "br0", "up")
    world.host.run("bridge", "fdb", "add", "02:00:00:00:00:79", "dev", "other", "master", "static", "sticky")
    d = daemon({"lan.yaml": f"network: lan\nmode: bridged\nbridge: br0\nguard: off\nguests: {{ a: {{ macs: [ '{STRANGER}' ] }} }}\n"})
    a, b = guest("a", d=d, network="lan"), guest("b", d=d, network="lan")
    assert {(STRANGER, "vl-a"), ("02:00:00:00:00:79", "other")} <= table(d, "static")
    assert who_hears(b, [a], STRANGER) == {"a"} and changes(d) == []
    d.vmlane("network", "set", "lan", "guests.a.macs=")
    assert table(d, "static") == {("02:00:00:00:00:79", "other")}


# ---- plugging in and out, restarts ----


def helper_fd(d):
    """A tap by way of vmlane-bridge-helper, as QEMU asks for one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        argv = [program("vmlane-bridge-helper"), "--use-vnet", f"--fd={theirs.fileno()}", "--br=vl-default"]
        done = subprocess.run(d.world.host.argv(argv), pass_fds=[theirs.fileno()], capture_output=True, check=False,
                              env={**os.environ, "VMLANE_SOCKET": d.socket})
        assert done.returncode == 0, done.stderr
        _, fds, _, _ = socket.recv_fds(ours, 1, 1)
        return fds[0]


def test_table_follows_the_guests(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + OFF + f"guests:\n  a: {{ macs: [ '{STRANGER}' ] }}\n"})
    assert table(d, "static") == set()
    a, b = guest("a", d=d), guest("b", d=d, tap=True)
    wanted = {(a.mac, "vl-a"), (STRANGER, "vl-a"), (b.mac, "vl-b")}
    assert table(d, "static") == wanted
    fd = helper_fd(d)
    try:
        helped = [g for g in d.get("/v1/guests")["guests"] if g["name"] not in "ab"]
        assert len(helped) == 1
        assert table(d, "static") == wanted | {(helped[0]["mac"], helped[0]["tap"])}
        assert changes(d) == []
    finally:
        os.close(fd)
    wait_for("the tap to go", lambda: len(d.get("/v1/guests")["guests"]) == 2)
    assert table(d, "static") == wanted
    # Off and on again, by its VMM; the persistent tap keeps its entry.
    b.off()
    assert table(d, "static") == wanted
    b.on()
    assert who_hears(a, [b], b.mac) == {"b"}
    a.off(signal.SIGKILL)
    wait_for("a to be gone", lambda: not any(g["name"] == "a" and g["tap"] for g in d.get("/v1/guests")["guests"]))
    assert table(d, "static") == {(b.mac, "vl-b")}
    subprocess.run(["ip", "netns", "del", "g-a"], check=True)
    a = guest("a", d=d)
    assert table(d, "static") == {(a.mac, "vl-a"), (STRANGER, "vl-a"), (b.mac, "vl-b")}
    d.vmlane("guest", "detach", "b")
    assert table(d, "static") == {(a.mac, "vl-a"), (STRANGER, "vl-a")}
    # The network stops and starts, its guest plugged in.
    d.vmlane("network", "stop", "default", "--force")
    d.vmlane("network", "start", "default")
    assert table(d, "static") == {(a.mac, "vl-a"), (STRANGER, "vl-a")} and changes(d) == []
    d.vmlane("network", "delete", "default", "--force")


def test_restart_finds_the_table(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT + OFF + f"guests:\n  a: {{ macs: [ '{STRANGER}' ] }}\n"})
    a, b, c = three(d, guest)
    before = table(d, "static")
    d.stop()
    ip = Monitor(world.host, "ip")
    d.start()
    assert ip.lines() == [] and d.writes() == 0 and changes(d) == []
    # Killed, and somebody meddled meanwhile.
    d.kill9()
    world.host.run("bridge", "fdb", "del", a.mac, "dev", "vl-a", "master")
    world.host.run("bridge", "link", "set", "dev", "vl-b", "learning", "on")
    d.start()
    assert table(d, "static") == before and changes(d) == [] and port(d, "b")["learning"] is False
    assert who_hears(c, [a, b], STRANGER) == {"a"}


# ---- bad input ----


def test_macs_of_others(world, daemon, guest):
    d = daemon({"default.yaml": DEFAULT})
    a = guest("a", d=d)
    bridge = world.host.links()["vl-default"]["address"]
    for text, words in ((f"guests:\n  x: {{ macs: [ '{bridge}' ] }}\n", "is that of network \"default\"'s bridge"),
                        (f"guests:\n  x: {{ mac: '{bridge}' }}\n", "is that of network \"default\"'s bridge"),
                        (f"guests:\n  x: {{ macs: [ '{a.mac}' ] }}\n", "is that of guest \"a\", which is plugged into"),
                        (f"guests:\n  x: {{ macs: [ '{NESTED}' ] }}\n  y: {{ mac: '{NESTED}' }}\n",
                         "is already that of guest \"x\"")):
        d.write("default.yaml", DEFAULT + text)
        for verb in ("apply", "check", "diff"):
            code, out = d.errors(verb)
            assert code == 2 and words in out, out
    d.write("default.yaml", DEFAULT + f"guests:\n  x: {{ macs: [ '{NESTED}' ] }}\n")
    d.vmlane("apply")
    code, out = d.errors("guest", "attach", "z", "--network", "default", "--mac", NESTED)
    assert code == 2 and f"{NESTED} is x's MAC already" in out
    d.write("other.yaml", f"network: other\nipv4: {{ subnet: 10.4.0.0/24 }}\nguests: {{ w: {{ macs: [ '{NESTED}' ] }} }}\n")
    code, out = d.errors("apply")
    assert code == 2 and f"MAC {NESTED} is already that of guest \"x\" of network \"default\"" in out
