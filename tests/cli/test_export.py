"""`batchrun export` as a user runs it: in a directory of its own, as a process of its own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.export.nights import failed, finish, outcome, state_in, write_jobs

PROGRAM = "from batchrun.cli import main\nmain()\n"


def batchrun(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM, *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def night(tmp_path: Path) -> Path:
    """Three of four items have ended, backwards."""
    write_jobs(tmp_path / "jobs.jsonl", "a", "b", "c", "d")
    finish(state_in(tmp_path), outcome("c"), failed("b"), outcome("a"))
    return tmp_path


def test_answers_go_to_stdout_and_remarks_do_not(night: Path) -> None:
    """In the order of the job file; exit 0, for the command could tell."""
    done = batchrun("export", "jobs.jsonl", "--format", "anthropic", "--output", "-", cwd=night)
    assert (done.returncode, done.stderr) == (0, "batchrun: 1 item not answered yet\n")
    told = [(line["custom_id"], line["result"]["type"]) for line in lines(done.stdout)]
    assert told == [("a", "succeeded"), ("b", "errored"), ("c", "succeeded"), ("d", "expired")]


def test_the_order_of_their_ends_can_be_had(night: Path) -> None:
    """What is pending comes last."""
    done = batchrun("export", "jobs.jsonl", "--format", "openai", "--order", "finished", cwd=night)
    assert [line["custom_id"] for line in lines(done.stdout)] == ["c", "b", "a", "d"]


def test_some_kinds_can_be_had_alone(night: Path) -> None:
    """Comma between them; one that is none is a mistake of the command."""
    done = batchrun("export", "jobs.jsonl", "--format", "jsonl", "--status", "done, failed", cwd=night)
    assert [line["status"] for line in lines(done.stdout)] == ["done", "failed", "done"]
    wrong = batchrun("export", "jobs.jsonl", "--format", "jsonl", "--status", "good", cwd=night)
    assert wrong.returncode == 2
    assert "'good' is not among" in wrong.stderr


def test_a_word_that_is_no_format_is_told_with_those_that_are(night: Path) -> None:
    """In our words, and exit 2."""
    wrong = batchrun("export", "jobs.jsonl", "--format", "xml", cwd=night)
    assert wrong.returncode == 2
    told = " ".join(wrong.stderr.replace("│", " ").split())
    assert "Invalid value for '--format': 'xml' is not among anthropic, openai, csv, jsonl" in told


def test_an_output_is_a_file(night: Path) -> None:
    """Nothing else appears beside it, and nothing on stdout."""
    before = set(night.iterdir())
    done = batchrun("export", "jobs.jsonl", "--format", "csv", "--output", "answers.csv", cwd=night)
    assert (done.returncode, done.stdout) == (0, "")
    content = (night / "answers.csv").read_bytes()
    assert content.count(b"\r\n") == 5
    assert set(night.iterdir()) - before == {night / "answers.csv"}


def test_the_job_file_is_not_overwritten(night: Path) -> None:
    """Exit 2, and it is as it was."""
    before = (night / "jobs.jsonl").read_bytes()
    done = batchrun("export", "jobs.jsonl", "--format", "csv", "--output", "jobs.jsonl", cwd=night)
    assert done.returncode == 2
    assert (night / "jobs.jsonl").read_bytes() == before


def test_jobs_that_are_packed_are_found_in_the_state(night: Path) -> None:
    """Without a run that has unpacked them it is said what to do; exit 66."""
    packed = night / "jobs.jsonl.gz"
    packed.write_bytes(gzip.compress((night / "jobs.jsonl").read_bytes()))
    done = batchrun("export", packed.name, "--format", "jsonl", cwd=night)
    assert done.returncode == 66
    assert "gunzip it, or run it first" in done.stderr


def test_without_a_run_there_is_nothing_to_export(tmp_path: Path) -> None:
    """Exit 66 and one line, no traceback."""
    done = batchrun("export", "jobs.jsonl", "--format", "jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (66, "")
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_has_seen_enough_is_no_error(night: Path) -> None:
    """`batchrun export ... | head -1`: quiet on both sides."""
    names = [f"item-{number:05d}" for number in range(30_000)]
    write_jobs(night / "jobs.jsonl", *names)
    command = [sys.executable, "-c", PROGRAM, "export", "jobs.jsonl", "--format", "jsonl"]
    with subprocess.Popen(command, cwd=night, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.readline()
        program.stdout.close()
        told = program.stderr.read()
        assert (program.wait(timeout=60), told) == (0, b"")


def test_what_only_reads_never_imports_the_sdk(night: Path) -> None:
    """It costs a second that nobody who exports needs to spend."""
    probe = PROGRAM.replace("main()", "try:\n    main()\nexcept SystemExit:\n    pass\nimport sys\nprint(*sys.modules)")
    words = ["export", "jobs.jsonl", "--format", "anthropic", "--status", "failed"]
    done = subprocess.run([sys.executable, "-c", probe, *words], cwd=night, capture_output=True, text=True, check=True)
    assert not {"anthropic", "httpx2", "genai_prices"} & set(done.stdout.split())
