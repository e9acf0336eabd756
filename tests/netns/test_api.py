# SPDX-License-Identifier: GPL-2.0-or-later
"""The API as strangers use it: who may do what, and requests that no honest client sends."""
import concurrent.futures
import grp
import json
import os
import socket
import stat

import pytest

from daemon import DEFAULT, Unix
from guest import RunGuest
from world import HERE, wait_for

LAB = "network: lab\nipv4:\n  subnet: 192.168.5.0/24\naccess: [ \"user:daemon\" ]\n"
OPEN = "network: open\nipv4:\n  subnet: 192.168.6.0/24\naccess: [ \"group:games\" ]\n"
# Debian's static users. run.sh has put `games` and `daemon` into group vmlane; `games` is also in
# its own group, which network `open` is for.
GAMES, DAEMON, NOBODY = (5, 60), (1, 1), (65534, 65534)


def raw(path, data, timeout=5):
    """Send bytes, read what comes until the end."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(path)
        answer = b""
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # it has heard enough; it may have said so
        try:
            while True:
                piece = s.recv(65536)
                if not piece:
                    break
                answer += piece
        except (ConnectionError, TimeoutError):
            pass
        return answer


def test_socket_is_for_root_and_the_group(vmlaned):
    st = os.stat(vmlaned.socket)
    assert stat.S_IMODE(st.st_mode) == 0o660 and (st.st_uid, grp.getgrgid(st.st_gid).gr_name) == (0, "vmlane")
    assert vmlaned.vmlane("status", user=GAMES)["networks"] == 1
    code, said = vmlaned.errors("status", user=NOBODY)
    assert code == 3 and "vmlane" in said


def test_users_plug_in_where_they_may(world, daemon):
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": LAB, "open.yaml": OPEN})
    mine = d.vmlane("guest", "attach", "mine", "--network", "default", user=GAMES)
    assert mine["owner_uid"] == GAMES[0]
    assert d.vmlane("guest", "attach", "pair", "--network", "open", user=GAMES)["network"] == "open"
    code, said = d.errors("guest", "attach", "theirs", "--network", "lab", user=GAMES)
    assert code == 2 and "lab" in said and "access" in said
    assert d.vmlane("guest", "attach", "theirs", "--network", "lab", user=DAEMON)["network"] == "lab"
    # Not another's guest, not another's uid, not the networks.
    assert d.errors("guest", "detach", "theirs", user=GAMES)[0] == 2
    assert d.errors("guest", "attach", "root", "--network", "default", "--owner", "root", user=GAMES)[0] == 2
    for args in (("network", "delete", "lab"), ("network", "stop", "lab"), ("network", "start", "lab"), ("apply",),
                 ("network", "create", "x", "--subnet", "10.8.0.0/24"), ("lease", "release", "default", "192.168.122.9")):
        assert d.errors(*args, user=GAMES)[0] == 2, args
    assert d.vmlane("network", "list", user=GAMES)["networks"]
    d.vmlane("guest", "detach", "mine", user=GAMES)
    assert "vl-mine" not in world.host.links() and "vl-theirs" in world.host.links()
    # Changes are logged with who made them.
    assert "uid 5" in d.p.text() or "uid=5" in d.p.text()


def test_user_opens_his_own_tap_and_not_another(world, daemon):
    d = daemon()
    d.vmlane("guest", "attach", "mine", "--network", "default", user=GAMES)
    d.vmlane("guest", "attach", "roots", "--network", "default")
    code = ("import os, sys\nsys.path.insert(0, sys.argv[1])\nimport vmm\n"
            "os.setgroups([]); os.setgid(60); os.setuid(5)\n"
            "vmm.open_tap('vl-mine')\n"
            "try:\n    vmm.open_tap('vl-roots')\nexcept PermissionError:\n    print('refused')\n")
    assert world.host.run("/usr/bin/python3", "-c", code, HERE).strip() == "refused"


def test_user_runs_a_guest(daemon):
    """An unprivileged user's machine: the descriptor is all the privilege it gets."""
    d = daemon({"default.yaml": DEFAULT, "lab.yaml": LAB})
    read = ("import os, sys\nfd = int(sys.argv[1])\nassert os.getuid() == 5\n"
            "os.write(fd, bytes(10) + b'\\xff' * 6 + bytes.fromhex(sys.argv[2].replace(':', '')) + b'\\x88\\xb5' + bytes(50))\n"
            "print('plugged in', flush=True)\n")
    done = d.vmlane("run", "--network", "default", "--name", "u1", "--", "/usr/bin/python3", "-c", read, "{fd}", "{mac}",
                    user=GAMES, check=False, json_out=False)
    assert done[0] == 0 and "plugged in" in done[1], done
    assert d.errors("run", "--network", "lab", "--name", "u2", "--", "true", "{fd}", user=GAMES)[0] == 2


@pytest.mark.parametrize("request_line, codes", [
    ("GET /v1/nothing", (404,)), ("GET /", (404,)), ("GET /v2/networks", (404,)), ("PUT /v1/networks", (404, 405)),
    ("GET /v1/networks/" + "x" * 300, (400, 404, 414)), ("GET /v1/networks/..%2f..%2fetc", (400, 404)),
    ("GET /v1/networks/%00", (400, 404)), ("DELETE /v1/networks/default?force=maybe", (400,)),
    ("GET /v1/networks/default/", (400, 404)), ("GET /v1/" + "a/" * 5000, (400, 404, 414, 431)),
    ("POST /v1/networks", (400,)), ("POST /v1/guests/g/open", (400, 426)), ("DELETE /v1/leases/default/300.1.1.1", (400, 404)),
    ("DELETE /v1/leases/default/192.168.122.9", (404,)), ("GET /v1/guests/nobody", (404,)),
])
def test_wrong_requests(vmlaned, request_line, codes):
    method, path = request_line.split(" ", 1)
    status, answer = vmlaned.api(method, path)
    assert status in codes, (status, answer)
    if status not in (414, 431):
        assert answer["code"] and answer["message"], answer
        assert answer["errors"][0]["message"] == answer["message"]


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'"x"', b"{}", b"\0" * 100, b"\xff\xfe", b"{" * 100000, b'{"a":' * 5000, b"[" * 1000000,
    b'{"name": 5, "network": "default"}', b'{"name": "g", "network": "default", "nonsense": 1}',
    b'{"name": "g", "name": "h", "network": "default"}', b'{"name": "g", "network": "default", "queues": 0}',
    b'{"name": "g", "network": "default", "queues": 1e9}', b'{"name": "g", "network": "default", "mac": "x"}',
    b'{"name": "g", "network": "default", "mac": "ff:ff:ff:ff:ff:ff"}', b'{"name": "../x", "network": "default"}',
    b'{"name": "", "network": "default"}', b'{"name": "g\\u0000h", "network": "default"}',
    b'{"name": "' + b"g" * 1000 + b'", "network": "default"}', b'{"name": "g", "network": "default", "owner": -7}',
    b'{"name": "g", "network": "default", "owner": 4294967295}', b'{"name": "g", "network": "default", "owner": 1.5}',
], ids=range(25))
def test_wrong_bodies(world, vmlaned, body):
    status, answer = vmlaned.api("POST", "/v1/guests", body, {"Content-Type": "application/json"})
    assert status == 400 and answer["code"] and answer["message"], (status, answer)
    assert vmlaned.get("/v1/guests") == {"guests": []}
    assert set(world.host.links()) == {"lo", "eth0", "vl-default"}


def test_bodies_have_a_limit(vmlaned):
    size = 1024 * 1024 + 1
    assert b" 413 " in raw(vmlaned.socket, b"POST /v1/networks HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size
                           + b"x" * size)
    # One that only says how long it will be, one that never says.
    assert b" 413 " in raw(vmlaned.socket, b"POST /v1/apply HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
    chunks = b"".join(b"ffff\r\n" + b"x" * 0xffff + b"\r\n" for _ in range(40)) + b"0\r\n\r\n"
    answer = raw(vmlaned.socket, b"POST /v1/networks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert answer == b"" or b" 413 " in answer
    assert vmlaned.status()["networks"] == 1


def test_garbage_on_the_socket(vmlaned):
    for data in (b"\0" * 5000, b"\xff" * 5000, b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 5000,
                 b"GET /v1/status HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                 b"POST /v1/guests HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
                 b"POST /v1/guests HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort"):
        raw(vmlaned.socket, data, timeout=0.3)
    assert vmlaned.status()["networks"] == 1


def test_many_connections(vmlaned):
    """Idle ones are bounded and do not keep others out for good."""
    idle = []
    try:
        for _ in range(400):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(0.5)
            try:
                s.connect(vmlaned.socket)
            except OSError:
                s.close()
                break
            idle.append(s)
        fds = len(os.listdir(f"/proc/{vmlaned.p.pid}/fd"))
        assert fds < 400
    finally:
        for s in idle:
            s.close()
    wait_for("an answer", lambda: answered(vmlaned))


def answered(d):
    try:
        return d.status()["networks"] == 1
    except (OSError, AssertionError, json.JSONDecodeError):
        return False


def test_many_at_once(world, vmlaned):
    """Parallel clients get their answers, each its own."""
    def one(i):
        status, g = vmlaned.api("POST", "/v1/guests", {"name": f"g{i}", "network": "default"})
        assert status == 201, g
        assert vmlaned.api("GET", f"/v1/guests/g{i}")[1]["mac"] == g["mac"]
        return g["mac"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        macs = list(pool.map(one, range(24)))
    assert len(set(macs)) == 24
    assert len([x for x in world.host.links() if x.startswith("vl-g")]) == 24


def test_open_hands_over_the_tap(world, vmlaned):
    """The protocol of docs/API.md, by hand."""
    conn = Unix(vmlaned.socket)
    conn.connect()
    body = json.dumps({"network": "default", "queues": 2, "pid": os.getpid()}).encode()
    conn.sock.sendall(b"POST /v1/guests/hand/open HTTP/1.1\r\nHost: vmlane\r\nConnection: Upgrade\r\n"
                      b"Upgrade: vmlane-tap\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    data, fds = b"", []
    while b"}\n" not in data:
        piece, ancillary, _, _ = socket.recv_fds(conn.sock, 65536, 8)
        assert piece, data
        data += piece
        fds += ancillary
    head, _, line = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101") and b"vmlane-tap" in head
    assert len(fds) == 2
    guest = json.loads(line)
    assert guest["name"] == "hand" and guest["kind"] == "run" and guest["queues"] == 2
    for fd in fds:
        assert not os.get_blocking(fd)
    assert world.host.links()[guest["tap"]]["master"] == "vl-default"
    for fd in fds:
        os.close(fd)
    conn.close()
    wait_for("the tap to vanish", lambda: guest["tap"] not in world.host.links())


def test_open_without_upgrade_leaves_nothing(world, vmlaned):
    status, _ = vmlaned.api("POST", "/v1/guests/g/open", {"network": "default"})
    assert status in (400, 426)
    # A client that goes away before it has the descriptors.
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(vmlaned.socket)
        body = b'{"network": "default"}'
        s.sendall(b"POST /v1/guests/g/open HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: vmlane-tap\r\n"
                  b"Content-Length: %d\r\n\r\n" % len(body) + body)
    wait_for("the tap to be gone", lambda: "vl-g" not in world.host.links() and vmlaned.status()["guests"] == 0)


def test_run_as_a_real_machine_of_another_user(world, vmlaned):
    """The namespace guest needs root itself, so this is root's; the tap is gone with it."""
    g = RunGuest(vmlaned, "web1")
    g.dhcp()
    assert g.show()["kind"] == "run"
    g.off()
    wait_for("the tap to vanish", lambda: "vl-web1" not in world.host.links())
    assert not any(x["name"] == "web1" and x["state"] != "absent" for x in vmlaned.get("/v1/guests")["guests"])
