#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# run.sh BUILD_DIR [PYTEST OPTION...] - what this machine's kernel cannot show, shown by another one:
# the tests beside this file, and of the namespace tests those that say whether an older kernel
# will do. With options, what they name.
#
# All is slow there, and the slower the busier this machine is: VMLANE_TEST_TIMEOUT is how long a test
# waits for anything, VM_TIMEOUT how long all may take.
# VM_RESULT names a file for pytest's report as JUnit's XML.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$1" && pwd)
shift
netns=$here/../netns
[ $# -gt 0 ] || set -- "$here" \
	"$netns/test_nat.py::test_guest_reaches_the_internet_as_the_host" \
	"$netns/test_nat.py::test_nobody_comes_in" \
	"$netns/test_rates.py::test_comes_and_goes_with_the_tap" \
	"$netns/test_trace.py::test_nat_out_and_back" \
	"$netns/test_trace.py::test_the_rule_that_drops" \
	"$netns/test_trace_modes.py::test_ipv6" \
	"$netns/test_trace_modes.py::test_fragments_to_the_host_and_back[without]" \
	"$netns/test_diagnose.py::test_other_port_down"
cd "$here"
export VMLANE_TEST_TIMEOUT=${VMLANE_TEST_TIMEOUT:-180} VM_TIMEOUT=${VM_TIMEOUT:-1500}
exec ./vm.sh "$netns/run.sh" "$build" --color=no --junitxml=/var/tmp/vm-result "$@"
