# SPDX-License-Identifier: GPL-2.0-or-later
"""Rates of guests: what they get is measured, by TCP streams of the guests and to them."""
import contextlib
import json
import select
import socket
import threading
import time

import pytest

from daemon import DEFAULT
from world import INTERNET, wait_for

MBIT = 1_000_000
NAT = DEFAULT + "guests:\n  web1: {rate: {%s}}\n"
LAN = "network: lan\nmode: bridged\nuplink: eth0\nguests:\n  web1: {rate: {%s}}\n"
WINDOW_S, PATIENCE_S = 0.5, 40


def listen(ns):
    with ns.enter():
        s = socket.socket()
        s.bind(("0.0.0.0", 0))
        s.listen(1)
    return s


def goodput(source, sink, address, good, windows):
    """Send a TCP stream from @source to @sink until so many @windows of half a second in a row are
    @good, by what arrived in them in bits a second. The bucket holds one second's worth at first, and
    fills up again whenever one of the two has no time to send or to take: how long it lasts is found
    by this, not known before."""
    server = listen(sink)
    with source.enter():
        near = socket.socket()
        near.settimeout(PATIENCE_S)
        near.connect((address, server.getsockname()[1]))
    far, _ = server.accept()
    stop = threading.Event()

    def send():
        near.settimeout(0.2)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError, socket.timeout):
                near.send(b"x" * 65536)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    begin, rates = time.monotonic(), []
    end, since, got = begin + PATIENCE_S, begin, 0
    while not (len(rates) >= windows and all(map(good, rates[-windows:]))) and time.monotonic() < end:
        if select.select([far], [], [], 0.05)[0]:
            got += len(far.recv(1 << 18))
        now = time.monotonic()
        if now >= since + WINDOW_S:
            rates.append(got * 8 / (now - since))
            since, got = now, 0
    stop.set()
    thread.join()
    for s in (near, far, server):
        s.close()
    assert len(rates) >= windows and all(map(good, rates[-windows:])), \
        f"Mbit/s: {' '.join(f'{r / MBIT:.2f}' for r in rates)}"


def up(world, g):
    return g.ns, world.internet, INTERNET if g.network == "default" else "203.0.113.1"


def down(world, g):
    """From the host: nobody outside can begin a connection to a guest behind NAT."""
    return world.host if g.network == "default" else world.internet, g.ns, g.ip


def limited(way, rate=8 * MBIT):
    goodput(*way, lambda bits: rate / 2 <= bits <= rate * 1.25, 4)


def free(way, rate=8 * MBIT):
    """More than a bucket can give in that time, also that of a limit thrice as high."""
    goodput(*way, lambda bits: bits >= 5 * rate, 4)


def lan_address(world, g):
    g.ns.run("ip", "addr", "add", "203.0.113.77/24", "dev", "eth0")
    g.ip = "203.0.113.77"


@pytest.mark.long
@pytest.mark.slow
def test_both_ways(world, daemon, guest):
    """Each way has its own limit, and the other guest has none."""
    d = daemon({"default.yaml": NAT % "up: 8mbit, down: 8mbit"})
    g, other = guest("web1", d=d), guest("other", d=d)
    g.dhcp()
    other.dhcp()
    assert g.show()["rate"] == {"up": 8 * MBIT, "down": 8 * MBIT} and g.show()["problem"] is None
    assert other.show()["rate"] is None
    assert "up 8mbit, down 8mbit" in d.vmlane("guest", "show", "web1", json_out=False)
    limited(up(world, g))
    limited(down(world, g))
    free(up(world, other))
    free(down(world, other))
    assert d.get("/v1/diff")["changes"] == [] and d.status()["problems"] == []


def of_rates(answer):
    return [c["text"] for c in answer["changes"] if c["object"].startswith("vl-")]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("tap", [False, True], ids=["run", "attach"])
def test_changes_while_it_runs(world, daemon, guest, tap):
    """A limit comes, changes and goes, and the guest keeps its tap."""
    d = daemon()
    g = guest("web1", d=d, tap=tap)
    g.dhcp()
    index = world.host.links()["vl-web1"]["ifindex"]
    free(up(world, g))
    d.write("default.yaml", NAT % "up: 8mbit")
    assert of_rates(d.vmlane("diff")) == of_rates(d.vmlane("apply")) == ["~ vl-web1: rate from the guest 8mbit"]
    limited(up(world, g))
    free(down(world, g))
    d.write("default.yaml", NAT % "up: 24mbit, down: 8mbit")
    assert of_rates(d.vmlane("apply")) == [
        "~ vl-web1: rate to the guest 8mbit", "~ vl-web1: rate from the guest 8mbit -> 24mbit"]
    limited(up(world, g), 24 * MBIT)
    limited(down(world, g))
    d.write("default.yaml", DEFAULT)
    assert of_rates(d.vmlane("apply")) == [
        "~ vl-web1: rate to the guest 8mbit -> unlimited", "~ vl-web1: rate from the guest 24mbit -> unlimited"]
    free(up(world, g))
    free(down(world, g))
    assert "netdev" not in world.host.run("nft", "list", "tables")
    assert "766c:" not in world.host.run("tc", "qdisc", "show", "dev", "vl-web1")
    assert world.host.links()["vl-web1"]["ifindex"] == index and d.get("/v1/diff")["changes"] == []


def limits(world):
    """What the kernel has of ours: taps with a shaper, taps with a chain."""
    shaped = {q["dev"] for q in json.loads(world.host.run("tc", "-j", "qdisc", "show")) if q["handle"] == "766c:"}
    tables = world.host.run("nft", "list", "tables")
    chains = world.host.run("nft", "list", "table", "netdev", "vmlane") if "netdev vmlane" in tables else ""
    return shaped, {line.split()[1] for line in chains.splitlines() if line.strip().startswith("chain ")}


BOTH = ({"vl-web1"}, {"vl-web1"})
NONE = (set(), set())


@pytest.mark.parametrize("tap", [False, True], ids=["run", "attach"])
def test_comes_and_goes_with_the_tap(world, daemon, guest, tap):
    """A new tap has it at once; nothing is left behind, however the guest, network or daemon ends."""
    d = daemon({"default.yaml": NAT % "up: 8mbit, down: 8mbit"})
    assert limits(world) == NONE
    g = guest("web1", d=d, tap=tap)
    assert limits(world) == BOTH
    d.restart()
    assert d.writes() == 0 and limits(world) == BOTH
    d.kill9()
    d.start()
    assert d.writes() == 0 and limits(world) == BOTH
    if tap:
        d.vmlane("guest", "detach", "web1")
    else:
        g.off()
    wait_for("the limits to go", lambda: limits(world) == NONE)
    assert d.get("/v1/diff")["changes"] == []
    g = guest("web1", d=d, tap=True) if not tap else None
    if g:
        d.vmlane("network", "stop", "default", "--force")
        wait_for("the limits to go", lambda: limits(world) == NONE)
        d.vmlane("network", "start", "default")
        assert limits(world) == BOTH
        d.vmlane("network", "delete", "default", "--force")
        assert limits(world) == NONE


def test_guest_that_ended_while_the_daemon_was_down(world, daemon, guest):
    d = daemon({"default.yaml": NAT % "up: 8mbit"})
    g = guest("web1", d=d)
    d.kill9()
    g.off()
    wait_for("the tap to go", lambda: "vl-web1" not in world.host.links())
    d.start()
    assert limits(world) == NONE and d.get("/v1/diff")["changes"] == []


def test_somebody_tampers(world, daemon, guest):
    """What was changed or deleted is found, told, and mended by apply."""
    d = daemon({"default.yaml": NAT % "up: 8mbit, down: 8mbit"}, args=["--no-guardian"])
    guest("web1", d=d)
    host = world.host
    for how in (["nft", "flush", "chain", "netdev", "vmlane", "vl-web1"], ["nft", "delete", "table", "netdev", "vmlane"],
                ["nft", "add", "rule", "netdev", "vmlane", "vl-web1", "drop"],
                ["tc", "qdisc", "del", "dev", "vl-web1", "root"],
                ["tc", "qdisc", "change", "dev", "vl-web1", "root", "handle", "766c:", "tbf", "rate", "1mbit", "burst",
                 "10k", "latency", "50ms"]):
        host.run(*how)
        assert len(d.get("/v1/diff")["changes"]) == 1, how
        assert any(p["code"] == "differs" for p in d.status()["problems"])
        d.vmlane("apply")
        assert limits(world) == BOTH and d.get("/v1/diff")["changes"] == [], how
    host.run("nft", "add", "table", "netdev", "other")
    assert d.get("/v1/diff")["changes"] == []


def test_foreign_queueing_discipline(world, daemon, guest):
    """Somebody's own shaping of a tap stays; what is not kept because of it is told."""
    d = daemon({})
    d.write("default.yaml", DEFAULT)
    d.vmlane("apply")
    g = guest("web1", d=d)
    world.host.run("tc", "qdisc", "add", "dev", "vl-web1", "root", "handle", "1:", "htb", "default", "1")
    d.write("default.yaml", NAT % "up: 8mbit, down: 8mbit")
    d.vmlane("apply")
    assert "htb 1:" in world.host.run("tc", "qdisc", "show", "dev", "vl-web1")
    assert g.show()["problem"]["code"] == "foreign-qdisc" and "tc qdisc del" in g.show()["problem"]["message"]
    assert "htb" not in str(d.get("/v1/diff")["changes"]) and d.get("/v1/diff")["changes"] == []
    assert [p["code"] for p in d.status()["problems"]] == ["foreign-qdisc"]
    assert limits(world) == (set(), {"vl-web1"})
    world.host.run("tc", "qdisc", "del", "dev", "vl-web1", "root")
    d.vmlane("apply")
    assert limits(world) == BOTH and g.show()["problem"] is None and d.status()["problems"] == []


@pytest.mark.long
@pytest.mark.slow
def test_on_the_lan(world, daemon, guest):
    """Mode bridged: what goes between guest and LAN is limited, the host's own is not."""
    d = daemon({})
    status, answer = d.api("POST", "/v1/networks", LAN % "up: 8mbit, down: 8mbit")
    assert status == 201, answer
    g = guest("web1", d=d, network="lan")
    lan_address(world, g)
    limited(up(world, g))
    limited(down(world, g))
    free((world.host, world.internet, "203.0.113.1"))


@pytest.mark.slow
def test_multi_queue(world, daemon, guest):
    d = daemon({"default.yaml": NAT % "up: 8mbit, down: 8mbit"})
    g = guest("web1", d=d, tap=True, queues=4)
    g.dhcp()
    limited(up(world, g))
    limited(down(world, g))


@pytest.mark.parametrize("text,said", [
    ("up: 10", "a rate of 64kbit to 100gbit"), ("up: 10mbps", "such as 512kbit"), ("up: 63kbit", "64kbit"),
    ("down: 101gbit", "100gbit"), ("down: 1.5mbit", "rate of"), ("dwon: 1mbit", "did you mean `down`"), ("", "empty"),
])
def test_bad_rates(vmlaned, text, said):
    vmlaned.write("default.yaml", NAT % text)
    code, out = vmlaned.errors("check")
    assert code == 2 and said in out and "default.yaml:11" in out, out
