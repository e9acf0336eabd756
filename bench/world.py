# SPDX-License-Identifier: GPL-2.0-or-later
"""world.py - network namespaces and processes for the figures; all of it inside those of run.sh.

    [guests] c-SIDE -- p-SIDE [SIDE: bridge, rules, DHCP server] up0 -- x-SIDE [nowhere]

Each side has a namespace of its own, so that none meets another one's rules or events. What goes
out by up0 is for a MAC that is not there: counted, and dropped at once.
"""
import contextlib
import ctypes
import json
import os
import select
import socket
import subprocess
import time

BUILD = os.environ["BENCH_BUILD"]
WORK = os.environ["BENCH_WORK"]
HERE = os.path.dirname(os.path.abspath(__file__))
CLONE_NEWNET = 0x40000000
TIMEOUT = 60
libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """A side that cannot be measured here, and why."""


def run(*argv, stdin=None, timeout=TIMEOUT):
    """What @argv printed; an error with its words when it failed."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                          input=stdin, timeout=timeout)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def timed(*argv):
    """Seconds from before the fork until @argv has ended, and well."""
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          check=False, timeout=TIMEOUT)
    taken = time.perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.returncode}: {done.stderr.decode(errors='replace')}")
    return taken


def wait_for(what, check, timeout=TIMEOUT):
    """For what nobody announces."""
    end = time.monotonic() + timeout
    while not check():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {timeout} s in vain for {what}")
        time.sleep(0.01)


class Ns:
    """A named network namespace; with an uplink when it is a side's."""
    nowhere = None

    def __init__(self, name, uplink=True):
        self.name, self.path = name, f"/run/netns/{name}"
        run("ip", "netns", "add", name)
        self.ip("link set lo up")
        if uplink:
            nowhere = Ns.nowhere = Ns.nowhere or Ns("nowhere", uplink=False)
            nowhere.ip(f"link add x-{name} type veth peer name up0 netns {name}", f"link set x-{name} up")
            self.ip("addr add 203.0.113.2/24 dev up0", "link set up0 up", "route add default via 203.0.113.1",
                    "neigh add 203.0.113.1 lladdr 02:00:00:00:00:99 dev up0 nud permanent")

    def ip(self, *lines):
        with self.enter():
            return run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")

    @contextlib.contextmanager
    def enter(self):
        """What is started inside belongs to this namespace."""
        with open("/proc/self/ns/net", "rb") as back, open(self.path, "rb") as here:
            if libc.setns(here.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), self.path)
            try:
                yield
            finally:
                if libc.setns(back.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "back from " + self.path)

    def daemon(self, argv, log, env=None):
        """A long-running program that sees this namespace's /sys too."""
        with self.enter(), open(log, "ab") as out:
            return subprocess.Popen(["unshare", "--mount", "sh", "-c", 'mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf && exec "$@"', "sh"] +
                                    argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                    env={**os.environ, **(env or {})})

    def address(self, dev):
        """The IPv4 address of an interface that is up, or None."""
        with self.enter():
            out = run("ip", "-j", "-4", "addr", "show", "dev", dev)
        for link in json.loads(out):
            if "UP" in link.get("flags", ()):
                return next((a["local"] for a in link["addr_info"]), None)
        return None

    def left_by(self, dev):
        """Packets given to a wire, also those that found no room behind it."""
        with self.enter():
            tx = json.loads(run("ip", "-j", "-s", "link", "show", "dev", dev))[0]["stats64"]["tx"]
        return tx["packets"] + tx["dropped"]

    def mac(self, dev):
        with self.enter():
            return json.loads(run("ip", "-j", "link", "show", "dev", dev))[0]["address"]


class Guests:
    """Where the DHCP clients are: one wire to each side."""

    def __init__(self):
        self.ns = Ns("guests", uplink=False)

    def wire(self, ns, side=None):
        """Interface c-SIDE here, p-SIDE at the other end."""
        side = side or ns.name
        self.ns.ip(f"link add c-{side} type veth peer name p-{side} netns {ns.name}", f"link set c-{side} up")
        ns.ip(f"link set p-{side} up")
        return f"c-{side}", f"p-{side}"

    def run(self, tool, *args, timeout=TIMEOUT):
        with self.ns.enter():
            return run(f"{WORK}/{tool}", *[str(a) for a in args], timeout=timeout)

    def gets_lease(self, interface, tries_ms=(200,) * 5):
        """Does a new guest behind @interface get an address?"""
        return any("/" in self.run("dhcp_client", "latency", 1, ms, f"x={interface}") for ms in tries_ms)


class Notify:
    """The socket on which a daemon says READY=1."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)

    def wait(self, process, log):
        end = time.monotonic() + TIMEOUT
        while time.monotonic() < end:
            if select.select([self.socket], [], [], 0.05)[0] and b"READY=1" in self.socket.recv(4096):
                self.socket.close()
                os.unlink(self.path)
                return
            if process.poll() is not None:
                break
        with open(log, encoding="utf-8", errors="replace") as f:
            raise RuntimeError(f"the daemon did not get ready:\n{f.read()[-2000:]}")
