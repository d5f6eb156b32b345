"""One connection to a provider or its proxy, as HTTP/1.1 sees it: a request goes out, a response comes back, paced."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx2

from batchrun.providers.channel import Channel
from batchrun.providers.pacer import GRID, Pacer
from batchrun.providers.provider import Pace
from batchrun.providers.response_parser import ResponseParser

# How a body in chunks ends, with or without trailers; and how a chunk ends in which lines end so, too.
_END, _NO_END = b"\r\n\r\n", b"\r\n\r\n\r\n"
_SHORTEST_END = 5  # bytes, its last chunk among them
# What looks may hold together before the reader is woken; more would only lie in memory.
MAX_HELD = 32 * 1024


class Connection:
    """Serves one request at a time. `idle_since` is by the loop's clock, while it serves none; `longest` is how many
    seconds a paced reader may go without what has come."""

    def __init__(self, channel: Channel, pacer: Pacer) -> None:
        self.channel = channel
        self.pacer = pacer
        self.parser = ResponseParser()
        self.has_heard = False  # whether a byte has come since the last request
        self.idle_since = 0.0
        self._loop = asyncio.get_running_loop()
        self.longest = 0.0
        self._held = bytearray()  # what looks have taken; the last one `_taken` bytes of it
        self._taken = 0
        self._wanted_at = 0.0
        self._failure: OSError | None = None  # what a look met with
        self._is_at_end = False

    def __repr__(self) -> str:
        return f"<Connection {self.channel!r} {self.parser!r} {self.pacer!r}>"

    @property
    def has_failed(self) -> bool:
        """Whether a look has met with a failure; what came before it may have been whole."""
        return self._failure is not None

    async def ask(self, head: bytes, request: httpx2.Request) -> None:
        """Send a request and read the head of its response.

        Raises:
            httpx2.TransportError: there is none.
        """
        self.has_heard = False
        self.parser.begin(is_head_only=request.method == "HEAD")
        # A server may answer, and close, before it has read it all: then the answer tells more than our broken pipe.
        with suppress(OSError):
            await self._send(head, request)
        while not self.parser.has_head:
            await self.read_on()

    async def tunnel(self, head: bytes) -> None:
        """Have a proxy connect us through.

        Raises:
            httpx2.ProxyError: it does not. httpx2.TransportError: it does not answer.
        """
        await self.ask(head, httpx2.Request("CONNECT", "http://proxy"))
        status, reason = self.parser.status, self.parser.reason.decode("ascii", "replace")
        if not 200 <= status < 300:
            raise httpx2.ProxyError(f"{status} {reason}".strip())
        self.parser = ResponseParser()

    async def read_on(self) -> None:
        """Wait until something is there, and at a pace until it is worth the reader's while; the parser is fed with it.

        Raises:
            httpx2.ReadError: the connection broke. httpx2.RemoteProtocolError: it ended early, or spoke no HTTP.
        """
        if self._failure is not None:
            raise httpx2.ReadError(_told(self._failure)) from self._failure
        if self._is_at_end:
            self.parser.end()
        elif self.pacer.tick <= 0:
            try:
                data = await self.channel.receive()
            except OSError as exc:
                raise httpx2.ReadError(_told(exc)) from exc
            self._feed(data)
        else:
            await self._gather()

    async def _gather(self) -> None:
        self._taken = 0
        # The end of a body that has a length is known to the parser alone: it is to have all that a look takes.
        # A look before the time that is still to come, for the next one would be beyond it.
        longest = 0.0 if self.parser.has_length else self.longest - self.pacer.period * GRID
        self._wanted_at = self._loop.time() + longest
        await self.pacer.gather(self._look)
        self.pacer.took(self._taken)
        if self._held:
            # Also where a look met with a failure: what earlier ones took may be the end of the answer.
            held, self._held = self._held, bytearray()
            self._feed(held)

    def _look(self, now: float) -> bool:
        """Take what has come; True when the reader is wanted: at the end, when there is much, or when it is time.

        Nothing is parsed here: all together costs less, and where a body in chunks ends can be seen."""
        try:
            data = self.channel.receive_now()
        except OSError as exc:
            self._failure = exc
            return True
        if data is None:
            return len(self._held) > 0 and now >= self._wanted_at
        if not data:
            self._is_at_end = True
            return True
        held = self._held
        held += data
        self._taken = len(data)
        if len(held) < _SHORTEST_END or (held.endswith(_END) and not held.endswith(_NO_END)):
            return True  # the beginning of what is too short for an end may have been read before
        return now >= self._wanted_at or len(held) >= MAX_HELD

    def _feed(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self.has_heard = True
            self.parser.feed(data)
        else:
            self.parser.end()

    def is_stale(self) -> bool:
        """Whether an idle connection has something to say: in HTTP/1.1 that can only be its end."""
        try:
            return self.channel.receive_now() is not None
        except OSError:
            return True

    async def _send(self, head: bytes, request: httpx2.Request) -> None:
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        is_chunked = "chunked" in request.headers.get("transfer-encoding", "")
        async for part in request.stream:
            sent = b"%x\r\n%b\r\n" % (len(part), part) if is_chunked and part else part
            # The head goes out with the first part: a segment of its own would cost the peer a wake-up.
            await self.channel.send(head + sent)
            head = b""
        await self.channel.send(head + (b"0\r\n\r\n" if is_chunked else b""))


class Body(httpx2.AsyncByteStream):
    """The body of a response, still on the wire. `released` is told when nobody reads it any more."""

    def __init__(self, connection: Connection, released: Any) -> None:
        self._connection: Connection | None = connection
        self._released = released

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := await self.read():
            yield piece

    async def read(self) -> bytes:
        """The next of it, which is all that has gathered; nothing at its end."""
        connection = self._connection
        if connection is None:
            return b""
        parser = connection.parser
        while True:
            if piece := parser.take():
                return piece
            if parser.is_complete:
                return b""
            await connection.read_on()

    def pace(self, pace: Pace) -> None:
        if self._connection is not None:
            self._connection.pacer.pace(pace.tick)
            self._connection.longest = pace.longest

    async def aclose(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._released(connection)


def _told(exc: OSError) -> str:
    return str(exc) or type(exc).__name__
