# SPDX-License-Identifier: GPL-2.0-or-later
"""conftest.py - tests that need another kernel than this machine's have the fixtures of the others.

Run by run.sh only, inside the guest that vm.sh boots.
"""
import importlib.util
import os
import sys

NETNS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns")
sys.path.insert(0, NETNS)
spec = importlib.util.spec_from_file_location("netns_conftest", os.path.join(NETNS, "conftest.py"))
netns = importlib.util.module_from_spec(spec)
spec.loader.exec_module(netns)
globals().update({k: v for k, v in vars(netns).items() if not k.startswith("_")})
