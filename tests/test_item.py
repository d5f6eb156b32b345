"""One job on its way: what it counts, and the outcome in which it ends."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import orjson
import pytest

from batchrun.failure import Cause, Failure
from batchrun.item import Item, timestamp
from batchrun.jobs.job import Job
from batchrun.outcome import Measure, Status
from batchrun.stream.message import Message

JOB = Job(
    id="küche/7",
    line=3,
    body={"model": "claude-haiku-5-5", "max_tokens": 9, "messages": []},
    request="0123456789abcdef",
    backend="claude",
    metadata={"site": "küche"},
)
MEASURE = Measure(wall=1.5, cpu=0.01, tokens=12, ttft=0.4, chunks=12)
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def message(stop_reason: str = "end_turn", text: str = "Ja.") -> Message:
    content = [{"type": "text", "text": text}]
    usage = {"output_tokens": 12}
    return Message("msg_1", "claude-haiku-5-5-20261001", text, content, stop_reason, usage, 12, ("odd",))


def test_an_answer_becomes_an_outcome_with_everything_that_is_known() -> None:
    """Text, content, usage and numbers of the attempt; id, fingerprint and notes of the job; which model it was."""
    item = Item(JOB, began=100.0)
    item.attempts = 1
    outcome = item.answered(message(), MEASURE, now=102.5)
    assert (outcome.id, outcome.request, outcome.backend) == ("küche/7", "0123456789abcdef", "claude")
    assert (outcome.status, outcome.final, outcome.stop_reason) == (Status.DONE, True, "end_turn")
    assert (outcome.text, outcome.usage, outcome.flags) == ("Ja.", {"output_tokens": 12}, ("odd",))
    assert outcome.content == [{"type": "text", "text": "Ja."}]
    assert (outcome.measure, outcome.attempts, outcome.elapsed) == (MEASURE, 1, 2.5)
    assert outcome.model == "claude-haiku-5-5-20261001"
    assert outcome.metadata == {"site": "küche"}
    assert outcome.error is None


@pytest.mark.parametrize(
    ("stop_reason", "status"),
    [
        ("end_turn", Status.DONE),
        ("stop_sequence", Status.DONE),
        ("tool_use", Status.DONE),
        ("pause_turn", Status.INCOMPLETE),
        ("reason_of_tomorrow", Status.DONE),
        ("max_tokens", Status.INCOMPLETE),
        ("model_context_window_exceeded", Status.INCOMPLETE),
        ("refusal", Status.REFUSED),
    ],
)
def test_the_stop_reason_decides_how_an_answer_counts(stop_reason: str, status: Status) -> None:
    """An answer that was cut off or refused is told apart, keeps its text, and is not asked again."""
    outcome = Item(JOB, 0.0).answered(message(stop_reason), MEASURE, 1.0)
    assert (outcome.status, outcome.final, outcome.text) == (status, True, "Ja.")


def test_an_answer_that_names_no_model_is_that_of_the_job() -> None:
    """Some gateways leave the field empty."""
    silent = Message("", "", "Ja.", [], "end_turn", {}, 0)
    assert Item(JOB, 0.0).answered(silent, MEASURE, 1.0).model == "claude-haiku-5-5"


def test_a_failure_becomes_an_outcome_with_its_cause() -> None:
    """Cause, message, status and the provider's request id, by which its support finds it."""
    item = Item(JOB, began=100.0)
    item.attempts = 8
    failure = Failure(Cause.OVERLOADED, "overloaded", status=529, request_id="req_1")
    outcome = item.failed(failure, MEASURE, now=160.0, final=False)
    assert (outcome.status, outcome.final, outcome.attempts, outcome.elapsed) == (Status.FAILED, False, 8, 60.0)
    assert outcome.error == {"cause": "overloaded", "message": "overloaded", "status": 529, "request_id": "req_1"}
    assert (outcome.text, outcome.content, outcome.stop_reason) == ("", [], None)
    assert outcome.model == "claude-haiku-5-5"
    assert outcome.metadata == {"site": "küche"}
    assert item.failed(failure, MEASURE, 160.0, final=True).final


def test_a_failure_without_a_request_id_has_none() -> None:
    """A connection that never was has no number; the status says so."""
    outcome = Item(JOB, 0.0).failed(Failure(Cause.CONNECT, "refused"), MEASURE, 1.0, final=False)
    assert outcome.error == {"cause": "connect", "message": "refused", "status": None}


def test_what_was_paid_stands_in_the_outcome_whatever_it_is() -> None:
    """An answer that nobody could take was paid for like any other; without an answer nobody knows."""
    item = Item(JOB, 0.0)
    assert item.failed(Failure(Cause.BROKEN, ""), MEASURE, 1.0, final=False).cost_usd is None
    item.cost_usd = 0.25
    assert item.answered(message(), MEASURE, 1.0).cost_usd == 0.25
    assert item.failed(Failure(Cause.BUG, ""), MEASURE, 1.0, final=False).cost_usd == 0.25


def test_what_came_of_a_broken_answer_is_told_and_never_given_as_one() -> None:
    """Its length, and its tokens among the wasted ones; parts of an answer that had paused count as wasted too."""
    item, broken = Item(JOB, 0.0), Failure(Cause.BROKEN, "reset", partial_tokens=3, partial_characters=11)
    item.note(broken)
    item.parts.take(replace(message("pause_turn"), output_tokens=4))
    outcome = item.failed(broken, MEASURE, 1.0, final=False)
    assert outcome.error == {"cause": "broken", "message": "reset", "status": None, "partial_characters": 11}
    assert (outcome.text, outcome.content, outcome.wasted_tokens) == ("", [], 7)


def test_failed_attempts_are_counted_by_cause() -> None:
    """All of them for the backoff, those that cost an attempt for the limit, the silent ones for the idle clock."""
    item = Item(JOB, 0.0)
    for cause in (Cause.RATE_LIMITED, Cause.RATE_LIMITED, Cause.SILENT, Cause.BROKEN, Cause.SILENT, Cause.LOCAL):
        item.note(Failure(cause, "", partial_tokens=10))
    assert (item.failed_attempts, item.counted, item.idle_retries) == (6, 3, 2)
    outcome = item.answered(message(), MEASURE, 1.0)
    assert outcome.retried == {"rate_limited": 2, "silent": 2, "broken": 1, "local": 1}
    assert outcome.wasted_tokens == 60


def test_what_an_outcome_counts_can_be_written_as_it_is() -> None:
    """Causes are plain words: the fast JSON encoder takes no other keys."""
    item = Item(JOB, 0.0)
    item.note(Failure(Cause.BROKEN, ""))
    assert orjson.dumps(item.answered(message(), MEASURE, 1.0).retried) == b'{"broken":1}'


def test_an_outcome_is_not_changed_by_what_comes_after() -> None:
    """A frozen value holds its own counts."""
    item = Item(JOB, 0.0)
    outcome = item.answered(message(), MEASURE, 1.0)
    item.note(Failure(Cause.BROKEN, ""))
    assert outcome.retried == {}


STOPPED = replace(message("stop_rule:max_chars"), flags=("usage_estimated",), output_tokens=4)


@pytest.mark.parametrize(
    ("answer", "body", "saved"),
    [
        (STOPPED, {"max_tokens": 9}, 5),
        (STOPPED, {"max_completion_tokens": 100}, 96),
        (STOPPED, {"max_tokens": 3}, 0),
        (STOPPED, {}, 0),
        (replace(STOPPED, flags=()), {"max_tokens": 9}, 0),
        (message(), {"max_tokens": 900}, 0),
        (replace(message(), flags=("usage_estimated",)), {"max_tokens": 900}, 0),
    ],
)
def test_what_an_early_end_saved_is_counted_against_the_most(answer: Message, body: dict[str, int], saved: int) -> None:
    """Where the request sets no bound, or the answer had come to its end by itself, nothing was saved."""
    job = replace(JOB, body={"model": "m"} | body)
    outcome = Item(job, 0.0).answered(answer, MEASURE, 1.0)
    assert (outcome.status, outcome.saved_tokens) == (Status.DONE, saved)


def test_an_answer_that_no_sink_took_goes_into_the_failure() -> None:
    """Whole, so that nobody has to ask for it again."""
    failure = Failure(Cause.SINK, "no disk")
    outcome = Item(JOB, 0.0).failed(failure, MEASURE, 1.0, final=False, answer=message())
    assert (outcome.status, outcome.final, outcome.is_kept) == (Status.FAILED, False, True)
    assert (outcome.text, outcome.stop_reason, outcome.usage) == ("Ja.", "end_turn", {"output_tokens": 12})
    assert (outcome.flags, outcome.model, outcome.measure) == (("odd",), "claude-haiku-5-5-20261001", MEASURE)
    assert outcome.error == {"cause": "sink", "message": "no disk", "status": None}


def test_times_are_utc_and_sort_as_texts() -> None:
    """RFC 3339 with milliseconds, cut and not rounded, always the same width; the beginning before the end."""
    assert timestamp(datetime(2026, 11, 21, 3, 4, 5, 678_999, tzinfo=UTC)) == "2026-11-21T03:04:05.678Z"
    assert timestamp(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000Z"
    outcome = Item(JOB, 0.0).answered(message(), MEASURE, 1.0)
    assert RFC_3339.fullmatch(outcome.started)
    assert RFC_3339.fullmatch(outcome.finished)
    assert outcome.started <= outcome.finished


def test_an_item_shows_how_it_stands_in_one_line() -> None:
    """For the log."""
    assert repr(Item(JOB, 0.0)) == "<Item 'küche/7' attempt 0>"
