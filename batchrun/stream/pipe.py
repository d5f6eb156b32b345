"""The pieces of one attempt's text on their way from the reader to a consumer that may be slower: a bounded pipe.

Neither end is here: the attempt puts, a consumer iterates. The reader waits while the pipe is full, for `patience`
seconds at the most; then it goes on, and what the pipe holds above its size are references to texts that the answer
holds anyway. So nothing is lost, nothing is dropped, and the consumer lags behind.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Self

DEFAULT_SIZE = 16  # pieces; the articles'
PATIENCE = 10.0  # seconds; proxies have been seen to cut a connection whose window stays closed for minutes


class SinkFailed(Exception):
    """The consumer could not take what it was given: this item is not finished. The run goes on."""


class PipeAborted(Exception):
    """The attempt has failed: what its pipe gave is worth nothing, and another attempt begins anew."""


@dataclass(frozen=True, slots=True)
class PipeFigures:
    """`waited` is in seconds, by the reader, for room. `peak` is the most that was held at once and `spilled` what was
    put above the size because the reader had waited enough; both in pieces."""

    waited: float = 0.0
    peak: int = 0
    spilled: int = 0
    put: int = 0


class Pipe:
    """One reader, one consumer, one event loop.

    Patience is spent over a spell: from the first put that had to wait until one that finds room. A consumer that is
    slow but steady therefore uses it up as well: what matters to a proxy is how long the socket stays unread, and a
    single read may bring hundreds of pieces.
    """

    def __init__(self, size: int = DEFAULT_SIZE, patience: float = PATIENCE) -> None:
        self._size = _checked(size)
        self._patience = patience
        self._now = asyncio.get_running_loop().time
        self._texts: deque[str] = deque()
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self._is_closed = False
        self._is_aborted = False
        self._is_spilling = False
        self._failure: SinkFailed | None = None
        self._spell = 0.0
        self._waited = 0.0
        self._peak = 0
        self._spilled = 0
        self._put = 0

    def __repr__(self) -> str:
        state = "aborted" if self._is_aborted else "closed" if self._is_closed else "open"
        return f"<Pipe {len(self._texts)}/{self._size} {state}, the reader waited {self._waited:.1f} s>"

    @property
    def figures(self) -> PipeFigures:
        return PipeFigures(self._waited, self._peak, self._spilled, self._put)

    @property
    def size(self) -> int:
        return self._size

    def resize(self, size: int) -> None:
        """A larger one admits at once; a smaller one keeps what it holds and admits when that has gone down.

        Raises:
            ValueError: below 1.
        """
        self._size = _checked(size)
        self._admit()

    # -- the reader's end ---------------------------------------------------------------------------------------------

    async def put(self, text: str, suspended: Callable[[], AbstractContextManager[None]] = nullcontext) -> None:
        """Hand on a piece, after waiting for room if need be.

        Args:
            suspended: is entered for as long as the reader waits, so that no clock runs against the provider.

        Raises:
            SinkFailed: the consumer is gone; at once, even if the pipe was full.
        """
        assert not self._is_closed
        assert not self._is_aborted
        if not text:
            return
        if len(self._texts) < self._size:
            self._spell = 0.0
        elif not self._is_spilling and self._failure is None:
            with suspended():
                await self._wait_for_room()
        if self._failure is not None:
            raise self._failure
        self._spilled += len(self._texts) >= self._size
        self._put += 1
        self._texts.append(text)
        self._peak = max(self._peak, len(self._texts))
        self._news.set()

    def close(self) -> None:
        """The answer is whole: the consumer takes what is left, and its iteration ends."""
        self._is_closed = True
        self._news.set()

    def abort(self) -> None:
        """The attempt has failed: what is left is dropped, and the consumer's iteration ends in `PipeAborted`."""
        self._is_aborted = True
        self._texts.clear()
        self._news.set()

    # -- the consumer's end -------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._texts:
            if self._is_aborted:
                raise PipeAborted
            if self._is_closed:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        text = self._texts.popleft()
        self._admit()
        return text

    def fail(self, failure: SinkFailed) -> None:
        """The consumer is gone and takes no more; the reader is told so at its next put, or where it waits."""
        self._failure = failure
        self._texts.clear()
        self._room.set()

    async def _wait_for_room(self) -> None:
        began = self._now()
        try:
            async with asyncio.timeout_at(began + self._patience - self._spell):
                while len(self._texts) >= self._size and self._failure is None:
                    self._room.clear()
                    await self._room.wait()
        except TimeoutError:
            self._is_spilling = len(self._texts) >= self._size  # room may have come in the same turn of the loop
        finally:
            waited = self._now() - began
            self._spell += waited
            self._waited += waited

    def _admit(self) -> None:
        if len(self._texts) < self._size:
            self._is_spilling = False
            self._room.set()


def _checked(size: int) -> int:
    if size < 1:
        raise ValueError(f"a pipe holds at least 1 piece, not {size}")
    return size
