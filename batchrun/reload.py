"""Reading the settings again while a run is at work: who asks for it, and what then holds. Nothing is changed here."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from batchrun.config import RunConfig
from batchrun.errors import BatchrunError


class Reload:
    """`read` resolves all options once more, with the flags and the environment that the run was started with; None:
    nobody can."""

    def __init__(self, read: Callable[[], RunConfig] | None = None) -> None:
        self._read = read
        self._is_asked = False
        self._asked_by_tune = 0

    def __repr__(self) -> str:
        return f"<Reload, {self._asked_by_tune} times by tune{', asked by a signal' if self._is_asked else ''}>"

    def ask(self) -> None:
        """By a signal, between any two bytecodes; somebody looks once a period."""
        self._is_asked = True

    def take(self, asked_by_tune: int) -> RunConfig | None:
        """The settings as they are now, if that was asked since the last call; `asked_by_tune` is how often `tune` has
        asked for it in this run.

        Raises:
            BatchrunError: they cannot be, or cannot be read.
        """
        if self._read is None or not (self._is_asked or asked_by_tune > self._asked_by_tune):
            return None
        self._is_asked, self._asked_by_tune = False, asked_by_tune
        try:
            return self._read()
        except OSError as exc:
            raise BatchrunError(f"the settings cannot be read ({exc})") from exc


@contextmanager
def signal_to(reload: Reload) -> Iterator[None]:
    """SIGUSR1 asks for it. Until somebody listens that signal ends a process."""
    before = signal.signal(signal.SIGUSR1, lambda number, frame: reload.ask())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)
