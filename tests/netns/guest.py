# SPDX-License-Identifier: GPL-2.0-or-later
"""guest.py - guests that are namespaces, and the DHCP clients that run in them.

RunGuest goes through `vmlane run` and vmlane-nsguest: a tap that lives as long as its machine.
TapGuest goes through `vmlane guest attach` and vmm.py: a persistent tap, opened by name.
"""
import glob
import ipaddress
import json
import os
import signal
import subprocess
import tempfile

from daemon import program
from world import HERE, INTERNET, TIMEOUT, Ns, wait_for


class Guest:
    """What both kinds have: a namespace with an `eth0` in it."""

    def __init__(self, vmlaned, name, network="default"):
        self.d, self.world, self.name, self.network = vmlaned, vmlaned.world, name, network
        self.tmp = f"{self.world.tmp}/{name}"
        os.makedirs(self.tmp, exist_ok=True)
        self.ns, self.vmm, self.ip = None, None, None

    def show(self):
        return self.d.get(f"/v1/guests/{self.name}")

    @property
    def mac(self):
        return self.ns.links()["eth0"]["address"]

    def off(self, sig=signal.SIGTERM):
        self.vmm.end(sig)

    def dhcp(self, client="udhcpc", **kw):
        """An address by a real client; what it was told."""
        told = CLIENTS[client](self, **kw).bound()
        self.ip = told["address"]
        return told

    def static(self, address, gateway="192.168.122.1"):
        self.ns.run("ip", "addr", "add", f"{address}/24", "dev", "eth0")
        self.ns.run("ip", "route", "add", "default", "via", gateway)
        self.ip = address

    def allowed(self, *addresses):
        """Its guards let it send as one of @addresses too."""
        self.d.vmlane("network", "set", self.network, f"guests.{self.name}.addresses=[{', '.join(addresses)}]")
        return self

    def slaac(self, prefix):
        """The address that the kernel has made of @prefix, "fd00:a::/64", once it may be used."""
        net = ipaddress.ip_network(prefix)

        def look():
            return next((a["local"] for link in self.ns.ip("-6", "addr", "show", "dev", "eth0")
                         for a in link.get("addr_info", [])
                         if not a.get("tentative") and ipaddress.ip_address(a["local"]) in net
                         and a.get("preferred_life_time", 1) > 0), None)

        return wait_for(f"an address of {prefix}", look)

    def http(self, address=INTERNET, check=True, timeout=20):
        """Who the web server says we are."""
        host = f"[{address}]" if ":" in address else address
        out = self.ns.run("curl", "-sS", "--max-time", timeout, f"http://{host}/", check=check)
        return json.loads(out) if check else out

    def ping(self, address, count=1, wait=1):
        return self.ns.run("busybox", "ping", "-q", "-c", count, "-W", wait, address, check=False).returncode == 0

    def reaches(self, address, count=1, wait=20):
        """As ping(), where an answer is expected: it may take its time on a busy machine."""
        return self.ping(address, count, wait)

    def stream(self, interval_ms=2, address=INTERNET):
        """A running flow; stop_stream() tells how it went."""
        p = self.ns.python("stream.py", address, interval_ms, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                           log=f"{self.tmp}/stream.log")
        assert p.line() == "running"
        return p


def met(guests, addresses=None, wait=1):
    """Who of {name: guest} reaches whom, as pairs of names: all ask at once, so that those who get no
    answer wait beside each other. @addresses where it is not each one's ip."""
    addresses = addresses or {name: g.ip for name, g in guests.items()}
    asked = {(a, b): g.ns.start("busybox", "ping6" if ":" in addresses[b] else "ping", "-q", "-c", 1, "-W", wait,
                                addresses[b])
             for a, g in guests.items() for b in addresses if a != b}
    return {pair for pair, p in asked.items() if p.wait() == 0}


def stop_stream(p):
    p.p.stdin.close()
    result = json.loads(p.line())
    p.end()
    return result


class RunGuest(Guest):
    def __init__(self, vmlaned, name, network="default", mac=None, extra=(), user=None):
        super().__init__(vmlaned, name, network)
        netns = f"g-{name}"
        argv = vmlaned.argv("run", "--network", network, "--name", name, *(["--mac", mac] if mac else []), *extra,
                            "--", program("vmlane-nsguest"), "--fd", "{fd}", "--mac", "{mac}",
                            "--keep-ns-path", f"/run/netns/{netns}", "--", "sleep", "infinity")
        if user:
            argv = ["setpriv", f"--reuid={user[0]}", f"--regid={user[1]}", "--init-groups"] + argv
        self.vmm = self.world.host.start(*argv, log=f"{self.tmp}/vmm.log")
        self.ns = Ns(self.world, netns)
        self.world.names.append(netns)
        wait_for(f"guest {name}", self._ready)

    def _ready(self):
        assert self.vmm.alive(), f"vmlane run ended with {self.vmm.p.returncode}:\n{self.vmm.text()}"
        done = self.ns.run("ip", "-j", "link", "show", "eth0", check=False)
        return done.returncode == 0 and "LOWER_UP" in done.stdout


class TapGuest(Guest):
    def __init__(self, vmlaned, name, network="default", mac=None, queues=1, attach=True):
        super().__init__(vmlaned, name, network)
        if attach:
            vmlaned.vmlane("guest", "attach", name, "--network", network, *(["--mac", mac] if mac else []),
                           *(["--queues", queues] if queues > 1 else []))
        self.about = self.show()
        self.ns = self.world.ns(f"g-{name}")
        self.on(queues)

    def on(self, queues=1):
        self.vmm = self.world.host.python("vmm.py", self.about["tap"], self.ns.name, self.about["mac"], queues,
                                          stdout=subprocess.PIPE, log=f"{self.tmp}/vmm.log")
        assert self.vmm.line() == "ready"


# ---- DHCP clients ----


def prefix(mask):
    return sum(bin(int(b)).count("1") for b in mask.split("."))


class Client:
    """A client writes its script's environment to a file; bound() reads what came first."""

    def __init__(self, guest, **kw):
        self.guest, self.kw = guest, kw
        self.dir = tempfile.mkdtemp(prefix=type(self).__name__.lower(), dir=guest.tmp)
        self.events = f"{self.dir}/events"
        self.script = os.path.join(HERE, "dhcp-script.sh")
        self.p = guest.ns.start(*self.argv(), log=f"{self.dir}/log", env={"DHCP_EVENTS": self.events})

    def all(self):
        """Every event so far, as dicts of the script's environment."""
        events = []
        for path in sorted(glob.glob(f"{self.events}.*.done"), key=lambda p: int(p.split(".")[-2])):
            with open(path, encoding="utf-8", errors="replace") as f:
                events.append(dict(line.split("=", 1) for line in f.read().split("\0") if "=" in line))
        return events

    def wait_event(self, *reasons, after=0, timeout=TIMEOUT):
        """The first event after @after of them that has one of @reasons."""

        def look():
            return next((e for e in self.all()[after:] if self.reason(e) in reasons), None)

        try:
            return wait_for(f"{type(self).__name__}: {'/'.join(reasons)}", look, timeout)
        except AssertionError as e:
            raise AssertionError(f"{e}; events {[self.reason(x) for x in self.all()]}\n{self.p.text()}") from e

    def bound(self):
        told = self.told(self.wait_event(*self.BOUND))
        told["client"] = self
        return told

    def released(self):
        """Give the lease back and end."""
        self.p.end(self.RELEASE)

    BOUND = ("BOUND",)
    RELEASE = signal.SIGTERM

    def reason(self, event):
        return event.get("reason")

    def told(self, e):
        return {"address": e["new_ip_address"], "prefix": prefix(e["new_subnet_mask"]),
                "router": e.get("new_routers"), "dns": e.get("new_domain_name_servers"),
                "domain": e.get("new_domain_name"), "mtu": e.get("new_interface_mtu"),
                "hostname": e.get("new_host_name"), "lease": e.get("new_dhcp_lease_time"),
                "server": e.get("new_dhcp_server_identifier"), "broadcast": e.get("new_broadcast_address")}


class Udhcpc(Client):
    BOUND = ("bound",)

    def argv(self):
        argv = ["busybox", "udhcpc", "-f", "-i", "eth0", "-s", self.script, "-O", "mtu", "-O", "hostname",
                "-t", "20", "-T", "1"]
        for option, key in (("-r", "request"), ("-x", "option"), ("-F", "fqdn")):
            if self.kw.get(key):
                argv += [option, self.kw[key]]
        return argv

    def released(self):
        before = len(self.all())
        self.p.p.send_signal(signal.SIGUSR2)
        self.wait_event("deconfig", after=before)
        self.p.end()

    def renew(self):
        before = len(self.all())
        self.p.p.send_signal(signal.SIGUSR1)
        return self.told(self.wait_event("renew", after=before))

    def reason(self, event):
        return event.get("DHCP_REASON")

    def told(self, e):
        return {"address": e["ip"], "prefix": prefix(e["subnet"]), "router": e.get("router"), "dns": e.get("dns"),
                "domain": e.get("domain"), "mtu": e.get("mtu"), "hostname": e.get("hostname"),
                "lease": e.get("lease"), "server": e.get("serverid"), "broadcast": e.get("broadcast")}


class Dhclient(Client):
    BOUND = ("BOUND", "REBOOT", "RENEW", "REBIND")

    def argv(self):
        conf = f"{self.dir}/conf"
        with open(conf, "w", encoding="utf-8") as f:
            f.write("timeout 10;\nretry 1;\ninitial-interval 1;\nbackoff-cutoff 2;\nrequest subnet-mask, "
                    "broadcast-address, routers, domain-name, domain-name-servers, host-name, interface-mtu;\n")
            f.write(self.kw.get("conf", ""))
        self.files = ["-cf", conf, "-lf", f"{self.dir}/leases", "-pf", f"{self.dir}/pid", "-sf", self.script,
                      "-e", f"DHCP_EVENTS={self.events}"]
        return ["dhclient", "-4", "-d", *self.files, "eth0"]

    def released(self):
        self.guest.ns.run("dhclient", "-4", "-r", *self.files, "eth0")


class Dhcpcd(Client):
    BOUND = ("BOUND", "REBOOT", "RENEW")
    RELEASE = signal.SIGALRM

    def argv(self):
        conf = f"{self.dir}/conf"
        with open(conf, "w", encoding="utf-8") as f:
            f.write("option subnet_mask, routers, domain_name, domain_name_servers, host_name, interface_mtu, "
                    "broadcast_address\noption dhcp_lease_time\nnoipv4ll\nnoipv6\nnoipv6rs\nclientid\n"
                    f"env DHCP_EVENTS={self.events}\n")
            if not self.kw.get("arp"):
                f.write("noarp\n")  # or it probes its address for five seconds
        return ["dhcpcd", "-B", "-4", "-f", conf, "-c", self.script, "eth0"]


CLIENTS = {"udhcpc": Udhcpc, "dhclient": Dhclient, "dhcpcd": Dhcpcd}
