"""Load for api.py, a process of its own: `api_load.py URL REQUESTS CLIENTS [GET]`, the key on standard input.

Plain sockets and kept-alive connections, so that the load costs little beside what it measures. Prints a JSON list: the
seconds of each request, then of the whole run.
"""

import json
import socket
import sys
import threading
import time
import uuid
from urllib.parse import SplitResult, urlsplit


def read_response(connection: socket.socket) -> int:
    """Read one response whole; returns its status."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split(b" ", 2)[1])


def post(host: str, path: str, key: str, number: int) -> bytes:
    """A link to create."""
    body = json.dumps({"amount_minor": 1999, "currency": "EUR", "reference": f"INV-{number}"})
    return (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        f"Idempotency-Key: {uuid.uuid4()}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def get(host: str, path: str, key: str) -> bytes:
    """Something to read."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()


def client(target: SplitResult, method: str, key: str, count: int, times: list[float]) -> None:
    host, port = target.hostname or "", target.port or 80
    path = f"{target.path}?{target.query}" if target.query else target.path
    expected = 201 if method == "POST" else 200
    with socket.create_connection((host, port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count):
            message = post(host, path, key, number) if method == "POST" else get(host, path, key)
            started = time.perf_counter()
            connection.sendall(message)
            status = read_response(connection)
            times.append(time.perf_counter() - started)
            if status != expected:
                raise SystemExit(f"expected {expected}, got {status}")


def main() -> None:
    url, requests, clients = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    method = sys.argv[4] if len(sys.argv) > 4 else "POST"
    target = urlsplit(url)
    key = sys.stdin.read().strip()
    per_client: list[list[float]] = [[] for _ in range(clients)]
    shares = [requests // clients + (number < requests % clients) for number in range(clients)]
    threads = [
        threading.Thread(target=client, args=(target, method, key, share, times))
        for share, times in zip(shares, per_client, strict=True)
    ]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wall = time.perf_counter() - started
    times = [seconds for times in per_client for seconds in times]
    if len(times) != requests:
        raise SystemExit(f"only {len(times)} of {requests} requests were answered")
    json.dump([*times, wall], sys.stdout)


if __name__ == "__main__":
    main()
