#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""suite.py run LOGS WORKERS NAME=BUILD[,PYTEST OPTION...]... - whole suites of namespace tests, beside each other.
suite.py judge LOGS - what came of it.

Each suite is run with the programs of its BUILD by WORKERS run.sh at once, which share its tests:
most tests wait most of the time, and each worker has namespaces of its own. LOGS gets
netns-NAME-N.log and .xml of each worker, and netns.json, which is what `judge` goes by.

What failed is run once more by `judge`, alone, one test after the other. What passes then is named as
unsteady: it is not a failure, and it is not a pass. What fails again has failed. So has a suite of
which a worker ended without saying how, and a test that nobody ran, or not to its end, gets its second
run like any that failed.

`judge` prints what pytest said, what was unsteady and what failed, and as its last line the sums;
LOGS/netns.counts gets "PASSED FAILED SKIPPED UNSTEADY". It ends with 1 when anything failed.
"""
import collections
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

RUN = f"{os.path.dirname(os.path.abspath(__file__))}/run.sh"
# How pytest ends when it did what it should: all passed, or some tests failed.
ORDERLY = (0, 1)
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None)


def end_with_us():
    """In a child: whoever ends this script, however, ends its workers and what is in their namespaces."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(suite, tag, *options):
    """A run.sh with the programs of @suite: it, and where its log and report are, less their suffixes."""
    base = f"{suite['logs']}/netns-{suite['name']}-{tag}"
    if os.path.exists(f"{base}.xml"):
        os.unlink(f"{base}.xml")
    with open(f"{base}.log", "wb") as log:
        return subprocess.Popen([RUN, suite["build"], *options, f"--junitxml={base}.xml"], stdin=subprocess.DEVNULL,
                                stdout=log, stderr=subprocess.STDOUT, preexec_fn=end_with_us), base


def results(base):
    """{test: "passed", "failed" or "skipped"} of a report; nothing of one that was not written."""
    found = {}
    if not os.path.exists(f"{base}.xml"):
        return found
    for case in xml.etree.ElementTree.parse(f"{base}.xml").getroot().iter("testcase"):
        said = {child.tag for child in case}
        test = f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
        now = "failed" if said & {"failure", "error"} else "skipped" if "skipped" in said else "passed"
        # What failed while it was taken down has two.
        found[test] = "failed" if "failed" in (now, found.get(test)) else now
    return found


def wait(suite, workers):
    """Until all @workers have ended: what came of each test into suite["ended"]."""
    for p, base in workers:
        code = p.wait()
        if code not in ORDERLY:
            suite["trouble"].append(f"{os.path.basename(base)}: run.sh ended with {code}")
        suite["ended"].update(results(base))
    try:
        with open(f"{suite['share']}/all", encoding="utf-8") as f:
            tests = f.read().split("\n")[:-1]
    except FileNotFoundError:
        tests = []
    if not tests:
        suite["trouble"].append("there were no tests")
    for test in tests:
        suite["ended"].setdefault(test, "failed")
    shutil.rmtree(suite["share"])


def run(logs, number, words):
    """Both words of the usage: the suites side by side."""
    begin, under_way, suites = time.monotonic(), [], []
    for word in words:
        name, _, rest = word.partition("=")
        build, *options = rest.split(",")
        suite = {"name": name, "build": build, "logs": logs, "share": f"{logs}/share-{name}", "ended": {}, "trouble": []}
        shutil.rmtree(suite["share"], ignore_errors=True)
        os.makedirs(suite["share"])
        workers = [start(suite, n, f"--share={suite['share']}", *options) for n in range(1, number + 1)]
        suite["bases"] = [base for _, base in workers]
        suites.append(suite)
        under_way.append((suite, workers))
    for suite, workers in under_way:
        wait(suite, workers)
    with open(f"{logs}/netns.json", "w", encoding="utf-8") as f:
        json.dump({"seconds": time.monotonic() - begin, "suites": suites}, f)


def again(suite):
    """Each failed test once more, alone."""
    for n, test in enumerate([t for t, how in suite["ended"].items() if how == "failed"], 1):
        p, base = start(suite, f"again-{n}", test)
        suite["bases"].append(base)
        if p.wait() == 0 and results(base).get(test) == "passed":
            suite["ended"][test] = "unsteady"


def show(suite):
    for base in suite["bases"]:
        with open(f"{base}.log", encoding="utf-8", errors="replace") as f:
            print(f"---- {os.path.basename(base)}\n{f.read().rstrip()}")
    for test, how in suite["ended"].items():
        if how == "unsteady":
            print(f"unsteady: {test} ({suite['name']}): it failed beside others and passed alone")
        if how == "failed":
            print(f"failed: {test} ({suite['name']}): twice, beside others and alone")
    for what in suite["trouble"]:
        print(f"failed: {suite['name']}: {what}")


def judge(logs):
    """The other word of the usage; the status to end with."""
    begin = time.monotonic()
    with open(f"{logs}/netns.json", encoding="utf-8") as f:
        done = json.load(f)
    for suite in done["suites"]:
        again(suite)
        show(suite)
    sums = collections.Counter(how for suite in done["suites"] for how in suite["ended"].values())
    sums["failed"] += sum(len(suite["trouble"]) for suite in done["suites"])
    with open(f"{logs}/netns.counts", "w", encoding="utf-8") as f:
        print(sums["passed"], sums["failed"], sums["skipped"], sums["unsteady"], file=f)
    print(f"the suites took {done['seconds']:.0f} s, what failed {time.monotonic() - begin:.0f} s more")
    return 1 if sums["failed"] else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["run"]:
        run(os.path.abspath(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    elif sys.argv[1:2] == ["judge"]:
        sys.exit(judge(os.path.abspath(sys.argv[2])))
    else:
        sys.exit(__doc__)
