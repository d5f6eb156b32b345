"""Playing a script: when pieces go out, and what stops them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from batchrun.simulator.pacer import Pacer
from batchrun.simulator.playback import Playback
from batchrun.simulator.script import Ending, Piece, Script


class TransportThatRecords(asyncio.Transport):
    """Keeps each write apart."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True


def numbered(count: int, gap: float) -> Iterator[Piece]:
    """Pieces b"0", b"1", ... every `gap` seconds."""
    return ((number * gap, str(number).encode(), 1) for number in range(count))


def play(script: Script, transport: TransportThatRecords, ended: asyncio.Event) -> Playback:
    """Start a playback on the running loop."""
    return Playback(script, transport, Pacer(asyncio.get_running_loop()), ended.set)


@pytest.fixture
def transport() -> TransportThatRecords:
    """A transport of no socket."""
    return TransportThatRecords()


async def test_pieces_go_out_in_order_when_they_are_due(transport: TransportThatRecords) -> None:
    """Each a write of its own, and the end is told after the last."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    started = loop.time()
    playback = play(Script(200, numbered(10, 0.005)), transport, ended)
    playback.play()
    assert transport.writes == [b"0"]
    await ended.wait()
    assert transport.writes == [str(number).encode() for number in range(10)]
    assert loop.time() - started >= 0.045
    assert playback.sent_events == 10


async def test_many_playbacks_share_one_pacer(transport: TransportThatRecords) -> None:
    """All come to their end, whatever the order of their times."""
    pacer = Pacer(asyncio.get_running_loop())
    events = [asyncio.Event() for _ in range(50)]
    for number, event in enumerate(events):
        Playback(Script(200, numbered(5, 0.001 * (50 - number))), transport, pacer, event.set).play()
    for event in events:
        await event.wait()
    assert len(transport.writes) == 250
    assert repr(pacer) == "<Pacer 0 sleepers>"


async def test_a_cancelled_playback_sends_nothing_more(transport: TransportThatRecords) -> None:
    """Its entry in the pacer is passed over."""
    pacer = Pacer(asyncio.get_running_loop())
    ended, other = asyncio.Event(), asyncio.Event()
    cancelled = Playback(Script(200, numbered(3, 0.001)), transport, pacer, ended.set)
    cancelled.play()
    cancelled.cancel()
    Playback(Script(200, numbered(2, 0.02)), TransportThatRecords(), pacer, other.set).play()
    await other.wait()
    assert transport.writes == [b"0"]
    assert not ended.is_set()


async def test_a_paused_playback_goes_on_where_it_was(transport: TransportThatRecords) -> None:
    """While the client does not read nothing is sent; nothing is lost or sent twice, however often that happens."""
    ended = asyncio.Event()
    playback = play(Script(200, numbered(20, 0.001)), transport, ended)
    playback.play()
    for _ in range(3):
        playback.pause()
        sent = len(transport.writes)
        await asyncio.sleep(0.003)
        assert len(transport.writes) == sent
        playback.resume()
        playback.pause()
        playback.resume()
    await ended.wait()
    assert transport.writes == [str(number).encode() for number in range(20)]


async def test_a_transport_that_fills_up_stops_the_playback_at_once() -> None:
    """asyncio says so from within the write: even what is overdue waits."""

    class TransportThatFillsUp(TransportThatRecords):
        def write(self, data: Any) -> None:
            super().write(data)
            playback.pause()

    transport, ended = TransportThatFillsUp(), asyncio.Event()
    playback = play(Script(200, numbered(3, 0.0)), transport, ended)
    playback.play()
    assert transport.writes == [b"0"]
    playback.resume()
    playback.resume()
    await ended.wait()
    assert transport.writes == [b"0", b"1", b"2"]


async def test_a_hanging_script_never_ends(transport: TransportThatRecords) -> None:
    """The socket stays open and nobody is told."""
    ended = asyncio.Event()
    play(Script(200, numbered(2, 0.0), Ending.HANG), transport, ended).play()
    await asyncio.sleep(0)
    assert transport.writes == [b"0", b"1"]
    assert not ended.is_set()
    assert not transport.is_closed


async def test_a_closing_script_closes(transport: TransportThatRecords) -> None:
    """After the last piece."""
    ended = asyncio.Event()
    play(Script(200, numbered(2, 0.0), Ending.CLOSE), transport, ended).play()
    assert transport.is_closed
    assert ended.is_set()
