"""What a process and its children use, on recorded trees and on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from batchrun.gate.family import Family
from tests.gate.recorded import record, stat

TICK = os.sysconf("SC_CLK_TCK")
BUSY = "import time; end = time.process_time() + 0.2\nwhile time.process_time() < end: pass"


def test_children_and_theirs_are_counted_and_strangers_are_not(tmp_path: Path) -> None:
    """By who begot whom, in whatever order they stand."""
    root = record(tmp_path, stat(10, 1, 100) | stat(30, 20, 5) | stat(20, 10, 40) | stat(99, 1, 7000))
    use = Family(root, 10).use()
    assert use.cpu_seconds == pytest.approx(145 / TICK)
    assert use.memory_mb == pytest.approx(300 * os.sysconf("SC_PAGE_SIZE") / 2**20)


def test_who_is_born_later_is_counted_and_a_number_that_is_used_again_too(tmp_path: Path) -> None:
    """A stranger that has gone is forgotten, so that its number may become a child's."""
    root = record(tmp_path, stat(10, 1, 100) | stat(50, 1, 7000))
    family = Family(root, 10)
    assert family.use().cpu_seconds == pytest.approx(100 / TICK)
    (root / "proc/50/stat").unlink()
    (root / "proc/50").rmdir()
    assert family.use().cpu_seconds == pytest.approx(100 / TICK)
    record(root, stat(50, 10, 30) | stat(51, 50, 3))
    assert family.use().cpu_seconds == pytest.approx(133 / TICK)


def test_a_process_that_ends_while_it_is_looked_at_is_no_error(tmp_path: Path) -> None:
    """Its directory is there, its file is not, or is empty."""
    root = record(tmp_path, stat(10, 1, 100) | {"proc/11/stat": "", "proc/self/status": "", "proc/12/other": ""})
    assert Family(root, 10).use().cpu_seconds == pytest.approx(100 / TICK)


def test_without_proc_the_system_is_asked_in_another_way(tmp_path: Path) -> None:
    """As on a Mac: about the same, of this very process."""
    ours, theirs = Family().use(), Family(tmp_path).use()
    assert theirs.cpu_seconds == pytest.approx(ours.cpu_seconds, abs=1.0)
    assert theirs.memory_mb == pytest.approx(ours.memory_mb, rel=0.5)


def test_a_child_that_has_ended_stays_counted() -> None:
    """It worked for a fifth of a second, was waited for, and has gone."""
    family = Family()
    before = family.use().cpu_seconds
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    assert family.use().cpu_seconds - before >= 0.15
