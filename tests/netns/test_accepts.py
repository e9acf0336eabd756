# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests get out on hosts whose other firewalls drop what they do not know: Docker's rules, ufw, firewalld."""
import os
import shutil
import subprocess

import pytest

from daemon import DEFAULT
from test_monitor import Listener
from world import INTERNET, INTERNET6, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
# As Docker makes them when it starts: nothing is forwarded but what its containers need.
DOCKER = """
{0} -N DOCKER-USER
{0} -N DOCKER
{0} -P FORWARD DROP
{0} -A FORWARD -j DOCKER-USER
{0} -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
{0} -A FORWARD -o docker0 -j DOCKER
{0} -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
{0} -A DOCKER-USER -j RETURN
"""
OURS = ["-A DOCKER-USER -i vl-default -o vl-default -m comment --comment \"vmlane: default\" -j ACCEPT",
        "-A DOCKER-USER -i vl-default -o eth0 -m comment --comment \"vmlane: default\" -j ACCEPT",
        "-A DOCKER-USER -o vl-default -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment \"vmlane: default\" -j ACCEPT"]
FORWARD = "guests:\n  web1:\n    ipv4: 192.168.122.10\n    forward: [ \"tcp 8080 -> 80\" ]\n"


def need(*programs):
    for p in programs:
        if not shutil.which(p):
            pytest.skip(f"{p} is not installed")


def docker(world, tool="iptables-nft"):
    need(tool)
    world.host.run("sh", "-ec", DOCKER.format(tool))


def rules(world, tool="iptables-nft"):
    """As the tool itself lists them: it refuses a table with rules that are not its own."""
    return world.host.run(tool, "-S").splitlines()


def placed(world, chain="DOCKER-USER", tool="iptables-nft"):
    return [r for r in rules(world, tool) if r.startswith(f"-A {chain} ") and "vmlane: " in r]


def reaches(g, address=INTERNET):
    return g.ns.run("curl", "-sS", "-o", "/dev/null", "--max-time", "2", f"http://{address}/" if ":" not in address else f"http://[{address}]/",
                    check=False).returncode == 0


def places(d):
    return {p["place"]: p["rules"] for p in d.status()["accepts"]}


# ---- Docker ----


def test_docker_was_there_first(world, daemon, guest):
    docker(world)
    before = rules(world)
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    assert g.http()["address"] == "203.0.113.2"
    assert placed(world) == OURS
    assert rules(world)[-1] == "-A DOCKER-USER -j RETURN"
    assert places(d) == {"ip filter DOCKER-USER": 3}
    assert d.network()["accepts"] == ["ip filter DOCKER-USER"]
    assert "DOCKER-USER" in d.vmlane("network", "show", "default", json_out=False)
    assert "DOCKER-USER" in d.vmlane("status", json_out=False)
    assert d.vmlane("diff") == {"changes": []}
    assert "vmlane: default" in world.host.run("iptables-nft-save")
    g.off()
    d.vmlane("network", "stop", "default")
    assert rules(world) == before and d.network()["accepts"] == []
    d.vmlane("network", "start", "default")
    assert placed(world) == OURS
    d.vmlane("network", "delete", "default")
    assert rules(world) == before


def test_docker_comes_later(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    m = Listener(vmlaned)
    docker(world)
    wait_for("the accepts", lambda: placed(world) == OURS)
    assert g.http()
    m.expect("accepts")
    world.host.run("iptables-nft", "-F", "DOCKER-USER")
    wait_for("the accepts again", lambda: placed(world) == OURS)
    world.host.run("nft", "flush", "ruleset")
    docker(world)
    wait_for("the accepts once more", lambda: placed(world) == OURS and vmlaned.vmlane("diff") == {"changes": []})
    assert g.http()
    m.end()


def test_what_an_administrator_drops_stays_dropped(world, daemon, guest):
    docker(world)
    world.host.run("iptables-nft", "-I", "DOCKER-USER", "-i", "vl-default", "-d", INTERNET, "-j", "DROP")
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    assert not reaches(g)
    assert reaches(g, "203.0.113.1")


def test_docker_and_a_forward(world, daemon, guest):
    docker(world)
    d = daemon({"default.yaml": DEFAULT + FORWARD})
    g = guest("web1", d=d)
    g.dhcp()
    assert any("--ctstate RELATED,ESTABLISHED,DNAT" in r for r in placed(world))
    g.ns.start("busybox", "nc", "-ll", "-p", "80", "-e", "/bin/echo", "here")
    wait_for("the server", lambda: g.ns.run("busybox", "nc", "-w", "1", "127.0.0.1", "80", check=False).stdout.strip() == "here")
    assert world.internet.run("busybox", "nc", "-w", "5", "203.0.113.2", "8080").strip() == "here"


def test_docker_and_ipv6(world, daemon, guest):
    world.internet6()
    docker(world, "ip6tables-nft")
    d = daemon({"default.yaml": DEFAULT + "ipv6:\n  subnet: fd00:a::/64\n"})
    g = guest("web1", d=d)
    g.slaac("fd00:a::/64")
    assert g.http(INTERNET6)
    assert len(placed(world, tool="ip6tables-nft")) == 3
    assert d.network()["accepts"] == ["ip6 filter DOCKER-USER"]


def test_docker_and_a_second_uplink(world, daemon, guest):
    docker(world)
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    world.host.run("ip", "route", "replace", "default", "via", "192.0.2.1")
    wait_for("the other uplink", lambda: any("-o eth1 " in r for r in placed(world)) and not any("-o eth0 " in r for r in placed(world)))
    wait_for("the way out", lambda: reaches(g))


def test_peers_and_inbound(world, daemon):
    docker(world)
    d = daemon({"a.yaml": "network: a\nmode: routed\ninbound: accept\nipv4: { subnet: 10.1.0.0/24 }\npeers: [ b ]\n",
                "b.yaml": "network: b\nmode: nat\nipv4: { subnet: 10.2.0.0/24 }\npeers: [ a ]\n"})
    assert d.status()["problems"] == []
    found = [r.replace("-A DOCKER-USER ", "").replace(" -m comment --comment", "") for r in placed(world)]
    assert '-i vl-a -o eth0 "vmlane: a" -j ACCEPT' in found and '-i eth0 -o vl-a "vmlane: a" -j ACCEPT' in found
    assert '-i vl-a -o vl-b "vmlane: a" -j ACCEPT' in found and '-i vl-b -o vl-a "vmlane: b" -j ACCEPT' in found
    assert not any("-i eth0 -o vl-b" in r for r in found)


def test_a_chain_that_nothing_leads_to(world, daemon):
    """Who deletes a chain empties it first, and cannot delete it when something is in it again."""
    docker(world)
    d = daemon()
    assert placed(world) == OURS
    world.host.run("iptables-nft", "-D", "FORWARD", "-j", "DOCKER-USER")
    wait_for("the accepts to go", lambda: placed(world) == [] and places(d) == {})
    world.host.run("sh", "-ec", "iptables-nft -F DOCKER-USER; iptables-nft -X DOCKER-USER; iptables-nft -N DOCKER-USER")
    world.host.run("iptables-nft", "-I", "FORWARD", "-j", "DOCKER-USER")
    wait_for("the accepts", lambda: placed(world) == OURS)


def test_a_rule_of_ours_that_somebody_changed(world, daemon):
    docker(world)
    d = daemon()
    world.host.run("iptables-nft", "-D", *OURS[1].replace("-A ", "").replace("\"", "").split(" ", 1)[0:1], "2")
    wait_for("it", lambda: sorted(placed(world)) == sorted(OURS))
    world.host.run("iptables-nft", "-A", "DOCKER-USER", "-i", "vl-gone", "-m", "comment", "--comment", "vmlane: gone", "-j", "ACCEPT")
    wait_for("the one too many to go", lambda: sorted(placed(world)) == sorted(OURS))
    assert d.vmlane("diff") == {"changes": []}


def test_switched_off(world, daemon, guest):
    docker(world)
    d = daemon()
    assert placed(world) == OURS
    d.args = ["--no-accepts"]
    d.restart()
    assert placed(world) == [] and places(d) == {"ip filter DOCKER-USER": 0}
    g = guest("web1", d=d)
    g.dhcp()
    assert not reaches(g)


def test_daemon_that_dies_finds_its_accepts_again(world, daemon, guest):
    docker(world)
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    d.kill9()
    assert g.http() and placed(world) == OURS
    d.start()
    assert d.status()["counters"]["firewall_transactions"] == 0 and placed(world) == OURS


def test_docker_with_iptables_legacy(world, daemon, guest):
    """Nothing can be placed there: it is said, with the command that does it."""
    docker(world, "iptables-legacy")
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    assert not reaches(g)
    told = [p for p in d.status()["problems"] if p["code"] == "accepts-legacy"]
    assert len(told) == 1 and "iptables-legacy" in told[0]["message"]
    command = told[0]["message"].split("; ", 1)[1]
    world.host.run("sh", "-ec", command)
    assert g.http()
    assert not [p for p in d.status()["problems"] if p["code"] == "accepts-legacy"]


# ---- ufw ----


@pytest.fixture
def ufw(world, own):
    """ufw and its files; nothing is enabled yet."""
    need("ufw")
    for path in ("/etc/ufw", "/etc/default"):
        own(path)
    return lambda text: world.host.run("sh", "-ec", f"ufw {text}")


def test_ufw(world, daemon, guest, ufw):
    ufw("--force enable")
    ufw("reload")  # adds two rules of its own
    before = rules(world), rules(world, "ip6tables-nft")
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    assert g.http()["address"] == "203.0.113.2"
    assert len(placed(world, "ufw-user-forward")) == 3
    assert d.network()["accepts"] == ["ip filter ufw-user-forward", "ip6 filter ufw6-user-forward"]
    ufw("reload")
    wait_for("the accepts after a reload", lambda: len(placed(world, "ufw-user-forward")) == 3)
    assert g.http()
    ufw("allow 22/tcp")
    ufw("delete allow 22/tcp")
    ufw("status verbose")
    wait_for("the accepts after a rule", lambda: len(placed(world, "ufw-user-forward")) == 3)
    assert g.http()
    g.off()
    d.vmlane("network", "delete", "default")
    assert (rules(world), rules(world, "ip6tables-nft")) == before


def test_ufw_comes_and_goes(world, vmlaned, guest, ufw):
    g = guest("web1")
    g.dhcp()
    ufw("--force enable")
    wait_for("the accepts", lambda: len(placed(world, "ufw-user-forward")) == 3)
    assert g.http()
    ufw("disable")
    assert g.http()
    wait_for("ufw to be gone", lambda: places(vmlaned) == {})
    assert not [r for r in rules(world) if "ufw-user-forward" in r]


def test_ufw_and_a_route_that_is_denied(world, daemon, guest, ufw):
    ufw("--force enable")
    ufw(f"route deny in on vl-default to {INTERNET}")
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    assert not reaches(g) and reaches(g, "203.0.113.1")


# ---- firewalld ----


class Firewalld:
    def __init__(self, world):
        self.world, self.p = world, None
        self.bus = world.host.start("dbus-daemon", "--system", "--nofork", "--nopidfile", "--print-address", stdout=subprocess.PIPE)
        assert self.bus.line()

    def start(self):
        self.p = self.world.host.start("firewalld", "--nofork", "--nopid", log=f"{self.world.tmp}/firewalld.log")
        wait_for("firewalld", lambda: self.world.host.run("firewall-cmd", "--state", check=False).returncode == 0)

    def cmd(self, *args):
        return self.world.host.run("firewall-cmd", *args).strip()

    def members(self):
        return self.cmd("--zone=vmlane", "--list-interfaces").split()


@pytest.fixture
def firewalld(world, own):
    need("firewalld", "dbus-daemon")
    own("/etc/firewalld")
    os.makedirs("/run/dbus", exist_ok=True)
    os.makedirs("/etc/firewalld/zones", exist_ok=True)
    shutil.copy(f"{HERE}/../../data/firewalld/vmlane.xml", "/etc/firewalld/zones/")
    f = Firewalld(world)
    yield f
    if f.p:
        f.p.end()
    f.bus.end()


def test_firewalld(world, daemon, guest, firewalld):
    firewalld.start()
    before = world.host.run("nft", "-s", "list", "table", "inet", "firewalld")
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    wait_for("the zone", lambda: d.network()["accepts"] == ["firewalld zone vmlane"])
    assert firewalld.members() == ["vl-default"]
    assert g.http()["address"] == "203.0.113.2"
    # What is the host's is not opened by it.
    world.host.start("busybox", "nc", "-ll", "-p", "7000", "-e", "/bin/echo", "here")
    wait_for("the server", lambda: world.host.run("busybox", "nc", "-w", "1", "127.0.0.1", "7000", check=False).stdout.strip() == "here")
    assert g.ns.run("busybox", "nc", "-w", "2", "192.168.122.1", "7000", check=False).stdout == ""
    assert g.ping("192.168.122.1")
    for how in ("--reload", "--complete-reload"):
        firewalld.cmd(how)
        wait_for(f"the zone after {how}", lambda: firewalld.members() == ["vl-default"])
        wait_for("the way out", lambda: reaches(g))
    firewalld.p.end()
    assert g.http()
    wait_for("it to be gone", lambda: d.network()["accepts"] == [])
    firewalld.start()
    wait_for("the zone after a start", lambda: firewalld.members() == ["vl-default"])
    assert g.http()
    g.off()
    d.vmlane("network", "delete", "default")
    wait_for("the zone to be empty", lambda: firewalld.members() == [])
    firewalld.cmd("--reload")  # the chains of a zone that was in use stay until then
    after = world.host.run("nft", "-s", "list", "table", "inet", "firewalld")
    assert sorted(after.split()) == sorted(before.split())


def test_firewalld_without_the_zone(world, daemon, guest, firewalld):
    os.unlink("/etc/firewalld/zones/vmlane.xml")
    firewalld.start()
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    wait_for("a word about it", lambda: any(p["code"] == "firewalld-zone" for p in d.status()["problems"]))
    assert not reaches(g)
    told = next(p for p in d.status()["problems"] if p["code"] == "firewalld-zone")["message"]
    assert "--new-zone=vmlane" in told
    for command in told.split("without one: ", 1)[1].split(", "):
        world.host.run("sh", "-ec", command)
    wait_for("the zone", lambda: firewalld.members() == ["vl-default"])
    wait_for("the way out", lambda: reaches(g))
    wait_for("nothing to be told", lambda: not any(p["code"] == "firewalld-zone" for p in d.status()["problems"]))


def test_firewalld_zone_of_an_administrator(world, daemon, firewalld):
    """Whoever has said where the bridge belongs is right."""
    firewalld.start()
    firewalld.cmd("--zone=work", "--add-interface=vl-default")
    d = daemon()
    d.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    wait_for("the other one", lambda: firewalld.members() == ["vl-lab"])
    assert firewalld.cmd("--get-zone-of-interface=vl-default") == "work"
    assert d.network()["accepts"] == [] and d.network("lab")["accepts"] == ["firewalld zone vmlane"]


def test_no_firewalld_is_started(world, daemon, firewalld):
    d = daemon()
    d.vmlane("network", "create", "lab", "--subnet", "10.9.0.0/24")
    assert places(d) == {}
    assert world.host.run("firewall-cmd", "--state", check=False).returncode != 0
    assert d.status()["problems"] == []
