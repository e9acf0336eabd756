#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check-includes.py [--self-test] - may every #include point where it points?

The folders below src/ stand in layers; a folder includes itself and what stands below it, and
siblings never include each other: what has to be joined is joined by the daemon. An include
names the folder ("wire/dhcp4.h"); only the generated "config.h" has none. Headers only: nobody
includes a .c file, and nothing in src/ includes a test's.

Prints file:line and the reason for each that may not be, and exits with 1.
"""
import os
import re
import sys
import tempfile

BELOW_SIBLINGS = {"base", "wire", "model"}
SIBLINGS = {"kernel", "firewall", "lease", "names", "path"}
MAY = {
    "base": set(),
    "wire": {"base"},
    "model": {"base", "wire"},
    "bpf": set(),
    "api": BELOW_SIBLINGS | SIBLINGS,
    "inspect": BELOW_SIBLINGS | {"api", "bpf", "kernel", "path"},
    "daemon": BELOW_SIBLINGS | SIBLINGS | {"api", "bpf", "inspect"},
    "cli": BELOW_SIBLINGS | {"api", "inspect", "kernel", "path"},
}
MAY.update({sibling: set(BELOW_SIBLINGS) for sibling in SIBLINGS})
MAY["path"].add("bpf")  # the event header that programs and decoder share, and what guards decide by
MAY["kernel"].add("bpf")  # the guards' program and what it is told

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]*)"')


def judge(folder, target):
    """Why a file of @folder (None: a test or bench) may not include @target, or None."""
    if target.endswith(".c"):
        return "a .c file is linked, never included"
    if target == "config.h":
        return None
    if folder is None and target.startswith("../") and target.count("../") == 1:
        return None  # what the tests share
    if target.startswith(("/", "../")) or "/../" in target:
        return 'name the folder instead: "FOLDER/FILE.h"'
    head, slash, _ = target.partition("/")
    if not slash:
        return None if folder is None else f'name the folder: "{folder}/{target}"'
    if head == folder:
        return None
    if head not in MAY:
        return f'there is no folder "{head}" in the layers of {os.path.basename(__file__)}'
    if folder is None or head in MAY[folder]:
        return None
    if folder in SIBLINGS and head in SIBLINGS:
        return f"{folder} and {head} are siblings: let daemon/ join them"
    allowed = ", ".join(sorted(MAY[folder])) or "nothing but itself"
    return f"{folder} stands below {head}; it may include {allowed}"


def check_file(path, folder):
    mistakes = []
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            m = INCLUDE.match(line)
            why = judge(folder, m.group(1)) if m else None
            if why:
                mistakes.append(f'{path}:{number}: #include "{m.group(1)}": {why}')
    return mistakes


def sources(top):
    """(path, folder) of each C file of src/, tests/ and bench/."""
    for where in ("src", "tests", "bench"):
        for folder, dirs, names in os.walk(os.path.join(top, where)):
            dirs.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    path = os.path.join(folder, name)
                    parts = os.path.relpath(path, top).split(os.sep)
                    yield path, parts[1] if where == "src" else None


def check_tree(top):
    mistakes, count = [], 0
    for path, folder in sources(top):
        count += 1
        if folder is not None and folder not in MAY:
            mistakes.append(f"{path}:1: folder src/{folder} has no place in the layers yet")
            continue
        mistakes += check_file(path, folder)
    return mistakes, count


def self_test():
    """Each case is (folder or None for tests, include, may it)."""
    cases = [
        ("base", "base/err.h", True), ("base", "wire/frame.h", False),
        ("wire", "base/cursor.h", True), ("wire", "model/network.h", False),
        ("model", "wire/dhcp4.h", True), ("model", "kernel/rtnl.h", False),
        ("lease", "model/network.h", True), ("lease", "kernel/rtnl.h", False),
        ("kernel", "firewall/nft.h", False), ("path", "bpf/event.h", True),
        ("api", "lease/decide.h", True), ("api", "daemon/daemon.h", False),
        ("daemon", "api/server.h", True), ("daemon", "cli/cli.h", False),
        ("cli", "kernel/vmm.h", True), ("inspect", "kernel/vmm.h", True), ("inspect", "cli/output.h", False),
        ("inspect", "firewall/nft.h", False), ("cli", "lease/store.h", False),
        ("cli", "daemon/daemon.h", False), ("cli", "cli.h", False),
        ("wire", "wire/dhcp4.c", False), ("wire", "../base/err.h", False),
        ("wire", "config.h", True), ("wire", "nowhere/x.h", False),
        (None, "lease/decide.h", True), (None, "lease/decide.c", False),
        (None, "helper.h", True), (None, "../netns.h", True), (None, "../../src/base/err.h", False),
    ]
    wrong = [c for c in cases if (judge(c[0], c[1]) is None) != c[2]]
    for folder, target, may in wrong:
        print(f"self-test: {folder} including {target} should be {'fine' if may else 'refused'}")
    with tempfile.TemporaryDirectory() as top:
        os.makedirs(os.path.join(top, "src/wire"))
        with open(os.path.join(top, "src/wire/a.c"), "w", encoding="utf-8") as f:
            f.write('#include <stdio.h>\n  #  include "lease/store.h"\n')
        found, _ = check_tree(top)
        if len(found) != 1 or "src/wire/a.c:2: " not in found[0]:
            print(f"self-test: expected one mistake at src/wire/a.c:2, got {found}")
            wrong.append(None)
    return 1 if wrong else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    mistakes, count = check_tree(".")
    for m in mistakes:
        print(m.removeprefix("./"))
    print(f"{count} files, {len(mistakes)} includes that point the wrong way")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
