"""Why and how a run ends before its items do: first a drain, then at once. Only the switch; the engine pulls the
plug."""

from __future__ import annotations

import signal
from collections.abc import Callable

from batchrun.errors import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HANGUP,
}


class StopSwitch:
    """First request: no new items, those in flight are waited for. A second signal: now. Both leave the run resumable.

    `on_drain` and `on_halt` are called once each, by the request that causes them.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.codes: set[ExitCode] = set()
        self.halt_code: ExitCode | None = None
        self.on_drain: Callable[[], None] = _nothing
        self.on_halt: Callable[[], None] = _nothing
        self._is_signalled = False

    def __repr__(self) -> str:
        return f"<StopSwitch {self.reason or 'off'}>"

    @property
    def is_on(self) -> bool:
        return self.reason is not None

    def drain(self, reason: str, code: ExitCode) -> None:
        """Stop gently. The first reason is the one that is told; every code counts."""
        self.codes.add(code)
        if self.reason is None:
            self.reason = reason
            self.on_drain()

    def halt(self, code: ExitCode) -> None:
        """Stop at once."""
        if self.halt_code is None:
            self.halt_code = code
            self.on_halt()

    def signal(self, number: signal.Signals) -> None:
        """A signal has come: the first drains, the second halts; a drain that began for another reason is not cut."""
        if self._is_signalled:
            self.halt(AT_ONCE_CODES[number])
        self._is_signalled = True
        self.drain(f"{number.name} received", ExitCode.STOPPED_EARLY)


def _nothing() -> None:
    return None
