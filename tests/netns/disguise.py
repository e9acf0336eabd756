# SPDX-License-Identifier: GPL-2.0-or-later
"""disguise.py TUN TAP FD COMM WORD... - a process that has tap TAP open as descriptor FD, by the device TUN, and whose name and
command line are COMM and WORDs: what /proc shows of a machine monitor that is not at hand. Prints "ready", and waits.

The words are written over its own, which take more room: what is left of that is empty words at the end.
"""
import ctypes
import fcntl
import os
import signal
import struct
import sys

from vmm import IFF_NO_PI, IFF_TAP, IFF_VNET_HDR, TUNSETIFF

PR_SET_NAME = 15
ARG_START, ARG_END = 47, 48  # of /proc/PID/stat, counted from 0


def main():
    device, tap, number, comm = sys.argv[1:5]
    fd = os.open(device, os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", tap.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
    os.dup2(fd, int(number))
    os.close(fd)
    with open("/proc/self/stat", encoding="ascii") as f:
        # (The second is the name, in which there may be anything.)
        stat = ["pid", "name"] + f.read().rpartition(")")[2].split()
    begin, end = int(stat[ARG_START]), int(stat[ARG_END])
    words = b"\0".join(w.encode() for w in sys.argv[5:]) + b"\0"
    assert len(words) <= end - begin
    ctypes.memmove(begin, words.ljust(end - begin, b"\0"), end - begin)
    assert ctypes.CDLL(None).prctl(PR_SET_NAME, ctypes.c_char_p(comm.encode()), 0, 0, 0) == 0
    print("ready", flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
