"""Which jobs are asked again, and which of several records counts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchrun.journal.finished import FinishedIndex, Standing, outranks
from batchrun.journal.record import checkpoint_of
from batchrun.outcome import Outcome, Status
from tests.journal.builders import failure, outcome

# Short names for the kinds of records that may stand for one id.
DONE = outcome("a")
INCOMPLETE = outcome("a", status=Status.INCOMPLETE)
REFUSED = outcome("a", status=Status.REFUSED)
FAILED = failure("a", final=True)
TRANSIENT = failure("a")


def index_of(*outcomes: Outcome) -> FinishedIndex:
    """The outcomes in the order in which they were written, each 10 bytes after the other."""
    index = FinishedIndex()
    for place, each in enumerate(outcomes):
        index.add(each.id, each.request, each.status, each.final, place * 10, 10)
    return index


def standing(*outcomes: Outcome, request: str = DONE.request) -> Standing:
    return index_of(*outcomes).look_up("a", request)[0]


@pytest.mark.parametrize("record", [DONE, INCOMPLETE, REFUSED, FAILED])
def test_an_answer_or_a_final_failure_is_finished(record: Outcome) -> None:
    """Nothing that was answered, or that the item itself earned, is asked again."""
    assert standing(record) is Standing.FINISHED


def test_an_unknown_id_is_pending() -> None:
    """What the journal has never seen is asked."""
    assert standing() is Standing.PENDING
    assert index_of().entry("a") is None


def test_a_transient_failure_is_asked_again_in_two_more_runs() -> None:
    """After the third run it is the item's own fault."""
    assert standing(TRANSIENT) is Standing.PENDING
    assert standing(TRANSIENT, TRANSIENT) is Standing.PENDING
    assert standing(TRANSIENT, TRANSIENT, TRANSIENT) is Standing.FINISHED
    assert standing(*[TRANSIENT] * 300) is Standing.FINISHED


@given(st.permutations([DONE, TRANSIENT, FAILED, TRANSIENT]))
def test_a_failure_never_masks_an_answer(records: list[Outcome]) -> None:
    """Older or newer, however often: the answer is paid (C6)."""
    index = index_of(*records)
    entry = index.entry("a")
    assert entry is not None
    assert (entry.status, entry.result[0]) == (Status.DONE, 10 * records.index(DONE))
    assert index.is_finished("a", DONE.request)


def test_the_newest_answer_counts() -> None:
    """Asked again on purpose, the item is what it was answered last."""
    entry = index_of(DONE, INCOMPLETE).entry("a")
    assert entry is not None
    assert (entry.status, entry.result) == (Status.INCOMPLETE, (10, 10))


def test_newer_is_what_stands_later_in_the_results() -> None:
    """A checkpoint that was rebuilt after a crash stands last in its file and is none the newer for it."""
    index = FinishedIndex()
    index.add("a", "r", Status.DONE, True, 500, 10)
    index.add("a", "r", Status.REFUSED, True, 100, 10)
    entry = index.entry("a")
    assert entry is not None
    assert entry.result == (500, 10)


def test_a_newer_transient_failure_reopens_a_final_one() -> None:
    """Asked again on purpose and failed on the wire: the next run asks once more."""
    assert standing(FAILED, TRANSIENT) is Standing.PENDING
    assert standing(TRANSIENT, FAILED) is Standing.FINISHED


@pytest.mark.parametrize("record", [DONE, INCOMPLETE, REFUSED])
def test_an_answer_to_another_request_is_for_the_user_to_decide(record: Outcome) -> None:
    """Same id, changed request: `--changed` keeps it, asks again or refuses (C3)."""
    assert standing(record, request="edited") is Standing.CHANGED
    assert not index_of(record).is_finished("a", "edited")


@pytest.mark.parametrize("record", [FAILED, TRANSIENT])
def test_a_failure_of_another_request_keeps_nothing(record: Outcome) -> None:
    """Whoever mends a job that earned a 400 wants it asked: there is no answer to keep."""
    assert standing(record, record, record, request="mended") is Standing.PENDING


def test_each_request_of_an_id_has_its_own_standing() -> None:
    """Asked in two wordings, both are finished; going back to the first pays nothing twice (C3)."""
    index = index_of(DONE, outcome("a", request="edited"), failure("a", request="third"))
    assert index.look_up("a", DONE.request)[0] is Standing.FINISHED
    assert index.look_up("a", "edited")[0] is Standing.FINISHED
    assert index.look_up("a", "third")[0] is Standing.CHANGED
    assert len(index) == 1


def test_failed_runs_are_counted_for_each_request() -> None:
    """Two failures of the old wording do not use up the runs of the new one."""
    new = failure("a", request="edited")
    assert standing(TRANSIENT, TRANSIENT, new, request="edited") is Standing.PENDING
    assert standing(TRANSIENT, new, new, new, request="edited") is Standing.FINISHED


def test_an_entry_tells_what_counts() -> None:
    """Status, whether it is over, in how many runs it failed, and where its result stands."""
    entry = index_of(TRANSIENT, TRANSIENT).entry("a")
    assert entry is not None
    assert (entry.status, entry.final, entry.failed_runs, entry.result) == (Status.FAILED, False, 2, (10, 10))


@pytest.mark.parametrize(
    ("newer", "older", "expected"),
    [(DONE, FAILED, True), (FAILED, DONE, False), (DONE, REFUSED, True), (TRANSIENT, FAILED, True)],
)
def test_readers_follow_the_same_rule(newer: Outcome, older: Outcome, expected: bool) -> None:
    """`outranks` says of two checkpoints what the index says of two records."""
    assert outranks(checkpoint_of(newer, 10, 10), checkpoint_of(older, 0, 10)) is expected
    entry = index_of(older, newer).entry("a")
    assert entry is not None
    assert (entry.result[0] == 10) is expected


def test_a_passing_failure_tells_where_its_result_stands() -> None:
    """Of this very request, and the newest one: an answer may be kept in it."""
    index = index_of(failure("a", request="other"), TRANSIENT, TRANSIENT)
    assert index.failed_at("a", TRANSIENT.request) == (20, 10)
    assert index.failed_at("a", "other") == (0, 10)
    assert index.failed_at("a", "never asked") is None
    assert index.failed_at("b", TRANSIENT.request) is None


@pytest.mark.parametrize("record", [DONE, REFUSED, FAILED])
def test_what_is_over_has_nothing_to_be_delivered(record: Outcome) -> None:
    """Neither an answer that counts nor a failure of the item's own."""
    assert index_of(TRANSIENT, record).failed_at("a", record.request) is None


def test_an_answer_that_was_kept_for_three_runs_can_still_be_found() -> None:
    """Asked for on purpose, it is delivered and not paid again."""
    assert index_of(TRANSIENT, TRANSIENT, TRANSIENT).failed_at("a", TRANSIENT.request) == (20, 10)


RECORDS = [
    replace(each, id=id, request=request)
    for each in (DONE, REFUSED, FAILED, TRANSIENT)
    for id in "abc"
    for request in "rs"
]


@given(st.lists(st.sampled_from(RECORDS), max_size=12))
def test_what_need_not_be_looked_up_is_done(records: list[Outcome]) -> None:
    """Whatever was asked under an id before: of those that are left out, this very request is finished, and the answer
    that counts is a whole one."""
    index = index_of(*records)
    ids, requests = [*"abcd"] * 3, [*"rrrrsssstttt"]
    places = index.not_done(ids, requests)
    for place, (id, request) in enumerate(zip(ids, requests, strict=True)):
        if place not in places:
            assert index.look_up(id, request) == (Standing.FINISHED, Status.DONE)
    assert places == sorted(places)
    assert not set(places) - set(range(12))


@given(st.lists(st.sampled_from(RECORDS), max_size=12))
def test_looking_up_is_the_verdict_and_the_entry_in_one(records: list[Outcome]) -> None:
    """For ids that were asked once, often, or under several requests."""
    index = index_of(*records)
    for id in "abcd":
        for request in "rst":
            standing, status = index.look_up(id, request)
            entry = index.entry(id)
            assert status == (None if entry is None else entry.status)
            assert (standing is Standing.FINISHED) == index.is_finished(id, request)


def test_a_request_is_given_up_after_three_runs_of_what_may_pass() -> None:
    """Another request under the same id is not, nor is what failed for good or was answered."""
    index = FinishedIndex()
    for run in range(3):
        assert not index.gives_up("a", "r")
        index.add("a", "r", Status.FAILED, False, 100 * run, 90)
    index.add("b", "r", Status.FAILED, True, 400, 90)
    assert [index.gives_up(id, request) for id, request in (("a", "r"), ("a", "other"), ("b", "r"))] == [
        True,
        False,
        False,
    ]
    index.add("a", "r", Status.DONE, True, 500, 90)
    assert not index.gives_up("a", "r")
