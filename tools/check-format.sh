#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check-format.sh [--fix] - are the C files formatted as .clang-format says? Needs clang-format 14:
# other versions disagree about details.
set -u
cd "$(dirname "$0")/.." || exit 1

tool=$(command -v clang-format-14 || command -v clang-format) || {
	echo "clang-format-14 is not installed"
	exit 77
}
case $("$tool" --version) in
*" 14."*) ;;
*)
	echo "this is $("$tool" --version), and 14 is needed"
	exit 77
	;;
esac
mapfile -t files < <(find src tests bench -name '*.[ch]' | sort)
if [ "${1:-}" = --fix ]; then
	exec "$tool" --style=file -i "${files[@]}"
fi
if ! "$tool" --style=file --dry-run -Werror "${files[@]}"; then
	echo "mend it with: tools/check-format.sh --fix"
	exit 1
fi
echo "${#files[@]} files"
