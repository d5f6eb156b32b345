"""Signals, terminals and rivals: whatever comes from outside in mid-run, the run ends well and can go on."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import (
    PROGRAM,
    RequestPipe,
    asking,
    assert_each_answered_once,
    batchrun,
    prompts,
    start_batchrun,
    statuses,
    write_jobs,
)


@pytest.mark.parametrize("deaf", ["/dev/full", "a closed pipe"])
def test_a_run_that_nobody_hears_loses_nothing(tmp_path: Path, instant: SimulatorProcess, deaf: str) -> None:
    """A full log or a reader that went away costs no answer and does not change the exit code."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(5))
    reader, writer = os.pipe()
    os.close(reader)
    target = os.open("/dev/full", os.O_WRONLY) if deaf == "/dev/full" else writer
    done = subprocess.run(
        [PROGRAM, "run", "jobs.jsonl"], cwd=tmp_path, env=os.environ | asking(instant), stderr=target, check=False
    )
    for fd in {target, writer}:
        os.close(fd)
    assert done.returncode == 0
    assert_each_answered_once(jobs)


def test_nohup_is_obeyed(tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe) -> None:
    """A signal that was ignored when we came stays ignored."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(3, "[[tokens=60]] number {}"))
    words = ["nohup", str(PROGRAM), "run", "jobs.jsonl"]
    run = subprocess.Popen(
        words, cwd=tmp_path, env=os.environ | asking(calm), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    heard.wait_for(3)
    run.send_signal(signal.SIGHUP)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 0, told
    assert "SIGHUP" not in told
    assert_each_answered_once(jobs)


def test_a_drain_in_which_everything_comes_home_is_no_early_stop(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """Nothing is left that could be resumed: exit 0."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(3, "[[tokens=60]] number {}"))
    run = start_batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm))
    heard.wait_for(3)
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 0, told
    assert_each_answered_once(jobs)


def test_the_first_signal_drains_and_the_next_start_goes_on(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """Exit 75; what was in flight is finished, what was not begun stays pending, nothing is asked twice."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(12, "[[tokens=60]] number {}"))
    run = start_batchrun("run", "jobs.jsonl", "--max-slots", "3", cwd=tmp_path, env=asking(calm))
    heard.wait_for(3)
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 75, told
    assert "SIGTERM received" in told
    assert len(statuses(tmp_path / "jobs.batchrun")) == len(heard.requests()) == 3
    assert batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm)).returncode == 0
    assert_each_answered_once(jobs)
    assert len(heard.requests()) == 12


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_the_second_signal_stops_at_once(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe, number: signal.Signals, code: int
) -> None:
    """Its own exit code, no traceback, and the next start goes on."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(4, "[[tokens=200]] number {}"))
    run = start_batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm))
    heard.wait_for(4)
    run.send_signal(number)
    assert run.stderr is not None
    told = ""
    while "a second signal stops at once" not in told:
        line = run.stderr.readline()
        assert line, told
        told += line
    run.send_signal(number)
    _, rest = run.communicate(timeout=60)
    assert run.returncode == code, told + rest
    assert "Traceback" not in rest
    assert batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm)).returncode == 0
    assert_each_answered_once(jobs)


def test_of_four_simultaneous_starts_exactly_one_works(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """As from cron lines that were written twice: the others exit 75 and name it, and no item is asked by two."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(3, "[[tokens=60]] number {}"))
    starts = [start_batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm)) for _ in range(4)]
    told = {start: start.communicate(timeout=60)[1] for start in starts}
    [worker] = [start for start in starts if "3 of 3 items pending" in told[start]]
    others = [start for start in starts if start is not worker]
    assert worker.returncode == 0
    for other in others:
        # One that the machine let come too late finds all of it done.
        is_late = other.returncode == 0 and "nothing pending" in told[other]
        assert is_late or (other.returncode == 75 and f"pid {worker.pid} " in told[other]), told[other]
    assert_each_answered_once(jobs)
    assert len(heard.requests()) == 3


def test_a_second_run_on_the_same_state_is_told_who_holds_it(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """Exit 75 at once, with the pid; the first run is not disturbed."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(3, "[[tokens=60]] number {}"))
    run = start_batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm))
    heard.wait_for(3)
    second = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm))
    assert second.returncode == 75
    assert str(run.pid) in second.stderr
    run.communicate(timeout=60)
    assert run.returncode == 0
    assert_each_answered_once(jobs)
