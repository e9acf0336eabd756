# SPDX-License-Identifier: GPL-2.0-or-later
"""ports.py tcp|udp PORT... - a server on each of these ports. Whatever comes is answered with JSON,
{"address": A, "port": P, "at": the server's own port}; a TCP connection goes on as long as its
client wants. Prints "ready" first."""
import json
import selectors
import socket
import sys


def main():
    kind = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[sys.argv[1]]
    watch = selectors.DefaultSelector()
    for port in sys.argv[2:]:
        s = socket.socket(socket.AF_INET, kind)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("0.0.0.0", int(port)))
        if kind == socket.SOCK_STREAM:
            s.listen(64)
        watch.register(s, selectors.EVENT_READ, True)
    print("ready", flush=True)
    while True:
        for key, _ in watch.select():
            s = key.fileobj
            if kind == socket.SOCK_DGRAM:
                _, peer = s.recvfrom(2048)
                s.sendto(answer(s, peer), peer)
            elif key.data:
                watch.register(s.accept()[0], selectors.EVENT_READ, False)
            else:
                talk(watch, s)


def talk(watch, s):
    try:
        if s.recv(2048):
            s.sendall(answer(s, s.getpeername()) + b"\n")
            return
    except OSError:
        pass
    watch.unregister(s)
    s.close()


def answer(s, peer):
    return json.dumps({"address": peer[0], "port": peer[1], "at": s.getsockname()[1]}).encode()


main()
