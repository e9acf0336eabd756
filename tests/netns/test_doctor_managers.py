# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane doctor on hosts whose firewall others manage: ufw and firewalld as Debian has them, Docker's rules. Healthy ones have
nothing wrong; where one is in the way its own words mend it."""
import pytest

from test_diagnose import evidence
from test_diagnose_managers import firewalld, ufw  # noqa: F401  pylint: disable=unused-import
from test_doctor import Doctor, dnsmasq, host, no_leases, resolv, vm, vm2  # noqa: F401  pylint: disable=unused-import
from world import INTERNET, wait_for

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def ufw_off(host, own):
    """Installed, and not enabled."""
    if host.ns.run("sh", "-c", "command -v ufw", check=False).returncode:
        pytest.skip("ufw is not installed")
    for path in ("/etc/ufw", "/etc/default"):
        own(path)
    host.sh("ufw --force enable; ufw --force disable; echo 1 >/proc/sys/net/ipv4/ip_forward")


def test_ufw_is_inactive(host, vm, ufw_off):
    """Its chains may be left, empty."""
    assert vm.ping(INTERNET)
    host.well()


def test_ufw_forwards_nothing(host, vm, ufw):
    found = [f for f in host.look()["findings"] if f["diagnosis"]["code"] == "firewall-forward"]
    assert len(found) == 1 and not found[0]["safe"]
    assert found[0]["diagnosis"]["mend"] == "ufw route allow in on br7 out on eth0 from 10.7.0.0/24"
    host.mended(found[0])
    assert "ufw route allow in on br7 out on eth0 from 10.7.0.0/24" in ufw("show added")


def test_ufw_lets_no_questions_in(host, vm, ufw, no_leases):
    host.sh("ufw route allow in on br7 out on eth0")
    dnsmasq(host)
    found = {f["diagnosis"]["code"]: f["diagnosis"]["mend"] for f in host.look()["findings"] if f["severity"] != "note"}
    assert found == {"firewall-dhcp": "ufw allow in on br7 to any port 67 proto udp", "firewall-input": "ufw allow in on br7 to any port 53 proto udp"}
    for mend in found.values():
        host.sh(mend)
    host.well()


def test_firewalld(host, vm, firewalld):
    f = [x for x in host.look()["findings"] if x["diagnosis"]["code"] == "firewall-forward"]
    assert len(f) == 1 and "inet firewalld" in evidence(f[0]["diagnosis"], "rule")[0] and not f[0]["safe"]
    assert f[0]["diagnosis"]["mend"] == "firewall-cmd --zone=trusted --change-interface=br7"
    host.mended(f[0])
    assert vm.ping(INTERNET)
    host.well()


# As dockerd (27) writes them for its default bridge, and for one that a user made.
DOCKER = """
iptables-nft -P FORWARD DROP
for c in DOCKER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2 DOCKER-USER; do iptables-nft -N $c; done
iptables-nft -A FORWARD -j DOCKER-USER
iptables-nft -A FORWARD -j DOCKER-ISOLATION-STAGE-1
for b in docker0 br-app; do
    iptables-nft -A FORWARD -o $b -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
    iptables-nft -A FORWARD -o $b -j DOCKER
    iptables-nft -A FORWARD -i $b ! -o $b -j ACCEPT
    iptables-nft -A FORWARD -i $b -o $b -j ACCEPT
    iptables-nft -A DOCKER-ISOLATION-STAGE-1 -i $b ! -o $b -j DOCKER-ISOLATION-STAGE-2
    iptables-nft -A DOCKER-ISOLATION-STAGE-2 -o $b -j DROP
done
iptables-nft -A DOCKER-ISOLATION-STAGE-1 -j RETURN
iptables-nft -A DOCKER-ISOLATION-STAGE-2 -j RETURN
iptables-nft -A DOCKER-USER -j RETURN
iptables-nft -t nat -N DOCKER
iptables-nft -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
iptables-nft -t nat -A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
iptables-nft -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
iptables-nft -t nat -A POSTROUTING -s 172.18.0.0/16 ! -o br-app -j MASQUERADE
iptables-nft -t nat -A DOCKER -i docker0 -j RETURN
"""


@pytest.fixture
def docker(world, resolv):
    """Two bridges with a container each, and the sysctls that Docker sets."""
    for bridge, net in (("docker0", "172.17.0"), ("br-app", "172.18.0")):
        world.host.run("sh", "-ec", f"ip link add {bridge} type bridge forward_delay 0; ip addr add {net}.1/16 dev {bridge}; ip link set {bridge} up")
    world.host.run("sh", "-ec", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables\n" + DOCKER)
    world.host.run("busybox", "ping", "-q", "-c", "1", "203.0.113.1")
    made = []
    for n, (bridge, address) in enumerate((("docker0", "172.17.0.2"), ("docker0", "172.17.0.3"), ("br-app", "172.18.0.2"))):
        ns = world.ns(f"c{n}")
        world.host.run("sh", "-ec", f"ip link add veth{n} type veth peer name eth0 netns c{n}; ip link set veth{n} master {bridge} up")
        ns.run("sh", "-ec", f"ip addr add {address}/16 dev eth0; ip link set eth0 up; ip route add default via {address.rpartition('.')[0]}.1")
        wait_for("the container", lambda: ns.run("busybox", "ping", "-q", "-c", "1", "-W", "1", INTERNET, check=False).returncode == 0)  # pylint: disable=cell-var-from-loop
        made.append(ns)
    return Doctor(world)


def test_docker_alone(docker):
    found = docker.well()
    assert found["findings"] == [] and (found["networks"], found["guests"]) == (2, 3)


def test_docker_keeps_its_own_apart(docker, world):
    """An internal network, and icc=false: that is how somebody wanted them."""
    world.host.run("sh", "-ec", "iptables-nft -I DOCKER-ISOLATION-STAGE-1 ! -d 172.18.0.0/16 -i br-app -j DROP; iptables-nft -I DOCKER-ISOLATION-STAGE-1 ! -s 172.18.0.0/16 -o br-app -j DROP;"
                                "iptables-nft -D FORWARD -i docker0 -o docker0 -j ACCEPT; iptables-nft -A FORWARD -i docker0 -o docker0 -j DROP")
    assert docker.well()["findings"] == []


def test_docker_breaks_a_bridge_of_vms(docker, world):
    """The old story: VMs on a bridge of their own, and Docker's policy drops what they send; nothing of Docker's is wrong."""
    world.host.run("sh", "-ec", "ip link add br9 type bridge forward_delay 0; ip addr add 10.9.0.1/24 dev br9; ip link set br9 up")
    world.host.nft("table ip theirs { chain post { type nat hook postrouting priority 100; ip saddr 10.9.0.0/24 oifname eth0 masquerade; }; }")
    ns = world.ns("c9")
    world.host.run("sh", "-ec", "ip link add veth9 type veth peer name eth0 netns c9; ip link set veth9 master br9 up")
    ns.run("sh", "-ec", "ip addr add 10.9.0.2/24 dev eth0; ip link set eth0 up; ip route add default via 10.9.0.1")
    wait_for("its gateway", lambda: ns.run("busybox", "ping", "-q", "-c", "1", "-W", "1", "10.9.0.1", check=False).returncode == 0)
    f = docker.finding("firewall-forward")
    assert f["where"] == "bridge br9" and evidence(f["diagnosis"], "rule") == ["ip filter FORWARD policy drop"]
    assert f["diagnosis"]["mend"].startswith("iptables-nft -I DOCKER-USER -i br9 -o eth0 -s 10.9.0.0/24 -j ACCEPT && ")
    docker.mended(f)
    docker.well()
    assert ns.run("busybox", "ping", "-q", "-c", "1", "-W", "1", INTERNET, check=False).returncode == 0
