# SPDX-License-Identifier: GPL-2.0-or-later
"""Firewalls that others manage, as Debian has them: ufw, and firewalld with a message bus of its own. What is printed is
told to the manager itself, so that it stays when the manager writes its rules anew."""
import shutil
import socket
import subprocess

import pytest

from test_diagnose import OUT, Host, evidence, trace_of, traced
from world import INTERNET, wait_for

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def host(world):
    return Host(world)


# ---- ufw ----


@pytest.fixture
def ufw(host, own):
    """As `ufw enable` leaves it: nothing comes in, and nothing is forwarded."""
    if not shutil.which("ufw"):
        pytest.skip("ufw is not installed")
    for path in ("/etc/ufw", "/etc/default"):
        own(path)
    host.sh("ufw --force enable; echo 1 >/proc/sys/net/ipv4/ip_forward")
    return lambda text: host.ns.run("sh", "-ec", f"ufw {text}")


def web(g):
    """ufw forwards pings, and nothing else."""
    return g.ns.run("curl", "-sS", "-o", "/dev/null", "--max-time", "2", f"http://{INTERNET}/", check=False).returncode == 0


def test_ufw_forwards_nothing(host, vm, ufw):
    assert not web(vm)
    cause = host.why("firewall-forward", *OUT)
    assert evidence(cause, "rule") and cause["mend"] == f"ufw route allow in on br7 out on eth0 from {vm.ip}"
    host.mended(cause, *OUT)
    assert web(vm)
    assert f"ufw route allow in on br7 out on eth0 from {vm.ip}" in ufw("show added")


def test_ufw_lets_no_questions_in(host, vm, ufw):
    """A resolver of the host's, as guests' networks have one: ufw keeps it to itself."""
    p = host.ns.start("/usr/bin/python3", "-uc", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.7.0.1', 53));"
                      "print('ready'); print(s.recv(100))", stdout=subprocess.PIPE)
    assert p.line() == "ready"
    cause = host.why("firewall-input", "udp", "10.7.0.1:53")
    assert cause["mend"] == "ufw allow in on br7 to any port 53 proto udp"
    host.sh(cause["mend"])
    with vm.ns.enter():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.sendto(b"question", ("10.7.0.1", 53))
    assert p.line() == "b'question'"


# ---- firewalld ----


@pytest.fixture
def firewalld(host, own):
    """As it is installed: all interfaces in zone public."""
    if not shutil.which("firewalld") or not shutil.which("dbus-daemon"):
        pytest.skip("firewalld and dbus-daemon are not both installed")
    own("/etc/firewalld")
    subprocess.run(["mkdir", "-p", "/run/dbus"], check=True)
    bus = host.ns.start("dbus-daemon", "--system", "--nofork", "--nopidfile", "--print-address", stdout=subprocess.PIPE)
    assert bus.line()
    daemon = host.ns.start("firewalld", "--nofork", "--nopid", log=f"{host.world.tmp}/firewalld.log")
    wait_for("firewalld", lambda: host.ns.run("firewall-cmd", "--state", check=False).returncode == 0)
    yield daemon
    daemon.end()
    bus.end()


def test_firewalld_forwards_nothing(host, vm, firewalld):
    assert not vm.ping(INTERNET)
    cause = host.why("firewall-forward", *OUT)
    assert "inet firewalld" in evidence(cause, "rule")[0]
    assert cause["mend"] == "firewall-cmd --zone=trusted --change-interface=br7"
    host.mended(cause, *OUT)
    assert vm.ping(INTERNET)


def test_firewalld_lets_no_dhcp_in(host, vm, firewalld):
    vm.ns.run("ip", "addr", "flush", "dev", "eth0")
    t = trace_of(host, "vnet1", "udp", "port", "67")
    vm.ns.start("busybox", "udhcpc", "-f", "-i", "eth0", "-t", "100", "-T", "1", "-s", "/bin/true")
    cause = traced(t, "firewall-dhcp")["diagnosis"]
    server = host.ns.start("/usr/bin/python3", "-uc", "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                           "s.bind(('', 67)); print('ready'); s.recv(1500); print('asked')", stdout=subprocess.PIPE)
    assert server.line() == "ready"
    host.sh(cause["mend"])
    assert server.line() == "asked"
    t.end()
