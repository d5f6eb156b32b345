"""The waiting beside the read: ends an attempt at the deadline that `clocks.py` names, though nothing ever arrives.

One timer an attempt. It is not moved when bytes come (that would cost a timer a chunk): when it fires it asks the
clocks again, and sleeps on if the deadline has moved meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from batchrun.failure import AttemptFailed, Cause, Failure
from batchrun.stream.clocks import ClockLimits, Clocks


class Watch:
    """An `async with` around one attempt.

    Raises:
        AttemptFailed: a clock ran out; the body was cancelled where it stood.
    """

    def __init__(self, limits: ClockLimits) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeout = asyncio.timeout(None)
        self._timer: asyncio.TimerHandle | None = None
        self._expired: Cause | None = None
        self.clocks = Clocks(limits, self._loop.time())

    def __repr__(self) -> str:
        when, cause = self.clocks.deadline()
        return f"<Watch {cause} in {when - self._loop.time():.1f} s>"

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._arm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()
        try:
            await self._timeout.__aexit__(kind, exc, trace)
        except TimeoutError as timeout:
            assert self._expired is not None
            raise AttemptFailed(Failure(self._expired, self.clocks.explain(self._expired))) from timeout

    def connecting(self) -> None:
        self.clocks.connecting()

    def connected(self) -> None:
        self.clocks.connected(self._loop.time())
        # The first-byte deadline may lie before the timer that was set while only the total clock ran.
        self._arm()

    def received(self) -> None:
        is_first = self.clocks.is_waiting
        self.clocks.received(self._loop.time())
        if is_first:
            self._arm()  # the idle deadline may lie before the first-byte deadline

    def progressed(self) -> float:
        """An event that is no ping has come; gives the seconds to the next deadline."""
        now = self._loop.time()
        self.clocks.progressed(now)
        return self.clocks.left_at_content(now)

    def left(self) -> float:
        """Seconds to the next deadline."""
        when, _ = self.clocks.deadline()
        return when - self._loop.time()

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """No clock runs inside: we do not read, and the provider is not to blame for what does not come."""
        began = self._loop.time()
        if self._timer is not None:
            self._timer.cancel()
        try:
            yield
        finally:
            self.clocks.shift(self._loop.time() - began)
            self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        when, _ = self.clocks.deadline()
        self._timer = self._loop.call_at(when, self._look)

    def _look(self) -> None:
        when, cause = self.clocks.deadline()
        if when > self._loop.time():
            self._timer = self._loop.call_at(when, self._look)
        else:
            # Kept, for bytes may still move the deadline before the body is cancelled.
            self._expired = cause
            self._timeout.reschedule(self._loop.time())
