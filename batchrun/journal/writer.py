"""What finishes a job: its result and its checkpoint, durable in that order, before anyone is told (C5).

One thread of its own writes and waits for the disk, so that the event loop never does; what gathered during one commit
is the next one (C12). What the lines look like and how files are mended is decided elsewhere.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from batchrun.errors import JournalError
from batchrun.journal.disk import DISK, Disk
from batchrun.journal.finished import FinishedIndex
from batchrun.journal.kept import kept_answer
from batchrun.journal.lock import Lock
from batchrun.journal.record import Header, encode_checkpoint, encode_result
from batchrun.journal.recovery import Recovered, recover
from batchrun.journal.state import StateDir
from batchrun.outcome import Outcome

# The contract's bound: what a commit of 10 ms gathers at 1,000 finishes a second is a tenth of it, and 64 MB are what a
# small machine can spare while its disk hangs.
MAX_WAITING_RECORDS = 1_000
MAX_WAITING_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class _Waiting:
    outcome: Outcome
    line: bytes
    future: asyncio.Future[None]


class Journal:
    """The one writer of a state directory, from `open` to `close`. Its coroutines belong to one event loop.

    `finished` tells what is on disk. `notices` are sentences for the operator about what was mended at the start.
    `failure` is set once the disk has refused: nothing is taken after that.
    """

    def __init__(self, lock: Lock, recovered: Recovered) -> None:
        self.finished: FinishedIndex = recovered.finished
        self.notices: list[str] = recovered.notices
        self.failure: JournalError | None = None
        self._lock = lock
        self._results = recovered.results
        self._checkpoints = recovered.checkpoints
        self._queue: list[_Waiting] = []
        self._is_closing = False
        self._changed = threading.Condition()
        # These three belong to the event loop; the queue, the flag and the files to whoever holds `_changed`.
        self._waiting_records = 0
        self._waiting_bytes = 0
        self._room = asyncio.Event()
        # A daemon, for a second signal ends the process at once: to the journal that is one more kill.
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        state = "failed" if self.failure else "closed" if self._is_closing else "open"
        return f"<Journal {state}, {self._waiting_records} waiting, {len(self.finished)} ids on disk>"

    @classmethod
    def open(cls, state: StateDir, header: Header, disk: Disk = DISK) -> Journal:
        """Take the lock, mend what the last run left, and be ready. Blocks: some seconds for a million records.

        Raises StateError, LockHeldError, and JournalError for a foreign file or a disk that refuses.
        """
        state.create(disk)
        lock = Lock.take(state)
        try:
            return cls(lock, recover(state, header, disk))
        except BaseException:
            lock.release()
            raise

    async def commit(self, outcome: Outcome) -> None:
        """Return when the outcome is durable: only then is the job finished. Raises JournalError.

        Cancelled, it stops waiting; what was handed in is written all the same, for it is paid.
        """
        future = asyncio.get_running_loop().create_future()
        waiting = _Waiting(outcome, encode_result(outcome), future)
        with self._changed:
            # Asked under the lock: a thread that gives up has emptied the queue for the last time.
            self._refuse_if_over()
            self._queue.append(waiting)
            self._changed.notify()
        self._waiting_records += 1
        self._waiting_bytes += len(waiting.line)
        await future

    def kept(self, id: str, request: str) -> dict[str, Any] | None:
        """The result line of an answer to this request that was paid for, and that only the sinks have not taken.

        None where there is none, or it can be read no more: then it is asked again.
        """
        place = self.finished.failed_at(id, request)
        return None if place is None else kept_answer(self._results.path, id, place)

    def gives_up(self, id: str, request: str) -> bool:
        """Whether the next run leaves this request alone though it failed of something that may pass."""
        return self.finished.gives_up(id, request)

    def has_room(self) -> bool:
        """Whether new work may be admitted. `commit` itself never refuses for want of room: its answer is paid."""
        has_room = self._waiting_records < MAX_WAITING_RECORDS and self._waiting_bytes < MAX_WAITING_BYTES
        return has_room and self.failure is None

    async def wait_for_room(self) -> None:
        """Return when new work may be admitted. Raises JournalError where it never will be."""
        while not self.has_room():
            self._refuse_if_over()
            self._room.clear()
            await self._room.wait()

    def close(self) -> None:
        """Commit what waits, then give the lock back. Blocks for one commit; more than once is fine.

        Raises nothing: whoever waits for a commit is told, and `failure` stays.
        """
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join()
        self._results.close()
        self._checkpoints.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refuse_if_over(self) -> None:
        if self.failure is not None:
            raise JournalError(str(self.failure)) from self.failure
        if self._is_closing:
            raise JournalError("the journal is closed; start the run again")

    def _work(self) -> None:
        batch: list[_Waiting] = []
        try:
            while batch := self._take():
                start = self._write(batch)
                _tell(batch, self._settle, start)
        except JournalError as exc:
            self.failure = exc
        finally:
            # A batch is still in hand only in trouble, and a fault of our own must not leave anyone waiting either.
            if batch:
                self._give_up(batch)

    def _take(self) -> list[_Waiting]:
        """What has gathered; nothing when the journal is closed and all is written."""
        with self._changed:
            while not self._queue and not self._is_closing:
                self._changed.wait()
            batch, self._queue = self._queue, []
            return batch

    def _write(self, batch: list[_Waiting]) -> int:
        """Make the batch durable, answers first, then the checkpoints that point to them. Returns where it begins."""
        start = offset = self._results.append(b"".join(waiting.line for waiting in batch))
        self._results.sync()
        lines = []
        for waiting in batch:
            lines.append(encode_checkpoint(waiting.outcome, offset, len(waiting.line)))
            offset += len(waiting.line)
        self._checkpoints.append(b"".join(lines))
        self._checkpoints.sync()
        return start

    def _give_up(self, batch: list[_Waiting]) -> None:
        with self._changed:
            self.failure = self.failure or JournalError(
                "the journal's writer ended by a fault of batchrun's own; report it, then run the same command again"
            )
            batch = batch + self._queue
            self._queue = []
        _tell(batch, self._fail, 0)

    def _settle(self, batch: list[_Waiting], start: int) -> None:
        offset = start
        for waiting in batch:
            done, length = waiting.outcome, len(waiting.line)
            self.finished.add(done.id, done.request, done.status, done.final, offset, length)
            offset += length
            if not waiting.future.done():  # its task may have been cancelled meanwhile
                waiting.future.set_result(None)
        self._make_room(batch)

    def _fail(self, batch: list[_Waiting], _: int) -> None:
        for waiting in batch:
            if not waiting.future.done():
                waiting.future.set_exception(JournalError(str(self.failure)))
        self._make_room(batch)

    def _make_room(self, batch: list[_Waiting]) -> None:
        self._waiting_records -= len(batch)
        self._waiting_bytes -= sum(len(waiting.line) for waiting in batch)
        self._room.set()


def _tell(batch: list[_Waiting], news: Callable[[list[_Waiting], int], None], start: int) -> None:
    # A loop that is closed has nobody left to tell; what is durable stays so.
    with suppress(RuntimeError):
        batch[0].future.get_loop().call_soon_threadsafe(news, batch, start)
