#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# vm.sh COMMAND [ARG...] - runs a command under another kernel, and ends with its exit status.
#
# The kernel is the distribution's own for virtual machines (tools/guest-image.sh), which has what
# others lack and lacks what newer ones have. It runs in QEMU, without KVM; its files are this
# machine's, read-only, with everything that is written kept in memory: the command, the build it
# tests and the programs it needs are where they are here, and nothing it does is seen outside.
# There is no network. What the command prints is printed; what the kernel says is in VM_CONSOLE,
# a file, when that is set.
# What the command writes to /var/tmp/vm-result is put into the file VM_RESULT, when that is set.
#
# Next on the walk: vm-init.sh, which is what runs inside.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
MEMORY=${VM_MEMORY:-1536}
TIMEOUT=${VM_TIMEOUT:-580}

die()
{
	echo "vm.sh: $*" >&2
	exit 77
}

[ $# -gt 0 ] || { sed -n '3,15s/^# \{0,1\}//p' "$0" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "the machine's files can be shown to a guest by root only"

case $(uname -m) in
x86_64) qemu=qemu-system-x86_64 machine=q35 console=ttyS0 ;;
aarch64) qemu=qemu-system-aarch64 machine=virt console=ttyAMA0 ;;
*) die "there is no known virtual machine for $(uname -m)" ;;
esac
command -v $qemu >/dev/null || die "$qemu is not installed"
for virtiofsd in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd ""; do
	[ ! -x "$virtiofsd" ] || break
done
[ -n "$virtiofsd" ] || die "virtiofsd is not installed"

# In a mount namespace of its own, where this machine's files are read-only: a guest that goes
# astray can harm none of them. --kill-child ends QEMU and virtiofsd with this script.
if [ -z "${VM_INSIDE:-}" ]; then
	image=$("$here/../../tools/guest-image.sh" --modules) || die "there is no kernel to boot"
	export VM_INSIDE=1 VM_IMAGE=$image VM_DIR
	VM_DIR=$(mktemp -d)
	trap 'rm -rf "$VM_DIR"' EXIT
	# Descriptor 3 is what the command prints: QEMU's own words go to stderr.
	unshare --mount --pid --fork --kill-child --mount-proc "$0" "$@" 3>&1 >&2 && status=0 || status=$?
	[ -z "${VM_RESULT:-}" ] || cp "$VM_DIR/result" "$VM_RESULT"
	exit $status
fi

word() # word NAME: of what guest-image.sh printed
{
	echo "$VM_IMAGE" | sed -n "s/^$1 //p"
}

# The order in which insmod can load what the root's file system takes, and its dependencies.
modules_of() # modules_of NAME...
{
	awk -v want="$*" '
		function base(p) { sub(/.*\//, "", p); sub(/\.ko$/, "", p); gsub(/-/, "_", p); return p }
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
		}' "$(word modules)/modules.dep"
}

make_initrd()
{
	local r=$VM_DIR/initrd m
	mkdir -p "$r/bin" "$r/modules"
	cp -L "$(command -v busybox)" "$r/bin/busybox"
	cp "$here/vm-init.sh" "$r/init"
	for m in $(modules_of virtio_pci virtiofs overlay virtio_console virtio_rng); do
		cp "$(word modules)/$m" "$r/modules/"
		basename "$m"
	done >"$r/modules/order"
	# The command, with each of its words quoted for the shell.
	{
		printf 'export PATH=%q LANG=%q VM_MODULES=%q\n' "$PATH" "${LANG:-C}" "$(word modules)"
		env | sed -n 's/^\(VMLANE_[A-Z_]*\)=.*/\1/p' | while read -r v; do printf 'export %s=%q\n' "$v" "${!v}"; done
		printf 'cd %q\n' "$PWD"
		printf '%q ' "$@"
		echo
	} >"$r/command"
	(cd "$r" && find . | cpio --quiet -o -H newc -R 0:0 | gzip -1) >"$VM_DIR/initrd.gz"
}

show_files()
{
	mkdir "$VM_DIR/root"
	mount --rbind / "$VM_DIR/root"
	mount -o remount,bind,ro "$VM_DIR/root"
	"$virtiofsd" --socket-path="$VM_DIR/fs.sock" -o "source=$VM_DIR/root" -o cache=always -o sandbox=chroot \
		>"$VM_DIR/virtiofsd.log" 2>&1 &
	for _ in $(seq 200); do
		[ ! -S "$VM_DIR/fs.sock" ] || return 0
		sleep 0.05
	done
	cat "$VM_DIR/virtiofsd.log" >&2
	die "virtiofsd does not start"
}

port() # port NAME CHARDEV-OPTIONS: a channel that the guest finds by its name
{
	printf '%s\n' -chardev "$2,id=$1" -device "virtserialport,chardev=$1,name=$1"
}

mount --make-rprivate /
make_initrd "$@"
show_files
: >"$VM_DIR/status"
: >"$VM_DIR/result"
mapfile -t ports < <(
	port output "file,path=/dev/fd/3"
	port status "file,path=$VM_DIR/status"
	port result "file,path=$VM_DIR/result"
)
# no_timer_check: on a busy machine the guest's timer comes too late for the kernel's look at it.
console_log=${VM_CONSOLE:-$VM_DIR/console}
timeout --foreground "$TIMEOUT" $qemu -nodefaults -no-user-config -no-reboot -display none -machine $machine,accel=tcg -cpu max \
	-smp 2 -m "$MEMORY" -object "memory-backend-memfd,id=memory,size=${MEMORY}M,share=on" \
	-numa node,memdev=memory -kernel "$(word kernel)" -initrd "$VM_DIR/initrd.gz" \
	-append "console=$console panic=-1 quiet no_timer_check" -serial "file:$console_log" \
	-chardev "socket,id=fs,path=$VM_DIR/fs.sock" -device vhost-user-fs-pci,chardev=fs,tag=machine \
	-device virtio-rng-pci -device virtio-serial-pci "${ports[@]}" </dev/null || true
if [ ! -s "$VM_DIR/status" ]; then
	echo "vm.sh: the guest ended without a word (or its $TIMEOUT s were over); its kernel said:" >&2
	tail -n 40 "$console_log" >&2
	exit 2
fi
exit "$(cat "$VM_DIR/status")"
