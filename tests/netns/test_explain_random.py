# SPDX-License-Identifier: GPL-2.0-or-later
"""vmlane explain against vmlane probe on hosts that chance has set up: rulesets, sysctls, routes, routing rules,
bridge ports. A prediction may be "unknown", but never wrong.

    VMLANE_EXPLAIN_SEED    begins with this seed (printed; each round has its own, seed + round)
    VMLANE_EXPLAIN_ROUNDS  so many rounds; by default as many as fit into VMLANE_EXPLAIN_SECONDS (60)
"""
import collections
import json
import os
import random
import time

import pytest

from daemon import program
from foreign import ForeignGuest, make_host
from world import INTERNET

SECONDS = float(os.environ.get("VMLANE_EXPLAIN_SECONDS", "60"))
ROUNDS = int(os.environ.get("VMLANE_EXPLAIN_ROUNDS", "0"))
ELSEWHERE = "192.0.2.77"
UPLINK = "203.0.113.2"

# What a round may set, and what it was before: (path below /proc/sys/net, values)
SYSCTLS = [
    ("ipv4/ip_forward", "1110"),
    *[(f"ipv4/conf/{dev}/forwarding", "1110") for dev in ("br7", "br8", "eth0")],
    *[(f"ipv4/conf/{dev}/rp_filter", "0012") for dev in ("all", "br7", "br8", "eth0", "eth1")],
    *[(f"ipv4/conf/{dev}/accept_local", "01") for dev in ("br7", "eth0")],
    ("ipv4/conf/br7/route_localnet", "01"),
    ("ipv4/conf/br7/send_redirects", "01"),
    ("ipv4/icmp_echo_ignore_all", "01"),
    ("ipv4/ip_forward_use_pmtu", "01"),
    ("bridge/bridge-nf-call-iptables", "01"),
]
PORTS = {"isolated": "off", "learning": "on", "flood": "on", "hairpin": "off", "locked": "off"}


class Lab:
    """Two bridges with guests, two uplinks; all neighbours are known, so that nobody has to be asked."""

    def __init__(self, world):
        self.world, self.ns = world, world.host
        make_host(world, nat=False)
        self.sh("ip link add br8 type bridge forward_delay 0; ip addr add 10.8.0.1/24 dev br8; ip link set br8 up")
        world.uplink("eth1", "192.0.2.2", "192.0.2.1")
        self.guests = [ForeignGuest(world, 1), ForeignGuest(world, 2),
                       ForeignGuest(world, 3, bridge="br8", address="10.8.0.13", gateway="10.8.0.1")]
        self.neighbours = "".join(
            f"ip neigh replace {ip} lladdr {mac} dev {dev} nud permanent\n" for ip, mac, dev in
            [(g.ip, g.mac, "br8" if g.ip.startswith("10.8.") else "br7") for g in self.guests] +
            [("203.0.113.1", "52:54:00:99:00:01", "eth0"), ("192.0.2.1", "52:54:00:99:00:02", "eth1"),
             (ELSEWHERE, "52:54:00:99:00:03", "eth1")])
        self.sh("sysctl -qw net.ipv4.icmp_ratelimit=0")

    def sh(self, text):
        return self.ns.run("sh", "-ec", text)

    def reset(self):
        lines = [f"echo {values[0]} >/proc/sys/net/{path}" for path, values in SYSCTLS]
        lines += ["nft flush ruleset", "ip route flush table 100", "ip route flush cache",
                  "for t in blackhole unreachable prohibit throw; do ip route flush type $t; done",
                  "while ip rule del pref 100; do :; done 2>/dev/null", "ip route flush root 198.51.100.0/24",
                  "ip route replace default via 203.0.113.1 dev eth0"]
        for n, g in enumerate(self.guests, 1):
            lines += [f"ip link set vnet{n} mtu 1500 type bridge_slave " + " ".join(f"{k} {v}" for k, v in PORTS.items()),
                      f"bridge link set dev vnet{n} state 3", f"bridge fdb replace {g.mac} dev vnet{n} master dynamic"]
        # What is not there cannot be taken away: no -e.
        self.ns.run("sh", "-c", "\n".join(lines) + "\n" + self.neighbours)

    def mac(self, name):
        return self.ns.links()[name]["address"]


class Scenario:
    """What chance has made of a round: shell lines, a ruleset, and a question."""

    def __init__(self, seed):
        self.r = random.Random(seed)
        self.lines, self.tables, self.n = [], [], 0
        self.sysctls(), self.routes(), self.ports()
        self.nft()
        self.question = self.ask()
        if self.question[0] == "arp":  # a trace takes the copy that goes back where it came from for the same frame
            self.lines = [x for x in self.lines if "hairpin" not in x]

    def chance(self, p):
        return self.r.random() < p

    def pick(self, *of):
        return self.r.choice(of)

    def sysctls(self):
        for path, values in self.r.sample(SYSCTLS, self.r.randrange(0, 5)):
            self.lines.append(f"echo {self.r.choice(values)} >/proc/sys/net/{path}")

    def routes(self):
        r = self.r
        kinds = ["blackhole", "unreachable", "prohibit", "throw", "via 203.0.113.1", "via 192.0.2.1", "dev eth1",
                 "via 203.0.113.1 mtu 700"]
        if self.chance(0.35):
            self.lines.append(f"ip route replace {self.route(kinds)}")
        if self.chance(0.15):
            self.lines.append(self.pick("ip route del default", "ip route replace default via 192.0.2.1"))
        if self.chance(0.3):
            for _ in range(r.randrange(1, 3)):
                self.lines.append(f"ip route replace {self.route(kinds)} table 100")
            which = self.pick("from 10.7.0.0/24", "from 10.7.0.11", "iif br7", "to 198.51.100.0/24", "ipproto tcp", "dport 80",
                              "iif eth0", "not from 10.7.0.0/24")
            self.lines.append(f"ip rule add pref 100 {which} " + self.pick("lookup 100", "lookup 100", "lookup 100", "prohibit",
                                                                           "blackhole", "unreachable"))

    def route(self, kinds):
        kind = self.r.choice(kinds)
        dst = self.pick("198.51.100.0/24", "198.51.100.7/32", "198.51.0.0/16", "10.8.0.0/25")
        return f"{kind} {dst}" if kind.isalpha() else f"{dst} {kind}"

    def ports(self):
        for n in (1, 2, 3):
            if self.chance(0.25):
                for _ in range(self.r.randrange(1, 3)):
                    key = self.r.choice(list(PORTS))
                    self.lines.append(f"ip link set vnet{n} type bridge_slave {key} {self.pick('on', 'off')}")
            if self.chance(0.08):
                self.lines.append(f"ip link set vnet{n} mtu {self.pick(600, 900, 1200)}")
            if self.chance(0.06):
                self.lines.append(f"bridge fdb replace 52:54:00:07:00:0{n} dev vnet{self.pick(1, 2)} master {self.pick('static', 'static sticky')}"
                                  if n < 3 else "bridge fdb del 52:54:00:07:00:03 dev vnet3 master")

    # ---- rules ----

    def match(self, family, hook):
        ports = [f"meta l4proto {self.pick('tcp', 'udp', 'icmp')}", f"tcp dport {self.pick('80', '1-1024', '{ 22, 80, 443 }', '!= 80')}",
                 f"udp dport {self.pick('53', '{ 53, 123 }')}", "tcp flags syn", "icmp type echo-request",
                 "meta length > 100", f"meta mark {self.pick('0', '!= 0')}", f"th sport > {self.pick(100, 40000)}",
                 "meta pkttype host", f"meta protocol {self.pick('ip', 'arp')}"]
        if family == "bridge":
            ports += ["ether type ip", "ether type arp", f"ether saddr 52:54:00:07:00:0{self.pick(1, 2)}", "ether daddr ff:ff:ff:ff:ff:ff",
                      "ip saddr 10.7.0.11", "arp operation request", 'iifname "vnet1"']
            return self.r.choice(ports)
        ports += [f"ip saddr {self.pick('10.7.0.0/24', '10.7.0.11', '!= 10.7.0.11', '198.51.100.7')}",
                  f"ip daddr {self.pick('198.51.100.7', '10.7.0.0/24', '10.8.0.0/16', '{ 198.51.100.0/24, 10.7.0.12 }')}",
                  f"ct state {self.pick('new', 'established', 'established,related', 'invalid', '{ new, invalid }')}",
                  f"ct direction {self.pick('original', 'reply')}", f"ip ttl {self.pick('64', '63', '< 64')}",
                  f"ct status & {self.pick('dnat', 'snat')} != 0", "ct original ip saddr 10.7.0.11", "ip protocol tcp"]
        if hook in ("prerouting", "input", "forward", "postrouting"):
            ports += [f"iifname {self.pick('br7', 'eth0', '{ br7, br8 }', '!= br7')}"] if hook != "postrouting" else []
        if hook in ("forward", "postrouting", "output"):
            ports += [f"oifname {self.pick('eth0', 'eth1', 'br7', '{ eth0, eth1 }')}"]
        if hook == "prerouting":
            ports += [f"fib saddr . iif oif {self.pick('missing', 'exists')}", "fib daddr type local", "fib daddr type unicast"]
        return self.r.choice(ports)

    def rule(self, family, hook, chains):
        matches = " ".join(self.match(family, hook) for _ in range(self.r.randrange(0, 3)))
        what = ["accept", "accept", "drop", "counter", "return", "counter accept"]
        if chains:
            what += [f"jump {self.r.choice(chains)}", f"goto {self.r.choice(chains)}"]
        if family in ("ip", "inet") and hook in ("input", "forward", "output"):
            what += ["reject"]
        if hook == "prerouting" and family == "ip":
            what += ["meta priority set 1:5", "ct mark set 7"]
        if self.chance(0.05):
            what = [self.pick("limit rate 5/second drop", "meta random & 1 == 0 drop", "numgen random mod 2 vmap { 0 : drop, 1 : accept }")]
        verdict = self.r.choice(what)
        # A lone drop of everything would leave little to see.
        return f"{matches} {verdict}" if matches or not verdict.endswith("drop") else "counter"

    def chain(self, name, text, rules):
        return f"chain {name} {{ {text}\n" + "\n".join(f"  {x}" for x in rules) + "\n }\n"

    def table(self):
        self.n += 1
        family = self.pick("ip", "inet", "ip", "inet", "bridge", "netdev", "arp")
        hooks = {"bridge": ["prerouting", "input", "forward", "output", "postrouting"], "netdev": ["ingress", "egress"],
                 "arp": ["input"]}.get(family, ["prerouting", "input", "forward", "output", "postrouting"])
        side = [f"s{i}" for i in range(self.r.randrange(0, 3))]
        out = ""
        for i, s in enumerate(side):
            out += self.chain(s, "", [self.rule(family, "any", side[i + 1:]) for _ in range(self.r.randrange(0, 3))])
        for i in range(self.r.randrange(1, 4)):
            hook = self.r.choice(hooks)
            device = f" device {self.pick('vnet1', 'br7', 'eth0', 'vnet2')}" if family == "netdev" else ""
            priority = self.pick(-310, -250, -150, -50, 0, 0, 10, 150) if family in ("ip", "inet") else self.pick(-200, -1, 0, 1, 200)
            policy = "policy drop;" if self.chance(0.08) else ""
            rules = [self.rule(family, hook, side) for _ in range(self.r.randrange(0, 5))]
            if family == "arp":
                rules = [self.pick("arp operation request accept", "counter", "arp saddr ip 10.7.0.11 counter")]
            out += self.chain(f"c{i}", f"type filter hook {hook}{device} priority {priority}; {policy}", rules)
        return f"table {family} t{self.n} {{\n{out}}}\n"

    def nat(self):
        out = ""
        if self.chance(0.85):
            what = self.pick("masquerade", "masquerade", f"snat to {UPLINK}", "masquerade to :1024-65535", f"snat to {UPLINK}:2000-3000",
                             "masquerade random")
            out += self.chain("post", "type nat hook postrouting priority 100;",
                              [f"oifname {{ eth0, eth1 }} ip saddr {self.pick('10.7.0.0/24', '10.0.0.0/8')} meta l4proto {{ tcp, udp }} {what}",
                               "oifname { eth0, eth1 } ip saddr 10.7.0.0/24 masquerade"])
        if self.chance(0.35):
            what = self.pick("dnat to 10.7.0.12", "dnat to 10.7.0.12:8080", "dnat to 198.51.100.7:443", "redirect to :81", "redirect",
                             "dnat to 10.8.0.13", "return")
            out += self.chain("pre", f"type nat hook prerouting priority {self.pick(-100, -110)};",
                              [f"{self.pick('tcp dport 80', 'iifname br7 tcp dport 80', f'ip daddr {UPLINK} tcp dport 80', 'meta l4proto tcp')} {what}"])
        return f"table ip nat {{\n{out}}}\n"

    def nft(self):
        if self.chance(0.85):
            self.tables.append(self.nat())
        for _ in range(self.r.choice([0, 0, 1, 1, 2, 3])):
            self.tables.append(self.table())
        if self.chance(0.1):
            self.tables.append("table ip raw { chain p { type filter hook prerouting priority raw; " +
                               self.pick("notrack", "tcp dport 80 notrack", "udp dport 53 notrack") + "; }; }")

    def ask(self):
        proto = self.pick("tcp", "tcp", "udp", "icmp", "icmp", "arp")
        dst = self.pick(INTERNET, INTERNET, INTERNET, "198.51.100.99", ELSEWHERE, "10.7.0.12", "10.8.0.13", "10.7.0.1", "10.8.0.1", UPLINK)
        if proto == "arp":
            dst = self.pick("10.7.0.1", "10.7.0.12", "10.7.0.99")
        args = [proto, dst + (f":{self.pick(80, 53, 443, 81)}" if proto in ("tcp", "udp") else "")]
        if self.chance(0.2) and proto != "arp":
            args += ["--size", str(self.pick(64, 650, 800, 1000, 1400, 1500))]
        # What comes from outside and goes to somebody else is no question about this guest.
        if self.chance(0.12) and proto != "arp" and "dnat" not in "".join(self.tables):
            return args[:1] + [self.pick(UPLINK, "10.7.0.11") + (":80" if proto in ("tcp", "udp") else "")] + args[2:] + ["--from-outside"]
        source = "10.7.0.11" if self.chance(0.9) else self.pick("10.9.9.9", "10.7.0.1", UPLINK, "127.0.0.1")
        return args + ["--source", source]

    def text(self):
        return "\n".join(self.lines) + "\n" + "".join(self.tables)


@pytest.fixture
def lab(world):
    return Lab(world)


def one(lab, seed):
    """The exit status and the lines of one round, or None when the kernel takes no such host."""
    s = Scenario(seed)
    lab.reset()
    if lab.ns.run("nft", "-f", "-", check=False, stdin="".join(s.tables)).returncode:
        return s, None, None
    for line in s.lines:
        lab.ns.run("sh", "-c", line, check=False)
    lab.ns.run("sh", "-c", lab.neighbours, check=False)
    port = ["--port", "vnet1", "--mac", lab.guests[0].mac]
    done = lab.ns.run(program("vmlane"), "-o", "json", "explain", "--probe", *port, *s.question, check=False)
    return s, done, [json.loads(line) for line in done.stdout.splitlines()]


UNSEEN = {"firewall", "firewall-unseen"}  # rules of family netdev


def judge(s, done, lines):
    """"same", "unknown", "refused" (no such question), or what is wrong."""
    if done.returncode == 1 or not lines:
        return "refused" if done.returncode in (1, 2) else f"exit {done.returncode}"
    answers = [x for x in lines if x["event"] == "answer"]
    if not answers:
        return f"no answer, exit {done.returncode}"
    if done.returncode not in (0, 2, 4, 5):
        return f"exit {done.returncode}"
    if any(x["event"] == "blocked" for x in lines):
        return "same"
    comparison = next((x for x in lines if x["event"] == "comparison"), None)
    if not comparison:
        return "refused"
    if not comparison["same"]:
        return comparison["difference"]
    if answers[0]["answer"] == "unknown":
        return "unknown"
    # What a routing rule refuses looks to a trace as if no table had a route: the ways are compared, not the words.
    if any("ip rule" in x for x in s.lines):
        return "same"
    packets = [x for x in lines if x["event"] == "packet"]
    for n in (1, 2):
        p, q = ([x["diagnosis"] and x["diagnosis"]["code"] for x in packets if bool(x.get("predicted")) == want and x["packet"] == n]
                for want in (True, False))
        if n == 1 and p and q and p[0] != q[0] and not {p[0], q[0]} <= UNSEEN:
            return f"packet {n}: cause {p[0]}, seen {q[0]}"
    return "same"


@pytest.mark.slow
def test_never_wrong(lab):
    first = int(os.environ.get("VMLANE_EXPLAIN_SEED", "0")) or int(time.time())
    print(f"VMLANE_EXPLAIN_SEED={first}")
    counts, unknown, wrong = collections.Counter(), collections.Counter(), []
    end, n = time.monotonic() + SECONDS, 0
    while n < ROUNDS if ROUNDS else time.monotonic() < end:
        seed = first + n
        n += 1
        s, done, lines = one(lab, seed)
        if done is None:
            counts["no such host"] += 1
            if os.environ.get("VMLANE_EXPLAIN_DEBUG"):
                print(s.text(), lab.ns.run("nft", "-f", "-", check=False, stdin="".join(s.tables)).stderr)
            continue
        verdict = judge(s, done, lines)
        kind = verdict if verdict in ("same", "unknown", "refused") else "wrong"
        counts[kind] += 1
        if kind == "unknown":
            hop = [h["text"] for x in lines if x.get("predicted") and x["event"] == "packet" for h in x["hops"] if h["hop"] == "UNKNOWN"]
            unknown[hop[0] if hop else lines[-1].get("what") or next(x["what"] for x in lines if x["event"] == "answer")] += 1
        if kind == "wrong":
            wrong.append(f"seed {seed}: {verdict}\n{' '.join(s.question)}\n{s.text()}\n{done.stdout}{done.stderr}")
    asked = counts["same"] + counts["unknown"] + counts["wrong"]
    print(f"{n} rounds: {dict(counts)}; unknown {100 * counts['unknown'] / max(asked, 1):.1f} %")
    for text, times in unknown.most_common(20):
        print(f"  unknown {times} x: {text}")
    assert not wrong, f"{len(wrong)} wrong predictions\n" + "\n----\n".join(wrong[:int(os.environ.get('VMLANE_EXPLAIN_SHOW', '3'))])
    assert asked >= 5 and counts["unknown"] <= max(3, asked * 0.25), counts
