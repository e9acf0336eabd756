# SPDX-License-Identifier: GPL-2.0-or-later
"""What the daemon hears of guests' addresses on the bridges: of guests that never talk to the host, too."""
import time

from foreign import ForeignGuest, make_host
from packet import ARP, BROADCAST, DhcpPeer, Ether, Wire
from test_monitor import Listener
from world import wait_for

LAN = {"network": "lan", "mode": "bridged", "uplink": "eth0"}
SIX = """network: default
mode: nat
ipv4: { subnet: 192.168.122.0/24 }
ipv6: { subnet: fd12:3456:789a::/64 }
dhcp: { range: 192.168.122.2-192.168.122.254 }
"""


def sightings(d, **keys):
    """By address; those only that have all of @keys."""
    return {s["address"]: s for s in d.get("/v1/sightings")["sightings"] if all(s[k] == v for k, v in keys.items())}


def listed(d):
    return {g["tap"]: g for g in d.vmlane("guest", "list")["guests"]}


def addresses(guest):
    return {a["address"]: a for a in guest["addresses"] if not a["address"].startswith("fe80:")}


def heard(d, address, **keys):
    """It is, and how."""
    wait_for(f"{address} {keys} to be heard", lambda: address in sightings(d, **keys))
    return sightings(d, **keys)[address]


def announce(guest, address, mac=None):
    """As a host does that has taken an address (RFC 5227)."""
    wire = Wire(guest.ns)
    mac = mac or guest.mac
    wire.send(Ether(src=mac, dst=BROADCAST) / ARP(op=1, hwsrc=mac, psrc=address, pdst=address))
    wire.close()


def says(d, guest, address, mac=None, **keys):
    """announce(), again until it is heard: the daemon may have to notice a new bridge first."""
    wait_for(f"{address} to be heard", lambda: announce(guest, address, mac) or address in sightings(d, **keys))
    return sightings(d, **keys)[address]


def forget(world):
    """The host has never talked to anybody."""
    world.host.run("ip", "neigh", "flush", "all")


def test_nat(vmlaned, guest):
    """A lease stays a lease, and an address that nobody gave is seen."""
    web = guest("web1", tap=True)
    web.dhcp()
    m = Listener(vmlaned)
    assert web.ns.run("busybox", "ping", "-q", "-c", 1, "192.168.122.1")
    s = heard(vmlaned, web.ip)
    assert (s["network"], s["guest"], s["bridge"], s["port"], s["mac"], s["source"]) == \
        ("default", "web1", "vl-default", "vl-web1", web.mac, "arp")
    assert (s["stale"], s["duplicate"], s["also_at"], s["vlan"]) == (False, False, None, None) and s["age_s"] >= 0
    mine = addresses(listed(vmlaned)["vl-web1"])
    assert mine[web.ip]["source"] == "lease" and mine[web.ip]["age_s"] is not None
    # Its guards let it announce what it is allowed to only.
    announce(web, "192.168.122.99")
    web.allowed("192.168.122.98")
    assert says(vmlaned, web, "192.168.122.98")["guest"] == "web1" and "192.168.122.99" not in sightings(vmlaned)
    told = m.expect("guest-address", address="192.168.122.98", guest="web1", network="default")
    assert (told["source"], told["port"], told["mac"], told["bridge"]) == ("arp", "vl-web1", web.mac, "vl-default")
    assert "ARP seen at vl-web1" in told["text"]
    # It is over with whoever was behind the port.
    web.vmm.end()
    wait_for("what was behind it to be forgotten", lambda: not sightings(vmlaned))


def test_privacy_addresses(daemon, guest):
    """The addresses that a guest makes for itself and tells nobody of."""
    d = daemon({"default.yaml": SIX})
    web = guest("web1", d=d)
    web.ns.run("sh", "-ec", "cd /proc/sys/net/ipv6/conf/eth0; echo 2 >use_tempaddr; ip link set eth0 down; ip link set eth0 up")

    def temporary():
        infos = [i for link in web.ns.ip("-6", "addr", "show", "dev", "eth0") for i in link["addr_info"]]
        return [i["local"] for i in infos if i.get("temporary") and i["local"].startswith("fd12:")]

    address = wait_for("a privacy address", temporary)[0]
    s = heard(d, address, source="nd")
    assert (s["guest"], s["mac"], s["network"]) == ("web1", web.mac, "default")
    # The link's, the one made of the MAC, and this; each when its duplicates are looked for.
    wait_for("the others", lambda: len(sightings(d, guest="web1", source="nd")) >= 3)
    assert address in addresses(listed(d)["vl-web1"])
    assert [g["name"] for g in d.vmlane("guest", "find", address)["guests"]] == ["web1"]


def test_bridged(world, daemon, guest):
    """Guests on the LAN that talk to each other, never to the host."""
    d = daemon({})
    status, answer = d.api("POST", "/v1/networks", LAN)
    assert status == 201, answer
    wait_for("the gateway to answer", lambda: d.network("lan")["takeover"]["phase"] == "held")
    world.internet.start("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=eth0", "--bind-interfaces",
                         "--dhcp-range=203.0.113.100,203.0.113.150,1h", "--no-ping", f"--dhcp-leasefile={world.tmp}/leases",
                         "--user=root", log=f"{world.tmp}/dnsmasq.log")
    m = Listener(d)
    one, two = guest("one", d=d, network="lan"), guest("two", d=d, network="lan")
    one.dhcp(client="dhclient")
    s = heard(d, one.ip, guest="one")
    assert s["source"] in ("dhcp", "arp") and s["network"] == "lan"
    two.static("203.0.113.77", gateway="203.0.113.1")
    two.ns.run("ip", "addr", "add", "2001:db8:5::77/64", "dev", "eth0")
    assert two.ns.run("busybox", "ping", "-q", "-c", 1, "-W", 20, one.ip)
    assert heard(d, "203.0.113.77", guest="two")["source"] == "arp"
    assert heard(d, "2001:db8:5::77", guest="two")["source"] == "nd"  # its DAD
    assert "203.0.113.77" not in world.host.run("ip", "neigh")
    for address, source in (("203.0.113.77", "arp"), ("2001:db8:5::77", "nd")):
        assert addresses(listed(d)["vl-two"])[address]["source"] == source
        m.expect("guest-address", address=address, guest="two", network="lan", source=source)
    line = d.vmlane("guest", "find", "203.0.113.77", json_out=False)
    assert line.startswith("two: running") and "203.0.113.77 (ARP seen " in line and "2001:db8:5::77 (ND seen " in line
    assert "203.0.113.77 (ARP seen)" in d.vmlane("guest", "list", json_out=False)
    # The LAN's hosts are known as well, and are no guests of this one.
    world.internet.run("ip", "neigh", "flush", "all")
    world.internet.run("busybox", "ping", "-q", "-c", 1, "-W", 20, one.ip)
    router = heard(d, "203.0.113.1")
    assert (router["port"], router["guest"]) == ("eth0", None)
    assert not m.of("guest-address", port="eth0")
    # One of them takes a guest's address.
    world.internet.run("ip", "addr", "add", "203.0.113.77/24", "dev", "eth0")
    world.internet.run("busybox", "arping", "-U", "-c", 1, "-I", "eth0", "203.0.113.77", check=False)
    announce(two, "203.0.113.77")
    wait_for("both to be flagged", lambda: addresses(listed(d)["vl-two"])["203.0.113.77"]["duplicate"])


def test_foreign_bridge(world, daemon):
    """Somebody else's bridge and guests, which come and go while the daemon runs."""
    d = daemon({})
    make_host(world)
    one, two = ForeignGuest(world, 1), ForeignGuest(world, 2)
    assert one.reaches(two.ip)
    s = says(d, one, one.ip)
    assert (s["network"], s["guest"], s["bridge"], s["port"], s["mac"], s["source"]) == (None, None, "br7", "vnet1", one.mac, "arp")
    says(d, two, two.ip)
    forget(world)
    for g in (one, two):
        mine = addresses(listed(d)[g.tap])
        assert mine[g.ip]["source"] == "arp" and not mine[g.ip]["stale"] and not mine[g.ip]["duplicate"]
        assert [f["tap"] for f in d.vmlane("guest", "find", g.ip)["guests"]] == [g.tap]
    # Guests inside a guest, behind the same port.
    assert says(d, one, "10.7.0.200", mac="02:00:00:00:00:05")["port"] == "vnet1"
    assert "10.7.0.200" in addresses(listed(d)["vnet1"])
    # With its port all of it goes.
    one.vmm.end()
    world.host.run("ip", "link", "del", "vnet1")
    wait_for("the end of vnet1", lambda: set(sightings(d)) & {one.ip, "10.7.0.200"} == set())
    assert two.ip in sightings(d)
    # So it does with its bridge.
    world.host.run("ip", "link", "set", "vnet2", "nomaster")
    wait_for("vnet2 to have left", lambda: two.ip not in sightings(d))
    world.host.run("ip", "link", "set", "vnet2", "master", "br7")
    says(d, two, two.ip)
    world.host.run("ip", "link", "del", "br7")
    wait_for("the end of br7", lambda: not sightings(d))


def test_dhcp_of_others(world, daemon):
    """Where a bridge leads to a LAN its DHCP is listened to: what a client asks for, and what it is refused."""
    d = daemon({})
    make_host(world)
    world.host.run("sh", "-ec", "ip link add nic0 type vxlan id 7 dstport 4789 local 203.0.113.2; ip link set nic0 master br7 up")
    one = ForeignGuest(world, 1)
    peer = DhcpPeer(one.ns, one.mac)

    def asked():
        # Until its listening has begun; a client asks again, too.
        peer.send("request", ("requested_addr", "192.0.2.55"), ("server_id", "192.0.2.1"))
        return "192.0.2.55" in sightings(d)

    wait_for("the request to be heard", asked)
    s = heard(d, "192.0.2.55", source="dhcp")
    assert (s["port"], s["mac"]) == ("vnet1", one.mac)
    assert addresses(listed(d)["vnet1"])["192.0.2.55"]["source"] == "dhcp"
    assert "192.0.2.55 (DHCP seen " in d.vmlane("guest", "find", "192.0.2.55", json_out=False)
    peer.send("decline", ("requested_addr", "192.0.2.55"), ("server_id", "192.0.2.1"))
    wait_for("it to be declined", lambda: "192.0.2.55" not in sightings(d))
    # What was seen in use is not taken back with it.
    says(d, one, "192.0.2.56", source="arp")
    wait_for("the request to be heard", asked)
    peer.send("release", ("server_id", "192.0.2.1"))
    wait_for("it to be released", lambda: "192.0.2.55" not in sightings(d))
    assert "192.0.2.56" in sightings(d)


def test_one_address_at_two_ports(world, daemon):
    d = daemon({})
    make_host(world)
    m = Listener(d)
    one, two = ForeignGuest(world, 1), ForeignGuest(world, 2, address="10.7.0.11")
    says(d, one, "10.7.0.11", port="vnet1")
    announce(two, "10.7.0.11")
    told = m.expect("duplicate-address", address="10.7.0.11")
    assert {told["port"], told["other_port"]} == {"vnet1", "vnet2"} and {told["mac"], told["other_mac"]} == {one.mac, two.mac}
    assert told["bridge"] == "br7"
    for g in (one, two):
        row = listed(d)[g.tap]
        assert addresses(row)["10.7.0.11"]["duplicate"] and "duplicate-address" in row["notes"]
    # The same is not told again and again.
    for _ in range(5):
        announce(one, "10.7.0.11")
        announce(two, "10.7.0.11")
    announce(one, "10.7.0.111")
    m.expect("guest-address", address="10.7.0.111")
    assert len(m.of("duplicate-address")) == 1
    two.vmm.end()
    world.host.run("ip", "link", "del", "vnet2")
    wait_for("one to have it alone", lambda: not addresses(listed(d)["vnet1"])["10.7.0.11"]["duplicate"])


def test_one_mac_at_two_ports(world, daemon):
    """The bridge has room for one of them: only who comes and goes again and again is at both."""
    d = daemon({})
    make_host(world)
    m = Listener(d)
    mac = "52:54:00:07:00:aa"
    one, two = ForeignGuest(world, 1, mac=mac), ForeignGuest(world, 2, mac=mac)
    says(d, one, one.ip, port="vnet1")
    says(d, two, two.ip, port="vnet2")
    announce(one, one.ip)
    told = m.expect("duplicate-mac", mac=mac)
    assert {told["port"], told["other_port"]} == {"vnet1", "vnet2"}
    for g in (one, two):
        assert "duplicate-mac" in listed(d)[g.tap]["notes"]


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


def resident_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


def test_flood(world, daemon):
    """Lies by the hundred thousand: so much is looked at a second, and a port has room for so much."""
    d = daemon({})
    make_host(world)
    one, two = ForeignGuest(world, 1), ForeignGuest(world, 2)
    says(d, two, two.ip)
    m = Listener(d)
    before, rss, cpu, begin = d.get("/v1/sightings")["heard"], resident_kb(d.p.pid), cpu_s(d.p.pid), time.monotonic()
    wire = Wire(one.ns)
    sent = 0
    while time.monotonic() < begin + 4:
        for _ in range(500):
            mac = f"02:00:{sent >> 24 & 255:02x}:{sent >> 16 & 255:02x}:{sent >> 8 & 255:02x}:{sent & 255:02x}"
            b = bytes.fromhex(mac.replace(":", ""))
            address = bytes([10, 9, sent >> 8 & 255, sent & 255])
            wire.s.send(b"\xff" * 6 + b + b"\x08\x06\0\1\x08\0\6\4\0\1" + b + address + b"\0" * 6 + address)
            sent += 1
    wire.close()
    took = time.monotonic() - begin
    answer = d.get("/v1/sightings")
    took += time.monotonic() - begin - took
    assert sent > 5000, "no flood"
    assert 0 < answer["heard"] - before <= 1000 + 500 * (took + 1), f"of {sent}"
    at_port = [s for s in answer["sightings"] if s["port"] == "vnet1"]
    assert 200 < len(at_port) <= 256 * 16 and len({s["mac"] for s in at_port}) <= 256
    assert two.ip in sightings(d), "a neighbour's sightings went for the flood"
    assert resident_kb(d.p.pid) - rss < 20000
    assert cpu_s(d.p.pid) - cpu < took  # generous: it is a few per cent
    assert len(m.of("guest-address")) <= 30 + took + 30
    # When it is over all is heard again.
    says(d, two, "10.7.0.222")


def test_restart_and_switch(world, daemon):
    """What was heard is not kept; and nothing is heard where nobody shall listen."""
    d = daemon({})
    make_host(world)
    one = ForeignGuest(world, 1)
    says(d, one, one.ip)
    d.stop()
    d.start()
    assert d.get("/v1/sightings")["on"] and one.ip not in sightings(d)
    says(d, one, one.ip)
    d.stop()
    d.args.append("--no-snoop")
    d.start()
    announce(one, one.ip)
    assert d.get("/v1/sightings") == {"on": False, "sightings": [], "heard": 0, "evicted": 0}
    assert not [line for line in world.host.run("cat", "/proc/net/packet").splitlines()[1:] if line.split()[3] == "0806"]
