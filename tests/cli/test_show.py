"""`batchrun show`, the installed program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from batchrun.jobs.job import BackendSpeech, RequestFlags
from batchrun.jobs.line import parse_line
from tests.cli.program import batchrun
from tests.report.nights import StateWriter, failed, outcome

CLAUDE = {"claude": BackendSpeech("claude")}


@pytest.fixture
def writer(tmp_path: Path) -> StateWriter:
    found = StateWriter(tmp_path / "jobs.jsonl")
    found.job_file(["answered", "bad", "waiting"])
    found.run_begins("run-1", 0, 3, 3)
    found.finish(
        outcome("answered", text="First line.\n\x1b[2JSecond line."),
        failed("bad", "bad_request", "max_tokens is too large"),
    )
    found.run_ends("run-1", 90, 75, "SIGINT received")
    return found


def test_an_item_is_shown_whole(writer: StateWriter) -> None:
    """Request and answer with their lines; what could steer the terminal is gone."""
    done = batchrun("show", "answered", "jobs.jsonl", cwd=writer.jobs.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("answered: done (end_turn)\n")
    assert done.stdout.endswith(
        "Request (line 1 of jobs.jsonl)\n  prompt: Tell me about answered.\n"
        "\nAnswer\n  First line.\n  [2JSecond line.\n"
    )


def test_the_json_holds_the_record_and_the_result(writer: StateWriter) -> None:
    """As they stand in the files."""
    facts = json.loads(batchrun("show", "answered", "jobs.jsonl", "--json", cwd=writer.jobs.parent).stdout)
    assert (facts["schema"], facts["status"], facts["line"]) == ("batchrun.show/1", "done", 1)
    assert facts["result"]["text"] == "First line.\n\x1b[2JSecond line."
    assert facts["record"]["attempts"] == 1
    pending = json.loads(batchrun("show", "waiting", "jobs.jsonl", "--json", cwd=writer.jobs.parent).stdout)
    assert (pending["status"], pending["record"], pending["result"]) == ("pending", None, None)


def test_an_unknown_id_is_exit_66_with_a_hint(writer: StateWriter) -> None:
    """The nearest id, on stderr."""
    done = batchrun("show", "anwsered", "jobs.jsonl", cwd=writer.jobs.parent)
    assert (done.returncode, done.stdout) == (66, "")
    assert "did you mean answered?" in done.stderr


def test_an_answer_to_another_request_is_said_to_be_one(writer: StateWriter) -> None:
    """What the environment gives to all lines is a part of the request; a default of the settings file is not."""
    said = "another request"
    asked = parse_line(writer.jobs.read_bytes().splitlines()[0], 1, RequestFlags(max_tokens=9), CLAUDE)
    writer.finish(outcome("answered", request=asked.request))
    assert said in batchrun("show", "answered", "jobs.jsonl", cwd=writer.jobs.parent).stdout
    env = {"BATCHRUN_MAX_TOKENS": "9"}
    assert said not in batchrun("show", "answered", "jobs.jsonl", cwd=writer.jobs.parent, env=env).stdout
    writer.jobs.with_name("batchrun.toml").write_text("[run]\nmax_tokens = 9\n")
    assert said in batchrun("show", "answered", "jobs.jsonl", cwd=writer.jobs.parent).stdout
