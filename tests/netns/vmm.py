# SPDX-License-Identifier: GPL-2.0-or-later
"""vmm.py TAP NETNS MAC [QUEUES] - a machine monitor whose guest is a namespace: opens the tap by
name as QEMU does with ifname=, and joins it to a tap `eth0` inside NETNS. Prints "ready".

The virtio-net header in front of each frame is handed through, so checksums and segments that one
side left to the other stay as they are.
"""
import ctypes
import errno
import fcntl
import os
import select
import struct
import subprocess
import sys

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x2, 0x1000, 0x4000, 0x100


def open_tap(name, flags=0):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags))
    return fd


def main():
    tap, netns, mac = sys.argv[1:4]
    queues = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    outer = [open_tap(tap, IFF_MULTI_QUEUE if queues > 1 else 0) for _ in range(queues)]
    with open(f"/run/netns/{netns}", "rb") as ns:
        assert ctypes.CDLL(None).setns(ns.fileno(), 0x40000000) == 0
    inner = open_tap("eth0")
    subprocess.run(["ip", "link", "set", "eth0", "address", mac, "up"], check=True)
    print("ready", flush=True)
    ways = {inner: outer[0], **{fd: inner for fd in outer}}
    while True:
        for fd in select.select(list(ways), [], [])[0]:
            try:
                os.write(ways[fd], os.read(fd, 70000))
            except OSError as e:
                if e.errno == errno.EBADFD:
                    return  # the tap was deleted under our feet
                # else a full queue or a link that is down loses the frame, as a cable would


if __name__ == "__main__":
    main()
