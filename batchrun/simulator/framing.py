"""Responses as bytes of HTTP/1.1: heads, chunks, whole bodies. Pure; what is inside a body is not known here."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

LAST_CHUNK = b"0\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_REASON = {status.value: status.phrase for status in HTTPStatus}
_REASON[529] = "Overloaded"
_STREAM = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "transfer-encoding": "chunked",
}


def head(status: int, request_id: str, headers: dict[str, str]) -> bytes:
    """The status line and the headers."""
    # Each API has its own name for the id; a client that does not know one passes it over.
    ids = [f"request-id: {request_id}", f"x-request-id: {request_id}"]
    lines = [f"HTTP/1.1 {status} {_REASON.get(status, 'Unknown')}", *ids]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def stream_head(request_id: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The head of an event stream in chunks."""
    return head(200, request_id, _STREAM | dict(headers or {}))


def json_head(status: int, request_id: str, length: int, headers: Mapping[str, str] | None = None) -> bytes:
    """The head of a JSON body of `length` bytes."""
    own = {"content-type": "application/json", "content-length": str(length)}
    return head(status, request_id, own | dict(headers or {}))


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)
