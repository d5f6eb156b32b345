"""Bytes to and from one peer: a socket that is read in the reader's own steps, and the TLS on top of it.

Nothing of it runs in a callback of the loop, where nobody knows whom to charge: receiving and decrypting are steps of
the item that reads. While nobody reads, what comes gathers in the kernel. What the bytes mean is not known here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress

from batchrun.providers.tls import TlsLayer

# One for all: what is received is taken up before anybody else can receive.
_BUFFER = memoryview(bytearray(256 * 1024))
CLOSED = "the connection was closed"


class Channel:
    """Over a connected socket that never blocks. All that goes wrong is an OSError, an `ssl.SSLError` among them."""

    __slots__ = ("_is_watched", "_layers", "_loop", "_sock", "_unsent", "_waiter", "has_waited")

    def __init__(self, sock: socket.socket) -> None:
        self._sock: socket.socket | None = sock
        self._loop = asyncio.get_running_loop()
        self._layers: tuple[TlsLayer, ...] = ()  # the outermost first: a tunnel through an encrypted proxy has two
        self._unsent = b""
        self._waiter: asyncio.Future[None] | None = None
        self._is_watched = False  # whether the loop tells us of bytes
        self.has_waited = False  # whether nothing was there when the last read began

    def __repr__(self) -> str:
        state = "closed" if self._sock is None else f"socket {self._sock.fileno()}"
        return f"<Channel {state}, {len(self._layers)} layers of TLS>"

    @property
    def is_open(self) -> bool:
        return self._sock is not None

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        return self._layers[-1].ssl_object if self._layers else None

    @property
    def socket(self) -> socket.socket | None:
        return self._sock

    async def start_tls(self, context: ssl.SSLContext, hostname: str) -> None:
        """Encrypt from now on."""
        layer = TlsLayer(context, hostname)
        try:
            while not layer.handshake():
                await self._send_through(layer.outgoing())
                received = await self.receive()
                if not received:
                    raise ConnectionResetError(CLOSED)
                layer.take(received)
        except ssl.SSLError:
            with suppress(OSError):
                await self._send_through(layer.outgoing())  # the alert that says why
            raise
        await self._send_through(layer.outgoing())
        self._layers = (*self._layers, layer)

    async def send(self, data: bytes) -> None:
        await self._send_through(data)

    async def receive(self) -> bytes | memoryview:
        """What has come, at least one byte; nothing at the end. Valid until the next await."""
        # While the loop watches, a look of our own would be the second one.
        self.has_waited = self._is_watched
        data = None if self._is_watched else self.receive_now()
        while data is None:
            self.has_waited = True
            await self._until_readable()
            data = self.receive_now()
        return data

    def receive_now(self) -> bytes | memoryview | None:
        """The same; None if nothing is there yet."""
        if self._sock is None:
            raise ConnectionResetError(CLOSED)
        try:
            count = self._sock.recv_into(_BUFFER)
        except (BlockingIOError, InterruptedError):
            # What an earlier read brought may have held the end.
            return b"" if self._has_ended() else None
        if not self._layers or not count:
            return _BUFFER[:count]
        return self._decrypted(_BUFFER[:count])

    def look_away(self) -> None:
        """Let what comes gather in the kernel."""
        if self._is_watched and self._sock is not None:
            self._is_watched = False
            self._loop.remove_reader(self._sock.fileno())

    def close(self) -> None:
        """Whoever waits for it is told that it broke."""
        if self._sock is None:
            return
        sock, self._sock = self._sock, None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError(CLOSED))
        if self._is_watched:
            self._loop.remove_reader(sock.fileno())
        if self._unsent:
            self._loop.remove_writer(sock.fileno())
        sock.close()

    def _decrypted(self, data: bytes | memoryview) -> bytes | memoryview | None:
        for layer in self._layers:
            data = layer.decrypt(data)
            # New keys, say. What breaks here breaks again where it is read.
            self._unsent += layer.outgoing()
        with suppress(OSError):
            self._flush()
        return data if data or self._has_ended() else None

    def _has_ended(self) -> bool:
        return any(layer.is_at_end for layer in self._layers)

    async def _send_through(self, data: bytes) -> None:
        for layer in reversed(self._layers):
            data = layer.encrypt(data) if data else data
        self._unsent += data
        while not self._flush():
            await self._until_writable()

    def _flush(self) -> bool:
        """Send as much as the socket takes now; True when that was all."""
        if self._sock is None:
            raise ConnectionResetError(CLOSED)
        while self._unsent:
            try:
                sent = self._sock.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return False
            self._unsent = self._unsent[sent:]
        return True

    async def _until_readable(self) -> None:
        """Wait for bytes. The loop goes on watching: while a peer is slower than we read, that is one call less."""
        if self._sock is None:
            raise ConnectionResetError(CLOSED)
        if not self._is_watched:
            self._is_watched = True
            self._loop.add_reader(self._sock.fileno(), self._readable)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _readable(self) -> None:
        if self._waiter is None:
            self.look_away()
        else:
            _wake(self._waiter)

    async def _until_writable(self) -> None:
        if self._sock is None:
            raise ConnectionResetError(CLOSED)
        waiter = self._waiter = self._loop.create_future()
        self._loop.add_writer(self._sock.fileno(), _wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if self._sock is not None:
                self._loop.remove_writer(self._sock.fileno())


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
