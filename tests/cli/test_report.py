"""`batchrun report`, the installed program, over nights that were written as a run writes them."""

from __future__ import annotations

import json
import shlex
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

from batchrun.cli.options import RUN
from batchrun.report.invocation import FLAGS, PATHS
from batchrun.settings import flag_of
from tests.cli.program import PROGRAM, batchrun, prompts, write_jobs
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
    write_jobs(tmp_path / "jobs.jsonl", prompts(1))
    program = shlex.quote(str(PROGRAM))
    for command in ("report", "status"):
        done = batchrun(command, "jobs.jsonl", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (66, "")
        assert done.stderr == (
            f"batchrun: jobs.batchrun: no run has been made here yet; start one: {program} run jobs.jsonl\n"
        )


def test_an_outage_is_told(tmp_path: Path) -> None:
    """Nothing was answered; what was met is told all the same."""
    jobs = write_jobs(tmp_path / "jobs.jsonl", prompts(2))
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        words = ("run", jobs.name, "--base-url", url, "--give-up", "500ms", "--period", "200ms")
        assert batchrun(*words, cwd=tmp_path, env={"ANTHROPIC_API_KEY": "sk-ant-test"}).returncode == 75
    facts = json.loads(batchrun("report", jobs.name, "--json", cwd=tmp_path).stdout)
    assert (facts["retries"]["is_known"], facts["retries"]["items"]) == (True, 0)
    assert facts["flavours"]["stream"]["causes"] == {"connect": facts["retries"]["attempts"]}
    assert facts["flavours"]["stream"]["words"].startswith("could not connect: ")


@pytest.mark.slow
def test_a_job_file_that_a_start_has_looked_into_is_no_changed_one(tmp_path: Path) -> None:
    """Where nothing was pending in it. The start is written down once, however often cron repeats it, and is no run of
    the night."""
    jobs, words = tmp_path / "jobs.jsonl", ("run", "jobs.jsonl", "--simulate", "--scenario", "instant")
    write_jobs(jobs, prompts(3))
    assert batchrun(*words, cwd=tmp_path).returncode == 0
    before = json.loads(batchrun("report", "jobs.jsonl", "--json", cwd=tmp_path).stdout)
    write_jobs(jobs, prompts(2))
    changed = json.loads(batchrun("report", "jobs.jsonl", "--json", cwd=tmp_path).stdout)
    assert (changed["job_file"]["changed"], changed["resume"]["command"] is None) == (True, False)
    for _ in range(2):
        assert batchrun("run", "jobs.jsonl", cwd=tmp_path).returncode == 0
    runs = [json.loads(line) for line in (tmp_path / "jobs.batchrun" / "runs.jsonl").read_bytes().splitlines()]
    assert [(line["event"], line.get("pending")) for line in runs] == [
        ("start", 3),
        ("end", None),
        ("start", 0),
        ("end", None),
    ]
    assert (runs[-1]["reason"], runs[-1]["exit_code"]) == ("nothing pending", 0)
    after = json.loads(batchrun("report", "jobs.jsonl", "--json", cwd=tmp_path).stdout)
    assert (after["job_file"]["changed"], after["resume"]["command"]) == (False, None)
    assert after["runs"] == before["runs"]
    assert after["headline"].startswith("2 of 2 items answered in ")
    write_jobs(jobs, prompts(4))
    more = json.loads(batchrun("report", "jobs.jsonl", "--json", cwd=tmp_path).stdout)
    assert more["resume"]["command"].endswith("jobs.jsonl --simulate --scenario instant"), "as the run that asked"


def test_a_run_that_could_not_start_is_no_run(tmp_path: Path) -> None:
    """It left a state with nothing in it but the headers of its files."""
    writer = StateWriter(tmp_path / "jobs.jsonl")
    writer.job_file(["a"])
    done = batchrun("report", "jobs.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (66, "")
    assert "no run has been made here yet" in done.stderr


def test_every_option_of_run_is_known_to_the_command_to_go_on() -> None:
    """Which stand alone and which are paths: else a command to copy would be wrong."""
    options = {flag_of(name): get_args(annotation)[0] for name, annotation in RUN.items()}
    kinds = {name: {kind, *get_args(kind)} for name, kind in options.items()}
    assert {name for name, of in kinds.items() if bool in of} == FLAGS - {"--no-stream"}
    assert {name for name, of in kinds.items() if Path in of} == PATHS - {"--scenario"}
