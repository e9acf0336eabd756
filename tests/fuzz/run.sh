#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh BUILD_DIR [SECONDS] [NAME...] - fuzz each target (or those named) for a while, from its
# corpus. New inputs stay in BUILD_DIR, so that the corpus stays small; a crash is written to
# tests/fuzz/regression/NAME/, where the normal test run finds it from then on.
# Prints one line a target, "ok NAME ..." or "FAILED NAME ...".
set -u
build=$1
seconds=${2:-10}
shift $(($# < 2 ? $# : 2))
here=$(cd "$(dirname "$0")" && pwd)
status=0

[ $# -gt 0 ] || set -- $("$here/list.sh" | cut -d ' ' -f 1)
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
one()
{
	local name=$1 new log runs crash
	new=$build/corpus/$name
	log=$build/fuzz-$name.log
	mkdir -p "$new"
	# Artifacts go to the build directory first: an empty regression/ folder says nothing.
	if "$build/tests/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 \
		-print_final_stats=1 -artifact_prefix="$build/crash-$name-" \
		"$new" "$here/corpus/$name" >"$log" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
		echo "ok $name: $runs runs, $(ls "$here/corpus/$name" | wc -l) seeds"
	else
		echo "FAILED $name: $log"
		grep -m 3 -E 'ERROR:|runtime error|SUMMARY|cannot|No such' "$log" | sed 's/^/  /'
		for crash in "$build/crash-$name-"*; do
			[ -e "$crash" ] || continue
			mkdir -p "$here/regression/$name"
			mv "$crash" "$here/regression/$name/${crash##*/crash-"$name"-}"
		done
		return 1
	fi
}

# As many at a time as there are processors.
for name; do
	[ "$(jobs -rp | wc -l)" -lt "$(nproc)" ] || wait -n || status=1
	one "$name" &
done
while [ -n "$(jobs -p)" ]; do
	wait -n || status=1
done
exit $status
