"""A transport that passes requests on and remembers what they were answered with."""

import httpx


class Recorder(httpx.BaseTransport):
    """`seen` has each request's line, the answer's status, and the start of its body."""

    def __init__(self) -> None:
        self.inner = httpx.HTTPTransport()
        self.seen: list[tuple[str, int, str]] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self.inner.handle_request(request)
        response.read()
        self.seen.append((f"{request.method} {request.url.path}", response.status_code, response.text[:800]))
        return response
