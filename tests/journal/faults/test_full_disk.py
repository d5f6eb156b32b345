"""Disks that are full, read-only or somebody else's: the contract's exit code, what to do, and nothing lost."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchrun.errors import ExitCode
from batchrun.journal.record import encode_result
from batchrun.journal.state import StateDir
from tests.journal.builders import ids, state_in, write
from tests.journal.crash.files import read_back
from tests.journal.crash.inspection import Crashed, Inspector
from tests.journal.crash.parts import memory
from tests.journal.faults.mounts import mounted
from tests.journal.faults.nursery import Nursery, Order, Reply, jobs, nursery

ITEMS = 30  # about 14 KB of results, and 13 KB of checkpoints
OURS = {encode_result(job): job for job in jobs(ITEMS)}
NOBODY = 65534
REFUSED = (ExitCode.CANNOT_CREATE, ExitCode.IO_ERROR)


@pytest.fixture(scope="module")
def nights() -> Iterator[Nursery]:
    with nursery() as process:
        yield process


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory into which anybody may look."""
    with tempfile.TemporaryDirectory(dir=memory()) as made:
        Path(made).chmod(0o755)
        yield Path(made)


def assert_kept_and_resumable(nights: Nursery, state: StateDir, reply: Reply, place: Path) -> None:
    """What was told to be finished is there for a start on a copy, and the next night finishes the rest."""
    told = frozenset(line for line, job in OURS.items() if job.id in reply.finished)
    left = read_back(state.path) if state.path.exists() else {}
    assert Inspector(place / "inspected").violations(Crashed(left, told, OURS)) == []
    resumed = nights.night(Order(str(state.path), ITEMS))
    assert resumed.exit == 0, resumed.said
    assert sorted(ids(state)) == sorted(job.id for job in jobs(ITEMS))


@pytest.mark.parametrize("limit", [0, 50, 150, 200, 300, *range(500, 14_000, 800)])
def test_a_limit_on_file_sizes_is_survived(nights: Nursery, place: Path, limit: int) -> None:
    """Whatever it cuts off: exit 73 where nothing can be begun, else 74; the message names the limit (ulimit -f)."""
    state = StateDir(place / "jobs.batchrun")
    reply = nights.night(Order(str(state.path), ITEMS, file_limit=limit))
    assert reply.exit == (ExitCode.CANNOT_CREATE if limit < 150 else ExitCode.IO_ERROR), reply.said
    assert "File too large" in reply.said
    assert "ulimit -f" in reply.said
    assert "Traceback" not in reply.said
    assert_kept_and_resumable(nights, state, reply, place)


def test_a_file_system_that_fills_up_is_survived(nights: Nursery, place: Path) -> None:
    """At each size from one page to enough; when there is room again the next start goes on."""
    refused = []
    for pages in range(1, 14):
        with mounted(place / f"{pages} pages", f"size={pages * 4}k") as small:
            state = StateDir(small.path / "jobs.batchrun")
            reply = nights.night(Order(str(state.path), ITEMS))
            if reply.exit != 0:
                refused.append(pages)
                assert reply.exit in REFUSED, reply.said
                assert "No space left on device" in reply.said
                assert "free some space" in reply.said
            small.change("size=1m")
            inspected = place / f"inspected at {pages}"
            inspected.mkdir()
            assert_kept_and_resumable(nights, state, reply, inspected)
    assert refused == list(range(1, 9))


def test_a_read_only_file_system_is_told(nights: Nursery, place: Path) -> None:
    """Before anything is begun and with a state that stands there: exit 73; writable again, the run goes on."""
    with mounted(place / "disk", "size=1m,ro") as disk:
        state = StateDir(disk.path / "jobs.batchrun")
        for is_begun in (False, True):
            reply = nights.night(Order(str(state.path), ITEMS))
            assert reply.exit == ExitCode.CANNOT_CREATE
            assert "Read-only file system" in reply.said
            assert "mount the file system writable" in reply.said
            disk.change("rw")
            if is_begun:
                assert_kept_and_resumable(nights, state, reply, place)
            else:
                state.create()
                write(state, *jobs(3))
                disk.change("ro")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become nobody")
@pytest.mark.parametrize("belongs", ["the parent", "the directory", "the lock", "the results", "the checkpoints"])
def test_what_belongs_to_another_user_is_told(nights: Nursery, place: Path, belongs: str) -> None:
    """As after a single `sudo batchrun run`: no traceback, and made ours again the run goes on."""
    if belongs != "the parent":
        state = state_in(place)
        write(state, *jobs(3))
        state.lock.touch(mode=0o600)
        owned = {"the directory": [], "the lock": [state.results, state.checkpoint, state.path]}
        owned |= {"the results": [state.checkpoint, state.lock, state.path]}
        owned |= {"the checkpoints": [state.results, state.lock, state.path]}
        for path in owned[belongs]:
            os.chown(path, NOBODY, NOBODY)
    state = StateDir(place / "jobs.batchrun")
    reply = nights.night(Order(str(state.path), ITEMS, user=NOBODY))
    assert reply.exit in REFUSED, reply.said
    assert "Permission denied" in reply.said
    assert "yours to write" in reply.said
    assert "Traceback" not in reply.said
    assert_kept_and_resumable(nights, state, reply, place)
