"""What is typed next does what the reader expects, copied as it stands."""

from __future__ import annotations

import shlex

import pytest

from batchrun.errors import ExitCode
from batchrun.report.census import Totals
from batchrun.report.resume import next_step, resume_command


@pytest.mark.parametrize(
    ("args", "command"),
    [
        (["run", "jobs.jsonl"], "batchrun run jobs.jsonl"),
        (["run", "--model", "m", "jobs.jsonl"], "batchrun run jobs.jsonl --model m"),
        (["run", "data/jobs.jsonl", "--state", "s d"], "batchrun run jobs.jsonl --state 's d'"),
        (["run", "jobs.jsonl", "--limit", "3", "--key-file", "k"], "batchrun run jobs.jsonl --key-file k"),
        (["run", "jobs.jsonl", "--limit=3", "--only=a", "--quiet", "--json"], "batchrun run jobs.jsonl"),
        (["run", "jobs.jsonl", "--only", "--quiet", "--simulate"], "batchrun run jobs.jsonl --simulate"),
        ([], "batchrun run jobs.jsonl"),
    ],
)
def test_the_command_carries_on_what_holds_for_the_whole_job(args: list[str], command: str) -> None:
    """Flags are kept; what was for one run only, or silences it, is not."""
    assert resume_command(args, "/home/me/data/jobs.jsonl", "jobs.jsonl") == command


def test_the_command_survives_the_shell() -> None:
    """Paths with blanks and quotes come back from the shell as they were."""
    command = resume_command(["run", "it's my jobs.jsonl"], "/x/it's my jobs.jsonl", "it's my jobs.jsonl")
    assert shlex.split(command) == ["batchrun", "run", "it's my jobs.jsonl"]


def test_nothing_is_to_be_typed_while_a_run_is_at_work() -> None:
    """A second run would only find the lock taken."""
    step = next_step("c", is_running=True, exit_code=None, totals=Totals(), pending=5)
    assert step.command is None


@pytest.mark.parametrize(
    ("totals", "pending", "why"),
    [
        (Totals(done=1), 2, "2 pending"),
        (Totals(done=1, failed=2, again=1), 0, "1 of the failed to be asked again"),
        (Totals(failed=2, again=2), 1234, "1,234 pending and 2 of the failed to be asked again"),
    ],
)
def test_what_is_left_is_named(totals: Totals, pending: int, why: str) -> None:
    """Pending items and passing failures are both a reason to go on."""
    step = next_step("c", is_running=False, exit_code=75, totals=totals, pending=pending)
    assert (step.command, step.why) == ("c", why)


@pytest.mark.parametrize(
    ("totals", "why"),
    [
        (Totals(done=3), "nothing is left to ask"),
        (Totals(done=3, failed=1), "nothing is left to ask; 1 item without a full answer will not be asked again"),
    ],
)
def test_where_nothing_is_left_there_is_no_command(totals: Totals, why: str) -> None:
    """Final failures are not asked again by going on."""
    step = next_step("c", is_running=False, exit_code=1, totals=totals, pending=0)
    assert (step.command, step.why) == (None, why)


def test_what_must_be_mended_first_is_said_before_the_command() -> None:
    """Going on without credentials would fail the same way."""
    step = next_step("c", is_running=False, exit_code=ExitCode.NO_CREDENTIALS, totals=Totals(), pending=2)
    assert step.why == "2 pending; set working credentials first"


def test_an_unknown_total_is_said() -> None:
    """Only the checkpoint is left: the command does no harm where nothing is pending."""
    step = next_step("c", is_running=False, exit_code=None, totals=Totals(done=1), pending=None)
    assert step.command == "c"
