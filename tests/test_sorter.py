"""Which jobs are asked: what the journal holds of them, and what the user wants asked again."""

from __future__ import annotations

import pytest

from batchrun.errors import ExitCode
from batchrun.failure import Cause
from batchrun.journal.finished import FinishedIndex
from batchrun.journal.runs import Run, RunEnd, RunStart
from batchrun.outcome import GivenUp, Status
from batchrun.sorter import RETRIABLE, Changed, Sorter, Wishes, retry_before

PLACES = {id: 100 * place for place, id in enumerate(("done", "cut", "no", "bad", "again"), start=1)}
CAUSES = {"bad": "bad_request", "again": "silent"}


def index() -> FinishedIndex:
    """One item of each kind, all of the request "r"."""
    found = FinishedIndex()
    found.add("done", "r", Status.DONE, True, PLACES["done"], 90)
    found.add("cut", "r", Status.INCOMPLETE, True, PLACES["cut"], 90)
    found.add("no", "r", Status.REFUSED, True, PLACES["no"], 90)
    found.add("bad", "r", Status.FAILED, True, PLACES["bad"], 90)
    found.add("again", "r", Status.FAILED, False, PLACES["again"], 90)
    return found


def asked(*retry: str, before: int = 10_000, request: str = "r", changed: Changed = Changed.KEEP) -> set[str]:
    """The ids that are pending under these wishes."""
    sorter = Sorter(index(), Wishes(changed, frozenset(retry), before), lambda id, place: CAUSES.get(id))
    return {id for id in [*PLACES, "new"] if sorter.is_pending(id, request)}


def test_without_a_wish_only_what_is_unfinished_is_asked() -> None:
    """A failure of something that may pass is unfinished; a 400 is not."""
    assert asked() == {"new", "again"}


@pytest.mark.parametrize(
    ("retry", "more"),
    [
        ("failed", {"bad"}),
        ("refused", {"no"}),
        ("incomplete", {"cut"}),
        ("all", {"done", "cut", "no", "bad"}),
        ("bad_request", {"bad"}),
        ("silent", set()),
    ],
)
def test_what_is_retried_is_asked_beside_the_rest(retry: str, more: set[str]) -> None:
    """By how an item ended, or by why it failed."""
    assert asked(retry) == {"new", "again"} | more


def test_wishes_add_up() -> None:
    """Two kinds, both."""
    assert asked("refused", "bad_request") == {"new", "again", "no", "bad"}


def test_what_was_answered_since_a_stopped_retry_began_is_left() -> None:
    """It stands behind the place in results.jsonl where that retry began."""
    assert asked("all", before=PLACES["no"]) == {"new", "again", "done", "cut"}


def test_a_changed_job_keeps_its_answer_unless_it_is_to_be_asked() -> None:
    """A failure of another request is nothing to keep; an answer is."""
    assert asked(request="edited") == {"new", "bad", "again"}
    assert asked(request="edited", changed=Changed.ASK) == {"new", "done", "cut", "no", "bad", "again"}
    assert asked("refused", request="edited") == {"new", "bad", "again", "no"}


def test_what_is_left_is_counted() -> None:
    """The finished by status; changed ones by id, unless they are asked; what is asked again on purpose."""
    for changed, ids, again in ((Changed.KEEP, ["done", "cut"], 1), (Changed.FAIL, ["done", "cut"], 1)):
        sorter = Sorter(index(), Wishes(changed, frozenset({"refused"}), 10_000))
        for id in PLACES:
            sorter.is_pending(id, "edited")
        assert (sorter.changed, sorter.pending_again) == (ids, again)
        assert sorter.finished == {"done": 1, "incomplete": 1}
    sorter = Sorter(index(), Wishes(Changed.ASK))
    assert sorter.is_pending("done", "edited")
    assert (sorter.changed, sorter.pending_again, sorter.finished.total()) == ([], 1, 0)


def test_those_that_are_named_are_judged_apart() -> None:
    """By `--only`: what became of the others is not asked about."""
    sorter = Sorter(index(), named=frozenset({"bad", "done", "new"}))
    left = [place for place, id in enumerate(PLACES) if not sorter.is_pending(id, "r")]
    assert len(left) == 4
    assert +sorter.wanting == {"failed": 1, "done": 1}
    assert sorter.finished == {"done": 1, "incomplete": 1, "refused": 1, "failed": 1}


def test_every_cause_can_be_retried() -> None:
    """And every way to end but done, which `all` covers."""
    assert set(Cause) <= RETRIABLE
    assert {"failed", "refused", "incomplete", "all"} <= RETRIABLE
    assert "done" not in RETRIABLE


def run_that(ended: ExitCode | None, size: int, *retry: str, pending: int = 1, limited: bool = False) -> Run:
    """A run that began when results.jsonl had this size; None: it was killed."""
    start = RunStart("r", "s", 1, "h", "v", "j", "d", [], 1, pending, "m", False, "", list(retry), size, limited)
    return Run(start, None if ended is None else RunEnd("r", "e", int(ended), "why"))


def look(*retry: str) -> Run:
    """A start that found nothing pending."""
    return run_that(ExitCode.OK, 300, *retry, pending=0)


STOPPED, OK = ExitCode.STOPPED_EARLY, ExitCode.OK


@pytest.mark.parametrize(
    ("runs", "before"),
    [
        ([], 900),
        ([run_that(OK, 100, "all")], 900),
        ([run_that(STOPPED, 100, "all")], 100),
        ([run_that(None, 100, "all"), run_that(STOPPED, 200, "all")], 100),
        ([run_that(STOPPED, 100, "all"), run_that(ExitCode.SOME_FAILED, 200, "all")], 900),
        ([run_that(STOPPED, 100, "failed")], 900),
        ([run_that(STOPPED, 100, "all"), run_that(STOPPED, 200)], 900),
        ([run_that(STOPPED, 100, "all"), look(), look("failed")], 100),
        ([run_that(STOPPED, 100, "all"), look("all")], 900),
        ([run_that(OK, 100, "all", limited=True)], 100),
    ],
    ids=[
        "first",
        "done",
        "stopped",
        "killed and stopped",
        "over",
        "another wish",
        "something between",
        "a look between",
        "nothing left of it",
        "limited to some",
    ],
)
def test_a_retry_goes_on_where_it_was_stopped(runs: list[Run], before: int) -> None:
    """Whoever asks for the same again after it was through means all of it."""
    assert retry_before(runs, frozenset({"all"}), 900) == before


def test_what_is_left_alone_though_it_may_pass_is_counted_with_the_answers_that_are_kept() -> None:
    """Neither a 400, which is the item's own fault, nor what the next run takes up by itself."""
    found = index()
    for run in range(3):
        found.add("worn", "r", Status.FAILED, False, 1000 + run, 90)
        found.add("kept", "r", Status.FAILED, False, 2000 + run, 90)
    sorter = Sorter(found, is_kept_at=lambda id, place: place == (2002, 90))
    assert [id for id in (*PLACES, "worn", "kept") if sorter.is_pending(id, "r")] == ["again"]
    assert sorter.given_up == GivenUp(2, 1)
    retrying = Sorter(found, Wishes(retry=frozenset({"failed"}), retry_before=10_000))
    assert retrying.is_pending("kept", "r")
    to_sinks = Sorter(found, Wishes(retry=frozenset({"sink"}), retry_before=9999), is_kept_at=lambda id, place: True)
    assert to_sinks.is_pending("kept", "r"), "whatever kept it from them"
    assert retrying.given_up == GivenUp()
