"""Bytes to and from one peer: a socket that is read in the reader's own steps, and the TLS on top of it.

Nothing is received but when somebody asks for it: while nobody does, what comes gathers in the kernel, and who asks is
charged for receiving and decrypting. What the bytes mean is not known here.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from batchrun.providers.tls import MOST, TlsLayer

# One for all: what is received is taken up before anybody else can receive.
_BUFFER = memoryview(bytearray(MOST))
CLOSED = "the connection was closed"


class Channel:
    """Over a connected socket that never blocks. All that goes wrong is an OSError, an `ssl.SSLError` among them."""

    __slots__ = ("_has_ended", "_layers", "_loop", "_sock", "_unsent", "_waiter")

    def __init__(self, sock: socket.socket) -> None:
        self._sock: socket.socket | None = sock
        self._loop = asyncio.get_running_loop()
        self._layers: tuple[TlsLayer, ...] = ()  # the outermost first: a tunnel through an encrypted proxy has two
        self._has_ended = False  # told by TLS; the socket may still be open
        self._unsent = b""
        self._waiter: asyncio.Future[None] | None = None

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
        while (data := self.receive_now()) is None:
            await self._until(self._loop.add_reader, self._loop.remove_reader)
        return data

    def receive_now(self) -> bytes | memoryview | None:
        """The same; None if nothing is there yet."""
        if self._sock is None:
            raise ConnectionResetError(CLOSED)
        try:
            count = self._sock.recv_into(_BUFFER)
        except (BlockingIOError, InterruptedError):
            # What an earlier read brought may have held the end.
            return b"" if self._has_ended else None
        if not self._layers or not count:
            return _BUFFER[:count]
        return self._decrypted(_BUFFER[:count])

    def close(self) -> None:
        """Whoever waits for it is told that it broke."""
        if self._sock is None:
            return
        sock, self._sock = self._sock, None
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ConnectionResetError(CLOSED))
            self._loop.remove_reader(sock.fileno())
            self._loop.remove_writer(sock.fileno())
        sock.close()

    def _decrypted(self, data: bytes | memoryview) -> bytes | memoryview | None:
        for layer in self._layers:
            data = layer.decrypt(data)
            self._has_ended = self._has_ended or layer.is_at_end
            if layer.has_outgoing:
                self._answer(layer)
        return data if data or self._has_ended else None

    def _answer(self, layer: TlsLayer) -> None:
        """What TLS has to say of itself: new keys, say. What breaks here breaks again where it is read."""
        said = layer.outgoing()
        for outer in reversed(self._layers[: self._layers.index(layer)]):
            said = outer.encrypt(said)
        self._unsent += said
        with suppress(OSError):
            self._flush()

    async def _send_through(self, data: bytes) -> None:
        for layer in reversed(self._layers):
            data = layer.encrypt(data) if data else data
        self._unsent += data
        while not self._flush():
            await self._until(self._loop.add_writer, self._loop.remove_writer)

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

    async def _until(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        """Wait until the socket can be read, or written."""
        if self._sock is None:
            raise ConnectionResetError(CLOSED)
        waiter = self._waiter = self._loop.create_future()
        add(self._sock.fileno(), _wake, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            if self._sock is not None:
                remove(self._sock.fileno())


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
