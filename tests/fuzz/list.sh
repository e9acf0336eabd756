#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# One line for each fuzz target beside this script: its name and the folders it links.
cd "$(dirname "$0")" || exit 1
for f in fuzz_*.c; do
	[ -e "$f" ] || continue
	name=${f#fuzz_}
	echo "${name%.c} $(sed -n 's|^// libs:||p' "$f" | head -n 1)"
done
