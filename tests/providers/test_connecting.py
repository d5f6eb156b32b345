"""The race for a connection: whose addresses are tried when, and what becomes of those that lose."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest

from batchrun.providers.connecting import HEAD_START, open_socket

T = TypeVar("T")

HOST = "many.test"
FIRST, SECOND = "127.0.0.1", "127.0.0.2"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 as its loopback")


class LoopThatKnowsAHost(asyncio.SelectorEventLoop):
    """Resolves one name, to the first address and then the second."""

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        assert host == HOST
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in (FIRST, SECOND)]


def racing(race: Callable[[], Coroutine[Any, Any, T]]) -> tuple[T, float]:
    """What came of it, and the seconds that it took."""
    with asyncio.Runner(loop_factory=LoopThatKnowsAHost) as runner:
        began = time.monotonic()
        return runner.run(race()), time.monotonic() - began


def peer_of(port: int) -> tuple[str, float]:
    async def race() -> str:
        with await open_socket(HOST, port) as sock:
            assert sock.gettimeout() == 0
            return str(sock.getpeername()[0])

    return racing(race)


def listening(address: str, port: int = 0) -> socket.socket:
    return socket.create_server((address, port))


def test_the_first_address_is_taken_where_it_answers() -> None:
    """The resolver's order is the machine's wish."""
    with listening(FIRST) as first:
        port = first.getsockname()[1]
        with listening(SECOND, port):
            assert peer_of(port)[0] == FIRST


def test_an_address_that_is_silent_holds_up_the_next_one_for_its_head_start_alone(black_hole: int) -> None:
    """RFC 8305: one dead address of two costs a quarter of a second and not the connect timeout."""
    with listening(SECOND, black_hole):
        peer, seconds = peer_of(black_hole)
    assert peer == SECOND
    assert seconds >= HEAD_START


def test_an_address_that_refuses_holds_up_nobody() -> None:
    """The next one is tried at once."""
    with listening(SECOND) as second:
        peer, seconds = peer_of(second.getsockname()[1])
    assert peer == SECOND
    assert seconds < HEAD_START


def test_where_none_answers_the_error_tells_of_each() -> None:
    """Which address said what is all that can be looked into."""
    with listening(FIRST) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ConnectionRefusedError) as caught:
        peer_of(port)
    assert caught.value.errno == errno.ECONNREFUSED
    assert FIRST in str(caught.value)
    assert SECOND in str(caught.value)


def test_a_race_that_is_cancelled_leaves_no_socket(black_hole: int) -> None:
    """The connect clock, or a drain: what was being made is closed, and nothing of it waits in the loop."""

    async def race() -> None:
        async with asyncio.timeout(0.05):
            await open_socket(HOST, black_hole)

    with pytest.raises(TimeoutError):
        racing(race)  # an unclosed socket is a warning, and a warning an error
