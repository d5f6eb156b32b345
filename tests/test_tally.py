"""How far a run is, in numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.failure import Cause, Failure
from batchrun.outcome import GivenUp, Measure, Outcome, Status
from batchrun.tally import RATE_WINDOW, Tally


def tally(todo: int = 10, before: dict[str, int] | None = None) -> Tally:
    """A run that began at 1000 s."""
    return Tally(total=todo + sum((before or {}).values()), before=before or {}, todo=todo, began=1000.0)


def outcome(status: Status = Status.DONE, tokens: int = 5, error: dict[str, object] | None = None) -> Outcome:
    return Outcome(
        id="a",
        status=status,
        final=True,
        measure=Measure(tokens=tokens),
        attempts=1,
        elapsed=1.0,
        wasted_tokens=0,
        backend="claude",
        model="m",
        request="r",
        started="2026-11-21T03:00:00.000Z",
        finished="2026-11-21T03:00:01.000Z",
        error=error,
    )


def test_a_run_that_just_began_has_finished_nothing() -> None:
    """All four kinds are there from the start, so that nobody has to ask whether."""
    fresh = tally()
    assert fresh.finished == {"done": 0, "incomplete": 0, "refused": 0, "failed": 0}
    assert (fresh.finished_now, fresh.last_finish, fresh.last_error) == (0, 1000.0, None)


def test_what_was_finished_before_counts_for_the_file_and_not_for_the_run() -> None:
    """Morning figures are of the whole job file, this run's are its own."""
    run = tally(10, before={"done": 90, "failed": 2})
    run.finish(outcome(), 1001.0)
    run.finish(outcome(Status.REFUSED), 1002.0)
    assert run.finished == {"done": 91, "incomplete": 0, "refused": 1, "failed": 2}
    assert run.finished_now == 2
    assert run.now == {"done": 1, "refused": 1}


def test_tokens_that_were_kept_and_those_that_were_wasted_are_counted_apart() -> None:
    """An answer's tokens, and those of attempts that came to nothing."""
    run = tally()
    run.finish(outcome(tokens=7), 1001.0)
    run.retry(Failure(Cause.BROKEN, "", partial_tokens=3))
    run.retry(Failure(Cause.BROKEN, "", partial_tokens=4))
    run.retry(Failure(Cause.SILENT, ""))
    assert (run.tokens, run.wasted_tokens) == (7, 7)
    assert run.retried == {"broken": 2, "silent": 1}


def test_the_last_error_says_which_item_and_when() -> None:
    """An item that is answered does not wipe it out."""
    run = tally()
    run.finish(outcome(Status.FAILED, error={"cause": "bad_request", "message": "no"}), 1001.0)
    run.finish(outcome(), 1002.0)
    error = {"id": "a", "cause": "bad_request", "message": "no", "t": "2026-11-21T03:00:01.000Z"}
    assert run.last_error == error


def test_the_clock_of_giving_up_begins_again_with_each_item() -> None:
    """From the beginning of the run until something finishes, then from there; a retry is no progress."""
    run = tally()
    run.retry(Failure(Cause.BROKEN, ""))
    assert run.last_finish == 1000.0
    run.finish(outcome(Status.FAILED), 1500.0)
    assert run.last_finish == 1500.0


# -- the time that is left ---------------------------------------------------------------------------------------------


def test_nothing_is_said_before_two_items_are_finished() -> None:
    """One item is no pace."""
    run = tally()
    assert run.eta(1000.0) is None
    run.finish(outcome(), 1010.0)
    assert run.eta(1010.0) is None
    run.finish(outcome(), 1020.0)
    assert run.eta(1020.0) == pytest.approx(80.0)


def test_the_time_left_follows_the_recent_pace() -> None:
    """A slow first hour is forgotten once the last minutes were fast."""
    run = tally(1000)
    for number in range(10):
        run.finish(outcome(), 1000.0 + 360 * number)
    for number in range(300):
        run.finish(outcome(), 5000.0 + number)
    left = 1000 - 310
    assert run.eta(5299.5) == pytest.approx(left, rel=0.02)


def test_a_standstill_is_no_pace() -> None:
    """When nothing has finished for a whole window, nobody can tell."""
    run = tally()
    for when in (1001.0, 1002.0, 1003.0):
        run.finish(outcome(), when)
    assert run.eta(1002.0 + RATE_WINDOW) == pytest.approx(7 * RATE_WINDOW / 2)
    assert run.eta(1003.0 + RATE_WINDOW) is None


def test_at_the_end_no_time_is_left() -> None:
    """Zero, not a negative time."""
    run = tally(2)
    run.finish(outcome(), 1001.0)
    run.finish(outcome(), 1002.0)
    assert run.eta(1002.0) == 0


def test_asking_changes_nothing() -> None:
    """The live view asks from a thread of its own, while the run goes on: what it looks at stays as it is."""
    run = tally()
    for when in (1001.0, 1002.0):
        run.finish(outcome(), when)
    assert run.eta(5000.0) is None
    assert run.eta(1002.0) == pytest.approx(8.0)


@given(st.lists(st.floats(0, 1000), max_size=30), st.floats(0, 2000))
def test_the_time_left_is_never_negative(gaps: list[float], later: float) -> None:
    """Whatever the pace: None or a time."""
    run, when = tally(40), 1000.0
    for gap in gaps:
        when += gap
        run.finish(outcome(), when)
    eta = run.eta(when + later)
    assert eta is None or eta >= 0


def test_a_night_of_finished_items_is_not_kept() -> None:
    """Memory is bounded by what finishes within the window."""
    run = tally(100_000)
    for number in range(20_000):
        run.finish(outcome(), 1000.0 + number)
    kept = run._recent  # noqa: SLF001 - a bound on memory shows nowhere else
    assert len(kept) <= RATE_WINDOW + 1


def test_answers_that_are_kept_for_the_next_run_are_counted_apart() -> None:
    """With why the last of them was not taken."""
    run = tally()
    lost = outcome(Status.FAILED, error={"cause": "silent", "message": "not a byte"})
    kept = replace(
        outcome(Status.FAILED, error={"cause": "sink", "message": "no disk"}), stop_reason="end_turn", final=False
    )
    for each in (kept, lost, outcome()):
        run.finish(each, 1001.0)
    assert (run.undelivered, run.sink_error, run.again) == (1, "no disk", 1)


def test_what_the_next_run_leaves_alone_is_not_among_what_it_takes_up() -> None:
    """Of both, those whose answer is kept are told apart: nobody is asked for them."""
    run = tally()
    run.given_up = GivenUp(1)
    kept = replace(outcome(Status.FAILED, error={"message": "no disk"}), final=False, stop_reason="end_turn")
    run.finish(kept, 1001.0)
    run.finish(kept, 1002.0, is_given_up=True)
    run.finish(replace(kept, stop_reason=None), 1003.0, is_given_up=True)
    assert (run.again, run.undelivered, run.given_up) == (1, 1, GivenUp(3, 1))
    assert run.sink_error == "no disk"


def test_an_answer_that_was_paid_for_before_has_no_tokens_of_this_run() -> None:
    """It is finished now; it was written by the provider on another night."""
    counted = tally()
    counted.finish(replace(outcome(), paid_before=True), 1001.0)
    counted.finish(outcome(), 1002.0)
    assert (counted.finished_now, counted.tokens) == (2, 5)
