# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong configuration: each mistake by file, line and column, all at once, and nothing disturbed."""
import os
import re

import pytest

from daemon import DEFAULT
from guest import stop_stream
from packet import DhcpPeer
from world import Monitor

LAB = "network: lab\nmode: nat\nipv4:\n  subnet: 192.168.5.0/24\n"

# name of the case, the text of lab.yaml, line and column of each mistake (None: no place), words.
MISTAKES = [
    ("unknown key", LAB + "dchp:\n  lease: 1h\n", ["5:1"], r"dchp.*did you mean.*dhcp"),
    ("unknown key inside", LAB.replace("subnet", "subnat"), ["4:3"], r"subnat.*did you mean.*subnet"),
    ("duplicate key", LAB + "mode: nat\n", ["5:1"], r"duplicate.*mode.*line 2"),
    ("bad CIDR", LAB.replace("5.0/24", "5.0/33"), ["4:11"], r"192\.168\.5\.0/33.*expected"),
    ("no CIDR", LAB.replace("192.168.5.0/24", "fast"), ["4:11"], r"fast.*expected"),
    ("host bits", LAB.replace("5.0/24", "5.7/24"), ["4:11"], r"192\.168\.5\.0/24"),
    ("gateway outside", LAB + "  gateway: 10.0.0.1\n", ["5:12"], r"10\.0\.0\.1.*outside"),
    ("range outside", LAB + "dhcp:\n  range: 192.168.6.2-192.168.6.9\n", ["6:10"], r"192\.168\.6\.2.*outside"),
    ("range backwards", LAB + "dhcp:\n  range: 192.168.5.9-192.168.5.2\n", ["6:10"], r"lower address first"),
    ("overlap with a network", LAB.replace("5.0/24", "0.0/16"), ["4:11"], r"192\.168\.122\.0/24 overlaps with 192\.168\.0\.0/16"),
    ("overlap with a route", LAB.replace("192.168.5.0/24", "203.0.113.0/25"), ["4:11"], r"203\.0\.113\.0/24.*eth0"),
    ("two guests with one MAC", LAB + "guests:\n  a: { mac: 52:54:00:00:00:01 }\n  b: { mac: 52:54:00:00:00:01 }\n",
     ["7:13"], r"52:54:00:00:00:01.*guest"),
    ("a MAC of another network's guest", LAB + "guests:\n  a: { mac: 52:54:00:aa:aa:aa }\n", ["6:3"],
     r"52:54:00:aa:aa:aa.*guest"),
    ("two guests with one IP", LAB + "guests:\n  a: { ipv4: 192.168.5.9 }\n  b: { ipv4: 192.168.5.9 }\n",
     ["7:14"], r"192\.168\.5\.9.*guest"),
    ("tab", LAB.replace("  subnet", "\tsubnet"), ["4:1"], r"tab"),
    ("garbage", bytes(range(256)) * 4, [None], r"."),
    ("text that is no YAML", "}{ nothing: [\n", ["1:1"], r"."),
    ("empty", "", [None], r"network"),
    ("a list", "- network\n- lab\n", ["1:1"], r"expected"),
    ("an anchor", LAB.replace("ipv4:", "ipv4: &x"), ["3:7"], r"anchor"),
    ("two documents", LAB + "---\n" + LAB, ["5:1"], r"document"),
    ("name of another file", LAB.replace("network: lab", "network: lob"), ["1:10"], r"lob\.yaml"),
    ("10 MB", b"# " + b"x" * 10_000_000 + b"\n" + LAB.encode(), [None], r"(too large|at most|too big)"),
]
IDS = [m[0] for m in MISTAKES]


def default_with_guest():
    return DEFAULT + "guests:\n  web1:\n    mac: 52:54:00:aa:aa:aa\n"


def untouched(d):
    assert d.network()["state"] == "running"
    assert d.world.host.addresses("vl-default") == ["192.168.122.1/24"]


@pytest.mark.parametrize("text, places, words", [m[1:] for m in MISTAKES], ids=IDS)
def test_mistake_is_shown_where_it_is(world, daemon, text, places, words):
    d = daemon({"default.yaml": default_with_guest()})
    ip, nft = Monitor(world.host, "ip"), Monitor(world.host, "nft")
    d.write("lab.yaml", text)
    path = f"{d.config}/lab.yaml"
    status, answer = d.api("GET", "/v1/check")
    assert status == 400
    # Where two files are at odds, either may be named first; the other is in the words.
    errors = [e for e in answer["errors"] if e["where"].startswith(path) or path in e["message"]]
    assert errors, answer
    for place in places:
        if place:
            assert any(e["where"] == f"{path}:{place}" or f"{path}:{place}" in e["message"] for e in errors), errors
    assert re.search(words, " ".join(e["message"] for e in errors), re.I | re.S), errors
    assert (answer["code"], answer["where"]) == (answer["errors"][0]["code"], answer["errors"][0]["where"])
    # The command says the same, and apply refuses it or leaves what runs alone.
    code, said = d.errors("check")
    assert code == 2 and "lab.yaml" in said
    writes = d.writes()
    code, _, said = d.vmlane("apply", check=False, json_out=False)
    assert code == 2 and "lab.yaml" in said
    assert d.writes() == writes and ip.lines() == [] and nft.lines() == []
    untouched(d)
    # Neither does a new daemon fall over it.
    d.restart()
    untouched(d)
    assert ip.lines() == [] and nft.lines() == []
    assert any(path in p["where"] + p["message"] for p in d.status()["problems"])


def test_symlink_loop_and_what_is_no_file(vmlaned):
    os.symlink("lab.yaml", f"{vmlaned.config}/lab.yaml")
    os.mkfifo(f"{vmlaned.config}/pipe.yaml")
    os.mkdir(f"{vmlaned.config}/folder.yaml")
    os.symlink("nothing-here", f"{vmlaned.config}/gone.yaml")
    status, answer = vmlaned.api("GET", "/v1/check")
    assert status == 400
    for name, word in (("lab", "loop"), ("pipe", "file"), ("folder", "file"), ("gone", "link")):
        assert any(e["where"].startswith(f"{vmlaned.config}/{name}.yaml") and word in e["message"]
                   for e in answer["errors"]), (name, answer)
    untouched(vmlaned.restart())


def test_all_mistakes_at_once(vmlaned):
    vmlaned.write("lab.yaml", "network: lab\nmode: magic\nipv4:\n  subnet: 300.1.1.0/24\n  gatevay: 1.2.3.4\n"
                              "mtu: 9\ndhcp:\n  lease: soon\n")
    vmlaned.write("two.yaml", "network: two\n")
    _, answer = vmlaned.api("GET", "/v1/check")
    where = [e["where"].rsplit("/", 1)[-1] for e in answer["errors"]]
    for place in ("lab.yaml:2:7", "lab.yaml:4:11", "lab.yaml:5:3", "lab.yaml:6:6", "lab.yaml:8:10"):
        assert place in where
    assert any(w.startswith("two.yaml") for w in where)


def test_bad_file_of_a_running_network_leaves_it_running(world, vmlaned, guest):
    g = guest("web1")
    g.dhcp()
    stream = g.stream()
    vmlaned.write("default.yaml", DEFAULT.replace("subnet:", "subnut:"))
    assert vmlaned.errors("apply")[0] == 2
    assert DhcpPeer(g.ns, g.mac).bind()[0] == g.ip
    vmlaned.restart()
    assert vmlaned.network()["state"] == "running"
    assert DhcpPeer(g.ns, g.mac).bind()[0] == g.ip
    assert world.host.addresses("vl-default") == ["192.168.122.1/24"]
    result = stop_stream(stream)
    assert result["received"] == result["sent"]
    # Mended, all is as it was.
    vmlaned.write("default.yaml", DEFAULT)
    assert vmlaned.vmlane("apply")["changes"] == []
    assert vmlaned.status()["problems"] == []


def test_check_of_a_file_without_the_daemon(tmp, vmlaned):
    path = f"{tmp}/lab.yaml"
    with open(path, "w", encoding="utf-8") as f:
        f.write(LAB.replace("subnet", "subnat"))
    vmlaned.stop()
    code, said = vmlaned.errors("check", path)
    assert code == 2 and f"{path}:4:3" in said
    with open(path, "w", encoding="utf-8") as f:
        f.write(LAB)
    assert vmlaned.vmlane("check", path) == {"files": 1, "networks": 1}
    assert vmlaned.errors("status")[0] == 3
    vmlaned.start()


def test_create_by_command_is_checked_alike(vmlaned):
    code, said = vmlaned.errors("network", "create", "lab", "--subnet", "192.168.122.128/25")
    assert code == 2 and "default" in said
    code, said = vmlaned.errors("network", "create", "lab", "--subnet", "192.168.5.0/24", "--range", "10.0.0.1-10.0.0.2")
    assert code == 2 and "10.0.0.1" in said
    assert vmlaned.errors("network", "create", "../etc", "--subnet", "192.168.5.0/24")[0] in (1, 2)
    assert os.listdir(vmlaned.config) == ["default.yaml"]
