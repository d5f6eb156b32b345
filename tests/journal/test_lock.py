"""One run at a time; the others know at once, and know by whom."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import pytest

from batchrun.errors import ExitCode, LockHeldError, StateError
from batchrun.journal import lock
from batchrun.journal.lock import Lock, is_running, read_holder
from batchrun.journal.state import StateDir
from tests.journal.builders import state_in

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return state_in(tmp_path)


class Rival:
    """Another process that takes the lock when it is told to, and keeps it until it is let go."""

    def __init__(self, state: StateDir, *how: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.journal.rival", str(state.path), *how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.pid = self._process.pid

    def read(self) -> str:
        return _piped(self._process.stdout).readline().strip()

    def start(self) -> None:
        pipe = _piped(self._process.stdin)
        pipe.write("go\n")
        pipe.flush()

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def end(self) -> None:
        _piped(self._process.stdin).close()
        self._process.wait()
        _piped(self._process.stdout).close()


def _piped(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@contextmanager
def rivals(state: StateDir, number: int) -> Iterator[list[Rival]]:
    """Processes that have started up and wait for the word."""
    started = [Rival(state) for _ in range(number)]
    try:
        assert {rival.read() for rival in started} == {"ready"}
        yield started
    finally:
        for rival in started:
            rival.end()


def test_of_fifty_simultaneous_starts_exactly_one_works(state: StateDir) -> None:
    """The others are refused while it lives, with exit code 75, and each of them is told the pid of the one."""
    program = [sys.executable, "-m", "tests.journal.crowd", str(state.path), "50"]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    [worker] = [each["pid"] for each in told if each["code"] == 0]
    refused = [each for each in told if each["code"] != 0]
    assert [each["code"] for each in refused] == [ExitCode.STOPPED_EARLY] * 49
    assert [
        each["message"] for each in refused if f"pid {worker} on {socket.gethostname()}" not in each["message"]
    ] == []


def test_the_refused_one_names_the_holder(state: StateDir) -> None:
    """Pid, host and since when: enough to find it at 3 a.m."""
    with rivals(state, 1) as [rival]:
        rival.start()
        assert rival.read() == "held"
        with pytest.raises(LockHeldError, match=f"pid {rival.pid} on {os.uname().nodename}, since 20") as raised:
            Lock.take(state)
    assert raised.value.exit_code is ExitCode.STOPPED_EARLY


def test_a_killed_holder_frees_the_lock(state: StateDir) -> None:
    """Nothing has to be removed by hand; until the next start the file tells who was killed."""
    with rivals(state, 1) as [rival]:
        rival.start()
        assert rival.read() == "held"
        rival.kill()
    holder = read_holder(state)
    assert holder is not None
    assert holder.pid == rival.pid
    assert not is_running(holder)
    Lock.take(state).release()


def test_a_dead_process_whose_parent_looks_away_is_not_running(state: StateDir) -> None:
    """A zombie keeps its pid and its start, and works no more."""
    with rivals(state, 1) as [rival]:
        rival.start()
        assert rival.read() == "held"
        holder = read_holder(state)
        os.kill(rival.pid, signal.SIGKILL)
        os.waitid(os.P_PID, rival.pid, os.WEXITED | os.WNOWAIT)
        assert holder is not None
        assert not is_running(holder)


def test_a_released_lock_has_no_holder(state: StateDir) -> None:
    """An end in order can be told from a kill; releasing twice is fine; the file is never deleted (C14)."""
    held = Lock.take(state)
    assert read_holder(state) is not None
    held.release()
    held.release()
    assert read_holder(state) is None
    assert state.lock.exists()


def test_reading_the_holder_does_not_touch_the_lock(state: StateDir) -> None:
    """`status` may look at any moment: a run that starts then is not refused for it (C15)."""
    with rivals(state, 1) as [rival]:
        assert read_holder(state) is None
        rival.start()
        assert rival.read() == "held"


def test_a_holder_is_known_by_more_than_its_pid(state: StateDir) -> None:
    """A pid that was given out again, or a boot that is over, is not the holder; another host is believed."""
    held = Lock.take(state)
    holder = read_holder(state)
    held.release()
    assert holder is not None
    assert holder.process_start is not None
    assert is_running(holder)
    assert not is_running(replace(holder, process_start=holder.process_start - 60))
    assert not is_running(replace(holder, boot_id="another boot"))
    assert not is_running(replace(holder, pid=2**22 + 1))
    assert is_running(replace(holder, host="another-host", pid=2**22 + 1))


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b'{"pid": 1}\n', b"\xff\n", b"\0" * 100])
def test_an_unreadable_holder_is_nobody(state: StateDir, content: bytes) -> None:
    """The file only tells; what it cannot tell stops nobody."""
    state.lock.write_bytes(content)
    assert read_holder(state) is None
    Lock.take(state).release()


def test_a_stale_name_is_not_blamed(state: StateDir) -> None:
    """Between its flock and its first write a new holder is not yet known: a dead one is not named for it."""
    held = Lock.take(state)
    content = state.lock.read_text()
    state.lock.write_text(content.replace(f'"pid":{os.getpid()}', '"pid":4194305'))
    with pytest.raises(LockHeldError, match=rf"just starting here \(pid {os.getpid()} on"):
        Lock.take(state)
    held.release()


def test_where_the_kernel_keeps_no_list_nobody_is_named(state: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal is the same, and it says what is known."""
    monkeypatch.setattr(lock, "_LOCKS", state.path / "no list")
    held = Lock.take(state)
    state.lock.write_bytes(b"")
    with pytest.raises(LockHeldError, match=r"just starting here; `batchrun status`"):
        Lock.take(state)
    held.release()


def test_a_forked_child_does_not_hold_the_lock(state: StateDir) -> None:
    """A consumer that was forked and outlives the killed run keeps no other run from starting."""
    rival = Rival(state, "with a child")
    assert rival.read() == "ready"
    rival.start()
    assert [rival.read(), rival.read()] == ["held", "child lives"]
    rival.kill()
    Lock.take(state).release()
    rival.end()


def test_a_lock_that_cannot_be_made_is_told_so(tmp_path: Path) -> None:
    """Exit 73 and what to do."""
    with pytest.raises(StateError, match="--state DIR"):
        Lock.take(StateDir(tmp_path / "missing"))
