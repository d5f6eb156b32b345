"""A real HTTP/1.1 server on loopback that does to the bytes whatever a test says, and remembers what it saw.

It knows nothing of Messages; what a fake provider's story looks like on the wire is spelled here, once.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson

from batchrun.providers.provider import Request
from tests.providers.fakes import JSON, STREAM, End, FakeProvider, ProviderThatTurnsAway, Wait

LAST_CHUNK = b"0\r\n\r\n"
_LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came over the wire; header names in lower case. `connection` counts from 0."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> dict[str, object]:
        parsed: dict[str, object] = orjson.loads(self.body)
        return parsed


class Wire:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        self._reader = reader
        self._writer = writer
        self.number = number
        self.is_open = True
        self.went = asyncio.Event()

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    def reset(self) -> None:
        """Tear the connection down: the peer sees ECONNRESET, not an end."""
        self.is_open = False
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self._writer.transport.abort()

    def close(self) -> None:
        self.is_open = False
        self._writer.close()

    async def until_the_client_goes(self) -> None:
        """Returns when the client has closed its end; whatever else it sends is thrown away."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            pass
        self.is_open = False
        self.went.set()

    async def receive(self) -> Received | None:
        """The next request, or None when the client has gone."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            self.went.set()
            return None
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Received(method, target, headers, body, self.number)

    async def pipe_to(self, host: str, port: int) -> None:
        """Pass every byte on, both ways, until one side ends: what a proxy does after CONNECT."""
        reader, writer = await asyncio.open_connection(host, port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65536):
                    sink.write(data)
                    await sink.drain()
            except ConnectionError:
                pass
            finally:
                sink.close()

        async with asyncio.TaskGroup() as pumps:
            pumps.create_task(pump(self._reader, writer))
            pumps.create_task(pump(reader, self._writer))
        self.is_open = False


Script = Callable[[Wire, Received], Awaitable[None]]


class ScriptedServer:
    """Answers each request by calling the script with it; a connection lives for as long as its wire is open."""

    def __init__(self, script: Script, tls: ssl.SSLContext | None = None) -> None:
        self._script = script
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.wires: list[Wire] = []
        self.received: list[Received] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        ends = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()
        if exc is None:
            # A script that failed is a test that failed.
            assert [end for end in ends if isinstance(end, Exception) and not isinstance(end, ConnectionError)] == []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        wire = Wire(reader, writer, len(self.wires))
        self.wires.append(wire)
        try:
            while wire.is_open and (request := await wire.receive()) is not None:
                self.received.append(request)
                await self._script(wire, request)
        except (asyncio.CancelledError, ConnectionError):
            pass  # the test is over, or the client has gone in the middle of an answer
        finally:
            writer.transport.abort()


def head(status: int, content_type: str, **headers: str) -> bytes:
    """The head of an answer; underscores in header names become dashes."""
    lines = [f"HTTP/1.1 {status} Told", f"content-type: {content_type}", "request-id: req_1"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def stream_head(**headers: str) -> bytes:
    return head(200, STREAM, transfer_encoding="chunked", **headers)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(status: int, content_type: str, body: bytes, **headers: str) -> bytes:
    """An answer of known length."""
    return head(status, content_type, content_length=str(len(body)), **headers) + body


def stream(body: bytes, **headers: str) -> bytes:
    """A whole stream in one chunk."""
    return stream_head(**headers) + chunk(body) + LAST_CHUNK


def saying(data: bytes) -> Script:
    """A script that answers every request with the same bytes."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(data)

    return script


def error_body(kind: str, message: str = "turned away") -> bytes:
    return orjson.dumps({"type": "error", "error": {"type": kind, "message": message}})


def playing(story: FakeProvider) -> Script:
    """A script that does on the wire what the story does as a fake."""

    async def script(wire: Wire, request: Received) -> None:
        if End.SILENCE in story.before:
            await wire.until_the_client_goes()
            return
        if isinstance(story, ProviderThatTurnsAway):
            wait = {} if story.retry_after is None else {"retry_after": f"{story.retry_after:g}"}
            await wire.send(whole(story.status, JSON, error_body("told_by_status"), **wait))
            return
        await wire.send(head(200, story.content_type, transfer_encoding="chunked"))
        for step in story.steps(Request(orjson.loads(request.body))):
            match step:
                case Wait(seconds=seconds):
                    await asyncio.sleep(seconds)
                case End.RESET:
                    wire.reset()
                    return
                case End.SILENCE:
                    await wire.until_the_client_goes()
                    return
                case bytes() if step:
                    await wire.send(chunk(step))
        await wire.send(LAST_CHUNK)

    return script
