# SPDX-License-Identifier: GPL-2.0-or-later
"""stream.py ADDRESS INTERVAL_MS - one UDP flow to the server, a packet each interval.

Prints "running" after the first answer; when its stdin is closed it waits for the answers that
are still out and prints {"sent", "received", "ports": [source ports the server saw]}.
"""
import json
import select
import socket
import sys
import time


def main():
    address, interval = sys.argv[1], float(sys.argv[2]) / 1000
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((address, 7777))
    sent, got, ports, stop_at = 0, set(), set(), None
    due = time.monotonic()
    while stop_at is None or (len(got) < sent and time.monotonic() < stop_at):
        if stop_at is None and time.monotonic() >= due:
            try:
                sock.send(str(sent).encode())
            except OSError:
                pass  # counted as sent: it is lost
            sent += 1
            due += interval
        wait = max(0, min(due - time.monotonic(), 0.2)) if stop_at is None else 0.2
        watched = [sock] if stop_at else [sock, sys.stdin]
        for ready in select.select(watched, [], [], wait)[0]:
            if ready is sys.stdin:
                stop_at = time.monotonic() + 2
                continue
            try:
                answer = json.loads(sock.recv(2048))
            except OSError:
                continue
            got.add(answer["seq"])
            ports.add((answer["address"], answer["port"]))
            if len(got) == 1:
                print("running", flush=True)
    print(json.dumps({"sent": sent, "received": len(got), "ports": sorted(ports)}), flush=True)


main()
