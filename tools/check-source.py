#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""check-source.py - what no compiler looks at: licence lines, sizes, words that must not stay.

- the first two lines of every source file name the licence
- a file has at most 800 lines, a function at most 100 (universal-ctags finds them)
- no word that marks something unfinished; below src/ no C function that nobody can bound (strcpy
  of a checked name into an array of its size is fine: _FORTIFY_SOURCE watches it), and only the
  daemon and the commands print or exit
- texts end with a newline and have no space at the end of a line

Prints file:line and the reason, the size of functions, and exits with 1 when something is wrong.
"""
import json
import os
import re
import shutil
import subprocess
import sys

FILE_LINES_MAX = 800
FUNCTION_LINES_MAX = 100
SPDX = "SPDX-License-Identifier: GPL-2.0-or-later"
SOURCE = (".c", ".h", ".py", ".sh")
# Split so that this file does not find itself.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX|HA" r"CK)\b")
UNBOUNDED = re.compile(r"\b(strcat|sprintf|vsprintf|gets|atoi|atol|strtok|system|popen|alloca|scanf)\(")
PRINTS = re.compile(r"(?<![\w.>])(printf|puts|putchar|perror|exit|abort)\(")
STDERR = re.compile(r"\bfprintf\(std(err|out)\b")
MAY_PRINT = {"daemon", "cli", "base/log.c"}
COMMENT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', re.S)


def tracked():
    out = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others",
                          "--exclude-standard"], stdout=subprocess.PIPE, check=False).stdout
    if out:
        return sorted(n for n in out.decode().split("\0") if n and os.path.isfile(n))
    found = []
    for folder, dirs, names in os.walk("."):
        dirs[:] = [d for d in dirs if not d.startswith((".", "build"))]
        found += [os.path.relpath(os.path.join(folder, n), ".") for n in names]
    return sorted(found)


def is_script(text):
    return text.startswith("#!")


def blank(m):
    """Comments and strings become as many empty lines as they had."""
    return "\n" * m.group(0).count("\n") + ('""' if m.group(0)[0] == '"' else " ")


def check_c(path, text):
    mistakes = []
    parts = path.split("/")
    library = parts[0] == "src" and parts[1] not in MAY_PRINT and "/".join(parts[1:]) not in MAY_PRINT
    # Programs that stand beside a library have a main() and may speak.
    library = library and not re.search(r"^int main\(", text, re.M)
    for number, line in enumerate(COMMENT.sub(blank, text).split("\n"), 1):
        m = parts[0] == "src" and UNBOUNDED.search(line)
        if m:
            mistakes.append((number, f"{m.group(1)}() has no bound or cannot say that it failed"))
        m = library and (PRINTS.search(line) or STDERR.search(line))
        if m:
            mistakes.append((number, f"{m.group(0)}...: libraries return errors, they do not print or exit"))
    return mistakes


def check_text(path, text):
    mistakes = []
    lines = text.split("\n")
    if path.endswith(SOURCE) or is_script(text) or os.path.basename(path) == "Makefile":
        if SPDX not in "\n".join(lines[:3]):
            mistakes.append((1, f"the licence line is missing: {SPDX}"))
        if len(lines) - 1 > FILE_LINES_MAX:
            mistakes.append((FILE_LINES_MAX, f"{len(lines) - 1} lines, at most {FILE_LINES_MAX}"))
    for number, line in enumerate(lines, 1):
        m = UNFINISHED.search(line)
        if m:
            mistakes.append((number, f"{m.group(1)}: finish it, or say in plain words what is not done"))
        if line.endswith((" ", "\t")):
            mistakes.append((number, "space at the end of the line"))
    if text and not text.endswith("\n"):
        mistakes.append((len(lines), "no newline at the end"))
    if path.endswith((".c", ".h")):
        mistakes += check_c(path, text)
    return [f"{path}:{number}: {why}" for number, why in sorted(mistakes)]


def functions(paths):
    """(path, line, name, lines) of each C function, or None without universal-ctags."""
    ctags = shutil.which("ctags-universal") or shutil.which("ctags")
    if not ctags or not paths:
        return None
    out = subprocess.run([ctags, "--output-format=json", "--fields=+ne", "--languages=C", "--kinds-C=f",
                          "-f", "-"] + paths, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                         check=False, text=True)
    if out.returncode:
        return None
    tags = [json.loads(line) for line in out.stdout.splitlines()]
    return [(t["path"], t["line"], t["name"], t["end"] - t["line"] + 1) for t in tags if "end" in t]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    mistakes = []
    paths = tracked()
    for path in paths:
        if path.startswith(("tests/fuzz/corpus/", "tests/fuzz/regression/")) or path == "LICENSE":
            continue
        if path.startswith(("tests/golden/", "tests/unit/")) and not path.endswith(SOURCE):
            continue  # cases may be wrong on purpose
        with open(path, "rb") as f:
            data = f.read()
        if b"\0" not in data:
            mistakes += check_text(path, data.decode("utf-8", "replace"))
    found = functions([p for p in paths if p.endswith(".c")])
    for path, line, name, lines in found or []:
        if lines > FUNCTION_LINES_MAX:
            mistakes.append(f"{path}:{line}: {name}() has {lines} lines, at most {FUNCTION_LINES_MAX}")
    for m in mistakes:
        print(m)
    if found:
        sizes = sorted(f[3] for f in found)
        print(f"{len(sizes)} functions: median {sizes[len(sizes) // 2]} lines, "
              f"p90 {sizes[len(sizes) * 9 // 10]}, longest {sizes[-1]}")
    else:
        print("functions not measured: universal-ctags is not installed")
    print(f"{len(paths)} files, {len(mistakes)} mistakes")
    return 1 if mistakes else 0


if __name__ == "__main__":
    sys.exit(main())
