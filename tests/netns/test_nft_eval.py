# SPDX-License-Identifier: GPL-2.0-or-later
"""The evaluator of nftables' rules against the kernel: random rulesets, each with a few packets that are
really sent, and what the kernel traces compared with what was predicted. Never wrong; what is unknown
is counted.

VMLANE_SEED repeats a run; VMLANE_RULESETS says how many rulesets."""
import collections
import json
import os
import random
import re
import socket
import subprocess
import time

import pytest
from daemon import BUILD
from nft_random import IP as IPv4
from nft_random import MACS, UDP, Ether, Iptables, arp_packet, frame, packet, ruleset
from nft_trace import Conntrack, Traces
from packet import Wire

RULESETS = int(os.environ.get("VMLANE_RULESETS", "72"))
SEED = int(os.environ.get("VMLANE_SEED", str(time.time_ns() & 0xFFFFFF)))
IP, IP6, ARP, BRIDGE, NETDEV = 2, 10, 3, 7, 5
MARKER = "ff:ff:ff:ff:ff:fe"
UNSURE = re.compile(r"statistic|recent|-m cpu|limit|meta cpu|random|numgen|jhash|ct count|rt classid|quota")
ASKS_LABEL = re.compile(r"ct label (?!set)")
DROP, ACCEPT = 0, 1


def ip_fragment(raw):
    """A later fragment: what is found in place of its transport header is not known."""
    return raw[12:14] == b"\x08\x00" and int.from_bytes(raw[20:22], "big") & 0x1FFF


class Evaluator:
    """The program tests/nft-eval/nft-eval in a namespace."""

    def __init__(self, ns):
        self.p = ns.start(f"{BUILD}/tests/nft-eval/nft-eval", stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, **what):
        self.p.p.stdin.write((json.dumps(what) + "\n").encode())
        self.p.p.stdin.flush()
        return json.loads(self.p.line())

    def load(self):
        answer = self.ask(load=True)
        assert answer["error"] == 0, answer
        return answer


class Lane:
    """Left and right, with the host between them as router (l0, r0) and as bridge (p0, p1 of br0)."""

    def __init__(self, world):
        self.host, self.left, self.right = world.host, world.ns("left"), world.ns("right")
        # One CPU: what is sent is through before the next is sent.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        for near, far in (("l0", "l1"), ("p0", "p9")):
            self.host.run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", "left")
        for near, far in (("r0", "r1"), ("p1", "p8")):
            self.host.run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", "right")
        for ns, devs in ((self.left, ("l1", "p9")), (self.right, ("r1", "p8"))):
            for dev in devs:
                ns.run("sh", "-ec", f"echo 1 >/proc/sys/net/ipv6/conf/{dev}/disable_ipv6; ip link set {dev} arp off up")
        self.host.run("sh", "-ec", """
            sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.conf.all.rp_filter=0 net.ipv6.conf.default.accept_dad=0
            sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0
            ip link add br0 type bridge mcast_snooping 0 forward_delay 0
            for d in l0 r0; do ip link set $d up; done
            ip link set l0 group 5
            for d in p0 p1; do ip link set $d master br0 up; done
            ip link set br0 up
            ip addr add 10.1.0.1/24 dev l0; ip addr add 10.2.0.1/24 dev r0
            ip addr add fd01::1/64 dev l0 nodad; ip addr add fd02::1/64 dev r0 nodad
            ip neigh add 10.2.0.2 lladdr 02:00:00:00:00:02 dev r0 nud permanent
            ip neigh add fd02::2 lladdr 02:00:00:00:00:02 dev r0 nud permanent
            bridge fdb add 02:00:00:00:00:02 dev p1 master static
            ip route add 10.3.0.0/24 via 10.2.0.2
            ip route add blackhole 10.4.0.0/24""")
        links = self.host.links()
        self.dev = {n: {"index": v["ifindex"], "name": n, "mac": v["address"], "group": 5 if n == "l0" else 0,
                        "kind": v.get("linkinfo", {}).get("info_kind")} for n, v in links.items()}
        self.traces, self.conntrack = Traces(self.host), Conntrack(self.host)
        self.wires = {"l0": Wire(self.left, "l1", 0), "p0": Wire(self.left, "p9", 0)}
        self.evaluator = Evaluator(self.host)
        # Everything is traced from where it comes in; a marker frame ends there, and with it all
        # messages about what was sent before it are there.
        self.host.nft("".join(f"""table netdev mk_{d} {{ chain c {{ type filter hook ingress device {d} priority -500;
            ether daddr {MARKER} meta nftrace set 1 drop
            meta nftrace set 1; }}; }}\n""" for d in ("l0", "p0")))
        self.host.nft("table inet track { chain unused { ct state new; }; }")

    def send(self, dev, raw, table="t"):
        """The messages of the kernel about @raw and @table."""
        self.wires[dev].send(raw)
        self.wires[dev].send(Ether(dst=MARKER, src="02:00:00:00:00:99", type=0x88B5) / (b"marker" * 8))
        return [m for m in self.traces.until(f"mk_{dev}") if m["table"] == table]


@pytest.fixture
def lane(world, sanitizers):  # pylint: disable=unused-argument
    before = os.sched_getaffinity(0)
    made = Lane(world)
    yield made
    os.sched_setaffinity(0, before)
    # It ends by itself, so that what it has lost is told.
    made.evaluator.p.p.stdin.close()
    assert made.evaluator.p.wait() == 0


# family, where, chains' headers, in, out, pf, hook, sent to, through conntrack
SCENES = [
    ("inet", "prerouting", ["type filter hook prerouting priority -300"], "l0", None, None, 0, "right", False),
    ("ip", "prerouting", ["type filter hook prerouting priority -150"], "l0", None, IP, 0, "right", True),
    ("inet", "prerouting", ["type filter hook prerouting priority -150", "type filter hook prerouting priority 10"], "l0", None, None, 0, "right", True),
    ("ip6", "prerouting", ["type filter hook prerouting priority -150"], "l0", None, IP6, 0, "right", True),
    ("inet", "forward", ["type filter hook forward priority 0"], "l0", "r0", None, 2, "right", True),
    ("inet", "forward", ["type filter hook forward priority 0", "type filter hook forward priority 5"], "l0", "r0", None, 2, "right", True),
    ("ip", "forward", ["type filter hook forward priority 0", "type filter hook forward priority 0"], "l0", "r0", IP, 2, "right", True),
    ("ip6", "forward", ["type filter hook forward priority 0"], "l0", "r0", IP6, 2, "right", True),
    ("inet", "postrouting", ["type filter hook postrouting priority 0"], "l0", "r0", None, 4, "right", True),
    ("inet", "input", ["type filter hook input priority 0"], "l0", None, None, 1, "host", True),
    ("netdev", "ingress", ["type filter hook ingress device l0 priority 0"], "l0", None, NETDEV, 0, "right", False),
    ("inet", "ingress", ["type filter hook ingress device l0 priority 0"], "l0", None, NETDEV, 0, "right", False),
    ("netdev", "egress", ["type filter hook egress device r0 priority 0"], None, "r0", NETDEV, 1, "right", True),
    ("bridge", "prerouting", ["type filter hook prerouting priority 0"], "p0", None, BRIDGE, 0, "bridged", False),
    ("bridge", "forward", ["type filter hook forward priority 0"], "p0", "p1", BRIDGE, 2, "bridged", False),
    ("bridge", "postrouting", ["type filter hook postrouting priority 0"], None, "p1", BRIDGE, 4, "bridged", False),
    ("bridge", "input", ["type filter hook input priority 0"], "p0", None, BRIDGE, 1, "bridge", False),
    ("arp", "input", ["type filter hook input priority 0"], "l0", None, ARP, 0, "arp", False),
]


class Case:
    """One ruleset at one hook."""

    table = "t"

    def __init__(self, lane, rng, scene):
        self.lane, self.rng = lane, rng
        self.family, self.where, self.heads, self.dev_in, self.dev_out, self.pf, self.hook, self.to, self.tracked = scene
        self.port = "p0" if self.to in ("bridged", "bridge") else "l0"
        devices = ([self.dev_in or self.port, "l0"], [self.dev_out, "l0"] if self.dev_out else [])
        self.lines = ruleset(rng, self.family, self.where, self.heads, devices, known=rng.random() < 0.7)
        self.refused = []

    def load(self):
        """nft refuses some of what the generator thinks of (a map with two equal keys): without it."""
        while True:
            done = self.lane.host.run("nft", "-f", "-", check=False, stdin="\n".join(self.lines) + "\n")
            if done.returncode == 0:
                return
            m = re.search(r"/dev/stdin:(\d+):", done.stderr)
            assert m and 1 < int(m[1]) < len(self.lines), done.stderr
            self.refused.append((self.lines[int(m[1]) - 1], done.stderr.split("\n")[0]))
            self.lines[int(m[1]) - 1] = "" if "set s" not in self.lines[int(m[1]) - 1] else self.broken(done.stderr)

    def broken(self, why):
        raise AssertionError(f"{why}\n" + "\n".join(self.lines))

    def make(self):
        """A frame, and what is to be asked about it."""
        rng = self.rng
        mac = {"bridged": "02:00:00:00:00:02", "bridge": self.lane.dev["br0"]["mac"]}.get(self.to, self.lane.dev["l0"]["mac"])
        asked = {"pf": self.pf, "hook": self.hook, "pkttype": 3 if self.to == "bridged" else 0}
        if self.to == "arp":
            raw = bytes(frame(rng, arp_packet(rng), mac))
            return raw, dict(asked, protocol=0x806, bytes=raw.hex())
        ip6 = self.family == "ip6" or (self.family != "ip" and rng.random() < 0.35)
        dst = {"host": "fd01::1" if ip6 else "10.1.0.1"}.get(self.to, "fd02::2" if ip6 else rng.choice(["10.2.0.2", "10.2.0.2", "10.3.0.9"]))
        p, state, flow = packet(rng, "bridge" if self.family == "bridge" else self.where, ip6, dst)
        raw = bytes(frame(rng, p, mac))
        if self.where == "egress" or self.hook in (2, 4) and self.family != "bridge":
            seen = Ether(raw)
            net = seen.payload
            if ip6:
                net.hlim -= 1
            else:
                net.ttl -= 1
                del net.chksum
            if self.where == "egress":
                seen.src, seen.dst = self.lane.dev["r0"]["mac"], "02:00:00:00:00:02"
            asked["bytes"] = bytes(seen).hex()
        else:
            asked["bytes"] = raw.hex()
        asked["protocol"] = 0x86DD if ip6 else 0x800
        asked["pf"] = self.pf or (IP6 if ip6 else IP)
        if self.tracked or self.where not in ("ingress",) and self.family not in ("bridge",):
            asked["ct"] = self.connection(ip6, p, state, flow) if self.tracked else {"state": "none"}
        return raw, asked

    def connection(self, ip6, p, state, flow):
        proto, src, dst, sport, dport = flow
        addr = [a.hex() for a in self.raw_addresses(ip6, p)]
        self.lane.conntrack.flush()
        ct = {"state": state, "family": IP6 if ip6 else IP, "proto": proto,
              "orig": {"src": addr[0], "dst": addr[1], "sport": sport, "dport": dport},
              "answer": {"src": addr[1], "dst": addr[0], "sport": dport, "dport": sport}}
        if proto in (1, 58):
            ct["answer"].update(sport=sport, dport=0 if proto == 1 else 0x8100)
        if proto in (6, 17) and state == "new" and self.rng.random() < 0.4 and not (proto == 6 and "S" in str(p["TCP"].flags)):
            mark = self.rng.choice([0, 1, 7])
            self.lane.conntrack.add(ip6, proto, *self.raw_addresses(ip6, p), sport, dport, mark)
            ct.update(state="established", mark=mark, status=0xE)
        return ct

    @staticmethod
    def raw_addresses(ip6, p):
        raw = bytes(p)
        return (raw[8:24], raw[24:40]) if ip6 else (raw[12:16], raw[16:20])

    def ask(self, asked):
        dev = self.lane.dev
        return self.lane.evaluator.ask(**asked, link=0, network=14, device=self.dev_in or self.dev_out,
                                       **{k: dev[d] for k, d in (("in", self.dev_in), ("out", self.dev_out)) if d})

    def fail(self, what, raw, asked, said, seen):
        raise AssertionError(f"seed {SEED}: {what}\n" + "\n".join(self.lines) + f"\npacket {Ether(raw).summary()} {raw.hex()}\n"
                             f"asked {asked}\nsaid {said}\nseen {seen}\n" +
                             self.lane.host.run("nft", "-a", "list", "table", self.family, self.table))

    def label_rules(self):
        text = self.lane.host.run("nft", "-a", "list", "table", self.family, self.table)
        return {int(line.rpartition("# handle ")[2]) for line in text.splitlines() if ASKS_LABEL.search(line)}

    def compare(self, raw, asked, said, messages):
        """True: known and right; None: unknown. Steps only where nothing had to be guessed both ways."""
        # A chain's end that is reached by goto is told as a rule without a handle.
        seen = [(m["chain"], m["handle"], m["verdict"]) for m in messages if m["type"] == "policy" or m["handle"] and m["type"] == "rule"]
        if not seen:
            return False
        if said["outcome"] == "unknown":
            return None
        wanted = "accept" if seen[-1][2] == ACCEPT else "drop"
        steps = [tuple(s[1:]) for s in said["steps"] if s[0] == self.table]
        if said["outcome"] != wanted:
            self.fail("another outcome", raw, asked, said, messages)
        guessed = ip_fragment(raw) or (not self.dev_in and "iiftype" in "\n".join(self.lines))
        # Which labels an old connection has nobody tells: of rules that ask for them it is not said whether they match.
        if ASKS_LABEL.search("\n".join(self.lines)) and asked.get("ct", {}).get("state") != "new":
            unsure = self.label_rules()
            steps, seen = ([s for s in x if s[1] not in unsure] for x in (steps, seen))
        if not guessed and not UNSURE.search("\n".join(self.lines)) and not said["more"] and not said["one_of"]:
            if steps != seen:
                self.fail("other rules", raw, asked, said, messages)
        if wanted == "accept" and said["mark"] != messages[-1]["mark"]:
            self.fail("another mark", raw, asked, said, messages)
        return True

    def run(self, counts):
        self.load()
        self.lane.evaluator.load()
        for _ in range(self.rng.randint(4, 8)):
            raw, asked = self.make()
            said = self.ask(asked)
            messages = self.lane.send(self.port, raw, self.table)
            right = self.compare(raw, asked, said, messages)
            key = {True: "right", None: "unknown", False: "not seen"}[right]
            counts[key] += 1
            if right is None:
                counts["because " + said["unknown"]] += 1
            if right is False:
                counts[f"not seen in {self.family} {self.where}"] += 1
        self.lane.host.nft(f"delete table {self.family} {self.table}")
        for line, why in self.refused:
            counts["refused rules"] += 1
            if not re.search("conflicting protocols|cannot use exthdr|line [0-9]+ failed", why):
                counts[f"refused {line}: {why}"] += 1


class IptablesCase(Case):
    """The same, made by iptables-nft."""

    HOOKS = [("filter", "FORWARD"), ("filter", "INPUT"), ("mangle", "PREROUTING"), ("mangle", "FORWARD"), ("mangle", "POSTROUTING"), ("raw", "PREROUTING"),
             ("filter", "FORWARD")]

    def __init__(self, lane, rng):
        ip6 = rng.random() < 0.35
        self.table, chain = rng.choice(self.HOOKS)
        where = chain.lower()
        scene = ("ip6" if ip6 else "ip", where, [], "l0", "r0" if chain in ("FORWARD", "POSTROUTING") else None, IP6 if ip6 else IP,
                 {"prerouting": 0, "input": 1, "forward": 2, "postrouting": 4}[where], "host" if chain == "INPUT" else "right", self.table != "raw")
        super().__init__(lane, rng, scene)
        self.lines = Iptables(rng, ip6, self.table, chain, rng.random() < 0.7).text()
        self.tool = "ip6tables-nft-restore" if ip6 else "iptables-nft-restore"

    def load(self):
        while True:
            done = self.lane.host.run(self.tool, check=False, stdin="\n".join(self.lines) + "\n")
            if done.returncode == 0:
                return
            m = re.search(r"line:? (\d+)", done.stderr)
            assert m and self.lines[int(m[1]) - 1].startswith("-A"), done.stderr + "\n".join(self.lines)
            self.refused.append((self.lines[int(m[1]) - 1], done.stderr.strip()))
            self.lines[int(m[1]) - 1] = "#"


def summary(counts, cases):
    total = counts["right"] + counts["unknown"]
    print(json.dumps(counts, indent=1))
    print(f"{cases} rulesets, {total} packets: {100 * counts['unknown'] / total:.1f} % unknown, none wrong")
    assert counts["not seen"] <= total / 50


def test_random_rulesets(lane):
    rng = random.Random(SEED)
    counts = collections.Counter()
    print(f"seed {SEED}")
    for i in range(RULESETS):
        Case(lane, rng, SCENES[i % len(SCENES)]).run(counts)
    summary(counts, RULESETS)


NAT = [
    ("prerouting", "meta l4proto udp dnat to 10.2.0.2:4444"), ("prerouting", "meta l4proto udp dnat to 10.2.0.7-10.2.0.9:100-102"), ("prerouting", "dnat ip to ip saddr map { 10.1.0.2 : 10.2.0.8 }"),
    ("prerouting", "dnat ip to udp dport map { 53 : 10.2.0.9 . 5353 }"), ("prerouting", "udp dport 54 dnat to 10.2.0.9"), ("prerouting", "meta l4proto udp redirect to :99"),
    ("prerouting", "dnat ip prefix to ip daddr map { 10.2.0.0/24 : 10.2.0.0/24 }"),
    ("postrouting", "masquerade"), ("postrouting", "meta l4proto udp masquerade to :2000-2010"), ("postrouting", "snat to 192.0.2.1"), ("postrouting", "meta l4proto udp snat to 192.0.2.1-192.0.2.3:7"),
    ("postrouting", "oifname != r0 masquerade"), ("iptables", "-A PREROUTING -p udp -j DNAT --to-destination 10.2.0.9:77"),
    ("iptables", "-A POSTROUTING -o r0 -p udp -j MASQUERADE --to-ports 3000-3002"), ("iptables", "-A POSTROUTING -j SNAT --to-source 192.0.2.9"),
    ("iptables", "-A PREROUTING -p udp -j REDIRECT --to-ports 99"),
]


def nat_answer(lane, where, raw):
    flow = {"state": "new", "family": IP, "proto": 17, "orig": {"src": "0a010002", "dst": "0a020002", "sport": 1000, "dport": 53}}
    lane.evaluator.load()
    hook = {"prerouting": 0, "postrouting": 4}[where]
    return lane.evaluator.ask(pf=IP, hook=hook, bytes=raw.hex(), protocol=0x800, ct=flow, **{"in": lane.dev["l0"], "out": lane.dev["r0"] if hook else None},
                              link=0, network=14)


def arrives(wire):
    """Address and port, of either side, of the next datagram."""
    for seen in wire.frames(20):
        if "UDP" in seen and bytes(seen["UDP"].payload).startswith(b"nat"):
            return seen["IP"].src, seen["UDP"].sport, seen["IP"].dst, seen["UDP"].dport
    raise TimeoutError("nothing came through")


def redirected(lane, nat, raw):
    """It is for the host itself: by which port is what there is to compare."""
    with lane.host.enter(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("10.1.0.1", nat["min_port"]))
        s.settimeout(20)
        lane.wires["l0"].send(raw)
        assert s.recv(99) == b"nat"


def translated(lane, where, rule):
    raw = bytes(Ether(dst=lane.dev["l0"]["mac"], src=MACS[0]) / IPv4(src="10.1.0.2", dst="10.2.0.2") / UDP(sport=1000, dport=53) / b"nat")
    said = nat_answer(lane, where, raw)
    assert said["outcome"] == "accept", (rule, said)
    nat = said["dnat" if where == "prerouting" else "snat"]
    if nat and nat["redirect"]:
        return redirected(lane, nat, raw)
    wire = Wire(lane.right, "r1")
    lane.wires["l0"].send(raw)
    src, sport, dst, dport = arrives(wire)
    wire.close()
    addr, port, zero = (dst, dport, ("10.2.0.2", 53)) if where == "prerouting" else (src, sport, ("10.1.0.2", 1000))
    if not nat:
        assert (addr, port) == zero, rule
        return None
    low, high = (socket.inet_ntoa(bytes.fromhex(nat[k])) for k in ("min", "max"))
    assert addr == "10.2.0.1" if nat["masquerade"] else low <= addr <= high, rule
    assert nat["min_port"] <= port <= nat["max_port"] if nat["has_port"] else port == zero[1], rule
    return None


def test_translation(lane):
    """What a nat rule makes of the first packet of a connection: as it arrives on the right."""
    for n in range(2, 10):
        lane.host.run("ip", "neigh", "replace", f"10.2.0.{n}", "lladdr", MACS[1], "dev", "r0", "nud", "permanent")
    for where, rule in NAT:
        lane.conntrack.flush()
        if where == "iptables":
            where, table = rule.split()[1].lower(), "nat"
            lane.host.run("iptables-nft-restore", stdin=f"*nat\n:PREROUTING ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\n{rule}\nCOMMIT\n")
        else:
            table = "t"
            lane.host.nft(f"table ip t {{ chain n {{ type nat hook {where} priority 50; {rule}; }}; }}")
        translated(lane, where, rule)
        lane.host.nft(f"delete table ip {table}")


def test_ten_thousand_elements(lane):
    """What a host of vmlane with as many guests has is read at once, and looked up as fast."""
    n = 10000
    addr = [f"10.{64 + i // 65536}.{i // 256 % 256}.{i % 256}" for i in range(n)]
    lane.host.nft("table ip t { map m { type ipv4_addr : verdict; elements = { " + ", ".join(f"{a} : drop" for a in addr) +
                  " }; }; set s { type ipv4_addr; flags interval; auto-merge; elements = { " + ", ".join(a for a in addr if a.endswith("4")) +
                  " }; }; chain f { type filter hook forward priority 0; ip saddr @s drop; ip saddr vmap @m; }; }")
    took = [lane.evaluator.load()["us"] for _ in range(5)]
    print(f"read {n} elements and {len([a for a in addr if a.endswith('4')])} intervals in {min(took) / 1000:.1f} ms")
    raw = bytes(Ether(dst=lane.dev["l0"]["mac"]) / IPv4(src="10.64.7.8", dst="10.2.0.2") / UDP(sport=1, dport=2))
    said = lane.evaluator.ask(pf=IP, hook=2, bytes=raw.hex(), protocol=0x800, link=0, network=14)
    assert said["outcome"] == "drop" and len(said["steps"]) == 1, said
    assert min(took) < 2_000_000


def test_random_iptables(lane):
    rng = random.Random(SEED)
    counts = collections.Counter()
    print(f"seed {SEED}")
    for _ in range(RULESETS // 2):
        IptablesCase(lane, rng).run(counts)
    summary(counts, RULESETS // 2)
