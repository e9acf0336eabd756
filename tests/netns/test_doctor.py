# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane doctor: healthy hosts have nothing wrong; each fault is found with its evidence, and the printed command, run as it is
printed, mends it. What --fix runs is what is safe, and nothing else."""
import json
import os
import subprocess
import time

import pytest

from daemon import program
from foreign import GATEWAY, ForeignGuest, make_host
from test_diagnose import drop_programs, evidence  # noqa: F401  pylint: disable=unused-import
from world import INTERNET, UPLINK, wait_for

pytestmark = pytest.mark.usefixtures("world")


class Doctor:
    """The command in the world's host; @socket: of a daemon, or of none."""

    def __init__(self, world, socket=None):
        self.world, self.ns = world, world.host
        self.socket = socket or f"{world.tmp}/none.sock"

    def sh(self, text):
        """In a shell of the host, as somebody would type it."""
        self.ns.run("sh", "-ec", text)

    def run(self, *args):
        return self.ns.run(program("vmlane"), "--socket", self.socket, "doctor", *args, check=False)

    def look(self, *args):
        done = self.run("-o", "json", *args)
        assert done.stdout, done.stderr
        found = json.loads(done.stdout)
        assert found["ok"] == (found["errors"] + found["warnings"] == 0)
        if "fixed" not in found:
            assert done.returncode == (0 if found["ok"] else 4), done.stderr
        return found

    def codes(self, *args):
        """Of what is wrong: notes are not."""
        return [f["diagnosis"]["code"] for f in self.look(*args)["findings"] if f["severity"] != "note"]

    def well(self, *args):
        found = self.look(*args)
        assert found["ok"], found["findings"]
        return found

    def finding(self, code, severity="error", only=True):
        """The finding with this code; the only one that is wrong, unless told."""
        found = self.look()["findings"]
        mine = [f for f in found if f["diagnosis"]["code"] == code]
        assert len(mine) == 1, found
        assert mine[0]["severity"] == severity, mine
        if only:
            assert [f["diagnosis"]["code"] for f in found if f["severity"] != "note"] == ([code] if severity != "note" else []), found
        return mine[0]

    def mended(self, finding):
        """The command as printed: the finding is gone."""
        why = finding["diagnosis"]
        assert why["mend"], why
        self.sh(why["mend"])
        assert why["code"] not in [f["diagnosis"]["code"] for f in self.look()["findings"]]


@pytest.fixture
def resolv(tmp):
    """A resolv.conf of the test's own: the machine's may be anything."""
    path = f"{tmp}/etc-resolv.conf"
    with open(path, "w", encoding="utf-8") as f:
        f.write("nameserver 203.0.113.1\n")
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)
    yield path
    subprocess.run(["umount", "/etc/resolv.conf"], check=True)


@pytest.fixture
def host(world, resolv):
    """A bridge, taps and a masquerade rule made by hand; the gateway is known."""
    make_host(world)
    # As it is without the module br_netfilter.
    world.host.run("sh", "-ec", "for f in iptables ip6tables arptables; do echo 0 >/proc/sys/net/bridge/bridge-nf-call-$f; done")
    world.host.run("busybox", "ping", "-q", "-c", "1", "203.0.113.1")
    return Doctor(world)


@pytest.fixture
def vm(host):
    g = ForeignGuest(host.world, 1)
    wait_for("the guest", lambda: g.ping(INTERNET))
    return g


@pytest.fixture
def vm2(host, vm):
    g = ForeignGuest(host.world, 2)
    wait_for("the guest", lambda: vm.ping(g.ip) and g.ping(GATEWAY))
    return g


# ---- nothing is wrong ----


def test_healthy_by_hand(host, vm, vm2):
    found = host.well()
    assert found["findings"] == [] and (found["networks"], found["guests"], found["daemon"]) == (1, 2, False)
    assert found["packets"] > 2 and len(found["looked_at"]) > 10
    text = host.run().stdout
    assert "nothing is wrong: 0 notes; looked at 1 network with 2 guests" in text and "DHCP leases" in text


def dnsmasq(host, *args, dev="br7"):
    """As libvirt starts it: bound to the bridge, DHCP and DNS."""
    p = host.ns.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", f"--interface={dev}", "--except-interface=lo",
                      "--bind-interfaces", "--user=root", "--dhcp-leasefile=/var/lib/misc/dnsmasq.leases", "--no-ping", "--dhcp-range=10.7.0.50,10.7.0.60,1h",
                      *args, log=f"{host.world.tmp}/dnsmasq-{len(host.world.processes)}.log")
    wait_for("dnsmasq to listen", lambda: ":67 " in host.ns.run("ss", "-Hlun") and "started" in p.text())
    return p


@pytest.fixture
def no_leases():
    path = "/var/lib/misc/dnsmasq.leases"

    def remove():
        if os.path.exists(path):
            os.unlink(path)
    remove()
    yield path
    remove()


def test_healthy_with_dnsmasq(host, vm, no_leases):
    """As libvirt sets up its default network; the guest has its address from there."""
    dnsmasq(host)
    vm.ns.run("ip", "addr", "flush", "dev", "eth0")
    done = vm.ns.run("busybox", "udhcpc", "-i", "eth0", "-n", "-q", "-f", "-t", "20", "-T", "1", "-s", "/bin/true", check=False)
    assert done.returncode == 0, done.stderr
    assert host.well()["findings"] == []


def test_healthy_with_two_networks_as_libvirt_has_them(host, vm, no_leases):
    """A dnsmasq each, with libvirt's options: neither hears what the other is asked."""
    host.sh("ip link add br8 type bridge; ip addr add 10.8.0.1/24 dev br8; ip link set br8 up; ip tuntap add hold8 mode tap; ip link set hold8 master br8 up;"
            "nft 'add rule ip theirs post ip saddr 10.8.0.0/24 oifname eth0 masquerade'")
    for dev, net in (("br7", "10.7.0"), ("br8", "10.8.0")):
        conf = f"{host.world.tmp}/{dev}.conf"
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"strict-order\nuser=root\nexcept-interface=lo\nbind-dynamic\ninterface={dev}\ndhcp-range={net}.50,{net}.60,255.255.255.0\ndhcp-no-override\n"
                    f"dhcp-authoritative\nno-resolv\nno-hosts\ndhcp-leasefile={host.world.tmp}/{dev}.leases\n")
        p = host.ns.start("dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={conf}", log=f"{host.world.tmp}/dnsmasq-{dev}.log")
        wait_for("dnsmasq", lambda: "started" in p.text() or not p.alive())  # pylint: disable=cell-var-from-loop
        assert p.alive(), p.text()
    assert [f["diagnosis"]["code"] for f in host.well()["findings"]] == ["no-vm"]


LIBVIRT = """table ip libvirt_network {
    chain forward { type filter hook forward priority 0; policy accept; jump guest_cross; jump guest_input; jump guest_output; }
    chain guest_cross { iifname br7 oifname br7 accept; }
    chain guest_input { oifname br7 ct state established,related accept; oifname br7 reject; }
    chain guest_output { ip saddr 10.7.0.0/24 iifname br7 accept; iifname br7 reject; }
}"""


def test_healthy_in_libvirts_layout(host, vm):
    host.ns.nft(LIBVIRT)
    assert vm.ping(INTERNET)
    assert host.well()["findings"] == []


def test_healthy_isolated_network_of_libvirts(host, vm):
    host.ns.nft(LIBVIRT.replace("ip saddr 10.7.0.0/24 iifname br7 accept; ", ""))
    assert not vm.ping(INTERNET)
    assert host.well()["findings"] == []


def test_healthy_host_only_bridge(world, resolv):
    """Nobody has said that these guests shall get out: neither a rule nor a sysctl."""
    world.host.run("sh", "-ec", f"ip link add br7 type bridge forward_delay 0; ip addr add {GATEWAY}/24 dev br7; ip link set br7 up")
    d, g = Doctor(world), ForeignGuest(world, 1)
    assert g.ping(GATEWAY)
    found = d.well()["findings"]
    assert [f["diagnosis"]["code"] for f in found] == ["ip-forward-off"] and found[0]["severity"] == "note"


def test_healthy_in_dockers_layout(host, vm):
    """FORWARD drops, and the accepts for these guests are where Docker leaves room for them."""
    host.sh("iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -P FORWARD DROP; ip link add docker0 type bridge;"
            "ip addr add 172.17.0.1/16 dev docker0; ip link set docker0 up; iptables-nft -t nat -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE;"
            "iptables-nft -A FORWARD -i docker0 ! -o docker0 -j ACCEPT; iptables-nft -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT;"
            "iptables-nft -I DOCKER-USER -i br7 -j ACCEPT; iptables-nft -I DOCKER-USER -o br7 -j ACCEPT")
    assert vm.ping(INTERNET)
    found = host.well()
    assert found["findings"] == [] and found["networks"] == 2


def test_healthy_on_a_lan(host, vm, vm2):
    """The uplink is in the bridge, and guests have the LAN's router."""
    host.sh("nft flush ruleset; ip addr flush dev br7; ip addr flush dev eth0; ip link set eth0 master br7; ip addr add 203.0.113.2/24 dev br7;"
            "ip route add default via 203.0.113.1")
    vm.ns.run("sh", "-ec", "ip addr flush dev eth0; ip addr add 203.0.113.11/24 dev eth0; ip route add default via 203.0.113.1")
    assert host.ns.run("busybox", "ping", "-q", "-c", "1", "203.0.113.1") and vm.ping(INTERNET) and vm.ping(UPLINK)
    assert host.well()["findings"] == []


def test_healthy_behind_another_router(host, vm):
    """The uplink's own address is private, as at home: guests are translated to that, and once more behind it."""
    host.sh("nft delete table ip theirs; ip addr flush dev eth0; ip addr add 192.168.77.2/24 dev eth0; ip route add default via 192.168.77.1;"
            "nft 'add table ip n; add chain ip n p { type nat hook postrouting priority 100; }; add rule ip n p oifname eth0 masquerade'")
    assert host.well()["findings"] == []


def test_no_network_at_all(world, resolv):
    found = Doctor(world).well()
    assert (found["findings"], found["networks"], found["packets"]) == ([], 0, 0)


# ---- forwarding, routes, uplinks ----


@pytest.mark.parametrize("fault, code, sysctl, severity", [
    ("echo 0 >/proc/sys/net/ipv4/ip_forward", "ip-forward-off", "net.ipv4.ip_forward = 0", "error"),
    ("echo 0 >/proc/sys/net/ipv4/conf/br7/forwarding", "forwarding-off", "net/ipv4/conf/br7/forwarding = 0", "warning"),
])
def test_forwarding_off(host, vm, fault, code, sysctl, severity):
    host.sh(fault)
    f = host.finding(code, severity)
    assert evidence(f["diagnosis"], "sysctl") == [sysctl] and not f["safe"]
    host.mended(f)
    host.well()
    assert vm.ping(INTERNET)


@pytest.mark.parametrize("kind", ["blackhole", "unreachable", "prohibit"])
def test_route_that_refuses(host, vm, kind):
    host.sh(f"ip route add {kind} 9.9.9.0/24")
    f = host.finding(f"route-{kind}")
    assert f["where"] == "host" and evidence(f["diagnosis"], "route") == [f"{kind} 9.9.9.0/24 table 254 metric 0"] and not f["safe"]
    host.mended(f)
    host.well()


def test_no_default_route(host, vm):
    host.sh("ip route del default")
    f = host.finding("no-default-route")
    assert evidence(f["diagnosis"], "neighbour") == ["203.0.113.1, the only one on eth0"]
    host.mended(f)
    host.well()


def test_uplink_down(host, vm):
    host.sh("ip link set eth0 down")
    f = host.finding("uplink-down")
    assert f["diagnosis"]["mend"] == "ip link set dev eth0 up"
    host.sh(f["diagnosis"]["mend"])
    host.finding("no-default-route")


def test_uplink_without_carrier(host, vm):
    host.world.internet.run("ip", "link", "set", "eth0", "down")
    wait_for("the carrier to go", lambda: "NO-CARRIER" in host.ns.run("ip", "link", "show", "eth0"))
    f = host.finding("no-carrier")
    assert evidence(f["diagnosis"], "interface") == ["eth0 no carrier"] and not f["diagnosis"]["mend"]


def test_uplink_without_address(host, vm):
    host.sh("ip addr flush dev eth0; ip route replace default dev eth0")
    assert "uplink-no-address" in host.codes()
    # An unnumbered line borrows one.
    host.sh("ip addr add 203.0.113.9/32 dev lo")
    assert "uplink-no-address" not in host.codes()


def test_gateway_silent(host, vm):
    host.world.internet.run("ip", "link", "set", "eth0", "arp", "off")
    host.sh("ip neigh flush dev eth0")
    host.ns.run("busybox", "ping", "-q", "-c", "1", "-W", "1", "203.0.113.1", check=False)
    wait_for("the gateway to fail", lambda: "FAILED" in host.ns.run("ip", "neigh", "show", "dev", "eth0"))
    f = host.finding("neighbour-silent")
    assert evidence(f["diagnosis"], "neighbour") == ["203.0.113.1 dev eth0 FAILED"] and not f["diagnosis"]["mend"]


def test_rp_filter_with_two_ways_out(host, vm):
    host.world.uplink("eth1", "192.0.2.2", "192.0.2.1", "route add default via 192.0.2.1 metric 500")
    host.well()
    host.sh("echo 1 >/proc/sys/net/ipv4/conf/eth1/rp_filter")
    f = host.finding("rp-filter", "note")
    assert "by eth1 is dropped" in f["diagnosis"]["cause"] and "net/ipv4/conf/eth1/rp_filter = 1" in evidence(f["diagnosis"], "sysctl")[0]
    # What has come in by it is answered by it, where a routing rule says so.
    host.sh("ip route add default via 192.0.2.1 table 200; ip rule add from 192.0.2.2 table 200")
    assert "rp-filter" not in [f["diagnosis"]["code"] for f in host.well()["findings"]]
    host.sh("ip rule del from 192.0.2.2 table 200")
    host.mended(host.finding("rp-filter", "note"))
    assert "rp-filter" not in [f["diagnosis"]["code"] for f in host.well()["findings"]]


def test_not_translated(host, vm):
    host.sh("nft delete table ip theirs")
    assert not vm.ping(INTERNET)
    f = host.finding("not-translated", "warning")
    assert not f["safe"] and f["where"] == "bridge br7"
    host.mended(f)
    assert vm.ping(INTERNET)
    host.well()


def test_not_translated_where_the_next_router_may(host, vm):
    """Its uplink is in a private network itself: whoever is the router there may know the way."""
    host.sh("nft delete table ip theirs; ip addr flush dev eth0; ip addr add 192.168.77.2/24 dev eth0; ip route add default via 192.168.77.1")
    assert host.finding("not-translated", "note")


def test_a_vpn_takes_it_all(host, vm):
    """Two halves of the Internet lead into a tunnel, where nobody translates."""
    host.sh("ip tuntap add tun9 mode tun; ip addr add 100.64.9.1/24 dev tun9; ip link set tun9 up; ip route add 0.0.0.0/1 dev tun9; ip route add 128.0.0.0/1 dev tun9")
    f = host.finding("not-translated", "warning")
    assert evidence(f["diagnosis"], "interface") == ["tun9"]
    host.mended(f)


# ---- firewalls ----


FORWARD_DROP = "nft 'add table inet x; add chain inet x f { type filter hook forward priority 0; policy drop; }'"
FORWARD_RULE = ("nft 'add table inet x; add chain inet x f { type filter hook forward priority 0; }; add chain inet x g;"
                " add rule inet x f jump g; add rule inet x g ip saddr 10.7.0.0/24 counter drop'")


@pytest.mark.parametrize("fault, rule, mend", [
    (FORWARD_DROP, "inet x f policy drop", "nft "),
    (FORWARD_RULE, 'inet x g handle 4 "ip saddr 10.7.0.0/24 counter drop"', "nft "),
    ("iptables-nft -P FORWARD DROP", "ip filter FORWARD policy drop", "iptables-nft -I FORWARD -i br7 -o eth0 -s 10.7.0.0/24 -j ACCEPT && "),
], ids=["policy", "rule", "iptables"])
def test_forward_dropped(host, vm, vm2, fault, rule, mend):
    """Once for all of the network; and it is somebody's policy, so that it is not for --fix."""
    host.sh(fault)
    assert not vm.ping(INTERNET)
    f = host.finding("firewall-forward")
    assert evidence(f["diagnosis"], "rule") == [rule] and f["diagnosis"]["mend"].startswith(mend) and f["where"] == "bridge br7" and not f["safe"]
    host.mended(f)
    host.well()
    assert vm.ping(INTERNET) and vm2.ping(INTERNET)


def test_forward_dropped_for_one_guest(host, vm, vm2):
    host.sh(f"nft 'add table inet x; add chain inet x f {{ type filter hook forward priority 0; }}; add rule inet x f ip saddr {vm2.ip} drop'")
    f = host.finding("firewall-forward")
    assert f["where"] == "port vnet2" and f"ip saddr {vm2.ip} accept" in f["diagnosis"]["mend"]
    host.mended(f)
    host.well()


def test_forward_dropped_in_dockers_layout(host, vm):
    host.sh("iptables-nft -N DOCKER-USER; iptables-nft -A FORWARD -j DOCKER-USER; iptables-nft -P FORWARD DROP")
    f = host.finding("firewall-forward")
    assert f["diagnosis"]["mend"].startswith("iptables-nft -I DOCKER-USER -i br7 -o eth0 -s 10.7.0.0/24 -j ACCEPT && ")
    host.mended(f)
    assert vm.ping(INTERNET)


def test_forward_dropped_by_iptables_legacy(host, vm):
    host.sh("iptables-legacy -P FORWARD DROP")
    f = host.finding("firewall-legacy")
    assert f["diagnosis"]["mend"].startswith("iptables-legacy -I FORWARD ")
    host.sh(f["diagnosis"]["mend"])
    # From here on it has rules, which cannot be read: that is said, and nothing else.
    found = host.well()["findings"]
    assert [x["diagnosis"]["code"] for x in found] == ["unknown"] and "iptables-legacy" in found[0]["diagnosis"]["cause"]


@pytest.mark.parametrize("dport, code", [(67, "firewall-dhcp"), (53, "firewall-input")])
def test_services_behind_a_firewall(host, vm, no_leases, dport, code):
    dnsmasq(host)
    host.well()
    host.sh(f"nft 'add table inet x; add chain inet x in {{ type filter hook input priority 0; }}; add rule inet x in iifname br7 udp dport {dport} drop'")
    f = host.finding(code)
    assert evidence(f["diagnosis"], "rule") == [f'inet x in handle 2 "iifname "br7" udp dport {dport} drop"'] and f"udp dport {dport} accept" in f["diagnosis"]["mend"]
    host.mended(f)
    host.well()


def test_bridged_frames_dropped_by_iptables(host, vm, vm2):
    host.sh("iptables-nft -A FORWARD -i br7 -o eth0 -j ACCEPT; iptables-nft -A FORWARD -i eth0 -o br7 -j ACCEPT; iptables-nft -P FORWARD DROP;"
            "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables")
    assert not vm.ping(vm2.ip)
    f = host.finding("firewall-forward")
    assert "net.bridge.bridge-nf-call-iptables = 1" in evidence(f["diagnosis"], "sysctl") and f["diagnosis"]["mend"] == "iptables-nft -I FORWARD -i br7 -o br7 -j ACCEPT"
    host.mended(f)
    assert vm.ping(vm2.ip)
    host.well()


@pytest.mark.parametrize("fault, tool", [
    ("nft 'add table bridge x; add chain bridge x f { type filter hook forward priority 0; policy drop; }'", "nft"),
    ("ebtables-nft -P FORWARD DROP", "ebtables-nft"),
], ids=["nft", "ebtables"])
def test_bridge_family_drop(host, vm, vm2, fault, tool):
    host.sh(fault)
    f = host.finding("firewall-bridge")
    assert f["diagnosis"]["mend"].split()[0] == tool
    host.mended(f)
    assert vm.ping(vm2.ip)
    host.well()


# ---- bridges and ports ----


def test_bridge_down(host, vm):
    host.sh("ip link set br7 down")
    f = host.finding("bridge-down")
    host.mended(f)


def test_tap_down(host, vm):
    host.sh("ip link set vnet1 down")
    f = host.finding("port-down")
    assert f["where"] == "port vnet1" and not f["safe"]
    host.mended(f)
    host.well()


def test_tap_in_no_bridge(host, vm):
    host.sh("ip link set vnet1 nomaster")
    f = host.finding("not-in-bridge")
    host.mended(f)
    host.well()


def test_tap_that_was_left_behind(host, vm):
    """A name as libvirt's, which takes its taps away with the VM."""
    host.sh("ip tuntap add vnet9 mode tap; ip link set vnet9 master br7 up")
    f = host.finding("leaked-tap", "warning")
    assert f["where"] == "port vnet9" and f["diagnosis"]["mend"] == "ip link del dev vnet9" and not f["safe"]
    host.mended(f)
    host.well()


def test_tap_of_a_vm_that_is_off(host, vm):
    """Made by hand: whether it is left over, nobody knows. It is a note."""
    host.sh("ip tuntap add mine0 mode tap; ip link set mine0 master br7 up")
    f = host.finding("no-vm", "note")
    assert "ip link del dev mine0" in f["diagnosis"]["advice"]


def test_vm_stopped(host, vm):
    vm.vmm.p.send_signal(19)  # SIGSTOP
    wait_for("it to stop", lambda: "\nState:\tT" in open(f"/proc/{vm.vmm.pid}/status", encoding="utf-8").read())
    f = host.finding("vm-not-reading", "warning")
    assert evidence(f["diagnosis"], "process")[0].startswith(f"{vm.vmm.pid} (") and not f["safe"]
    host.mended(f)
    host.well()


def test_stp_keeps_the_port_shut(host, vm):
    host.sh("ip link set br7 type bridge forward_delay 3000 stp_state 1; ip link set vnet1 down; ip link set vnet1 up")
    f = host.finding("port-blocked")
    host.mended(f)
    host.well()


def test_isolated_ports(host, vm, vm2):
    host.sh("bridge link set dev vnet1 isolated on; bridge link set dev vnet2 isolated on")
    f = host.finding("isolated", "note")
    assert sorted(evidence(f["diagnosis"], "interface")) == ["vnet1 isolated on", "vnet2 isolated on"]
    host.mended(f)
    assert vm.ping(vm2.ip)


def test_port_with_a_small_mtu(host, vm, vm2):
    host.sh("ip link set br7 mtu 1500; ip link set vnet2 mtu 900; ip link set br7 mtu 1500")
    f = host.finding("too-big-for-port", "warning")
    assert "vnet2 mtu 900" in evidence(f["diagnosis"], "interface") and f["safe"]
    host.mended(f)
    host.well()


def test_uplink_with_a_small_mtu(host, vm):
    host.sh("ip link set eth0 mtu 1300")
    f = host.finding("mtu-over-uplink", "note")
    assert f["diagnosis"]["mend"] == "ip link set dev br7 mtu 1300"
    host.mended(f)


def test_lan_port_down(host, vm):
    host.sh("ip link add lan0 type vxlan id 5 dstport 4789 local 203.0.113.2; ip link set lan0 mtu 1500 master br7")
    f = host.finding("uplink-down")
    assert f["diagnosis"]["mend"] == "ip link set dev lan0 up"
    host.mended(f)


def test_one_of_two_lan_ports_will_do(host, vm):
    host.sh("for n in 5 6; do ip link add lan$n type vxlan id $n dstport 4789 local 203.0.113.2; ip link set lan$n mtu 1500 master br7; done; ip link set lan6 up")
    host.well()
    host.sh("ip link set br7 type bridge forward_delay 3000 stp_state 1; ip link set lan6 down; ip link set lan6 up")
    shut = [evidence(f["diagnosis"], "interface")[0].split()[0] for f in host.look()["findings"] if f["diagnosis"]["code"] == "port-blocked"]
    assert "lan6" in shut


def test_drop_on_a_bridge_without_address(host, vm, vm2):
    host.sh("ip addr flush dev br7; nft 'add table bridge x; add chain bridge x f { type filter hook forward priority 0; policy drop; }'")
    assert not vm.ping(vm2.ip)
    f = host.finding("firewall-bridge")
    host.mended(f)
    assert vm.ping(vm2.ip)
    host.well()


def as_qemu(world, tap, mac, netns):
    """A process whose command line is QEMU's."""
    p = world.host.python("vmm.py", tap, netns, mac, "1", "-netdev", f"tap,id=n,ifname={tap}", "-device", f"virtio-net-pci,netdev=n,mac={mac}",
                          stdout=subprocess.PIPE, log=f"{world.tmp}/{tap}-q.log")
    assert p.line() == "ready"
    return p


def test_static_entry_at_another_port(host, vm, vm2):
    vm.vmm.end()
    as_qemu(host.world, "vnet1", vm.mac, "vm1")
    host.sh(f"bridge fdb replace {vm.mac} dev vnet2 master static sticky")
    f = host.finding("mac-table-wrong")
    assert evidence(f["diagnosis"], "mac-table") == [f"{vm.mac} dev vnet2 static"] and not f["safe"]
    host.mended(f)
    host.well()


def test_two_guests_with_one_mac(host, vm):
    vm.vmm.end()
    as_qemu(host.world, "vnet1", vm.mac, "vm1")
    host.sh("ip tuntap add vnet2 mode tap vnet_hdr; ip link set vnet2 master br7 up")
    host.world.ns("vm2")
    as_qemu(host.world, "vnet2", vm.mac, "vm2")
    f = host.finding("mac-twice")
    assert len(evidence(f["diagnosis"], "guest")) == 2 and not f["diagnosis"]["mend"]


def test_programs_on_the_way(host, vm, drop_programs):
    """Whether they drop is not known: a note each."""
    host.sh(f"tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress pref 7 bpf da obj {drop_programs} sec tc; ip link set dev vnet1 xdpgeneric obj {drop_programs} sec xdp")
    found = host.well()["findings"]
    seen = [e["text"] for f in found if f["diagnosis"]["code"] == "program" for e in f["diagnosis"]["evidence"]]
    assert "eth0 egress filter pref 7 bpf" in seen and any(s.startswith("vnet1 XDP program ") for s in seen)
    assert "unknown" in [f["diagnosis"]["code"] for f in found]


# ---- subnets, leases, servers ----


def test_subnets_that_overlap(host, vm):
    host.sh("ip link add br8 type bridge; ip addr add 10.7.0.129/25 dev br8; ip link set br8 up")
    f = host.finding("subnet-conflict", only=False)
    assert sorted(evidence(f["diagnosis"], "network")) == ["10.7.0.0/24 dev br7", "10.7.0.128/25 dev br8"]
    host.sh("ip link del br8")
    host.well()


def test_route_into_the_subnet(host, vm):
    host.sh("ip route add 10.7.0.64/26 via 203.0.113.1")
    f = host.finding("subnet-conflict", only=False)
    assert evidence(f["diagnosis"], "route") == ["10.7.0.64/26 dev eth0 table 254 metric 0"]
    host.sh("ip route del 10.7.0.64/26; ip route add 10.0.0.0/8 via 203.0.113.1")
    assert host.finding("subnet-hides", "note")
    host.sh("ip route del 10.0.0.0/8; ip route add 10.7.0.0/24 dev eth0 table 77")
    f = host.finding("subnet-conflict", "warning")
    assert "table 77" in f["diagnosis"]["advice"]


LATER = 4000000000


def test_leases(host, vm, no_leases):
    with open(no_leases, "w", encoding="utf-8") as f:
        f.write(f"{LATER} {vm.mac} {vm.ip} * *\n{LATER} 52:54:00:00:00:99 10.7.0.99 * *\n1000 52:54:00:00:00:98 10.7.0.98 * *\n")
    f = host.finding("lease-stale", "note")
    assert evidence(f["diagnosis"], "lease") == ["10.7.0.99 for 52:54:00:00:00:99"]
    with open(no_leases, "a", encoding="utf-8") as f:
        f.write(f"{LATER} 52:54:00:00:00:97 10.7.0.99 * *\n")
    f = host.finding("lease-twice")
    assert len(evidence(f["diagnosis"], "lease")) == 2
    with open(no_leases, "w", encoding="utf-8") as f:
        f.write(f"{LATER} 52:54:00:00:00:97 {vm.ip} * *\n")
    host.ns.run("busybox", "ping", "-q", "-c", "1", vm.ip)
    f = host.finding("lease-other-mac", "warning")
    assert f"is leased to 52:54:00:00:00:97, but {vm.mac} answers" in f["diagnosis"]["cause"]


def test_two_dhcp_servers(host, vm, no_leases):
    dnsmasq(host)
    second = dnsmasq(host, "--port=0")
    f = host.finding("dhcp-server-twice")
    assert len([e for e in evidence(f["diagnosis"], "socket") if "dnsmasq" in e]) == 2
    second.end()
    host.well()


def test_two_dhcp_servers_on_all_interfaces(host, vm):
    script = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1);"
              "s.bind(('', 67)); print('ready', flush=True); sys.stdin.read()")
    for _ in range(2):
        p = host.ns.start("/usr/bin/python3", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert p.line() == "ready"
    f = host.finding("dhcp-server-twice", "warning")
    assert f["where"] == "host"


def test_libvirts_dnsmasq_does_not_run(host, vm, tmp):
    """Somebody else has port 53."""
    os.makedirs(f"{tmp}/lib/libvirt/dnsmasq")
    with open(f"{tmp}/lib/libvirt/dnsmasq/lab.conf", "w", encoding="utf-8") as f:
        f.write("strict-order\ninterface=br7\nbind-dynamic\ndhcp-range=10.7.0.50,10.7.0.60,255.255.255.0\n")
    subprocess.run(["mount", "--bind", f"{tmp}/lib", "/var/lib"], check=True)
    try:
        p = host.ns.start("/usr/bin/python3", "-uc", "import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 53)); print('ready'); sys.stdin.read()",
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert p.line() == "ready"
        f = host.finding("dhcp-server-missing")
        assert f"UDP 0.0.0.0:53 of {p.pid} (python3" in evidence(f["diagnosis"], "socket")[0]
        assert f["diagnosis"]["mend"] == "virsh net-destroy lab && virsh net-start lab" and not f["safe"]
    finally:
        subprocess.run(["umount", "/var/lib"], check=True)


# ---- the host ----


@pytest.mark.parametrize("text", ["", "nameserver 127.0.0.1\n"])
def test_no_resolver(host, vm, resolv, text):
    with open(resolv, "w", encoding="utf-8") as f:
        f.write(text)
    f = host.finding("resolvers", "warning")
    assert "/etc/resolv.conf" in evidence(f["diagnosis"], "file")[0]


@pytest.mark.long
def test_conntrack_nearly_full(host, vm):
    limit = int(host.ns.sysctl("net/netfilter/nf_conntrack_max"))
    if limit > 600000:
        pytest.skip(f"nf_conntrack_max is {limit}: too many to make")
    with open(f"{host.world.tmp}/connections", "w", encoding="utf-8") as f:
        f.writelines(f"-A -p udp -s 10.6.0.1 -d 10.6.{n >> 16}.2 --sport {n & 0xffff} --dport 9 -t 900 -u SEEN_REPLY,ASSURED\n"
                     for n in range(limit * 93 // 100) if n & 0xffff)
    host.ns.run("conntrack", "-R", f"{host.world.tmp}/connections", check=False, timeout=120)
    f = host.finding("conntrack-full", "warning")
    assert f"net.netfilter.nf_conntrack_max = {limit}" in evidence(f["diagnosis"], "sysctl")
    assert f"sysctl -w net.netfilter.nf_conntrack_max={limit * 2}" in f["diagnosis"]["advice"]
    host.sh("conntrack -F")
    host.well()


def test_no_tun(host, vm):
    subprocess.run(["mount", "--bind", "/dev/null", "/dev/net/tun"], check=True)
    try:
        os.chmod("/run/tun", 0o600)
        host.well()
    finally:
        subprocess.run(["umount", "/dev/net/tun"], check=True)
    f = host.finding("tun-rights", "note")
    assert f["diagnosis"]["mend"] == "chmod 0666 /dev/net/tun"
    host.mended(f)


@pytest.mark.parametrize("mode, word", [(0o4755, "ug-s"), (0o700, "a+rx")])
def test_bridge_helper_with_other_rights(host, vm, tmp, mode, word):
    """Where it is installed, here in a layer above the machine's own files."""
    for d in ("upper/local/libexec/vmlane", "work"):
        os.makedirs(f"{tmp}/{d}")
    prefix = "/usr"
    done = subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={prefix},upperdir={tmp}/upper,workdir={tmp}/work", prefix], check=False)
    if done.returncode:
        pytest.skip("this kernel has no overlay file system")
    try:
        path = "/usr/local/libexec/vmlane/vmlane-bridge-helper"
        with open(path, "w", encoding="utf-8"):
            os.chmod(path, mode)
        f = host.finding("helper-rights", "warning")
        assert f["diagnosis"]["mend"] == f"chmod {word} {path}" and not f["safe"]
        host.mended(f)
        host.well()
    finally:
        subprocess.run(["umount", "-l", prefix], check=True)


def test_ipv6_forwarding_and_deaf(host, vm):
    """The host forwards IPv6, and so has no default route from the router that it knows."""
    host.world.internet6(default=False)
    host.sh("ip -6 addr add fd07::1/64 dev br7 nodad; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_ra;"
            "ip -6 neigh add fe80::1 lladdr 02:00:00:00:00:01 dev eth0 router nud reachable")
    f = host.finding("accept-ra")
    assert f["safe"] and "net/ipv6/conf/eth0/accept_ra = 1 (forwarding: 1)" in evidence(f["diagnosis"], "sysctl")
    host.mended(f)


def test_not_root(host, vm):
    """Others see less, and are told so."""
    done = host.ns.run("setpriv", "--reuid=5", "--regid=5", "--clear-groups", program("vmlane"), "--socket", host.socket, "-o", "json", "doctor", check=False)
    found = json.loads(done.stdout)
    assert "rules-unseen" in [f["diagnosis"]["code"] for f in found["findings"]] and done.returncode == 0, found


# ---- as many as there are ----


@pytest.mark.long
def test_a_thousand_taps(host, vm):
    """It stays quick; the bound is far above what it takes, for busy machines and sanitizers."""
    batch = "".join(f"tuntap add mine{n} mode tap\nlink set mine{n} master br7 up\n" for n in range(1000))
    host.ns.run("ip", "-batch", "-", stdin=batch)
    begin = time.monotonic()
    found = host.look()
    took = time.monotonic() - begin
    assert found["notes"] >= 1000 and found["left_out"] == found["notes"] - len(found["findings"]) and took < 20, took
