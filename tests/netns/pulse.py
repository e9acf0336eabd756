# SPDX-License-Identifier: GPL-2.0-or-later
"""pulse.py NETNS ADDRESS - UDP to ADDRESS, which is in the namespace NETNS (a path), and back, every 2 ms.

Prints "running" after the first answer; when its stdin is closed, the longest time in seconds that went
by without an answer. It is served before all who are not in a hurry (SCHED_RR), so that what it measures
is the way and not how busy the machine is.
"""
import ctypes
import os
import select
import socket
import sys
import time

EVERY_S = 0.002
CLONE_NEWNET = 0x40000000


def sockets(netns, address):
    """Ours, and the one that answers."""
    near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with open(netns, "rb") as there:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(there.fileno(), CLONE_NEWNET) < 0:
            sys.exit(f"{netns}: {os.strerror(ctypes.get_errno())}")
    far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    far.bind((address, 0))
    return near, far


def send(sock, data, to):
    try:
        sock.sendto(data, to)
    except OSError:
        pass  # there is no way just now: that is what is measured


def main():
    near, far = sockets(sys.argv[1], sys.argv[2])
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    poll = select.epoll()
    for fd in (near, far, sys.stdin):
        poll.register(fd, select.EPOLLIN)
    due = last = time.monotonic()
    longest, running, ending = 0.0, False, None
    while ending is None or last < ending:
        if time.monotonic() >= due:
            send(near, b"x", far.getsockname())
            due = time.monotonic() + EVERY_S
        for fd, _ in poll.poll(max(0.0, due - time.monotonic())):
            if fd == far.fileno():
                send(far, *far.recvfrom(64))
            elif fd == near.fileno():
                near.recv(64)
                now = time.monotonic()
                longest, last = max(longest, now - last) if running else 0.0, now
                if not running:
                    running = True
                    print("running", flush=True)
            else:
                poll.unregister(fd)
                ending = time.monotonic()  # and one answer more: until then it is without
    print(longest, flush=True)


main()
