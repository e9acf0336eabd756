#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check.sh [STAGE...] - every test there is, or the stages named. `make check` calls this.
#
# Each stage says what it does, how long it took and what it counted; its whole output is in
# build-check/logs/STAGE.log and is shown when it fails. A stage that cannot run here says why and
# counts as skipped. The last line has the sums; the exit status is 1 when anything failed.
#
# The namespace tests mostly wait. They are begun as soon as their programs are built, and run beside the
# stages that follow, which step back for them (nice). Stage netns comes last: it waits for them and runs
# what failed once more, alone, with nothing beside it. What passes then is printed as "unsteady: NAME" and
# counted as unsteady, neither passed nor failed; what fails twice has failed.
set -u
cd "$(dirname "$0")/.." || exit 1

DIR=$(realpath -m "${CHECK_DIR:-build-check}")
LOGS=$DIR/logs
FUZZ_SECONDS=${FUZZ_SECONDS:-10}
# How many workers each of the two suites of namespace tests has.
NETNS_WORKERS=${NETNS_WORKERS:-$(($(nproc) + 1))}
STAGES="format includes source scripts man build-gcc build-asan build-clang build-fuzz tidy
	unit unit-asan fuzz units platform package netns"
passed=0 failed=0 skipped=0 unsteady=0
netns_pid=
failures=()
mkdir -p "$LOGS"

# Two at once would build under each other's feet.
exec 9>"$DIR/lock"
if ! flock -n 9; then
	echo "another check is running in $DIR: wait for it, or say CHECK_DIR=..." >&2
	exit 1
fi
export PYTHONDONTWRITEBYTECODE=1

own()
{
	[ "$(id -u)" != 0 ] || chown -Rh --reference=. "$DIR"
}
# What runs beside the stages ends with them.
ended()
{
	[ -z "$netns_pid" ] || kill "$netns_pid" 2>/dev/null
	own
}
trap ended EXIT

# skip REASON - a stage that cannot run ends with this.
skip()
{
	echo "$*"
	return 77
}

# built DIR - did the build that this stage needs work?
built()
{
	[ -e "$DIR/$1.ok" ] || skip "the $1 build failed or was not made"
}

# ---- what is in the files ----

stage_format()
{
	tools/check-format.sh
}

stage_includes()
{
	tools/check-includes.py --self-test && tools/check-includes.py
}

stage_source()
{
	tools/check-source.py
}

bash_scripts()
{
	{ find tools tests bench src .ci -name '*.sh'; grep -lsr '^#!/bin/\(ba\)\?sh' .ci tools tests; } | sort -u
	find completion -name '*.bash' | sort
}

stage_scripts()
{
	local status=0 script
	for script in $(bash_scripts); do
		bash -n "$script" || status=1
	done
	if command -v shellcheck >/dev/null; then
		# Lists of words are split on purpose, and DHCP clients set their scripts' variables.
		bash_scripts | xargs shellcheck -s bash -S warning -e SC2046,SC2048,SC2086,SC2034,SC2100,SC2154 || status=1
	else
		echo "shellcheck is not installed"
	fi
	find tools tests bench -name '*.py' | sort | while read -r script; do
		/usr/bin/python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' \
			"$script" || exit 1
	done || status=1
	echo "$(bash_scripts | wc -l) shell scripts, $(find tools tests bench -name '*.py' | wc -l) Python files"
	return $status
}

stage_man()
{
	local pages
	pages=$(find docs -name '*.[1-8]')
	[ -n "$pages" ] || { echo "no man pages found below docs/"; return 1; }
	command -v mandoc >/dev/null || { skip "mandoc is not installed"; return; }
	mandoc -Tlint -W warning $pages && echo "$(echo "$pages" | wc -l) pages"
}

# ---- builds ----

# build NAME MESON-OPTION... - and remember that it worked.
build()
{
	local name=$1
	shift
	rm -f "$DIR/$name.ok"
	tools/build.sh "$DIR/$name" "$@" && : >"$DIR/$name.ok"
}

stage_build_gcc()
{
	CC=gcc build gcc -Dwerror=true
}

stage_build_clang()
{
	command -v clang-14 >/dev/null || { skip "clang-14 is not installed"; return; }
	CC=clang-14 build clang -Dwerror=true
}

# Sanitizers make the compilers warn of what is not so; the builds above have no warnings.
stage_build_asan()
{
	CC=gcc build asan -Dtest_hooks=true -Db_sanitize=address,undefined -Db_lundef=false
}

stage_build_fuzz()
{
	command -v clang-14 >/dev/null || { skip "clang-14 is not installed"; return; }
	# The fuzz targets, and no more: what else there is has been built twice with more warnings.
	TARGETS=$(tests/fuzz/list.sh | sed 's|^\([^ ]*\).*|tests/fuzz/fuzz-\1|' | tr '\n' ' ') \
		CC=clang-14 build fuzz -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false
}

stage_tidy()
{
	built clang || return
	tools/check-tidy.sh "$DIR/clang"
}

# ---- tests ----

# The sanitizers of gcc 12 and clang 14 hang or fall now and then where the kernel scatters mappings
# over more bits than they expect (vm.mmap_rnd_bits above 28): they run without that.
still()
{
	setarch "$(uname -m)" --addr-no-randomize "$@"
}

export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:exitcode=99
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1:exitcode=99

# meson_tests NAME - all of meson's tests; those by cmocka are counted one by one.
meson_tests()
{
	local status=0
	built "$1" || return
	still meson test -C "$DIR/$1" --no-rebuild --print-errorlogs -t 4 || status=1
	/usr/bin/python3 tools/count-tests.py meson "$DIR/$1/meson-logs/testlog.json" >"$COUNTS"
	return $status
}

stage_unit()
{
	meson_tests gcc
}

stage_unit_asan()
{
	meson_tests asan
}

stage_fuzz()
{
	local status=0
	built fuzz || return
	still tests/fuzz/run.sh "$DIR/fuzz" "$FUZZ_SECONDS" | tee "$DIR/fuzz.out" || status=1
	status=${PIPESTATUS[0]}
	echo "$(grep -c ^ok "$DIR/fuzz.out") $(grep -c ^FAILED "$DIR/fuzz.out") 0" >"$COUNTS"
	return "$status"
}

# What systemd says about the units, with a program in place of the one that is not installed.
stage_units()
{
	local copy status=0 units
	built gcc || return
	command -v systemd-analyze >/dev/null || { skip "systemd-analyze is not installed"; return; }
	copy=$(mktemp -d)
	cp "$DIR/gcc/data/vmlaned.service" "$DIR/gcc/data/vmlaned.socket" "$copy"
	sed -i 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$copy/vmlaned.service"
	units="$copy/vmlaned.service $copy/vmlaned.socket"
	SYSTEMD_UNIT_PATH=$copy: systemd-analyze verify --man=no $units 2>&1 | tee "$copy/said" || status=1
	[ ! -s "$copy/said" ] || status=1
	systemd-analyze security --offline=true --threshold=35 --no-pager "$copy/vmlaned.service" || status=1
	rm -rf "$copy"
	return $status
}

# The namespace tests run twice at once: with the plain programs, and with the sanitized ones.
netns_begin()
{
	local suites=("plain=$DIR/gcc")
	[ "$(id -u)" = 0 ] && [ -e "$DIR/gcc.ok" ] || return
	# Inside there is no way to where kernels come from; without one its test says why it skips.
	"$DIR/gcc/src/cli/vmlane-guest-image" >"$LOGS/guest-image.log" 2>&1 || echo "there is no kernel for a guest"
	[ ! -e "$DIR/asan.ok" ] || suites+=("sanitized=$DIR/asan,-m,not slow")
	rm -f "$LOGS"/netns*
	tests/netns/suite.py run "$LOGS" "$NETNS_WORKERS" "${suites[@]}" >"$LOGS/netns-run.log" 2>&1 &
	netns_pid=$!
}

stage_netns()
{
	local status=0
	[ "$(id -u)" = 0 ] || { skip "network namespaces need root"; return; }
	built gcc || return
	cat "$LOGS/guest-image.log" "$LOGS/netns-run.log"
	tests/netns/suite.py judge "$LOGS" || status=1
	cp "$LOGS/netns.counts" "$COUNTS"
	return $status
}

# The same programs under another kernel: the distribution's own for virtual machines.
stage_platform()
{
	local status=0
	[ "$(id -u)" = 0 ] || { skip "network namespaces need root"; return; }
	built gcc || return
	rm -f "$LOGS/platform.xml"
	VM_RESULT=$LOGS/platform.xml VM_CONSOLE=$LOGS/platform-console.log tests/platform/run.sh "$DIR/gcc" || status=$?
	[ ! -s "$LOGS/platform.xml" ] ||
		/usr/bin/python3 tools/count-tests.py junit "$LOGS/platform.xml" >"$COUNTS"
	return $status
}

# The package is built from a copy, since its files are put beside the source directory.
stage_package()
{
	local copy status=0
	command -v dh >/dev/null || { skip "debhelper is not installed"; return; }
	copy=$(mktemp -d)
	mkdir "$copy/vmlane"
	git -c safe.directory='*' ls-files -z --cached --others --exclude-standard |
		while IFS= read -r -d '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done |
		tar -c --null -T - | tar -x -C "$copy/vmlane"
	(cd "$copy/vmlane" && DEB_BUILD_OPTIONS="parallel=$(nproc)" dpkg-buildpackage -us -uc -b) || status=1
	dpkg-deb -c "$copy"/vmlane_*.deb || status=1
	rm -rf "$copy"
	return $status
}

# ---- running them ----

# run_in_turn STAGE - in a process of its own, since what runs beside the namespace tests is to stay behind.
run_in_turn()
(
	[ -z "$netns_pid" ] || [ "$1" = netns ] || renice -n 10 "$BASHPID" >/dev/null
	"stage_${1//-/_}"
)

run_stage()
{
	local name=$1 start=$SECONDS status log p f s u=0 word
	COUNTS=$DIR/counts
	log=$LOGS/$name.log
	rm -f "$COUNTS"
	printf '== %-12s ' "$name"
	[ "$name" != netns ] || [ -z "$netns_pid" ] || wait "$netns_pid"
	run_in_turn "$name" >"$log" 2>&1
	status=$?
	if [ -s "$COUNTS" ]; then
		read -r p f s u <"$COUNTS"
		u=${u:-0}
		# A stage that failed without a failed test (a crash of the runner) is a failure too.
		[ $status = 0 ] || [ "$f" != 0 ] || f=1
	else
		case $status in
		0) p=1 f=0 s=0 ;;
		77) p=0 f=0 s=1 ;;
		*) p=0 f=1 s=0 ;;
		esac
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s)) unsteady=$((unsteady + u))
	word=ok
	[ "$s" = 0 ] || [ "$p" != 0 ] || word=skipped
	[ "$f" = 0 ] || word=FAILED
	printf '%-8s %4ds  %d passed, %d failed, %d skipped' $word $((SECONDS - start)) "$p" "$f" "$s"
	[ "$u" = 0 ] || printf ', %d unsteady' "$u"
	case $word in
	FAILED)
		echo
		tail -n 200 "$log" | sed 's/^/   | /'
		;;
	*) echo "  ($(tail -n 1 "$log" | tr -d '=' | cut -c 1-90))" ;;
	esac
	# Why tests were skipped and how many for each reason, and which pass only now and then.
	sed -n 's/^SKIPPED \[\([0-9]*\)\] [^ ]* /\1 /p' "$log" |
		awk '{ n = $1; $1 = ""; times[$0] += n } END { for (why in times) printf "   | skipped %d:%s\n", times[why], why }' | sort
	[ $word = FAILED ] || grep -h '^unsteady: ' "$log" | sed 's/^/   | /'
	# Said once more at the very end, where whoever sees only that looks.
	if [ $word = FAILED ]; then
		failures+=("stage $name")
		while read -r line; do failures+=("$line"); done < <(sed -n 's/^failed: //p' "$log")
	fi
}

want=${*:-$STAGES}
for stage in $want; do
	if ! declare -F "stage_${stage//-/_}" >/dev/null; then
		echo "no stage \"$stage\"; there are:" $STAGES >&2
		exit 1
	fi
done
for stage in $want; do
	# Its programs are built by now, in the order of $STAGES: before whatever comes after build-asan.
	case " $want " in
	*" netns "*)
		case $stage in
		format | includes | source | scripts | man | build-gcc | build-asan) ;;
		*) [ -n "$netns_pid" ] || netns_begin ;;
		esac
		;;
	esac
	run_stage "$stage"
done
netns_pid=
[ ${#failures[@]} = 0 ] || printf 'FAILED: %s\n' "${failures[@]}"
echo "took $((SECONDS / 60)) min $((SECONDS % 60)) s; logs in $LOGS/"
echo "check: $passed passed, $failed failed, $skipped skipped, $unsteady unsteady"
[ "$failed" = 0 ]
