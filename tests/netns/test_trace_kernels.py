# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane trace on a kernel that has less than this one: builds with test hooks can take it for such."""
import subprocess

import pytest

from daemon import HOOKS, program
from test_trace import Trace, hops, way
from world import INTERNET, wait_for

pytestmark = [pytest.mark.usefixtures("world"),
              pytest.mark.skipif(not HOOKS, reason="the build has no test hooks (-Dtest_hooks=true)")]
NO_RULES = "sk_data_ready,fentry,kprobe"


def test_no_rules_at_all(world, guest, monkeypatch):
    """Where no program sees them none are told, and the command says so."""
    g = guest("web1")
    g.dhcp()
    monkeypatch.setenv("VMLANE_TEST_REFUSE", NO_RULES)
    t = Trace(world, "web1", "icmp")
    assert t.start["rules"] is False and g.ping(INTERNET)
    out = t.packet("echo request")
    assert way(out) == ["vm-out", "bridge-in", "route", "nat", "uplink-out"] and "fw" not in hops(out)
    t.end()
    p = world.host.start(program("vmlane"), "trace", "web1", "icmp", "-c", "1", stdout=subprocess.PIPE, log=f"{world.tmp}/less.log")
    wait_for("the trace", lambda: "rules are not shown" in p.text())
    assert g.ping(INTERNET) and p.wait() == 0
