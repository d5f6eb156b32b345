"""`batchrun report`, the installed program, over nights that were written as a run writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.cli.program import batchrun
from tests.report.nights import StateWriter, outcome, rough_night

BEGAN = timedelta(hours=5)


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> StateWriter:
    """The night that ended this morning, in a directory with a space in its name."""
    directory = tmp_path_factory.mktemp("last night")
    return rough_night(directory / "jobs.jsonl", items=60, begin=datetime.now(UTC) - BEGAN)


def test_the_morning_on_one_page(night: StateWriter) -> None:
    """Facts on stdout without colour or padding, nothing on stderr, exit 0 though items failed."""
    done = batchrun("report", "jobs.jsonl", cwd=night.jobs.parent)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "58 of 60 items answered in 8 min; 2 failed; nothing pending."
    assert lines[-1] == "Nothing is left to ask; 2 items without a full answer will not be asked again."
    assert "\x1b" not in done.stdout
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize("columns", ["60", "80", "120"])
def test_the_page_keeps_to_the_width(night: StateWriter, columns: str) -> None:
    """No line of a night without long commands is wider than it was told."""
    done = batchrun("report", "jobs.jsonl", cwd=night.jobs.parent, env={"COLUMNS": columns})
    assert max(len(line) for line in done.stdout.splitlines()) <= int(columns)


def test_the_json_says_the_same_as_the_page(night: StateWriter) -> None:
    """One object with its schema and nothing else."""
    done = batchrun("report", "jobs.jsonl", "--json", cwd=night.jobs.parent)
    facts = json.loads(done.stdout)
    assert facts["schema"] == "batchrun.report/1"
    assert facts["headline"] == "58 of 60 items answered in 8 min; 2 failed; nothing pending."
    assert [run["how"] for run in facts["runs"]] == ["killed", "ended"]
    assert facts["causes"]["bad_request"]["count"] == 2
    assert facts["resume"] == {
        "command": None,
        "why": "nothing is left to ask; 2 items without a full answer will not be asked again",
    }


def test_since_moves_the_night(night: StateWriter) -> None:
    """Where no run ended in so short a time the newest one is told, and only it."""
    done = batchrun("report", "jobs.jsonl", "--since", "10m", "--json", cwd=night.jobs.parent)
    assert [run["run"] for run in json.loads(done.stdout)["runs"]] == ["run-2"]
    assert batchrun("report", "jobs.jsonl", "--since", "soon", cwd=night.jobs.parent).returncode == 2


def test_without_a_job_file_the_newest_run_of_the_directory_is_told(night: StateWriter, tmp_path: Path) -> None:
    """Where the index of this machine is empty."""
    nobody = {"XDG_STATE_HOME": str(tmp_path)}
    done = batchrun("report", cwd=night.jobs.parent, env=nobody)
    assert done.stdout.startswith("58 of 60 items answered")


def test_damage_is_told_on_stderr_and_the_rest_is_told_all_the_same(tmp_path: Path) -> None:
    """Facts and remarks do not mix."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.finish(outcome("a"))
    with writer.state.checkpoint.open("ab") as file:
        file.write(b"\x00" * 99 + b"\n")
    writer.finish(outcome("b"))
    done = batchrun("report", "jobs.jsonl", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["totals"]["done"] == 2
    assert "100 damaged bytes were passed over" in done.stderr


def test_no_run_is_exit_66_with_what_to_do(tmp_path: Path) -> None:
    """One line on stderr, nothing on stdout."""
    tmp_path.joinpath("jobs.jsonl").write_text("")
    for command in ("report", "status"):
        done = batchrun(command, "jobs.jsonl", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (66, "")
        assert done.stderr == (
            "batchrun: jobs.batchrun: no run has been made here; start one: batchrun run jobs.jsonl\n"
        )
