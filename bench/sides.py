# SPDX-License-Identifier: GPL-2.0-or-later
"""sides.py - the programs that are compared: vmlaned, dnsmasq and what is set up by hand, libvirt."""
import glob
import json
import os
import shutil
import socket
import subprocess

from world import BUILD, HERE, WORK, Notify, Skip, run, timed, wait_for

NETWORK = """network: {name}
mode: nat
ipv4:
  subnet: {subnet}
dhcp:
  range: {first}-{last}
  lease: 1h
guard: off
"""
LIBVIRT_XML = """<network><name>bench</name><forward mode='nat'/><bridge name='virbr0' stp='off'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip>
</network>"""


def numbered(count):
    """@count networks n0, n1... of a /24 each, as Vmlaned takes them."""
    nets = [(f"n{i}", f"10.{80 + i // 250}.{i % 250}") for i in range(count)]
    return [(name, f"{net}.0/24", f"{net}.2", f"{net}.254") for name, net in nets]


def program(name):
    found = [p for p in glob.glob(f"{BUILD}/src/**/{name}", recursive=True) if os.path.isfile(p) and os.access(p, os.X_OK)]
    if not found:
        raise RuntimeError(f"{name} is not below {BUILD}; build it first: make build")
    return found[0]


def memory(pids):
    """Resident and proportional KiB of @pids together, from smaps_rollup."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
            for line in f:
                key, _, rest = line.partition(":")
                if key in sums:
                    sums[key] += int(rest.split()[0])
    return sums


def pid_in(path):
    with open(path, encoding="ascii") as f:
        return int(f.read())


class Vmlaned:
    """The daemon; @networks are (name, subnet, first, last). Its state is on the disk or on a tmpfs."""

    def __init__(self, ns, networks, disk=True, options=()):
        self.ns = ns
        self.dir = f"/run/bench/{ns.name}"
        self.state = f"{WORK}/state-{ns.name}" if disk else f"{self.dir}/state"
        self.socket = f"{self.dir}/run/api.sock"
        os.makedirs(f"{self.dir}/etc/networks")
        os.makedirs(self.state)
        for name, subnet, first, last in networks:
            with open(f"{self.dir}/etc/networks/{name}.yaml", "w", encoding="ascii") as f:
                f.write(NETWORK.format(name=name, subnet=subnet, first=first, last=last))
        with open(f"{self.dir}/resolv.conf", "w", encoding="ascii") as f:
            f.write("nameserver 203.0.113.1\n")
        notify = Notify(f"{self.dir}/notify")
        log = f"{self.dir}/log"
        self.p = ns.daemon([program("vmlaned"), "--foreground", "--config-dir", f"{self.dir}/etc", "--state-dir", self.state,
                            "--run-dir", f"{self.dir}/run", "--resolv-conf", f"{self.dir}/resolv.conf", *options], log,
                           {"NOTIFY_SOCKET": notify.path})
        notify.wait(self.p, log)

    def api(self, method, path, body=None):
        """The answer's JSON. A bare socket, so that what is timed is the daemon and not a library."""
        data = json.dumps(body).encode() if body is not None else b""
        answer = b""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(60)
            s.connect(self.socket)
            s.sendall(f"{method} {path} HTTP/1.1\r\nHost: vmlane\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
            while True:
                head, gap, content = answer.partition(b"\r\n\r\n")
                if gap:
                    length = [x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")]
                    if len(content) >= int(length[0].split(b":")[1]):
                        break
                more = s.recv(65536)
                if not more:
                    raise RuntimeError(f"{method} {path}: the connection ended after {answer!r}")
                answer += more
        if head.split()[1][:1] != b"2":
            raise RuntimeError(f"{method} {path}: {content.decode(errors='replace')}")
        return json.loads(content)

    def command(self, *args):
        return [program("vmlane"), "--socket", self.socket, *args]

    def memory(self):
        return memory([self.p.pid])

    def end(self):
        self.p.terminate()
        self.p.wait(30)


class Dnsmasq:
    """One dnsmasq process on bridge @bridge, DHCP only: what vmlaned does in one of its networks."""

    def __init__(self, ns, bridge, first, last, mask, *options):
        if not shutil.which("dnsmasq"):
            raise Skip("dnsmasq is not installed (dnsmasq-base)")
        self.pid_file = f"/run/bench/{ns.name}-{bridge}.pid"
        self.leases = f"{WORK}/{ns.name}-{bridge}.leases"
        with ns.enter():
            # It ends its start-up process when it has bound its socket.
            run("dnsmasq", "--conf-file=/dev/null", "--port=0", "--user=root", "--quiet-dhcp",
                f"--log-facility=/run/bench/{ns.name}-{bridge}.log", f"--interface={bridge}", "--except-interface=lo",
                "--bind-dynamic", "--dhcp-authoritative", f"--dhcp-range={first},{last},{mask},1h", "--dhcp-lease-max=260000",
                f"--dhcp-leasefile={self.leases}", f"--pid-file={self.pid_file}", *options)
        self.pid = pid_in(self.pid_file)

    def end(self):
        os.kill(self.pid, 15)


class ByHand:
    """by_hand.sh, see there."""
    bridge = "br-hand"

    def __init__(self, ns):
        if not shutil.which("dnsmasq"):
            raise Skip("dnsmasq is not installed (dnsmasq-base)")
        self.ns = ns

    def start(self):
        with self.ns.enter():
            return timed(f"{HERE}/by_hand.sh", "up", WORK)

    def stop(self):
        pid = pid_in(f"{WORK}/hand.pid")
        with self.ns.enter():
            run(f"{HERE}/by_hand.sh", "down", WORK)
        wait_for("dnsmasq's end", lambda: not running(pid))


def running(pid):
    """Not ended, and not waiting for its parent to notice."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Libvirt:
    """A private libvirtd and its network `bench`; `virsh net-start` is what is timed."""
    bridge = "virbr0"

    def __init__(self, ns):
        for name in ("libvirtd", "virsh", "iptables", "dnsmasq"):
            if not shutil.which(name):
                raise Skip(f"{name} is not installed (libvirt-daemon, libvirt-clients, iptables, dnsmasq-base)")
        self.ns = ns
        conf, xml, log = "/run/bench/libvirtd.conf", "/run/bench/bench.xml", "/run/bench/libvirtd.log"
        with open(conf, "w", encoding="ascii") as f:
            f.write('auth_unix_rw = "none"\nauth_unix_ro = "none"\nlisten_tls = 0\n')
        with open(xml, "w", encoding="ascii") as f:
            f.write(LIBVIRT_XML)
        if not os.path.ismount("/etc") or not os.path.ismount("/var"):
            raise Skip("its files cannot be kept apart here (no overlay file system)")
        # Only the driver for networks: the others want users and services of a full installation.
        name = "libvirt/connection-driver/libvirt_driver_network.so"
        drivers = glob.glob(f"/usr/lib*/{name}") + glob.glob(f"/usr/lib/*/{name}")
        if not drivers:
            raise Skip("libvirt_driver_network.so is not installed (libvirt-daemon)")
        os.makedirs("/run/bench/drivers")
        os.symlink(drivers[0], "/run/bench/drivers/libvirt_driver_network.so")
        self.p = ns.daemon(["libvirtd", "--config", conf, "--pid-file", "/run/bench/libvirtd.pid"], log,
                           {"LIBVIRT_DRIVER_DIR": "/run/bench/drivers"})
        wait_for("libvirtd's socket", lambda: os.path.exists("/run/libvirt/libvirt-sock") or self.p.poll() is not None, 20)
        try:
            run(*self.virsh("net-define", xml), timeout=20)
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            with open(log, encoding="utf-8", errors="replace") as f:
                raise Skip(f"a private libvirtd does not work here: {e} {f.read()[-400:]}") from e

    def virsh(self, *args):
        return ["virsh", "--connect", "network:///system?socket=/run/libvirt/libvirt-sock", "--quiet", *args]

    def start(self):
        with self.ns.enter():
            return timed(*self.virsh("net-start", "bench"))

    def stop(self):
        run(*self.virsh("net-destroy", "bench"))

    def end(self):
        self.p.terminate()
        self.p.wait(30)
