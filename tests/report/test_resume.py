"""What an operator does next is said, with its reason."""

from __future__ import annotations

import pytest

from batchrun.errors import ExitCode
from batchrun.report.census import Totals
from batchrun.report.resume import Position, next_step


def test_nothing_is_to_be_typed_while_a_run_is_at_work() -> None:
    """A second run would only find the lock taken; one that is just starting has it too."""
    assert next_step("c", Position(Totals(), 5, is_running=True)).command is None
    starting = next_step("c", Position(Totals(), 5, is_starting=True))
    assert (starting.command, starting.why) == (None, "a run is just starting: nothing to do")


@pytest.mark.parametrize(
    ("totals", "pending", "why"),
    [
        (Totals(done=1), 2, "2 pending"),
        (Totals(done=1, failed=2, again=1), 0, "1 of the failed to be asked again"),
        (Totals(failed=2, again=2), 1234, "1,234 pending and 2 of the failed to be asked again"),
        (Totals(failed=1, again=1, kept=1), 0, "1 kept answer to be delivered, not asked again"),
        (
            Totals(failed=9, again=7, kept=2),
            3,
            "3 pending and 5 of the failed to be asked again and 2 kept answers to be delivered, not asked again",
        ),
    ],
)
def test_what_is_left_is_named(totals: Totals, pending: int, why: str) -> None:
    """Pending items and passing failures are both a reason to go on."""
    step = next_step("c", Position(totals, pending, exit_code=75))
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
    step = next_step("c", Position(totals, 0, exit_code=1))
    assert (step.command, step.why) == (None, why)


def test_what_must_be_mended_first_is_said_before_the_command() -> None:
    """Going on without credentials would fail the same way."""
    step = next_step("c", Position(Totals(), 2, exit_code=ExitCode.NO_CREDENTIALS))
    assert step.why == "2 pending; set working credentials first"


def test_an_unknown_total_is_said() -> None:
    """Only the checkpoint is left: the command does no harm where nothing is pending."""
    assert next_step("c", Position(Totals(done=1), None)).command == "c"


def test_a_secret_that_was_struck_out_is_asked_for() -> None:
    """Else the command would be typed as it stands, and go wrong in the night; without a gap nothing is said of it."""
    step = next_step("batchrun run j --each 'curl -H \"x-api-key: ***\" h'", Position(Totals(), 2))
    assert step.why == "2 pending; type the secret again where *** stands: it is kept nowhere"
    assert next_step("batchrun run j", Position(Totals(), 2)).why == "2 pending"


@pytest.mark.parametrize(
    ("pending", "why"),
    [
        (0, "the job file has changed since the last run: run it again to see what is pending"),
        (None, "the job file has changed since the last run: run it again to see what is pending"),
        (2, "2 pending; the job file has changed since the last run"),
    ],
)
def test_a_job_file_that_has_changed_is_a_reason_to_run_again(pending: int | None, why: str) -> None:
    """What a line asks now only a run can tell."""
    step = next_step("c", Position(Totals(done=3), pending, exit_code=0, is_changed=True))
    assert (step.command, step.why) == ("c", why)
