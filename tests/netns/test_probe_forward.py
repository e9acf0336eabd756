# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane probe of a port of the host that leads to a guest of the same bridge, asked by another guest and by that one
itself: what it says of the way there and back is what a real connection finds."""
import json

import pytest

from daemon import program
from plain import Plain, ping
from test_trace_modes import forwards
from world import UPLINK

pytestmark = pytest.mark.usefixtures("world")


def ask(world, port):
    done = world.host.run(program("vmlane"), "-o", "json", "probe", "--port", port, "tcp", f"{UPLINK}:8080", check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines and lines[-1]["event"] == "answer", done.stdout + done.stderr
    return lines[-1]["answer"], [line for line in lines[:-1] if line["event"] == "packet"]


def connects(guest):
    return guest.run("curl", "-sS", "--max-time", "2", f"http://{UPLINK}:8080/", check=False).returncode == 0


@pytest.mark.parametrize("hairpin", ["", "masquerade", "port"])
@pytest.mark.parametrize("netfilter", [True, False], ids=["br_netfilter", "without"])
def test_port_of_a_guest_of_the_same_bridge(world, netfilter, hairpin):
    """@hairpin: also the source is translated; and the bridge sends frames back where they came from."""
    plain = Plain(world)
    plain.bridge_netfilter(netfilter)
    guests = {"vnet1": plain.guest(1), "vnet2": plain.guest(2)}
    forwards(world, guests["vnet1"])
    assert all(ping(g, "10.7.0.1") for g in guests.values())
    if not hairpin:
        world.host.run("nft", "delete", "chain", "ip", "forwards", "hairpin")
    for port, g in guests.items():
        if hairpin == "port":
            world.host.run("bridge", "link", "set", "dev", port, "hairpin", "on")
        answer, packets = ask(world, port)
        assert (answer == "reachable") == connects(g), (port, answer)
        codes = [p["diagnosis"]["code"] for p in packets if p["diagnosis"]]
        assert codes in ([], ["hairpin-off"]), (port, packets)


def test_bridge_that_sends_nothing_back(world):
    """The guest's own port, by the host's address: what is printed mends it."""
    plain = Plain(world)
    plain.bridge_netfilter(True)
    g = plain.guest(1)
    forwards(world, g)
    assert ping(g, "10.7.0.1") and not connects(g)
    answer, packets = ask(world, "vnet1")
    cause = packets[0]["diagnosis"]
    assert answer == "not reachable" and cause["code"] == "hairpin-off"
    assert f"{UPLINK} was translated to {g.address}, which is behind vnet1" in cause["cause"]
    world.host.run("sh", "-ec", cause["mend"])
    assert connects(g) and ask(world, "vnet1")[0] == "reachable"
