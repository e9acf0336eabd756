# SPDX-License-Identifier: GPL-2.0-or-later
"""server.py [ADDRESS] - the Internet's only server, or a guest's: TCP 80 speaks HTTP, UDP 7777 (of
ADDRESS) answers; both say who asked. With an IPv6 address it is a server of IPv6.

Answers are JSON: {"address": A, "port": P, "seq": what a UDP client sent}. Prints "ready" first.

Nearly every test starts one: it imports only what starts in no time, and HTTP is as much as it takes.
"""
import json
import select
import socket
import sys


def answer(conn, peer):
    """One request, whatever it asks for, and the connection is over."""
    body = json.dumps({"address": peer[0], "port": peer[1]}).encode()
    head = f"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    conn.sendall(head.encode() + body)


def echo(udp):
    data, peer = udp.recvfrom(2048)
    told = {"address": peer[0], "port": peer[1], "seq": data.decode("latin-1")}
    try:
        udp.sendto(json.dumps(told).encode(), peer)
    except OSError:
        pass  # whoever it is has no address that can be answered


class Connection:
    """Somebody who has connected, and may stay without a word for as long as he likes."""

    def __init__(self, conn, peer):
        self.conn, self.peer, self.asked = conn, peer, b""

    def read(self):
        """Whether there may be more to come."""
        try:
            data = self.conn.recv(4096)
            self.asked += data
            if b"\r\n\r\n" not in self.asked:
                return bool(data)
            answer(self.conn, self.peer)
        except OSError:
            pass
        return False


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "198.51.100.7"
    family, any_address = (socket.AF_INET6, "::") if ":" in address else (socket.AF_INET, "0.0.0.0")
    web = socket.create_server((any_address, 80), family=family, backlog=128)
    udp = socket.socket(family, socket.SOCK_DGRAM)
    # Not to any: the answer has to come from the address that was asked.
    udp.bind((address, 7777))
    poll, connections = select.epoll(), {}
    poll.register(web, select.EPOLLIN)
    poll.register(udp, select.EPOLLIN)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == udp.fileno():
                echo(udp)
            elif fd == web.fileno():
                conn, peer = web.accept()
                connections[conn.fileno()] = Connection(conn, peer)
                poll.register(conn, select.EPOLLIN)
            elif not connections[fd].read():
                poll.unregister(fd)
                connections.pop(fd).conn.close()


main()
