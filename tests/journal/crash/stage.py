"""A place where the real journal works on a recorded disk, and where it is noted what it was given and what it told."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable
from pathlib import Path

from batchrun.errors import JournalError
from batchrun.journal.record import encode_result
from batchrun.journal.recovery import recover
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.outcome import Outcome
from tests.journal.builders import HEADER, append, close, failure, outcome
from tests.journal.crash.evidence import told_lines
from tests.journal.crash.recorder import Killed, Recorder


class RecorderThatHoldsTheWriter(Recorder):
    """Keeps the journal's thread in its first write until everything has been handed in: so that what gathers in a
    commit is the same each time."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.is_asked = threading.Event()
        self.may_go = threading.Event()

    def write(self, fd: int, data: bytes | memoryview) -> int:
        if threading.current_thread() is not threading.main_thread():
            self.is_asked.set()
            self.may_go.wait()
        return super().write(fd, data)


class Stage:
    """`handed` are all result lines that the journal was given; what it told stands in the disk's trace."""

    def __init__(self, place: Path, *, kind: type[RecorderThatHoldsTheWriter] = RecorderThatHoldsTheWriter) -> None:
        self.place = place
        self.state = StateDir(place / "jobs.batchrun")
        self.handed: dict[bytes, Outcome] = {}
        self.first = 0  # the event from which on the power may go
        self._kind = kind
        self.disk = kind(place)

    def answer(self, id: str) -> Outcome:
        return self._given(outcome(id, finished=self._moment()))

    def failure(self, id: str) -> Outcome:
        """One that the next run asks again."""
        return self._given(failure(id, finished=self._moment()))

    def begin_recording(self) -> None:
        """All that was done up to now is safe, and every answer that stands there is to stay."""
        self.disk = self._kind(self.place)
        results = self.state.results.read_bytes()
        self.disk.tell(frozenset(line for line in self.handed if line in results))

    def run(self, *groups: Iterable[Outcome]) -> None:
        """A run that commits the groups one after the other, each at once. Trouble with the disk ends it."""
        try:
            asyncio.run(self._run(groups))
        except* JournalError:
            pass

    def kill(self, operation: int, *outcomes: Outcome) -> bool:
        """A run that is killed at the operation with this number, counted from 0; whether it came so far. The page
        cache survives, and the power goes later."""
        self.disk.last = self.disk.operations + operation
        self.run_plainly(*outcomes)
        self.first = len(self.disk.trace)
        was_killed, self.disk.is_gone, self.disk.last = self.disk.is_gone, False, None
        return was_killed

    def run_plainly(self, *outcomes: Outcome) -> None:
        """A run without a thread that commits one by one."""
        try:
            self.state.create(self.disk)
            recovered = recover(self.state, HEADER, self.disk)
            self.disk.tell(told_lines(self.state))
            try:
                for each in outcomes:
                    append(recovered, each)
                    self.disk.tell(frozenset({encode_result(each)}))
            finally:
                close(recovered)
        except (Killed, JournalError):
            pass

    async def _run(self, groups: Iterable[Iterable[Outcome]]) -> None:
        with Journal.open(self.state, HEADER, self.disk) as journal:
            self.disk.tell(told_lines(self.state))
            for first, *others in groups:
                self.disk.is_asked.clear()
                self.disk.may_go.clear()
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(journal.commit(first))]
                    await asyncio.to_thread(self.disk.is_asked.wait)
                    tasks += [group.create_task(journal.commit(each)) for each in others]
                    await asyncio.sleep(0)
                    self.disk.may_go.set()
                self.disk.tell(frozenset(encode_result(each) for each in (first, *others)))

    def _given(self, each: Outcome) -> Outcome:
        self.handed[encode_result(each)] = each
        return each

    def _moment(self) -> str:
        # No two lines are alike, so that a line tells which one it is.
        return f"2026-11-21T01:00:01.{len(self.handed):03d}Z"
