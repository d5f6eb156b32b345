"""Packed jobs and jobs on standard input: a plain file in the state, whole or not there."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.errors import ExitCode, JobFileError, JobFileUnreadable, JournalError, UsageError
from batchrun.jobs.gunzip import BadGzip, gunzip
from batchrun.jobs.reader import Reading, check_jobs
from batchrun.jobs.spool import Spooled, check_place, is_stdin, spool, spooled
from batchrun.journal.state import StateDir
from tests.jobs.lines import BACKENDS, FLAGS, encoded, everything, simple

STDIN = Path("-")


def lines(*names: str) -> bytes:
    return b"".join(encoded(simple(id=name)) + b"\n" for name in names)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(tmp_path / "jobs.batchrun")


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.jsonl.gz"
    path.write_bytes(gzip.compress(lines("a", "b")))
    return path


@dataclass
class Terminal(io.BytesIO):
    """Standard input that a person sits at: reading from it would wait."""

    def isatty(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        raise AssertionError("somebody waits for a person to type")


def piped(content: bytes, state: StateDir) -> Spooled:
    return spool(STDIN, state, io.BytesIO(content))


def files(state: StateDir) -> list[str]:
    return sorted(path.name for path in state.path.iterdir()) if state.path.exists() else []


# -- packed files ------------------------------------------------------------------------------------------------------


def test_a_plain_file_stays_where_it_is(tmp_path: Path, state: StateDir) -> None:
    """Nothing is copied, no directory is made."""
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(lines("a"))
    assert spool(path, state, None) == Spooled(path, str(path))
    assert not state.path.exists()


def test_a_packed_file_is_read_like_a_plain_one(packed: Path, state: StateDir) -> None:
    """Lines are found again by their offset, and the state keeps them from other eyes."""
    found = spool(packed, state, None)
    assert found.path.read_bytes() == lines("a", "b")
    assert (found.path.parent, found.shown) == (state.path, str(packed))
    assert found.path.stat().st_mode & 0o777 == 0o600
    assert state.path.stat().st_mode & 0o777 == 0o700
    file = check_jobs(found.path, FLAGS, BACKENDS, everything)
    assert [job.id for job in file.jobs("claude")] == ["a", "b"]


def test_what_is_packed_is_told_by_its_bytes(tmp_path: Path, state: StateDir) -> None:
    """Not by its name: a download may be one without looking like it, or look like it without being one."""
    disguised, unpacked = tmp_path / "jobs.jsonl", tmp_path / "plain.jsonl.gz"
    disguised.write_bytes(gzip.compress(lines("a")))
    unpacked.write_bytes(lines("b"))
    assert spool(disguised, state, None).path.read_bytes() == lines("a")
    assert spool(unpacked, state, None).path == unpacked


def test_a_file_that_has_not_changed_is_not_unpacked_again(packed: Path, state: StateDir) -> None:
    """Touched, copied over itself or moved: what counts is what is in it."""
    first = spool(packed, state, None)
    before = first.path.stat()
    os.utime(packed)
    again = spool(packed.rename(packed.with_name("other.gz")), state, None)
    after = again.path.stat()
    assert (again.path, after.st_ino, again.made) == (first.path, before.st_ino, ())


def test_a_file_that_has_changed_is_unpacked_again(packed: Path, state: StateDir) -> None:
    """Even where size and time are the same; the old copy makes room."""
    stamp = packed.stat().st_mtime_ns
    first = spool(packed, state, None)
    packed.write_bytes(gzip.compress(lines("a", "c")))
    os.utime(packed, ns=(stamp, stamp))
    assert spool(packed, state, None).path.read_bytes() == lines("a", "c")
    assert not first.path.exists()
    assert len(files(state)) == 1


@pytest.mark.parametrize("kept", [1, 11, 40, -9, -1])
def test_a_packed_file_that_is_cut_off_is_at_fault(packed: Path, state: StateDir, kept: int) -> None:
    """Exit 65 with the file, the line and what to do, and nothing is left: half a night must not pass for one."""
    packed.write_bytes(packed.read_bytes()[: max(kept, 3) if kept > 0 else kept])
    with pytest.raises(
        JobFileError, match=r"jobs.jsonl.gz:\d: the gzip data end in the middle; copy or compress"
    ) as bad:
        spool(packed, state, None)
    assert bad.value.exit_code is ExitCode.BAD_JOB_FILE
    assert not state.path.exists()


def test_an_empty_packed_file_is_at_fault(packed: Path, state: StateDir) -> None:
    """What a download leaves that never began is not a night with nothing to do."""
    packed.write_bytes(b"")
    with pytest.raises(JobFileError, match="the file is empty, not even gzip"):
        spool(packed, state, None)


def test_a_damaged_packed_file_is_at_fault(packed: Path, state: StateDir) -> None:
    """One bit is enough: the checksum tells."""
    content = bytearray(packed.read_bytes())
    content[-6] ^= 1
    packed.write_bytes(content)
    with pytest.raises(JobFileError, match="the gzip data are damaged"):
        spool(packed, state, None)


def test_a_cut_off_file_leaves_the_copy_of_the_last_run(packed: Path, state: StateDir) -> None:
    """A failed update takes nothing away from who only looks."""
    first = spool(packed, state, None)
    packed.write_bytes(gzip.compress(lines("a", "c"))[:-4])
    with pytest.raises(JobFileError):
        spool(packed, state, None)
    assert files(state) == [first.path.name]


def test_memory_does_not_grow_with_what_is_unpacked(tmp_path: Path, state: StateDir) -> None:
    """64 MB that pack into 64 KB."""
    path = tmp_path / "jobs.gz"
    with gzip.open(path, "wb") as out:
        for _ in range(64):
            out.write(b" " * (1 << 20))
    tracemalloc.start()
    try:
        spool(path, state, None)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20


@given(
    parts=st.lists(st.binary(max_size=50), min_size=1, max_size=4), size=st.integers(1, 40), padding=st.integers(0, 9)
)
def test_gzip_is_unpacked_however_it_is_cut(parts: list[bytes], size: int, padding: int) -> None:
    """Several members one after the other, padded, in blocks of any size."""
    packed = b"".join(gzip.compress(part) for part in parts) + b"\0" * padding
    blocks = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert b"".join(gunzip(blocks)) == b"".join(parts)


def test_gzip_that_ends_anywhere_is_not_whole() -> None:
    """Cut at every offset, the end of the first member excepted."""
    packed = gzip.compress(b"some text", mtime=0)
    for end in range(1, len(packed)):
        with pytest.raises(BadGzip):
            list(gunzip([packed[:end]]))


def test_rubbish_after_a_member_is_damage() -> None:
    """Only NULs may follow."""
    with pytest.raises(BadGzip, match="damaged"):
        list(gunzip([gzip.compress(b"x") + b"\0\0rubbish"]))


# -- standard input ----------------------------------------------------------------------------------------------------


def test_jobs_on_standard_input_need_a_state(tmp_path: Path) -> None:
    """Exit 2 with the words: without a place that has a name, no run could go on."""
    with pytest.raises(UsageError, match="add --state DIR"):
        check_place(STDIN, None)
    check_place(STDIN, tmp_path)
    check_place(tmp_path / "jobs.jsonl", None)
    assert [is_stdin(path) for path in (STDIN, STDIN.absolute(), tmp_path)] == [True, True, False]


def test_standard_input_is_laid_down_in_the_state(state: StateDir) -> None:
    """Its faults are told under the name that the user gave it."""
    found = piped(b"not json\n", state)
    assert (found.path.parent, found.shown, found.notice) == (state.path, "-", None)
    with pytest.raises(JobFileError, match=r"^-:1: not JSON"):
        check_jobs(found.path, FLAGS, BACKENDS, everything, reading=Reading(shown=found.shown))


@pytest.mark.parametrize("content", [b"", lines("a", "b")], ids=["empty", "the same"])
def test_the_next_run_goes_on_with_the_same_jobs(state: StateDir, content: bytes) -> None:
    """From cron, where standard input is empty, and from a pipe that says the same again."""
    first = piped(lines("a", "b"), state)
    again = piped(content, state)
    assert (again.path, again.notice, again.made) == (first.path, None, ())
    assert files(state) == [first.path.name]


def test_a_closed_standard_input_is_an_empty_one(state: StateDir) -> None:
    """A daemon has none at all."""
    first = piped(lines("a"), state)
    assert spool(STDIN, state, None).path == first.path


def test_a_terminal_is_not_waited_for(state: StateDir) -> None:
    """A run that goes on asks nobody to type; a first one says what to do."""
    with pytest.raises(UsageError, match="standard input is a terminal; pipe the jobs in"):
        spool(STDIN, state, Terminal())
    first = piped(lines("a"), state)
    assert spool(STDIN, state, Terminal()).path == first.path


def test_nothing_on_standard_input_is_no_night(state: StateDir) -> None:
    """Exit 66: the command before the pipe has failed, and success would hide it. No state is made."""
    with pytest.raises(JobFileUnreadable, match="nothing came on standard input") as empty:
        piped(b"", state)
    assert empty.value.exit_code is ExitCode.NO_INPUT
    assert not state.path.exists()


def test_other_jobs_on_standard_input_are_told(state: StateDir) -> None:
    """What was pending stands nowhere else, so the jobs before are kept, once."""
    first, second = piped(lines("a"), state), piped(lines("b"), state)
    assert second.notice is not None
    assert str(first.path) in second.notice
    assert second.path.read_bytes() == lines("b")
    third = piped(lines("c"), state)
    assert files(state) == sorted([second.path.name, third.path.name])
    assert piped(b"", state).path == third.path


def test_jobs_that_come_back_are_the_newest_again(state: StateDir) -> None:
    """What the last run read is what the next one goes on with."""
    first = piped(lines("a"), state)
    piped(lines("b"), state)
    assert piped(lines("a"), state).path == first.path
    assert piped(b"", state).path == first.path


def test_standard_input_may_be_packed(state: StateDir) -> None:
    """`cat jobs.gz | batchrun run -`; cut off, the fault is where the data came from."""
    packed = gzip.compress(lines("a"))
    assert piped(packed, state).path.read_bytes() == lines("a")
    with pytest.raises(JobFileError, match=r"^-:2: the gzip data end in the middle; look at what the command before"):
        piped(packed[:-1], state)


def test_jobs_at_fault_leave_nothing_behind(packed: Path, state: StateDir) -> None:
    """The state is made for good jobs only; a copy that was there before stays."""
    spool(packed, state, None).discard()
    assert not state.path.exists()
    first = piped(lines("a"), state)
    piped(lines("a"), state).discard()
    assert first.path.exists()
    piped(lines("b"), state).discard()
    assert files(state) == [first.path.name]


# -- the disk ----------------------------------------------------------------------------------------------------------


def refuses(fd: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_is_told_and_leaves_no_half_copy(packed: Path, state: StateDir) -> None:
    """Exit 74 with what to do."""
    with pytest.raises(JournalError, match="No space left on device; free some space") as full:
        spool(packed, state, None, refuses)
    assert full.value.exit_code is ExitCode.IO_ERROR
    assert not state.path.exists()


def test_a_copy_is_durable_before_it_has_its_name(state: StateDir) -> None:
    """After a power cut standard input is gone: what stands under the name must be whole."""
    seen: list[tuple[int, list[str]]] = []

    def sync(fd: int) -> None:
        seen.append((os.fstat(fd).st_size, files(state)))

    spool(STDIN, state, io.BytesIO(lines("a")), sync)
    assert seen == [(len(lines("a")), [f"jobs.{os.getpid()}.new"])]


def test_drafts_of_the_dead_are_removed(state: StateDir) -> None:
    """A run that was killed while it unpacked leaves no gigabytes; that of a living one is its own."""
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    state.create()
    left, alive = state.path / f"jobs.{int(dead.stdout)}.new", state.path / f"jobs.{os.getppid()}.new"
    for draft in (left, alive):
        draft.write_bytes(b"half")
    piped(lines("a"), state)
    assert (left.exists(), alive.exists()) == (False, True)


# -- who only looks ----------------------------------------------------------------------------------------------------


def plain(directory: Path) -> Path:
    path = directory / "plain.jsonl"
    path.write_bytes(lines("a"))
    return path


def zipped(directory: Path) -> Path:
    path = directory / "packed.jsonl.gz"
    path.write_bytes(gzip.compress(lines("a")))
    return path


@pytest.mark.parametrize("make", [zipped, lambda _: STDIN], ids=["packed", "standard input"])
def test_who_only_looks_reads_what_the_run_read(tmp_path: Path, state: StateDir, make: Callable[[Path], Path]) -> None:
    """Nothing is unpacked or waited for; before a run there is nothing to read, and that is said."""
    jobs = make(tmp_path)
    with pytest.raises(JobFileUnreadable, match=r"run it first|check --state"):
        spooled(jobs, state.path)
    found = spool(jobs, state, io.BytesIO(lines("a")))
    assert spooled(jobs, state.path) == found.path


def test_who_only_looks_reads_a_plain_file_itself(tmp_path: Path, state: StateDir) -> None:
    """Whatever else lies in the state."""
    piped(lines("b"), state)
    path = plain(tmp_path)
    assert spooled(path, state.path) == path
    path.unlink()
    with pytest.raises(JobFileUnreadable, match="there is no such file"):
        spooled(path, state.path)


def test_a_packed_file_may_be_gone_in_the_morning(tmp_path: Path, state: StateDir) -> None:
    """Its copy is still there."""
    path = zipped(tmp_path)
    found = spool(path, state, None)
    path.unlink()
    assert spooled(path, state.path) == found.path
