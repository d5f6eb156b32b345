"""The least that a stream can cost in this language: a protocol, llhttp, a JSON parser, nothing that a night needs.

No clocks, no retry, no record of who used what; the reads are paced as batchrun's are. What is measured against it is
what all of that costs.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import httptools
import orjson

from batchrun.stream.tick import MAX_TICK

_FAR = 3600.0


class FloorStream(asyncio.Protocol):
    """Asks once and reads to the end; `ended` is set then."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._is_paced = False
        self._partial = b""
        self.pieces: list[str] = []
        self.first_at = 0.0
        self.last_at = 0.0
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self._is_paced and not self.ended.done():
            assert self._transport is not None
            self._transport.pause_reading()
            self._loop.call_later(MAX_TICK, self._transport.resume_reading)

    def on_body(self, body: bytes) -> None:
        *events, self._partial = (self._partial + body).split(b"\n\n")
        for event in events:
            fields = orjson.loads(event[event.index(b"data: ") + 6 :])
            match fields["type"]:
                case "content_block_delta":
                    if not self.pieces:
                        self.first_at = self._loop.time()
                        self._is_paced = True
                    self.pieces.append(fields["delta"]["text"])
                case "message_delta":
                    self._is_paced = False

    def on_message_complete(self) -> None:
        self.last_at = self._loop.time()
        self.ended.set_result(None)
        assert self._transport is not None
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_exception(exc or ConnectionResetError("the stream ended early"))


async def ask(base_url: str, body: Mapping[str, Any], context: ssl.SSLContext | None) -> FloorStream:
    """One stream from its request to its end."""
    parts = urlsplit(base_url)
    content = orjson.dumps(dict(body) | {"stream": True})
    head = f"POST /v1/messages HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: {len(content)}\r\n\r\n"
    _, stream = await asyncio.get_running_loop().create_connection(
        lambda: FloorStream(head.encode() + content), parts.hostname or "", parts.port or 0, ssl=context
    )
    await stream.ended
    return stream
