# SPDX-License-Identifier: GPL-2.0-or-later
"""talker.py PROTO:PORT... - answers on all these ports, of both families: TCP says "hello" to who
connects and gives back what it is sent, UDP gives back what it is sent. Prints "ready" first."""
import select
import socket
import sys


def serve(listeners):
    conns = []
    while True:
        for s in select.select(listeners + conns, [], [])[0]:
            if s in conns:
                try:
                    data = s.recv(4096)
                    if data:
                        s.sendall(data)
                        continue
                except OSError:
                    pass
                conns.remove(s)
                s.close()
            elif s.type == socket.SOCK_DGRAM:
                data, about, _, peer = s.recvmsg(4096, 256)
                try:
                    # From the address that was asked, whichever is nearest.
                    s.sendmsg([data], about, 0, peer)
                except OSError:
                    pass
            else:
                conn = s.accept()[0]
                conn.sendall(b"hello")
                conns.append(conn)


def main():
    listeners = []
    for word in sys.argv[1:]:
        proto, port = word.split(":")
        s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        s.bind(("::", int(port)))
        if proto == "tcp":
            s.listen(512)
        listeners.append(s)
    print("ready", flush=True)
    serve(listeners)


if __name__ == "__main__":
    main()
