#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""bench.py [--quick] FIGURE - measures one figure; started by run.sh, inside its namespaces.
FIGURE `machine` says on what: host, kernel, versions."""
import importlib
import os
import platform
import subprocess
import sys
import time


def first_line(*argv):
    try:
        out = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False).stdout
        return out.strip().splitlines()[0].strip()
    except (OSError, IndexError):
        return f"no {argv[0]}"


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        text = f.read()
    model = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")),
                 platform.machine())
    disk = first_line("stat", "-f", "-c", "%T", os.environ["BENCH_WORK"])
    print(f"{time.strftime('%Y-%m-%d', time.gmtime())}, Linux {platform.release().partition('-')[0]}, "
          f"{os.cpu_count()} x {model}{' (virtual machine)' if ' hypervisor' in text else ''}, leases on {disk}, load before {os.getloadavg()[0]:.1f}")
    print(", ".join([first_line("dnsmasq", "--version").partition("  Copyright")[0], first_line("nft", "--version"),
                     first_line("libvirtd", "--version")]), flush=True)


def main():
    quick, figure = "--quick" in sys.argv[1:], sys.argv[-1]
    if figure == "machine":
        machine()
        return
    begin = time.monotonic()
    command = f"{os.environ['BENCH_COMMAND']} {'--quick ' if quick else ''}--only {figure}"
    importlib.import_module(figure).measure(quick, command)
    print(f"({figure}: {time.monotonic() - begin:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
