# SPDX-License-Identifier: GPL-2.0-or-later
"""diff and apply: what differs and nothing else, counted in writes and seen by monitors."""
import os

import pytest

from daemon import DEFAULT
from guest import stop_stream
from packet import DhcpPeer
from world import Monitor, wait_for

LAB = "network: lab\nmode: nat\nipv4:\n  subnet: 192.168.5.0/24\n"


@pytest.fixture
def vmlaned(daemon):
    """One that leaves it to apply to put right what others change."""
    return daemon(args=["--no-guardian"])


def texts(answer):
    return [c["text"] for c in answer["changes"]]


def test_second_apply_writes_nothing(world, vmlaned, guest):
    guest("web1").dhcp()
    guest("db", tap=True).dhcp()
    vmlaned.write("lab.yaml", LAB)
    first = vmlaned.vmlane("apply")
    assert first["kernel_writes"] > 0 and first["changes"]
    ip, nft, writes = Monitor(world.host, "ip"), Monitor(world.host, "nft"), vmlaned.writes()
    assert vmlaned.vmlane("diff") == {"changes": []}
    second = vmlaned.vmlane("apply")
    assert second == {"changes": [], "kernel_writes": 0}
    assert vmlaned.writes() == writes
    assert ip.lines() == [] and nft.lines() == []


def test_diff_says_what_apply_does(world, vmlaned):
    vmlaned.write("lab.yaml", LAB)
    before = Monitor(world.host, "ip")
    diff = vmlaned.vmlane("diff")
    assert before.lines() == []
    assert any(c["op"] == "create" and "bridge vl-lab" in c["text"] for c in diff["changes"])
    applied = vmlaned.vmlane("apply")
    assert sorted(texts(applied)) == sorted(texts(diff))
    assert world.host.addresses("vl-lab") == ["192.168.5.1/24"]
    os.unlink(f"{vmlaned.config}/lab.yaml")
    gone = vmlaned.vmlane("diff")
    assert any(c["op"] == "delete" and "vl-lab" in c["text"] for c in gone["changes"])
    vmlaned.vmlane("apply")
    assert "vl-lab" not in world.host.links()


def damaged(world, vmlaned, what, *words):
    """@what was done to the kernel behind our back: diff names it, apply mends it, once."""
    diff = vmlaned.vmlane("diff")
    for word in words:
        assert any(word in t for t in texts(diff)), (what, diff)
    writes = vmlaned.writes()
    assert sorted(texts(vmlaned.vmlane("apply"))) == sorted(texts(diff))
    assert vmlaned.writes() > writes
    assert vmlaned.vmlane("apply") == {"changes": [], "kernel_writes": 0}
    assert world.host.addresses("vl-default") == ["192.168.122.1/24"]


def test_deleted_bridge_comes_back(world, vmlaned, guest):
    g = guest("db", tap=True)
    g.dhcp()
    world.host.run("ip", "link", "del", "vl-default")
    damaged(world, vmlaned, "a bridge", "vl-default")
    g.dhcp()
    assert g.http()["address"] == "203.0.113.2"


def test_removed_address_comes_back(world, vmlaned):
    world.host.run("ip", "addr", "del", "192.168.122.1/24", "dev", "vl-default")
    damaged(world, vmlaned, "an address", "192.168.122.1/24")


def test_added_address_goes(world, vmlaned):
    world.host.run("ip", "addr", "add", "192.168.122.9/24", "dev", "vl-default")
    damaged(world, vmlaned, "an address more", "192.168.122.9")


def test_bridge_set_down_and_tap_taken_off(world, vmlaned, guest):
    g = guest("db", tap=True)
    world.host.run("ip", "link", "set", "vl-default", "down")
    world.host.run("ip", "link", "set", "vl-db", "nomaster")
    damaged(world, vmlaned, "links", "vl-default", "vl-db")
    g.dhcp()


def test_flushed_rules_come_back(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    for how in ("flush ruleset\n", "flush table inet vmlane\n", "delete table inet vmlane\n"):
        world.host.nft(how)
        damaged(world, vmlaned, how, "vmlane")
        assert g.http()["address"] == "203.0.113.2"


def test_rule_that_somebody_added_to_our_table_goes(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    world.host.nft("insert rule inet vmlane forward drop\n")
    damaged(world, vmlaned, "a rule", "vmlane")
    assert g.http()


def test_others_are_left_alone(world, vmlaned):
    world.host.nft("table inet foreign { chain f { type filter hook forward priority 0; policy accept; }; }\n"
                   "table ip nat { chain p { type nat hook postrouting priority 100; }; }\n")
    world.host.run("ip", "link", "add", "br-foreign", "type", "bridge")
    world.host.run("ip", "addr", "add", "10.55.0.1/24", "dev", "br-foreign")
    before = world.host.run("nft", "list", "ruleset")
    vmlaned.write("lab.yaml", LAB)
    vmlaned.vmlane("apply")
    vmlaned.vmlane("network", "delete", "lab")
    vmlaned.vmlane("network", "stop", "default")
    after = world.host.run("nft", "list", "ruleset")
    for table in ("table inet foreign", "table ip nat"):
        assert table in before and table in after
    assert world.host.addresses("br-foreign") == ["10.55.0.1/24"]


def test_interface_in_the_way_is_not_taken(world, vmlaned):
    world.host.run("ip", "link", "add", "vl-lab", "type", "bridge")
    vmlaned.write("lab.yaml", LAB)
    code, said = vmlaned.errors("apply")
    assert code == 2 and "vl-lab" in said
    assert world.host.addresses("vl-lab") == []
    # The other network is not disturbed, and when the way is free all is well.
    assert vmlaned.network()["state"] == "running"
    world.host.run("ip", "link", "del", "vl-lab")
    vmlaned.vmlane("apply")
    assert vmlaned.network("lab")["state"] == "running"


def test_network_life_by_command(world, vmlaned):
    made = vmlaned.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24")
    assert made["state"] == "running" and made["bridge"] == "vl-lab" and made["gateway"] == "192.168.5.1"
    assert os.path.exists(f"{vmlaned.config}/lab.yaml")
    assert {n["name"] for n in vmlaned.vmlane("network", "list")["networks"]} == {"default", "lab"}
    assert vmlaned.vmlane("network", "stop", "lab")["state"] == "stopped"
    assert "vl-lab" not in world.host.links()
    # Stopped by a person: it stays so over a restart and an apply, and diff says nothing.
    vmlaned.restart()
    assert vmlaned.network("lab")["state"] == "stopped"
    assert vmlaned.vmlane("diff")["changes"] == []
    assert vmlaned.vmlane("network", "start", "lab")["state"] == "running"
    vmlaned.vmlane("network", "delete", "lab")
    assert not os.path.exists(f"{vmlaned.config}/lab.yaml") and "vl-lab" not in world.host.links()
    assert vmlaned.errors("network", "show", "lab")[0] == 2
    assert vmlaned.errors("network", "create", "default", "--subnet", "10.77.0.0/24")[0] == 2


def test_changed_file_changes_only_that(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    vmlaned.write("lab.yaml", LAB)
    vmlaned.vmlane("apply")
    stream = g.stream()
    vmlaned.write("lab.yaml", LAB.replace("192.168.5.0", "192.168.6.0"))
    vmlaned.write("default.yaml", DEFAULT.replace("lease: 1h", "lease: 2h"))
    answer = vmlaned.vmlane("apply")
    assert not [t for t in texts(answer) if "vl-default" in t]
    assert world.host.addresses("vl-lab") == ["192.168.6.1/24"]
    assert DhcpPeer(g.ns, g.mac).bind()[1]["lease_time"] == 7200
    result = stop_stream(stream)
    assert result["received"] == result["sent"]


def test_delete_is_refused_while_guests_are_plugged_in(world, vmlaned, guest):
    guest("web1")
    for verb in ("delete", "stop"):
        code, said = vmlaned.errors("network", verb, "default")
        assert code == 2 and "--force" in said
    vmlaned.vmlane("network", "delete", "default", "--force")
    assert "vl-default" not in world.host.links()


def test_nothing_is_left_after_the_last_network(world, vmlaned):
    vmlaned.vmlane("network", "delete", "default")
    assert set(world.host.links()) == {"lo", "eth0"}
    assert world.host.sysctl("net/ipv4/conf/eth0/forwarding") == "0"
    listing = world.host.run("nft", "list", "ruleset")
    assert "vl-" not in listing


def test_many_networks(world, daemon):
    files = {f"n{i}.yaml": f"network: n{i}\nipv4:\n  subnet: 10.{i}.0.0/24\n" for i in range(50)}
    d = daemon(files)
    assert len([n for n in d.get("/v1/networks")["networks"] if n["state"] == "running"]) == 50
    assert d.vmlane("apply") == {"changes": [], "kernel_writes": 0}
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.kill9()
    d.start()
    assert d.writes() == 0 and ip.lines() == [] and nft.lines() == []
    wait_for("all DHCP servers", lambda: d.status()["networks"] == 50)
