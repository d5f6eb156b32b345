"""The installed program under strace, which ends it at a call to the kernel or lets the call fail: nothing is lost."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from batchrun.simulator.process import SimulatorProcess, start_simulator
from tests.cli.program import (
    LIMIT_SECONDS,
    PROGRAM,
    RequestPipe,
    asking,
    assert_each_answered_once,
    batchrun,
    prompts,
    records,
    write_jobs,
)

# Which call of its name, counted for each thread: the first are those of a start, the later ones those of commits.
ONE = [("fdatasync", 6)]
TWENTY = [
    *(("fdatasync", number) for number in (1, 2, 3, 4, 5, 6, 7, 9, 12)),
    *(("write", number) for number in (1, 2, 3, 5, 8)),
    *(("fsync", number) for number in (1, 2, 3)),
    ("pwrite64", 1),
    ("ftruncate", 1),
    ("rename", 2),
]
SLOW_ENOUGH = ("--ttft", "0.02", "--tokens-per-second", "400")


@pytest.fixture(scope="module")
def strace() -> str:
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed")
    if subprocess.run([found, "-o", os.devnull, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a process may not be traced here")
    return found


@pytest.fixture
def provider(heard: RequestPipe) -> Iterator[SimulatorProcess]:
    with start_simulator(log=heard.path, extra=SLOW_ENOUGH) as server:
        yield server


def injected(strace: str, injection: str, cwd: Path, server: SimulatorProcess) -> subprocess.CompletedProcess[str]:
    """A run into which strace puts something."""
    call = injection.partition(":")[0]
    tracing = [
        strace,
        "-f",
        "-qq",
        "-o",
        os.devnull,
        "-e",
        f"trace={call}",
        "-e",
        f"inject={injection}",
    ]
    return subprocess.run(
        [*tracing, PROGRAM, "run", "jobs.jsonl", "--max-slots", "4"],
        cwd=cwd,
        env=os.environ | asking(server),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


@pytest.mark.parametrize("kills", [ONE, pytest.param(TWENTY, marks=pytest.mark.slow)], ids=["one", "twenty"])
def test_a_program_that_is_killed_at_a_call_to_the_kernel_loses_nothing(
    tmp_path: Path, strace: str, provider: SimulatorProcess, heard: RequestPipe, kills: list[tuple[str, int]]
) -> None:
    """Each start is killed at another one; in the end every item has one answer, and none was asked once it had it."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(10 + 8 * len(kills), "[[tokens=40]] number {}"))
    log = tmp_path / "jobs.batchrun" / "checkpoint.jsonl"
    finished: set[str] = set()
    for call, number in kills:
        before = len(heard.requests())
        killed = injected(strace, f"{call}:signal=SIGKILL:when={number}", tmp_path, provider)
        assert killed.returncode in (-9, 137), (call, number, killed.stderr)
        assert finished.isdisjoint(asked(heard, before))
        now = {line["id"] for line in records(log)} if log.exists() else set()
        assert finished <= now
        finished = now
    before = len(heard.requests())
    last = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(provider))
    assert last.returncode == 0, last.stderr
    assert finished.isdisjoint(asked(heard, before))
    assert_each_answered_once(jobs)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("injection", "remedy"),
    [
        ("fdatasync:error=EIO:when=9", "look at the disk"),
        ("fdatasync:error=ENOSPC:when=7", "free some space"),
        ("fdatasync:error=EDQUOT:when=5", "free some of your quota"),
    ],
)
def test_a_failed_call_ends_the_run_with_74_and_the_next_one_goes_on(
    tmp_path: Path, strace: str, provider: SimulatorProcess, injection: str, remedy: str
) -> None:
    """The message says what to do; what was finished is not asked again."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(20, "[[tokens=40]] number {}"))
    failed = injected(strace, injection, tmp_path, provider)
    assert failed.returncode == 74, failed.stderr
    assert remedy in failed.stderr
    assert "Traceback" not in failed.stderr
    resumed = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(provider))
    assert resumed.returncode == 0, resumed.stderr
    assert_each_answered_once(jobs)


def asked(heard: RequestPipe, before: int) -> set[str]:
    """The ids of those who were asked since there were so many requests."""
    return {f"item-{int(line['prompt'].split()[-1]):04d}" for line in heard.requests()[before:]}
