#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# build.sh DIR [MESON OPTION...] - configure DIR once, then build what has changed. As quiet as it
# can be: nothing is said when nothing is to be done. DIR is given to the owner of the source, so
# that `sudo make` leaves nothing behind that only root can remove. TARGETS, words, are all that is built
# when it is set.
set -eu
cd "$(dirname "$0")/.."
dir=$1
shift

own()
{
	[ "$(id -u)" != 0 ] || [ ! -d "$dir" ] || chown -Rh --reference=. "$dir"
}
trap own EXIT

if [ ! -f "$dir/build.ninja" ]; then
	echo "Configuring $dir ..."
	if ! meson setup "$dir" "$@" >"$dir.log" 2>&1; then
		cat "$dir.log" >&2
		exit 1
	fi
	mv "$dir.log" "$dir/setup.log"
fi
if [ "$(ninja -C "$dir" -n ${TARGETS:-} | tail -n 1)" != "ninja: no work to do." ]; then
	echo "Building $dir ..."
	NINJA_STATUS='[%f/%t] ' ninja -C "$dir" -j "${JOBS:-$(nproc)}" ${TARGETS:-}
fi
