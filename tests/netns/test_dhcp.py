# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses: the real clients, the messages of RFC 2131, and what must not happen."""
import ipaddress
import time

import pytest

from daemon import DEFAULT
from packet import BOOTP, DHCP, IP, UDP, DhcpPeer, Ether
from world import Monitor, wait_for


@pytest.fixture
def vmlaned(daemon):
    """One guest speaks for many clients here, and with addresses of nobody: without guards."""
    return daemon({"default.yaml": DEFAULT + "guard: off\n"})

CLIENTS = ["udhcpc", "dhclient", "dhcpcd"]
RANGE = (ipaddress.ip_address("192.168.122.2"), ipaddress.ip_address("192.168.122.254"))
FIXED = DEFAULT + """guests:
  web1:
    mac: 52:54:00:39:d3:fe
    ipv4: 192.168.122.10
"""


@pytest.mark.parametrize("client", CLIENTS)
def test_client_is_told_everything(daemon, guest, client):
    d = daemon({"default.yaml": DEFAULT + "mtu: 1400\n"})
    g = guest("web1", d=d)
    told = g.dhcp(client, arp=True)
    assert RANGE[0] <= ipaddress.ip_address(told["address"]) <= RANGE[1]
    assert told["prefix"] == 24
    assert told["router"] == told["server"] == "192.168.122.1"
    assert told["dns"] == "203.0.113.1"
    assert told["domain"] == "default.vm"
    assert told["mtu"] == "1400"
    assert told["hostname"] == "web1"
    assert told["lease"] == "3600"
    assert told["broadcast"] == "192.168.122.255"
    lease = d.lease(g.mac)
    assert lease["address"] == told["address"] and lease["guest"] == "web1" and not lease["fixed"]
    assert 3590 <= lease["expires_in_s"] <= 3600
    assert g.show()["ipv4"] == told["address"] and g.show()["ipv4_source"] == "lease"
    assert g.http()["address"] == "203.0.113.2"


@pytest.mark.parametrize("client", CLIENTS)
def test_release_and_the_same_address_again(vmlaned, guest, client):
    g = guest("web1")
    told = g.dhcp(client)
    mac = g.mac
    # Who sends its RELEASE and drops its address at once must know the server's MAC by then.
    assert g.ping("192.168.122.1")
    told["client"].released()
    wait_for("the release", lambda: vmlaned.lease(mac) is None)
    assert g.dhcp("udhcpc")["address"] == told["address"]


def test_renew_extends_the_lease(vmlaned, guest):
    g = guest("web1")
    told = g.dhcp("udhcpc")
    first = vmlaned.lease(g.mac)
    time.sleep(1.1)  # leases count whole seconds
    again = told["client"].renew()
    assert again["address"] == told["address"]
    assert vmlaned.lease(g.mac)["expires"] > first["expires"]


def test_short_lease_is_renewed_by_the_client_itself(daemon, guest):
    d = daemon({"default.yaml": DEFAULT.replace("lease: 1h", "lease: 2m")})
    g = guest("web1", d=d)
    peer = DhcpPeer(g.ns, g.mac)
    _, options = peer.bind()
    assert options["lease_time"] == 120 and options["renewal_time"] == 60 and options["rebinding_time"] == 105


def test_fixed_address(daemon, guest):
    d = daemon({"default.yaml": FIXED})
    other = guest("other", d=d)
    web1 = guest("web1", d=d)
    assert web1.mac == "52:54:00:39:d3:fe"
    assert other.dhcp("udhcpc", request="192.168.122.10")["address"] != "192.168.122.10"
    assert web1.dhcp("udhcpc", request="192.168.122.77")["address"] == "192.168.122.10"
    assert d.lease(web1.mac)["fixed"] and web1.show()["ipv4_source"] == "fixed"


def test_two_guests_have_two_addresses(guest):
    one, two = guest("one"), guest("two")
    assert one.mac != two.mac
    assert one.dhcp()["address"] != two.dhcp()["address"]
    assert one.ping(two.ip) and two.ping(one.ip)


def test_clones_with_one_client_id_do_not_fight(vmlaned, guest):
    """Two machines of one image have the same machine-id, so the same client identifier."""
    one, two = guest("one"), guest("two")
    clone = ("client_id", b"\xff\0\0\0\1\0\2same-machine-id")
    first, _ = DhcpPeer(one.ns, one.mac).bind(clone)
    second, _ = DhcpPeer(two.ns, two.mac).bind(clone)
    assert first != second
    assert vmlaned.lease(one.mac)["address"] == first and vmlaned.lease(two.mac)["address"] == second


def test_mac_is_the_same_next_time(vmlaned, guest):
    first = guest("web1")
    mac, address = first.mac, first.dhcp()["address"]
    first.off()
    wait_for("the guest to be gone", lambda: not any(
        x["name"] == "web1" and x["state"] == "running" for x in vmlaned.get("/v1/guests")["guests"]))
    again = guest("web1")
    assert again.mac == mac and again.dhcp()["address"] == address


def test_declined_address_rests(vmlaned, guest):
    g = guest("web1")
    peer = DhcpPeer(g.ns, g.mac)
    address, options = peer.bind()
    peer.send("decline", ("requested_addr", address), ("server_id", options["server_id"]))
    wait_for("the decline", lambda: any(x["address"] == address and x["state"] == "declined"
                                        for x in vmlaned.get("/v1/leases")["leases"]))
    assert peer.bind()[0] != address


def test_init_reboot(guest):
    g = guest("web1")
    peer = DhcpPeer(g.ns, g.mac)
    address, _ = peer.bind()
    peer.xid += 1
    assert peer.ask("request", ("requested_addr", address))[0] == "ack"
    # An address of another network: no, and at once (RFC 2131 4.3.2).
    assert peer.ask("request", ("requested_addr", "10.9.8.7"))[0] == "nak"
    # Of this network but somebody else's.
    other = guest("web2")
    taken = other.dhcp()["address"]
    assert peer.ask("request", ("requested_addr", taken))[0] == "nak"
    # A client we do not know may have what is free: no other server of the network could know it.
    stranger = DhcpPeer(g.ns, "52:54:00:00:00:99")
    assert stranger.ask("request", ("requested_addr", "192.168.122.200"))[:2] == ("ack", "192.168.122.200")


def test_renewing_and_rebinding(guest):
    g = guest("web1")
    peer = DhcpPeer(g.ns, g.mac)
    address, _ = peer.bind()
    g.static(address)
    bridge = g.ns.run("busybox", "arping", "-c", "1", "-I", "eth0", "192.168.122.1").split("[")[1].split("]")[0]
    renewing = peer.ask("request", ciaddr=address, src=address, flags=0, dst="192.168.122.1", eth_dst=bridge)
    assert renewing[:2] == ("ack", address)
    rebinding = peer.ask("request", ciaddr=address, src=address, flags=0)
    assert rebinding[:2] == ("ack", address)


def test_inform_has_no_lease(vmlaned, guest):
    g = guest("web1")
    g.static("192.168.122.240")
    kind, yiaddr, options = DhcpPeer(g.ns, g.mac).ask("inform", ciaddr="192.168.122.240", src="192.168.122.240")
    assert (kind, yiaddr) == ("ack", "0.0.0.0")
    assert options["router"] == "192.168.122.1" and "lease_time" not in options
    assert vmlaned.lease(g.mac) is None


def test_pool_runs_out_and_recovers(daemon, guest):
    d = daemon({"default.yaml": DEFAULT.replace("122.2-192.168.122.254", "122.2-192.168.122.3") + "guard: off\n"})
    g = guest("web1", d=d)
    peers = [DhcpPeer(g.ns, f"52:54:00:00:01:{i:02x}") for i in range(3)]
    got = {p.bind()[0] for p in peers[:2]}
    assert got == {"192.168.122.2", "192.168.122.3"}
    before = d.status()["counters"]["dhcp"]["ignored"]
    assert peers[2].ask("discover", timeout=0.5) is None
    assert d.status()["counters"]["dhcp"]["ignored"] > before
    d.vmlane("lease", "release", "default", "192.168.122.2")
    assert peers[2].bind()[0] == "192.168.122.2"


def test_address_in_use_without_a_lease_is_not_given_away(guest):
    """Somebody configured by hand uses the address that is asked for; ARP tells."""
    squatter, g = guest("squatter"), guest("web1")
    peer = DhcpPeer(g.ns, g.mac)
    squatter.static("192.168.122.77")
    assert squatter.ping("192.168.122.1")
    assert peer.bind(wish="192.168.122.77")[0] != "192.168.122.77"
    # But nobody drives the holder of a lease away by claiming its address.
    address = peer.bind()[0]
    squatter.ns.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
    squatter.ns.run("busybox", "arping", "-c", "1", "-U", "-I", "eth0", address, check=False)
    assert peer.bind()[0] == address


def test_host_firewall_that_drops_input(world, vmlaned, guest):
    world.host.nft("table inet foreign { chain input { type filter hook input priority 0; policy drop; }; }\n")
    g = guest("web1")
    for client in CLIENTS:
        assert g.dhcp(client)["client"]
        g.ns.run("ip", "-4", "addr", "flush", "dev", "eth0")
    vmlaned.stop()
    assert "chain input" in world.host.run("nft", "list", "table", "inet", "foreign")


def test_ack_means_stored(vmlaned, guest):
    """kill -9 right behind an ACK: the lease is there."""
    g = guest("web1")
    for i in range(8):
        mac = f"52:54:00:00:02:{i:02x}"
        address, _ = DhcpPeer(g.ns, mac).bind()
        vmlaned.kill9()
        vmlaned.start()
        assert vmlaned.lease(mac)["address"] == address


def test_answers_in_milliseconds(guest):
    """Nobody waits for a ping check: well under the 3 s that others take."""
    g = guest("web1")
    times = []
    for i in range(10):
        peer = DhcpPeer(g.ns, f"52:54:00:00:03:{i:02x}")
        start = time.monotonic()
        peer.bind()
        times.append(time.monotonic() - start)
    assert sorted(times)[5] < 0.5


def test_garbage_is_counted_and_survived(vmlaned, guest):
    g = guest("web1")
    peer = DhcpPeer(g.ns, g.mac)
    before = vmlaned.status()["counters"]["dhcp"]
    head = Ether(src=g.mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255")
    bootp = BOOTP(op=1, xid=1, chaddr=b"\2" * 16)
    bad = [b"", b"\1" * 10, bytes(bootp), b"\xff" * 1400, bytes(bootp) + b"c\x82Sc" + b"\x35",
           bytes(bootp) + b"c\x82Sc" + b"\x35\x01\x63\xff", bytes(bootp) + b"c\x82Sc" + b"\x37\xff\x01"]
    for payload in bad:
        peer.wire.send(head / UDP(sport=68, dport=67) / payload)
    # A wrong checksum, an answer instead of a question, a length that lies.
    peer.wire.send(head / UDP(sport=68, dport=67, chksum=0x1234) / bootp / DHCP(options=[("message-type", 1), "end"]))
    peer.wire.send(head / UDP(sport=68, dport=67) / BOOTP(op=2, xid=1) / DHCP(options=[("message-type", 2), "end"]))
    peer.wire.send(head / UDP(sport=68, dport=67, len=9000) / bootp)
    assert peer.bind()[0]
    after = vmlaned.status()["counters"]["dhcp"]
    assert after["bad"] - before["bad"] >= 5
    assert vmlaned.p.alive()


def test_bootp_relay_from_a_guest_is_no_way_to_others_leases(vmlaned, guest):
    """chaddr that is not the sender's own MAC must not release or take another guest's lease."""
    victim, thief = guest("victim"), guest("thief")
    address = victim.dhcp()["address"]
    peer = DhcpPeer(thief.ns, thief.mac)
    peer.send("release", ("server_id", "192.168.122.1"), ciaddr=address, src=address, dst="192.168.122.1",
              chaddr=victim.mac)
    peer.send("release", ("server_id", "192.168.122.1"), ciaddr=address, src=address, dst="192.168.122.1")
    thief.dhcp()  # whatever was sent before has been read now
    assert vmlaned.lease(victim.mac)["address"] == address


def test_dhcp_changes_nothing_in_the_kernel(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    writes, nft = vmlaned.writes(), Monitor(world.host, "nft")
    g.dhcp("dhclient")
    assert vmlaned.writes() == writes and nft.lines() == []
