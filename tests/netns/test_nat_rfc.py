# SPDX-License-Identifier: GPL-2.0-or-later
"""How address translation behaves, demand by demand of RFC 4787 (UDP), 5382 (TCP) and 5508 (ICMP);
docs/RFC-MAP.md lists them. Where we do something else the test shows what that is."""
import errno
import re
import select
import socket
import time

import pytest

from daemon import DEFAULT, HOOKS
from packet import IP, UDP, Ether, Wire, tcp_ask, udp_ask
from scapy.layers.inet import ICMP, TCP, fragment
from scapy.layers.inet import IPerror, TCPerror, UDPerror
from scapy.packet import Raw
from world import INTERNET, TIMEOUT, UPLINK, wait_for

OTHER = "198.51.100.8"  # a second server
IP_RECVERR = 11  # linux/in.h


def outside(world, kind=socket.SOCK_DGRAM, address=INTERNET, port=0):
    with world.internet.enter():
        s = socket.socket(socket.AF_INET, kind)
    s.settimeout(TIMEOUT)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    return s


def inside(g, kind=socket.SOCK_DGRAM, port=0):
    with g.ns.enter():
        s = socket.socket(socket.AF_INET, kind)
    s.settimeout(TIMEOUT)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((g.ip, port))
    return s


def second_server(world):
    world.internet.run("ip", "addr", "add", f"{OTHER}/32", "dev", "lo")


def gateway_mac(g):
    g.ns.run("busybox", "arping", "-c", "1", "-w", "5", "-I", "eth0", "192.168.122.1")
    g.ping("192.168.122.1")
    return next(n["lladdr"] for n in g.ns.ip("neigh", "show", "192.168.122.1", "dev", "eth0"))


def flows(world, proto, **want):
    """Conntrack's entries of @proto: seconds left, state, original tuple; those that match."""
    found = []
    for line in world.host.run("cat", "/proc/net/nf_conntrack").splitlines():
        words = line.split()
        entry = {"left": int(words[4]), "line": line}
        if words[2] != proto:
            continue
        entry["state"] = words[5] if proto == "tcp" else "UNREPLIED" if "[UNREPLIED]" in line else "REPLIED"
        for key, value in re.findall(r"(\w+)=(\S+)", line):
            entry.setdefault(key, value)
        if all(entry.get(k) == str(v) for k, v in want.items()):
            found.append(entry)
    return found


def flow(world, proto, **want):
    found = flows(world, proto, **want)
    assert len(found) == 1, f"{want}: {found}"
    return found[0]


def await_state(world, state, **want):
    return wait_for(f"a flow in {state}", lambda: next((f for f in flows(world, "tcp", **want)
                                                        if f["state"] == state), None))


def lives(entry, seconds):
    """It was given @seconds, a moment ago."""
    assert seconds - 20 <= entry["left"] <= seconds, entry


@pytest.fixture
def web1(guest):
    g = guest("web1")
    g.dhcp()
    return g


# ---- mapping ----


def test_one_socket_is_one_address_and_port_to_all(world, guest, web1):
    """RFC 4787 REQ-1, 5382 REQ-1: endpoint-independent mapping; also where the port was taken."""
    second_server(world)
    other = guest("web2")
    other.dhcp()
    with outside(world, port=9000) as one, outside(world, address=OTHER, port=9001) as two:
        seen = {}
        for g in (web1, other):
            with inside(g, port=5000) as c:
                for server, to in ((one, (INTERNET, 9000)), (two, (OTHER, 9001))):
                    c.sendto(b"who am I?", to)
                    source = server.recvfrom(100)[1]
                    seen.setdefault(g.name, set()).add(source)
                    server.sendto(b"you", source)
                    assert c.recvfrom(100) == (b"you", to)
        assert seen["web1"] == {(UPLINK, 5000)}  # kept where it is free
        assert len(seen["web2"]) == 1 and seen["web2"] != seen["web1"]  # and where it is not
    for address in (INTERNET, OTHER):
        assert tcp_ask(web1.ns, 5001, address) == {"address": UPLINK, "port": 5001}


def test_a_port_may_serve_two_guests_towards_different_servers(world, guest, web1):
    """RFC 4787 REQ-3 and 5382 REQ-7 forbid that; conntrack knows no other way. See Deviations."""
    second_server(world)
    other = guest("web2")
    other.dhcp()
    with outside(world, port=9000) as one, outside(world, address=OTHER, port=9001) as two:
        with inside(web1, port=5000) as a, inside(other, port=5000) as b:
            a.sendto(b"x", (INTERNET, 9000))
            assert one.recvfrom(10)[1] == (UPLINK, 5000)
            b.sendto(b"x", (OTHER, 9001))
            assert two.recvfrom(10)[1] == (UPLINK, 5000)
            # Each still hears what is for it.
            two.sendto(b"for b", (UPLINK, 5000))
            one.sendto(b"for a", (UPLINK, 5000))
            assert (a.recv(10), b.recv(10)) == (b"for a", b"for b")


def test_who_was_not_asked_does_not_get_in(world, web1):
    """RFC 4787 REQ-8, 5382 REQ-3: filtering is by address and port."""
    second_server(world)
    with outside(world, port=9000) as asked, outside(world, port=9001) as port, \
            outside(world, address=OTHER, port=9000) as address, inside(web1, port=5000) as c:
        c.sendto(b"x", (INTERNET, 9000))
        mapped = asked.recvfrom(10)[1]
        port.sendto(b"another port", mapped)
        address.sendto(b"another address", mapped)
        asked.sendto(b"asked", mapped)
        assert c.recv(100) == b"asked"
        c.setblocking(False)
        with pytest.raises(BlockingIOError):
            c.recv(100)
        # That they were refused is told, by the host: it was for the host then.
        for s in (port, address):
            s.connect(mapped)
            s.send(b"x")
            with pytest.raises(ConnectionRefusedError):
                s.recv(1)


def test_a_mapping_is_not_reached_from_inside(guest, web1):
    """RFC 4787 REQ-9, 5382 REQ-8, 5508 REQ-7 want hairpinning; only port forwards have it. See
    Deviations: it is for the host then, which is closed to guests."""
    assert udp_ask(web1.ns, 5000)["port"] == 5000
    other = guest("web2")
    other.dhcp()
    with inside(other) as c:
        c.connect((UPLINK, 5000))
        c.send(b"hello?")
        with pytest.raises(OSError) as refused:
            c.recv(1)
        assert refused.value.errno == errno.EHOSTUNREACH


# ---- lifetimes ----


def test_udp_lifetimes(world, web1):
    """RFC 4787 REQ-5: two minutes at least, five are recommended; REQ-6: what goes out renews it."""
    with outside(world, port=9000) as s, inside(web1, port=5000) as c:
        c.sendto(b"x", (INTERNET, 9000))
        mapped = s.recvfrom(10)[1]
        lives(flow(world, "udp", sport=5000), 120)
        # Conntrack takes it for a stream when it is still used after two seconds.
        end = time.monotonic() + 10
        while flow(world, "udp", sport=5000)["left"] <= 120 and time.monotonic() < end:
            s.sendto(b"y", mapped)
            assert c.recv(10) == b"y"
            select.select([c], [], [], 0.2)  # nothing comes: the flow has to become older
        first = flow(world, "udp", sport=5000)
        lives(first, 300)
        wait_for("a second to pass", lambda: flow(world, "udp", sport=5000)["left"] < first["left"] - 1)
        c.sendto(b"x", (INTERNET, 9000))
        s.recvfrom(10)
        assert flow(world, "udp", sport=5000)["left"] >= 299


def test_dns_questions_are_forgotten_soon(world, web1):
    """RFC 4787 REQ-5a: a well-known port may have a shorter time."""
    with outside(world, port=53) as s, inside(web1) as c:
        c.sendto(b"x", (INTERNET, 53))
        s.recvfrom(10)
        lives(flow(world, "udp", dport=53), int(world.host.sysctl("net/netfilter/nf_conntrack_udp_timeout")))


def test_tcp_lifetimes_of_a_connection(world, web1):
    """RFC 5382 REQ-5: 2 h 4 min while it is open, at one end at least; 4 min when it is closed."""
    host = int(world.host.sysctl("net/netfilter/nf_conntrack_tcp_timeout_established"))
    with outside(world, socket.SOCK_STREAM, port=9000) as s, inside(web1, socket.SOCK_STREAM, 5000) as c:
        s.listen()
        c.connect((INTERNET, 9000))
        peer = s.accept()[0]
        lives(await_state(world, "ESTABLISHED", sport=5000), host)
        peer.shutdown(socket.SHUT_WR)  # from outside; its end is acknowledged at once
        assert c.recv(1) == b""
        lives(await_state(world, "CLOSE_WAIT", sport=5000), 7440)
        c.send(b"half open")
        assert peer.recv(100) == b"half open"
        c.close()
        assert peer.recv(1) == b""
        lives(await_state(world, "TIME_WAIT", sport=5000), 240)
        peer.close()


def raw_tcp(g, sport, flags, **kw):
    """A segment of nobody's: of an address of the subnet that no kernel answers for."""
    g.allowed("192.168.122.77")
    return Ether(src=g.mac, dst=gateway_mac(g)) / IP(src="192.168.122.77", dst=INTERNET) \
        / TCP(sport=sport, dport=9000, flags=flags, **kw)


def test_tcp_lifetimes_on_the_way_to_a_connection(world, web1):
    """RFC 5382 REQ-5: 4 minutes; without an answer, and with one that was not acknowledged."""
    wire, out = Wire(web1.ns), Wire(world.internet)
    world.internet.nft("table ip t { chain c { type filter hook input priority 0; "
                       f"ip daddr {INTERNET} tcp dport 9000 drop; }}; }}")
    wire.send(raw_tcp(web1, 5000, "S", seq=1000))
    lives(await_state(world, "SYN_SENT", sport=5000), 240)
    syn = next(f for f in out.frames(TIMEOUT) if TCP in f and f[TCP].dport == 9000)
    answer = Ether(src=syn.dst, dst=syn.src) / IP(src=INTERNET, dst=UPLINK)
    out.send(answer / TCP(sport=9000, dport=syn[TCP].sport, flags="SA", seq=1, ack=1001))
    lives(await_state(world, "SYN_RECV", sport=5000), 240)
    # Both ends began, and nobody has acknowledged anything.
    wire.send(raw_tcp(web1, 5001, "S", seq=1000))
    await_state(world, "SYN_SENT", sport=5001)
    out.send(answer / TCP(sport=9000, dport=5001, flags="S", seq=1))
    lives(await_state(world, "SYN_SENT2", sport=5001), 240)


def test_tcp_lifetimes_of_the_last_words(world, web1):
    """RFC 5382 REQ-5: FIN_WAIT is open at one end, LAST_ACK at none."""
    wire, out = Wire(web1.ns), Wire(world.internet)
    world.internet.nft("table ip t { chain c { type filter hook input priority 0; "
                       f"ip daddr {INTERNET} tcp dport 9000 drop; }}; }}")
    wire.send(raw_tcp(web1, 5000, "S", seq=1000))
    syn = next(f for f in out.frames(TIMEOUT) if TCP in f and f[TCP].dport == 9000)

    def answer(flags, seq, ack):
        out.send(Ether(src=syn.dst, dst=syn.src) / IP(src=INTERNET, dst=UPLINK)
                 / TCP(sport=9000, dport=syn[TCP].sport, flags=flags, seq=seq, ack=ack))

    answer("SA", 1, 1001)
    await_state(world, "SYN_RECV", sport=5000)
    wire.send(raw_tcp(web1, 5000, "A", seq=1001, ack=2))
    await_state(world, "ESTABLISHED", sport=5000)
    wire.send(raw_tcp(web1, 5000, "FA", seq=1001, ack=2))
    lives(await_state(world, "FIN_WAIT", sport=5000), 7440)
    answer("A", 2, 1002)
    lives(await_state(world, "CLOSE_WAIT", sport=5000), 7440)
    answer("FA", 2, 1002)
    lives(await_state(world, "LAST_ACK", sport=5000), 240)


def test_icmp_lifetime(world, web1):
    """RFC 5508 REQ-1, REQ-2: queries go out and their answers in; they are remembered for a minute."""
    assert web1.ping(INTERNET)
    lives(flow(world, "icmp", src=web1.ip, dst=INTERNET), 60)


def test_the_hosts_own_flows_and_sysctls_stay_the_hosts(world, web1):
    """Only what is translated gets lifetimes of ours."""
    assert udp_ask(web1.ns)
    for name, s in (("udp_timeout", 30), ("udp_timeout_stream", 120), ("icmp_timeout", 30),
                    ("tcp_timeout_syn_sent", 120), ("tcp_timeout_time_wait", 120)):
        assert world.host.sysctl(f"net/netfilter/nf_conntrack_{name}") == str(s)
    world.host.run("busybox", "ping", "-c", "1", INTERNET)
    lives(flow(world, "icmp", src=UPLINK), 30)
    assert udp_ask(world.host, 6000)
    assert flow(world, "udp", sport=6000)["left"] <= 30


def test_longer_times_of_the_host_count(world, daemon, guest):
    world.host.nft("table ip t { chain c { type filter hook forward priority 0; ct state new; }; }")
    for name, s in (("udp_timeout", 900), ("tcp_timeout_established", 600), ("icmp_timeout", 20)):
        world.host.run("sh", "-c", f"echo {s} >/proc/sys/net/netfilter/nf_conntrack_{name}")
    g = guest("web1", d=daemon())
    g.dhcp()
    assert g.ping(INTERNET) and udp_ask(g.ns, 5000)
    lives(flow(world, "udp", sport=5000), 900)
    lives(flow(world, "icmp", src=g.ip, dst=INTERNET), 60)
    with outside(world, socket.SOCK_STREAM, port=9000) as s, inside(g, socket.SOCK_STREAM, 5000) as c:
        s.listen()
        c.connect((INTERNET, 9000))
        lives(await_state(world, "ESTABLISHED", sport=5000), 7440)


@pytest.mark.parametrize("how", ["restart", "kill9", "apply", "another", "foreign"])
def test_lifetimes_stay(world, vmlaned, guest, web1, how):
    """Through what happens to a daemon and its networks."""
    assert udp_ask(web1.ns, 5000)
    if how == "restart":
        vmlaned.restart()
    elif how == "kill9":
        vmlaned.kill9()
        vmlaned.start()
    elif how == "apply":
        vmlaned.vmlane("apply")
    elif how == "another":
        vmlaned.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/25", "--ports", "20000-29999")
        vmlaned.vmlane("network", "delete", "lab")
    else:  # somebody took the rules out
        world.host.nft("flush chain inet vmlane lifetimes")
        vmlaned.vmlane("apply")
    if how != "foreign":
        lives(flow(world, "udp", sport=5000), 120)
    assert udp_ask(web1.ns, 5001)
    lives(flow(world, "udp", sport=5001), 120)
    assert vmlaned.status()["problems"] == []
    assert vmlaned.vmlane("diff")["changes"] == []


@pytest.mark.skipif(not HOOKS, reason="the build has no test hooks (-Dtest_hooks=true)")
def test_kernel_without_lifetimes(world, daemon, guest, monkeypatch):
    """The table is there, and what is missing is told, once."""
    monkeypatch.setenv("VMLANE_TEST_REFUSE", "lifetimes")
    d = daemon()
    g = guest("web1", d=d)
    g.dhcp()
    assert udp_ask(g.ns, 5000)["address"] == UPLINK
    assert flow(world, "udp", sport=5000)["left"] <= 30
    for _ in range(2):
        assert [p["code"] for p in d.status()["problems"]] == ["lifetimes"]
        d.vmlane("network", "create", "lab", "--subnet", "192.168.5.0/24", "--ports", "20000-20999")
        d.vmlane("network", "delete", "lab")
    assert d.p.text().count("takes no lifetimes") == 1
    # A daemon that finds such a table, on a kernel that has learned it.
    monkeypatch.delenv("VMLANE_TEST_REFUSE")
    d.restart()
    assert d.status()["problems"] == []
    assert udp_ask(g.ns, 5001)
    lives(flow(world, "udp", sport=5001), 120)


# ---- connections that begin in other ways ----


def test_simultaneous_open(world, web1):
    """RFC 5382 REQ-2: both ends send a SYN, and neither one in answer to the other's."""
    world.internet.nft("table ip t { chain c { type filter hook input priority 0; "
                       f"ip daddr {INTERNET} tcp dport 9000 tcp flags & (syn | ack) == syn counter drop; }}; }}")
    with outside(world, socket.SOCK_STREAM, port=9000) as peer, inside(web1, socket.SOCK_STREAM, 5000) as c:
        c.setblocking(False)
        assert c.connect_ex((INTERNET, 9000)) == errno.EINPROGRESS
        await_state(world, "SYN_SENT", sport=5000)
        peer.connect((UPLINK, 5000))
        assert select.select([], [c], [], TIMEOUT)[1] and c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
        peer.sendall(b"hello")
        c.setblocking(True)
        assert c.recv(10) == b"hello"


def test_unsolicited_syn_is_answered_by_the_host(world, web1):
    """RFC 5382 REQ-4 wants 6 seconds of silence. The address is the host's own, which refuses what it
    does not serve, as ever; see Deviations. A host that drops instead (REQ-4a) is waited for."""
    with outside(world, socket.SOCK_STREAM) as s, pytest.raises(ConnectionRefusedError):
        s.connect((UPLINK, 5000))
    world.host.nft("table ip t { chain c { type filter hook input priority 0; "
                   'iifname "eth0" tcp dport 1024-65535 ct state new drop; }; }')
    world.internet.nft("table ip t { chain c { type filter hook input priority 0; "
                       f"ip daddr {INTERNET} tcp dport 9000 tcp flags & (syn | ack) == syn drop; }}; }}")
    with outside(world, socket.SOCK_STREAM, port=9000) as peer, inside(web1, socket.SOCK_STREAM, 5000) as c:
        peer.setblocking(False)
        assert peer.connect_ex((UPLINK, 5000)) == errno.EINPROGRESS
        assert not select.select([], [peer], [], 0.2)[1]
        c.setblocking(False)
        c.connect_ex((INTERNET, 9000))
        assert select.select([], [c], [], TIMEOUT)[1] and c.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0


# ---- fragments, and packets that are too big ----


def received(wire, want, timeout=TIMEOUT):
    found = next((f for f in wire.frames(timeout) if want(f)), None)
    assert found is not None, "it did not come"
    return found


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_fragments_pass_in_both_directions(world, web1, order):
    """RFC 4787 REQ-14, 5382: also when the first one is not the first that comes."""
    data = bytes(range(256)) * 14
    mac = gateway_mac(web1)
    out = Wire(world.internet)
    with outside(world, port=9000) as s:
        pieces = fragment(IP(src=web1.ip, dst=INTERNET, id=77) / UDP(sport=5000, dport=9000) / data, 1400)
        wire = Wire(web1.ns)
        for i in order:
            wire.send(Ether(src=web1.mac, dst=mac) / pieces[i])
        got, mapped = s.recvfrom(65535)
        assert got == data and mapped == (UPLINK, 5000)
        frame = received(out, lambda f: IP in f and f[IP].src == UPLINK and f[IP].id == 77)
        pieces = fragment(IP(src=INTERNET, dst=UPLINK, id=78) / UDP(sport=9000, dport=5000) / data, 1400)
        with inside(web1, port=5000) as c:
            for i in order:
                out.send(Ether(src=frame.dst, dst=frame.src) / pieces[i])
            assert c.recvfrom(65535) == (data, (INTERNET, 9000))


def set_df(s, on=True):
    s.setsockopt(socket.IPPROTO_IP, 10, 2 if on else 0)  # IP_MTU_DISCOVER, IP_PMTUDISC_DO or _DONT


def test_too_big_with_df_is_told_to_the_guest(world, web1):
    """RFC 4787 REQ-13, 5508 REQ-10: by the host itself, and by a router further on, about a packet
    that it knows by its outer address only."""
    wire, out = Wire(web1.ns), Wire(world.internet)
    world.host.run("ip", "link", "set", "eth0", "mtu", "1400")
    with outside(world, port=9000) as s, inside(web1, port=5000) as c:
        set_df(c, False)
        c.sendto(b"x" * 1472, (INTERNET, 9000))
        assert s.recv(2000) == b"x" * 1472  # in two pieces
        set_df(c)
        c.sendto(b"x" * 1472, (INTERNET, 9000))
        told = received(wire, lambda f: ICMP in f and f[ICMP].type == 3)
        assert (told[ICMP].code, told[ICMP].nexthopmtu) == (4, 1400)
        assert (told[IPerror].src, told[UDPerror].sport) == (web1.ip, 5000)
        c.sendto(b"x" * 1300, (INTERNET, 9000))
        sent = received(out, lambda f: UDP in f and f[UDP].dport == 9000 and f[IP].flags.DF)
        quoted = bytes(sent[IP])[:28]
        out.send(Ether(src=sent.dst, dst=sent.src) / IP(src="203.0.113.77", dst=UPLINK)
                 / ICMP(type=3, code=4, nexthopmtu=1200) / Raw(quoted))
        told = received(wire, lambda f: ICMP in f and f[ICMP].type == 3)
        assert (told[IP].src, told[IP].dst, told[ICMP].nexthopmtu) == ("203.0.113.77", web1.ip, 1200)
        assert (told[IPerror].src, told[IPerror].dst) == (web1.ip, INTERNET)
        with pytest.raises(OSError) as e:
            c.sendto(b"x" * 1300, (INTERNET, 9000))
        assert e.value.errno == errno.EMSGSIZE


# ---- ICMP ----


def test_errors_of_servers_and_routers_reach_the_guest(world, web1):
    """RFC 5508 REQ-4, 5382 REQ-9: what the error quotes is the guest's own packet again."""
    wire = Wire(web1.ns)
    router, server = "203.0.113.1", INTERNET
    world.internet.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    world.internet.run("ip", "route", "add", "unreachable", "198.51.100.99")
    for to, source, code in ((server, server, 3), ("198.51.100.99", router, 1)):
        with inside(web1, port=5000) as c:
            c.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)  # or the kernel keeps code 1 to itself
            c.connect((to, 9))
            c.send(b"anybody there?")
            told = received(wire, lambda f: ICMP in f and f[ICMP].type == 3)
            assert (told[IP].src, told[IP].dst, told[ICMP].code) == (source, web1.ip, code)
            assert (told[IPerror].src, told[IPerror].dst) == (web1.ip, to)
            assert (told[UDPerror].sport, told[UDPerror].dport) == (5000, 9)
            with pytest.raises(OSError) as e:
                c.recv(1)
            assert e.value.errno == {3: errno.ECONNREFUSED, 1: errno.EHOSTUNREACH}[code]
    with inside(web1, socket.SOCK_STREAM, 5001) as c:
        assert c.connect_ex(("198.51.100.99", 80)) == errno.EHOSTUNREACH
    told = received(wire, lambda f: ICMP in f and TCPerror in f)
    assert (told[IPerror].src, told[TCPerror].sport) == (web1.ip, 5001)


def test_errors_end_and_renew_nothing(world, web1):
    """RFC 4787 REQ-12, 5382 REQ-10, 5508 REQ-6."""
    wire, out = Wire(web1.ns), Wire(world.internet)
    with outside(world, port=9000) as s, inside(web1, port=5000) as c:
        c.sendto(b"x", (INTERNET, 9000))
        mapped = s.recvfrom(10)[1]
        sent = received(out, lambda f: UDP in f and f[UDP].dport == 9000)
        before = flow(world, "udp", sport=5000)["left"]
        wait_for("a second to pass", lambda: flow(world, "udp", sport=5000)["left"] < before)
        for kind, code in ((3, 0), (3, 1), (3, 3), (11, 0)):
            out.send(Ether(src=sent.dst, dst=sent.src) / IP(src="203.0.113.77", dst=UPLINK)
                     / ICMP(type=kind, code=code) / Raw(bytes(sent[IP])[:28]))
            received(wire, lambda f, k=kind, n=code: ICMP in f and (f[ICMP].type, f[ICMP].code) == (k, n))
        assert flow(world, "udp", sport=5000)["left"] < before
        s.sendto(b"still there", mapped)
        assert c.recv(100) == b"still there"


def test_errors_about_nothing_are_dropped(world, web1):
    """RFC 5508 REQ-4: of no mapping, or about a packet that was not sent like that."""
    wire, out = Wire(web1.ns), Wire(world.internet)
    assert udp_ask(web1.ns, 5000)["port"] == 5000
    sent = received(out, lambda f: UDP in f and f[UDP].dport == 7777)
    for src, sport, dst in ((UPLINK, 5999, INTERNET), (UPLINK, 5000, OTHER), (web1.ip, 5000, INTERNET)):
        out.send(Ether(src=sent.dst, dst=sent.src) / IP(src="203.0.113.77", dst=UPLINK) / ICMP(type=3, code=3)
                 / Raw(bytes(IP(src=src, dst=dst) / UDP(sport=sport, dport=7777))[:28]))
    out.send(Ether(src=sent.dst, dst=sent.src) / IP(src="203.0.113.77", dst=UPLINK) / ICMP(type=11, code=0)
             / Raw(bytes(sent[IP])[:28]))
    errors = [received(wire, lambda f: ICMP in f)]
    assert errors[0][ICMP].type == 11


def test_errors_of_the_guest_go_out_translated(world, web1):
    """RFC 5508 REQ-5: outside nobody sees the guest's address, neither outside nor inside the error."""
    out = Wire(world.internet)
    with outside(world, port=9000) as s:
        with inside(web1, port=5000) as c:
            c.sendto(b"x", (INTERNET, 9000))
            mapped = s.recvfrom(10)[1]
        s.connect(mapped)  # whose socket is closed by now
        s.send(b"late")
        told = received(out, lambda f: ICMP in f and f[ICMP].type == 3)
        assert (told[IP].src, told[IPerror].dst, told[UDPerror].dport) == (UPLINK, UPLINK, 5000)
        with pytest.raises(ConnectionRefusedError):
            s.recv(1)


def test_traceroute_and_ping_of_two_guests(world, guest, web1):
    """RFC 5508 REQ-1, REQ-10: queries of one identifier are told apart; the host is a hop."""
    other = guest("web2")
    other.dhcp()
    mac = gateway_mac(web1)
    out = Wire(world.internet)
    wires = {g.name: Wire(g.ns) for g in (web1, other)}
    for g in (web1, other):
        ping = IP(src=g.ip, dst=INTERNET, id=42) / ICMP(id=7) / g.name.encode()
        wires[g.name].send(Ether(src=g.mac, dst=mac) / ping)
    for g in (web1, other):
        reply = received(wires[g.name], lambda f: ICMP in f and f[ICMP].type == 0)
        assert (reply[IP].dst, reply[ICMP].id, bytes(reply[Raw])) == (g.ip, 7, g.name.encode())
    seen = [received(out, lambda f: ICMP in f and f[ICMP].type == 8) for _ in range(2)]
    assert {f[IP].src for f in seen} == {UPLINK} and len({f[ICMP].id for f in seen}) == 2
    wires["web1"].send(Ether(src=web1.mac, dst=mac) / IP(src=web1.ip, dst=INTERNET, ttl=1)
                       / UDP(sport=5000, dport=33434))
    hop = received(wires["web1"], lambda f: ICMP in f and f[ICMP].type == 11)
    assert hop[IP].src == "192.168.122.1" and hop[UDPerror].sport == 5000


def test_what_may_not_leave_is_told(world, daemon, guest):
    """RFC 5508 REQ-8: administratively prohibited, code 13."""
    world.uplink("eth1", "192.0.2.2", "192.0.2.1")
    d = daemon({"default.yaml": DEFAULT + "nat:\n  uplink: eth1\n"})
    g = guest("web1", d=d)
    g.dhcp()
    wire = Wire(g.ns)
    assert udp_ask(g.ns, timeout=0.2) is None  # the route goes by eth0
    told = received(wire, lambda f: ICMP in f and f[ICMP].type == 3)
    assert told[ICMP].code == 13 and told[IP].src == "192.168.122.1"


def test_rules_that_were_saved_with_ours_among_them(world, daemon):
    """nft cannot load its own listing of ICMP's lifetime: a host that boots with it would have no rules."""
    saved = f"{world.tmp}/nftables.conf"
    d = daemon(args=["--saved-rules", saved])

    def told():
        return [p for p in d.status()["problems"] if p["code"] == "saved-rules"]

    assert not told()
    world.host.nft("table inet mine { chain forwarded { type filter hook forward priority 5; }; }")
    listing = world.host.run("nft", "list", "ruleset")
    with open(saved, "w", encoding="utf-8") as f:
        f.write(listing)
    if world.host.run("nft", "-c", "-f", saved, check=False).returncode == 0:
        pytest.fail("this nft loads it: the warning is not needed any more")
    problem, = told()
    assert problem["where"] == saved and "Take `table inet vmlane" in problem["message"]
    with open(saved, "w", encoding="utf-8") as f:
        f.write(world.host.run("nft", "list", "table", "inet", "mine"))
    assert world.host.run("nft", "-c", "-f", saved, check=False).returncode == 0
    assert not told()
