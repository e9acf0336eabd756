# SPDX-License-Identifier: GPL-2.0-or-later
"""`vmlane demo`, as a newcomer runs it, and that it leaves nothing behind."""
import json
import os
import signal
import subprocess
import time

import pytest

from daemon import program
from world import Process, wait_for


def machine():
    """What there is besides us: processes, interfaces, namespaces, mounts."""
    processes = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    continue  # ended; who started it has not looked yet
        except OSError:
            continue
        processes.add((pid, b" ".join(words[:2])))
    with open("/proc/mounts", encoding="utf-8") as f:
        mounts = sorted(f)
    run = sorted(os.listdir("/run"))
    return processes, sorted(os.listdir("/sys/class/net")), sorted(os.listdir("/run/netns")), mounts, run


@pytest.fixture
def unchanged(sanitizers, monkeypatch):
    # The leak check cannot work in a process that entered other process numbers.
    monkeypatch.setenv("ASAN_OPTIONS", os.environ["ASAN_OPTIONS"] + ":detect_leaks=0")
    before = machine()

    def same():
        return machine() == before

    yield
    try:
        wait_for("everything to be gone", same, timeout=60)
    except AssertionError:
        for a, b in zip(before, machine()):
            assert a == b, "left behind, or missing now"


def demo(*args, **kw):
    return subprocess.run([program("vmlane"), "demo", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False, timeout=kw.get("timeout", 180))


def everywhere(facts, *path):
    for key in path:
        facts = facts[key]
    return facts


def test_demo_with_namespace_guests(unchanged):
    done = demo("--no-vm")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("DISCOVER", "OFFER", "REQUEST", "ACK", "192.168.122.", "203.0.113.2", "198.51.100.7", "web1", "web2",
                 "vl-web1", "vl-default", "eth0"):
        assert word.lower() in done.stdout.lower(), (word, done.stdout)


def test_demo_says_it_to_programs(unchanged):
    done = demo("--no-vm", "-o", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    text = json.dumps(json.loads(done.stdout))
    for word in ("203.0.113.2", "192.168.122.", "vl-web1"):
        assert word in text


@pytest.mark.slow
def test_demo_with_a_real_machine(unchanged, need_qemu):
    """QEMU boots a kernel, its DHCP client gets an address, its packets reach the Internet."""
    image = subprocess.run([program("vmlane"), "demo", "-o", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           text=True, check=False, timeout=180)
    if image.returncode != 0 and "guest-image" in image.stderr:
        pytest.skip("no kernel for the guest: " + image.stderr.strip().splitlines()[-1])
    assert image.returncode == 0, image.stdout + image.stderr
    facts = json.dumps(json.loads(image.stdout))
    assert need_qemu[:15] in facts and "virtio-net" in facts and "203.0.113.2" in facts


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("after", [0.05, 0.5, 1.5])
def test_demo_leaves_nothing_when_it_is_interrupted(tmp, unchanged, sig, after):
    log = f"{tmp}/demo.log"
    p = Process([program("vmlane"), "demo", "--no-vm"], log=log, start_new_session=True)
    time.sleep(after)  # the moment is the parameter
    code = p.end(sig, timeout=60)
    if code == 0:
        return  # it had finished already
    assert p.p.returncode != 0


def test_demo_keep_enter_and_end(unchanged):
    kept = demo("--no-vm", "--keep")
    try:
        assert kept.returncode == 0, kept.stdout + kept.stderr
        assert "--enter" in kept.stdout
        inside = demo("--enter", "host", "--", "ip", "-br", "addr", "show", "vl-default")
        assert inside.returncode == 0 and "192.168.122.1" in inside.stdout, inside.stdout + inside.stderr
    finally:
        end = demo("--stop")
    assert end.returncode == 0, end.stdout + end.stderr
