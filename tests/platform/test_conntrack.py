# SPDX-License-Identifier: GPL-2.0-or-later
"""conntrack's table full: its limit belongs to the machine's first network namespace, which vm-init.sh leaves a way to."""
import re

import pytest

from test_diagnose import Host, evidence, trace_of, traced
from world import INTERNET, wait_for

pytestmark = pytest.mark.usefixtures("world")
FIRST, LIMIT, ROOM = "/var/tmp/first-net", "net/netfilter/nf_conntrack_max", 300


def test_conntrack_full(world):
    """What is printed is done as it is printed, where it says, and the guest gets through."""
    host = Host(world)

    def first(command):
        host.ns.run("nsenter", f"--net={FIRST}", "sh", "-ec", command)

    vm = host.guest(1)
    host.who = ["--mac", vm.mac, "--source", vm.ip]
    assert vm.reaches(INTERNET)
    first(f"echo {ROOM} >/proc/sys/{LIMIT}")
    # Connections that have been answered: those that have not make room for others.
    with open(f"{world.tmp}/connections", "w", encoding="utf-8") as f:
        f.writelines(f"-A -p udp -s 10.6.0.1 -d 10.6.0.2 --sport {n} --dport 9 -t 900 -u SEEN_REPLY,ASSURED\n"
                     for n in range(1, ROOM + 100))
    host.ns.run("conntrack", "-R", f"{world.tmp}/connections", check=False)
    t = trace_of(host, "vnet1", "icmp")
    wait_for("no room", lambda: not vm.ping(INTERNET))
    cause = traced(t, "conntrack-full")["diagnosis"]
    assert f"net.netfilter.nf_conntrack_max = {ROOM}" in evidence(cause, "sysctl")
    command = re.search(r"in the machine's first, (sysctl -w [^;]+);", cause["advice"])[1]
    assert command == f"sysctl -w net.netfilter.nf_conntrack_max={2 * ROOM}"
    first(command)
    wait_for("room", lambda: vm.ping(INTERNET))
    t.end()
