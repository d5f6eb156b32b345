"""The seam to whoever tells people how a run goes. The run speaks in values and sentences; how they look is not known
here."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from batchrun.tally import View


class Teller(Protocol):
    """A terminal, a log or nobody."""

    def say(self, text: str) -> None:
        """A remark: something that a person should know, in one line."""

    def note(self, text: str) -> None:
        """What is as it was meant, in one line: nothing that cron should send a mail for."""

    def begin(self, text: str) -> None:
        """What this run is about to do, in one line."""

    def watching(self, view: Callable[[], View]) -> AbstractContextManager[None]:
        """Around the run; `view` may be called from another thread."""

    def period(self, view: View) -> None:
        """Once a period."""
