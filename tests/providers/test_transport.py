"""The wire below the SDK's client, on real sockets: pacing, keeping, breaking."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest

from batchrun.providers.pacer import GRID
from batchrun.providers.provider import Pace
from batchrun.providers.transport import CONNECTION_WATCH, body_of
from tests.providers.scripted_server import (
    LAST_CHUNK,
    Received,
    ScriptedServer,
    Wire,
    chunk,
    saying,
    stream,
    stream_head,
    whole,
)
from tests.providers.transport_client import JSON, RARELY, TICK, client, read_paced, ticking

# -- reading ----------------------------------------------------------------------------------------------------------


async def test_a_paced_stream_is_read_rarely_and_wholly() -> None:
    """What came between two reads waits in the kernel and is taken at once: few reads, and not a byte less."""
    async with (
        ScriptedServer(ticking(60, 0.005)) as server,
        client() as ours,
        ours.stream("GET", server.url) as response,
    ):
        body, wakings = await read_paced(response)
    assert body == b"data: 1\n\n" * 60
    assert wakings < 20  # about five; sixty without a pace


async def test_a_second_request_on_a_kept_connection_finds_it_unpaced() -> None:
    """A pace belongs to a connection: whoever sets it takes it back before the next one is served on it."""
    async with ScriptedServer(saying(stream(b"data: 1\n\n"))) as server, client() as ours:
        for _ in range(3):
            async with ours.stream("GET", server.url) as response:
                body = body_of(response)
                assert body is not None
                async with asyncio.timeout(5):
                    assert await response.aread() == b"data: 1\n\n"
                body.pace(Pace(30.0, 30.0))
        assert len(server.wires) == 1


async def test_a_connection_is_kept_and_used_again() -> None:
    """After a body that was read to its end the connection serves the next request."""
    async with ScriptedServer(saying(whole(200, JSON, b"{}"))) as server, client() as ours:
        for _ in range(5):
            assert (await ours.post(server.url, content=b"{}")).content == b"{}"
        assert [request.connection for request in server.received] == [0] * 5


async def test_as_many_connections_are_kept_as_were_asked_for() -> None:
    """With a slot each, nobody waits for a connection, and none is made anew."""
    gate = asyncio.Barrier(8)

    async def script(wire: Wire, request: Received) -> None:
        await gate.wait()
        await wire.send(whole(200, JSON, b"{}"))

    async with ScriptedServer(script) as server, client() as ours:
        for _ in range(3):
            async with asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(ours.get(server.url))
        assert len(server.wires) == 8


async def test_a_connection_that_the_server_closed_while_idle_is_not_used_again() -> None:
    """F28: what can be known of a kept connection's death is known before it is used."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(whole(200, JSON, b"{}"))
        wire.close()

    async with ScriptedServer(script) as server, client() as ours:
        for _ in range(3):
            assert (await ours.get(server.url)).status_code == 200
            await asyncio.sleep(0.01)
        assert [request.connection for request in server.received] == [0, 1, 2]


async def test_a_body_that_is_left_unread_closes_its_connection() -> None:
    """Half a body on a kept connection would be the next one's head."""
    async with ScriptedServer(ticking(1000, 0.01)) as server, client() as ours:
        async with ours.stream("GET", server.url) as response:
            async for _ in response.aiter_raw():
                break
        async with asyncio.timeout(2):
            await server.wires[0].until_the_client_goes()


# -- breaking ---------------------------------------------------------------------------------------------------------


async def test_a_reset_in_mid_body_is_told() -> None:
    """A torn connection is an error, never an end."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(b"data: 1\n\n"))
        await asyncio.sleep(0.01)
        wire.reset()

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        with pytest.raises(httpx2.ReadError):
            await response.aread()


async def test_what_came_before_a_reset_is_read_at_a_pace_too() -> None:
    """The answer may be whole by then: what a look has taken is handed on before the failure is told."""
    came = asyncio.Event()

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(b"data: 1\n\n"))
        await came.wait()
        await wire.send(chunk(b"data: 2\n\n"))
        await asyncio.sleep(3 * TICK)
        wire.reset()

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        body = body_of(response)
        assert body is not None
        assert await body.read() == b"data: 1\n\n"
        body.pace(Pace(TICK, 60.0))
        came.set()
        async with asyncio.timeout(5):
            assert await body.read() == b"data: 2\n\n"
            with pytest.raises(httpx2.ReadError):
                await body.read()


@pytest.mark.parametrize("cut", range(1, len(LAST_CHUNK)))
async def test_the_end_is_seen_however_it_is_cut(cut: int) -> None:
    """A look knows the end of a body in chunks by its last bytes, in one segment or in several; long before it is time
    to hand on what has come."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(b"data: 1\n\n"))
        await wire.send(chunk(b"data: 2\n\n") + LAST_CHUNK[:cut])
        await asyncio.sleep(2 * GRID)
        await wire.send(LAST_CHUNK[cut:])

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        async with asyncio.timeout(5):
            body, _ = await read_paced(response, RARELY)
    assert body == b"data: 1\n\ndata: 2\n\n"


@pytest.mark.parametrize("end", [b"0\r\nX-Trailer: 1\r\n\r\n", b"0;a=b\r\n\r\n"], ids=["trailer", "extension"])
async def test_an_end_with_something_to_say_is_seen_too(end: bytes) -> None:
    """What stands behind the last chunk, or beside it, makes no answer late."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(b"data: 1\n\n"))
        await asyncio.sleep(2 * GRID)  # else the read of the head takes it all
        await wire.send(chunk(b"data: 2\n\n") + end)

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        async with asyncio.timeout(5):
            body, _ = await read_paced(response, RARELY)
    assert body == b"data: 1\n\ndata: 2\n\n"


async def test_lines_that_end_as_a_body_does_end_none() -> None:
    """Events whose lines end in CRLF: the chunk that holds one is handed on in time, and not at once."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head())
        for number in range(8):
            await wire.send(chunk(b"data: %d\r\n\r\n" % number))
            await asyncio.sleep(2 * GRID)
        await wire.send(LAST_CHUNK)

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        async with asyncio.timeout(5):
            body, wakings = await read_paced(response, RARELY)
    assert body.count(b"data") == 8
    assert wakings <= 2


async def test_a_paced_body_with_a_length_is_read_to_its_end() -> None:
    """Where no chunk says that it is the last one, the parser is asked at each look."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n1234")
        await asyncio.sleep(2 * GRID)
        await wire.send(b"5678")

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        async with asyncio.timeout(5):
            body, _ = await read_paced(response, RARELY)
    assert body == b"12345678"


async def test_a_chunked_body_that_ends_early_is_told() -> None:
    """A close in mid-body is no end of it."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head() + chunk(b"data: 1\n\n"))
        wire.close()

    async with ScriptedServer(script) as server, client() as ours, ours.stream("GET", server.url) as response:
        with pytest.raises(httpx2.RemoteProtocolError):
            await response.aread()


async def test_a_refused_connection_is_told() -> None:
    """Nobody listens: the error names host and port."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        async with client() as ours:
            with pytest.raises(httpx2.ConnectError, match=f"127.0.0.1:{port}"):
                await ours.get(f"http://127.0.0.1:{port}")


class Witness:
    """A watch that writes down what it is told."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def connecting(self) -> None:
        self.heard.append("connecting")

    def connected(self) -> None:
        self.heard.append("connected")


async def test_a_connection_that_nobody_answers_runs_into_its_own_timeout(black_hole: int) -> None:
    """F1: the connect timeout is the connection's own, and the watch hears that one is being made."""
    witness = Witness()
    token = CONNECTION_WATCH.set(witness)
    try:
        async with client() as ours:
            with pytest.raises(httpx2.ConnectTimeout, match="within 0\\.2 s"):
                await ours.get(f"http://127.0.0.1:{black_hole}", timeout=httpx2.Timeout(None, connect=0.2))
    finally:
        CONNECTION_WATCH.reset(token)
    assert witness.heard == ["connecting"]


async def test_the_watch_hears_of_new_connections_and_of_no_kept_ones() -> None:
    """A request on a kept connection makes none: its first-byte clock runs from the start."""
    witness = Witness()
    token = CONNECTION_WATCH.set(witness)
    try:
        async with ScriptedServer(saying(whole(200, JSON, b"{}"))) as server, client() as ours:
            for _ in range(3):
                await ours.get(server.url)
    finally:
        CONNECTION_WATCH.reset(token)
    assert witness.heard == ["connecting", "connected"]


@pytest.mark.parametrize("stage", ["before the head", "in the body"])
async def test_a_cancelled_request_closes_its_connection(stage: str) -> None:
    """The server sees the end at once; the connection is not kept."""

    async def script(wire: Wire, request: Received) -> None:
        if stage == "in the body":
            await wire.send(stream_head() + chunk(b"data: 1\n\n"))
        await wire.until_the_client_goes()

    async with ScriptedServer(script) as server, client() as ours:
        task = asyncio.create_task(ours.get(server.url))
        async with asyncio.timeout(2):
            while not server.received:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await server.wires[0].went.wait()
