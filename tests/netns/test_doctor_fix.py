# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane doctor --fix runs what is safe and nothing else; and the doctor with the daemon: our own networks."""
import json

import pytest

from daemon import DEFAULT, program
from test_doctor import FORWARD_DROP, Doctor, dnsmasq, host, no_leases, resolv, vm, vm2  # noqa: F401  pylint: disable=unused-import
from test_diagnose import evidence
from world import INTERNET, wait_for

pytestmark = pytest.mark.usefixtures("world")


# ---- --fix ----


def test_fix_runs_what_is_safe_and_leaves_the_rest(host, vm, vm2):
    """A port's MTU is put right; whether the guests' addresses shall be translated somebody else may have decided."""
    host.sh("nft delete table ip theirs; ip link set vnet2 mtu 900; ip link set br7 mtu 1500; " + FORWARD_DROP.replace("hook forward", "hook output"))
    host.sh("nft 'add table ip6 y; add chain ip6 y f { type filter hook forward priority 0; }'; bridge link set dev vnet1 isolated off")
    before = host.look()
    assert {f["diagnosis"]["code"]: f["safe"] for f in before["findings"] if f["severity"] != "note"} == {"not-translated": False, "too-big-for-port": True}
    after = host.look("--fix", "--yes")
    assert [(f["code"], f["status"]) for f in after["fixed"]] == [("too-big-for-port", 0)]
    assert [f["diagnosis"]["code"] for f in after["findings"] if f["severity"] != "note"] == ["not-translated"]
    host.sh(next(f for f in after["findings"] if f["diagnosis"]["code"] == "not-translated")["diagnosis"]["mend"])
    assert vm.ping(INTERNET)
    assert host.ns.links()["vnet2"]["mtu"] == 1500
    # Nothing is left to do.
    again = host.look("--fix", "--yes")
    assert again["fixed"] == [] and again["ok"]


def test_fix_undoes_nobodys_policy(host, vm):
    host.sh(FORWARD_DROP + "; ip route add blackhole 9.9.9.9/32; ip tuntap add vnet9 mode tap; ip link set vnet9 master br7 up; ip link set vnet1 mtu 1400; ip link set br7 mtu 1500")
    ruleset, routes = host.ns.run("nft", "list", "ruleset"), host.ns.run("ip", "route")
    done = host.run("-o", "json", "--fix", "--yes")
    after = json.loads(done.stdout)
    assert done.returncode == 4 and [f["code"] for f in after["fixed"]] == ["too-big-for-port"]
    assert {"route-blackhole", "leaked-tap"} <= {f["diagnosis"]["code"] for f in after["findings"]}
    assert host.ns.run("nft", "list", "ruleset") == ruleset and host.ns.run("ip", "route") == routes and "vnet9" in host.ns.links()
    host.sh("ip route del blackhole 9.9.9.9/32")
    done = host.run("-o", "json", "--fix", "--yes")
    after = json.loads(done.stdout)
    assert "firewall-forward" in [f["diagnosis"]["code"] for f in after["findings"]] and host.ns.run("nft", "list", "ruleset") == ruleset


@pytest.mark.parametrize("answer", ["y", "n"])
def test_fix_asks_on_a_terminal(host, vm, vm2, answer):
    host.sh("ip link set vnet2 mtu 900; ip link set br7 mtu 1500")
    done = host.run("--fix")
    assert done.returncode == 1 and "add --yes" in done.stderr
    command = f"{program('vmlane')} --socket {host.socket} doctor --fix"
    done = host.ns.run("script", "-qec", command, "/dev/null", stdin=f"{answer}\n", check=False)
    assert "these commands would be run:" in done.stdout and "run them? [y/N]" in done.stdout
    assert done.returncode == (0 if answer == "y" else 4), done.stdout
    assert ("afterwards:" in done.stdout and "nothing is wrong" in done.stdout) if answer == "y" else "nothing was run" in done.stdout
    assert host.ns.links()["vnet2"]["mtu"] == (1500 if answer == "y" else 900)


@pytest.mark.parametrize("args, code, says", [
    (("br9",), 2, "there is no network and no bridge 'br9' here; there are: br7"),
    (("--yes",), 1, "--yes is for --fix"),
    (("--fix", "-o", "json"), 1, "add --yes"),
    (("br7", "br8"), 1, "br8"),
    (("--netns", "nowhere"), 2, "no network namespace"),
])
def test_refused(host, args, code, says):
    done = host.run(*args)
    assert done.returncode == code and says in done.stderr, done.stderr


def test_one_bridge_of_several(host, vm):
    host.sh("ip link add br8 type bridge; ip addr add 10.8.0.1/24 dev br8; ip link set br8 up; ip tuntap add vnet8 mode tap; ip link set vnet8 master br8 up")
    assert host.codes() == ["leaked-tap"] and host.codes("br8") == ["leaked-tap"]
    assert host.codes("br7") == []
    text = host.run("br8").stdout
    assert "port vnet8 (warning)" in text and "mend: ip link del dev vnet8" in text and "0 errors, 1 warning," in text


# ---- our networks ----


MODES = {
    "default.yaml": DEFAULT,
    "lan.yaml": "network: lan\nmode: routed\nipv4:\n  subnet: 192.168.5.0/24\n",
    "hosts.yaml": "network: hosts\nmode: isolated\nipv4:\n  subnet: 192.168.8.0/24\n",
    "private.yaml": "network: private\nmode: isolated\nhost: false\n",
    "six.yaml": "network: six\nmode: nat\nipv4:\n  subnet: 192.168.9.0/24\nipv6:\n  subnet: auto\nguard: on\n",
}


def test_healthy_networks_of_ours(world, resolv, daemon, guest):
    """All modes with guests that run, and an attached one that is off; with the daemon, and without it but for that it is missing."""
    world.internet6()
    d = daemon(MODES)
    guests = [guest("web1", d=d), guest("web2", d=d), guest("r1", network="lan", d=d), guest("h1", network="hosts", d=d), guest("six1", network="six", d=d)]
    for g in guests:
        g.dhcp()
    guest("off1", tap=True, d=d).off()
    assert guests[0].ping(INTERNET)
    doctor = Doctor(world, d.socket)
    found = doctor.well()
    assert [f for f in found["findings"] if f["severity"] != "note"] == [] and found["daemon"] and found["networks"] == 5 and found["guests"] == 6
    assert found["findings"] == [], found["findings"]
    for name in ("default", "lan", "vl-hosts"):
        assert doctor.well(name)["networks"] == 1
    d.stop()
    f = doctor.finding("daemon-down")
    assert f["safe"] and f["diagnosis"]["mend"] == "systemctl start vmlaned" and "5 of its networks" in f["diagnosis"]["cause"]
    d.start()
    doctor.well()


def test_healthy_bridged_network_of_ours(world, resolv, daemon, guest):
    d = daemon({})
    d.vmlane("network", "create", "lan", "--mode", "bridged", "--uplink", "eth0")
    wait_for("it to be held", lambda: d.network("lan")["takeover"]["phase"] == "held")
    g = guest("web1", network="lan", d=d)
    g.ns.run("sh", "-ec", "ip addr add 203.0.113.11/24 dev eth0; ip route add default via 203.0.113.1")
    assert g.ping(INTERNET)
    assert Doctor(world, d.socket).well()["findings"] == []
    d.vmlane("network", "delete", "lan", "--force")


def test_rules_of_ours_are_gone(world, resolv, vmlaned, guest):
    """Without the daemon, which would put them back."""
    guest("web1").dhcp()
    vmlaned.kill9()
    world.host.nft("flush ruleset")
    doctor = Doctor(world, vmlaned.socket)
    assert {"rules-missing", "daemon-down"} <= set(doctor.codes())
    vmlaned.start()
    doctor.well()


def test_tap_of_ours_that_was_left_behind(world, resolv, vmlaned, guest):
    """With our alias and unknown to the daemon: it is --fix's to remove."""
    guest("web1").dhcp()
    doctor = Doctor(world, vmlaned.socket)
    doctor.sh("ip tuntap add vl-gone mode tap; ip link set vl-gone alias vmlane:guest=gone; ip link set vl-gone master vl-default up")
    found = [f for f in doctor.look()["findings"] if f["diagnosis"]["code"] == "leaked-tap"]
    if not found:
        wait_for("the daemon to have taken it away itself", lambda: "vl-gone" not in world.host.links())
        return
    assert len(found) == 1 and found[0]["safe"] and "vmlaned knows no such guest" in found[0]["diagnosis"]["cause"]
    after = doctor.look("--fix", "--yes")
    assert "leaked-tap" in [f["code"] for f in after["fixed"]] and after["ok"] and "vl-gone" not in world.host.links()


def test_a_network_that_failed_has_no_bridge(world, resolv, daemon):
    """It is there all the same, and what keeps it from working is what the doctor is asked for."""
    world.host.run("sh", "-ec", "ip link add vl-lab type veth peer name other")
    d = daemon({"lab.yaml": "network: lab\nmode: isolated\nipv4:\n  subnet: 192.168.8.0/24\n"})
    doctor = Doctor(world, d.socket)
    found = doctor.look("lab")["findings"]
    assert [f["where"] for f in found if f["diagnosis"]["code"] == "network-failed"] == ["network lab"], found
    done = doctor.run("nobody")
    assert done.returncode == 2 and "there is no network and no bridge 'nobody' here; there are: lab" in done.stderr


def test_the_hosts_daemon_knows_nothing_of_other_namespaces(world, resolv, vmlaned):
    """--netns: a tap with our alias there is nobody's to delete; with --socket it is that daemon that is asked."""
    inside = world.ns("inside")
    inside.run("sh", "-ec", "ip link add br8 type bridge; ip addr add 10.8.0.1/24 dev br8; ip link set br8 up; ip tuntap add vl-off mode tap;"
                            "ip link set vl-off alias vmlane:guest=off; ip link set vl-off master br8 up")
    done = world.host.run(program("vmlane"), "-o", "json", "doctor", "--netns", "inside", check=False)
    assert "leaked-tap" not in done.stdout and json.loads(done.stdout)["daemon"] is False, done.stdout + done.stderr
    done = world.host.run(program("vmlane"), "--socket", vmlaned.socket, "-o", "json", "doctor", "--netns", "inside", check=False)
    assert "leaked-tap" in done.stdout and json.loads(done.stdout)["daemon"] is True, done.stdout + done.stderr


def test_mistakes_in_our_files(world, resolv, vmlaned):
    doctor = Doctor(world, vmlaned.socket)
    doctor.well()
    vmlaned.write("bad.yaml", "network: bad\nmode: nat\nipv4:\n  subnet: 192.168.122.0/24\n")
    vmlaned.restart()
    found = doctor.look()
    assert not found["ok"] and "bad.yaml" in json.dumps(found["findings"]), found


def test_another_dhcp_server_on_our_bridge(world, resolv, vmlaned, guest, no_leases):
    guest("web1").dhcp()
    doctor = Doctor(world, vmlaned.socket)
    p = dnsmasq(doctor, "--dhcp-range=192.168.122.50,192.168.122.60,1h", "--port=0", dev="vl-default")
    f = doctor.finding("dhcp-server-twice")
    assert f["where"] == "network default" and "vmlaned serves DHCP on vl-default" in evidence(f["diagnosis"], "daemon")
    p.end()
    doctor.well()


def test_forwarding_of_ours_is_gone(world, resolv, vmlaned, guest):
    """Docker's FORWARD policy is somebody else's, and our own setting is --fix's to restore."""
    guest("web1").dhcp()
    vmlaned.kill9()
    doctor = Doctor(world, vmlaned.socket)
    doctor.sh("iptables-nft -P FORWARD DROP")
    f = [x for x in doctor.look()["findings"] if x["diagnosis"]["code"] == "firewall-forward"]
    assert len(f) == 1 and f[0]["where"] == "network default" and not f[0]["safe"]
    assert f[0]["diagnosis"]["mend"].startswith("iptables-nft -I FORWARD -i vl-default -o eth0 -s 192.168.122.0/24 -j ACCEPT")
    doctor.sh(f[0]["diagnosis"]["mend"])
    assert doctor.codes() == ["daemon-down"]


def test_sysctl_of_ours_was_changed(world, resolv, vmlaned, guest):
    """By somebody who knows nothing of guests."""
    guest("web1").dhcp()
    doctor = Doctor(world, vmlaned.socket)
    vmlaned.p.p.send_signal(19)  # SIGSTOP: it may be about to put it right
    doctor.sh("echo 0 >/proc/sys/net/ipv4/conf/vl-default/forwarding")
    vmlaned.p.p.send_signal(18)
    found = [f for f in doctor.look()["findings"] if f["diagnosis"]["code"] == "forwarding-off"]
    assert not found or (found[0]["safe"] and found[0]["diagnosis"]["mend"] == "vmlane apply")
    vmlaned.vmlane("apply")
    doctor.well()


def test_ipv6_of_ours_was_switched_off(world, resolv, daemon):
    world.internet6()
    d = daemon({"six.yaml": MODES["six.yaml"]})
    doctor = Doctor(world, d.socket)
    doctor.well()
    doctor.sh("echo 1 >/proc/sys/net/ipv6/conf/vl-six/disable_ipv6")
    found = [f for f in doctor.look()["findings"] if f["diagnosis"]["code"] == "ipv6-disabled"]
    if found:
        assert found[0]["where"] == "network six" and found[0]["diagnosis"]["mend"] == "sysctl -w net/ipv6/conf/vl-six/disable_ipv6=0 && vmlane apply"
        doctor.sh("sysctl -w net/ipv6/conf/vl-six/disable_ipv6=0")
        d.vmlane("apply")
    # Where the daemon has put it right by itself there is nothing to be found.
    wait_for("IPv6 to be back", lambda: world.host.sysctl("net/ipv6/conf/vl-six/disable_ipv6") == "0")
    wait_for("all to be well", lambda: doctor.look()["ok"])


def test_not_for_this_user(world, resolv, vmlaned):
    done = world.host.run("setpriv", "--reuid=1", "--regid=1", "--clear-groups", program("vmlane"), "--socket", vmlaned.socket, "-o", "json", "doctor", check=False)
    found = json.loads(done.stdout)["findings"]
    assert "daemon-forbidden" in [f["diagnosis"]["code"] for f in found]


def test_ports_are_nearly_taken(world, resolv, daemon, guest):
    """Ten ports, of which nine lead to one server; others do not count."""
    d = daemon({"default.yaml": DEFAULT + "nat:\n  ports: 40000-40009\n"})
    g = guest("web1", d=d)
    g.dhcp()
    doctor = Doctor(world, d.socket)

    def take(ports, server):
        lines = "".join(f"-A -p tcp -s {g.ip} -d {server} --sport {n} --dport 80 -r {server} -q 203.0.113.2 --reply-port-src 80 --reply-port-dst {n}"
                        " --state ESTABLISHED -u SEEN_REPLY,ASSURED -t 600\n" for n in ports)
        with open(f"{world.tmp}/connections", "w", encoding="utf-8") as f:
            f.write(lines)
        world.host.run("conntrack", "-R", f"{world.tmp}/connections")

    take(range(40000, 40005), INTERNET)
    take(range(40005, 40010), "198.51.100.8")
    doctor.well()
    take(range(40005, 40009), INTERNET)
    f = doctor.finding("nat-ports", "warning")
    assert f["where"] == "network default" and evidence(f["diagnosis"], "nat") == [f"9 tcp connections as 203.0.113.2 to {INTERNET}:80"]
    take(range(40009, 40010), INTERNET)
    assert doctor.finding("nat-ports")
    world.host.run("conntrack", "-F")
    doctor.well()
