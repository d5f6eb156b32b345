"""Journals with one step missing, as they can be had without touching the code: what they do not ask of the disk, and
what they leave out of a start. The model has to find each of them out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from batchrun.journal import mend, recovery, scan
from batchrun.journal.log import Log
from batchrun.journal.survey import Claims, Stretches, Survey
from tests.journal.crash.stage import RecorderThatHoldsTheWriter


class NeverSyncsDirectories(RecorderThatHoldsTheWriter):
    def sync_directory(self, path: Path) -> None:
        pass


class WritesCheckpointsBeforeAnswersAreSafe(RecorderThatHoldsTheWriter):
    def sync(self, fd: int) -> None:
        if self.name_of(fd) != "results.jsonl":
            super().sync(fd)


class RenamesWhatIsNotSafe(RecorderThatHoldsTheWriter):
    def sync(self, fd: int) -> None:
        if not self.name_of(fd).endswith(".new"):
            super().sync(fd)


class ReliesOnThePageCache(RecorderThatHoldsTheWriter):
    """Takes what it reads in results.jsonl for safe: a start syncs nothing of it."""

    _is_starting = False

    def open_log(self, path: Path) -> int:
        self._is_starting = True
        return super().open_log(path)

    def write(self, fd: int, data: bytes | memoryview) -> int:
        self._is_starting = self._is_starting and self.name_of(fd) != "results.jsonl"
        return super().write(fd, data)

    def sync(self, fd: int) -> None:
        if not self._is_starting or self.name_of(fd) != "results.jsonl":
            super().sync(fd)


def appends_to_a_torn_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "_end_whole", lambda *_: None)


def gives_no_newline_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "ends_whole", lambda _: True)


def adopts_nothing(patch: pytest.MonkeyPatch) -> None:
    def adopt(_: Survey, results: Log, *__: object) -> Stretches:
        return Stretches(results.size)

    patch.setattr(recovery, "_adopt", adopt)


def adopts_what_has_its_checkpoint(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Claims, "holes", lambda _, size: [(0, size)])


def goes_on_after_a_failed_sync(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recovery, "renew_if_distrusted", lambda *_: False)


def never_asks_the_crc(patch: pytest.MonkeyPatch) -> None:
    for room in (scan, recovery):
        patch.setattr(room, "is_sealed", lambda _: True)
    patch.setattr(scan, "is_sealed_line", lambda line: line.endswith(b"\n"))


def throws_away_what_it_cuts(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mend.Aside, "keep", lambda *_: None)


# Each with the workloads that show its mistake, by how their names begin.
MISTAKEN_DISKS: list[tuple[type[RecorderThatHoldsTheWriter], str]] = [
    (NeverSyncsDirectories, "first_run"),
    (WritesCheckpointsBeforeAnswersAreSafe, "first_run"),
    (RenamesWhatIsNotSafe, "distrusted"),
    (ReliesOnThePageCache, "nothing, killed"),
]
MISTAKEN_STARTS: list[tuple[Callable[[pytest.MonkeyPatch], None], str]] = [
    (appends_to_a_torn_end, "torn_ends"),
    (gives_no_newline_back, "many_at_once"),
    (adopts_nothing, "adoption"),
    (adopts_what_has_its_checkpoint, "resume"),
    (goes_on_after_a_failed_sync, "sync"),
    (never_asks_the_crc, "first_run"),
    (throws_away_what_it_cuts, "torn_ends"),
]
