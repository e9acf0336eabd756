# SPDX-License-Identifier: GPL-2.0-or-later
"""nft_random.py - random rulesets and random packets over one small vocabulary, so that rules match
about as often as not."""
import logging
import random
import re

logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
# pylint: disable=wrong-import-position,no-name-in-module
from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop  # noqa: E402
from scapy.layers.l2 import ARP, Ether  # noqa: E402

PORTS = [22, 53, 80, 443, 1000, 1024, 8080, 65535]
MARKS = [0, 1, 2, 7, 0x10, 0x1F, 0x80000000, 0xFFFFFFFF]
SRC4 = ["10.1.0.2", "10.1.0.3", "10.1.0.130"]
SRC6 = ["fd01::2", "fd01::3", "fd01::1:2"]
NETS4 = ["10.0.0.0/8", "10.1.0.0/24", "10.1.0.0/25", "10.1.0.2", "10.1.0.2/31", "10.2.0.0/16", "10.2.0.2", "192.168.0.0/16", "10.1.0.3-10.1.0.200"]
NETS6 = ["fd00::/8", "fd01::/64", "fd01::2", "fd01::/126", "fd02::/16", "fd02::2", "fe80::/10"]
MACS = ["02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:aa"]  # the second: on the right


class Rules:
    """Rules of @family for a hook. @ip: what may be on the network layer there ("ip", "ip6"); @where: the
    hook's name; @known: nothing that has to be unknown."""

    def __init__(self, rng, family, where, devices, known=False):
        self.r, self.family, self.where, self.known = rng, family, where, known
        self.ins, self.outs = devices
        self.sets, self.chains = [], []

    def pick(self, *what):
        return self.r.choice(what)

    def some(self, values, most=4):
        return self.r.sample(values, self.r.randint(1, min(most, len(values))))

    def op(self):
        return self.pick("", "", "", "!= ")

    def ports(self):
        low, high = sorted(self.r.sample(PORTS, 2))
        return self.pick(str(low), f"{low}-{high}", "{ " + ", ".join(map(str, self.some(PORTS))) + " }",
                         "{ " + f"{low}-{high}, 5" + " }", f"@{self.named('inet_service', list(map(str, self.some(PORTS))))}")

    def order(self, values):
        return self.pick("", "!= ", "< ", "> ", "<= ", ">= ") + str(self.r.choice(values))

    def named(self, kind, elements, flags="", extra=""):
        name = f"s{len(self.sets)}"
        flags = f"flags {flags}; " if flags else ""
        elements = f"elements = {{ {', '.join(elements)} }}; " if elements else ""
        kind = kind if kind.startswith("typeof") else f"type {kind}"
        self.sets.append(f"set {name} {{ {kind}; {flags}{extra}{elements}}}")
        return name

    def map_of(self, kind, elements, flags=""):
        name = f"s{len(self.sets)}"
        flags = f"flags {flags}; " if flags else ""
        self.sets.append(f"map {name} {{ type {kind}; {flags}elements = {{ {', '.join(elements)} }}; }}")
        return name

    def addresses(self, nets, kind):
        flat = [n for n in nets if "-" not in n]
        apart = {"ipv4_addr": [["10.1.0.0/25", "10.2.0.0/16"], ["10.1.0.2", "10.1.0.3-10.1.0.9"], ["192.168.0.0/16"]],
                 "ipv6_addr": [["fd01::/126", "fd02::/16"], ["fd01::2", "fd02::2"], ["fe80::/10"]]}[kind]
        elements = self.r.choice(apart)
        return self.pick(self.r.choice(nets), self.r.choice(flat), "{ " + ", ".join(elements) + " }",
                         "@" + self.named(kind, elements, "interval"))

    # -- conditions, by what they look at --

    def meta(self):
        r = self.r
        mask, mark = r.choice(MARKS[1:]), r.choice(MARKS)
        day = self.pick("0", "1", "6")
        choices = [f"meta mark {self.op()}{mark}", f"meta mark {self.order(MARKS)}", f"meta mark and {mask} {self.op()}{mark & mask}",
                   f"meta mark {{ {', '.join(map(str, self.some(MARKS)))} }}", f"meta mark {self.op()}1-0x1f",
                   f"meta length {self.order([40, 60, 64, 100, 500])}", f"meta length {self.op()}50-120",
                   f"iifname {self.op()}\"{r.choice(self.ins)}\"", f"iifname {{ \"{self.ins[0]}\", \"x9\" }}", f"iifname {self.op()}\"l*\"",
                   f"meta iiftype {self.op()}ether", f"meta iifgroup {self.op()}{self.pick(0, 5)}",
                   f"meta iifkind {self.op()}\"{self.pick('veth', 'bridge')}\"",
                   f"meta protocol {self.op()}{self.pick('ip', 'ip6', 'arp')}", f"meta day {self.op()}{day}"]
        if self.family != "arp":
            choices += [f"meta l4proto {self.op()}{self.pick('tcp', 'udp', 'icmp', 'ipv6-icmp')}", "meta l4proto { tcp, udp }",
                        f"meta pkttype {self.op()}{self.pick('host', 'broadcast', 'multicast')}"]
        if self.family == "inet":
            choices += [f"meta nfproto {self.op()}{self.pick('ipv4', 'ipv6')}"]
        if self.outs:
            choices += [f"oifname {self.op()}\"{r.choice(self.outs)}\"", f"meta oifgroup {self.op()}{self.pick(0, 5)}", "oifname \"r*\""]
        return r.choice(choices)

    def ip(self):
        which = self.pick("saddr", "daddr")
        return self.pick(f"ip {which} {self.op()}{self.addresses(NETS4, 'ipv4_addr')}", f"ip ttl {self.order([1, 63, 64, 128])}",
                         f"ip dscp {self.op()}{self.pick('cs0', 'ef', 'af11')}", f"ip length {self.order([40, 64, 100])}",
                         f"ip id {self.order([0, 7, 300])}", f"ip protocol {self.op()}{self.pick('tcp', 'udp', 'icmp')}",
                         f"ip frag-off & 0x1fff {self.op()}0", f"ip frag-off & 0x4000 {self.op()}0", f"ip version {self.op()}4",
                         f"ip ecn {self.op()}not-ect", f"ip hdrlength {self.order([5, 6])}",
                         f"ip {which} & 255.255.255.0 {self.op()}10.1.0.0")

    def ip6(self):
        which = self.pick("saddr", "daddr")
        return self.pick(f"ip6 {which} {self.op()}{self.addresses(NETS6, 'ipv6_addr')}", f"ip6 hoplimit {self.order([1, 63, 64, 255])}",
                         f"ip6 nexthdr {self.op()}{self.pick('tcp', 'udp', 'ipv6-icmp', 'hopopt')}", f"ip6 dscp {self.op()}{self.pick('cs0', 'ef')}",
                         f"ip6 flowlabel {self.order([0, 5])}", f"ip6 length {self.order([20, 64])}",
                         f"exthdr hbh {self.pick('exists', 'missing')}", f"exthdr dst {self.pick('exists', 'missing')}",
                         f"exthdr frag {self.pick('exists', 'missing')}", f"hbh nexthdr {self.op()}tcp")

    def transport(self):
        return self.pick(f"tcp dport {self.op()}{self.ports()}", f"tcp sport {self.op()}{self.ports()}", f"udp dport {self.op()}{self.ports()}",
                         f"udp sport {self.op()}{self.ports()}", f"th dport {self.op()}{self.ports()}",
                         "tcp flags syn", "tcp flags & (syn|ack) == syn", "tcp flags & (fin|syn|rst|ack) != syn", "tcp flags != ack",
                         f"tcp window {self.order([0, 8192])}", f"tcp sequence {self.order([0, 5])}", f"tcp option maxseg size {self.order([536, 1460])}",
                         f"tcp option sack-perm {self.pick('exists', 'missing')}", f"tcp option timestamp {self.pick('exists', 'missing')}",
                         f"udp length {self.order([8, 30])}", f"icmp type {self.op()}{self.pick('echo-request', 'timestamp-request')}",
                         f"icmp id {self.order([0, 9])}", f"icmpv6 type {self.op()}echo-request", f"tcp doff {self.order([5, 6, 8])}",
                         f"@th,16,16 {self.op()}{self.r.choice(PORTS)}", f"@th,{self.pick(0, 3, 8)},{self.pick(4, 8, 13)} {self.order([0, 3, 9])}",
                         f"@nh,{self.pick(0, 4, 9, 70)},{self.pick(3, 8, 12)} {self.order([0, 3, 4, 5])}", f"@ih,0,8 {self.op()}{self.pick(0x41, 0x42)}")

    def link(self):
        which = self.pick("saddr", "daddr")
        return self.pick(f"ether {which} {self.op()}{self.r.choice(MACS)}", f"ether {which} {{ {', '.join(self.some(MACS))} }}",
                         f"ether type {self.op()}{self.pick('ip', 'ip6')}", f"ether {which} & ff:ff:00:00:00:00 == 02:00:00:00:00:00")

    def ct(self):
        which = self.pick("original", "reply")
        return self.pick(f"ct state {self.op()}{self.pick('new', 'established', 'invalid', 'untracked', 'established,related', 'new,untracked')}",
                         "ct state { new, established }", f"ct direction {self.op()}{self.pick('original', 'reply')}",
                         f"ct mark {self.order(MARKS)}", f"ct mark and 3 {self.op()}1", f"ct label {self.pick(3, 118)}", f"ct status {self.pick('seen-reply', 'assured', 'snat')}",
                         f"ct {which} ip saddr {self.op()}10.1.0.0/24", f"ct {which} ip6 daddr {self.op()}fd01::/64",
                         f"meta l4proto {{ tcp, udp }} ct {which} proto-dst {self.r.choice(PORTS)}",
                         f"ct l3proto {self.op()}{self.pick('ipv4', 'ipv6')}", f"ct protocol {self.op()}{self.pick('tcp', 'udp', 'icmp')}",
                         f"ct zone {self.op()}{self.pick(0, 1)}",
                         f"ct state vmap {{ established : {self.verdict()}, new : {self.verdict()} }}")

    def fib(self):
        which = self.pick("saddr", "daddr")
        choices = [f"fib {which} type {self.op()}{self.pick('local', 'unicast', 'broadcast', 'multicast')}",
                   f"fib {which} type {{ local, broadcast }}"]
        if self.where in ("prerouting", "input", "forward"):
            choices += [f"fib {which} oif {self.pick('exists', 'missing')}", f"fib {which} . iif oif {self.pick('exists', 'missing')}",
                        f"fib {which} oifname {self.op()}\"{self.pick(*self.ins, 'r0')}\"", f"fib {which} . mark oif {self.pick('exists', 'missing')}",
                        f"fib {which} . iif type {self.op()}local"]
        return self.r.choice(choices)

    def together(self):
        """Concatenations: exact and of intervals; maps with verdicts and values."""
        ports = [str(p) for p in self.some(PORTS)]
        a, b = self.verdict(), self.verdict()
        return self.pick(f"ip saddr . tcp dport {self.op()}{{ 10.1.0.2 . 80, 10.1.0.3 . 443, 10.1.0.2 . 22 }}",
                         "ip saddr . udp dport { 10.1.0.0/24 . 50-90, 10.2.0.0/16 . 443 }",
                         f"ip saddr . ip daddr vmap {{ 10.1.0.0/25 . 10.2.0.0/24 : {a}, 10.1.0.128-10.1.0.255 . 10.0.0.0/8 : {b} }}",
                         f"ip6 saddr . meta l4proto vmap {{ fd01::2 . tcp : {a}, fd01::3 . udp : {b} }}",
                         f"iifname . meta l4proto {{ \"{self.ins[0]}\" . tcp, \"x\" . udp }}",
                         f"meta l4proto . th dport vmap {{ tcp . 80 : {a}, udp . 53 : {b}, tcp . 1000-1030 : accept }}",
                         "tcp dport vmap { " + ", ".join(f"{p} : {self.verdict()}" for p in ports) + " }",
                         f"tcp dport vmap {{ 1-79 : {a}, 80-1023 : {b}, * : continue }}",
                         f"ip saddr vmap @{self.map_of('ipv4_addr : verdict', ['10.1.0.2 : ' + a, '10.1.0.3 : ' + b])}",
                         f"ip saddr vmap @{self.map_of('ipv4_addr : verdict', ['10.1.0.0/25 : ' + a, '10.1.0.128/25 : ' + b], 'interval')}",
                         "meta mark set ip saddr map { 10.1.0.2 : 7, 10.1.0.3 : 0x10 }", "meta mark set th dport map { 1-100 : 1, 443 : 2 }",
                         f"meta mark set ip daddr map @{self.map_of('ipv4_addr : mark', ['10.2.0.0/24 : 31', '10.3.0.0/24 : 2'], 'interval')}")

    def unsure(self):
        return self.pick("limit rate 1/second", "limit rate over 5 mbytes/second", "meta cpu 0", "meta random > 5", "numgen inc mod 2 0",
                         "limit rate 1000/second burst 1 packets",
                         "jhash ip saddr mod 2 0", "meta cpu 1")

    def condition(self):
        kinds = [self.meta, self.meta, self.transport, self.transport]
        if self.family == "arp":
            return self.pick(self.meta(), f"arp operation {self.op()}{self.pick('request', 'reply')}", f"arp saddr ip {self.op()}10.1.0.2",
                             f"arp daddr ip {self.op()}{{ 10.1.0.1, 10.1.0.9 }}", f"arp saddr ether {self.op()}{self.r.choice(MACS)}",
                             "arp htype 1", f"arp ptype {self.pick('ip', 'ip6')}")
        if self.family != "ip6":
            kinds += [self.ip, self.ip, self.together]
        if self.family != "ip":
            kinds += [self.ip6]
        if self.family == "ip6":
            kinds += [self.ip6]
        if self.where != "egress":
            kinds += [self.link]
        if self.family in ("ip", "ip6", "inet") and self.where != "ingress":
            kinds += [self.ct, self.ct]
            kinds += [self.fib] if self.where != "postrouting" else []
        if not self.known:
            kinds += [self.unsure]
        return self.r.choice(kinds)()

    def statement(self):
        choices = ["counter", "log group 5", f"meta mark set {self.r.choice(MARKS)}", "meta mark set meta mark or 0x10",
                   "meta mark set meta mark xor 3", "meta mark set meta mark and 0xf", f"quota over {self.pick('1 bytes', '500 mbytes')}", "quota 500 mbytes"]
        if self.family in ("ip", "inet") and self.where != "ingress":
            choices += [f"ct mark set {self.r.choice(MARKS)}", "ct mark set meta mark", "ct label set 118", "meta mark set ct mark", "ip ttl set 9", "ip dscp set ef",
                        f"add @{self.named('ipv4_addr', [], 'dynamic', 'size 100; timeout 1h; ')} {{ ip saddr }}",
                        f"update @{self.named('ipv4_addr', ['10.1.0.2'], 'dynamic', 'size 100; ')} {{ ip saddr }}"]
        if self.family != "arp":
            choices += ["th dport set 443", "meta priority set 1:2"]
        if self.where == "prerouting" and self.family != "bridge":
            choices += ["notrack", "meta pkttype set broadcast"]
        return self.r.choice(choices)

    def verdict(self):
        choices = ["accept", "drop", "accept", "drop", "return", "continue"]
        if self.chains:
            choices += [f"jump {self.r.choice(self.chains)}", f"goto {self.r.choice(self.chains)}"]
        return self.r.choice(choices)

    def rule(self):
        parts = [self.condition() for _ in range(self.r.choice([0, 1, 1, 1, 2, 2, 3]))]
        if self.r.random() < 0.5:
            parts.insert(self.r.randint(0, len(parts)), self.statement())
        last = self.verdict() if self.r.random() < 0.6 else self.statement() if self.r.random() < 0.5 else ""
        if self.r.random() < 0.05 and self.where in ("input", "forward") and self.family not in ("bridge", "arp"):
            last = "reject"
        if last and not any("vmap" in p for p in parts):
            parts.append(last)
        return " ".join(parts) or "counter"


def ruleset(rng, family, where, hook_line, devices, known):
    """Lines of a table `t`; chains that are jumped to come first."""
    rules = Rules(rng, family, where, devices, known)
    chains = []
    for i in range(rng.randint(0, 3)):
        body = [rules.rule() for _ in range(rng.randint(0, 4))]
        rules.chains.append(f"c{i}")
        chains.append((f"c{i}", [], body))
    for i, line in enumerate(hook_line):
        policy = rng.choice(["accept", "accept", "drop"])
        chains.append((f"b{i}", [f"{line}; policy {policy};"], [rules.rule() for _ in range(rng.randint(2, 10))]))
    # Sets that no rule names were only thought of.
    text = "\n".join(r for _, _, body in chains for r in body)
    used = set(re.findall(r"@(s[0-9]+)\b", text))
    lines = [f"table {family} t {{"] + [s for s in rules.sets if s.split()[1] in used]
    for name, head, body in chains:
        lines += [f"chain {name} {{"] + head + body + ["}"]
    return lines + ["}"]


class Iptables:
    """Rules as Docker, ufw and people write them, for iptables-restore."""

    def __init__(self, rng, ip6, table, chain, known):
        self.r, self.ip6, self.table, self.chain, self.known = rng, ip6, table, chain, known
        self.chains = []

    def no(self):
        return self.r.choice(["", "", "! "])

    def address(self):
        return self.r.choice([n for n in (NETS6 if self.ip6 else NETS4) if "-" not in n])

    def ports(self):
        low, high = sorted(self.r.sample(PORTS, 2))
        return self.r.choice([str(low), f"{low}:{high}", f"{low}:", f":{high}"])

    def plain(self):
        what = [f"{self.no()}-s {self.address()}", f"{self.no()}-d {self.address()}"]
        if self.chain != "POSTROUTING":
            what.append(f"{self.no()}-i {self.r.choice(['l0', 'l+', 'x0'])}")
        if self.chain in ("FORWARD", "POSTROUTING"):
            what.append(f"{self.no()}-o {self.r.choice(['r0', 'r+', 'x0'])}")
        return self.r.choice(what)

    def transport(self):
        ports = ",".join(map(str, self.r.sample(PORTS, 3)))
        which = self.r.choice(["dports", "sports", "ports"])
        icmp = "-p ipv6-icmp -m icmp6 --icmpv6-type 128" if self.ip6 else f"-p icmp -m icmp {self.no()}--icmp-type {self.r.choice(['8', '8/0', '13', 'any'])}"
        return self.r.choice([f"-p tcp -m tcp {self.no()}--dport {self.ports()}", f"-p udp -m udp {self.no()}--sport {self.ports()}",
                              f"-p tcp -m tcp {self.no()}--syn", "-p tcp -m tcp --tcp-flags SYN,RST,ACK ACK", f"-p tcp -m tcp {self.no()}--tcp-option {self.r.choice([2, 4, 8])}",
                              f"-p {self.r.choice(['tcp', 'udp'])} -m multiport {self.no()}--{which} {ports}", f"-p udp -m multiport --dports 50:100,{self.r.choice(PORTS)}",
                              icmp, f"{self.no()}-p {self.r.choice(['tcp', 'udp', '58' if self.ip6 else '1'])}"])

    def extension(self):
        r = self.r
        states = ",".join(r.sample(["NEW", "ESTABLISHED", "RELATED", "INVALID"], 2))
        kind = r.choice(["LOCAL", "UNICAST", "MULTICAST"] + ([] if self.ip6 else ["BROADCAST"]))
        lo, hi = ("fd01::2", "fd01::3") if self.ip6 else ("10.1.0.2", "10.1.0.9")
        what = [f"-m conntrack {self.no()}--ctstate {states}", f"-m conntrack {self.no()}--ctstate {states}", f"-m state --state {states}",
                f"-m conntrack --ctdir {r.choice(['ORIGINAL', 'REPLY'])}", f"-m conntrack {self.no()}--ctproto {r.choice(['tcp', 'udp'])}",
                f"-m conntrack {self.no()}--ctorigsrc {self.address()}", f"-m conntrack --ctstate NEW --ctorigdstport {r.choice(PORTS)}",
                f"-m conntrack --ctstatus {r.choice(['ASSURED', 'SEEN_REPLY', 'NONE'])}", f"-m conntrack {self.no()}--ctstate {r.choice(['SNAT', 'DNAT'])}",
                f"-m addrtype {self.no()}--dst-type {kind}", f"-m addrtype {self.no()}--src-type {kind}",
                f"-m mark {self.no()}--mark {r.choice(MARKS)}", f"-m mark --mark 0x1/0x3", f"-m connmark {self.no()}--mark {r.choice([0, 1, 7])}",
                f"-m iprange {self.no()}--src-range {lo}-{hi}", f"-m length {self.no()}--length {r.choice(['40', '20:60', '100:'])}",
                f"-m {'hl --hl' if self.ip6 else 'ttl --ttl'}-{r.choice(['eq', 'lt', 'gt'])} {r.choice([1, 63, 64, 128])}",
                f"-m dscp {self.no()}--dscp {r.choice(['0', '46'])}", f"-m tos {self.no()}--tos {r.choice(['0xb8/0xfc', '0/0xff'])}",
                f"-m pkttype {self.no()}--pkt-type {r.choice(['unicast', 'broadcast'])}", '-m comment --comment "Docker, or ufw"']
        if self.chain in ("INPUT", "FORWARD", "PREROUTING"):
            what.append(f"-m mac {self.no()}--mac-source {r.choice(MACS)}")
        if self.chain == "FORWARD":
            what += [f"-m physdev {self.no()}--physdev-is-bridged", f"-m physdev {self.no()}--physdev-in p0"]
        if not self.known:
            what += ["-m limit --limit 3/min", "-m statistic --mode random --probability 0.5", "-m recent --name x --rcheck", "-m cpu --cpu 0"]
        return r.choice(what)

    def target(self):
        what = ["ACCEPT", "DROP", "RETURN", "NFLOG --nflog-group 5", "ACCEPT", "DROP"]
        if self.chains:
            what += [self.r.choice(self.chains)] * 4
        if self.table == "filter":
            what += ["REJECT"]
        if self.table == "mangle":
            what += [f"MARK --set-xmark {self.r.choice(['0x7/0xff', '0x10/0xffffffff', '0x1/0x0'])}", "MARK --or-mark 0x10", "MARK --xor-mark 3",
                     f"CONNMARK --set-xmark {self.r.choice(['0x7/0xff', '0x1/0x1'])}", "CONNMARK --save-mark --nfmask 0xff --ctmask 0xff",
                     "CONNMARK --restore-mark --nfmask 0xf --ctmask 0xf"]
        if self.table == "raw":
            what += ["CT --notrack", "NOTRACK"]
        target = self.r.choice(what)
        return ("-g " if target in self.chains and self.r.random() < 0.3 else "-j ") + target

    def rule(self, chain):
        parts = [f"-A {chain}"]
        if self.r.random() < 0.6:
            parts.append(self.plain())
        if self.r.random() < 0.6:
            parts.append(self.transport())
        if self.r.random() < 0.6 and not (self.table == "raw"):
            parts.append(self.extension())
        return " ".join(parts + [self.target()])

    def text(self):
        """Lines; one that iptables-restore refuses may be left out."""
        body = []
        for i in range(self.r.randint(0, 3)):
            body += [self.rule(f"C{i}") for _ in range(self.r.randint(0, 4))]
            self.chains.append(f"C{i}")
        policy = self.r.choice(["ACCEPT", "DROP"]) if self.table == "filter" else "ACCEPT"
        body += [self.rule(self.chain) for _ in range(self.r.randint(2, 9))]
        return [f"*{self.table}", f":{self.chain} {policy} [0:0]"] + [f":{c} - [0:0]" for c in self.chains] + body + ["COMMIT"]


def packet(rng, where, ip6, dst):
    """Above Ethernet; @dst: where it goes. (packet, what conntrack makes of it, tuple or None)"""
    src = rng.choice(SRC6 if ip6 else SRC4)
    if ip6:
        net = IPv6(src=src, dst=dst, hlim=rng.choice([2, 64, 255]), tc=rng.choice([0, 0xB8]), fl=rng.choice([0, 5]))
        if rng.random() < 0.15:
            net = net / rng.choice([IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt])()
    else:
        net = IP(src=src, dst=dst, ttl=rng.choice([2, 64, 128]), id=rng.choice([0, 7, 300]), tos=rng.choice([0, 0xB8, 0x28]),
                 flags=rng.choice(["DF", 0]))
        if rng.random() < 0.1 and where in ("ingress", "bridge"):
            net.frag = rng.choice([0, 185])
            net.flags = "MF"
    sport, dport = rng.choice(PORTS), rng.choice(PORTS)
    load = bytes([rng.choice([0x41, 0x42])]) * rng.choice([0, 1, 40, 500])
    kind = rng.choice(["tcp", "tcp", "udp", "udp", "icmp"])
    if kind == "tcp":
        flags = rng.choice(["S", "S", "A", "R"])
        options = rng.choice([[], [("MSS", 1460)], [("MSS", 536), ("SAckOK", b""), ("Timestamp", (1, 2))]]) if flags == "S" else []
        p = net / TCP(sport=sport, dport=dport, flags=flags, options=options, seq=rng.choice([0, 5]), window=rng.choice([0, 8192])) / load
        return p, "none" if flags == "R" else "new", (6, src, dst, sport, dport)
    if kind == "udp":
        return net / UDP(sport=sport, dport=dport) / load, "new", (17, src, dst, sport, dport)
    if ip6:
        return net / ICMPv6EchoRequest(id=9, data=load), "new", (58, src, dst, 9, 0x8000)
    return net / ICMP(type=8, id=9) / load, "new", (1, src, dst, 9, 0x800)


def arp_packet(rng):
    return ARP(op=rng.choice([1, 2]), hwsrc=rng.choice(MACS), psrc=rng.choice(["10.1.0.2", "10.1.0.3"]), pdst=rng.choice(["10.1.0.1", "10.1.0.9"]))


def frame(rng, payload, dst, src=None):
    return Ether(src=src or rng.choice([MACS[0], MACS[2]]), dst=dst) / payload


__all__ = ["IP", "MACS", "UDP", "Ether", "Iptables", "arp_packet", "frame", "packet", "random", "ruleset"]
