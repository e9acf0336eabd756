# SPDX-License-Identifier: GPL-2.0-or-later
"""daemon.py - vmlaned in namespace `host`, the command vmlane, and plain requests to the API."""
import glob
import http.client
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import time

from world import TIMEOUT, Process

BUILD = os.environ.get("VMLANE_BUILD", "")
# Whether it is a build with -Dtest_hooks=true.
HOOKS = subprocess.run(["grep", "-q", "VMLANE_TEST_HOOKS", f"{BUILD}/config.h"], check=False).returncode == 0
DEFAULT = """network: default
mode: nat
ipv4:
  subnet: 192.168.122.0/24
dhcp:
  range: 192.168.122.2-192.168.122.254
  lease: 1h
dns:
  domain: default.vm
"""


def program(name):
    """Where the build has put it."""
    found = [p for p in glob.glob(f"{BUILD}/**/{name}", recursive=True) if os.access(p, os.X_OK) and os.path.isfile(p)]
    assert found, f"{name} is not below {BUILD}: build it first"
    return found[0]


class Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("vmlane", timeout=TIMEOUT)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT)
        self.sock.connect(self.path)


class Failed(Exception):
    """The command did not end with 0."""

    def __init__(self, argv, done):
        super().__init__(f"{' '.join(argv)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


class Vmlaned:
    """The daemon and its directories; `networks` maps file names to what is in them."""

    def __init__(self, world, networks=None, args=()):
        self.world, self.args, self.p = world, list(args), None
        self.dir = os.path.join(world.tmp, "vmlane")
        self.config = f"{self.dir}/etc/networks"
        self.state, self.run_dir = f"{self.dir}/state", f"{self.dir}/run"
        self.socket = f"{self.run_dir}/api.sock"
        self.log = f"{world.tmp}/vmlaned.log"
        os.makedirs(self.config)
        os.makedirs(self.state)
        os.makedirs(self.run_dir)
        for path in (world.tmp, self.dir, self.run_dir):
            os.chmod(path, 0o755)
        for name, text in (networks if networks is not None else {"default.yaml": DEFAULT}).items():
            self.write(name, text)

    def write(self, name, text):
        with open(f"{self.config}/{name}", "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())

    def start(self, timeout=TIMEOUT):
        """Returns when the daemon says READY=1."""
        path = f"{self.world.tmp}/notify"
        if os.path.exists(path):
            os.unlink(path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            argv = [program("vmlaned"), "--foreground", "--config-dir", f"{self.dir}/etc", "--state-dir", self.state,
                    "--run-dir", self.run_dir, "--resolv-conf", self.world.resolv] + self.args
            self.p = Process(self.world.host.argv(argv), log=self.log, env={"NOTIFY_SOCKET": path})
            self.world.processes.append(self.p)
            end = time.monotonic() + timeout
            while True:
                if select.select([notify], [], [], 0.05)[0] and b"READY=1" in notify.recv(4096):
                    return self
                assert self.p.alive(), f"vmlaned ended with {self.p.p.returncode}:\n{self.p.text()}"
                assert time.monotonic() < end, f"no READY=1 within {timeout} s:\n{self.p.text()}"

    def kill9(self):
        self.p.end(signal.SIGKILL)

    def stop(self):
        """As systemd does; a daemon that fails or that a sanitizer found guilty fails here."""
        code = self.p.end(signal.SIGTERM, timeout=TIMEOUT)
        assert code == 0, f"vmlaned ended with {code}:\n{self.p.text()}"

    def restart(self):
        self.stop()
        return self.start()

    # ---- the API ----

    def api(self, method, path, body=None, headers=None):
        """(status, answer)"""
        conn = Unix(self.socket)
        try:
            data = json.dumps(body) if body is not None and not isinstance(body, (str, bytes)) else body
            conn.request(method, path, data, headers or {})
            answer = conn.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            conn.close()

    def get(self, path):
        status, answer = self.api("GET", path)
        assert status == 200, f"GET {path}: {status} {answer}"
        return answer

    def status(self):
        return self.get("/v1/status")

    def writes(self):
        """Everything this daemon has changed in the kernel since it started."""
        counters = self.status()["counters"]
        return counters["kernel_writes"] + counters["firewall_transactions"]

    def network(self, name="default"):
        return self.get(f"/v1/networks/{name}")

    def lease(self, mac, network="default"):
        """The bound lease of @mac, or None."""
        found = [x for x in self.get("/v1/leases")["leases"]
                 if x["mac"] == mac and x["network"] == network and x["state"] == "bound"]
        return found[0] if found else None

    # ---- the command ----

    def argv(self, *args):
        return [program("vmlane"), "--socket", self.socket] + [str(a) for a in args]

    def vmlane(self, *args, json_out=True, check=True, user=None, stdin=None, timeout=TIMEOUT):
        """Run the command: its JSON (or text), or Failed. With check=False (code, out, err).
        @user is (uid, gid), with the groups that are the user's."""
        argv = self.argv(*args, *(["-o", "json"] if json_out else []))
        if user:
            argv = ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--init-groups"] + argv
        done = subprocess.run(self.world.host.argv(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False, input=stdin, timeout=timeout)
        if not check:
            return done.returncode, done.stdout, done.stderr
        if done.returncode:
            raise Failed(argv, done)
        return json.loads(done.stdout) if json_out else done.stdout

    def errors(self, *args, **kw):
        """A command that has to be refused: (code, text)."""
        code, out, err = self.vmlane(*args, check=False, json_out=False, **kw)
        assert code != 0, f"vmlane {args} was not refused: {out}"
        return code, out + err


def qemu():
    for name in ("qemu-system-x86_64", "qemu-system-aarch64"):
        if shutil.which(name):
            return name
    return None
