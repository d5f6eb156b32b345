"""The first half of `run`: check the job file, take the lock, see what is pending. Sends nothing.

What sends stands in `sending.py` and is imported only when there is something to send: a run with nothing pending needs
no credentials and costs no second for the SDK.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from batchrun import __version__
from batchrun.config import RunConfig
from batchrun.ending import Ending, exit_code
from batchrun.errors import (
    BatchrunError,
    ChangedJobsError,
    ConfigError,
    JobFileUnreadable,
    JournalError,
    NoRunError,
)
from batchrun.item import timestamp
from batchrun.jobs.job import way_to
from batchrun.jobs.reader import JobFile, Reading, check_jobs
from batchrun.jobs.spool import check_place, spool
from batchrun.journal.finished import FinishedIndex
from batchrun.journal.kept import kept_answer, result_in
from batchrun.journal.reader import read_header
from batchrun.journal.record import Header
from batchrun.journal.runs import RunEnd, RunStart, read_runs, record_end, record_start
from batchrun.journal.state import StateDir
from batchrun.journal.writer import Journal
from batchrun.masking import masked
from batchrun.outcome import Status
from batchrun.plural import agreed, counted
from batchrun.providers.provider import Wire
from batchrun.reload import Reload, signal_to
from batchrun.report.invocation import discreet
from batchrun.sinks.chain import build_sink
from batchrun.sorter import Changed, Sorter, Wishes, retry_before, stopped_retry
from batchrun.stop import StopSwitch, signals_to
from batchrun.stream.stop_rule import BadStopWhen, parse_stop_when
from batchrun.teller import Teller


def launch(config: RunConfig, teller: Teller, reread: Callable[[], RunConfig] | None = None) -> Ending:
    """Run what is pending. `reread` resolves the options once more, for a file that is changed meanwhile.

    Raises:
        BatchrunError: before anything was sent, or because the state cannot be written any more.
    """
    if _is_directory(config.jobs):
        raise JobFileUnreadable(f"{config.jobs}: is a directory; name the job file in it")
    check_place(config.jobs, config.state)
    state = StateDir(config.state) if config.state is not None else StateDir.for_jobs(config.jobs)
    run = f"{timestamp()[:19].replace(':', '')}Z-{secrets.token_hex(3)}"
    stop, reload = StopSwitch(), Reload(reread)
    with ExitStack() as stack:
        stack.enter_context(signals_to(stop))
        stack.enter_context(signal_to(reload))
        journal, jobs, sorter, notes = _open(config, state, run, stack)
        for notice in journal.notices:
            teller.say(notice)
        for note in notes:
            teller.note(note)
        header = read_header(state)
        is_simulated = config.simulate if header is None else header.simulated
        if jobs.pending_count and is_simulated != config.simulate:
            raise ConfigError(_mixed(state, config))
        seen = {str(status): sorter.finished[status] for status in Status}
        counted = _counted(config, sorter, jobs)
        code, nothing = exit_code(counted, config.accept, set()), dict.fromkeys(seen, 0)
        changed = tuple(sorter.changed)
        counts = (jobs.total, seen, nothing, changed, is_simulated)
        ending = Ending(state, code, *counts, given_up=sorter.given_up, counted=counted)
        limited = not config.selection.only and ending.pending > jobs.pending_count
        start = _start(config, jobs, run, state, simulated=is_simulated, limited=limited)
        if not jobs.pending_count:
            if not config.selection.only:  # which tells nothing of the other items
                _note_look(state, start, ending)
            return ending
        sink = build_sink(config.sinks)  # what is wrong with it is told before anything has begun
        from batchrun.sending import Told, send  # noqa: PLC0415 - see above

        return send(config, jobs, journal, Told(ending, start, teller, stop, reload, sink))


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # where we may not look, whoever reads the file says so


def _open(config: RunConfig, state: StateDir, run: str, stack: ExitStack) -> tuple[Journal, JobFile, Sorter, list[str]]:
    """Check the job file before a state is made, but look into a state that is there under its lock."""
    journal = _journal(config, state, run, "") if state.is_begun() else None
    if journal is not None:
        stack.callback(journal.close)
    jobs, sorter, notes = _check(config, state, FinishedIndex() if journal is None else journal.finished)
    if journal is None:
        journal = _journal(config, state, run, jobs.sha256)
        stack.callback(journal.close)
        if len(journal.finished):
            # Another run came and went between our look and our lock.
            jobs, sorter, notes = _check(config, state, journal.finished)
    return journal, jobs, sorter, notes


def _journal(config: RunConfig, state: StateDir, run: str, sha256: str) -> Journal:
    settings = repr((config.flags, sorted(config.backends.items()), config.retry, config.stream))
    hashed = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return Journal.open(state, Header(run, sha256, hashed, timestamp(), config.simulate))


def _check(config: RunConfig, state: StateDir, index: FinishedIndex) -> tuple[JobFile, Sorter, list[str]]:
    retry = retry_before(read_runs(state), config.again, _size_of(state.results)) if config.again else 0
    wishes = Wishes(config.changed, config.again, retry)
    sorter = Sorter(index, wishes, partial(_cause_at, state), partial(_is_kept_at, state), config.selection.only)
    speeches = {name: backend.speech for name, backend in config.backends.items()}
    laid = spool(config.jobs, state, None if sys.stdin is None else sys.stdin.buffer)
    try:
        is_pending = sorter.is_pending
        is_kept = partial(_is_kept, state, index)
        reading = Reading(laid.shown, _fault_of_stop_when, sorter.pending_among, index, is_kept, state.checked)
        jobs = check_jobs(laid.path, config.flags, speeches, is_pending, config.selection, reading)
    except BatchrunError:
        laid.discard()
        raise
    if sorter.changed and config.changed is Changed.FAIL:
        laid.discard()
        raise ChangedJobsError(_changed(sorter.changed, config))
    told = [notice for notice in (laid.notice, jobs.prefills.notice(), _as_chat(config, jobs)) if notice]
    return jobs, sorter, [*told, *_pending_again(sorter, config)]


def _counted(config: RunConfig, sorter: Sorter, jobs: JobFile) -> dict[str, int]:
    """Those of the finished items by which the run is judged: all, unless it was asked for some only. With nothing left
    to limit it tells how the batch stands."""
    if config.selection.only:
        return dict(sorter.wanting)
    return {} if config.selection.limit is not None and jobs.pending_count else dict(sorter.finished)


def _pending_again(sorter: Sorter, config: RunConfig) -> list[str]:
    if not sorter.pending_again:
        return []
    flags = [f"--retry {','.join(sorted(config.again))}"] if config.again else []
    flags += [f"--changed {config.changed}"] if config.changed is Changed.ASK else []
    items = counted(sorter.pending_again, "finished item is", "finished items are")
    # Not "asked": of some the answer is there and is only delivered, and with --limit others stay for a later run.
    return [f"{items} pending again ({', '.join(flags)})"]


def _as_chat(config: RunConfig, jobs: JobFile) -> str | None:
    """What a simulated run does with lines of chat completions that a real one does not do by itself."""
    name = config.flags.chat_backend
    if name is None or name not in jobs.pending:
        return None
    chats = [each.speech for each in config.backends.values() if each.provider.base_url is not None]
    real = f"a real run translates them for {config.flags.backend}; {way_to(Wire.CHAT, chats)} to send them as they are"
    return f"lines in OpenAI's form are asked as they are, by the name of {name}; {real}"


def _is_kept(state: StateDir, index: FinishedIndex, id: str, request: str) -> bool:
    place = index.failed_at(id, request)
    return place is not None and kept_answer(state.results, id, place) is not None


def _cause_at(state: StateDir, id: str, place: tuple[int, int]) -> str | None:
    error = (result_in(state.results, id, place) or {}).get("error")
    return error.get("cause") if isinstance(error, dict) else None


def _is_kept_at(state: StateDir, id: str, place: tuple[int, int]) -> bool:
    return kept_answer(state.results, id, place) is not None


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _changed(ids: list[str], config: RunConfig) -> str:
    some = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
    asks = counted(len(ids), "of its finished items asks", "of its finished items ask")
    which = f"{config.jobs}: {asks} something else now ({some})"
    kept = agreed(len(ids), "its answer", "their answers")
    return f"{which}; nothing was sent. Keep {kept} with --changed keep, or ask again with --changed ask"


def _fault_of_stop_when(asked: object) -> tuple[str, str] | None:
    try:
        parse_stop_when(asked)
    except BadStopWhen as fault:
        return fault.what, fault.remedy
    return None


def _start(config: RunConfig, jobs: JobFile, run: str, state: StateDir, *, simulated: bool, limited: bool) -> RunStart:
    return RunStart(
        run=run,
        started=timestamp(),
        pid=os.getpid(),
        host=socket.gethostname(),
        version=__version__,
        jobs=str(config.jobs.absolute()),
        jobs_sha256=jobs.sha256,
        args=discreet(sys.argv[1:], partial(masked, environment=os.environ)),
        total=jobs.total,
        pending=jobs.pending_count,
        model=", ".join(sorted(jobs.models)),
        simulated=simulated,
        cwd=str(Path.cwd()),
        retry=sorted(config.again),
        results_size=_size_of(state.results),
        limited=limited,
    )


def _note_look(state: StateDir, start: RunStart, ending: Ending) -> None:
    """Leave a start and an end where the job file is not the one that the newest run had, or where nothing is left of
    what a run that was stopped asked again: else the report would go on asking for a run that sees it. Not otherwise,
    for cron may start us every five minutes, for years."""
    # Nothing is lost with it: a disk that refuses is told by the next run that has something to write.
    with suppress(JournalError, NoRunError):
        runs = read_runs(state)
        is_known = bool(runs) and runs[-1].start.jobs_sha256 == start.jobs_sha256
        if is_known and not stopped_retry(runs, frozenset(start.retry)):
            return
        record_start(state, start)
        counts = ending.now | {"changed": len(ending.changed)}
        record_end(state, RunEnd(start.run, timestamp(), int(ending.exit_code), "nothing pending", counts, {}))


def _mixed(state: StateDir, config: RunConfig) -> str:
    if config.simulate:
        return f"{state.path} holds records of a real run; to simulate, give another place with --state DIR"
    remedy = f"for real ones remove it (rm -r {str(state.path)!r}) or give another place with --state DIR"
    return f"{state.path} holds records of a run with --simulate; {remedy}"
