"""`make soak` keeps to its budget, and says by name what did not fit."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

SETTINGS = """
[pytest]
markers =
    slow
    soak
"""
TESTS = """
import os
import threading

import pytest

@pytest.mark.slow
def test_that_waits():
    threading.Event().wait(60)

@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2])
def test_that_is_quick(number):
    pass

@pytest.mark.soak
def test_that_shares():
    print("the long suite has", os.environ["BATCHRUN_SOAK_BUDGET"], os.environ["BATCHRUN_SOAK_SEED"])

def test_that_is_not_slow():
    raise AssertionError
"""


def soak(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    (place / "pytest.ini").write_text(SETTINGS, encoding="utf-8")
    command = [sys.executable, str(ROOT / "tools" / "soak.py"), *words]
    return subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_what_does_not_fit_is_cut_off_and_named(tmp_path: Path) -> None:
    """It is no failure; what comes after it has no time left and is named too, and the long suite gets its share."""
    (tmp_path / "test_them.py").write_text(TESTS, encoding="utf-8")
    done = soak(tmp_path, "--budget", "9s", "--seed", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    unfit = [line for line in done.stdout.splitlines() if line.startswith("soak: did not fit into the budget: ")]
    assert [line.split("::")[1].split()[0] for line in unfit] == ["test_that_waits", "test_that_is_quick"]
    assert "test_that_waits (cut off after" in unfit[0]
    assert "1 passed" in done.stdout, "the long suite has its share all the same"


@pytest.mark.slow
def test_what_fails_is_told_with_its_seed(tmp_path: Path) -> None:
    """Exit 1, for a slow test and for tests that cannot even be read."""
    (tmp_path / "test_them.py").write_text(
        "import pytest\n@pytest.mark.slow\ndef test_it():\n    raise AssertionError\n"
    )
    done = soak(tmp_path, "--budget", "30s", "--seed", "7")
    assert (done.returncode, "make soak SEED=7" in done.stderr) == (1, True)
    (tmp_path / "test_them.py").write_text("import nothing_of_the_kind\n")
    assert soak(tmp_path, "--budget", "30s", "--seed", "7").returncode == 1
