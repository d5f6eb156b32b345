"""Why and how a run ends before its items do: first a drain, then at once. Only the switch; the engine pulls the
plug."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum

from batchrun.errors import BatchrunError, ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AT_ONCE_CODES = {
    signal.SIGINT: ExitCode.INTERRUPTED,
    signal.SIGTERM: ExitCode.TERMINATED,
    signal.SIGHUP: ExitCode.HANGUP,
}


class Phase(Enum):
    """What a signal finds: nothing begun, something in flight, or only last words."""

    STARTING = "starting"
    RUNNING = "running"
    ENDING = "ending"


class Stopped(BatchrunError):
    """A signal came before anything was sent; the run is as resumable as before."""

    exit_code = ExitCode.STOPPED_EARLY


class StopSwitch:
    """First request: no new items, those in flight are waited for. A second signal: now. Both leave the run resumable.

    `on_drain` and `on_halt` are called by the request that causes them, which may be a signal handler: once each, but
    `on_drain` again where a request without patience follows a patient one.
    """

    def __init__(self) -> None:
        self.reason: str | None = None
        self.codes: set[ExitCode] = set()
        self.halt_code: ExitCode | None = None
        self.is_patient = False
        self.on_drain: Callable[[], object] = _nothing
        self.on_halt: Callable[[], object] = _nothing
        self._is_signalled = False
        self._phase = Phase.STARTING

    def __repr__(self) -> str:
        return f"<StopSwitch {self._phase.value}, {self.reason or 'off'}>"

    @property
    def is_on(self) -> bool:
        return self.reason is not None

    def begin(self) -> None:
        """From now on something is in flight, and a signal drains it."""
        self._phase = Phase.RUNNING

    def end(self) -> None:
        """Nothing is in flight any more; what is left is to be told, and no signal may cut that short."""
        self._phase = Phase.ENDING

    def drain(self, reason: str, code: ExitCode, *, is_patient: bool = False) -> None:
        """Stop gently. The first reason is the one that is told; every code counts.

        `is_patient`: nobody waits for the end, so what is in flight, and paid for, may take its time.
        """
        self.codes.add(code)
        if self.reason is not None and (is_patient or not self.is_patient):
            return
        self.reason = self.reason or reason
        self.is_patient = is_patient
        self.on_drain()

    def halt(self, code: ExitCode) -> None:
        """Stop at once."""
        if self.halt_code is None:
            self.halt_code = code
            self.on_halt()

    def signal(self, number: signal.Signals) -> None:
        """A signal has come: the first drains, the second halts; a drain that began for another reason is not cut.

        Raises:
            Stopped: nothing was begun yet.
        """
        if self._phase is Phase.STARTING:
            raise Stopped(f"{number.name} received before anything was sent")
        if self._phase is Phase.ENDING:
            return
        if self._is_signalled:
            self.halt(AT_ONCE_CODES[number])
        self._is_signalled = True
        self.drain(f"{number.name} received", ExitCode.STOPPED_EARLY)


@contextmanager
def signals_to(switch: StopSwitch) -> Iterator[None]:
    """Hand the stop signals to the switch. One that was ignored when we came (`nohup`) stays ignored."""
    heard = {number: before for number in SIGNALS if (before := signal.getsignal(number)) is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, lambda received, _: switch.signal(signal.Signals(received)))
    try:
        yield
    finally:
        for number, before in heard.items():
            signal.signal(number, before)


def _nothing() -> None:
    return None
