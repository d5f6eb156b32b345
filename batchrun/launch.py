"""The first half of `run`: check the job file, take the lock, see what is pending. Sends nothing.

What sends stands in `sending.py` and is imported only when there is something to send: a run with nothing pending needs
no credentials and costs no second for the SDK.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from contextlib import ExitStack

from batchrun.config import RunConfig
from batchrun.ending import Ending, exit_code
from batchrun.errors import ConfigError
from batchrun.item import timestamp
from batchrun.jobs.reader import JobFile, check_jobs
from batchrun.journal.finished import FinishedIndex, Standing
from batchrun.journal.record import Header
from batchrun.journal.runs import read_runs
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.teller import Teller


class Sorter:
    """Looks each job of the file up in the journal, and counts what it finds."""

    def __init__(self, index: FinishedIndex) -> None:
        self._index = index
        self.finished: Counter[str] = Counter()
        self.changed = 0

    def is_pending(self, id: str, request: str) -> bool:
        standing = self._index.verdict(id, request)
        if standing is Standing.PENDING:
            return True
        entry = self._index.entry(id)
        if entry is not None:
            self.finished[str(entry.status)] += 1
        self.changed += standing is Standing.CHANGED
        return False


def launch(config: RunConfig, teller: Teller) -> Ending:
    """Run what is pending.

    Raises:
        BatchrunError: before anything was sent, or because the state cannot be written any more.
    """
    state = StateDir(config.state) if config.state is not None else StateDir.for_jobs(config.jobs)
    run = f"{timestamp()[:19].replace(':', '')}Z-{secrets.token_hex(3)}"
    with ExitStack() as stack:
        journal, jobs, sorter = _open(config, state, run, stack)
        for notice in journal.notices:
            teller.say(notice)
        is_simulated = _is_simulated(state)
        if jobs.pending_count and is_simulated not in (None, config.simulate):
            raise ConfigError(_mixed(state, config))
        seen = dict(sorter.finished)
        code = exit_code(seen, config.accept, set())
        ending = Ending(state, code, jobs.total, seen, {}, sorter.changed, bool(is_simulated) or config.simulate)
        if not jobs.pending_count:
            return ending
        from batchrun.sending import send  # noqa: PLC0415 - see above

        return send(config, jobs, journal, run, ending, teller)


def _open(config: RunConfig, state: StateDir, run: str, stack: ExitStack) -> tuple[Journal, JobFile, Sorter]:
    """Check the job file before a state is made, but look into a state that is there under its lock."""
    journal = _journal(config, state, run, "") if state.checkpoint.exists() else None
    if journal is not None:
        stack.callback(journal.close)
    jobs, sorter = _check(config, FinishedIndex() if journal is None else journal.finished)
    if journal is None:
        journal = _journal(config, state, run, jobs.sha256)
        stack.callback(journal.close)
        if len(journal.finished):
            # Another run came and went between our look and our lock.
            jobs, sorter = _check(config, journal.finished)
    return journal, jobs, sorter


def _journal(config: RunConfig, state: StateDir, run: str, sha256: str) -> Journal:
    settings = repr((config.flags, sorted(config.backends.items()), config.retry, config.stream))
    hashed = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return Journal.open(state, Header(run, sha256, hashed, timestamp()))


def _check(config: RunConfig, index: FinishedIndex) -> tuple[JobFile, Sorter]:
    sorter = Sorter(index)
    jobs = check_jobs(config.jobs, config.flags, frozenset(config.backends), sorter.is_pending, config.selection)
    return jobs, sorter


def _is_simulated(state: StateDir) -> bool | None:
    """Whether the answers in this state come from the embedded provider; None while nobody has asked anything."""
    first = next(iter(read_runs(state)), None)
    return None if first is None else first.start.simulated


def _mixed(state: StateDir, config: RunConfig) -> str:
    if config.simulate:
        return f"{state.path} holds real answers; to simulate, give another place with --state DIR"
    remedy = f"for real ones remove it (rm -r {str(state.path)!r}) or give another place with --state DIR"
    return f"{state.path} holds answers of the embedded provider, made with --simulate; {remedy}"
