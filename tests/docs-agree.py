#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs-agree.py VMLANE MANPAGE COMPLETION - do help, manual and completion name the same verbs and options?

The help is made from the tables that the command runs by, so it is what is true. Each verb and
each option of it has to be in vmlane(1) and in the bash completion, and these may name no others.
"""
import re
import subprocess
import sys

GLOBAL = {"output", "socket", "help", "version"}


def help_of(vmlane, *words):
    done = subprocess.run([vmlane, *words, "--help"], capture_output=True, text=True, check=True)
    return done.stdout


def options_in(text):
    """Options that a line of a help text begins with."""
    return set(re.findall(r"^ +(?:-\w, +)?--([a-z][a-z0-9-]*)", text, re.M)) - GLOBAL


def from_help(vmlane):
    """{"network create": {"subnet", ...}, "apply": {...}}"""
    found = {}
    for line in help_of(vmlane).splitlines():
        words = re.match(r"^  ([a-z]+)(?: ([a-z]+))?(?: |$)", line)
        if not words:
            continue
        noun, verb = words.groups()
        names = [noun, verb] if verb else [noun]
        # "status   the daemon": two blanks or more end the command
        if verb and re.match(rf"^  {noun}  ", line):
            names = [noun]
        found[" ".join(names)] = options_in(help_of(vmlane, *names))
    return found


def from_noun_help(vmlane, verbs):
    """The verbs that each noun's own help lists."""
    found = set()
    for noun in {v.split()[0] for v in verbs if " " in v}:
        for verb in re.findall(r"^  ([a-z]+) ", help_of(vmlane, noun), re.M):
            found.add(f"{noun} {verb}")
    return found


def from_man(page):
    """The same out of mdoc: .It Cm NOUN VERB begins one, its options are Fl -NAME up to the next."""
    found, current = {}, None
    for line in open(page, encoding="utf-8"):
        if line.startswith((".Ss", ".Sh")):
            current = None
        item = re.match(r"^\.It Cm ([a-z]+)(?: ([a-z]+))?", line)
        if item:
            current = " ".join(w for w in item.groups() if w)
            found.setdefault(current, set())
        if current and line.startswith(".It"):
            found[current] |= set(re.findall(r"Fl -([a-z][a-z0-9-]*)", line)) - GLOBAL
    return found


def from_completion(script):
    """Its table, as bash itself reads it."""
    done = subprocess.run(["bash", "-c", 'complete() { :; }; . "$1"; printf %s "$_vmlane_table"', "bash", script],
                          capture_output=True, text=True, check=True)
    found = {}
    for line in done.stdout.split("\n"):
        if line:
            what, _, options = line.partition(":")
            found[what] = {o.removeprefix("--") for o in options.split()}
    return found


def compare(name, got, want):
    mistakes = []
    for what in sorted(want.keys() - got.keys()):
        mistakes.append(f"{name} does not have '{what}'")
    for what in sorted(got.keys() - want.keys()):
        mistakes.append(f"{name} has '{what}', which does not exist")
    for what in sorted(want.keys() & got.keys()):
        for option in sorted(want[what] - got[what]):
            mistakes.append(f"{name}: '{what}' lacks --{option}")
        for option in sorted(got[what] - want[what]):
            mistakes.append(f"{name}: '{what}' has --{option}, which does not exist")
    return mistakes


def main():
    vmlane, page, script = sys.argv[1:]
    truth = from_help(vmlane)
    if not {"network create", "guest attach", "run", "check"} <= truth.keys() or "subnet" not in truth["network create"]:
        sys.exit("the help cannot be read; has its form changed?")
    mistakes = compare("vmlane(1)", from_man(page), truth)
    mistakes += compare("the completion", from_completion(script), truth)
    for what in sorted({v for v in truth if " " in v} ^ from_noun_help(vmlane, truth)):
        mistakes.append(f"'{what}' is in one of the help texts only")
    print("\n".join(mistakes) or f"{len(truth)} commands agree")
    sys.exit(1 if mistakes else 0)


main()
