# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlaned as a process: options, socket, signals, privileges, descriptors, and who may do what."""
import json
import os
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from daemon import DEFAULT, program
from world import TIMEOUT, wait_for

LAB = "network: lab\nmode: nat\nipv4:\n  subnet: 192.168.5.0/24\n"
KEPT = {10, 12, 13, 38, 39}  # NET_BIND_SERVICE, NET_ADMIN, NET_RAW, PERFMON, BPF


def argv(d, *more, foreground=True):
    return [program("vmlaned")] + ["--foreground"] * foreground + [
        "--config-dir", f"{d.dir}/etc", "--state-dir", d.state, "--run-dir", d.run_dir,
        "--resolv-conf", d.world.resolv, *more]


def refused(world, args, user=None):
    """What it says; it must end with 1 at once."""
    if user:
        args = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--bounding-set=-all",
                "--inh-caps=-all"] + args
    done = world.host.run(*args, check=False)
    assert done.returncode == 1 and not done.stdout, done
    return done.stderr


@pytest.mark.parametrize("args, words", [
    (["--state-dir", "state"], "absolute path"), (["--run-dir", ""], "absolute path"),
    (["--config-dir", "/" + "x" * 5000], "absolute path"), (["--resolv-conf", "resolv.conf"], "absolute path"),
    (["--nonsense"], "nonsense"), (["start"], "no arguments"), (["--run-dir", "/run/" + "x" * 120], "shorter --run-dir"),
])
def test_wrong_options(world, daemon, args, words):
    d = daemon(start=False)
    assert words in refused(world, argv(d, *args))


def test_without_privileges(world, daemon):
    d = daemon(start=False)
    assert "sudo vmlaned" in refused(world, argv(d), user=65534)


def test_help_and_version(world):
    assert "--state-dir" in world.host.run(program("vmlaned"), "--help")
    assert world.host.run(program("vmlaned"), "--version").startswith("vmlaned ")


def capabilities(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        status = dict(line.split(":", 1) for line in f)
    sets = {}
    for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        mask = int(status[key], 16)
        sets[key] = {bit for bit in range(64) if mask >> bit & 1}
    return sets, status


def test_privileges_are_dropped(vmlaned):
    sets, status = capabilities(vmlaned.p.pid)
    assert sets["CapEff"] <= KEPT and sets["CapPrm"] <= KEPT and sets["CapBnd"] <= KEPT
    assert {12, 13} <= sets["CapEff"] and not sets["CapInh"] and not sets["CapAmb"]
    assert status["NoNewPrivs"].strip() == "1"
    # And what is left is enough for everything.
    vmlaned.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24")
    vmlaned.vmlane("guest", "attach", "g", "--network", "lab")
    vmlaned.vmlane("network", "delete", "lab", "--force")


def test_in_the_background(world, daemon):
    """The command returns when the daemon serves, and says so when it does not."""
    d = daemon(start=False)
    with open(d.log, "wb") as log:
        done = subprocess.run(world.host.argv(argv(d, foreground=False)), stdout=subprocess.PIPE, stderr=log,
                              check=False, timeout=TIMEOUT)
    assert done.returncode == 0 and done.stdout == b"", done
    pid = d.status()["pid"]
    assert os.readlink(f"/proc/{pid}/cwd") == "/" and os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/fd/0") == os.readlink(f"/proc/{pid}/fd/1") == "/dev/null"
    again = world.host.run(*argv(d, foreground=False), check=False)
    assert again.returncode == 1 and "another vmlaned" in again.stderr
    os.kill(pid, signal.SIGTERM)
    wait_for("its end", lambda: not os.path.exists(f"/proc/{pid}") or "Z" in capabilities(pid)[1]["State"])


def test_socket_of_another_is_not_taken(world, vmlaned):
    """Another state directory, the same socket."""
    other = f"{vmlaned.dir}/other"
    said = refused(world, argv(vmlaned, "--state-dir", other, "--config-dir", f"{other}/etc"))
    assert "--run-dir" in said
    assert vmlaned.status()["pid"] == vmlaned.p.pid


def test_socket_that_a_killed_daemon_left(vmlaned):
    vmlaned.kill9()
    assert stat.S_ISSOCK(os.stat(vmlaned.socket).st_mode)
    vmlaned.start()
    assert vmlaned.status()["networks"] == 1
    assert stat.S_IMODE(os.stat(vmlaned.socket).st_mode) == 0o660


def test_systemd_socket_activate(world, daemon):
    """With systemd's own program: started by the first request."""
    d = daemon(start=False)
    tool = "/usr/bin/systemd-socket-activate"
    if not os.access(tool, os.X_OK):
        pytest.skip("systemd-socket-activate is not installed")
    p = world.host.start(tool, "-l", d.socket, *argv(d), log=d.log)
    wait_for("the socket", lambda: os.path.exists(d.socket))
    assert "vl-default" not in world.host.links()
    assert d.status()["pid"] == p.pid
    p.end()
    assert os.path.exists(d.socket)


@pytest.mark.parametrize("what", ["datagram", "two", "connected"])
def test_wrong_sockets_are_refused(world, daemon, what):
    d = daemon(start=False)
    kind = "socket.SOCK_DGRAM" if what == "datagram" else "socket.SOCK_STREAM"
    script = ("import os, socket, sys\n"
              f"s = socket.socket(socket.AF_UNIX, {kind})\n"
              f"{'s.bind(sys.argv[1])' if what != 'connected' else 's, other = socket.socketpair()'}\n"
              f"{'s.listen(8)' if what == 'two' else ''}\n"
              "for fd in (3, 4):\n    os.dup2(s.fileno(), fd)\n    os.set_inheritable(fd, True)\n"
              f"os.environ['LISTEN_FDS'] = '{2 if what == 'two' else 1}'\n"
              "os.environ['LISTEN_PID'] = str(os.getpid())\nos.execv(sys.argv[2], sys.argv[2:])\n")
    done = world.host.run("/usr/bin/python3", "-c", script, f"{d.dir}/s", *argv(d), check=False)
    assert done.returncode == 1 and "one listening unix stream socket" in done.stderr


def test_hangup_applies(world, vmlaned):
    vmlaned.write("lab.yaml", LAB)
    vmlaned.p.p.send_signal(signal.SIGHUP)
    wait_for("the network", lambda: vmlaned.status()["networks"] == 2)
    vmlaned.write("lab.yaml", "network: lab\nrubbish: 1\n")
    vmlaned.p.p.send_signal(signal.SIGHUP)
    wait_for("its refusal", lambda: "rubbish" in vmlaned.p.text())
    assert {n["state"] for n in vmlaned.get("/v1/networks")["networks"]} == {"running"}
    assert [p for p in vmlaned.status()["problems"] if "lab.yaml" in p["where"]]


def test_signals_while_it_starts(world, daemon):
    """A reload that comes too early neither kills it nor is lost."""
    d = daemon(start=False)
    p = world.host.start(*argv(d), log=d.log)
    deadline = time.monotonic() + TIMEOUT
    # From the moment on that it blocks the signal.
    while time.monotonic() < deadline:
        blocked = int(capabilities(p.pid)[1]["SigBlk"], 16)
        if blocked & 1:
            break
    p.p.send_signal(signal.SIGHUP)
    wait_for("the reload", lambda: "configuration applied" in p.text())
    assert p.alive()
    p.p.send_signal(signal.SIGTERM)
    assert p.wait() == 0


def open_fds(d):
    return len(os.listdir(f"/proc/{d.p.pid}/fd"))


def one_guest(d):
    """It comes and goes: the guards' program, which the first one needs, stays loaded."""
    d.vmlane("guest", "attach", "first", "--network", "default")
    d.vmlane("guest", "detach", "first")


def test_a_client_that_vanishes_leaves_no_tap_and_no_descriptor(world, vmlaned):
    one_guest(vmlaned)
    before = open_fds(vmlaned)
    body = json.dumps({"network": "default", "queues": 4})
    request = (f"POST /v1/guests/ghost/open HTTP/1.1\r\nHost: vmlane\r\nUpgrade: vmlane-tap\r\nConnection: Upgrade\r\n"
               f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()
    for close_first in (True, False) * 10:
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(vmlaned.socket)
            if close_first:
                vmlaned.p.p.send_signal(signal.SIGSTOP)
            s.sendall(request)
            if not close_first:
                assert s.recv(12).startswith(b"HTTP/1.1 101")
        vmlaned.p.p.send_signal(signal.SIGCONT)
        wait_for("the guest's end", lambda: vmlaned.get("/v1/guests")["guests"] == [] and
                 "vl-ghost" not in world.host.links())
    wait_for("all descriptors closed", lambda: open_fds(vmlaned) <= before)


def test_descriptors_of_networks_and_guests_are_closed(vmlaned):
    one_guest(vmlaned)
    before = open_fds(vmlaned)
    for i in range(5):
        vmlaned.vmlane("network", "create", "lab", "--subnet", f"192.168.{5 + i}.0/24")
        vmlaned.vmlane("guest", "attach", "g", "--network", "lab", "--queues", "3")
        vmlaned.vmlane("network", "stop", "lab", "--force")
        vmlaned.vmlane("network", "start", "lab")
        vmlaned.vmlane("apply")
        vmlaned.vmlane("network", "delete", "lab", "--force")
    wait_for("all descriptors closed", lambda: open_fds(vmlaned) <= before)


# ---- who may ----


def api_as(d, uid, method, path, body):
    """A request by another user, who was let in by the socket's group."""
    script = ("import http.client, json, os, socket, sys\n"
              "s = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
              "c = http.client.HTTPConnection('vmlane')\nc.sock = s\n"
              "c.request(sys.argv[2], sys.argv[3], sys.argv[4])\na = c.getresponse()\n"
              "print(json.dumps([a.status, json.loads(a.read() or b'null')]))\n")
    os.chmod(d.socket, 0o666)
    return json.loads(d.world.host.run("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups",
                                       "/usr/bin/python3", "-c", script, d.socket, method, path, json.dumps(body)))


def user(name):
    with open("/etc/passwd", encoding="utf-8") as f:
        return next(int(line.split(":")[2]) for line in f if line.startswith(f"{name}:"))


def test_access_lists_and_owners(world, daemon):
    nobody, games = user("nobody"), user("games")
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": LAB + "access: [ user:games ]\n",
                "acme.yaml": LAB.replace("lab", "acme").replace(".5.", ".6.") + "access: []\n",
                "team.yaml": LAB.replace("lab", "team").replace(".5.", ".7.") + "access: [ group:games ]\n"})
    for network, who, status in (("default", nobody, 201), ("lab", nobody, 403), ("lab", games, 201),
                                 ("acme", games, 403), ("team", games, 201), ("team", nobody, 403),
                                 ("acme", 0, 201), ("lab", 4000000, 403)):
        name = f"g-{network}-{who}"
        got = api_as(d, who, "POST", "/v1/guests", {"name": name, "network": network})
        assert got[0] == status, (network, who, got)
        if status != 201:
            assert network in got[1]["message"]
            continue
        assert got[1]["owner_uid"] == (who or None)
        other = games if who == nobody else nobody
        assert api_as(d, other, "DELETE", f"/v1/guests/{name}", {})[0] == 403
        assert api_as(d, who, "DELETE", f"/v1/guests/{name}", {})[0] == 200
    # Nobody gives a tap away, or names a process that is not theirs.
    assert api_as(d, nobody, "POST", "/v1/guests", {"name": "g", "network": "default", "owner": games})[0] == 403
    assert api_as(d, nobody, "POST", "/v1/guests", {"name": "g", "network": "default", "owner": nobody})[0] == 201
    assert api_as(d, 0, "POST", "/v1/guests", {"name": "h", "network": "default", "owner": games})[1]["owner_uid"] \
        == games
    assert api_as(d, games, "DELETE", "/v1/guests/h", {})[0] == 403
    for method, path in (("POST", "/v1/apply"), ("DELETE", "/v1/networks/default"), ("POST", "/v1/networks/lab/stop")):
        assert api_as(d, nobody, method, path, {})[0] == 403
    assert re.search(rf"guest g attached to network default, asked by pid \d+ uid {nobody} ", d.p.text())


# ---- every function ----


def test_every_request_once(world, vmlaned, guest):
    """For the sanitizers and the leak check at its end: each route, with what works and what does not."""
    g = guest("web1")
    g.dhcp()
    lease = vmlaned.get("/v1/leases")["leases"][0]["address"]
    lab = {"network": "lab", "ipv4": {"subnet": "192.168.5.0/24"}, "guests": {"fixed": {"ipv4": "192.168.5.9"}}}
    requests = [
        ("POST", "/v1/networks", lab, 201), ("POST", "/v1/networks", lab, 409), ("POST", "/v1/networks", {"x": 1}, 400),
        ("POST", "/v1/networks", {"network": "web1", "ipv4": {"subnet": "10.7.0.0/24"}}, 409),
        ("POST", "/v1/networks", {"network": "lab2", "ipv4": {"subnet": "192.168.5.0/25"}}, 400),
        ("GET", "/v1/networks/lab", None, 200), ("GET", "/v1/networks/none", None, 404),
        ("POST", "/v1/networks/lab/stop", None, 200), ("POST", "/v1/networks/lab/start", None, 200),
        ("POST", "/v1/networks/none/start", None, 404), ("POST", "/v1/networks/default/stop", None, 409),
        ("POST", "/v1/guests", {"name": "db", "network": "lab", "queues": 2}, 201),
        ("POST", "/v1/guests", {"name": "db", "network": "lab"}, 409),
        ("POST", "/v1/guests", {"name": "lab", "network": "lab"}, 409),
        ("POST", "/v1/guests", {"name": "x", "network": "none"}, 404),
        ("POST", "/v1/guests", {"name": "x", "network": "lab", "mac": "01:00:00:00:00:01"}, 400),
        ("GET", "/v1/guests/db", None, 200), ("GET", "/v1/guests/fixed", None, 200), ("GET", "/v1/guests/no", None, 404),
        ("DELETE", "/v1/guests/no", None, 404), ("DELETE", f"/v1/leases/default/{lease}", None, 200),
        ("DELETE", f"/v1/leases/default/{lease}", None, 404), ("DELETE", "/v1/leases/none/1.2.3.4", None, 404),
        ("POST", "/v1/apply", {"force": True}, 200), ("DELETE", "/v1/networks/lab", None, 409),
        ("DELETE", "/v1/networks/lab?force=1", None, 200), ("DELETE", "/v1/networks/lab", None, 404),
    ]
    lists = ("status", "networks", "check", "diff", "guests", "ports", "macs", "leases")
    for method, path, body, status in requests:
        got = vmlaned.api(method, path, body)
        assert got[0] == status, (method, path, body, got)
        for name in lists:
            assert vmlaned.api("GET", f"/v1/{name}")[0] == 200, (path, name)
    vmlaned.write("default.yaml", "network: default\n")
    assert vmlaned.api("POST", "/v1/apply", {})[0] == 400 and vmlaned.api("GET", "/v1/diff")[0] == 400
    vmlaned.restart()
    assert vmlaned.network()["state"] == "running"
