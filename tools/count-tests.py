#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""count-tests.py meson testlog.json | junit FILE.xml... - prints "PASSED FAILED SKIPPED".

A meson test by cmocka counts as many as it ran, any other as one. cmocka reports each case on
stderr; a program that failed without saying so (it crashed) is one failure more.
"""
import json
import re
import sys
import xml.etree.ElementTree

CMOCKA = {word: re.compile(r"^\[\s*%s\s*\] (\d+) test\(s\)" % word, re.M)
          for word in ("PASSED", "FAILED", "SKIPPED")}


def meson(path):
    sums = [0, 0, 0]
    with open(path, encoding="utf-8") as f:
        for line in f:
            test = json.loads(line)
            text = (test.get("stdout") or "") + (test.get("stderr") or "")
            counts = [sum(map(int, r.findall(text))) for r in CMOCKA.values()]
            bad = test["result"] not in ("OK", "SKIP", "EXPECTEDFAIL")
            if not any(counts):
                counts = [int(test["result"] in ("OK", "EXPECTEDFAIL")), 0, int(test["result"] == "SKIP")]
            if bad and counts[1] == 0:
                counts[1] = 1
            sums = [a + b for a, b in zip(sums, counts)]
    return sums


def junit(paths):
    sums = [0, 0, 0]
    for path in paths:
        for suite in xml.etree.ElementTree.parse(path).getroot().iter("testsuite"):
            tests, failures, errors, skipped = (
                int(suite.get(k, 0)) for k in ("tests", "failures", "errors", "skipped"))
            sums[0] += tests - failures - errors - skipped
            sums[1] += failures + errors
            sums[2] += skipped
    return sums


if __name__ == "__main__":
    print(*(meson(sys.argv[2]) if sys.argv[1] == "meson" else junit(sys.argv[2:])))
