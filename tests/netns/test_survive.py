# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 at any moment: packets flow, and the next daemon finds everything as it should be."""
import random
import signal
import subprocess
import time

import pytest

from guest import stop_stream
from world import INTERNET, UPLINK, Monitor, wait_for

LAB = {"network": "lab", "ipv4": {"subnet": "192.168.5.0/24"}}


def test_kill_changes_nothing(world, vmlaned, guest):
    run, tap = guest("web1"), guest("db", tap=True)
    addresses = run.dhcp()["address"], tap.dhcp()["address"]
    streams = [run.stream(), tap.stream()]
    leases = sorted((x["mac"], x["address"], x["state"], x["expires"]) for x in vmlaned.get("/v1/leases")["leases"])
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    for _ in range(3):
        vmlaned.kill9()
        vmlaned.start()
        assert vmlaned.writes() == 0
        assert vmlaned.get("/v1/diff")["changes"] == []
    assert ip.lines() == [] and nft.lines() == []
    assert leases == sorted((x["mac"], x["address"], x["state"], x["expires"])
                            for x in vmlaned.get("/v1/leases")["leases"])
    guests = {g["name"]: g for g in vmlaned.get("/v1/guests")["guests"]}
    assert guests["web1"]["state"] == guests["db"]["state"] == "running"
    assert (guests["web1"]["kind"], guests["db"]["kind"]) == ("run", "attached")
    for s in streams:
        result = stop_stream(s)
        assert result["received"] == result["sent"] and result["sent"] > 50 and len(result["ports"]) == 1
    assert (run.dhcp("dhclient")["address"], tap.dhcp("dhclient")["address"]) == addresses


def test_guest_that_ended_while_no_daemon_ran(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    vmlaned.kill9()
    g.off()
    vmlaned.start()
    assert "vl-web1" not in world.host.links()
    assert not any(x["name"] == "web1" and x["state"] == "running" for x in vmlaned.get("/v1/guests")["guests"])
    assert vmlaned.get("/v1/diff")["changes"] == []
    again = guest("web1")
    assert again.dhcp()["address"] == g.ip


def test_tap_deleted_while_no_daemon_ran(world, vmlaned, guest):
    guest("db", tap=True)
    vmlaned.kill9()
    world.host.run("ip", "link", "del", "vl-db")
    vmlaned.start()
    assert "vl-db" in world.host.links()
    assert world.host.links()["vl-db"]["master"] == "vl-default"


def operations(d):
    """What the daemon is killed in the middle of; each may be refused when it comes too late."""
    return [
        lambda: d.api("POST", "/v1/networks", LAB),
        lambda: d.api("POST", "/v1/guests", {"name": "a", "network": "default"}),
        lambda: d.api("POST", "/v1/networks/lab/stop?force=1"),
        lambda: d.api("POST", "/v1/guests", {"name": "b", "network": "lab", "queues": 2}),
        lambda: d.api("POST", "/v1/networks/lab/start"),
        lambda: d.api("DELETE", "/v1/guests/a"),
        lambda: d.api("POST", "/v1/apply", {}),
        lambda: d.api("DELETE", "/v1/networks/lab?force=1"),
    ]


def converged(world, d, seed):
    """One apply at most, and then all is as the daemon says it is."""
    answer = d.api("POST", "/v1/apply", {})
    assert answer[0] == 200, (seed, answer)
    assert d.get("/v1/diff")["changes"] == [], seed
    links = world.host.links()
    networks = {n["name"]: n for n in d.get("/v1/networks")["networks"]}
    for n in networks.values():
        assert (n["bridge"] in links) == (n["state"] == "running"), (seed, n)
        assert n["state"] in ("running", "stopped"), (seed, n)
    guests = [g for g in d.get("/v1/guests")["guests"] if g["kind"] == "attached"]
    wanted = {"lo", "eth0"} | {n["bridge"] for n in networks.values() if n["state"] == "running"} | \
        {g["tap"] for g in guests}
    assert set(links) == wanted, seed
    for g in guests:
        if networks[g["network"]]["state"] == "running":
            assert links[g["tap"]].get("master") == g["bridge"], (seed, g)


@pytest.mark.parametrize("seed", range(3))
def test_kill_in_the_middle_of_anything(world, vmlaned, guest, seed):
    """A random moment within a random operation, again and again, with traffic all the time."""
    rng = random.Random(seed)
    g = guest("web1")
    g.dhcp()
    stream = g.stream(5)
    for _ in range(12):
        # Shots from another process, so that they also hit inside a system call.
        delay = rng.uniform(0, 0.012)
        shot = subprocess.Popen(["/usr/bin/python3", "-c", f"import os, time\nprint(1, flush=True)\ninput()\n"
                                 f"time.sleep({delay})\nos.kill({vmlaned.p.pid}, {int(signal.SIGKILL)})"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        shot.stdout.readline()
        shot.stdin.write(b"\n")
        shot.stdin.flush()
        for operation in rng.sample(operations(vmlaned), 4):
            try:
                operation()
            except (OSError, ValueError, AssertionError):
                break  # shot
            except Exception as e:  # http.client's words for a connection that ended
                if type(e).__module__ != "http.client":
                    raise
                break
        shot.wait()
        shot.stdin.close()
        shot.stdout.close()
        vmlaned.p.wait()
        vmlaned.start()
        links = world.host.links()
        assert "vl-default" in links and "vl-web1" in links, seed
    # Only now the operator asks.
    wanted = {"vl-web1"}
    taps = [x["tap"] for x in vmlaned.get("/v1/guests")["guests"] if x["kind"] == "run" and x["tap"]]
    assert set(taps) == wanted
    stop = stop_stream(stream)
    assert stop["received"] == stop["sent"] and len(stop["ports"]) == 1
    g.off()
    wait_for("the guest to be gone", lambda: "vl-web1" not in world.host.links())
    converged(world, vmlaned, seed)


def test_state_that_is_gone(world, vmlaned, guest):
    """The state directory was lost: the networks stand as their files say, and work for new guests."""
    ip = Monitor(world.host, "ip")
    vmlaned.stop()
    subprocess.run(f"rm -rf {vmlaned.state}/*", shell=True, check=True)
    vmlaned.start()
    assert ip.lines() == []
    assert world.host.addresses("vl-default") == ["192.168.122.1/24"]
    g = guest("web1")
    g.dhcp()
    assert g.http()["address"] == UPLINK
    # Which sysctls were ours is forgotten with it, the bridge and the rules are not.
    g.off()
    wait_for("the guest to be gone", lambda: "vl-web1" not in world.host.links())
    vmlaned.vmlane("network", "delete", "default")
    assert set(world.host.links()) == {"lo", "eth0"}


def test_stop_leaves_the_networks(world, vmlaned, guest):
    """`systemctl stop` is an upgrade, not a power cut for the guests."""
    g = guest("web1")
    g.dhcp()
    vmlaned.stop()
    assert g.http()["address"] == "203.0.113.2" and g.ping(INTERNET)
    vmlaned.start()
    assert vmlaned.writes() == 0


def test_two_daemons_do_not_share_a_state(vmlaned):
    first = vmlaned.p
    try:
        with pytest.raises(AssertionError, match="ended with"):
            vmlaned.start()
    finally:
        vmlaned.p = first
    assert vmlaned.status()["pid"] == first.pid


def test_socket_activation_keeps_the_socket(world, vmlaned):
    """A client that asks while the daemon restarts is answered by the next one."""
    vmlaned.stop()
    activate = ("import os, socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.bind(sys.argv[1])\ns.listen(8)\n"
                "os.dup2(s.fileno(), 3)\nos.set_inheritable(3, True)\nos.environ['LISTEN_FDS'] = '1'\n"
                "os.environ['LISTEN_PID'] = str(os.getpid())\nos.execv(sys.argv[2], sys.argv[2:])\n")
    path = vmlaned.socket
    argv = vmlaned.p.argv[2:]  # without nsenter
    subprocess.run(["rm", "-f", path], check=True)
    p = world.host.start("/usr/bin/python3", "-c", activate, path, *argv, log=vmlaned.log)
    wait_for("the socket", lambda: subprocess.run(["test", "-S", path], check=False).returncode == 0)
    assert vmlaned.status()["pid"] == p.pid
    p.end()
    time.sleep(0)
    assert subprocess.run(["test", "-S", path], check=False).returncode == 0, "systemd's socket was removed"
