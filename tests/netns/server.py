# SPDX-License-Identifier: GPL-2.0-or-later
"""server.py [ADDRESS] - the Internet's only server, or a guest's: TCP 80 speaks HTTP, UDP 7777 (of
ADDRESS) answers; both say who asked. With an IPv6 address it is a server of IPv6.

Answers are JSON: {"address": A, "port": P, "seq": what a UDP client sent}. Prints "ready" first.
"""
import http.server
import json
import socket
import sys
import threading


class Who(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # pylint: disable=invalid-name
        body = json.dumps({"address": self.client_address[0], "port": self.client_address[1]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):  # pylint: disable=arguments-differ
        pass


def echo(sock):
    while True:
        data, peer = sock.recvfrom(2048)
        answer = {"address": peer[0], "port": peer[1], "seq": data.decode("latin-1")}
        sock.sendto(json.dumps(answer).encode(), peer)


class Web6(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()


def main():
    address = sys.argv[1] if len(sys.argv) > 1 else "198.51.100.7"
    six = ":" in address
    web = Web6(("::", 80), Who) if six else http.server.ThreadingHTTPServer(("0.0.0.0", 80), Who)
    udp = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    # Not to any: the answer has to come from the address that was asked.
    udp.bind((address, 7777))
    threading.Thread(target=echo, args=(udp,), daemon=True).start()
    print("ready", flush=True)
    web.serve_forever()


main()
