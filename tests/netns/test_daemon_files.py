# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon's files and state: what it takes over at start, and changes made whole or not at all."""
import os
import subprocess

import pytest

from daemon import DEFAULT
from guest import stop_stream
from world import wait_for

LAB = "network: lab\nmode: nat\nipv4:\n  subnet: 192.168.5.0/24\n"
ACME = "network: acme\nmode: nat\nipv4:\n  subnet: 192.168.6.0/24\n"


def texts(answer):
    return [c["text"] for c in answer["changes"]]


def problems(d, code=None):
    return [p for p in d.status()["problems"] if code is None or p["code"] == code]


def states(d):
    return {n["name"]: n["state"] for n in d.get("/v1/networks")["networks"]}


def settled(d):
    """Nothing is left to be done, and nothing is done."""
    assert d.get("/v1/diff") == {"changes": []}
    assert d.api("POST", "/v1/apply", {}) == (200, {"changes": [], "kernel_writes": 0})


# ---- start ----


def test_a_clash_with_the_host_keeps_nothing_else_from_being_taken_over(world, vmlaned):
    """A VPN came, with a route over a network of ours: that one goes on, and new files are taken."""
    vmlaned.stop()
    world.host.run("ip", "route", "add", "192.168.122.128/25", "via", "203.0.113.1")
    vmlaned.write("lab.yaml", LAB)
    vmlaned.start()
    assert states(vmlaned) == {"default": "running", "lab": "running"}
    clash = problems(vmlaned, "overlap")
    assert len(clash) == 1 and "192.168.122.128/25" in clash[0]["message"]
    assert clash[0]["where"].endswith("default.yaml:4:11"), "the place in the file, not in the state"
    # By request too, and apply does not mind what it cannot change.
    vmlaned.vmlane("network", "create", "acme", "--subnet", "192.168.6.0/24")
    vmlaned.write("lab.yaml", LAB.replace("192.168.5.", "192.168.7."))
    assert vmlaned.vmlane("apply")["kernel_writes"] > 0
    assert world.host.addresses("vl-lab") == ["192.168.7.1/24"]
    assert len(problems(vmlaned, "overlap")) == 1
    assert vmlaned.errors("check")[0] == 2
    # A new clash is refused still.
    vmlaned.write("acme.yaml", ACME.replace("192.168.6.0/24", "192.168.122.192/26"))
    assert vmlaned.errors("apply")[0] == 2
    vmlaned.write("acme.yaml", ACME)
    world.host.run("ip", "route", "del", "192.168.122.128/25")
    settled(vmlaned)
    assert problems(vmlaned) == []


def test_a_network_that_is_down_does_not_come_over_a_clash(world, vmlaned):
    vmlaned.stop()
    world.host.run("ip", "link", "del", "vl-default")
    world.host.run("ip", "route", "add", "192.168.122.0/25", "via", "203.0.113.1")
    vmlaned.start()
    assert states(vmlaned) == {"default": "failed"} and "vl-default" not in world.host.links()
    assert vmlaned.network()["problem"]["code"] == "refused"
    vmlaned.vmlane("apply")
    assert "vl-default" not in world.host.links()
    assert vmlaned.errors("network", "start", "default")[0] == 2
    world.host.run("ip", "route", "del", "192.168.122.0/25")
    vmlaned.vmlane("apply")
    assert states(vmlaned) == {"default": "running"} and problems(vmlaned) == []


def test_networks_that_exchanged_their_subnets_while_no_daemon_ran(world, daemon):
    d = daemon({"lab.yaml": LAB, "acme.yaml": ACME})
    d.stop()
    d.write("lab.yaml", LAB.replace("192.168.5.", "192.168.6."))
    d.write("acme.yaml", ACME.replace("192.168.6.", "192.168.5."))
    d.start()
    assert world.host.addresses("vl-lab") == ["192.168.6.1/24"]
    assert world.host.addresses("vl-acme") == ["192.168.5.1/24"]
    assert problems(d) == []


def test_one_mistake_of_many_is_told_once(world, daemon):
    """@lab moves to where the new @acme would be; a third file is bad in itself."""
    d = daemon({"lab.yaml": LAB, "default.yaml": DEFAULT})
    d.stop()
    d.write("lab.yaml", LAB.replace("192.168.5.", "192.168.122."))
    d.write("acme.yaml", ACME)
    d.write("bad.yaml", "network: bad\nipv4: 7\n")
    d.start()
    assert states(d) == {"acme": "running", "default": "running", "lab": "running"}
    assert world.host.addresses("vl-lab") == ["192.168.5.1/24"]
    assert len(problems(d, "overlap")) == 1
    assert len([p for p in problems(d) if "bad.yaml" in p["where"]]) == len(
        {p["message"] for p in problems(d) if "bad.yaml" in p["where"]})
    # The mistakes are told until somebody looked and found none.
    d.write("lab.yaml", LAB)
    os.unlink(f"{d.config}/bad.yaml")
    assert problems(d)
    d.vmlane("check")
    assert problems(d) == []
    settled(d)


def test_a_failed_apply_is_told_by_status(world, vmlaned):
    vmlaned.write("default.yaml", DEFAULT.replace("lease: 1h", "lease: never"))
    assert problems(vmlaned) == []
    vmlaned.errors("apply")
    assert [p for p in problems(vmlaned) if "default.yaml" in p["where"]]
    vmlaned.write("default.yaml", DEFAULT)
    vmlaned.vmlane("apply")
    assert problems(vmlaned) == []


def test_another_spelling_of_the_directory_loses_nothing(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    vmlaned.stop()
    os.rename(f"{vmlaned.dir}/etc", f"{vmlaned.dir}/other")
    os.makedirs(f"{vmlaned.dir}/etc")
    g.off()
    vmlaned.args += ["--config-dir", f"{vmlaned.dir}/other"]
    vmlaned.start()
    assert [x["address"] for x in vmlaned.get("/v1/leases")["leases"]] == [g.ip]
    assert vmlaned.network()["file"] == f"{vmlaned.dir}/other/networks/default.yaml"
    assert vmlaned.writes() == 0
    settled(vmlaned)


def test_a_file_that_is_gone(world, vmlaned, guest):
    """With guests the network goes on and status says so, however long ago that was."""
    guest("web1")
    os.unlink(f"{vmlaned.config}/default.yaml")
    assert len(problems(vmlaned, "file")) == 1
    vmlaned.restart()
    assert states(vmlaned) == {"default": "running"}
    assert "--force" in problems(vmlaned, "file")[0]["message"]
    assert vmlaned.errors("apply")[0] == 2
    vmlaned.write("default.yaml", DEFAULT)
    assert problems(vmlaned) == []


# ---- whole or not at all ----


@pytest.fixture
def full(world, daemon):
    """A daemon whose state is on a disk that can be filled: full(True), and emptied again."""
    d = daemon(start=False)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", d.state], check=True)
    d.start()

    def fill(yes):
        path = f"{d.state}/filler"
        if not yes:
            return os.unlink(path)
        with open(path, "wb", buffering=0) as f:
            try:
                while True:
                    f.write(b"x" * 4096)
            except OSError:
                return None

    d.fill = fill
    yield d
    d.stop()
    subprocess.run(["umount", d.state], check=True)


def exhaust(d):
    """SQLite's log has room for some writes still: stop and start until it has none."""
    d.fill(True)
    for _ in range(200):
        status, _answer = d.api("POST", "/v1/networks/default/stop")
        if status != 200:
            return
        assert d.api("POST", "/v1/networks/default/start")[0] in (200, 500)
    raise AssertionError("the disk is full and nobody minds")


def seen(world, d):
    """What memory, files and kernel say."""
    return (states(d), sorted(os.listdir(d.config)), {k: v.get("master") for k, v in world.host.links().items()},
            sorted(g["name"] for g in d.get("/v1/guests")["guests"]))


def test_full_disk(world, full, guest):
    """What cannot be written is refused, and leaves everything as it was; DHCP's leases too."""
    d = full
    d.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24")
    guest("db", tap=True, d=d, network="lab")
    exhaust(d)
    before = seen(world, d)
    d.write("acme.yaml", ACME)
    d.write("lab.yaml", LAB.replace("192.168.5.", "192.168.9."))
    for method, path, body in (("POST", "/v1/networks", {"network": "x", "ipv4": {"subnet": "10.8.0.0/24"}}),
                               ("POST", "/v1/apply", {}),
                               ("DELETE", "/v1/networks/lab?force=1", None),
                               ("POST", "/v1/networks/lab/stop?force=1", None),
                               ("POST", "/v1/guests", {"name": "g", "network": "lab"}),
                               ("DELETE", "/v1/guests/db", None)):
        status, answer = d.api(method, path, body)
        assert status == 500 and "full" in answer["message"], (path, answer)
        now = seen(world, d)
        assert (now[0], now[2], now[3]) == (before[0], before[2], before[3]), path
        assert set(now[1]) == set(before[1]) | {"acme.yaml"}, path
    assert world.host.addresses("vl-lab") == ["192.168.5.1/24"]
    # A daemon that starts on the full disk serves all the same.
    d.kill9()
    d.start()
    assert states(d)["lab"] == "running"
    assert world.host.addresses("vl-lab") == ["192.168.9.1/24"]
    d.fill(False)
    assert d.api("POST", "/v1/apply", {})[0] == 200
    settled(d)
    assert d.api("DELETE", "/v1/networks/lab?force=1")[0] == 200
    assert not [f for f in os.listdir(d.config) if "lab" in f]
    assert "vl-db" not in world.host.links() and "vl-lab" not in world.host.links()


def test_a_file_that_cannot_be_removed(world, vmlaned):
    subprocess.run(["mount", "--bind", vmlaned.config, vmlaned.config], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", vmlaned.config], check=True)
    try:
        assert vmlaned.errors("network", "delete", "default")[0] == 2
        assert vmlaned.errors("network", "create", "lab", "--subnet", "192.168.5.0/24")[0] == 2
        assert states(vmlaned) == {"default": "running"}
        settled(vmlaned)
    finally:
        subprocess.run(["umount", vmlaned.config], check=True)


def test_a_name_in_the_way_refuses_one_network_only(world, vmlaned):
    """Requests about others succeed while a network's name is taken; diff marks nobody as failed."""
    world.host.run("ip", "link", "add", "vl-lab", "type", "bridge")
    status, answer = vmlaned.api("POST", "/v1/networks", {"network": "lab", "ipv4": {"subnet": "192.168.5.0/24"}})
    assert status == 409 and "vl-lab" in answer["message"]
    assert not os.path.exists(f"{vmlaned.config}/lab.yaml") and states(vmlaned) == {"default": "running"}
    vmlaned.write("default.yaml", DEFAULT + "bridge: vl-lab\n")
    assert vmlaned.errors("diff")[0] == 2
    assert states(vmlaned) == {"default": "running"}
    vmlaned.write("default.yaml", DEFAULT)
    vmlaned.write("lab.yaml", LAB)
    assert vmlaned.errors("apply")[0] == 2
    assert states(vmlaned) == {"default": "running", "lab": "failed"}
    for verb, state in (("stop", "stopped"), ("start", "running")):
        assert vmlaned.vmlane("network", verb, "default")["state"] == state
    vmlaned.vmlane("network", "create", "acme", "--subnet", "192.168.6.0/24")
    vmlaned.vmlane("network", "delete", "acme")
    assert len([p for p in problems(vmlaned) if "vl-lab" in p["message"]]) == 1


# ---- apply ----


def test_bridges_by_other_names(world, daemon, guest):
    """A bridge renamed, names exchanged, a network renamed that keeps its bridge: one apply each."""
    d = daemon({"lab.yaml": LAB, "acme.yaml": ACME})
    guest("db", tap=True, d=d, network="lab")
    d.write("lab.yaml", LAB + "bridge: br-lab\n")
    d.vmlane("apply")
    assert world.host.links()["vl-db"]["master"] == "br-lab" and "vl-lab" not in world.host.links()
    settled(d)
    d.write("lab.yaml", LAB + "bridge: vl-acme\n")
    d.write("acme.yaml", ACME + "bridge: br-lab\n")
    said = texts(d.vmlane("diff"))
    assert sorted(texts(d.vmlane("apply"))) == sorted(said)
    assert world.host.addresses("br-lab") == ["192.168.6.1/24"]
    assert world.host.addresses("vl-acme") == ["192.168.5.1/24"]
    assert world.host.links()["vl-db"]["master"] == "vl-acme"
    settled(d)
    os.unlink(f"{d.config}/acme.yaml")
    d.write("new.yaml", ACME.replace("acme", "new") + "bridge: br-lab\n")
    d.vmlane("apply")
    assert states(d) == {"lab": "running", "new": "running"}
    assert world.host.addresses("br-lab") == ["192.168.6.1/24"]
    settled(d)


def test_subnet_and_mtu_change_under_guests(world, vmlaned, guest):
    g = guest("db", tap=True)
    first = g.dhcp()
    vmlaned.write("default.yaml", DEFAULT.replace("192.168.122", "192.168.77") + "mtu: 1400\n")
    vmlaned.vmlane("apply")
    assert world.host.addresses("vl-default") == ["192.168.77.1/24"]
    assert {world.host.links()[x]["mtu"] for x in ("vl-default", "vl-db")} == {1400}
    first["client"].p.end()
    g.ns.run("ip", "addr", "flush", "dev", "eth0")
    told = g.dhcp()
    assert told["address"].startswith("192.168.77.") and told["mtu"] == "1400"
    settled(vmlaned)
    # Without the key the default comes back.
    vmlaned.write("default.yaml", DEFAULT.replace("192.168.122", "192.168.77"))
    vmlaned.vmlane("apply")
    assert {world.host.links()[x]["mtu"] for x in ("vl-default", "vl-db")} == {1500}
    settled(vmlaned)


def test_deleted_and_made_again_elsewhere(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    vmlaned.vmlane("network", "delete", "default", "--force")
    assert vmlaned.get("/v1/leases")["leases"] == []
    wait_for("the guest to be gone", lambda: vmlaned.get("/v1/guests")["guests"] == [])
    vmlaned.vmlane("network", "create", "default", "--subnet", "192.168.99.0/24")
    again = guest("web2")
    assert again.dhcp()["address"].startswith("192.168.99.")
    assert again.http()["address"] == "203.0.113.2"
    settled(vmlaned)


def test_uplink_named_and_followed(world, vmlaned, guest):
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    g = guest("web1")
    g.dhcp()
    vmlaned.write("default.yaml", DEFAULT + "nat:\n  uplink: eth1\n")
    vmlaned.vmlane("apply")
    assert (world.host.sysctl("net/ipv4/conf/eth0/forwarding"), world.host.sysctl("net/ipv4/conf/eth1/forwarding")) \
        == ("0", "1")
    assert g.http(check=False).returncode != 0
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    assert g.http()["address"] == "192.0.2.2"
    vmlaned.write("default.yaml", DEFAULT)
    world.host.run("ip", "route", "replace", "default", "via", "203.0.113.1")
    vmlaned.vmlane("apply")
    assert g.http()["address"] == "203.0.113.2"
    settled(vmlaned)
    assert (world.host.sysctl("net/ipv4/conf/eth0/forwarding"), world.host.sysctl("net/ipv4/conf/eth1/forwarding")) \
        == ("1", "0")


def test_stop_and_start_with_guests_plugged_in(world, vmlaned, guest):
    run, tap = guest("web1"), guest("db", tap=True)
    run.dhcp()
    tap.dhcp()
    vmlaned.vmlane("network", "stop", "default", "--force")
    assert not world.host.links()["vl-web1"].get("master") and not world.host.links()["vl-db"].get("master")
    settled(vmlaned)
    vmlaned.vmlane("network", "start", "default")
    for g in (run, tap):
        assert world.host.links()[f"vl-{g.name}"]["master"] == "vl-default"
        assert g.http()["address"] == "203.0.113.2"
    stream = run.stream()
    vmlaned.vmlane("network", "start", "default")
    result = stop_stream(stream)
    assert result["sent"] == result["received"]
    settled(vmlaned)
