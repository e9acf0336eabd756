# SPDX-License-Identifier: GPL-2.0-or-later
"""client6.py - what real systems make of router advertisements in a guest's namespace.

Each kind of client has told(): what it knows by now, in the same words for all; until() waits.
"""
import glob
import ipaddress
import os

from world import HERE, wait_for

NETWORKD = "/lib/systemd/systemd-networkd"
# A /run and a /sys of its own; a /sys that cannot be written tells it not to wait for udev.
NETWORKD_START = """
mount --make-rprivate /
mount -t sysfs -o ro sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
umask 022
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
cat >/run/systemd/network/eth0.network
chown -R systemd-network /run/systemd/netif
exec """ + NETWORKD


class Client6:
    """The kernel itself: addresses and routes as `ip` shows them."""

    def __init__(self, guest):
        self.guest, self.ns = guest, guest.ns
        self.index = self.ns.links()["eth0"]["ifindex"]
        self.start()

    def start(self):
        self.ns.run("sh", "-c", "ip link set eth0 down; cd /proc/sys/net/ipv6/conf/eth0; echo 1 >accept_ra; "
                                "echo 0 >disable_ipv6; ip link set eth0 up")

    def addresses(self, prefix, preferred=True):
        """Of @prefix, those that may be used for new connections, or those that may not."""
        net = ipaddress.ip_network(prefix)
        return [a["local"] for link in self.ns.ip("-6", "addr", "show", "dev", "eth0")
                for a in link.get("addr_info", []) if ipaddress.ip_address(a["local"]) in net
                and not a.get("tentative") and not a.get("deprecated") == preferred]

    def routers(self):
        return [r["gateway"] for r in self.ns.ip("-6", "route", "show", "default") if "gateway" in r]

    def mtu(self):
        """Of what goes out by the router: link and IPv4 keep their own."""
        return next((m["mtu"] for r in self.ns.ip("-6", "route", "show", "default")
                     for m in r.get("metrics", []) if "mtu" in m), None)

    def dns(self):
        """(resolvers by IPv6, search list); None of a client that does not heed them."""
        return None

    def until(self, what, check):
        try:
            return wait_for(f"{type(self).__name__}: {what}", lambda: check(self), step=0.05)
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.ns.run('ip', '-6', 'addr')}{self.ns.run('ip', '-6', 'route')}") from e


class Networkd(Client6):
    """systemd-networkd has its own RA client: the kernel's is off."""

    def start(self):
        conf = f"{self.guest.tmp}/eth0.network"
        with open(conf, "w", encoding="utf-8") as f:
            f.write("[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=yes\nIPv6PrivacyExtensions=no\n"
                    "[IPv6AcceptRA]\nUseDomains=yes\nUseMTU=yes\n[DHCPv4]\nUseMTU=no\n")
        with open(conf, "rb") as f:
            self.p = self.ns.start("unshare", "--mount", "sh", "-ec", NETWORKD_START, stdin=f,
                                   log=f"{self.guest.tmp}/networkd.log", env={"SYSTEMD_LOG_LEVEL": "debug"})

    def state(self):
        """What it has written about the link."""
        try:
            with open(f"/proc/{self.p.pid}/root/run/systemd/netif/links/{self.index}", encoding="utf-8") as f:
                return dict(line.rstrip("\n").split("=", 1) for line in f if "=" in line)
        except OSError:
            return {}

    def dns(self):
        s = self.state()
        return ([a for a in s.get("DNS", "").split() if ":" in a], s.get("DOMAINS", "").split())


class Dhcpcd6(Client6):
    """dhcpcd has its own too, in user space; its script is told what the router said."""

    def start(self):
        conf, self.events = f"{self.guest.tmp}/dhcpcd6.conf", f"{self.guest.tmp}/dhcpcd6"
        with open(conf, "w", encoding="utf-8") as f:
            f.write(f"ipv6only\nipv6rs\nnodhcp6\nslaac hwaddr\nenv DHCP_EVENTS={self.events}\n")
        self.p = self.ns.start("dhcpcd", "-B", "-6", "-f", conf, "-c", os.path.join(HERE, "dhcp-script.sh"), "eth0",
                               log=f"{self.guest.tmp}/dhcpcd6.log", env={"DHCP_EVENTS": self.events})

    def all(self):
        found = []
        for path in sorted(glob.glob(f"{self.events}.*.done"), key=lambda p: int(p.split(".")[-2])):
            with open(path, encoding="utf-8", errors="replace") as f:
                found.append(dict(line.split("=", 1) for line in f.read().split("\0") if "=" in line))
        return found

    def dns(self):
        said = [e for e in self.all() if e.get("reason") == "ROUTERADVERT"]
        if not said:
            return ([], [])
        return tuple([word for i in range(1, 9) if said[-1].get(f"nd1_{option}{i}_lifetime", "0") != "0"
                      for word in said[-1][f"nd1_{option}{i}_{what}"].split()]
                     for option, what in (("rdnss", "servers"), ("dnssl", "search")))


CLIENTS6 = {"kernel": Client6, "networkd": Networkd, "dhcpcd": Dhcpcd6}
