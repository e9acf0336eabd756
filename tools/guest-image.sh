#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guest-image.sh - a kernel and an initramfs for a small real guest, built once and kept.
#
# The kernel is the distribution's own for virtual machines, fetched and unpacked without installing
# it. The initramfs is busybox, the drivers of the network cards, and guest-init.sh as /init.
# Next on the walk: guest-init.sh, then src/cli/demo_guest.c, which boots the two.
#
# On stdout, when done: "kernel PATH", "initrd PATH" and "version VERSION"; progress is on stderr.
set -euo pipefail
umask 022

cache=/var/cache/vmlane/guest
arch=
offline=
modules=

usage() {
	cat <<-TEXT
	Usage: vmlane-guest-image [--cache DIR] [--offline] [--modules]

	Builds a kernel and an initramfs for demo and test guests, and prints where they are:
	  kernel PATH
	  initrd PATH
	  version VERSION
	What was built is kept, so that the next call is instant and needs no network.
	To fetch a newer kernel, remove the directory.

	  --cache DIR   keep it here (default: $cache)
	  --offline     fail rather than download a kernel
	  --modules     keep all of the kernel's modules too, and print "modules PATH": what
	                belongs at /lib/modules/VERSION
	  --help        this text
	TEXT
}

progress() {
	printf 'guest-image: %s\n' "$*" >&2
}

die() { # die WHAT MEND
	printf 'guest-image: %s\n' "$1" >&2
	[ -z "${2:-}" ] || printf 'guest-image: to mend it: %s\n' "$2" >&2
	exit 2
}

while [ $# -gt 0 ]; do
	case "$1" in
	--cache)
		[ $# -ge 2 ] || { usage >&2; exit 1; }
		cache=$2
		shift
		;;
	--cache=*) cache=${1#*=} ;;
	--offline) offline=1 ;;
	--modules) modules=1 ;;
	--help | -h)
		usage
		exit 0
		;;
	*)
		printf 'guest-image: %s is not an option\n' "$1" >&2
		usage >&2
		exit 1
		;;
	esac
	shift
done

here=$(dirname "$(readlink -f "$0")")
init=
for f in "$here/vmlane-guest-init" "$here/guest-init.sh"; do
	[ ! -f "$f" ] || { init=$f; break; }
done
[ -n "$init" ] || die "guest-init.sh is not beside this script ($here)" "install vmlane again"

# Drivers of network cards and of the control channel; those that the kernel does not have are left out.
drivers="virtio_pci virtio_mmio virtio_net e1000e e1000 8139cp vmxnet3 virtio_console virtio_rng"

need() { # need COMMAND PACKAGE
	command -v "$1" >/dev/null || die "$1 is missing" "apt install $2"
}

static_busybox() {
	local b
	b=$(command -v busybox) || die "busybox is missing" "apt install busybox-static"
	# A dynamically linked one would need libraries that the guest does not have.
	if LC_ALL=C ldd "$b" 2>&1 | grep -q '=>'; then
		die "$b is not statically linked, and the guest has no libraries" "apt install busybox-static"
	fi
	printf '%s\n' "$b"
}

metapackage() {
	local id=
	[ ! -r /etc/os-release ] || id=$(. /etc/os-release && printf '%s' "${ID:-}")
	case "$id" in
	ubuntu) echo linux-image-virtual ;;
	*)
		case "$arch" in
		amd64) echo linux-image-cloud-amd64 ;;
		arm64) echo linux-image-cloud-arm64 ;;
		*) die "there is no known cloud kernel for $arch" "use namespace guests: vmlane demo --no-vm" ;;
		esac
		;;
	esac
}

# The concrete kernel package behind a metapackage, following metapackages of metapackages.
concrete_package() { # concrete_package META
	local p=$1 next i
	for i in 1 2 3; do
		next=$(apt-cache depends --no-recommends --no-suggests "$p" 2>/dev/null |
			sed -n 's/^ *|\{0,1\}Depends: *\(linux-image[^ ]*\).*/\1/p' | head -n 1)
		case "$p" in
		linux-image-[0-9]*)
			printf '%s\n' "$p"
			return 0
			;;
		esac
		[ -n "$next" ] || return 1
		p=$next
	done
	case "$p" in
	linux-image-[0-9]*) printf '%s\n' "$p" ;;
	*) return 1 ;;
	esac
}

download() { # download PACKAGE: into $work/deb, as the user _apt where there is one
	(cd "$work/deb" && LC_ALL=C apt-get -q download "$1" >"$work/apt.log" 2>&1)
}

fetch_kernel() { # unpack the kernel package(s) into $work/root
	local meta package log modules
	meta=$(metapackage)
	[ -z "$offline" ] || die "no kernel for the guest is cached in $cache, and --offline was given" "run it once without --offline"
	need apt-get apt
	need dpkg-deb dpkg
	package=$(concrete_package "$meta") ||
		die "apt does not know the package $meta" "apt-get update, then try again"
	progress "downloading $package (the distribution's kernel, it is not installed) ..."
	mkdir -p "$work/deb" "$work/root"
	# apt fetches as the user _apt, who must be able to write there and to get there.
	if [ "$(id -u)" = 0 ] && getent passwd _apt >/dev/null; then
		chown _apt "$work/deb"
	fi
	chmod 755 "$work"
	if ! download "$package"; then
		log=$(grep -E '^(E|W):|Err' "$work/apt.log" | tail -n 2 | tr '\n' ' ')
		die "the kernel $package cannot be downloaded: ${log:-apt-get download failed}" \
			"connect to the package mirror (or run apt-get update) and try again, or use namespace guests: vmlane demo --no-vm"
	fi
	# Ubuntu has the drivers in a package of their own.
	modules=linux-modules-${package#linux-image-}
	if apt-cache show "$modules" >/dev/null 2>&1; then
		progress "downloading $modules ..."
		download "$modules" || die "the package $modules cannot be downloaded" "try again, or: vmlane demo --no-vm"
	fi
	progress "unpacking it ..."
	for f in "$work"/deb/*.deb; do
		dpkg-deb -x "$f" "$work/root"
	done
}

module_tree() { # where the modules are below $1
	local d
	for d in "$1/lib/modules" "$1/usr/lib/modules"; do
		[ ! -d "$d" ] || { printf '%s\n' "$d"; return 0; }
	done
	die "the kernel package has no modules" "rm -r $cache, then try again"
}

make_modules_dep() { # make_modules_dep ROOT TREE VERSION
	[ ! -f "$2/$3/modules.dep" ] || return 0
	# depmod looks below lib/modules only
	[ -d "$1/lib" ] || ln -s usr/lib "$1/lib"
	if [ -x /sbin/depmod ]; then
		/sbin/depmod -b "$1" "$3"
	else
		"$busybox" depmod -b "$1" "$3"
	fi
	[ -f "$2/$3/modules.dep" ] || die "modules.dep cannot be made for the kernel $3" "apt install kmod"
}

# Print the drivers and all they need, each after what it needs, as paths below the tree.
module_order() { # module_order MODULES.DEP
	awk -v want="$drivers" '
		function base(p) { sub(/.*\//, "", p); sub(/\.ko.*/, "", p); gsub(/-/, "_", p); return p }
		function visit(p,    i, n, d) {
			if (p in seen) return
			seen[p] = 1
			n = split(deps[p], d, " ")
			for (i = n; i >= 1; i--) visit(d[i])
			print p
		}
		{ p = $1; sub(/:$/, "", p); path[base(p)] = p; $1 = ""; deps[p] = $0 }
		END {
			n = split(want, w, " ")
			for (i = 1; i <= n; i++) if (w[i] in path) visit(path[w[i]])
		}' "$1"
}

copy_module() { # copy_module FROM TO.ko
	case "$1" in
	*.ko.xz) need xz xz-utils && xz -dc "$1" >"$2" ;;
	*.ko.zst) need zstd zstd && zstd -qdc "$1" >"$2" ;;
	*.ko.gz) gzip -dc "$1" >"$2" ;;
	*) cp "$1" "$2" ;;
	esac
}

keep_kernel() { # from $work/root to the cache: vmlinuz, modules, version
	local tree version kernel k
	tree=$(module_tree "$work/root")
	version=$(basename "$(ls -d "$tree"/* | head -n 1)")
	kernel=$work/root/boot/vmlinuz-$version
	[ -f "$kernel" ] || kernel=$(find "$work/root" -name 'vmlinu[xz]*' -type f | head -n 1)
	[ -f "$kernel" ] || die "the kernel package has no kernel" "rm -r $cache, then try again"
	make_modules_dep "$work/root" "$tree" "$version"
	k=$work/kernel
	mkdir -p "$k/modules"
	cp "$kernel" "$k/vmlinuz"
	module_order "$tree/$version/modules.dep" | while read -r m; do
		b=$(basename "$m")
		b=${b%%.ko*}.ko
		copy_module "$tree/$version/$m" "$k/modules/$b"
		printf '%s\n' "$b"
	done >"$work/order"
	mv "$work/order" "$k/modules/order"
	grep -q virtio_net "$k/modules/order" || grep -q virtio_net "$tree/$version/modules.builtin" ||
		die "the kernel $version has no virtio_net" "use another distribution's kernel, or: vmlane demo --no-vm"
	printf '%s\n' "$version" >"$k/version"
	rm -rf "$cache/kernel-$arch"
	mv "$k" "$cache/kernel-$arch"
}

# All modules, as busybox' modprobe finds them: not compressed, and with modules.dep and modules.alias.
keep_modules() { # from $work/root to the cache
	local tree version to
	tree=$(module_tree "$work/root")
	version=$(basename "$(ls -d "$tree"/* | head -n 1)")
	to=$work/all/lib/modules
	progress "keeping all modules ..."
	mkdir -p "$to"
	cp -r "$tree/$version" "$to/"
	rm -f "$to/$version"/modules.dep* "$to/$version"/modules.alias* "$to/$version"/modules.symbols*
	find "$to" -name '*.ko.xz' -exec xz -d {} +
	find "$to" -name '*.ko.gz' -exec gzip -d {} +
	find "$to" -name '*.ko.zst' -exec zstd -q -d --rm {} +
	"$busybox" depmod -b "$work/all" "$version"
	rm -rf "$cache/modules-$arch"
	mv "$to/$version" "$cache/modules-$arch"
}

build_initrd() { # build_initrd KERNELDIR OUT
	local r=$work/initrd
	progress "packing the initramfs ..."
	mkdir -p "$r/bin" "$r/etc" "$r/proc" "$r/sys" "$r/dev" "$r/run" "$r/tmp"
	cp -L "$busybox" "$r/bin/busybox"
	ln -s busybox "$r/bin/sh"
	cp "$init" "$r/init"
	chmod 755 "$r/init" "$r/bin/busybox"
	cp -r "$1/modules" "$r/modules"
	(cd "$r" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -6 >"$work/initrd.gz")
	mv "$work/initrd.gz" "$2"
}

busybox=$(static_busybox)
need cpio cpio
need gzip gzip
need sha256sum coreutils
arch=$(dpkg --print-architecture 2>/dev/null) || die "dpkg is missing" "this needs Debian or Ubuntu; elsewhere: vmlane demo --no-vm"
mkdir -p "$cache" || die "the cache $cache cannot be made" "run it as root, or give --cache DIR"
[ -w "$cache" ] || die "the cache $cache cannot be written" "run it as root, or give --cache DIR"
cache=$(cd "$cache" && pwd)

# One builder at a time; a second waits for the first and then finds everything ready.
exec 9>"$cache/lock"
flock 9

work=
trap '[ -z "$work" ] || rm -rf "$work"' EXIT
begin() {
	[ -n "$work" ] || work=$(mktemp -d "$cache/build.XXXXXX")
}

if [ ! -f "$cache/kernel-$arch/version" ] || { [ -n "$modules" ] && [ ! -f "$cache/modules-$arch/modules.dep" ]; }; then
	begin
	fetch_kernel
	# The kernel last: a new one without its modules would not be noticed.
	[ -z "$modules" ] || keep_modules
	keep_kernel
fi
kernel=$cache/kernel-$arch
version=$(cat "$kernel/version")
key=$(cat "$init" "$0" "$busybox" | sha256sum | cut -c 1-16)
initrd=$cache/initrd-$version-$key.gz
if [ ! -f "$initrd" ]; then
	begin
	# Those of other versions of this script go when nobody has built with them for a week.
	find "$cache" -maxdepth 1 -name 'initrd-*.gz' -mtime +7 -delete
	build_initrd "$kernel" "$initrd"
	progress "ready: kernel $version"
fi
printf 'kernel %s\ninitrd %s\nversion %s\n' "$kernel/vmlinuz" "$initrd" "$version"
[ -z "$modules" ] || printf 'modules %s\n' "$cache/modules-$arch"
