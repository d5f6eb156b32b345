"""What a run tells of itself while it goes on: a telemetry line per period, and the snapshot that `status` reads.

Told, not acted upon: nothing here changes the run. Telemetry is not fsync'd; a line lost in a power cut costs nothing.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import orjson

from batchrun.errors import JournalError
from batchrun.gate.load import Load
from batchrun.item import timestamp
from batchrun.journal.disk import DISK, Disk, write_all
from batchrun.journal.since import seek_before
from batchrun.tally import View

SNAPSHOT_SCHEMA = "batchrun.snapshot/1"
KEPT_DAYS = 28  # the report looks at one night, and a month is what anybody compares it with
SLACK_DAYS = 7  # so that the file is written anew once a week at most
WORTH_TRIMMING = 64 << 20  # bytes: about a week of nights of eight hours; less is in nobody's way
_CHUNK = 1 << 20


class TelemetryLog:
    """Appends lines to telemetry.jsonl; opened once for the whole run."""

    def __init__(self, path: Path, run: str) -> None:
        self._path = path
        self._run = run
        self._fd = -1

    def __repr__(self) -> str:
        return f"<TelemetryLog {self._path}>"

    def __enter__(self) -> Self:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            self._fd = os.open(self._path, flags, 0o600)
        except OSError as exc:
            raise JournalError(f"{self._path}: cannot be opened ({exc.strerror}); check its owner") from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def append(self, view: View, load: Load, lag_ms: float) -> None:
        """Write one line. A full disk loses the line and nothing else: the journal will say so soon enough."""
        line = orjson.dumps(telemetry_line(self._run, view, load, lag_ms), option=orjson.OPT_APPEND_NEWLINE)
        with contextlib.suppress(OSError):
            written = os.write(self._fd, line)
            # After a short write (a disk that is almost full) the next line must not be glued to the stub.
            if written < len(line):
                os.write(self._fd, b"\n")


def forget_old(path: Path, now: datetime, disk: Disk = DISK, worth: int = WORTH_TRIMMING) -> None:
    """Drop the lines of weeks ago from a large file. The caller holds the lock. Readers that have it open go on with
    the old one; a kill leaves the old one or the new one; trouble leaves the old one, and is nobody's error."""
    draft = path.with_name(f"{path.name}.new")
    with contextlib.suppress(OSError):
        # By its size first: a named pipe has none, and to open it would wait for somebody at its other end.
        if path.stat().st_size > worth:
            _forget_old(path, now, disk, draft)


def _forget_old(path: Path, now: datetime, disk: Disk, draft: Path) -> None:
    with path.open("rb") as old:
        first = _stamp_of(old.readline())
        if first is not None and first >= timestamp(now - timedelta(days=KEPT_DAYS + SLACK_DAYS)):
            return
        old.seek(_begin_of(old, timestamp(now - timedelta(days=KEPT_DAYS))))
        try:
            _copy(old, draft, disk)
            disk.replace(draft, path)
            disk.sync_directory(path.parent)
        except OSError:
            disk.remove(draft)


def _copy(old: BinaryIO, draft: Path, disk: Disk) -> None:
    fd = disk.open_new(draft)
    try:
        while chunk := old.read(_CHUNK):
            _, refusal = write_all(disk, fd, chunk)
            if refusal is not None:
                raise refusal
        disk.sync(fd)
    finally:
        disk.close(fd)


def _begin_of(file: BinaryIO, since: str) -> int:
    """Where the first line begins that is not older; the lines stand in the order of time."""
    begin = seek_before(file, since, _stamp_of)
    for line in file:
        stamp = _stamp_of(line)
        if stamp is not None and stamp >= since:
            break
        begin += len(line)
    return begin


def _stamp_of(line: bytes) -> str | None:
    try:
        stamp = orjson.loads(line)["t"]
    except (ValueError, KeyError, TypeError):
        return None
    return stamp if isinstance(stamp, str) else None


def telemetry_line(run: str, view: View, load: Load, lag_ms: float) -> dict[str, Any]:
    """One period; `done` and `failed` are of the whole job file, `retries` and `spent` of the run so far, `tok_s` of
    the period."""
    return {
        "t": timestamp(),
        "run": run,
        "cpu": round(load.cpu, 1),
        "cpu_ewma": None if load.cpu_ewma is None else round(load.cpu_ewma, 1),
        "proc_cpu": round(load.proc_cpu, 1),
        "loop_lag_ms": round(lag_ms, 1),
        "rss_mb": round(load.rss_mb, 1),
        "cpu_mhz": None if load.cpu_mhz is None else round(load.cpu_mhz),
        "temp_c": load.temp_c,
        "done": view.finished["done"],
        "failed": view.finished["failed"],
        "tok_s": round(view.tok_s, 1),
        "retries": view.retries,
        "retried": view.retried,
        "wasted_tokens": view.wasted_tokens,
        "spent": view.spent.told(),
        "with_sinks": view.with_sinks,
        "gates": view.gates,
    }


def snapshot(view: View, facts: dict[str, Any], ended: dict[str, Any] | None = None) -> dict[str, Any]:
    """What status.json holds. `facts` are those that stay the same all along the run; `ended` gives exit_code and
    reason."""
    spent = view.spent.told()
    return {
        "schema": SNAPSHOT_SCHEMA,
        **facts,
        "t": timestamp(),
        "total": view.total,
        **view.finished,
        "pending": view.pending,
        "in_flight": view.in_flight,
        "backing_off": view.backing_off,
        "with_sinks": view.with_sinks,
        "again": view.again,
        "kept": view.kept,
        "given_up": asdict(view.given_up),
        "retries": view.retries,
        "gates": view.gates,
        "cpu": view.cpu,
        "cpu_ewma": view.cpu_ewma,
        "tok_s": round(view.tok_s, 1),
        "eta_s": None if view.eta_s is None else round(view.eta_s),
        "cost_usd": spent["usd"],
        "spent": spent,
        "last_error": view.last_error,
        "ended": ended is not None,
        **(ended or {"exit_code": None, "reason": view.stopping}),
    }
