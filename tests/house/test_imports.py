"""The SDK costs a second and 80 MB, the price list 0.15 s: nothing that does not send may import them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"anthropic", "genai_prices", "httpx2"}  # pydantic costs Typer 20 ms and is its own affair

# Runs one command in a fresh interpreter and tells on stderr what it had to import.
PROBE = """
import json, sys
from batchrun.cli import main
sys.argv = ["batchrun", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""


def imported_by(*arguments: str, directory: Path) -> set[str]:
    """All imported modules; a command that fails proves nothing, and is an error here."""
    probe = [sys.executable, "-c", PROBE, *arguments]
    done = subprocess.run(probe, cwd=directory, capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with one job that has been answered by the embedded provider."""
    directory = tmp_path_factory.mktemp("a finished run")
    job = {"id": "only", "messages": [{"role": "user", "content": "Say a word."}]}
    directory.joinpath("jobs.jsonl").write_text(json.dumps(job) + "\n", encoding="utf-8")
    run = [sys.executable, "-c", PROBE, "run", "jobs.jsonl", "--simulate"]
    done = subprocess.run(run, cwd=directory, capture_output=True, text=True, timeout=60, check=True)
    assert directory.joinpath("jobs.batchrun", "results.jsonl").stat().st_size > 0, done.stderr
    assert "genai_prices" not in done.stderr  # what is simulated has no price
    return directory


def test_the_command_line_starts_without_the_sdk(tmp_path: Path) -> None:
    """`--help` imports neither the SDK nor what it stands on."""
    assert imported_by("--help", directory=tmp_path) & HEAVY == set()


@pytest.mark.parametrize("command", ["status", "report"])
def test_what_only_reads_never_imports_the_sdk(command: str, finished_run: Path) -> None:
    """`status` and `report` of a finished run import neither the SDK nor what it stands on."""
    assert imported_by(command, "jobs.jsonl", directory=finished_run) & HEAVY == set()


def test_where_a_run_stands_is_told_without_what_a_run_needs(finished_run: Path) -> None:
    """Scripts ask for it again and again: how job lines and settings are read is a tenth of its time."""
    unneeded = {"batchrun.backends", "batchrun.config", "batchrun.jobs.line", "batchrun.settings", "psutil"}
    assert imported_by("status", "jobs.jsonl", directory=finished_run) & unneeded == set()


def test_a_run_that_only_delivers_what_was_paid_before_never_imports_the_sdk(tmp_path: Path) -> None:
    """Nobody is asked, so a night whose sink was broken costs a second and 80 MB less the second time."""
    tmp_path.joinpath("jobs.jsonl").write_text('{"id": "only", "prompt": "Say a word."}\n', encoding="utf-8")
    run = ("run", "jobs.jsonl", "--simulate", "--scenario", "instant", "--each")
    subprocess.run([sys.executable, "-m", "batchrun", *run, "exit 3"], cwd=tmp_path, capture_output=True, check=False)
    assert imported_by(*run, "cat > answer.txt", directory=tmp_path) & HEAVY == set()
    assert tmp_path.joinpath("answer.txt").stat().st_size > 0


def test_a_run_with_nothing_pending_never_imports_the_sdk(finished_run: Path) -> None:
    """`run` over finished items ends before the SDK is looked at, without credentials."""
    assert imported_by("run", "jobs.jsonl", directory=finished_run) & HEAVY == set()
