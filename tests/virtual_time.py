"""An asyncio loop whose clock jumps to the next timer as soon as nothing else is to be done: a night passes at once.

For fakes only: a socket or a thread that is not ready at that very moment is overtaken by the next timer.
"""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

START = 1000.0  # seconds; not 0, so that no moment is mistaken for "none"
PATIENCE = 2.0  # real seconds for a thread or a socket to report when no timer is set

Result = TypeVar("Result")
Parameters = ParamSpec("Parameters")


class NothingWillHappen(RuntimeError):
    """Everybody waits and no timer is set: in real life the program would hang for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at `START` and stands still while anything is ready to run."""

    def __init__(self) -> None:
        self._clock = _JumpingSelector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def skip(self, seconds: float) -> None:
        self._clock.now += seconds


def run_virtual(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Like `asyncio.run`, in virtual time.

    Raises:
        NothingWillHappen: instead of a hang.
    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(coroutine)


def in_virtual_time(
    test: Callable[Parameters, Coroutine[Any, Any, Result]],
) -> Callable[Parameters, Result]:
    """Decorates an `async def` test: it runs in virtual time instead of pytest-asyncio's loop."""

    @functools.wraps(test)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        return run_virtual(test(*args, **kwargs))

    return run


def skip(seconds: float) -> None:
    """Let the clock jump while nobody looks, as it does where the process is stopped."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    loop.skip(seconds)


async def settle() -> None:
    """Let every task run until it waits for a timer or for somebody else; no time passes."""
    for _ in range(20):
        await asyncio.sleep(0)


class _JumpingSelector(selectors.DefaultSelector):
    """Looks at what is ready, and instead of waiting for a timer moves the clock to it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(PATIENCE if timeout is None else 0)
        if not ready and timeout is None:
            raise NothingWillHappen("every task waits, and no timer is set that could wake one")
        if not ready and timeout is not None:
            self.now += timeout
        return ready
