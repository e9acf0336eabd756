#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check-tidy.sh BUILD_DIR [FILE...] - clang-tidy over the C files of src/ and the fuzz targets, as many at a time
# as there are processors. The unit tests are left out: the analyzer does not know that cmocka's
# assertions end a test.
#
# A file that was clean is not looked at again until its text with all it includes, its compiler
# options or .clang-tidy change: BUILD_DIR/tidy/ remembers them by hash.
set -u
cd "$(dirname "$0")/.." || exit 1
export TOP=$PWD
export BUILD=$1
shift

TIDY=$(command -v clang-tidy-14 || command -v clang-tidy) || {
	echo "clang-tidy-14 is not installed"
	exit 77
}
export TIDY
mkdir -p "$BUILD/tidy"

# "FILE HASH" for each file that the build compiles (not what it generates).
/usr/bin/python3 - "$@" <<'PY' >"$BUILD/tidy/list"
import hashlib, json, os, shlex, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
build, top = os.environ["BUILD"], os.environ["TOP"]
rules = open(os.path.join(top, ".clang-tidy"), "rb").read()
seen = {}
for entry in json.load(open(os.path.join(build, "compile_commands.json"))):
    path = os.path.realpath(os.path.join(entry["directory"], entry["file"]))
    name = os.path.relpath(path, top)
    if name.startswith(("src/", "tests/fuzz/")) and (not sys.argv[1:] or name in sys.argv[1:]):
        seen.setdefault(name, entry)
def digest(item):
    name, entry = item
    args = shlex.split(entry["command"])
    out = args.index("-o")
    del args[out:out + 2]
    args = [a for a in args if a not in ("-c", "-MD", "-MP")]
    if "-MF" in args:
        at = args.index("-MF")
        del args[at:at + 2]
    if "-MQ" in args:
        at = args.index("-MQ")
        del args[at:at + 2]
    text = subprocess.run(args + ["-E", "-C"], cwd=entry["directory"], stdout=subprocess.PIPE).stdout
    return name, hashlib.sha256(rules + entry["command"].encode() + text).hexdigest()
with ThreadPoolExecutor(2) as pool:
    for name, value in pool.map(digest, sorted(seen.items())):
        print(name, value)
PY

one()
{
	local log
	[ -e "$BUILD/tidy/$2" ] && return 0
	log=$("$TIDY" --quiet --warnings-as-errors='*' -p "$BUILD" "$1" 2>/dev/null) && {
		: >"$BUILD/tidy/$2"
		return 0
	}
	echo "$log"
	return 1
}
export -f one

total=$(wc -l <"$BUILD/tidy/list")
if ! xargs -P "${JOBS:-$(nproc)}" -L 1 bash -c 'one "$@"' one <"$BUILD/tidy/list"; then
	exit 1
fi
echo "$total files"
