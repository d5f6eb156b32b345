"""A bare client over the transport, for tests that look at connections and bytes and not at messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from batchrun.providers.pacer import GRID
from batchrun.providers.provider import Pace
from batchrun.providers.transport import PacedTransport, body_of
from tests.providers.scripted_server import LAST_CHUNK, Received, Script, Wire, chunk, stream_head

JSON = "application/json"
TICK = 0.1


@asynccontextmanager
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    transport = PacedTransport(keepalive=8)
    async with httpx2.AsyncClient(transport=transport, timeout=None, trust_env=False) as ours:
        yield ours


AT_EACH_LOOK = Pace(TICK, TICK)
RARELY = Pace(GRID, 60.0)  # looked at often, and handed on only at its end


async def read_paced(response: httpx2.Response, pace: Pace = AT_EACH_LOOK) -> tuple[bytes, int]:
    """The body read at a pace, and how often the reader was woken up: pieces that come together are one waking."""
    paced = body_of(response)
    assert paced is not None
    paced.pace(pace)
    loop = asyncio.get_running_loop()
    body, wakings, last = b"", 0, 0.0
    async for piece in response.aiter_raw():
        wakings += loop.time() - last > 0.001
        last = loop.time()
        body += piece
    return body, wakings


def ticking(events: int, gap: float) -> Script:
    """A stream of small events, each a segment of its own."""

    async def script(wire: Wire, request: Received) -> None:
        await wire.send(stream_head())
        for _ in range(events):
            await asyncio.sleep(gap)
            await wire.send(chunk(b"data: 1\n\n"))
        await wire.send(LAST_CHUNK)

    return script
