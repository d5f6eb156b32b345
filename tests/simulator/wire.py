"""A client below the SDK: raw requests over one socket, so that a test can see bytes, resets and keep-alive."""

from __future__ import annotations

import http.client
import json
import socket
from types import TracebackType
from typing import Any

HEADERS = {"x-api-key": "test-key", "anthropic-version": "2026-10-21", "content-type": "application/json"}

# Long enough for a busy machine; only a test that fails waits for it.
PATIENCE_SECONDS = 10.0


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.socket.close()

    def send(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        """A request; its answer is `response` or `answer`."""
        fields = {"host": "simulator", "content-length": str(len(body)), **(HEADERS if headers is None else headers)}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)

    def ask(self, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        """A message request."""
        self.send("POST", "/v1/messages", json.dumps(body).encode(), headers)

    def response(self) -> http.client.HTTPResponse:
        """The next response, its head read."""
        response = http.client.HTTPResponse(self.socket)
        response.begin()
        return response

    def answer(self) -> tuple[int, dict[str, Any]]:
        """The next response, its body being JSON."""
        response = self.response()
        return response.status, json.loads(response.read())


def stats_of(port: int) -> dict[str, Any]:
    """What the simulator counts about itself."""
    with Wire(port) as wire:
        wire.send("GET", "/_simulator/stats", headers={})
        return wire.answer()[1]


def body_of(prompt: str, **fields: Any) -> dict[str, Any]:
    """A body for /v1/messages."""
    return {
        "model": "claude-haiku-5-5",
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": prompt}],
        **fields,
    }
