"""F29: too many open files are this machine's trouble; no item pays for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cli.program import LIMIT_SECONDS, PROGRAM, assert_each_answered_once, prompts, records, write_jobs

FILES = 128
# A sink that keeps files for itself, which nobody could know beforehand.
HOARD = """
import os

FILES = [os.open(os.devnull, os.O_RDONLY) for _ in range(75)]


def take(answer):
    pass
"""


def test_a_run_that_cannot_open_another_file_answers_every_item_all_the_same(tmp_path: Path) -> None:
    """More slots than files are left: what cannot be opened is tried again, no attempt is used up, and nothing else of
    the run trips over it."""
    (tmp_path / "hoard.py").write_text(HOARD, encoding="utf-8")
    (tmp_path / "night.toml").write_text("ttft = 0.2\n", encoding="utf-8")
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(60, "Tell me about number {}. [[tokens=5]]"))
    words = ["run", jobs.name, "--simulate", "--scenario", "night.toml", "--sink", "hoard:take", "--quiet"]
    slots = ["--min-slots", "60", "--period", "0.2s", "--max-attempts", "2"]
    done = subprocess.run(
        ["/bin/sh", "-c", f'ulimit -n {FILES}; exec "$@"', "sh", str(PROGRAM), *words, *slots],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert_each_answered_once(jobs)
    causes = {
        cause
        for line in records(jobs.with_suffix(".batchrun") / "checkpoint.jsonl")
        for cause in line.get("retried", ())
    }
    assert causes == {"local"}
