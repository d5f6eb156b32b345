"""HTTP/1.1 responses out of bytes, by llhttp: the head, the pieces of the body, and where it ends.

Reads nothing and knows no socket. A chunk costs half a microsecond here, where h11 takes dozens.
"""

from __future__ import annotations

import httptools
import httpx2

# Far above real heads, and above what other clients take; a peer that never ends one must not fill the memory.
MAX_HEAD_BYTES = 256 * 1024
_FINAL = 200  # a status below it is a remark before the response
_BODILESS = frozenset({204, 304})


class _Surplus(Exception):
    """A second response began though one was asked for."""


class ResponseParser:
    """Parses one connection: `begin` a response, feed it what is read, and take its body as it comes."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append  # called by the parser, once a chunk: no frame of ours is to stand between
        self._parser = httptools.HttpResponseParser(self)
        self.begin()

    def __repr__(self) -> str:
        return f"<ResponseParser {self.status or 'no head'}{' complete' if self.is_complete else ''}>"

    def begin(self, *, is_head_only: bool = False) -> None:
        """A request has gone out; `is_head_only`: its response has no body, whatever its head says."""
        self._pieces.clear()
        self._head_bytes = 0
        self._is_head_only = is_head_only
        self._tells_its_end = False
        self.has_length = False  # whether the head says how many bytes the body has
        self.status = 0
        self.reason = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.has_head = False
        self.is_complete = False
        self.is_reusable = False  # whether the connection may serve another request

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the connection.

        Raises:
            httpx2.RemoteProtocolError: they are no HTTP.
        """
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as exc:
            if not self.is_complete:
                raise httpx2.RemoteProtocolError(
                    f"the answer is no HTTP/1.1 ({str(exc) or type(exc).__name__})"
                ) from exc
            self.is_reusable = False
        if not self.has_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                raise httpx2.RemoteProtocolError(f"the head of the answer has more than {MAX_HEAD_BYTES >> 10} KB")

    def end(self) -> None:
        """The connection has ended: only of a body without a length or chunks is that the end.

        Raises:
            httpx2.RemoteProtocolError: something is missing.
        """
        self.is_reusable = False
        if self.is_complete:
            return
        if not self.has_head:
            raise httpx2.RemoteProtocolError("the server closed the connection without an answer")
        if self._tells_its_end:
            raise httpx2.RemoteProtocolError("the server closed the connection before the end of the body")
        self.is_complete = True

    def take(self) -> bytes:
        """What has come of the body since the last time."""
        pieces = self._pieces
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return body

    # -- what the parser calls ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self.is_complete:
            raise _Surplus
        self.reason = b""

    def on_status(self, reason: bytes) -> None:
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:  # else it is a trailer
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < _FINAL:
            self.headers.clear()
            return
        self.status = status
        self.has_head = True
        names = {name.lower() for name, _ in self.headers}
        self.has_length = b"content-length" in names
        self._tells_its_end = status in _BODILESS or self.has_length or b"transfer-encoding" in names
        self.is_complete = self._is_head_only

    def on_message_complete(self) -> None:
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self.is_reusable = self._parser.should_keep_alive()
