# SPDX-License-Identifier: GPL-2.0-or-later
"""bpfprog.py - BPF programs of somebody else at an interface's way out: with one verdict for all frames.

By bpf(2) itself, since the tools here know no TCX.
"""
import ctypes
import errno
import os
import platform
import socket
import struct

BPF = {"x86_64": 321, "aarch64": 280}.get(platform.machine(), 280)
LOAD, PIN, GET, ATTACH, DETACH, QUERY, LINK = 5, 6, 7, 8, 9, 16, 28  # BPF_PROG_LOAD, BPF_OBJ_PIN...
SCHED_CLS, TCX_INGRESS, TCX_EGRESS = 3, 46, 47
REPLACE = 4  # BPF_F_REPLACE
NETFILTER, AT_NETFILTER = 32, 45  # BPF_PROG_TYPE_NETFILTER, BPF_NETFILTER
NEXT, PASS, DROP = -1, 0, 2  # TCX_*
libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attr):
    buf = ctypes.create_string_buffer(attr, 128)
    fd = libc.syscall(BPF, command, buf, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def load(verdict, name="theirs"):
    """A descriptor of a program that says @verdict to all it sees."""
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, verdict) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    words = ctypes.create_string_buffer(b"GPL")
    attr = struct.pack("=IIQQIIQII16s", SCHED_CLS, 2, ctypes.addressof(code), ctypes.addressof(words), 0, 0, 0, 0, 0,
                       name.encode())
    return bpf(LOAD, attr)


def get(path):
    """A descriptor of the program pinned at @path."""
    words = ctypes.create_string_buffer(path.encode())
    return bpf(GET, struct.pack("=QII", ctypes.addressof(words), 0, 0))


def take_off(ns, dev, fd):
    """Program @fd, which is not there by a link, off what comes in by @dev."""
    with ns.enter():
        bpf(DETACH, struct.pack("=IIIIIIQ", socket.if_nametoindex(dev), fd, TCX_INGRESS, 0, 0, 0, 0))


def put_on(ns, dev, fd, old=0):
    """Program @fd, to what comes in by @dev, in the place of @old if that is a descriptor."""
    with ns.enter():
        bpf(ATTACH, struct.pack("=IIIIIIQ", socket.if_nametoindex(dev), fd, TCX_INGRESS, REPLACE if old else 0, old, 0, 0))


def pin(verdict, path):
    """The same, for tc: `bpf da object-pinned PATH`; PATH is below a mounted bpffs."""
    words = ctypes.create_string_buffer(path.encode())
    fd = load(verdict)
    bpf(PIN, struct.pack("=QII", ctypes.addressof(words), fd, 0))
    os.close(fd)


def attach(ns, dev, verdict, name="theirs"):
    """By TCX, at the way out of @dev; it is there until the descriptor is closed."""
    fd = load(verdict, name)
    with ns.enter():
        link = bpf(LINK, struct.pack("=IIII", fd, socket.if_nametoindex(dev), TCX_EGRESS, 0))
    os.close(fd)
    return link


def attach_netfilter(ns, hook, verdict=1, family=2, name="theirs"):
    """At a hook of netfilter (NF_INET_*), which says @verdict (NF_*) to all; there until the descriptor is closed."""
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, verdict) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    words = ctypes.create_string_buffer(b"GPL")
    attr = struct.pack("=IIQQIIQII16sII", NETFILTER, 2, ctypes.addressof(code), ctypes.addressof(words), 0, 0, 0, 0, 0,
                       name.encode(), 0, AT_NETFILTER)
    fd = bpf(LOAD, attr)
    with ns.enter():
        link = bpf(LINK, struct.pack("=IIIIIIiI", fd, 0, AT_NETFILTER, 0, family, hook, 10, 0))
    os.close(fd)
    return link


def has_tcx():
    """Whether the kernel knows TCX at all."""
    buf = ctypes.create_string_buffer(struct.pack("=IIIIQI", socket.if_nametoindex("lo"), TCX_EGRESS, 0, 0, 0, 0), 128)
    return libc.syscall(BPF, QUERY, buf, 128) == 0 or ctypes.get_errno() == errno.ENOENT


def attached(ns, dev, way=TCX_EGRESS):
    """How many programs TCX has there."""
    ids = ctypes.create_string_buffer(4 * 64)
    with ns.enter():
        buf = ctypes.create_string_buffer(struct.pack("=IIIIQI", socket.if_nametoindex(dev), way, 0, 0,
                                                      ctypes.addressof(ids), 64), 128)
        if libc.syscall(BPF, QUERY, buf, 128) < 0:
            return 0
    return struct.unpack_from("=I", buf, 24)[0]
