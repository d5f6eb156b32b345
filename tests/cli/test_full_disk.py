"""The installed program on a disk that is full, read-only or gone: it says what to do, and goes on later."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from batchrun.simulator.process import SimulatorProcess
from tests.cli.program import (
    LIMIT_SECONDS,
    PROGRAM,
    RequestPipe,
    asking,
    assert_each_answered_once,
    batchrun,
    prompts,
    start_batchrun,
    write_jobs,
)
from tests.journal.faults.mounts import mounted

SIMULATED = ("run", "jobs.jsonl", "--simulate", "--scenario", "instant")
BLOCK = 512  # what `ulimit -f` counts, by POSIX


def limited(blocks: int, *words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The program where no file may grow beyond so many blocks."""
    shell = f'ulimit -f {blocks}; exec "$0" "$@"'
    return subprocess.run(
        ["sh", "-c", shell, PROGRAM, *words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )


@pytest.mark.parametrize(
    "blocks", [8, *(pytest.param(size, marks=pytest.mark.slow) for size in (0, 1, 2, 3, 5, 12, 16, 20, 24))]
)
def test_a_limit_on_file_sizes_ends_the_run_and_the_next_one_goes_on(tmp_path: Path, blocks: int) -> None:
    """Exit 74 (73 where not even the lock can be written), one line that says what to do, no item lost."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(30))
    full = limited(blocks, *SIMULATED, cwd=tmp_path)
    assert full.returncode == (74 if blocks else 73), full.stderr
    assert "ulimit -f" in full.stderr
    assert "Traceback" not in full.stderr
    resumed = batchrun(*SIMULATED, cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    assert_each_answered_once(jobs)


@pytest.mark.slow
def test_a_small_disk_that_fills_up_ends_the_run_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """On a file system of its own, by ENOSPC: exit 74, and what to do."""
    with mounted(tmp_path / "disk", "size=32k") as disk:
        jobs = write_jobs(disk.path / "jobs.jsonl", prompts(30))
        full = batchrun(*SIMULATED, cwd=disk.path)
        assert full.returncode == 74, full.stderr
        assert "free some space" in full.stderr
        assert "Traceback" not in full.stderr
        disk.change("size=1m")
        resumed = batchrun(*SIMULATED, cwd=disk.path)
        assert resumed.returncode == 0, resumed.stderr
        assert_each_answered_once(jobs)


def test_a_read_only_disk_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    """Exit 73, and what to do."""
    with mounted(tmp_path / "disk", "size=1m") as disk:
        write_jobs(disk.path / "jobs.jsonl", prompts(1))
        disk.change("ro")
        refused = batchrun(*SIMULATED, cwd=disk.path)
    assert refused.returncode == 73
    assert "mount the file system writable" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize("state", ["long" * 100, "/dev/null", "/dev/null/below", "jobs.jsonl"])
def test_a_place_that_can_be_no_state_is_told(tmp_path: Path, state: str) -> None:
    """Exit 73, one line, and the way out."""
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    refused = batchrun(*SIMULATED, "--state", state, cwd=tmp_path)
    assert refused.returncode == 73, refused.stderr
    assert "--state DIR" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_a_state_that_is_moved_away_ends_the_run_and_is_good_where_it_comes_back(
    tmp_path: Path, calm: SimulatorProcess, heard: RequestPipe
) -> None:
    """Exit 74 at the next commit; no answer is written where nobody looks for it."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(6, "[[tokens=60]] number {}"))
    run = start_batchrun("run", "jobs.jsonl", "--max-slots", "2", cwd=tmp_path, env=asking(calm))
    heard.wait_for(3)  # the first item has given its slot back: it is finished
    (tmp_path / "jobs.batchrun").rename(tmp_path / "elsewhere")
    _, told = run.communicate(timeout=LIMIT_SECONDS)
    assert run.returncode == 74, told
    assert "bring the state directory back" in told
    assert "Traceback" not in told
    assert not (tmp_path / "jobs.batchrun").exists()
    (tmp_path / "elsewhere").rename(tmp_path / "jobs.batchrun")
    resumed = batchrun("run", "jobs.jsonl", cwd=tmp_path, env=asking(calm))
    assert resumed.returncode == 0, resumed.stderr
    assert_each_answered_once(jobs)
