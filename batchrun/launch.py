"""The first half of `run`: check the job file, take the lock, see what is pending. Sends nothing.

What sends stands in `sending.py` and is imported only when there is something to send: a run with nothing pending needs
no credentials and costs no second for the SDK.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from batchrun.config import RunConfig
from batchrun.ending import Ending, exit_code
from batchrun.errors import BatchrunError, ConfigError, JobFileUnreadable
from batchrun.item import timestamp
from batchrun.jobs.reader import JobFile, Reading, check_jobs
from batchrun.jobs.spool import check_place, spool
from batchrun.journal.finished import FinishedIndex, Standing
from batchrun.journal.reader import read_header
from batchrun.journal.record import Header
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.outcome import Status
from batchrun.stop import StopSwitch, signals_to
from batchrun.teller import Teller

# An enum's member costs a search in its class each time, and these are asked for a million times.
_PENDING, _CHANGED = Standing.PENDING, Standing.CHANGED


class Sorter:
    """Looks each job of the file up in the journal, and counts what it finds."""

    def __init__(self, index: FinishedIndex) -> None:
        self._index = index
        self.finished: Counter[str] = Counter()
        self.changed: list[str] = []
        self.notice: str | None = None  # what the operator should know of where the jobs were read

    def is_pending(self, id: str, request: str) -> bool:
        standing, status = self._index.look_up(id, request)
        if standing is _PENDING or status is None:
            return True
        self.finished[status] += 1
        if standing is _CHANGED:
            self.changed.append(id)
        return False

    def pending_among(self, ids: Sequence[str], requests: Sequence[str]) -> list[int]:
        """The places of those that are pending: the same for many at once, most of them answered."""
        places = self._index.not_done(ids, requests)
        self.finished[Status.DONE] += len(ids) - len(places)
        return [place for place in places if self.is_pending(ids[place], requests[place])]


def launch(config: RunConfig, teller: Teller) -> Ending:
    """Run what is pending.

    Raises:
        BatchrunError: before anything was sent, or because the state cannot be written any more.
    """
    if config.jobs.is_dir():
        raise JobFileUnreadable(f"{config.jobs}: is a directory; name the job file in it")
    check_place(config.jobs, config.state)
    state = StateDir(config.state) if config.state is not None else StateDir.for_jobs(config.jobs)
    run = f"{timestamp()[:19].replace(':', '')}Z-{secrets.token_hex(3)}"
    stop = StopSwitch()
    with ExitStack() as stack:
        stack.enter_context(signals_to(stop))
        journal, jobs, sorter = _open(config, state, run, stack)
        for notice in [*journal.notices, *([sorter.notice] if sorter.notice else [])]:
            teller.say(notice)
        header = read_header(state)
        is_simulated = config.simulate if header is None else header.simulated
        if jobs.pending_count and is_simulated != config.simulate:
            raise ConfigError(_mixed(state, config))
        seen = {str(status): sorter.finished[status] for status in Status}
        code = exit_code(seen, config.accept, set())
        ending = Ending(state, code, jobs.total, seen, dict.fromkeys(seen, 0), tuple(sorter.changed), is_simulated)
        if not jobs.pending_count:
            return ending
        from batchrun.sending import Told, send  # noqa: PLC0415 - see above

        return send(config, jobs, journal, Told(ending, run, teller, stop))


def _open(config: RunConfig, state: StateDir, run: str, stack: ExitStack) -> tuple[Journal, JobFile, Sorter]:
    """Check the job file before a state is made, but look into a state that is there under its lock."""
    journal = _journal(config, state, run, "") if state.checkpoint.exists() else None
    if journal is not None:
        stack.callback(journal.close)
    jobs, sorter = _check(config, state, FinishedIndex() if journal is None else journal.finished)
    if journal is None:
        journal = _journal(config, state, run, jobs.sha256)
        stack.callback(journal.close)
        if len(journal.finished):
            # Another run came and went between our look and our lock.
            jobs, sorter = _check(config, state, journal.finished)
    return journal, jobs, sorter


def _journal(config: RunConfig, state: StateDir, run: str, sha256: str) -> Journal:
    settings = repr((config.flags, sorted(config.backends.items()), config.retry, config.stream))
    hashed = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return Journal.open(state, Header(run, sha256, hashed, timestamp(), config.simulate))


def _check(config: RunConfig, state: StateDir, index: FinishedIndex) -> tuple[JobFile, Sorter]:
    sorter = Sorter(index)
    speeches = {name: backend.speech for name, backend in config.backends.items()}
    laid = spool(config.jobs, state, None if sys.stdin is None else sys.stdin.buffer)
    try:
        is_pending, reading = sorter.is_pending, Reading(laid.shown, None, sorter.pending_among, index, state.checked)
        jobs = check_jobs(laid.path, config.flags, speeches, is_pending, config.selection, reading)
    except BatchrunError:
        laid.discard()
        raise
    sorter.notice = laid.notice
    return jobs, sorter


def _mixed(state: StateDir, config: RunConfig) -> str:
    if config.simulate:
        return f"{state.path} holds real answers; to simulate, give another place with --state DIR"
    remedy = f"for real ones remove it (rm -r {str(state.path)!r}) or give another place with --state DIR"
    return f"{state.path} holds answers of the embedded provider, made with --simulate; {remedy}"
