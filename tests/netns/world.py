# SPDX-License-Identifier: GPL-2.0-or-later
"""world.py - the little Internet that each test gets, and what it takes to run things in it.

    [guest] -- tap | bridge | host --eth0--> 203.0.113.0/24 --> internet (203.0.113.1, 198.51.100.7)
                                   `-eth1--> 192.0.2.0/24   -->

and of IPv6, where a test asks for it (World.internet6):

                                   `-eth0--> 2001:db8:113::/64 --> internet (2001:db8:113::1, 2001:db8:100::7)

All of it is network namespaces inside the namespaces of run.sh.
"""
import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PYTHON = "/usr/bin/python3"
UPLINK = "203.0.113.2"
INTERNET = "198.51.100.7"
UPLINK6 = "2001:db8:113::2"
INTERNET6 = "2001:db8:100::7"
# Long, since all namespaces of a machine share one lock for their interfaces, and whoever takes a
# thousand of them down holds it for half a minute. It is waited in full only by what fails.
TIMEOUT = float(os.environ.get("VMLANE_TEST_TIMEOUT", "60"))
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def wait_for(what, check, timeout=TIMEOUT, step=0.01):
    """Ask check() until it is true; its value. For what nobody announces. Most checks start a program
    or two: the longer it takes the seldomer they are asked, down to every tenth of a second."""
    begin = time.monotonic()
    while True:
        value = check()
        if value:
            return value
        waited = time.monotonic() - begin
        if waited > timeout:
            raise AssertionError(f"waited {timeout:g} s in vain for {what}")
        time.sleep(max(step, min(waited / 10, 0.1)))


def read_line(stream, timeout=TIMEOUT):
    """One line of an unbuffered binary pipe, or an error when it does not come in time."""
    line = b""
    end = time.monotonic() + timeout
    while not line.endswith(b"\n"):
        left = end - time.monotonic()
        if left <= 0 or not select.select([stream], [], [], left)[0]:
            raise AssertionError(f"no line within {timeout:g} s, only {line!r}")
        byte = os.read(stream.fileno(), 1)
        if not byte:
            raise AssertionError(f"it ended after {line!r}")
        line += byte
    return line.decode("utf-8", "replace").rstrip("\n")


class Process:
    """A child in a namespace, ended with its world."""

    def __init__(self, argv, log=None, env=None, stdin=subprocess.DEVNULL, stdout=None, **kw):
        self.argv = argv
        self.log = log
        err = open(log, "ab") if log else subprocess.DEVNULL  # pylint: disable=consider-using-with
        self.p = subprocess.Popen(argv, stdin=stdin, stdout=stdout or err, stderr=err, bufsize=0,
                                  env={**os.environ, **(env or {})}, **kw)
        if log:
            err.close()

    @property
    def pid(self):
        return self.p.pid

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def line(self, timeout=TIMEOUT):
        try:
            return read_line(self.p.stdout, timeout)
        except AssertionError as e:
            raise AssertionError(f"{' '.join(self.argv)}: {e}\n{self.text() if self.log else ''}") from e

    def wait(self, timeout=TIMEOUT):
        return self.p.wait(timeout)

    def alive(self):
        return self.p.poll() is None

    def end(self, sig=signal.SIGTERM, timeout=5):
        if self.p.poll() is None:
            self.p.send_signal(sig)
            try:
                self.p.wait(timeout)
            except subprocess.TimeoutExpired:
                self.p.kill()
                # Who is in the kernel, taking a tap away, ends when the kernel has time for it.
                self.p.wait(TIMEOUT)
        for f in (self.p.stdin, self.p.stdout):
            if f:
                f.close()
        return self.p.returncode


class Ns:
    """A named network namespace."""

    def __init__(self, world, name):
        self.world, self.name = world, name

    def argv(self, argv):
        # Not `ip netns exec`: it would hide from us what is mounted inside.
        return ["nsenter", f"--net=/run/netns/{self.name}"] + [str(a) for a in argv]

    def start(self, *argv, **kw):
        p = Process(self.argv(argv), **kw)
        self.world.processes.append(p)
        return p

    def run(self, *argv, check=True, timeout=TIMEOUT, stdin=None):
        """Run to the end; what it printed. With check=False the CompletedProcess."""
        done = subprocess.run(self.argv(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, timeout=timeout, input=stdin)
        if not check:
            return done
        assert done.returncode == 0, f"{' '.join(map(str, argv))}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def ip(self, *args):
        return json.loads(self.run("ip", "-j", "-d", *args) or "[]")

    def addresses(self, dev):
        return [f"{a['local']}/{a['prefixlen']}" for link in self.ip("-4", "addr", "show", "dev", dev)
                for a in link.get("addr_info", [])]

    def links(self):
        return {link["ifname"]: link for link in self.ip("link")}

    def sysctl(self, path):
        return self.run("cat", f"/proc/sys/{path}").strip()

    def nft(self, text):
        self.run("nft", "-f", "-", stdin=text)

    @contextlib.contextmanager
    def enter(self):
        """Sockets made inside belong to this namespace."""
        with open("/proc/self/ns/net", "rb") as back, open(f"/run/netns/{self.name}", "rb") as here:
            assert libc.setns(here.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
            try:
                yield
            finally:
                assert libc.setns(back.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())

    def python(self, script, *args, **kw):
        """One of the small programs beside this file."""
        return self.start(PYTHON, os.path.join(HERE, script), *args, **kw)


class Monitor:
    """`ip monitor` or `nft monitor`: what changed in a namespace between two points of time.

    A marker that the test makes itself is waited for, so that nothing is missed and no time is
    slept away."""

    def __init__(self, ns, kind):
        self.ns, self.kind, self.count = ns, kind, 0
        argv = {"ip": ["ip", "monitor", "link", "address", "route", "rule"],
                "nft": ["nft", "monitor", "ruleset"]}[kind]
        self.p = ns.start(*argv, stdout=subprocess.PIPE)
        # It says nothing when it is ready: mark until it sees one.
        for _ in range(200):
            self._mark()
            if select.select([self.p.p.stdout], [], [], 0.05)[0]:
                break
        self.lines()

    def _mark(self):
        self.count += 1
        if self.kind == "ip":
            mark = f"127.9.{self.count // 256}.{self.count % 256}"
            self.ns.run("ip", "addr", "add", f"{mark}/32", "dev", "lo")
            self.ns.run("ip", "addr", "del", f"{mark}/32", "dev", "lo")
            return f"Deleted local {mark} "
        self.ns.nft(f"add table netdev mark{self.count}\ndelete table netdev mark{self.count}\n")
        return f"delete table netdev mark{self.count}"

    def lines(self):
        """All lines since the last call, without the marks, and without the link-local addresses of
        the uplinks and of taps, which the kernel declares free of duplicates when it likes."""
        mark, found = self._mark(), []
        while True:
            line = self.p.line()
            if mark in line:
                return found
            # A link-local address tells when nobody else has it, a second after its link came up.
            if line.strip() and not any(w in line for w in ("127.9.", "netdev mark", "# new generation", "inet6 fe80:",
                                                            "valid_lft forever")) and \
                    not ("lo" in line.split() and "inet" in line.split()) and \
                    not ("fe80:" in line and set(line.split()) & {"eth0", "eth1"}) and \
                    not line.startswith("local fe80:"):
                found.append(line)


class World:
    """Two namespaces, `host` and `internet`, joined by one uplink, and a server out there."""

    def __init__(self, tmp):
        self.tmp, self.processes, self.names = str(tmp), [], []
        self.host = self.ns("host")
        self.internet = self.ns("internet")
        self.uplink("eth0", UPLINK, "203.0.113.1", "route add default via 203.0.113.1",
                    f"addr add {INTERNET}/32 dev lo")
        self.server = self.internet.python("server.py", stdout=subprocess.PIPE, log=f"{self.tmp}/server.log")
        assert self.server.line() == "ready"
        self.resolv = f"{self.tmp}/resolv.conf"
        with open(self.resolv, "w", encoding="utf-8") as f:
            f.write("nameserver 203.0.113.1\n")

    def ns(self, name):
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        self.names.append(name)
        return Ns(self, name)

    def uplink(self, dev, ours, theirs, here="", there=""):
        """A second line to the Internet is made by calling this again. @here and @there are lines for
        `ip -batch` in the one namespace and the other. Once it is said to be up all is said that the
        kernel says of that later than it is asked."""
        subprocess.run(["ip", "link", "add", dev, "netns", "host", "type", "veth", "peer", "name", dev, "netns",
                        "internet"], check=True)
        for ns, addr, more in ((self.internet, theirs, there), (self.host, ours, here)):
            ns.run("ip", "-batch", "-", stdin=f"addr add {addr}/24 dev {dev}\nlink set {dev} up\n{more}\n")
        wait_for(f"{dev} to be up", lambda: "state UP" in self.host.run("ip", "link", "show", dev))

    def internet6(self, default=True):
        """The same Internet by IPv6, with a server of its own. Without @default the host has an
        address and no way out."""
        for ns, addr in ((self.host, UPLINK6), (self.internet, "2001:db8:113::1")):
            ns.run("ip", "addr", "add", f"{addr}/64", "dev", "eth0", "nodad")
        self.internet.run("ip", "addr", "add", f"{INTERNET6}/128", "dev", "lo", "nodad")
        self.internet.run("sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")
        if default:
            self.host.run("ip", "route", "add", "default", "via", "2001:db8:113::1")
        server = self.internet.python("server.py", INTERNET6, stdout=subprocess.PIPE, log=f"{self.tmp}/server6.log")
        assert server.line() == "ready"

    def done(self):
        for p in reversed(self.processes):
            # Whatever one of them does, the namespaces go: the next test makes its own of the same names.
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.end(timeout=3)
        for name in reversed([n for n in self.names if os.path.exists(f"/run/netns/{n}")]):
            pids = subprocess.run(["ip", "netns", "pids", name], stdout=subprocess.PIPE, text=True,
                                  check=False).stdout.split()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], check=False)
