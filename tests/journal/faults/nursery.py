"""Nights of a small journal, each in a process of its own that may be killed: forked, for to start Python takes longer
than such a night. Imports neither the SDK nor the engine.

Both ends of the conversation are here: an order a line on stdin, a reply a line on stdout.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Protocol

from batchrun.errors import BatchrunError
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.outcome import Outcome
from tests.journal.builders import HEADER, outcome
from tests.journal.faults.calls import Fault


class _Tell(Protocol):
    def __call__(self, verb: str, *words: str) -> None: ...


ROOT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 30  # a child that hangs must not hang the tests


@dataclass(frozen=True, slots=True)
class Order:
    """A night in `state` that finishes `items` items. Call number `call` goes as `how` says; no file grows beyond
    `file_limit` bytes; `user` is the id under which it runs. None: nothing of the kind."""

    state: str
    items: int = 6
    call: int | None = None
    how: str = ""
    file_limit: int | None = None
    user: int | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`exit` is the exit code, below 0 the signal; `finished` the ids that were told to be finished; `said` the last
    words; `calls` the names of the calls that changed the disk, where the process lived to tell."""

    exit: int
    finished: list[str]
    said: str
    calls: list[str]


def jobs(items: int) -> list[Outcome]:
    """What the nights finish."""
    return [outcome(str(number)) for number in range(items)]


class Nursery:
    """The other end."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def night(self, order: Order) -> Reply:
        stdin, stdout = _piped(self._process.stdin), _piped(self._process.stdout)
        stdin.write(json.dumps(asdict(order)) + "\n")
        stdin.flush()
        return Reply(**json.loads(stdout.readline()))


@contextmanager
def nursery() -> Iterator[Nursery]:
    words = [sys.executable, "-m", "tests.journal.faults.nursery"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield Nursery(process)
        finally:
            _piped(process.stdin).close()


def main() -> None:
    for line in sys.stdin:
        reply = _forked(Order(**json.loads(line)))
        sys.stdout.write(json.dumps(asdict(reply)) + "\n")
        sys.stdout.flush()


def _forked(order: Order) -> Reply:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(PATIENCE_SECONDS)
        os._exit(_child(order, writer))
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        words = [line.partition(" ") for line in pipe.read().splitlines()]
    _, status = os.waitpid(child, 0)
    told = {verb: [rest for said, _, rest in words if said == verb] for verb in ("finished", "said", "called")}
    return Reply(os.waitstatus_to_exitcode(status), told["finished"], "\n".join(told["said"]), told["called"])


def _child(order: Order, pipe: int) -> int:
    real_write = os.write

    def tell(verb: str, *words: str) -> None:
        real_write(pipe, "".join(f"{verb} {word}\n" for word in words).encode())

    fault = Fault(order.call, order.how)
    try:
        _constrain(order)
        fault.install()
        asyncio.run(_night(order, tell))
    except BatchrunError as exc:
        tell("said", *str(exc).splitlines())
        return int(exc.exit_code)
    except BaseException:  # noqa: BLE001 - a child that goes on would be a second nursery
        tell("said", *traceback.format_exc().splitlines())
        return 1
    finally:
        tell("called", *fault.seen)
    return 0


def _constrain(order: Order) -> None:
    if order.file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (order.file_limit, order.file_limit))
    if order.user is not None:
        os.setgroups([])
        os.setgid(order.user)
        os.setuid(order.user)


async def _night(order: Order, tell: _Tell) -> None:
    """Commit what is not finished, the first item alone and then three at a time."""
    with Journal.open(StateDir(Path(order.state)), HEADER) as journal:
        everyone = jobs(order.items)
        todo = [job for job in everyone if not journal.finished.is_finished(job.id, job.request)]
        tell("finished", *(job.id for job in everyone if job not in todo))
        for group in (todo[:1], *(todo[place : place + 3] for place in range(1, len(todo), 3))):
            try:
                async with asyncio.TaskGroup() as tasks:
                    for job in group:
                        tasks.create_task(_commit(journal, job, tell))
            except ExceptionGroup as errors:
                raise errors.exceptions[0] from None


async def _commit(journal: Journal, job: Outcome, tell: _Tell) -> None:
    await journal.commit(job)
    tell("finished", job.id)


def _piped(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


if __name__ == "__main__":
    main()
