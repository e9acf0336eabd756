# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that is there changes: by single keys, by its whole file, and back when that fails."""
import os
import socket
import stat

import pytest

from daemon import DEFAULT
from test_nat import LAB
from world import Monitor

COMMENTED = """# Ours.
network: default   # the only one
mode: nat
ipv4:
  subnet: 192.168.122.0/24
switch: { stp: off, ageing: 60s }  # small
dhcp:
  lease: 1h  # short
guests:
  web1:
    ipv4: 192.168.122.10
"""


def file_of(d, name="default"):
    with open(f"{d.config}/{name}.yaml", encoding="utf-8") as f:
        return f.read()


def settled(d):
    assert d.vmlane("diff") == {"changes": []}
    assert d.vmlane("check")
    assert [n for n in os.listdir(d.config) if n.startswith(".")] == []


def test_set_changes_what_it_names(world, daemon, guest):
    d = daemon({"default.yaml": COMMENTED})
    g = guest("web1", d=d)
    assert g.dhcp()["address"] == "192.168.122.10"
    shown = d.vmlane("network", "set", "default", "mtu=1400", "switch.ageing=2m", "dns.servers=[192.0.2.53, 192.0.2.54]",
                     "dhcp.lease=", "guests.web1.isolate=true")
    assert shown["mtu"] == 1400 and shown["ageing_s"] == 120 and shown["dns"] == ["192.0.2.53", "192.0.2.54"]
    assert shown["dhcp"]["lease_s"] == 3600 and shown["rewritten"] is False
    assert file_of(d) == COMMENTED.replace("60s", "2m").replace("dhcp:\n  lease: 1h  # short\n", "").replace(
        "122.10\n", "122.10\n    isolate: true\n") + "mtu: 1400\ndns: {servers: [192.0.2.53, 192.0.2.54]}\n"
    assert world.host.links()["vl-web1"]["mtu"] == 1400
    assert d.get("/v1/ports")["ports"][0]["isolated"] is True
    settled(d)
    d.restart()
    settled(d)
    # The guest hears of it by DHCP, and the way back is the same.
    assert g.dhcp()["mtu"] == "1400"
    d.vmlane("network", "set", "default", "mtu=", "dns=", "guests.web1.isolate=", "switch.ageing=60s")
    assert file_of(d) == COMMENTED.replace("dhcp:\n  lease: 1h  # short\n", "")
    assert d.network()["mtu"] == 1500 and d.network()["dns"] == ["203.0.113.1"]
    settled(d)


def test_set_writes_no_more_to_the_kernel_than_is_needed(world, daemon):
    d = daemon({"default.yaml": COMMENTED, "lab.yaml": LAB})
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.vmlane("network", "set", "default", "dns.domain=web.vm")
    assert ip.lines() == [] and nft.lines() == []
    assert d.network()["domain"] == "web.vm"


def test_set_on_a_stopped_network(daemon):
    d = daemon()
    d.vmlane("network", "stop", "default")
    assert d.vmlane("network", "set", "default", "mtu=1300")["state"] == "stopped"
    d.vmlane("network", "start", "default")
    assert d.network()["mtu"] == 1300
    settled(d)


def test_set_the_mode(world, daemon, guest):
    d = daemon({"lab.yaml": LAB})
    g = guest("a", d=d, network="lab")
    g.dhcp()
    assert g.http()["address"] == "203.0.113.2"
    assert d.vmlane("network", "set", "lab", "mode=isolated")["mode"] == "isolated"
    assert not g.ping("198.51.100.7") and g.ping("192.168.5.1")
    assert "mode: isolated" in file_of(d, "lab")
    d.vmlane("network", "set", "lab", "mode=nat")
    assert g.ping("198.51.100.7")
    settled(d)


def test_set_takes_a_nic_and_gives_it_back(world, daemon, guest):
    """A NIC that is not there: all as before. One that is: taken, and with the mode it comes back."""
    d = daemon({"lab.yaml": LAB})
    g = guest("a", d=d, network="lab")
    g.dhcp()
    code, text = d.errors("network", "set", "lab", "mode=bridged", "uplink=eth7", "ipv4=")
    assert code == 2 and "eth7" in text
    assert file_of(d, "lab") == LAB and d.network("lab")["state"] == "running" and d.network("lab")["mode"] == "nat"
    assert g.ping("192.168.5.1") and g.http()
    settled(d)
    shown = d.vmlane("network", "set", "lab", "mode=bridged", "uplink=eth0", "ipv4=")
    assert shown["mode"] == "bridged" and shown["takeover"]["phase"] == "held"
    assert world.host.links()["eth0"]["master"] == "vl-lab" and "203.0.113.2/24" in world.host.addresses("vl-lab")
    settled(d)
    d.vmlane("network", "set", "lab", "mode=nat", "uplink=", "ipv4.subnet=192.168.5.0/24")
    assert "master" not in world.host.links()["eth0"] and world.host.addresses("eth0") == ["203.0.113.2/24"]
    assert g.ping("192.168.5.1") and g.http()["address"] == "203.0.113.2"
    settled(d)


def test_set_forwards(world, daemon, guest):
    d = daemon({"default.yaml": COMMENTED})
    guest("web1", d=d).dhcp()
    with world.host.enter():
        taken = socket.create_server(("0.0.0.0", 8080))
    with taken:
        code, text = d.errors("network", "set", "default", "guests.web1.forward=[tcp 8080 -> 80]")
        assert code == 2 and "8080" in text and file_of(d) == COMMENTED and d.network()["forwards"] == []
    shown = d.vmlane("network", "set", "default", "guests.web1.forward=[tcp 8080 -> 80, udp 5300 -> 53]")
    assert [(f["protocol"], f["ports"]) for f in shown["forwards"]] == [("tcp", "8080"), ("udp", "5300")]
    assert 'forward: ["tcp 8080 -> 80", "udp 5300 -> 53"]' in file_of(d)
    settled(d)


def test_set_keeps_the_files_mode_and_link(world, daemon):
    d = daemon()
    real = f"{world.tmp}/real.yaml"
    os.rename(f"{d.config}/default.yaml", real)
    os.symlink(real, f"{d.config}/default.yaml")
    os.chmod(real, 0o640)
    d.vmlane("network", "set", "default", "mtu=1400")
    assert os.path.islink(f"{d.config}/default.yaml") and "mtu: 1400" in file_of(d)
    assert stat.S_IMODE(os.stat(real).st_mode) == 0o640
    settled(d)


def test_set_what_cannot_be_edited_is_written_anew(daemon):
    d = daemon({"default.yaml": "# gone\nnetwork: default\nipv4:\n  subnet: >-\n    192.168.122.0/24\n"})
    code, _, err = d.vmlane("network", "set", "default", "ipv4.subnet=192.168.77.0/24", check=False, json_out=False)
    assert code == 0 and "written anew, without its comments" in err
    assert "# gone" not in file_of(d) and "subnet: 192.168.77.0/24" in file_of(d)
    settled(d)


@pytest.mark.parametrize("settings, words", [
    (["mtu=9"], "expected a number from 576 to 65521"),
    (["mtw=1400"], "did you mean `mtu`?"),
    (["switch.stp=maybe"], "expected `on` or `off`"),
    (["ipv4="], "key `ipv4` is missing"),
    (["guests=", "ipv4.subnet=192.168.5.0/24"], "overlaps with 192.168.5.0/24 of network"),
    (["guests=", "ipv4.subnet=203.0.113.0/24"], "overlaps with the host's route"),
    (["network=other"], "network default cannot become \"other\""),
    (["bridge=vl-lab"], "bridge vl-lab is already that of network \"lab\""),
    (["bridge=vl-plugged"], "has the name of guest plugged's tap"),
    (["peers=[nobody]"], "there is no network \"nobody\""),
    (["guests.x.mac=01:00:5e:00:00:01"], "expected a unicast MAC"),
])
def test_set_is_refused(daemon, guest, settings, words):
    d = daemon({"default.yaml": COMMENTED, "lab.yaml": LAB})
    guest("plugged", d=d, tap=True)
    before, writes = d.network(), d.writes()
    code, text = d.errors("network", "set", "default", *settings)
    assert code == 2 and words in text and "request" not in text
    assert file_of(d) == COMMENTED and d.network() == before and d.writes() == writes
    settled(d)


@pytest.mark.parametrize("settings, words", [
    (["mtu"], "is not KEY=VALUE"), (["=1"], "is not KEY=VALUE"), (["a..b=1"], "is not KEY=VALUE"),
    (["mtu=1", "mtu=2"], "given twice"), (["switch.stp=on", "switch=x"], "given twice"),
    (["switch=x", "switch.stp=on"], "given twice"), (["dns={x"], "nor JSON"), (["peers=[a"], "nor JSON")])
def test_set_typed_wrongly(daemon, settings, words):
    d = daemon()
    code, text = d.errors("network", "set", "default", *settings)
    assert code == 1 and words in text


def test_set_needs_the_network_and_root(daemon):
    d = daemon()
    code, text = d.errors("network", "set", "nobody", "mtu=1400")
    assert code == 2 and "there is no network 'nobody'" in text
    code, text = d.errors("network", "set", "default")
    assert code == 1


def test_file_with_mistakes_is_not_touched(daemon):
    d = daemon()
    bad = DEFAULT + "mtw: 1\n"
    d.write("default.yaml", bad)
    code, text = d.errors("network", "set", "default", "mtu=1400")
    assert code == 2 and "did you mean `mtu`?" in text and file_of(d) == bad
    d.write("default.yaml", DEFAULT + "mtu: [\n")
    code, text = d.errors("network", "set", "default", "mtu=1400")
    assert code == 2 and "default.yaml:" in text


def test_file_that_is_gone_comes_back(daemon):
    d = daemon()
    os.unlink(f"{d.config}/default.yaml")
    d.vmlane("network", "set", "default", "mtu=1400")
    assert "mtu: 1400" in file_of(d)
    settled(d)


def test_kernel_refuses(world, daemon, guest):
    """An interface of the new bridge's name is there: file, state and kernel stay as they were."""
    d = daemon({"default.yaml": COMMENTED})
    g = guest("web1", d=d)
    g.dhcp()
    world.host.run("ip", "link", "add", "taken", "type", "bridge")
    code, text = d.errors("network", "set", "default", "bridge=taken", "mtu=1400")
    assert code == 2 and "interface taken is in the way" in text
    assert file_of(d) == COMMENTED and d.network()["bridge"] == "vl-default" and d.network()["state"] == "running"
    assert g.ping("192.168.122.1") and g.http() and d.network()["mtu"] == 1500
    settled(d)
    d.kill9()
    d.start()
    settled(d)
    assert d.network()["bridge"] == "vl-default" and g.ping("192.168.122.1")


def test_disk_refuses(world, daemon):
    d = daemon({"default.yaml": COMMENTED})
    os.mkdir(f"{d.config}/.default.yaml.tmp")  # where the new file would be made
    before = d.network()
    code, text = d.errors("network", "set", "default", "mtu=1400")
    assert code == 2 and "cannot be written" in text
    assert file_of(d) == COMMENTED and d.network() == before
    os.rmdir(f"{d.config}/.default.yaml.tmp")
    settled(d)


# ---- export, import, PUT ----


def test_export_and_import(daemon, guest):
    d = daemon({"default.yaml": COMMENTED})
    assert d.vmlane("network", "export", "default", json_out=False) == COMMENTED
    assert d.vmlane("network", "export", "default")["config"] == COMMENTED
    d.vmlane("network", "delete", "default")
    d.vmlane("network", "import", "-", stdin=COMMENTED)
    assert file_of(d) == COMMENTED and d.network()["state"] == "running"
    code, text = d.errors("network", "import", "-", stdin=COMMENTED)
    assert code == 2 and "there is a network 'default' already" in text and "--replace" in text
    g = guest("web1", d=d)
    g.dhcp()
    d.vmlane("network", "import", "-", "--replace", stdin=COMMENTED + "mtu: 1400\n# the end\n")
    assert file_of(d) == COMMENTED + "mtu: 1400\n# the end\n" and d.network()["mtu"] == 1400
    assert g.ping("192.168.122.1")
    settled(d)
    code, text = d.errors("network", "import", "-", stdin="network: x\nmtu: 1\n")
    assert code == 2 and "stdin:2:6" in text
    code, text = d.errors("network", "import", "/nowhere.yaml")
    assert code == 2 and "cannot be read" in text


def test_put_of_json_is_written_as_yaml(daemon):
    d = daemon()
    status, shown = d.api("PUT", "/v1/networks/default", {"network": "default", "ipv4": {"subnet": "192.168.122.0/24"},
                                                          "mtu": 1400})
    assert status == 200 and shown["mtu"] == 1400
    assert file_of(d).startswith("network: default\nmode: nat\nmtu: 1400\n")
    settled(d)
    assert d.api("PUT", "/v1/networks/nobody", "network: nobody")[0] == 404
    assert d.api("PUT", "/v1/networks/default", "network: other\nipv4: { subnet: 10.1.0.0/24 }\n")[0] == 400


def test_events_tell_of_changes(daemon):
    d = daemon()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(d.socket)
        s.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
        heard = b""
        while b"hello" not in heard:
            heard += s.recv(4096)
        d.vmlane("network", "set", "default", "mtu=1400")
        while b"network-changed" not in heard:
            piece = s.recv(4096)
            assert piece
            heard += piece
